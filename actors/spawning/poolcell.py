"""The cell of a pool: a supervisor's cell that handles nothing itself, and hands its messages on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from actors.core import orders as order
from actors.core.mailbox import Item, Lanes
from actors.core.parent import Fate
from actors.events import DeadLetterReason
from actors.exits import Exit, ExitKind
from actors.names import join
from actors.spawning.staffing import Staffing
from actors.spawning.workforce import Workforce
from actors.supervision.breaker import CircuitState
from actors.supervision.family import Family

if TYPE_CHECKING:
    from actors.core.cell import Cell
    from actors.spawning.pool import Pool
    from actors.spawning.spawner import Spawner
    from actors.spawning.worker import Worker

__all__ = ["PoolFamily"]

_DONE_FOR: Final = order.STOP | order.KILL | order.QUIT


class _PoolLanes(Lanes):
    """While the pool drains, what its workers have counts as waiting: a crash may bring it back."""

    __slots__ = ("cell",)

    def __init__(self, cell: PoolFamily) -> None:
        super().__init__(cell.policy.mailbox)
        self.cell = cell

    def __bool__(self) -> bool:
        return super().__bool__() or (self.closed and self.cell.is_busy)


class PoolFamily(Family):
    """The cell of a pool."""

    __slots__ = ("force", "news", "staff")

    force: Workforce
    """Of the running incarnation, and of the last one while there is none."""
    staff: Staffing

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.lanes = _PoolLanes(self)
        self.news = False
        """Something is to be looked at in its own task."""
        self.orders |= order.ROUTES

    def employ(self, pool: Pool, spawner: Spawner) -> Staffing:
        """A new incarnation begins."""
        self.force = Workforce(self, pool)
        self.staff = Staffing(self, pool, spawner, self.force)
        return self.staff

    def become_ready(self) -> None:
        """The start succeeded. That is all that can fail of a pool by itself: so it is all of a probe."""
        super().become_ready()
        if self.barred:
            self.barred = False
            self.orders &= ~order.PROBE
            self.permit = None
            self.parent.probe_passed(self)

    @property
    def is_busy(self) -> bool:
        """True while one of its workers has something."""
        return bool(self.children) and self.force.is_busy

    @property
    def handled_itself(self) -> int:
        """Nothing: its workers do."""
        return 0

    # --- messages ---

    @property
    def routes(self) -> bool:
        """Whether it hands messages on now."""
        return self.ready and not self.ended and not self.orders & (order.LEAVES | order.SUSPEND)

    def take(self) -> Item:
        """The next item, which is there."""
        item = self.lanes.take()
        assert item is not None
        if self.orders & order.SENDERS:
            self.admit_senders()
        return item

    def route(self) -> None:
        """See `Cell.route`. In its own task: it grows and shrinks here too."""
        news, self.news = self.news, False
        if news:
            self.force.refresh()
        if self.force.route():
            self.staff.look_at(self.now())  # others have their turn first
        elif news or self.lanes.peek() is not None or self.force.queued:
            self.staff.look()

    # --- what becomes of its workers ---

    def tell_news(self) -> None:
        """Let its own task look at its workers."""
        self.news = True
        self.wake()
        if self.lot is not None:
            self.lot.unpark_all()

    def wants_to_know(self, worker: Worker, well: bool) -> bool:
        """Whether its own task has to look, now that a worker has handled a message."""
        draining = bool(self.orders & order.DRAIN)
        return self.staff.wants_to_know(worker, well) or draining

    def judge(self, child: Cell, exit: Exit) -> Fate:
        """See `Parent.judge`: somebody may have to stand in; for a lost node, one that answers."""
        fate = Fate.FINAL if exit.kind is ExitKind.NODE_DOWN else super().judge(child, exit)
        self.tell_news()
        return fate

    def probe_passed(self, child: Cell) -> None:
        """See `Parent.probe_passed`: it takes more than one at a time again."""
        super().probe_passed(child)
        self.tell_news()

    def resumed(self, child: Cell) -> None:
        """See `Parent.resumed`: it takes messages again."""
        super().resumed(child)
        self.tell_news()

    def reclaim(self, child: Cell, items: list[Item]) -> list[Item]:
        """See `Parent.reclaim`: other workers, now or in the next incarnation."""
        mine, others = self.force.reclaim(items)
        if self.orders & _DONE_FOR:
            for item in mine:
                self.discard(item, DeadLetterReason.STOPPED)
        else:
            self.lanes.restore(mine)
            self.wake()
        return others

    def has_free(self, name: str) -> bool:
        """Whether a worker may have this name: nobody has it, and no breaker holds it back."""
        circuit = self.breakers.find(join(self.path, name))
        waits = circuit is not None and circuit.state is CircuitState.OPEN and not circuit.due(self.now())
        return name not in self.children and not waits

    async def release(self, exit: Exit) -> None:
        """End the workers, all at once: each finishes the message in hand."""
        if self.readies:
            self.staff.look_at(None)
        for child in tuple(self.children.values()):
            child.stop()
        await super().release(exit)
