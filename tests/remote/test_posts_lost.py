"""Links that break and nodes that go with a posted message under way: nothing is lost or handled twice."""

from __future__ import annotations

import pytest
import trio

import actors
from actors import TicketState
from actors.delivery import SQLiteStore
from tests.remote.post_stage import AT_ONCE, Add, Counter, Do, Worker, hands_of, nodes, settled
from tests.remote.stage import Cable

Book = list[tuple[str, int]]


# --- the link breaks ------------------------------------------------------------------


class Frames(list[tuple[str, str]]):
    """Cuts the cable with the n-th frame that says a certain word."""

    def __init__(self, cable: Cable, word: str) -> None:
        self.cable = cable
        self.word = word
        self.done = trio.Event()

    def append(self, frame: tuple[str, str]) -> None:
        if self.word in frame[1] and not self.done.is_set():
            self.done.set()
            self.cable.cut()


@pytest.mark.parametrize("word", ["actors.Seek", "actors.Here", "actors.Carry", '"ack"', "actors.Carried"])
@pytest.mark.parametrize("seconds", [0.5, 10.0])
async def test_a_link_that_is_cut_at_any_step_and_resumes_changes_nothing(
    word: str, seconds: float, autojump_clock: object
) -> None:
    """The frame that is on its way then is lost, and sent again."""
    async with nodes("alpha", "beta") as world:
        (cable,) = world.cables_of("alpha")
        cable.frames = frames = Frames(cable, f'"{word}"' if word[0] == "a" else word)
        book: Book = []
        world["beta"].spawn(Worker, book, name="worker")
        tickets = [await world["alpha"].post("/worker", Do(n)) for n in range(3)]
        await frames.done.wait()
        await trio.sleep(seconds)
        cable.mend()
        assert [await ticket.wait_reply(20) for ticket in tickets] == [0, 1, 2]
        assert [n for _, n in book] == [0, 1, 2]
        assert [ticket.attempts for ticket in tickets] == [1, 1, 1]
        assert hands_of(world["alpha"]) == hands_of(world["beta"]) == (0, 0)


async def test_while_the_link_is_down_the_handler_goes_on_and_its_reply_waits(autojump_clock: object) -> None:
    async with nodes("alpha", "beta") as world:
        (cable,) = world.cables_of("alpha")
        world["beta"].spawn(Worker, name="worker")
        ticket = await world["alpha"].post("/worker", Do(1, 5.0))
        await trio.sleep(1)
        cable.cut()
        await trio.sleep(10)
        assert ticket.state is TicketState.DELIVERED
        cable.mend()
        assert await ticket.wait_reply(5) == 1
        assert ticket.attempts == 1


# --- the recipient's node goes ----------------------------------------------------------


async def test_a_node_that_is_lost_with_a_message_in_hand_has_failed_once(autojump_clock: object) -> None:
    """Another node that has the path gets it."""
    async with nodes("alpha", "beta", "gamma") as world:
        book: Book = []
        for name in ("beta", "gamma"):
            world[name].spawn(Worker, book, name="worker")
        await settled()
        ticket = await world["alpha"].post("/worker", Do(1, 40.0))
        await trio.sleep(1)
        for cable in world.cables_of("beta"):
            cable.cut()
        assert await ticket.wait_reply(100) == 1
        assert ticket.attempts == 2
        assert [name for name, _ in book] == ["beta", "gamma"]
        assert ticket.entry.failures[0].kind == "actors.errors.NodeLost"


async def test_a_message_in_hand_of_a_node_that_crashed_goes_to_the_next_life_of_that(
    autojump_clock: object,
) -> None:
    async with nodes("alpha", "beta") as world:
        book: Book = []
        world["beta"].spawn(Worker, book, name="worker")
        ticket = await world["alpha"].post("/worker", Do(1, 5.0))
        await trio.sleep(1)
        await world.nodes["beta"].crash()
        await world.again("beta")
        world["beta"].spawn(Worker, book, name="worker")
        await world.link("beta", "alpha")
        assert await ticket.wait_reply(20) == 1
        assert (ticket.attempts, len(book)) == (2, 2)


