"""`Template`: what to spawn with which arguments, and the template of an actor that lives."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from types import MappingProxyType, SimpleNamespace
from typing import TYPE_CHECKING, Any

import attrs

from actors.core.recipe import Recipe, recipe_of, with_arguments
from actors.errors import InvalidTemplate
from actors.names import check_name
from actors.policy import Policy

if TYPE_CHECKING:
    from actors.core.cell import Cell

__all__ = ["Template", "definition_of", "key_of"]

_BY_NAME = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


def _frozen_copy(config: Mapping[str, Any]) -> Mapping[str, Any]:
    return MappingProxyType(dict(config)) if isinstance(config, Mapping) else config  # pyright: ignore[reportUnnecessaryIsInstance]


def _name(_: object, __: object, value: str | None) -> None:
    if value is not None:
        check_name(value)


def _policy(_: object, __: object, value: object) -> None:
    if value is not None and not isinstance(value, Policy):
        raise InvalidTemplate(f"policy must be a Policy or None, not {value!r}: write actors.Policy(...)")


@attrs.frozen
class Template:
    """Something to spawn, with arguments by name. Frozen; spawned anywhere where an Actor class can be.

    `what` is whatever can be spawned. `config` reaches its constructor by parameter
    name; required ones may be left to `specialise`. `name` and `policy` are those of a child that is spawned
    without; a `Spawner` makes names of `name`. Raises `InvalidTemplate` (a ValueError) for what cannot be
    an actor, for keys that the constructor does not know, naming the known ones, and for values that an attrs
    class refuses; `InvalidName`.

    Not promised: copies. The values in `config` are shared by all that are spawned from it.
    """

    what: Any
    config: Mapping[str, Any] = attrs.field(factory=dict[str, Any], converter=_frozen_copy)
    name: str | None = attrs.field(default=None, validator=_name)
    policy: Policy | None = attrs.field(default=None, validator=_policy)
    base: Template | None = attrs.field(default=None, kw_only=True, eq=False, repr=False)
    """The template that this one was specialised from first, or None."""

    def __attrs_post_init__(self) -> None:
        _check_config(_recipe(self.what), self.config)

    def __hash__(self) -> int:
        return hash((id(self.what), self.name))

    def specialise(self, /, **overrides: Any) -> Template:
        """The same template with `overrides` over its config. Raises `InvalidTemplate`."""
        return attrs.evolve(self, config={**self.config, **overrides}, base=self.root)

    @property
    def root(self) -> Template:
        """The template that it was specialised from first: itself, for one that was not."""
        return self.base or self

    @property
    def title(self) -> str:
        """What it is called in messages: its name, or what it is of."""
        return self.name or _recipe(self.what).name

    def __actor_recipe__(self) -> Recipe:
        """How the framework makes an actor of it."""
        recipe = with_arguments(_recipe(self.what), (), self.config)
        return attrs.evolve(recipe, offered=self.name or recipe.offered, policy=self.policy or recipe.policy)


def key_of(template: Template) -> tuple[Template]:
    """What counts as the same template for a cooldown: where it was specialised from."""
    return (template.root,)


def _recipe(what: Any) -> Recipe:
    try:
        return recipe_of(what)
    except TypeError as error:
        raise InvalidTemplate(str(error)) from None


# --- what a constructor knows ---------------------------------------------------


def _parameters(recipe: Recipe) -> tuple[list[inspect.Parameter], bool] | None:
    """Those behind the first and not given by place, and whether any name goes; None where nobody knows."""
    if recipe.actor_class is not None and recipe.actor_class.__init__ is object.__init__:
        return [], False
    try:
        _, *parameters = inspect.signature(recipe.call).parameters.values()
    except (TypeError, ValueError):  # some callables in C have no signature
        return None
    free = parameters[len(recipe.given) :]
    return [p for p in free if p.kind in _BY_NAME], any(p.kind is p.VAR_KEYWORD for p in parameters)


def _check_config(recipe: Recipe, config: object) -> None:
    if not isinstance(config, Mapping):
        raise InvalidTemplate(f"config must be a mapping of parameter names to values, not {config!r}")
    known = _parameters(recipe)
    if known is None:
        return
    parameters, takes_any = known
    names = [parameter.name for parameter in parameters]
    unknown = [key for key in config if not isinstance(key, str) or (key not in names and not takes_any)]  # pyright: ignore[reportUnknownVariableType]
    if unknown:
        raise InvalidTemplate(_unknown(recipe, map(repr, unknown), names))  # pyright: ignore[reportUnknownArgumentType]
    if recipe.actor_class is not None and attrs.has(recipe.actor_class):
        _check_fields(recipe.actor_class, config)  # pyright: ignore[reportUnknownArgumentType]


def _unknown(recipe: Recipe, unknown: Iterable[str], known: list[str]) -> str:
    takes = f"it knows {', '.join(known)}" if known else "it takes none"
    return f"{recipe.name} does not know {', '.join(unknown)}: {takes}"


def _check_fields(kind: type[Any], config: Mapping[str, Any]) -> None:
    """Refuse now what an attrs class would: each value goes through its field's converter and validator."""
    stand_in = SimpleNamespace(**config)
    for field in attrs.fields(kind):
        alias = field.alias or field.name
        if alias not in config or field.validator is None:
            continue
        try:
            value = config[alias] if field.converter is None else field.converter(config[alias])  # type: ignore[call-arg]
            field.validator(stand_in, field, value)
        except AttributeError:
            continue  # it looks at other fields: the start will tell
        except (ValueError, TypeError) as error:
            raise InvalidTemplate(
                f"{kind.__qualname__} refuses {alias}={config[alias]!r}: {error}"
            ) from error


# --- a template of an actor that lives ------------------------------------------


def definition_of(cell: Cell) -> Template:
    """The template that would make another actor like a living one, its arguments by name where they can be.

    Those that go by place alone stay as they are, and what says itself how it is made.
    """
    base = cell.recipe.base or cell.recipe
    args = (*cell.recipe.given, *cell.args)
    by_name = dict(cell.recipe.keywords)
    names = _places(base)
    if names is not None and len(args) <= len(names):
        by_name |= dict(zip(names, args, strict=False))
        args = ()
    if args or not (base.actor_class or base.kind == "function"):
        return Template(_Made(base, args), by_name, policy=cell.policy)
    return Template(base.actor_class or base.call, by_name, policy=cell.policy)


def _places(recipe: Recipe) -> list[str] | None:
    """The names of what goes by place, where all of it goes by name too."""
    known = _parameters(recipe)
    if known is None:
        return None
    _, *all_of_them = inspect.signature(recipe.call).parameters.values()
    if any(p.kind in (p.POSITIONAL_ONLY, p.VAR_POSITIONAL) for p in all_of_them):
        return None
    return [p.name for p in known[0] if p.kind is p.POSITIONAL_OR_KEYWORD]


@attrs.frozen(eq=False)
class _Made:
    """What was spawned before, with the arguments that it had by place."""

    recipe: Recipe
    args: tuple[Any, ...]

    def __actor_recipe__(self) -> Recipe:
        return with_arguments(self.recipe, self.args, {})
