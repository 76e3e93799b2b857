"""A recipient as the courier knows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs

from actors.core import orders as order
from actors.delivery.dispatch import Line
from actors.names import RESERVED, split

if TYPE_CHECKING:
    from actors.core.alarms import Alarm
    from actors.core.cell import Cell

__all__ = ["Recipient", "is_recipient"]

_GOING: Final = order.LEAVES & ~order.INTERRUPT


@attrs.define(eq=False)
class Recipient:
    """One recipient: what waits for it, whether it is here, and whose its name is."""

    path: str
    line: Line
    cell: Cell | None = None
    is_ours: bool = True
    """Whether its name is this node's; always, where no other has the store."""
    token: int | None = None
    """By which the store knows that."""
    alarm: Alarm | None = None
    claiming: bool = False

    @property
    def is_ready(self) -> bool:
        """Whether it takes a message now. One that its breaker holds back takes none but a probe."""
        cell = self.cell
        if cell is None or not self.is_ours or not cell.ready or cell.ended or cell.orders & _GOING:
            return False
        return not cell.barred or cell.permit is None


def is_recipient(path: str) -> bool:
    """Whether anybody may post to it: it has a name all the way, and is not the framework's own."""
    return "/~" not in path and split(path)[0] not in RESERVED
