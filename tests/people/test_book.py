"""The desk's decisions, alone: no clock, no tasks."""

from __future__ import annotations

import math
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

import actors
from actors import Asking, PersonRequest
from actors.people.book import Book, Ended, Escalated, Expired, GrantState, Kept, Matter, Wait, Waited, Warned
from actors.people.request import Rung

QUESTION = PersonRequest("s:1", "approval", "Deploy?", key="k")


def shown(book: Book, question: PersonRequest, *waits: Wait) -> Matter:
    """An open request that people see."""
    matter = book.enter(question, waits[0])
    matter.is_shown = True
    for wait in waits[1:]:
        book.join(matter, wait)
    return matter


def decided(book: Book, question: PersonRequest, now: float, value: bool = True) -> Kept:
    """It was asked, answered and settled."""
    matter = shown(book, question, Wait(now + 10.0, since=now))
    _, kept = book.answer(question.id, value, "ada", now)
    book.settle(matter, kept)
    return kept


def test_an_answer_is_found_by_its_key_until_its_time_is_over() -> None:
    """And not in that very moment."""
    book = Book(Asking(keep=5.0))
    kept = decided(book, QUESTION, 1.0)
    assert (kept.until, book.next_stale) == (6.0, 6.0)
    assert book.find(QUESTION, 5.9) is kept
    assert book.find(QUESTION, 6.0) is None
    assert book.stale(5.9) == []
    assert (book.kept, book.stale(6.0), book.kept, book.next_stale) == (1, [kept], 0, None)


def test_the_id_of_an_earlier_question_takes_no_later_answer_along() -> None:
    """Its key was asked anew, and answered; the first id is forgotten before the second."""
    book = Book(Asking(remember=2))
    shown(book, QUESTION, Wait(10.0))
    book.withdraw("s:1")
    kept = decided(book, attrs.evolve(QUESTION, id="s:2"), 1.0)
    decided(book, attrs.evolve(QUESTION, id="s:3", key=None), 1.0)
    with pytest.raises(actors.UnknownRequest):
        book.get("s:1")
    assert book.find(QUESTION, 2.0) is kept
    decided(book, attrs.evolve(QUESTION, id="s:4", key=None), 1.0)
    assert book.find(QUESTION, 2.0) is None


def test_answers_outlive_their_ids_where_a_store_keeps_them() -> None:
    """There the time alone makes them go."""
    book = Book(Asking(remember=1), is_lasting=True)
    kept = decided(book, QUESTION, 1.0)
    decided(book, attrs.evolve(QUESTION, id="s:2", key=None), 1.0)
    assert book.find(QUESTION, 2.0) is kept
    assert book.remembered == 1


def test_what_people_do_not_see_yet_cannot_be_answered() -> None:
    """It is on its way to the disk."""
    book = Book(Asking())
    matter = book.enter(QUESTION, Wait(10.0))
    with pytest.raises(actors.UnknownRequest):
        book.answer("s:1", True, None, 1.0)
    matter.is_shown = True
    assert book.answer("s:1", True, None, 1.0)[1].answer.value is True


def test_until_an_answer_is_settled_its_key_leads_to_those_who_wait_for_that() -> None:
    """Whoever comes meanwhile waits with them, and moves no deadline of what is over."""
    book = Book(Asking())
    matter = shown(book, QUESTION, Wait(10.0))
    _, kept = book.answer("s:1", True, None, 1.0)
    assert book.find(QUESTION, 1.0) is matter
    late = Wait(99.0)
    assert book.join(matter, late) is False
    assert late in matter.waits
    assert matter.request.deadline == 10.0
    assert (book.leave(matter, late, 2.0, park=False), book.ring(matter, 200.0)) == (False, [])
    book.settle(matter, kept)
    assert book.find(QUESTION, 2.0) is kept
    assert len(book) == 0


