"""Plain data → frozen records, strictly: cattrs finds the way, these hooks refuse to guess.

cattrs on its own turns "7" into 7, true into 1 and a string into a list of letters. Here
a value is taken as it is or refused, every mistake is kept with its place, and all
of them come out at once as `Fault`s. TOML has no null: `false` stands for None.
"""

from __future__ import annotations

import functools
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeAlias, Union, cast, get_args, get_origin

import attrs
import cattrs
from cattrs.errors import (
    AttributeValidationNote,
    ClassValidationError,
    IterableValidationError,
    IterableValidationNote,
)

__all__ = ["Fault", "WrongValue", "data_fields", "faults_of", "new_converter", "record_hook"]

Hook: TypeAlias = "Callable[[Any, Any], Any]"


def _at_index(index: object, kind: object) -> str:
    note: Any = IterableValidationNote
    return note(f"at {index!r}", index, kind)


def _at_key(key: str, kind: object) -> str:
    note: Any = AttributeValidationNote
    return note(f"at {key}", key, kind)


@attrs.frozen
class Fault:
    """One mistake: where it stands, as in `$.agents[2].policy.restart`, and what is wrong."""

    where: str
    message: str
    file: str = ""

    def __str__(self) -> str:
        return f"{self.message} @ {self.where}"


class WrongValue(ValueError):
    """A value that is not what its place wants."""

    def __init__(self, wanted: str, value: object) -> None:
        self.wanted = wanted
        self.value = value
        super().__init__(f"expected {wanted}, not {in_toml(value)}")


