"""What an annotation says of a value on the wire, and what it leaves to the value itself."""

from __future__ import annotations

import types
import typing
from typing import Any, Final, Union, get_args, get_origin

from actors.core.ref import Ref
from actors.messages import Nudge, Terminated

__all__ = [
    "BUILT_IN",
    "BUILT_IN_TAGS",
    "fits",
    "has_odd_keys",
    "is_loose",
    "is_message",
    "is_ref",
    "needs_words",
    "says_nothing",
]

BUILT_IN: Final[dict[str, type]] = {"actors.Terminated": Terminated, "actors.Nudge": Nudge}
BUILT_IN_TAGS: Final[dict[type, str]] = {cls: tag for tag, cls in BUILT_IN.items()}


def says_nothing(kind: Any) -> bool:
    """Any value may stand there."""
    return kind is Any or kind is object or isinstance(kind, typing.TypeVar)


def is_loose(kind: Any) -> bool:
    """A container that does not say of what."""
    if kind in (list, dict, tuple, set, frozenset):
        return True
    if get_origin(kind) not in (list, dict, tuple, set, frozenset):
        return False
    return any(says_nothing(one) for one in get_args(kind))


def is_ref(kind: Any) -> bool:
    """A ref."""
    return kind is Ref


def is_message(kind: Any) -> bool:
    """A message class, also one with parameters."""
    origin = get_origin(kind) or kind
    return isinstance(origin, type) and (origin in BUILT_IN_TAGS or "__actors_tag__" in origin.__dict__)


def has_odd_keys(kind: Any) -> bool:
    """Bytes become texts that can be read back."""
    if get_origin(kind) is not dict or is_loose(kind):
        return False
    key = get_args(kind)[0]
    return not (isinstance(key, type) and issubclass(key, str | bytes))


def fits(value: Any, kind: Any) -> bool:
    """Whether a value may be meant by one member of a union."""
    origin = get_origin(kind) or kind
    if says_nothing(kind):
        return True
    if origin is typing.Literal:
        return any(type(value) is type(one) and value == one for one in get_args(kind))
    if type(value) is bool:
        return origin is bool
    return isinstance(value, origin)


def needs_words(kind: Any) -> bool:
    """A union in which JSON alone does not say what is meant."""
    if get_origin(kind) not in (Union, types.UnionType):
        return False
    members = [one for one in get_args(kind) if one is not type(None)]
    plain = any(is_message(one) or is_ref(one) or one in (bytes, float) for one in members)
    return len(members) > 1 and plain
