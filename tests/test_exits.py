"""Exits: kinds and reasons (contract §4)."""

from __future__ import annotations

import pytest

from actors import Exit, ExitKind

FAILURES = {"FAILED", "TIMED_OUT", "STALLED", "PATTERN", "START_FAILED", "NODE_DOWN"}


class Unsayable(Exception):
    """Cannot be shown, and neither can the error of the attempt."""

    def __str__(self) -> str:
        raise Unsayable


def test_the_kinds_are_those_of_the_contract() -> None:
    assert {str(kind) for kind in ExitKind} == {"NORMAL", "SHUTDOWN", "KILLED", "BUDGET"} | FAILURES


@pytest.mark.parametrize("kind", ExitKind)
def test_a_failure_is_what_the_actor_did_by_itself_or_its_node(kind: ExitKind) -> None:
    assert kind.is_failure == (kind in FAILURES)
    assert Exit(kind).is_failure == kind.is_failure


@pytest.mark.parametrize("kind", ExitKind)
def test_a_reason_is_never_empty(kind: ExitKind) -> None:
    assert Exit(kind).reason == kind.lower().replace("_", " ")


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ValueError("bad wheel"), "ValueError: bad wheel"),
        (ValueError(), "ValueError"),
        (ValueError("two\n  lines\tand\r\nmore"), "ValueError: two lines and more"),
        (ValueError(" \n "), "ValueError"),
        (KeyError("key"), "KeyError: 'key'"),
        (Unsayable(), "Unsayable"),
    ],
)
def test_the_reason_of_a_failure_is_its_error_on_one_line(error: Exception, reason: str) -> None:
    assert Exit(ExitKind.FAILED, error=error).reason == reason


def test_an_exit_is_a_frozen_value() -> None:
    assert Exit(ExitKind.NORMAL, value=3) == Exit(ExitKind.NORMAL, value=3) != Exit(ExitKind.NORMAL)
    with pytest.raises(AttributeError):
        Exit(ExitKind.NORMAL).value = 4  # type: ignore[misc]
