"""Tickets in memory: what else is kept, removed and found."""

from __future__ import annotations

import attrs
import pytest

from actors.delivery.errors import IllegalMove, UnknownTicket
from actors.delivery.operations import (
    Drop,
    Handled,
    Prune,
    Redeliver,
    Save,
    Saved,
)
from actors.delivery.shelf import CHANGES_KEPT, Shelf
from actors.delivery.ticket import Failure, Move, TicketState
from tests.delivery.shelves import D, P, T, dead, entry, kept, make, post


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