def in_toml(value: object) -> str:
    """A value as it is written in TOML, shortened."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return "a list"
    text = f'"{value}"' if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else text[:57] + "..."


def faults_of(error: Exception) -> tuple[Fault, ...]:
    """Every mistake in what structuring raised."""
    lines = cattrs.transform_error(error, format_exception=_text)
    # a message may hold " @ " itself, a place may not
    return tuple(Fault(where, text) for text, _, where in (line.rpartition(" @ ") for line in lines))


def _text(error: BaseException, _: object) -> str:
    return " ".join(str(error).split())


def key_of(field: attrs.Attribute[Any]) -> str:
    """The key that a field has in a file: its name, unless its metadata says another."""
    return field.metadata.get("key", field.name)


def new_converter() -> cattrs.Converter:
    """A converter that refuses what it would have to guess. Records bring their own hooks on top."""
    converter = cattrs.Converter(detailed_validation=True, forbid_extra_keys=True)
    for kind, wanted in (
        (str, "a string"),
        (bool, "true or false"),
        (int, "a whole number"),
        (float, "a number"),
    ):
        converter.register_structure_hook(kind, _plain(kind, wanted))
    converter.register_structure_hook_factory(attrs.has, functools.partial(record_hook, converter=converter))
    converter.register_structure_hook_factory(_is_optional, functools.partial(_optional, converter=converter))
    converter.register_structure_hook_factory(_is_list, functools.partial(_list, converter=converter))
    converter.register_structure_hook_factory(_is_table, functools.partial(_table, converter=converter))
    converter.register_structure_hook_factory(_is_choice, _choice)
    return converter


def _plain(kind: type, wanted: str) -> Hook:
    kinds: tuple[type, ...] = (int, float) if kind is float else (kind,)

    def structure(value: Any, _: Any) -> Any:
        if not isinstance(value, kinds) or (isinstance(value, bool) and kind is not bool):
            raise WrongValue(wanted, value)
        return value

    return structure


def _is_choice(kind: Any) -> bool:
    return get_origin(kind) is Literal


def _choice(kind: Any) -> Hook:
    names = get_args(kind)

    def structure(value: Any, _: Any) -> Any:
        if value not in names:
            raise WrongValue(f"one of {', '.join(names)}", value)
        return value

    return structure


def _is_optional(kind: Any) -> bool:
    return get_origin(kind) in (Union, types.UnionType) and type(None) in get_args(kind)


def _optional(kind: Any, converter: cattrs.Converter) -> Hook:
    """`false` is None, unless the type tells `Literal[False]` from what is not said."""
    given = get_args(kind)
    off = False if Literal[False] in given else None
    inner: Any = Union[tuple(arg for arg in given if arg not in (type(None), Literal[False]))]  # noqa: UP007

    def structure(value: Any, _: Any) -> Any:
        if value is None:
            return None
        return off if value is False else converter.structure(value, inner)

    return structure


def _is_list(kind: Any) -> bool:
    return get_origin(kind) is tuple and get_args(kind)[1:] == (...,)


def _list(kind: Any, converter: cattrs.Converter) -> Hook:
    inner = get_args(kind)[0]

    def structure(value: Any, _: Any) -> Any:
        if isinstance(value, tuple):
            return cast("tuple[Any, ...]", value)
        if not isinstance(value, list):
            raise WrongValue("a list", value)
        found = _each(enumerate(cast("list[Any]", value)), inner, converter)
        return tuple(item for _, item in found)

    return structure


def _is_table(kind: Any) -> bool:
    return get_origin(kind) is dict


def _table(kind: Any, converter: cattrs.Converter) -> Hook:
    inner = get_args(kind)[1]

    def structure(value: Any, _: Any) -> Any:
        if not isinstance(value, dict):
            raise WrongValue("a table", value)
        return dict(_each(cast("dict[str, Any]", value).items(), inner, converter))

    return structure


def _each(items: Any, inner: Any, converter: cattrs.Converter) -> list[tuple[Any, Any]]:
    """Structure every (index, item); the mistakes of all come out together."""
    found: list[tuple[Any, Any]] = []
    errors: list[Exception] = []
    for index, item in items:
        try:
            found.append((index, converter.structure(item, inner)))
        except Exception as error:
            error.add_note(_at_index(index, inner))
            errors.append(error)
    if errors:
        raise _group(IterableValidationError, errors, tuple)
    return found


def _group(kind: Any, errors: list[Exception], of: type) -> Exception:
    """A group of cattrs, whose constructor type checkers take for that of `ExceptionGroup`."""
    return kind(f"no {of.__name__}", errors, of)


# --- records --------------------------------------------------------------------


def record_hook(kind: type, converter: cattrs.Converter, **others: Any) -> Hook:
    """Structure a table as `kind`: keys, types and validators by field, then the record as a whole.

    `others` are types in place of those of the fields, by name.
    """
    hints = typing.get_type_hints(kind) | others
    fields = data_fields(kind)

    def structure(value: Any, _: Any) -> Any:
        if isinstance(value, kind):
            return value
        if not isinstance(value, dict):
            raise WrongValue("a table", value)
        return _record(kind, cast("dict[str, Any]", value), fields, hints, converter)

    return structure


@functools.cache
def data_fields(kind: type) -> Mapping[str, attrs.Attribute[Any]]:
    """The fields of a record that a file can set, by key. Functions and free objects are no data.

    Nor is what its metadata says is none: `{"data": False}`.
    """
    hints = typing.get_type_hints(kind)
    fields = [field for field in attrs.fields(kind) if field.metadata.get("data", True)]
    return {key_of(field): field for field in fields if _is_data(hints[field.name])}


def _is_data(hint: Any) -> bool:
    return hint is not Any and not _has_callable(hint)


def _has_callable(hint: Any) -> bool:
    return get_origin(hint) is Callable or any(_has_callable(inner) for inner in get_args(hint))


def _record(
    kind: type,
    table: Mapping[str, Any],
    fields: Mapping[str, attrs.Attribute[Any]],
    hints: Mapping[str, Any],
    converter: cattrs.Converter,
) -> Any:
    given: dict[str, Any] = {}
    errors: list[Exception] = [
        ValueError(f"unknown key {key!r}: the known ones are {', '.join(fields)}")
        for key in table
        if key not in fields
    ]
    for key, field in fields.items():
        try:
            if key in table:
                given[field.alias or field.name] = _field(field, hints[field.name], table[key], converter)
            elif field.default is attrs.NOTHING:
                raise ValueError(f"{key} is missing")
        except Exception as error:
            error.add_note(_at_key(key, hints[field.name]))
            errors.append(error)
    if not errors:
        try:
            return kind(**given)
        except (TypeError, ValueError) as error:
            errors.append(error)
    raise _group(ClassValidationError, errors, kind)


def _field(field: attrs.Attribute[Any], hint: Any, value: Any, converter: cattrs.Converter) -> Any:
    """One value, checked here already so that its mistake has the place of the field."""
    found: Any = converter.structure(value, hint)
    convert = cast("Any", field.converter)  # pyright: ignore[reportUnknownMemberType]
    check = cast("Any", field.validator)
    if convert is not None:
        found = convert(found)
    if check is not None:
        check(None, field, found)
    return found
