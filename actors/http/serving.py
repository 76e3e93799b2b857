"""HTTP and WebSocket connections: each runs in hypercorn's protocol, on a stream that can be cut at any time.

Hypercorn shields what it sends. A client that reads nothing would keep such a send, and whoever
waits for its end, for ever: here a send has a limit, and a connection is cut by closing its socket, which
ends the send too. A request that stops halfway has limits as well, and so has the number of connections.

Hypercorn's own server takes addresses, not streams, and gives no hand on a connection. So what it
runs for each connection is used by itself; that is not public, and its version is bounded for that reason.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final, cast

import trio
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.config import Config
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.trio.worker_context import WorkerContext

if TYPE_CHECKING:
    from hypercorn.typing import ASGIFramework

__all__ = ["CONNECTION", "LONGEST_FRAME", "Connection", "Server"]

CONNECTION: Final = "connection"
"""Where a request finds its connection: in the state of its scope."""
LONGEST_FRAME: Final = 64 * 1024
"""Bytes: the longest message that a WebSocket client may send."""
_STUCK: Final = 20.0
"""Seconds that one piece may take on its way out."""
_SILENT: Final = 60
"""Seconds without a byte from the other side, of whom pings have asked for one."""
_PING_EVERY: Final = 20.0
_IDLE: Final = 20.0
_GRACE: Final = 0.5
_log = logging.getLogger("actors.http")


class Connection:
    """A stream for hypercorn, with a hand on it."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream
        self.scope = trio.CancelScope()

    @property
    def socket(self) -> trio.socket.SocketType:
        """As that of a `trio.SocketStream`."""
        return self._stream.socket

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """As that of a stream."""
        return bytes(await self._stream.receive_some(max_bytes))

    async def send_all(self, data: bytes) -> None:
        """As that of a stream, but no longer than it may take: then the connection is cut."""
        with trio.move_on_after(_STUCK):
            await self._stream.send_all(data)
            return
        self.cut()
        raise trio.BrokenResourceError("the other side reads nothing")

    async def send_eof(self) -> None:
        """As that of a stream."""
        await self._stream.send_eof()

    async def aclose(self) -> None:
        """As that of a stream."""
        await self._stream.aclose()

    def cut(self) -> None:
        """End it now, whatever it does. Idempotent, never blocks."""
        self._stream.socket.close()
        self.scope.cancel()

    def end_within(self, seconds: float) -> None:
        """Give it so long to end by itself. Never blocks."""
        self.scope.deadline = min(self.scope.deadline, trio.current_time() + seconds)


class Server:
    """Serves one app. Runs once; `connections` is what it has open.

    `silent` is how many seconds the other side may send nothing; None where answers last, and it has nothing
    to say meanwhile.
    """

    def __init__(self, app: ASGIFramework, max_connections: int, silent: int | None = _SILENT) -> None:
        self._app = ASGIWrapper(app)
        self._max = max_connections
        self._context = WorkerContext(None)
        self._config = _config()
        self._config.read_timeout = silent
        self._changed = trio.lowlevel.ParkingLot()
        self.connections: dict[Connection, None] = {}

    async def run(
        self,
        listeners: list[trio.SocketListener],
        until: Callable[[], Awaitable[object]],
        close_app: Callable[[], object],
    ) -> None:
        """Serve until `until` returns, then close in order: no newcomers, the app, whoever is left.

        Whatever ends it, no connection is left.
        """
        async with trio.open_nursery() as nursery:
            try:
                accepting = await nursery.start(self._accept, listeners, nursery)
                await until()
                accepting.cancel()
                close_app()
                await self._context.terminated.set()  # those that serve nobody now end
                with trio.move_on_after(_GRACE):
                    while self.connections:
                        await self._changed.park()
            finally:
                for connection in tuple(self.connections):
                    connection.cut()
                nursery.cancel_scope.cancel()

    async def _accept(
        self,
        listeners: list[trio.SocketListener],
        nursery: trio.Nursery,
        task_status: trio.TaskStatus[trio.CancelScope] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        with trio.CancelScope() as scope:
            task_status.started(scope)
            await trio.serve_listeners(self._serve, listeners, handler_nursery=nursery)

    async def _serve(self, stream: trio.SocketStream) -> None:
        """One connection, to its end."""
        if len(self.connections) >= self._max:
            return
        connection = Connection(stream)
        self.connections[connection] = None
        state = cast("Any", {CONNECTION: connection})
        try:
            with connection.scope:
                await TCPServer(
                    self._app, self._config, self._context, state, cast("trio.SSLStream[Any]", connection)
                )
        except Exception:
            _log.exception("a connection ended by a fault of this side")
        finally:
            stream.socket.close()
            del self.connections[connection]
            self._changed.unpark_all()


def _config() -> Config:
    config = Config()
    config.accesslog = None
    config.errorlog = _log
    config.include_server_header = False
    config.keep_alive_timeout = _IDLE
    config.websocket_ping_interval = _PING_EVERY
    config.websocket_max_message_size = LONGEST_FRAME
    return config
