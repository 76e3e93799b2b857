"""Batches of real actors: limits, order, names, retries, fallback, progress, bad input, and nothing left."""

from __future__ import annotations

import functools
import gc
import logging
import sys
import weakref
from collections.abc import Iterator
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

import actors
from actors import (
    ActorState,
    Backoff,
    ExitKind,
    FailureKind,
    Job,
    Outcome,
    PermanentFailure,
    Policy,
    RateLimited,
    Timeout,
    open_system,
)
from actors.events import Spawned
from actors.process import Command, Completed, ProcessFailed
from tests.jobs.cast import Boom, Stage, ends, steady, values

# --- limits and order -------------------------------------------------------------


@pytest.mark.row(1)
async def test_many_jobs_under_a_limit_come_out_in_input_order(autojump_clock: MockClock) -> None:
    """Twenty of different lengths, ten at a time: exactly ten, and each value at its place."""
    async with open_system("alpha") as system:
        stage = Stage()
        jobs = [Job(stage.work, index, 0.1 + 0.1 * (index * 7 % 5)) for index in range(20)]
        assert values(await system.run_jobs(jobs, limit=10)) == list(range(20))
        assert (stage.peak, stage.order) == (10, list(range(20)))


@pytest.mark.row(2)
async def test_a_limit_of_one_is_serial(autojump_clock: MockClock) -> None:
    """Each starts when the one before has ended."""
    async with open_system("alpha") as system:
        stage = Stage()
        await system.run_jobs([Job(stage.work, index) for index in range(4)], limit=1)
        assert stage.starts == [(0.0, 0), (1.0, 1), (2.0, 2), (3.0, 3)]
        assert stage.peak == 1


@pytest.mark.row(3)
async def test_an_empty_list_gives_an_empty_list(autojump_clock: MockClock) -> None:
    """And is a checkpoint."""
    async with open_system("alpha") as system:
        with trio.testing.assert_checkpoints():
            assert await system.run_jobs([]) == []


@pytest.mark.row(3)
async def test_one_job_gives_one_exact_outcome(autojump_clock: MockClock) -> None:
    """Every field of it."""
    async with open_system("alpha") as system:
        await trio.sleep(5)
        stage = Stage()
        [outcome] = await system.run_jobs([Job(stage.work, "done", 2.0)])
        exit = actors.Exit(ExitKind.NORMAL, value="done")
        assert outcome == Outcome(ok=True, value="done", started=5.0, elapsed=2.0, exit=exit)
        assert (outcome.attempts, outcome.extended, outcome.fallback, outcome.label) == (1, False, False, 0)


@pytest.mark.row(5)
async def test_an_exception_is_an_outcome(autojump_clock: MockClock) -> None:
    """With its type and text; the others go on."""
    async with open_system("alpha") as system:
        stage = Stage()
        jobs = [Job(stage.work, i, 1.0, Boom(f"no {i}") if i in (1, 3) else None) for i in range(5)]
        outcomes = await system.run_jobs(jobs)
        assert ends(outcomes) == ["ok", "ERROR", "ok", "ERROR", "ok"]
        assert [str(outcome.error) for outcome in outcomes if not outcome.ok] == ["no 1", "no 3"]
        assert isinstance(outcomes[1].error, Boom)
        assert outcomes[1].exit is not None
        assert outcomes[1].exit.kind is ExitKind.FAILED
        with pytest.raises(Boom, match="no 3"):
            outcomes[3].unwrap()


@pytest.mark.row(7)
@pytest.mark.parametrize(("count", "limit"), [(50, 5), (100, 10), (100, 100), (3, 10)])
async def test_the_peak_is_exactly_the_limit(autojump_clock: MockClock, count: int, limit: int) -> None:
    """Or the number of jobs, where that is less."""
    async with open_system("alpha") as system:
        stage = Stage()
        outcomes = await system.run_jobs([Job(stage.work, i, 0.05) for i in range(count)], limit=limit)
        assert values(outcomes) == list(range(count))
        assert stage.peak == min(count, limit)


@pytest.mark.row(7)
async def test_a_thousand_at_once_leave_nothing(autojump_clock: MockClock) -> None:
    """No child, no alarm, no name, and no object."""
    kept: list[weakref.ref[Any]] = []

    async def work(ctx: actors.Context, index: int) -> int:
        kept.append(weakref.ref(ctx.ref))
        await trio.sleep(1 + index / 1000)
        return index

    async with open_system("alpha") as system:
        jobs = [Job(work, i, name=f"n{i}" if i % 2 else None, timeout=10) for i in range(1000)]
        assert values(await system.run_jobs(jobs, limit=1000)) == list(range(1000))
        await trio.sleep(10)  # deadlines that were cancelled leave when they come up
        gc.collect()
        assert [one() for one in kept if one() is not None] == []
        statistics = system.statistics()
        assert (statistics.actors, statistics.alarms) == (1, 0)
        assert len(system._names_at_work) == 0
        assert system.breakers() == {"/jobs": actors.BreakerState()}


