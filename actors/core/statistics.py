"""Counts and times of one actor."""

from __future__ import annotations

import attrs

__all__ = ["Statistics"]


@attrs.frozen(kw_only=True)
class Statistics:
    """A snapshot; times are seconds."""

    handled: int
    """Messages whose handling ended, in all incarnations, failures included."""
    failed: int
    """Incarnations that ended in a failure."""
    restarts: int
    """Incarnations after the first."""
    depth: dict[str, int]
    """Waiting items by lane: "system" (not counted toward the capacity), "urgent", "normal"."""
    oldest: float | None
    """How long the oldest waiting item has waited, or None."""
    last_activity: float | None
    """When it last took a message, ended one or called `progress()`, on trio's clock; None before that."""
    uptime: float
    """Since it was spawned; stands still once it is gone."""
