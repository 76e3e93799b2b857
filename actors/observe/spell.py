"""The watchdog's decisions: from samples of what the event loop does to reports. Pure.

A sample is the key of the step that is being run, or None when the loop waits. A step that
is seen again is the same one, and the loop has stood still in between.
"""

from __future__ import annotations

import enum
from collections.abc import Hashable

import attrs

from actors.limits import Watchdog

__all__ = ["Report", "ReportKind", "Spell"]


class ReportKind(enum.Enum):
    """What there is to be told."""

    WARN = "warn"
    """it has stood still for the first limit"""
    DUMP = "dump"
    """and for the second"""
    OVER = "over"
    """it goes on, after a warning"""


@attrs.frozen
class Report:
    """Something to be told, after `seconds` of standing still; the last sample's distance is not counted."""

    kind: ReportKind
    seconds: float


@attrs.define
class Spell:
    """How long the loop has been seen in one and the same step."""

    policy: Watchdog
    _key: Hashable = None
    _since: float = 0.0
    _told: int = 0

    def sample(self, now: float, key: Hashable) -> list[Report]:
        """What a sample at `now` gives to tell."""
        if key is None or key != self._key:
            over = [Report(ReportKind.OVER, now - self._since)] if self._told else []
            self._key, self._since, self._told = key, now, 0
            return over
        seconds, reports = now - self._since, list[Report]()
        steps = ((ReportKind.WARN, self.policy.warn), (ReportKind.DUMP, self.policy.dump))
        for kind, limit in steps[self._told :]:
            if seconds >= limit:
                self._told += 1
                reports.append(Report(kind, seconds))
        return reports
