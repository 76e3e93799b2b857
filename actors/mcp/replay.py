"""What a session has sent, for a client that comes back: the newest events, as many as fit."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from mcp.server.streamable_http import EventCallback, EventMessage, EventStore

if TYPE_CHECKING:
    from mcp_types import JSONRPCMessage

__all__ = ["Replay"]

_EVENTS: Final = 256
_BYTES: Final = 4 * 1024 * 1024


class Replay(EventStore):
    """The last events of one session, in memory.

    A client that has lost its stream names the last event that it has had, and hears those after it. What is
    too old is not heard: the newest 256 events are kept, of 4 MiB together, and always the last.
    """

    def __init__(self, most: int = _EVENTS, most_bytes: int = _BYTES) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._events: deque[tuple[int, str, JSONRPCMessage | None, int]] = deque()
        self._bytes = 0
        self._last = 0

    @property
    def kept(self) -> int:
        """How many. No length: what has one is taken for nothing as long as it is empty."""
        return len(self._events)

    async def store_event(self, stream_id: str, message: JSONRPCMessage | None) -> str:
        """Keep an event; its id."""
        self._last += 1
        size = 0 if message is None else len(message.model_dump_json(by_alias=True, exclude_unset=True))
        self._events.append((self._last, stream_id, message, size))
        self._bytes += size
        while len(self._events) > 1 and (len(self._events) > self._most or self._bytes > self._most_bytes):
            *_, gone = self._events.popleft()
            self._bytes -= gone
        return str(self._last)

    async def replay_events_after(self, last_event_id: str, send_callback: EventCallback) -> str | None:
        """Send what the stream of that event has had since; the stream, or None where it is not known."""
        known = {str(number): (number, stream) for number, stream, *_ in self._events}
        if last_event_id not in known:
            return None
        after, stream = known[last_event_id]
        later = [event for event in self._events if event[0] > after and event[1] == stream]
        for number, _, message, _ in later:
            if message is not None:
                await send_callback(EventMessage(message, str(number)))
        return stream
