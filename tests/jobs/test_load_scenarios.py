"""The twelve load scenarios of the reference, with real actors and exact numbers instead of ranges.

Times are fractions that floats hold exactly, and what fails is chosen by index: nothing
depends on chance, on a hash, or on how fast the machine is.
"""

from __future__ import annotations

import sys
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

import actors
from actors import FailureKind, Job, Outcome, Policy, RateLimited, Stalled, Timeout, open_system
from actors.process import Command, ProcessFailed
from tests.jobs.cast import Boom, Stage, ends, values

pytestmark = pytest.mark.row(45)


def greedy(seconds: list[float], limit: int) -> float:
    """When the last one ends, if each starts as soon as one of `limit` hands is free."""
    hands = [0.0] * limit
    for one in seconds:
        first = hands.index(min(hands))
        hands[first] += one
    return max(hands)


async def run(count: int, limit: int, seconds: list[float], **more: Any) -> tuple[list[Outcome], Stage]:
    """So many adhoc jobs; the seconds go round."""
    async with open_system("alpha") as system:
        stage = Stage()
        jobs = [Job(stage.work, index, seconds[index % len(seconds)], **more) for index in range(count)]
        outcomes = await system.run_jobs(jobs, limit=limit)
        assert stage.now == greedy([seconds[index % len(seconds)] for index in range(count)], limit)
        assert stage.order == list(range(count))
        assert [outcome.elapsed for outcome in outcomes] == [seconds[i % len(seconds)] for i in range(count)]
        return outcomes, stage


@pytest.mark.row(1)
async def test_1_high_concurrency(autojump_clock: MockClock) -> None:
    """Twenty, ten at a time: all succeed in less than two seconds (here: 0.875)."""
    outcomes, stage = await run(20, 10, [0.125, 0.25, 0.375, 0.5])
    assert values(outcomes) == list(range(20))
    assert (stage.peak, stage.now) == (10, 0.875)


@pytest.mark.row(4)
async def test_2_mixed(autojump_clock: MockClock) -> None:
    """Ten adhoc and five named ones over three names: values by position, one run of a name at a time."""
    async with open_system("alpha") as system:
        stage = Stage()
        jobs = [Job(stage.work, f"adhoc {index}", 0.125) for index in range(10)]
        jobs += [
            Job(stage.work, f"named {index}", 0.125, name=name)
            for index, name in enumerate(["a", "b", "c", "a", "b"])
        ]
        outcomes = await system.run_jobs(jobs, limit=10)
        expected = [f"adhoc {index}" for index in range(10)] + [f"named {index}" for index in range(5)]
        assert values(outcomes) == stage.order == expected
        assert (stage.peak, stage.now) == (10, 0.375)


@pytest.mark.row(5)
async def test_3_early_failures(autojump_clock: MockClock) -> None:
    """Three of fifteen are rate limited at once: they say so, and cost the others nothing."""
    async with open_system("alpha") as system:
        stage = Stage()
        jobs = [
            Job(stage.work, index, 0.125, RateLimited("rate limit exceeded"))
            if index % 5 == 2
            else Job(stage.work, index, 0.5)
            for index in range(15)
        ]
        outcomes = await system.run_jobs(jobs, limit=10)
        failed = [outcome for outcome in outcomes if not outcome.ok]
        assert [outcome.label for outcome in failed] == [2, 7, 12]
        assert all(outcome.failure is FailureKind.RATE_LIMIT for outcome in failed)
        assert all("rate limit" in str(outcome.error) for outcome in failed)
        assert all(outcome.elapsed == 0.125 for outcome in failed)
        assert (stage.peak, stage.now) == (10, 1.0)


@pytest.mark.row(7)
async def test_4_resource_pressure(autojump_clock: MockClock) -> None:
    """Fifty, five at a time: fifty spawns, and never a sixth at work."""
    outcomes, stage = await run(50, 5, [0.0625, 0.125])
    assert values(outcomes) == list(range(50))
    assert (stage.peak, len(stage.starts), stage.now) == (5, 50, 1.0)


async def test_5_stalls(autojump_clock: MockClock) -> None:
    """Every third says nothing: a quarter of a second of that ends it, with the reason."""
    policy = Policy(timeout=Timeout("fixed", 60.0, no_activity=0.25))

    async def works(ctx: actors.Context, index: int) -> int:
        for _ in range(4):
            await trio.sleep(0.125)
            if index % 3:
                ctx.progress()
        return index

    async with open_system("alpha", policy=policy) as system:
        outcomes = await system.run_jobs([Job(works, index) for index in range(10)], limit=5)
        assert ends(outcomes) == ["STALL" if index % 3 == 0 else "ok" for index in range(10)]
        stalled = [outcome for outcome in outcomes if not outcome.ok]
        assert all(isinstance(outcome.error, Stalled) for outcome in stalled)
        assert all("activity" in str(outcome.error) for outcome in stalled)
        assert [outcome.elapsed for outcome in outcomes] == [0.25 if i % 3 == 0 else 0.5 for i in range(10)]
        assert trio.current_time() == greedy([0.25 if i % 3 == 0 else 0.5 for i in range(10)], 5)


