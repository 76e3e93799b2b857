"""How often a side has to do its work so that one measurement takes long enough."""

from __future__ import annotations

import math
from collections.abc import Callable

__all__ = ["calibrate"]

STEP = 16
"""The most that one try multiplies the count by: a first try is slow, and says little."""


def calibrate(measure: Callable[[int], float], start: int, most: int | None, seconds: float) -> int:
    """The count: `start` times a power of two, the first found that takes `seconds`, or `most`.

    `measure` returns the seconds that a count takes.
    """
    count = start if most is None else min(start, most)
    while (took := measure(count)) < seconds and count != most:
        count *= _factor(seconds, took)
        count = count if most is None else min(count, most)
    return count


def _factor(wanted: float, took: float) -> int:
    """A power of two that should suffice."""
    if took * STEP <= wanted:
        return STEP
    return max(2, 2 ** math.ceil(math.log2(wanted / took)))
