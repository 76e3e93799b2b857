"""Checks of plain values at the door: each raises an error that names the field and shows the value.

It is a ValueError; a TypeError where a whole record is of the wrong kind.
"""

from __future__ import annotations

import math
from typing import Any, get_args

import attrs

__all__ = [
    "at_least",
    "between",
    "check_count",
    "check_seconds",
    "count",
    "finite",
    "one_of",
    "record",
    "seconds",
    "share",
    "yes_or_no",
]


def check_seconds(name: str, value: object, *, least: float = 0.0, above: bool = False) -> float:
    """Return `value` if it is a time of at least (or above) `least`, else raise ValueError.

    Infinity is a time, NaN is not.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{name} must be a number of seconds, not {value!r}")
    if math.isnan(value) or value < least or (above and value == least):
        bound = f"more than {least:g}" if above else f"{least:g} or more"
        raise ValueError(f"{name} must be {bound} seconds, not {value!r}")
    return value


def seconds(*, least: float = 0.0, above: bool = False) -> Any:
    """A validator: a time of at least (or above) `least`."""

    def check(_: object, field: attrs.Attribute[float], value: float) -> None:
        check_seconds(field.name, value, least=least, above=above)

    return check


def finite(_: object, field: attrs.Attribute[float], value: float) -> None:
    """A validator: not infinite."""
    if value == math.inf:
        raise ValueError(f"{field.name} must be finite, not {value!r}")


def at_least(least: float) -> Any:
    """A validator: a number of at least `least`."""

    def check(_: object, field: attrs.Attribute[float], value: object) -> None:
        if isinstance(value, bool) or not isinstance(value, int | float) or not value >= least:
            raise ValueError(f"{field.name} must be {least:g} or more, not {value!r}")

    return check


def check_count(name: str, value: object, *, least: int = 1) -> int:
    """Return `value` if it is a whole number of at least `least`, else raise ValueError."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"{name} must be a whole number of {least} or more, not {value!r}")
    return value


def between(least: float, most: float, *, whole: bool = False, unit: str = "") -> Any:
    """A validator: a number from `least` to `most`, both allowed."""
    kind: Any = int if whole else int | float
    what = f"{'a whole number ' if whole else ''}from {least:g} to {most:g}{unit}"

    def check(_: object, field: attrs.Attribute[float], value: Any) -> None:
        if isinstance(value, bool) or not isinstance(value, kind) or not least <= value <= most:
            raise ValueError(f"{field.name} must be {what}, not {value!r}")

    return check


def count(least: int) -> Any:
    """A validator: a whole number of at least `least`."""

    def check(_: object, field: attrs.Attribute[int], value: object) -> None:
        check_count(field.name, value, least=least)

    return check


def one_of(choices: object) -> Any:
    """A validator: one of the strings of a Literal."""
    names = get_args(choices)

    def check(_: object, field: attrs.Attribute[str], value: object) -> None:
        if value not in names:
            raise ValueError(f"{field.name} must be one of {', '.join(names)}, not {value!r}")

    return check


def share(_: object, field: attrs.Attribute[float], value: object) -> None:
    """A validator: from 0 to 1."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ValueError(f"{field.name} is a share from 0 to 1, not {value!r}")


def yes_or_no(_: object, field: attrs.Attribute[bool], value: object) -> None:
    """A validator: True or False."""
    if not isinstance(value, bool):
        raise ValueError(f"{field.name} must be True or False, not {value!r}")


def record(kind: type, example: str, *, optional: bool = True) -> Any:
    """A validator: a `kind`, or None where that is allowed; else a TypeError that shows an `example`."""

    def check(_: object, field: attrs.Attribute[Any], value: object) -> None:
        if isinstance(value, kind) or (optional and value is None):
            return
        or_none = " or None" if optional else ""
        raise TypeError(f"{field.name} must be a {kind.__name__}{or_none}, not {value!r}: write {example}")

    return check
