"""What can be spawned: actor classes, async functions, partials of them, and what brings a recipe."""

from __future__ import annotations

import contextlib
import functools
import inspect
import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import attrs

from actors.core.actor import Actor, needs_ready

if TYPE_CHECKING:
    from actors.core.context import Context
    from actors.core.dispatch import Handler
    from actors.policy import Policy

__all__ = ["Recipe", "Spawnable", "recipe_of", "with_arguments"]

_RECIPE = "__actors_recipe_kept__"
_CURE = "spawn an Actor class, an async function of (ctx, ...), or a functools.partial of one"


_set_context: Callable[[Actor, Context], None] = Actor.__dict__["ctx"].__set__
"""Sets it whatever the `__setattr__` of the class does."""


@attrs.frozen(eq=False)
class Recipe:
    """How each incarnation of an actor is made. Shared by all actors of one `what`.

    `call` is `(actor, *args)` for a class and `(ctx, *args)` for a function; `bind` takes
    the same and raises TypeError for arguments that `call` would choke on.
    """

    kind: str
    call: Callable[..., Any]
    actor_class: type[Actor] | None = None
    readiness: bool = False
    bind: Callable[..., object] | None = None
    least: float = math.inf
    most: float = -math.inf
    """So many arguments fit for certain, without asking `bind`, which costs more than the rest of a spawn."""

    is_plain: bool = False
    """True for an actor class that never waits for anything: it needs no task."""
    table: dict[type, Handler | None] = attrs.field(factory=dict[type, "Handler | None"], repr=False)
    """The handlers of an actor class."""
    base: Recipe | None = None
    """The recipe without the arguments that a partial or a template gives; None for one without such."""
    given: tuple[Any, ...] = ()
    """What a partial gives by place, ahead of what a spawn does."""
    keywords: Mapping[str, Any] = attrs.field(factory=dict[str, Any])
    """What a partial or a template gives by name."""
    is_endless: bool = False
    """True for what never ends by itself, and cannot be waited for."""
    takes_none: bool = False
    """True for what takes no messages."""
    offered: str | None = None
    """The name of a child that is spawned without one."""
    policy: Policy | None = None
    """The policy of a child that is spawned without one."""

    @property
    def name(self) -> str:
        """What it is called in messages: the class or the function."""
        what = self.actor_class or self.call
        return getattr(what, "__qualname__", repr(what))

    def check_arguments(self, args: tuple[Any, ...]) -> None:
        """Raise TypeError now for arguments that the start would choke on."""
        if self.bind is None or self.least <= len(args) <= self.most:
            return
        try:
            self.bind(None, *args)
        except TypeError as error:
            said = str(error)
            if self.actor_class is not None and self.actor_class.__init__ is object.__init__:
                said = "it takes none, give it an __init__"
            raise TypeError(f"{self.name} cannot be started with these arguments: {said}") from None

    def build(self, ctx: Context, args: tuple[Any, ...]) -> Actor:
        """A new object of the actor class, its context in place before `__init__` runs."""
        assert self.actor_class is not None
        actor = self.actor_class.__new__(self.actor_class)
        _set_context(actor, ctx)
        self.call(actor, *args)
        return actor


@runtime_checkable
class Spawnable(Protocol):
    """Anything else that can be spawned says itself how."""

    def __actor_recipe__(self) -> Recipe:
        """The recipe; called once a spawn."""
        ...


def recipe_of(what: object) -> Recipe:
    """The recipe of a `what`; raises TypeError with the cure for anything that cannot be an actor."""
    if isinstance(what, type):
        known: Recipe | None = what.__dict__.get(_RECIPE)  # not `getattr`: a class must not find its base's
        if known is not None and known.actor_class is what and known.call is what.__init__:
            return known
        if not issubclass(what, Actor):
            raise TypeError(
                f"{what.__qualname__} is not an Actor class: derive it from actors.Actor, or {_CURE}"
            )
        return _remembered(what, _of_class)
    if isinstance(what, functools.partial):
        return _of_partial(what)  # pyright: ignore[reportUnknownArgumentType]
    if inspect.iscoroutinefunction(what):
        return _remembered(what, _of_function)
    if isinstance(what, Spawnable):
        return what.__actor_recipe__()
    raise TypeError(_why_not(what))


