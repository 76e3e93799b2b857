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
from actors.core.flow import Giver
from actors.core.mailbox import ASKED
from actors.core.pace import BATCH
from actors.events import Progressed

if TYPE_CHECKING:
    from actors.core.ask import Pending
    from actors.core.cell import Cell

__all__ = ["driven", "note_chunk"]

_NOTHING = object()


class _Sink(Protocol):
    @property
    def has_room(self) -> bool: ...
    async def until_room(self) -> None: ...
    def put(self, chunk: Any, /) -> None: ...


class _Whole:
    """Takes all chunks, and keeps them while somebody wants them in one."""

    __slots__ = ("_asked", "_left", "chunks")

    def __init__(self, asked: Pending[Any] | None) -> None:
        self._asked = asked
        self.chunks: list[Any] = []
        self._left = BATCH

    @property
    def has_room(self) -> bool:
        return self._left > 0

    async def until_room(self) -> None:
        self._left = BATCH
        await trio.lowlevel.checkpoint()

    def put(self, chunk: Any, /) -> None:
        self._left -= 1
        if self._asked is None:
            return
        if self._asked.done:  # its asker has left, and the generator goes on, for ever it may be
            self._asked = None
            self.chunks.clear()
        else:
            self.chunks.append(chunk)


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
    asked = None if cell.item is None else cell.item[ASKED]
    if asked is None or asked.stream is None:
        wanted = None if asked is None or asked.is_told else asked
        whole = _Whole(wanted)
        await _give_all(cell, chunks, whole)
        return None if wanted is None else tuple(whole.chunks)
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
    try:
        while True:
            if not sink.has_room:
                try:
                    await sink.until_room()
                except BaseException as error:
                    chunk = await _raise_there(chunks, error)
                    continue
            if chunk is _NOTHING:
                chunk = await chunks.__anext__()
            sink.put(chunk)
            note_chunk(cell, chunk)
            chunk = _NOTHING
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


def note_chunk(cell: Cell, chunk: Any) -> None:
    """Giving a chunk is a sign of life; text and bytes count as output."""
    at = cell.active_at = cell.now()
    size = len(chunk) if isinstance(chunk, str | bytes) else 0
    if cell.vigil is not None:
        cell.vigil.progress(at, size)
    if cell.kernel.listeners:
        cell.kernel.emit(Progressed, cell.ref, "progress", size)