async def test_a_node_that_closes_finishes_what_it_has_in_hand_and_says_so(autojump_clock: object) -> None:
    """What it has not begun comes back, and the attempt does not count."""
    async with nodes("alpha", "beta") as world:
        book: Book = []
        world["beta"].spawn(Worker, book, name="worker", policy=actors.Policy(shutdown=10.0))
        world["beta"].spawn(Worker, book, name="other", policy=actors.Policy(shutdown=10.0)).tell(Do(0, 5.0))
        await settled()
        first = await world["alpha"].post("/worker", Do(1, 5.0))
        second = await world["alpha"].post("/other", Do(2))
        third = await world["alpha"].post("/worker", Do(3))
        await trio.sleep(1)
        assert second.state is TicketState.DELIVERED
        await world.nodes["beta"].stop()
        await settled()
        assert (first.state, first.attempts) == (TicketState.RESPONDED, 1)
        assert (second.state, second.attempts) == (TicketState.PENDING, 0)
        assert (third.state, third.attempts) == (TicketState.PENDING, 0)
        assert await first.wait_reply(1) == 1
        await world.again("beta")
        await world.link("beta", "alpha")
        world["beta"].spawn(Worker, book, name="worker")
        assert await third.wait_reply(1) == 3


async def test_a_ticket_is_dead_when_every_delivery_was_lost_with_its_node(autojump_clock: object) -> None:
    async with nodes("alpha", "beta") as world:
        ticket = await world["alpha"].post("/worker", Do(1, 1000.0), max_attempts=2)
        for _ in range(2):
            world["beta"].spawn(Worker, name="worker")
            await trio.sleep(5)
            await world.nodes["beta"].crash()
            await world.again("beta")
            await world.link("beta", "alpha")
        with pytest.raises(actors.TicketFailed, match="gone"):
            await ticket.wait_reply(1)
        assert ticket.state is TicketState.DEAD


# --- the node that posts goes -------------------------------------------------------------


async def test_a_sender_that_starts_anew_while_its_message_is_in_hand_there_gets_the_reply(
    autojump_clock: object,
) -> None:
    """The second delivery joins the first."""
    async with nodes("alpha", "beta") as world:
        book: Book = []
        world["beta"].spawn(Worker, book, name="worker")
        ticket = await world["alpha"].post("/worker", Do(1, 20.0))
        await trio.sleep(1)
        await world.nodes["alpha"].crash()
        await world.again("alpha")
        await world.link("alpha", "beta")
        again = await world["alpha"].ticket(ticket.id)
        await settled()
        assert again.state is TicketState.DELIVERED
        assert await again.wait_reply(30) == 1
        assert (again.attempts, book) == (2, [("beta", 1)])


@pytest.mark.parametrize("how", ["", "refuse"])
async def test_a_sender_that_starts_anew_after_its_message_was_handled_there_is_answered(
    how: str, autojump_clock: object
) -> None:
    """It is not handled again."""
    async with nodes("alpha", "beta") as world:
        book: Book = []
        world["beta"].spawn(Worker, book, name="worker")
        ticket = await world["alpha"].post("/worker", Do(1, 5.0, how))
        await trio.sleep(1)
        await world.nodes["alpha"].crash()
        await trio.sleep(10)
        await world.again("alpha")
        await world.link("alpha", "beta")
        again = await world["alpha"].ticket(ticket.id)
        if how:
            with pytest.raises(actors.Refused, match="not here"):
                await again.wait_reply(5)
        else:
            assert await again.wait_reply(5) == 1
        assert book == [("beta", 1)]


