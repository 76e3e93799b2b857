"""The figures over many runs, from events made by hand and from a system."""

from __future__ import annotations

import math
from typing import Any, cast

import attrs
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock, wait_all_tasks_blocked

import actors
from actors import Exit, ExitKind, FailureKind, Job, Policy, Stall, events
from actors.monitor import Figures, Latency, Tally
from tests.core.cast import drained


@attrs.frozen
class Who:
    """As much of a ref as a tally reads."""

    path: str


def ref(path: str) -> actors.Ref:
    return cast(actors.Ref, Who(path))


FAILED = Exit(ExitKind.FAILED, error=ValueError("x"))
NORMAL = Exit(ExitKind.NORMAL)


def tallied(*seen: events.Event, under: str = "/") -> Figures:
    tally = Tally(under)
    for event in seen:
        tally.add(event)
    return tally.figures()


def test_nothing_comes_to_nothing() -> None:
    """No division by nothing."""
    figures = tallied()
    assert (figures.runs, figures.latency, figures.parallelism, figures.failure_rate) == (0, None, 0.0, 0.0)


@pytest.mark.row(40)
def test_failures_are_counted_by_kind() -> None:
    """Once each, whatever follows them; ends that are no failures are runs."""
    a, b, c = ref("/a"), ref("/b"), ref("/c")
    limited = Exit(ExitKind.PATTERN, error=actors.PatternFound("x", "x", kind=FailureKind.RATE_LIMIT))
    figures = tallied(
        events.StartAttemptFailed(0.0, c, Exit(ExitKind.START_FAILED, error=ValueError())),
        events.Restarting(0.0, c, 1, 1.0, FAILED),
        events.Started(0.0, a),
        events.Failed(1.0, a, FAILED),
        events.Restarting(1.0, a, 1, 1.0, FAILED),
        events.Restarted(2.0, a, 1),
        events.Failed(3.0, a, limited),
        events.Stopped(4.0, a, limited),
        events.Started(3.0, b),
        events.Stopped(4.0, b, NORMAL),
    )
    assert figures.failures == {
        FailureKind.ERROR: 1,
        FailureKind.RATE_LIMIT: 1,
        FailureKind.START: 1,
    }
    assert figures.runs == 4
    assert figures.failure_rate == 0.75


@pytest.mark.row(40)
def test_parallelism_is_the_sum_of_the_times_over_the_wall() -> None:
    """Those that still run count up to the last event."""
    a, b = ref("/a"), ref("/b")
    seen = (events.Started(10.0, a), events.Started(12.0, b), events.Stopped(20.0, a, NORMAL))
    figures = tallied(*seen)
    assert (figures.worked, figures.wall, figures.parallelism) == (18.0, 10.0, 1.8)
    figures = tallied(*seen, events.Stopped(30.0, b, NORMAL))
    assert (figures.worked, figures.wall, figures.parallelism) == (28.0, 20.0, 1.4)


MATCHED = events.PatternMatched(5.0, ref("/a"), "x", "x")
PATTERN = Exit(ExitKind.PATTERN, error=actors.PatternFound("x", "x"))


@pytest.mark.row(40)
@pytest.mark.parametrize(
    ("detection", "exit"),
    [
        (MATCHED, PATTERN),
        (events.DeadlinePassed(5.0, ref("/a"), 5.0), Exit(ExitKind.TIMED_OUT, error=actors.TimedOut(5.0))),
        (events.Spawned(1.0, ref("/a")), Exit(ExitKind.STALLED, error=actors.Stalled(3.0, since=5.0))),
    ],
)
def test_latency_is_from_the_first_evidence_to_the_end(detection: events.Event, exit: Exit) -> None:
    """Until it has ended something it counts for nothing; a failed start has one, too."""
    a = ref("/a")
    started = events.Started(0.0, a)
    assert tallied(started, detection).latency is None
    later = attrs.evolve(cast(Any, detection), at=5.5)
    for end in (events.Failed(7.0, a, exit), events.StartAttemptFailed(7.0, a, exit)):
        figures = tallied(started, detection, later, end, events.Stopped(9.0, a, exit))
        assert figures.latency == Latency(count=1, p50=2.0, p95=2.0, p99=2.0)


