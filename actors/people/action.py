"""An action that needs an approval, and the digest that binds the approval to it. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

import attrs

from actors.people.request import plain_size

__all__ = ["Action"]

_SHOWN: Final = 2000


def _frozen(arguments: Mapping[str, Any]) -> str:
    """Arguments as text that is equal for equal ones: what is changed afterwards changes nothing here."""
    if not isinstance(arguments, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"arguments must be a mapping, not {arguments!r}: write {{'path': '/srv/data'}}")
    plain = dict(arguments)
    for name, value in plain.items():
        if not isinstance(name, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"the argument {name!r} has no name: arguments go from texts to plain data")
        if plain_size(value) is None:
            raise TypeError(
                f"the argument {name}={value!r:.80} is no plain data as JSON has it: what a person "
                f"approves must be the same text for whoever shows it and for whoever does it"
            )
    return json.dumps(plain, sort_keys=True, ensure_ascii=True, separators=(",", ":"), allow_nan=False)


@attrs.frozen
class Action:
    """Something to be done: a name, and arguments that are plain data as JSON has it.

    Its arguments are copied when it is made. Raises TypeError for what is no plain data.
    """

    name: str
    _canonical: str = attrs.field(converter=_frozen, alias="arguments", repr=False)

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.strip():  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(
                f"an action has a name, as in Action('delete', {{'path': '/srv'}}), not {self.name!r}"
            )

    @property
    def arguments(self) -> dict[str, Any]:
        """A copy of its arguments."""
        return json.loads(self._canonical)

    @property
    def digest(self) -> str:
        """SHA-256 over its name and arguments, in hexadecimal digits: equal for equal actions alone."""
        return hashlib.sha256(json.dumps([self.name, self._canonical]).encode()).hexdigest()

    def __str__(self) -> str:
        """As a call, on one line, shortened where it is long."""
        shown = ", ".join(f"{name}={value!r}" for name, value in sorted(self.arguments.items()))
        text = f"{self.name}({shown})"
        return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}... ({len(text)} characters)"