@pytest.mark.row(37)
async def test_staggered_starts_hold_no_slots(autojump_clock: MockClock) -> None:
    """Eight instant tasks a quarter of a second apart, four slots: the last one starts, and ends, at 1.75."""
    async with open_system("alpha") as system:
        stage = Stage()
        await system.run_jobs([Job(stage.work, i, 0.0) for i in range(8)], limit=4, stagger=0.25)
        assert [at for at, _ in stage.starts] == [0.25 * index for index in range(8)]
        assert stage.now == 1.75


async def test_stagger_counts_from_the_last_start(autojump_clock: MockClock) -> None:
    """Also when that had to wait for a slot."""
    async with open_system("alpha") as system:
        stage = Stage()
        await system.run_jobs([Job(stage.work, i, 1.0) for i in range(4)], limit=2, stagger=0.75)
        assert [at for at, _ in stage.starts] == [0.0, 0.75, 1.5, 2.25]


# --- names ------------------------------------------------------------------------


@pytest.mark.row(4)
async def test_named_and_adhoc_jobs_mix(autojump_clock: MockClock) -> None:
    """Ten adhoc, then five of three names, which run one after the other: values by position."""
    async with open_system("alpha") as system:
        stage = Stage()
        names = ["x", "y", "z", "x", "y"]
        jobs = [Job(stage.work, i, 0.1) for i in range(10)]
        jobs += [Job(stage.work, 10 + i, 0.1, name=name) for i, name in enumerate(names)]
        outcomes = await system.run_jobs(jobs)
        assert values(outcomes) == list(range(15))
        assert [outcome.label for outcome in outcomes[10:]] == [10, 11, "z", 13, 14]
        assert stage.starts[10:] == [(0.1, 10), (0.1, 11), (0.1, 12), (0.2, 13), (0.2, 14)]


async def test_who_waits_for_a_name_holds_no_slot(autojump_clock: MockClock) -> None:
    """Those behind it pass."""
    async with open_system("alpha") as system:
        stage = Stage()
        jobs = [Job(stage.work, i, 1.0, name="x") for i in range(3)]
        await system.run_jobs([*jobs, Job(stage.work, "y", 0.5)], limit=2)
        assert stage.starts == [(0.0, 0), (0.0, "y"), (1.0, 1), (2.0, 2)]


async def test_a_name_is_one_in_the_whole_system(autojump_clock: MockClock) -> None:
    """Two batches at once: never two runs of it, and in each batch in input order."""
    async with open_system("alpha") as system:
        stage = Stage()

        async def batch(letter: str) -> None:
            outcomes = await system.run_jobs([Job(stage.work, f"{letter}{i}", name="x") for i in range(3)])
            assert values(outcomes) == [f"{letter}{i}" for i in range(3)]

        async with trio.open_nursery() as nursery:
            for letter in "abc":
                nursery.start_soon(batch, letter)
        assert stage.peak == 1
        assert stage.now == 9.0
        for letter in "abc":
            assert [key for key in stage.order if key[0] == letter] == [f"{letter}{i}" for i in range(3)]


async def test_a_batch_that_is_cancelled_gives_its_names_back(autojump_clock: MockClock) -> None:
    """Also those that it waited for."""
    async with open_system("alpha") as system:
        stage = Stage()

        async def cut_short() -> None:
            with trio.move_on_after(1.5):
                await system.run_jobs([Job(stage.work, "cut", 9.0, name="x")])

        async with trio.open_nursery() as nursery:
            nursery.start_soon(cut_short)
            await trio.sleep(0.5)
            with trio.move_on_after(0.5):
                await system.run_jobs([Job(stage.work, "never", name="x")])
            assert values(await system.run_jobs([Job(stage.work, "late", 1.0, name="x")])) == ["late"]
        assert stage.starts == [(0.0, "cut"), (1.5, "late")]
        assert len(system._names_at_work) == 0


async def test_a_job_may_run_jobs(autojump_clock: MockClock) -> None:
    """But not one of its own name, which would wait for it for ever."""
    async with open_system("alpha") as system:

        async def inner(ctx: actors.Context, name: str | None) -> str:
            return ctx.ref.path

        async def outer(ctx: actors.Context, name: str | None) -> Any:
            return values(await ctx.system.run_jobs([Job(inner, name, name=name)]))

        jobs = [Job(outer, "y", name="x"), Job(outer, "z", name="z"), Job(outer, None)]
        fine, own, adhoc = await system.run_jobs(jobs)
        assert fine.value == ["/jobs/y"]
        assert adhoc.value[0].startswith("/jobs/~")
        assert isinstance(own.error, ValueError)
        assert "/jobs/z would wait for itself" in str(own.error)


