"""Stopping: the order, the bounds, and what cannot be stopped."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

import actors
from actors import ActorState, ExitKind, Policy
from actors.events import StopFailed, Stopped, Unresponsive
from tests.supervision.cast import Boom, Child, Diary, Ping, Work, plain, supervisor

Build = Callable[[actors.Supervisor], None]


async def busy(ref: actors.Ref, work: Work) -> actors.Pending[str]:
    """Give it work and return when it has begun."""
    await ref.wait_started()
    pending = ref.request(work)
    await wait_all_tasks_blocked()
    return pending


# --- the order --------------------------------------------------------------------------


@pytest.mark.row(78)
async def test_adhoc_children_stop_at_once_then_the_named_ones_backwards(autojump_clock: MockClock) -> None:
    """Two adhoc children take two seconds together; three named ones one second each."""
    diary = Diary()
    async with actors.open_system("s") as system:
        for name, takes in (("a", 1.0), (None, 2.0), ("b", 1.0), (None, 2.0), ("c", 1.0)):
            await system.start(Child, name or "adhoc", diary, None, takes, name=name)
        diary.clear()
    assert diary.entries == [
        (0.0, "stop adhoc SHUTDOWN"),
        (0.0, "stop adhoc SHUTDOWN"),
        (2.0, "stop c SHUTDOWN"),
        (3.0, "stop b SHUTDOWN"),
        (4.0, "stop a SHUTDOWN"),
    ]
    assert trio.current_time() == 5.0


@pytest.mark.row(78)
async def test_a_tree_of_three_levels_stops_deepest_first(autojump_clock: MockClock) -> None:
    """Children stop before their supervisor's own `on_stop` runs, level by level; nobody is left."""
    diary = Diary()

    class Level(actors.Supervisor):
        def __init__(self, label: str, depth: int) -> None:
            self.label = label
            self.depth = depth

        async def on_start(self) -> None:
            for side in ("l", "r"):
                label = self.label + side
                if self.depth:
                    await self.start(Level, label, self.depth - 1, name=label)
                else:
                    await self.start(Child, label, diary, name=label)

        async def on_stop(self, exit: actors.Exit) -> None:
            diary.note(f"stop {self.label} {exit.kind}")

    async with actors.open_system("s") as system:
        top = await system.start(Level, "t", 1, name="t")
        assert len(list(system.tree().walk())) == 8
        top.stop()
        exit = await top.wait_stopped()
        assert exit.kind is ExitKind.SHUTDOWN
        assert diary.of("stop") == ["trr", "trl", "tr", "tlr", "tll", "tl", "t"]
        assert len(list(system.tree().walk())) == 1


async def test_a_named_child_works_on_until_its_turn_to_stop(autojump_clock: MockClock) -> None:
    """While a later one takes its time to stop, an earlier one still answers."""
    async with actors.open_system("s") as system:
        diary = Diary()

        async def start(self: actors.Supervisor) -> None:
            await self.start(Child, "a", diary, name="a")
            await self.start(Child, "b", diary, None, 3.0, name="b")

        mid = await system.start(supervisor(start), name="mid")
        first = system.children(mid)[0]
        mid.stop()
        await trio.sleep(1)
        assert await first.ask(Ping()) == "a"
        await mid.wait_stopped()
        assert trio.current_time() == 3.0


async def test_a_killed_supervisor_takes_everybody_along(autojump_clock: MockClock) -> None:
    """`kill` cancels the whole subtree now; every `on_stop` still runs, children first."""
    diary = Diary()

    class Middle(actors.Supervisor):
        async def on_start(self) -> None:
            for name in ("a", "b"):
                await self.start(Child, name, diary, name=name)

        async def on_stop(self, exit: actors.Exit) -> None:
            diary.note(f"stop middle {exit.kind}")

    async with actors.open_system("s") as system:
        mid = await system.start(Middle, name="mid")
        a, b = system.children(mid)
        pending = [await busy(ref, Work(100)) for ref in (a, b)]
        mid.kill()
        assert (await mid.wait_stopped()).kind is ExitKind.KILLED
        assert trio.current_time() == 0.0
        assert sorted(diary.of("stop")[:2]) == ["a", "b"]
        assert diary.lines[-1] == "stop middle KILLED"
        for one in pending:
            with pytest.raises(actors.ActorStopped):
                await one.wait()


