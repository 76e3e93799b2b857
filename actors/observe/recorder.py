"""From an event to a fact, at once: no message, error or traceback of users stays alive in what is kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from actors.core.ref import Ref
from actors.events import Event
from actors.exits import Exit
from actors.observe.brief import brief, clean, error_line, origins, plain, raised_at
from actors.observe.fact import Fact
from actors.observe.words import in_words

__all__ = ["Recorder"]


class Recorder:
    """Makes facts. `wall_at` turns the time of an event into seconds since 1970."""

    __slots__ = ("_fields", "_wall_at")

    def __init__(self, wall_at: Callable[[float], float]) -> None:
        self._wall_at = wall_at
        self._fields: dict[type[Event], tuple[str, ...]] = {}

    def fact(self, number: int, event: Event) -> Fact:
        """The event as a fact. Never raises, whatever is in it."""
        kind = type(event)
        names = self._fields.get(kind)
        if names is None:
            known = (field.name for field in attrs.fields(kind))
            names = self._fields[kind] = tuple(name for name in known if name not in ("at", "ref"))
        details: dict[str, Any] = {}
        for name in names:
            value: Any = getattr(event, name)
            if name == "message":
                details[name] = None if value is None else brief(value)
            elif isinstance(value, Exit):
                details[name] = _exit(value)
            else:
                details[name] = plain(value)
        text = clean(in_words(kind.__name__, details))
        return Fact(number, self._wall_at(event.at), kind.__name__, _path_of(event, details), text, details)


def _exit(exit: Exit) -> dict[str, Any]:
    error = exit.error
    said: dict[str, Any] = {
        "kind": str(exit.kind),
        "error": None if error is None else error_line(error),
        "reason": clean(exit.reason),
    }
    if error is not None:
        node: object = getattr(error, "node", None)
        found = {
            "causes": origins(error),
            "where": raised_at(error),
            "node": node if type(node) is str else None,
        }
        said.update({key: value for key, value in found.items() if value})
    return said


def _path_of(event: Event, details: dict[str, Any]) -> str | None:
    """Whom it is about: an actor, or the one that has asked a person."""
    ref = getattr(event, "ref", None)
    if isinstance(ref, Ref):
        return ref.path
    request = details.get("request")
    path: object = details.get("path") if request is None else request.get("sender")
    return path if type(path) is str else None
