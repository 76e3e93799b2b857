"""A supervisor's cell as an owner: the nursery of its children, and their ordered end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any

import trio

from actors.core import incarnation
from actors.core import orders as order
from actors.core.cell import Cell
from actors.core.mailbox import Item
from actors.core.parent import Parent
from actors.core.recipe import Recipe
from actors.errors import RestartsExhausted
from actors.exits import Exit
from actors.names import join
from actors.policy import Policy
from actors.supervision.backoff import Retreat
from actors.supervision.breakers import Breakers
from actors.supervision.restart import Budgets
from actors.supervision.rounds import Round, member
from actors.supervision.strategy import stop_order
from actors.supervision.supervisor import Supervisor

if TYPE_CHECKING:
    from actors.core.kernel import Kernel
    from actors.core.ref import Ref

__all__ = ["Household"]


class Household(Cell):
    """The cell of a supervisor as the owner of its children's tasks, never alone: every one is a Family."""

    __slots__ = (
        "_path",
        "alone",
        "breakers",
        "budgets",
        "children",
        "given_up",
        "heard",
        "nursery",
        "retreats",
        "round",
        "waits",
    )

    def __init__(
        self,
        kernel: Kernel,
        parent: Parent,
        recipe: Recipe,
        args: tuple[Any, ...],
        name: str | None,
        policy: Policy,
        breakers: Breakers,
    ) -> None:
        self._path: str | None = None
        super().__init__(kernel, parent, recipe, args, name, policy)
        self.breakers = breakers
        self.children: dict[str, Cell] = {}
        self.nursery: trio.Nursery | None = None
        self.given_up: RestartsExhausted | None = None
        self.heard: float | None = None
        self.round: Round | None = None
        self.budgets: Budgets | None = None
        self.retreats: dict[Cell, Retreat] = {}
        self.waits: dict[Cell, float] = {}
        self.alone: set[Cell] = set()
        """Those that begin anew without their group: what they know is old, and nothing has failed."""

    @property
    def path(self) -> str:
        """From the root down. Kept, as those of its children begin with it."""
        if self._path is None:
            self._path = join(self.parent.path, self.key)
        return self._path

    @property
    def supervisor(self) -> Supervisor:
        """The user's object of the running incarnation."""
        assert isinstance(self.actor, Supervisor)
        return self.actor

    @property
    def child_refs(self) -> tuple[Ref, ...]:
        """The living children in start order."""
        return tuple(cell.ref for cell in self.children.values())

    @property
    def child_count(self) -> int:
        """How many children it has."""
        return len(self.children)

    @property
    def group(self) -> Iterable[Cell]:
        """The children whose fate a group strategy joins, in start order."""
        return self.children.values()

    @property
    def stopped_from_last(self) -> Iterable[Cell]:
        """The children in start order, of which the named ones stop in the reverse of it."""
        return self.children.values()

    @property
    def killed_at_once(self) -> Iterable[Cell]:
        """The children that are cancelled when it is killed; the others stop behind them."""
        return self.children.values()

    def last_heard(self) -> float | None:
        """Its last sign of life or, if that is later, one of its children's."""
        latest: float | None = None
        waiting: list[Cell] = [self]  # no recursion: a tree may be deeper than Python's stack
        while waiting:
            cell = waiting.pop()
            latest = _later(latest, cell.active_at)
            if isinstance(cell, Household):
                latest = _later(latest, cell.heard)
                waiting.extend(cell.children.values())
        return latest

    def note_of(self, child: Cell) -> None:
        """A child is gone: its last sign of life stays."""
        self.heard = _later(self.heard, child.last_heard())

    # --- its own life ---

    async def run(self) -> None:
        """One incarnation, around the nursery of its children."""
        try:
            async with trio.open_nursery() as self.nursery:
                for child in tuple(self.children.values()):  # spawned before this task ran
                    self.begin(child)
                await incarnation.run(self)
        finally:
            self.nursery = None
            super().over()

    def adopt(self, run: Callable[..., Awaitable[object]], *args: Any, name: str) -> None:
        """See `Parent.adopt`."""
        assert self.nursery is not None
        self.nursery.start_soon(run, *args, name=name)

    def break_down(self, fault: BaseException) -> None:
        """See `Parent.break_down`."""

        async def break_down() -> None:
            raise fault

        self.adopt(break_down, name=f"{self.path} breaks down")

    def reclaim(self, child: Cell, items: list[Item]) -> list[Item]:
        """See `Parent.reclaim`: nobody else."""
        return items

    def begin(self, child: Cell) -> None:
        """The first incarnation of a child."""
        raise NotImplementedError

    @property
    def takes_children(self) -> bool:
        """True while it runs, and between its spawn and the first step of its task."""
        if self.ended or self.orders & order.KILL:
            return False
        return self.nursery is not None or not (self.restarts or self.is_final)

    def over(self) -> None:
        """Not yet: the nursery is still open; `run` says when."""

    @property
    def owns_children(self) -> bool:
        """Always: also an empty family is closed in order."""
        return True

    def why_failed(self) -> BaseException | None:
        """The child that failed too often."""
        return self.given_up

    def kill(self) -> None:
        """Cancel it and all its children now."""
        super().kill()
        for child in tuple(self.killed_at_once):
            child.kill()

    async def release(self, exit: Exit) -> None:
        """Stop the children: adhoc ones at once, then the named ones in reverse start order."""
        if self.round is not None:
            self.round.cancel()
            self.round = None
        if self.orders & order.KILL:
            for child in tuple(self.killed_at_once):
                child.kill()
        while self.children:
            together, one_by_one = stop_order([member(child) for child in self.stopped_from_last])
            for child in together:
                child.stop()
            for child in together:
                await child.wait_stopped()
            for child in one_by_one:
                child.stop()
                await child.wait_stopped()
        self.retreats.clear()
        self.waits.clear()
        self.budgets = None
        self.given_up = None


def _later(one: float | None, other: float | None) -> float | None:
    if one is None or other is None:
        return other if one is None else one
    return one if one >= other else other
