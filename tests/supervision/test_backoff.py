"""The delays before a restart: exact without jitter, inside their bounds always."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.policy import Backoff
from actors.supervision.backoff import Retreat, delay, reset_after
from tests.rounds import rounds

seconds = st.floats(0.0, 1e6, allow_nan=False)
DRAWS = st.floats(0.0, 1.0, exclude_max=True)


@st.composite
def backoffs(draw: st.DrawFn) -> Backoff:
    initial, more = draw(seconds), draw(seconds)
    return Backoff(
        initial=initial,
        maximum=initial + more,
        factor=draw(st.floats(1.0, 1e6)),
        jitter=draw(st.floats(0.0, 1.0)),
    )


def test_without_jitter_the_delays_are_exact() -> None:
    """Attempt n waits initial x factor**n seconds until the maximum is reached."""
    policy = Backoff(initial=0.5, maximum=6.0, factor=2.0, jitter=0.0)
    assert [delay(policy, n, 0.9) for n in range(6)] == [0.5, 1.0, 2.0, 4.0, 6.0, 6.0]


def test_a_factor_of_one_waits_the_same_each_time() -> None:
    """With factor 1 every delay is the initial one."""
    policy = Backoff(initial=0.5, maximum=6.0, factor=1.0, jitter=0.0)
    assert {delay(policy, n, 0.5) for n in range(100)} == {0.5}


def test_jitter_spreads_to_both_sides() -> None:
    """The lowest draw gives the delay less the jitter, the highest the delay plus the jitter."""
    policy = Backoff(initial=10.0, maximum=100.0, jitter=0.2)
    assert delay(policy, 0, 0.0) == pytest.approx(8.0)
    assert delay(policy, 0, 0.5) == pytest.approx(10.0)
    assert delay(policy, 0, 1.0 - 1e-12) == pytest.approx(12.0)


def test_jitter_does_not_lift_a_delay_over_the_maximum() -> None:
    """At the cap the spread goes downwards only."""
    policy = Backoff(initial=10.0, maximum=10.0, jitter=0.5)
    assert delay(policy, 3, 0.999) == 10.0
    assert delay(policy, 3, 0.0) == pytest.approx(5.0)


@pytest.mark.row(23)
@settings(derandomize=True, deadline=None, database=None, max_examples=rounds(300, deep=1000))
@given(policy=backoffs(), attempt=st.integers(0, 5000), draw=DRAWS)
def test_a_delay_never_leaves_its_bounds(policy: Backoff, attempt: int, draw: float) -> None:
    """Whatever the policy, the attempt and the draw, a delay is in [0, maximum]."""
    assert 0.0 <= delay(policy, attempt, draw) <= policy.maximum


@settings(derandomize=True, deadline=None, database=None)
@given(policy=backoffs(), attempt=st.integers(0, 20), draw=DRAWS)
def test_a_delay_is_within_its_jitter_of_the_plain_one(policy: Backoff, attempt: int, draw: float) -> None:
    """The spread is at most `jitter` of the delay without jitter."""
    plain = min(policy.maximum, policy.initial * policy.factor**attempt)
    assert delay(policy, attempt, draw) == pytest.approx(plain, rel=policy.jitter + 1e-9, abs=1e-9)


@settings(derandomize=True, deadline=None, database=None)
@given(policy=backoffs(), attempt=st.integers(0, 100))
def test_delays_never_become_shorter(policy: Backoff, attempt: int) -> None:
    """With the same draw a later attempt waits at least as long."""
    assert delay(policy, attempt, 0.5) <= delay(policy, attempt + 1, 0.5)


@pytest.mark.parametrize("attempt", [1023, 1024, 2000, 10**6])
def test_many_attempts_do_not_overflow(attempt: int) -> None:
    """A power beyond the floats is the maximum, not an error."""
    assert delay(Backoff(initial=0.2, maximum=30.0, jitter=0.0), attempt, 0.5) == 30.0


@pytest.mark.parametrize("attempt", [0, 1023, 1024, 5000])
def test_an_initial_delay_of_zero_stays_zero(attempt: int) -> None:
    """Zero times any power of the factor is zero, also beyond the floats."""
    assert delay(Backoff(initial=0.0, maximum=30.0, jitter=0.0), attempt, 0.5) == 0.0


# --- starting over --------------------------------------------------------------------


def test_the_delays_start_over_after_the_mean_of_initial_and_maximum() -> None:
    """Without `reset_after` the delays start over after (initial + maximum) / 2 seconds."""
    assert reset_after(Backoff(initial=1.0, maximum=30.0)) == 15.5


@pytest.mark.parametrize("limit", [0.0, 7.0])
def test_reset_after_replaces_the_mean(limit: float) -> None:
    """`reset_after` is taken as it is, zero included."""
    assert reset_after(Backoff(reset_after=limit)) == limit


def test_each_failure_in_a_row_waits_longer() -> None:
    """A retreat grows with each failure of an incarnation that lived too short."""
    policy = Backoff(initial=1.0, maximum=10.0, jitter=0.0)
    retreat = Retreat()
    assert [retreat.next(policy, 0.0, 0.5) for _ in range(6)] == [1.0, 2.0, 4.0, 8.0, 10.0, 10.0]


def test_a_life_of_exactly_the_reset_time_starts_the_delays_over() -> None:
    """`reset_after` seconds without a failure are enough, any less are not."""
    policy = Backoff(initial=1.0, maximum=10.0, jitter=0.0, reset_after=5.0)
    retreat = Retreat()
    assert [retreat.next(policy, alive, 0.5) for alive in (0.0, 4.999, 5.0, 0.0, 6.0)] == [1, 2, 1, 2, 1]


def test_a_retreat_that_never_resets_keeps_growing_to_the_maximum() -> None:
    """With an infinite `reset_after` no life is long enough."""
    policy = Backoff(initial=1.0, maximum=4.0, jitter=0.0, reset_after=float("inf"))
    retreat = Retreat()
    assert [retreat.next(policy, 1e9, 0.5) for _ in range(4)] == [1.0, 2.0, 4.0, 4.0]
