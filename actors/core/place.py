"""Where the children of a supervisor may run besides their own node."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from actors.core.cell import Cell
    from actors.core.parent import Parent
    from actors.policy import Policy

__all__ = ["Place"]


class Place(Protocol):
    """Another node, as a supervisor sees it."""

    @property
    def answers(self) -> bool:
        """Whether it is heard now."""
        ...

    def prepare(
        self, what: Any, args: tuple[Any, ...], policy: Policy, /
    ) -> Callable[[Parent, str | None], Cell]:
        """Check everything, and answer what makes the cell of such a child under a parent, with a name.

        Raises what `spawn` raises for what cannot run there.
        """
        ...