async def test_an_actor_is_not_silent_while_its_batch_runs(autojump_clock: MockClock) -> None:
    """Its clock of silence stands still, and it says what it waits for."""

    async def asker(ctx: actors.Context) -> list[Any]:
        async def work(inner: actors.Context) -> str | None:
            await trio.sleep(100)
            return ctx.ref.waiting_for

        return values(await ctx.system.run_jobs([Job(work)]))

    async with open_system("alpha") as system:
        policy = Policy(timeout=Timeout("fixed", 1000.0, no_activity=10.0))
        exit = await system.spawn(asker, policy=policy).wait_stopped()
        assert exit.value == ["/jobs"]


# --- what a job may be ------------------------------------------------------------


class Counter(actors.Actor):
    def __init__(self, until: int) -> None:
        self.left = until

    async def on_start(self) -> None:
        self.ctx.after(1.0, "tick")

    @actors.receive
    def tick(self, message: str) -> None:
        self.left -= 1
        if self.left:
            self.ctx.after(1.0, "tick")
        else:
            self.ctx.stop()


async def test_an_actor_class_is_a_job(autojump_clock: MockClock) -> None:
    """It has ended when it stops itself; it has no value."""
    async with open_system("alpha") as system:
        [outcome] = await system.run_jobs([Job(Counter, 3)])
        assert (outcome.ok, outcome.value, outcome.elapsed) == (True, None, 3.0)


async def test_a_partial_is_a_job(autojump_clock: MockClock) -> None:
    """Arguments by name come with it."""
    async with open_system("alpha") as system:
        stage = Stage()
        [outcome] = await system.run_jobs([Job(functools.partial(stage.work, seconds=3.0), "it")])
        assert (outcome.value, outcome.elapsed) == ("it", 3.0)


async def test_a_failed_start_is_told_as_such(autojump_clock: MockClock) -> None:
    """Of a class, and of a process whose program is not there."""

    class Broken(actors.Actor):
        async def on_start(self) -> None:
            raise Boom("start")

    async with open_system("alpha") as system:
        outcomes = await system.run_jobs([Job(Broken), Job(Command(["/nowhere/to/be/found"]))])
        assert ends(outcomes) == ["START", "START"]
        assert [str(outcome.error)[:5] for outcome in outcomes] == ["start", "canno"]


@pytest.mark.row(45)
async def test_processes_are_jobs(autojump_clock: MockClock) -> None:
    """Each value is what the process wrote; a code other than 0 is an error."""
    async with open_system("alpha") as system:
        count = [Command([sys.executable, "-c", f"print({index} * 2)"]) for index in range(4)]
        broken = Command(["sh", "-c", "echo why >&2; exit 3"])
        *fine, failed = await system.run_jobs([*map(Job, count), Job(broken, name="sh")], limit=2)
        assert [outcome.value.stdout for outcome in fine] == [b"0\n", b"2\n", b"4\n", b"6\n"]
        assert all(isinstance(outcome.value, Completed) for outcome in fine)
        assert isinstance(failed.error, ProcessFailed)
        assert failed.error.completed.returncode == 3


async def test_a_job_lives_under_jobs(autojump_clock: MockClock) -> None:
    """By its name or as an adhoc child; `/jobs` stays, and is shown."""
    async with open_system("alpha") as system:

        async def where(ctx: actors.Context) -> tuple[str, str]:
            assert system.find("/jobs") == ctx.parent
            return ctx.ref.path, str(system.tree().children[0].kind)

        outcomes = await system.run_jobs([Job(where, name="x"), Job(where)])
        (named, kind), (adhoc, _) = values(outcomes)
        assert (named, adhoc[:7], kind) == ("/jobs/x", "/jobs/~", "supervisor")
        assert [child.path for child in system.tree().children] == ["/jobs"]
        first = system.find("/jobs")
        await system.run_jobs([Job(where)])
        assert system.find("/jobs") is first


# --- attempts ---------------------------------------------------------------------


async def test_retries_wait_out_their_backoff(autojump_clock: MockClock) -> None:
    """Attempt n waits longer; `started` is the first one, `elapsed` spans all."""
    async with open_system("alpha") as system:
        stage = Stage()
        policy = Policy(retries=3, backoff=Backoff(initial=1.0, factor=3.0, jitter=0.0), breaker=None)
        [outcome] = await system.run_jobs([Job(stage.fails(3), name="x", policy=policy)])
        assert [at for at, _ in stage.starts] == [0.0, 1.0, 4.0, 13.0]
        assert (outcome.ok, outcome.value, outcome.attempts) == (True, 4, 4)
        assert (outcome.started, outcome.elapsed) == (0.0, 13.0)


