"""What the constructor of an actor takes by name, and what it would refuse, before anything is started."""

from __future__ import annotations

import inspect
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import attrs

from actors.errors import InvalidTemplate

if TYPE_CHECKING:
    from actors.core.recipe import Recipe

__all__ = ["Constructor", "check_config"]

_BY_NAME = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
_BY_PLACE = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


@attrs.frozen
class Constructor:
    """The parameters that are still open, behind the actor or its context and what is given by place."""

    names: tuple[str, ...]
    """Those that can be given by name, in order."""
    places: tuple[str, ...] | None
    """Those that can be given by place; None where one of them has no name to give it by."""
    taken: frozenset[str]
    """Those that have a value by place, and cannot be given by name too."""
    takes_any: bool
    """Any other name goes."""

    @classmethod
    def of(cls, recipe: Recipe) -> Constructor | None:
        """That of a recipe; None for what does not tell, as some callables in C."""
        if recipe.actor_class is not None and recipe.actor_class.__init__ is object.__init__:
            return cls((), (), frozenset(), takes_any=False)
        try:
            parameters = list(inspect.signature(recipe.call).parameters.values())
        except (TypeError, ValueError):
            return None
        by_place = [p for p in parameters if p.kind in _BY_PLACE]
        given = by_place[: 1 + len(recipe.given)]
        nameless = any(p.kind in (p.POSITIONAL_ONLY, p.VAR_POSITIONAL) for p in parameters if p not in given)
        return cls(
            tuple(p.name for p in parameters if p.kind in _BY_NAME and p not in given),
            None if nameless else tuple(p.name for p in by_place if p not in given),
            frozenset(p.name for p in given if p.kind in _BY_NAME),
            any(p.kind is p.VAR_KEYWORD for p in parameters),
        )

    def knows(self, key: object) -> bool:
        """Whether it can be given by this name."""
        return isinstance(key, str) and (key in self.names or (self.takes_any and key not in self.taken))


def check_config(recipe: Recipe, title: str, config: object) -> None:
    """Raise `InvalidTemplate` for keys that are unknown, and for values that an attrs class refuses."""
    if not isinstance(config, Mapping):
        raise InvalidTemplate(f"config must be a mapping of parameter names to values, not {config!r}")
    known = Constructor.of(recipe)
    if known is None:
        return
    unknown = [repr(key) for key in config if not known.knows(key)]  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    if unknown:
        takes = f"it knows {', '.join(known.names)}" if known.names else "it takes none"
        takes = "it takes any others" if known.takes_any else takes
        raise InvalidTemplate(f"{title} does not know {', '.join(unknown)}: {takes}")
    if recipe.actor_class is not None and _is_made_by_attrs(recipe.actor_class):
        _check_fields(recipe.actor_class, config)  # pyright: ignore[reportUnknownArgumentType]


def _is_made_by_attrs(kind: type[Any]) -> bool:
    """Whether the `__init__` that runs is that of attrs, whose parameters are the fields."""
    owner = next(vars(cls) for cls in kind.__mro__ if "__init__" in vars(cls))
    return "__attrs_attrs__" in owner and "__attrs_init__" not in owner


def _check_fields(kind: type[Any], config: Mapping[str, Any]) -> None:
    """Refuse now what an attrs class would: as in its `__init__`, all are converted, then all validated."""
    stand_in = SimpleNamespace()
    given = [field for field in attrs.fields(kind) if field.init and (field.alias or field.name) in config]
    for field in given:
        with _refusing(kind, field, config):
            setattr(stand_in, field.name, _converted(stand_in, field, config[field.alias or field.name]))
    for field in given:
        if field.validator is not None and hasattr(stand_in, field.name):
            with _refusing(kind, field, config):
                field.validator(stand_in, field, getattr(stand_in, field.name))


@contextmanager
def _refusing(kind: type[Any], field: attrs.Attribute[Any], config: Mapping[str, Any]) -> Generator[None]:
    alias = field.alias or field.name
    try:
        yield
    except AttributeError:
        pass  # it looks at fields that are not given: the start will tell
    except (ValueError, TypeError) as error:
        said = error.args[0] if str(error) == str(error.args) else error  # attrs puts more behind the text
        raise InvalidTemplate(f"{kind.__qualname__} refuses {alias}={config[alias]!r}: {said}") from error


def _converted(stand_in: object, field: attrs.Attribute[Any], value: Any) -> Any:
    converter: Any = field.converter  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    if isinstance(converter, attrs.Converter):
        return converter(value, stand_in, field)  # type: ignore[call-arg]
    return value if converter is None else converter(value)
