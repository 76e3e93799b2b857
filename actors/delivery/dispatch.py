"""One recipient's line: what is to be delivered to it next, and when. Pure.

The store keeps all that waits; here are the first of them, and what the recipient has in hand. What is
not ready, cools down or waits to be tried again is a matter of time: `decide` says until when.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections.abc import Iterable
from typing import Final

import attrs

from actors.delivery.ticket import Entry
from actors.policy import Delivery

__all__ = ["LOW", "WINDOW", "Give", "Line", "Load", "Step", "Wait"]

WINDOW: Final = 256
"""How many waiting ones a line holds; the rest is in the store."""
LOW: Final = 64
"""With fewer it is filled up again."""


@attrs.frozen
class Give:
    """Deliver this one now."""

    entry: Entry


@attrs.frozen
class Load:
    """Ask the store for more."""


@attrs.frozen
class Wait:
    """Look again then; infinity: when something happens."""

    until: float


Step = Give | Load | Wait
_NOTHING: Final = Wait(math.inf)


def _order(entry: Entry) -> tuple[int, int]:
    return entry.order


@attrs.define
class Line:
    """What waits for one recipient."""

    policy: Delivery = attrs.field(factory=Delivery)
    complete: bool = False
    """Whether the store has nothing for it that is not here."""
    loading: bool = False
    waiting: list[Entry] = attrs.field(factory=list[Entry])
    """In the order of delivery."""
    in_hand: dict[str, Entry] = attrs.field(factory=dict[str, Entry])
    free_at: float = -math.inf
    """The end of the cooldown."""
    _held: dict[str, float] = attrs.field(factory=dict[str, float])
    """Which are not to be tried again before when."""
    _urgent: bool = False
    """What is not here comes before some of what is."""
    _missed: bool = False
    """Something came that what is being loaded may be without."""
    _blind: bool = False
    """What is not here may come before some of what is: no later one may be taken in before it."""
    _over: set[str] = attrs.field(factory=set[str])
    """What has left since the loading began: the store may give it as it was before."""

    def decide(self, now: float, is_ready: bool) -> Step:
        """What to do now; asked again after each answer but `Wait`."""
        is_low = len(self.waiting) < LOW + self._passed
        if not self.complete and not self.loading and (self._urgent or is_low):
            self._urgent = False
            self.loading = True
            return Load()
        if not is_ready or not self.waiting or len(self.in_hand) >= self.policy.at_once:
            return _NOTHING
        if now < self.free_at:
            return Wait(self.free_at)
        if self.policy.ordered:
            first = self.waiting[0]
            until = self._held.get(first.id, -math.inf)
            return Give(first) if until <= now else Wait(until)
        for entry in self.waiting:
            if self._held.get(entry.id, -math.inf) <= now:
                return Give(entry)
        return Wait(min(self._held[entry.id] for entry in self.waiting))

    @property
    def _passed(self) -> int:
        """How many wait to be tried again while later ones pass them."""
        return 0 if self.policy.ordered else len(self._held)

    @property
    def window(self) -> int:
        """How many of those in the store are to be here."""
        return WINDOW + self._passed

    # --- what waits ---

    def arrived(self, entry: Entry) -> bool:
        """One more waits, if it is not here already. False: it stays in the store for now."""
        if entry.id in self.in_hand or self._waits(entry):
            return True
        if self._blind:
            self.more(entry.priority)
            return False
        if not self.complete and (not self.waiting or _order(entry) > _order(self.waiting[-1])):
            self._missed = self.loading
            return False
        insort(self.waiting, entry, key=_order)
        last = self.waiting[-1]
        if len(self.waiting) > self.window and not last.attempts and last.id not in self._held:
            self.waiting.pop()  # not one that came back: the store may not know that yet
            self.complete = False
            self._missed = self.loading
        return True

    def _waits(self, entry: Entry) -> bool:
        at = bisect_left(self.waiting, _order(entry), key=_order)
        return at < len(self.waiting) and self.waiting[at].id == entry.id

    def loaded(self, entries: Iterable[Entry], complete: bool) -> None:
        """What the store has given."""
        self.loading = False
        known = {entry.id for entry in self.waiting} | self.in_hand.keys() | self._over
        self._over.clear()
        for entry in entries:
            if entry.id not in known:
                insort(self.waiting, entry, key=_order)
        self.complete = complete and not self._missed
        self._blind, self._missed = self._missed, False

    def not_loaded(self) -> None:
        """The store could not say: it is to be asked again."""
        self._blind = self._blind or self._missed
        self.loading = self._missed = False
        self._urgent = True
        self._over.clear()

    def more(self, priority: int = 0) -> None:
        """The store has something that is not here."""
        self.complete = False
        self._blind = True
        if self.waiting and priority > self.waiting[-1].priority:
            self._urgent = True
        self._missed = self.loading

    def withdrawn(self, ticket_id: str) -> None:
        """Nobody wants it any more; what is in hand is finished."""
        self._held.pop(ticket_id, None)
        self._left(ticket_id)
        self.waiting = [entry for entry in self.waiting if entry.id != ticket_id]

    # --- what is in hand ---

    def gave(self, entry: Entry) -> None:
        """It is in the hands of the recipient."""
        self.waiting.remove(entry)
        self._held.pop(entry.id, None)
        self.in_hand[entry.id] = entry

    def ended(self, ticket_id: str, now: float) -> None:
        """It has handled it, or has put the answer off: the next may go."""
        if self.in_hand.pop(ticket_id, None) is not None:
            self.free_at = now + self.policy.cooldown
            self._left(ticket_id)

    def _left(self, ticket_id: str) -> None:
        if self.loading:
            self._over.add(ticket_id)

    def came_back(self, entry: Entry, now: float, until: float) -> None:
        """It is to be delivered again, not before `until`."""
        self.ended(entry.id, now)
        insort(self.waiting, entry, key=_order)
        if until > now:
            self._held[entry.id] = until
