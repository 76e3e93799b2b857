"""A store that takes a second for each write: what is told of a message is what is written of it."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

import actors
from actors import TicketCancelled, TicketState
from tests.delivery.post_cast import AT_ONCE, PATIENT, Boom, Desk, Do, SlowStore, entries
from tests.roads import ROADS

pytestmark = pytest.mark.parametrize("on_road", ROADS, indirect=True)
ENDED = {TicketState.CANCELLED, TicketState.RESPONDED, TicketState.DEAD, TicketState.TIMED_OUT}


async def test_a_receipt_is_given_when_the_message_is_written(autojump_clock: MockClock) -> None:
    """And it is handled when its delivery is written; nobody hears of a reply before that is written."""
    async with actors.open_system("s", store=SlowStore(1.0)) as system:
        book: list[int] = []
        system.spawn(Desk, book, name="desk")
        ticket = await system.post("/desk", Do(1))
        assert trio.current_time() == 1.0
        await trio.sleep(0.9)
        assert book == []
        assert await ticket.wait_reply() == 1
        assert trio.current_time() == 3.0


async def test_many_posts_of_one_moment_are_one_write(autojump_clock: MockClock) -> None:
    """A hundred senders wait for two commits at most."""
    async with actors.open_system("s", store=SlowStore(1.0)) as system:
        async with trio.open_nursery() as nursery:
            for n in range(100):
                nursery.start_soon(system.post, "/nobody", Do(n))
        assert trio.current_time() <= 2.0


@pytest.mark.parametrize("end", ["stop", "kill", "crash"])
async def test_one_that_came_back_goes_to_an_actor_that_is_there_before_that_is_written(
    autojump_clock: MockClock, end: str
) -> None:
    """It is not forgotten, though the store does not give it yet when the new one asks."""
    async with actors.open_system("s", store=SlowStore(1.0)) as system:
        book: list[int] = []
        temporary = actors.Policy(restart="temporary", breaker=None)
        ref = system.spawn(Desk, book, name="desk", policy=temporary)
        await trio.sleep(0.1)
        if end == "stop":
            ref.suspend()
        error = Boom() if end == "crash" else None
        ticket = await system.post("/desk", Do(1, seconds=2.0, error=error), max_attempts=2)
        await trio.sleep(1.5)
        if end == "crash":
            await ref.wait_stopped()
        else:
            getattr(ref, end)()
            await ref.wait_stopped()
        second = system.spawn(Desk, book, name="desk", policy=temporary)
        await trio.sleep(100)
        assert book == ([1] if end == "stop" else [1, 1])
        assert ticket.state is (TicketState.DEAD if end == "crash" else TicketState.RESPONDED)
        assert second.state is (actors.ActorState.STOPPED if end == "crash" else actors.ActorState.IDLE)


async def test_a_cancel_at_any_moment_is_kept(autojump_clock: MockClock) -> None:
    """True: nothing comes of it any more. False: it has ended otherwise, written or not."""
    for error, seconds in ((None, 0.0), (None, 1.25), (Boom(), 0.0), (Boom(), 1.25)):
        for step in range(16):
            async with actors.open_system("s", store=SlowStore(1.0), strategy=PATIENT) as system:
                system.spawn(Desk, name="desk", policy=AT_ONCE)
                ticket = await system.post("/desk", Do(1, seconds=seconds, error=error), max_attempts=2)
                await trio.sleep(step * 0.5)
                was_live = ticket.state not in ENDED
                done = ticket.cancel()
                later = await system.post("/desk", Do(2))
                assert await later.wait_reply() == 2
                assert done is (ticket.state is TicketState.CANCELLED)
                if error is not None and was_live and ticket.attempts < 2:
                    assert done
                if done:
                    with pytest.raises(TicketCancelled):
                        await ticket.wait_reply()
                assert [entry.working for entry in await entries(system)] == [False, False]


async def test_a_timeout_at_any_moment_leaves_nothing_in_any_hand(autojump_clock: MockClock) -> None:
    """Before, while and after its delivery is written: it is handled or withdrawn, and never both."""
    for step in range(1, 16):
        async with actors.open_system("s", store=SlowStore(1.0)) as system:
            book: list[int] = []
            system.spawn(Desk, book, name="desk", policy=AT_ONCE)
            ticket = await system.post("/desk", Do(1, seconds=1.25), timeout=0.5 * step)
            await trio.sleep(60)
            assert ticket.state is (TicketState.RESPONDED if book else TicketState.TIMED_OUT)
            (entry,) = await entries(system)
            assert entry.state is ticket.state
            assert (entry.working, ticket.attempts) == (False, len(book))