async def test_a_kill_after_a_stop_reaches_the_children_that_still_have_time(
    autojump_clock: MockClock,
) -> None:
    """A supervisor that is killed while it waits for a busy child is gone at once."""

    async def start(self: actors.Supervisor) -> None:
        await self.start(Child, "a", Diary(), name="a", policy=plain(shutdown=50.0))

    async with actors.open_system("s") as system:
        mid = await system.start(supervisor(start), name="mid")
        leaf = system.children(mid)[0]
        await busy(leaf, Work(100.0))
        mid.stop()
        await trio.sleep(1)
        mid.kill()
        await mid.wait_stopped()
        assert trio.current_time() == 1.0
        assert (await leaf.wait_stopped()).kind is ExitKind.KILLED


@pytest.mark.row(79)
async def test_ten_terminations_of_a_second_take_a_second(autojump_clock: MockClock) -> None:
    """Stops by hand are concurrent."""
    async with actors.open_system("s") as system:
        refs = [await system.start(Child, "x", Diary(), None, 1.0, name=f"x{n}") for n in range(10)]
        for ref in refs:
            ref.stop()
        for ref in refs:
            await ref.wait_stopped()
        assert trio.current_time() == 1.0


# --- the bounds --------------------------------------------------------------------------


@pytest.mark.row(78)
@pytest.mark.parametrize(
    ("shutdown", "takes", "kind", "ends"),
    [
        (2.0, 1.75, ExitKind.SHUTDOWN, 1.75),
        (2.0, 2.25, ExitKind.KILLED, 2.0),
        (0.0, 1.0, ExitKind.KILLED, 0.0),
        (math.inf, 1e6, ExitKind.SHUTDOWN, 1e6),
    ],
    ids=["in time", "too slow", "at once", "for ever"],
)
async def test_the_handler_at_work_has_shutdown_seconds(
    shutdown: float, takes: float, kind: ExitKind, ends: float, autojump_clock: MockClock
) -> None:
    """A busy actor finishes in time, or is cancelled exactly when its time is over."""
    async with actors.open_system("s") as system:
        ref = system.spawn(Child, "a", Diary(), name="a", policy=plain(shutdown=shutdown))
        pending = await busy(ref, Work(takes))
        ref.stop()
        assert ref.state is ActorState.STOPPING or shutdown == 0
        assert (await ref.wait_stopped()).kind is kind
        assert trio.current_time() == ends
        assert pending.done
        if kind is ExitKind.SHUTDOWN:
            assert await pending.wait() == "a"


async def test_a_supervisor_has_as_long_as_its_children_need(autojump_clock: MockClock) -> None:
    """Its own `shutdown` does not cut the time of its children short."""

    async def start(self: actors.Supervisor) -> None:
        await self.start(Child, "a", Diary(), name="a", policy=plain(shutdown=50.0))

    async with actors.open_system("s") as system:
        mid = await system.start(supervisor(start), name="mid", policy=plain(shutdown=1.0))
        leaf = system.children(mid)[0]
        pending = await busy(leaf, Work(30.0))
        mid.stop()
        assert (await mid.wait_stopped()).kind is ExitKind.SHUTDOWN
        assert await pending.wait() == "a"
        assert (await leaf.wait_stopped()).kind is ExitKind.SHUTDOWN
        assert trio.current_time() == 30.0


async def test_an_actor_that_still_starts_is_cancelled_when_its_time_is_over(
    autojump_clock: MockClock,
) -> None:
    """A stop during `on_start` gives it `shutdown` seconds too."""
    async with actors.open_system("s") as system:
        ref = system.spawn(Child, "a", Diary(), [100.0], name="a", policy=plain(shutdown=5.0))
        await wait_all_tasks_blocked()
        ref.stop()
        assert (await ref.wait_stopped()).kind is ExitKind.KILLED
        assert trio.current_time() == 5.0


async def test_a_start_that_is_done_in_time_is_an_ordered_stop(autojump_clock: MockClock) -> None:
    """A stop during a short `on_start` lets it finish, takes no message and ends in order."""
    diary = Diary()
    async with actors.open_system("s") as system:
        ref = system.spawn(Child, "a", diary, [2.0], name="a", policy=plain(shutdown=5.0))
        ref.tell(Work(1))
        await wait_all_tasks_blocked()
        ref.stop()
        assert (await ref.wait_stopped()).kind is ExitKind.SHUTDOWN
        assert (trio.current_time(), diary.lines[-1]) == (2.0, "stop a SHUTDOWN")
        assert [dead.reason for dead in system.dead_letters] == ["stopped"]


