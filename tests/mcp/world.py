"""Actors, and a client of a system, for the tests of MCP."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

import attrs
import mcp
import trio
from mcp.types import Implementation

import actors
from actors.mcp import Gate, build_server


@actors.message(tag="mcp-tests.Add")
class Add(actors.Request[int]):
    """Ask for a sum."""

    one: int
    other: int


@actors.message(tag="mcp-tests.Work")
class Work(actors.Request[str]):
    """Ask for something that takes time."""

    seconds: float


@actors.message(tag="mcp-tests.Note")
class Note:
    """Be told something."""

    text: str


class Worker(actors.Actor):
    """Adds, works for a time, and remembers."""

    def __init__(self, greeting: str = "hello", start: float = 0.0, stop: float = 0.0) -> None:
        self.greeting = greeting
        self.start = start
        self.stop = stop
        self.notes: list[str] = []

    async def on_start(self) -> None:
        await trio.sleep(self.start)
        if self.greeting == "broken":
            raise ValueError("it cannot be greeted so")

    async def on_stop(self, exit: actors.Exit) -> None:
        await trio.sleep(self.stop)

    @actors.receive
    def add(self, message: Add) -> int:
        return message.one + message.other

    @actors.receive
    async def work(self, message: Work) -> str:
        left = message.seconds
        while left > 0:
            await trio.sleep(min(1.0, left))
            left -= 1.0
            self.ctx.progress()
        return f"worked {message.seconds:g} s"

    @actors.receive
    def note(self, message: Note | str) -> None:
        self.notes.append(message if isinstance(message, str) else message.text)

    def on_unhandled(self, message: object) -> Any:
        text = getattr(message, "text", None)
        if text is None:
            return super().on_unhandled(message)
        if text == "notes":
            return list(self.notes)
        if text == "fail":
            raise RuntimeError("a secret of the house")
        return f"{self.greeting}, {text}"


def a_gate(**options: Any) -> Gate:
    """A gate with workers and all messages of this file."""
    given: dict[str, Any] = {
        "templates": {
            "worker": actors.mcp.Offer(Worker, keys=["greeting", "start", "stop"], about="It works.")
        },
        "messages": [Add, Work, Note],
        "limits": actors.SpawnLimits(max_active=20, cooldown=0.1),
    }
    return Gate(**(given | options))


@attrs.define
class Talk:
    """A client, and what it gets."""

    client: mcp.Client

    async def __call__(self, tool: str, **arguments: Any) -> Any:
        """The structured result; an error fails the test."""
        result = await self.client.call_tool(tool, arguments)
        assert not result.is_error, result.content[0].text
        assert result.structured_content is not None
        return result.structured_content

    async def text(self, tool: str, **arguments: Any) -> str:
        """The text of a result."""
        result = await self.client.call_tool(tool, arguments)
        assert not result.is_error
        return result.content[0].text

    async def error(self, tool: str, **arguments: Any) -> str:
        """The text of an error; a result fails the test."""
        result = await self.client.call_tool(tool, arguments)
        assert result.is_error, result.structured_content
        assert result.structured_content is None
        return result.content[0].text

    async def error_of_stop(self, path: str) -> str:
        """Why one actor is not stopped."""
        [result] = (await self("stop", paths=[path]))["results"]
        assert not result["stopped"]
        return result["error"]


@asynccontextmanager
async def talking(
    server: Any, name: str = "coder", mode: str = "auto", **options: Any
) -> AsyncGenerator[Talk]:
    """A client of a server, by the name that it gives itself."""
    async with mcp.Client(
        server, mode=mode, client_info=Implementation(name=name, version="1"), **options
    ) as client:
        yield Talk(client)


@asynccontextmanager
async def a_talk(gate: Gate | None = None, **options: Any) -> AsyncGenerator[tuple[actors.System, Talk]]:
    """A system with one client."""
    async with actors.open_system("town") as system:
        server = build_server(system, gate or a_gate())
        async with talking(server, **options) as talk:
            yield system, talk


async def until(condition: Callable[[], object]) -> None:
    """Let others run until it is so."""
    for _ in range(1000):
        if condition():
            return
        await trio.lowlevel.checkpoint()
    raise AssertionError("it never came to be so")
