"""Tickets in memory: what comes of each operation."""

from __future__ import annotations

import random
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.delivery.errors import IllegalMove, KeyConflict, NotTheOwner, RecipientFull, UnknownTicket
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
from actors.delivery.shelf import CHANGES_KEPT, Shelf
from actors.delivery.ticket import ENDED, LIVE, Entry, Failure, Move, Standing, TicketState

P, D, T = TicketState.PENDING, TicketState.DELIVERED, TicketState.TIMED_OUT
MOST = 10_000_000


def entry(
    ticket_id: str = "t", path: str = "/a", payload: Any = "1", posted: float = 1.0, **more: Any
) -> Entry:
    return Entry(ticket_id, path, payload, posted, **more)


def post(shelf: Shelf, ticket_id: str = "t", path: str = "/a", capacity: int = MOST, **more: Any) -> Entry:
    result = shelf.apply(Append(entry(ticket_id, path, **more), capacity))
    assert isinstance(result, Entry), result
    return result


def make(shelf: Shelf, what: Move, ticket_id: str = "t", attempt: int | None = 1, **more: Any) -> Result:
    number = None if what in {Move.CANCEL, Move.TIME_OUT} else attempt
    return shelf.apply(Moved(ticket_id, what, more.pop("at", 2.0), number, **more))


def kept(shelf: Shelf) -> tuple[Any, ...]:
    """All that can be read, to see that nothing has changed."""
    return (
        dict(shelf.entries),
        dict(shelf.states),
        dict(shelf.remembered),
        shelf.number,
        list(shelf.feed),
        shelf.live(),
        shelf.due(float("inf"), 1000),
        [shelf.pending(path, 1000) for path in ("/a", "/b")],
    )


def dead(shelf: Shelf, ticket_id: str = "t", **more: Any) -> Entry:
    post(shelf, ticket_id, max_attempts=1, **more)
    make(shelf, Move.DELIVER, ticket_id)
    make(shelf, Move.FAIL, ticket_id, failure=Failure(2.0, 1, "E", "ouch"))
    return shelf.entries[ticket_id]


# --- posting ---


def test_a_posted_ticket_has_the_next_place_and_changed_when_it_was_posted() -> None:
    shelf = Shelf()
    assert [post(shelf, name).seq for name in "xyz"] == [1, 2, 3]
    assert shelf.entries["x"] == entry("x", seq=1, changed=1.0)


def test_the_same_id_is_the_same_ticket_whatever_comes_with_it() -> None:
    shelf = Shelf()
    first = post(shelf)
    before = kept(shelf)
    assert shelf.apply(Append(entry(payload="other"), 0)) == first
    assert kept(shelf) == before


def test_the_same_key_is_the_same_ticket_of_that_recipient() -> None:
    shelf = Shelf()
    first = post(shelf, "x", key="k")
    before = kept(shelf)
    assert shelf.apply(Append(entry("y", key="k"), 0)) == first
    assert kept(shelf) == before
    assert post(shelf, "z", "/b", key="k").id == "z"


def test_a_key_with_another_payload_is_a_conflict_that_names_the_ticket() -> None:
    shelf = Shelf()
    post(shelf, "x", key="k")
    before = kept(shelf)
    error = shelf.apply(Append(entry("y", payload="2", key="k"), MOST))
    assert isinstance(error, KeyConflict)
    assert (error.path, error.key, error.ticket_id) == ("/a", "k", "x")
    assert kept(shelf) == before


def test_a_key_is_free_again_when_its_ticket_is_gone() -> None:
    shelf = Shelf()
    post(shelf, "x", key="k")
    make(shelf, Move.CANCEL, "x")
    assert post(shelf, "y", key="k").id == "x"
    assert shelf.apply(Drop("x")) is None
    assert post(shelf, "y", payload="2", key="k").id == "y"


