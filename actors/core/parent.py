"""What a cell needs from whoever supervises it."""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Protocol

from actors.errors import ActorError

if TYPE_CHECKING:
    from actors.core.cell import Cell
    from actors.core.mailbox import Item
    from actors.core.ref import Ref
    from actors.core.vigil import Vigil
    from actors.exits import Exit

__all__ = ["Fate", "Parent"]


class Fate(enum.Enum):
    """What follows the end of an incarnation."""

    FINAL = "final"
    """the actor is gone"""
    AGAIN = "again"
    """it starts again after a wait"""
    TRIPPED = "tripped"
    """its breaker opened; it starts again as a probe"""
    HELD = "held"
    """its budget is spent; it starts again when it is resumed"""


class Parent(Protocol):
    """The supervising side. Every call is plain and decides at once."""

    @property
    def vigil(self) -> Vigil | None:
        """What watches its own runs, or None."""
        ...

    @property
    def own_cell(self) -> Cell | None:
        """Itself; None for what stands above the root."""
        ...

    @property
    def ref(self) -> Ref:
        """Its ref, the parent that its children see."""
        ...

    @property
    def path(self) -> str:
        """Its path."""
        ...

    def adopt(self, run: Callable[..., Awaitable[object]], *args: Any, name: str) -> None:
        """Start a task of its nursery, in the context variables of whoever calls."""
        ...

    def break_down(self, fault: BaseException) -> None:
        """Raise what is not the system's to keep out of its nursery, as if a child's task had raised it."""
        ...

    def judge(self, child: Cell, exit: Exit) -> Fate:
        """Decide what follows, at the moment at which the incarnation fell, before its `on_stop`."""
        ...

    def settle(self, child: Cell) -> None:
        """The incarnation is over and its fate is not FINAL: see that it starts again."""
        ...

    def gone(self, child: Cell, exit: Exit) -> None:
        """The actor is finally gone: forget it."""
        ...

    def reclaim(self, child: Cell, items: list[Item]) -> list[Item]:
        """What waited when the child ended for good, or its breaker opened: what nobody else handles."""
        ...

    def parks(self, child: Cell) -> bool:
        """Whether it goes on one day when its budget is spent: else it ends."""
        ...

    def refusal(self, child: Cell, taken: bool) -> ActorError | None:
        """The error for an ask while its breaker is not closed, or its budget is spent.

        None when it is half-open and the permit is not `taken`.
        """
        ...

    def probe_passed(self, child: Cell) -> None:
        """The probe went well."""
        ...

    def resumed(self, child: Cell) -> None:
        """It was suspended or parked, and is not any more; or its link to another node has changed."""
        ...
