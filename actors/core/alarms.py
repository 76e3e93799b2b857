"""All deadlines of a system in one heap, and the one task that waits for the next.

A cancelled alarm stays in the heap until it comes up or until the dead outnumber the
living: cancelling is one write, which matters because nearly every deadline of an ask
is cancelled.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable

import attrs
import trio

__all__ = ["Alarm", "Alarms", "Timetable"]

_SWEEP_FROM = 512


class Alarm:
    """One thing to do at `due` (seconds on the system's clock)."""

    __slots__ = ("_table", "action", "due")

    def __init__(self, due: float, action: Callable[[], None], table: Timetable) -> None:
        self.due = due
        self.action: Callable[[], None] | None = action
        self._table = table

    @property
    def live(self) -> bool:
        """False once it rang or was cancelled."""
        return self.action is not None

    def cancel(self) -> None:
        """Idempotent."""
        if self.action is not None:
            self.action = None
            self._table.died()


@attrs.define
class Timetable:
    """The heap: pure, `now` is an argument. Equal times ring in the order in which they were set."""

    _heap: list[tuple[float, int, Alarm]] = attrs.field(factory=list[tuple[float, int, Alarm]])
    _count: int = 0
    dead: int = 0

    def set(self, due: float, action: Callable[[], None]) -> Alarm:
        """Enter an alarm."""
        alarm = Alarm(due, action, self)
        if due == math.inf:
            return alarm
        self._count += 1
        heapq.heappush(self._heap, (due, self._count, alarm))
        return alarm

    def died(self) -> None:
        """One of them was cancelled; when most were, they are swept out."""
        self.dead += 1
        if self.dead > _SWEEP_FROM and self.dead * 2 > len(self._heap):
            self._sweep()

    def _sweep(self) -> None:
        self._heap = [entry for entry in self._heap if entry[2].live]
        heapq.heapify(self._heap)
        self.dead = 0

    def next_due(self) -> float:
        """When the next live alarm is due, or infinity."""
        while self._heap and not self._heap[0][2].live:
            heapq.heappop(self._heap)
            self.dead = max(0, self.dead - 1)
        return self._heap[0][0] if self._heap else math.inf

    def pop(self, now: float) -> Callable[[], None] | None:
        """The action of the next alarm that is due at `now`, taken out of the heap, or None."""
        if self.next_due() > now:
            return None
        _, _, alarm = heapq.heappop(self._heap)
        action, alarm.action = alarm.action, None
        return action

    def __len__(self) -> int:
        return len(self._heap) - self.dead


class Alarms:
    """The shell of the timetable: one task that sleeps until the next alarm, and only then."""

    __slots__ = ("_clock", "_scope", "_table", "_waiting_until")

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._table = Timetable()
        self._scope: trio.CancelScope | None = None
        self._waiting_until = math.inf

    def at(self, due: float, action: Callable[[], None]) -> Alarm:
        """Call `action` at `due`, in the alarm task; it must not block or raise."""
        alarm = self._table.set(due, action)
        if due < self._waiting_until and self._scope is not None:
            self._waiting_until = self._scope.deadline = due
        return alarm

    def after(self, seconds: float, action: Callable[[], None]) -> Alarm:
        """Call `action` in `seconds`."""
        return self.at(self._clock() + seconds, action)

    def __len__(self) -> int:
        return len(self._table)

    @trio.lowlevel.enable_ki_protection
    async def run(self) -> None:
        """Ring until cancelled."""
        while True:
            self._waiting_until = self._table.next_due()
            with trio.CancelScope(deadline=self._waiting_until) as self._scope:
                await trio.sleep_forever()
            self._scope = None
            if self._table.next_due() > self._clock():
                continue  # what was due has been cancelled
            # who ends, answers or gives a sign of life at this very moment comes first, whatever trio's order
            await trio.lowlevel.checkpoint()
            now = self._clock()
            while (action := self._table.pop(now)) is not None:
                action()
