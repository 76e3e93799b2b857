"""How often which values came: counts in fixed buckets, so that a million of them need no more room than one.

Pure, and plain: who counts keeps a `Histogram` and asks for its `snapshot()`.
"""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Iterable

import attrs

__all__ = ["PEOPLE", "SECONDS", "Histogram", "HistogramSnapshot"]

SECONDS = (
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5,
    1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0,
)  # fmt: skip
"""Bounds for what machines take, from a millisecond to an hour."""
PEOPLE = (
    0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0,
    1800.0, 3600.0, 14_400.0, 86_400.0,
)  # fmt: skip
"""Bounds for what people take, from a tenth of a second to a day."""


@attrs.frozen(kw_only=True)
class HistogramSnapshot:
    """A histogram as it was at one moment."""

    count: int
    """Values so far."""
    total: float
    """Their sum."""
    buckets: tuple[tuple[float, int], ...]
    """Cumulative: (bound, how many values were not above it), the last bound infinite."""

    def quantile(self, q: float) -> float | None:
        """The value that a share of `q`, from 0 to 1, did not exceed; None without any. Estimated.

        Taken as evenly spread inside its bucket; above the last finite bound, that bound. Raises
        ValueError for another `q`.
        """
        if not 0.0 <= q <= 1.0:
            raise ValueError(f"a quantile is from 0 to 1, as in quantile(0.95), not {q!r}")
        if not self.count:
            return None
        rank = q * self.count
        at = next(at for at, (_, count) in enumerate(self.buckets) if count and count >= rank)
        bound, count = self.buckets[at]
        lower, below = self.buckets[at - 1] if at else (0.0, 0)
        return lower if math.isinf(bound) else lower + (bound - lower) * (rank - below) / (count - below)


class Histogram:
    """Counts of values in buckets with these upper bounds, and one more above the last.

    Raises ValueError for bounds that do not rise, are none, or are not finite and above 0.
    """

    __slots__ = ("_bounds", "_counts", "_total")

    def __init__(self, bounds: Iterable[float] = SECONDS) -> None:
        self._bounds = tuple(bounds)
        rising = all(low < high for low, high in itertools.pairwise((0.0, *self._bounds)))
        if not (self._bounds and rising and math.isfinite(self._bounds[-1])):
            raise ValueError(
                f"bounds rise, are finite and above 0, as in (0.1, 1.0, 10.0), not {self._bounds!r}"
            )
        self._counts = [0] * (len(self._bounds) + 1)
        self._total = 0.0

    def __repr__(self) -> str:
        return f"<Histogram of {self.count} values>"

    def observe(self, value: float) -> None:
        """Count a value. One below 0 counts as 0, as a clock may give it; NaN raises ValueError."""
        if math.isnan(value):
            raise ValueError("NaN cannot be counted: it stands in no bucket")
        value = max(0.0, value)
        self._counts[bisect.bisect_left(self._bounds, value)] += 1
        self._total += value

    @property
    def count(self) -> int:
        """Values so far."""
        return sum(self._counts)

    @property
    def total(self) -> float:
        """Their sum."""
        return self._total

    @property
    def buckets(self) -> tuple[tuple[float, int], ...]:
        """See `HistogramSnapshot.buckets`."""
        return tuple(zip((*self._bounds, math.inf), itertools.accumulate(self._counts), strict=True))

    def quantile(self, q: float) -> float | None:
        """See `HistogramSnapshot.quantile`."""
        return self.snapshot().quantile(q)

    def snapshot(self) -> HistogramSnapshot:
        """As it is now, frozen."""
        buckets = self.buckets
        return HistogramSnapshot(count=buckets[-1][1], total=self._total, buckets=buckets)
