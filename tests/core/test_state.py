"""The state is always true, and so are the statistics (contract §3)."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock

import actors
from actors import ActorState
from tests.core.cast import AT_ONCE, Die, Echo, Fail, Note, Sleep, Worker, settled


@pytest.mark.row(71)
async def test_busy_while_a_handler_runs_and_idle_only_with_empty_hands(autojump_clock: MockClock) -> None:
    """Read from another task during the work, by the ref and in the tree."""
    async with actors.open_system("alpha") as system:
        worker = system.spawn(Worker, name="worker")
        read = [worker.state]
        await worker.wait_started()
        read.append(worker.state)
        for pending in (worker.request(Sleep(2)), worker.request(Sleep(2))):
            await trio.sleep(1)
            read.append(worker.state)
            (node,) = system.tree().children
            assert node.state == "BUSY"
            await pending.wait()
        read.append(worker.state)
        assert read == ["STARTING", "IDLE", "BUSY", "BUSY", "IDLE"]


@pytest.mark.row(71)
async def test_the_replier_is_idle_when_the_asker_has_the_reply(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        worker = await system.start(Worker)
        for _ in range(10):
            await worker.ask(Echo())
            assert worker.state is ActorState.IDLE


@pytest.mark.row(71)
async def test_a_function_is_idle_when_its_asker_hears_of_the_end(autojump_clock: MockClock) -> None:
    """Answered or interrupted, and however long it took."""

    async def slow(ctx: actors.Context) -> None:
        async for message in ctx.inbox:
            with ctx.handling():
                await trio.sleep(message.seconds)

    async with actors.open_system("alpha") as system:
        ref = await system.start(slow)
        for _ in range(10):  # in whatever order the two tasks go on
            await ref.ask(Sleep(2))
            assert ref.state is ActorState.IDLE
            pending = ref.request(Sleep(60))
            await trio.sleep(1)
            assert await ref.interrupt()
            assert ref.state is ActorState.IDLE
            assert pending.done


async def test_every_state_of_a_life_is_shown(autojump_clock: MockClock) -> None:
    """STARTING, IDLE, BUSY, BACKING_OFF, STARTING again, CIRCUIT_OPEN, SUSPENDED, STOPPING, STOPPED."""

    class Slow(Worker):
        async def on_start(self) -> None:
            await trio.sleep(1)

    policy = actors.Policy(
        backoff=actors.Backoff(initial=2.0, jitter=0.0),
        breaker=actors.Breaker(failures=2, reset_after=10.0),
    )
    async with actors.open_system("alpha") as system:
        slow = system.spawn(Slow, name="slow", policy=policy)
        seen = [slow.state]

        async def look_after(seconds: float) -> None:
            await trio.sleep(seconds)
            await settled()
            seen.append(slow.state)

        await look_after(1)
        slow.tell(Sleep(1))
        await look_after(0.5)
        slow.tell(Die())
        await look_after(0.5)
        await look_after(2)
        await look_after(1)
        slow.tell(Die())
        await look_after(0)
        await look_after(10)
        await look_after(1)
        slow.suspend()
        await look_after(0)
        slow.resume()
        slow.tell(Sleep(1))
        await look_after(0)
        slow.stop()
        await look_after(0)
        await look_after(1)
        assert seen == [
            "STARTING",
            "IDLE",
            "BUSY",
            "BACKING_OFF",
            "STARTING",
            "IDLE",
            "CIRCUIT_OPEN",
            "STARTING",
            "IDLE",
            "SUSPENDED",
            "BUSY",
            "STOPPING",
            "STOPPED",
        ]


async def test_a_function_is_busy_while_it_does_not_wait_for_a_message(autojump_clock: MockClock) -> None:
    async def job(ctx: actors.Context) -> None:
        await trio.sleep(2)
        async for _ in ctx.inbox:
            await trio.sleep(2)

    async with actors.open_system("alpha") as system:
        ref = await system.start(job)
        states = []
        for seconds in (1, 2, 2, 1):
            await trio.sleep(seconds)
            states.append(ref.state)
            if seconds == 2 and len(states) == 2:
                ref.tell(1)
                await trio.sleep(1)
                states.append(ref.state)
        assert states == ["BUSY", "IDLE", "BUSY", "IDLE", "IDLE"]


async def test_statistics_of_a_new_actor(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        worker = system.spawn(Worker)
        assert worker.statistics() == actors.Statistics(
            handled=0,
            failed=0,
            restarts=0,
            depth={"system": 0, "urgent": 0, "normal": 0},
            oldest=None,
            last_activity=None,
            uptime=0.0,
        )


async def test_statistics_count_what_was_handled_failed_and_restarted(autojump_clock: MockClock) -> None:
    """A failure, a refusal and an unhandled message count as handled; a failed start as failed."""
    async with actors.open_system("alpha") as system:
        worker = await system.start(Worker, name="worker", policy=AT_ONCE)
        worker.tell(Note())
        worker.tell("unhandled")
        worker.tell(Fail(actors.Refused()))
        worker.tell(Die())
        worker.tell(Sleep(1))
        await trio.sleep(2)
        statistics = worker.statistics()
        assert (statistics.handled, statistics.failed, statistics.restarts) == (5, 1, 1)


async def test_depth_and_age_of_what_waits(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        worker = await system.start(Worker)
        worker.tell(Sleep(10))
        await trio.sleep(2)
        assert worker.statistics().oldest is None
        worker.tell(Note("a"))
        await trio.sleep(3)
        worker.tell(Note("B"), urgent=True)
        worker.tell(Note("c"))
        await trio.sleep(1)
        statistics = worker.statistics()
        assert statistics.depth == {"system": 0, "urgent": 1, "normal": 2}
        assert statistics.oldest == pytest.approx(4.0)
        worker.drain()
        assert sum(worker.statistics().depth.values()) == 3
        assert worker.statistics().oldest == pytest.approx(4.0)
        await worker.wait_stopped()
        assert worker.statistics().oldest is None


async def test_last_activity_is_the_clock_at_the_last_message_or_progress(autojump_clock: MockClock) -> None:
    class Talker(Worker):
        @actors.receive
        async def talk(self, message: int) -> None:
            await trio.sleep(2)
            self.ctx.progress(100)
            await trio.sleep(5)

    async with actors.open_system("alpha") as system:
        talker = await system.start(Talker)
        await trio.sleep(10)
        start = trio.current_time()
        talker.tell(1)
        await settled()
        assert talker.statistics().last_activity == start
        await trio.sleep(4)
        assert talker.statistics().last_activity == pytest.approx(start + 2)
        await trio.sleep(4)
        assert talker.statistics().last_activity == pytest.approx(start + 7)


async def test_last_activity_of_a_function_is_when_it_began_to_wait(autojump_clock: MockClock) -> None:
    async def job(ctx: actors.Context) -> None:
        async for _ in ctx.inbox:
            await trio.sleep(2)

    async with actors.open_system("alpha") as system:
        ref = await system.start(job)
        await trio.sleep(5)
        ref.tell(1)
        start = trio.current_time()
        await trio.sleep(10)
        assert ref.statistics().last_activity == pytest.approx(start + 2)


async def test_last_activity_of_a_function_that_never_got_a_message_is_none(
    autojump_clock: MockClock,
) -> None:
    """Waiting is no activity; then taking a message is, and ending one."""

    async def job(ctx: actors.Context) -> None:
        async for _ in ctx.inbox:
            await trio.sleep(2)

    async with actors.open_system("alpha") as system:
        ref = await system.start(job)
        await trio.sleep(5)
        assert ref.statistics().last_activity is None
        start = trio.current_time()
        for after in (0, 1, 3):
            ref.tell(after)
        await trio.sleep(1)
        assert ref.statistics().last_activity == pytest.approx(start)
        await trio.sleep(2)
        assert ref.statistics().last_activity == pytest.approx(start + 2)


@pytest.mark.parametrize("end", ["refused", "unhandled", "interrupted"])
async def test_last_activity_is_the_end_of_a_handler_however_it_ended(
    autojump_clock: MockClock, end: str
) -> None:
    class Worn(actors.Actor):
        @actors.receive
        async def sleep(self, message: Sleep) -> None:
            await trio.sleep(message.seconds)
            if end == "refused":
                raise actors.Refused("after all")
            if end == "unhandled":
                await super().on_unhandled(message)
            await trio.sleep_forever()

    async with actors.open_system("alpha") as system:
        worn = await system.start(Worn)
        pending = worn.request(Sleep(3))
        await trio.sleep(4)
        if end == "interrupted":
            await worn.interrupt()
        await trio.sleep(10)
        expected = 4.0 if end == "interrupted" else 3.0
        assert (pending.done, worn.statistics().last_activity) == (True, pytest.approx(expected))


async def test_last_activity_of_an_actor_that_never_waits_goes_on(autojump_clock: MockClock) -> None:
    """With plain handlers and a full mailbox it is read once in a while, not at the first message alone."""
    lags: list[float] = []

    class Saturated(Worker):
        @actors.receive
        def note(self, message: Note) -> None:
            autojump_clock.jump(1.0)
            active = self.ctx.ref.statistics().last_activity
            assert active is not None
            lags.append(trio.current_time() - active)

    async with actors.open_system("alpha") as system:
        saturated = system.spawn(Saturated)
        for _ in range(500):
            saturated.tell(Note())
        await settled()
        assert len(lags) == 500
        assert max(lags) < 50


async def test_uptime_counts_from_the_spawn_and_stands_still_at_the_end(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        worker = await system.start(Worker, name="worker", policy=AT_ONCE)
        await trio.sleep(3)
        worker.tell(Die())
        await trio.sleep(2)
        assert worker.statistics().uptime == pytest.approx(5.0)
        worker.stop()
        await worker.wait_stopped()
        await trio.sleep(10)
        assert worker.statistics().uptime == pytest.approx(5.0)


async def test_statistics_are_a_snapshot(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        worker = await system.start(Worker)
        before = worker.statistics()
        worker.tell(Note())
        await settled()
        assert (before.handled, worker.statistics().handled) == (0, 1)
        with pytest.raises(AttributeError):
            before.handled = 5  # type: ignore[misc]


class Steps(trio.abc.Instrument):
    """The names of the tasks that take a step, but for the one that made this."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.me = trio.lowlevel.current_task()

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        if task is not self.me:
            self.taken.append(task.name)


