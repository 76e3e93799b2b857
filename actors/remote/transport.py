"""WebSocket connections: opening them, accepting them, whole text frames in and out.

Rules of this file, each of which cost somebody a night:
- `serve_websocket` dies of one badly timed ping and of any error in a handler: accepting is
  our own, and each connection is contained.
- A cancelled `send_message` leaves half a frame on the wire: one task writes, and it is
  cancelled only together with the connection.
- The library stops answering pings when its queue is full: signs of life are our own frames.
- Its reader raises what others made it stumble over (a ping while we close, a header that is no
  ASCII), and ends without waking who waits for the handshake: `_Socket` contains and tells it.
- It hangs up without a word on who breaks the rules of WebSocket: `_Socket` says why before.
- Who closes while the other end still writes must read on, or the reason never gets there.
"""

from __future__ import annotations

import contextlib
import ssl
import struct
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from socket import SO_LINGER, SOL_SOCKET
from typing import Any, Final, cast
from urllib.parse import urlsplit

import trio
from trio_websocket import ConnectionClosed, ConnectionRejected, WebSocketConnection, WebSocketRequest
from wsproto import ConnectionType, WSConnection
from wsproto.connection import ConnectionState
from wsproto.events import CloseConnection, Event, RejectConnection

from actors.errors import flatten
from actors.remote.handshake import SUBPROTOCOL, Reason

__all__ = [
    "FRAME_LIMIT",
    "NOTHING",
    "Wire",
    "WireBroken",
    "WireRefused",
    "accepted",
    "address_of",
    "dialled",
    "url_faults",
]

FRAME_LIMIT: Final = 256 * 1024
"""Characters of one frame: a longer one ends the connection before it is in memory."""
_TOO_LARGE: Final = 1009
NOTHING: Final = "nothing came"
"""Somebody has connected and hung up: as whoever looks whether a port is open."""
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


class _Socket(WebSocketConnection):
    """The library's connection, contained: it ends alone, and says why."""

    def __init__(self, stream: trio.abc.Stream, side: ConnectionType, **more: Any) -> None:
        super().__init__(
            stream,
            WSConnection(side),
            message_queue_size=_QUEUE,
            max_message_size=FRAME_LIMIT,
            receive_buffer_size=65536,
            **more,
        )
        self.fault: BaseException | None = None
        """What the reader stumbled over."""
        self.broke: str | None = None
        """What is wrong with the request that was turned away, or with the frames."""
        self.too_large = False
        self._opening = trio.CancelScope()
        self._reading = trio.CancelScope()
        self._over = trio.Event()

    async def read(self) -> None:
        """The reader, for a task of its own. Whatever it raises ends this connection and no more."""
        try:
            with self._reading:
                await self._reader_task()
        except Exception as error:
            self.fault = error
        finally:
            self._over.set()
            self._opening.cancel()
            self._close_handshake.set()  # nobody would read it any more

    async def asked(self) -> WebSocketRequest | None:
        """The request of the other end; None when the reader ends without one. A checkpoint."""
        with self._opening:
            return await self._get_request()

    async def opened(self) -> bool:
        """True when the other end has accepted; False when the reader ends before. A checkpoint."""
        with self._opening:
            await self._open_handshake.wait()
            return True
        return False

    async def turn_away(self, status: int, reason: Reason, text: str) -> None:
        """Answer the handshake, or its absence, with HTTP. Bounded, a checkpoint, shielded."""
        with trio.move_on_after(_POLITE, shield=True), contextlib.suppress(Exception):
            await self._reject(status, [], f"{reason}: {text}\n".encode())

    async def linger(self) -> None:
        """Read on, unseen, until the other end has had the time to read why we close. A checkpoint."""
        self._reading.cancel()
        with trio.CancelScope(shield=True):
            await self._over.wait()
            await _linger(self._stream)

    # --- what the library does, and says too little about ---

    async def _send(self, event: Event) -> None:
        if isinstance(event, RejectConnection) and not event.has_body:  # of a request that is none
            self.broke = f"no WebSocket request came: connect with a WebSocket that asks for {SUBPROTOCOL}"
            await self._reject(event.status_code, list(event.headers), f"{self.broke}\n".encode())
            return
        if isinstance(event, CloseConnection) and event.code == _TOO_LARGE:
            self.too_large = True
        await super()._send(event)

    async def _handle_close_connection_event(self, event: CloseConnection) -> None:
        if self._wsproto.state is ConnectionState.OPEN:  # no close came, but a frame that is none
            self.broke = f"no WebSocket frame: {event.reason}"
            with contextlib.suppress(ConnectionClosed):
                await self._send(CloseConnection(code=event.code, reason=_short(self.broke)))
        await super()._handle_close_connection_event(event)

    async def _close_stream(self) -> None:
        if self.broke is None:
            await super()._close_stream()
        self._reader_running = False  # else `linger` comes first; who has opened the stream closes it

    async def _abort_web_socket(self) -> None:
        if self.fault is None:
            self.fault = sys.exc_info()[1]  # the library calls this where it handles the error
        await super()._abort_web_socket()


