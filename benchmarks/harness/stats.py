"""Medians with their spread, and pyperf's test of whether two samples differ."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

import attrs
from pyperf import _utils as pyperf_utils  # pyperf offers its test on the command line only

__all__ = ["Estimate", "differ", "estimate", "median_abs_dev"]

CONFIDENCE = 0.95


@attrs.frozen
class Estimate:
    """A median, and the interval that it is taken to be in."""

    median: float
    low: float
    high: float

    @property
    def spread(self) -> float:
        """The width of the interval as a share of the median."""
        return (self.high - self.low) / abs(self.median) if self.median else math.inf


def estimate(values: Sequence[float]) -> Estimate:
    """The median and its 95 % interval between two of the values; with few values from lowest to highest.

    The interval supposes no distribution: the median lies outside of the values from the
    k-th to the k-th last as often as a coin shows one of its sides fewer than k times.
    """
    ordered = sorted(values)
    skip = _skipped(len(ordered))
    return Estimate(statistics.median(ordered), ordered[skip], ordered[-1 - skip])


def _skipped(count: int) -> int:
    """How many values at each end are outside of the interval."""
    skip, outside = 0, 2 * 0.5**count
    while skip + 1 <= (count - 1) // 2:
        outside += 2 * math.comb(count, skip + 1) * 0.5**count
        if outside > 1 - CONFIDENCE:
            break
        skip += 1
    return skip


def median_abs_dev(values: Sequence[float]) -> float:
    """The median of the distances to the median."""
    middle = statistics.median(values)
    return statistics.median(abs(value - middle) for value in values)


def differ(old: Sequence[float], new: Sequence[float]) -> bool:
    """Student's two-sample test at 95 %, as `pyperf compare_to` does it, for samples of any two sizes."""
    freedom = len(old) + len(new) - 2
    if min(len(old), len(new)) < 2:
        return False  # one value has no spread: nothing can be said
    apart = abs(statistics.mean(old) - statistics.mean(new))
    pooled: float = pyperf_utils.pooled_sample_variance(old, new)
    error = math.sqrt(pooled * (1 / len(old) + 1 / len(new)))
    critical: float = pyperf_utils.tdist95conf_level(freedom)
    return apart > 0 and apart >= critical * error
