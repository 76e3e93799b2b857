"""JSON as text: short on the way out, not too deep on the way in. Pure."""

from __future__ import annotations

import json
import math
import re
from typing import Any, Final, NoReturn

__all__ = ["DEEPEST", "BadFrame", "is_deep", "parse"]

DEEPEST: Final = 64
"""How many objects and arrays may stand in each other in one frame, or in one item of many pieces."""
_LEVEL: Final = bytes.maketrans(b"{}", b"[]")
_SHAPE: Final = bytes(set(range(256)) - set(b'[]{}"\\'))
"""Everything but what decides how deep a text is."""
_STRING: Final = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)


class BadFrame(Exception):
    """A frame or an item that is not what the protocol says."""


def parse(text: str) -> Any:
    """JSON that is not too deep, with finite numbers; raises `BadFrame`."""
    if is_deep(text, DEEPEST):
        raise BadFrame(f"no JSON, or more than {DEEPEST} objects and arrays in each other")
    try:
        return json.loads(text, parse_constant=_no_constant, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise BadFrame(f"no JSON: {error}") from None


def is_deep(text: str, deepest: int) -> bool:
    """Whether more objects and arrays than these stand in each other. No JSON may be anything.

    Brackets alone, a level off at a time: much cheaper than a look at every value.
    """
    if text.count("[") + text.count("{") <= deepest:
        return False
    left = text.encode(errors="replace").translate(_LEVEL, _SHAPE).replace(b'""', b"")
    if b'"' in left or b"\\" in left:  # strings with brackets or quotes in them: take all strings out first
        left = _STRING.sub("", text).encode(errors="replace").translate(_LEVEL, _SHAPE)
    for _ in range(deepest):
        size = len(left)
        left = left.replace(b"[]", b"")
        if len(left) == size:
            break
    return bool(left)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(f"{digits:.40} is too large for a number")
    return number
