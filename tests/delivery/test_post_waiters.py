"""Those who wait for a reply, and those who cancel."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock

import actors
from actors import Deadlock, SystemClosed, TicketCancelled, TicketReply, TicketState
from actors.events import LateReply
from tests.delivery.post_cast import (
    AT_ONCE,
    PATIENT,
    Boom,
    Desk,
    Do,
    Poster,
    Send,
    SlowStore,
    entries,
    settled,
    states,
    way,
)
from tests.roads import ROADS

pytestmark = pytest.mark.parametrize("on_road", ROADS, indirect=True)
PENDING, DELIVERED, CANCELLED = TicketState.PENDING, TicketState.DELIVERED, TicketState.CANCELLED


@pytest.mark.row(92)
async def test_every_waiter_gets_the_reply_and_one_that_leaves_takes_nothing_with_it(
    autojump_clock: MockClock,
) -> None:
    """Three wait, one is cancelled; a fourth comes when it has ended."""
    async with actors.open_system("s") as system:
        system.spawn(Desk, name="desk")
        ticket = await system.post("/desk", Do(7, seconds=5.0))
        got: list[Any] = []

        async def wait(scope: trio.CancelScope) -> None:
            with scope:
                got.append((await ticket.wait_reply(), trio.current_time()))

        scopes = [trio.CancelScope() for _ in range(3)]
        async with trio.open_nursery() as nursery:
            for scope in scopes:
                nursery.start_soon(wait, scope)
            await trio.sleep(1.0)
            scopes[1].cancel()
        assert scopes[1].cancelled_caught
        assert got == [(7, 5.0), (7, 5.0)]
        assert await ticket.wait_reply() == 7
        assert ticket.readers == {}


@pytest.mark.row(92)
async def test_a_waiter_of_a_ticket_that_was_found_again_gets_the_same(autojump_clock: MockClock) -> None:
    """Found by its id, also while nobody held it."""
    async with actors.open_system("s") as system:
        system.spawn(Desk, name="desk")
        ticket_id = (await system.post("/desk", Do(7, seconds=5.0))).id
        await trio.sleep(1.0)
        one, two = await system.ticket(ticket_id), await system.ticket(ticket_id)
        assert one is two
        assert one.state is DELIVERED
        assert await one.wait_reply() == 7


async def test_an_actor_that_waits_for_a_message_to_itself_is_told_so(autojump_clock: MockClock) -> None:
    """It would wait for ever; posting to itself is fine."""
    async with actors.open_system("s") as system:
        got: list[Any] = []

        class Selfish(actors.Actor):
            @actors.receive
            async def do(self, message: Do) -> None:
                if not message.n:
                    got.append("again")
                    return
                ticket = await self.ctx.system.post("/desk", Do(0))
                try:
                    await ticket.wait_reply()
                except Deadlock as error:
                    got.append(type(error))

        system.spawn(Selfish, name="desk")
        await system.post("/desk", Do(1))
        await settled()
        assert got == [Deadlock, "again"]


@pytest.mark.parametrize("how", ["before", "after"])
async def test_who_waits_when_the_system_ends_is_told_so(autojump_clock: MockClock, how: str) -> None:
    """Also who begins to wait afterwards; an ended ticket is as it was."""
    got: list[Any] = []

    async def wait(ticket: actors.Ticket[Any]) -> None:
        try:
            got.append(await ticket.wait_reply())
        except SystemClosed as error:
            got.append(type(error))

    async with trio.open_nursery() as nursery:
        async with actors.open_system("s") as system:
            system.spawn(Desk, name="desk")
            done = await system.post("/desk", Do(7))
            assert await done.wait_reply() == 7
            ticket = await system.post("/nobody", Do(1))
            if how == "before":
                nursery.start_soon(wait, ticket)
                await settled()
        if how == "after":
            nursery.start_soon(wait, ticket)
        with trio.fail_after(10):
            await settled()
    assert got == [SystemClosed]
    assert await done.wait_reply() == 7
    assert not ticket.cancel()


# --- cancel ---------------------------------------------------------------------------


async def test_a_pending_ticket_is_cancelled_and_never_delivered(autojump_clock: MockClock) -> None:
    """True once; the waiter hears it."""
    async with actors.open_system("s") as system:
        ticket = await system.post("/desk", Do(1))
        assert ticket.cancel()
        assert not ticket.cancel()
        with pytest.raises(TicketCancelled):
            await ticket.wait_reply()
        assert not ticket.cancel()
        book: list[int] = []
        system.spawn(Desk, book, name="desk")
        await system.post("/desk", Do(2))
        await settled()
        assert book == [2]
        assert await states(system) == [CANCELLED, TicketState.RESPONDED]


async def test_a_cancelled_ticket_says_so_at_once(autojump_clock: MockClock) -> None:
    """Also while that is being written; a waiter hears of it when it is."""
    async with actors.open_system("s", store=SlowStore(5.0)) as system:
        ticket = await system.post("/desk", Do(1))
        assert ticket.cancel()
        assert ticket.state is CANCELLED
        assert await system.ticket(ticket.id) is ticket
        assert ticket.state is CANCELLED
        assert await states(system) == [PENDING]
        with pytest.raises(TicketCancelled):
            await ticket.wait_reply()
        assert ticket.state is CANCELLED
        assert await states(system) == [CANCELLED]


async def test_one_in_the_middle_of_a_line_is_cancelled(autojump_clock: MockClock) -> None:
    """Of those held in memory, and of those that are not."""
    async with actors.open_system("s") as system:
        book: list[int] = []
        tickets = [await system.post("/desk", Do(n, seconds=0.1)) for n in range(320)]
        system.spawn(Desk, book, name="desk")
        await trio.sleep(1.05)
        assert all(tickets[n].cancel() for n in (50, 51, 300, 319))
        await trio.sleep(100)
        assert book == [n for n in range(320) if n not in (50, 51, 300, 319)]
        assert [tickets[n].state for n in (50, 300, 319)] == [CANCELLED] * 3


async def test_the_work_on_a_cancelled_one_goes_on_and_its_reply_is_dropped(
    autojump_clock: MockClock,
) -> None:
    """The next one waits for its end, as for any."""
    async with actors.open_system("s") as system, system.subscribe(LateReply) as events:
        book: list[int] = []
        system.spawn(Desk, book, name="desk")
        ticket = await system.post("/desk", Do(1, seconds=5.0))
        later = await system.post("/desk", Do(2))
        await trio.sleep(1.0)
        assert ticket.cancel()
        with pytest.raises(TicketCancelled):
            await ticket.wait_reply()
        assert trio.current_time() == 1.0
        assert await later.wait_reply() == 2
        assert trio.current_time() == 5.0
        assert (ticket.state, book) == (CANCELLED, [1, 2])
        assert events.next_nowait() is not None


async def test_a_cancelled_one_that_fails_is_not_delivered_again(autojump_clock: MockClock) -> None:
    """Whatever becomes of the handler."""
    async with actors.open_system("s") as system:
        book: list[int] = []
        system.spawn(Desk, book, name="desk", policy=AT_ONCE)
        ticket = await system.post("/desk", Do(1, seconds=5.0, error=Boom()))
        refused = await system.post("/desk", Do(2, seconds=5.0, error=actors.Refused("no")))
        await trio.sleep(1.0)
        assert ticket.cancel()
        await trio.sleep(5.0)
        assert refused.cancel()
        assert await (await system.post("/desk", Do(3))).wait_reply() == 3
        assert book == [1, 2, 3]
        assert await states(system) == [CANCELLED, CANCELLED, TicketState.RESPONDED]


async def test_one_that_waits_in_the_mailbox_is_cancelled_and_skipped(autojump_clock: MockClock) -> None:
    """It was delivered and not begun."""
    async with actors.open_system("s") as system:
        book: list[int] = []
        ref = system.spawn(Desk, book, name="desk")
        ref.suspend()
        ticket = await system.post("/desk", Do(1))
        later = await system.post("/desk", Do(2))
        await settled()
        assert ticket.state is DELIVERED
        assert ticket.cancel()
        ref.resume()
        assert await later.wait_reply() == 2
        assert book == [2]


async def test_one_whose_delivery_is_being_written_is_cancelled(autojump_clock: MockClock) -> None:
    """At every step between the post and the end: True means that no reply comes, False that it has ended."""
    for checkpoints in range(16):
        async with actors.open_system("s") as system:
            book: list[int] = []
            system.spawn(Desk, book, name="desk")
            await settled()
            ticket = await system.post("/desk", Do(1))
            for _ in range(checkpoints):
                await trio.lowlevel.checkpoint()
            was_cancelled = ticket.cancel()
            later = await system.post("/desk", Do(2))
            assert await later.wait_reply() == 2
            (entry, _) = await entries(system)
            assert entry.state is (CANCELLED if was_cancelled else TicketState.RESPONDED)
            assert ticket.state is entry.state
            assert not entry.working
            if not was_cancelled:
                assert book == [1, 2]


async def test_one_between_two_deliveries_is_cancelled(autojump_clock: MockClock) -> None:
    """At every step of a failing delivery; the later ones go on at once."""
    for checkpoints in range(12):
        async with actors.open_system("s", strategy=PATIENT) as system:
            book: list[int] = []
            policy = actors.Policy(
                breaker=None,
                backoff=actors.Backoff.immediate(),
                delivery=actors.Delivery(backoff=actors.Backoff.fixed(1000.0)),
            )
            system.spawn(Desk, book, name="desk", policy=policy)
            ticket = await system.post("/desk", Do(1, error=Boom()))
            for _ in range(checkpoints):
                await trio.lowlevel.checkpoint()
            assert ticket.cancel()
            later = await system.post("/desk", Do(2))
            assert await later.wait_reply() == 2
            assert trio.current_time() < 1.0 + checkpoints
            assert ticket.state is CANCELLED
            assert book.count(1) <= 1


async def test_an_ended_ticket_cannot_be_cancelled(autojump_clock: MockClock) -> None:
    """False, and it stays what it is: answered, refused, dead, timed out."""
    async with actors.open_system("s", strategy=PATIENT) as system:
        system.spawn(Desk, name="desk", policy=AT_ONCE)
        tickets = [
            await system.post("/desk", Do(1)),
            await system.post("/desk", Do(2, error=actors.Refused("no"))),
            await system.post("/desk", Do(3, error=Boom()), max_attempts=1),
            await system.post("/nobody", Do(4), timeout=1.0),
        ]
        await trio.sleep(2.0)
        before = [ticket.state for ticket in tickets]
        assert before == [
            TicketState.RESPONDED,
            TicketState.FAILED,
            TicketState.DEAD,
            TicketState.TIMED_OUT,
        ]
        assert not any(ticket.cancel() for ticket in tickets)
        await settled()
        assert [ticket.state for ticket in tickets] == before


async def test_one_that_timed_out_while_it_was_in_hand_cannot_be_cancelled(autojump_clock: MockClock) -> None:
    """Its late reply still counts."""
    async with actors.open_system("s") as system:
        system.spawn(Desk, name="desk")
        ticket = await system.post("/desk", Do(1, seconds=5.0), timeout=1.0)
        await trio.sleep(2.0)
        assert not ticket.cancel()
        await trio.sleep(5.0)
        assert await ticket.wait_reply() == 1


async def test_a_put_off_reply_to_a_cancelled_one_is_dropped(autojump_clock: MockClock) -> None:
    """The port is answered, and nobody hears it."""
    async with actors.open_system("s") as system:
        system.spawn(Desk, name="desk")
        ticket = await system.post("/desk", Do(1, how="later"))
        await settled()
        assert ticket.cancel()
        assert await (await system.post("/desk", Do(2, how="answer the others"))).wait_reply() == 2
        assert ticket.state is CANCELLED
        assert await way(system, ticket) == [(PENDING, 0), (DELIVERED, 1), (CANCELLED, 1)]


async def test_the_sender_hears_of_a_cancellation_by_others_and_not_of_its_own(
    autojump_clock: MockClock,
) -> None:
    """As a message that names the ticket."""
    replies: list[TicketReply] = []

    class Withdrawing(Poster):
        @actors.receive
        async def do(self, message: Do) -> None:
            (await self.ctx.system.post("/nobody", message)).cancel()

    async with actors.open_system("s") as system:
        poster = system.spawn(Withdrawing, replies, name="poster")
        ticket = await poster.ask(Send("/nobody", Do(1)))
        await poster.ask(Do(2))
        assert ticket.cancel()
        await settled()
        assert [(reply.ticket_id, type(reply.error)) for reply in replies] == [(ticket.id, TicketCancelled)]
