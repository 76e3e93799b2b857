"""A system that clients reach over a real loopback socket, and the official client."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

import attrs
import httpx2
import trio
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.types import Implementation

import actors
from actors.mcp import Gate, McpServer, Offer, start_mcp

__all__ = ["Reached", "Say", "gate", "reached", "said", "until"]


@actors.message
class Say(actors.Request[str]):
    text: str


class Hand(actors.Actor):
    """Says what it is told; "wait" takes for ever, "steps" tells how it goes on, "print" makes noise."""

    cut: list[str] = []  # noqa: RUF012 - the class of one test at a time

    @actors.receive
    async def hear(self, message: Say) -> str:
        if message.text == "wait":
            try:
                await trio.sleep_forever()
            finally:
                self.cut.append(self.ctx.ref.path)
        if message.text == "steps":
            for _ in range(3):
                self.ctx.progress()
                await trio.sleep(0.06)
        if message.text == "big":
            return "x" * 200_000
        return message.text


def gate(**more: Any) -> Gate:
    """One that allows hands."""
    limits = actors.SpawnLimits(cooldown=0.1, max_active=10)
    hand = actors.Template(Hand, policy=actors.Policy(shutdown=0.2))
    return Gate(templates={"hand": Offer(hand, text=Say)}, limits=limits, **more)


def said(result: Any) -> Any:
    """What a call has brought, which went well."""
    assert not result.is_error, result.content[0].text
    return result.structured_content


async def until(happened: Callable[[], Any], seconds: float = 5) -> Any:
    """What a real socket brings about: looked for until it is there."""
    with trio.fail_after(seconds):
        while not (found := happened()):  # noqa: ASYNC110 - it comes from outside of this loop
            await trio.sleep(0.01)
    return found


@attrs.frozen
class Reached:
    """What a test has in hand."""

    system: actors.System
    server: McpServer

    @asynccontextmanager
    async def client(
        self, token: str | None = None, name: str = "crew", **headers: str
    ) -> AsyncGenerator[Client]:
        """The official client, connected."""
        async with self.http(token, **headers) as http:
            transport = streamable_http_client(self.server.url, http_client=http)
            async with Client(transport, client_info=Implementation(name=name, version="1")) as client:
                yield client

    def http(self, token: str | None = None, **headers: str) -> httpx2.AsyncClient:
        """A plain client."""
        words = {} if token is None else {"authorization": f"Bearer {token}"}
        accept = {"accept": "application/json, text/event-stream"}
        return httpx2.AsyncClient(headers=words | accept | headers, timeout=10)

    def is_busy(self) -> bool:
        """Whether somebody below `/agents` has something in hand."""
        nodes = self.system.tree().walk()
        return any(node.state == "BUSY" for node in nodes if node.path.startswith("/agents/"))

    def paths(self) -> list[str]:
        """Everybody below `/agents`."""
        return [node.path for node in self.system.tree().walk() if node.path.startswith("/agents/")]


@asynccontextmanager
async def reached(given: Gate | None = None, **settings: Any) -> AsyncGenerator[Reached]:
    """A system that is served. With `tokens` there is no gate besides."""
    Hand.cut.clear()
    async with actors.open_system("alpha") as system:
        chosen = given or (None if "tokens" in settings and "token" not in settings else gate())
        yield Reached(system, await start_mcp(system, chosen, **settings))
