"""Errors and exits as text, there and back."""

from __future__ import annotations

import math
import traceback
from typing import Any, cast

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

import actors
from actors.core.ref import Ref
from actors.exits import Exit, ExitKind
from actors.outcome import FailureKind, kind_of
from actors.remote.codec import Codec
from actors.remote.items import Address, Ended, Fail, Gone, Trouble
from actors.remote.jsontext import parse
from actors.remote.troubles import ended_in, ended_out, error_in, told_error, trouble_out
from actors.remote.wire import decode_item, encode

CODEC = Codec(cast("Any", None))


@attrs.frozen
class Cell:
    """As much of one as the errors say."""

    path: str = "/shop"


REF = Ref(cast("Any", Cell()))


@actors.message(tag="test.troubles.Order")
class Order:
    number: int = 1


def raised(error: Exception) -> Exception:
    """The same, with a traceback."""
    try:
        raise error
    except type(error) as caught:
        return caught


def told(error: BaseException) -> Trouble:
    """What the other end hears."""
    return cast("Fail", decode_item(parse(encode(Fail(1, trouble_out(error)))))).error


def asked(error: BaseException) -> BaseException:
    """What an asker over there gets."""
    return error_in(told(error), REF, Order(), CODEC)


def ended(exit: Exit) -> Exit:
    """An exit, over there."""
    gone = cast("Gone", decode_item(parse(encode(Gone(TO, ended_out(exit, CODEC))))))
    return ended_in(gone.exit, CODEC)


TO = Address("/shop")


class Odd(Exception):
    retry_after: Any = None

    def __str__(self) -> str:
        raise RuntimeError("broken")


class Odder(Exception):
    @property
    def retry_after(self) -> float:
        raise RuntimeError("broken")


# --- errors ------------------------------------------------------------------------------


def test_an_error_is_its_type_its_text_and_its_traceback() -> None:
    trouble = told(raised(ValueError("no such order")))
    assert (trouble.kind, trouble.type, trouble.text, trouble.failure) == (
        "error",
        "ValueError",
        "no such order",
        "ERROR",
    )
    assert trouble.traceback.startswith("Traceback")
    assert "in raised" in trouble.traceback


def test_the_asker_gets_the_error_of_a_local_ask_with_the_text_as_its_cause() -> None:
    error = asked(actors.ActorFailed(REF, raised(KeyError("x"))))
    assert isinstance(error, actors.ActorFailed)
    cause = error.__cause__
    assert error.error is cause
    assert isinstance(cause, actors.RemoteError)
    assert (cause.type_name, cause.message, cause.kind) == ("KeyError", "'x'", None)
    assert "in raised" in cause.traceback_text