@pytest.mark.parametrize("state", ["open", "settling", "kept"])
def test_a_changed_action_makes_void_what_its_key_stood_for(state: str) -> None:
    """Whatever had become of that; and an answer that settles afterwards is not kept."""
    book = Book(Asking())
    before, after = attrs.evolve(QUESTION, digest="a"), attrs.evolve(QUESTION, id="s:2", digest="b")
    matter = shown(book, before, Wait(10.0))
    kept = None
    if state != "open":
        _, kept = book.answer("s:1", True, None, 1.0)
    if kept is not None and state == "kept":
        book.settle(matter, kept)
    assert book.void_changed(attrs.evolve(before, id="s:3")) is None
    assert book.void_changed(attrs.evolve(after, key="another")) is None
    assert book.void_changed(attrs.evolve(after, key=None)) is None
    assert matter.grant.state is GrantState.OPEN
    assert book.void_changed(after) is (kept if state == "kept" else matter)
    assert matter.grant.state is GrantState.VOID
    assert matter.ended is (Ended.WITHDRAWN if state == "open" else Ended.ANSWERED)
    if kept is not None and state == "settling":
        book.settle(matter, kept)
    assert book.find(after, 1.0) is None
    assert (len(book), book.kept) == (0, 0)


def test_what_was_begun_is_not_made_void() -> None:
    """It was carried out, and is told apart from what never was."""
    book = Book(Asking())
    kept = decided(book, attrs.evolve(QUESTION, digest="a"), 1.0)
    kept.grant.state = GrantState.CLAIMED
    book.void_changed(attrs.evolve(QUESTION, digest="b"))
    assert kept.grant.state is GrantState.CLAIMED


def test_a_question_in_words_is_not_voided_by_an_action() -> None:
    """Its key is refused instead."""
    book = Book(Asking())
    shown(book, QUESTION, Wait(10.0))
    assert book.void_changed(attrs.evolve(QUESTION, digest="b")) is None
    with pytest.raises(actors.KeyReused):
        book.find(attrs.evolve(QUESTION, digest="b"), 1.0)


def test_whoever_comes_back_for_a_parked_request_goes_on_or_begins_anew() -> None:
    """With the limit that it was asked with they go on."""
    book = Book(Asking(), is_lasting=True)
    wait = Wait(20.0, (Rung("bo", 5.0),), 0.0, 20.0)
    matter = shown(book, QUESTION, wait)
    assert book.leave(matter, wait, 1.0, park=True) is False
    assert (matter.is_parked, len(book)) == (True, 1)
    same = Wait(30.0, (), 10.0, 20.0)
    assert book.join(matter, same) is False
    assert (same.deadline, same.rungs, matter.is_parked) == (20.0, (Rung("bo", 5.0),), False)
    book.leave(matter, same, 11.0, park=True)
    other = Wait(99.0, (), 12.0, 87.0)
    assert book.join(matter, other) is True
    assert (matter.waits, matter.request.deadline) == ([other], 99.0)


# --- time -----------------------------------------------------------------------------

times = st.floats(0.0, 100.0, allow_nan=False)
waits = st.lists(st.tuples(times | st.just(math.inf), st.lists(times, max_size=2)), min_size=1, max_size=5)


def some(book: Book, given_: Any) -> tuple[Matter, list[Wait]]:
    """A request for which so many wait."""
    made = [Wait(limit, tuple(Rung("bo", time) for time in rungs), 0.0) for limit, rungs in given_]
    return shown(book, QUESTION, *made), made


@given(waits, st.floats(0.0, 1.0))
def test_a_deadline_is_that_of_whoever_waits_longest(given_: Any, warn: float) -> None:
    """And nothing is due that comes later than the first who waits."""
    matter, made = some(Book(Asking(warn=warn)), given_)
    assert matter.request.deadline == max(wait.deadline for wait in made)
    assert matter.due <= min(wait.deadline for wait in made)
    if warn == 1:
        assert matter.warn_at == math.inf


