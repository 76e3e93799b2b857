"""Timers of an actor: messages it sends to itself later, ending with its incarnation."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from actors.checks import check_seconds
from actors.core.mailbox import MARK

if TYPE_CHECKING:
    from actors.core.alarms import Alarm
    from actors.core.cell import Cell

__all__ = ["Timer", "end_timers", "start_timer"]


SHORTEST = 1e-6
"""The shortest interval, in seconds: a clock must be able to move by it."""


class Timer:
    """A message on its way to the actor that set it, once or repeatedly."""

    __slots__ = ("_alarm", "_cell", "_first", "_interval", "_message", "_rings", "waiting")

    def __init__(self, cell: Cell, first: float, interval: float | None, message: object) -> None:
        self._cell = cell
        self._first = first
        self._interval = interval
        self._message = message
        self._rings = 0
        self.waiting = False
        """True while its last message waits in the mailbox."""
        self._alarm: Alarm | None = None

    def __repr__(self) -> str:
        kind = "after" if self._interval is None else f"every {self._interval:g} s"
        live = f"due {self.due:g}" if self._alarm is not None else "ended"
        return f"<Timer {kind} for {self._cell.path}, {live}>"

    @property
    def due(self) -> float:
        """When it fires next, or fired last: seconds on trio's clock."""
        return self._first + self._rings * self._interval if self._interval and self._rings else self._first

    def cancel(self) -> None:
        """Idempotent. A message of this timer that still waits is taken out of the mailbox."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if self.waiting:
            self.waiting = False
            self._cell.lanes.remove(lambda item: item[MARK] is self)
        if self._cell.timers is not None:
            self._cell.timers.discard(self)

    def arm(self) -> None:
        """Ring at the next due time."""
        self._alarm = self._cell.kernel.alarms.at(self.due, self._ring)

    def _ring(self) -> None:
        self._alarm = None
        if not self.waiting:
            self.waiting = self._cell.put_marked(self._message, self._cell, self)
        if self._interval is not None:
            passed = math.floor((self._cell.now() - self._first) / self._interval)
            self._rings = max(self._rings, passed) + 1  # what came due meanwhile is skipped
            self.arm()

    def taken(self) -> None:
        """Its message left the mailbox."""
        self.waiting = False
        if self._alarm is None and self._cell.timers is not None:
            self._cell.timers.discard(self)


def start_timer(cell: Cell, delay: float, interval: float | None, message: object) -> Timer:
    """Set a timer; raises ValueError for a negative or NaN time, or an interval below a microsecond."""
    if interval is not None:
        check_seconds("interval", interval, least=SHORTEST)
    check_seconds("delay", delay)
    timer = Timer(cell, cell.kernel.now() + delay, interval, message)
    if cell.timers is None:
        cell.timers = set()
    cell.timers.add(timer)
    timer.arm()
    return timer


def end_timers(cell: Cell) -> None:
    """Cancel all, and take their messages out of the mailbox."""
    timers, cell.timers = cell.timers, None
    for timer in timers or ():
        timer.cancel()
