"""A fact: an event as text and plain values, which keeps nothing of users alive. Pure."""

from __future__ import annotations

from typing import Any

import attrs

from actors.messages import message

__all__ = ["Fact", "Page", "is_below"]


@message(tag="actors.Fact")
class Fact:
    """An event as a journal keeps it: plain, bounded, ready for JSON.

    `number` grows by one with each fact of a system; `at` is in seconds since 1970; `kind` is the name
    of the event's class, `path` the actor that it is about, or None. `text` says it on one line of at
    most 500 characters. `details` has the event's other fields. Texts of users are as they are, but for
    control characters: show them as text, never as markup.
    """

    number: int
    at: float
    kind: str
    path: str | None
    text: str
    details: dict[str, Any]

    def as_dict(self) -> dict[str, Any]:
        """Plain dictionaries and lists, ready for JSON."""
        return {
            "number": self.number,
            "at": self.at,
            "kind": self.kind,
            "path": self.path,
            "text": self.text,
            "details": self.details,
        }


@attrs.frozen
class Page:
    """Some facts in order. The next ones come after the number `after`; `missed` were kept no more."""

    facts: tuple[Fact, ...]
    after: int
    missed: int = 0


def is_below(path: str | None, top: str) -> bool:
    """Whether a path is that of the actor `top`, or of one below it."""
    if path is None:
        return False
    return top == "/" or path == top or path.startswith(top + "/")
