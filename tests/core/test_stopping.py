"""Stop, drain and kill: what is finished, what is dropped, and how long it may take (contract §3, §4)."""

from __future__ import annotations

import math
from typing import Any

import pytest
import trio
from trio.testing import MockClock

import actors
from actors import ActorState, ExitKind
from actors.events import StopFailed, Unresponsive
from tests.core.cast import AT_ONCE, Echo, Fail, Note, Sleep, Worker, facts, settled


class Closing(Worker):
    """Takes `seconds` to stop."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds

    async def on_stop(self, exit: actors.Exit) -> None:
        await trio.sleep(self.seconds)


def allowing(shutdown: float, **options: Any) -> actors.Policy:
    return actors.Policy(shutdown=shutdown, breaker=None, **options)


async def test_stop_finishes_the_message_in_hand_and_no_other(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        worker = await system.start(Worker)
        pending = worker.request(Sleep(2))
        queued = worker.request(Echo("queued"))
        worker.tell(Note("queued"))
        await settled()
        worker.stop()
        assert worker.state is ActorState.STOPPING
        exit = await worker.wait_stopped()
        assert (exit.kind, exit.value, exit.error) == (ExitKind.SHUTDOWN, None, None)
        assert trio.current_time() == pytest.approx(2.0)
        assert await pending.wait() == "slept"
        with pytest.raises(actors.ActorStopped):
            await queued.wait()
        assert [(letter.message, letter.reason) for letter in system.dead_letters] == [
            (Note("queued"), "stopped")
        ]


async def test_drain_finishes_the_queue_and_takes_nothing_new(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        worker = await system.start(Worker)
        waiting = [worker.request(Sleep(1)) for _ in range(3)]
        urgent = None
        await settled()
        worker.drain()
        worker.tell(Note("new"))
        urgent = worker.request(Echo("new"))
        assert urgent.done
        exit = await worker.wait_stopped()
        assert (exit.kind, trio.current_time()) == (ExitKind.SHUTDOWN, pytest.approx(3.0))
        assert [await pending.wait() for pending in waiting] == ["slept"] * 3
        with pytest.raises(actors.ActorStopped):
            await urgent.wait()
        assert [(letter.message, letter.reason) for letter in system.dead_letters] == [
            (Note("new"), "stopped")
        ]


async def test_kill_cancels_now(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        worker = await system.start(Worker, name="worker")
        worker.tell(Sleep(60))
        worker.tell(Note("queued"))
        await settled()
        worker.kill()
        exit = await worker.wait_stopped()
        assert (exit.kind, exit.reason, trio.current_time()) == (
            ExitKind.KILLED,
            "killed",
            pytest.approx(0.0),
        )
        assert [(letter.message, letter.reason) for letter in system.dead_letters] == [
            (Note("queued"), "stopped"),
            (Sleep(60), "stopped"),
        ]


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


async def test_orders_are_idempotent_and_the_harder_one_wins(autojump_clock: MockClock) -> None:
    """drain, then stop, then kill: each is obeyed; the milder ones that follow change nothing."""
    async with actors.open_system("alpha") as system:
        worker = await system.start(Worker, policy=allowing(30.0))
        worker.tell(Sleep(10))
        worker.tell(Note("queued"))
        await settled()
        worker.drain()
        worker.drain()
        await trio.sleep(1)
        assert worker.statistics().depth["normal"] == 1
        worker.stop()
        worker.stop()
        assert worker.statistics().depth["normal"] == 0
        await trio.sleep(1)
        assert worker.state is ActorState.STOPPING
        worker.kill()
        worker.stop()
        worker.drain()
        exit = await worker.wait_stopped()
        assert (exit.kind, trio.current_time()) == (ExitKind.KILLED, pytest.approx(2.0))
        for order in (worker.stop, worker.drain, worker.kill):
            order()
        assert await worker.wait_stopped() == exit


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


@pytest.mark.parametrize("restart", ["permanent", "transient", "temporary"])
@pytest.mark.parametrize("order", ["stop", "drain", "kill"])
async def test_an_order_is_final_for_every_restart_type(
    autojump_clock: MockClock, restart: Any, order: str
) -> None:
    async with actors.open_system("alpha") as system:
        worker = await system.start(
            Worker, name="worker", policy=actors.Policy(restart=restart, backoff=AT_ONCE.backoff)
        )
        getattr(worker, order)()
        await worker.wait_stopped()
        await trio.sleep(100)
        assert (worker.state, system.find("/worker")) == (ActorState.STOPPED, None)


async def test_an_actor_is_stopped_in_its_backoff_without_a_start(autojump_clock: MockClock) -> None:
    policy = allowing(5.0, backoff=actors.Backoff(initial=10.0, jitter=0.0))
    async with actors.open_system("alpha") as system:
        worker = await system.start(Worker, name="worker", policy=policy)
        with pytest.raises(actors.ActorFailed):
            await worker.ask(Fail(ValueError()))
        worker.tell(Note("parked"))
        await settled()
        assert worker.state is ActorState.BACKING_OFF
        worker.stop()
        assert worker.state is ActorState.STOPPED
        assert (await worker.wait_stopped()).kind is ExitKind.SHUTDOWN
        await trio.sleep(20)
        assert worker.statistics().restarts == 0
        assert [(letter.message, letter.reason) for letter in system.dead_letters] == [
            (Note("parked"), "stopped")
        ]


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


async def test_stopped_before_its_task_ran_it_never_starts(autojump_clock: MockClock) -> None:
    started: list[str] = []

    class Noisy(Worker):
        async def on_start(self) -> None:
            started.append("start")

    async with actors.open_system("alpha") as system:
        noisy = system.spawn(Noisy)
        noisy.stop()
        assert (await noisy.wait_stopped()).kind is ExitKind.SHUTDOWN
        assert started == []


@pytest.mark.row(79)
async def test_ten_stops_of_a_second_each_take_one_second(autojump_clock: MockClock) -> None:
    """Operations on many actors are really concurrent."""
    async with actors.open_system("alpha") as system:
        workers = [await system.start(Closing, 1.0, name=f"worker-{n}") for n in range(10)]
        for worker in workers:
            worker.stop()
        exits = [await worker.wait_stopped() for worker in workers]
        assert {exit.kind for exit in exits} == {ExitKind.SHUTDOWN}
        assert trio.current_time() == pytest.approx(1.0)


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


async def test_wait_started_returns_when_it_is_ready_or_raises_why_not(autojump_clock: MockClock) -> None:
    class Slow(Worker):
        async def on_start(self) -> None:
            await trio.sleep(2)

    class Broken(Worker):
        async def on_start(self) -> None:
            await trio.sleep(1)
            raise ValueError("no engine")

    async with actors.open_system("alpha") as system:
        slow = system.spawn(Slow)
        await slow.wait_started()
        await slow.wait_started()
        assert trio.current_time() == pytest.approx(2.0)
        broken = system.spawn(Broken)
        for _ in range(2):
            with pytest.raises(actors.StartFailed, match="no engine") as caught:
                await broken.wait_started()
            assert isinstance(caught.value.__cause__, ValueError)
        assert trio.current_time() == pytest.approx(3.0)
        slow.stop()
        await slow.wait_stopped()
        with pytest.raises(actors.ActorStopped):
            await slow.wait_started()


async def test_many_wait_for_one_end(autojump_clock: MockClock) -> None:
    exits: list[actors.Exit] = []

    async def wait(ref: actors.Ref) -> None:
        exits.append(await ref.wait_stopped())

    async with actors.open_system("alpha") as system:
        worker = await system.start(Closing, 1.0)
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(wait, worker)
            await settled()
            worker.stop()
    assert [exit.kind for exit in exits] == [ExitKind.SHUTDOWN] * 3


@pytest.mark.parametrize("in_a_nursery", [False, True])
async def test_an_error_on_the_way_out_of_a_kill_is_kept_and_changes_nothing(
    autojump_clock: MockClock, in_a_nursery: bool
) -> None:
    """It was killed: the exit says so, and has the error; the asker hears that it has stopped."""

    class Breaks(Worker):
        async def fall(self) -> None:
            try:
                await trio.sleep_forever()
            finally:
                raise ValueError("on the way out")

        @actors.receive
        async def sleep(self, message: Sleep) -> None:
            if not in_a_nursery:
                await self.fall()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self.fall)
                nursery.start_soon(trio.sleep_forever)

    async with actors.open_system("alpha") as system:
        breaks = await system.start(Breaks, name="breaks")
        pending = breaks.request(Sleep())
        await settled()
        breaks.kill()
        exit = await breaks.wait_stopped()
        assert exit.kind is ExitKind.KILLED
        assert exit.error is not None
        with pytest.raises(actors.ActorStopped):
            await pending.wait()


async def test_an_on_stop_that_cannot_be_cancelled_is_reported_each_second(autojump_clock: MockClock) -> None:
    """From the end of its own `shutdown` seconds on."""

    class Stubborn(Worker):
        async def on_stop(self, exit: actors.Exit) -> None:
            with trio.CancelScope(shield=True):
                await trio.sleep(4.5)

    async with actors.open_system("alpha") as system, system.subscribe(Unresponsive, StopFailed) as events:
        stubborn = await system.start(Stubborn, name="stubborn", policy=allowing(2.0))
        stubborn.stop()
        await stubborn.wait_stopped()
        assert trio.current_time() == pytest.approx(4.5)
        assert facts(events) == [("Unresponsive", "/stubborn", pytest.approx(n)) for n in (1.0, 2.0)]
