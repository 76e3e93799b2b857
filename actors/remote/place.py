"""Another node as a place for children, and what a class or function is called there."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, cast

from actors.core.cell import Cell
from actors.core.parent import Parent
from actors.core.recipe import Recipe, Spawnable
from actors.errors import NotSerializable, NotSpawnable
from actors.messages import home_of
from actors.policy import Policy
from actors.remote.association import Association
from actors.remote.child import RemoteChild, live
from actors.remote.terms import policy_at_home, policy_out
from actors.spawning.template import Template

if TYPE_CHECKING:
    from actors.remote.node import Node

__all__ = ["NodePlace", "name_of", "several"]


class NodePlace:
    """Another node as a place for children."""

    def __init__(self, node: Node, link: Association) -> None:
        self._node = node
        self._link = link

    @property
    def answers(self) -> bool:
        """See `Place`."""
        return self._link.is_up

    def prepare(
        self, what: Any, args: tuple[Any, ...], policy: Policy
    ) -> Callable[[Parent, str | None], Cell]:
        """See `Place`."""
        base, options = _taken_apart(what)
        called = name_of(base)
        if called not in self._link.spawnable:
            raise NotSpawnable(called, self._link.name, sorted(self._link.spawnable))
        for one in (*args, *options.values()):
            self._node.codec.value_out(one)
        terms = policy_out(policy)

        def make(parent: Parent, name: str | None) -> Cell:
            recipe = Recipe("remote", live, readiness=True)
            given = (args, options, terms)
            at_home = policy_at_home(policy)
            return RemoteChild(
                self._node, self._link.name, called, self._node.kernel, parent, recipe, given, name, at_home
            )

        return make


def _taken_apart(what: Any) -> tuple[Any, dict[str, Any]]:
    """The class or function in it, and its arguments by name: those further out win, as in a call."""
    if isinstance(what, Template):
        base, inner = _taken_apart(what.what)
        return base, {**inner, **what.config}
    if isinstance(what, functools.partial):
        if what.args:
            raise NotSerializable(
                functools.partial, "with arguments by place cannot run on another node: pass them to spawn"
            )
        return what.func, dict(what.keywords)
    return what, {}


def several(name: str, given: Iterable[Any]) -> tuple[Any, ...]:
    """All of them; raises TypeError for a class or function that stands alone."""
    if callable(given) or isinstance(given, str):
        raise TypeError(f"{name} takes several classes and functions, not {given!r}: write {name}=[...]")
    return tuple(given)


def name_of(what: Any) -> str:
    """What a class or function is called on the wire: `module:qualname`. Raises `NotSerializable`."""
    module, name = getattr(what, "__module__", None), getattr(what, "__qualname__", None)
    if module is None or name is None or not callable(what):
        why = "cannot run on another node: name a class or a function"
        if isinstance(what, Spawnable) and not isinstance(what, Template):  # a process, or a pool
            why = f"{why}, as a Supervisor class whose on_start spawns the {type(what).__name__} there"
        raise NotSerializable(cast("type[Any]", type(what)), why)
    return f"{home_of(what)}:{name}"
