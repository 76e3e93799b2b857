"""Shared stores that each break one promise."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

import attrs
import trio

from actors.delivery import MemoryStore
from actors.delivery.errors import NotTheOwner
from actors.delivery.operations import (
    Moved,
    Operation,
    Result,
)
from actors.delivery.store import Directory, Engine, Opening, Owner, Signal
from actors.delivery.ticket import Entry
from tests.delivery.broken import Broken


class LetsAnOldTokenWrite(Broken):
    async def write(self, group: Sequence[Operation]) -> list[Result]:
        return await super().write(
            [attrs.evolve(one, token=None) if isinstance(one, Moved) else one for one in group]
        )


class LetsAnOldTokenTake(Broken):
    async def take(
        self, path: str, limit: int, *, again: bool = False, token: int | None = None
    ) -> list[Entry]:
        try:
            return await super().take(path, limit, again=again, token=token)
        except NotTheOwner:
            return self.store.shelf.pending(path, limit)


class NeverSignals(Broken):
    async def signals(self) -> AsyncIterator[Signal]:
        await trio.sleep_forever()
        yield  # type: ignore[misc]


class GivesTwice(Broken):
    async def take(
        self, path: str, limit: int, *, again: bool = False, token: int | None = None
    ) -> list[Entry]:
        return await super().take(path, limit, again=True, token=token)


class _TwoOwners:
    """A directory that gives a name to whoever asks."""

    def __init__(self, inner: Directory, node: str) -> None:
        self._inner = inner
        self._node = node

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def claim(self, path: str) -> Owner:
        owner = await self._inner.claim(path)
        return Owner(self._node, owner.token)


class HasTwoOwners(Broken):
    @property
    def directory(self) -> Any:
        assert self.engine.directory is not None
        return _TwoOwners(self.engine.directory, self.opening.node)


class _RenewsTheLapsed(_TwoOwners):
    async def claim(self, path: str) -> Owner:
        return await self._inner.claim(path)

    async def renew(self) -> bool:
        await self._inner.renew()
        return True


class NeverSaysThatALeaseLapsed(Broken):
    @property
    def directory(self) -> Any:
        assert self.engine.directory is not None
        return _RenewsTheLapsed(self.engine.directory, self.opening.node)


class _NeverLapses(_TwoOwners):
    def __init__(self, inner: Directory, node: str, store: MemoryStore) -> None:
        super().__init__(inner, node)
        self._store = store

    async def claim(self, path: str) -> Owner:
        return await self._inner.claim(path)

    async def owner(self, path: str) -> Owner | None:
        await trio.lowlevel.checkpoint()
        claim = self._store.claims.get(path)
        return None if claim is None else Owner(claim.lease.node, claim.token)


class NeverLapses(Broken):
    @property
    def directory(self) -> Any:
        assert self.engine.directory is not None
        return _NeverLapses(self.engine.directory, self.opening.node, self.store)


class SaysNothingOfTheLapsed(Broken):
    """What a lapsed node had in hand fails, and nobody hears of it."""

    def __init__(self, store: MemoryStore, engine: Engine, opening: Opening) -> None:
        super().__init__(store, engine, opening)

        def abandon(path: str, at: float) -> None:
            store.shelf.abandon(lambda entry: entry.path == path, at)

        store.abandon = abandon  # type: ignore[method-assign]


class KeepsNamesFromTheNext(Broken):
    """A node that starts again waits until the lease of its earlier life has lapsed."""

    def __init__(self, store: MemoryStore, engine: Engine, opening: Opening) -> None:
        super().__init__(store, engine, opening)
        directory: Any = engine.directory
        directory._is_earlier = lambda lease: False
