"""Random programs: the same operations on a store and on the reference, compared after each.

A program is drawn from a seed, so that one that fails can be run again.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from random import Random

import attrs

from actors.delivery.operations import (
    Append,
    Drop,
    Handled,
    Moved,
    Operation,
    Prune,
    Redeliver,
    Result,
    Save,
    Saved,
)
from actors.delivery.shelf import Shelf
from actors.delivery.store import Store
from actors.delivery.ticket import ENDED, Entry, Failure, Move
from actors.testing.bench import PATHS, Bench, Node, Snapshot, unplaced

__all__ = ["does_as_the_reference"]

_OLD_TOKEN = -1
"""One that never was the owner's."""


async def does_as_the_reference(bench: Bench) -> None:
    """Whatever is written, in whatever order, comes to the same as in the reference."""
    draw = _Draw(Random(f"store {bench.seed}"), bench, Shelf())
    log: list[str] = []
    for _ in range(3):
        async with bench.open() as node:
            await _run(node, draw, log)
            if bench.after_crash is not None and not bench.is_shared:
                await _crash(bench, bench.after_crash(), draw.shelf, log)
            if not bench.is_shared:
                node.is_dead = True
        if not bench.is_shared:
            log.append("reopened")
            bench.now += 1
            draw.shelf.abandon(lambda _: True, bench.now)


async def _crash(bench: Bench, found: Store, shelf: Shelf, log: list[str]) -> None:
    """What another process would find now."""
    expected = copy.deepcopy(shelf)
    expected.abandon(lambda _: True, bench.now)
    async with bench.opened(found, "two") as other:
        await _compare(other, expected, [*log, "killed"])


async def _run(node: Node, draw: _Draw, log: list[str]) -> None:
    """One life of a node."""
    bench, shelf = node.bench, draw.shelf
    for path in PATHS if bench.is_shared else ():
        token = await node.own(path)
        draw.tokens[path] = token
        shelf.abandon(lambda entry, path=path: entry.path == path, bench.now)
    shelf.is_owner = lambda path, token: draw.tokens.get(path) == token
    await _compare(node, shelf, log)
    for _ in range(25):
        group = [draw.operation() for _ in range(draw.random.choice((1, 1, 1, 2, 4)))]
        log += [f"{operation}" for operation in group]
        expected = [shelf.apply(operation) for operation in group]
        found = await node.write(*group)
        title = f"seed {bench.seed}: results of the last {len(group)} of\n" + "\n".join(log)
        bench.same(f"{title}\n", [_plain(one) for one in expected], [_plain(one) for one in found])
        await _compare(node, shelf, log)
        bench.now += draw.random.choice((0.0, 0.25, 1.0))


def _plain(result: Result) -> object:
    """A result without what engines may choose: places, and the words of a refusal."""
    if isinstance(result, Entry):
        return unplaced(result)
    return type(result).__name__ if isinstance(result, Exception) else result


async def _compare(node: Node, shelf: Shelf, log: list[str]) -> None:
    """All that can be read."""
    title = f"seed {node.bench.seed}: the store after\n" + "\n".join(log) + "\n"
    found = await node.snapshot()
    due = shelf.due(float("inf"), 10_000)
    expected = Snapshot(
        entries=tuple(unplaced(entry) for entry in shelf.entries.values()),
        waiting=shelf.live(),
        due=tuple(sorted(((entry.due, entry.id) for entry in due), key=repr)),
        next_due=shelf.next_due(),
        states={path: shelf.states.get(path) for path in PATHS},
        listed=shelf.states_below(""),
        last_change=shelf.number,
    )
    for field in attrs.fields(Snapshot):
        node.bench.same(title + field.name, getattr(expected, field.name), getattr(found, field.name))
    for path in PATHS:
        line = [entry.id for entry in shelf.pending(path, 10_000)]
        node.bench.same(f"{title}the line of {path}", line, await node.line(path))
    after = max(0, shelf.number - 10)
    node.bench.same(f"{title}the feed", shelf.changes(after, 20), await node.engine.changes(after, 20))


