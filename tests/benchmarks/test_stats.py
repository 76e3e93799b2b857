"""Medians, their intervals, and the test of pyperf."""

from __future__ import annotations

import math
import random
import statistics

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pyperf import _utils as pyperf_utils

from benchmarks.harness.stats import Estimate, differ, estimate, median_abs_dev

VALUES = st.lists(st.floats(0.001, 1000), min_size=1, max_size=40)


@given(VALUES)
def test_the_interval_holds_the_median(values: list[float]) -> None:
    found = estimate(values)
    assert min(values) <= found.low <= found.median <= found.high <= max(values)
    assert found.median == statistics.median(values)


@pytest.mark.parametrize(("count", "skipped"), [(1, 0), (2, 0), (5, 0), (8, 0), (9, 1), (12, 2), (40, 13)])
def test_few_values_are_shown_whole(count: int, skipped: int) -> None:
    """The ranks of the textbook's table for the sign test."""
    found = estimate([float(number) for number in range(count)])
    assert (found.low, found.high) == (skipped, count - 1 - skipped)


def test_the_interval_is_right_as_often_as_it_says() -> None:
    chance = random.Random(1)
    tries = [estimate([chance.lognormvariate(0, 1) for _ in range(15)]) for _ in range(2000)]
    hits = sum(found.low <= 1 <= found.high for found in tries)
    assert hits / len(tries) >= 0.94


def test_the_spread_is_a_share() -> None:
    assert Estimate(2.0, 1.0, 3.0).spread == 1.0
    assert Estimate(0.0, 0.0, 1.0).spread == math.inf


def test_median_abs_dev() -> None:
    assert median_abs_dev([1.0, 1.0, 2.0, 2.0, 4.0, 6.0, 9.0]) == 1.0


@given(st.lists(st.tuples(st.floats(0.5, 100), st.floats(0.5, 100)), min_size=2, max_size=20))
def test_it_is_the_test_of_pyperf(pairs: list[tuple[float, float]]) -> None:
    old, new = map(list, zip(*pairs, strict=True))
    assume(pyperf_utils.pooled_sample_variance(old, new) > 1e-9)
    significant, score = pyperf_utils.is_significant(old, new)
    assume(abs(abs(score) - pyperf_utils.tdist95conf_level(2 * len(old) - 2)) > 1e-9)
    assert differ(old, new) is significant


@given(VALUES, VALUES)
def test_the_order_does_not_matter(old: list[float], new: list[float]) -> None:
    assert differ(old, new) is differ(new, old)


def test_what_has_no_spread() -> None:
    assert differ([1.0, 1.0], [2.0, 2.0, 2.0])
    assert not differ([1.0, 1.0], [1.0, 1.0])
    assert not differ([1.0], [2.0, 2.0])
