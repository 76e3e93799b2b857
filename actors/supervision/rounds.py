"""One round of a group strategy: stop the others, wait, start all again in order."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import trio

from actors.core import orders as order
from actors.core.cell import Cell
from actors.core.lifecycle import Phase
from actors.supervision.strategy import Member, plan

if TYPE_CHECKING:
    from actors.supervision.family import Family

__all__ = ["Round", "member"]

_DOWN = (Phase.WAITING, Phase.TRIPPED)


def member(cell: Cell) -> Member[Cell]:
    """A child as the planner sees it."""
    return Member(cell, adhoc=cell.name is None, once=cell.policy.restart == "temporary")


class Round:
    """The restart of a group, as a task. A newer round takes over what an older one has not finished."""

    def __init__(self, family: Family, failed: Cell, due: float, former: Round | None) -> None:
        self._family = family
        self._due = due
        self._failed = failed
        self._scope = trio.CancelScope()
        self._waiting: trio.CancelScope | None = None
        self.starting = False
        members = [member(child) for child in family.group]
        first = failed
        if former is not None:
            self._due = max(due, former.due)
            pending = former.unfinished
            first = next(m.key for m in members if m.key is failed or m.key in pending)
        self._plan = plan(family.supervisor.strategy, members, first)
        self._group = frozenset((first, *self._plan.start))

    @property
    def due(self) -> float:
        """When the group may start: the failed child's backoff, or its open breaker."""
        return self._due

    @property
    def unfinished(self) -> frozenset[Cell]:
        """The members that are down and wait for this round."""
        return frozenset(cell for cell in self._group if cell.phase in _DOWN and not cell.is_held)

    def takes_over(self, child: Cell) -> bool:
        """True while the fall of `child` is part of this round and not a new failure."""
        return not self.starting and child in self._group

    def wait_until(self, due: float) -> None:
        """Another member's breaker opened: wait for it too."""
        if due > self._due:
            self._due = due
            if self._waiting is not None:
                self._waiting.deadline = due

    def wait_no_more(self) -> None:
        """Start the group as soon as all are down."""
        self._due = -math.inf
        if self._waiting is not None:
            self._waiting.deadline = -math.inf

    def cancel(self) -> None:
        """A newer round, or the supervisor's end, takes over."""
        self._scope.cancel()

    async def run(self) -> None:
        """Carry the plan out."""
        with self._scope:
            await self._stop()
            await self._wait()
            self.starting = True
            await self._start()
        if self._family.round is self:
            self._family.round = None

    async def _stop(self) -> None:
        for child in self._plan.stop_together:
            child.stop(because=self._failed)
        for child in self._plan.stop_together:
            await child.wait_stopped()
        for child in self._plan.stop:
            if child in self._plan.start:
                child.halt(because=self._failed)
            else:
                child.stop(because=self._failed)
            while not (child.is_gone or child.phase in _DOWN):
                await child.changed()

    async def _wait(self) -> None:
        with trio.CancelScope(deadline=self._due) as self._waiting:
            await trio.sleep_forever()
        self._waiting = None

    async def _start(self) -> None:
        for child in self._plan.start:
            if child.is_final or child.phase not in _DOWN or child.is_held:
                continue
            if self._family.postponed(child):
                continue
            seen = child.readies
            self._family.launch_child(child)
            while child.readies == seen and not child.is_final and child.phase not in _DOWN:
                await child.changed()
            if self._scope.cancel_called or self._family.orders & order.FAIL:
                return  # its start failed: the next round has begun, or the supervisor gives up
