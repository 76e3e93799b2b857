"""A post finds its recipient on any linked node, now or later, while every node has a store of its own."""

from __future__ import annotations

from functools import partial

import pytest
import trio

import actors
from actors import TicketState
from actors.delivery.words import Carried, Carry, Here, Place, Recall, Seek
from tests.core.cast import drained
from tests.remote.post_stage import AT_ONCE, Do, Worker, hands_of, nodes, settled
from tests.remote.stage import Cable


async def test_a_message_reaches_a_recipient_on_another_node(autojump_clock: object) -> None:
    """The ticket is of the node where it was posted."""
    async with nodes("alpha", "beta") as world:
        world["beta"].spawn(Worker, name="worker")
        ticket = await world["alpha"].post("/worker", Do(7))
        assert await ticket.wait_reply(1) == 7
        assert (ticket.state, ticket.attempts) == (TicketState.RESPONDED, 1)
        assert [entry.id for entry in await world["alpha"].posted.find()] == [ticket.id]
        assert await world["beta"].posted.find() == []


async def test_a_message_waits_for_a_recipient_that_comes_later_on_another_node(
    autojump_clock: object,
) -> None:
    """It is delivered in the step in which that is ready."""
    async with nodes("alpha", "beta") as world:
        ticket = await world["alpha"].post("/team/worker", Do(1))
        await trio.sleep(100)
        assert ticket.state is TicketState.PENDING
        network = await world["beta"].start(actors.Supervisor, name="team")
        now = trio.current_time()
        network.cell.spawn(Worker, name="worker")  # pyright: ignore
        assert await ticket.wait_reply(1) == 1
        assert trio.current_time() - now < 0.1


async def test_a_message_waits_for_a_node_that_is_linked_later(autojump_clock: object) -> None:
    async with nodes("alpha", "beta", link=False) as world:
        world["beta"].spawn(Worker, name="worker")
        ticket = await world["alpha"].post("/worker", Do(1))
        await trio.sleep(60)
        await world.link("beta", "alpha")
        assert await ticket.wait_reply(1) == 1


async def test_a_node_without_a_courier_gets_one_when_another_seeks_there(autojump_clock: object) -> None:
    async with nodes("alpha") as world, actors.open_system("beta") as beta:
        beta.spawn(Worker, name="worker")
        await world["alpha"].connect(world.made.door(beta, Cable()))
        assert beta.find("/system/courier") is None
        ticket = await world["alpha"].post("/worker", Do(1))
        assert await ticket.wait_reply(1) == 1
        assert beta.find("/system/courier") is not None


async def test_messages_are_handled_in_their_order_one_at_a_time(autojump_clock: object) -> None:
    """Also by priority, as at home."""
    async with nodes("alpha", "beta") as world:
        book: list[tuple[str, int]] = []
        for n in range(5):
            await world["alpha"].post("/worker", Do(n, 1.0))
        last = await world["alpha"].post("/worker", Do(9), priority=1)
        began = trio.current_time()
        worker = world["beta"].spawn(Worker, book, name="worker")
        await last.wait_reply(1)
        assert worker.cell.depth == 0
        await trio.sleep(5.5)
        assert [n for _, n in book] == [9, 0, 1, 2, 3, 4]
        assert [entry.state for entry in await world["alpha"].posted.find()] == [TicketState.RESPONDED] * 6
        assert trio.current_time() - began < 6.5


async def test_many_recipients_are_found_with_few_messages(autojump_clock: object) -> None:
    """1,200 paths are asked for in a handful of pages, one after the other."""
    async with nodes("alpha", "beta", link=False) as world:
        for n in range(1200):
            await world["alpha"].post(f"/worker-{n}", Do(n), reply=False)
        cable = await world.link("beta", "alpha")
        await settled()
        seeks = sum(text.count('"actors.Seek"') for _, text in cable.frames)
        assert 3 <= seeks <= 5
        for n in range(1200):
            world["beta"].spawn(Worker, name=f"worker-{n}")
        await trio.sleep(1)
        states = {entry.state for entry in await world["alpha"].posted.find(limit=3000)}
        assert states == {TicketState.RESPONDED}
        assert sum(text.count('"actors.Here"') for _, text in cable.frames) < 40


async def test_the_recipient_at_home_goes_first(autojump_clock: object) -> None:
    """And when that has gone for good, the other node's has the path."""
    async with nodes("alpha", "beta") as world:
        book: list[tuple[str, int]] = []
        world["beta"].spawn(Worker, book, name="worker")
        await (await world["alpha"].post("/worker", Do(1))).wait_reply(1)
        here = await world["alpha"].start(Worker, book, name="worker")
        await (await world["alpha"].post("/worker", Do(2))).wait_reply(1)
        here.stop()
        await here.wait_stopped()
        await (await world["alpha"].post("/worker", Do(3))).wait_reply(1)
        assert book == [("beta", 1), ("alpha", 2), ("beta", 3)]


