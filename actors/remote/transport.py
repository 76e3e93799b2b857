"""WebSocket connections: opening them, accepting them, whole text frames in and out.

Rules of this file, each of which cost somebody a night:
- `serve_websocket` dies of one badly timed ping and of any error in a handler: accepting is
  our own, and each connection is contained.
- A cancelled `send_message` leaves half a frame on the wire: one task writes, and it is
  cancelled only together with the connection.
- The library stops answering pings when its queue is full: signs of life are our own frames.
- Its nurseries wrap errors in groups: they are unwrapped here and end as `WireBroken`.
"""

from __future__ import annotations

import contextlib
import ssl
import struct
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from socket import SO_LINGER, SOL_SOCKET
from typing import Any, Final, cast
from urllib.parse import urlsplit

import trio
from trio_websocket import (
    ConnectionClosed,
    ConnectionRejected,
    HandshakeError,
    WebSocketConnection,
    WebSocketRequest,
    connect_websocket,
    wrap_server_stream,
)

from actors.errors import flatten
from actors.remote.handshake import SUBPROTOCOL, Reason

__all__ = ["FRAME_LIMIT", "Wire", "WireBroken", "WireRefused", "accepted", "dialled", "url_faults"]

FRAME_LIMIT: Final = 256 * 1024
"""Bytes of one frame: a longer one ends the connection before it is in memory."""
_QUEUE: Final = 16
_POLITE: Final = 1.0
"""Seconds for the closing handshake."""
_PATH: Final = "/"


class WireBroken(Exception):
    """The connection is over. `reason` is for people, `code` the other end's closing code or None."""

    def __init__(self, reason: str, code: int | None = None) -> None:
        self.reason = reason
        self.code = code
        super().__init__(reason)


class WireRefused(Exception):
    """What came is no connection for us, or not from where it should; nothing was accepted."""

    def __init__(self, reason: Reason, text: str) -> None:
        self.reason = reason
        self.text = text
        super().__init__(text)


