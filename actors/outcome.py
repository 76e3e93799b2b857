"""What came of one piece of work: an `Outcome`, and the kind of failure it was."""

from __future__ import annotations

import enum
from typing import Any

import attrs

from actors.errors import AskTimeout, CircuitOpen, PermanentFailure, RateLimited, StartFailed
from actors.exits import Exit

__all__ = ["FailureKind", "Outcome", "classify"]


class FailureKind(enum.StrEnum):
    """The kinds of failure that policies tell apart."""

    ERROR = "ERROR"
    TIMEOUT = "TIMEOUT"
    STALL = "STALL"
    PATTERN = "PATTERN"
    RATE_LIMIT = "RATE_LIMIT"
    PERMANENT = "PERMANENT"
    START = "START"
    CIRCUIT_OPEN = "CIRCUIT_OPEN"
    DEADLINE = "DEADLINE"


def classify(error: BaseException) -> FailureKind:
    """The default answer to "what kind of failure is this?", by the error's type alone.

    `RateLimited` is RATE_LIMIT, `PermanentFailure` PERMANENT, everything else ERROR.
    `Policy(classify=...)` replaces it.
    """
    if isinstance(error, RateLimited):
        return FailureKind.RATE_LIMIT
    if isinstance(error, PermanentFailure):
        return FailureKind.PERMANENT
    return FailureKind.ERROR


def kind_of(error: BaseException) -> FailureKind:
    """The kind that the outcome of a told or asked message reports for an error."""
    if isinstance(error, CircuitOpen):
        return FailureKind.CIRCUIT_OPEN
    if isinstance(error, StartFailed):
        return FailureKind.START
    if isinstance(error, AskTimeout | TimeoutError):
        return FailureKind.TIMEOUT
    cause = error.__cause__
    return classify(error if cause is None else cause)


@attrs.frozen(kw_only=True)
class Outcome:
    """How one request, message or job came out. Times are seconds.

    `started` is on trio's clock, `elapsed` counts from the first attempt; `attempts`
    is 0 for work that was never started.
    """

    ok: bool
    value: Any = None
    failure: FailureKind | None = None
    error: BaseException | None = None
    attempts: int = 1
    extended: bool = False
    fallback: bool = False
    started: float | None = None
    elapsed: float = 0.0
    exit: Exit | None = None

    def unwrap(self) -> Any:
        """The value, or raise the error."""
        if self.error is not None:
            raise self.error
        return self.value