async def test_a_wait_holds_no_slot_and_goes_first_when_it_is_over(autojump_clock: MockClock) -> None:
    """Others run meanwhile; those not yet started come after it."""
    async with open_system("alpha") as system:
        stage = Stage()
        flaky = Job(stage.fails(1, 1.0), name="x", policy=steady(1, 0.5))
        await system.run_jobs([flaky, *(Job(stage.work, key, 1.0) for key in "abc")], limit=1)
        assert stage.starts == [(0.0, 1), (1.0, "a"), (2.0, 2), (3.0, "b"), (4.0, "c")]


async def test_retries_are_for_the_named(autojump_clock: MockClock) -> None:
    """An adhoc job is attempted once."""
    async with open_system("alpha") as system:
        stage = Stage()
        outcomes = await system.run_jobs([Job(stage.fails(9), policy=steady(5))])
        assert (ends(outcomes), outcomes[0].attempts, len(stage.starts)) == (["ERROR"], 1, 1)


@pytest.mark.row(24)
@pytest.mark.parametrize(
    ("error", "policy", "attempts", "kind"),
    [
        (Boom, steady(2), 3, "ERROR"),
        (PermanentFailure, steady(2), 1, "PERMANENT"),
        (RateLimited, steady(2), 1, "RATE_LIMIT"),
        (lambda: RateLimited(retry_after=0.0), steady(2), 3, "RATE_LIMIT"),
        (Boom, steady(2, classify=lambda error: FailureKind.PERMANENT), 1, "PERMANENT"),
        (Boom, steady(0), 1, "ERROR"),
    ],
)
async def test_what_is_tried_again(
    autojump_clock: MockClock, error: Any, policy: Policy, attempts: int, kind: str
) -> None:
    """No more than the retries; nothing permanent; a rate limit only when it says when."""
    async with open_system("alpha") as system:
        stage = Stage()
        outcomes = await system.run_jobs([Job(stage.fails(9, 0.0, error), name="x", policy=policy)])
        assert (ends(outcomes), outcomes[0].attempts) == ([kind], attempts)


@pytest.mark.row(24)
@pytest.mark.parametrize(("retry", "attempts"), [(True, 3), (False, 1)])
async def test_a_timeout_is_tried_again_if_the_policy_says_so(
    autojump_clock: MockClock, retry: bool, attempts: int
) -> None:
    async with open_system("alpha") as system:
        stage = Stage()
        policy = steady(2, retry_on_timeout=retry)
        outcomes = await system.run_jobs([Job(stage.work, 0, 9.0, name="x", policy=policy, timeout=1.0)])
        assert (ends(outcomes), outcomes[0].attempts, stage.now) == (["TIMEOUT"], attempts, float(attempts))


async def test_a_rate_limit_is_waited_out(autojump_clock: MockClock) -> None:
    """At least for what it says, when the backoff is shorter."""
    async with open_system("alpha") as system:
        stage = Stage()
        limited = stage.fails(1, 0.0, lambda: RateLimited(retry_after=7.0))
        outcomes = await system.run_jobs([Job(limited, name="x", policy=steady(1, 2.0))])
        assert (ends(outcomes), stage.now) == (["ok"], 7.0)


@pytest.mark.row(21)
async def test_a_timeout_replaces_that_of_the_policy(autojump_clock: MockClock) -> None:
    """Timeout 1 ends at 1, progress or not."""

    async def chatter(ctx: actors.Context) -> None:
        for _ in range(100):
            await trio.sleep(0.1)
            ctx.progress()

    async with open_system("alpha") as system:
        policy = Policy(timeout=Timeout("progressive", 0.5, 60.0, no_activity=0.2))
        [outcome] = await system.run_jobs([Job(chatter, timeout=1, policy=policy)])
        assert (outcome.failure, outcome.elapsed, outcome.extended) == (FailureKind.TIMEOUT, 1.0, False)
        assert isinstance(outcome.error, actors.TimedOut)


async def test_a_grown_limit_is_told(autojump_clock: MockClock) -> None:
    """In the outcome of the job whose limit grew."""

    async def work(ctx: actors.Context, seconds: int) -> None:
        for _ in range(seconds):
            await trio.sleep(1)
            ctx.progress()

    async with open_system("alpha") as system:
        policy = Policy(timeout=Timeout("progressive", 10.0, 60.0))
        outcomes = await system.run_jobs([Job(work, 5, policy=policy), Job(work, 20, policy=policy)])
        assert [(outcome.ok, outcome.extended) for outcome in outcomes] == [(True, False), (True, True)]


async def test_no_supervisor_restarts_a_job(autojump_clock: MockClock) -> None:
    """Whatever its policy says; and a job that fails a hundred times harms nobody else."""
    async with open_system("alpha") as system:
        stage = Stage()
        policy = Policy(restart="permanent", breaker=None)
        jobs = [Job(stage.work, i, 0.0, Boom(), name="x", policy=policy) for i in range(100)]
        outcomes = await system.run_jobs([*jobs, Job(stage.work, "last", name="y", policy=policy)], limit=100)
        assert ends(outcomes) == ["ERROR"] * 100 + ["ok"]
        assert stage.order.count("last") == 1


