"""Stores that each break one promise: what a check of stores has to find."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import attrs
import trio

from actors.delivery import MemoryStore
from actors.delivery.errors import RecipientFull
from actors.delivery.operations import (
    Append,
    Change,
    Drop,
    Handled,
    Moved,
    Operation,
    Prune,
    Redeliver,
    Result,
    Saved,
)
from actors.delivery.store import Engine, Opening
from actors.delivery.ticket import Entry, Move, Standing, TicketState


class Broken:
    """An engine that passes everything on; those that break a promise change one method."""

    def __init__(self, store: MemoryStore, engine: Engine, opening: Opening) -> None:
        self.store = store
        self.engine = engine
        self.opening = opening

    def __getattr__(self, name: str) -> Any:
        return getattr(self.engine, name)

    async def close(self) -> None:
        """Before the store is closed."""

    # what follows is passed on too; it is written out so that a break can use `super()`

    async def write(self, group: Sequence[Operation]) -> list[Result]:
        return await self.engine.write(group)

    async def take(
        self, path: str, limit: int, *, again: bool = False, token: int | None = None
    ) -> list[Entry]:
        return await self.engine.take(path, limit, again=again, token=token)

    async def get(self, ticket_id: str) -> Entry | None:
        return await self.engine.get(ticket_id)

    async def changes(self, after: int, limit: int) -> list[Change]:
        return await self.engine.changes(after, limit)


def broken(kind: type[Broken], *, shared: bool = False) -> BrokenStore:
    """A store in memory whose engines are of that kind."""
    return BrokenStore(kind, shared)


class BrokenStore:
    def __init__(self, kind: type[Broken], shared: bool) -> None:
        self.kind = kind
        self.inner = MemoryStore(shared=shared)
        self.where, self.is_durable, self.is_shared = "broken", False, shared

    def open(self, opening: Opening) -> AbstractAsyncContextManager[Engine]:
        return self._opened(opening)

    @asynccontextmanager
    async def _opened(self, opening: Opening) -> AsyncGenerator[Engine]:
        async with self.inner.open(opening) as engine:
            one: Any = self.kind(self.inner, engine, opening)
            yield one
            await one.close()


def without(group: Sequence[Operation], kind: type[Operation]) -> list[Operation]:
    return [operation for operation in group if not isinstance(operation, kind)]


class LosesAnAppend(Broken):
    """The last of three or more posts of a group is acknowledged, and not kept."""

    async def write(self, group: Sequence[Operation]) -> list[Result]:
        if len(group) > 2 and isinstance(group[-1], Append):
            *results, last = await super().write(group)
            if isinstance(last, Entry) and last.state is TicketState.PENDING:
                await super().write([Moved(last.id, Move.CANCEL, 0.0), Drop(last.id)])
            return [*results, last]
        return await super().write(group)


class AcknowledgesBeforeCommit(Broken):
    """What was written last before it closes is gone when it opens again."""

    last: Entry | None = None

    async def write(self, group: Sequence[Operation]) -> list[Result]:
        results = await super().write(group)
        self.last = results[-1] if results and isinstance(results[-1], Entry) else None
        return results

    async def close(self) -> None:
        if self.last is not None:
            self.store.shelf.apply(Moved(self.last.id, Move.CANCEL, 0.0))
            self.store.shelf.apply(Drop(self.last.id))


class Reorders(Broken):
    async def take(
        self, path: str, limit: int, *, again: bool = False, token: int | None = None
    ) -> list[Entry]:
        found = await super().take(path, 10_000, again=again, token=token)
        return sorted(found, key=lambda entry: entry.seq)[:limit]


class PutsFailedOnesLast(Broken):
    async def take(
        self, path: str, limit: int, *, again: bool = False, token: int | None = None
    ) -> list[Entry]:
        found = await super().take(path, 10_000, again=again, token=token)
        return sorted(found, key=lambda entry: (-entry.priority, entry.attempts, entry.seq))[:limit]


class IgnoresTheKey(Broken):
    async def write(self, group: Sequence[Operation]) -> list[Result]:
        return await super().write(
            [
                Append(attrs.evolve(one.entry, key=None), one.capacity) if isinstance(one, Append) else one
                for one in group
            ]
        )


class DeliversTwice(Broken):
    """What is in hand is offered again."""

    async def take(
        self, path: str, limit: int, *, again: bool = False, token: int | None = None
    ) -> list[Entry]:
        pending = await super().take(path, 10_000, again=again, token=token)
        worked = [
            entry
            for entry in self.store.shelf.entries.values()
            if entry.path == path and entry.state is TicketState.DELIVERED
        ]
        return sorted([*pending, *worked], key=lambda entry: entry.order)[:limit]


class CountsReturns(Broken):
    """An attempt that was returned counts."""

    async def write(self, group: Sequence[Operation]) -> list[Result]:
        results = await super().write(group)
        for index, (one, result) in enumerate(zip(group, results, strict=True)):
            if isinstance(one, Moved) and one.move is Move.RETURN and isinstance(result, Standing):
                entry = self.store.shelf.entries[one.id]
                self.store.shelf.entries[one.id] = attrs.evolve(entry, attempts=entry.attempts + 1)
                results[index] = attrs.evolve(result, attempts=result.attempts + 1)
        return results


class DeliversOnceMore(Broken):
    """DEAD comes one delivery late."""

    async def write(self, group: Sequence[Operation]) -> list[Result]:
        return await super().write(
            [
                Append(attrs.evolve(one.entry, max_attempts=one.entry.max_attempts + 1), one.capacity)
                if isinstance(one, Append)
                else one
                for one in group
            ]
        )


class ForgetsSavedState(Broken):
    async def write(self, group: Sequence[Operation]) -> list[Result]:
        return await super().write(
            [attrs.evolve(one, saved=None) if isinstance(one, Moved) else one for one in group]
        )


class ForgetsWhatFollows(Broken):
    async def write(self, group: Sequence[Operation]) -> list[Result]:
        return await super().write(
            [attrs.evolve(one, follow=None) if isinstance(one, Moved) else one for one in group]
        )


class SkipsANumber(Broken):
    async def changes(self, after: int, limit: int) -> list[Change]:
        return [change for change in await super().changes(after, limit) if change.number != 3]


class ReturnsAnothersPayload(Broken):
    async def get(self, ticket_id: str) -> Entry | None:
        entry = await super().get(ticket_id)
        others = [one.payload for one in self.store.shelf.entries.values() if one.id != ticket_id]
        return attrs.evolve(entry, payload=others[-1]) if entry is not None and others else entry


class CutsLongPayloads(Broken):
    async def write(self, group: Sequence[Operation]) -> list[Result]:
        return await super().write(
            [
                Append(attrs.evolve(one.entry, payload=str(one.entry.payload)[:65_536]), one.capacity)
                if isinstance(one, Append)
                else one
                for one in group
            ]
        )


class HasNoCapacity(Broken):
    async def write(self, group: Sequence[Operation]) -> list[Result]:
        return await super().write(
            [Append(one.entry, 10_000_000) if isinstance(one, Append) else one for one in group]
        )


class CountsCapacityOneTooFew(Broken):
    async def write(self, group: Sequence[Operation]) -> list[Result]:
        results = await super().write(
            [Append(one.entry, one.capacity - 1) if isinstance(one, Append) else one for one in group]
        )
        return [
            RecipientFull(one.path, one.capacity + 1) if isinstance(one, RecipientFull) else one
            for one in results
        ]


class PrunesWhatIsWorkedOn(Broken):
    async def write(self, group: Sequence[Operation]) -> list[Result]:
        shelf = self.store.shelf
        for one in group:
            if isinstance(one, Prune):
                for entry in [entry for entry in shelf.entries.values() if entry.working]:
                    if entry.state is TicketState.TIMED_OUT:
                        shelf.entries[entry.id] = attrs.evolve(entry, working=False)
        return await super().write(group)


class RedeliversTwice(Broken):
    """A redelivery keeps the dead letter."""

    async def write(self, group: Sequence[Operation]) -> list[Result]:
        dead = [self.store.shelf.entries.get(one.id) for one in group if isinstance(one, Redeliver)]
        results = await super().write(group)
        self.store.shelf.entries.update((entry.id, entry) for entry in dead if entry is not None)
        return results


class HandlesAgain(Broken):
    """What was handled is said anew."""

    async def write(self, group: Sequence[Operation]) -> list[Result]:
        for one in group:
            if isinstance(one, Handled):
                self.store.shelf.remembered.pop(one.id, None)
        return await super().write(group)


class LosesARefusedGroup(Broken):
    """A refusal in a group ends the group."""

    async def write(self, group: Sequence[Operation]) -> list[Result]:
        results: list[Result] = []
        for one in group:
            [result] = await super().write([one])
            results.append(result)
            if isinstance(result, Exception):
                break
        return results + [None] * (len(group) - len(results))


class KnowsNoTimeouts(Broken):
    async def next_due(self) -> float | None:
        await trio.lowlevel.checkpoint()
        return None


class NeverRecovers(Broken):
    """What its last node had in hand stays in hand."""

    def __init__(self, store: MemoryStore, engine: Engine, opening: Opening) -> None:
        super().__init__(store, engine, opening)
        store.shelf.abandon = lambda wanted, at: []  # type: ignore[method-assign]


class ForgetsKeysInTime(Broken):
    async def write(self, group: Sequence[Operation]) -> list[Result]:
        shelf = self.store.shelf
        for (path, key), ticket_id in list(shelf._keys.items()):
            entry = shelf.entries[ticket_id]
            if entry.state is TicketState.RESPONDED:
                shelf.entries[ticket_id] = attrs.evolve(entry, key=None)
                del shelf._keys[path, key]
        return await super().write(group)


class LosesWritesOfMany(Broken):
    """Two that write at once: the second overwrites the first."""

    busy = False

    async def write(self, group: Sequence[Operation]) -> list[Result]:
        if self.busy and isinstance(group[0], Append):
            one = group[0].entry
            return [attrs.evolve(one, seq=1, changed=one.posted)]
        self.busy = True
        try:
            return await super().write(group)
        finally:
            self.busy = False


class CountsTheLiveWrongly(Broken):
    async def waiting(self) -> Mapping[str, int]:
        await trio.lowlevel.checkpoint()
        paths = [entry.path for entry in self.store.shelf.entries.values()]
        return {path: paths.count(path) for path in paths}


class FindsFromTheStart(Broken):
    async def find(
        self,
        *,
        states: Collection[TicketState] = (),
        path: str | None = None,
        after: int = 0,
        limit: int = 100,
    ) -> list[Entry]:
        found = await self.engine.find(after=after, limit=limit)
        return [
            one for one in found if (not states or one.state in states) and (path is None or one.path == path)
        ]


class NeverWakes(Broken):
    async def wait_change(self, after: int) -> None:
        await trio.sleep_forever()


class WakesTooSoon(Broken):
    async def wait_change(self, after: int) -> None:
        await trio.lowlevel.checkpoint()


class TakesFromItself(Broken):
    """Whoever opens it again is taken for another."""

    def __init__(self, store: MemoryStore, engine: Engine, opening: Opening) -> None:
        super().__init__(store, engine, opening)
        store.shelf.abandon(lambda _: True, opening.wall())


class TakesAPathForAPattern(Broken):
    """As `LIKE` does, where nobody has thought of it."""

    async def states(self, below: str) -> list[Saved]:
        await trio.lowlevel.checkpoint()
        kept = self.store.shelf.states
        pattern = re.compile(re.escape(below).replace("_", ".").replace("%", ".*"), re.DOTALL)
        return [Saved(path, kept[path]) for path in sorted(kept) if pattern.match(path)]
