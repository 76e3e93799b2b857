"""The engine that keeps everything in memory: the default, and the reference for the others."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from itertools import islice
from typing import Any, Final

import attrs
import trio

from actors.delivery.errors import NotTheOwner, StoreInUse
from actors.delivery.operations import Append, Change, Handled, Moved, Operation, Redeliver, Result, Saved
from actors.delivery.shelf import Shelf
from actors.delivery.store import (
    STARTED_AGAIN,
    Arrived,
    Changed,
    Directory,
    Engine,
    Opening,
    Owner,
    Resumed,
    Signal,
)
from actors.delivery.ticket import LIVE, Entry, Standing, TicketState

__all__ = ["MemoryStore"]

_SIGNALS_KEPT: Final = 10_000


@attrs.define
class _Lease:
    """A node, and until when its names are its own."""

    node: str
    until: float
    born: int
    """Grows with each opening of the store."""


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
        self._opener = ""
        self.changed = trio.lowlevel.ParkingLot()
        """Where those wait who follow the changes."""

    def __repr__(self) -> str:
        return f"<MemoryStore, {len(self.shelf.entries)} tickets>"

    def tell_of(self, entry: Entry, *, but: _MemoryEngine | None = None) -> None:
        """A ticket has changed: those engines hear of it that have posted it, or asked after it."""
        is_over = entry.state not in LIVE and not entry.working
        for engine in self.engines.values():
            if engine is not but:
                engine.changed(entry)
            if is_over:
                engine.forget(entry.id)

    def abandon(self, path: str, at: float) -> None:
        """The name has a new owner: what the last one had in hand has failed once."""
        for entry in self.shelf.abandon(lambda entry: entry.path == path, at):
            self.tell_of(entry)
        self.changed.unpark_all()

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
        if not self._shared and self._opener != opening.incarnation:
            self.shelf.abandon(lambda _: True, opening.wall())
        self._opener = opening.incarnation
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
        self._taken: dict[str, int | None] = {}
        """Tickets that were given out, each with the token of whoever had it."""
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
        results: list[Result] = []
        for operation in group:
            results.append(self._shelf.apply(operation))
            if self._directory is not None:
                self._tell(operation, results[-1])
        self._store.changed.unpark_all()
        await trio.lowlevel.cancel_shielded_checkpoint()
        return results

    def _tell(self, operation: Operation, result: Result) -> None:
        if isinstance(operation, Append | Redeliver) and isinstance(result, Entry):
            self._arrived(result)
        elif isinstance(operation, Moved) and isinstance(result, Standing):
            self._store.tell_of(self._shelf.entries[operation.id], but=self)
            if operation.follow is not None:
                self._arrived(operation.follow)

    def _arrived(self, entry: Entry) -> None:
        for engine in self._store.engines.values():
            engine.signal(Arrived(entry.path, entry.priority))

    def changed(self, entry: Entry) -> None:
        if entry.node == self._opening.node or entry.id in self._asked:
            self.signal(Changed(entry.id, entry.state))

    def forget(self, ticket_id: str) -> None:
        """Nothing happens to it any more."""
        self._asked.discard(ticket_id)
        self._taken.pop(ticket_id, None)

    def signal(self, signal: Signal) -> None:
        if len(self._signals) >= _SIGNALS_KEPT:  # nobody listens, or too slowly
            self._signals.clear()
            signal = Resumed()
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
        waiting = self._shelf.waiting_for(path)
        fresh = (entry for entry in waiting if again or self._taken.get(entry.id) != token)
        given = list(islice(fresh, limit))
        self._taken.update((entry.id, token) for entry in given)
        return given

    async def waiting(self) -> Mapping[str, int]:
        await trio.lowlevel.checkpoint()
        return self._shelf.live()

    async def get(self, ticket_id: str) -> Entry | None:
        await trio.lowlevel.checkpoint()
        entry = self._shelf.entries.get(ticket_id)
        if self._directory is not None and entry is not None:
            self._asked.add(ticket_id)
        return entry

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

    async def states(self, below: str) -> list[Saved]:
        await trio.lowlevel.checkpoint()
        return self._shelf.states_below(below)

    async def handled(self, ticket_id: str) -> Handled | None:
        await trio.lowlevel.checkpoint()
        return self._shelf.remembered.get(ticket_id)

    async def changes(self, after: int, limit: int) -> list[Change]:
        await trio.lowlevel.checkpoint()
        return self._shelf.changes(after, limit)

    async def last_change(self) -> int:
        await trio.lowlevel.checkpoint()
        return self._shelf.number

    async def wait_change(self, after: int) -> None:
        await trio.lowlevel.checkpoint()
        while self._shelf.number <= after:
            await self._store.changed.park()

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
        self._lease = _Lease(opening.node, opening.wall() + opening.lease, store.next_token())
        self._has_lapsed = False

    def close(self) -> None:
        self._lease.until = -math.inf
        for path, claim in self._claims.items():
            if claim.lease is self._lease:
                self._tell(path)

    def _tell(self, path: str) -> None:
        for engine in self._store.engines.values():
            engine.signal(Arrived(path))

    def is_owner(self, path: str, token: int | None) -> bool:
        claim = self._claims.get(path)
        return claim is not None and claim.token == token and claim.lease.until > self._wall()

    async def claim(self, path: str) -> Owner:
        await trio.lowlevel.checkpoint()
        now = self._wall()
        claim = self._claims.get(path)
        if claim is None or claim.lease.until <= now or self._is_earlier(claim.lease):
            if self._lease.until <= now:
                self._lapse(now)
            claim = self._claims[path] = _Claim(self._lease, self._store.next_token())
            self._store.abandon(path, now)
        is_later = claim.lease.node == self._lease.node and claim.lease.born != self._lease.born
        return Owner(claim.lease.node + STARTED_AGAIN * is_later, claim.token)

    def _is_earlier(self, lease: _Lease) -> bool:
        """Whether it is that of an earlier incarnation of this node, which is no more."""
        return lease.node == self._lease.node and lease.born < self._lease.born

    async def release(self, path: str) -> None:
        await trio.lowlevel.checkpoint()
        claim = self._claims.get(path)
        if claim is not None and claim.lease is self._lease:
            del self._claims[path]
            self._tell(path)

    async def owner(self, path: str) -> Owner | None:
        await trio.lowlevel.checkpoint()
        claim = self._claims.get(path)
        if claim is None or claim.lease.until <= self._wall():
            return None
        return Owner(claim.lease.node, claim.token)

    async def renew(self) -> bool:
        await trio.lowlevel.checkpoint()
        now = self._wall()
        if self._lease.until <= now:
            self._lapse(now)
        self._lease.until = now + self._seconds
        kept, self._has_lapsed = not self._has_lapsed, False
        return kept

    def _lapse(self, now: float) -> None:
        """A new lease, for the names claimed from now on; those of the old one are nobody's."""
        self._lease = attrs.evolve(self._lease, until=now + self._seconds)
        self._has_lapsed = True  # to be said at the next `renew`, also where a claim has seen it first