@pytest.mark.parametrize("capacity", [1, 2, 7])
def test_the_recipient_is_full_at_exactly_its_capacity(capacity: int) -> None:
    shelf = Shelf()
    for number in range(capacity):
        post(shelf, f"t{number}", capacity=capacity)
    before = kept(shelf)
    error = shelf.apply(Append(entry("over"), capacity))
    assert isinstance(error, RecipientFull)
    assert (error.path, error.capacity) == ("/a", capacity)
    assert kept(shelf) == before
    post(shelf, "other", "/b", capacity=capacity)
    make(shelf, Move.DELIVER, "t0")
    assert isinstance(shelf.apply(Append(entry("over"), capacity)), RecipientFull)
    make(shelf, Move.ANSWER, "t0")
    post(shelf, "over", capacity=capacity)


def test_what_ended_in_any_way_leaves_its_room() -> None:
    shelf = Shelf()
    for what in (Move.CANCEL, Move.TIME_OUT):
        post(shelf, what.value, capacity=1)
        make(shelf, what, what.value)
    dead(shelf, "dead")
    post(shelf, "working", capacity=1)
    make(shelf, Move.DELIVER, "working")
    make(shelf, Move.TIME_OUT, "working")
    assert shelf.live() == {}
    make(shelf, Move.ANSWER, "working")
    assert shelf.live() == {}


# --- moving ---


def test_a_move_of_an_unknown_ticket_is_refused() -> None:
    assert isinstance(make(Shelf(), Move.CANCEL), UnknownTicket)


@pytest.mark.parametrize("what", [Move.RETURN, Move.FAIL, Move.ANSWER, Move.REFUSE])
@pytest.mark.parametrize("attempt", [1, 3])
def test_what_another_delivery_says_is_refused_and_keeps_nothing(what: Move, attempt: int) -> None:
    shelf = Shelf()
    post(shelf)
    make(shelf, Move.DELIVER)
    make(shelf, Move.FAIL)
    make(shelf, Move.DELIVER, attempt=2)
    before = kept(shelf)
    error = make(shelf, what, attempt=attempt, saved=Saved("/a", "s"), follow=entry("f"))
    assert isinstance(error, IllegalMove)
    assert f"of delivery {attempt}" in str(error)
    assert kept(shelf) == before


@pytest.mark.parametrize("attempt", [0, 1, 3])
def test_only_the_next_delivery_can_be_made(attempt: int) -> None:
    shelf = Shelf()
    post(shelf)
    make(shelf, Move.DELIVER)
    make(shelf, Move.FAIL)
    assert isinstance(make(shelf, Move.DELIVER, attempt=attempt), IllegalMove)
    assert make(shelf, Move.DELIVER, attempt=2) == Standing(D, 2, 5, working=True)


@pytest.mark.parametrize("what", Move)
def test_a_move_of_a_delivery_names_it_and_others_name_none(what: Move) -> None:
    wrong = 1 if what in {Move.CANCEL, Move.TIME_OUT} else None
    with pytest.raises(ValueError, match=f"{what.value} of the ticket t with attempt={wrong}"):
        Moved("t", what, 0.0, wrong)


def test_an_answer_and_failures_are_kept_with_the_moves_that_bring_them() -> None:
    shelf = Shelf()
    post(shelf)
    failures = [Failure(float(n), n, "E", f"{n}") for n in (1, 2)]
    for number, failure in enumerate(failures, 1):
        make(shelf, Move.DELIVER, attempt=number, answer="ignored", failure=failures[0])
        make(shelf, Move.FAIL, attempt=number, failure=failure, answer="ignored")
    assert (shelf.entries["t"].failures, shelf.entries["t"].answer) == (tuple(failures), None)
    make(shelf, Move.DELIVER, attempt=3)
    make(shelf, Move.ANSWER, attempt=3, answer="a", failure=failures[0], at=9.0)
    found = shelf.entries["t"]
    assert (found.failures, found.answer, found.changed) == (tuple(failures), "a", 9.0)


