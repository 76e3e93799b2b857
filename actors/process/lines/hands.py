"""The messages that a child has in hand, at most so many at once, and how each of them ends.

The cell of an actor knows of one message in hand: here it is the oldest one. What ends goes through it,
so that asks, posts, retries, breakers and dead letters are the same as for any actor.
A run, as limits and the monitor count it, is that of the oldest: when that has ended, the next one's has been
going on since it was taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import attrs

from actors.core.hand import fail_asker, hand_done, interrupt_hand, settle_hand
from actors.core.mailbox import ASKED, MESSAGE, SENDER, Item
from actors.core.several import drop_all, tries_of
from actors.core.verdict import raised
from actors.errors import ActorError, Refused
from actors.events import DeadLetterReason

if TYPE_CHECKING:
    from actors.core.ask import Pending
    from actors.core.cell import Cell
    from actors.core.giving import Hand as Giving
    from actors.exits import Exit

__all__ = ["Hand", "Hands"]


@attrs.define(eq=False)
class Hand:
    """One message in hand."""

    item: Item
    id: int | None
    """Its number, if the child is to answer."""
    since: float
    tries: int
    giving: Giving | None = None
    """Where parts of the reply go, once there was one."""

    @property
    def asked(self) -> Pending[Any] | None:
        """Who waits for its end."""
        return self.item[ASKED]

    @property
    def message(self) -> Any:
        """What it is."""
        return self.item[MESSAGE]


class Hands:
    """What one incarnation has in hand. Plain calls."""

    def __init__(self, cell: Cell, ended: Callable[[Hand, bool], None]) -> None:
        self._cell = cell
        self._ended = ended
        self._held: dict[Hand, None] = {}
        self._numbered: dict[int, Hand] = {}

    def __len__(self) -> int:
        return len(self._held)

    def __iter__(self) -> Iterator[Hand]:
        return iter(tuple(self._held))

    def __contains__(self, hand: Hand) -> bool:
        return hand in self._held

    def find(self, id: int) -> Hand:
        """The message with this number, which is in hand."""
        return self._numbered[id]

    def take(self, item: Item, id: int | None) -> Hand:
        """It is being said to the child."""
        cell, now = self._cell, self._cell.now()
        hand = Hand(item, id, now, tries_of(cell, item))
        self._held[hand] = None
        if id is not None:
            self._numbered[id] = hand
        cell.active_at = now
        if len(self._held) == 1:
            cell.item = item
            if cell.vigil is not None:
                cell.vigil.begin(now)
        return hand

    # --- its end ---

    def settle(self, hand: Hand, value: object) -> None:
        """It was handled."""
        first = self._bring(hand)
        settle_hand(self._cell, value)
        self._over(hand, first, False)

    def fail(self, hand: Hand, error: ActorError) -> None:
        """It was not, which is no failure of the actor."""
        cell, item = self._cell, hand.item
        first = self._bring(hand)
        if isinstance(error, Refused):
            raised(cell, error)
        else:
            cell.item = None
            cell.handled += 1
            if not fail_asker(cell, item, error):
                cell.kernel.dead_letter(cell, item[MESSAGE], item[SENDER], DeadLetterReason.UNHANDLED)
            hand_done(cell)
        self._over(hand, first, False)

    def interrupt(self, hand: Hand) -> None:
        """The child has ended it because it was told to."""
        first = self._bring(hand)
        interrupt_hand(self._cell)
        self._over(hand, first, True)

    def _bring(self, hand: Hand) -> bool:
        """Let the cell have it in hand; True if it had."""
        first = next(iter(self._held)) is hand
        del self._held[hand]
        if hand.id is not None:
            del self._numbered[hand.id]
        self._cell.item = hand.item
        return first

    def _over(self, hand: Hand, first: bool, cancelled: bool) -> None:
        cell = self._cell
        oldest = next(iter(self._held), None)
        cell.item = None if oldest is None else oldest.item
        vigil, now = cell.vigil, cell.now()
        if vigil is not None:
            if first:
                vigil.rest(None if cancelled else now)
            if first and oldest is not None:
                vigil.begin(oldest.since)
            if oldest is not None:
                vigil.progress(now)
        self._ended(hand, cancelled)

    # --- the end of the incarnation ---

    def fall(self, exit: Exit) -> None:
        """Nobody will answer any of them: they are tried again, or end."""
        drop_all(self._cell, [(hand.item, hand.tries) for hand in self._held], exit)
        self._held.clear()
        self._numbered.clear()