async def test_what_was_handled_is_remembered_when_both_nodes_start_anew(autojump_clock: object) -> None:
    """The receiver's store has it in one step with the state that the handler saved."""
    async with nodes("alpha", "beta") as world:
        world["beta"].spawn(Counter, name="counter")
        ticket = await world["alpha"].post("/counter", Add(1, 5.0))
        await trio.sleep(1)
        await world.nodes["alpha"].crash()
        await trio.sleep(10)
        await world.nodes["beta"].crash()
        await world.again("beta")
        world["beta"].spawn(Counter, name="counter")
        await world.again("alpha")
        await world.link("alpha", "beta")
        assert await (await world["alpha"].ticket(ticket.id)).wait_reply(5) == 1
        assert await (await world["alpha"].post("/counter", Add(1))).wait_reply(5) == 2


async def test_a_failure_that_the_sender_never_heard_of_is_no_handling(autojump_clock: object) -> None:
    """It is delivered again, as at home."""
    async with nodes("alpha", "beta") as world:
        book: Book = []
        world["beta"].spawn(Worker, book, 1, name="worker", policy=AT_ONCE)
        ticket = await world["alpha"].post("/worker", Do(1, 5.0, "crash first"))
        await trio.sleep(1)
        await world.nodes["alpha"].crash()
        await trio.sleep(10)
        await world.again("alpha")
        await world.link("alpha", "beta")
        assert await (await world["alpha"].ticket(ticket.id)).wait_reply(20) == 1
        assert len(book) == 2


# --- the couriers -------------------------------------------------------------------------


@pytest.mark.parametrize("node", ["alpha", "beta"])
async def test_a_courier_that_somebody_stops_hears_all_again(node: str, autojump_clock: object) -> None:
    """What it was told meanwhile is told once more; the message is handled once."""
    async with nodes("alpha", "beta") as world:
        book: Book = []
        world["beta"].spawn(Worker, book, name="worker")
        ticket = await world["alpha"].post("/worker", Do(1, 5.0))
        await trio.sleep(1)
        courier = world[node].find("/system/courier")
        assert courier is not None
        courier.stop()
        await trio.sleep(1)
        assert await ticket.wait_reply(10) == 1
        assert await (await world["alpha"].post("/worker", Do(2))).wait_reply(10) == 2
        assert [n for _, n in book] == [1, 2]
        assert ticket.attempts == 1


async def test_stores_of_different_kinds_deliver_to_each_other(tmp_path: object) -> None:
    """What is kept as text travels as text, what is kept as an object becomes text on the way."""
    async with (
        actors.open_system("beta", store=SQLiteStore(f"{tmp_path}/beta.db")) as beta,
        actors.open_system("alpha", store=SQLiteStore(f"{tmp_path}/alpha.db")) as alpha,
        actors.open_system("gamma") as gamma,
    ):
        listener = await beta.listen("127.0.0.1", 0)
        await alpha.connect(listener.url)
        await gamma.connect(listener.url)
        beta.spawn(Counter, name="counter")
        gamma.spawn(Counter, name="far")
        assert await (await alpha.post("/counter", Add(1))).wait_reply(5) == 1
        assert await (await gamma.post("/counter", Add(1))).wait_reply(5) == 2
        assert await (await beta.post("/far", Add(1))).wait_reply(5) == 1


async def test_a_ref_travels_in_a_message_that_is_not_kept_as_text(autojump_clock: object) -> None:
    async with nodes("alpha", "beta") as world:
        world["beta"].spawn(_Asker, name="asker")
        here = world["alpha"].spawn(Worker, name="here")
        ticket = await world["alpha"].post("/asker", _Ask(here))
        assert await ticket.wait_reply(5) == [5, here]


@actors.message(tag="test.post.Ask")
class _Ask(actors.Request[list[object]]):
    ref: actors.Ref


class _Asker(actors.Actor):
    @actors.receive
    async def ask(self, message: _Ask) -> list[object]:
        return [await message.ref.ask(Do(5)), message.ref]