async def test_of_two_other_nodes_the_first_by_name_has_the_path(autojump_clock: object) -> None:
    async with nodes("beta", "alpha", "gamma") as world:
        book: list[tuple[str, int]] = []
        world["gamma"].spawn(Worker, book, name="worker")
        await (await world["alpha"].post("/worker", Do(1))).wait_reply(1)
        world["beta"].spawn(Worker, book, name="worker")
        await settled()
        await (await world["alpha"].post("/worker", Do(2))).wait_reply(1)
        ref = world["beta"].find("/worker")
        assert ref is not None
        ref.stop()
        await ref.wait_stopped()
        await (await world["alpha"].post("/worker", Do(3))).wait_reply(1)
        assert book == [("gamma", 1), ("beta", 2), ("gamma", 3)]


async def test_what_is_not_wanted_any_more_is_forgotten_on_both_nodes(autojump_clock: object) -> None:
    async with nodes("alpha", "beta") as world:
        for n in range(10):
            ref = world["beta"].spawn(Worker, name=f"worker-{n}")
            await (await world["alpha"].post(f"/worker-{n}", Do(1))).wait_reply(1)
            ref.stop()
        await trio.sleep(1)
        alpha = world["alpha"]._office.rounds  # pyright: ignore[reportPrivateUsage]
        beta = world["beta"]._office.rounds.exchange.carrying.showing  # pyright: ignore[reportPrivateUsage]
        assert alpha.known == {}
        assert alpha._seeking._sought == {}  # pyright: ignore[reportPrivateUsage]
        assert beta._sought == {}  # pyright: ignore[reportPrivateUsage]
        assert hands_of(world["alpha"]) == hands_of(world["beta"]) == (0, 0)


# --- how it ends ----------------------------------------------------------------------


async def test_a_handler_that_fails_there_uses_up_the_attempts_here(autojump_clock: object) -> None:
    async with nodes("alpha", "beta") as world:
        book: list[tuple[str, int]] = []
        world["beta"].spawn(Worker, book, name="worker", policy=AT_ONCE)
        ticket = await world["alpha"].post("/worker", Do(1, how="crash"), max_attempts=3)
        with pytest.raises(actors.TicketFailed, match="crashed") as caught:
            await ticket.wait_reply(10)
        assert book == [("beta", 1)] * 3
        assert (ticket.state, ticket.attempts) == (TicketState.DEAD, 3)
        assert isinstance(caught.value.__cause__, actors.RemoteError)
        assert caught.value.__cause__.type_name == "builtins.ArithmeticError"
        assert [failure.attempt for failure in ticket.entry.failures] == [1, 2, 3]


async def test_a_handler_that_failed_there_gets_the_message_again(autojump_clock: object) -> None:
    """It holds back the next one."""
    async with nodes("alpha", "beta") as world:
        book: list[tuple[str, int]] = []
        world["beta"].spawn(Worker, book, 2, name="worker", policy=AT_ONCE)
        first = await world["alpha"].post("/worker", Do(1, how="crash first"))
        second = await world["alpha"].post("/worker", Do(2))
        assert await second.wait_reply(10) == 2
        assert (first.state, first.attempts) == (TicketState.RESPONDED, 3)
        assert [n for _, n in book] == [1, 1, 1, 2]


async def test_a_refusal_there_ends_the_ticket(autojump_clock: object) -> None:
    async with nodes("alpha", "beta") as world:
        world["beta"].spawn(Worker, name="worker")
        ticket = await world["alpha"].post("/worker", Do(1, how="refuse"))
        with pytest.raises(actors.Refused, match="not here"):
            await ticket.wait_reply(1)
        assert (ticket.state, ticket.attempts) == (TicketState.FAILED, 1)


async def test_a_reply_that_cannot_travel_fails_the_ticket(autojump_clock: object) -> None:
    async with nodes("alpha", "beta") as world:
        world["beta"].spawn(Worker, name="worker")
        ticket = await world["alpha"].post("/worker", Do(1, how="unspeakable"))
        with pytest.raises(actors.TicketFailed, match="object"):
            await ticket.wait_reply(1)
        long = await world["alpha"].post("/worker", Do(2 * 1024 * 1024, how="long"))
        with pytest.raises(actors.TicketFailed, match="max_message"):
            await long.wait_reply(1)


