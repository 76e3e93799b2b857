"""The dispatcher: one task that gives turns to all actors of a system that need no task of their own.

Who has something to do stands in one queue. A turn ends when nothing waits, after a batch,
or when the slice of time is over; who has more stands at the end of the queue again. After a
slice the task yields, so that the tasks of others run too.

The clock is looked at after every `OFTEN` messages while they are quick, and after each one
while they are slow: no actor keeps the others waiting for long, but for one slow handler.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import trio

from actors.core.turn import turn

if TYPE_CHECKING:
    from actors.core.cell import Cell

__all__ = ["Dispatcher"]

SLICE = 0.005
"""Seconds between two checkpoints."""
OFTEN = 16
"""Messages between two looks at the clock, while they are quick."""
MOST_LOOKS = 60
"""Looks in one slice: also where a clock stands still, as in tests, others get their turn."""
QUICK = 0.0005
"""Seconds that so many messages may take to count as quick."""

_wait = trio.lowlevel.wait_task_rescheduled
_reschedule = trio.lowlevel.reschedule


class Dispatcher:
    """Runs the turns of one system's actors without tasks, first come, first served."""

    __slots__ = ("_clock", "_looks", "_queue", "_task", "_until", "left", "now", "over")

    LOOKS: Final = 8
    """Looks at the clock in one turn: with quick messages a batch of 128."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._queue: deque[Cell] = deque()
        self._task: trio.lowlevel.Task | None = None
        self._until = 0.0
        self._looks = 0
        self.now = clock()
        """The time of the last look at the clock."""
        self.left = 1
        """Messages until the next one."""
        self.over = False
        """True when the slice is used up."""

    @trio.lowlevel.enable_ki_protection
    def add(self, cell: Cell) -> None:
        """Give it a turn. Whoever calls sees to it that it stands in the queue once."""
        self._queue.append(cell)
        task = self._task
        if task is not None:
            self._task = None
            _reschedule(task)

    def look(self) -> bool:
        """Look at the clock; True when the slice is over."""
        before, self.now = self.now, self._clock()
        self.left = OFTEN if self.now - before < QUICK else 1
        self._looks += 1
        self.over = self.now >= self._until or self._looks >= MOST_LOOKS
        return self.over

    def turn_now(self, cell: Cell) -> None:
        """Give it a turn in the step of whoever calls; it does not stand in the queue."""
        self._begin()
        assert cell.within is not None
        cell.within.run(turn, cell)

    def _begin(self) -> None:
        self.now = self._clock()
        self._until = self.now + SLICE
        self._looks = 0
        self.left = 1
        self.over = False

    def _leave(self, _: Any) -> trio.lowlevel.Abort:
        self._task = None
        return trio.lowlevel.Abort.SUCCEEDED

    @trio.lowlevel.enable_ki_protection
    async def run(self) -> None:
        """Give turns until cancelled."""
        queue = self._queue
        take = queue.popleft
        while True:
            if not queue:
                self._task = trio.lowlevel.current_task()
                await _wait(self._leave)
            self._begin()
            while queue and not self.over:
                cell = take()
                assert cell.within is not None
                cell.within.run(turn, cell)
                if self.left <= 0:
                    self.look()
            cell = None  # it may end while this task waits, and is not to be kept alive
            if queue:
                await trio.lowlevel.checkpoint()