def test_an_old_token_is_refused_before_anything_is_kept() -> None:
    shelf = Shelf()
    shelf.is_owner = lambda path, token: token == 7
    post(shelf)
    assert make(shelf, Move.DELIVER, token=7) == Standing(D, 1, 5, working=True)
    before = kept(shelf)
    for what in (Move.ANSWER, Move.FAIL, Move.REFUSE, Move.RETURN):
        assert isinstance(make(shelf, what, token=6, saved=Saved("/a", "s"), follow=entry("f")), NotTheOwner)
    assert isinstance(shelf.apply(Save(Saved("/a", "s"), 6)), NotTheOwner)
    assert kept(shelf) == before
    assert shelf.apply(Save(Saved("/a", "s"), 7)) is None
    assert make(shelf, Move.CANCEL) == Standing(TicketState.CANCELLED, 1, 5)


# --- saved state, and what follows ---


def test_state_is_kept_with_its_move_and_forgotten_with_none() -> None:
    shelf = Shelf()
    post(shelf)
    make(shelf, Move.DELIVER)
    make(shelf, Move.FAIL, saved=Saved("/a", "one"))
    assert shelf.states == {"/a": "one"}
    make(shelf, Move.DELIVER, attempt=2)
    make(shelf, Move.ANSWER, attempt=2, saved=Saved("/a", None))
    assert shelf.states == {}


def test_state_of_a_ticket_that_was_cancelled_meanwhile_is_kept() -> None:
    """What the actor did is done, though nobody waits for it."""
    shelf = Shelf()
    post(shelf)
    make(shelf, Move.DELIVER)
    make(shelf, Move.CANCEL)
    answered = make(shelf, Move.ANSWER, saved=Saved("/a", "s"), follow=entry("f"))
    assert isinstance(answered, IllegalMove)
    assert shelf.states == {"/a": "s"}
    assert "f" not in shelf.entries


@pytest.mark.parametrize("attempt", [1, 3])
def test_state_of_another_delivery_of_a_cancelled_ticket_is_not(attempt: int) -> None:
    shelf = Shelf()
    post(shelf)
    make(shelf, Move.DELIVER)
    make(shelf, Move.FAIL)
    make(shelf, Move.DELIVER, attempt=2)
    make(shelf, Move.CANCEL)
    assert isinstance(make(shelf, Move.ANSWER, attempt=attempt, saved=Saved("/a", "s")), IllegalMove)
    assert shelf.states == {}


def test_state_with_an_old_token_is_not_kept_though_the_ticket_is_cancelled() -> None:
    shelf = Shelf()
    shelf.is_owner = lambda path, token: token == 7
    post(shelf)
    make(shelf, Move.DELIVER, token=7)
    make(shelf, Move.CANCEL)
    assert isinstance(make(shelf, Move.ANSWER, token=6, saved=Saved("/a", "s")), NotTheOwner)
    assert shelf.states == {}


@pytest.mark.parametrize("what", [Move.ANSWER, Move.REFUSE, Move.FAIL])
def test_state_of_a_move_that_is_illegal_otherwise_is_not_kept(what: Move) -> None:
    shelf = Shelf()
    post(shelf)
    make(shelf, Move.DELIVER)
    make(shelf, Move.REFUSE if what is Move.ANSWER else Move.ANSWER)
    assert isinstance(make(shelf, what, saved=Saved("/a", "s")), IllegalMove)
    assert shelf.states == {}


def test_what_follows_is_posted_once_though_its_move_is_said_twice() -> None:
    shelf = Shelf()
    post(shelf)
    make(shelf, Move.DELIVER)
    said = Moved("t", Move.ANSWER, 2.0, 1, follow=entry("f", "/b"))
    assert shelf.apply(said) == shelf.apply(said)
    assert [one.id for one in shelf.pending("/b", 10)] == ["f"]
    assert shelf.entries["f"].seq == 2


