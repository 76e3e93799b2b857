"""Named jobs and their breaker: asked before each attempt, one run is the probe, and no fallback heals it."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

import actors
from actors import Breaker, CircuitOpen, CircuitState, FailureKind, Job, PermanentFailure, Policy, open_system
from actors.events import BreakerClosed, BreakerHalfOpen, BreakerOpened, Spawned
from tests.jobs.cast import Boom, Stage, ends, guarded, steady


async def opened(system: actors.System, policy: Policy) -> None:
    """Fail `/jobs/x` until its breaker opens."""
    assert policy.breaker is not None
    stage = Stage()
    for _ in range(policy.breaker.failures):
        await system.run_jobs([Job(stage.work, 0, 0.0, Boom("first"), name="x", policy=policy)])
    assert system.breaker("/jobs/x").state is CircuitState.OPEN


@pytest.mark.row(27)
async def test_an_open_breaker_refuses_without_starting(autojump_clock: MockClock) -> None:
    """The error tells the failures and the seconds left; nothing was spawned."""
    async with open_system("alpha") as system:
        await opened(system, guarded(2))
        await trio.sleep(20)
        stage = Stage()
        async with system.subscribe(Spawned) as events:
            [outcome] = await system.run_jobs([Job(stage.work, 0, name="x", policy=guarded(2))])
            system.spawn(stage.work, 1, name="next")
            assert (await anext(events)).ref.path == "/next"  # type: ignore[attr-defined]
        assert (outcome.ok, outcome.failure, outcome.attempts) == (False, FailureKind.CIRCUIT_OPEN, 0)
        assert (outcome.started, outcome.elapsed, outcome.exit) == (None, 0.0, None)
        assert isinstance(outcome.error, CircuitOpen)
        error = outcome.error
        assert (error.path, error.failures, error.retry_after) == ("/jobs/x", 2, 40.0)


async def test_a_refused_job_takes_no_time_of_others(autojump_clock: MockClock) -> None:
    """No slot, and no stagger."""
    async with open_system("alpha") as system:
        await opened(system, guarded())
        stage = Stage()
        refused = [Job(stage.work, i, name="x", policy=guarded()) for i in range(3)]
        outcomes = await system.run_jobs(
            [*refused, Job(stage.work, "a"), *refused, Job(stage.work, "b")], limit=1, stagger=2.0
        )
        assert stage.starts == [(0.0, "a"), (2.0, "b")]
        assert ends(outcomes) == [*["CIRCUIT_OPEN"] * 3, "ok", *["CIRCUIT_OPEN"] * 3, "ok"]


async def test_the_breaker_is_asked_before_each_attempt(autojump_clock: MockClock) -> None:
    """A job whose own failures open it does not wait to be refused: it has failed, and says of what."""
    async with open_system("alpha") as system:
        stage = Stage()
        job = Job(stage.fails(9), name="x", policy=guarded(2, retries=5, seconds=1.0))
        [outcome] = await system.run_jobs([job])
        assert (outcome.failure, outcome.attempts, outcome.elapsed) == (FailureKind.ERROR, 2, 1.0)
        assert [at for at, _ in stage.starts] == [0.0, 1.0]
        assert outcome.exit is not None
        assert isinstance(outcome.exit.error, Boom)
        assert outcome.error is outcome.exit.error
        [refused] = await system.run_jobs([job])
        assert (refused.failure, refused.attempts) == (FailureKind.CIRCUIT_OPEN, 0)


async def test_a_retry_may_be_the_probe(autojump_clock: MockClock) -> None:
    """When the breaker is due by the end of its wait."""
    async with open_system("alpha") as system:
        stage = Stage()
        job = Job(stage.fails(1), name="x", policy=guarded(1, reset_after=5.0, retries=1, seconds=5.0))
        [outcome] = await system.run_jobs([job])
        assert (outcome.ok, outcome.attempts) == (True, 2)
        assert system.breaker("/jobs/x").state is CircuitState.CLOSED


@pytest.mark.row(28)
async def test_one_run_is_the_probe(autojump_clock: MockClock) -> None:
    """However long it takes, and whatever messages it handles; the next job waits for how it ends."""

    async def talks(ctx: actors.Context) -> None:
        ref = ctx.ref
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ref.send, "hello")
            assert await anext(ctx.inbox) == "hello"
            nursery.start_soon(ref.send, "bye")
            await anext(ctx.inbox)
        assert ctx.system.breaker("/jobs/x").state is CircuitState.HALF_OPEN
        await trio.sleep(100)

    async with open_system("alpha") as system:
        policy = guarded(reset_after=60.0)
        await opened(system, policy)
        await trio.sleep(60)
        stage = Stage()
        jobs = [Job(talks, name="x", policy=policy), Job(stage.work, 0, name="x", policy=policy)]
        assert ends(await system.run_jobs(jobs)) == ["ok", "ok"]
        assert stage.starts == [(100.0, 0)]


@pytest.mark.row(29)
async def test_the_end_of_the_probe_decides(autojump_clock: MockClock) -> None:
    """A failure opens again for the whole time; a success closes and forgets; each is told."""
    async with (
        open_system("alpha") as system,
        system.subscribe(BreakerOpened, BreakerHalfOpen, BreakerClosed) as events,
    ):
        policy = guarded(2, reset_after=60.0)
        stage = Stage()
        await opened(system, policy)
        await trio.sleep(60)
        failing = Job(stage.work, 0, 1.0, Boom(), name="x", policy=policy)
        fine = Job(stage.work, 1, 1.0, name="x", policy=policy)
        assert ends(await system.run_jobs([failing, fine])) == ["ERROR", "CIRCUIT_OPEN"]
        assert system.breaker("/jobs/x").retry_after == 60.0
        await trio.sleep(60)
        assert ends(await system.run_jobs([fine, failing, fine])) == ["ok", "ERROR", "ok"]
        assert system.breaker("/jobs/x").state is CircuitState.CLOSED
        kinds = [type(await anext(events)).__name__ for _ in range(5)]
        assert kinds == [
            "BreakerOpened",
            "BreakerHalfOpen",
            "BreakerOpened",
            "BreakerHalfOpen",
            "BreakerClosed",
        ]


@pytest.mark.row(29)
async def test_a_cancelled_probe_gives_the_permit_back(autojump_clock: MockClock) -> None:
    """The next run is the probe."""
    async with open_system("alpha") as system:
        policy = guarded(reset_after=60.0)
        stage = Stage()
        await opened(system, policy)
        await trio.sleep(60)
        job = Job(stage.work, 0, 9.0, name="x", policy=policy)
        with trio.move_on_after(1):
            await system.run_jobs([job])
        assert system.breaker("/jobs/x").state is CircuitState.HALF_OPEN
        assert ends(await system.run_jobs([job], deadline=1)) == ["DEADLINE"]
        assert system.breaker("/jobs/x").state is CircuitState.HALF_OPEN
        assert ends(await system.run_jobs([job])) == ["ok"]
        assert system.breaker("/jobs/x").state is CircuitState.CLOSED


@pytest.mark.row(36)
async def test_a_fallback_for_a_refused_job_heals_nothing(autojump_clock: MockClock) -> None:
    """It is marked, no attempt is counted, and the breaker is as it was, success or not."""
    async with open_system("alpha") as system:
        await opened(system, guarded())
        stage = Stage()
        before = system.breaker("/jobs/x")

        async def fails(ctx: actors.Context, *args: object) -> None:
            raise Boom("b")

        jobs = [
            Job(stage.work, "a", 1.0, name="x", policy=guarded(), fallback=fallback)
            for fallback in (stage.work, fails)
        ]
        fine, failed = await system.run_jobs(jobs)
        assert (fine.ok, fine.value, fine.fallback, fine.attempts) == (True, "a", True, 0)
        assert (fine.elapsed, fine.started) == (1.0, stage.began)
        assert (failed.failure, str(failed.error), failed.fallback) == (FailureKind.ERROR, "b", True)
        after = system.breaker("/jobs/x")
        assert (after.state, after.failures, after.velocity) == (
            before.state,
            before.failures,
            before.velocity,
        )


@pytest.mark.row(36)
async def test_a_fallback_for_an_attempt_that_was_refused(autojump_clock: MockClock) -> None:
    """The attempts before it are counted."""
    async with open_system("alpha") as system:
        stage = Stage()

        async def plan_b(ctx: actors.Context) -> str:
            return "b"

        job = Job(stage.fails(9), name="x", policy=guarded(1, retries=3), fallback=plan_b)
        [outcome] = await system.run_jobs([job])
        assert (outcome.value, outcome.attempts, outcome.fallback) == ("b", 1, True)


@pytest.mark.row(26)
async def test_adhoc_jobs_are_exempt(autojump_clock: MockClock) -> None:
    """A thousand that fail: each is attempted, and no breaker has heard of them."""
    async with open_system("alpha") as system:
        stage = Stage()
        jobs = [Job(stage.work, i, 0.1, Boom(), policy=guarded()) for i in range(1000)]
        outcomes = await system.run_jobs(jobs, limit=100)
        assert ends(outcomes) == ["ERROR"] * 1000
        assert sum(outcome.attempts for outcome in outcomes) == len(stage.starts) == 1000
        assert list(system.breakers()) == ["/jobs"]


async def test_without_a_breaker_nothing_is_refused(autojump_clock: MockClock) -> None:
    """Each name has its own, where it has one."""
    async with open_system("alpha") as system:
        await opened(system, guarded())
        stage = Stage()
        free = Job(stage.work, 0, name="x", policy=steady(0))
        other = Job(stage.work, 1, name="y", policy=guarded())
        assert ends(await system.run_jobs([free, other])) == ["ok", "ok"]


async def test_two_permanent_failures_open_it_at_once(autojump_clock: MockClock) -> None:
    """As for every named actor, with fast fail."""
    async with open_system("alpha") as system:
        stage = Stage()
        policy = steady(0, breaker=Breaker(failures=9, fast_fail=True))
        jobs = [Job(stage.work, i, 1.0, PermanentFailure(), name="x", policy=policy) for i in range(3)]
        assert ends(await system.run_jobs(jobs)) == ["PERMANENT", "PERMANENT", "CIRCUIT_OPEN"]


async def test_a_reset_by_hand_lets_the_next_one_pass(autojump_clock: MockClock) -> None:
    """Also while the probe runs."""
    async with open_system("alpha") as system:
        policy = guarded()
        await opened(system, policy)
        system.reset_breaker("/jobs/x")
        stage = Stage()
        job = Job(stage.work, 0, 1.0, name="x", policy=policy)
        assert ends(await system.run_jobs([job])) == ["ok"]
        await opened(system, policy)
        await trio.sleep(60)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(system.run_jobs, [job])
            await trio.sleep(0.5)
            system.reset_breaker("/jobs/x")
        assert system.breaker("/jobs/x").state is CircuitState.CLOSED
