"""Linked nodes as the courier needs them: see `delivery.neighbours`, whose port this is."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, cast

from actors.coding import JsonCoder
from actors.delivery.courier import COURIER
from actors.delivery.neighbours import LinkFollower
from actors.monitor import SYSTEM
from actors.names import ROOT, join

if TYPE_CHECKING:
    from actors.core.cell import Cell
    from actors.remote.association import Association
    from actors.remote.node import Node
    from actors.remote.proxy import Proxy

__all__ = ["COURIER_PATH", "LinkedNode", "LinkedNodes"]

COURIER_PATH: Final = join(join(ROOT, SYSTEM), COURIER)


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
    """See `Neighbour`."""

    def __init__(self, link: Association) -> None:
        self._link = link
        self._courier: Proxy | None = None
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
            if self._courier is None:
                self._courier = link.proxy(self.life, COURIER_PATH, 0, link.name)
            self._courier.pass_on(message, sender, False, _Sent())

    def actor(self, path: str) -> Cell:
        """See `Neighbour.actor`."""
        return cast("Cell", self._link.proxy(self.life, path, 0, self.name))


class LinkedNodes:
    """See `Neighbours`."""

    def __init__(self, node: Node) -> None:
        self._living: dict[str, LinkedNode] = {}
        self._follower: LinkFollower | None = None
        node.linked = self._linked

    def get(self, name: str) -> LinkedNode | None:
        """See `Neighbours.get`."""
        return self._living.get(name)

    def all(self) -> Iterable[LinkedNode]:
        """See `Neighbours.all`."""
        return tuple(self._living.values())

    def follow(self, follower: LinkFollower) -> None:
        """See `Neighbours.follow`."""
        self._follower = follower

    def _linked(self, link: Association, is_up: bool) -> None:
        if is_up:
            found = self._living[link.name] = LinkedNode(link)
            if self._follower is not None:
                self._follower.node_up(found)
        else:
            found = self._living.pop(link.name, None)
            if found is not None and self._follower is not None:
                self._follower.node_down(found)
