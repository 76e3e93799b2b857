"""The receipt: a post is accepted at once, whoever is there, and a key stands for one message."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock

import actors
from actors import Posting, TicketState
from actors.delivery import MemoryStore
from actors.delivery.errors import KeyConflict, RecipientFull, StoreUnavailable, UnknownTicket
from actors.events import PostRejected
from tests.delivery.post_cast import AT_ONCE, Desk, Do, entries, facts, gently, settled, states
from tests.roads import ROADS

pytestmark = pytest.mark.parametrize("on_road", ROADS, indirect=True)


@pytest.mark.row(88)
async def test_a_message_to_an_unknown_name_gets_a_ticket_at_once(autojump_clock: MockClock) -> None:
    """No time passes, and the ticket waits."""
    async with actors.open_system("s") as system:
        ticket = await system.post("/nobody", Do(1))
        assert trio.current_time() == 0.0
        assert (ticket.state, ticket.attempts, ticket.path) == (TicketState.PENDING, 0, "/nobody")
        assert (await system.ticket(ticket.id)) is ticket
        await trio.sleep(3600)
        assert ticket.state is TicketState.PENDING


@pytest.mark.row(88)
async def test_a_hundred_senders_to_a_busy_recipient_have_their_receipts_at_once(
    autojump_clock: MockClock,
) -> None:
    """What the recipient does is nothing to the senders."""
    async with actors.open_system("s") as system:
        system.spawn(Desk, name="desk")
        async with trio.open_nursery() as nursery:
            for n in range(100):
                nursery.start_soon(system.post, "/desk", Do(n, seconds=60.0))
        assert trio.current_time() == 0.0
        assert len(await entries(system)) == 100


async def test_a_message_to_a_living_actor_is_delivered_and_answered(autojump_clock: MockClock) -> None:
    """The whole way, without a wait."""
    async with actors.open_system("s") as system:
        system.spawn(Desk, name="desk")
        ticket = await system.post("/desk", Do(7))
        assert await ticket.wait_reply() == 7
        assert (ticket.state, ticket.attempts) == (TicketState.RESPONDED, 1)
        assert trio.current_time() == 0.0


async def test_an_actor_below_supervisors_is_found_by_its_path(autojump_clock: MockClock) -> None:
    """The path is that of its ref, from the root down; posted before any of them is there."""

    class Net(actors.Supervisor):
        async def on_start(self) -> None:
            self.spawn(Desk, name="worker-1")

    async with actors.open_system("s") as system:
        before = await system.post("/net/worker-1", Do(1))
        assert await system.posted.waiting() == {"/net/worker-1": 1}
        system.spawn(Net, name="net")
        assert await before.wait_reply() == 1
        assert await (await system.post("/net/worker-1", Do(2))).wait_reply() == 2
        assert await system.posted.waiting() == {}


async def test_a_function_takes_posted_messages_from_its_inbox(autojump_clock: MockClock) -> None:
    """Each is acknowledged when the next is taken, or the function ends; `ctx.reply` gives a reply."""
    book: list[Any] = []

    async def clerk(ctx: actors.Context) -> None:
        async for message in ctx.inbox:
            book.append(message.n)
            if message.how == "early":
                ctx.reply(message.n * 10)
            await trio.sleep(1.0)
            if message.n == 3:
                return

    async with actors.open_system("s") as system:
        system.spawn(clerk, name="clerk", policy=AT_ONCE)
        first = await system.post("/clerk", Do(1, how="early"))
        second = await system.post("/clerk", Do(2))
        third = await system.post("/clerk", Do(3))
        assert await first.wait_reply() == 10
        assert trio.current_time() == 1.0  # a reply waits for the end of the handling
        assert await second.wait_reply() is None
        assert await third.wait_reply() is None
        assert book == [1, 2, 3]
        assert trio.current_time() == 3.0


async def test_without_reply_the_ticket_ends_when_the_handler_has_returned(autojump_clock: MockClock) -> None:
    """Its value is dropped, RESPONDED says that it was handled."""
    async with actors.open_system("s") as system:
        system.spawn(Desk, name="desk")
        ticket = await system.post("/desk", Do(7, seconds=2.0), reply=False)
        assert await ticket.wait_reply() is None
        assert trio.current_time() == 2.0
        assert ticket.state is TicketState.RESPONDED
        assert ticket.entry.answer is None


# --- keys -----------------------------------------------------------------------


@pytest.mark.row(95)
async def test_a_key_posted_twice_is_delivered_once_while_it_waits(autojump_clock: MockClock) -> None:
    """The second post gives the ticket of the first, also to a recipient that is there and busy."""
    async with actors.open_system("s") as system:
        book: list[int] = []
        first = await system.post("/desk", Do(1), key="k")
        assert await system.post("/desk", Do(1), key="k") is first
        system.spawn(Desk, book, name="desk")
        await system.post("/desk", Do(2, seconds=5.0))
        waits = await system.post("/desk", Do(3), key="m")
        for _ in range(3):
            assert await system.post("/desk", Do(3), key="m") is waits
        await waits.wait_reply()
        await trio.sleep(60)
        assert book == [1, 2, 3]


@pytest.mark.row(95)
@pytest.mark.parametrize("when", ["in hand", "put off", "answered", "between two deliveries"])
async def test_a_key_posted_again_is_never_a_second_delivery(autojump_clock: MockClock, when: str) -> None:
    """Wherever the first one is."""
    error = trio.TooSlowError() if when == "between two deliveries" else None
    async with actors.open_system("s") as system:
        book: list[int] = []
        policy = actors.Policy(breaker=None, delivery=actors.Delivery(backoff=actors.Backoff.fixed(10.0)))
        system.spawn(Desk, book, name="desk", policy=policy)
        seconds = 3.0 if when == "in hand" else 0.0
        message = Do(1, seconds=seconds, how="later" if when == "put off" else "", error=error)
        ticket = await system.post("/desk", message, key="k", max_attempts=2)
        await trio.sleep(1.0)
        for _ in range(3):
            assert await system.post("/desk", attrs_copy(message), key="k") is ticket
        await trio.sleep(30.0)
        assert book == ([1, 1] if error else [1])
        assert ticket.attempts == (2 if error else 1)


def attrs_copy(message: Do) -> Do:
    """An equal message that is not the same."""
    return Do(message.n, message.seconds, message.error, message.how)


async def test_a_key_stands_for_one_message(autojump_clock: MockClock) -> None:
    """Another message under it is refused, with the ticket that has it; for another recipient it is free."""
    async with actors.open_system("s") as system:
        ticket = await system.post("/desk", Do(1), key="k")
        with pytest.raises(KeyConflict, match="choose another") as caught:
            await system.post("/desk", Do(2), key="k")
        assert (caught.value.ticket_id, caught.value.key) == (ticket.id, "k")
        other = await system.post("/other", Do(2), key="k")
        assert other.id != ticket.id


@pytest.mark.row(95)
async def test_a_key_posted_again_while_it_waits_is_no_second_delivery_of_one_put_off(
    autojump_clock: MockClock,
) -> None:
    """Its answer is still to come when the next one has its turn."""
    for at_once in (1, 3):
        async with actors.open_system("s") as system:
            book: list[int] = []
            system.spawn(Desk, book, name="desk", policy=gently(at_once=at_once))
            await system.post("/desk", Do(1, seconds=1.0))
            for _ in range(3):
                await system.post("/desk", Do(2, how="later"), key="k")
            await system.post("/desk", Do(3))
            await trio.sleep(60)
            assert book == [1, 2, 3]


# --- full recipients --------------------------------------------------------------


async def test_a_full_recipient_refuses_the_next_post_and_takes_it_later(autojump_clock: MockClock) -> None:
    """`RecipientFull` at the capacity, an event for who looks, and room again when one has ended."""
    async with actors.open_system("s", posting=Posting(capacity=3)) as system, system.subscribe() as events:
        for n in range(3):
            await system.post("/desk", Do(n))
        with pytest.raises(RecipientFull, match="3 messages wait") as caught:
            await system.post("/desk", Do(3))
        assert (caught.value.path, caught.value.capacity) == ("/desk", 3)
        await system.post("/other", Do(3))
        rejected = facts(events, PostRejected)
        assert [(one.path, type(one.error)) for one in rejected] == [("/desk", RecipientFull)]
        system.spawn(Desk, name="desk")
        await settled()
        assert await (await system.post("/desk", Do(3))).wait_reply() == 3


# --- posters ----------------------------------------------------------------------


async def test_posts_of_several_tasks_are_all_kept_each_once(autojump_clock: MockClock) -> None:
    """Four hundred posts of twenty tasks: each is handled once, and each task's own in its order."""
    async with actors.open_system("s") as system:
        book: list[int] = []
        system.spawn(Desk, book, name="desk")

        async def post(task: int) -> None:
            for n in range(20):
                await system.post("/desk", Do(task * 100 + n))

        async with trio.open_nursery() as nursery:
            for task in range(20):
                nursery.start_soon(post, task)
        await settled()
        assert sorted(book) == [task * 100 + n for task in range(20) for n in range(20)]
        for task in range(20):
            assert [n for n in book if n // 100 == task] == [task * 100 + n for n in range(20)]


async def test_a_cancelled_poster_leaves_nothing_half_done(autojump_clock: MockClock) -> None:
    """Whether or not it is stored, the courier and the others go on, and what is stored is delivered."""
    async with actors.open_system("s") as system:
        book: list[int] = []
        system.spawn(Desk, book, name="desk")
        with trio.CancelScope() as scope:
            scope.cancel()
            await system.post("/desk", Do(1))
        assert scope.cancelled_caught
        async with trio.open_nursery() as nursery:
            nursery.start_soon(system.post, "/desk", Do(2))
            await trio.lowlevel.checkpoint()
            await trio.lowlevel.checkpoint()
            nursery.cancel_scope.cancel()
        assert await (await system.post("/desk", Do(3))).wait_reply() == 3
        stored = [entry.payload.n for entry in await entries(system)]
        assert book == stored
        assert stored[-1] == 3
        assert all(state is TicketState.RESPONDED for state in await states(system))


async def test_a_cancelled_post_with_a_key_can_be_posted_again(autojump_clock: MockClock) -> None:
    """At every checkpoint of the post: with the key it is handled once."""
    for checkpoints in range(8):
        async with actors.open_system("s") as system:
            book: list[int] = []
            system.spawn(Desk, book, name="desk")
            await settled()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(keyed, system)
                for _ in range(checkpoints):
                    await trio.lowlevel.checkpoint()
                nursery.cancel_scope.cancel()
            assert await (await keyed(system)).wait_reply() == 1
            await settled()
            assert book == [1]


async def keyed(system: actors.System) -> Any:
    """Post it."""
    return await system.post("/desk", Do(1), key="k")


# --- finding again ------------------------------------------------------------------


async def test_a_ticket_is_found_again_by_its_id_when_nobody_holds_it(autojump_clock: MockClock) -> None:
    """Also when it has ended; an unknown id is refused."""
    async with actors.open_system("s") as system:
        ticket_id = (await system.post("/desk", Do(1))).id
        assert (await system.ticket(ticket_id)).state is TicketState.PENDING
        system.spawn(Desk, name="desk")
        await settled()
        again = await system.ticket(ticket_id)
        assert again.state is TicketState.RESPONDED
        assert await again.wait_reply() == 1
        with pytest.raises(UnknownTicket, match="check the id"):
            await system.ticket("no such ticket")


async def test_a_store_outlives_its_system_and_is_delivered_by_the_next(autojump_clock: MockClock) -> None:
    """What waits in it is found when it is opened, in its order; what was in hand has failed once."""
    store = MemoryStore()
    async with actors.open_system("s", store=store) as system:
        for n in range(5):
            await system.post("/desk", Do(n))
    book: list[int] = []
    async with actors.open_system("s", store=store) as system:
        assert await system.posted.waiting() == {"/desk": 5}
        system.spawn(Desk, book, name="desk")
        await settled()
        assert book == [0, 1, 2, 3, 4]
        assert set(await states(system)) == {TicketState.RESPONDED}


def test_the_errors_of_a_refused_post_say_that_nothing_was_stored() -> None:
    """Their kinds: refused at the door, or not known."""
    assert issubclass(RecipientFull, actors.TicketError)
    assert not issubclass(StoreUnavailable, actors.TicketError)
