"""When a measured value asks for a spawn, and what is measured (contract §7)."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

import actors
from actors.spawning.limits import SpawnLimits
from actors.spawning.triggers import SuccessRate, performance_fires, workload_fires


def test_the_triggers_are_the_four_of_the_contract() -> None:
    assert list(actors.SpawnTrigger) == [
        "performance_threshold",
        "workload_spike",
        "specialization_needed",
        "manual",
    ]


@pytest.mark.row(59)
@given(st.floats(0, 1))
def test_performance_fires_strictly_below_its_threshold(threshold: float) -> None:
    limits = SpawnLimits(performance_threshold=threshold, auto=True)
    assert not performance_fires(threshold, limits)
    assert not performance_fires(math.nextafter(threshold, 2), limits)
    if threshold > 0:
        assert performance_fires(math.nextafter(threshold, 0), limits)


@pytest.mark.row(59)
@given(st.integers(1, 10_000))
def test_workload_fires_strictly_above_its_threshold(threshold: int) -> None:
    limits = SpawnLimits(workload_threshold=threshold, auto=True)
    assert not workload_fires(threshold, limits)
    assert not workload_fires(threshold - 1, limits)
    assert workload_fires(threshold + 1, limits)


@pytest.mark.row(59)
@given(st.floats(0, allow_infinity=True))
def test_without_auto_nothing_fires(value: float) -> None:
    limits = SpawnLimits(auto=False)
    assert not performance_fires(value, limits)
    assert not workload_fires(value, limits)


@pytest.mark.parametrize("auto", [True, False])
@pytest.mark.parametrize("value", [math.nan, -1, -1e-9, -math.inf])
def test_what_cannot_have_been_measured_is_refused(value: float, auto: bool) -> None:
    limits = SpawnLimits(auto=auto)
    with pytest.raises(ValueError, match="performance"):
        performance_fires(value, limits)
    with pytest.raises(ValueError, match="workload"):
        workload_fires(value, limits)


# --- the success rate -----------------------------------------------------------------


def test_a_rate_is_unknown_until_enough_outcomes_are_seen() -> None:
    rate = SuccessRate()
    assert rate.value is None
    for _ in range(9):
        rate.add(1, 0)
    assert rate.value is None
    rate.add(1, 1)
    assert rate.value == 0.9


@given(
    st.lists(st.booleans(), max_size=80),
    st.integers(1, 30).flatmap(lambda window: st.tuples(st.just(window), st.integers(1, window))),
)
def test_a_rate_counts_the_last_outcomes_and_no_others(outcomes: list[bool], sizes: tuple[int, int]) -> None:
    window, least = sizes
    rate = SuccessRate(window, least)
    for index, good in enumerate(outcomes, start=1):
        rate.add(1, 0 if good else 1)
        seen = outcomes[max(0, index - window) : index]
        assert rate.value == (sum(seen) / len(seen) if len(seen) >= least else None)


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=30), st.integers(1, 30))
def test_a_batch_leaves_the_window_in_proportion(batches: list[tuple[int, int]], window: int) -> None:
    """Compared with exact fractions over the outcomes one by one, each as good as its batch."""
    rate = SuccessRate(window, 1)
    each: list[Fraction] = []
    for handled, failed in batches:
        rate.add(handled, failed)
        many = max(handled, failed)
        each += [Fraction(many - failed, many)] * many if many else []
        seen = each[-window:]
        if not seen:
            assert rate.value is None
        else:
            assert rate.value == pytest.approx(float(sum(seen) / len(seen)), abs=1e-12)
            assert 0.0 <= (rate.value or 0.0) <= 1.0


def test_failures_that_were_never_handled_count_as_outcomes() -> None:
    """A start that failed handled no message, and is no success."""
    rate = SuccessRate(window=4, least=4)
    rate.add(0, 2)
    rate.add(2, 0)
    assert rate.value == 0.5


def test_a_cleared_rate_is_unknown_again() -> None:
    rate = SuccessRate(window=2, least=1)
    rate.add(2, 2)
    assert rate.value == 0.0
    rate.clear()
    assert rate.value is None


@pytest.mark.parametrize(("handled", "failed"), [(-1, 0), (0, -1)])
def test_a_negative_number_of_outcomes_is_refused(handled: int, failed: int) -> None:
    rate = SuccessRate(window=2, least=1)
    with pytest.raises(ValueError, match="0 or more"):
        rate.add(handled, failed)
    assert rate.value is None


@pytest.mark.parametrize(("window", "least"), [(0, 1), (5, 0), (5, 6), (2.5, 1)])
def test_a_window_that_could_never_be_filled_is_refused(window: int, least: int) -> None:
    with pytest.raises(ValueError, match=r"window|least"):
        SuccessRate(window, least)
