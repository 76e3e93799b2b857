"""The ticket's own timeout: it runs by itself, from PENDING and from DELIVERED, whoever waits."""

from __future__ import annotations

import math
from typing import Any

import pytest
import trio
from trio.testing import MockClock

import actors
from actors import AskTimeout, TicketReply, TicketState, TicketTimedOut
from tests.delivery.post_cast import AT_ONCE, PATIENT, Boom, Desk, Do, Poster, Send, settled, states, way
from tests.roads import ROADS

pytestmark = pytest.mark.parametrize("on_road", ROADS, indirect=True)
PENDING, DELIVERED, TIMED_OUT = TicketState.PENDING, TicketState.DELIVERED, TicketState.TIMED_OUT
MOMENT = 0.001
"""Wall time is rounded: an alarm may ring that much too late."""


@pytest.mark.row(91)
async def test_a_pending_ticket_times_out_with_nobody_waiting_and_is_withdrawn(
    autojump_clock: MockClock,
) -> None:
    """Not before its time; who comes later never sees it."""
    async with actors.open_system("s") as system:
        ticket = await system.post("/desk", Do(1), timeout=30.0)
        await trio.sleep(30.0 - MOMENT)
        assert ticket.state is PENDING
        await trio.sleep(2 * MOMENT)
        assert ticket.state is TIMED_OUT
        book: list[int] = []
        system.spawn(Desk, book, name="desk")
        await trio.sleep(60)
        assert book == []
        with pytest.raises(TicketTimedOut, match="nobody took it: withdrawn") as caught:
            await ticket.wait_reply()
        assert caught.value.timeout == pytest.approx(30.0)
        assert await system.posted.waiting() == {}


@pytest.mark.row(91)
async def test_a_delivered_ticket_times_out_and_its_late_reply_still_comes(autojump_clock: MockClock) -> None:
    """The work goes on; the reply makes it RESPONDED, and whoever asks then gets it."""
    async with actors.open_system("s") as system:
        book: list[int] = []
        system.spawn(Desk, book, name="desk")
        ticket = await system.post("/desk", Do(1, seconds=600.0), timeout=30.0)
        later = await system.post("/desk", Do(2))
        await trio.sleep(30.0 - MOMENT)
        assert ticket.state is DELIVERED
        with pytest.raises(TicketTimedOut, match="a late reply still comes"):
            await ticket.wait_reply()
        assert trio.current_time() == pytest.approx(30.0, abs=MOMENT)
        await trio.sleep(500)
        assert (ticket.state, later.state) == (TIMED_OUT, PENDING)
        await trio.sleep(100)
        assert ticket.state is TicketState.RESPONDED
        assert await ticket.wait_reply() == 1
        assert book == [1, 2]
        assert [state for state, _ in await way(system, ticket)] == [
            PENDING,
            DELIVERED,
            TIMED_OUT,
            TicketState.RESPONDED,
        ]


async def test_one_that_has_timed_out_is_not_delivered_again(autojump_clock: MockClock) -> None:
    """When it fails afterwards, the next one goes at once: nothing is held back for it."""
    policy = actors.Policy(
        breaker=None,
        backoff=actors.Backoff.immediate(),
        delivery=actors.Delivery(backoff=actors.Backoff.fixed(1000.0)),
    )
    async with actors.open_system("s") as system:
        book: list[int] = []
        system.spawn(Desk, book, name="desk", policy=policy)
        ticket = await system.post("/desk", Do(1, seconds=20.0, error=Boom()), timeout=10.0)
        later = await system.post("/desk", Do(2))
        assert await later.wait_reply() == 2
        assert trio.current_time() == 20.0
        assert book == [1, 2]
        assert ticket.state is TIMED_OUT
        assert not ticket.entry.working


async def test_one_that_waits_to_be_tried_again_times_out(autojump_clock: MockClock) -> None:
    """And holds nothing back any more."""
    policy = actors.Policy(
        breaker=None,
        backoff=actors.Backoff.immediate(),
        delivery=actors.Delivery(backoff=actors.Backoff.fixed(100.0)),
    )
    async with actors.open_system("s") as system:
        book: list[int] = []
        system.spawn(Desk, book, name="desk", policy=policy)
        ticket = await system.post("/desk", Do(1, error=Boom()), timeout=10.0)
        later = await system.post("/desk", Do(2))
        assert await later.wait_reply() == 2
        assert trio.current_time() == pytest.approx(10.0, abs=MOMENT)
        assert (ticket.state, ticket.attempts, book) == (TIMED_OUT, 1, [1, 2])


async def test_one_that_times_out_in_a_mailbox_is_still_handled(autojump_clock: MockClock) -> None:
    """It was delivered: its handler runs, and its reply counts."""
    async with actors.open_system("s") as system:
        ref = system.spawn(Desk, name="desk")
        ref.suspend()
        ticket = await system.post("/desk", Do(1), timeout=10.0)
        await trio.sleep(11.0)
        assert (ticket.state, ticket.entry.working) == (TIMED_OUT, True)
        ref.resume()
        await settled()
        assert await ticket.wait_reply() == 1


