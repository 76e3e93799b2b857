"""A store in a file as a killed process leaves it, and what is in it after each of its commits."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from random import Random

import attrs

from actors.delivery import Entry, Failure, Opening, SQLiteStore
from actors.delivery.operations import Append, Moved, Operation, Save, Saved
from actors.delivery.shelf import Shelf
from actors.delivery.ticket import Move, TicketState
from benchmarks.chaos.children import Line, fork

__all__ = ["FILES", "START", "Sample", "Snapshot", "fresh"]

FILES = ("", "-wal", "-shm")
START = 1_700_000_000.0
_PATHS = ("/a", "/b", "/c")
_COMMITS = 60


@attrs.frozen
class Snapshot:
    """What a store has to give back."""

    entries: dict[str, Entry]
    states: dict[str, str]

    @classmethod
    def of(cls, shelf: Shelf) -> Snapshot:
        """As it is now, opened again: whatever was in hand has failed once."""
        again = Shelf()
        again.entries = dict(shelf.entries)
        again._live = dict(shelf._live)
        again._pending = {path: list(line) for path, line in shelf._pending.items()}
        again._dues = list(shelf._dues)
        again.abandon(lambda _: True, START)
        return cls(dict(again.entries), dict(shelf.states))


@attrs.frozen
class Sample:
    """Files, and their history."""

    folder: Path
    snapshots: Sequence[Snapshot]
    """After no commit, after one, ..."""
    safe: int
    """So many of the commits are not in the log any more, but in the file itself."""

    def copy(self, to: Path) -> Path:
        """The same files at another place; its name."""
        for end in FILES:
            if (self.folder / f"sample{end}").exists():
                shutil.copy(self.folder / f"sample{end}", f"{to}{end}")
        return to


def fresh(folder: Path, seed: str, safe: int) -> Sample:
    """Make one: after `safe` commits it is closed and opened again, at the end its process dies."""
    folder.mkdir(parents=True, exist_ok=True)
    dice = Random(seed)
    shelf = Shelf()
    groups = [_group(dice, shelf, number) for number in range(_COMMITS)]
    copy = Shelf()
    snapshots = [Snapshot.of(copy)]
    for group in groups:
        for operation in group:
            copy.apply(operation)
        snapshots.append(Snapshot.of(copy))
    path = folder / "sample"
    if safe:
        assert fork(partial(_write, path, groups[:safe], False)).wait() == 0
    fork(partial(_write, path, groups[safe:], True)).wait()
    return Sample(folder, snapshots, safe)


async def _write(path: Path, groups: Sequence[Sequence[Operation]], dies: bool, line: Line) -> None:
    # the same incarnation goes on with what it had in hand
    async with SQLiteStore(path).open(Opening("node", "one life", lambda: START)) as engine:
        for group in groups:
            await engine.write(group)
        if dies:
            os._exit(1)


def _group(dice: Random, shelf: Shelf, number: int) -> list[Operation]:
    """A few operations that are possible now; they are done on the shelf, too."""
    group: list[Operation] = []

    def do(operation: Operation) -> None:
        shelf.apply(operation)
        group.append(operation)

    for index in range(dice.randint(1, 4)):
        do(Append(_entry(dice, f"t{number:02}{index}"), 1000))
    for path in _PATHS:
        for entry in shelf.pending(path, 1):
            at = START + number
            do(Moved(entry.id, Move.DELIVER, at, entry.attempts + 1))
            do(_end(dice, entry, path, at))
    if dice.random() < 0.3:
        do(Save(Saved(dice.choice(_PATHS), f'{{"saved": {number}}}')))
    return group


def _end(dice: Random, entry: Entry, path: str, at: float) -> Moved:
    attempt = entry.attempts + 1
    failure = Failure(at, attempt, "builtins.ValueError", "no " * dice.randint(1, 30))
    end: Callable[[], Moved] = dice.choice(
        (
            lambda: Moved(
                entry.id,
                Move.ANSWER,
                at,
                attempt,
                answer='"yes"',
                saved=Saved(path, f'{{"by": "{entry.id}"}}'),
            ),
            lambda: Moved(entry.id, Move.FAIL, at, attempt, failure=failure),
            lambda: Moved(entry.id, Move.REFUSE, at, attempt, failure=failure),
            lambda: Moved(entry.id, Move.CANCEL, at),
        )
    )
    return end()


def _entry(dice: Random, ticket_id: str) -> Entry:
    text = "".join(dice.choices("abcdefgh ", k=dice.choice((10, 200, 3000))))
    return Entry(
        ticket_id,
        dice.choice(_PATHS),
        f'{{"id": "{ticket_id}", "text": "{text}"}}',
        START + dice.random(),
        priority=dice.choice((0, 0, 5)),
        key=f"key of {ticket_id}" if dice.random() < 0.3 else None,
        max_attempts=2,
        sender=dice.choice((None, "/s")),
        due=START + 10**6 if dice.random() < 0.2 else None,
        state=TicketState.PENDING,
    )