@pytest.mark.row(87)
async def test_a_hundred_idle_actors_wake_nobody(autojump_clock: MockClock) -> None:
    """In ten seconds not one task but this test's takes a step."""

    async def waiting(ctx: actors.Context) -> None:
        async for _ in ctx.inbox:
            pass

    async with actors.open_system("alpha") as system:
        whats: list[Any] = [Worker, waiting]
        refs = [await system.start(whats[n % 2], name=f"idle-{n}") for n in range(100)]
        refs[0].tell(Note())
        refs[1].tell(Note())
        await settled()
        steps = Steps()
        trio.lowlevel.add_instrument(steps)
        await trio.sleep(10)
        trio.lowlevel.remove_instrument(steps)
        assert steps.taken == []
        assert {ref.state for ref in refs} == {ActorState.IDLE}


@pytest.mark.row(87)
async def test_deadlines_that_were_met_wake_the_alarm_task_once_at_most(autojump_clock: MockClock) -> None:
    """A cancelled deadline may come up; a hundred of them do not come up one by one."""
    async with actors.open_system("alpha") as system:
        worker = await system.start(Worker)
        for n in range(100):
            await worker.ask(Echo(), timeout=5.0 + n / 100)
        await settled()
        steps = Steps()
        trio.lowlevel.add_instrument(steps)
        await trio.sleep(10)
        trio.lowlevel.remove_instrument(steps)
        assert len(steps.taken) <= 1
        assert system.statistics().alarms == 0
