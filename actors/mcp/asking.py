"""Waiting for a reply in the name of an agent.

Signs of life reach the client, and its cancellation reaches the handler.
"""

from __future__ import annotations

import json
import math
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import trio

from actors.core.mailbox import ASKED
from actors.events import Progressed
from actors.mcp.faults import ToolFault
from actors.mcp.reach import is_within
from actors.mcp.tool import sound
from actors.messages import StreamRequest
from actors.spawning.delegated import Delegated
from actors.spawning.poolcell import PoolFamily

if TYPE_CHECKING:
    from actors.core.ask import Pending
    from actors.core.cell import Cell
    from actors.core.ref import Ref
    from actors.mcp.tool import Call
    from actors.messages import Request

__all__ = ["is_streamed", "take_chunks", "wait_for"]

_APART: Final = 0.25
"""Seconds from one notification of progress to the next: what comes in between is not told."""


async def wait_for(call: Call, ref: Ref, pending: Pending[Any], idle: float | None) -> Any:
    """The reply, or the error of the request. A checkpoint.

    Signs of life of the actor, or of what is below it, are told to the client, and begin the time of `idle`
    seconds anew. When that is over, and when the client cancels, the request is withdrawn, and a handler
    that has it in hand is interrupted: nobody else waits for its reply.
    """
    try:
        with trio.CancelScope() as silence:
            async with _heard(call, ref, silence, idle):
                return await pending.wait()
    finally:
        if not pending.done:
            pending.cancel()
            call.guests.nursery.start_soon(_let_go, ref, pending)
    raise ToolFault(f"no sign of life of {ref.path} for {idle:g} s: the request is withdrawn")


def is_streamed(request: object) -> bool:
    """Whether its reply comes in chunks."""
    return isinstance(request, StreamRequest)


async def take_chunks(
    call: Call, ref: Ref, request: Request[Any], timeout: float | None, idle: float | None
) -> list[Any]:
    """All chunks of a stream; the client is told of each when it comes. A checkpoint.

    Raises what `ref.stream` does. When the client cancels, the handler is cancelled.
    """
    chunks: list[Any] = []
    async with ref.stream(request, timeout=timeout, idle=idle) as stream:
        async for chunk in stream:
            chunks.append(chunk)
            shown = chunk if isinstance(chunk, str) else json.dumps(call.house.values.out(chunk))
            await call.report(len(chunks), None, sound(shown))
    return chunks


async def _let_go(ref: Ref, pending: Pending[Any]) -> None:
    """Interrupt the handler that works for nobody any more, if it has this request in hand still.

    A function outside `ctx.handling()` is left alone: it would lose all that it knows.
    """
    cell = _at_work(ref.cell, pending)
    if cell is None:
        return
    handling = cell.context is not None and cell.context.hand is not None
    if cell.recipe.actor_class is not None or handling:
        await cell.ref.interrupt()  # begins in this step: what is in hand now is what was looked at


def _at_work(cell: Cell, pending: Pending[Any]) -> Cell | None:
    """Who has the request in hand: the actor itself, or the worker that its pool has handed it to."""
    workers = cell.children.values() if isinstance(cell, PoolFamily) else ()
    for one in (cell, *workers):
        asked = None if one.item is None else one.item[ASKED]
        if asked is pending or (isinstance(asked, Delegated) and asked.asked is pending):
            return one
    return None


@asynccontextmanager
async def _heard(call: Call, ref: Ref, silence: trio.CancelScope, idle: float | None) -> AsyncGenerator[None]:
    if idle is None and not call.wants_progress:
        yield
        return
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_listen, call, ref, silence, idle)
        yield
        nursery.cancel_scope.cancel()


async def _listen(call: Call, ref: Ref, silence: trio.CancelScope, idle: float | None) -> None:
    if idle is not None:
        silence.deadline = trio.current_time() + idle
    count, told = 0, -math.inf
    async with call.house.system.subscribe(Progressed) as signs:
        async for sign in signs:
            if not isinstance(sign, Progressed) or not is_within(sign.ref.path, ref.path):
                continue
            count += 1
            if idle is not None:
                silence.deadline = sign.at + idle
            if call.wants_progress and sign.at - told >= _APART:
                told = sign.at
                await call.report(count, None, f"{sign.ref.path} is at work")
