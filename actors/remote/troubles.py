"""Errors and exits on the wire: text, never an object, never a class to import by name."""

from __future__ import annotations

import math
import traceback
from typing import TYPE_CHECKING, Any, Final

import attrs

from actors.errors import (
    ActorError,
    ActorFailed,
    ActorStopped,
    BudgetSpent,
    CircuitOpen,
    Interrupted,
    MailboxFull,
    Refused,
    RemoteError,
    Unhandled,
)
from actors.exits import Exit, ExitKind
from actors.outcome import FailureKind, kind_of
from actors.remote.items import Ended, Trouble
from actors.remote.strict import BadValue
from actors.remote.wire import dump

if TYPE_CHECKING:
    from actors.core.ref import Ref
    from actors.remote.codec import Codec

__all__ = ["ended_in", "ended_out", "error_in", "told_error", "trouble_out"]

_LONGEST: Final = 16_000
"""Characters of a traceback that travel: the end of it, where the error is."""
LONGEST_VALUE: Final = 128 * 1024
"""Characters of an exit's value that travel in any case."""
_OURS: Final[tuple[tuple[type[ActorError], str], ...]] = (
    (ActorFailed, "failed"),
    (ActorStopped, "stopped"),
    (Refused, "refused"),
    (Unhandled, "unhandled"),
    (Interrupted, "interrupted"),
    (MailboxFull, "full"),
    (CircuitOpen, "circuit"),
    (BudgetSpent, "budget"),
)


def trouble_out(error: BaseException) -> Trouble:
    """What the other node hears of an error that ended an ask."""
    kind = next((name for cls, name in _OURS if isinstance(error, cls)), "error")
    said = error.error if isinstance(error, ActorFailed) and error.error is not None else error
    if isinstance(error, Unhandled) and isinstance(error.__cause__, RemoteError):
        said = error.__cause__  # passed on for a third node: which message it was, the first one knows
    if isinstance(error, ActorStopped) and error.exit is not None:
        return _described(kind, said, exit=_exit_out(error.exit, None))
    if isinstance(error, BudgetSpent):
        spent = [error.resource, error.limit, error.spent, error.path]
        return attrs.evolve(_described(kind, said), budget=spent)
    if isinstance(error, CircuitOpen):
        return _described(kind, said, retry_after=error.retry_after, count=error.failures)
    if isinstance(error, MailboxFull):
        return _described(kind, said, count=_finite(error.capacity) or 0.0)
    return _described(kind, said)


def _described(
    kind: str,
    error: BaseException,
    *,
    retry_after: float | None = None,
    count: float = 0.0,
    exit: Ended | None = None,
) -> Trouble:
    if isinstance(error, RemoteError):  # passed on: it is described already
        of = None if error.kind is None else str(error.kind)
        after = error.retry_after
        return Trouble(kind, error.type_name, error.message, error.traceback_text, of, after, count, exit)
    try:
        text = str(error)
    except Exception:  # its own __str__ is broken
        text = ""
    if retry_after is None:
        try:
            retry_after = getattr(error, "retry_after", None)
        except Exception:  # its own property is broken
            retry_after = None
    return Trouble(
        kind,
        type(error).__name__,
        text[:_LONGEST],
        "".join(traceback.format_exception(error))[-_LONGEST:],
        str(kind_of(error)),
        _finite(retry_after),
        count,
        exit,
    )


def _finite(number: object) -> float | None:
    """A number that JSON can say, or None."""
    try:
        return float(number) if isinstance(number, int | float) and math.isfinite(number) else None
    except OverflowError:  # a whole number too large for a float
        return None


def told_error(trouble: Trouble) -> RemoteError:
    """The error of the other node, as text."""
    try:
        kind = None if trouble.failure is None else FailureKind(trouble.failure)
    except ValueError:
        kind = None
    if kind is FailureKind.ERROR:
        kind = None
    return RemoteError(trouble.type, trouble.text, trouble.traceback, kind, trouble.retry_after)


def error_in(trouble: Trouble, ref: Ref, request: object, codec: Codec) -> BaseException:
    """The error that a local ask would raise, with the other node's as its cause."""
    cause = told_error(trouble)
    error: BaseException
    if trouble.kind == "stopped":
        return ActorStopped(ref, None if trouble.exit is None else ended_in(trouble.exit, codec))
    if trouble.kind == "circuit":
        error = CircuitOpen(ref.path, int(trouble.count), trouble.retry_after or 0.0)
    elif trouble.kind == "full":
        error = MailboxFull(ref, request, trouble.count)
    elif trouble.kind == "interrupted":
        error = Interrupted(ref, request)
    elif trouble.kind in ("unhandled", "unreadable"):
        error = Unhandled(ref, request)
    elif trouble.kind == "refused":
        error = Refused(trouble.text)
    elif trouble.kind == "budget":
        error = _budget_in(trouble) or Refused(trouble.text)
    else:
        return ActorFailed(ref, cause)
    error.__cause__ = cause
    return error


def _budget_in(trouble: Trouble) -> BudgetSpent | None:
    """The spent budget that the other node tells of; None where it does not say which."""
    match trouble.budget:
        case [str(resource), int() | float() as limit, int() | float() as spent, str() | None as path]:
            error = BudgetSpent(resource, limit, spent, path=path)
            error.__cause__ = told_error(trouble)
            return error
        case _:
            return None


def ended_out(exit: Exit, codec: Codec, longest: int = LONGEST_VALUE) -> Ended:
    """An exit; a value that cannot be coded, or in more than `longest` characters, is left out."""
    return _exit_out(exit, codec, longest)


def _exit_out(exit: Exit, codec: Codec | None, longest: int = 0) -> Ended:
    value: Any = None
    if codec is not None and exit.value is not None:
        try:
            value = codec.value_out(exit.value)
            if len(dump(value)) > longest:
                value = None
        except Exception:  # whatever it has in it
            value = None
    trouble = None if exit.error is None else trouble_out(exit.error)
    return Ended(str(exit.kind), exit.reason[:_LONGEST], value, trouble)


def ended_in(ended: Ended, codec: Codec) -> Exit:
    """The exit that the other node tells of; a kind that is unknown here is FAILED."""
    try:
        kind = ExitKind(ended.kind)
    except ValueError:
        kind = ExitKind.FAILED
    try:
        value = codec.value_in(ended.v)
    except BadValue:
        value = None
    error: BaseException | None = None if ended.error is None else told_error(ended.error)
    if ended.error is not None and ended.error.kind == "budget":
        error = _budget_in(ended.error) or error
    return Exit(kind, value=value, error=error, reason=ended.reason or ended.kind)
