"""Pools as recipients: their workers share the line, as many at once as the delivery says."""

from __future__ import annotations

import functools

import pytest
import trio
from trio.testing import MockClock

import actors
from actors import Backoff, Delivery, Policy, Pool, TicketState
from tests.delivery.post_cast import AT_ONCE, PATIENT, Boom, Desk, Do, entries, gently, settled, states
from tests.roads import ROADS

pytestmark = pytest.mark.parametrize("on_road", ROADS, indirect=True)


def pool(size: int, book: list[int]) -> Pool:
    """Workers that write into one book."""
    template = actors.Template(functools.partial(Desk, book), policy=AT_ONCE)
    return Pool(template, size, size, strategy=PATIENT)


@pytest.mark.row(96)
async def test_a_pool_has_as_many_at_once_as_its_delivery_says(autojump_clock: MockClock) -> None:
    """Four of its five workers are at work, never more; in the order of the receipts."""
    async with actors.open_system("s") as system:
        book: list[int] = []
        for n in range(20):
            await system.post("/pool", Do(n, seconds=1.0))
        system.spawn(pool(5, book), name="pool", policy=gently(at_once=4))
        await trio.sleep(0.5)
        assert (await states(system)).count(TicketState.DELIVERED) == 4
        await trio.sleep(4.0)
        assert [sorted(book[at : at + 4]) for at in (0, 4, 8)] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]
        assert sorted(book) == list(range(20))
        await trio.sleep(1.0)
        assert set(await states(system)) == {TicketState.RESPONDED}


async def test_a_pool_has_one_at_a_time_where_nothing_is_said(autojump_clock: MockClock) -> None:
    """The order is kept then, whatever they cost."""
    async with actors.open_system("s") as system:
        book: list[int] = []
        system.spawn(pool(3, book), name="pool")
        for n in range(5):
            await system.post("/pool", Do(n, seconds=1.0))
        await trio.sleep(3.5)
        assert book == [0, 1, 2, 3]


async def test_a_message_that_crashes_workers_is_delivered_as_often_as_it_may_be(
    autojump_clock: MockClock,
) -> None:
    """The others go on meanwhile, and the pool lives."""
    async with actors.open_system("s") as system:
        book: list[int] = []
        system.spawn(pool(3, book), name="pool", policy=gently(at_once=3))
        bad = await system.post("/pool", Do(99, error=Boom()), max_attempts=4)
        good = [await system.post("/pool", Do(n, seconds=0.1)) for n in range(10)]
        for ticket in good:
            await ticket.wait_reply()
        await trio.sleep(60)
        assert book.count(99) == 4
        assert (bad.state, bad.attempts) == (TicketState.DEAD, 4)


async def test_a_cancelled_one_gives_its_place_back(autojump_clock: MockClock) -> None:
    """In a worker's hand its work goes on; in the pool's mailbox it is skipped. The places are not lost."""
    async with actors.open_system("s") as system:
        book: list[int] = []
        system.spawn(pool(2, book), name="pool", policy=gently(at_once=4))
        tickets = [await system.post("/pool", Do(n, seconds=5.0)) for n in range(4)]
        await trio.sleep(1.0)
        assert all(ticket.cancel() for ticket in tickets)
        later = [await system.post("/pool", Do(10 + n, seconds=1.0)) for n in range(8)]
        for ticket in later:
            await ticket.wait_reply()
        assert sorted(book) == [0, 1, *range(10, 18)]
        assert trio.current_time() == 9.0
        assert await system.posted.waiting() == {}


async def test_early_and_late_replies_of_workers_reach_the_ticket(autojump_clock: MockClock) -> None:
    """As those of any actor."""
    async with actors.open_system("s") as system:
        system.spawn(pool(1, []), name="pool", policy=gently(at_once=2))
        early = await system.post("/pool", Do(1, how="early", seconds=2.0))
        late = await system.post("/pool", Do(2, how="later"))
        last = await system.post("/pool", Do(3, how="answer the others"))
        assert [await ticket.wait_reply() for ticket in (early, late, last)] == [1, 3, 3]
        assert trio.current_time() == 2.0


async def test_a_pool_that_ends_gives_back_what_its_workers_have_not_begun(autojump_clock: MockClock) -> None:
    """What they have in hand they finish."""
    async with actors.open_system("s") as system:
        book: list[int] = []
        ref = system.spawn(pool(2, book), name="pool", policy=gently(at_once=6))
        tickets = [await system.post("/pool", Do(n, seconds=2.0), max_attempts=1) for n in range(10)]
        await trio.sleep(1.0)
        ref.stop()
        await ref.wait_stopped()
        await settled()
        assert [ticket.state for ticket in tickets[:2]] == [TicketState.RESPONDED] * 2
        assert {(ticket.state, ticket.attempts) for ticket in tickets[2:]} == {(TicketState.PENDING, 0)}
        system.spawn(pool(2, book), name="pool", policy=gently(at_once=6))
        for ticket in tickets[2:]:
            await ticket.wait_reply()
        assert sorted(book) == list(range(10))
        assert {entry.attempts for entry in await entries(system)} == {1}


async def test_several_at_once_wait_for_their_turns_in_the_mailbox_of_one_actor(
    autojump_clock: MockClock,
) -> None:
    """Still one message at a time: an actor is an actor."""
    policy = Policy(
        backoff=Backoff.immediate(), breaker=None, delivery=Delivery(at_once=3, backoff=Backoff.immediate())
    )
    async with actors.open_system("s") as system:
        book: list[int] = []
        system.spawn(Desk, book, name="desk", policy=policy)
        for n in range(6):
            await system.post("/desk", Do(n, seconds=1.0))
        await trio.sleep(0.5)
        assert (await states(system)).count(TicketState.DELIVERED) == 3
        assert book == [0]
        await trio.sleep(10)
        assert book == [0, 1, 2, 3, 4, 5]


async def test_a_cancelled_one_in_the_mailbox_of_a_worker_gives_its_place_back(
    autojump_clock: MockClock,
) -> None:
    """Routed by key they wait behind each other there; skipped, they make room for the next ones."""
    async with actors.open_system("s") as system:
        book: list[int] = []
        template = actors.Template(functools.partial(Desk, book), policy=AT_ONCE)
        keyed = Pool(template, 2, 2, routing="key", key=lambda _: "one")
        system.spawn(keyed, name="pool", policy=gently(at_once=3))
        tickets = [await system.post("/pool", Do(n, seconds=5.0)) for n in range(3)]
        await trio.sleep(1.0)
        assert all(ticket.cancel() for ticket in tickets[1:])
        for n in range(10, 16):
            assert await (await system.post("/pool", Do(n))).wait_reply() == n
        assert book == [0, *range(10, 16)]
        assert trio.current_time() == 5.0
        for n in range(3):
            await system.post("/pool", Do(n, seconds=5.0))
        await trio.sleep(1.0)
        assert (await states(system)).count(TicketState.DELIVERED) == 3
