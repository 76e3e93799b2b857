"""One worker of a pool: what it has, and whether it takes more."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Final

import attrs

from actors.core import orders as order
from actors.core.lifecycle import ActorState, Phase
from actors.core.mailbox import SINCE
from actors.core.parent import Fate

if TYPE_CHECKING:
    from actors.core.cell import Cell
    from actors.spawning.delegated import Delegated

__all__ = ["Worker"]

_LEAVES: Final = order.SUSPEND | (order.LEAVES & ~order.INTERRUPT)


@attrs.define(eq=False)
class Worker:
    """One worker of a pool."""

    cell: Cell
    keyed: bool
    """Its messages may wait in its own mailbox, which outlives its restarts."""
    open: dict[Delegated, None] = attrs.field(factory=dict["Delegated", None])
    """What it has, the oldest first."""
    owed: dict[Delegated, None] = attrs.field(factory=dict["Delegated", None])
    """What it has handled and not answered yet."""
    idle_since: float | None = None
    """From when on it has had nothing; None while it has something, and before it was ready."""
    away: bool = attrs.field(init=False)
    """It runs on another node. While that is not heard, messages without keys go to others."""

    def __attrs_post_init__(self) -> None:
        self.away = self.cell.node != self.cell.kernel.name

    @property
    def name(self) -> str:
        """What it is called in the pool."""
        return self.cell.key

    @property
    def takes(self) -> bool:
        """Whether a message may go to it."""
        cell = self.cell
        if cell.is_final or cell.orders & _LEAVES:
            return False
        if cell.held is not None:
            return cell.dozes
        if not self.keyed:
            return cell.ready and not (self.away and cell.state is ActorState.UNREACHABLE)
        probes = cell.barred and bool(self.open)  # half-open: one at a time
        return bool(cell.readies) and not self.is_tripped and not probes

    @property
    def counts(self) -> bool:
        """Whether it is there for the pool; not one that retires, or that its breaker holds back."""
        return not (self.cell.is_final or self.is_tripped)

    @property
    def is_tripped(self) -> bool:
        """Its breaker is open: nothing of it runs, or for long."""
        cell = self.cell
        return cell.phase is Phase.TRIPPED or (cell.ended and cell.fate is Fate.TRIPPED)

    @property
    def spare_since(self) -> float | None:
        """From when on nobody would miss it: an answer that it owes would end with it."""
        return None if any(not delegated.done for delegated in self.owed) else self.idle_since

    def waiting_since(self) -> Iterator[float]:
        """Since when the oldest message waits behind the one in hand, if there is one."""
        return (delegated.item[SINCE] for delegated in islice(self.open, 1, 2))
