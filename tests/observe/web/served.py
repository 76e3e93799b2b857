"""A system that is served, and a client that asks it over loopback."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

import attrs
import httpx2
import trio

import actors
from actors.observe.web import Observatory, start_observatory

TOKEN = "a-token-for-all"


class Echo(actors.Actor):
    """Returns what it is told; fails over "boom"."""

    @actors.receive
    async def hear(self, said: str) -> str:
        if said.startswith("boom"):
            raise ValueError(said)
        if said == "sleep":
            await trio.sleep_forever()
        return said


@attrs.frozen
class Served:
    """What a test has in hand."""

    system: actors.System
    observatory: Observatory
    client: httpx2.AsyncClient

    def client_of(self, token: str | None = None, **headers: str) -> httpx2.AsyncClient:
        """Another client."""
        said = {} if token is None else {"authorization": f"Bearer {token}"}
        return httpx2.AsyncClient(base_url=self.observatory.url, headers=said | headers, timeout=10)

    async def get(self, path: str, /, **query: Any) -> Any:
        """What is said with status 200."""
        answer = await self.client.get("/api/v1" + path, params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def post(self, path: str, /, **body: Any) -> httpx2.Response:
        """The answer to JSON."""
        return await self.client.post("/api/v1" + path, json=body)


@asynccontextmanager
async def served(token: str | None = None, **settings: Any) -> AsyncGenerator[Served]:
    """A system and its observatory."""
    async with actors.open_system("alpha") as system:
        observatory = await start_observatory(system, token=token, **settings)
        headers = {} if token is None else {"authorization": f"Bearer {token}"}
        client = httpx2.AsyncClient(base_url=observatory.url, headers=headers, timeout=10)
        async with client:
            yield Served(system, observatory, client)


async def until(happened: Callable[[], Any], seconds: float = 5) -> Any:
    """What a real socket or process brings about: looked for until it is there."""
    with trio.fail_after(seconds):
        while not (found := happened()):  # noqa: ASYNC110 - it comes from outside of this loop
            await trio.sleep(0.01)
    return found


class Viewer:
    """One end of the live connection: all frames by type, and the facts in order."""

    def __init__(self, socket: Any) -> None:
        self._socket = socket
        self.frames: list[dict[str, Any]] = []

    async def take(self) -> dict[str, Any]:
        """The next frame."""
        with trio.fail_after(5):
            frame = json.loads(await self._socket.receive_text())
        self.frames.append(frame)
        return frame

    async def take_until(self, wanted: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
        """Frames up to one that is wanted."""
        while True:
            frame = await self.take()
            if wanted(frame):
                return frame

    async def hello(self) -> dict[str, Any]:
        """All that a newcomer is told: up to its queue."""
        await self.take_until(lambda frame: frame["type"] == "requests")
        return self.frames[0]

    @property
    def facts(self) -> list[dict[str, Any]]:
        """All facts so far."""
        return [fact for frame in self.frames if frame["type"] == "events" for fact in frame["facts"]]

    async def say(self, **message: Any) -> None:
        """Say something to the server."""
        await self._socket.send_text(json.dumps(message))


@asynccontextmanager
async def viewing(client: httpx2.AsyncClient, **query: Any) -> AsyncGenerator[Viewer]:
    """A live connection."""
    async with client.websocket("/api/v1/live", params=query) as socket:
        yield Viewer(socket)
