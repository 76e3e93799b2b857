"""An event of any kind, with a value of its type in each field."""

from __future__ import annotations

from typing import Any

import attrs

from actors.events import Event
from actors.exits import Exit, ExitKind
from actors.people.request import Answer, PersonRequest

__all__ = ["ASKED", "made"]

ASKED = PersonRequest("alpha:1", "approval", "Boil the water?", to="ada", asked=5.0, deadline=65.0)
BY_TYPE: dict[str, Any] = {
    "int": 2,
    "float": 2.5,
    "str": "a text",
    "str | None": "a name",
    "bool": True,
    "Exit": Exit(ExitKind.FAILED, error=ValueError("no")),
    "PersonRequest": ASKED,
    "Answer": Answer("alpha:1", "approval", True, "bob", 9.0),
}


def made(kind: type[Event], **given: Any) -> Event:
    fields = {field.name: BY_TYPE.get(str(field.type), ValueError("no")) for field in attrs.fields(kind)}
    return kind(**fields | given)
