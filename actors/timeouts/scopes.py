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

# looked up once: entering a block is to cost little more than a scope
_CancelScope = trio.CancelScope
_current_clock = trio.lowlevel.current_clock


class ProgressiveTimeout:
    """A block with a deadline that progress moves. Made by `progressive_timeout`, for one block.

    After the block it says how things stood at its end.
    """

    __slots__ = ("_activity", "_clock", "_ended_at", "_made", "_scope", "_silent", "_start", "_timeout")

    def __init__(self, timeout: Timeout) -> None:
        self._timeout = timeout
        self._made: Deadline | None = None
        self._activity: float | None = None
        self._ended_at: float | None = None
        self._scope: trio.CancelScope | None = None
        self._silent = False

    def __enter__(self) -> Self:
        if self._scope is not None:
            raise RuntimeError("a progressive_timeout is for one block: make another one")
        self._clock = _current_clock().current_time
        start = self._start = self._clock()
        quiet, limit = self._timeout.no_activity, self._timeout.initial
        if quiet is not None and quiet < limit:
            limit, self._silent = quiet, True
        scope = self._scope = _CancelScope(deadline=start + limit)
        scope.__enter__()
        return self

    @property
    def _deadline(self) -> Deadline:
        """The machine, made when it is first needed: most blocks end without it."""
        if self._made is None:
            self._made = Deadline(self._timeout)
            self._made.begin(self._start)
        return self._made

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        scope = self._scope
        assert scope is not None
        self._ended_at = min(self._clock(), scope.deadline)
        swallowed = scope.__exit__(kind, error, traceback)
        if scope.cancelled_caught:
            raise self._why() from None
        return swallowed

    def _why(self) -> TimedOut | Stalled:
        if self._silent:
            quiet_since = self._start if self._activity is None else self._activity
            return Stalled(self._entered.deadline - quiet_since)
        return TimedOut(self.limit, self.extensions)

    @property
    def _entered(self) -> trio.CancelScope:
        if self._scope is None:
            raise RuntimeError("enter it first: `with progressive_timeout(...) as deadline:`")
        return self._scope

    def progress(self) -> None:
        """Give a sign of life. Moves the deadline; inside an actor it is one of the actor's, too."""
        scope, now = self._entered, self._clock()
        # from its deadline on it is over, and the block hears of it at its next checkpoint
        if now < scope.deadline and self._ended_at is None:
            self._advance(now)
            self._activity = now
            scope.deadline, self._silent = self._deadline.end(now, now)
        cell = CURRENT.get()
        if cell is not None and cell.context is not None:
            cell.context.progress()

    def _advance(self, now: float) -> None:
        """Let the limit grow by what has happened until `now`."""
        self._deadline.look(now, self._activity, None)

    def _now(self) -> float:
        """The clock, which stops at the end."""
        deadline = self._entered.deadline
        return min(self._clock(), deadline) if self._ended_at is None else self._ended_at

    @property
    def limit(self) -> float:
        """Seconds from the start that the block may take as things are."""
        self._advance(self._now())
        return self._deadline.limit

    @property
    def extensions(self) -> int:
        """How often the limit has grown."""
        self._advance(self._now())
        return self._deadline.extensions

    @property
    def remaining(self) -> float:
        """Seconds until the block is cancelled if nothing more happens."""
        return self._entered.deadline - self._now()


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
