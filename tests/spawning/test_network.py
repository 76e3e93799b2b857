"""Networks that say when they are ready: `spawning` and `wait_ready`."""

from __future__ import annotations

import contextlib
import math
import sys
import threading
from collections.abc import Iterable
from pathlib import Path
from types import FrameType
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock, assert_checkpoints, wait_all_tasks_blocked

import actors
from actors import ActorState, Backoff, Policy
from tests.cancellation.harness import At, Lives, sweep
from tests.supervision.cast import Boom, Child, Crash, Diary, Work

GROWING = Policy(backoff=Backoff(initial=1.0, maximum=60.0, factor=2.0, jitter=0.0), breaker=None)
ONCE = Policy(restart="temporary", breaker=None)


@attrs.define
class Take:
    """What a child of `Crew` does at its starts, one after the other: seconds, or an error."""

    name: str | None
    starts: list[Exception | float | None]
    policy: Policy = GROWING


class Crew(actors.Supervisor):
    """Spawns its children and is ready at once."""

    def __init__(self, takes: list[Take]) -> None:
        self.takes = takes

    async def on_start(self) -> None:
        for take in self.takes:
            diary = Diary()
            self.spawn(Child, str(take.name), diary, take.starts, name=take.name, policy=take.policy)


async def crew(system: actors.System, *takes: Take) -> tuple[actors.Ref, ...]:
    """A crew, and its children."""
    boss = await system.start(Crew, list(takes), name="boss")
    return (boss, *system.children(boss))


def seconds(*starts: float) -> list[Take]:
    return [Take(f"child-{index}", [start]) for index, start in enumerate(starts, start=1)]


async def never(ctx: actors.Context) -> None:
    await trio.sleep_forever()


never_ready = actors.function(readiness=True)(never)


def names(refs: Iterable[actors.Ref]) -> list[str | None]:
    return [ref.name for ref in refs]


def followers(system: actors.System) -> dict[Any, Any]:
    return system._kernel.followers  # pyright: ignore[reportPrivateUsage]


# --- ready ------------------------------------------------------------------------------


@pytest.mark.row(66)
@pytest.mark.row(67)
async def test_a_network_is_ready_at_the_slowest_ones_own_readiness(autojump_clock: MockClock) -> None:
    """A supervisor and three children, whose starts take 1, 2 and 3 seconds: 3.0, not 3.0 and a bit."""
    async with actors.open_system("alpha") as system:
        refs = await crew(system, *seconds(1, 3, 2))
        await system.wait_ready(refs)
        assert trio.current_time() == 3.0
        assert [ref.state for ref in refs] == [ActorState.IDLE] * 4
        await system.wait_ready(reversed(refs))
        assert (trio.current_time(), followers(system)) == (3.0, {})


@pytest.mark.row(68)
async def test_each_step_says_who_is_ready_and_how_far_all_are(autojump_clock: MockClock) -> None:
    """n of k, who, its state, and the seconds since the call, in the order in which they become ready."""
    async with actors.open_system("alpha") as system:
        await trio.sleep(10)
        refs = await crew(system, *seconds(3, 1, 2))
        boss, slow, quick, middle = refs
        steps: list[tuple[float, actors.SpawnStep]] = []
        async for step in system.spawning([slow, quick, boss, middle, quick]):
            steps.append((trio.current_time(), step))
        assert [step for _, step in steps] == [
            (1, 4, boss, ActorState.IDLE, 0.0),
            (2, 4, quick, ActorState.IDLE, 1.0),
            (3, 4, middle, ActorState.IDLE, 2.0),
            (4, 4, slow, ActorState.IDLE, 3.0),
        ]
        assert [at for at, _ in steps] == [10.0, 11.0, 12.0, 13.0]
        assert followers(system) == {}


