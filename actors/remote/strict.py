"""Reading JSON strictly: what cattrs would convert or let through is a mistake of the other end's."""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Callable
from typing import Any, Final, cast, get_args, get_origin

from cattrs import Converter, transform_error
from cattrs.v import format_exception

__all__ = [
    "BadValue",
    "as_bytes",
    "as_list",
    "as_pairs",
    "checked_ref",
    "float_in",
    "float_out",
    "make_strict",
    "special_float",
    "why",
]


class BadValue(Exception):
    """A value of the other end's that cannot be decoded here: an unknown tag, a wrong field."""


def _strict(kind: type) -> Callable[[Any, Any], Any]:
    def check(value: Any, wanted: Any) -> Any:
        if value.__class__ is not kind:
            raise BadValue(f"expected {kind.__name__}, not {value!r:.80}")
        return value if wanted is kind else wanted(value)  # an enum of texts is a kind of text

    return check


def float_out(value: float) -> Any:
    """JSON has no word for infinity."""
    return value if math.isfinite(value) else {"$float": str(value)}


def float_in(value: Any, kind: Any) -> float:
    """A number, or the word for one that JSON has none for; raises `BadValue`."""
    if value.__class__ is dict and value.keys() == {"$float"}:
        return special_float(value["$float"])
    return _number(value, kind)


def special_float(name: Any) -> float:
    """Infinity, or no number; raises `BadValue`."""
    try:
        return _FLOATS[name]
    except (KeyError, TypeError):
        raise BadValue('a special number is {"$float": "inf"}, "-inf" or "nan"') from None


_FLOATS: Final = {"inf": math.inf, "-inf": -math.inf, "nan": math.nan}


def _number(value: Any, _: Any) -> float:
    if value.__class__ is float or value.__class__ is int:
        return float(value)
    raise BadValue(f"expected a number, not {value!r:.80}")


_ROWS: Final = (list, tuple, set, frozenset)


def make_strict(converter: Converter) -> None:
    """Let a converter take what annotations say, and nothing like it."""
    for kind in (int, str, bool):
        converter.register_structure_hook(kind, _strict(kind))
    converter.register_structure_hook(float, _number)

    def read(value: Any, kind: Any) -> Any:
        """Of arrays only: cattrs takes anything that can be gone through, a text for a list of texts."""
        given, args = as_list(value), get_args(kind)
        origin = cast("Callable[[Any], Any]", get_origin(kind) or kind)
        if origin is not tuple or args[1:] == (...,):
            return origin(converter.structure(one, args[0]) for one in given)
        if len(given) != len(args):
            raise BadValue(f"expected an array of {len(args)}, not of {len(given)}")
        made: list[Any] = [converter.structure(one, arg) for one, arg in zip(given, args, strict=True)]
        return tuple(made)

    converter.register_structure_hook_func(lambda kind: (get_origin(kind) or kind) in _ROWS, read)


def as_list(coded: Any) -> list[Any]:
    """An array; raises `BadValue`."""
    if not isinstance(coded, list):
        raise BadValue(f"expected an array, not {coded!r:.60}")
    return cast("list[Any]", coded)


def as_pairs(coded: Any) -> list[Any]:
    """An array of [key, value]; raises `BadValue`."""
    given = as_list(coded)
    if not all(isinstance(one, list) and len(cast("list[Any]", one)) == 2 for one in given):
        raise BadValue(f"expected an array of [key, value], not {coded!r:.60}")
    return given


def as_bytes(value: Any) -> bytes:
    """What base64 text stands for; raises `BadValue`."""
    if not isinstance(value, str):
        raise BadValue(f"bytes are base64 text, not {value!r:.40}")
    try:
        return base64.b64decode(value, validate=True)
    except binascii.Error as error:
        raise BadValue(f"no base64: {error}") from None


def checked_ref(coded: Any) -> list[Any]:
    """[node, incarnation, path, serial], or with the node where it runs; raises `BadValue`."""
    shape = (str, str, str, int, str)
    if not isinstance(coded, list):
        raise BadValue(f"a ref is [node, incarnation, path, serial], not {coded!r:.60}")
    given = cast("list[Any]", coded)
    if not 4 <= len(given) <= 5 or any(
        type(one) is not kind for one, kind in zip(given, shape, strict=False)
    ):
        raise BadValue(f"a ref is [node, incarnation, path, serial], not {coded!r:.60}")
    return given


def why(error: BaseException) -> str:
    """What is wrong, and in which field, on one line."""
    if not isinstance(error, BaseExceptionGroup):
        return f"{error}"[:300]
    return "; ".join(transform_error(cast("Any", error), format_exception=_explain))[:300]


def _explain(error: BaseException, kind: type | None) -> str:
    return str(error) if isinstance(error, BadValue) else format_exception(error, kind)