@pytest.mark.row(26)
async def test_6_breaker_exemption(autojump_clock: MockClock) -> None:
    """Twenty adhoc jobs that all fail: each is attempted, none hears of a circuit, no breaker does either."""
    async with open_system("alpha", policy=Policy.preset("default")) as system:
        stage = Stage()
        outcomes = await system.run_jobs([Job(stage.work, i, 0.0625, Boom(f"no {i}")) for i in range(20)])
        assert ends(outcomes) == ["ERROR"] * 20
        assert [str(outcome.error) for outcome in outcomes] == [f"no {index}" for index in range(20)]
        assert (len(stage.starts), stage.now) == (20, 0.125)
        assert not any(path.startswith("/jobs/") for path in system.breakers())


@pytest.mark.row(8)
async def test_7_bulk(autojump_clock: MockClock) -> None:
    """Thirty, ten at a time: the sum of their times is more than eight times what it took."""
    outcomes, stage = await run(30, 10, [0.25, 0.375, 0.5])
    assert all(outcome.ok for outcome in outcomes)
    assert (stage.peak, stage.now) == (10, 1.375)
    assert sum(outcome.elapsed for outcome in outcomes) / stage.now > 8


async def test_8_progressive(autojump_clock: MockClock) -> None:
    """Six of fifteen need longer than their limit and get on: it grows for them, and only for them."""
    timeout = Timeout("progressive", 1.0, 5.0, extend_within=0.5, no_activity=None)
    policy = attrs.evolve(Policy.preset("patient"), timeout=timeout)

    async def works(ctx: actors.Context, quarters: int) -> int:
        for _ in range(quarters):
            await trio.sleep(0.25)
            ctx.progress()
        return quarters

    async with open_system("alpha") as system:
        quarters = [8 if index % 5 in (1, 3) else 2 for index in range(15)]
        jobs = [Job(works, count, policy=policy) for count in quarters]
        outcomes = await system.run_jobs(jobs, limit=5)
        assert values(outcomes) == quarters
        assert [outcome.extended for outcome in outcomes] == [count == 8 for count in quarters]
        assert trio.current_time() == greedy([count / 4 for count in quarters], 5)


@pytest.mark.row(3)
async def test_9_nothing_to_do(autojump_clock: MockClock) -> None:
    """An empty list gives an empty list, in no time."""
    outcomes, stage = await run(0, 10, [1.0])
    assert (outcomes, stage.starts) == ([], [])


@pytest.mark.row(3)
async def test_10_one_agent(autojump_clock: MockClock) -> None:
    """One success, with its exact value."""
    async with open_system("alpha") as system:
        stage = Stage()
        [outcome] = await system.run_jobs([Job(stage.work, "the exact output", 0.125)])
        assert (outcome.ok, outcome.value, outcome.elapsed) == (True, "the exact output", 0.125)


async def test_11_all_fail(autojump_clock: MockClock) -> None:
    """Ten failures, all at once, in the time of one."""
    async with open_system("alpha") as system:
        stage = Stage()
        outcomes = await system.run_jobs([Job(stage.work, i, 0.0625, Boom(i)) for i in range(10)], limit=10)
        assert ends(outcomes) == ["ERROR"] * 10
        assert (stage.peak, stage.now) == (10, 0.0625)


@pytest.mark.row(5)
async def test_12_exceptions(autojump_clock: MockClock) -> None:
    """Two of five raise: their types and texts are kept, and three succeed."""
    async with open_system("alpha") as system:
        stage = Stage()
        errors = {1: ValueError("the first"), 3: KeyError("the second")}
        outcomes = await system.run_jobs(
            [Job(stage.work, i, 0.125, errors.get(i)) for i in range(5)], limit=5
        )
        assert values(outcomes) == [0, None, 2, None, 4]
        assert [outcomes[index].error for index in errors] == list(errors.values())
        assert (stage.peak, stage.now) == (5, 0.125)


# --- and with processes -----------------------------------------------------------


@pytest.mark.row(5)
async def test_3_and_12_with_processes() -> None:
    """Three of fifteen write why and fail; the rest succeed; the order is that of the input."""
    script = "import sys; n = int(sys.argv[1]); sys.exit(f'rate limit for {n}') if n % 5 == 2 else print(n)"
    async with open_system("alpha") as system:
        jobs = [Job(Command([sys.executable, "-c", script, str(index)])) for index in range(15)]
        outcomes = await system.run_jobs(jobs, limit=10)
        for index, outcome in enumerate(outcomes):
            if index % 5 == 2:
                assert isinstance(outcome.error, ProcessFailed)
                assert outcome.error.completed.stderr == f"rate limit for {index}\n".encode()
            else:
                assert outcome.value.stdout == f"{index}\n".encode()
