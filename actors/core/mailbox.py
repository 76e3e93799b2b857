"""The lanes of one mailbox: order, capacity, overflow, and closing in one step.

Rules of this file. A message is taken from the redelivered ones first, then from
the urgent lane, then from the normal one. `capacity` counts waiting urgent and
normal messages; marked items (notices, timers' messages, redelivered ones) are not
counted and never dropped. Closing refuses the next message in the same step in which
it hands back the waiting ones, so that nothing can slip in between and be forgotten.

There are two lanes. In `normal` wait the normal ones and the marked ones; in `early` what
comes before them: first the redelivered, then the urgent ones.

An item is a plain tuple, because one is made for every message:
(message, sender, asked, since, mark). `asked` is the open request or None, `since` the
time it came in, `mark` None for counted items and the reason for uncounted ones.

A lane is made on first use: an empty deque costs more than the rest of an idle mailbox.
"""

from __future__ import annotations

import enum
import itertools
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Final

from actors.policy import Mailbox

__all__ = [
    "ANSWERED",
    "ASKED",
    "MARK",
    "MESSAGE",
    "POSTED",
    "REDELIVERED",
    "SENDER",
    "SINCE",
    "Item",
    "Lanes",
    "Verdict",
]

Item = tuple[Any, Any, Any, float, Any]
MESSAGE: Final = 0
SENDER: Final = 1
ASKED: Final = 2
SINCE: Final = 3
MARK: Final = 4
REDELIVERED: Final = "redelivered"
ANSWERED: Final = "answered"
POSTED: Final = "posted"
"""The mark of a message that a store keeps."""


class Verdict(enum.Enum):
    """Why an offered message did not go in."""

    CLOSED = "closed"
    FULL = "full"
    DROPPED = "dropped"


