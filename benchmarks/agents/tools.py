"""What a call of a tool costs: an ask of an actor, beside a bare server of the same library."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Mapping
from functools import partial
from typing import Any

import mcp
from mcp.server import MCPServer

import actors
from actors.mcp import Gate, Offer, build_server, start_mcp
from benchmarks.agents.sizes import Sizes
from benchmarks.harness.figures import Figures, measured, percentiles

__all__ = ["tools"]

BARE = "a bare server, in memory"
OURS = "ask an actor, in memory"
HTTP = "ask an actor, over HTTP"


@actors.message
class Say(actors.Request[str]):
    """Something to be said again."""

    text: str


class Echo(actors.Actor):
    """Says what it hears."""

    @actors.receive
    def hear(self, message: Say) -> str:
        return message.text


async def _called(client: mcp.Client, calls: int, tool: str, **arguments: Any) -> Mapping[str, float]:
    heard: list[float] = []
    for _ in range(calls):
        began = time.perf_counter()
        assert not (await client.call_tool(tool, arguments)).is_error
        heard.append(time.perf_counter() - began)
    return percentiles(heard)


async def _bare(calls: int) -> Mapping[str, float]:
    server = MCPServer("bench", log_level="ERROR")

    @server.tool()
    async def echo(message: str) -> str:
        return message

    async with mcp.Client(server) as client:
        return await _called(client, calls, "echo", message="good day")


async def _asked(calls: int, *, http: bool) -> Mapping[str, float]:
    gate = Gate(templates={"echo": Offer(actors.Template(Echo), text=Say)})
    async with actors.open_system("bench", watchdog=None) as system:
        where = (await start_mcp(system, gate)).url if http else build_server(system, gate)
        async with mcp.Client(where) as client:
            spawned = await client.call_tool("spawn", {"template": "echo", "name": "echo"})
            assert spawned.structured_content is not None
            path = spawned.structured_content["path"]
            return await _called(client, calls, "ask", path=path, message="good day")


async def tools(sizes: Sizes, rounds: int) -> AsyncGenerator[Figures]:
    """What does a call of a tool cost?"""
    yield await measured(
        f"a call of a tool, {sizes.calls:,} one after the other",
        {"p50": "ms", "p99": "ms"},
        {
            BARE: partial(_bare, sizes.calls),
            OURS: partial(_asked, sizes.calls, http=False),
            HTTP: partial(_asked, sizes.calls, http=True),
        },
        rounds,
        base=BARE,
    )
