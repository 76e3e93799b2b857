"""The cell of a pool: a supervisor's cell that handles nothing itself, and hands its messages on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from actors.core import orders as order
from actors.core.mailbox import Item
from actors.exits import Exit
from actors.supervision.family import Family

if TYPE_CHECKING:
    from actors.core.cell import Cell
    from actors.spawning.workforce import Workforce

__all__ = ["PoolFamily"]

_DONE_FOR = order.STOP | order.KILL | order.QUIT


class PoolFamily(Family):
    """The cell of a pool."""

    __slots__ = ("workforce",)

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.workforce: Workforce | None = None
        """Of the running incarnation."""
        self.orders |= order.ROUTES

    @property
    def is_busy(self) -> bool:
        """True while one of its workers has something."""
        return self.workforce is not None and self.workforce.is_busy

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
        if self.workforce is not None and self.routes:
            self.workforce.route()
            self.workforce.look()

    def reclaim(self, child: Cell, items: list[Item]) -> list[Item]:
        """See `Parent.reclaim`: other workers, now or in the next incarnation."""
        if self.workforce is None or self.orders & _DONE_FOR or (self.ended and self.is_final):
            return items
        return self.workforce.reclaim(items)

    async def release(self, exit: Exit) -> None:
        """End the workers; when it drains, each finishes what it has."""
        if self.workforce is not None:
            self.workforce.disarm()
        if self.orders & order.DRAIN and not self.orders & (order.CANCELS | order.STOP):
            for child in tuple(self.children.values()):
                child.drain()
            for child in tuple(self.children.values()):
                await child.wait_stopped()
        await super().release(exit)
        self.workforce = None
