"""The gate: who takes a message now — readiness, cooldown, suspended actors, full mailboxes, breakers."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock

import actors
from actors import Backoff, Breaker, CircuitState, Delivery, Mailbox, MailboxFull, Policy, TicketState
from actors.policy import Overflow
from tests.delivery.post_cast import AT_ONCE, Boom, Desk, Do, entries, gently, plain, settled, states, way
from tests.roads import ROADS

pytestmark = pytest.mark.parametrize("on_road", ROADS, indirect=True)
PENDING, DELIVERED, RESPONDED = TicketState.PENDING, TicketState.DELIVERED, TicketState.RESPONDED


class Timed(actors.Actor):
    """Writes down when it gets what, and may fail."""

    def __init__(self, book: list[tuple[float, int]]) -> None:
        self.book = book

    @actors.receive
    async def do(self, message: Do) -> int:
        self.book.append((trio.current_time(), message.n))
        if message.seconds:
            await trio.sleep(message.seconds)
        if message.error is not None:
            raise message.error
        return message.n


@pytest.mark.row(96)
async def test_nothing_is_delivered_before_the_start_has_succeeded(autojump_clock: MockClock) -> None:
    """While `on_start` runs they wait in the store, PENDING and without an attempt."""
    book: list[tuple[float, int]] = []

    class Slow(Timed):
        async def on_start(self) -> None:
            await trio.sleep(10.0)

    async with actors.open_system("s") as system:
        system.spawn(Slow, book, name="desk")
        ticket = await system.post("/desk", Do(1))
        await trio.sleep(9.0)
        assert (ticket.state, ticket.attempts) == (PENDING, 0)
        await ticket.wait_reply()
        assert book == [(10.0, 1)]


@pytest.mark.row(96)
async def test_a_function_says_itself_when_it_is_ready(autojump_clock: MockClock) -> None:
    """As one that waits for the prompt of a terminal."""
    book: list[tuple[float, int]] = []

    @actors.function(readiness=True)
    async def clerk(ctx: actors.Context) -> None:
        await trio.sleep(10.0)
        ctx.ready()
        async for message in ctx.inbox:
            book.append((trio.current_time(), message.n))

    async with actors.open_system("s") as system:
        tickets = [await system.post("/clerk", Do(n)) for n in range(3)]
        system.spawn(clerk, name="clerk")
        await trio.sleep(9.0)
        assert {ticket.state for ticket in tickets} == {PENDING}
        await trio.sleep(2.0)
        assert book == [(10.0, 0), (10.0, 1), (10.0, 2)]


async def test_a_start_that_fails_costs_no_attempt(autojump_clock: MockClock) -> None:
    """They wait for one that succeeds."""
    book: list[tuple[float, int]] = []
    starts: list[float] = []

    class Slow(Timed):
        async def on_start(self) -> None:
            starts.append(trio.current_time())
            if len(starts) < 4:
                raise Boom

    async with actors.open_system("s") as system:
        ticket = await system.post("/desk", Do(1), max_attempts=1)
        system.spawn(Slow, book, name="desk", policy=AT_ONCE)
        await ticket.wait_reply()
        assert (len(starts), ticket.attempts) == (4, 1)


@pytest.mark.row(96)
async def test_a_cooldown_lies_between_the_end_of_one_and_the_next(autojump_clock: MockClock) -> None:
    """Two seconds, with handlers that take one; nobody waits for more."""
    book: list[tuple[float, int]] = []
    async with actors.open_system("s") as system:
        system.spawn(Timed, book, name="desk", policy=gently(cooldown=2.0))
        for n in range(4):
            await system.post("/desk", Do(n, seconds=1.0))
        await trio.sleep(100)
        await system.post("/desk", Do(9))
        await settled()
        assert book == [(0.0, 0), (3.0, 1), (6.0, 2), (9.0, 3), (100.0, 9)]


async def test_a_cooldown_lies_also_behind_a_failure(autojump_clock: MockClock) -> None:
    """Before the next delivery of the same one; the longer of cooldown and backoff counts."""
    book: list[tuple[float, int]] = []
    async with actors.open_system("s") as system:
        system.spawn(Timed, book, name="desk", policy=gently(cooldown=2.0))
        await system.post("/desk", Do(1, error=Boom()), max_attempts=2)
        await system.post("/desk", Do(2))
        await trio.sleep(100)
        assert book == [(0.0, 1), (2.0, 1), (4.0, 2)]


async def test_a_cancelled_one_has_no_cooldown(autojump_clock: MockClock) -> None:
    """It was not handled."""
    book: list[tuple[float, int]] = []
    async with actors.open_system("s") as system:
        system.spawn(Timed, book, name="desk", policy=gently(cooldown=50.0))
        first = await system.post("/desk", Do(1))
        second = await system.post("/desk", Do(2))
        await first.wait_reply()
        await trio.sleep(50.0)
        second.cancel()
        await system.post("/desk", Do(3))
        await trio.sleep(60.0)
        assert [n for _, n in book] in ([1, 2, 3], [1, 3])


async def test_a_suspended_actor_handles_nothing_until_it_is_resumed(autojump_clock: MockClock) -> None:
    """Then all, in their order, each delivered once."""
    async with actors.open_system("s") as system:
        book: list[int] = []
        ref = system.spawn(Desk, book, name="desk")
        await settled()
        ref.suspend()
        for n in range(5):
            await system.post("/desk", Do(n))
        await trio.sleep(3600)
        assert book == []
        assert (await states(system)).count(DELIVERED) <= 1
        ref.resume()
        await settled()
        assert book == [0, 1, 2, 3, 4]
        assert {entry.attempts for entry in await entries(system)} == {1}


async def test_one_suspended_until_a_message_comes_is_woken_by_a_posted_one(
    autojump_clock: MockClock,
) -> None:
    """A posted message is a message."""
    async with actors.open_system("s") as system:
        book: list[int] = []
        ref = system.spawn(Desk, book, name="desk")
        await settled()
        ref.suspend(until_message=True)
        await system.post("/desk", Do(1))
        await settled()
        assert book == [1]


@pytest.mark.parametrize("overflow", ["reject", "drop_oldest", "drop_newest"])
async def test_a_full_mailbox_takes_a_posted_message_and_drops_none(
    autojump_clock: MockClock, overflow: Overflow
) -> None:
    """It takes none of the room of told ones either."""
    async with actors.open_system("s") as system:
        book: list[int] = []
        policy = Policy(mailbox=Mailbox(capacity=2, overflow=overflow))
        ref = system.spawn(Desk, book, name="desk", policy=policy)
        await settled()
        ref.suspend()
        await system.post("/desk", Do(-1))
        await settled()
        ref.tell(plain(1))
        ref.tell(plain(2))
        for n in range(5):
            await system.post("/desk", Do(10 + n))
            try:
                ref.tell(plain(3 + n))
            except MailboxFull:
                assert overflow == "reject"
        await settled()
        ref.resume()
        await settled()
        assert [n for n in book if n >= 10 or n < 0] == [-1, 10, 11, 12, 13, 14]
        assert [n for n in book if 0 < n < 10] == ([6, 7] if overflow == "drop_oldest" else [1, 2])


# --- breakers -------------------------------------------------------------------------


def brittle(**delivery: Any) -> Policy:
    """Its breaker opens at the first failure, for a minute."""
    return Policy(
        backoff=Backoff.immediate(),
        breaker=Breaker(failures=1, reset_after=60.0),
        delivery=Delivery(backoff=Backoff.immediate(), **delivery),
    )


async def test_an_open_breaker_holds_messages_back_and_a_posted_one_is_the_probe(
    autojump_clock: MockClock,
) -> None:
    """They wait in the store without an attempt; when the probe has passed, the others go at once."""
    book: list[tuple[float, int]] = []
    async with actors.open_system("s") as system:
        system.spawn(Timed, book, name="desk", policy=brittle())
        bad = await system.post("/desk", Do(0, error=Boom()), max_attempts=1)
        tickets = [await system.post("/desk", Do(n, seconds=1.0)) for n in (1, 2, 3)]
        await trio.sleep(59.0)
        assert bad.state is TicketState.DEAD
        assert system.breaker("/desk").state is CircuitState.OPEN
        assert {(ticket.state, ticket.attempts) for ticket in tickets} == {(PENDING, 0)}
        await trio.sleep(1.5)
        assert system.breaker("/desk").state is CircuitState.HALF_OPEN
        assert [ticket.state for ticket in tickets] == [DELIVERED, PENDING, PENDING]
        await trio.sleep(100)
        assert book == [(0.0, 0), (60.0, 1), (61.0, 2), (62.0, 3)]
        assert system.breaker("/desk").state is CircuitState.CLOSED
        assert [await way(system, ticket) for ticket in tickets] == [
            [(PENDING, 0), (DELIVERED, 1), (RESPONDED, 1)]
        ] * 3


async def test_a_probe_that_fails_opens_the_breaker_again(autojump_clock: MockClock) -> None:
    """One delivery a minute, until it is dead; then the next one is the probe."""
    book: list[tuple[float, int]] = []
    async with actors.open_system("s") as system:
        system.spawn(Timed, book, name="desk", policy=brittle())
        await system.post("/desk", Do(0, error=Boom()), max_attempts=3)
        await system.post("/desk", Do(1))
        await system.post("/desk", Do(2))
        await trio.sleep(1000)
        assert book == [(0.0, 0), (60.0, 0), (120.0, 0), (180.0, 1), (180.0, 2)]


async def test_while_a_told_message_is_the_probe_posted_ones_wait(autojump_clock: MockClock) -> None:
    """Without an attempt, and go when it has passed."""
    book: list[tuple[float, int]] = []

    class Both(Timed):
        @actors.receive
        async def told(self, message: plain) -> None:
            self.book.append((trio.current_time(), message.n))
            await trio.sleep(10.0)

    async with actors.open_system("s") as system:
        ref = system.spawn(Both, book, name="desk", policy=brittle())
        await system.post("/desk", Do(0, error=Boom()), max_attempts=1)
        await settled()
        ref.tell(plain(100))
        ticket = await system.post("/desk", Do(1))
        await trio.sleep(65.0)
        assert (ticket.state, ticket.attempts) == (PENDING, 0)
        await trio.sleep(100)
        assert book == [(0.0, 0), (60.0, 100), (70.0, 1)]
        assert await way(system, ticket) == [(PENDING, 0), (DELIVERED, 1), (RESPONDED, 1)]


@pytest.mark.parametrize("end", ["no handler", "interrupted", "refused", "cancelled"])
async def test_a_probe_that_shows_nothing_lets_another_one_try(autojump_clock: MockClock, end: str) -> None:
    """Nobody waits for ever: the next posted one is the probe."""
    book: list[tuple[float, int]] = []
    async with actors.open_system("s") as system:
        ref = system.spawn(Timed, book, name="desk", policy=brittle())
        await system.post("/desk", Do(0, error=Boom()), max_attempts=1)
        await settled()
        match end:
            case "no handler":
                first = await system.post("/desk", plain(1))
            case "refused":
                first = await system.post("/desk", Do(1, error=actors.Refused("no")))
            case _:
                first = await system.post("/desk", Do(1, seconds=10.0), max_attempts=1)
        second = await system.post("/desk", Do(2))
        await trio.sleep(61.0)
        if end == "interrupted":
            assert await ref.interrupt()
        if end == "cancelled":
            assert first.cancel()
        assert await second.wait_reply() == 2
        assert system.breaker("/desk").state is CircuitState.CLOSED
        assert trio.current_time() == (70.0 if end == "cancelled" else 61.0)


async def test_a_told_probe_without_a_handler_lets_posted_ones_go(autojump_clock: MockClock) -> None:
    """The told one is a dead letter and has shown nothing."""
    book: list[tuple[float, int]] = []
    async with actors.open_system("s") as system:
        ref = system.spawn(Timed, book, name="desk", policy=brittle())
        await system.post("/desk", Do(0, error=Boom()), max_attempts=1)
        await settled()
        ref.tell(plain(1))
        ticket = await system.post("/desk", Do(2))
        await trio.sleep(61.0)
        assert ticket.state is RESPONDED


async def test_a_breaker_reset_by_hand_lets_the_messages_go(autojump_clock: MockClock) -> None:
    """While it is open, and while a probe is under way."""
    book: list[tuple[float, int]] = []
    async with actors.open_system("s") as system:
        system.spawn(Timed, book, name="desk", policy=brittle())
        await system.post("/desk", Do(0, error=Boom()), max_attempts=1)
        await system.post("/desk", Do(1))
        await trio.sleep(10.0)
        system.reset_breaker("/desk")
        await settled()
        assert book == [(0.0, 0), (10.0, 1)]