async def test_those_that_are_ready_come_at_once_in_the_order_of_the_refs(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        refs = [await system.start(Child, "c", Diary(), name=f"c{index}") for index in range(5)]
        asked = [refs[index] for index in (3, 0, 4, 1, 2)]
        steps = [(done, ref) async for done, _, ref, _, _ in system.spawning(asked)]
        assert steps == list(enumerate(asked, start=1))
        assert trio.current_time() == 0.0


@pytest.mark.row(69)
async def test_a_failed_start_is_on_its_way_until_a_later_one_succeeds(autojump_clock: MockClock) -> None:
    """Two starts fail; the delays are 1 and 2 seconds; then it is ready."""
    async with actors.open_system("alpha") as system, system.subscribe(actors.events.Restarting) as events:
        _, child = await crew(system, Take("child", [Boom("1"), Boom("2")]))
        await system.wait_ready([child])
        assert trio.current_time() == 3.0
        restarts = [events.next_nowait() for _ in range(2)]
        assert [event.delay for event in restarts if isinstance(event, actors.events.Restarting)] == [1, 2]


async def test_one_that_has_crashed_is_ready_when_it_is_back(autojump_clock: MockClock) -> None:
    """Readiness is now, not once."""
    async with actors.open_system("alpha") as system:
        _, child = await crew(system, *seconds(0))
        await system.wait_ready([child])
        child.tell(Crash())
        await wait_all_tasks_blocked()
        was = child.state
        steps = [step async for step in system.spawning([child])]
        assert (was, steps) == (ActorState.BACKING_OFF, [(1, 1, child, ActorState.IDLE, 1.0)])


async def test_a_function_that_was_ready_and_has_returned_is_ready(autojump_clock: MockClock) -> None:
    """Its work is done; a class that has stopped itself is not there any more, nor is what was killed."""

    async def job(ctx: actors.Context, length: float) -> None:
        await trio.sleep(length)

    class Fleeting(actors.Actor):
        def on_start(self) -> None:  # type: ignore[override]
            self.ctx.stop()

    async with actors.open_system("alpha") as system:
        jobs = [system.spawn(job, length) for length in (0.0, 1.0)]
        await trio.sleep(0.5)
        steps = [step async for step in system.spawning(jobs)]
        assert [(step.ref, step.state, step.error) for step in steps] == [
            (jobs[0], ActorState.STOPPED, None),
            (jobs[1], ActorState.BUSY, None),
        ]
        await system.wait_ready(jobs)
        fleeting, killed = system.spawn(Fleeting), system.spawn(job, 9.0)
        await fleeting.wait_stopped()
        killed.kill()
        await killed.wait_stopped()
        with pytest.raises(actors.NotReady) as caught:
            await system.wait_ready([fleeting, killed])
        assert [type(error) for error in caught.value.failed.values()] == [actors.ActorStopped] * 2


async def test_a_function_that_returned_without_a_word_was_never_ready(autojump_clock: MockClock) -> None:
    @actors.function(readiness=True)
    async def silent(ctx: actors.Context) -> None: ...

    async with actors.open_system("alpha") as system:
        ref = system.spawn(silent)
        with pytest.raises(actors.NotReady) as caught:
            await system.wait_ready([ref])
        assert list(caught.value.failed) == [ref]


# --- not ready ---------------------------------------------------------------------------


async def test_those_that_fail_are_named_when_all_have_settled(autojump_clock: MockClock) -> None:
    """Not at the first failure: the others may be ready, and how many is worth knowing."""
    async with actors.open_system("alpha") as system:
        scripts: list[tuple[str | None, Any]] = [
            ("bad", Boom("no key")),
            ("good", 2.0),
            (None, Boom("adhoc")),
        ]
        refs = [system.spawn(Child, "c", Diary(), [start], name=name, policy=ONCE) for name, start in scripts]
        with pytest.raises(actors.NotReady) as caught:
            await system.wait_ready(refs)
        error = caught.value
        assert trio.current_time() == 2.0
        assert (list(error.failed), error.late, error.ready) == ([refs[0], refs[2]], (), (refs[1],))
        assert [type(one) for one in error.failed.values()] == [actors.StartFailed] * 2
        assert isinstance(error.failed[refs[0]].__cause__, Boom)
        assert str(error).startswith("1 of 3 are ready: /bad failed (StartFailed: ")


async def test_a_failure_is_a_step_too(autojump_clock: MockClock) -> None:
    """With its error, and STOPPED."""
    async with actors.open_system("alpha") as system:
        _, bad, good = await crew(system, Take("bad", [1.0], ONCE), *seconds(2))
        stepping = system.spawning([bad, good])
        bad.kill()
        first, second = [step async for step in stepping]
        assert first == (1, 2, bad, ActorState.STOPPED, 0.0)
        assert isinstance(first.error, actors.ActorStopped)
        assert (second, second.error) == ((2, 2, good, ActorState.IDLE, 2.0), None)


async def test_one_that_is_stopped_on_its_way_has_failed(autojump_clock: MockClock) -> None:
    """Also when its start succeeds in spite of it."""
    async with actors.open_system("alpha") as system:
        _, child = await crew(system, *seconds(2))
        await trio.sleep(0.5)
        child.stop()
        steps = [step async for step in system.spawning([child])]
        assert [type(step.error) for step in steps] == [actors.ActorStopped]
        assert (steps[0].state, steps[0].elapsed) == (ActorState.STOPPED, 1.5)


async def test_those_that_are_late_are_named_when_the_time_is_up(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        refs = [
            await system.start(Child, "a", Diary(), name="here"),
            system.spawn(never_ready, name="never"),
            system.spawn(Child, "b", Diary(), [Boom("no")], name="gone", policy=ONCE),
        ]
        with pytest.raises(actors.NotReady) as caught:
            await system.wait_ready(refs, timeout=5)
        error = caught.value
        assert (trio.current_time(), error.timeout) == (5.0, 5)
        assert (names(error.ready), names(error.failed), names(error.late)) == (["here"], ["gone"], ["never"])
        assert "/never was not ready within 5 s" in str(error)
        assert followers(system) == {}
        refs[1].kill()


async def test_whoever_is_ready_at_the_very_moment_is_in_time(autojump_clock: MockClock) -> None:
    """And with a timeout of nothing at all those are that are ready now."""
    async with actors.open_system("alpha") as system:
        _, child = await crew(system, *seconds(3))
        await system.wait_ready([child], timeout=3.0)
        await system.wait_ready([child], timeout=0)
        await system.wait_ready([child], timeout=math.inf)
        with pytest.raises(actors.NotReady):
            await system.wait_ready([system.spawn(Child, "b", Diary(), [1.0])], timeout=0)
        assert trio.current_time() == 3.0


async def test_a_system_that_closes_ends_the_wait_of_others(autojump_clock: MockClock) -> None:
    """A task outside the block hears that nothing of it will be ready."""
    caught: list[BaseException] = []

    async def wait(system: actors.System, ref: actors.Ref) -> None:
        try:
            await system.wait_ready([ref])
        except actors.NotReady as error:
            caught.append(error)

    async with trio.open_nursery() as nursery:  # noqa: SIM117
        async with actors.open_system("alpha") as system:
            ref = system.spawn(never_ready)
            nursery.start_soon(wait, system, ref)
            await wait_all_tasks_blocked()
            system.stop()
    assert [type(error) for error in caught] == [actors.NotReady]
    steps = [step async for step in system.spawning([ref])]
    assert [(step.done, step.state) for step in steps] == [(1, ActorState.STOPPED)]


# --- the calls ----------------------------------------------------------------------------


async def test_wait_ready_is_a_checkpoint_whatever_it_finds(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        ref = await system.start(Child, "a", Diary())
        gone = system.spawn(never)
        gone.kill()
        await gone.wait_stopped()
        for refs in ([], [ref], [ref, ref]):
            with assert_checkpoints():
                await system.wait_ready(refs)
        with assert_checkpoints(), contextlib.suppress(actors.NotReady):
            await system.wait_ready([gone])
        assert [step async for step in system.spawning(())] == []
        with trio.CancelScope() as scope:
            scope.cancel()
            await system.wait_ready([ref])
        assert scope.cancelled_caught


@pytest.mark.parametrize("timeout", [-1.0, math.nan, True, "5"])
async def test_what_is_no_time_is_refused(autojump_clock: MockClock, timeout: Any) -> None:
    async with actors.open_system("alpha") as system:
        with pytest.raises(ValueError, match="timeout must be"):
            await system.wait_ready([], timeout)
        with pytest.raises(ValueError, match="timeout must be"):
            system.when_ready([], print, timeout=timeout)


async def test_what_is_no_ref_is_refused_at_the_call(autojump_clock: MockClock) -> None:
    """With the place and the cure."""
    async with actors.open_system("alpha") as system, actors.open_system("beta") as other:
        ref = system.spawn(Child, "a", Diary())
        for wrong, said in (
            (ref, "write \\[ref"),
            (7, "a list of refs"),
            ([ref, "/a"], "refs\\[1\\] is '/a'"),
            ([system.start(Child, "b", Diary())], "is the call System.start\\(.* await it"),
        ):
            with pytest.raises(TypeError, match=said):
                system.spawning(wrong)  # type: ignore[arg-type]
        for call in (system.spawning, lambda refs: system.when_ready(refs, print)):
            with pytest.raises(actors.UnknownActor):
                call([ref, other.spawn(Child, "c", Diary())])
        assert followers(system) == followers(other) == {}


@pytest.mark.parametrize("waits", [True, False])
async def test_a_supervisor_that_waits_for_its_children_is_not_silent(
    autojump_clock: MockClock, waits: bool
) -> None:
    """As with `wait_started` of a child: its stall limit does not run meanwhile."""

    class Patient(actors.Supervisor):
        @actors.receive
        async def work(self, message: Work) -> str:
            refs = [self.spawn(Child, "c", Diary(), [length]) for length in (20.0, 40.0)]
            if waits:
                await self.ctx.system.wait_ready(refs)
            else:
                async for _ in self.ctx.system.spawning(refs):
                    pass
            await trio.sleep(message.seconds)
            return "done"

    policy = Policy(timeout=actors.Timeout(initial=100, maximum=100, no_activity=5), breaker=None)
    async with actors.open_system("alpha") as system:
        boss = await system.start(Patient, name="boss", policy=policy)
        assert await boss.ask(Work(4.0)) == "done"
        assert trio.current_time() == 44.0
        with pytest.raises(actors.ActorFailed, match="Stalled"):
            await boss.ask(Work(6.0))


# --- nothing is left ------------------------------------------------------------------------


async def test_who_breaks_out_of_the_loop_leaves_nothing(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        refs = await crew(system, *seconds(1, 2, 3))
        async for step in system.spawning(refs):
            assert (step.done, len(followers(system))) == (1, 3)
            break
        await wait_all_tasks_blocked()
        assert followers(system) == {}


async def test_aclose_lets_go_at_once(autojump_clock: MockClock) -> None:
    """What waited is thrown away, and whoever waits is woken; twice is once."""
    ended: list[float] = []

    async def wait(steps: actors.Spawning) -> None:
        async for _ in steps:
            pass
        ended.append(trio.current_time())

    async with actors.open_system("alpha") as system, trio.open_nursery() as nursery:
        refs = await crew(system, *seconds(1, 2))
        steps = system.spawning(refs)
        assert repr(steps) == "<Spawning 1 of 3, under way>"
        await anext(steps)
        nursery.start_soon(wait, steps)
        await trio.sleep(0.5)
        async with contextlib.aclosing(steps):
            await steps.aclose()
            assert (followers(system), repr(steps)) == ({}, "<Spawning 1 of 3, over>")
        with pytest.raises(StopAsyncIteration):
            await anext(steps)
    assert ended == [0.5]


async def test_a_loop_that_is_dropped_in_another_thread_leaves_nothing(autojump_clock: MockClock) -> None:
    """Python collects garbage where it likes."""
    async with actors.open_system("alpha") as system:
        refs = await crew(system, *seconds(1, 2))
        held = [system.spawning(refs)]
        thread = threading.Thread(target=held.clear)
        thread.start()
        thread.join()
        assert len(followers(system)) == 2
        await wait_all_tasks_blocked()
        assert followers(system) == {}


def test_a_loop_that_outlives_everything_says_nothing() -> None:
    """The event loop has ended before it is dropped."""
    kept: list[actors.Spawning] = []

    async def main() -> None:
        async with actors.open_system("alpha") as system:
            kept.append(system.spawning([system.spawn(never_ready, policy=Policy(shutdown=0))]))

    trio.run(main)
    kept[0]._call.readiness.over_at = None  # as if the run had broken down before it settled
    kept.clear()


@pytest.mark.parametrize("how", ["loop", "wait", "wait a while"])
def test_a_wait_that_is_cancelled_anywhere_leaves_nothing(how: str) -> None:
    """Cut at each of its steps."""

    async def wait(system: actors.System, refs: tuple[actors.Ref, ...]) -> None:
        if how == "loop":
            async for step in system.spawning(refs):
                assert step.total == 4
        else:
            await system.wait_ready(refs, timeout=None if how == "wait" else 9)

    async def scenario(_: Lives, step: int) -> At:
        async with actors.open_system("s") as system:
            refs = await crew(system, *seconds(1, 2, 3))
            # Not `cut`: a context manager that is a generator holds the error, and so its frames, on 3.13.
            with trio.CancelScope() as scope, At(step, scope.cancel) as at:
                await wait(system, refs)
            await wait_all_tasks_blocked()
            assert followers(system) == {}
            await system.wait_ready(refs)
        return at

    assert sweep(scenario, 0) > 3


async def test_a_step_that_a_cancelled_wait_did_not_get_comes_next(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        refs = await crew(system, *seconds(1, 2))
        steps = system.spawning(refs)
        got: list[actors.SpawnStep] = []
        while len(got) < 3:
            with trio.move_on_after(0.75):
                got.append(await anext(steps))
        assert [step.done for step in got] == [1, 2, 3]


@pytest.mark.parametrize("how", ["loop", "wait"])
async def test_a_thousand_actors_cost_ten_times_a_hundred(autojump_clock: MockClock, how: str) -> None:
    """Counted in lines of the package that run from the call to the end."""

    class Soon(actors.Actor):
        def __init__(self, length: float) -> None:
            self.length = length

        async def on_start(self) -> None:
            await trio.sleep(self.length)

    async def cost(size: int) -> int:
        lines = 0
        home = str(Path(actors.__file__).parent)

        def count(frame: FrameType, event: str, _: object) -> Any:
            nonlocal lines
            lines += event == "line"
            return count if frame.f_code.co_filename.startswith(home) else None

        async with actors.open_system("alpha") as system:
            refs = [system.spawn(Soon, index / 64) for index in range(size)]
            before = sys.gettrace()
            sys.settrace(count)
            try:
                if how == "wait":
                    await system.wait_ready(refs)
                else:
                    assert [step.ref async for step in system.spawning(refs)] == refs
            finally:
                sys.settrace(before)
        return lines

    few, many = await cost(100), await cost(1000)
    assert 1000 < many < 12 * few