async def test_a_message_that_cannot_travel_fails_its_ticket(autojump_clock: object) -> None:
    """In memory any object may be posted; only message classes leave the node."""
    async with nodes("alpha", "beta") as world:
        world["beta"].spawn(Worker, name="worker")
        ticket = await world["alpha"].post("/worker", object())
        with pytest.raises(actors.TicketFailed, match=r"@actors\.message") as caught:
            await ticket.wait_reply(1)
        assert isinstance(caught.value.__cause__, actors.RemoteError)
        assert caught.value.__cause__.type_name == "actors.errors.NotSerializable"
        assert ticket.state is TicketState.FAILED
        assert await (await world["alpha"].post("/worker", Do(1))).wait_reply(1) == 1


async def test_an_answer_may_come_later_and_the_next_message_goes_on(autojump_clock: object) -> None:
    async with nodes("alpha", "beta") as world:
        world["beta"].spawn(Worker, name="worker")
        first = await world["alpha"].post("/worker", Do(1, how="later"))
        await settled()
        assert first.state is TicketState.DELIVERED
        second = await world["alpha"].post("/worker", Do(2, how="answer the others"))
        assert (await second.wait_reply(1), await first.wait_reply(1)) == (2, 2)


async def test_an_early_reply_counts_when_the_handler_has_returned(autojump_clock: object) -> None:
    async with nodes("alpha", "beta") as world:
        world["beta"].spawn(Worker, name="worker")
        ticket = await world["alpha"].post("/worker", Do(1, 5.0, how="early"))
        await trio.sleep(4)
        assert ticket.state is TicketState.DELIVERED
        assert await ticket.wait_reply(2) == "early"


async def test_who_is_stopped_before_it_has_begun_gives_the_message_back(autojump_clock: object) -> None:
    """The attempt does not count, and the next of its name gets it."""
    async with nodes("alpha", "beta") as world:
        book: list[tuple[str, int]] = []
        ref = world["beta"].spawn(Worker, book, name="worker")
        ref.tell(Do(0, 5.0))
        await settled()
        ticket = await world["alpha"].post("/worker", Do(1))
        await settled()
        assert ticket.state is TicketState.DELIVERED
        ref.stop()
        await ref.wait_stopped()
        await settled()
        assert (ticket.state, ticket.attempts) == (TicketState.PENDING, 0)
        world["beta"].spawn(Worker, book, name="worker")
        assert await ticket.wait_reply(1) == 1
        assert ticket.attempts == 1


async def test_a_recipient_that_restarts_there_is_not_tried_meanwhile(autojump_clock: object) -> None:
    """Nobody looks from time to time."""
    async with nodes("alpha", "beta") as world:
        policy = actors.Policy(backoff=actors.Backoff.fixed(60.0), breaker=None)
        ref = world["beta"].spawn(Worker, name="worker", policy=policy)
        await (await world["alpha"].post("/worker", Do(1))).wait_reply(1)
        ref.tell(Do(0, how="crash"))
        await settled()
        async with world["alpha"].subscribe(actors.events.TicketMoved) as events:
            ticket = await world["alpha"].post("/worker", Do(2))
            await trio.sleep(59)
            moves = [event for event in drained(events) if isinstance(event, actors.events.TicketMoved)]
            assert len(moves) <= 2
            assert ticket.state is TicketState.PENDING
        assert await ticket.wait_reply(2) == 2


# --- cancelled, timed out -------------------------------------------------------------


async def test_a_cancelled_message_that_is_not_begun_there_is_not_handled(autojump_clock: object) -> None:
    async with nodes("alpha", "beta") as world:
        book: list[tuple[str, int]] = []
        ref = world["beta"].spawn(Worker, book, name="worker")
        ref.tell(Do(0, 5.0))
        await settled()
        ticket = await world["alpha"].post("/worker", Do(1))
        await settled()
        assert ticket.cancel()
        assert await (await world["alpha"].post("/worker", Do(2))).wait_reply(10) == 2
        assert [n for _, n in book] == [0, 2]
        assert ticket.state is TicketState.CANCELLED


async def test_a_cancelled_message_that_is_begun_there_goes_on_and_holds_back_the_next(
    autojump_clock: object,
) -> None:
    async with nodes("alpha", "beta") as world:
        world["beta"].spawn(Worker, name="worker")
        ticket = await world["alpha"].post("/worker", Do(1, 5.0))
        await settled()
        began = trio.current_time()
        assert ticket.cancel()
        assert await (await world["alpha"].post("/worker", Do(2))).wait_reply(10) == 2
        assert trio.current_time() - began > 4.9
        assert ticket.state is TicketState.CANCELLED


async def test_a_ticket_times_out_here_and_a_late_reply_counts(autojump_clock: object) -> None:
    async with nodes("alpha", "beta") as world:
        world["beta"].spawn(Worker, name="worker")
        ticket = await world["alpha"].post("/worker", Do(1, 5.0), timeout=2)
        nobody = await world["alpha"].post("/nobody", Do(1), timeout=2)
        await trio.sleep(3)
        assert (ticket.state, nobody.state) == (TicketState.TIMED_OUT, TicketState.TIMED_OUT)
        await trio.sleep(3)
        assert ticket.state is TicketState.RESPONDED
        assert await ticket.wait_reply(1) == 1


