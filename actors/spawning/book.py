"""What one spawner knows and holds: its slots, its history, its counts; and whose limits are above its own.

A slot is taken in the step in which the question is answered, before the child exists, and is free
again in the step in which the child is gone: at no moment could two see the last one.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Hashable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

import attrs
import trio

from actors.core.cell import Cell
from actors.core.ref import Ref
from actors.errors import SpawnLimitReached, SpawnRefused
from actors.events import SpawnerUnhealthy, SpawnRejected, SpawnRolledBack
from actors.exits import Exit, ExitKind
from actors.spawning.history import History, SpawnMetrics, SpawnRecord, SpawnTally
from actors.spawning.limits import Admission, SpawnLimits

if TYPE_CHECKING:
    from actors.spawning.history import SpawnRequest
    from actors.supervision.family import Family

__all__ = ["Book", "Bound", "Slot", "bounds_of"]


class Bound:
    """What bounds an actor that a spawner has spawned in what it may spawn itself. A `Follower` of it."""

    __slots__ = ("above", "admission", "depth")

    def __init__(self, admission: Admission, depth: int, above: tuple[Bound, ...] = ()) -> None:
        self.admission = admission
        """The slots that all below it share with others."""
        self.depth = depth
        """Its own depth."""
        self.above = above
        """What bounds the spawner that has spawned it. It need not be above it in the tree."""

    def became_ready(self, cell: Cell, /) -> None:
        """See `Follower`."""

    def went(self, cell: Cell, exit: Exit, /) -> None:
        """See `Follower`."""

    def changed(self) -> None:
        """Some of the slots were taken or freed from below."""

    def refusal(self, now: float, depth: int, slots: int, family: Family) -> SpawnRefused | None:
        """Why another spawner may not spawn at `depth` over `family`, as far as this one goes, or None."""
        refused = self.admission.refusal(now, None, depth, check_cooldown=False, slots=slots)
        if isinstance(refused, SpawnLimitReached):
            return SpawnLimitReached(refused.active, refused.max_active, "a spawner above")
        return refused


@attrs.frozen
class _Before:
    """What a spawn has changed, as it was."""

    tally: SpawnTally
    past: float | None
    cooldown: float | None


class Slot(Bound):
    """One spawn that lives, from its beginning to its end."""

    __slots__ = ("_book", "before", "leaving", "record", "rolled_back", "slots", "stayed", "trial")

    def __init__(
        self,
        book: Book,
        record: SpawnRecord,
        above: tuple[Bound, ...],
        trial: bool,
        slots: int,
        before: _Before,
    ) -> None:
        super().__init__(book.admission, record.depth, above)
        self.record = record
        self.trial = trial
        """It is one attempt: when it does not become ready, nothing of it is left."""
        self.slots = slots
        self.before = before
        self.leaving = False
        """Somebody despawns it already."""
        self.stayed = self.rolled_back = False
        """It is gone, and on record; or it was taken back."""
        self._book = book

    def became_ready(self, cell: Cell, /) -> None:
        """See `Follower`."""
        if cell.readies == 1:
            self._book.tally.ready(cell.now() - self.record.at)

    def went(self, cell: Cell, exit: Exit, /) -> None:
        """See `Follower`."""
        stays = bool(cell.readies) or not (exit.is_failure or self.trial)
        self._book.end(self, stays)
        if not stays:
            self._book.roll_back(self, exit)

    def changed(self) -> None:
        """See `Bound`."""
        self._book.look_after_health()


class Book:
    """The state of one spawner. Plain calls, but for the waits for a cooldown; nothing of it runs."""

    def __init__(self, family: Family, limits: SpawnLimits, bound: int, life: int = 0) -> None:
        self.family = family
        self.life = life
        """Which incarnation of its keeper goes on with it."""
        self.admission = Admission(limits)
        self.history = History(bound)
        self.tally = SpawnTally()
        self.living: dict[Ref, Slot] = {}
        self._past: float | None = None
        """When that of those that are gone was begun which came last."""
        self._lines: dict[Hashable, trio.StrictFIFOLock] = {}
        self._cooling = trio.lowlevel.ParkingLot()
        self._broken: set[str] = set()

    def now(self) -> float:
        """Seconds on trio's clock."""
        return self.family.kernel.now()

    @property
    def last(self) -> float | None:
        """When it last spawned something that has not been rolled back."""
        begun = (slot.record.at for slot in self.living.values() if slot.before.tally is self.tally)
        return max((at for at in (self._past, *begun) if at is not None), default=None)

    def revise(self, limits: SpawnLimits, bound: int) -> None:
        """Go on with these."""
        self.admission.limits = limits
        self.history.keep(bound)
        self._cooling.unpark_all()

    # --- slots ---

    def refusal(
        self, key: Hashable, depth: int, above: Iterable[Bound], slots: int, check_cooldown: bool = True
    ) -> SpawnRefused | None:
        """Why it may not be spawned now, or None. Without a key, the cooldown is the longest of all."""
        now = self.now()
        for bound in above:  # what is above says how deep and how many; each counts its own cooldowns
            refused = bound.refusal(now, depth, slots, self.family)
            if refused is not None:
                return refused
        return self.admission.refusal(now, key, depth, check_cooldown=check_cooldown, slots=slots)

    def take(self, above: Iterable[Bound], slots: int) -> None:
        """Take slots, here and wherever it counts too."""
        self.admission.take(slots)
        for bound in above:
            bound.admission.take(slots)

    def free(self, above: Iterable[Bound], slots: int) -> None:
        """Give them back."""
        self.admission.free(slots)
        for bound in above:
            bound.admission.free(slots)

    # --- what happens ---

    def begin(self, record: SpawnRecord, above: tuple[Bound, ...], trial: bool, slots: int) -> None:
        """It lives, in slots that are taken: keep its record, and follow it."""
        cooldown = self.admission.succeeded(record.at, record.template.root)
        slot = Slot(self, record, above, trial, slots, _Before(self.tally, self._past, cooldown))
        self.living[record.ref] = slot
        self.history.add(record)
        self.tally.spawned(record.trigger)
        self.family.kernel.follow(record.ref.cell, slot)
        self._tell_changed(above)

    def end(self, slot: Slot, stays: bool) -> None:
        """It is gone: its slots are free. Its record stays, or is about to be rolled back."""
        self.free(slot.above, slot.slots)
        record = slot.record
        del self.living[record.ref]
        if stays:
            slot.stayed = True
            self.history.went(record.ref)
            if slot.before.tally is self.tally and (self._past is None or self._past < record.at):
                self._past = record.at
        self._tell_changed(slot.above)

    def roll_back(self, slot: Slot, exit: Exit) -> None:
        """Its start came to nothing: as if it had not been, but for the count of failures. Idempotent."""
        if slot.rolled_back:
            return
        slot.rolled_back = True
        record, before = slot.record, slot.before
        self.history.drop(record.ref)
        if self.tally is before.tally:  # else it was reset since, and knows nothing of then
            self.tally.unspawned(record.trigger)
            self.admission.undo(record.template.root, record.at, before.cooldown)
            if slot.stayed and self._past == record.at:
                self._past = before.past
        if exit.is_failure or exit.kind is ExitKind.NORMAL:  # else its start was only given up
            self.tally.failed += 1
        self._cooling.unpark_all()
        self.family.kernel.emit(SpawnRolledBack, record.ref, exit.error)
        self.look_after_health()

    def refuse(self, request: SpawnRequest, error: SpawnRefused) -> SpawnRefused:
        """Count a refusal and report it; the same error, to be raised."""
        self.tally.refuse()
        self.family.kernel.emit(SpawnRejected, self.family.ref, request.template.title, error)
        self.look_after_health()
        return error

    @contextmanager
    def counting_failures(self) -> Generator[None]:
        """A block in which an error is a spawn that failed."""
        try:
            yield
        except Exception:
            self.tally.failed += 1
            self.look_after_health()
            raise

    def metrics(self) -> SpawnMetrics:
        """A copy of the counts."""
        return self.tally.metrics(len(self.living))

    def reset(self) -> None:
        """Forget what was: who lives still counts."""
        self.history.clear()
        self.tally = SpawnTally()
        self.admission.last.clear()
        self._past = None
        self._broken.clear()
        self._cooling.unpark_all()

    # --- health ---

    def _tell_changed(self, above: Iterable[Bound]) -> None:
        self.look_after_health()
        for bound in above:
            bound.changed()

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

    # --- those who wait for a cooldown ---

    @asynccontextmanager
    async def turn_of(self, key: Hashable) -> AsyncGenerator[None]:
        """The line of those who wait for the same cooldown, first come first served."""
        key = self.admission.counted_as(key)
        line = self._lines.setdefault(key, trio.StrictFIFOLock())
        try:
            async with line:
                yield
        finally:
            if not line.locked():
                self._lines.pop(key, None)

    async def cool_down(self, key: Hashable) -> None:
        """Wait until its cooldown may be over: its time has come, or something was taken back."""
        with trio.CancelScope(deadline=self.admission.ready_at(key)):
            await self._cooling.park()


def bounds_of(cell: Any) -> Iterator[Bound]:
    """What bounds an actor, and what bounds all above it, the nearest first."""
    while isinstance(cell, Cell):
        for follower in cell.kernel.followers.get(cell, ()):
            if isinstance(follower, Bound):
                yield follower
        cell = cell.parent
