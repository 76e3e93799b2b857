"""Who only looks does not wait behind a paste: his request is answered while another message is in hand.

It stays in the mailbox until its answer is there, and is taken and answered in one step: whatever ends the
incarnation meanwhile finds it where it was.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import trio

from actors.core import orders as order
from actors.core.hand import park, still_wanted
from actors.core.mailbox import ASKED, MARK, MESSAGE, Item
from actors.process.terminal.errors import TerminalLost

if TYPE_CHECKING:
    from actors.core.cell import Cell

__all__ = ["Beside"]

_NOT_NOW = order.SUSPEND | order.LEAVES | order.ROUTES


class Beside:
    """Answers the requests of some kinds in `cell` by `answer`, in tasks of `nursery`."""

    def __init__(
        self,
        cell: Cell,
        kinds: tuple[type, ...],
        answer: Callable[[Any], Awaitable[Any]],
        nursery: trio.Nursery,
    ) -> None:
        self._cell = cell
        self._kinds = kinds
        self._answer = answer
        self._nursery = nursery

    @contextmanager
    def working(self) -> Generator[None]:
        """A block in which the actor takes nothing from its inbox."""
        scope = trio.CancelScope()
        self._nursery.start_soon(self._serve, scope)
        try:
            yield
        finally:
            scope.cancel()  # it lets go of the cell in this step: only one task may wait there

    async def _serve(self, scope: trio.CancelScope) -> None:
        cell = self._cell
        with scope:
            while not scope.cancel_called:
                item = None if cell.orders & _NOT_NOW else cell.lanes.find(self._is_meant)
                if item is None:
                    await park(cell)
                    continue
                try:
                    value = await self._answer(item[MESSAGE])
                except TerminalLost:  # whoever has a message in hand hears of it too
                    return
                self._settle(item, value)

    def _is_meant(self, item: Item) -> bool:
        return isinstance(item[MESSAGE], self._kinds) and item[ASKED] is not None and item[MARK] is None

    def _settle(self, item: Item, value: Any) -> None:
        cell = self._cell
        for taken in cell.lanes.remove(lambda other: other is item):
            if still_wanted(cell, taken):
                cell.handled += 1
                cell.active_at = cell.now()
                taken[ASKED].answer(value)
        if cell.orders & order.SENDERS:
            cell.admit_senders()
