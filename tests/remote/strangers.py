"""Those who are no nodes: raw sockets and bare WebSockets, against a node that listens."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import attrs
import trio
from trio_websocket import ConnectionClosed, WebSocketConnection, wrap_client_stream

import actors
from actors.events import ConnectionRefused
from actors.remote.handshake import SUBPROTOCOL

TOKEN = "secret"
UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: there\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    b"Sec-WebSocket-Protocol: actors.v1\r\n\r\n"
)


@actors.message(tag="test.strangers.Echo")
class Echo(actors.Request[str]):
    text: str


class Parrot(actors.Actor):
    @actors.receive
    def echo(self, message: Echo) -> str:
        return message.text


@attrs.define
class Door:
    """A node that listens, and whom it has turned away."""

    system: actors.System
    listener: actors.Listener
    refusals: trio.MemoryReceiveChannel[ConnectionRefused]

    @property
    def url(self) -> str:
        return self.listener.url

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    async def refusal(self) -> ConnectionRefused:
        """Whom it has turned away next."""
        with trio.fail_after(10):
            return await self.refusals.receive()

    @property
    def has_refused_more(self) -> bool:
        return bool(self.refusals.statistics().current_buffer_used)

    async def serves(self) -> None:
        """It goes on: a good node gets in, and is answered."""
        async with actors.open_system("good") as good:
            peer = await good.connect(self.url, token=TOKEN, timeout=5)
            assert await peer.ref("/parrot").ask(Echo("still here"), timeout=5) == "still here"
            peer.close()

    async def dial(self) -> trio.SocketStream:
        return await trio.open_tcp_stream("127.0.0.1", self.port)


@asynccontextmanager
async def door(**options: Any) -> AsyncGenerator[Door]:
    """A node named beta, with a parrot, that listens with a token."""
    put, get = trio.open_memory_channel[ConnectionRefused](10_000)
    async with trio.open_nursery() as nursery, actors.open_system("beta", spawnable=[Parrot]) as beta:
        beta.spawn(Parrot, name="parrot")
        async with beta.subscribe(ConnectionRefused) as events:

            async def hear() -> None:
                async for event in events:
                    assert isinstance(event, ConnectionRefused)
                    await put.send(event)

            nursery.start_soon(hear)
            listener = await beta.listen("127.0.0.1", 0, **{"token": TOKEN, **options})
            yield Door(beta, listener, get)
            nursery.cancel_scope.cancel()


def hello(**fields: Any) -> dict[str, Any]:
    """The first frame of a good stranger, with some of it changed."""
    return {"k": "hello", "protocol": 1, "node": "stranger", "incarnation": "a1", "token": TOKEN} | fields


@attrs.define
class Stranger:
    """A bare WebSocket that speaks frames."""

    socket: WebSocketConnection
    sent: list[int] = attrs.field(factory=lambda: [0, 0])
    received: list[int] = attrs.field(factory=lambda: [0, 0])

    async def say(self, frame: Any) -> None:
        await self.socket.send_message(frame if isinstance(frame, str) else json.dumps(frame))

    async def hear(self, *kinds: str) -> Any:
        """The next frame of one of these kinds."""
        with trio.fail_after(10):
            while True:
                frame = json.loads(await self.socket.get_message())
                if not kinds or frame["k"] in kinds:
                    return frame

    async def refused(self) -> tuple[str, str]:
        """The reason and the text of its refusal, behind which the connection is closed."""
        frame = await self.hear("refused")
        with trio.fail_after(10):
            with contextlib.suppress(ConnectionClosed):
                while True:
                    await self.socket.get_message()
        assert self.socket.closed is not None
        assert (self.socket.closed.code, self.socket.closed.reason) == (1008, frame["reason"])
        return frame["reason"], frame.get("text", "")

    async def join(self, **fields: Any) -> Any:
        """Shake hands; the welcome."""
        await self.say(hello(**fields))
        welcome = await self.hear()
        assert welcome["k"] == "welcome", welcome
        await self.beat()
        return welcome

    async def beat(self, **fields: Any) -> None:
        frame = {"k": "beat", "time": 0.0, "echo": None, "sent": self.sent, "ack": self.received}
        await self.say(frame | fields)

    async def put(self, *items: Any, lane: str = "d") -> None:
        """Send items in one frame, with their numbers."""
        index = "cd".index(lane)
        await self.say({"k": "items", "ack": self.received, lane: [self.sent[index] + 1, list(items)]})
        self.sent[index] += len(items)

    async def take(self, kind: str) -> Any:
        """The next item of a kind."""
        while True:
            frame = await self.hear("items", "refused")
            assert frame["k"] == "items", frame
            found = None
            for index, lane in enumerate("cd"):
                first, items = frame.get(lane, [0, []])
                if items:
                    self.received[index] = first + len(items) - 1
                found = next((item for item in items if item["k"] == kind), found)
            if found is not None:
                return found


@asynccontextmanager
async def stranger(
    url: str, subprotocol: str = SUBPROTOCOL, headers: Sequence[tuple[bytes, bytes]] = ()
) -> AsyncGenerator[Stranger]:
    """A WebSocket to a node, dropped behind the block."""
    host, port = url.removeprefix("ws://").split(":")
    try:
        async with await trio.open_tcp_stream(host, int(port)) as stream, trio.open_nursery() as nursery:
            socket = await wrap_client_stream(
                nursery, stream, host, "/", subprotocols=[subprotocol], extra_headers=list(headers)
            )
            yield Stranger(socket)
            nursery.cancel_scope.cancel()
    except BaseExceptionGroup as group:
        if len(group.exceptions) == 1:
            raise group.exceptions[0] from None
        raise


async def read_all(stream: trio.SocketStream) -> bytes:
    """What comes until the other end closes."""
    got = b""
    with trio.fail_after(10):
        async for some in stream:
            got += some
    return got
