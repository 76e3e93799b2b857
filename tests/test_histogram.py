"""Counting values in buckets."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.histogram import PEOPLE, SECONDS, Histogram

values = st.floats(min_value=0.0, max_value=10_000.0)
shares = st.floats(min_value=0.0, max_value=1.0)


def of(*counted: float, bounds: tuple[float, ...] = (1.0, 2.0, 4.0)) -> Histogram:
    histogram = Histogram(bounds)
    for value in counted:
        histogram.observe(value)
    return histogram


def test_a_bucket_holds_what_is_not_above_its_bound() -> None:
    snapshot = of(0.5, 1.0, 1.5, 4.0, 9.0).snapshot()
    assert snapshot.buckets == ((1.0, 2), (2.0, 3), (4.0, 4), (math.inf, 5))
    assert (snapshot.count, snapshot.total) == (5, 16.0)


def test_a_quantile_lies_between_the_bounds_of_its_bucket() -> None:
    histogram = of(*[1.5] * 10, *[3.0] * 10)
    assert histogram.quantile(0.25) == 1.5
    assert histogram.quantile(0.5) == 2.0
    assert histogram.quantile(1.0) == 4.0


def test_what_is_above_all_bounds_is_told_as_the_last_one() -> None:
    assert of(100.0, 200.0).quantile(0.99) == 4.0


def test_without_values_there_is_no_quantile() -> None:
    assert of().quantile(0.5) is None


def test_a_snapshot_stays_as_it_was() -> None:
    histogram = of(1.0)
    snapshot = histogram.snapshot()
    histogram.observe(2.0)
    assert (snapshot.count, histogram.count, histogram.total) == (1, 2, 3.0)
    assert repr(histogram) == "<Histogram of 2 values>"


@given(st.lists(values, min_size=1), shares)
def test_the_estimate_stands_in_the_bucket_of_the_true_quantile(counted: list[float], q: float) -> None:
    histogram = Histogram(SECONDS)
    for value in counted:
        histogram.observe(value)
    true = sorted(counted)[max(0, math.ceil(q * len(counted)) - 1)]
    estimate = histogram.quantile(q)
    assert estimate is not None
    upper = min([bound for bound in SECONDS if bound >= true], default=SECONDS[-1])
    lower = max([bound for bound in SECONDS if bound < true], default=0.0)
    assert lower <= estimate <= upper


@given(st.lists(values), shares, shares)
def test_a_higher_quantile_is_no_smaller(counted: list[float], one: float, other: float) -> None:
    histogram = of(*counted, bounds=PEOPLE)
    low, high = histogram.quantile(min(one, other)), histogram.quantile(max(one, other))
    assert low is high is None or (low is not None and high is not None and low <= high)


def test_a_value_below_zero_counts_as_zero() -> None:
    histogram = of(-1.0)
    assert (histogram.total, histogram.buckets[0]) == (0.0, (1.0, 1))


@pytest.mark.parametrize("bounds", [(), (1.0, 1.0), (2.0, 1.0), (0.0, 1.0), (1.0, math.inf), (math.nan,)])
def test_bad_bounds_are_refused_with_the_cure(bounds: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="bounds rise, are finite and above 0, as in"):
        Histogram(bounds)


@pytest.mark.parametrize("q", [-0.1, 1.1, math.nan, 95])
def test_a_quantile_is_a_share(q: float) -> None:
    with pytest.raises(ValueError, match=r"from 0 to 1, as in quantile\(0.95\)"):
        of(1.0).quantile(q)


def test_nan_is_refused() -> None:
    with pytest.raises(ValueError, match="NaN cannot be counted"):
        of(math.nan)
