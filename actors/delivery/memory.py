"""The engine that keeps everything in memory: the default, and the reference for the others."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import attrs
import trio

from actors.delivery.errors import NotTheOwner, StoreInUse
from actors.delivery.operations import Append, Change, Handled, Moved, Operation, Redeliver, Result
from actors.delivery.shelf import Shelf
from actors.delivery.store import Arrived, Changed, Directory, Engine, Opening, Owner, Signal
from actors.delivery.ticket import Entry, TicketState

__all__ = ["MemoryStore"]


@attrs.define
class _Lease:
    """A node, and until when its names are its own."""

    node: str
    until: float = -math.inf


@attrs.define(eq=False)
class _Claim:
    lease: _Lease
    token: int


class MemoryStore:
    """Keeps posted messages in memory: they outlive actors and systems, and end with the process.

    Messages may be any objects. With `shared` several systems of the process use it at once, as several
    hosts use a server: for tests.
    """

    def __init__(self, *, shared: bool = False) -> None:
        self._shared = shared
        self.shelf = Shelf()
        """What it keeps; for tests to look at."""
        self.engines: dict[str, _MemoryEngine] = {}
        self.claims: dict[str, _Claim] = {}
        self._token = 0

    def __repr__(self) -> str:
        return f"<MemoryStore, {len(self.shelf.entries)} tickets>"

    def next_token(self) -> int:
        """A higher fencing token than any before."""
        self._token += 1
        return self._token

    @property
    def where(self) -> str:
        """See `Store.where`."""
        return "memory"

    @property
    def is_durable(self) -> bool:
        """False: it ends with the process."""
        return False

    @property
    def is_shared(self) -> bool:
        """See `Store.is_shared`."""
        return self._shared

    def open(self, opening: Opening) -> AbstractAsyncContextManager[Engine]:
        """See `Store.open`."""
        return self._opened(opening)

    @asynccontextmanager
    async def _opened(self, opening: Opening) -> AsyncGenerator[Engine]:
        await trio.lowlevel.checkpoint()
        if self.engines and (not self._shared or opening.incarnation in self.engines):
            raise StoreInUse(self.where, "another system uses it: make it with MemoryStore(shared=True)")
        if not self._shared:
            self.shelf.abandon(lambda _: True, opening.wall())
        engine = _MemoryEngine(self, opening)
        self.engines[opening.incarnation] = engine
        try:
            yield engine
        finally:
            del self.engines[opening.incarnation]
            engine.close()


class _MemoryEngine:
    """One system's use of a store."""

    def __init__(self, store: MemoryStore, opening: Opening) -> None:
        self._store = store
        self._shelf: Shelf = store.shelf
        self._opening = opening
        self._signals: deque[Signal] = deque()
        self._lot = trio.lowlevel.ParkingLot()
        self._taken: set[str] = set()
        self._asked: set[str] = set()
        self._directory = _MemoryDirectory(store, opening) if store.is_shared else None
        if self._directory is not None:
            self._shelf.is_owner = self._directory.is_owner

    @property
    def directory(self) -> Directory | None:
        return self._directory

    def close(self) -> None:
        if self._directory is not None:
            self._directory.close()

    async def write(self, group: Sequence[Operation]) -> list[Result]:
        results = [self._shelf.apply(operation) for operation in group]
        if self._directory is not None:
            for operation, result in zip(group, results, strict=True):
                self._tell(operation, result)
        await trio.lowlevel.cancel_shielded_checkpoint()
        return results

    def _tell(self, operation: Operation, result: Result) -> None:
        posted = None
        if isinstance(operation, Append | Redeliver) and isinstance(result, Entry):
            posted = result
        elif isinstance(operation, Moved):
            if not isinstance(result, Exception):
                entry = self._shelf.entries[operation.id]
                for engine in self._others():
                    if engine._opening.node == entry.node or entry.id in engine._asked:
                        engine.signal(Changed(entry.id, entry.state))
            posted = operation.follow
        if posted is not None:
            for engine in self._others(itself=True):
                engine.signal(Arrived(posted.path, posted.priority))

    def _others(self, itself: bool = False) -> list[_MemoryEngine]:
        engines = self._store.engines.values()
        return [engine for engine in engines if itself or engine is not self]

    def signal(self, signal: Signal) -> None:
        self._signals.append(signal)
        self._lot.unpark_all()

    async def take(
        self, path: str, limit: int, *, again: bool = False, token: int | None = None
    ) -> list[Entry]:
        await trio.lowlevel.checkpoint()
        if self._directory is None:
            return self._shelf.pending(path, limit)
        if token is None or not self._directory.is_owner(path, token):
            raise NotTheOwner(path)
        every = self._shelf.pending(path, len(self._shelf.entries))
        fresh = [entry for entry in every if again or entry.id not in self._taken][:limit]
        self._taken.update(entry.id for entry in fresh)
        return fresh

    async def waiting(self) -> Mapping[str, int]:
        await trio.lowlevel.checkpoint()
        return self._shelf.live()

    async def get(self, ticket_id: str) -> Entry | None:
        await trio.lowlevel.checkpoint()
        self._asked.add(ticket_id)
        return self._shelf.entries.get(ticket_id)

    async def find(
        self,
        *,
        states: Collection[TicketState] = (),
        path: str | None = None,
        after: int = 0,
        limit: int = 100,
    ) -> list[Entry]:
        await trio.lowlevel.checkpoint()
        return self._shelf.find(states, path, after, limit)

    async def due(self, before: float, limit: int) -> list[Entry]:
        await trio.lowlevel.checkpoint()
        return self._shelf.due(before, limit)

    async def next_due(self) -> float | None:
        await trio.lowlevel.checkpoint()
        return self._shelf.next_due()

    async def load(self, path: str) -> Any:
        await trio.lowlevel.checkpoint()
        return self._shelf.states.get(path)

    async def handled(self, ticket_id: str) -> Handled | None:
        await trio.lowlevel.checkpoint()
        return self._shelf.remembered.get(ticket_id)

    async def changes(self, after: int, limit: int) -> list[Change]:
        await trio.lowlevel.checkpoint()
        return self._shelf.changes(after, limit)

    async def last_change(self) -> int:
        await trio.lowlevel.checkpoint()
        return self._shelf.number

    async def signals(self) -> AsyncIterator[Signal]:
        while True:
            while self._signals:
                yield self._signals.popleft()
            await self._lot.park()


