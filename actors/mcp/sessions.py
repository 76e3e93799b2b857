"""The sessions of clients that come by HTTP: each is one connection, and so one agent.

The SDK has a manager of sessions as well. That one has a single server for all, and time alone tells it
that a client has gone. Here each token has a server, with a gate of its own, and a client that went is
missed soon. What is spoken in a session is the SDK's.

The protocol's revision of 2026-07-28 has no sessions over HTTP: nothing tells when an agent has gone, or
two of one name from each other. Unless it is asked for, its clients are told which revisions are served,
and take one of those.
"""

from __future__ import annotations

import json
import logging
import re
import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, cast

import anyio
import attrs
import trio
from mcp.server._streamable_http_modern import handle_modern_request
from mcp.server.runner import serve_loop
from mcp.server.streamable_http import MCP_SESSION_ID_HEADER, StreamableHTTPServerTransport
from mcp_types import INVALID_REQUEST, PARSE_ERROR, UNSUPPORTED_PROTOCOL_VERSION
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS
from starlette.exceptions import HTTPException

from actors.errors import flatten
from actors.http.gate import VISITOR, Message, Receive, Scope, Send, read_body
from actors.mcp.lease import Lease
from actors.mcp.replay import Replay

if TYPE_CHECKING:
    from actors.http.access import Visitor

__all__ = ["PATH", "Served", "Session", "Sessions"]

PATH: Final = "/mcp"
_VERSION: Final = b"mcp-protocol-version"
_SESSION: Final = MCP_SESSION_ID_HEADER.encode()
_FULL: Final = -32000
_ANSWER: Final = re.compile(rb'data: \{"jsonrpc":"2\.0","id":(?:\d+|"[^"]{0,200}"),"(?:result|error)"')
"""An event that is the last one of its call: many clients go as soon as they have it, before the end."""
_HEAD: Final = 512
_log = logging.getLogger("actors.mcp")


class Refused(Exception):
    """A request that no session answers: a status, and an error as JSON-RPC has it."""

    def __init__(self, status: int, code: int, text: str, *, id: object = None, data: object = None) -> None:
        self.status = status
        error = {"code": code, "message": text} | ({} if data is None else {"data": data})
        self.body = json.dumps({"jsonrpc": "2.0", "id": id, "error": error}).encode()
        super().__init__(text)

    async def send(self, send: Send) -> None:
        """Say so."""
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(self.body)).encode())]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body, "more_body": False})


@attrs.frozen(eq=False)
class Served:
    """A server of the SDK, and the state of its life, which has begun."""

    server: Any
    state: Any


@attrs.define(eq=False)
class Session:
    """One client, from its first request to its end."""

    owner: Visitor
    lease: Lease
    transport: StreamableHTTPServerTransport
    scope: trio.CancelScope = attrs.field(factory=trio.CancelScope)

    @property
    def id(self) -> str:
        """What nobody can guess."""
        return self.transport.mcp_session_id or ""

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> int:
        """One request of its client; the status that it got, or 0."""
        out = _Out(send)
        self.scope.deadline = self.lease.begin()
        try:
            await self.transport.handle_request(scope, receive, out.send)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            if not self.has_ended:
                raise
        finally:
            self.scope.deadline = self.lease.end(trio.current_time(), gone=not out.is_over)
        if self.has_ended:
            await out.finish()
        return out.status

    @property
    def has_ended(self) -> bool:
        """Whether it ends, or has: what comes now is for nobody."""
        return self.transport.is_terminated or self.scope.cancel_called


