"""The stall machine against its numbers, and against a model that looks at every moment of the grid."""

from __future__ import annotations

import math
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors import Stall
from actors.monitor.stall import StallWatch, Verdict

HORIZON = 120.0
Facts = list[tuple[float, str, float, int]]


@attrs.frozen
class Life:
    """When it wrote how many bytes, and when its clock of silence stood still."""

    output: list[tuple[float, int]] = attrs.field(factory=list[tuple[float, int]])
    holds: list[tuple[float, float]] = attrs.field(factory=list[tuple[float, float]])
    start: float = 0.0

    def activity(self, now: float) -> float | None:
        return max((at for at, _ in self.output if at <= now), default=None)

    def written(self, now: float) -> int:
        return sum(size for at, size in self.output if at <= now)

    def quiet_since(self, now: float) -> float | None:
        if any(begin <= now < end for begin, end in self.holds):
            return None
        since = self.activity(now)
        since = self.start if since is None else since
        return since + sum(end - max(begin, since) for begin, end in self.holds if since < end <= now)

    def seen(self, now: float) -> tuple[float | None, float | None, int]:
        return self.activity(now), self.quiet_since(now), self.written(now)


def watched(policy: Stall, life: Life, also: tuple[float, ...] = (), horizon: float = HORIZON) -> Facts:
    """What is found by looking when something is due, whenever a wait begins or ends, and `also`."""
    watch = StallWatch(policy)
    watch.begin(life.start)
    found: Facts = []
    turns = sorted({edge for hold in life.holds for edge in hold})
    extra = sorted(also)
    now = life.start
    alarm = watch.due(now, *life.seen(now))
    while True:
        turn = turns[0] if turns else math.inf
        other = extra[0] if extra else math.inf
        now = min(alarm, turn, other)
        if now > horizon:
            return found
        if now == turn:
            turns.pop(0)
        if now == other:
            extra.pop(0)
        if now in (alarm, other):
            step = watch.look(now, *life.seen(now))
            if step is not None:
                found.append((now, str(step.verdict.value), step.idle, step.checks))
                if step.verdict is Verdict.CONFIRMED and policy.terminate:
                    return found
        due = watch.due(now, *life.seen(now))
        alarm = due if now == alarm else min(alarm, due)


def naive(policy: Stall, life: Life, horizon: float = HORIZON) -> Facts:
    """The same by a look at each moment of the grid with plain counters."""
    found: Facts = []
    checks, confirmed, heard = 0, False, None
    count = 1
    while (now := life.start + count * policy.check_interval) <= horizon:
        count += 1
        activity, quiet, written = life.seen(now)
        if activity != heard:
            heard, checks, confirmed = activity, 0, False
        if quiet is None or now - quiet <= policy.threshold or written < policy.min_output:
            checks = 0
            continue
        if confirmed:
            continue
        checks += 1
        confirmed = checks == policy.confirmations
        found.append((now, "confirmed" if confirmed else "suspected", now - quiet, checks))
        if confirmed and policy.terminate:
            return found
    return found


POLICIES = st.builds(
    Stall,
    threshold=st.sampled_from([0.25, 1.0, 2.0, 5.0, 7.5, 20.0]),
    check_interval=st.sampled_from([0.25, 1.0, 2.5, 5.0, 30.0]),
    min_output=st.sampled_from([0, 10, 100]),
    confirmations=st.integers(1, 4),
    terminate=st.booleans(),
)
QUARTERS = st.integers(0, 400).map(lambda quarters: quarters / 4)


@st.composite
def lives(draw: Any) -> Life:
    start = draw(st.sampled_from([0.0, 1.0, 3.75]))
    output = draw(st.lists(st.tuples(QUARTERS, st.sampled_from([0, 1, 50, 100])), max_size=8))
    edges = sorted(set(draw(st.lists(QUARTERS, max_size=6))))
    edges = [edge + 0.125 for edge in edges if edge >= start]  # beside the grid: there are no ties then
    holds = list(zip(edges[::2], edges[1::2], strict=False))
    # waiting gives no signs of life: those in a wait belong to nobody
    free = [(at, size) for at, size in output if at >= start and not any(b <= at <= e for b, e in holds)]
    return Life(sorted(free), holds, start)


# --- the numbers ------------------------------------------------------------------------


@pytest.mark.row(13)
def test_the_numbers_of_the_checklist() -> None:
    """5 s and 120 s, last output at 0: suspected at 125, confirmed at 130."""
    life = Life([(0.0, 100)])
    assert watched(Stall(), life, horizon=1000.0) == [
        (125.0, "suspected", 125.0, 1),
        (130.0, "confirmed", 130.0, 2),
    ]


@pytest.mark.row(13)
def test_idle_must_be_longer_than_the_threshold() -> None:
    """At 120 seconds to the moment nothing is found."""
    watch = StallWatch(Stall())
    watch.begin(0.0)
    assert watch.look(120.0, 0.0, 0.0, 100) is None
    assert watch.due(0.0, 0.0, 0.0, 100) == 125.0


