"""Tools that order: interrupt, stop, suspend, resume. Of what is below the agent, and what it had adopted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated, NotRequired

import trio
from pydantic import Field
from typing_extensions import TypedDict

from actors.core.lifecycle import ActorState
from actors.mcp.faults import ToolFault, text_of
from actors.mcp.reach import may_order
from actors.mcp.tool import Call, Tool
from actors.mcp.tools.looking import seen
from actors.mcp.tools.shapes import Path, Paths, Seen
from actors.supervision.family import Family

if TYPE_CHECKING:
    from actors.core.cell import Cell
    from actors.core.ref import Ref

__all__ = ["ORDERS"]


class Interrupted(TypedDict):
    """What came of an interrupt."""

    path: str
    confirmed: Annotated[
        bool, Field(description="It ended the handler; false: nothing was in hand, or it ended by itself.")
    ]


class OneStop(TypedDict):
    """What came of one stop."""

    path: str
    stopped: bool
    exit: NotRequired[Annotated[str, Field(description="NORMAL, SHUTDOWN, KILLED, ...")]]
    error: NotRequired[str]


class Stopped(TypedDict):
    """What came of a stop."""

    results: list[OneStop]
    ended: Annotated[list[str], Field(description="All that have ended by it, in the order of their ends.")]


def _ordered(call: Call, said: str) -> Ref:
    """The actor, if the agent may order it; raises `ToolFault`."""
    ref = call.house.find(said)
    me = call.agent.ctx.ref
    whole = call.house.gate.reach == "tree"
    if ref == me:
        raise ToolFault("that is yourself: disconnect, and you end with all that you have spawned")
    if not may_order(me.path, ref.path, call.agent.adopted, whole=whole):
        raise ToolFault(f"{ref.path} is not yours to order: what is below you is, and what you had adopted")
    return ref


async def interrupt(call: Call, path: Path) -> Interrupted:
    """Cancel the handler that is at work, and return when it has ended. The actor and its mailbox stay.

    Whoever asked gets an error. A function that is an actor is called again from its beginning.
    """
    await trio.lowlevel.checkpoint_if_cancelled()
    ref = _ordered(call, path)
    return Interrupted(path=ref.path, confirmed=await ref.interrupt())


async def stop(
    call: Call,
    paths: Paths,
    force: Annotated[
        bool, Field(description="Also those that are busy: their work is cancelled. Else they are refused.")
    ] = False,
) -> Stopped:
    """End actors for good, with all that is below them, the deepest first; several at the same time.

    Without force, one that is busy, or has somebody busy below it, is left as it is.
    """
    await trio.lowlevel.checkpoint_if_cancelled()
    results: dict[str, OneStop] = {}
    begun: dict[str, Ref] = {}
    for path in dict.fromkeys(paths):
        try:
            ref = _ordered(call, path)
            busy = [one.path for one in _with_below(ref.cell) if one.state is ActorState.BUSY]
            if busy and not force:
                raise ToolFault(f"{', '.join(busy[:5])} is busy: wait, interrupt it, or stop with force=true")
            begun[path] = ref
        except ToolFault as fault:
            results[path] = OneStop(path=path, stopped=False, error=text_of(fault) or "")
    cells = {cell: None for ref in begun.values() for cell in _with_below(ref.cell)}
    for ref in begun.values():  # all of them in this step: what was idle is so still
        if force:
            ref.kill()
        else:
            ref.stop()
    for path, ref in begun.items():
        exit = await ref.wait_stopped()
        results[path] = OneStop(path=ref.path, stopped=True, exit=exit.kind.name)
    return Stopped(results=[results[path] for path in dict.fromkeys(paths)], ended=_in_order_of_ends(cells))


def _in_order_of_ends(cells: Iterable[Cell]) -> list[str]:
    gone = [cell for cell in cells if cell.is_gone]
    gone.sort(key=lambda cell: (cell.ended_at, -cell.path.count("/")))
    return [cell.path for cell in gone]


def _with_below(top: Cell) -> Iterator[Cell]:
    waiting = [top]  # no recursion: a tree may be deeper than Python's stack
    while waiting:
        cell = waiting.pop()
        yield cell
        if isinstance(cell, Family):
            waiting.extend(cell.children.values())


async def suspend(
    call: Call,
    path: Path,
    until_message: Annotated[
        bool, Field(description="The next message that comes, or waits already, resumes it.")
    ] = False,
) -> Seen:
    """Let an actor take no more messages; it finishes the one in hand, and others wait in its mailbox."""
    await trio.lowlevel.checkpoint_if_cancelled()
    ref = _ordered(call, path)
    ref.suspend(until_message=until_message)
    await trio.lowlevel.cancel_shielded_checkpoint()
    return seen(ref)


async def resume(call: Call, path: Path) -> Seen:
    """Let an actor that is suspended take messages again."""
    await trio.lowlevel.checkpoint_if_cancelled()
    ref = _ordered(call, path)
    ref.resume()
    await trio.lowlevel.cancel_shielded_checkpoint()
    return seen(ref)


ORDERS = (
    Tool(interrupt, title="Interrupt a handler", destroys=True),
    Tool(stop, title="Stop actors", destroys=True, repeats=True),
    Tool(suspend, title="Suspend an actor", repeats=True),
    Tool(resume, title="Resume an actor", repeats=True),
)
