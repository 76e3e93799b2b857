"""The dispatcher: one task that gives turns to all actors of a system that need no task of their own.

Who has something to do stands in one queue. A turn ends when nothing waits, after a batch,
or when the slice of time is over; who has more stands at the end of the queue again. After a
slice the task yields, so that the tasks of others run too.

How long a slice is, is in `pace`. The clock is looked at after each message and each turn, so
that no actor keeps the others waiting for long, but for one slow handler.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import trio

from actors.core.pace import BATCH, SLICE
from actors.core.turn import cut_short, turn

if TYPE_CHECKING:
    from actors.core.cell import Cell

__all__ = ["Dispatcher"]

MOST = 896
"""Messages in one slice: also where a clock stands still, as in tests, others get their turn."""

_wait = trio.lowlevel.wait_task_rescheduled
_reschedule = trio.lowlevel.reschedule


class Dispatcher:
    """Runs the turns of one system's actors without tasks, first come, first served."""

    __slots__ = ("_clock", "_stamp", "batch", "left", "now", "queue", "task", "until")

    def __init__(self, clock: Callable[[], float], stamp: Callable[[], float]) -> None:
        self._clock = clock
        self._stamp = stamp
        self.queue: deque[Cell] = deque()
        """Who is to have a turn, each once."""
        self.task: trio.lowlevel.Task | None = None
        """The dispatcher's own, while it has nothing to do."""
        self.now = 0.0
        """When the slice began, on trio's clock."""
        self.until = 0.0
        """When it is over, on the kernel's stamps."""
        self.left = 0
        """Messages until then."""
        self.batch = BATCH
        """Messages in a turn."""

    @trio.lowlevel.enable_ki_protection
    def add(self, cell: Cell) -> None:
        """Give it a turn. Whoever calls sees to it that it stands in the queue once."""
        self.queue.append(cell)
        if self.task is not None:
            self.rouse()

    def rouse(self) -> None:
        """There is something to do."""
        assert self.task is not None
        _reschedule(self.task)
        self.task = None

    def turn_now(self, cell: Cell) -> None:
        """Give it a turn of one message in the step of whoever calls; it does not stand in the queue."""
        self._begin()
        self.batch = 1
        try:
            cell.within.run(turn, cell)
        except RecursionError:  # no room on the stack of whoever calls: the turn has not begun
            raise
        except BaseException as error:
            cut_short(cell, error)
        finally:
            self.batch = BATCH

    def _begin(self) -> None:
        self.now = self._clock()
        self.until = self._stamp() + SLICE
        self.left = MOST

    def _leave(self, _: Any) -> trio.lowlevel.Abort:
        self.task = None
        return trio.lowlevel.Abort.SUCCEEDED

    @trio.lowlevel.enable_ki_protection
    async def run(self) -> None:
        """Give turns until cancelled."""
        queue = self.queue
        take = queue.popleft
        stamp = self._stamp
        while True:
            if not queue:
                self.task = trio.lowlevel.current_task()
                await _wait(self._leave)
            self._begin()
            while queue and self.left > 0 and stamp() < self.until:
                cell = take()
                if cell.ended:  # cut short while it stood here
                    continue
                try:
                    cell.within.run(turn, cell)
                except BaseException as error:  # Ctrl-C at the very edge of the turn
                    cut_short(cell, error)
            cell = None  # it may end while this task waits, and is not to be kept alive
            if queue:
                await trio.lowlevel.checkpoint()
