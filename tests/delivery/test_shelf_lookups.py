"""Tickets in memory: what is said twice, and what is kept beside the tickets to look them up."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.delivery.operations import (
    Append,
    Drop,
    Handled,
    Moved,
    Operation,
    Prune,
    Redeliver,
    Save,
    Saved,
)
from actors.delivery.shelf import Shelf
from actors.delivery.ticket import ENDED, LIVE, Entry, Failure, Move
from tests.delivery.shelves import P, entry, kept, make, post

SAID_TWICE: list[tuple[list[Operation], Operation]] = [
    ([], Append(entry(key="k", due=4.0), 1)),
    ([], Save(Saved("/a", "s"))),
    ([], Handled("far", "/a", 1.0, saved=Saved("/a", "s"))),
    ([], Moved("t", Move.CANCEL, 2.0)),
    ([], Moved("t", Move.TIME_OUT, 2.0)),
    ([], Moved("t", Move.DELIVER, 2.0, 1)),
    ([Moved("t", Move.DELIVER, 2.0, 1), Moved("t", Move.TIME_OUT, 2.0)], Moved("t", Move.DELIVER, 2.0, 1)),
    *(
        (
            before,
            Moved(
                "t",
                what,
                2.0,
                1,
                answer="a",
                failure=Failure(2.0, 1, "E", ""),
                saved=Saved("/a", "s"),
                follow=entry("f"),
            ),
        )
        for what in (Move.RETURN, Move.FAIL, Move.ANSWER, Move.REFUSE)
        for before in (
            [Moved("t", Move.DELIVER, 2.0, 1)],
            [Moved("t", Move.DELIVER, 2.0, 1), Moved("t", Move.TIME_OUT, 2.0)],
        )
    ),
    ([Moved("t", Move.DELIVER, 2.0, 1), Moved("t", Move.FAIL, 2.0, 1)], Redeliver("t", entry("u"))),
]


@pytest.mark.parametrize(("before", "said"), SAID_TWICE, ids=lambda value: getattr(value, "move", None))
def test_an_operation_said_twice_comes_to_the_same_and_changes_nothing(
    before: list[Operation], said: Operation
) -> None:
    shelf = Shelf()
    if not isinstance(said, Append):
        post(shelf, max_attempts=1 if isinstance(said, Redeliver) else 5)
    for operation in before:
        shelf.apply(operation)
    first = shelf.apply(said)
    assert not isinstance(first, Exception)
    after = kept(shelf)
    assert shelf.apply(said) == first
    assert kept(shelf) == after


@settings(max_examples=60)
@given(st.integers(0, 2**32))
def test_what_is_looked_up_fits_the_tickets_after_any_program(seed: int) -> None:
    """Lines, live counts, timeouts, keys and the feed are kept beside the tickets: they never differ."""
    dice, shelf = random.Random(seed), Shelf()
    for number in range(60):
        shelf.apply(_anything(dice, shelf, number))
        if dice.random() < 0.02:
            shelf.abandon(lambda one: one.path == "/a", float(number))
        _check_lookups(shelf)


def _anything(dice: random.Random, shelf: Shelf, number: int) -> Operation:
    known = dice.choice(list(shelf.entries.values()) or [entry("nobody")])
    key = dice.choice([None, None, "k", "l"])
    new = entry(
        f"t{number}",
        dice.choice(["/a", "/b"]),
        key=key,
        due=dice.choice([None, 1.0, 2.0]),
        priority=dice.choice([0, 1]),
        max_attempts=dice.choice([1, 2]),
    )
    what = dice.choice(list(Move) + [Move.DELIVER, Move.FAIL] * 2)
    attempt = None if what in {Move.CANCEL, Move.TIME_OUT} else known.attempts + (what is Move.DELIVER)
    follow = new if dice.random() < 0.2 else None
    moved = Moved(known.id, what, float(number), attempt, follow=follow)
    choices: list[Operation] = [Append(new, 5), Drop(known.id), Redeliver(known.id, new)]
    choices += [Prune(number - 10.0, ENDED, dice.choice([1, 100])), moved]
    return dice.choices(choices, (8, 1, 2, 1, 14))[0]


def _check_lookups(shelf: Shelf) -> None:
    entries = list(shelf.entries.values())
    assert [one.seq for one in entries] == sorted({one.seq for one in entries})
    live = [one for one in entries if one.state in LIVE]
    assert shelf.live() == {
        path: [one.path for one in live].count(path) for path in {one.path for one in live}
    }
    for path in ("/a", "/b"):
        waiting = [one for one in entries if one.path == path and one.state is P]
        assert shelf.pending(path, 999) == sorted(waiting, key=lambda one: one.order)
    timed = sorted((one.due, one.id) for one in live if one.due is not None)
    assert [(one.due, one.id) for one in shelf.due(99.0, 999)] == timed
    assert shelf.find((), None, 0, 999) == entries
    keys = {(one.path, one.key): one.id for one in entries if one.key is not None}
    assert shelf._keys == keys
    assert len(keys) == sum(one.key is not None for one in entries)
    last = {one.id: one.state for one in shelf.feed}
    assert {one.id: one.state for one in entries} == {name: last[name] for name in shelf.entries}


def test_a_post_and_a_move_do_not_take_longer_when_many_are_kept() -> None:
    """Counted in tickets looked at, not in seconds."""

    class Counting(dict[str, Entry]):
        seen = 0

        def __getitem__(self, key: str) -> Entry:
            self.seen += 1
            return super().__getitem__(key)

        def values(self) -> Any:
            self.seen += len(self)
            return super().values()

        def __iter__(self) -> Any:
            self.seen += len(self)
            return super().__iter__()

    shelf = Shelf()
    shelf.entries = entries = Counting()
    for number in range(2000):
        post(shelf, f"t{number}", key=f"k{number}", due=float(number))
    entries.seen = 0
    post(shelf, "new", key="k5", payload="1")
    make(shelf, Move.DELIVER, "t7")
    make(shelf, Move.FAIL, "t7")
    make(shelf, Move.CANCEL, "t9")
    assert len(shelf.pending("/a", 3)) == 3
    assert shelf.next_due() == 0.0
    assert entries.seen < 20
