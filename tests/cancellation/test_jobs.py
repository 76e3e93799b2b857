"""A batch of jobs that is cancelled, or whose `/jobs` is killed, at every step."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from random import Random

import pytest
import trio

import actors
from actors import Backoff, Breaker, CircuitState, Job, Policy, System
from tests.cancellation.harness import Act, At, Lives, Player, cut, sweep

SEEDS = [0, 1]
FLAKY = Policy(retries=1, backoff=Backoff.fixed(1.0), breaker=None)
GUARDED = Policy(retries=1, backoff=Backoff.fixed(1.0), breaker=Breaker(failures=1, reset_after=2.0))


class Worker(Player):
    """Does one thing and stops."""

    async def on_start(self) -> None:
        await super().on_start()
        self.ctx.ref.tell(Act(0.5, then="stop"))


async def fails(ctx: actors.Context, lives: Lives, *more: str) -> None:
    await trio.sleep(0.5)
    raise ValueError("job")


def batch(lives: Lives) -> list[Job]:
    """Slots, names, retries, a fallback, a breaker and its probe, dependencies."""
    return [
        Job(Worker, lives, "x"),
        Job(fails, lives, name="a", policy=FLAKY, fallback=Worker, label="first"),
        Job(Worker, lives, name="a", policy=FLAKY),
        Job(fails, lives, name="b", policy=GUARDED),
        Job(Worker, lives, after=["first"]),
    ]


async def run(system: System, lives: Lives, deadline: float | None = None) -> list[actors.Outcome]:
    return await system.run_jobs(batch(lives), limit=2, stagger=0.25, deadline=deadline)


async def in_the_body(lives: Lives) -> None:
    """The whole system is cancelled with it."""
    async with actors.open_system("s", random=Random(0)) as system:
        await run(system, lives)


async def in_an_actor(lives: Lives) -> None:
    """An actor runs the batch."""

    async def asker(ctx: actors.Context) -> None:
        await run(ctx.system, lives)

    async with actors.open_system("s", random=Random(0)) as system:
        await system.spawn(asker).wait_stopped()


@pytest.mark.row(6)
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("scenario", [in_the_body, in_an_actor], ids=lambda one: one.__name__)
def test_a_system_with_jobs_that_is_cancelled_anywhere_leaves_nothing(
    scenario: Callable[[Lives], Awaitable[None]], seed: int
) -> None:
    """Every life ends once, with its `on_stop`."""

    async def cancelled(lives: Lives, step: int) -> At:
        with cut(step) as (at, _):
            await scenario(lives)
        return at

    assert sweep(cancelled, seed) > 50


@pytest.mark.row(6)
@pytest.mark.parametrize("seed", SEEDS)
def test_a_batch_that_is_cancelled_anywhere_leaves_a_sound_system(seed: int) -> None:
    """No child, no name is left; the next batch runs as if nothing had been."""

    async def scenario(lives: Lives, step: int) -> At:
        async with actors.open_system("s", random=Random(0)) as system:
            with cut(step) as (at, scope):
                await run(system, lives)
            assert scope.cancelled_caught is not at.too_late or not scope.cancel_called
            jobs = system.find("/jobs")
            assert jobs is None or system.children(jobs) == ()
            assert len(system._names_at_work) == 0
            await trio.sleep(5)
            outcomes = await run(system, lives)
            assert [outcome.ok for outcome in outcomes] == [True, True, True, False, True]
            assert system.breaker("/jobs/b").state is CircuitState.OPEN
        return at

    assert sweep(scenario, seed) > 50


@pytest.mark.parametrize("seed", SEEDS)
def test_a_deadline_anywhere_gives_every_outcome(seed: int) -> None:
    """Whatever had not ended says so; nothing is left running."""

    async def scenario(lives: Lives, step: int) -> At:
        async with actors.open_system("s", random=Random(0)) as system:
            outcomes = await run(system, lives, step / 16)
            assert len(outcomes) == 5
            late = [outcome for outcome in outcomes if outcome.failure is actors.FailureKind.DEADLINE]
            jobs = system.find("/jobs")
            assert jobs is not None
            assert system.children(jobs) == ()
            at = At(1, lambda: None)
            at.count = len(late)  # the sweep is over when the deadline comes too late
        return at

    assert sweep(scenario, seed) > 20


@pytest.mark.parametrize("order", ["stop", "kill"])
def test_when_jobs_is_ended_anywhere_the_batch_returns(order: str) -> None:
    """With an outcome for each; it never hangs."""

    async def scenario(lives: Lives, step: int) -> At:
        async with actors.open_system("s", random=Random(0)) as system:

            def end() -> None:
                jobs = system.find("/jobs")
                if jobs is not None:
                    getattr(jobs, order)()

            with At(step, end) as at:
                try:
                    assert len(await run(system, lives)) == 5
                except actors.ActorStopped:
                    assert not lives.all
            assert len(system._names_at_work) == 0
        return at

    assert sweep(scenario, 0) > 50
