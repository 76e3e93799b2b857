"""How long the runs of a path took: what the adaptive mode goes by. Pure."""

from __future__ import annotations

import math
from collections import deque

import attrs

__all__ = ["ENOUGH", "KEPT", "PATHS", "QUANTILE", "Durations"]

KEPT = 10
"""Successful runs remembered of each path."""
ENOUGH = 3
"""Runs from which the quantile is used."""
QUANTILE = 0.9
PATHS = 1000
"""Paths remembered, those that ran last: names may be made up without end."""


@attrs.define
class Durations:
    """The seconds of the last successful runs, by path; of the paths that ran last."""

    _runs: dict[str, deque[float]] = attrs.field(factory=dict[str, deque[float]])

    def add(self, path: str, seconds: float) -> None:
        """A run of this path went well."""
        runs = self._runs.pop(path, None)
        if runs is None:
            runs = deque[float](maxlen=KEPT)
            if len(self._runs) >= PATHS:
                del self._runs[next(iter(self._runs))]
        self._runs[path] = runs  # the last one now
        runs.append(seconds)

    def initial(self, path: str) -> float | None:
        """The 0.9 quantile: the shortest time in which nine tenths of the runs were done. None before 3 runs.

        By nearest rank, so that it is a time that a run did take.
        """
        runs = self._runs.get(path)
        if runs is None or len(runs) < ENOUGH:
            return None
        return sorted(runs)[math.ceil(QUANTILE * len(runs)) - 1]
