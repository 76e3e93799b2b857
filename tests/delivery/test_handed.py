"""One delivery in the hands of its recipient: each comes to exactly one end."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.delivery.handed import Handed, cause_of, posted_in_hand
from actors.delivery.ticket import Entry
from actors.errors import ActorFailed, Refused, Unhandled

CELL: Any = SimpleNamespace(path="/a", kernel=None, ref=SimpleNamespace(path="/a"))


class Office:
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []

    def handled(self, handed: Handed, value: Any) -> None:
        self.told.append(("handled", value))

    def refused(self, handed: Handed, error: BaseException) -> None:
        self.told.append(("refused", error))

    def failed(self, handed: Handed, error: BaseException) -> None:
        self.told.append(("failed", error))

    def came_back(self, handed: Handed) -> None:
        self.told.append(("came back",))

    def put_off(self, handed: Handed) -> None:
        self.told.append(("put off",))


def made(reply: bool = True) -> tuple[Handed, Office]:
    office = Office()
    return Handed(CELL, office, Entry("t1", "/a", "x", 0.0, reply=reply), "x"), office


def test_what_the_handler_returns_is_its_reply() -> None:
    handed, office = made()
    handed.answer(7)
    assert office.told == [("handled", 7)]
    assert handed.is_over
    assert handed.done


def test_an_early_reply_waits_for_the_handler_to_return() -> None:
    handed, office = made()
    rest = handed.rest()
    handed.answer(7)
    assert office.told == []
    assert not handed.is_over
    rest.answer(None)
    assert office.told == [("handled", 7)]


def test_an_early_reply_does_not_count_where_the_handler_fails_after_it() -> None:
    handed, office = made()
    rest = handed.rest()
    handed.answer(7)
    error = ValueError()
    rest.fail(error)
    assert office.told == [("failed", error)]


def test_a_reply_that_is_put_off_lets_the_next_one_go_and_comes_later() -> None:
    handed, office = made()
    handed.rest().answer(None)
    assert office.told == [("put off",)]
    handed.answer(7)
    assert office.told == [("put off",), ("handled", 7)]


@pytest.mark.parametrize("error", [Refused("no"), Unhandled(CELL.ref, "x")])
def test_a_refusal_is_no_failure(error: Exception) -> None:
    handed, office = made()
    handed.fail(error)
    assert office.told == [("refused", error)]


def test_what_was_never_begun_comes_back() -> None:
    handed, office = made()
    handed.returned(ValueError())
    assert office.told == [("came back",)]


def test_a_withdrawn_one_is_skipped_and_one_that_is_begun_goes_on() -> None:
    skipped, office = made()
    skipped.withdraw()
    assert skipped.done
    assert not skipped.is_over
    skipped.skipped()
    assert office.told == [("came back",)]
    begun, office = made()
    begun.withdraw()
    begun.answer(7)
    assert begun.cancelled
    assert office.told == [("handled", 7)]


@pytest.mark.parametrize("reply", [True, False])
def test_who_wants_no_reply_is_told_alone(reply: bool) -> None:
    handed, _ = made(reply)
    assert handed.is_told is not reply
    assert handed.rest().is_told


def test_the_posted_message_in_hand_is_found_also_after_its_reply() -> None:
    handed, _ = made()
    cell: Any = SimpleNamespace(item=("x", None, handed, 0.0, "posted"))
    assert posted_in_hand(cell) is handed
    cell.item = ("x", None, handed.rest(), 0.0, "answered")
    assert posted_in_hand(cell) is handed
    for item in (None, ("x", None, None, 0.0, None), ("x", None, object(), 0.0, None)):
        cell.item = item
        assert posted_in_hand(cell) is None


def test_the_cause_of_a_failure_is_what_the_handler_raised() -> None:
    error = ValueError("no bread")
    assert cause_of(error) is error
    assert cause_of(ActorFailed(CELL.ref, error)) is error
    bare = ActorFailed(CELL.ref, None)
    assert cause_of(bare) is bare


CALLS = st.sampled_from(["answer", "fail", "refuse", "returned", "skipped", "withdraw", "rest", "rest fails"])


@given(st.lists(CALLS, max_size=8), st.booleans())
def test_it_ends_at_most_once_whatever_is_called(calls: list[str], rests: bool) -> None:
    handed, office = made()
    rest = handed.rest() if rests else None
    for call in calls:
        match call:
            case "answer":
                handed.answer(1)
            case "fail":
                handed.fail(ValueError())
            case "refuse":
                handed.fail(Refused("no"))
            case "returned":
                handed.returned(ValueError())
            case "skipped":
                handed.skipped()
            case "withdraw":
                handed.withdraw()
            case "rest" if rest is not None and not rest.done:
                rest.answer(None)
            case "rest fails" if rest is not None and not rest.done:
                rest.fail(ValueError())
            case _:
                pass
    ends = [told for told in office.told if told[0] != "put off"]
    assert len(ends) == handed.is_over
    assert len(office.told) - len(ends) <= 1
    assert not ends or office.told[-1] == ends[0]
