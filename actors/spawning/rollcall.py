"""Following many actors until each is ready or gone: the shell of `readiness`. It has no task."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

import trio

from actors.core.scope import CURRENT
from actors.core.vigil import waiting_for
from actors.spawning.readiness import Readiness, SpawnStep

if TYPE_CHECKING:
    from actors.core.alarms import Alarm
    from actors.core.cell import Cell
    from actors.core.kernel import Kernel
    from actors.core.ref import Ref
    from actors.exits import Exit

__all__ = ["RollCall"]


class RollCall:
    """The one follower of a set of actors. It begins at once, and ends by itself or by `close`."""

    __slots__ = ("_alarm", "_lot", "_now", "on_over", "readiness", "steps")

    def __init__(self, kernel: Kernel, refs: Iterable[Ref], timeout: float | None = None) -> None:
        self._now = kernel.now
        self._lot = trio.lowlevel.ParkingLot()
        self._alarm: Alarm | None = None
        self.on_over: Callable[[], None] | None = None
        """Called once, in the step in which it ends. Must not block or raise."""
        self.steps: deque[SpawnStep] = deque()
        """What nobody has taken yet."""
        self.readiness = Readiness(refs, kernel.now())
        for ref in self.readiness.refs:
            self._begin(ref.cell)
        if timeout is not None and timeout < math.inf and not self.is_over:
            self._alarm = kernel.alarms.after(timeout, self.close)

    @property
    def is_over(self) -> bool:
        """True when all have settled, or nobody waits any more."""
        return self.readiness.is_over

    def _begin(self, cell: Cell) -> None:
        exit = cell.final_exit
        if cell.is_started:
            self._tell_ready(cell)
        elif exit is not None:
            self.went(cell, exit)
        else:
            cell.follow(self)

    def became_ready(self, cell: Cell) -> None:
        """See `Follower`. One that was ordered to end while it started is not ready for anything."""
        if not cell.is_final:
            cell.unfollow(self)
            self._tell_ready(cell)

    def _tell_ready(self, cell: Cell) -> None:
        self._tell(self.readiness.became_ready(cell.ref, cell.state, self._now()))

    def went(self, cell: Cell, exit: Exit) -> None:
        """See `Follower`."""
        error = cell.why_not_ready(exit)
        if error is None:
            self._tell_ready(cell)
        else:
            self._tell(self.readiness.has_failed(cell.ref, cell.state, error, self._now()))

    def _tell(self, step: SpawnStep | None) -> None:
        if step is not None:
            self.steps.append(step)
            self._lot.unpark_all()
            if self.is_over:
                self._end()

    def close(self) -> None:
        """The time is up, or nobody waits any more: follow nobody. Idempotent."""
        if not self.is_over:
            for ref in self.readiness.time_is_up(self._now()):
                ref.cell.unfollow(self)
            self._lot.unpark_all()
            self._end()

    def _end(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        if self.on_over is not None:
            self.on_over()

    async def changed(self) -> None:
        """Park until the next one settles, or it ends. A checkpoint."""
        with self._excuse():
            await self._lot.park()

    def _excuse(self) -> AbstractContextManager[None]:
        """Who waits for a child of its own is not silent meanwhile."""
        asker = CURRENT.get()
        if asker is None or asker.vigil is None:
            return nullcontext()
        own = (ref.cell for ref in self.readiness.open if ref.cell.parent.ref is asker.ref)
        child = next(own, None)
        return nullcontext() if child is None else waiting_for(child)