class _Draw:
    """Draws operations over few ids, keys and recipients, so that they meet."""

    def __init__(self, random: Random, bench: Bench, shelf: Shelf) -> None:
        self.random = random
        self.bench = bench
        self.shelf = shelf
        self.tokens: dict[str, int | None] = {}
        self._said: list[Operation] = []

    def operation(self) -> Operation:
        """The next one; sometimes one that was said before."""
        if self._said and self.random.random() < 0.1:
            return self.random.choice(self._said[-5:])
        drawn = self.random.choices(_KINDS, _WEIGHTS)[0](self)
        self._said.append(drawn)
        return drawn

    def _one_of(self, chance: float) -> bool:
        return self.random.random() < chance

    def entry(self) -> Entry:
        due = self.bench.now + self.random.choice((1.0, 2.0, 3.0)) if self._one_of(0.3) else None
        key = self.random.choice("kl") if self._one_of(0.2) else None
        return self.bench.entry(
            self.random.choice(PATHS),
            payload=self.random.choice(("1", '"ž"')),
            priority=self.random.choice((0, 0, 0, 1, -1)),
            key=key,
            due=due,
            max_attempts=self.random.choice((1, 2, 3)),
            reply=self._one_of(0.8),
        )

    def ticket(self) -> Entry | None:
        """One that is there, mostly."""
        entries = list(self.shelf.entries.values())
        return self.random.choice(entries) if entries and self._one_of(0.98) else None

    def saved(self, path: str) -> Saved | None:
        state = None if self._one_of(0.1) else f'"{self.bench.draw()}"'
        return Saved(path, state) if self._one_of(0.3) else None

    def token(self, path: str) -> int | None:
        known = self.tokens.get(path)
        return known if known is None or self._one_of(0.9) else _OLD_TOKEN

    def append(self) -> Operation:
        return Append(self.entry(), self.random.choice((2, 4, 100)))

    def moved(self) -> Operation:
        entry = self.ticket() or self.bench.entry()
        what = self._likely(entry)
        attempt = None
        if what not in {Move.CANCEL, Move.TIME_OUT}:
            attempt = entry.attempts + (what is Move.DELIVER)
            attempt = max(1, attempt + self.random.choice((1, -1))) if self._one_of(0.05) else max(1, attempt)
        failure = Failure(self.bench.now, entry.attempts, "E", "ž") if self._one_of(0.8) else None
        return Moved(
            entry.id,
            what,
            self.bench.now,
            attempt,
            answer=self.random.choice((None, "1", "null")),
            failure=failure,
            saved=None if attempt is None or what is Move.DELIVER else self.saved(entry.path),
            follow=self.entry() if self._one_of(0.1) else None,
            token=None if attempt is None else self.token(entry.path),
        )

    def _likely(self, entry: Entry) -> Move:
        if self._one_of(0.15):
            return self.random.choice(list(Move))
        if entry.working:
            return self.random.choice(
                (Move.ANSWER, Move.FAIL, Move.FAIL, Move.REFUSE, Move.RETURN, Move.TIME_OUT)
            )
        return Move.DELIVER

    def save(self) -> Operation:
        path = self.random.choice(PATHS)
        return Save(self.saved(path) or Saved(path, '"s"'), self.token(path))

    def drop(self) -> Operation:
        entry = self.ticket()
        return Drop(entry.id if entry else "nobody")

    def redeliver(self) -> Operation:
        dead = [entry for entry in self.shelf.entries.values() if entry.state.value == "dead"]
        entry = self.random.choice(dead) if dead and self._one_of(0.9) else self.ticket()
        return Redeliver(entry.id if entry else "nobody", self.entry())

    def handled(self) -> Operation:
        path = self.random.choice(PATHS)
        return Handled(
            f"far{self.random.randrange(3)}", path, self.bench.now, answer="1", saved=self.saved(path)
        )

    def prune(self) -> Operation:
        states = frozenset(self.random.sample(sorted(ENDED, key=str), self.random.randrange(1, len(ENDED))))
        return Prune(self.bench.now - self.random.choice((0.0, 2.0, 10.0)), states)


_KINDS: tuple[Callable[[_Draw], Operation], ...] = (
    _Draw.append,
    _Draw.moved,
    _Draw.save,
    _Draw.drop,
    _Draw.redeliver,
    _Draw.handled,
    _Draw.prune,
)
_WEIGHTS = (30, 55, 4, 3, 3, 3, 2)
