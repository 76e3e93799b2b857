"""The two roads of an actor: a task of its own, or turns that the dispatcher gives it.

A test on the road "tasks" sees every actor with a task, also one that needs none. On the road
"dispatcher" every class whose hooks wait for nothing begins without a task: a handler that is
`async` is called like a plain one, and the first that waits for something gives it a task.
"""

from __future__ import annotations

import dis
import inspect
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import CoroutineType
from typing import Any

import pytest

from actors.core import fall, turn
from actors.core.dispatch import HOOKS, Handler
from actors.core.recipe import Recipe

__all__ = ["ROADS", "road", "runs_actors"]

ROADS = ("tasks", "dispatcher")
_WAITS = frozenset({"GET_AWAITABLE", "GET_AITER", "BEFORE_ASYNC_WITH", "SEND"})
_RUNS = ("open_system(", "tests.supervision.world", "tests.cancellation.harness")


def runs_actors(module: object) -> bool:
    """True for a module of tests that open a system."""
    source = inspect.getsource(module)  # type: ignore[arg-type]
    return any(sign in source for sign in _RUNS)


@contextmanager
def road(name: str) -> Generator[None]:
    """All actors that start inside the block take this road."""
    with pytest.MonkeyPatch.context() as patch:
        is_plain, table = vars(Recipe)["is_plain"], vars(Recipe)["table"]
        if name == "tasks":
            patch.setattr(Recipe, "is_plain", property(lambda recipe: False, is_plain.__set__))
        else:
            patch.setattr(Recipe, "is_plain", property(_hooks_wait_for_nothing, is_plain.__set__))
            called = property(lambda recipe: _called(table.__get__(recipe)), table.__set__)
            patch.setattr(Recipe, "table", called)
            for module in (fall, turn):
                patch.setattr(module, "done", _done)
        yield


def _hooks_wait_for_nothing(recipe: Recipe) -> bool:
    cls = recipe.actor_class
    return cls is not None and not any(_waits(getattr(cls, hook, None)) for hook in HOOKS)


def _waits(function: Any) -> bool:
    """True where `await` is written in an `async` function, or in one that it wraps."""
    while function is not None:
        if inspect.iscoroutinefunction(function) and any(
            step.opname in _WAITS for step in dis.get_instructions(function)
        ):
            return True
        function = getattr(function, "__wrapped__", None)
    return False


def _called(table: dict[type, Handler | None]) -> dict[type, Handler | None]:
    """The same handlers; the loop shall not know that some are `async`."""
    return {kind: handler and (_plain(handler[0]), False) for kind, handler in table.items()}


def _plain(function: Callable[..., Any]) -> Callable[..., Any]:
    if not inspect.iscoroutinefunction(function):
        return function

    def plain(actor: Any, message: Any) -> Any:
        running = function(actor, message)
        return running if _waits(function) else _result(running)

    return plain


def _result(running: CoroutineType[Any, Any, Any]) -> Any:
    """Run to its end what waits for nothing."""
    try:
        running.send(None)
    except StopIteration as end:
        return end.value
    raise AssertionError(f"{running} waits")


def _done(actor: Any, hook: str, value: Any) -> None:
    if isinstance(value, CoroutineType):
        _result(value)
