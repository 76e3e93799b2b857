"""The mailbox of a child that runs on another node: what it was handed and has not begun waits still."""

from __future__ import annotations

import math
from collections import deque

from actors.core.mailbox import MARK, SINCE, Item, Lanes, Verdict
from actors.policy import Mailbox

__all__ = ["FarLanes"]


class FarLanes(Lanes):
    """As `Lanes`; `handed` counts too, but for the oldest of it, which is in hand over there.

    The limit that others look at is always reached: so every message takes the long way, on
    which it is looked at whether it can travel.
    """

    __slots__ = ("handed", "passing", "rests", "whole")

    def __init__(self, policy: Mailbox) -> None:
        super().__init__(policy)
        self.whole = policy.capacity
        self.limit = -math.inf
        self.handed: dict[int, Item] = {}
        """What it has and has not handled, oldest first."""
        self.rests = False
        """Nothing of it is in hand over there: it is suspended, and has finished what it had."""
        self.passing = False
        """One was taken and is not handed over yet."""

    @property
    def capacity(self) -> float:
        """How many counted messages may wait, here and there."""
        return self.whole

    @property
    def has_room(self) -> bool:
        """True when one more counted message fits."""
        here = self.counted + (self.passing and bool(self.handed))
        if here + len(self.handed) < self.whole:
            return True
        return here + sum(item[MARK] is None for item in self._waiting_there) < self.whole

    def offer(self, item: Item, urgent: bool = False) -> Verdict | Item | None:
        """See `Lanes.offer`."""
        self.limit = math.inf if self.has_room else -math.inf
        try:
            return super().offer(item, urgent)
        finally:
            self.limit = -math.inf

    def take(self) -> Item | None:
        """See `Lanes.take`."""
        item = super().take()
        self.passing = item is not None and item[MARK] is None
        return item

    def take_back(self, urgent: list[Item], normal: list[Item]) -> None:
        """What was handed over and has not begun stands at the head of its lane again."""
        if self.closed:
            self.early = deque([*urgent, *normal, *(self.early or ())])
            return
        if urgent:
            self.early = deque([*urgent, *(self.early or ())])
            self.extra += sum(item[MARK] is None for item in urgent)
        if normal:
            self.normal = deque([*normal, *(self.normal or ())])
            self.extra -= sum(item[MARK] is not None for item in normal)

    def depth(self) -> dict[str, int]:
        """See `Lanes.depth`; what waits over there counts as normal."""
        here = super().depth()
        here["normal"] += len(self._waiting_there)
        return here

    def oldest(self) -> float | None:
        """See `Lanes.oldest`."""
        waiting = [item[SINCE] for item in self._waiting_there]
        here = super().oldest()
        return min(waiting if here is None else [*waiting, here], default=None)

    @property
    def _waiting_there(self) -> list[Item]:
        return list(self.handed.values())[0 if self.rests else 1 :]
