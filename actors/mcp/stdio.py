"""`serve_stdio`: one client, which has started this process and speaks to it through stdin and stdout."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

import trio
from mcp.server.stdio import stdio_server

from actors.errors import flatten
from actors.mcp.server import build_server
from actors.mcp.wire import Lines, ReaderGone, TextOut, taken_over

if TYPE_CHECKING:
    from actors.mcp.gate import Gate
    from actors.system import System

__all__ = ["serve_stdio"]

_LAST_WORDS: Final = 2.0
"""Seconds for what is on its way out when the client has said its last."""


async def serve_stdio(system: System, gate: Gate) -> None:
    """Serve one client over stdin and stdout, until it closes them or this is cancelled. A checkpoint.

    Until then stdin and stdout belong to the protocol: what is printed meanwhile, here or by programs that
    are started, comes out on stderr. Afterwards they are what they were, and what the client has spawned
    has ended. Lines that are no messages are passed over; a line may have 4 MiB.

    Raises OSError where stdin or stdout are closed, and what the system raises. One at a time in a process.
    """
    server = build_server(system, gate)
    served: Any = server._lowlevel_server  # pyright: ignore[reportPrivateUsage]
    try:
        with taken_over() as (source, target), trio.CancelScope() as scope:
            lines, text = cast("Any", Lines(source)), cast("Any", TextOut(target))
            async with stdio_server(lines, text) as (read, write):
                await served.run(read, write, served.create_initialization_options())
                scope.deadline = trio.current_time() + _LAST_WORDS
    except ExceptionGroup as group:
        errors = [error for error in flatten(group) if not isinstance(error, ReaderGone)]
        if errors:
            raise errors[0] from None
