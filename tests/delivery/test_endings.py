"""How a ticket ended: the error for who waits, and the message for who does not."""

from __future__ import annotations

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

import actors
from actors.coding import JsonCoder
from actors.delivery.endings import Note, error_of, note_of, reply_of
from actors.delivery.errors import TicketCancelled, TicketFailed, TicketTimedOut, Unreadable
from actors.delivery.ticket import Entry, Failure, TicketState
from actors.errors import ActorError, Refused, RemoteError

BOOM = Failure(5.0, 2, "builtins.ValueError", "no bread", "Traceback ...")
NO = Failure(5.0, 1, "actors.errors.Refused", "not today")
GONE = Failure(5.0, 3, "", "its node ended with it in hand")


def entry(state: TicketState, *failures: Failure, **facts: object) -> Entry:
    made = Entry("t1", "/baker", "x", 100.0, state=state, attempts=3, changed=107.0, failures=failures)
    return attrs.evolve(made, **facts)  # type: ignore[arg-type]


@pytest.mark.parametrize("state", [TicketState.PENDING, TicketState.DELIVERED, TicketState.RESPONDED])
def test_what_goes_on_or_was_answered_has_no_error(state: TicketState) -> None:
    assert error_of(entry(state, BOOM)) is None


def test_a_cancelled_one_says_so() -> None:
    error = error_of(entry(TicketState.CANCELLED))
    assert isinstance(error, TicketCancelled)
    assert (error.ticket_id, error.path) == ("t1", "/baker")


@pytest.mark.row(91)
@pytest.mark.parametrize("working", [False, True])
def test_a_timed_out_one_says_after_how_long_and_whether_somebody_has_it(working: bool) -> None:
    error = error_of(entry(TicketState.TIMED_OUT, due=130.0, working=working))
    assert isinstance(error, TicketTimedOut)
    assert (error.timeout, error.was_delivered) == (30.0, working)
    assert ("late reply" in str(error)) is working


def test_an_unclaimed_one_has_no_timeout_of_its_own() -> None:
    error = error_of(entry(TicketState.TIMED_OUT))
    assert isinstance(error, TicketTimedOut)
    assert error.timeout == 7.0


def test_the_handlers_own_refusal_comes_as_it_was() -> None:
    error = error_of(entry(TicketState.FAILED, BOOM, NO))
    assert isinstance(error, Refused)
    assert str(error) == "not today"


@pytest.mark.parametrize("state", [TicketState.FAILED, TicketState.DEAD])
def test_a_dead_one_has_the_last_error_as_its_cause(state: TicketState) -> None:
    error = error_of(entry(state, NO, BOOM))
    assert isinstance(error, TicketFailed)
    assert (error.ticket_id, error.path, error.attempts, error.why) == ("t1", "/baker", 3, "no bread")
    cause = error.__cause__
    assert isinstance(cause, RemoteError)
    assert "builtins.ValueError" in str(cause) and "no bread" in str(cause)  # noqa: PT018


def test_one_whose_process_ended_has_no_cause_but_a_reason() -> None:
    error = error_of(entry(TicketState.DEAD, BOOM, GONE))
    assert isinstance(error, TicketFailed)
    assert error.__cause__ is None
    assert error.why == GONE.text


def test_a_dead_one_without_failures_is_told_of_too() -> None:
    error = error_of(entry(TicketState.DEAD))
    assert isinstance(error, TicketFailed)
    assert "no failure is kept" in error.why
    assert error.__cause__ is None


def same(one: BaseException | None, other: BaseException | None) -> bool:
    def facts(error: BaseException | None) -> object:
        return None if error is None else (type(error), str(error), vars(error), facts(error.__cause__))

    return repr(facts(one)) == repr(facts(other))


@pytest.mark.row(93)
@given(
    state=st.sampled_from(sorted(set(TicketState), key=lambda state: state.value)),
    failures=st.lists(st.sampled_from([BOOM, NO, GONE]), max_size=2),
    due=st.none() | st.floats(100.5, 1e6),
    working=st.booleans(),
    text=st.booleans(),
)
def test_who_does_not_wait_is_told_the_same_as_who_waits(
    state: TicketState, failures: list[Failure], due: float | None, working: bool, text: bool
) -> None:
    """Also where the note was text in between."""
    one = attrs.evolve(entry(state, *failures), due=due, working=working, answer="a")
    note = note_of(one)
    if text:
        coder = JsonCoder()
        note = coder.note_back(coder.note_out(note))
    reply = reply_of(note, "decoded")
    assert reply.ticket_id == "t1"
    assert reply.value == "decoded"
    assert reply.error is None or isinstance(reply.error, ActorError)
    assert same(reply.error, error_of(one))


def test_a_reply_is_a_message_that_names_its_ticket() -> None:
    note = note_of(entry(TicketState.RESPONDED, answer=41))
    assert reply_of(note, note.value) == actors.TicketReply("t1", 41)


def test_a_note_is_the_same_after_it_was_text() -> None:
    note = Note("t", "/a", "dead", 1, 2.0, False, failure=BOOM)
    assert JsonCoder().note_back(JsonCoder().note_out(note)) == note


@pytest.mark.parametrize(
    "text",
    ["", "no json", "[]", "{}", '{"failure": null, "what": 1}', '{"failure": {"x": 1}}', "null", "7"],
)
def test_a_note_that_cannot_be_read_says_so(text: str) -> None:
    with pytest.raises(Unreadable, match="no note"):
        JsonCoder().note_back(text)


def test_a_damaged_message_is_dead_before_it_was_ever_delivered() -> None:
    dead = Entry("t", "/a", None, 0.0, state=TicketState.DEAD, attempts=0)
    assert "failed over the ticket t before it was delivered" in str(error_of(dead))
