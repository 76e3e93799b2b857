"""An action that needs an approval, and the digest that binds the approval to it. Pure."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any, Final

import attrs

from actors.people.request import check_name, plain_size, shown

__all__ = ["Action"]

_SHOWN: Final = 200


def _frozen(arguments: Mapping[str, Any]) -> str:
    """Arguments as text that is equal for equal ones: what is changed afterwards changes nothing here."""
    if not isinstance(arguments, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"arguments must be a mapping, not {shown(arguments)}: write {{'path': '/srv/data'}}")
    plain = dict(arguments)
    for name, value in plain.items():
        if type(name) is not str or plain_size(name) is None:
            raise TypeError(f"the argument {shown(name)} has no name: arguments go from texts to plain data")
        if plain_size(value) is None:
            raise TypeError(
                f"the argument {name}={shown(value)} is no plain data as JSON has it: what a person "
                f"approves must be the same text for whoever shows it and for whoever does it"
            )
    return json.dumps(plain, sort_keys=True, ensure_ascii=True, separators=(",", ":"), allow_nan=False)


@attrs.frozen
class Action:
    """Something to be done: a name, and arguments that are plain data as JSON has it.

    Its arguments are copied when it is made. Raises TypeError for what is no plain data, and ValueError for
    what is no name.
    """

    name: str
    _canonical: str = attrs.field(converter=_frozen, alias="arguments", repr=False)

    def __attrs_post_init__(self) -> None:
        check_name("the name of an action", self.name)

    @property
    def arguments(self) -> dict[str, Any]:
        """A copy of its arguments."""
        return json.loads(self._canonical)

    @property
    def digest(self) -> str:
        """SHA-256 over its name and arguments, in hexadecimal digits: equal for equal actions alone."""
        return hashlib.sha256(json.dumps([self.name, self._canonical]).encode()).hexdigest()

    @property
    def call(self) -> str:
        """As a call, on one line and in full: what a person is shown. Different for different actions."""
        given = (f"{_name(name)}={value!r}" for name, value in self.arguments.items())
        return f"{_name(self.name)}({', '.join(given)})"

    def __str__(self) -> str:
        """As `call`, shortened where it is long."""
        text = self.call
        return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}... ({len(text)} characters)"


def _name(name: str) -> str:
    """A name that cannot be taken for anything else in a call."""
    return name if re.fullmatch(r"[\w.:/-]+", name) else repr(name)