@pytest.mark.parametrize("strategy", [actors.OneForAll(), actors.RestForOne()], ids=repr)
async def test_a_group_that_restarts_leaves_the_jobs_alone(
    autojump_clock: MockClock, strategy: actors.OneForAll
) -> None:
    """They are nobody's siblings."""

    async def crashes(ctx: actors.Context) -> None:
        async for _ in ctx.inbox:
            raise Boom

    async with open_system("alpha", strategy=strategy) as system:
        stage = Stage()
        ref = await system.start(crashes, name="a")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(system.run_jobs, [Job(stage.work, 0, 5.0)])
            await trio.sleep(1)
            ref.tell("crash")
            await trio.sleep(1)
            assert ref.statistics().restarts == 1
        assert stage.ends == [(5.0, 0)]


# --- fallback ---------------------------------------------------------------------


@pytest.mark.row(36)
async def test_a_fallback_follows_the_last_attempt(autojump_clock: MockClock) -> None:
    """Once, adhoc, with the job's arguments; the attempts are the job's own."""
    paths: list[str] = []

    async def plan_b(ctx: actors.Context, text: str) -> str:
        paths.append(ctx.ref.path)
        await trio.sleep(1)
        return text.upper()

    async def plan_a(ctx: actors.Context, text: str) -> str:
        raise Boom(text)

    async with open_system("alpha") as system:
        job = Job(plan_a, "it", name="x", policy=steady(2, 1.0), fallback=plan_b)
        [outcome] = await system.run_jobs([job])
        assert (outcome.ok, outcome.value, outcome.fallback, outcome.attempts) == (True, "IT", True, 3)
        assert (outcome.failure, outcome.error, outcome.elapsed) == (None, None, 3.0)
        assert [path[:7] for path in paths] == ["/jobs/~"]


@pytest.mark.row(36)
async def test_a_fallback_that_fails_is_the_outcome(autojump_clock: MockClock) -> None:
    """Its error, its exit; it is not tried again."""

    async def plan_b(ctx: actors.Context) -> None:
        raise PermanentFailure("b")

    async with open_system("alpha") as system:
        stage = Stage()
        job = Job(stage.fails(9), name="x", policy=steady(1), fallback=plan_b)
        [outcome] = await system.run_jobs([job])
        assert (outcome.failure, str(outcome.error), outcome.fallback) == (FailureKind.PERMANENT, "b", True)
        assert (outcome.attempts, len(stage.starts)) == (2, 2)


async def test_an_adhoc_job_may_have_a_fallback(autojump_clock: MockClock) -> None:
    """It is not used when the job went well."""
    async with open_system("alpha") as system:
        stage = Stage()
        fine = functools.partial(stage.work, "b", 0.0)
        failing = functools.partial(stage.work, "a", 0.0, Boom())
        outcomes = await system.run_jobs([Job(failing, fallback=fine), Job(fine, fallback=failing)])
        assert [(one.value, one.fallback) for one in outcomes] == [("b", True), ("b", False)]


async def test_a_fallback_needs_a_slot(autojump_clock: MockClock) -> None:
    """And goes before those that have not started."""
    async with open_system("alpha") as system:
        stage = Stage()
        first = Job(
            functools.partial(stage.work, "a", 1.0, Boom()), fallback=functools.partial(stage.work, "b")
        )
        await system.run_jobs([first, Job(stage.work, "c")], limit=1)
        assert (stage.peak, stage.starts) == (1, [(0.0, "a"), (1.0, "b"), (2.0, "c")])


# --- ordered ends -----------------------------------------------------------------


async def test_a_job_that_somebody_stops_has_not_succeeded(autojump_clock: MockClock) -> None:
    """It is not tried again, and has no fallback: somebody wanted its end."""
    async with open_system("alpha") as system:
        stage = Stage()
        job = Job(stage.work, 0, 9.0, name="x", policy=steady(3), fallback=stage.work)

        async def stop() -> None:
            await trio.sleep(1)
            ref = system.find("/jobs/x")
            assert ref is not None
            ref.kill()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(stop)
            [outcome] = await system.run_jobs([job])
        assert (outcome.ok, outcome.failure, outcome.attempts) == (False, FailureKind.ERROR, 1)
        assert isinstance(outcome.error, actors.ActorStopped)
        assert outcome.exit is not None
        assert outcome.exit.kind is ExitKind.KILLED