@pytest.mark.row(13)
def test_growth_resets_the_count() -> None:
    """Suspected at 125, a byte at 127: all begins again."""
    life = Life([(0.0, 100), (127.0, 1)])
    assert watched(Stall(), life, horizon=1000.0) == [
        (125.0, "suspected", 125.0, 1),
        (250.0, "suspected", 123.0, 1),
        (255.0, "confirmed", 128.0, 2),
    ]


def test_too_little_output_is_no_stall() -> None:
    """99 bytes of 100: it may be at its start. With the hundredth it counts."""
    assert watched(Stall(), Life([(0.0, 99)]), horizon=10_000.0) == []
    found = watched(Stall(), Life([(0.0, 99), (500.0, 1)]), horizon=10_000.0)
    assert [(at, what) for at, what, _, _ in found] == [(625.0, "suspected"), (630.0, "confirmed")]


@pytest.mark.parametrize("threshold", [math.inf, 1e300])
def test_without_a_threshold_nothing_is_ever_due(threshold: float) -> None:
    """For those who want patterns alone: no silence is too long."""
    watch = StallWatch(Stall(threshold=threshold, min_output=0))
    watch.begin(0.0)
    assert watch.due(0.0, 0.0, 0.0, 100) > 1e299
    assert watch.look(1e6, 0.0, 0.0, 100) is None


@pytest.mark.row(14)
def test_with_no_minimum_the_mute_are_caught() -> None:
    """Silence from the start."""
    found = watched(Stall(min_output=0), Life(), horizon=1000.0)
    assert [(at, what) for at, what, _, _ in found] == [(125.0, "suspected"), (130.0, "confirmed")]


def test_without_termination_it_is_confirmed_once_until_growth() -> None:
    """And then again."""
    life = Life([(0.0, 100), (400.0, 1)])
    found = watched(Stall(terminate=False), life, horizon=2000.0)
    assert [(at, what) for at, what, _, _ in found] == [
        (125.0, "suspected"),
        (130.0, "confirmed"),
        (525.0, "suspected"),
        (530.0, "confirmed"),
    ]


def test_in_a_wait_nothing_is_found() -> None:
    """And behind it silence goes on from where it stood."""
    life = Life([(0.0, 100)], holds=[(100.0, 1000.0)])
    found = watched(Stall(), life, horizon=2000.0)
    assert [(at, what) for at, what, _, _ in found] == [(1025.0, "suspected"), (1030.0, "confirmed")]


def test_one_confirmation_confirms_at_once() -> None:
    """Nobody is suspected then."""
    found = watched(Stall(confirmations=1), Life([(0.0, 100)]), horizon=1000.0)
    assert found == [(125.0, "confirmed", 125.0, 1)]


def test_a_look_between_two_moments_of_the_grid_counts_for_nothing() -> None:
    """However often somebody else wants one."""
    life = Life([(0.0, 100)])
    also = tuple(121.0 + count / 4 for count in range(100))
    assert watched(Stall(), life, also, horizon=1000.0) == naive(Stall(), life, horizon=1000.0)


def test_a_late_look_counts_once() -> None:
    """When the loop was blocked for three moments, they were no three looks."""
    watch = StallWatch(Stall())
    watch.begin(0.0)
    step = watch.look(141.0, 0.0, 0.0, 100)
    assert step is not None
    assert (step.verdict, step.checks) == (Verdict.SUSPECTED, 1)
    assert watch.due(141.0, 0.0, 0.0, 100) == 145.0


def test_a_new_run_begins_with_nothing() -> None:
    """On its own grid."""
    watch = StallWatch(Stall())
    watch.begin(0.0)
    watch.look(125.0, 0.0, 0.0, 100)
    watch.begin(126.0)
    assert watch.checks == 0
    assert watch.look(130.0, 0.0, 0.0, 100) is None
    assert watch.due(126.0, None, 126.0, 0) == 251.0


# --- the model --------------------------------------------------------------------------


@given(policy=POLICIES, life=lives(), also=st.lists(QUARTERS, max_size=6))
def test_looking_only_when_due_finds_what_looking_always_finds(
    policy: Stall, life: Life, also: list[float]
) -> None:
    """At the same moments, whoever else asks for looks."""
    after = tuple(at for at in also if at > life.start)
    assert watched(policy, life, after) == naive(policy, life)


@given(policy=POLICIES, life=lives(), start=st.floats(0.0, 1e6), now=st.floats(0.0, 1e6))
def test_the_next_look_is_on_the_grid_and_later(policy: Stall, life: Life, start: float, now: float) -> None:
    """For any start and moment, rounding or not."""
    watch = StallWatch(policy)
    watch.begin(start)
    due = watch.due(max(start, now), None, start, policy.min_output)
    assert due > max(start, now)
    count = round((due - start) / policy.check_interval)
    assert start + count * policy.check_interval == due
