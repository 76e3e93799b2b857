"""The limit of an ask, late replies, and askers that have gone (contract §3)."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock

import actors
from actors import ActorState
from actors.events import Expired, LateReply
from tests.core.cast import Echo, Sleep, Worker, facts, settled


async def test_a_timeout_says_who_what_how_long_and_in_which_state(autojump_clock: MockClock) -> None:
    """It comes exactly at the limit, and is a `trio.TooSlowError` for code that knows only trio."""
    async with actors.open_system("alpha") as system:
        worker = system.spawn(Worker, name="worker")
        with pytest.raises(trio.TooSlowError) as caught:
            await worker.ask(Sleep(60), timeout=2)
        assert trio.current_time() == pytest.approx(2.0)
        error = caught.value
        assert isinstance(error, actors.AskTimeout)
        assert str(error) == "/worker did not answer Sleep within 2 s; it is BUSY now"
        assert (error.ref, error.message, error.limit, error.state) == (
            worker,
            Sleep(60),
            2,
            ActorState.BUSY,
        )
        worker.kill()


async def test_a_reply_just_inside_the_limit_is_a_reply(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        worker = system.spawn(Worker)
        assert await worker.ask(Sleep(1.999), timeout=2) == "slept"
        assert await worker.ask(Echo("at once"), timeout=2) == "at once"


async def test_a_limit_of_zero_is_over_at_once(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        worker = system.spawn(Worker)
        with pytest.raises(actors.AskTimeout):
            await worker.ask(Sleep(1), timeout=0)
        assert trio.current_time() == pytest.approx(0.0)
        worker.kill()


async def test_the_limit_covers_the_wait_in_the_queue(autojump_clock: MockClock) -> None:
    """A request whose deadline passed while it waited is skipped when its turn comes: event `Expired`."""
    async with actors.open_system("alpha") as system, system.subscribe(Expired, LateReply) as events:
        worker = system.spawn(Worker, name="worker")
        worker.tell(Sleep(5))
        with pytest.raises(actors.AskTimeout, match="BUSY"):
            await worker.ask(Echo("too late"), timeout=3)
        assert (trio.current_time(), facts(events)) == (pytest.approx(3.0), [])
        assert await worker.ask(Echo("in time"), timeout=3) == "in time"
        assert trio.current_time() == pytest.approx(5.0)
        assert facts(events) == [("Expired", "/worker", Echo("too late"))]


@pytest.mark.row(65)
async def test_a_late_reply_is_dropped_with_an_event_and_never_misrouted(autojump_clock: MockClock) -> None:
    """The next ask of the same asker gets its own reply."""
    async with actors.open_system("alpha") as system, system.subscribe(Expired, LateReply) as events:
        worker = system.spawn(Worker, name="worker")
        with pytest.raises(actors.AskTimeout):
            await worker.ask(Sleep(2), timeout=1)
        assert await worker.ask(Echo("mine")) == "mine"
        assert facts(events) == [("LateReply", "/worker", Sleep(2))]


async def test_an_asker_that_is_cancelled_withdraws_its_request(autojump_clock: MockClock) -> None:
    """Still in the queue it is skipped; in hand its reply is dropped, and the handler goes on."""
    async with actors.open_system("alpha") as system, system.subscribe(Expired, LateReply) as events:
        worker = system.spawn(Worker, name="worker")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(worker.ask, Sleep(3))
            await settled()
            nursery.start_soon(worker.ask, Echo("queued"))
            await settled()
            nursery.cancel_scope.cancel()
        assert worker.state is ActorState.BUSY
        assert await worker.ask(Echo("next")) == "next"
        assert trio.current_time() == pytest.approx(3.0)
        assert facts(events) == [
            ("LateReply", "/worker", Sleep(3)),
            ("Expired", "/worker", Echo("queued")),
        ]


async def test_an_asker_that_ends_withdraws_its_request(autojump_clock: MockClock) -> None:
    """The request of an actor that was killed while it waited in the queue is never handled."""

    async def asker(ctx: actors.Context, worker: actors.Ref) -> None:
        await worker.ask(Echo("from the dead"))

    async with actors.open_system("alpha") as system, system.subscribe(Expired) as events:
        worker = system.spawn(Worker, name="worker")
        worker.tell(Sleep(3))
        killed = await system.start(asker, worker)
        await settled()
        killed.kill()
        assert await worker.ask(Echo("alive")) == "alive"
        assert facts(events) == [("Expired", "/worker", Echo("from the dead"))]


@pytest.mark.parametrize("timeout", [-1.0, float("nan"), "1", True])
async def test_a_limit_that_is_no_time_is_refused(autojump_clock: MockClock, timeout: Any) -> None:
    """Nothing is sent then."""
    async with actors.open_system("alpha") as system:
        worker = await system.start(Worker)
        with pytest.raises(ValueError, match="timeout must be"):
            await worker.ask(Echo(), timeout=timeout)
        with pytest.raises(ValueError, match="timeout must be"):
            worker.request(Echo(), timeout=timeout)
        pending = worker.request(Echo())
        with pytest.raises(ValueError, match="timeout must be"):
            await pending.wait(timeout=timeout)
        assert await worker.ask(Echo("alive")) == "alive"
        assert worker.statistics().handled == 2
