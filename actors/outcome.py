"""What came of one piece of work: an `Outcome`, and the kind of failure it was."""

from __future__ import annotations

import enum
import math
from collections.abc import Callable
from typing import Any

import attrs

from actors.errors import (
    AskTimeout,
    BudgetSpent,
    CircuitOpen,
    PatternFound,
    PermanentFailure,
    RateLimited,
    RemoteError,
    Stalled,
    StartFailed,
    TimedOut,
)
from actors.exits import Exit, ExitKind

__all__ = ["FailureKind", "Outcome", "classify", "kind_of", "kind_of_exit", "retry_after"]


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
    BUDGET = "BUDGET"


def classify(error: BaseException) -> FailureKind:
    """The default answer to "what kind of failure is this?", by the error's type alone.

    `RateLimited` is RATE_LIMIT, `PermanentFailure` PERMANENT, `BudgetSpent` BUDGET,
    `PatternFound` what its pattern says, `RemoteError` what the other node says, everything else ERROR.
    `Policy(classify=...)` replaces it.
    """
    if isinstance(error, PatternFound):
        return FailureKind.PATTERN if error.kind is None else error.kind
    if isinstance(error, RemoteError) and error.kind is not None:
        return error.kind
    if isinstance(error, RateLimited):
        return FailureKind.RATE_LIMIT
    if isinstance(error, PermanentFailure):
        return FailureKind.PERMANENT
    if isinstance(error, BudgetSpent):
        return FailureKind.BUDGET
    return FailureKind.ERROR


_KINDS = {
    ExitKind.TIMED_OUT: FailureKind.TIMEOUT,
    ExitKind.STALLED: FailureKind.STALL,
    ExitKind.START_FAILED: FailureKind.START,
}


def kind_of_exit(exit: Exit, by: Callable[[BaseException], FailureKind] = classify) -> FailureKind | None:
    """The kind of failure of an exit, by a policy's `classify`; None for an exit that is no failure.

    A classifier that raises, or answers something else, says ERROR.
    """
    if not exit.is_failure:
        return None
    kind = FailureKind.ERROR
    if exit.error is not None:
        try:
            kind = FailureKind(by(exit.error))
        except Exception:  # a broken classifier must not take the supervisor down
            kind = FailureKind.ERROR
    return _KINDS.get(exit.kind, kind) if kind is FailureKind.ERROR else kind


def retry_after(exit: Exit) -> float | None:
    """The seconds after which the failure says to come back, or None."""
    seconds = getattr(exit.error, "retry_after", None)
    return float(seconds) if isinstance(seconds, int | float) and 0 <= seconds < math.inf else None


def kind_of(error: BaseException) -> FailureKind:
    """The kind that the outcome of a told or asked message reports for an error."""
    if isinstance(error, CircuitOpen):
        return FailureKind.CIRCUIT_OPEN
    if isinstance(error, StartFailed):
        return FailureKind.START
    if isinstance(error, Stalled):
        return FailureKind.STALL
    if isinstance(error, AskTimeout | TimedOut | TimeoutError):
        return FailureKind.TIMEOUT
    cause = error.__cause__
    if isinstance(cause, TimedOut | Stalled):
        return kind_of(cause)
    return classify(error if cause is None else cause)


@attrs.frozen(kw_only=True)
class Outcome:
    """How one request, message or job came out. Times are seconds.

    `started` is on trio's clock, `elapsed` counts from the first attempt; `attempts`
    is 0 for work that was never started. `label` is what a job is called: its label, else
    its name, else its index in the batch; it does not count in comparisons.
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
    label: str | int | None = attrs.field(default=None, eq=False)

    def unwrap(self) -> Any:
        """The value, or raise the error."""
        if self.error is not None:
            raise self.error
        return self.value
