"""Which facts are kept: the last ones of a system, and of each path its own. Pure.

A path's own facts are of two sorts, which do not displace each other: what became of the actor, and what
comes in masses (dead letters, tickets). So a thousand dead letters leave the failure they came from where
it is.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Collection, Iterator
from itertools import chain
from typing import Final

import attrs

from actors.observe.fact import Fact, Page, is_below

__all__ = ["FACTS_KEPT", "FACTS_OF_ALL_PATHS", "FACTS_OF_A_PATH", "PATHS_KEPT", "Histories", "Ring"]

FACTS_KEPT: Final = 10_000
"""The facts of a system that are kept."""
PATHS_KEPT: Final = 5_000
"""The paths whose own facts are kept longer."""
FACTS_OF_A_PATH: Final = 50
"""The facts that are kept of each."""
_LIVES: Final = 30
"""Of them, those of its life; the others are for what comes in masses."""
FACTS_OF_ALL_PATHS: Final = 50_000
"""And of all paths together."""
_ENDS: Final = frozenset({"NodeDown", "Stopped"})
_MASSES: Final = frozenset(
    {
        "DeadLetter",
        "Expired",
        "LateReply",
        "LineIgnored",
        "MessageUnread",
        "PoolGrew",
        "PoolShrank",
        "PostRejected",
        "Progressed",
        "SpawnRejected",
        "TicketMoved",
    }
)


class Ring:
    """The last facts of a system, by number."""

    __slots__ = ("_kept", "_size", "last")

    def __init__(self, size: int = FACTS_KEPT) -> None:
        self._size = size
        self._kept: list[Fact] = []
        self.last = 0
        """The number of the newest; 0 before the first."""

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def first(self) -> int:
        """The number of the oldest that is kept."""
        return self.last - len(self._kept) + 1

    def add(self, fact: Fact) -> None:
        """Keep it; its number must be the next one."""
        assert fact.number == self.last + 1, "facts are numbered without gaps"
        if len(self._kept) < self._size:
            self._kept.append(fact)
        else:
            self._kept[(fact.number - 1) % self._size] = fact
        self.last = fact.number

    def page(self, after: int, limit: int, kinds: Collection[str] = (), path: str | None = None) -> Page:
        """The facts after a number; of one that was never given, all."""
        if after > self.last:
            after = self.first - 1
        missed = max(0, self.first - 1 - after)
        found: list[Fact] = []
        number = after + missed
        while number < self.last and len(found) < limit:
            number += 1
            fact = self._kept[(number - 1) % self._size]
            if (not kinds or fact.kind in kinds) and (path is None or is_below(fact.path, path)):
                found.append(fact)
        return Page(tuple(found), number, missed)


@attrs.define
class _History:
    lives: deque[Fact] = attrs.field(factory=lambda: deque[Fact](maxlen=_LIVES))
    masses: deque[Fact] | None = None

    def add(self, fact: Fact) -> int:
        """How many facts it has more."""
        if fact.kind not in _MASSES:
            of_kind = self.lives
        elif self.masses is None:
            of_kind = self.masses = deque(maxlen=FACTS_OF_A_PATH - _LIVES)
        else:
            of_kind = self.masses
        before = len(of_kind)
        of_kind.append(fact)
        return len(of_kind) - before

    def __len__(self) -> int:
        return len(self.lives) + len(self.masses or ())

    def facts(self) -> tuple[Fact, ...]:
        if not self.masses:
            return tuple(self.lives)
        return tuple(sorted((*self.lives, *self.masses), key=lambda fact: fact.number))


class Histories:
    """The last facts of each path; where there is no room, those go first whose actor is longest dead."""

    __slots__ = ("_alive", "_count", "_dead", "_facts", "_forgotten", "_paths")

    def __init__(self, paths: int = PATHS_KEPT, facts: int = FACTS_OF_ALL_PATHS) -> None:
        self._paths = paths
        self._facts = facts
        self._count = 0
        self._alive: OrderedDict[str, _History] = OrderedDict()
        self._dead: OrderedDict[str, _History] = OrderedDict()
        self._forgotten: OrderedDict[str, _History] = OrderedDict()
        """Adhoc actors that are dead: the first to go."""

    def __len__(self) -> int:
        return len(self._alive) + len(self._dead) + len(self._forgotten)

    @property
    def count(self) -> int:
        """The facts in all histories."""
        return self._count

    def __iter__(self) -> Iterator[str]:
        """Every path that something is known of."""
        return chain(self._alive, self._dead, self._forgotten)

    def of(self, path: str) -> tuple[Fact, ...]:
        """What is kept of a path, the oldest first."""
        shelf = self._shelf_of(path)
        return () if shelf is None else shelf[path].facts()

    def add(self, path: str, fact: Fact) -> None:
        """Keep one more."""
        shelf = self._shelf_of(path)
        history = _History() if shelf is None else shelf[path]
        self._count += history.add(fact)
        chosen = self._shelf_for(path, fact.kind, shelf)
        if chosen is not shelf:
            if shelf is not None:
                del shelf[path]
            chosen[path] = history
        while len(self) > self._paths or self._count > self._facts:
            self._forget_one()

    def _shelf_of(self, path: str) -> OrderedDict[str, _History] | None:
        for shelf in (self._alive, self._dead, self._forgotten):
            if path in shelf:
                return shelf
        return None

    def _shelf_for(
        self, path: str, kind: str, shelf: OrderedDict[str, _History] | None
    ) -> OrderedDict[str, _History]:
        """Where it belongs after a fact of this kind: what comes in masses also comes after the end."""
        if kind in _MASSES and shelf is not None:
            return shelf
        if kind not in _MASSES and kind not in _ENDS:
            return self._alive
        return self._forgotten if "/~" in path else self._dead

    def _forget_one(self) -> None:
        shelf = self._forgotten or self._dead or self._alive
        _, history = shelf.popitem(last=False)
        self._count -= len(history)
