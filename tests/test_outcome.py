"""Outcomes, and the kinds of failure."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

import actors
from actors import FailureKind, Outcome
from actors.outcome import kind_of


class Slow(actors.RateLimited):
    """Derived, as users do."""


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (actors.RateLimited(), FailureKind.RATE_LIMIT),
        (Slow(retry_after=1.0), FailureKind.RATE_LIMIT),
        (actors.PermanentFailure("no such model"), FailureKind.PERMANENT),
        (ValueError(), FailureKind.ERROR),
        (TimeoutError(), FailureKind.ERROR),
    ],
)
def test_classify_goes_by_type(error: Exception, kind: FailureKind) -> None:
    assert actors.classify(error) is kind


def test_the_kind_of_an_outcome_is_that_of_the_cause() -> None:
    """What ended the exchange itself has a kind of its own."""
    failed = actors.ActorError("it failed")
    failed.__cause__ = actors.PermanentFailure("no")
    assert kind_of(failed) is FailureKind.PERMANENT
    assert kind_of(actors.CircuitOpen("/a", 2, 1.0)) is FailureKind.CIRCUIT_OPEN
    assert kind_of(TimeoutError()) is FailureKind.TIMEOUT
    assert kind_of(actors.StartFailed(SimpleNamespace(path="/a"))) is FailureKind.START
    assert kind_of(actors.Stalled(30.0)) is FailureKind.STALL
    failed.__cause__ = actors.TimedOut(60.0)
    assert kind_of(failed) is FailureKind.TIMEOUT


def test_unwrap_gives_the_value_or_raises_the_error() -> None:
    error = ValueError("no")
    assert Outcome(ok=True, value=5).unwrap() == 5
    with pytest.raises(ValueError, match="no") as caught:
        Outcome(ok=False, error=error).unwrap()
    assert caught.value is error


@pytest.mark.parametrize(
    ("error", "text", "retry_after"),
    [
        (actors.RateLimited(), "rate limited", None),
        (actors.RateLimited(2), "rate limited; retry after 2 s", 2.0),
        (actors.RateLimited(retry_after=0.5), "rate limited; retry after 0.5 s", 0.5),
        (actors.RateLimited("slow down", retry_after=3.0), "slow down", 3.0),
    ],
)
def test_a_rate_limit_says_when_to_come_back(
    error: actors.RateLimited, text: str, retry_after: float | None
) -> None:
    assert (str(error), error.retry_after) == (text, retry_after)
