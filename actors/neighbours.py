"""Linked nodes as the courier and the desk need them.

`delivery.neighbours` and `people.neighbours` are the ports.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

from actors.coding import JsonCoder
from actors.delivery.courier import COURIER
from actors.monitor import SYSTEM
from actors.names import ROOT, join
from actors.people.clerk import CLERK

if TYPE_CHECKING:
    from actors.core.cell import Cell
    from actors.remote.association import Association
    from actors.remote.node import Node
    from actors.remote.proxy import Proxy

__all__ = ["COURIER_PATH", "DESK_PATH", "LinkedNode", "LinkedNodes"]

COURIER_PATH: Final = join(join(ROOT, SYSTEM), COURIER)
DESK_PATH: Final = join(join(ROOT, SYSTEM), CLERK)


class _Follower(Protocol):
    """Of both ports."""

    def node_up(self, neighbour: LinkedNode, /) -> None: ...

    def node_down(self, neighbour: LinkedNode, /) -> None: ...


class _Words(JsonCoder):
    """Messages as text for one link: refs in them are those that the other node knows."""

    def __init__(self, link: Association) -> None:
        self._link = link
        self._codec = link.node.codec

    @contextmanager
    def _between(self) -> Generator[None]:
        with self._codec.heard_from(self._link), self._link.node.exporting(self._link):
            yield

    def out(self, message: object) -> str:
        with self._between():
            return super().out(message)

    def back(self, payload: str) -> Any:
        with self._between():
            return super().back(payload)

    def value_out(self, value: object) -> str:
        with self._between():
            return super().value_out(value)

    def value_back(self, payload: str | None) -> Any:
        with self._between():
            return super().value_back(payload)


class _Sent:
    """Nobody waits until it has gone out."""

    def admitted(self) -> None: ...


class LinkedNode:
    """See `Neighbour`. `path` is that of the actor over there which is told."""

    def __init__(self, link: Association, path: str) -> None:
        self._link = link
        self._path = path
        self._told: Proxy | None = None
        self.coder = _Words(link)

    def __repr__(self) -> str:
        return f"<LinkedNode {self.name!r}, {self._link.state}>"

    @property
    def name(self) -> str:
        """See `Neighbour.name`."""
        return self._link.name

    @property
    def life(self) -> tuple[str, str]:
        """See `Neighbour.life`."""
        return self._link.name, self._link.incarnation

    @property
    def is_down(self) -> bool:
        """See `Neighbour.is_down`."""
        return self._link.is_down

    @property
    def longest(self) -> int:
        """See `Neighbour.longest`."""
        return self._link.longest

    @property
    def why_down(self) -> str:
        """See `Neighbour.why_down`."""
        return self._link.vitality.reason

    def tell(self, message: object, sender: Cell) -> None:
        """See `Neighbour.tell`."""
        link = self._link
        if not link.is_down:
            if self._told is None:
                self._told = link.proxy(self.life, self._path, 0, link.name)
            self._told.pass_on(message, sender, False, _Sent())

    def actor(self, path: str) -> Cell:
        """See `Neighbour.actor`."""
        return cast("Cell", self._link.proxy(self.life, path, 0, self.name))


class LinkedNodes:
    """See `Neighbours`. `path` is that of the actor which is told, on each of them."""

    def __init__(self, node: Node, path: str) -> None:
        self._path = path
        self._living: dict[str, LinkedNode] = {}
        self._follower: _Follower | None = None
        node.linked.append(self._linked)

    def get(self, name: str) -> LinkedNode | None:
        """See `Neighbours.get`."""
        return self._living.get(name)

    def all(self) -> Iterable[LinkedNode]:
        """See `Neighbours.all`."""
        return tuple(self._living.values())

    def follow(self, follower: _Follower) -> None:
        """See `Neighbours.follow`."""
        self._follower = follower

    def _linked(self, link: Association, is_up: bool) -> None:
        if is_up:
            found = self._living[link.name] = LinkedNode(link, self._path)
            if self._follower is not None:
                self._follower.node_up(found)
        else:
            found = self._living.pop(link.name, None)
            if found is not None and self._follower is not None:
                self._follower.node_down(found)
