"""What can go wrong between a program that asks and a person who answers, by what the caller can do."""

from __future__ import annotations

from trio import TooSlowError

from actors.errors import ActorError

__all__ = [
    "ActionChanged",
    "AlreadyAnswered",
    "DeskError",
    "DeskFull",
    "InvalidAnswer",
    "KeyReused",
    "NoAnswer",
    "NotApproved",
    "PermitError",
    "PermitUsed",
    "RequestExpired",
    "RequestWithdrawn",
    "UnknownRequest",
]


_SHOWN = 200


def _short(text: str) -> str:
    """What others have written, on a line of bounded length; the whole of it is a field of the error."""
    return repr(text) if len(text) <= _SHOWN else f"{text[:_SHOWN]!r}..."


def _by(person: str | None) -> str:
    return "somebody" if person is None else person


class DeskError(ActorError):
    """The base of what concerns requests to people."""


# --- who asks -------------------------------------------------------------------


class NoAnswer(DeskError, TooSlowError):
    """Nobody has answered in time, and the request was made with `default=RAISE`."""

    def __init__(self, request_id: str, text: str, seconds: float) -> None:
        self.request_id = request_id
        self.text = text
        self.seconds = seconds
        super().__init__(
            f"nobody has answered {_short(text)} within {seconds:g} s (request {request_id}): "
            f"give it more time, a default, or another person with actors.Escalate(...)"
        )


class DeskFull(DeskError):
    """As many requests wait for people as may."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        super().__init__(
            f"{capacity} requests wait for people already: answer or withdraw some, "
            f"or allow more with Asking(capacity=...)"
        )


class KeyReused(DeskError, ValueError):
    """The key stands for another request: a person who answers one is not heard for the other."""

    def __init__(self, key: str, request_id: str, text: str) -> None:
        self.key = key
        self.request_id = request_id
        super().__init__(
            f"the key {key!r} stands for another request, {_short(text)} ({request_id}): "
            f"a key is one question, choose another"
        )


# --- who answers ----------------------------------------------------------------


class UnknownRequest(DeskError, KeyError):
    """No request has this id, or it has ended long ago."""

    __str__ = Exception.__str__  # that of KeyError shows its text as a key

    def __init__(self, request_id: object) -> None:
        self.request_id = request_id
        shown = _short(request_id) if isinstance(request_id, str) else f"<{type(request_id).__name__}>"
        super().__init__(
            f"no request has the id {shown}: it never was, or it ended long ago; "
            f"those that wait are in system.desk.pending()"
        )


class AlreadyAnswered(DeskError):
    """Somebody was faster: the first decision stands. `by` is who, where they said so."""

    def __init__(self, request_id: str, by: str | None) -> None:
        self.request_id = request_id
        self.by = by
        super().__init__(f"{_by(by)} has answered {request_id} already: the first decision stands")


class RequestExpired(DeskError):
    """The answer comes too late: nobody waits for it any more."""

    def __init__(self, request_id: str, why: str = "its time has passed") -> None:
        self.request_id = request_id
        self.why = why
        super().__init__(f"{request_id} is over, {why}: the answer came too late and has no effect")


class RequestWithdrawn(RequestExpired):
    """Whoever asked has taken the question back."""

    def __init__(self, request_id: str) -> None:
        super().__init__(request_id, "whoever asked has taken it back")


class InvalidAnswer(DeskError, ValueError):
    """The request takes no such answer; it waits on."""

    def __init__(self, request_id: str, wanted: str, given: str) -> None:
        self.request_id = request_id
        self.wanted = wanted
        self.given = given
        super().__init__(f"{request_id} takes {wanted}, not {given}: it waits on for a right answer")


# --- who acts on an approval ----------------------------------------------------


class PermitError(DeskError):
    """The base of what keeps an action from being carried out."""


class NotApproved(PermitError):
    """A person has said no, or nobody has said yes in time."""

    def __init__(self, request_id: str, action: str, by: str | None, *, in_time: bool) -> None:
        self.request_id = request_id
        self.action = action
        self.by = by
        said = f"{_by(by)} has refused it" if in_time else "nobody has approved it in time"
        super().__init__(f"{action} must not be carried out: {said} (request {request_id})")


class ActionChanged(PermitError):
    """What is to be carried out is not what was approved. The permit is void from now on."""

    def __init__(self, request_id: str, approved: str, given: str) -> None:
        self.request_id = request_id
        self.approved = approved
        self.given = given
        super().__init__(
            f"{given} is not the action that {request_id} has approved, {approved}: "
            f"the permit is void, ask for the new one"
        )


class PermitUsed(PermitError):
    """The action was begun, or the permit made void, before: it is carried out at most once."""

    def __init__(self, request_id: str, action: str, *, void: bool = False) -> None:
        self.request_id = request_id
        self.action = action
        why = "its permit is void" if void else "it was begun before, here or before a restart"
        super().__init__(
            f"{action} is not carried out: {why} (request {request_id}); ask anew to do it again"
        )
