"""Answers in chunks over a link: flows whose chunks go there, and those whose chunks come from there.

Chunks go in the lane of the replies, and in order with the reply or the error that ends them. The credit of
their taker comes back in items of its own. So what is under way is bounded by the window of whoever asked,
and by the buffer of the link.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from actors.core.chunks import Returns
from actors.core.flow import Flow
from actors.errors import ActorFailed, LinkRefused
from actors.remote import items
from actors.remote.strict import BadValue

if TYPE_CHECKING:
    from collections.abc import Hashable

    from actors.core.ask import Pending
    from actors.remote.association import Association

__all__ = ["LinkFlow", "Returner", "check_window", "not_there", "put_in", "taken_there"]


def check_window(window: int | None) -> None:
    """Raise `BadValue` for what another node cannot mean."""
    if window is not None and window < 1:
        raise BadValue(f"a window is of 1 chunk or more, not {window}")


def not_there(node: str) -> LinkRefused:
    """What an asker gets whose request would have to be answered by a node that has never heard of chunks."""
    return LinkRefused("no-streams", f"{node!r} knows no streams: ask it, or run the same version there")


class LinkFlow(Flow):
    """Its chunks are taken on another node."""

    __slots__ = ("association", "item_of", "pending", "to")

    def __init__(
        self,
        window: int,
        pending: Pending[Any],
        association: Association,
        item_of: Callable[[Any], object],
        to: Hashable,
    ) -> None:
        super().__init__(window)
        self.pending = pending
        self.association = association
        self.item_of = item_of
        """A chunk, coded, as the item that says it."""
        self.to = to

    @property
    def has_room(self) -> bool:
        """See `Flow.has_room`: there must be room in the link's buffer too."""
        if self.closed or self.supply.left < 1:
            return self.closed
        return self.association.takes_chunks(self)

    def room_again(self) -> None:
        """The link's buffer takes more."""
        if self.source is not None:
            self.source.taken(0)

    def carry(self, chunk: Any) -> None:
        """See `Flow.carry`. What cannot travel ends the answer: its asker hears why."""
        node = self.association.node
        with node.exporting(self.association):
            try:
                text = self.association.written(self.item_of(node.codec.value_out(chunk)), chunk)
            except Exception as error:
                self.pending.fail(ActorFailed(self.pending.cell.ref, error))
                self.abandon()
                return
        self.association.push("control", text, self.to)


class Returner:
    """The source of a flow whose chunks come from another node: it tells there what was taken."""

    __slots__ = ("_association", "_item_of", "_left", "_returns")

    def __init__(
        self,
        window: int,
        association: Association,
        item_of: Callable[[int], object],
        left: Callable[[], None] | None = None,
    ) -> None:
        self._returns = Returns(window)
        self._association = association
        self._item_of = item_of
        self._left = left

    def taken(self, count: int, /) -> None:
        """See `Source`."""
        told = self._returns.take(count) if count else 0
        if told:
            self._association.control(self._item_of(told))

    def abandoned(self) -> None:
        """See `Source`."""
        if self._left is not None:
            self._left()


def put_in(flow: Flow | None, chunk: Any) -> None:
    """Another node has sent a chunk. Raises `BadValue` for one that nobody has room for."""
    if flow is None:
        raise BadValue("a chunk of an answer that is not wanted in chunks")
    if not flow.closed and flow.supply.left < 1:
        raise BadValue(f"more than {flow.window} chunks without one taken")
    flow.put(chunk)


def taken_there(flow: Flow | None, item: items.Taken | items.ChildTaken) -> None:
    """Another node has taken chunks. Raises `BadValue` for more than it has."""
    if flow is None:
        raise BadValue("chunks taken of an answer that has none")
    if not flow.closed:
        try:
            flow.taken(item.count)
        except ValueError as error:
            raise BadValue(str(error)) from None
