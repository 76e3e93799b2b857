"""What one spawner knows and holds: its slots, its history, its counts; and whose limits are above its own.

A slot is taken in the step in which the question is answered, before the child exists, and is free
again in the step in which the child is gone: at no moment could two see the last one.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Hashable, Iterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import trio

from actors.core.cell import Cell
from actors.core.ref import Ref
from actors.errors import SpawnRefused
from actors.events import SpawnerUnhealthy, SpawnRejected, SpawnRolledBack
from actors.exits import Exit
from actors.spawning.history import History, SpawnMetrics, SpawnRecord, SpawnTally
from actors.spawning.limits import Admission, SpawnLimits
from actors.spawning.template import key_of

if TYPE_CHECKING:
    from actors.spawning.history import SpawnRequest
    from actors.spawning.template import Template
    from actors.supervision.family import Family

__all__ = ["Book", "Bound", "Slot", "bounds_above"]


class Bound:
    """What bounds an actor that a spawner has spawned in what it may spawn itself. A `Follower` of it."""

    __slots__ = ("admission", "depth")

    def __init__(self, admission: Admission, depth: int) -> None:
        self.admission = admission
        """The slots that all below it share with others."""
        self.depth = depth
        """Its own depth."""

    def became_ready(self, cell: Cell, /) -> None:
        """See `Follower`."""

    def went(self, cell: Cell, exit: Exit, /) -> None:
        """See `Follower`."""


class Slot(Bound):
    """One spawn that lives, from its beginning to its end."""

    __slots__ = ("_above", "_book", "_previous", "_slots", "_trial", "leaving", "record")

    def __init__(
        self,
        book: Book,
        record: SpawnRecord,
        previous: float | None,
        above: tuple[Admission, ...],
        trial: bool,
        slots: int,
    ) -> None:
        super().__init__(book.admission, record.depth)
        self.record = record
        self.leaving = False
        """Somebody despawns it already."""
        self._book = book
        self._previous = previous
        self._above = above
        self._trial = trial
        self._slots = slots

    def became_ready(self, cell: Cell, /) -> None:
        """See `Follower`."""
        if cell.readies == 1:
            self._book.tally.ready(cell.now() - self.record.at)

    def went(self, cell: Cell, exit: Exit, /) -> None:
        """See `Follower`."""
        self._book.free(self._above, self._slots)
        self._book.end(self)
        if not cell.readies and (exit.is_failure or self._trial):
            self._book.roll_back(self.record, self._previous, exit)


class Book:
    """The state of one spawner. Plain calls; nothing of it runs."""

    def __init__(self, family: Family, limits: SpawnLimits, bound: int) -> None:
        self.family = family
        self.admission = Admission(limits)
        self.history = History(bound)
        self.tally = SpawnTally()
        self.living: dict[Ref, Slot] = {}
        self.last: float | None = None
        """When it last spawned something."""
        self._lines: dict[Hashable, trio.StrictFIFOLock] = {}
        self._broken: set[str] = set()

    def now(self) -> float:
        """Seconds on trio's clock."""
        return self.family.kernel.now()

    # --- slots ---

    def refusal(
        self, template: Template, depth: int, above: tuple[Admission, ...], slots: int, check_cooldown: bool
    ) -> SpawnRefused | None:
        """Why it may not be spawned now, or None."""
        now, own = self.now(), self.admission
        for admission in above:  # what is above says how deep and how many; each counts its own cooldowns
            refused = admission.refusal(now, None, depth, check_cooldown=False, slots=slots)
            if refused is not None:
                return refused
        return own.refusal(now, key_of(template), depth, check_cooldown=check_cooldown, slots=slots)

    def take(self, above: tuple[Admission, ...], slots: int) -> None:
        """Take slots, here and wherever it counts too."""
        for admission in (self.admission, *above):
            admission.take(slots)

    def free(self, above: tuple[Admission, ...], slots: int) -> None:
        """Give them back."""
        for admission in (self.admission, *above):
            admission.free(slots)

    # --- what happens ---

    def begin(self, record: SpawnRecord, above: tuple[Admission, ...], trial: bool, slots: int) -> None:
        """It lives, in slots that are taken: keep its record, and follow it."""
        self.last = record.at
        previous = self.admission.succeeded(record.at, key_of(record.template))
        slot = Slot(self, record, previous, above, trial, slots)
        self.living[record.ref] = slot
        self.history.add(record)
        self.tally.spawned(record.trigger)
        self.family.kernel.follow(record.ref.cell, slot)
        self.look_after_health()

    def end(self, slot: Slot) -> None:
        """It is gone; its record stays."""
        self.living.pop(slot.record.ref, None)
        self.history.went(slot.record.ref)
        self.look_after_health()

    def roll_back(self, record: SpawnRecord, previous: float | None, exit: Exit) -> None:
        """It never became ready: as if it had not been spawned, but for the count of failures."""
        self.admission.undo(key_of(record.template), record.at, previous)
        self.history.drop(record.ref)
        self.tally.rolled_back(record.trigger, exit.is_failure)
        self.family.kernel.emit(SpawnRolledBack, record.ref, exit.error)
        self.look_after_health()

    def refuse(self, request: SpawnRequest, error: SpawnRefused) -> SpawnRefused:
        """Count a refusal and report it; the same error, to be raised."""
        self.tally.refuse()
        self.family.kernel.emit(SpawnRejected, self.family.ref, request.template.title, error)
        self.look_after_health()
        return error

    def metrics(self) -> SpawnMetrics:
        """A copy of the counts."""
        return self.tally.metrics(len(self.living))

    def reset(self) -> None:
        """Forget what was: who lives still counts."""
        self.history.clear()
        self.tally = SpawnTally()
        self.admission.last.clear()
        self.last = None
        self._broken.clear()

    # --- health ---

    def look_after_health(self) -> None:
        """Report a rule when it is broken, once until it holds again."""
        counts, limits = self.tally, self.admission.limits
        self._rule(
            "failures", counts.fails_often, f"{counts.failed} failed beside {counts.total} that did not"
        )
        full = self.admission.taken >= limits.max_active
        self._rule("limit", full, f"{self.admission.taken} of at most {limits.max_active} are alive")

    def _rule(self, rule: str, broken: bool, text: str) -> None:
        if not broken:
            self._broken.discard(rule)
        elif rule not in self._broken:
            self._broken.add(rule)
            self.family.kernel.emit(SpawnerUnhealthy, self.family.ref, rule, text)

    # --- turns of those who wait for a cooldown ---

    @asynccontextmanager
    async def turn_of(self, template: Template) -> AsyncGenerator[None]:
        """The line of those who wait for the same cooldown, first come first served."""
        key = key_of(template)
        line = self._lines.setdefault(key, trio.StrictFIFOLock())
        try:
            async with line:
                yield
        finally:
            if not line.locked():
                self._lines.pop(key, None)


def bounds_above(cell: Any) -> Iterator[Bound]:
    """Those of an actor and of all above it, the nearest first."""
    while isinstance(cell, Cell):
        for follower in cell.kernel.followers.get(cell, ()):
            if isinstance(follower, Bound):
                yield follower
        cell = cell.parent
