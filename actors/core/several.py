"""Several messages in hand at once, and what becomes of them when the incarnation ends.

The cell counts the tries of one message. Of several each has a count of its own, remembered from the end of
an incarnation until it is taken again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from actors.core.fall import drop_hand
from actors.core.mailbox import MARK, MESSAGE, REDELIVERED, SINCE, Item

if TYPE_CHECKING:
    from actors.core.cell import Cell
    from actors.exits import Exit

__all__ = ["drop_all", "remember_tries", "tries_of"]

_TRIES: Final = "actors.tries"


def drop_all(cell: Cell, held: Sequence[tuple[Item, int]], exit: Exit) -> None:
    """Nobody will answer any of them, the oldest first with its tries: they are tried again, or end."""
    for item, tries in reversed(held):  # who is put back last is the first one
        cell.item, cell.tries = item, tries
        if drop_hand(cell, exit):
            remember_tries(cell, item, cell.tries)
    cell.item, cell.tries = None, 0


def remember_tries(cell: Cell, item: Item, tries: int) -> None:
    """So often was it tried again."""
    if tries:
        if cell.kept is None:
            cell.kept = {}
        cell.kept.setdefault(_TRIES, {})[_key(item)] = tries


def tries_of(cell: Cell, item: Item) -> int:
    """How often what is taken now was tried again; those come first, so behind them nothing need be known."""
    kept = cell.kept
    if not kept or _TRIES not in kept:
        return 0
    if item[MARK] is REDELIVERED:
        return kept[_TRIES].pop(_key(item), 0)
    del kept[_TRIES]
    return 0


def _key(item: Item) -> tuple[int, float]:
    return id(item[MESSAGE]), item[SINCE]
