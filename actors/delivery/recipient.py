"""A recipient as the courier knows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs

from actors.core import orders as order
from actors.delivery.dispatch import Line
from actors.names import RESERVED, split
from actors.policy import Delivery

if TYPE_CHECKING:
    from actors.core.alarms import Alarm
    from actors.core.cell import Cell

__all__ = ["Recipient", "is_lasting", "is_recipient", "takes"]

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
    there: dict[str, Delivery] = attrs.field(factory=dict[str, Delivery])
    """The linked nodes at which it is ready, and how it wants to be served there."""

    @property
    def node(self) -> str | None:
        """The linked node that delivers to it: the first by name, when it is not here."""
        return min(self.there) if self.cell is None and self.there else None

    @property
    def is_ready(self) -> bool:
        """Whether it takes a message now."""
        if self.cell is None:
            return bool(self.there)
        return self.is_ours and takes(self.cell)

    def suit(self) -> None:
        """Whoever serves it now says how."""
        if self.cell is not None:
            self.line.policy = self.cell.policy.delivery
        elif self.there:
            self.line.policy = self.there[min(self.there)]


def takes(cell: Cell) -> bool:
    """Whether an actor takes a message now. One that its breaker holds back takes none but a probe."""
    if cell.held is not None:  # its budget is spent; one that was idle starts for it
        return cell.dozes and not cell.is_final
    if not cell.ready or cell.ended or cell.orders & _GOING:
        return False
    if cell.lanes.closed:  # it drains, and takes nothing new
        return False
    return not cell.barred or (cell.permit is None and not cell.lanes)


def is_lasting(path: str) -> bool:
    """Whether a later actor can have the same path: all on the way have names."""
    return "/~" not in path


def is_recipient(path: str) -> bool:
    """Whether anybody may post to it: it has a name all the way, and is not the framework's own."""
    return is_lasting(path) and split(path)[0] not in RESERVED
