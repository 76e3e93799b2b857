"""Tickets in memory: what comes of posts and moves."""

from __future__ import annotations

import pytest

from actors.delivery.errors import IllegalMove, KeyConflict, NotTheOwner, RecipientFull, UnknownTicket
from actors.delivery.operations import (
    Append,
    Drop,
    Moved,
    Save,
    Saved,
)
from actors.delivery.shelf import Shelf
from actors.delivery.ticket import Failure, Move, Standing, TicketState
from tests.delivery.shelves import MOST, D, dead, entry, kept, make, post

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
