"""Looking at a whole system: every living cell, the tree that they make, and their counts."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from actors.core.cell import Cell
from actors.core.lifecycle import ActorState
from actors.supervision.family import Family
from actors.tree import TreeNode

__all__ = ["SystemStatistics", "below", "count", "tree_of"]


@attrs.frozen(kw_only=True)
class SystemStatistics:
    """A snapshot of a whole system; times are seconds."""

    actors: int
    """Living actors, the root not counted."""
    states: dict[ActorState, int]
    """How many are in which state."""
    waiting: int
    """Items in all mailboxes."""
    handled: int
    """Messages handled since the system opened, those of actors that are gone included."""
    dead_letters: int
    """Dead letters since the system opened, those no longer kept included."""
    alarms: int
    """Deadlines and timers that are set."""
    uptime: float
    """Since the system opened."""


def below(root: Cell) -> list[Cell]:
    """Every living cell under `root`, parents first."""
    found: list[Cell] = []
    waiting = list(_children(root))[::-1]  # no recursion: a tree may be deeper than Python's stack
    while waiting:
        cell = waiting.pop()
        found.append(cell)
        waiting.extend(list(_children(cell))[::-1])
    return found


def _children(cell: Cell) -> Iterable[Cell]:
    return cell.children.values() if isinstance(cell, Family) else ()


def tree_of(root: Cell, name: str) -> TreeNode:
    """The tree as it is now, made from the leaves up."""
    made: dict[Cell, TreeNode] = {}
    for cell in [*reversed(below(root)), root]:
        made[cell] = TreeNode(
            name=name if cell is root else cell.name,
            path=cell.path,
            kind=cell.recipe.kind,
            state=cell.state,
            depth=cell.depth,
            restarts=cell.restarts,
            parked=None if cell.held is None else cell.held.reason,
            children=tuple(made.pop(child) for child in _children(cell)),
        )
    return made[root]


def count(root: Cell) -> SystemStatistics:
    """Counts over all actors below `root`."""
    kernel = root.kernel
    states: dict[ActorState, int] = {}
    waiting, handled = 0, kernel.handled_by_the_dead
    cells = below(root)
    for cell in cells:
        states[cell.state] = states.get(cell.state, 0) + 1
        waiting += cell.depth
        handled += cell.handled_itself
    return SystemStatistics(
        actors=len(cells),
        states=states,
        waiting=waiting,
        handled=handled,
        dead_letters=kernel.dead_letter_count,
        alarms=len(kernel.alarms),
        uptime=kernel.now() - root.spawned_at,
    )
