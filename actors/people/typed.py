"""An answer that a person types on a line. What it means depends on what is asked alone. Pure."""

from __future__ import annotations

import json
from typing import Any, Final

from actors.people.errors import InvalidAnswer
from actors.people.request import APPROVAL, CLARIFICATION, PersonRequest

__all__ = ["read_json", "typed_answer"]

_SAID: Final = {"yes": True, "y": True, "true": True, "no": False, "n": False, "false": False}
_NONE: Final = object()


def read_json(request_id: str, text: str) -> Any:
    """The value. Raises `InvalidAnswer` for what is no JSON."""
    value = _json(text)
    if value is _NONE:
        raise InvalidAnswer(request_id, "JSON here", f"{text[:60]!r}")
    return value


def typed_answer(request: PersonRequest, text: str) -> Any:
    """The value that is meant.

    yes or no for an approval. The text as it stands for a clarification. One of the options, as text or as
    JSON. For whatever takes anything: JSON where it is such, else the text. Raises `InvalidAnswer`.
    """
    if request.kind == APPROVAL:
        said = _SAID.get(text.strip().casefold())
        if said is None:
            raise InvalidAnswer(request.id, "yes or no", f"{text[:60]!r}")
        return said
    if request.kind == CLARIFICATION:
        return text
    value = _json(text)
    if not request.options:
        return text if value is _NONE else value
    meant = [one for one in request.options if one == text or (type(one) is type(value) and one == value)]
    if len(meant) == 1:
        return meant[0]
    shown = ", ".join(json.dumps(one, ensure_ascii=False) for one in request.options)
    if meant:
        raise InvalidAnswer(request.id, f"one of {shown} as JSON", f"{text[:60]!r}, which may be two of them")
    raise InvalidAnswer(request.id, f"one of {shown}", f"{text[:60]!r}")


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return _NONE
