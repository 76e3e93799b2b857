"""Chunks given by hand: `ctx.send_chunk`, and that of a reply that was put off."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import trio

from actors.core.chunks import joined
from actors.core.flow import Giver, note_chunk
from actors.core.mailbox import ASKED, MESSAGE, Item
from actors.messages import StreamRequest

if TYPE_CHECKING:
    from actors.core.ask import Pending
    from actors.core.cell import Cell

__all__ = ["Hand", "giver_of", "takes_chunks"]


def takes_chunks(item: Item | None) -> bool:
    """True for a message that may be answered in chunks."""
    if item is None:
        return False
    asked: Pending[Any] | None = item[ASKED]
    return isinstance(item[MESSAGE], StreamRequest) or (asked is not None and asked.stream is not None)


def giver_of(cell: Cell, asked: Pending[Any]) -> Giver | None:
    """The source of its flow in this actor, made once; None where the answer is wanted in one."""
    flow = asked.stream
    if flow is None:
        return None
    source = flow.source
    return source if isinstance(source, Giver) and source.cell is cell else Giver(cell, asked)


class Hand:
    """The chunks given for one request: on their way, or kept until the answer."""

    __slots__ = ("asked", "cell", "chunks", "item", "request")

    def __init__(self, cell: Cell, item: Item) -> None:
        self.cell = cell
        self.item = item
        self.request: object = item[MESSAGE]
        asked: Pending[Any] | None = item[ASKED]
        self.asked = None if asked is None or asked.is_told else asked
        """None where it was only told: the chunks go nowhere."""
        self.chunks: list[Any] = []

    async def give(self, chunk: Any) -> bool:
        """Give a chunk, waiting for room; False where nobody takes any more. A checkpoint."""
        await trio.lowlevel.checkpoint_if_cancelled()
        asked = self.asked
        if asked is None:
            await self._pause(chunk)
            return True
        giver = giver_of(self.cell, asked)
        if giver is None:
            self.keep(chunk)
            await self._pause(chunk)
            return not asked.done
        while not giver.has_room:
            await giver.until_room()
        if asked.done or giver.flow.closed:
            await trio.lowlevel.cancel_shielded_checkpoint()
            return False
        giver.put(chunk)
        await self._pause(chunk)
        return True

    def keep(self, chunk: Any) -> None:
        """Keep a chunk until the answer, while somebody waits for that."""
        if self.asked is None:
            return
        if self.asked.done:  # who goes on may do so for ever
            self.chunks.clear()
        else:
            self.chunks.append(chunk)

    async def _pause(self, chunk: Any) -> None:
        note_chunk(self.cell, chunk)
        await trio.lowlevel.cancel_shielded_checkpoint()

    def whole(self, value: Any) -> Any:
        """The answer, with the chunks that were kept for it."""
        if self.asked is None or self.asked.stream is not None:
            return value
        return joined(self.request, self.chunks, value)