@pytest.mark.parametrize(
    ("error", "fields"),
    [
        (actors.ActorFailed(REF), {}),
        (actors.ActorStopped(REF), {"exit": None}),
        (actors.Refused("sold out"), {"args": ("sold out",)}),
        (actors.Unhandled(REF, Order()), {"message": Order()}),
        (actors.Interrupted(REF, Order()), {"message": Order()}),
        (actors.MailboxFull(REF, Order(), 7), {"capacity": 7, "message": Order()}),
        (actors.MailboxFull(REF, Order(), math.inf), {"capacity": 0}),
        (actors.CircuitOpen("/shop", 4, 2.5), {"failures": 4, "retry_after": 2.5, "path": "/shop"}),
        (actors.CircuitOpen("/shop", 1), {"failures": 1, "retry_after": 0.0}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_errors_of_ours_arrive_as_what_they_are(error: actors.ActorError, fields: dict[str, Any]) -> None:
    came = asked(error)
    assert type(came) is type(error)
    assert {name: getattr(came, name) for name in fields} == fields
    if not isinstance(came, actors.ActorStopped):
        assert isinstance(came.__cause__, actors.RemoteError)


def test_an_ask_of_the_dead_tells_how_they_died() -> None:
    error = asked(actors.ActorStopped(REF, Exit(ExitKind.FAILED, error=ValueError("no"), reason="it broke")))
    assert isinstance(error, actors.ActorStopped)
    assert error.exit is not None
    assert (error.exit.kind, error.exit.reason) == (ExitKind.FAILED, "it broke")
    assert isinstance(error.__cause__, actors.RemoteError)


def test_any_other_error_is_a_failure_of_the_actor() -> None:
    assert isinstance(asked(OSError("disk")), actors.ActorFailed)
    assert isinstance(error_in(Trouble("a kind of a later version"), REF, Order(), CODEC), actors.ActorFailed)


def test_a_message_that_cannot_be_read_there_has_no_handler() -> None:
    assert isinstance(error_in(Trouble("unreadable", text="why"), REF, Order(), CODEC), actors.Unhandled)


@pytest.mark.parametrize("kind", list(FailureKind))
def test_the_kind_of_failure_survives(kind: FailureKind) -> None:
    error = actors.RemoteError("Some", "text", "", kind)
    back = told_error(told(error))
    assert kind_of(back) == kind_of(error)


def test_an_error_that_is_passed_on_is_told_as_it_was() -> None:
    first = told(raised(actors.RateLimited(retry_after=3.0)))
    again = told(told_error(first))
    assert (again.type, again.text, again.traceback) == (first.type, first.text, first.traceback)
    assert (again.failure, again.retry_after) == (first.failure, 3.0)
    assert (first.type, first.failure) == ("RateLimited", "RATE_LIMIT")


def test_an_error_whose_own_code_is_broken_is_told_all_the_same() -> None:
    assert (told(Odd()).type, told(Odd()).text) == ("Odd", "")
    assert (told(Odder("x")).text, told(Odder("x")).retry_after) == ("x", None)


@pytest.mark.parametrize(
    ("said", "heard"),
    [(2, 2.0), (0.5, 0.5), (math.inf, None), (math.nan, None), (10**400, None), ("soon", None), (None, None)],
)
def test_only_a_finite_number_is_a_time_to_wait(said: Any, heard: float | None) -> None:
    error = Odd()
    error.retry_after = said
    assert told(error).retry_after == heard


def test_a_printed_error_shows_the_traceback_of_the_other_node() -> None:
    trouble = trouble_out(raised(ValueError("no")))
    printed = "".join(traceback.format_exception(error_in(trouble, REF, Order(), CODEC)))
    assert "RemoteError: ValueError: no\non the other node:\nTraceback" in printed
    assert printed.count("in raised") == 1


def test_long_texts_are_cut_and_tracebacks_keep_their_end() -> None:
    trouble = told(raised(ValueError("x" * 100_000 + "end")))
    assert len(trouble.text) == len(trouble.traceback) == 16_000
    assert trouble.traceback.endswith("end\n")


def test_a_kind_of_failure_of_a_later_version_is_none() -> None:
    assert told_error(Trouble("error", "E", failure="MELTED")).kind is None


def test_an_error_without_a_text_is_its_type() -> None:
    assert str(told_error(Trouble("error", "E"))) == "E"
    assert str(told_error(Trouble("error", "E", "text"))) == "E: text"


@given(st.text(), st.text())
def test_any_text_travels(message: str, reason: str) -> None:
    assert told(ValueError(message)).text == message[:16_000]
    assert ended(Exit(ExitKind.NORMAL, reason=reason or "x")).reason == (reason or "x")


# --- exits ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", list(ExitKind))
def test_exits_of_each_kind_arrive(kind: ExitKind) -> None:
    exit = ended(Exit(kind, value=[1, (2,)], reason="so"))
    assert (exit.kind, exit.value, exit.reason, exit.error) == (kind, [1, (2,)], "so", None)


def test_the_error_of_an_exit_arrives_as_text() -> None:
    exit = ended(Exit(ExitKind.FAILED, error=raised(ValueError("no"))))
    assert isinstance(exit.error, actors.RemoteError)
    assert (exit.error.message, exit.reason) == ("no", "ValueError: no")


@pytest.mark.parametrize(
    "value", [object(), [object()], "x" * 200_000, Odd()], ids=["object", "list", "long", "error"]
)
def test_a_value_that_cannot_travel_or_is_too_long_is_left_out(value: Any) -> None:
    exit = ended(Exit(ExitKind.NORMAL, value=value))
    assert (exit.kind, exit.value) == (ExitKind.NORMAL, None)


def test_a_value_that_cannot_be_read_is_left_out() -> None:
    assert ended_in(Ended("NORMAL", "so", {"$": "test.troubles.Unknown"}), CODEC).value is None


def test_an_exit_of_a_kind_of_a_later_version_is_a_failure() -> None:
    exit = ended_in(Ended("MELTED", ""), CODEC)
    assert (exit.kind, exit.reason, exit.is_failure) == (ExitKind.FAILED, "MELTED", True)
