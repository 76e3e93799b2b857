"""How the count of a side is found."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.harness.calibrate import STEP, calibrate


@given(
    unit=st.floats(1e-9, 0.1),
    overhead=st.floats(0, 0.1),
    start=st.integers(1, 100),
    seconds=st.floats(0.01, 1),
)
def test_it_takes_long_enough_and_not_much_longer(
    unit: float, overhead: float, start: int, seconds: float
) -> None:
    tries: list[int] = []

    def took(count: int) -> float:
        tries.append(count)
        return overhead + count * unit

    count = calibrate(took, start, None, seconds)
    assert took(count) >= seconds
    assert math.log2(count / start) % 1 == 0
    assert count == start or took(count // 4) < seconds + overhead
    assert all(later <= STEP * earlier for earlier, later in itertools.pairwise(tries))


@given(start=st.integers(1, 1000), most=st.integers(1, 1000))
def test_most_ends_it(start: int, most: int) -> None:
    assert calibrate(lambda count: 1e-6 * count, start, most, 1.0) == most


def test_a_first_try_may_suffice() -> None:
    assert calibrate(lambda count: 2.0, 7, None, 1.0) == 7


def test_a_clock_that_shows_nothing_is_tried_again() -> None:
    assert calibrate(lambda count: 0.0 if count < 1000 else 1.0, 1, None, 0.5) == STEP**3


def test_what_the_side_raises_passes() -> None:
    def fails(count: int) -> float:
        raise LookupError

    with pytest.raises(LookupError):
        calibrate(fails, 1, None, 1.0)