class _MemoryDirectory:
    """Who owns which name, for systems of one process."""

    def __init__(self, store: MemoryStore, opening: Opening) -> None:
        self._store = store
        self._claims: dict[str, _Claim] = store.claims
        self._wall: Callable[[], float] = opening.wall
        self._seconds = opening.lease
        self._lease = _Lease(opening.node, opening.wall() + opening.lease)

    def close(self) -> None:
        self._lease.until = -math.inf

    def is_owner(self, path: str, token: int | None) -> bool:
        claim = self._claims.get(path)
        return claim is not None and claim.token == token and claim.lease.until > self._wall()

    async def claim(self, path: str) -> Owner:
        await trio.lowlevel.checkpoint()
        now = self._wall()
        claim = self._claims.get(path)
        if claim is None or claim.lease.until <= now:
            if self._lease.until <= now:
                self._lease = _Lease(self._lease.node, now + self._seconds)
            claim = self._claims[path] = _Claim(self._lease, self._store.next_token())
            self._store.shelf.abandon(lambda entry: entry.path == path, now)
        return Owner(claim.lease.node, claim.token)

    async def release(self, path: str) -> None:
        await trio.lowlevel.checkpoint()
        claim = self._claims.get(path)
        if claim is not None and claim.lease is self._lease:
            del self._claims[path]

    async def owner(self, path: str) -> Owner | None:
        await trio.lowlevel.checkpoint()
        claim = self._claims.get(path)
        if claim is None or claim.lease.until <= self._wall():
            return None
        return Owner(claim.lease.node, claim.token)

    async def renew(self) -> bool:
        await trio.lowlevel.checkpoint()
        now = self._wall()
        kept = self._lease.until > now
        if kept:
            self._lease.until = now + self._seconds
        else:
            self._lease = _Lease(self._lease.node, now + self._seconds)
        return kept
