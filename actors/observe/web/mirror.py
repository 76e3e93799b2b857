"""The tree as it was last seen, a line of JSON for each living actor, and what has changed since it was told.

A whole look at a large tree would hold up the actors that are looked at. So it is taken in slices, with room
for others between them; and an actor that an event is about is looked at by itself.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import attrs

from actors.observe.living import living
from actors.observe.web.frames import dumps
from actors.observe.web.pace import idle
from actors.supervision.breaker import CircuitState
from actors.supervision.family import Family
from actors.timeouts.guard import DeadlineGuard

if TYPE_CHECKING:
    from actors.core.cell import Cell

__all__ = ["Mirror", "Patch", "row"]

_SLICE: Final = 12
"""Actors in one slice: less than 0.1 ms."""
_TOLD_AFTER: Final = 0.5
"""Seconds that a run takes before its deadline is told: most are over by then."""


@attrs.frozen
class Patch:
    """What has changed: lines of JSON, and the paths of those that are gone."""

    lines: tuple[str, ...]
    gone: tuple[str, ...]


@attrs.define(eq=False)
class _Seen:
    facts: tuple[Any, ...]
    line: str
    round: int


class Mirror:
    """What is known of the actors of one system."""

    def __init__(self, root: Family) -> None:
        self._root = root
        self._seen: dict[str, _Seen] = {}
        self._changed: dict[str, None] = {}
        self._gone: dict[str, None] = {}
        self._round = 0

    def __len__(self) -> int:
        return len(self._seen)

    @property
    def lines(self) -> list[str]:
        """All that is known."""
        return [seen.line for seen in self._seen.values()]

    def clear(self) -> None:
        """Nobody looks any more."""
        self._seen.clear()
        self._changed.clear()
        self._gone.clear()

    def take(self) -> Patch | None:
        """What has changed since this was last called; None where nothing has."""
        if not (self._changed or self._gone):
            return None
        lines = tuple(self._seen[path].line for path in self._changed)
        patch = Patch(lines, tuple(self._gone))
        self._changed.clear()
        self._gone.clear()
        return patch

    async def sweep(self) -> None:
        """Look at all of them, in slices. A checkpoint."""
        self._round += 1
        for number, cell in enumerate(living(self._root)):
            if number % _SLICE == _SLICE - 1:
                await idle()
            self.look(cell)
        await idle()
        for path in [path for path, seen in self._seen.items() if seen.round != self._round]:
            self._forget(path)

    def look(self, cell: Cell) -> None:
        """Look at one. Never blocks."""
        path = cell.path
        seen = self._seen.get(path)
        if cell.is_gone:
            if seen is not None and seen.facts[0] == cell.serial:
                self._forget(path)
            return
        facts = _facts(self._root, cell, path)
        if seen is not None and seen.facts == facts:
            seen.round = self._round
            return
        self._seen[path] = _Seen(facts, dumps(_said(self._root, cell, path, facts)), self._round)
        self._changed[path] = None
        self._gone.pop(path, None)

    def _forget(self, path: str) -> None:
        del self._seen[path]
        self._changed.pop(path, None)
        self._gone[path] = None


def row(root: Family, cell: Cell) -> dict[str, Any]:
    """One actor, as it is in the tree."""
    path = cell.path
    return _said(root, cell, path, _facts(root, cell, path))


def _facts(root: Family, cell: Cell, path: str) -> tuple[Any, ...]:
    circuit = root.breakers.find(path)
    breaker = None if circuit is None else circuit.view(root.kernel.now())
    is_closed = breaker is None or breaker.state is CircuitState.CLOSED
    return (
        cell.serial,
        cell.state,
        cell.depth,
        cell.restarts,
        None if breaker is None or is_closed else str(breaker.state),
        _deadline(cell),
        None if cell.held is None else cell.held.reason,
    )


def _deadline(cell: Cell) -> tuple[float, float] | None:
    """(when the run at hand is over its limit, the limit), once it has taken a while."""
    vigil = cell.vigil
    if vigil is None or vigil.since is None or cell.kernel.now() - vigil.since < _TOLD_AFTER:
        return None
    for guard in vigil.guards:
        if isinstance(guard, DeadlineGuard) and guard.limit < math.inf:
            return vigil.since + guard.limit, guard.limit
    return None


def _said(root: Family, cell: Cell, path: str, facts: tuple[Any, ...]) -> dict[str, Any]:
    serial, state, depth, restarts, breaker, deadline, parked = facts
    kernel = root.kernel
    said: dict[str, Any] = {
        "path": path,
        "name": kernel.name if cell is root else cell.name,
        "kind": cell.recipe.kind,
        "state": str(state),
        "depth": depth,
        "restarts": restarts,
        "order": serial,
    }
    if cell.node != kernel.name:
        said["node"] = cell.node
    if breaker is not None:
        said["breaker"] = breaker
    if deadline is not None:
        said["deadline"], said["limit"] = kernel.wall_at(deadline[0]), deadline[1]
    if parked is not None:
        said["parked"] = parked
    return said
