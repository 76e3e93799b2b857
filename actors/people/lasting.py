"""What of a desk outlives the process: requests with a key and their answers, where the store is durable."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

import attrs
import trio

from actors.people.book import Book, Kept, Matter
from actors.people.keeping import Keeping, Then
from actors.people.records import is_open, kept_of, kept_record, matter_record, parked_of
from actors.people.request import PersonRequest

if TYPE_CHECKING:
    from actors.core.alarms import Alarm
    from actors.core.kernel import Kernel

__all__ = ["Lasting"]

_log = logging.getLogger("actors.people")


class Lasting:
    """Keeps records in step with the book, and forgets answers in time. Plain calls, but for `load`."""

    def __init__(self, kernel: Kernel, book: Book, keeping: Keeping | None) -> None:
        self._kernel = kernel
        self._book = book
        self._keeping = keeping
        self._alarm: Alarm | None = None
        self._is_loaded = False

    @property
    def _shift(self) -> float:
        """What seconds since 1970 are more than the clock."""
        return self._kernel.wall_at(0.0)

    def keeps(self, request: PersonRequest) -> bool:
        """Whether it outlives the process."""
        return self._keeping is not None and request.key is not None

    def check(self, key: str | None) -> None:
        """Raise `StoreInvalid` where the store takes no requests that are to outlive the process."""
        if self._keeping is not None and key is not None:
            self._keeping.check()

    # --- writing ---

    def put(self, matter: Matter, then: Then = lambda _: None) -> None:
        """Keep an open request as it is now; without a key there is nothing to do."""
        if self._keeping is not None and matter.request.key is not None:
            self._keeping.put(matter.request.id, matter_record(matter, self._shift), then)

    def put_answer(self, kept: Kept, then: Then) -> None:
        """Keep an answer, and what has become of its permit. Without a key `then` is called at once."""
        if self._keeping is not None and kept.request.key is not None:
            self._keeping.put(kept.request.id, kept_record(kept, self._shift), then)
        else:
            then(None)

    def forget(self, request: PersonRequest) -> None:
        """It is over, or its answer stands no longer."""
        if self._keeping is not None and request.key is not None:
            self._keeping.put(request.id, None, lambda _: None)

    # --- time ---

    def forget_stale(self) -> None:
        """Forget the answers whose time is over, and be called again when that of the next one is."""
        for kept in self._book.stale(self._kernel.now()):
            self.forget(kept.request)
        due = self._book.next_stale
        if self._alarm is not None and self._alarm.live:
            if self._alarm.due == due:
                return
            self._alarm.cancel()
        self._alarm = None if due is None else self._kernel.alarms.at(due, self.forget_stale)

    def close(self) -> None:
        """The system has ended."""
        if self._alarm is not None:
            self._alarm.cancel()

    # --- after a restart ---

    async def load(self, show: Callable[[Matter], object]) -> None:
        """Take up what was there before a restart; `show` what is open. A checkpoint. Raises `StoreError`.

        Once: what has happened since is in the book, and may not be in the store yet.
        """
        if self._keeping is None or self._is_loaded:
            await trio.lowlevel.checkpoint()
            return
        records = await self._keeping.load()
        self._is_loaded = True
        opened: list[Matter] = []
        answered: list[Kept] = []
        for record in records:
            try:
                if is_open(record):
                    opened.append(self._own(parked_of(record, self._shift)))
                else:
                    answered.append(kept_of(record, self._shift))
            except (AttributeError, KeyError, TypeError, ValueError) as error:
                _log.error("a request that was kept cannot be read, and is left alone: %r", error)
        latest = self._kernel.now() + self._book.asking.keep
        for kept in sorted(answered, key=lambda kept: kept.until):
            self._book.recall(attrs.evolve(kept, until=min(kept.until, latest)))
        self.forget_stale()
        for matter in sorted(opened, key=lambda matter: matter.request.asked):
            if self._book.restore(matter, self._kernel.now()):
                show(matter)

    def _own(self, matter: Matter) -> Matter:
        """It is this system's now, whatever that was called when it was asked."""
        matter.request = attrs.evolve(matter.request, node=self._kernel.name)
        return matter