@pytest.mark.row(40)
def test_what_ended_nothing_has_no_latency() -> None:
    """A detection of an earlier run, one that is only told, or another end that was faster."""
    a = ref("/a")
    told = events.StallConfirmed(5.0, a, 3.0)
    assert tallied(events.Started(0.0, a), told, events.Stopped(9.0, a, NORMAL)).latency is None
    assert tallied(events.Started(0.0, a), MATCHED, events.Failed(9.0, a, FAILED)).latency is None
    assert tallied(MATCHED, events.Stopped(6.0, a, NORMAL), events.Failed(9.0, a, PATTERN)).latency is None


@given(st.lists(st.floats(0.0, 100.0), min_size=1, max_size=300))
def test_a_quantile_is_the_least_that_covers_its_share(seconds: list[float]) -> None:
    """One of the latencies, below which there are not enough."""
    found = Latency.of(seconds)
    assert found is not None
    for share, value in ((50, found.p50), (95, found.p95), (99, found.p99)):
        enough = math.ceil(len(seconds) * share / 100)
        assert value in seconds
        assert sum(one <= value for one in seconds) >= enough
        assert sum(one < value for one in seconds) < enough


def test_only_what_is_below_counts() -> None:
    """Not the supervisor itself, nothing beside it, and never the framework's own."""
    paths = ("/jobs", "/jobs/a", "/jobs/a/b", "/jobsx/c", "/system", "/system/monitor", "/d")
    seen = [events.Started(0.0, ref(path)) for path in paths]
    ends = [events.Stopped(1.0, ref(path), NORMAL) for path in paths]
    assert tallied(*seen, *ends).runs == 4
    assert tallied(*seen, *ends, under="/jobs").runs == 2
    assert tallied(events.EventsLost(0.0, 5), events.Spawned(0.0, ref("/d"))).runs == 0
    with pytest.raises(ValueError, match="not a path"):
        Tally("jobs")


def test_it_forgets_who_has_ended() -> None:
    """Its memory does not grow with the runs."""
    tally = Tally()
    for number in range(30_000):
        who = ref(f"/a{number}")
        tally.add(events.Started(0.0, who))
        tally.add(events.PatternMatched(0.0, who, "x", "x"))
        tally.add(events.Failed(1.0, who, PATTERN))
        tally.add(events.Stopped(1.0, who, PATTERN))
    assert not tally._running
    assert not tally._evidence
    assert len(tally._latencies) == 10_000


@pytest.mark.row(40)
async def test_a_batch_of_jobs_is_tallied(autojump_clock: MockClock) -> None:
    """Ten jobs of a second at limit five, two of them bad: the figures of the whole."""

    async def work(ctx: actors.Context, says: bytes) -> None:
        await trio.sleep(1.0)
        ctx.output(says, "stderr")
        await trio.sleep(0.0)

    async with actors.open_system("s") as system, system.subscribe() as seen:
        words = [b"rate limit"] + [b"fine"] * 8 + [b"forbidden"]
        policy = Policy(stall=Stall(), breaker=None)
        await system.run_jobs([Job(work, word, policy=policy) for word in words], limit=5)
        await wait_all_tasks_blocked()
        tally = Tally("/jobs")
        for event in drained(seen):
            tally.add(event)
    figures = tally.figures()
    assert figures.runs == 10
    assert figures.failures == {FailureKind.RATE_LIMIT: 1, FailureKind.PERMANENT: 1}
    assert (figures.worked, figures.wall, figures.parallelism) == (10.0, 2.0, 5.0)
    assert figures.latency == Latency(count=2, p50=0.0, p95=0.0, p99=0.0)


@pytest.mark.row(40)
async def test_the_latency_of_silence_is_counted_from_its_limit(autojump_clock: MockClock) -> None:
    """A limit of silence is exact; a stall has its looks and confirmations: 120 seconds, found at 130."""

    async def agent(ctx: actors.Context) -> None:
        ctx.output(b"x" * 100)
        await trio.sleep_forever()

    async with actors.open_system("s") as system, system.subscribe() as seen:
        for policy in (Policy(stall=Stall()), Policy(timeout=actors.Timeout(no_activity=20.0))):
            await system.spawn(agent, policy=policy).wait_stopped()
        tally = Tally()
        for event in drained(seen):
            tally.add(event)
    figures = tally.figures()
    assert figures.failures == {FailureKind.STALL: 2}
    assert figures.latency == Latency(count=2, p50=0.0, p95=10.0, p99=10.0)
