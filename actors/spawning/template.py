"""`Template`: what to spawn with which arguments, and the template of an actor that lives."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import attrs

from actors.core.recipe import Recipe, Spawnable, recipe_of, with_arguments
from actors.errors import InvalidTemplate
from actors.names import check_name
from actors.policy import Policy
from actors.spawning.constructor import Constructor, check_config

if TYPE_CHECKING:
    from actors.core.cell import Cell

__all__ = ["NOTHING", "Template", "as_template", "definition_of"]

NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


def _frozen_copy(config: Mapping[str, Any]) -> Mapping[str, Any]:
    return MappingProxyType(dict(config)) if isinstance(config, Mapping) else config  # pyright: ignore[reportUnnecessaryIsInstance]


def _name(_: object, __: object, value: str | None) -> None:
    if value is not None:
        check_name(value)


def _policy(_: object, __: object, value: object) -> None:
    if value is not None and not isinstance(value, Policy):
        raise InvalidTemplate(f"policy must be a Policy or None, not {value!r}: write actors.Policy(...)")


@attrs.frozen(eq=False)
class Template:
    """Something to spawn, with arguments by name. Frozen; spawned anywhere where an Actor class can be.

    `what` is whatever can be spawned. `config` reaches its constructor by parameter
    name; required ones may be left to `specialise`. `name` and `policy` are those of a child that is spawned
    without; a `Spawner` makes names of `name`. Raises `InvalidTemplate` (a ValueError) for what cannot be
    an actor, for keys that the constructor does not know, naming the known ones, and for values that an attrs
    class refuses (its converters and validators run for that, once more than for the start); `InvalidName`.

    Templates are equal when they spawn the same; partials are compared by what is in them.
    Not promised: copies. The values in `config` are shared by all that are spawned from it.
    """

    what: Any
    config: Mapping[str, Any] = attrs.field(
        factory=dict[str, Any], converter=_frozen_copy, repr=lambda config: repr(dict(config))
    )
    name: str | None = attrs.field(default=None, validator=_name)
    policy: Policy | None = attrs.field(default=None, validator=_policy)
    base: Template | None = attrs.field(default=None, kw_only=True, repr=False)
    """The template that this one was specialised from first, or None."""

    def __attrs_post_init__(self) -> None:
        check_config(_recipe(self.what), _title(self.what), self.config)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Template):
            return NotImplemented
        return self is other or _same(self._parts, other._parts)

    def __hash__(self) -> int:
        return hash((_hash_of(self.what), self.name, _hash_of_names(self.config)))

    @property
    def _parts(self) -> tuple[Any, ...]:
        return _taken_apart(self.what), self.config, self.name, self.policy

    def specialise(self, /, **overrides: Any) -> Template:
        """The same template with `overrides` over its config. Raises `InvalidTemplate`."""
        return self._laid_over(overrides)

    def overlaid(self, overrides: Mapping[str, Any]) -> Template:
        """As `specialise`, of a mapping; without overrides the template itself. Raises `InvalidTemplate`."""
        if not isinstance(overrides, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InvalidTemplate(
                f"overrides must be a mapping of parameter names to values, not {overrides!r}"
            )
        return self._laid_over(overrides) if overrides else self

    def _laid_over(self, overrides: Mapping[str, Any]) -> Template:
        return attrs.evolve(self, config={**self.config, **overrides}, base=self.root)

    @property
    def root(self) -> Template:
        """The template that it was specialised from first: itself, for one that was not."""
        return self.base or self

    @property
    def title(self) -> str:
        """What it is called in messages: its name, or what it is of."""
        return self.name or _title(self.what)

    @property
    def stem(self) -> str | None:
        """What names are made of: its name, or that of the template that it is of."""
        return self.name or _recipe(self.what).offered

    def __actor_recipe__(self) -> Recipe:
        """How the framework makes an actor of it."""
        recipe = with_arguments(_recipe(self.what), (), self.config)
        return attrs.evolve(recipe, offered=self.name or recipe.offered, policy=self.policy or recipe.policy)


def as_template(what: Any) -> Template:
    """A template of whatever can be spawned; raises `InvalidTemplate`."""
    return what if isinstance(what, Template) else Template(what)


def _recipe(what: Any) -> Recipe:
    try:
        return recipe_of(what)
    except TypeError as error:
        raise InvalidTemplate(str(error)) from None


def _title(what: Any) -> str:
    if isinstance(what, Template):
        return what.title
    if isinstance(what, type | functools.partial) or not isinstance(what, Spawnable):
        return _recipe(what).name
    return type(what).__qualname__


# --- when two are the same ------------------------------------------------------


def _taken_apart(what: Any) -> Any:
    """A partial made anew is the same: it is compared by what is in it."""
    if type(what) is functools.partial:
        return functools.partial, _taken_apart(what.func), what.args, what.keywords
    return what


def _hash_of(what: Any) -> int:
    if type(what) is functools.partial:
        args = tuple(_hash_of_value(value) for value in what.args)
        return hash((_hash_of(what.func), args, _hash_of_names(what.keywords)))
    try:
        return hash(what)
    except TypeError:  # what it holds has none
        return hash(type(what))  # pyright: ignore[reportUnknownArgumentType]


def _hash_of_names(values: Mapping[str, Any]) -> int:
    """Of many templates of one class, that differ in their values alone, each wants a hash of its own."""
    return hash(frozenset((name, _hash_of_value(value)) for name, value in values.items()))


def _hash_of_value(value: Any) -> int:
    if isinstance(value, frozenset | bytes):  # equal to a set or a bytearray, which have none
        return 0
    try:
        return hash(value)
    except Exception:  # it is the user's, as in `_same`
        return 0


def _same(one: Any, other: Any) -> bool:
    """Whether two values are equal; a comparison that raises, as of arrays, says that they are not."""
    try:
        return bool(one == other)
    except Exception:  # what a config holds is the user's, and must not break the spawner's tables
        return False


# --- a template of an actor that lives ------------------------------------------


def definition_of(cell: Cell) -> Template:
    """The template that would make another actor like a living one, its arguments by name where they can be.

    Those that go by place alone stay as they are, and what says itself how it is made.
    """
    base = cell.recipe.base or cell.recipe
    args = (*cell.recipe.given, *cell.args)
    by_name = dict(cell.recipe.keywords)
    known = Constructor.of(base)
    if known is not None and known.places is not None:
        by_name |= dict(zip(known.places, args, strict=False))  # no more of them: the start has checked
        args = ()
    what = _source(base)
    if args or what is None:
        return Template(_Made(base, args), by_name, policy=cell.policy)
    return Template(what, by_name, policy=cell.policy)


def _source(recipe: Recipe) -> Any:
    """The class or function that it is the recipe of; None for what says itself how it is made."""
    if recipe.actor_class is not None:
        return recipe.actor_class if recipe.call is recipe.actor_class.__init__ else None
    return recipe.call if recipe.kind == "function" and inspect.iscoroutinefunction(recipe.call) else None


@attrs.frozen
class _Made:
    """What was spawned before, with the arguments that it had by place."""

    recipe: Recipe
    args: tuple[Any, ...]

    def __actor_recipe__(self) -> Recipe:
        return with_arguments(self.recipe, self.args, NOTHING)
