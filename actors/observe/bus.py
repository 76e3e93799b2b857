"""The bus: from a system's sink to its subscribers. A slow subscriber loses the oldest, and is told."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress

import trio

from actors.core.kernel import Subscriber
from actors.events import Event, EventsLost

__all__ = ["EVENTS_KEPT", "Bus", "Subscription"]

_log = logging.getLogger("actors.bus")
EVENTS_KEPT = 10_000
"""Events that wait for one subscriber before the oldest are lost."""


class Subscription:
    """The events of one subscriber: `async for event in events`. Ends when the system has closed."""

    __slots__ = ("_closed", "_kept", "_lost", "_lot", "_now", "_waiting", "kinds")

    def __init__(self, kinds: tuple[type[Event], ...], kept: int, now: Callable[[], float]) -> None:
        self.kinds = kinds
        self._kept = kept
        self._now = now
        self._waiting: deque[Event] = deque()
        self._lost = 0
        self._lot = trio.lowlevel.ParkingLot()
        self._closed = False

    def __repr__(self) -> str:
        kinds = ", ".join(kind.__name__ for kind in self.kinds)
        state = "closed" if self._closed else "open"
        return f"<Subscription to {kinds}, {state}, {len(self._waiting)} waiting>"

    def takes(self, kind: type[Event]) -> bool:
        """Whether this kind was asked for."""
        return kind in self.kinds or (issubclass(kind, self.kinds) and not kind.by_name_only)

    def put(self, event: Event) -> None:
        """Queue an event; never blocks."""
        if len(self._waiting) >= self._kept:
            self._waiting.popleft()
            self._lost += 1
        self._waiting.append(event)
        self._lot.unpark()

    def close(self) -> None:
        """What waits can still be read; then it ends."""
        self._closed = True
        self._lot.unpark_all()

    def __aiter__(self) -> Subscription:
        return self

    async def __anext__(self) -> Event:
        """The next event, a checkpoint."""
        await trio.lowlevel.checkpoint_if_cancelled()
        while not (self._waiting or self._closed):
            await self._lot.park()
        event = self.next_nowait()
        await trio.lowlevel.cancel_shielded_checkpoint()
        if event is None:
            raise StopAsyncIteration
        return event

    def next_nowait(self) -> Event | None:
        """The next event, or None when none waits."""
        if self._lost:
            lost, self._lost = self._lost, 0
            return EventsLost(self._now(), lost)
        return self._waiting.popleft() if self._waiting else None


class Bus:
    """Subscribers by kind of event; nothing is built for kinds that nobody wants."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self.listeners: list[Subscriber] = []
        """Everybody who listens to something."""
        self._wanted: dict[type[Event], bool] = {}
        self._closed = False

    def wants(self, kind: type[Event]) -> bool:
        """True when somebody listens to this kind."""
        if not self.listeners:
            return False
        wanted = self._wanted.get(kind)
        if wanted is None:
            wanted = any(one.takes(kind) for one in self.listeners)
            self._wanted[kind] = wanted
        return wanted

    def emit(self, event: Event) -> None:
        """Give the event to everybody who wants it. Never raises: whoever looks must not end an actor."""
        for subscription in self.listeners:
            try:
                if subscription.takes(type(event)):
                    subscription.put(event)
            except Exception:
                with suppress(Exception):  # nor a broken log handler
                    _log.exception("%r could not take a %s", subscription, type(event).__name__)

    def attach(self, subscriber: Subscriber) -> None:
        """Let it hear what it takes, from now on."""
        self.listeners.append(subscriber)
        self._wanted.clear()

    def detach(self, subscriber: Subscriber) -> None:
        """Not any more. Idempotent."""
        if subscriber in self.listeners:
            self.listeners.remove(subscriber)
            self._wanted.clear()

    @asynccontextmanager
    async def subscribe(self, *kinds: type[Event], kept: int = EVENTS_KEPT) -> AsyncGenerator[Subscription]:
        """Listen inside the block to these kinds and what derives from them; to all without any."""
        for kind in kinds:
            if not (isinstance(kind, type) and issubclass(kind, Event)):  # pyright: ignore[reportUnnecessaryIsInstance]
                raise TypeError(f"{kind!r} is not a kind of event: pass classes of actors.events")
        subscription = Subscription(kinds or (Event,), kept, self._now)
        if self._closed:
            subscription.close()
        self.attach(subscription)
        try:
            yield subscription
        finally:
            self.detach(subscription)

    def close(self) -> None:
        """No more events come."""
        self._closed = True
        for subscription in tuple(self.listeners):
            subscription.close()