async def test_when_jobs_is_stopped_the_batch_ends_with_what_it_has(autojump_clock: MockClock) -> None:
    """What had ended keeps its outcome; the rest says that it was stopped, without waiting for anything."""
    async with open_system("alpha") as system:
        stage = Stage()
        jobs = [
            Job(stage.work, "fine", 1.0),
            Job(stage.fails(9), name="x", policy=steady(9, 1000.0)),
            Job(stage.work, "long", 9.0),
            Job(stage.work, "never", 1.0, name="x"),
            Job(stage.work, "after", after=["x"], label="after"),
        ]
        jobs[4] = Job(stage.work, "after", after=[jobs[1]])

        async def stop() -> None:
            await trio.sleep(2)
            ref = system.find("/jobs")
            assert ref is not None
            ref.kill()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(stop)
            outcomes = await system.run_jobs(jobs)
        assert stage.now == 2.0
        assert ends(outcomes) == ["ok", *["ERROR"] * 4]
        assert [outcome.attempts for outcome in outcomes] == [1, 1, 1, 0, 0]
        assert all(isinstance(outcome.error, actors.ActorStopped) for outcome in outcomes[1:])
        assert values(await system.run_jobs([Job(stage.work, "again")])) == ["again"]


async def test_a_batch_of_an_actor_ends_with_its_system(autojump_clock: MockClock) -> None:
    """Nothing waits for a retry that cannot come."""
    seen: list[Outcome] = []

    async def asker(ctx: actors.Context, stage: Stage) -> None:
        job = Job(stage.fails(9), name="x", policy=steady(9, 1000.0))
        with trio.CancelScope(shield=True):
            seen.extend(await ctx.system.run_jobs([job]))

    async with open_system("alpha") as system:
        stage = Stage()
        system.spawn(asker, stage, name="asker", policy=Policy(shutdown=50))
        await trio.sleep(1)
    assert stage.now == 1.0
    assert isinstance(seen[0].error, actors.SystemClosed)


async def test_a_closed_system_runs_no_jobs(autojump_clock: MockClock) -> None:
    async with open_system("alpha") as system:
        pass
    with pytest.raises(actors.SystemClosed):
        await system.run_jobs([])


async def test_while_jobs_is_stopping_no_batch_begins(autojump_clock: MockClock) -> None:
    """It has not been stopped for nothing."""

    async def stubborn(ctx: actors.Context) -> None:
        with trio.CancelScope(shield=True):
            await trio.sleep(3)

    async with open_system("alpha") as system, trio.open_nursery() as nursery:
        nursery.start_soon(system.run_jobs, [Job(stubborn)])
        await trio.sleep(1)
        ref = system.find("/jobs")
        assert ref is not None
        ref.stop()
        with pytest.raises(actors.ActorStopped):
            await system.run_jobs([Job(stubborn)])


# --- cancellation -----------------------------------------------------------------


@pytest.mark.row(6)
async def test_cancellation_passes_and_leaves_no_child(autojump_clock: MockClock) -> None:
    """All children are gone before it leaves; it is one plain Cancelled."""
    async with open_system("alpha") as system:
        stage = Stage()

        class Slow(actors.Actor):
            async def on_stop(self, exit: actors.Exit) -> None:
                await trio.sleep(2)
                stage.ends.append((stage.now, exit.kind))

        with trio.move_on_after(1) as scope:
            try:
                await system.run_jobs([Job(Slow), Job(stage.work, 0, 9.0), Job(stage.work, 1, 9.0, name="x")])
            except BaseException as error:
                assert type(error) is trio.Cancelled  # noqa: PT017
                jobs = system.find("/jobs")
                assert jobs is not None
                assert system.children(jobs) == ()
                raise
        assert scope.cancelled_caught
        assert stage.ends[-1] == (3.0, ExitKind.KILLED)
        assert sorted(stage.ends[:2], key=str) == [(1.0, 0), (1.0, 1)]


@pytest.mark.row(6)
async def test_an_exception_beside_the_batch_ends_it(autojump_clock: MockClock) -> None:
    """As any cancellation does."""
    async with open_system("alpha") as system:
        stage = Stage()
        with pytest.RaisesGroup(Boom):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(system.run_jobs, [Job(stage.work, 0, 9.0)])
                await trio.sleep(1)
                raise Boom
        assert stage.ends == [(1.0, 0)]


# --- progress ---------------------------------------------------------------------


async def test_progress_is_told_in_the_order_of_ending(autojump_clock: MockClock) -> None:
    """In the task of the call, once a job."""
    async with open_system("alpha") as system:
        stage = Stage()
        told: list[Any] = []
        here = trio.lowlevel.current_task()

        def on_progress(done: int, total: int, outcome: Outcome) -> None:
            assert trio.lowlevel.current_task() is here
            told.append((done, total, outcome.label, outcome.ok, stage.now))

        jobs = [
            Job(stage.work, 0, 3.0),
            Job(stage.work, 1, 1.0, Boom()),
            Job(stage.work, 2, 2.0, label="two"),
        ]
        await system.run_jobs(jobs, on_progress=on_progress)
        assert told == [(1, 3, 1, False, 1.0), (2, 3, "two", True, 2.0), (3, 3, 0, True, 3.0)]


