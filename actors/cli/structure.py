"""The data of a TOML file → the records of `spec`, with the short spellings of strategies and policies."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, cast

import attrs
import cattrs

from actors.cli.spec import FileSpec
from actors.cli.stores import FORMS, StoreSpec
from actors.cli.strict import WrongValue, data_fields, new_converter, record_hook
from actors.limits import Pattern, Stall
from actors.policy import Breaker, OneForAll, OneForOne, Policy, RestForOne, Strategy

__all__ = ["BREAKERS", "STRATEGIES", "new_file_converter", "structure_file"]

STRATEGIES: Mapping[str, type[Strategy]] = {
    "one_for_one": OneForOne,
    "one_for_all": OneForAll,
    "rest_for_one": RestForOne,
}
"""Name in a file → strategy."""
BREAKERS: Mapping[str, Callable[[], Breaker]] = {
    "agents": Breaker.agents,
    "services": Breaker.services,
    "lenient": Breaker.lenient,
}
"""Name in a file → breaker."""


def structure_file(data: Mapping[str, Any]) -> FileSpec:
    """The records of a file's data. Raises what `faults_of` takes apart."""
    return _converter().structure(data, FileSpec)


@functools.cache
def _converter() -> cattrs.Converter:
    return new_file_converter()


def new_file_converter() -> cattrs.Converter:
    """A strict converter that knows the short spellings."""
    converter = new_converter()
    for kind, hook in (
        (Strategy, _strategy_hook),
        (Policy, _policy_hook),
        (Breaker, _breaker_hook),
        (_StallPattern, _pattern_hook),
        (Stall, _stall_hook),
        (StoreSpec, _store_hook),
    ):
        converter.register_structure_hook(kind, hook(converter))
    return converter


def _strategy_hook(converter: cattrs.Converter) -> Callable[[Any, Any], Any]:
    """A name, or a table with the name as its `kind`."""

    def structure(value: Any, _: Any) -> Strategy:
        if not isinstance(value, dict):
            return _known(STRATEGIES, value, "strategy")()
        table = dict(cast("dict[str, Any]", value))
        if "kind" not in table:
            raise ValueError(f"kind is missing: name the strategy as one of {', '.join(STRATEGIES)}")
        kind = _known(STRATEGIES, table.pop("kind"), "strategy")
        # not by the converter: it would take this hook for the derived strategies, too
        return record_hook(kind, converter)(table, kind)

    return structure


def _known(names: Mapping[str, Any], value: object, what: str) -> Any:
    known = ", ".join(names)
    if not isinstance(value, str):
        raise WrongValue(f"one of {known}, or a table", value)
    if value not in names:
        raise ValueError(f'unknown {what} "{value}": choose one of {known}')
    return names[value]


def _policy_hook(converter: cattrs.Converter) -> Callable[[Any, Any], Any]:
    """A preset's name, or a table: what it says over its `preset`, or over the defaults."""
    record = record_hook(Policy, converter)

    def structure(value: Any, kind: Any) -> Policy:
        if isinstance(value, str):
            return Policy.preset(value)
        if not isinstance(value, dict) or "preset" not in value:
            return record(value, kind)
        table = dict(cast("dict[str, Any]", value))
        base = Policy.preset(converter.structure(table.pop("preset"), str))
        return record(over(base, table), kind)

    return structure


def over(base: Any, table: Mapping[str, Any]) -> dict[str, Any]:
    """A table that says what `base` says where it says nothing itself; tables inside likewise."""
    kind = cast("type[Any]", type(base))
    said: dict[str, Any] = {key: getattr(base, field.name) for key, field in data_fields(kind).items()}
    for key, value in table.items():
        inner: Any = said.get(key)
        merges = isinstance(value, dict) and attrs.has(inner.__class__)
        said[key] = over(inner, cast("dict[str, Any]", value)) if merges else value
    return said


def _breaker_hook(converter: cattrs.Converter) -> Callable[[Any, Any], Any]:
    """A preset's name or a table; `false` is no breaker."""
    record = record_hook(Breaker, converter)

    def structure(value: Any, kind: Any) -> Breaker:
        if isinstance(value, str):
            return _known(BREAKERS, value, "breaker")()
        if value is True:
            known = ", ".join(BREAKERS)
            raise ValueError(f"a breaker is false, a table, or one of {known}; leave it out for the default")
        return record(value, kind)

    return structure


class _StallPattern:
    """One of `patterns`: a regular expression, or a table with its kind and stream."""


def _pattern_hook(converter: cattrs.Converter) -> Callable[[Any, Any], Any]:
    """Each is checked by itself, so that a mistake has the place of its own."""

    def structure(value: Any, _: Any) -> str | Pattern:
        if isinstance(value, str):
            return Pattern(value).regex
        if not isinstance(value, dict):
            raise WrongValue("a regular expression, or a table", value)
        return converter.structure(cast("dict[str, Any]", value), Pattern)

    return structure


def _store_hook(converter: cattrs.Converter) -> Callable[[Any, Any], Any]:
    """Its address, or a table."""
    record = record_hook(StoreSpec, converter)

    def structure(value: Any, kind: Any) -> StoreSpec:
        if isinstance(value, str):
            return StoreSpec(url=value)
        if not isinstance(value, dict):
            raise WrongValue(f"one of {FORMS}, or a table", value)
        return record(value, kind)

    return structure


def _stall_hook(converter: cattrs.Converter) -> Callable[[Any, Any], Any]:
    return record_hook(Stall, converter, patterns=tuple[_StallPattern, ...])
