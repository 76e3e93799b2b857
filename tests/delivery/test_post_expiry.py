"""Expiry: ended tickets go in time, what nobody takes times out, live work never expires."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

import actors
from actors import Posting, TicketState, TicketTimedOut, UnknownTicket
from tests.delivery.post_cast import AT_ONCE, PATIENT, Boom, Desk, Do, entries, plain, settled, states
from tests.roads import ROADS

pytestmark = pytest.mark.parametrize("on_road", ROADS, indirect=True)


@pytest.mark.row(94)
async def test_a_reply_after_ten_minutes_is_a_reply(autojump_clock: MockClock) -> None:
    """Whatever the bounds are: unanswered live work is never removed, in hand or put off."""
    async with actors.open_system("s", posting=Posting(keep_ended=1.0, keep_unclaimed=1.0)) as system:
        system.spawn(Desk, name="desk")
        ticket = await system.post("/desk", Do(7, seconds=600.0))
        late = await system.post("/desk", Do(8, how="later"))
        done = await system.post("/desk", Do(9), timeout=3600.0)
        await trio.sleep(599.0)
        assert ticket.state is TicketState.DELIVERED
        assert await ticket.wait_reply() == 7
        assert await done.wait_reply() == 9
        await trio.sleep(600.0)
        assert late.state in (TicketState.DELIVERED, TicketState.TIMED_OUT)
        assert trio.current_time() == 1200.0


@pytest.mark.row(94)
async def test_ended_tickets_are_kept_for_their_time_and_then_go(autojump_clock: MockClock) -> None:
    """Answered, refused, cancelled, timed out; their keys are free again then."""
    async with actors.open_system("s", posting=Posting(keep_ended=100.0)) as system:
        system.spawn(Desk, name="desk")
        kept = await system.post("/desk", Do(1), key="k")
        await system.post("/desk", Do(2, error=actors.Refused("no")))
        (await system.post("/nobody", Do(3))).cancel()
        await system.post("/nobody", Do(4), timeout=1.0)
        await trio.sleep(99.0)
        assert len(await entries(system)) == 4
        assert await system.post("/desk", Do(1), key="k") is kept
        await trio.sleep(202.0)
        assert await entries(system) == []
        with pytest.raises(UnknownTicket):
            await system.ticket(kept.id)
        assert await kept.wait_reply() == 1  # who holds it has it
        assert (await system.post("/desk", Do(5), key="k")).id != kept.id


@pytest.mark.row(94)
async def test_dead_letters_stay_until_somebody_sees_to_them(autojump_clock: MockClock) -> None:
    """Listed with their reason, for however long."""
    async with actors.open_system("s", strategy=PATIENT, posting=Posting(keep_ended=10.0)) as system:
        system.spawn(Desk, name="desk", policy=AT_ONCE)
        dead = await system.post("/desk", Do(1, error=Boom("why")), max_attempts=1)
        await system.post("/desk", Do(2))
        await trio.sleep(86_400 * 365)
        (entry,) = await entries(system)
        assert (entry.id, entry.state, entry.failures[-1].text) == (dead.id, TicketState.DEAD, "why")


@pytest.mark.row(94)
async def test_what_nobody_takes_times_out_in_the_end(autojump_clock: MockClock) -> None:
    """One with a timeout of its own has that; one that was delivered before waits on."""
    posting = Posting(keep_unclaimed=1000.0, keep_ended=100_000.0)
    async with actors.open_system("s", posting=posting) as system:
        ticket = await system.post("/nobody", Do(1))
        own = await system.post("/nobody", Do(2), timeout=5000.0)
        ref = system.spawn(Desk, name="desk", policy=actors.Policy(restart="temporary", breaker=None))
        tried = await system.post("/desk", Do(3, error=Boom()))
        await ref.wait_stopped()
        await trio.sleep(999.0)
        assert ticket.state is TicketState.PENDING
        await trio.sleep(1002.0)
        assert ticket.state is TicketState.TIMED_OUT
        with pytest.raises(TicketTimedOut, match="withdrawn"):
            await ticket.wait_reply()
        assert own.state is TicketState.PENDING
        assert (tried.state, tried.attempts) == (TicketState.PENDING, 1)
        await trio.sleep(3000.0)
        assert own.state is TicketState.TIMED_OUT


async def test_without_a_bound_what_nobody_takes_waits_for_ever(autojump_clock: MockClock) -> None:
    """`keep_unclaimed=None`; by default a week."""
    for posting, state in (
        (Posting(keep_unclaimed=None), TicketState.PENDING),
        (Posting(), TicketState.TIMED_OUT),
    ):
        async with actors.open_system("s", posting=posting) as system:
            ticket = await system.post("/nobody", Do(1))
            await trio.sleep(86_400 * 6.9)
            assert ticket.state is TicketState.PENDING
            await trio.sleep(86_400 * 2)
            assert ticket.state is state


async def test_many_ended_tickets_go_together(autojump_clock: MockClock) -> None:
    """More than are removed in one go; the memory is flat."""
    async with actors.open_system("s", posting=Posting(keep_ended=50.0)) as system:
        system.spawn(Desk, name="desk")
        for n in range(1500):
            await system.post("/desk", plain(n))
        await settled()
        assert set(await states(system)) == {TicketState.RESPONDED}
        await trio.sleep(101.0)
        assert await entries(system) == []


async def test_what_waits_behind_others_of_a_recipient_that_is_there_is_not_unclaimed(
    autojump_clock: MockClock,
) -> None:
    """It is slow, and that is no reason to give up what waits for it."""
    posting = actors.Posting(keep_unclaimed=100.0, keep_ended=100.0)
    async with actors.open_system("alpha", posting=posting) as system:
        system.spawn(_Slow, name="slow")
        tickets = [await system.post("/slow", "work") for _ in range(4)]
        assert [await ticket.wait_reply() for ticket in tickets] == [90.0, 180.0, 270.0, 360.0]


class _Slow(actors.Actor):
    @actors.receive
    async def work(self, message: str) -> float:
        await trio.sleep(90.0)
        return trio.current_time()
