"""What a front end shows a person: all that waits for them, then every change."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

import trio

from actors.events import EventsLost, PersonAsked, PersonEscalated, PersonEvent
from actors.people.request import PersonRequest

__all__ = ["Queue"]

_KEPT: Final = 10_000


class Queue:
    """Events of the requests to one person, or to all: `async for event in queue`.

    A reader that lags by more than 10,000 changes gets `EventsLost`, and then all that waits anew.
    """

    def __init__(
        self,
        to: str | None,
        pending: Callable[[str | None], tuple[PersonRequest, ...]],
        now: Callable[[], float],
    ) -> None:
        self.to = to
        self._pending = pending
        self._now = now
        self._replay: deque[PersonEvent | EventsLost] = deque()
        """What waited at the beginning. There may be any number of them, which is no lag."""
        self._changes: deque[PersonEvent] = deque()
        self._lot = trio.lowlevel.ParkingLot()
        self._closed = False
        self._begin()

    def _begin(self) -> None:
        now = self._now()
        self._replay.extend(PersonAsked(now, request) for request in self._pending(self.to))

    def put(self, event: PersonEvent) -> None:
        """Here is one; it is queued if it concerns this person."""
        concerned = {event.request.to}
        if isinstance(event, PersonEscalated):
            concerned.add(event.before)
        if self.to is not None and self.to not in concerned:
            return
        if len(self._changes) >= _KEPT:
            lost = len(self._replay) + len(self._changes) + 1
            self._changes.clear()
            self._replay.clear()
            self._replay.append(EventsLost(self._now(), lost))
            self._begin()
        else:
            self._changes.append(event)
        self._lot.unpark()

    def close(self) -> None:
        """What waits can still be read; then it ends."""
        self._closed = True
        self._lot.unpark_all()

    def __aiter__(self) -> Queue:
        return self

    async def __anext__(self) -> PersonEvent | EventsLost:
        """The next event. A checkpoint; cancelled, it loses none."""
        await trio.lowlevel.checkpoint_if_cancelled()
        while not (self._replay or self._changes or self._closed):
            await self._lot.park()
        event: PersonEvent | EventsLost | None = None
        if self._replay or self._changes:
            event = (self._replay or self._changes).popleft()
        await trio.lowlevel.cancel_shielded_checkpoint()
        if event is None:
            raise StopAsyncIteration
        return event
