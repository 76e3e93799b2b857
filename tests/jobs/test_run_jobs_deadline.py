"""The deadline of a batch: what had ended keeps its outcome, the rest is cancelled and says so."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock

import actors
from actors import CircuitState, DeadlineExceeded, ExitKind, FailureKind, Job, Outcome, open_system
from actors.jobs import longest
from actors.process import Command
from tests.jobs.cast import Boom, Stage, ends, guarded, steady, values


@pytest.mark.row(38)
async def test_expiry_gives_partial_results_in_order(autojump_clock: MockClock) -> None:
    """Done, failed, running, resting, and never started."""
    async with open_system("alpha") as system:
        stage = Stage()
        jobs = [
            Job(stage.work, "long", 9.0, label="long"),
            Job(stage.work, "done", 1.0),
            Job(stage.work, "bad", 1.0, Boom()),
            Job(stage.fails(9, 1.0), name="x", policy=steady(9, 5.0)),
            Job(stage.work, "never", 1.0, after=["long"]),
        ]
        outcomes = await system.run_jobs(jobs, limit=3, deadline=4)
        assert ends(outcomes) == ["DEADLINE", "ok", "ERROR", "DEADLINE", "DEADLINE"]
        assert [outcome.attempts for outcome in outcomes] == [1, 1, 1, 1, 0]
        assert [outcome.started for outcome in outcomes] == [0.0, 0.0, 0.0, 1.0, None]
        assert [outcome.elapsed for outcome in outcomes] == [4.0, 1.0, 1.0, 3.0, 0.0]
        assert [outcome.exit and outcome.exit.kind for outcome in outcomes] == [
            ExitKind.KILLED,
            ExitKind.NORMAL,
            ExitKind.FAILED,
            ExitKind.FAILED,
            None,
        ]
        assert (stage.now, stage.running) == (4.0, 0)


@pytest.mark.row(38)
async def test_the_error_says_what_was_not_done(autojump_clock: MockClock) -> None:
    """Whose, after how long, and what would help; it is a `trio.TooSlowError`."""
    async with open_system("alpha") as system:
        stage = Stage()
        first, second = await system.run_jobs(
            [Job(stage.work, 0, 9.0, label="the long one"), Job(stage.work, 1)], limit=1, deadline=2.5
        )
        assert isinstance(first.error, DeadlineExceeded)
        assert isinstance(first.error, trio.TooSlowError)
        assert (first.error.deadline, first.error.job, first.error.attempts) == (2.5, "the long one", 1)
        assert str(first.error).startswith(
            "the long one had not ended when the deadline of the batch passed, 2.5 s"
        )
        assert str(second.error).startswith("jobs[1] had not started")


async def test_children_are_gone_before_it_returns(autojump_clock: MockClock) -> None:
    """Killed, and waited for."""

    class Slow(actors.Actor):
        async def on_stop(self, exit: actors.Exit) -> None:
            await trio.sleep(3)

    async with open_system("alpha") as system:
        outcomes = await system.run_jobs([Job(Slow)], deadline=1)
        assert (ends(outcomes), trio.current_time()) == (["DEADLINE"], 4.0)
        jobs = system.find("/jobs")
        assert jobs is not None
        assert system.children(jobs) == ()


async def test_the_deadline_counts_from_the_call(autojump_clock: MockClock) -> None:
    """Also while it waits for a name that another batch has."""
    async with open_system("alpha") as system, trio.open_nursery() as nursery:
        stage = Stage()
        nursery.start_soon(system.run_jobs, [Job(stage.work, 0, 9.0, name="x")])
        await trio.sleep(1)
        outcomes = await system.run_jobs([Job(stage.work, 1, name="x")], deadline=2)
        assert (ends(outcomes), stage.now, stage.order) == (["DEADLINE"], 3.0, [0])


async def test_no_time_at_all_starts_nothing(autojump_clock: MockClock) -> None:
    """Everything is told to have been too late."""
    async with open_system("alpha") as system:
        stage = Stage()
        told: list[Any] = []
        outcomes = await system.run_jobs(
            [Job(stage.work, i) for i in range(3)],
            deadline=0,
            on_progress=lambda done, total, one: told.append((done, total, one.label, one.failure)),
        )
        assert (ends(outcomes), stage.starts) == (["DEADLINE"] * 3, [])
        assert told == [(i + 1, 3, i, FailureKind.DEADLINE) for i in range(3)]


@pytest.mark.parametrize("deadline", [3.0, None, float("inf")])
async def test_what_ends_in_time_is_not_touched(autojump_clock: MockClock, deadline: float | None) -> None:
    """Also at the very moment of the deadline."""
    async with open_system("alpha") as system:
        stage = Stage()
        outcomes = await system.run_jobs([Job(stage.work, i, 1.0 + i) for i in range(3)], deadline=deadline)
        assert values(outcomes) == [0, 1, 2]


async def test_a_failure_at_the_very_moment_counts(autojump_clock: MockClock) -> None:
    """Unless it was to be tried again."""
    async with open_system("alpha") as system:
        stage = Stage()
        jobs = [
            Job(stage.work, 0, 1.0, Boom()),
            Job(stage.work, 1, 1.0, Boom(), name="x", policy=steady(1)),
            Job(stage.work, 2, 1.0, Boom(), fallback=stage.work),
        ]
        for _ in range(20):  # whatever trio runs first in that moment
            outcomes = await system.run_jobs(jobs, deadline=1)
            assert ends(outcomes) == ["ERROR", "DEADLINE", "DEADLINE"]
            assert [outcome.fallback for outcome in outcomes] == [False] * 3


async def test_no_fallback_runs_after_the_deadline(autojump_clock: MockClock) -> None:
    """One that runs then is cancelled with the rest."""
    async with open_system("alpha") as system:
        stage = Stage()

        async def plan_b(ctx: actors.Context, *args: object) -> None:
            await stage.work(ctx, "b", 9.0)

        jobs = [
            Job(stage.work, "a", 1.0, Boom(), fallback=plan_b),
            Job(stage.work, "c", 9.0, fallback=plan_b),
        ]
        first, second = await system.run_jobs(jobs, deadline=2)
        assert (first.failure, first.fallback, first.attempts) == (FailureKind.DEADLINE, True, 1)
        assert (second.failure, second.fallback, second.attempts) == (FailureKind.DEADLINE, False, 1)
        assert stage.order == ["a", "c", "b"]


async def test_a_cancelled_attempt_is_no_failure(autojump_clock: MockClock) -> None:
    """The breaker does not hear of it."""
    async with open_system("alpha") as system:
        stage = Stage()
        await system.run_jobs([Job(stage.work, 0, 9.0, name="x", policy=guarded())], deadline=1)
        assert system.breaker("/jobs/x").state is CircuitState.CLOSED
        assert system.breaker("/jobs/x").failures == 0


@pytest.mark.row(38)
async def test_a_deadline_of_the_longest_time_is_enough(autojump_clock: MockClock) -> None:
    """With waves, retries, names, a fallback, stagger, and everything as slow as it may be."""
    async with open_system("alpha") as system:
        stage = Stage()

        async def slow(ctx: actors.Context) -> None:
            await stage.work(ctx, 0, 1000.0)

        jobs = [Job(slow, timeout=2.0, name="x", policy=steady(2, 3.0), fallback=slow) for _ in range(2)]
        jobs += [Job(slow, timeout=5.0, label=f"l{i}", after=[jobs[i % 2]]) for i in range(4)]
        jobs += [Job(slow, timeout=1.0, after=["l0", "l3"])]
        limit = longest(jobs, 2, 0.5)
        outcomes: list[Outcome] = await system.run_jobs(jobs, limit=2, stagger=0.5, deadline=limit)
        assert ends(outcomes) == ["TIMEOUT"] * 7
        assert stage.now <= limit < 60


@pytest.mark.row(43)
async def test_a_process_is_ended_with_its_group() -> None:
    """Nothing of it is left when the batch returns."""
    async with open_system("alpha") as system:
        spawns = Command(["sh", "-c", "sleep 100 & sleep 100"])
        outcomes = await system.run_jobs([Job(spawns), Job(spawns, name="x")], deadline=0.2)
        assert ends(outcomes) == ["DEADLINE", "DEADLINE"]
