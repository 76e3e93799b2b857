"""What a spawner remembers: a record of each spawn, bounded, and counts. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import attrs

from actors.checks import check_count, count
from actors.spawning.limits import SpawnLimits
from actors.spawning.triggers import SpawnTrigger

if TYPE_CHECKING:
    from actors.core.ref import Ref
    from actors.spawning.template import Template

__all__ = ["History", "SpawnMetrics", "SpawnRecord", "SpawnRequest", "SpawnTally", "SpawnerStatistics"]

_FAILED_SHARE = 0.1


@attrs.frozen(kw_only=True)
class SpawnRequest:
    """What an approval hook is asked about: nothing of it is started yet."""

    template: Template
    name: str | None
    specialisation: Mapping[str, Any]
    trigger: SpawnTrigger
    origin: Ref | None
    """Whom it would be a clone of, or None."""
    depth: int


@attrs.frozen(kw_only=True)
class SpawnRecord:
    """One spawn. It stays when the actor is gone, and so does what it tells of its descent."""

    id: str
    """Such as "spawn_1f0a93c7"."""
    ref: Ref
    template: Template
    """What it was spawned from; for a clone, what its origin was."""
    origin: Ref | None
    """Whom it is a clone of, or None."""
    trigger: SpawnTrigger
    at: float
    """Seconds on trio's clock."""
    specialisation: Mapping[str, Any]
    """What was laid over the config of the template, or over that of the origin."""
    definition: Template = attrs.field(repr=False)
    """What was spawned in the end: the template with all that was laid over it."""
    depth: int
    """0 for what was spawned from a template; one more than that of its origin for a clone.

    Below an actor that a spawner has spawned, it counts on from there.
    """


@attrs.frozen(kw_only=True)
class SpawnMetrics:
    """Counts of one spawner, as they were when they were asked for."""

    total: int
    """Spawns that were begun, without those that never became ready."""
    active: int
    """Who lives."""
    failed: int
    """Whatever was asked for and came to nothing: refusals, starts that failed, approvals that raised.

    A start that was cancelled is none.
    """
    refused: int
    mean_latency: float
    """Seconds from the spawn to ready, over all that became ready; 0.0 before the first."""
    by_trigger: Counter[str]
    """`total` by trigger, a `SpawnTrigger` or its text; 0 for one that asked for nothing."""


@attrs.frozen(kw_only=True)
class SpawnerStatistics:
    """A spawner as it is now; times are seconds."""

    limits: SpawnLimits
    metrics: SpawnMetrics
    can_spawn: bool
    cooldown_remaining: float
    last_spawn: float | None
    """When, on trio's clock; None before the first."""
    history: int
    """Records that are kept."""


@attrs.define
class SpawnTally:
    """The counts behind `SpawnMetrics`."""

    total: int = 0
    failed: int = 0
    refused: int = 0
    readied: int = 0
    mean_latency: float = 0.0
    by_trigger: Counter[str] = attrs.Factory(Counter[str])

    def spawned(self, trigger: SpawnTrigger) -> None:
        """Something was started."""
        self.total += 1
        self.by_trigger[trigger] += 1

    def ready(self, latency: float) -> None:
        """It became ready, `latency` seconds after that."""
        self.readied += 1
        self.mean_latency += (latency - self.mean_latency) / self.readied

    def unspawned(self, trigger: SpawnTrigger) -> None:
        """It never became ready and is gone: it was none."""
        self.total -= 1
        self.by_trigger[trigger] -= 1

    def refuse(self) -> None:
        """A spawn was refused."""
        self.refused += 1
        self.failed += 1

    def metrics(self, active: int) -> SpawnMetrics:
        """A copy, which nothing here changes any more."""
        return SpawnMetrics(
            total=self.total,
            active=active,
            failed=self.failed,
            refused=self.refused,
            mean_latency=self.mean_latency,
            by_trigger=+self.by_trigger,
        )

    @property
    def fails_often(self) -> bool:
        """The first rule of health: more than a tenth of the total has failed."""
        return self.failed > _FAILED_SHARE * self.total


@attrs.define
class History:
    """The records in order of time; at most `bound` of those that are gone, the newest."""

    bound: int = attrs.field(default=1000, validator=count(0))
    _records: dict[Ref, SpawnRecord] = attrs.field(factory=dict["Ref", SpawnRecord], init=False)
    _past: dict[Ref, None] = attrs.field(factory=dict["Ref", None], init=False)
    """Those that are gone, in order of their going."""

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[SpawnRecord]:
        """The oldest first."""
        return iter(self._records.values())

    def add(self, record: SpawnRecord) -> None:
        """A spawn that lives."""
        self._records[record.ref] = record

    def went(self, ref: Ref) -> None:
        """It is gone: its record is kept, until `bound` others have gone after it."""
        if ref not in self._records:
            return
        self._past[ref] = None
        self._trim()

    def keep(self, bound: int) -> None:
        """From now on at most so many of those that are gone."""
        self.bound = bound
        self._trim()

    def _trim(self) -> None:
        while len(self._past) > self.bound:
            self.drop(next(iter(self._past)))

    def drop(self, ref: Ref) -> None:
        """Forget it. Idempotent."""
        self._records.pop(ref, None)
        self._past.pop(ref, None)

    def clear(self) -> None:
        """Forget those that are gone."""
        for ref in tuple(self._past):
            self.drop(ref)

    def get(self, ref: Ref) -> SpawnRecord | None:
        """Its record, or None."""
        return self._records.get(ref)

    def select(
        self, *, ref: Ref | None = None, trigger: SpawnTrigger | None = None, limit: int | None = None
    ) -> list[SpawnRecord]:
        """The newest first: those of one actor, of one trigger, at most `limit`; all that are given count.

        Raises ValueError for a limit below 0; 0 is none, None is all.
        """
        if limit is not None:
            check_count("limit", limit, least=0)
        found: list[SpawnRecord] = []
        for record in _newest_first(self._records, ref):
            if limit is not None and len(found) >= limit:
                break
            if trigger is None or record.trigger == trigger:
                found.append(record)
        return found


def _newest_first(records: dict[Ref, SpawnRecord], ref: Ref | None) -> Iterable[SpawnRecord]:
    if ref is not None:
        return (records[ref],) if ref in records else ()
    return reversed(records.values())
