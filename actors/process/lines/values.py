"""What may be said to a child: plain JSON values, and `Call`, which asks with one. Pure."""

from __future__ import annotations

import math
from typing import Any, Final, cast

import attrs

from actors.errors import NotSerializable
from actors.messages import Request, message

__all__ = ["PLAIN", "Call", "as_plain"]

PLAIN: Final = (type(None), bool, int, float, str, list, tuple, dict)
"""The classes of plain values; a tuple becomes a list."""
_DEEPEST: Final = 100


def as_plain(value: object, depth: int = 0) -> Any:
    """A copy of a JSON value that nobody else can change. Raises `NotSerializable` with the cure."""
    kind = type(value)
    if value is None or kind in (bool, int, str):
        return value
    if depth > _DEEPEST:
        raise NotSerializable(kind, f"is nested more than {_DEEPEST} deep, or in itself: say it flatter")
    if kind is float:
        if not math.isfinite(cast("float", value)):
            raise NotSerializable(kind, f"{value!r} has no word in JSON: say None, or a str")
        return value
    if kind in (list, tuple):
        return [as_plain(one, depth + 1) for one in cast("list[object]", value)]
    if kind is dict:
        return {
            _key(key): as_plain(one, depth + 1) for key, one in cast("dict[object, object]", value).items()
        }
    raise NotSerializable(
        kind, "is no JSON value: say str, numbers, lists and dicts, or make it a class with @actors.message"
    )


def _key(key: object) -> str:
    if type(key) is not str:
        raise NotSerializable(type(key), f"cannot be a key in JSON, as {key!r} would be: write str({key!r})")
    return key


def _plain(value: object) -> Any:
    return as_plain(value)


@message(tag="actors.process.Call")
class Call(Request[Any]):
    """Asks a child with a JSON value, and yields what it replies: `await ref.ask(Call({"add": [1, 2]}))`.

    `value`: None, bool, int, float, str, and lists and dicts of these; a copy is made. Anything else raises
    `NotSerializable`. A request class of your own says more: its reply has a type, and its fields have names.
    """

    value: Any = attrs.field(converter=_plain)  # pyright: ignore[reportUnknownVariableType]