class Wire:
    """One connection: whole text frames."""

    def __init__(self, socket: _Socket, stream: trio.abc.Stream, peer: str) -> None:
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
        """The next frame; raises `WireBroken`, and `WireRefused` for one that must not be. A checkpoint."""
        try:
            text = await self._socket.get_message()
        except (ConnectionClosed, trio.BrokenResourceError, trio.ClosedResourceError) as error:
            if self._socket.too_large:
                why = f"a frame of more than {FRAME_LIMIT} characters: send long items in pieces"
                raise WireRefused(Reason.TOO_LARGE, why) from None
            if self._socket.broke is not None:
                raise WireRefused(Reason.BAD_FRAME, self._socket.broke) from None
            raise self._broken(error) from None
        if not isinstance(text, str):
            raise WireRefused(Reason.BAD_FRAME, "frames are text, and a binary one came")
        return text

    def _broken(self, error: BaseException) -> WireBroken:
        closed = self._socket.closed
        fault = self._socket.fault
        if closed is None or (fault is not None and closed.reason is None):
            return WireBroken(f"the connection broke ({_os_reason(fault or error)})")
        why = closed.reason or closed.name.lower().replace("_", " ")
        return WireBroken(f"the connection was closed: {why}", closed.code)

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close it politely, in bounded time. A checkpoint; shielded."""
        if self._socket.too_large or self._socket.broke is not None:
            await self._socket.linger()
        with trio.move_on_after(_POLITE, shield=True):
            with contextlib.suppress(Exception):
                await self._socket.aclose(code, _short(reason) or None)

    def drop_what_is_unsent(self) -> None:
        """The connection is dead: nothing that the kernel still holds may arrive later."""
        tcp = _tcp_of(self._stream)
        if tcp is not None:
            with contextlib.suppress(OSError):
                tcp.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))


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
    """A connection to a URL, closed behind the block; raises `WireBroken` or `WireRefused`."""
    parts = urlsplit(url)
    host, port = parts.hostname, parts.port
    assert host is not None
    assert port is not None
    stream = await _reached(host, port, (ssl_context or True) if parts.scheme == "wss" else None)
    try:
        async with _unwrapped(), trio.open_nursery() as nursery:
            shown = f"[{host}]" if ":" in host else host
            socket = _Socket(
                stream,
                ConnectionType.CLIENT,
                host=f"{shown}:{port}",
                path=parts.path or _PATH,
                client_subprotocols=[SUBPROTOCOL],
            )
            nursery.start_soon(socket.read)
            wire = Wire(socket, stream, url)
            try:
                if not await socket.opened():
                    raise _no_handshake(socket)
                if socket.subprotocol != SUBPROTOCOL:
                    raise WireBroken(f"it does not speak {SUBPROTOCOL}")
                yield wire
            finally:
                await _end(nursery, wire)
    finally:
        with trio.CancelScope(shield=True):
            await trio.aclose_forcefully(stream)


async def _reached(host: str, port: int, secure: ssl.SSLContext | bool | None) -> trio.abc.Stream:
    """TCP, and TLS where it is asked for; raises `WireBroken`."""
    try:
        tcp = await trio.open_tcp_stream(host, port)
    except (OSError, UnicodeError) as error:  # a name that is too long for the network is no text to it
        raise WireBroken(_os_reason(error)) from None
    if secure is None:
        return tcp
    try:
        context = secure if isinstance(secure, ssl.SSLContext) else ssl.create_default_context()
        stream = trio.SSLStream(tcp, context, server_hostname=host, https_compatible=True)
        await _agree_on_tls(stream)
    except BaseException:
        with trio.CancelScope(shield=True):
            await trio.aclose_forcefully(tcp)
        raise
    return stream


async def _agree_on_tls(stream: trio.SSLStream[Any]) -> None:
    """Raises `WireBroken`; then the other end has been told why, where TLS has a word for it."""
    try:
        await stream.do_handshake()
    except (trio.BrokenResourceError, trio.ClosedResourceError, ssl.SSLError, OSError) as error:
        with trio.move_on_after(_POLITE, shield=True), contextlib.suppress(Exception):
            alert: bytes = stream._outgoing.read()  # pyright: ignore  # trio raises before it is sent
            await stream.transport_stream.send_all(alert)
            await _linger(stream)
        raise WireBroken(f"no TLS ({_os_reason(error)})") from None


async def _linger(stream: trio.abc.Stream) -> None:
    """Read on, unseen, until the other end closes, or for a second: else what we said last may be lost."""
    tcp = _tcp_of(stream)
    if tcp is None:
        return
    with trio.move_on_after(_POLITE), contextlib.suppress(Exception):
        await tcp.send_eof()
        while await tcp.receive_some(65536):
            pass


def _no_handshake(socket: _Socket) -> WireBroken | WireRefused:
    """Why the other end did not accept."""
    fault = socket.fault
    if isinstance(fault, ConnectionRejected):
        body = (fault.body or b"")[:300].decode(errors="replace").strip()
        reason, _, text = body.partition(": ")
        if reason in list(Reason):  # it is a node
            return WireRefused(Reason(reason), text)
        return WireBroken(f"HTTP {fault.status_code}: {body}" if body else f"HTTP {fault.status_code}")
    if fault is not None:
        return WireBroken(f"no WebSocket handshake ({_os_reason(fault)})")
    return WireBroken("no WebSocket handshake: the connection was closed")


def _os_reason(error: BaseException) -> str:
    cause = error.__cause__
    if isinstance(error, trio.BrokenResourceError) and cause is not None:
        return str(cause) or type(cause).__name__
    if isinstance(cause, BaseExceptionGroup):  # all addresses of a name were tried
        return "; ".join(dict.fromkeys(str(leaf) for leaf in flatten(cast("BaseException", cause))))
    return str(error) or type(error).__name__


# --- accepting ------------------------------------------------------------------------

MayCome = Callable[[str | None], bool]
"""Whether a browser from this origin may connect; None: it is no browser."""


@asynccontextmanager
async def accepted(stream: trio.abc.Stream, may_come: MayCome, limit: float) -> AsyncGenerator[Wire]:
    """The connection that somebody opens over `stream`, closed behind the block.

    `limit` is in seconds, for TLS and HTTP. Raises `WireBroken` or `WireRefused`. Cancelled
    before there is a connection, it says that there are too many.
    """
    async with _unwrapped(), trio.open_nursery() as nursery:
        socket = _Socket(stream, ConnectionType.SERVER)
        wire = Wire(socket, stream, address_of(stream))
        try:
            with trio.move_on_after(limit) as scope:
                try:
                    await _admit(nursery, socket, stream, may_come)
                except trio.Cancelled:
                    if isinstance(stream, trio.SocketStream):  # TLS would have to be spoken first
                        if scope.cancel_called:
                            await socket.turn_away(408, Reason.TOO_SLOW, _too_slow(limit))
                        else:
                            await socket.turn_away(503, Reason.OVERLOADED, "too many connections wait here")
                    raise
            if scope.cancelled_caught:
                raise WireRefused(Reason.TOO_SLOW, _too_slow(limit))
            yield wire
        finally:
            await _end(nursery, wire)


def _too_slow(limit: float) -> str:
    return f"no WebSocket handshake within {limit:g} s"


async def _admit(nursery: trio.Nursery, socket: _Socket, stream: trio.abc.Stream, may_come: MayCome) -> None:
    """TLS and HTTP. Raises `WireBroken` or `WireRefused`."""
    if isinstance(stream, trio.SSLStream):
        await _agree_on_tls(cast("trio.SSLStream[Any]", stream))
    nursery.start_soon(socket.read)
    request = await socket.asked()
    if request is None:
        if socket.broke is not None:
            raise WireRefused(Reason.BAD_FRAME, socket.broke)
        why = NOTHING if socket.fault is None else _os_reason(socket.fault)
        raise WireBroken(f"no WebSocket handshake ({why})")
    problem = _fault(request, may_come)
    if problem is not None:
        socket.broke = problem[2]
        await socket.turn_away(*problem)
        raise WireRefused(*problem[1:])
    await request.accept(subprotocol=SUBPROTOCOL)


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


def _tcp_of(stream: Any) -> trio.SocketStream | None:
    while stream is not None and not isinstance(stream, trio.SocketStream):
        stream = getattr(stream, "transport_stream", None)
    return stream


def address_of(stream: trio.abc.Stream) -> str:
    """Where the other end is, as `host:port`."""
    tcp = _tcp_of(stream)
    try:
        host, port = ("", 0) if tcp is None else tcp.socket.getpeername()[:2]
    except OSError:  # it has left already
        host, port = "", 0
    return f"{host}:{port}" if host else "somewhere"


async def _end(nursery: trio.Nursery, wire: Wire) -> None:
    """Close what is still open, and let the library's reader go."""
    await wire.close()
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
