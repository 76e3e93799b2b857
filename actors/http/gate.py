"""What every request passes: whose it is, where it comes from, and what every answer says to browsers."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

import trio
from starlette.exceptions import HTTPException

from actors.http.access import SAFE_METHODS, Doorkeeper, Visitor
from actors.http.faults import Fault, fault_of
from actors.http.serving import CONNECTION

if TYPE_CHECKING:
    from actors.http.serving import Connection

__all__ = [
    "LONGEST_BODY",
    "VISITOR",
    "App",
    "Gate",
    "Message",
    "Receive",
    "Scope",
    "Send",
    "read_body",
    "read_json",
]

Message: TypeAlias = MutableMapping[str, Any]
Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

VISITOR: Final = "visitor"
"""Where a request says who has sent it: in the state of its scope."""
LONGEST_BODY: Final = 512 * 1024
"""Bytes that a request may have."""
_READ_AWAY: Final = 8 * 1024 * 1024
"""Bytes of a longer one that are read away, so that its sender hears what is wrong with it."""
_SLOWEST_BODY: Final = 20.0
"""Seconds that a body may take: whoever sends a byte now and then would keep a connection for days."""
_PATIENCE: Final = 5.0
_LAST_WORDS: Final = 2.0
_VERSIONS: Final = frozenset({"1.0", "1.1"})
"""Hypercorn would take HTTP/2 too, where requests share a connection: here each has its own, to be cut."""
_HEADERS: Final = (
    (
        b"content-security-policy",
        b"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
        b"base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_log = logging.getLogger("actors.http")


class Gate:
    """An ASGI app before the app: lets in whoever may come, as a `Visitor`, and looks after what goes out."""

    def __init__(
        self,
        app: App,
        keeper: Doorkeeper,
        cookie: Callable[[], str] | None = None,
        open_paths: frozenset[str] = frozenset(),
        or_else: str = "",
        safe_methods: frozenset[str] = SAFE_METHODS,
    ) -> None:
        self._app = app
        self._keeper = keeper
        self._cookie = cookie
        self._open_paths = open_paths
        self._or_else = or_else
        self._safe_methods = safe_methods

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or one WebSocket."""
        if scope["type"] not in ("http", "websocket"):
            return
        body = _Body(receive)
        out = _Out(scope, send, body)
        connection: Connection = scope["state"][CONNECTION]
        try:
            if scope["http_version"] not in _VERSIONS:
                raise Fault(505, "WrongVersion", "this speaks HTTP/1.1 alone")
            scope["state"][VISITOR] = self._admitted(scope)
            scope["app"] = self  # then what the router refuses comes here
            await self._app(scope, body.receive, out.send)
        except Exception as error:
            fault = _refused(error, scope) if isinstance(error, HTTPException) else fault_of(error)
            if fault is None:
                _log.exception("%s %s has failed", scope.get("method", "WebSocket"), scope["path"])
                fault = Fault(500, "InternalError", "a fault of this side: its log says more")
            if not out.has_begun:
                await out.fault(fault)
        if scope["type"] == "websocket":
            connection.cut()  # all has been said, and its pings would go on
        elif body.is_unread or scope["http_version"] not in _VERSIONS:
            connection.end_within(_LAST_WORDS)

    def _admitted(self, scope: Scope) -> Visitor | None:
        """Who it is; None for what anybody may see. Raises `Fault`."""
        headers = {name.decode("latin-1"): value for name, value in reversed(scope["headers"])}
        host, origin = _text(headers.get("host")), _text(headers.get("origin"))
        if not self._keeper.knows_host(host):
            raise Fault(
                403,
                "ForbiddenHost",
                f"this is not served as {host!r}: use its address, or name the origin in origins=",
            )
        is_safe = scope["type"] == "http" and scope["method"] in self._safe_methods
        visitor, by_cookie = self._visitor(headers)
        if not is_safe:
            elsewhere = headers.get("sec-fetch-site", b"same-origin") not in (b"same-origin", b"none")
            unknown = origin is None and (by_cookie or elsewhere)
            if unknown or not self._keeper.may_come_from(origin, host):
                raise Fault(
                    403, "ForbiddenOrigin", f"pages of {origin!r} may not do this: name it in origins="
                )
        if visitor is None and scope["path"] not in self._open_paths:
            raise Fault(
                401,
                "Unauthorized",
                f"a token is needed: send 'Authorization: Bearer ...'{self._or_else}",
            )
        return visitor

    def _visitor(self, headers: dict[str, bytes]) -> tuple[Visitor | None, bool]:
        """Who it is, and whether a cookie says so."""
        if not self._keeper.needs_token:
            return Visitor(), False
        scheme, _, said = headers.get("authorization", b"").partition(b" ")
        if scheme.lower() == b"bearer":
            return self._keeper.by_token(said.strip()), False
        if self._cookie is None:
            return None, False
        cookie = _cookies(headers.get("cookie", b"")).get(self._cookie())
        return (None, False) if cookie is None else (self._keeper.by_cookie(cookie), True)


