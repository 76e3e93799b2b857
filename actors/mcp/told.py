"""What an agent is told of what has happened: facts within its reach. Pure.

A fact about an actor that it reaches may name others, a file of the program, or a message that somebody else
was sent: these are left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, cast

import attrs

from actors.observe.fact import Fact

__all__ = ["Teller"]

HIDDEN: Final = "an actor out of your reach"
_FILE: Final = re.compile(r" \([^()\n]*:\d+\)")
_WHO: Final = frozenset({"because", "by", "child", "sender", "worker", "to", "owner"})
"""Details that name an actor."""
_SAID: Final = frozenset({"line", "message", "request"})
"""Details that show a message."""


@attrs.frozen
class Teller:
    """Says what an agent hears: `reaches` of the actors at these paths, `owns` of what these were sent."""

    reaches: Callable[[str], bool]
    owns: Callable[[str], bool]
    whole: bool
    """It hears also what is about no actor."""

    def told(self, facts: Sequence[Fact]) -> list[Fact]:
        """Those that it hears, without what is not for it."""
        return [self._bounded(one) for one in facts if self._hears(one.path)]

    def _hears(self, path: str | None) -> bool:
        return self.whole if path is None else self.reaches(path)

    def _bounded(self, fact: Fact) -> Fact:
        text = fact.text
        details = dict(fact.details)
        for key, value in fact.details.items():
            if not isinstance(value, str):
                continue
            shown = value
            if key in _WHO and value.startswith("/") and not self.reaches(value):
                shown = HIDDEN
            elif key in _SAID and not (fact.path is None or self.owns(fact.path)):
                shown = "..."
            if shown != value:
                details[key] = shown
                text = text.replace(value, shown) if value in text else fact.kind  # it may be cut short there
        return attrs.evolve(fact, text=_FILE.sub("", text), details=_without_files(details))


def _without_files(value: Any) -> Any:
    """Where in the code something was, without the file."""
    if isinstance(value, Mapping):
        given = cast("Mapping[str, Any]", value)
        return {
            key: _FILE.sub("", one) if key == "where" and isinstance(one, str) else _without_files(one)
            for key, one in given.items()
        }
    if isinstance(value, list | tuple):
        return [_without_files(one) for one in cast("Sequence[Any]", value)]
    return value