@pytest.mark.row(41)
async def test_a_raising_callback_changes_nothing(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Each time it is called again, and logged."""

    def on_progress(done: int, total: int, outcome: Outcome) -> None:
        raise Boom(f"progress {done}")

    async with open_system("alpha") as system:
        stage = Stage()
        with caplog.at_level(logging.ERROR, "actors.jobs"):
            outcomes = await system.run_jobs([Job(stage.work, i) for i in range(3)], on_progress=on_progress)
        assert values(outcomes) == [0, 1, 2]
        assert [record.exc_info and str(record.exc_info[1]) for record in caplog.records] == [
            "progress 1",
            "progress 2",
            "progress 3",
        ]


async def test_ctrl_c_in_a_callback_is_not_swallowed(autojump_clock: MockClock) -> None:
    """It leaves as it is, and nothing runs any more."""

    def on_progress(done: int, total: int, outcome: Outcome) -> None:
        raise KeyboardInterrupt

    async with open_system("alpha") as system:
        stage = Stage()
        with pytest.raises(KeyboardInterrupt):
            await system.run_jobs([Job(stage.work, i, 1.0 + i) for i in range(3)], on_progress=on_progress)
        assert (stage.running, stage.now) == (0, 1.0)


# --- what ended earlier -----------------------------------------------------------


async def test_a_job_with_an_outcome_is_not_run(autojump_clock: MockClock) -> None:
    """It stands at its place, is told first, and others may come after it."""
    async with open_system("alpha") as system:
        stage = Stage()
        told: list[Any] = []
        former = Outcome(ok=True, value="old")
        done = Job(stage.work, 1, label="done", outcome=former)

        async def look(ctx: actors.Context) -> Any:
            return ctx.dependencies["done"].value

        outcomes = await system.run_jobs(
            [Job(look, after=[done]), done], on_progress=lambda n, of, one: told.append((n, one.label))
        )
        assert values(outcomes) == ["old", "old"]
        assert (told, stage.starts, outcomes[1]) == ([(1, "done"), (2, 0)], [], former)


# --- bad input --------------------------------------------------------------------


@pytest.mark.row(2)
@pytest.mark.parametrize("limit", [0, -1, True, 1.5, "3", None, float("nan")])
async def test_a_limit_that_is_none_is_refused(autojump_clock: MockClock, limit: Any) -> None:
    """At once, also for an empty list."""
    async with open_system("alpha") as system:
        for jobs in ([], [Job(Counter, 1)]):
            with (
                trio.fail_after(1),
                pytest.raises(ValueError, match="limit must be a whole number of 1 or more"),
            ):
                await system.run_jobs(jobs, limit=limit)


async def plain(ctx: actors.Context) -> None: ...


def entries() -> Iterator[tuple[Any, str]]:
    yield [Job(plain), plain], r"jobs\[1\] is <function plain .*not a Job: write Job\(plain, \.\.\.\)"
    yield [None], r"jobs\[0\] is None, not a Job"
    yield Job(plain), r"jobs must be a list of jobs.*write run_jobs\(\[Job"
    yield 3, "jobs must be a list of jobs, not 3"


@pytest.mark.parametrize(("jobs", "text"), list(entries()))
async def test_what_is_no_job_is_refused(autojump_clock: MockClock, jobs: Any, text: str) -> None:
    """With its place, and the cure."""
    async with open_system("alpha") as system:
        with pytest.raises(TypeError, match=text):
            await system.run_jobs(jobs)


async def test_a_call_is_no_job(autojump_clock: MockClock) -> None:
    """Nothing is started, and the coroutine is closed."""
    async with open_system("alpha") as system:
        with pytest.raises(
            TypeError, match=r"jobs\[0\] is the call plain\(\.\.\.\).*write Job\(plain, \.\.\.\)"
        ):
            await system.run_jobs([plain(None)])  # type: ignore[arg-type,list-item]


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"stagger": -1}, ValueError, "stagger must be 0 or more seconds"),
        ({"stagger": float("inf")}, ValueError, "stagger must be finite"),
        ({"stagger": None}, ValueError, "stagger must be a number of seconds"),
        ({"deadline": float("nan")}, ValueError, "deadline must be 0 or more seconds"),
        ({"on_progress": 3}, TypeError, "on_progress must be callable"),
        ({"on_progress": plain}, TypeError, "on_progress must be a plain function"),
    ],
)
async def test_options_that_cannot_be(
    autojump_clock: MockClock, options: dict[str, Any], error: type[Exception], text: str
) -> None:
    """Refused before anything starts."""
    async with open_system("alpha") as system:
        with pytest.raises(error, match=text):
            await system.run_jobs([Job(plain)], **options)
        assert system.tree().children in ((), system.tree().children[:1])


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda: Job(print), TypeError, "print is not an async function"),
        (lambda: Job(plain, 1), TypeError, "plain cannot be started with these arguments"),
        (lambda: Job(plain, fallback=3), TypeError, "3 cannot be an actor"),
        (lambda: Job(Counter, 1, fallback=plain), TypeError, "plain cannot be started"),
        (lambda: Job(plain, name="a b"), actors.InvalidName, "'a b' is not a valid name"),
        (lambda: Job(plain, policy="patient"), TypeError, "policy must be of type Policy, not 'patient'"),  # type: ignore[arg-type]
        (lambda: Job(plain, outcome=3), TypeError, "outcome must be of type Outcome"),  # type: ignore[arg-type]
        (lambda: Job(plain, timeout=0), ValueError, "timeout must be more than 0 seconds"),
        (lambda: Job(plain, timeout="1"), ValueError, "timeout must be a number of seconds"),  # type: ignore[arg-type]
        (lambda: Job(plain, label=3), TypeError, "label must be a str, not 3"),  # type: ignore[arg-type]
        (lambda: Job(plain, label=" "), ValueError, "label must be one line"),
        (lambda: Job(plain, label="a\nb"), ValueError, "label must be one line"),
        (
            lambda: Job(plain, after="a"),
            TypeError,
            r"after must be a list of jobs, not 'a': write after=\['a'\]",
        ),
        (lambda: Job(plain, after=3), TypeError, "after must be a list of jobs"),  # type: ignore[arg-type]
        (lambda: Job(plain, after=[3]), TypeError, r"after\[0\] must be a Job, or a label or name, not 3"),  # type: ignore[list-item]
    ],
)
def test_a_job_that_cannot_work_is_refused(make: Any, error: type[Exception], text: str) -> None:
    """When it is written."""
    with pytest.raises(error, match=text):
        make()


def test_a_job_is_frozen_and_compared_by_identity() -> None:
    """Two that say the same are two."""
    job = Job(plain, name="x")
    assert job != Job(plain, name="x")
    assert len({job, Job(plain, name="x")}) == 2
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        job.name = "y"  # type: ignore[misc]


@pytest.mark.parametrize("name", ["jobs", "system"])
async def test_the_names_of_the_framework_are_its_own(autojump_clock: MockClock, name: str) -> None:
    """Below the root; elsewhere they are free."""

    class Crew(actors.Supervisor):
        async def on_start(self) -> None:
            self.spawn(plain, name=name)

    async with open_system("alpha") as system:
        with pytest.raises(actors.NameReserved, match=f"/{name} is the framework's own: choose another name"):
            system.spawn(plain, name=name)
        with pytest.raises(actors.NameReserved):
            await system.start(plain, name=name)
        async with system.subscribe(Spawned) as events:
            await system.start(Crew, name="crew")
            paths = [(await anext(events)).ref.path for _ in range(2)]  # type: ignore[attr-defined]
        assert paths == ["/crew", f"/crew/{name}"]


async def test_jobs_is_idle_between_batches(autojump_clock: MockClock) -> None:
    """It has nothing to do and nothing to fail with."""
    async with open_system("alpha") as system:
        await system.run_jobs([Job(plain)])
        ref = system.find("/jobs")
        assert ref is not None
        assert (ref.state, ref.statistics().restarts) == (ActorState.IDLE, 0)


@pytest.mark.row(21)
async def test_a_timeout_bounds_a_class_too(autojump_clock: MockClock) -> None:
    """Idle, at work, or hanging in its start: the whole run, not one handling."""

    class Idle(actors.Actor):
        @actors.receive
        def take(self, message: str) -> None: ...

    class Hangs(actors.Actor):
        async def on_start(self) -> None:
            await trio.sleep_forever()

    async with actors.open_system("alpha") as system:
        outcomes = await system.run_jobs([actors.Job(Idle, timeout=5), actors.Job(Hangs, timeout=7)])
        assert [(outcome.failure, outcome.elapsed) for outcome in outcomes] == [
            (actors.FailureKind.TIMEOUT, 5.0),
            (actors.FailureKind.TIMEOUT, 7.0),
        ]
        assert system.statistics().alarms == 0


async def test_whoever_ends_at_its_limit_has_ended(autojump_clock: MockClock) -> None:
    """Whatever the order in which trio runs what is due at one moment."""

    async def nap(ctx: actors.Context) -> str:
        await trio.sleep(10.0)
        return "rested"

    async with actors.open_system("alpha") as system:
        outcomes = await system.run_jobs([actors.Job(nap, timeout=10.0)] * 40, limit=40)
        assert [outcome.value for outcome in outcomes] == ["rested"] * 40