def test_what_follows_is_never_refused_for_room_and_counts() -> None:
    shelf = Shelf()
    post(shelf, "full", "/b", capacity=1)
    post(shelf)
    make(shelf, Move.DELIVER)
    make(shelf, Move.ANSWER, follow=entry("f", "/b"))
    assert shelf.live() == {"/b": 2}
    assert isinstance(shelf.apply(Append(entry("more", "/b"), 2)), RecipientFull)


def test_what_follows_with_a_key_that_is_there_is_there_already() -> None:
    shelf = Shelf()
    post(shelf, "keyed", "/b", key="k")
    post(shelf)
    make(shelf, Move.DELIVER)
    make(shelf, Move.ANSWER, follow=entry("f", "/b", key="k"))
    assert "f" not in shelf.entries
    make(shelf, Move.CANCEL, "keyed")
    assert shelf.apply(Drop("keyed")) is None
    assert post(shelf, "again", "/b", key="k").id == "again"


# --- the rest ---


def test_only_what_has_ended_and_nobody_works_on_is_dropped() -> None:
    shelf = Shelf()
    post(shelf)
    assert isinstance(shelf.apply(Drop("t")), IllegalMove)
    make(shelf, Move.DELIVER)
    make(shelf, Move.TIME_OUT)
    assert isinstance(shelf.apply(Drop("t")), IllegalMove)
    make(shelf, Move.ANSWER)
    assert shelf.apply(Drop("t")) is None
    assert isinstance(shelf.apply(Drop("t")), UnknownTicket)


def test_a_dead_letter_is_posted_anew_with_all_that_was_its_own() -> None:
    shelf = Shelf()
    before = dead(shelf, key="k", sender="/s", priority=3, due=90.0, hops=2, node="n")
    post(shelf, "later", priority=3)
    new = shelf.apply(Redeliver("t", entry("u", payload="no", posted=50.0)))
    expected = attrs.evolve(before, id="u", posted=50.0, changed=50.0, due=None, seq=3)
    assert new == attrs.evolve(expected, state=P, attempts=0, failures=())
    assert "t" not in shelf.entries
    assert [one.id for one in shelf.pending("/a", 9)] == ["later", "u"]
    assert post(shelf, "v", key="k") == new
    assert shelf.apply(Redeliver("t", entry("u"))) == new


@pytest.mark.parametrize("what", [None, Move.DELIVER, Move.CANCEL, Move.TIME_OUT])
def test_only_a_dead_letter_is_redelivered(what: Move | None) -> None:
    shelf = Shelf()
    post(shelf)
    if what is not None:
        make(shelf, what)
    before = kept(shelf)
    assert isinstance(shelf.apply(Redeliver("t", entry("u"))), IllegalMove)
    assert isinstance(shelf.apply(Redeliver("nobody", entry("u"))), UnknownTicket)
    assert kept(shelf) == before


def test_prune_takes_what_ended_before_of_its_states_up_to_its_limit() -> None:
    shelf = Shelf()
    for number in range(4):
        post(shelf, f"t{number}", key=f"k{number}")
        make(shelf, Move.CANCEL, f"t{number}", at=10.0 + number)
    shelf.apply(Handled("far", "/a", 10.0))
    cancelled = frozenset({TicketState.CANCELLED})
    assert shelf.apply(Prune(10.0, cancelled)) == 0
    assert shelf.apply(Prune(99.0, frozenset({TicketState.DEAD}), 0)) == 0
    assert shelf.apply(Prune(12.0, cancelled, 1)) == 1
    assert shelf.apply(Prune(12.0, cancelled)) == 2
    assert (sorted(shelf.entries), shelf.remembered) == (["t2", "t3"], {})
    assert post(shelf, "new", key="k0").id == "new"


def test_prune_never_takes_a_live_ticket_or_one_that_is_worked_on() -> None:
    shelf = Shelf()
    post(shelf, "pending")
    post(shelf, "delivered")
    make(shelf, Move.DELIVER, "delivered")
    post(shelf, "working")
    make(shelf, Move.DELIVER, "working")
    make(shelf, Move.TIME_OUT, "working")
    before = kept(shelf)
    assert shelf.apply(Prune(1e12, frozenset(TicketState))) == 0
    assert kept(shelf) == before


