"""Handlers that yield: an async generator as a handler like any other.

What the actor's loop calls is an async function around it. The generator is driven in the handler's own
task, and everything that ends the handler while it stands at a `yield` is raised there. So a `yield` is a
checkpoint to it, its `finally` runs whatever happens, and scopes and nurseries that are open around the
`yield` are left in order.
"""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import TYPE_CHECKING, Any, Protocol, cast

import trio

from actors.core.chunks import ENDED
from actors.core.dispatch import Handler
from actors.core.flow import Giver, note_chunk
from actors.core.mailbox import ASKED
from actors.core.pace import BATCH, SLICE

if TYPE_CHECKING:
    from actors.core.ask import Pending
    from actors.core.cell import Cell
    from actors.core.giving import Hand

__all__ = ["driven"]

_NOTHING = object()


class _Sink(Protocol):
    @property
    def has_room(self) -> bool: ...
    async def until_room(self) -> None: ...
    def put(self, chunk: Any, /) -> None: ...


class _Whole:
    """Takes all chunks, for one who wants them in one."""

    __slots__ = ("_hand", "_left")

    def __init__(self, hand: Hand) -> None:
        self._hand = hand
        self._left = BATCH

    @property
    def has_room(self) -> bool:
        return self._left > 0

    async def until_room(self) -> None:
        self._left = BATCH
        await trio.lowlevel.checkpoint()

    def put(self, chunk: Any, /) -> None:
        self._left -= 1
        self._hand.keep(chunk)


def driven(handler: Handler) -> Handler:
    """The handler as the actor's loop calls it: one that yields is driven by an async function."""
    function = handler[0]
    if not inspect.isasyncgenfunction(inspect.unwrap(function)):
        return handler
    return _driver(function), True


def _driver(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    async def drive(actor: Any, message: Any) -> Any:
        value: Any = function(actor, message)
        if isinstance(value, AsyncGenerator):
            return await _drive(actor.ctx.cell, cast("AsyncGenerator[Any, None]", value))
        if isinstance(value, Awaitable):  # of what wraps the generator
            return await cast("Awaitable[Any]", value)
        return value

    del drive.__wrapped__  # who unwraps it would find a generator again
    return drive


async def _drive(cell: Cell, chunks: AsyncGenerator[Any, None]) -> Any:
    assert cell.item is not None
    asked: Pending[Any] | None = cell.item[ASKED]
    if asked is None or asked.stream is None:
        assert cell.context is not None
        with cell.context.gathering() as hand:
            await _give_all(cell, chunks, _Whole(hand))
        return None if hand.asked is None else hand.whole(ENDED)
    giver = Giver(cell, asked)
    with trio.CancelScope() as scope:
        giver.leaving_ends(scope)
        try:
            await _give_all(cell, chunks, giver)
        finally:
            giver.leaving_ends(None)
    return ENDED


async def _give_all(cell: Cell, chunks: AsyncGenerator[Any, None], sink: _Sink) -> None:
    """Drive the generator to its end. No scope is opened here: its own may be open at a `yield`."""
    chunk: Any = _NOTHING
    looked, slice_end = 0.0, math.inf
    try:
        while True:
            if looked >= slice_end or not sink.has_room:
                slice_end = math.inf  # counted from the next chunk on
                try:
                    await sink.until_room()
                except BaseException as error:
                    chunk = await _raise_there(chunks, error)
                    continue
            if chunk is _NOTHING:
                chunk = await chunks.__anext__()
            sink.put(chunk)
            chunk, looked = _NOTHING, note_chunk(cell, chunk)
            if slice_end == math.inf:
                slice_end = looked + SLICE
    except StopAsyncIteration:
        return
    finally:
        await chunks.aclose()  # a mere look where it has ended; RuntimeError where it will not


async def _raise_there(chunks: AsyncGenerator[Any, None], error: BaseException) -> Any:
    """Raise at the `yield`; what it yields next where it has caught that, as with a timeout of its own."""
    chunk = await chunks.athrow(error)
    if trio.current_effective_deadline() == -math.inf:  # it yields on where it is to end
        raise error
    return chunk
