"""A walk over all living actors that may take its time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from actors.supervision.family import Family

if TYPE_CHECKING:
    from actors.core.cell import Cell

__all__ = ["living"]


def living(root: Cell) -> Iterator[Cell]:
    """The root and all below it as they are when their turn comes, parents first."""
    waiting: list[Cell] = [root]
    while waiting:  # no recursion: a tree may be deeper than Python's stack
        cell = waiting.pop()
        yield cell
        if isinstance(cell, Family):
            waiting.extend(reversed(cell.children.values()))