def test_what_was_handled_is_kept_as_it_was_said_first_with_its_state() -> None:
    shelf = Shelf()
    first = Handled("far", "/a", 1.0, answer="a", saved=Saved("/a", "one"))
    shelf.apply(first)
    shelf.apply(Save(Saved("/a", "two")))
    shelf.apply(first)
    shelf.apply(Handled("far", "/a", 2.0, answer="b", saved=Saved("/a", "three")))
    assert (shelf.remembered["far"], shelf.states["/a"]) == (first, "two")


def test_what_was_in_hand_at_the_end_of_its_owner_has_failed_once() -> None:
    shelf = Shelf()
    for name, most in [("again", 2), ("last", 1), ("late", 2), ("other", 2)]:
        post(shelf, name, "/b" if name == "other" else "/a", max_attempts=most)
        make(shelf, Move.DELIVER, name)
    make(shelf, Move.TIME_OUT, "late")
    post(shelf, "waiting")
    found = shelf.abandon(lambda one: one.path == "/a", 9.0)
    assert [(one.id, one.state, one.attempts, one.working) for one in found] == [
        ("again", P, 1, False),
        ("last", TicketState.DEAD, 1, False),
        ("late", T, 1, False),
    ]
    assert all(one.failures == (Failure(9.0, 1, "", one.failures[0].text),) for one in found)
    assert [one.id for one in shelf.pending("/a", 9)] == ["again", "waiting"]
    assert shelf.entries["other"].working
    assert shelf.abandon(lambda one: one.path == "/a", 10.0) == []


def test_the_feed_has_a_number_for_each_change_of_a_state_and_for_nothing_else() -> None:
    shelf = Shelf()
    post(shelf)
    make(shelf, Move.DELIVER)
    make(shelf, Move.DELIVER)
    make(shelf, Move.TIME_OUT, at=5.0)
    make(shelf, Move.FAIL)  # stays TIMED_OUT
    make(shelf, Move.ANSWER)  # refused
    shelf.apply(Save(Saved("/a", "s")))
    shelf.apply(Drop("t"))
    assert [(one.number, one.state, one.attempts, one.at) for one in shelf.changes(0, 10)] == [
        (1, P, 0, 1.0),
        (2, D, 1, 2.0),
        (3, T, 1, 5.0),
    ]
    assert shelf.changes(2, 10)[0].number == 3
    assert [one.number for one in shelf.changes(0, 2)] == [1, 2]
    assert shelf.changes(3, 10) == shelf.changes(99, 10) == []


def test_the_feed_keeps_its_last_changes_and_shows_the_gap() -> None:
    shelf = Shelf()
    for number in range(CHANGES_KEPT + 5):
        post(shelf, f"t{number}")
    assert [one.number for one in shelf.changes(0, 2)] == [6, 7]
    assert [one.number for one in shelf.changes(CHANGES_KEPT, 99)] == list(
        range(CHANGES_KEPT + 1, CHANGES_KEPT + 6)
    )


def test_what_times_out_is_found_while_it_is_live_the_soonest_first() -> None:
    shelf = Shelf()
    for name, due in [("c", 3.0), ("a", 1.0), ("none", None), ("b", 2.0), ("twin", 2.0)]:
        post(shelf, name, due=due)
    assert [one.id for one in shelf.due(2.0, 9)] == ["a", "b", "twin"]
    assert [one.id for one in shelf.due(99.0, 2)] == ["a", "b"]
    assert shelf.due(0.9, 9) == []
    make(shelf, Move.DELIVER, "a")
    assert shelf.next_due() == 1.0
    make(shelf, Move.TIME_OUT, "a")
    make(shelf, Move.CANCEL, "b")
    assert [one.id for one in shelf.due(99.0, 9)] == ["twin", "c"]
    for name in ("twin", "c"):
        make(shelf, Move.CANCEL, name)
    assert shelf.next_due() is None


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
