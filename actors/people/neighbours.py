"""Linked nodes, as far as the desk needs them: a port, so that people know nothing of links."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from actors.core.cell import Cell

__all__ = ["LinkFollower", "Neighbour", "Neighbours"]


class Neighbour(Protocol):
    """One life of a linked node, until it is DOWN."""

    @property
    def name(self) -> str:
        """The name of its system."""
        ...

    @property
    def life(self) -> tuple[str, str]:
        """Its name and incarnation."""
        ...

    @property
    def is_down(self) -> bool:
        """Whether this life of it is over."""
        ...

    @property
    def why_down(self) -> str:
        """Why it is DOWN."""
        ...

    def tell(self, message: object, sender: Cell, /) -> None:
        """Tell its desk. Never blocks. Does nothing when it is DOWN. In order, and nothing is lost or doubled
        while both nodes live. Raises `NotSerializable` for what is longer than it takes.
        """
        ...


class LinkFollower(Protocol):
    """Somebody who hears of links in the step itself. Must not block or raise."""

    def node_up(self, neighbour: Neighbour, /) -> None:
        """A link stands."""
        ...

    def node_down(self, neighbour: Neighbour, /) -> None:
        """The node is lost."""
        ...


class Neighbours(Protocol):
    """All linked nodes."""

    def get(self, name: str, /) -> Neighbour | None:
        """The one of this name."""
        ...

    def all(self) -> Iterable[Neighbour]:
        """All of them, those too that do not answer now."""
        ...

    def follow(self, follower: LinkFollower, /) -> None:
        """Let it hear of those that come and go."""
        ...
