"""Stores in a file that each break one promise in a way that only a kill shows."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Final

import attrs
import trio

from actors.delivery import Engine, Opening, SQLiteStore
from actors.delivery.operations import Append, Moved, Operation, Result, Save
from actors.delivery.ticket import Entry, Move, Standing, TicketState
from benchmarks.chaos.cast import MOST

__all__ = ["BREAKS", "BrokenStore"]


class Broken:
    """Passes everything on; those that break a promise change `write`."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def __getattr__(self, name: str) -> Any:
        return getattr(self.engine, name)

    async def write(self, group: Sequence[Operation]) -> list[Result]:
        return await self.engine.write(group)

    async def run(self) -> None:
        """A task of its own, cancelled at the end."""

    async def end(self) -> None:
        """Before it is closed."""


class AcknowledgesBeforeCommit(Broken):
    """A receipt is given at once, and the message is written a moment later."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self.late: list[Operation] = []

    async def write(self, group: Sequence[Operation]) -> list[Result]:
        if not all(isinstance(one, Append) for one in group):
            await self.end()
            return await super().write(group)
        self.late += group
        await trio.lowlevel.checkpoint()
        return [attrs.evolve(one.entry, seq=1) for one in group if isinstance(one, Append)]

    async def run(self) -> None:
        while True:
            await trio.sleep(0.1)
            await self.end()

    async def end(self) -> None:
        late, self.late = self.late, []
        with trio.CancelScope(shield=True):
            await super().write(late)


class ForgetsSavedState(Broken):
    """Each third state that was to be kept with an acknowledgement is not."""

    count = 0

    async def write(self, group: Sequence[Operation]) -> list[Result]:
        return await super().write([self._without(one) for one in group])

    def _without(self, one: Operation) -> Operation:
        if isinstance(one, Moved) and one.saved is not None:
            self.count += 1
            return one if self.count % 3 else attrs.evolve(one, saved=None)
        return one


class SavesFirst(Broken):
    """A state is kept, and what it came of acknowledged a moment later: in two steps, not in one."""

    async def write(self, group: Sequence[Operation]) -> list[Result]:
        saves = [Save(one.saved) for one in group if isinstance(one, Moved) and one.saved is not None]
        if saves:
            await super().write(saves)
            await trio.sleep(0.05)
        return await super().write(
            [attrs.evolve(one, saved=None) if isinstance(one, Moved) else one for one in group]
        )


class DeliversUnwritten(Broken):
    """A delivery is made at once, and written with its end."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self.begun: dict[str, Moved] = {}

    async def write(self, group: Sequence[Operation]) -> list[Result]:
        wanted: list[Operation] = []
        places: list[int] = []
        results: list[Result] = [None] * len(group)
        for place, one in enumerate(group):
            if isinstance(one, Moved) and one.move is Move.DELIVER and one.attempt is not None:
                self.begun[one.id] = one
                results[place] = Standing(TicketState.DELIVERED, one.attempt, MOST, working=True)
                continue
            if isinstance(one, Moved) and one.id in self.begun:
                wanted.append(self.begun.pop(one.id))
                places.append(-1)
            wanted.append(one)
            places.append(place)
        for place, result in zip(places, await super().write(wanted), strict=True):
            if place >= 0:
                results[place] = result
        return results

    async def take(
        self, path: str, limit: int, *, again: bool = False, token: int | None = None
    ) -> list[Entry]:
        found = await self.engine.take(path, limit + len(self.begun), again=again, token=token)
        return [entry for entry in found if entry.id not in self.begun][:limit]


BREAKS: Final[dict[str, tuple[type[Broken], str]]] = {
    "acknowledges-before-commit": (AcknowledgesBeforeCommit, "lost"),
    "forgets-saved-state": (ForgetsSavedState, "undone"),
    "saves-first": (SavesFirst, "doubled"),
    "delivers-unwritten": (DeliversUnwritten, "uncounted"),
}
"""By name: what breaks, and what the judge has to call it."""


class BrokenStore(SQLiteStore):
    """A store in a file whose engine is of such a kind."""

    def __init__(self, path: str, kind: type[Broken]) -> None:
        super().__init__(path)
        self._kind = kind

    def open(self, opening: Opening) -> AbstractAsyncContextManager[Engine]:
        """Open it."""
        return self._broken(super().open(opening))

    @asynccontextmanager
    async def _broken(self, whole: AbstractAsyncContextManager[Engine]) -> AsyncGenerator[Engine]:
        async with whole as engine, trio.open_nursery() as nursery:
            one: Any = self._kind(engine)
            nursery.start_soon(one.run)
            try:
                yield one
                await one.end()
            finally:
                nursery.cancel_scope.cancel()
