"""How many workers a pool has: what `scale` decides is done here, in the pool's own task."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from actors.errors import ActorError, BudgetSpent, SpawnRefused, UnknownNode
from actors.events import CheckFailed, PoolGrew, PoolShrank
from actors.spawning.scale import Grow, Load, Shrink, decide
from actors.spawning.triggers import SpawnTrigger, SuccessRate, performance_fires
from actors.spawning.worker import Worker

if TYPE_CHECKING:
    from actors.core.alarms import Alarm
    from actors.core.cell import Cell
    from actors.core.place import Place
    from actors.spawning.pool import Pool
    from actors.spawning.poolcell import PoolFamily
    from actors.spawning.spawner import Spawner
    from actors.spawning.workforce import Workforce

__all__ = ["Staffing"]

_HEARD, _SILENT, _LOST = range(3)


class Staffing:
    """Starts and retires the workers of one incarnation of a pool."""

    def __init__(self, cell: PoolFamily, pool: Pool, spawner: Spawner, force: Workforce) -> None:
        self._cell = cell
        self._pool = pool
        self._spawner = spawner
        self._force = force
        self._scaling = pool.scaling
        limits = pool.scaling.limits
        self._measures = limits.auto and limits.performance_threshold > 0
        self._success = SuccessRate()
        self._rated: float | None = None
        """When it last changed; None while there is none."""
        self._alarm: Alarm | None = None
        self._changed: float | None = None
        self._grown: float | None = None
        self._tried: float | None = None
        """When it last wanted to grow: also what fails is tried once in a cooldown."""

    # --- the first ones ---

    def fill(self) -> tuple[Cell, ...]:
        """Start as many as there must be at least: one attempt each, as with `start`.

        The first time all nodes have to be known, else `UnknownNode`; later on one will do.
        """
        if not self._cell.readies:
            for node in self._pool.on:
                self._place(node)
        for _ in range(self._scaling.minimum):
            node = min(self._nodes(), key=self._remoteness)
            self._start(SpawnTrigger.MANUAL, node).trial = True
        return tuple(self._force.workers)

    async def wait_filled(self, first: tuple[Cell, ...]) -> None:
        """Return when they are ready, or raise the error of one that will not be."""
        while not all(cell.readies for cell in first):
            await self._cell.changed()
            for cell in first:
                error = cell.why_not_ready(cell.exit) if cell.is_gone and cell.exit is not None else None
                if error is not None:
                    raise error

    # --- looking ---

    def wants_to_know(self, worker: Worker, well: bool) -> bool:
        """Whether to look, now that a worker has handled a message."""
        if self._measures:
            self._success.add(1, 0 if well else 1)
            self._rated = self._cell.now()
            rate = self._success.value
            if rate is not None and performance_fires(rate, self._scaling.limits):
                return True
        return self.may_be_too_many(worker)

    def may_be_too_many(self, worker: Worker) -> bool:
        """Whether to look, so that somebody looks again when this worker was idle for too long."""
        return not worker.open and self._alarm is None and len(self._force.workers) > self._scaling.minimum

    def look(self) -> None:
        """Grow or shrink, and see that somebody looks again when time alone may change the answer."""
        now = self._cell.now()
        self._forget_old_rate(now)
        while True:
            left = self._cooldown_left(now)
            decision = decide(self._scaling, self._load(), now, left, self._changed, last_growth=self._grown)
            if isinstance(decision, Shrink):
                self._shrink(decision.count)
            elif isinstance(decision, Grow):
                room = self._scaling.ceiling - len(self._force.workers)
                if room <= 0:
                    self.look_at(None)  # until one that retires or is held back is gone, or takes messages
                    return
                if not self._grow(decision.trigger, min(decision.count, room)):
                    self.look_at(now + self._scaling.limits.cooldown)
                    return
            else:
                self.look_at(self._sooner(decision.until, now))
                return

    def _forget_old_rate(self, now: float) -> None:
        """Of a pool that has had nothing to do for long, the last outcomes say nothing any more."""
        if self._rated is not None and now >= self._rated + self._scaling.idle and not self._force.is_busy:
            self._success.clear()
            self._rated = None

    def _sooner(self, until: float | None, now: float) -> float | None:
        """`until`, or when the rate will be old, if that comes before."""
        old = math.inf if self._rated is None else self._rated + self._scaling.idle
        if not now < old < math.inf:
            return until
        return old if until is None else min(until, old)

    def look_at(self, time: float | None) -> None:
        """Look again at `time`; None: when there is news."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if time is not None:
            self._alarm = self._cell.kernel.alarms.at(time, self._ring)

    def _ring(self) -> None:
        self._alarm = None
        self._cell.tell_news()

    def _cooldown_left(self, now: float) -> float:
        if self._tried is None:
            return 0.0
        at = self._tried + self._scaling.limits.cooldown
        return 0.0 if now >= at else at - now  # compared as times: a difference may miss the moment

    def _load(self) -> Load:
        cell, force = self._cell, self._force
        living = [worker for worker in force.workers.values() if worker.counts]
        since = [since for worker in living for since in worker.waiting_since()]
        oldest = cell.lanes.oldest()
        if oldest is not None:
            since.append(oldest)
        return Load(
            workers=len(living),
            booting=sum(not worker.cell.readies for worker in living),
            free=sum(worker.takes and not worker.open for worker in living),
            waiting=cell.depth + force.queued,
            oldest=max(0.0, cell.stamp() - min(since)) if since else 0.0,
            success=self._success.value,
            idle=tuple(worker.spare_since for worker in living if worker.spare_since is not None),
        )

    # --- growing ---

    def _grow(self, trigger: SpawnTrigger, count: int) -> bool:
        self._tried = self._cell.now()
        return all(self._start_somewhere(trigger) for _ in range(count))

    def _start_somewhere(self, trigger: SpawnTrigger) -> bool:
        for node in self._nodes():
            try:
                self._start(trigger, node)
            except SpawnRefused:  # of limits above the pool's own: it has been reported
                return False
            except BudgetSpent as error:  # no other node has one
                self._cell.kernel.emit(CheckFailed, self._cell.ref, "growth", error)
                return False
            except (ActorError, OSError) as error:
                self._cell.kernel.emit(CheckFailed, self._cell.ref, "growth", error)
            else:
                self._success.clear()
                return True
        return False

    def _start(self, trigger: SpawnTrigger, node: str | None) -> Cell:
        cell, load = self._cell, self._load()
        ref = self._spawner._spawn_at_once(  # pyright: ignore[reportPrivateUsage]
            self._pool.template, name=self._free_name(), trigger=trigger, on=node
        )
        self._force.add(ref.cell)
        self._tried = self._changed = self._grown = cell.now()
        cell.kernel.emit(PoolGrew, cell.ref, ref, self._count, str(trigger), load.waiting, load.oldest)
        return ref.cell

    @property
    def _count(self) -> int:
        return sum(worker.counts for worker in self._force.workers.values())

    def _free_name(self) -> str:
        """The lowest free number: who has it next has the same keys."""
        number = 1
        while not self._cell.has_free(name := f"{self._pool.stem}-{number}"):
            number += 1
        return name

    def _nodes(self) -> list[str | None]:
        """Where to start one: the node with the fewest workers first, the first of several.

        One that is not heard comes last, as it may stay silent; one that is lost refuses by itself.
        """
        there = [worker.cell.node for worker in self._force.workers.values() if worker.counts]
        order = sorted(self._pool.on, key=there.count)
        return [*sorted(order, key=lambda node: self._remoteness(node) == _SILENT)] or [None]

    def _place(self, node: str) -> Place | None:
        """Another node as a place for workers; None for this one. Raises `UnknownNode`."""
        kernel = self._cell.kernel
        return None if node == kernel.name else kernel.place_for(node)

    def _remoteness(self, node: str | None) -> int:
        """Here or heard, silent, lost or never known."""
        try:
            place = None if node is None else self._place(node)
        except UnknownNode:
            return _LOST
        return _HEARD if place is None or place.answers else _SILENT

    # --- shrinking ---

    def _shrink(self, count: int) -> None:
        """Retire those that have been idle for longest; of several, the youngest."""
        cell = self._cell
        now = self._changed = cell.now()
        idle = [
            (worker.spare_since, worker)
            for worker in reversed(self._force.workers.values())
            if worker.counts and worker.spare_since is not None
        ]
        for since, worker in sorted(idle, key=lambda one: one[0])[:count]:
            worker.cell.drain()
            cell.kernel.emit(PoolShrank, cell.ref, worker.cell.ref, self._count, now - since)
