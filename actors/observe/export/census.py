"""One walk over all actors, for all that is counted of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import attrs

from actors.observe.living import living

if TYPE_CHECKING:
    from actors.core.cell import Cell
    from actors.supervision.family import Family

__all__ = ["SLICE", "Census", "walk"]

SLICE: Final = 32
"""Actors between two turns of others, where there are turns: some 0.1 ms."""
_ADHOC: Final = "~"


@attrs.define
class Census:
    """What was counted so far."""

    states: Counter[tuple[str, str]] = attrs.field(factory=Counter[tuple[str, str]])
    """By state and kind, without the root."""
    depths: Counter[str] = attrs.field(factory=Counter[str])
    """Messages that wait, by path; adhoc actors of one supervisor are taken together."""
    waiting: int = 0
    handled: int = 0
    whole: int = 0
    """Named actors whose path has never failed: their breakers are closed."""


def walk(root: Family, census: Census) -> Iterator[None]:
    """Count all that live, as they are when their turn comes; a step for each slice."""
    for number, cell in enumerate(living(root)):
        if cell is not root and not cell.is_gone:
            _count(root, cell, census)
        if number % SLICE == SLICE - 1:
            yield


def _count(root: Family, cell: Cell, census: Census) -> None:
    census.states[str(cell.state).lower(), cell.recipe.kind] += 1
    census.handled += cell.handled_itself
    depth = cell.depth
    if depth:
        census.waiting += depth
        census.depths[_without_adhoc(cell.path)] += depth
    if cell.name and root.breakers.find(cell.path) is None:
        census.whole += 1


def _without_adhoc(path: str) -> str:
    """Their names are drawn: each would be a series of its own."""
    return "/".join(_ADHOC if part.startswith(_ADHOC) else part for part in path.split("/"))
