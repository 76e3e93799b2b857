"""What the checks of a store work with: its clock, its nodes, and how they say what they miss."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from typing import Any

import attrs

from actors.delivery.operations import Append, Moved, Operation, Result, Saved
from actors.delivery.store import Engine, Opening, Store
from actors.delivery.ticket import Entry, Move, Standing

__all__ = ["Bench", "ConformanceError", "Node", "Snapshot", "unplaced"]

START = 1_700_000_000.0
PATHS = ("/a", "/b", "/c")


class ConformanceError(AssertionError):
    """A store does not keep a promise of its port.

    `.promise` is the sentence that is broken, `.seen` is what was seen instead.
    """

    def __init__(self, promise: str, seen: str) -> None:
        self.promise = promise
        self.seen = seen
        super().__init__(f"{promise} Here: {seen}")


@attrs.frozen
class Snapshot:
    """All that can be read of a store, for comparison."""

    entries: tuple[Entry, ...]
    """By their places, which are 0 here: engines may number as they like."""
    waiting: Mapping[str, int]
    due: tuple[tuple[float | None, str], ...]
    next_due: float | None
    states: Mapping[str, Any]
    listed: list[Saved]
    last_change: int


def unplaced(entry: Entry) -> Entry:
    """The same without its place, which each engine numbers in its own way."""
    return attrs.evolve(entry, seq=0)


@attrs.define(eq=False)
class Bench:
    """One check at work on one store."""

    promise: str
    make: Callable[[], Store]
    after_crash: Callable[[], Store] | None = None
    seed: int = 0
    now: float = START
    """The wall clock of its nodes, in seconds since 1970."""
    _drawn: int = 0
    is_shared: bool = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.is_shared = self.make().is_shared

    # --- saying what is missed ---

    def fail(self, seen: str) -> ConformanceError:
        """What to raise."""
        return ConformanceError(self.promise, seen)

    def hold(self, condition: bool, seen: str) -> None:
        """Raise `ConformanceError` unless it is so."""
        if not condition:
            raise self.fail(seen)

    def same(self, what: str, expected: object, found: object) -> None:
        """Raise `ConformanceError` where the two differ."""
        if expected != found:
            raise self.fail(f"{what}: expected {_short(expected)}, found {_short(found)}")

    # --- making things ---

    def draw(self) -> int:
        """A number that was not drawn before."""
        self._drawn += 1
        return self._drawn

    def entry(self, path: str = "/a", **fields: Any) -> Entry:
        """A message to post: its id and payload are its own."""
        number = self.draw()
        given: dict[str, Any] = {"payload": f'{{"n": {number}}}', "posted": self.now, **fields}
        return Entry(id=given.pop("id", f"t{number:04}"), path=path, **given)

    @asynccontextmanager
    async def open(self, name: str = "one", *, lease: float = 15.0) -> AsyncGenerator[Node]:
        """A node that uses the store; the names that it owns are given up when it leaves."""
        async with self.opened(self.make(), name, lease=lease) as node:
            yield node

    @asynccontextmanager
    async def opened(
        self, store: Store, name: str = "one", *, lease: float = 15.0, incarnation: str | None = None
    ) -> AsyncGenerator[Node]:
        """The same for a store that is made already."""
        opening = Opening(name, incarnation or f"{name}-{self.draw()}", lambda: self.now, lease)
        async with store.open(opening) as engine:
            node = Node(self, name, engine)
            yield node
            await node.release()


class Node:
    """One system's use of the store, with the names that it owns."""

    def __init__(self, bench: Bench, name: str, engine: Engine) -> None:
        self.bench = bench
        self.name = name
        self.engine = engine
        self.tokens: dict[str, int] = {}
        self.is_dead = False
        """Whether it ends as a killed one does: without giving up its names."""

    @property
    def directory(self) -> Any:
        """That of a shared store."""
        self.bench.hold(self.engine.directory is not None, "a shared store gives no directory")
        return self.engine.directory

    async def own(self, path: str) -> int | None:
        """The fencing token for a name; claimed where the store is shared, None where it is not."""
        if not self.bench.is_shared:
            return None
        if path not in self.tokens:
            owner = await self.directory.claim(path)
            self.bench.same(f"the owner of {path}, claimed when it was free", self.name, owner.node)
            self.tokens[path] = owner.token
        return self.tokens[path]

    async def release(self) -> None:
        """Give up all names, unless it is dead."""
        if not self.is_dead:
            for path in self.tokens:
                await self.directory.release(path)
        self.tokens.clear()

    async def write(self, *group: Operation) -> list[Result]:
        """Write a group; one result each."""
        results = await self.engine.write(group)
        self.bench.same("results of a group, one for each operation", len(group), len(results))
        return results

    async def say(self, operation: Operation) -> Result:
        """Write one operation."""
        [result] = await self.write(operation)
        return result

    async def refused(self, operation: Operation, error: type[Exception], why: str) -> Any:
        """Write one that has to be refused: its error."""
        result = await self.say(operation)
        if type(result) is not error:
            raise self.bench.fail(f"{why}: expected {error.__name__}, found {_short(result)}")
        return result

    async def post(self, path: str = "/a", *, capacity: int = 1000, **fields: Any) -> Entry:
        """Post a message that has to be taken."""
        result = await self.say(Append(self.bench.entry(path, **fields), capacity))
        if not isinstance(result, Entry):
            raise self.bench.fail(f"a post comes to its Entry: found {_short(result)}")
        return result

    async def moved(self, entry: Entry, what: Move, attempt: int | None = None, **more: Any) -> Moved:
        """The operation, with this node's token for moves of a delivery."""
        token = None if attempt is None else await self.own(entry.path)
        return attrs.evolve(Moved(entry.id, what, self.bench.now, attempt, token=token), **more)

    async def move(self, entry: Entry, what: Move, attempt: int | None = None, **more: Any) -> Standing:
        """Make a move that is legal."""
        result = await self.say(await self.moved(entry, what, attempt, **more))
        if not isinstance(result, Standing):
            raise self.bench.fail(f"{what.value} of a ticket that may: found {_short(result)}")
        return result

    async def in_hand(self, path: str = "/a", **fields: Any) -> Entry:
        """Post a message and deliver it, for the first time."""
        entry = await self.post(path, **fields)
        await self.move(entry, Move.DELIVER, 1)
        return entry

    async def take(self, path: str, limit: int = 1000, *, again: bool = True) -> list[Entry]:
        """What waits for a recipient."""
        token = await self.own(path)
        return await self.engine.take(path, limit, again=again, token=token)

    async def line(self, path: str, limit: int = 1000) -> list[str]:
        """The ids of what waits for a recipient."""
        return [entry.id for entry in await self.take(path, limit)]

    async def got(self, entry: Entry | str) -> Entry:
        """A ticket that has to be there."""
        ticket_id = entry if isinstance(entry, str) else entry.id
        found = await self.engine.get(ticket_id)
        if found is None:
            raise self.bench.fail(f"the ticket {ticket_id} is not there")
        return found

    async def everything(self) -> list[Entry]:
        """All tickets, page by page."""
        found: list[Entry] = []
        while page := await self.engine.find(after=found[-1].seq if found else 0, limit=100):
            self.bench.hold(not found or page[0].seq > found[-1].seq, "find(after=...) comes back to a place")
            found += page
        return found

    async def snapshot(self, paths: Collection[str] = PATHS) -> Snapshot:
        """All that can be read."""
        due = [(entry.due, entry.id) for entry in await self.engine.due(float("inf"), 10_000)]
        self.bench.same(
            "tickets that time out, the soonest first", sorted(at for at, _ in due if at), _ats(due)
        )
        return Snapshot(
            entries=tuple(unplaced(entry) for entry in await self.everything()),
            waiting=dict(await self.engine.waiting()),
            due=tuple(sorted(due, key=repr)),
            next_due=await self.engine.next_due(),
            states={path: await self.engine.load(path) for path in paths},
            listed=await self.engine.states(""),
            last_change=await self.engine.last_change(),
        )


def _ats(due: list[tuple[float | None, str]]) -> list[float | None]:
    return [at for at, _ in due]


def _short(value: object, limit: int = 400) -> str:
    text = f"{type(value).__name__}: {value}" if isinstance(value, Exception) else repr(value)
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text)} characters)"
