"""The stall machine: looks at a run on a grid of moments, and only at those that can find anything. Pure.

`now` and the signs of life are arguments; all moments are seconds on one clock.
"""

from __future__ import annotations

import enum
import math

import attrs

from actors.limits import Stall

__all__ = ["StallStep", "StallWatch", "Verdict"]


class Verdict(enum.Enum):
    """What a look has found."""

    SUSPECTED = "suspected"
    """no sign of life for too long, but not often enough in a row"""
    CONFIRMED = "confirmed"
    """the run is stalled"""


@attrs.frozen
class StallStep:
    """What a look has found: after how many seconds of silence, at how many looks in a row."""

    verdict: Verdict
    idle: float
    checks: int


@attrs.define
class StallWatch:
    """One run against its `Stall`: a look each `check_interval` from its start."""

    policy: Stall
    start: float = 0.0
    checks: int = 0
    _next: float = 0.0
    _heard: float | None = None
    _confirmed: bool = False
    _waits: bool = False

    def begin(self, start: float) -> None:
        """A run begins."""
        self.start = start
        self.checks = 0
        self._next = start + self.policy.check_interval
        self._heard = None
        self._confirmed = self._waits = False

    def look(
        self, now: float, activity: float | None, quiet_since: float | None, written: int
    ) -> StallStep | None:
        """What a look at `now` finds. `quiet_since` is None while the run waits for somebody.

        What counts is how it was at the last moment of the grid, once: a look may be late, and
        others may have asked for one between two moments.
        """
        self._note(activity)
        if now < self._next:
            return None
        step = self.policy.check_interval
        count = self._count(now, now)
        self._next = self.start + count * step
        if quiet_since is None or not self._is_idle(self.start + (count - 1) * step, quiet_since, written):
            self.checks = 0
            return None
        if self._confirmed:
            return None
        self.checks += 1
        self._confirmed = self.checks >= self.policy.confirmations
        verdict = Verdict.CONFIRMED if self._confirmed else Verdict.SUSPECTED
        return StallStep(verdict, now - quiet_since, self.checks)

    def due(self, now: float, activity: float | None, quiet_since: float | None, written: int) -> float:
        """The next look that can find anything, whatever happens until then; infinity while it waits.

        To be asked anew when a wait begins or ends.
        """
        self._note(activity)
        if quiet_since is None:
            self._waits = True
            return math.inf
        if self._waits:  # what passed of the grid meanwhile does not count
            self._waits = False
            self._next = self.start + self._count(now, now) * self.policy.check_interval
        if self._confirmed or written < self.policy.min_output:
            quiet_since = now  # there must be a sign of life first, and now is the earliest moment for it
        least = max(now, math.nextafter(quiet_since + self.policy.threshold, math.inf))
        if least == math.inf:  # a threshold without end: for patterns alone
            return math.inf
        return self.start + self._count(least, now) * self.policy.check_interval

    def _note(self, activity: float | None) -> None:
        if activity != self._heard:  # growth since the last look
            self._heard = activity
            self.checks = 0
            self._confirmed = False

    def _is_idle(self, now: float, quiet_since: float, written: int) -> bool:
        return written >= self.policy.min_output and now - quiet_since > self.policy.threshold

    def _count(self, least: float, now: float) -> int:
        """Which is the first moment of the grid that is not before `least`, and after `now`."""
        step = self.policy.check_interval
        count = max(1, math.ceil((least - self.start) / step))
        while self.start + count * step < least or self.start + count * step <= now:
            count += 1
        return count
