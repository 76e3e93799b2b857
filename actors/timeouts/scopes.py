"""`progressive_timeout`: the deadline of an actor's run, for any trio code."""

from __future__ import annotations

from types import TracebackType
from typing import Literal, Self

import trio

from actors.core.scope import CURRENT
from actors.errors import Stalled, TimedOut
from actors.limits import Timeout
from actors.timeouts.deadline import Deadline

__all__ = ["ProgressiveTimeout", "progressive_timeout"]


class ProgressiveTimeout:
    """A block with a deadline that progress moves. Made by `progressive_timeout`."""

    __slots__ = ("_activity", "_clock", "_deadline", "_scope", "_silent")

    def __init__(self, timeout: Timeout) -> None:
        self._deadline = Deadline(timeout)
        self._activity: float | None = None
        self._silent = False

    def __enter__(self) -> Self:
        self._clock = trio.lowlevel.current_clock().current_time
        start = self._clock()
        self._deadline.begin(start)
        ends_at, self._silent = self._deadline.end(None, start)
        self._scope = trio.CancelScope(deadline=ends_at)
        self._scope.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        swallowed = self._scope.__exit__(kind, error, traceback)
        if self._scope.cancelled_caught:
            raise self._why() from None
        return swallowed

    def _why(self) -> TimedOut | Stalled:
        quiet_since = self._quiet_since()
        if self._silent:
            return Stalled(self._scope.deadline - quiet_since)
        self._deadline.look(self._scope.deadline, self._activity, None)
        return TimedOut(self._deadline.limit, self._deadline.extensions)

    def _quiet_since(self) -> float:
        return self._deadline.start if self._activity is None else self._activity

    def progress(self) -> None:
        """Give a sign of life. Moves the deadline; inside an actor it is one of the actor's, too."""
        now = self._clock()
        if now < self._scope.deadline:  # else it is over, and the block hears of it at its next checkpoint
            self._advance(now)
            self._activity = now
            ends_at, self._silent = self._deadline.end(now, now)
            self._scope.deadline = ends_at
        cell = CURRENT.get()
        if cell is not None and cell.context is not None:
            cell.context.progress()

    def _advance(self, now: float) -> None:
        """Let the limit grow by what has happened until `now`."""
        self._deadline.look(now, self._activity, None)

    @property
    def limit(self) -> float:
        """Seconds from the start that the block may take as things are."""
        self._advance(self._clock())
        return self._deadline.limit

    @property
    def extensions(self) -> int:
        """How often the limit has grown."""
        self._advance(self._clock())
        return self._deadline.extensions

    @property
    def remaining(self) -> float:
        """Seconds until the block is cancelled if nothing more happens."""
        return max(0.0, self._scope.deadline - self._clock())


def progressive_timeout(timeout: Timeout | float) -> ProgressiveTimeout:
    """A block that is cancelled at its limit, or for silence, unless `deadline.progress()` moves it.

    `with progressive_timeout(Timeout(...)) as deadline:` raises `TimedOut` at the limit and
    `Stalled` for silence, both `trio.TooSlowError`. A plain number is a fixed limit. It
    costs about one `trio.CancelScope`, and `progress()` about one setting of its deadline.
    "adaptive" has no runs to go by here and is "progressive". The ladder is not climbed.
    """
    if isinstance(timeout, Timeout):
        return ProgressiveTimeout(timeout)
    fixed: Literal["fixed"] = "fixed"
    return ProgressiveTimeout(Timeout(fixed, timeout, no_activity=None))
