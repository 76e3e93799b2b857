"""Deadlines: how long a run may take and be silent, for actors and for any trio code."""

from actors.timeouts.guard import DeadlineGuard
from actors.timeouts.history import Durations
from actors.timeouts.scopes import ProgressiveTimeout, progressive_timeout

__all__ = ["DeadlineGuard", "Durations", "ProgressiveTimeout", "progressive_timeout"]
