"""Stores for the tests: in memory, as text in memory, or in a file; and one that fails on demand."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import trio

from actors.delivery import MemoryStore, Opening, SQLiteStore

__all__ = ["STORES", "Failing", "TextStore", "make_store"]

STORES = ("memory", "text", "sqlite")


class TextStore(MemoryStore):
    """Keeps text alone, as a store does that outlives the process."""

    @property
    def is_durable(self) -> bool:
        return True


def make_store(kind: str, folder: Path) -> Any:
    """A new one of this kind."""
    if kind == "sqlite":
        return SQLiteStore(str(folder / "post.db"))
    return TextStore() if kind == "text" else MemoryStore()


class Failing:
    """A store whose calls go through `gate` first, which may raise or cancel: `gate(name)`.

    With `after` they raise when the call was done, as where an answer was lost.
    """

    def __init__(self, store: Any, gate: Callable[[str], BaseException | None], after: bool = False) -> None:
        self.store = store
        self.gate = gate
        self.after = after

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    @asynccontextmanager
    async def open(self, opening: Opening) -> AsyncGenerator[Any]:
        await trio.lowlevel.checkpoint()
        error = self.gate("open")
        if error is not None:
            raise error
        async with self.store.open(opening) as engine:
            yield _FailingEngine(engine, self)


class _FailingEngine:
    def __init__(self, engine: Any, store: Failing) -> None:
        self._engine = engine
        self._store = store

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._engine, name)
        if not callable(found) or name == "signals":
            return found

        async def called(*args: Any, **kwargs: Any) -> Any:
            error = self._store.gate(name)
            if error is not None and not self._store.after:
                await trio.lowlevel.checkpoint()
                raise error
            result = await found(*args, **kwargs)
            if error is not None:
                raise error
            return result

        return called
