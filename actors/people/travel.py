"""Requests and errors as they travel between the desks of linked nodes. Pure.

What comes from another node is held against all that a desk itself would hold it against: it is
shown to people, and another node may run another version.
"""

from __future__ import annotations

import json
import math
from typing import Any, Final

import attrs

from actors.errors import ActorError
from actors.people.errors import (
    AlreadyAnswered,
    DeskError,
    InvalidAnswer,
    RequestExpired,
    RequestWithdrawn,
    UnknownRequest,
)
from actors.people.records import request_of, request_record
from actors.people.request import PersonRequest, checked_request

__all__ = ["error_in", "error_out", "pages", "request_in", "request_out", "text_of"]

_LONGEST_ID: Final = 200
_PAGE: Final = 100
_CHARACTERS: Final = 50_000
"""In one word, unless a request alone has more."""


def text_of(value: object) -> str:
    """Plain data as JSON text."""
    return json.dumps(value, ensure_ascii=False)


def request_out(request: PersonRequest, now: float) -> str:
    """A request, with times from now: clocks of two hosts have nothing in common."""
    return text_of(request_record(request, -now))


def request_in(text: str, now: float, node: str, max_text: int) -> PersonRequest:
    """The request again, as the node of this name has told it. Raises ValueError for what is none."""
    try:
        request = checked_request(request_of(json.loads(text), -now), max_text)
    except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError) as error:
        raise ValueError(f"it is no request: {type(error).__name__}: {str(error)[:200]}") from None
    if request.node != node:
        raise ValueError(f"it says that {request.node[:100]!r} has asked")
    if not 0 < len(request.id) <= _LONGEST_ID or not request.id.isprintable():
        raise ValueError(f"{request.id[:_LONGEST_ID]!r} is no id")
    if not math.isfinite(request.asked) or not request.deadline > -math.inf:
        raise ValueError("its times are no numbers")
    for name in ("sender", "digest"):
        value = getattr(request, name)
        if value is not None and (not isinstance(value, str) or not value.isprintable()):
            raise ValueError(f"its {name} is no text")
    return request


def pages(texts: list[str]) -> list[tuple[str, ...]]:
    """Requests, as many in one word as pass every link."""
    found: list[list[str]] = []
    room = 0
    for text in texts:
        if not found or len(text) > room or len(found[-1]) == _PAGE:
            found.append([])
            room = _CHARACTERS
        found[-1].append(text)
        room -= len(text)
    return [tuple(page) for page in found]


# --- errors ---------------------------------------------------------------------


def error_out(error: ActorError | None) -> tuple[str | None, tuple[str | None, ...]]:
    """Its name, and what it is made with beside the id of the request."""
    match error:
        case None:
            return None, ()
        case AlreadyAnswered():
            return "AlreadyAnswered", (error.by,)
        case InvalidAnswer():
            return "InvalidAnswer", (error.wanted, error.given)
        case RequestWithdrawn():
            return "RequestWithdrawn", ()
        case RequestExpired():
            return "RequestExpired", (error.why,)
        case UnknownRequest():
            return "UnknownRequest", ()
        case _:
            return "DeskError", (str(error),)


@attrs.frozen
class _Maker:
    kind: Any
    facts: int


_MADE: Final = {
    "AlreadyAnswered": _Maker(AlreadyAnswered, 1),
    "InvalidAnswer": _Maker(InvalidAnswer, 2),
    "RequestWithdrawn": _Maker(RequestWithdrawn, 0),
    "RequestExpired": _Maker(RequestExpired, 1),
    "UnknownRequest": _Maker(UnknownRequest, 0),
}


def error_in(name: str | None, facts: tuple[str | None, ...], request_id: str) -> DeskError | None:
    """The error again; one that is unknown here as `DeskError`."""
    if name is None:
        return None
    maker = _MADE.get(name)
    if maker is None or len(facts) != maker.facts:
        said = " ".join(fact for fact in facts if fact is not None)
        return DeskError(said if name == "DeskError" else f"{name} {said}".strip())
    return maker.kind(request_id, *facts)
