"""What answers a dialler and is no node, or none for it: one clear error, in time, and nothing is left."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest
import trio
import trio.testing
from trio_websocket import ConnectionClosed, WebSocketConnection, wrap_server_stream

import actors
from actors.remote.handshake import SUBPROTOCOL

WELCOME: dict[str, Any] = {
    "k": "welcome", "node": "beta", "incarnation": "b1", "session": "s1", "received": [0, 0]
}  # fmt: skip


@asynccontextmanager
async def port(serve: Callable[[trio.SocketStream], Awaitable[None]]) -> AsyncGenerator[str]:
    """The URL at which every connection is served like this."""

    async def contained(stream: trio.SocketStream) -> None:
        try:
            await serve(stream)
        except* (trio.BrokenResourceError, trio.ClosedResourceError, ConnectionClosed):
            pass

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(partial(trio.serve_tcp, contained, 0, host="127.0.0.1"))
        yield f"ws://127.0.0.1:{listeners[0].socket.getsockname()[1]}"
        nursery.cancel_scope.cancel()


def says(answer: bytes) -> Callable[[trio.SocketStream], Awaitable[None]]:
    async def serve(stream: trio.SocketStream) -> None:
        await stream.receive_some()
        await stream.send_all(answer)
        await stream.send_eof()
        async for _ in stream:
            pass

    return serve


def websocket(
    *frames: Any, subprotocol: str | None = SUBPROTOCOL, size: int = 0
) -> Callable[[trio.SocketStream], Awaitable[None]]:
    """A WebSocket that answers the hello with these frames."""

    async def serve(stream: trio.SocketStream) -> None:
        async with trio.open_nursery() as nursery:
            request = await wrap_server_stream(nursery, stream)
            socket: WebSocketConnection = await request.accept(subprotocol=subprotocol)
            await socket.get_message()
            for frame in frames:
                await socket.send_message(frame if isinstance(frame, str | bytes) else json.dumps(frame))
            while True:
                await socket.get_message()

    return serve


async def fails(url: str, **options: Any) -> Exception:
    """The error of a node that dials there."""
    async with actors.open_system("alpha") as alpha:
        with trio.fail_after(5), pytest.raises((actors.LinkRefused, actors.NodeUnreachable)) as caught:
            await alpha.connect(url, **{"timeout": 4, **options})
        assert alpha.find("/system/links") is not None
        with pytest.raises(actors.UnknownNode):
            alpha.node("beta")
    return caught.value


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "HTTP 200: hello"),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "HTTP 404"),
        (b"SSH-2.0-OpenSSH_9.2p1 Debian\r\n", "no WebSocket handshake"),
        (b"\x00\x01\x02" * 1000, "no WebSocket handshake"),
        (b"", "no WebSocket handshake"),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n", "no WebSocket handshake"),
    ],
    ids=["page", "404", "ssh", "garbage", "nothing", "half an upgrade"],
)
async def test_what_is_no_node_is_unreachable(answer: bytes, words: str) -> None:
    async with port(says(answer)) as url:
        error = await fails(url)
    assert isinstance(error, actors.NodeUnreachable)
    assert words in str(error)


async def test_a_node_of_another_protocol_is_a_refusal_with_its_reason() -> None:
    body = b"protocol-mismatch: ask for the subprotocol actors.v9, not actors.v1\n"
    answer = b"HTTP/1.1 400 Bad Request\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    async with port(says(answer)) as url:
        error = await fails(url)
    assert isinstance(error, actors.LinkRefused)
    assert error.reason == "protocol-mismatch"
    assert "actors.v9" in str(error)


@pytest.mark.parametrize("subprotocol", [None])
async def test_a_websocket_of_something_else_is_unreachable(subprotocol: str | None) -> None:
    async with port(websocket(subprotocol=subprotocol)) as url:
        error = await fails(url)
    assert f"does not speak {SUBPROTOCOL}" in str(error)


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        ("{", "bad-frame"),
        (b"binary", "bad-frame"),
        ("[" * 1000, "bad-frame"),
        ({"k": "nonsense"}, "bad-frame"),
        ({"k": "hello", "protocol": 1, "node": "beta", "incarnation": "b"}, "bad-frame"),
        (WELCOME | {"surprise": 1}, "bad-frame"),
        (WELCOME | {"received": [0]}, "bad-frame"),
        (WELCOME | {"node": "a b"}, "bad-name"),
        (WELCOME | {"node": "alpha"}, "same-name"),
        (WELCOME | {"incarnation": ""}, "bad-name"),
        (WELCOME | {"lease": 0}, "settings-mismatch"),
        (WELCOME | {"resumed": True}, "session-gone"),
        ({"k": "refused", "reason": "unauthorized", "text": "who are you?"}, "unauthorized"),
        ({"k": "refused", "reason": "unheard-of"}, "bad-frame"),
        ("x" * 300_000, "too-large"),
    ],
)
async def test_a_bad_answer_to_the_hello_is_a_refusal_with_the_reason(frame: Any, reason: str) -> None:
    async with port(websocket(frame)) as url:
        error = await fails(url)
    assert isinstance(error, actors.LinkRefused)
    assert error.reason == reason


@pytest.mark.parametrize("host", ["nobody.invalid", "n" * 300, "ü" * 100, "127.0.0.1"])
async def test_a_name_that_leads_nowhere_is_unreachable(host: str) -> None:
    assert isinstance(await fails(f"ws://{host}:1"), actors.NodeUnreachable)


async def test_a_dialler_that_is_stopped_meanwhile_is_an_error_of_the_one_who_waits() -> None:
    async with port(websocket()) as url, actors.open_system("alpha") as alpha:

        async def stop() -> None:
            await trio.testing.wait_all_tasks_blocked(0.05)
            for node in alpha.tree().children:
                if node.path == "/system":
                    for one in node.children[0].children:
                        ref = alpha.find(one.path)
                        assert ref is not None
                        ref.kill()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(stop)
            with pytest.raises(actors.NodeUnreachable):
                await alpha.connect(url, timeout=5)


async def test_nobody_there_and_nobody_who_speaks_end_in_time() -> None:
    async def silent(stream: trio.SocketStream) -> None:
        async for _ in stream:
            pass

    async with port(silent) as url:
        error = await fails(url, timeout=0.2)
        assert "no answer within 0.2 s" in str(error)
    assert isinstance(await fails(url), actors.NodeUnreachable)  # the port is closed now
    async with port(websocket()) as url:
        assert "no answer within 0.2 s" in str(await fails(url, timeout=0.2))


async def test_what_breaks_behind_the_welcome_is_dialled_again(caplog: pytest.LogCaptureFixture) -> None:
    """Each connection says something wrong; the node refuses it, and tries again until it is told to stop."""
    caplog.set_level(logging.WARNING)
    ends = trio.Semaphore(0)
    refusals: list[Any] = []

    async def serve(stream: trio.SocketStream) -> None:
        async with trio.open_nursery() as nursery:
            request = await wrap_server_stream(nursery, stream)
            socket = await request.accept(subprotocol=SUBPROTOCOL)
            hello = json.loads(await socket.get_message())
            await socket.send_message(json.dumps(WELCOME | {"resumed": hello.get("resume") is not None}))
            await socket.send_message('{"k":"nonsense"}')
            while True:
                try:
                    frame = json.loads(await socket.get_message())
                except ConnectionClosed:
                    break
                if frame["k"] == "refused":
                    refusals.append(frame)
            ends.release()
            nursery.cancel_scope.cancel()

    async with port(serve) as url, actors.open_system("alpha") as alpha:
        with trio.fail_after(10):
            peer = await alpha.connect(url)
            for _ in range(3):
                await ends.acquire()
        assert peer.state is not actors.LinkState.DOWN
    assert {one["reason"] for one in refusals} == {"bad-frame"}
    assert len(refusals) >= 3
