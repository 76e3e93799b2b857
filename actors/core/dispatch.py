"""From a handler's annotation to a table: which method takes which type of message.

The table is made when the class is defined, so that a wrong handler is found there
and not when its first message comes.
"""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any, Union, get_args, get_origin

__all__ = [
    "HOOKS",
    "Handler",
    "build_table",
    "check_arity",
    "check_hook",
    "find",
    "is_marked",
    "is_plain",
    "message_types",
    "receives",
]

Handler = tuple[Callable[..., Any], bool]
"""A function of (actor, message), and whether calling it makes a coroutine."""

_MARK = "__actors_receives__"
_REQUIRED_KINDS = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def receives(function: Callable[..., Any], names: Mapping[str, Any]) -> None:
    """Mark `function` as a handler; `names` resolves annotations written as text."""
    check_arity(function)
    setattr(function, _MARK, message_types(function, names))


def check_arity(function: Callable[..., Any]) -> inspect.Parameter:
    """The parameter that takes the message; raises TypeError when there is not exactly one."""
    where = function.__qualname__
    if inspect.isgeneratorfunction(function):
        raise TypeError(f"{where} is a generator: return the reply, or yield it in chunks with `async def`")
    parameters = list(inspect.signature(function).parameters.values())
    wanted = [
        p for p in parameters[1:] if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
    ]
    if len(wanted) == 1 and wanted[0].kind in _REQUIRED_KINDS:
        return wanted[0]
    if not wanted and len(parameters) > 1 and parameters[1].kind in _REQUIRED_KINDS:
        return parameters[1]
    raise TypeError(
        f"{where} must take one message besides self: write `def {function.__name__}(self, message: Greet)`"
    )


def message_types(function: Callable[..., Any], names: Mapping[str, Any]) -> tuple[type, ...]:
    """The message types that the handler's annotation names, a union as several."""
    parameter = check_arity(function)
    annotation = parameter.annotation
    if annotation is parameter.empty:
        raise TypeError(
            f"{function.__qualname__} does not say which message it takes: "
            f"annotate {parameter.name!r}, as in `{parameter.name}: Greet`"
        )
    if isinstance(annotation, str):
        try:
            annotation = eval(annotation, inspect.unwrap(function).__globals__, dict(names))
        except Exception as error:
            raise TypeError(
                f"{function.__qualname__}: the annotation {annotation!r} of {parameter.name!r} cannot be "
                f"resolved ({error}): define the message class above the actor"
            ) from error
    return tuple(dict.fromkeys(_types_in(annotation, function)))


def _types_in(annotation: Any, function: Callable[..., Any]) -> list[type]:
    origin = get_origin(annotation)
    if annotation is Any:
        return [object]
    if annotation is None:
        return [type(None)]
    if origin in (Union, types.UnionType):
        return [found for part in get_args(annotation) for found in _types_in(part, function)]
    if origin is typing.Annotated:
        return _types_in(get_args(annotation)[0], function)
    if hasattr(annotation, "__value__"):  # a `type X = A | B` alias
        return _types_in(annotation.__value__, function)
    if isinstance(origin, type):
        return [origin]
    if isinstance(annotation, type):
        return [annotation]
    raise TypeError(
        f"{function.__qualname__} is annotated with {annotation!r}, not a class: name message classes"
    )


HOOKS: Mapping[str, str] = {
    "on_start": "async def on_start(self)",
    "on_stop": "async def on_stop(self, exit)",
    "on_unhandled": "async def on_unhandled(self, message)",
    "on_restore": "async def on_restore(self, state)",
}
"""The hooks of an actor, as they are to be written; without `async` where they wait for nothing."""


def _is_async(function: Callable[..., Any]) -> bool:
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(inspect.unwrap(function))


def check_hook(cls: type, name: str) -> None:
    """Raise TypeError when this hook of the class cannot be called, or takes other arguments than it gets."""
    hook = getattr(cls, name, None)
    if not callable(hook) or inspect.isgeneratorfunction(hook) or inspect.isasyncgenfunction(hook):
        raise TypeError(f"{cls.__qualname__}.{name} is not a function: write `{HOOKS[name]}`")
    given = (None,) * (HOOKS[name].count(",") + 1)
    try:
        inspect.signature(hook).bind(*given)
    except TypeError:
        raise TypeError(f"{cls.__qualname__}.{name} takes other arguments: write `{HOOKS[name]}`") from None


def is_plain(cls: type, table: Mapping[type, Handler]) -> bool:
    """True when no handler and no hook of the class is `async`: it never waits for anything.

    What `on_restore` is given is read from a store first, and that takes time.
    """
    if any("on_restore" in vars(base) for base in cls.__mro__ if base.__module__ != "actors.core.actor"):
        return False
    hooks = (getattr(cls, name, None) for name in HOOKS)
    called = [handler[0] for handler in table.values()] + [hook for hook in hooks if hook is not None]
    return not any(_is_async(function) for function in called)


def is_marked(value: object) -> bool:
    """True for a method that is a handler."""
    return getattr(value, _MARK, None) is not None


def build_table(cls: type) -> dict[type, Handler]:
    """The handlers of `cls` and its bases by message type.

    A method overridden under its own name stays the handler of what it received, also
    without a second `@receive`. Two methods for one type raise TypeError.
    """
    received: dict[str, tuple[type, ...]] = {}
    for base in reversed(cls.__mro__):
        for name, value in vars(base).items():
            marked = getattr(value, _MARK, None)
            if marked is not None:
                received[name] = marked
            elif name in received and not callable(value):
                del received[name]
    table: dict[type, Handler] = {}
    owners: dict[type, str] = {}
    for name, kinds in received.items():
        function = getattr(cls, name)
        for kind in kinds:
            if kind in owners:
                raise TypeError(
                    f"{cls.__qualname__} has two handlers for {kind.__qualname__}: "
                    f"{owners[kind]} and {name}. Keep one, or override {owners[kind]} by its own name"
                )
            owners[kind] = name
            table[kind] = function, inspect.iscoroutinefunction(function)
    return table


def find(table: dict[type, Handler | None], kind: type) -> Handler | None:
    """The handler for `kind` by its nearest base class; remembered in the table."""
    handler = next((table[base] for base in kind.__mro__ if table.get(base) is not None), None)
    table[kind] = handler
    return handler