async def test_leaving_the_block_by_cancellation_kills_everybody_now(autojump_clock: MockClock) -> None:
    """Cancelled from outside, no handler gets its `shutdown` seconds; every `on_stop` runs."""
    diary = Diary()
    with trio.move_on_after(3) as scope:
        async with actors.open_system("s") as system:
            for name in ("a", "b"):
                ref = await system.start(Child, name, diary, name=name, policy=plain(shutdown=50.0))
                await busy(ref, Work(100))
            await trio.sleep_forever()
    assert scope.cancelled_caught
    assert trio.current_time() == 3.0
    assert sorted(diary.lines[-2:]) == ["stop a KILLED", "stop b KILLED"]


# --- what does not stop --------------------------------------------------------------------


@pytest.mark.parametrize(("how", "since"), [("stop", 1.0), ("kill", 0.0)])
async def test_an_event_each_second_says_that_it_does_not_end(
    how: str, since: float, autojump_clock: MockClock
) -> None:
    """What swallows its cancellation is reported 1, 2, 3 ... seconds after it, until it ends."""
    async with actors.open_system("s") as system, system.subscribe(Unresponsive, Stopped) as events:
        ref = system.spawn(Child, "a", Diary(), name="a", policy=plain(shutdown=1.0))
        await busy(ref, Work(since + 3.5, stubborn=True))
        getattr(ref, how)()
        await ref.wait_stopped()
        await trio.sleep(10)
        seen = [event for event in iter(events.next_nowait, None) if getattr(event, "ref", None) == ref]
    told = [(event.at, event.seconds) for event in seen if isinstance(event, Unresponsive)]
    assert told == [(since + 1, 1.0), (since + 2, 2.0), (since + 3, 3.0)]
    assert isinstance(seen[-1], Stopped)
    assert (seen[-1].at, seen[-1].exit.kind) == (since + 3.5, ExitKind.KILLED)


async def test_an_actor_that_ends_in_time_is_never_called_unresponsive(autojump_clock: MockClock) -> None:
    """No event comes for an ordered end, nor for one whose cancellation works."""
    async with actors.open_system("s") as system, system.subscribe(Unresponsive) as events:
        for shutdown in (1.0, 50.0):
            ref = system.spawn(Child, "a", Diary(), policy=plain(shutdown=shutdown))
            await busy(ref, Work(10.0))
            ref.stop()
            await ref.wait_stopped()
        await trio.sleep(10)
        assert events.next_nowait() is None


# --- on_stop --------------------------------------------------------------------------


async def test_on_stop_is_cut_off_after_shutdown_seconds_of_its_own(autojump_clock: MockClock) -> None:
    """It has its own time after the handler's; running out of it is an event, not the exit."""
    async with actors.open_system("s") as system, system.subscribe(StopFailed) as events:
        ref = system.spawn(Child, "a", Diary(), None, 100.0, name="a", policy=plain(shutdown=2.0))
        await busy(ref, Work(1.5))
        ref.stop()
        assert (await ref.wait_stopped()).kind is ExitKind.SHUTDOWN
        assert trio.current_time() == 3.5
        event = events.next_nowait()
        assert isinstance(event, StopFailed)
        assert (event.ref, event.at) == (ref, 3.5)
        assert isinstance(event.error, trio.TooSlowError)


async def test_an_on_stop_in_time_is_not_cut_off(autojump_clock: MockClock) -> None:
    """What takes just less than `shutdown` seconds runs to its end."""
    async with actors.open_system("s") as system, system.subscribe(StopFailed) as events:
        ref = system.spawn(Child, "a", Diary(), None, 1.75, name="a", policy=plain(shutdown=2.0))
        await ref.wait_started()
        ref.stop()
        await ref.wait_stopped()
        assert trio.current_time() == 1.75
        assert events.next_nowait() is None


async def test_an_on_stop_without_bound_is_waited_for(autojump_clock: MockClock) -> None:
    """With `shutdown=math.inf` it may take as long as it wants."""
    async with actors.open_system("s") as system:
        ref = system.spawn(Child, "a", Diary(), None, 1e6, name="a", policy=plain(shutdown=math.inf))
        await ref.wait_started()
        ref.stop()
        await ref.wait_stopped()
        assert trio.current_time() == 1e6


@pytest.mark.parametrize("how", ["stop", "kill", "fail"])
async def test_an_on_stop_that_raises_is_an_event_and_changes_no_exit(
    how: str, autojump_clock: MockClock
) -> None:
    """`StopFailed` carries the error; the exit stays what it was."""
    async with actors.open_system("s") as system, system.subscribe(StopFailed) as events:
        policy = Policy(restart="temporary")
        starts: list[Exception | float | None] = [Boom("start")] if how == "fail" else []
        ref = system.spawn(Child, "a", Diary(), starts, Boom("at the end"), name="a", policy=policy)
        if how != "fail":
            await ref.wait_started()
            getattr(ref, how)()
        exit = await ref.wait_stopped()
        expected = {"stop": ExitKind.SHUTDOWN, "kill": ExitKind.KILLED, "fail": ExitKind.START_FAILED}
        assert exit.kind is expected[how]
        event = events.next_nowait()
        assert isinstance(event, StopFailed)
        assert repr(event.error) == repr(Boom("at the end"))