class Lanes:
    """What waits for one actor. Plain calls only; whoever offers wakes the actor."""

    __slots__ = ("closed", "early", "extra", "limit", "normal", "overflow")

    def __init__(self, policy: Mailbox) -> None:
        self.limit = policy.capacity
        self.overflow = policy.overflow
        self.normal: deque[Item] | None = None
        self.early: deque[Item] | None = None
        self.extra = 0  # urgent ones minus marked ones: what len(normal) does not show
        self.closed = False

    @property
    def capacity(self) -> float:
        """How many counted messages may wait."""
        return self.limit

    @property
    def counted(self) -> int:
        """How many waiting messages count toward the capacity."""
        return 0 if self.closed else (len(self.normal) if self.normal else 0) + self.extra

    @property
    def has_room(self) -> bool:
        """True when one more counted message fits."""
        return self.counted < self.limit

    def __bool__(self) -> bool:
        return bool(self.normal or self.early)

    def offer(self, item: Item, urgent: bool = False) -> Verdict | Item | None:
        """Put a counted item in its lane.

        None: it is in. FULL, CLOSED or DROPPED: it is not. An item: this older one was
        dropped to make room.
        """
        normal = self.normal
        if normal is None:
            if self.closed:
                return Verdict.CLOSED
            normal = self.normal = deque()
        if len(normal) + self.extra >= self.limit:
            return self._overflowing(item, urgent)
        if urgent:
            self._put_urgent(item)
        else:
            normal.append(item)
        return None

    def _put_urgent(self, item: Item) -> None:
        if self.early is None:
            self.early = deque()
        self.early.append(item)
        self.extra += 1

    def _overflowing(self, item: Item, urgent: bool) -> Verdict | Item:
        if self.overflow == "reject":
            return Verdict.FULL
        if self.overflow == "drop_newest":
            return Verdict.DROPPED
        oldest = self._drop_oldest()
        if urgent:
            self._put_urgent(item)
        else:
            assert self.normal is not None
            self.normal.append(item)
        return oldest

    def _drop_oldest(self) -> Item:
        assert self.normal is not None
        for index, item in enumerate(self.normal):
            if item[MARK] is None:
                del self.normal[index]
                return item
        assert self.early  # at capacity without a counted normal one: all are urgent
        again = self._redelivered
        oldest = self.early[again]
        del self.early[again]
        self.extra -= 1
        return oldest

    @property
    def _redelivered(self) -> int:
        """How many of the early ones are; they stand first."""
        return sum(1 for _ in itertools.takewhile(lambda item: item[MARK] is REDELIVERED, self.early or ()))

    def put_marked(self, item: Item) -> bool:
        """Put an uncounted item at the end of the normal lane; False when closed."""
        if self.closed:
            return False
        if self.normal is None:
            self.normal = deque()
        self.normal.append(item)
        self.extra -= 1
        return True

    def put_back(self, item: Item) -> None:
        """Make `item` the next one to be taken, uncounted."""
        message, sender, asked, since, _ = item
        if self.early is None:
            self.early = deque()
        self.early.appendleft((message, sender, asked, since, REDELIVERED))

    def restore(self, items: Iterable[Item]) -> None:
        """Make these the next ones to be taken, in this order, uncounted: they had been taken before."""
        if self.early is None:
            self.early = deque()
        again = [item if item[MARK] is not None else (*item[:MARK], REDELIVERED) for item in items]
        self.early.extendleft(reversed(again))

    def peek(self) -> Item | None:
        """The item that `take` would take, or None."""
        lane = self.early or self.normal
        return lane[0] if lane else None

    def take(self) -> Item | None:
        """The next item, or None."""
        early = self.early
        if early:
            item = early.popleft()
            if item[MARK] is None:
                self.extra -= 1
            return item
        normal = self.normal
        if normal:
            item = normal.popleft()
            if item[MARK] is not None:
                self.extra += 1
            return item
        return None

    def any(self, wanted: Callable[[Item], bool]) -> bool:
        """True when `wanted` is true for a waiting item."""
        return self.find(wanted) is not None

    def find(self, wanted: Callable[[Item], bool]) -> Item | None:
        """The first waiting item for which `wanted` is true, or None. It stays where it is."""
        return next((item for lane in (self.early, self.normal) for item in lane or () if wanted(item)), None)

    def remove(self, unwanted: Callable[[Item], bool]) -> list[Item]:
        """Take every waiting item out for which `unwanted` is true, in order."""
        removed: list[Item] = []
        self.early = self._sift(self.early, unwanted, removed, 1, 0)
        self.normal = self._sift(self.normal, unwanted, removed, 0, -1)
        return removed

    def _sift(
        self,
        lane: deque[Item] | None,
        unwanted: Callable[[Item], bool],
        removed: list[Item],
        counted: int,
        marked: int,
    ) -> deque[Item] | None:
        if not lane:
            return lane
        kept: deque[Item] = deque()
        for item in lane:
            if unwanted(item):
                removed.append(item)
                self.extra -= counted if item[MARK] is None else marked
            else:
                kept.append(item)
        return kept

    def shut(self, last: Iterable[Item] = ()) -> None:
        """Refuse every new item from now on; what waits goes on waiting, and behind it these `last` ones."""
        self.closed = True
        # offer() looks at `closed` only where the lane is missing: closing costs senders nothing
        if self.normal or last:
            self.early = deque([*(self.early or ()), *(self.normal or ()), *last])
        self.normal = None
        self.extra = 0

    def close(self) -> list[Item]:
        """Refuse every new item, and hand back all that wait, in the order of taking."""
        self.shut()
        waiting = list(self.early or ())
        self.early = None
        return waiting

    def depth(self) -> dict[str, int]:
        """Waiting items by lane; "system" are those that do not count toward the capacity."""
        early = len(self.early) if self.early else 0
        normal = len(self.normal) if self.normal else 0
        if self.closed:
            return {"system": 0, "urgent": 0, "normal": early}
        again = self._redelivered
        urgent = early - again
        marked = urgent - self.extra
        return {"system": marked + again, "urgent": urgent, "normal": normal - marked}

    def oldest(self) -> float | None:
        """When the item that has waited longest came in, or None when nothing waits."""
        waiting = [item[SINCE] for item in self.early or ()]  # several in one: it is not the first
        if self.normal:
            waiting.append(self.normal[0][SINCE])
        return min(waiting, default=None)
