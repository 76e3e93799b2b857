"""The order: that of the receipts within a priority, one at a time."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock

import actors
from actors import TicketState
from tests.delivery.post_cast import AT_ONCE, PATIENT, Desk, Do, settled, states
from tests.roads import ROADS

pytestmark = pytest.mark.parametrize("on_road", ROADS, indirect=True)


@pytest.mark.row(89)
async def test_a_thousand_messages_wait_for_an_actor_that_comes_later(autojump_clock: MockClock) -> None:
    """It gets them all, once each, in the order of the receipts."""
    async with actors.open_system("s") as system:
        for n in range(1000):
            await system.post("/desk", Do(n))
        await trio.sleep(3600)
        book: list[int] = []
        system.spawn(Desk, book, name="desk")
        await settled()
        assert book == list(range(1000))
        assert set(await states(system)) == {TicketState.RESPONDED}


@pytest.mark.row(89)
async def test_what_is_posted_while_the_old_ones_are_delivered_comes_behind_them(
    autojump_clock: MockClock,
) -> None:
    """Also where more wait than are held in memory."""
    async with actors.open_system("s") as system:
        book: list[int] = []
        for n in range(350):
            await system.post("/desk", Do(n, seconds=0.01))
        system.spawn(Desk, book, name="desk")
        for n in range(350, 700):
            await system.post("/desk", Do(n, seconds=0.01))
            if not n % 10:
                await trio.sleep(0.03)
        await trio.sleep(20)
        assert book == list(range(700))


async def test_a_higher_priority_goes_first_and_within_one_the_order_of_receipts(
    autojump_clock: MockClock,
) -> None:
    """Also among many: 600 of three priorities, posted before and while they are delivered."""
    async with actors.open_system("s") as system:
        book: list[int] = []
        for n in range(600):
            await system.post("/desk", Do(n), priority=n % 3)
        system.spawn(Desk, book, name="desk")
        await settled()
        assert book == sorted(range(600), key=lambda n: (-(n % 3), n))


async def test_a_higher_priority_passes_all_that_wait_and_not_what_is_in_hand(
    autojump_clock: MockClock,
) -> None:
    """Where few wait, and where more wait than are held in memory."""
    for many in (3, 300):
        async with actors.open_system("s") as system:
            book: list[int] = []
            system.spawn(Desk, book, name="desk")
            for n in range(many):
                await system.post("/desk", Do(n, seconds=1.0))
            await trio.sleep(1.5)
            await system.post("/desk", Do(-1), priority=1)
            await system.post("/desk", Do(-2), priority=-1)
            await trio.sleep(1.0)
            assert book[:4] == [0, 1, -1, 2]
            await trio.sleep(many)
            assert book == [0, 1, -1, *range(2, many), -2]


@pytest.mark.row(96)
async def test_one_message_at_a_time(autojump_clock: MockClock) -> None:
    """Of many senders at once, to an actor that takes its time: the peak is one."""
    now = peak = 0

    class Careful(actors.Actor):
        @actors.receive
        async def do(self, message: Do) -> None:
            nonlocal now, peak
            now += 1
            peak = max(peak, now)
            await trio.sleep(1.0)
            now -= 1

    async with actors.open_system("s") as system:
        system.spawn(Careful, name="desk")
        async with trio.open_nursery() as nursery:
            for n in range(20):
                nursery.start_soon(system.post, "/desk", Do(n))
        await trio.sleep(5.5)
        assert (await states(system)).count(TicketState.DELIVERED) == 1
        await trio.sleep(15)
        assert peak == 1
        assert set(await states(system)) == {TicketState.RESPONDED}


async def test_recipients_do_not_wait_for_each_other(autojump_clock: MockClock) -> None:
    """A slow one, or one that is not there, holds up nobody else."""
    async with actors.open_system("s") as system:
        system.spawn(Desk, name="slow")
        system.spawn(Desk, name="quick")
        await system.post("/slow", Do(1, seconds=100.0))
        await system.post("/nobody", Do(1))
        assert await (await system.post("/quick", Do(2))).wait_reply() == 2
        assert trio.current_time() == 0.0


async def test_told_and_asked_messages_go_their_own_way(autojump_clock: MockClock) -> None:
    """A line of posted ones does not stand before them, but for the one that is in the mailbox."""
    async with actors.open_system("s") as system:
        book: list[int] = []
        ref = system.spawn(Desk, book, name="desk")
        for n in range(5):
            await system.post("/desk", Do(n, seconds=1.0))
        await trio.sleep(0.5)
        assert await ref.ask(Do(100)) == 100
        assert trio.current_time() == 1.0
        await trio.sleep(10)
        assert book == [0, 100, 1, 2, 3, 4]


async def test_a_failing_message_holds_back_later_ones(autojump_clock: MockClock) -> None:
    """It is tried again before them, and when it is dead they go."""
    async with actors.open_system("s") as system:
        book: list[int] = []
        system.spawn(Desk, book, name="desk", policy=AT_ONCE)
        for n in range(4):
            error = ValueError("one") if n == 1 else None
            await system.post("/desk", Do(n, error=error), max_attempts=3)
        await settled()
        assert book == [0, 1, 1, 1, 2, 3]


async def test_a_later_one_of_a_higher_priority_passes_a_failing_one(autojump_clock: MockClock) -> None:
    """The order is within a priority."""
    policy = actors.Policy(
        breaker=None,
        backoff=actors.Backoff.immediate(),
        delivery=actors.Delivery(backoff=actors.Backoff.fixed(9.0)),
    )
    async with actors.open_system("s") as system:
        book: list[int] = []
        system.spawn(Desk, book, name="desk", policy=policy)
        await system.post("/desk", Do(1, error=ValueError()), max_attempts=2)
        await trio.sleep(1.0)
        await system.post("/desk", Do(2), priority=1)
        await system.post("/desk", Do(3))
        await settled()
        assert book == [1, 2]
        await trio.sleep(10)
        assert book == [1, 2, 1, 3]


async def test_unordered_later_ones_pass_a_failing_one(autojump_clock: MockClock) -> None:
    """While it waits for its next delivery they go, and it comes again when its time has come."""
    policy = actors.Policy(
        breaker=None,
        backoff=actors.Backoff.immediate(),
        delivery=actors.Delivery(ordered=False, backoff=actors.Backoff.fixed(10.0)),
    )
    async with actors.open_system("s") as system:
        book: list[tuple[float, int]] = []

        class Timed(actors.Actor):
            @actors.receive
            def do(self, message: Do) -> None:
                book.append((trio.current_time(), message.n))
                if message.error is not None:
                    raise message.error

        system.spawn(Timed, name="desk", policy=policy)
        for n in range(4):
            await system.post("/desk", Do(n, error=ValueError() if n == 1 else None), max_attempts=3)
        await trio.sleep(100)
        assert book == [(0.0, 0), (0.0, 1), (0.0, 2), (0.0, 3), (10.0, 1), (20.0, 1)]


async def test_many_that_fail_unordered_lose_nothing(autojump_clock: MockClock) -> None:
    """300 wait for another try, 100 more come: each is delivered as often as it may be."""
    async with actors.open_system("s", strategy=PATIENT) as system:
        book: list[int] = []
        policy = actors.Policy(
            breaker=None,
            backoff=actors.Backoff.immediate(),
            delivery=actors.Delivery(ordered=False, backoff=actors.Backoff.fixed(50.0)),
        )
        system.spawn(Desk, book, name="desk", policy=policy)
        for n in range(300):
            await system.post("/desk", Do(n, error=ValueError()), max_attempts=2)
        for n in range(300, 400):
            await system.post("/desk", Do(n))
        await settled()
        assert sorted(book) == list(range(400))
        await trio.sleep(200)
        assert sorted(book) == sorted([*range(300), *range(400)])
        found = await states(system)
        assert (found.count(TicketState.DEAD), found.count(TicketState.RESPONDED)) == (300, 100)


async def test_a_reply_that_is_put_off_lets_the_next_one_come(autojump_clock: MockClock) -> None:
    """The handler has returned: it has nothing in hand. The ticket ends when the reply is given."""
    async with actors.open_system("s") as system:
        book: list[int] = []
        system.spawn(Desk, book, name="desk")
        tickets: list[Any] = [await system.post("/desk", Do(n, how="later")) for n in range(3)]
        last = await system.post("/desk", Do(9, how="answer the others"))
        assert await last.wait_reply() == 9
        assert [await ticket.wait_reply() for ticket in tickets] == [9, 9, 9]
        assert book == [0, 1, 2, 9]