async def test_on_stop_is_shielded_from_cancellation(autojump_clock: MockClock) -> None:
    """Cancelling the block, or killing the actor again, does not cut `on_stop` short."""
    diary = Diary()

    class Tidy(actors.Actor):
        async def on_stop(self, exit: actors.Exit) -> None:
            await trio.sleep(3)
            diary.note("tidied up")

    with trio.move_on_after(1):
        async with actors.open_system("s") as system:
            ref = await system.start(Tidy, name="a")
            ref.stop()
            await trio.sleep(0.5)
            ref.kill()
            await trio.sleep_forever()
    assert diary.entries == [(3.0, "tidied up")]


@pytest.mark.parametrize("failing", [False, True])
async def test_on_stop_runs_once_at_the_end_of_every_incarnation(
    failing: bool, autojump_clock: MockClock
) -> None:
    """A failed start has its `on_stop` too, and a restarted actor one for each of its lives."""
    diary = Diary()
    starts: list[Exception | float | None] = [Boom("1"), Boom("2")] if failing else []
    async with actors.open_system("s") as system:
        ref = system.spawn(Child, "a", diary, starts, name="a", policy=plain())
        await ref.wait_started()
    kinds = [line.split()[2] for line in diary.lines if line.startswith("stop")]
    assert kinds == (["START_FAILED", "START_FAILED"] if failing else []) + ["SHUTDOWN"]


async def test_a_long_on_stop_that_will_not_end_is_reported(autojump_clock: MockClock) -> None:
    """An `on_stop` that swallows the end of its time is unresponsive, each second."""

    class Stuck(actors.Actor):
        async def on_stop(self, exit: actors.Exit) -> None:
            with trio.CancelScope(shield=True):
                await trio.sleep(4.5)

    async with actors.open_system("s") as system, system.subscribe(Unresponsive) as events:
        ref = await system.start(Stuck, name="a", policy=plain(shutdown=2.0))
        ref.stop()
        await ref.wait_stopped()
        seen = [event.at for event in iter(events.next_nowait, None)]
    assert seen == [3.0, 4.0]


async def swallows() -> None:
    with suppress(trio.Cancelled):
        await trio.sleep(50.0)


async def shields_itself() -> None:
    with trio.CancelScope(shield=True):
        await trio.sleep(1.5)


@pytest.mark.parametrize("late", [swallows, shields_itself])
async def test_an_on_stop_that_takes_too_long_is_an_event_whatever_it_does_about_it(
    late: Callable[[], Awaitable[None]], autojump_clock: MockClock
) -> None:
    class Late(actors.Actor):
        async def on_stop(self, exit: actors.Exit) -> None:
            await late()

    async with actors.open_system("s") as system, system.subscribe(StopFailed) as events:
        ref = await system.start(Late, policy=plain(shutdown=1.0))
        ref.stop()
        assert (await ref.wait_stopped()).kind is ExitKind.SHUTDOWN
        event = events.next_nowait()
        assert isinstance(event, StopFailed)
        assert isinstance(event.error, trio.TooSlowError)


async def test_what_is_no_failure_ends_the_block_and_everybody_tidies_up(autojump_clock: MockClock) -> None:
    """A `BaseException` of an actor is never restarted; siblings end, each `on_stop` runs to its end."""
    diary = Diary()

    class Tidy(Child):
        async def on_stop(self, exit: actors.Exit) -> None:
            await super().on_stop(exit)
            diary.note(f"tidied {self.label}")

    class Exiting(Tidy):
        @actors.receive
        def leave(self, message: str) -> None:
            raise SystemExit(message)

    async def start(self: actors.Supervisor) -> None:
        await self.start(Tidy, "a", diary, None, 1.0, name="a")
        await self.start(Exiting, "b", diary, None, 1.0, name="b", policy=plain(restart="permanent"))

    async def block() -> None:
        async with actors.open_system("s") as system:
            mid = await system.start(supervisor(start), name="mid")
            await system.start(Tidy, "c", diary, None, 1.0, name="c")
            system.children(mid)[1].tell("now")
            await trio.sleep_forever()

    with pytest.raises(SystemExit, match="now"):
        await block()
    assert sorted(diary.of("tidied")) == ["a", "b", "c"]
    assert diary.of("begin") == ["a", "b", "c"]
