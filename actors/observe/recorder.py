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
from actors.people.request import Answer, PersonRequest

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
            elif type(value) in (PersonRequest, Answer):
                details[name] = self._of_people(plain(value))
            else:
                details[name] = plain(value)
        text = clean(in_words(kind.__name__, details))
        return Fact(number, self._wall_at(event.at), kind.__name__, _path_of(event, details), text, details)

    def _of_people(self, said: dict[str, Any]) -> dict[str, Any]:
        """A request or an answer, its times as others of a fact: since 1970, None where there is none."""
        times = {key: said[key] for key in ("asked", "deadline", "at") if key in said}
        return said | {key: self._wall_at(at) if type(at) is float else None for key, at in times.items()}


def _exit(exit: Exit) -> dict[str, Any]:
    error = exit.error
    said: dict[str, Any] = {
        "kind": str(exit.kind),
        "error": None if error is None else error_line(error),
        "reason": clean(exit.reason),
    }
    if error is not None:
        found = {"causes": origins(error), "where": raised_at(error), "node": _node_of(error)}
        said.update({key: value for key, value in found.items() if value})
    return said


def _node_of(error: BaseException) -> str | None:
    try:
        node: object = getattr(error, "node", None)
    except Exception:  # errors of users may have a `node` of their own that raises, or a `__getattr__`
        return None
    return node if type(node) is str else None


def _path_of(event: Event, details: dict[str, Any]) -> str | None:
    """Whom it is about: an actor, or the one that has asked a person."""
    ref = getattr(event, "ref", None)
    if isinstance(ref, Ref):
        return ref.path
    request = details.get("request")
    path: object = details.get("path") if request is None else request.get("sender")
    return path if type(path) is str else None
