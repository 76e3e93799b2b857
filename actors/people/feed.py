"""The last changes of requests, with numbers, for front ends in other processes."""

from __future__ import annotations

from collections import deque
from itertools import takewhile
from typing import TYPE_CHECKING, Final

import attrs
import trio

from actors.events import EventsLost, PersonEscalated, PersonEvent

if TYPE_CHECKING:
    from actors.people.desk import Desk

__all__ = ["Feed", "Numbered"]

_KEPT: Final = 2000


@attrs.frozen
class Numbered:
    """A change, and its place among all."""

    number: int
    event: PersonEvent


class Feed:
    """The last 2,000 changes. It begins when it is first asked for, and `run` fills it.

    `first` is greater than all numbers of the feed before: whoever followed that one is told that some are
    missing.
    """

    def __init__(self, first: int) -> None:
        self._kept: deque[Numbered] = deque(maxlen=_KEPT)
        self._first = self._next = first
        self._lot = trio.lowlevel.ParkingLot()
        self._began = trio.Event()

    @property
    def newest(self) -> int:
        """The number of the last change."""
        return self._next - 1

    async def run(self, desk: Desk) -> None:
        """Fill it until cancelled."""
        async with desk.queue() as queue:
            self._began.set()
            async for event in queue:
                self._put(event)

    def _put(self, event: PersonEvent | EventsLost) -> None:
        if isinstance(event, EventsLost):
            self._next += event.count
            self._kept.clear()
        else:
            self._kept.append(Numbered(self._next, event))
            self._next += 1
        self._lot.unpark_all()

    async def began(self) -> None:
        """Return when it is filled. A checkpoint."""
        await self._began.wait()

    def has_missed(self, after: int) -> bool:
        """Whether changes behind this number are kept no more."""
        oldest = self._kept[0].number if self._kept else self._next
        return not oldest - 1 <= after < self._next

    def after(self, number: int, to: str | None) -> list[Numbered]:
        """The changes behind this number that concern a person, None: all."""
        behind = takewhile(lambda one: one.number > number, reversed(self._kept))  # the last ones alone
        return [one for one in behind if _concerns(one.event, to)][::-1]

    async def wait(self) -> None:
        """Return when there is another one. A checkpoint."""
        await self._lot.park()


def _concerns(event: PersonEvent, to: str | None) -> bool:
    if to is None or event.request.to == to:
        return True
    return isinstance(event, PersonEscalated) and event.before == to