async def test_one_whose_recipient_goes_after_it_timed_out_has_ended(autojump_clock: MockClock) -> None:
    """Queued or in hand: nobody works on it, and nobody gets it any more."""
    async with actors.open_system("s") as system:
        for seconds, suspended in ((0.0, True), (100.0, False)):
            ref = system.spawn(Desk, name="desk", policy=AT_ONCE)
            if suspended:
                ref.suspend()
            ticket = await system.post("/desk", Do(1, seconds=seconds), timeout=10.0)
            await trio.sleep(11.0)
            assert ticket.entry.working
            ref.kill()
            await ref.wait_stopped()
            await settled()
            assert (ticket.state, ticket.entry.working) == (TIMED_OUT, False)
            book: list[int] = []
            again = system.spawn(Desk, book, name="desk")
            await trio.sleep(100)
            assert book == []
            again.stop()
            await again.wait_stopped()


@pytest.mark.parametrize("options", [{}, {"timeout": math.inf}])
async def test_without_a_timeout_a_ticket_never_times_out(
    autojump_clock: MockClock, options: dict[str, Any]
) -> None:
    """Nor with an endless one: a reply after a day is a reply."""
    async with actors.open_system("s") as system:
        system.spawn(Desk, name="desk")
        ticket = await system.post("/desk", Do(1, seconds=86_400.0), **options)
        assert await ticket.wait_reply() == 1
        assert trio.current_time() == 86_400.0


async def test_the_dead_do_not_time_out(autojump_clock: MockClock) -> None:
    """An end is an end."""
    async with actors.open_system("s", strategy=PATIENT) as system:
        system.spawn(Desk, name="desk", policy=AT_ONCE)
        dead = await system.post("/desk", Do(1, error=Boom()), max_attempts=1, timeout=10.0)
        good = await system.post("/desk", Do(2), timeout=10.0)
        await trio.sleep(60)
        assert (dead.state, good.state) == (TicketState.DEAD, TicketState.RESPONDED)


async def test_each_of_many_times_out_at_its_own_time(autojump_clock: MockClock) -> None:
    """Whatever the order in which they were posted."""
    async with actors.open_system("s") as system:
        seconds = [7.0, 3.0, 5.0, 1.0, 3.0, 9.0]
        tickets = [await system.post("/nobody", Do(n), timeout=one) for n, one in enumerate(seconds)]
        for now in range(1, 11):
            await trio.sleep_until(now + MOMENT)
            assert [ticket.state is TIMED_OUT for ticket in tickets] == [one <= now for one in seconds]


async def test_a_thousand_time_out_together(autojump_clock: MockClock) -> None:
    """More than are looked at in one go."""
    async with actors.open_system("s") as system:
        for n in range(1001):
            await system.post("/nobody", Do(n), timeout=10.0)
        await trio.sleep(10.0 + MOMENT)
        assert set(await states(system)) == {TIMED_OUT}


async def test_a_wait_has_its_own_limit_and_leaves_the_ticket_alone(autojump_clock: MockClock) -> None:
    """`AskTimeout`, which is a `trio.TooSlowError`; the ticket goes on and is answered."""
    async with actors.open_system("s") as system:
        system.spawn(Desk, name="desk")
        ticket = await system.post("/desk", Do(1, seconds=10.0))
        with pytest.raises(AskTimeout, match="goes on") as caught:
            await ticket.wait_reply(timeout=2.0)
        assert isinstance(caught.value, trio.TooSlowError)
        assert isinstance(caught.value, actors.TicketError)
        assert trio.current_time() == 2.0
        assert ticket.state is DELIVERED
        with pytest.raises(AskTimeout):
            await ticket.wait_reply(timeout=0)
        assert await ticket.wait_reply(timeout=10.0) == 1
        assert await ticket.wait_reply(timeout=0) == 1
        assert trio.current_time() == 10.0


async def test_a_sender_hears_of_the_timeout_and_of_the_late_reply(autojump_clock: MockClock) -> None:
    """Each as a message; of what never comes, once."""
    async with actors.open_system("s") as system:
        replies: list[TicketReply] = []
        poster = system.spawn(Poster, replies, name="poster")
        system.spawn(Desk, name="desk", policy=AT_ONCE)
        late = await poster.ask(Send("/desk", Do(1, seconds=20.0), {"timeout": 10.0}))
        never = await poster.ask(Send("/desk", Do(2, seconds=20.0, error=Boom()), {"timeout": 30.0}))
        await trio.sleep(1000)
        assert [(reply.ticket_id, reply.value, type(reply.error)) for reply in replies] == [
            (late.id, None, TicketTimedOut),
            (late.id, 1, type(None)),
            (never.id, None, TicketTimedOut),
        ]
        assert isinstance(replies[0].error, TicketTimedOut)
        assert replies[0].error.was_delivered


async def test_a_timeout_that_falls_into_the_writing_of_the_delivery_withdraws_it(
    autojump_clock: MockClock,
) -> None:
    """Whichever is written first, it is never half delivered."""
    async with actors.open_system("s") as system:
        book: list[int] = []
        for n in range(20):
            await system.post("/desk", Do(n), timeout=5.0)
        await trio.sleep_until(5.0)
        system.spawn(Desk, book, name="desk")
        await trio.sleep(100)
        for entry in await system.posted.find():
            assert entry.state in (TIMED_OUT, TicketState.RESPONDED)
            assert not entry.working
            assert (entry.payload.n in book) == (entry.state is TicketState.RESPONDED)
