"""The lanes of one mailbox: order, capacity, overflow, and closing in one step.

Rules of this file. A message is taken from the redelivered ones first, then from
the urgent lane, then from the normal one. `capacity` counts waiting urgent and
normal messages; marked items (notices, timers' messages, redelivered ones) are not
counted and never dropped. Closing refuses the next message in the same step in which
it hands back the waiting ones, so that nothing can slip in between and be forgotten.

An item is a plain tuple, because one is made for every message:
(message, sender, asked, since, mark). `asked` is the open request or None, `since` the
time it came in, `mark` None for counted items and the reason for uncounted ones.

A lane is made on first use: an empty deque costs more than the rest of an idle mailbox.
"""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from actors.policy import Mailbox

__all__ = [
    "ANSWERED",
    "ASKED",
    "MARK",
    "MESSAGE",
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


class Verdict(enum.Enum):
    """Why an offered message did not go in."""

    CLOSED = "closed"
    FULL = "full"
    DROPPED = "dropped"


class Lanes:
    """What waits for one actor. Plain calls only; whoever offers wakes the actor."""

    __slots__ = ("_extra", "_limit", "_normal", "_overflow", "_redelivered", "_urgent", "closed")

    def __init__(self, policy: Mailbox) -> None:
        self._limit = policy.capacity
        self._overflow = policy.overflow
        self._normal: deque[Item] | None = None
        self._urgent: deque[Item] | None = None
        self._redelivered: deque[Item] | None = None
        self._extra = 0  # urgent ones minus uncounted ones: what len(normal) does not show
        self.closed = False

    @property
    def capacity(self) -> float:
        """How many counted messages may wait."""
        return self._limit

    @property
    def counted(self) -> int:
        """How many waiting messages count toward the capacity."""
        return (len(self._normal) if self._normal else 0) + self._extra

    @property
    def has_room(self) -> bool:
        """True when one more counted message fits."""
        return self.counted < self._limit

    def __bool__(self) -> bool:
        return bool(self._normal or self._urgent or self._redelivered)

    def offer(self, item: Item, urgent: bool = False) -> Verdict | Item | None:
        """Put a counted item in its lane.

        None: it is in. FULL, CLOSED or DROPPED: it is not. An item: this older one was
        dropped to make room.
        """
        normal = self._normal
        if normal is None:
            if self.closed:
                return Verdict.CLOSED
            normal = self._normal = deque()
        if len(normal) + self._extra >= self._limit:
            return self._overflowing(item, urgent)
        if urgent:
            self._put_urgent(item)
        else:
            normal.append(item)
        return None

    def _put_urgent(self, item: Item) -> None:
        if self._urgent is None:
            self._urgent = deque()
        self._urgent.append(item)
        self._extra += 1

    def _overflowing(self, item: Item, urgent: bool) -> Verdict | Item:
        if self._overflow == "reject":
            return Verdict.FULL
        if self._overflow == "drop_newest":
            return Verdict.DROPPED
        oldest = self._drop_oldest()
        if urgent:
            self._put_urgent(item)
        else:
            assert self._normal is not None
            self._normal.append(item)
        return oldest

    def _drop_oldest(self) -> Item:
        assert self._normal is not None
        for index, item in enumerate(self._normal):
            if item[MARK] is None:
                del self._normal[index]
                return item
        assert self._urgent  # at capacity without a counted normal one: all are urgent
        self._extra -= 1
        return self._urgent.popleft()

    def put_marked(self, item: Item) -> bool:
        """Put an uncounted item at the end of the normal lane; False when closed."""
        if self.closed:
            return False
        if self._normal is None:
            self._normal = deque()
        self._normal.append(item)
        self._extra -= 1
        return True

    def put_back(self, item: Item) -> None:
        """Make `item` the next one to be taken, uncounted."""
        message, sender, asked, since, _ = item
        if self._redelivered is None:
            self._redelivered = deque()
        self._redelivered.appendleft((message, sender, asked, since, REDELIVERED))

    def take(self) -> Item | None:
        """The next item, or None."""
        if self._redelivered:
            return self._redelivered.popleft()
        if self._urgent:
            self._extra -= 1
            return self._urgent.popleft()
        normal = self._normal
        if normal:
            item = normal.popleft()
            if item[4] is not None:
                self._extra += 1
            return item
        return None

    def any(self, wanted: Callable[[Item], bool]) -> bool:
        """True when `wanted` is true for a waiting item."""
        return any(
            wanted(item) for lane in (self._redelivered, self._urgent, self._normal) for item in lane or ()
        )

    def remove(self, unwanted: Callable[[Item], bool]) -> list[Item]:
        """Take every waiting item out for which `unwanted` is true, in order."""
        removed: list[Item] = []
        self._redelivered = self._sift(self._redelivered, unwanted, removed, 0, 0)
        self._urgent = self._sift(self._urgent, unwanted, removed, 1, 1)
        self._normal = self._sift(self._normal, unwanted, removed, 0, -1)
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
                self._extra -= counted if item[MARK] is None else marked
            else:
                kept.append(item)
        return kept

    def shut(self) -> None:
        """Refuse every new item from now on; what waits goes on waiting."""
        self.closed = True
        # offer() looks at `closed` only where the lane is missing: closing costs senders nothing
        if self._normal:
            self._redelivered = deque([*(self._redelivered or ()), *(self._urgent or ()), *self._normal])
        elif self._urgent:
            self._redelivered = deque([*(self._redelivered or ()), *self._urgent])
        self._normal = self._urgent = None
        self._extra = 0

    def close(self) -> list[Item]:
        """Refuse every new item, and hand back all that wait, in the order of taking."""
        self.shut()
        waiting = list(self._redelivered or ())
        self._redelivered = None
        return waiting

    def depth(self) -> dict[str, int]:
        """Waiting items by lane; "system" are those that do not count toward the capacity."""
        urgent = len(self._urgent) if self._urgent else 0
        normal = len(self._normal) if self._normal else 0
        again = len(self._redelivered) if self._redelivered else 0
        if self.closed:
            return {"system": 0, "urgent": 0, "normal": again}
        marked = urgent - self._extra
        return {"system": marked + again, "urgent": urgent, "normal": normal - marked}

    def oldest(self) -> float | None:
        """When the item that has waited longest came in, or None when nothing waits."""
        waiting = [lane[0][SINCE] for lane in (self._urgent, self._normal) if lane]
        waiting.extend(item[SINCE] for item in self._redelivered or ())  # all lanes in one while draining
        return min(waiting, default=None)