# --- who posts ------------------------------------------------------------------------


class Poster(actors.Actor):
    """Posts when it is told to, and writes down the replies."""

    def __init__(self, book: list[actors.TicketReply]) -> None:
        self.book = book

    @actors.receive
    async def post(self, message: Do) -> None:
        await self.ctx.system.post("/worker", message)

    @actors.receive
    async def replied(self, message: actors.TicketReply) -> None:
        self.book.append(message)


@pytest.mark.parametrize("name", ["poster", None])
async def test_an_actor_that_posts_abroad_gets_the_reply_as_a_message(
    name: str | None, autojump_clock: object
) -> None:
    """And whoever handles it knows who has sent it."""
    async with nodes("alpha", "beta") as world:
        world["beta"].spawn(Worker, name="worker")
        book: list[actors.TicketReply] = []
        poster = world["alpha"].spawn(Poster, book, name=name)
        poster.tell(Do(1, how="sender"))
        await settled()
        assert [(reply.value, reply.error) for reply in book] == [(("alpha", poster.path), None)]


async def test_a_reply_follows_its_sender_to_another_node(autojump_clock: object) -> None:
    """It is posted to the path of the sender, like any message."""
    async with nodes("alpha", "beta") as world:
        book: list[actors.TicketReply] = []
        poster = world["alpha"].spawn(Poster, book, name="poster")
        poster.tell(Do(5))
        await settled()
        poster.stop()
        world["beta"].spawn(Worker, name="worker")
        world["beta"].spawn(Poster, book, name="poster")
        await trio.sleep(1)
        assert [(reply.value, reply.error) for reply in book] == [(5, None)]


async def test_nonsense_from_another_node_does_the_courier_no_harm(autojump_clock: object) -> None:
    """Paths that are none, of the framework's own, or of nobody; answers to what was never asked."""
    async with nodes("alpha", "beta") as world:
        await world["alpha"].post("/nobody", Do(1))
        mine = world["alpha"].find("/system/courier")
        assert mine is not None
        told = partial(world["alpha"].node("beta").ref("/system/courier").cell.tell_from, mine.cell)
        paths = ("", "/", "nowhere", "/system/courier", "/~1", "//", "/x/../y", "/" + "x" * 500)
        told(Seek(paths, forget=paths))
        told(Here((Place("/never", actors.Delivery()),), ("/never", ""), answers=True))
        told(Carried("nothing", 1, "answered", "1"))
        told(Recall("nothing"))
        for path in paths:
            told(Carry(path, 1, path, "no json", True, 0.0, 0, True, 1, "?", "nobody", -1, None))
        await trio.sleep(1)
        ref = world["beta"].find("/system/courier")
        assert ref is not None
        assert ref.statistics().restarts == 0
        assert hands_of(world["beta"]) == (0, 0)
        world["beta"].spawn(Worker, name="worker")
        assert await (await world["alpha"].post("/worker", Do(1))).wait_reply(1) == 1


async def test_both_nodes_post_to_each_other(autojump_clock: object) -> None:
    async with nodes("alpha", "beta") as world:
        world["alpha"].spawn(Worker, name="first")
        world["beta"].spawn(Worker, name="second")
        tickets = [
            await world[node].post(path, Do(n))
            for n in range(20)
            for node, path in (("alpha", "/second"), ("beta", "/first"))
        ]
        assert [await ticket.wait_reply(5) for ticket in tickets] == [n for n in range(20) for _ in "ab"]


class Player(actors.Actor):
    """Posts to the other one whatever it gets."""

    def __init__(self, other: str, book: list[str], refusals: list[Exception]) -> None:
        self.other = other
        self.book = book
        self.refusals = refusals

    @actors.receive
    async def play(self, message: Do) -> None:
        self.book.append(self.ctx.system.name)
        try:
            await self.ctx.system.post(self.other, message, reply=False)
        except actors.HopLimitReached as error:
            self.refusals.append(error)


async def test_two_that_answer_each_other_over_a_link_stop_at_the_hop_limit(autojump_clock: object) -> None:
    """The limit of hops counts across nodes: 100 by default."""
    async with nodes("alpha", "beta") as world:
        book: list[str] = []
        refusals: list[Exception] = []
        world["alpha"].spawn(Player, "/pong", book, refusals, name="ping")
        world["beta"].spawn(Player, "/ping", book, refusals, name="pong")
        await world["alpha"].post("/ping", Do(1), reply=False)
        await trio.sleep(10)
        assert book == ["alpha", "beta"] * 50
        assert len(refusals) == 1
