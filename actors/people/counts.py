"""What a desk counts. Pure."""

from __future__ import annotations

import attrs

from actors.histogram import PEOPLE, Histogram, HistogramSnapshot

__all__ = ["Counts", "DeskStatistics"]


@attrs.frozen(kw_only=True)
class DeskStatistics:
    """Counts since the system was opened, and what is there now; those of this node alone."""

    asked: int
    answered: int
    expired: int
    withdrawn: int
    escalated: int
    late: int
    """Answers to what was over."""
    duplicate: int
    """Answers to what was answered."""
    pending: int
    """Requests that wait for an answer."""
    waiting: int
    """Who waits for one: several may wait for the same."""
    remembered: int
    """Ended requests that are known by their ids."""
    kept: int
    """Answers that are found by their keys."""
    response: HistogramSnapshot
    """Seconds from question to answer."""

    @property
    def timeout_rate(self) -> float:
        """The share of those that time has decided; 0 where none is over."""
        over = self.answered + self.expired
        return self.expired / over if over else 0.0


@attrs.define
class Counts:
    """The counts as they grow."""

    asked: int = 0
    answered: int = 0
    expired: int = 0
    withdrawn: int = 0
    escalated: int = 0
    late: int = 0
    duplicate: int = 0
    response: Histogram = attrs.field(factory=lambda: Histogram(PEOPLE))

    def statistics(self, *, pending: int, waiting: int, remembered: int, kept: int) -> DeskStatistics:
        """As they are now."""
        return DeskStatistics(
            asked=self.asked,
            answered=self.answered,
            expired=self.expired,
            withdrawn=self.withdrawn,
            escalated=self.escalated,
            late=self.late,
            duplicate=self.duplicate,
            pending=pending,
            waiting=waiting,
            remembered=remembered,
            kept=kept,
            response=self.response.snapshot(),
        )