class Sessions:
    """All of them: an ASGI app. Runs once."""

    def __init__(
        self, *, idle: float, lost: float, most: int, longest: int, sessionless: bool = False
    ) -> None:
        self._sessionless = sessionless
        self._servers: Mapping[Visitor, Served] = {}
        self._idle = idle
        self._lost = lost
        self._most = most
        self._longest = longest
        self._nursery: trio.Nursery | None = None
        self._sessions: dict[str, Session] = {}

    def __len__(self) -> int:
        return len(self._sessions)

    def open(self, servers: Mapping[Visitor, Served], nursery: trio.Nursery) -> None:
        """From now on sessions are served, in this nursery, each by the server that its visitor has."""
        self._servers = servers
        self._nursery = nursery

    def close(self) -> None:
        """End them all, and begin no more. Idempotent, never blocks."""
        self._nursery = None
        for session in tuple(self._sessions.values()):
            session.scope.cancel()

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request. Raises `Fault` for a body that is too long, or takes too long."""
        if scope["path"] != PATH:
            raise HTTPException(404)
        body = await read_body(receive, self._longest)
        try:
            await self._serve(scope, _again(body, receive), send, body)
        except Refused as refused:
            await refused.send(send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send, body: bytes) -> None:
        headers: dict[bytes, bytes] = dict(scope["headers"])
        owner: Visitor = scope["state"][VISITOR]
        version = headers.get(_VERSION, b"").decode("latin-1")
        if version and version not in HANDSHAKE_PROTOCOL_VERSIONS:
            if not self._sessionless:
                raise _unsupported(version, body)
            served = self._servers[owner]
            await handle_modern_request(
                served.server, None, False, served.state, scope, cast("Any", receive), cast("Any", send)
            )
            return
        said = headers.get(_SESSION)
        if said is None:
            _check_opening(scope["method"], body)
            await self._begin(owner, scope, receive, send)
            return
        session = self._sessions.get(said.decode("latin-1"))
        if session is None or session.owner != owner:  # whose token it is not, hears no more than others
            raise _no_session()
        await session.serve(scope, receive, send)
        if session.transport.is_terminated:
            self._forget(session)

    # --- from the first request to the end ---

    async def _begin(self, owner: Visitor, scope: Scope, receive: Receive, send: Send) -> None:
        if self._nursery is None:
            raise Refused(503, _FULL, "this server is closing")
        if len(self._sessions) >= self._most:
            text = f"{self._most} sessions are open, and there may be no more: end one with DELETE, or wait"
            raise Refused(503, _FULL, text)
        transport = StreamableHTTPServerTransport(secrets.token_hex(16), event_store=Replay())
        session = Session(owner, Lease(self._idle, self._lost), transport)
        self._sessions[session.id] = session  # in this step: it is one of those that are open
        await self._nursery.start(self._run, session)
        status = 0
        try:
            status = await session.serve(scope, receive, send)
        finally:
            if not 200 <= status < 400:  # it has not begun after all
                session.scope.cancel()

    async def _run(
        self, session: Session, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """One session to its end, whatever ends it: its client, time, a fault, or the end of all."""
        served = self._servers[session.owner]
        try:
            async with session.transport.connect() as (read, write):
                task_status.started()
                server, state = served.server, served.state
                with session.scope:  # calls that are cut short are still answered, so the rest goes on
                    await serve_loop(server, read, write, lifespan_state=state, session_id=session.id)
        except Exception as error:
            first = next(iter(flatten(error)))
            _log.error("a session has ended by a fault of this side", exc_info=first)
        finally:
            self._forget(session)
            if not session.transport.is_terminated:
                with trio.CancelScope(shield=True):
                    await session.transport.terminate()

    def _forget(self, session: Session) -> None:
        self._sessions.pop(session.id, None)


def _no_session() -> Refused:
    return Refused(404, INVALID_REQUEST, "there is no such session, or it has ended: initialize anew")


def _unsupported(version: str, body: bytes) -> Refused:
    served = list(HANDSHAKE_PROTOCOL_VERSIONS)
    data = {"supported": served, "requested": version}
    text = f"the revision {version!r:.40} has no sessions, and is not served: take one of {', '.join(served)}"
    return Refused(400, UNSUPPORTED_PROTOCOL_VERSION, text, id=_id_in(body), data=data)


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Refused(400, PARSE_ERROR, f"the body is no JSON: {error}") from None


def _id_in(body: bytes) -> object:
    try:
        said = _parsed(body)
    except Refused:
        return None
    found: object = cast("Mapping[str, Any]", said).get("id") if isinstance(said, dict) else None
    return found if isinstance(found, str | int) else None


def _check_opening(method: str, body: bytes) -> None:
    """A session begins with `initialize`, and with nothing else. Raises `Refused`."""
    said: Any = _parsed(body) if method == "POST" else None
    if not isinstance(said, dict) or cast("Mapping[str, Any]", said).get("method") != "initialize":
        text = f"a session begins with initialize: send that, and then {MCP_SESSION_ID_HEADER} with the rest"
        raise Refused(400, INVALID_REQUEST, text, id=_id_in(body))


def _again(body: bytes, receive: Receive) -> Receive:
    """A body that has been read, to be read once more."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Message:
        return messages.pop() if messages else await receive()

    return again


@attrs.define(eq=False)
class _Out:
    """What goes out, and whether all of it has."""

    _send: Send
    status: int = 0
    is_over: bool = False
    is_whole: bool = False

    async def finish(self) -> None:
        """Say the rest where a session has ended in the midst of it: a server sends no half answers."""
        if not self.status:
            await _no_session().send(self.send)
        elif not self.is_whole:
            await self.send({"type": "http.response.body", "body": b"", "more_body": False})

    async def send(self, message: Message) -> None:
        await self._send(message)
        if message["type"] == "http.response.start":
            self.status = message["status"]
        elif message["type"] == "http.response.body":
            is_answer = _ANSWER.search(message.get("body", b"")[:_HEAD]) is not None
            self.is_whole = not message.get("more_body", False)
            self.is_over = self.is_over or is_answer or self.is_whole