@given(waits)
def test_time_brings_every_request_to_an_end(given_: Any) -> None:
    """Each waiter climbs their own ladder and leaves at its end, in order; then it has expired."""
    book = Book(Asking())
    matter, made = some(book, given_)
    ends = {id(wait): wait.deadline + sum(rung.timeout for rung in wait.rungs) for wait in made}
    left: list[float] = []
    climbed = 0
    for _ in range(100):
        now = matter.due
        if now == math.inf:
            break
        for happening in book.ring(matter, now):
            match happening:
                case Waited(wait):
                    assert now == pytest.approx(ends[id(wait)])
                    left.append(now)
                case Escalated(_, wait):
                    assert wait.deadline >= now
                    climbed += 1
                case Warned(remaining):
                    assert remaining == matter.request.deadline - now
                case Expired():
                    assert matter.ended is Ended.EXPIRED
    assert left == sorted(left)
    for_ever = sum(deadline == math.inf for deadline, _ in given_)
    assert len(left) == len(made) - for_ever
    assert climbed == sum(len(rungs) for deadline, rungs in given_ if deadline < math.inf)
    assert (matter.ended is None) is (for_ever > 0)
    assert len(book) == (for_ever > 0)


@given(waits, times)
def test_before_anything_is_due_nothing_happens(given_: Any, now: float) -> None:
    """And what has ended is never due again."""
    book = Book(Asking())
    matter, _ = some(book, given_)
    if now < matter.due:
        assert book.ring(matter, now) == []
    book.end(matter)
    assert book.ring(matter, 1e9) == []


@given(waits, times.filter(bool))
def test_more_time_is_more_for_each_who_waits(given_: Any, seconds: float) -> None:
    """Whenever it is given."""
    book = Book(Asking())
    matter, made = some(book, given_)
    before = [wait.deadline for wait in made]
    book.extend("s:1", seconds, 0.0)
    assert [wait.deadline for wait in made] == [deadline + seconds for deadline in before]
    assert matter.request.deadline == max(before) + seconds


def test_a_request_warns_once_for_each_deadline() -> None:
    """Again where it has moved, and for each person of a ladder."""
    book = Book(Asking(warn=0.5))
    wait = Wait(10.0, (Rung("bo", 10.0),))
    matter = shown(book, QUESTION, wait)
    assert book.ring(matter, 5.0) == [Warned(5.0)]
    assert matter.due == 10.0
    book.extend("s:1", 10.0, 6.0)
    assert matter.due == 10.0  # half of 20
    assert book.ring(matter, 10.0) == [Warned(10.0)]
    book.extend("s:1", 1.0, 15.0)
    assert matter.due == 21.0  # half of it is over, and it has warned
    assert book.ring(matter, 21.0) == [Escalated(None, wait)]
    assert matter.due == 26.0
    assert book.ring(matter, 26.0) == [Warned(5.0)]


def test_one_who_joins_late_does_not_bring_back_a_warning() -> None:
    """But a request that was never near its end warns, however its deadline has come nearer."""
    book = Book(Asking(warn=0.5))
    short, long = Wait(10.0), Wait(100.0)
    matter = shown(book, QUESTION, short, long)
    assert matter.warn_at == 50.0
    book.leave(matter, long, 8.0, park=False)
    assert book.ring(matter, 8.0) == [Warned(2.0)]


def test_each_person_of_a_ladder_is_warned_also_at_once() -> None:
    """With a share of 0 that is when they are asked."""
    book = Book(Asking(warn=0.0))
    wait = Wait(10.0, (Rung("bo", 10.0),))
    matter = shown(book, QUESTION, wait)
    assert book.ring(matter, 0.0) == [Warned(10.0)]
    assert book.ring(matter, 10.0) == [Escalated(None, wait), Warned(10.0)]


def test_what_is_there_already_is_not_restored() -> None:
    """Nor what has no key: nobody could come back for it."""
    book = Book(Asking(), is_lasting=True)
    wait = Wait(10.0)
    matter = shown(book, QUESTION, wait)
    assert not book.restore(Matter(QUESTION, [wait], is_shown=True), 1.0)
    book.withdraw("s:1")
    assert not book.restore(Matter(attrs.evolve(QUESTION, key=None), [wait], is_shown=True), 1.0)
    assert book.restore(Matter(QUESTION, [Wait(20.0)], is_shown=True, is_parked=True), 1.0)
    assert book.get("s:1") is not matter
