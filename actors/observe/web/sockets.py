"""The WebSocket side of the API: one client, from its handshake to its end."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any, Final, cast

import trio
from starlette.websockets import WebSocket, WebSocketDisconnect

from actors.http.access import Visitor
from actors.http.faults import Fault, fault_of
from actors.http.gate import VISITOR
from actors.http.serving import CONNECTION
from actors.names import canonical
from actors.observe.web.api import number_in, texts_in
from actors.observe.web.frames import frame
from actors.observe.web.live import Client, Filter, Live
from actors.observe.web.outbox import Outbox, Past
from actors.observe.web.pace import idle
from actors.observe.web.seen import Seen

if TYPE_CHECKING:
    from collections.abc import Sequence

    from actors.http.serving import Connection

__all__ = ["Sockets"]

_AWAY: Final = 1001
_FAREWELL: Final = 0.5
_OLDEST: Final = -10_000
_BEAT_EVERY: Final = 20.0
"""Seconds without a frame until a client hears that somebody is there. Pages see no pings."""
_BEAT: Final = frame("beat")
_CURE: Final = 'say {"filter": {"kinds": ["Failed"], "path": "/team"}}, or {"filter": null}'
_log = logging.getLogger("actors.observe.web")


class Sockets:
    """Serves /api/v1/live."""

    def __init__(self, seen: Seen, live: Live) -> None:
        self._seen = seen
        self._live = live

    async def serve(self, socket: WebSocket) -> None:
        """One client."""
        if self._live.is_full:
            raise Fault(
                503, "TooMany", f"{len(self._live)} look already: close other pages, or come again later"
            )
        client = self._client(socket)
        self._live.join(client)  # before the handshake: its place is taken
        try:
            await socket.accept()
            await self._converse(socket, client)
        finally:
            self._live.leave(client)

    def _client(self, socket: WebSocket) -> Client:
        """What it asks for. Raises `Fault`."""
        asked = socket.query_params
        after = number_in(asked.get("after"), "after", least=_OLDEST)
        session = asked.get("session")
        if session and session != self._seen.kernel.incarnation and after is not None and after > 0:
            after = 0  # numbers of another life: it has nothing of this one
        chosen = self._filter(asked.getlist("kind"), asked.get("path"))
        state = socket.scope["state"]
        connection: Connection = state[CONNECTION]

        def give_up() -> None:
            _log.info("a client that does not keep up is let go: it goes on where it was when it comes again")
            connection.cut()

        return Client(cast("Visitor", state[VISITOR]), after, chosen, Outbox(give_up))

    def _filter(self, kinds: Sequence[Any], path: Any) -> Filter:
        """A filter; raises `Fault` for what is none."""
        if not all(isinstance(one, str) for one in kinds) or not isinstance(path, str | None):
            raise Fault(400, "BadFilter", 'a filter is as {"kinds": ["Failed"], "path": "/team"}')
        return Filter(self._seen.kinds(texts_in(list(kinds))), canonical(path) if path else None)

    async def _converse(self, socket: WebSocket, client: Client) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._listen, socket, client, nursery.cancel_scope)
            while (said := await _next(client)) is not None:
                if isinstance(said, str):
                    await idle()
                    await socket.send_text(said)
                else:
                    await self._tell_past(socket, client, said)
            if client.outbox.is_closed:
                with trio.move_on_after(_FAREWELL):
                    await socket.close(_AWAY, "the observatory closes")
                    await trio.sleep_forever()  # until the other side says so too
            nursery.cancel_scope.cancel()

    async def _tell_past(self, socket: WebSocket, client: Client, past: Past) -> None:
        rest: Past | None = past
        while rest is not None and not client.outbox.is_closed:
            frames, rest = await self._live.read_past(client, rest)
            for said in frames:
                await socket.send_text(said)

    async def _listen(self, socket: WebSocket, client: Client, scope: trio.CancelScope) -> None:
        """What the client says: filters, and that it goes."""
        try:
            while True:
                self._hear(await socket.receive_text(), client)
        except (WebSocketDisconnect, KeyError):  # a binary message has no text
            scope.cancel()

    def _hear(self, text: str, client: Client) -> None:
        try:
            chosen: Any = json.loads(text)["filter"] or {}
            client.filter = self._filter(chosen.get("kinds") or (), chosen.get("path"))
        except Exception as error:  # whatever is said, in whatever shape
            fault = fault_of(error)
            known = isinstance(error, Fault | ValueError) and not isinstance(error, json.JSONDecodeError)
            text = fault.text if known and fault is not None else _CURE
            client.outbox.put(frame("error", error="BadMessage", text=text))


async def _next(client: Client) -> str | Past | None:
    """The next frame, and one that says nothing else when none has come for long; None at the end."""
    with trio.move_on_after(_BEAT_EVERY):
        return await client.outbox.take()
    return _BEAT
