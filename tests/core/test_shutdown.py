"""`shutdown`: how long a stop, a drain and an `on_stop` may take (contract §4)."""

from __future__ import annotations

import math
from typing import Any

import pytest
import trio
from trio.testing import MockClock

import actors
from actors import ActorState, ExitKind
from actors.events import StopFailed, Unresponsive
from tests.core.cast import Sleep, Worker, facts, settled


class Closing(Worker):
    """Takes `seconds` to stop."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds

    async def on_stop(self, exit: actors.Exit) -> None:
        await trio.sleep(self.seconds)


def allowing(shutdown: float, **options: Any) -> actors.Policy:
    return actors.Policy(shutdown=shutdown, breaker=None, **options)


@pytest.mark.parametrize("order", ["stop", "drain"])
async def test_what_does_not_end_within_shutdown_is_cancelled_exactly_then(
    autojump_clock: MockClock, order: str
) -> None:
    async with actors.open_system("alpha") as system:
        worker = await system.start(Worker, policy=allowing(3.0))
        worker.tell(Sleep(60))
        await settled()
        getattr(worker, order)()
        exit = await worker.wait_stopped()
        assert (exit.kind, trio.current_time()) == (ExitKind.KILLED, pytest.approx(3.0))
        assert exit.reason == "cancelled: it did not stop within 3 s"


async def test_the_bound_of_a_drain_covers_the_whole_queue(autojump_clock: MockClock) -> None:
    """Not one message: two of three are handled in the time there is."""
    async with actors.open_system("alpha") as system:
        worker = await system.start(Worker, policy=allowing(2.5))
        for _ in range(3):
            worker.tell(Sleep(1))
        worker.drain()
        exit = await worker.wait_stopped()
        assert (exit.kind, trio.current_time()) == (ExitKind.KILLED, pytest.approx(2.5))


@pytest.mark.parametrize("order", ["stop", "drain"])
async def test_a_shutdown_of_zero_cancels_at_once(autojump_clock: MockClock, order: str) -> None:
    async with actors.open_system("alpha") as system:
        worker = await system.start(Worker, policy=allowing(0.0))
        worker.tell(Sleep(60))
        await settled()
        getattr(worker, order)()
        exit = await worker.wait_stopped()
        assert (exit.kind, trio.current_time()) == (ExitKind.KILLED, pytest.approx(0.0))


async def test_an_idle_actor_with_a_shutdown_of_zero_still_ends_in_order(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        worker = await system.start(Worker, policy=allowing(0.0))
        worker.stop()
        assert (await worker.wait_stopped()).kind is ExitKind.SHUTDOWN


@pytest.mark.parametrize("order", ["stop", "drain"])
async def test_a_function_that_goes_on_after_its_inbox_has_ended_has_no_time_of_zero(
    autojump_clock: MockClock, order: str
) -> None:
    """It was idle at the stop; what it does then is bounded all the same."""

    async def lingers(ctx: actors.Context) -> None:
        async for _ in ctx.inbox:
            pass
        await trio.sleep_forever()

    async with actors.open_system("alpha") as system:
        ref = await system.start(lingers, policy=allowing(0.0))
        await settled()
        assert ref.state is ActorState.IDLE
        getattr(ref, order)()
        with trio.fail_after(10):
            exit = await ref.wait_stopped()
        assert (exit.kind, trio.current_time()) == (ExitKind.KILLED, pytest.approx(0.0))


@pytest.mark.parametrize("order", ["stop", "drain"])
async def test_an_idle_function_that_returns_after_its_inbox_is_not_killed_by_a_shutdown_of_zero(
    autojump_clock: MockClock, order: str
) -> None:
    """Whichever of the two runs first, it or the alarm: each of twenty has its one step."""

    async def returns(ctx: actors.Context) -> None:
        async for _ in ctx.inbox:
            pass

    async with actors.open_system("alpha") as system:
        refs = [await system.start(returns, policy=allowing(0.0)) for _ in range(20)]
        await settled()
        for ref in refs:
            getattr(ref, order)()
            await ref.wait_stopped()
        assert [(await ref.wait_stopped()).kind for ref in refs] == [ExitKind.SHUTDOWN] * 20


async def test_an_infinite_shutdown_waits(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        worker = await system.start(Worker, policy=allowing(math.inf))
        worker.tell(Sleep(100_000))
        await settled()
        worker.stop()
        exit = await worker.wait_stopped()
        assert (exit.kind, trio.current_time()) == (ExitKind.SHUTDOWN, pytest.approx(100_000.0))


async def test_on_stop_has_shutdown_seconds_of_its_own(autojump_clock: MockClock) -> None:
    """Three for the handler, then three for the hook; running out is an event and not the exit."""
    async with actors.open_system("alpha") as system, system.subscribe(StopFailed) as events:
        worker = await system.start(Closing, 60.0, name="worker", policy=allowing(3.0))
        worker.tell(Sleep(2))
        await settled()
        worker.stop()
        exit = await worker.wait_stopped()
        assert (exit.kind, trio.current_time()) == (ExitKind.SHUTDOWN, pytest.approx(5.0))
        ((kind, path, error),) = facts(events)
        assert (kind, path, type(error)) == ("StopFailed", "/worker", trio.TooSlowError)


async def test_on_stop_runs_shielded_after_a_kill(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        worker = await system.start(Closing, 2.0, policy=allowing(3.0))
        worker.kill()
        await settled()
        assert worker.state is ActorState.STOPPING
        exit = await worker.wait_stopped()
        assert (exit.kind, trio.current_time()) == (ExitKind.KILLED, pytest.approx(2.0))


async def test_a_second_stop_does_not_give_more_time(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        worker = await system.start(Worker, policy=allowing(3.0))
        worker.tell(Sleep(60))
        await settled()
        worker.stop()
        await trio.sleep(2)
        worker.stop()
        worker.drain()
        await worker.wait_stopped()
        assert trio.current_time() == pytest.approx(3.0)


async def test_a_stop_during_the_start_lets_it_finish_within_shutdown(autojump_clock: MockClock) -> None:
    class Slow(Worker):
        async def on_start(self) -> None:
            await trio.sleep(60)

    async with actors.open_system("alpha") as system:
        slow = system.spawn(Slow, policy=allowing(3.0))
        await settled()
        slow.stop()
        with pytest.raises(actors.ActorStopped):
            await slow.wait_started()
        exit = await slow.wait_stopped()
        assert (exit.kind, trio.current_time()) == (ExitKind.KILLED, pytest.approx(3.0))


async def test_what_swallows_cancellation_is_reported_each_second(autojump_clock: MockClock) -> None:
    """It cannot be killed; `Unresponsive` says so until it ends."""

    class Stubborn(Worker):
        @actors.receive
        async def sleep(self, message: Sleep) -> str:
            with trio.CancelScope(shield=True):
                await trio.sleep(message.seconds)
            return "slept"

    async with actors.open_system("alpha") as system, system.subscribe(Unresponsive) as events:
        stubborn = await system.start(Stubborn, name="stubborn")
        stubborn.tell(Sleep(3.5))
        await settled()
        stubborn.kill()
        exit = await stubborn.wait_stopped()
        await trio.sleep(10)
        assert exit.kind is ExitKind.KILLED
        assert facts(events) == [("Unresponsive", "/stubborn", pytest.approx(n)) for n in (1.0, 2.0, 3.0)]


async def test_an_on_stop_that_cannot_be_cancelled_is_reported_each_second(autojump_clock: MockClock) -> None:
    """From the end of its own `shutdown` seconds on; that it took too long is a StopFailed all the same."""

    class Stubborn(Worker):
        async def on_stop(self, exit: actors.Exit) -> None:
            with trio.CancelScope(shield=True):
                await trio.sleep(4.5)

    async with actors.open_system("alpha") as system, system.subscribe(Unresponsive, StopFailed) as events:
        stubborn = await system.start(Stubborn, name="stubborn", policy=allowing(2.0))
        stubborn.stop()
        await stubborn.wait_stopped()
        assert trio.current_time() == pytest.approx(4.5)
        *reports, last = facts(events)
        assert reports == [("Unresponsive", "/stubborn", pytest.approx(n)) for n in (1.0, 2.0)]
        assert last[:2] == ("StopFailed", "/stubborn")