class Wire:
    """One connection: whole text frames."""

    def __init__(self, socket: WebSocketConnection, stream: trio.abc.Stream | None, peer: str) -> None:
        self._socket = socket
        self._stream = stream
        self.peer = peer
        """Where the other end is."""

    async def send(self, text: str) -> None:
        """Send one frame; raises `WireBroken`. A checkpoint. Cancelled, the connection is of no use."""
        try:
            await self._socket.send_message(text)
        except (ConnectionClosed, trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise self._broken(error) from None

    async def receive(self) -> str:
        """The next frame; raises `WireBroken`, and `WireRefused` for a binary one. A checkpoint."""
        try:
            text = await self._socket.get_message()
        except (ConnectionClosed, trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise self._broken(error) from None
        if not isinstance(text, str):
            raise WireRefused(Reason.BAD_FRAME, "frames are text, and a binary one came")
        return text

    def _broken(self, error: BaseException) -> WireBroken:
        closed = self._socket.closed
        if closed is None:
            return WireBroken(f"the connection broke ({type(error).__name__})")
        why = closed.reason or closed.name.lower().replace("_", " ")
        return WireBroken(f"the connection was closed: {why}", closed.code)

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close it politely, in bounded time. A checkpoint; shielded."""
        with trio.move_on_after(_POLITE, shield=True):
            with contextlib.suppress(Exception):
                await self._socket.aclose(code, _short(reason) or None)

    def drop_what_is_unsent(self) -> None:
        """The connection is dead: nothing that the kernel still holds may arrive later."""
        stream: Any = self._stream
        while stream is not None and not isinstance(stream, trio.SocketStream):
            stream = getattr(stream, "transport_stream", None)
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))


def _short(reason: str) -> str:
    """A closing reason has room for 123 bytes."""
    return reason.encode()[:123].decode(errors="ignore")


# --- dialling -------------------------------------------------------------------------


def url_faults(url: object) -> str | None:
    """What is wrong with the URL of a node, or None."""
    if not isinstance(url, str):
        return f"a URL is a str, not {url!r}: write ws://host:port"
    parts = urlsplit(url)
    if parts.scheme not in ("ws", "wss"):
        return f"{url!r} is no WebSocket URL: write ws://host:port, or wss://host:port with TLS"
    try:
        port = parts.port
    except ValueError:
        port = None
    if not parts.hostname or port is None:
        return f"{url!r} names no host and port: write {parts.scheme}://host:port"
    return None


@asynccontextmanager
async def dialled(url: str, ssl_context: ssl.SSLContext | None) -> AsyncGenerator[Wire]:
    """A connection to a URL, closed behind the block. Raises `WireBroken` where there is none."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    use_ssl: bool | ssl.SSLContext = (ssl_context or True) if parts.scheme == "wss" else False
    async with _unwrapped(), trio.open_nursery() as nursery:
        try:
            socket = await connect_websocket(
                nursery,
                parts.hostname,
                parts.port,
                parts.path or _PATH,
                use_ssl=use_ssl,
                subprotocols=[SUBPROTOCOL],
                message_queue_size=_QUEUE,
                max_message_size=FRAME_LIMIT,
                receive_buffer_size=65536,
            )
        except ConnectionRejected as error:
            body = (error.body or b"")[:300].decode(errors="replace")
            raise WireBroken(
                f"HTTP {error.status_code}: {body}" if body else f"HTTP {error.status_code}"
            ) from None
        except (OSError, HandshakeError, ssl.SSLError, trio.BrokenResourceError) as error:
            raise WireBroken(_os_reason(error)) from None
        if socket.subprotocol != SUBPROTOCOL:
            await Wire(socket, None, url).close(1002, "no subprotocol")
            raise WireBroken(f"it does not speak {SUBPROTOCOL}")
        try:
            yield Wire(socket, getattr(socket, "_stream", None), url)
        finally:
            await _end(nursery, socket)


def _os_reason(error: BaseException) -> str:
    cause = error.__cause__
    if isinstance(error, trio.BrokenResourceError) and cause is not None:
        return str(cause)
    if isinstance(cause, BaseExceptionGroup):  # all addresses of a name were tried
        return "; ".join(dict.fromkeys(str(leaf) for leaf in flatten(cast("BaseException", cause))))
    return str(error) or type(error).__name__


# --- accepting ------------------------------------------------------------------------

MayCome = Callable[[str | None], bool]
"""Whether a browser from this origin may connect; None: it is no browser."""


@asynccontextmanager
async def accepted(stream: trio.abc.Stream, may_come: MayCome, limit: float) -> AsyncGenerator[Wire]:
    """The connection that somebody opens over `stream`, closed behind the block.

    `limit` is in seconds, for TLS and HTTP. Raises `WireBroken` or `WireRefused`.
    """
    async with _unwrapped(), trio.open_nursery() as nursery:
        socket: WebSocketConnection | None = None
        with trio.move_on_after(limit):
            request = await _asked(nursery, stream)
            problem = _fault(request, may_come)
            if problem is not None:
                await request.reject(problem[0], body=f"{problem[1]}: {problem[2]}\n".encode())
                nursery.cancel_scope.cancel()
                raise WireRefused(problem[1], problem[2])
            socket = await request.accept(subprotocol=SUBPROTOCOL)
        if socket is None:
            nursery.cancel_scope.cancel()
            raise WireRefused(Reason.TOO_SLOW, f"no WebSocket handshake within {limit:g} s")
        try:
            yield Wire(socket, stream, _address(stream))
        finally:
            await _end(nursery, socket)


async def _asked(nursery: trio.Nursery, stream: trio.abc.Stream) -> WebSocketRequest:
    try:
        return await wrap_server_stream(
            nursery,
            stream,
            message_queue_size=_QUEUE,
            max_message_size=FRAME_LIMIT,
            receive_buffer_size=65536,
        )
    except (HandshakeError, ConnectionClosed, OSError, trio.BrokenResourceError) as error:
        raise WireBroken(f"no WebSocket handshake ({_os_reason(error)})") from None


def _fault(request: WebSocketRequest, may_come: MayCome) -> tuple[int, Reason, str] | None:
    """HTTP status, reason and text when the request is not for us."""
    if SUBPROTOCOL not in request.proposed_subprotocols:
        offered = ", ".join(request.proposed_subprotocols) or "none"
        return 400, Reason.PROTOCOL_MISMATCH, f"ask for the subprotocol {SUBPROTOCOL}, not {offered}"
    headers: list[tuple[bytes, bytes]] = list(request.headers)
    origin = next((value.decode("latin-1") for name, value in headers if name.lower() == b"origin"), None)
    if not may_come(origin):
        return (
            403,
            Reason.FORBIDDEN_ORIGIN,
            f"pages of {origin} may not connect: name it in listen(origins=...)",
        )
    return None


def _address(stream: Any) -> str:
    while stream is not None and not isinstance(stream, trio.SocketStream):
        stream = getattr(stream, "transport_stream", None)
    try:
        host, port = cast("trio.SocketStream", stream).socket.getpeername()[:2]
    except (AttributeError, OSError):
        return "somewhere"
    return f"{host}:{port}"


async def _end(nursery: trio.Nursery, socket: WebSocketConnection) -> None:
    """Close what is still open, and let the library's reader go."""
    await Wire(socket, None, "").close()
    nursery.cancel_scope.cancel()


@asynccontextmanager
async def _unwrapped() -> AsyncGenerator[None]:
    """A group of one error is that error; what the library's reader raises is a broken connection."""
    try:
        yield
    except BaseExceptionGroup as group:
        leaves = list(flatten(group))
        for leaf in leaves:
            if not isinstance(leaf, trio.Cancelled | Exception):
                raise leaf from None
        wrong = [leaf for leaf in leaves if isinstance(leaf, Exception)]
        for leaf in wrong:
            if isinstance(leaf, WireBroken | WireRefused):
                raise leaf from None
        if not wrong:
            raise leaves[0] from None
        foreign = [leaf for leaf in wrong if not type(leaf).__module__.startswith(("wsproto", "trio"))]
        if foreign:
            raise foreign[0] from None
        raise WireBroken(f"the connection broke ({wrong[0]})") from None
