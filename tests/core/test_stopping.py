"""Stop, drain and kill: what is finished, what is dropped, and how long it may take (contract §3, §4)."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock

import actors
from actors import ActorState, ExitKind
from tests.core.cast import AT_ONCE, Echo, Fail, Note, Sleep, Worker, settled


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


@pytest.mark.parametrize(("order", "kind"), [("stop", "SHUTDOWN"), ("drain", "SHUTDOWN"), ("kill", "KILLED")])
@pytest.mark.parametrize("phase", ["on_stop", "backoff", "open breaker"])
async def test_one_that_would_start_again_and_is_ended_meanwhile_was_ended_by_that(
    autojump_clock: MockClock, phase: str, order: str, kind: str
) -> None:
    """Not by the failure before, whether its `on_stop` still runs or nothing of it does."""
    breaker = actors.Breaker(failures=1) if phase == "open breaker" else None
    policy = actors.Policy(backoff=actors.Backoff(initial=10.0, jitter=0.0), breaker=breaker)
    async with actors.open_system("alpha") as system:
        closing = await system.start(Closing, 1.0, name="closing", policy=policy)
        with pytest.raises(actors.ActorFailed):
            await closing.ask(Fail(ValueError()))
        await trio.sleep(0.5 if phase == "on_stop" else 2)
        getattr(closing, order)()
        exit = await closing.wait_stopped()
        assert (exit.kind, exit.error) == (kind, None)
        assert exit.reason == ("killed" if order == "kill" else "stopped") + " before it started again"
        await trio.sleep(100)
        assert closing.statistics().restarts == 0


async def test_one_that_would_start_again_and_stops_itself_in_on_stop_has_ended_normally(
    autojump_clock: MockClock,
) -> None:
    class Quitter(Worker):
        async def on_stop(self, exit: actors.Exit) -> None:
            self.ctx.stop()

    async with actors.open_system("alpha") as system:
        quitter = await system.start(Quitter, name="quitter", policy=AT_ONCE)
        with pytest.raises(actors.ActorFailed):
            await quitter.ask(Fail(ValueError()))
        exit = await quitter.wait_stopped()
        assert exit == actors.Exit(ExitKind.NORMAL, reason="stopped itself before it started again")
        assert quitter.statistics().restarts == 0


@pytest.mark.parametrize("name", ["temporary", None])
async def test_one_that_would_not_start_again_has_failed_whoever_stops_it_then(
    autojump_clock: MockClock, name: str | None
) -> None:
    """It had ended by itself, for good: the order comes too late."""
    async with actors.open_system("alpha") as system:
        closing = await system.start(Closing, 1.0, name=name, policy=allowing(5.0, restart="temporary"))
        with pytest.raises(actors.ActorFailed):
            await closing.ask(Fail(ValueError("mine")))
        closing.stop()
        exit = await closing.wait_stopped()
        assert (exit.kind, exit.reason) == (ExitKind.FAILED, "ValueError: mine")


@pytest.mark.parametrize("phase", ["on_stop", "backoff"])
async def test_a_drain_of_one_that_is_down_finishes_nothing(autojump_clock: MockClock, phase: str) -> None:
    """Nothing runs that could, and a drain waits for no backoff: what waits ends as with `stop`."""
    policy = allowing(5.0, backoff=actors.Backoff(initial=2.0, jitter=0.0))
    async with actors.open_system("alpha") as system:
        closing = await system.start(Closing, 1.0, name="closing", policy=policy)
        closing.tell(Fail(ValueError()))
        closing.tell(Note("parked"))
        parked = closing.request(Echo("parked"))
        await trio.sleep(0.5 if phase == "on_stop" else 1.5)
        closing.drain()
        closing.tell(Note("late"))
        await closing.wait_stopped()
        assert trio.current_time() == pytest.approx(1.0 if phase == "on_stop" else 1.5)
        with pytest.raises(actors.ActorStopped):
            await parked.wait()
        reasons = [(letter.message, letter.reason) for letter in system.dead_letters[1:]]
        assert sorted(reasons, key=str) == [(Note("late"), "stopped"), (Note("parked"), "stopped")]


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