def _why_not(what: object) -> str:
    if isinstance(what, Actor):
        name = type(what).__qualname__
        return (
            f"{what!r} is an instance, and a restart makes a new one: spawn the class, `spawn({name}, ...)`"
        )
    if inspect.iscoroutine(what):
        what.close()
        return f"{what.__qualname__}(...) was called already: pass function and arguments, `spawn(f, arg)`"
    if inspect.isasyncgenfunction(what):
        return f"{what.__qualname__} is an async generator: an actor function returns, it does not yield"
    if callable(what):
        name = getattr(what, "__qualname__", repr(what))
        return f"{name} is not an async function: write `async def` and take ctx first, or {_CURE}"
    return f"{what!r} cannot be an actor: {_CURE}"


def _bind(call: Callable[..., Any]) -> Callable[..., object] | None:
    try:
        return inspect.signature(call).bind
    except (TypeError, ValueError):  # some callables in C have no signature
        return None


def _no_arguments(_: object) -> None: ...


def _arity(call: Callable[..., Any]) -> tuple[float, float]:
    """How few and how many arguments fit behind the first; none for certain where one goes by name."""
    try:
        _, *parameters = inspect.signature(call).parameters.values()
    except (TypeError, ValueError):
        return math.inf, -math.inf
    by_place = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    if any(p.kind is p.KEYWORD_ONLY and p.default is p.empty for p in parameters):
        return math.inf, -math.inf
    least = sum(p.default is p.empty for p in by_place)
    return least, math.inf if any(p.kind is p.VAR_POSITIONAL for p in parameters) else len(by_place)


def _remembered(what: Any, make: Callable[[Any], Recipe]) -> Recipe:
    """The recipe, kept on the class or function itself: a table would keep that alive for ever."""
    own: Mapping[str, Any] = getattr(what, "__dict__", {})  # a class must not find its base's
    recipe: Recipe | None = own.get(_RECIPE)
    if recipe is None or not _is_of(recipe, what):  # `functools.wraps` copies what it finds there
        recipe = make(what)
        with contextlib.suppress(AttributeError, TypeError):  # a bound method takes no attributes
            setattr(what, _RECIPE, recipe)
    return recipe


def _is_of(recipe: Recipe, what: Any) -> bool:
    if recipe.actor_class is not None:
        return recipe.actor_class is what and recipe.call is what.__init__
    return recipe.call is what and recipe.readiness == needs_ready(what)


def _of_class(cls: type[Actor]) -> Recipe:
    if inspect.isabstract(cls):
        missing = ", ".join(sorted(getattr(cls, "__abstractmethods__", ())))
        raise TypeError(f"{cls.__qualname__} is abstract: implement {missing}")
    # object.__init__ claims to take anything
    takes_none = cls.__init__ is object.__init__
    least, most = (0.0, 0.0) if takes_none else _arity(cls.__init__)
    return Recipe(
        cls.actor_kind,
        cls.__init__,
        cls,
        bind=_no_arguments if takes_none else _bind(cls.__init__),
        least=least,
        most=most,
        is_plain=cls._plain,  # pyright: ignore[reportPrivateUsage]
        table=cls._dispatch,  # pyright: ignore[reportPrivateUsage]
    )


def _of_function(call: Callable[..., Any]) -> Recipe:
    least, most = _arity(call)
    recipe = Recipe("function", call, readiness=needs_ready(call), bind=_bind(call), least=least, most=most)
    parameters = list(inspect.signature(call).parameters.values())
    if not parameters or parameters[0].kind in (parameters[0].KEYWORD_ONLY, parameters[0].VAR_KEYWORD):
        name = getattr(call, "__qualname__", repr(call))
        raise TypeError(f"{name} takes no context: write `async def {name}(ctx, ...)`")
    return recipe


def _of_partial(what: functools.partial[Any]) -> Recipe:
    return with_arguments(recipe_of(what.func), what.args, what.keywords)


def with_arguments(recipe: Recipe, given: tuple[Any, ...], keywords: Mapping[str, Any]) -> Recipe:
    """The recipe with these arguments, by place and by name, ahead of those of the spawn; later names win."""
    base = recipe.base or recipe
    given = (*recipe.given, *given)
    keywords = {**recipe.keywords, **keywords}

    @functools.wraps(base.call)
    def call(first: Any, *args: Any) -> Any:
        return base.call(first, *given, *args, **keywords)

    def bind(first: Any, *args: Any) -> object:
        return None if base.bind is None else base.bind(first, *given, *args, **keywords)

    return attrs.evolve(
        recipe,
        call=call,
        bind=bind,
        least=math.inf,
        most=-math.inf,
        given=given,
        keywords=keywords,
        base=base,
    )
