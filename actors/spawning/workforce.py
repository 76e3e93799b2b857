"""The workers of one incarnation of a pool: who is there, who has what, who gets the next message, how many.

A message stays in the pool's own mailbox, bounded and counted like any, until a worker has
room for it; it is handed on in the step in which that is known. Growing and shrinking are
decided in `scale`, and done in the pool's own task.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING

from actors.core import orders as order
from actors.core.cell import Cell
from actors.core.hand import still_wanted
from actors.core.lifecycle import Phase
from actors.core.mailbox import ASKED, MESSAGE, SENDER, Item
from actors.errors import ActorError, ActorFailed, SpawnRefused
from actors.events import CheckFailed, DeadLetterReason, PoolGrew, PoolShrank
from actors.exits import Exit
from actors.messages import Nudge, Terminated
from actors.spawning.delegated import Delegated
from actors.spawning.routing import KeyRing, LeastBusy, RoundRobin, Router
from actors.spawning.scale import Grow, Load, Shrink, decide
from actors.spawning.triggers import SpawnTrigger, SuccessRate

if TYPE_CHECKING:
    from actors.core.alarms import Alarm
    from actors.spawning.pool import Pool
    from actors.spawning.poolcell import PoolFamily
    from actors.spawning.spawner import Spawner

__all__ = ["Workforce"]

_WITHOUT_BOUND = 1 << 30


def _name_of(worker: Cell) -> str:
    return worker.key


class Workforce:
    """The workers of one incarnation of a pool."""

    def __init__(self, cell: PoolFamily, pool: Pool, spawner: Spawner) -> None:
        self._cell = cell
        self._pool = pool
        self._spawner = spawner
        self._scaling = pool.scaling
        self._open: dict[Cell, dict[Delegated, None]] = {}
        """What each worker has, in the order of their starts; also those that retire."""
        self._idle: dict[Cell, float] = {}
        """Since when a worker that is ready has had nothing."""
        self._retiring: set[Cell] = set()
        self._holders: dict[Hashable, tuple[Cell, int]] = {}
        """Who has messages of a key, and how many: they are not handled by two at once."""
        self._success = SuccessRate()
        self._alarm: Alarm | None = None
        self._changed: float | None = None
        self._grown: float | None = None
        room = _WITHOUT_BOUND if pool.is_keyed else 1
        self._router: Router[Cell] = KeyRing(room, _name_of)
        """Who takes a message that has a key."""
        self._for_any: Router[Cell] = RoundRobin(room) if pool.routing == "round_robin" else LeastBusy(room)
        """Who takes one that has none."""

    # --- messages ---

    @property
    def is_busy(self) -> bool:
        """True while a worker has something."""
        return any(self._open.values())

    def route(self) -> None:
        """Hand on what can be handed on."""
        cell = self._cell
        while cell.routes:
            item = cell.lanes.peek()
            if item is None:
                break
            if isinstance(item[MESSAGE], Terminated | Nudge) or not still_wanted(cell, item):
                cell.take()
                continue
            try:
                key = self._pool.key_of(item[MESSAGE])
                worker = self._pick(key)
            except Exception as error:  # of the user's `key`
                self._unroutable(cell.take(), error)
                continue
            if worker is None:
                break
            if not self._hand(worker, cell.take(), key):
                break

    def _pick(self, key: Hashable) -> Cell | None:
        counts = {worker: self._count(worker) for worker in self._open if self._takes(worker)}
        held = self._holders.get(key)
        if held is not None:
            worker, _ = held
            return worker if counts.get(worker, _WITHOUT_BOUND) < _WITHOUT_BOUND else None
        router = self._for_any if key is None else self._router
        return router.pick(counts, key)

    def _takes(self, worker: Cell) -> bool:
        if worker in self._retiring or worker.is_final or worker.orders & order.SUSPEND:
            return False
        if not self._pool.is_keyed:
            return worker.ready
        return bool(worker.readies) and worker.phase is not Phase.TRIPPED  # its mailbox outlives a restart

    def _count(self, worker: Cell) -> int:
        held = len(self._open[worker])
        full = (worker.barred and held) or not worker.lanes.has_room
        return _WITHOUT_BOUND if full else held

    def _hand(self, worker: Cell, item: Item, key: Hashable) -> bool:
        """False when the worker would not have it after all."""
        delegated = Delegated(worker, self, item, key)
        self._note(delegated)
        self._idle.pop(worker, None)
        worker.enter(delegated, item[MESSAGE], item[SENDER])
        return delegated in self._open.get(worker, ()) or delegated.done

    def _unroutable(self, item: Item, error: Exception) -> None:
        cell = self._cell
        cell.kernel.emit(CheckFailed, cell.ref, "key", error)
        if item[ASKED] is not None:
            item[ASKED].fail(ActorFailed(cell.ref, error))
        else:
            cell.kernel.dead_letter(cell, item[MESSAGE], item[SENDER], DeadLetterReason.UNHANDLED)

    def _note(self, delegated: Delegated) -> None:
        worker, key = delegated.cell, delegated.key
        self._open[worker][delegated] = None
        if key is not None:
            _, many = self._holders.get(key, (worker, 0))
            self._holders[key] = worker, many + 1

    def _strike(self, delegated: Delegated) -> None:
        worker, key = delegated.cell, delegated.key
        held = self._open.get(worker)
        if held is None or held.pop(delegated, 0) == 0:
            return
        if key is not None:
            _, many = self._holders[key]
            if many > 1:
                self._holders[key] = worker, many - 1
            else:
                del self._holders[key]
        if not held and worker.ready:
            self._idle[worker] = self._cell.now()

    # --- what the workers do, see `Delegator` and `Follower` ---

    def finished(self, delegated: Delegated, well: bool, /) -> None:
        """See `Delegator`."""
        self._strike(delegated)
        self._success.add(1, 0 if well else 1)
        cell = self._cell
        cell.handled += 1
        cell.active_at = cell.now()
        self.route()
        if not well or cell.orders & order.DRAIN or self._should_look():
            cell.wake()

    def came_back(self, delegated: Delegated, /) -> None:
        """See `Delegator`."""
        self._strike(delegated)
        self._cell.lanes.put_back(delegated.item)
        self._cell.wake()

    def replaced(self, delegated: Delegated, rest: Delegated, /) -> None:
        """See `Delegator`."""
        self._note(rest)
        self._strike(delegated)

    def became_ready(self, worker: Cell, /) -> None:
        """See `Follower`."""
        if not self._open.get(worker):
            self._idle[worker] = self._cell.now()
        self._cell.wake()

    def went(self, worker: Cell, exit: Exit, /) -> None:
        """See `Follower`."""
        self._open.pop(worker, None)
        self._idle.pop(worker, None)
        self._retiring.discard(worker)
        self._cell.wake()

    def reclaim(self, items: list[Item]) -> list[Item]:
        """A worker ends with these in its mailbox: those that did not come from here."""
        others: list[Item] = []
        mine: list[Item] = []
        for item in items:
            delegated = item[ASKED]
            if isinstance(delegated, Delegated):
                mine.append(delegated.withdraw())
                self._strike(delegated)
            else:
                others.append(item)
        self._cell.lanes.restore(mine)
        self._cell.wake()
        return others

    # --- how many ---

    def _should_look(self) -> bool:
        """True when a worker has become idle, and nobody would look when it has been so for too long."""
        return bool(self._idle) and self._alarm is None and len(self._open) > self._scaling.minimum

    def fill(self) -> None:
        """Start as many as there must be at least."""
        while self._workers < self._scaling.minimum:
            self._start(SpawnTrigger.MANUAL)

    def look(self) -> None:
        """Grow or shrink, and see that somebody looks again when time alone may change the answer."""
        now = self._cell.now()
        until: float | None = None
        while True:
            decision = decide(
                self._scaling, self._load(), now, self._cooldown(), self._changed, last_growth=self._grown
            )
            if isinstance(decision, Grow):
                if not self._grow(decision):
                    until = now + self._scaling.limits.cooldown
                    break
            elif isinstance(decision, Shrink):
                self._shrink(decision.count)
            else:
                until = decision.until
                break
        self._look_at(until)

    def _cooldown(self) -> float:
        return self._spawner.cooldown_remaining(self._pool.template)

    def _look_at(self, until: float | None) -> None:
        self.disarm()
        if until is not None:
            self._alarm = self._cell.kernel.alarms.at(until, self._ring)

    def _ring(self) -> None:
        self._alarm = None
        self._cell.wake()

    def disarm(self) -> None:
        """Nobody looks any more."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    @property
    def _workers(self) -> int:
        return sum(1 for worker in self._open if self._counts(worker))

    def _counts(self, worker: Cell) -> bool:
        """Whether it is there for the pool; not one that retires, or that its breaker holds back."""
        return worker not in self._retiring and not worker.is_final and worker.phase is not Phase.TRIPPED

    def _load(self) -> Load:
        cell = self._cell
        living = [worker for worker in self._open if self._counts(worker)]
        queues = [cell, *(living if self._pool.is_keyed else ())]
        since = [at for at in (queue.lanes.oldest() for queue in queues) if at is not None]
        return Load(
            workers=len(living),
            booting=sum(1 for worker in living if not worker.readies),
            free=sum(1 for worker in living if self._takes(worker) and not self._count(worker)),
            waiting=sum(queue.depth for queue in queues),
            oldest=max(0.0, cell.stamp() - min(since)) if since else 0.0,
            success=self._success.value,
            idle=tuple(self._idle[worker] for worker in living if worker in self._idle),
        )

    def _grow(self, decision: Grow) -> bool:
        for _ in range(decision.count):
            try:
                self._start(decision.trigger)
            except SpawnRefused:  # of limits above the pool's own: it has been reported
                return False
            except (ActorError, OSError) as error:
                self._cell.kernel.emit(CheckFailed, self._cell.ref, "growth", error)
                return False
        self._success.clear()
        return True

    def _start(self, trigger: SpawnTrigger) -> None:
        cell, load = self._cell, self._load()
        ref = self._spawner._spawn_at_once(  # pyright: ignore[reportPrivateUsage]
            self._pool.template, name=self._free_name(), trigger=trigger, on=self._next_node()
        )
        self._open[ref.cell] = {}
        cell.kernel.follow(ref.cell, self)
        self._changed = self._grown = cell.now()
        facts = ref, self._workers, str(trigger), load.waiting, load.oldest
        cell.kernel.emit(PoolGrew, cell.ref, *facts)

    def _free_name(self) -> str:
        """The lowest free number: the breaker and the place on the ring of who had it go on."""
        number = 1
        while (name := f"{self._pool.stem}-{number}") in self._cell.children:
            number += 1
        return name

    def _next_node(self) -> str | None:
        """The node with the fewest workers, the first of several."""
        if not self._pool.on:
            return None
        there = [worker.node for worker in self._open if self._counts(worker)]
        return min(self._pool.on, key=there.count)

    def _shrink(self, count: int) -> None:
        cell, now = self._cell, self._cell.now()
        order_of_start = list(self._open)
        longest = sorted(self._idle, key=lambda one: (self._idle[one], -order_of_start.index(one)))
        for worker in [one for one in longest if self._counts(one)][:count]:
            self._retiring.add(worker)
            idle = now - self._idle.pop(worker)
            self._changed = now
            worker.drain()
            cell.kernel.emit(PoolShrank, cell.ref, worker.ref, self._workers, idle)