def _refused(error: HTTPException, scope: Scope) -> Fault:
    """What the router refuses."""
    if error.status_code == 405:
        return Fault(405, "WrongMethod", f"{scope['method']} is not for this address")
    return Fault(404, "UnknownPage", f"there is nothing at {scope['path']!r:.200}")


def _text(header: bytes | None) -> str | None:
    return None if header is None else header.decode("latin-1")


def _cookies(header: bytes) -> dict[str, str]:
    pairs = (part.partition("=") for part in header.decode("latin-1").split(";"))
    return {name.strip(): value.strip() for name, _, value in pairs}


class _Body:
    """The body of a request: nothing of it may be left when the answer goes out, or it would hang."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._is_over = False
        self._size = 0

    @property
    def is_unread(self) -> bool:
        return not self._is_over

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.disconnect" or (
            message["type"] == "http.request" and not message.get("more_body", False)
        ):
            self._is_over = True
        self._size += len(message.get("body", b""))
        return message

    async def read_away(self) -> None:
        """Read what the app has left, within bounds."""
        with trio.move_on_after(_PATIENCE):
            while not self._is_over and self._size < _READ_AWAY:
                await self.receive()


class _Out:
    """What goes out."""

    def __init__(self, scope: Scope, send: Send, body: _Body) -> None:
        self._scope = scope
        self._send = send
        self._body = body
        self.has_begun = False

    async def send(self, message: Message) -> None:
        kind = message["type"]
        if kind in ("http.response.start", "websocket.http.response.start"):
            if kind == "http.response.start":
                await self._body.read_away()
            headers: list[tuple[bytes, bytes]] = list(message.get("headers", ()))
            said = {name for name, _ in headers}
            headers += [header for header in _HEADERS if header[0] not in said]
            if b"cache-control" not in said:
                headers.append((b"cache-control", b"no-store"))
            if kind == "http.response.start" and self._body.is_unread:
                headers.append((b"connection", b"close"))
            message = {**message, "headers": headers}
        self.has_begun = True
        # With its first piece an answer has begun, and with its last one it is handed back to the connection,
        # which waits for the next request, or closes. An app that is cancelled meanwhile would leave it in
        # between.
        is_last = kind.endswith("response.body") and not message.get("more_body", False)
        with trio.CancelScope(shield=is_last or kind.endswith("response.start")):
            await self._send(message)

    async def fault(self, fault: Fault) -> None:
        """Say what is wrong."""
        body = json.dumps({"error": fault.error, "text": fault.text}).encode()
        prefix = "websocket." if self._scope["type"] == "websocket" else ""
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        if fault.status == 401:
            headers.append((b"www-authenticate", b"Bearer"))
        await self.send({"type": f"{prefix}http.response.start", "status": fault.status, "headers": headers})
        await self.send({"type": f"{prefix}http.response.body", "body": body, "more_body": False})


async def read_json(scope: Scope, receive: Receive) -> dict[str, Any]:
    """The body as a JSON object; {} for none. Raises `Fault` for anything else, and for a long one."""
    body = await read_body(receive)
    if not body:
        return {}
    kind = next((value for name, value in scope["headers"] if name == b"content-type"), b"")
    if kind.partition(b";")[0].strip().lower() != b"application/json":
        raise Fault(415, "NotJson", "send JSON, with 'Content-Type: application/json'")
    try:
        said = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Fault(400, "NotJson", f"the body is no JSON: {error}") from None
    if not isinstance(said, dict):
        raise Fault(400, "NotJson", f"the body must be a JSON object, as in {{}}, not {said!r:.80}")
    return cast("dict[str, Any]", said)


async def read_body(receive: Receive, longest: int = LONGEST_BODY) -> bytes:
    """The body. Raises `Fault` for one that is too long, or takes too long."""
    with trio.move_on_after(_SLOWEST_BODY):
        return await _whole_body(receive, longest)
    raise Fault(408, "TooSlow", f"a body may take {_SLOWEST_BODY:g} s, and this one has not come to its end")


async def _whole_body(receive: Receive, longest: int) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Fault(400, "Disconnected", "the body has not come to its end")
        body += message.get("body", b"")
        if len(body) > longest:
            raise Fault(413, "TooLarge", f"a body may have {longest} bytes, and this one has more")
        if not message.get("more_body", False):
            return bytes(body)
