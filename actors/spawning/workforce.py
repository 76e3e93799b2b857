"""The messages of one incarnation of a pool: who has what, and who gets the next one.

A message stays in the pool's own mailbox, bounded and counted like any, until a worker has
room for it; it is handed on in the step in which that is known. Where that is a step of
a worker, only messages move: whatever else is to be done waits for the pool's own task, in `staffing`.

Who takes messages is remembered (`_takers`), and looked at again with each news of a worker. Nobody
tells of one that takes no more, so whoever is picked is asked once more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs

from actors.core.hand import still_wanted
from actors.core.mailbox import ASKED, MARK, MESSAGE, SENDER, Item
from actors.core.pace import BATCH
from actors.errors import ActorFailed
from actors.events import CheckFailed, DeadLetterReason
from actors.exits import Exit
from actors.messages import Nudge, Terminated
from actors.spawning.delegated import Delegated
from actors.spawning.routing import KeyRing, LeastBusy, RoundRobin, Router, canonical
from actors.spawning.worker import Worker

if TYPE_CHECKING:
    from actors.core.cell import Cell
    from actors.spawning.pool import Pool
    from actors.spawning.poolcell import PoolFamily

__all__ = ["Workforce"]

_WITHOUT_BOUND: Final = 1 << 30


def _name_of(worker: Worker) -> str:
    return worker.name


@attrs.frozen
class _Room:
    """Waits for room in a worker's mailbox, see `Waiter`: somebody else had filled it."""

    cell: PoolFamily

    def admitted(self) -> None:
        """There is room."""
        self.cell.tell_news()


class Workforce:
    """The workers of one incarnation of a pool, and their messages."""

    def __init__(self, cell: PoolFamily, pool: Pool) -> None:
        self.workers: dict[Cell, Worker] = {}
        """All that live, in the order of their starts."""
        self.queued = 0
        """Messages that wait in the workers' mailboxes, behind those in hand."""
        self._cell = cell
        self._keyed = pool.is_keyed
        self._key = pool.key
        self._takers: dict[Worker, int] = {}
        """Those that take messages, with how many they have."""
        self._holders: dict[bytes, tuple[Worker, int]] = {}
        """Who has messages of a key, and how many: they are not handled by two at once."""
        room = _WITHOUT_BOUND if pool.is_keyed else 1
        self._for_keys: Router[Worker] = KeyRing(room, _name_of)
        self._for_any: Router[Worker] = RoundRobin(room) if pool.routing == "round_robin" else LeastBusy(room)

    @property
    def is_busy(self) -> bool:
        """True while a worker has something."""
        return any(worker.open for worker in self.workers.values())

    def add(self, cell: Cell) -> None:
        """A worker has been started."""
        self.workers[cell] = Worker(cell, self._keyed)
        cell.kernel.follow(cell, self)

    def refresh(self) -> None:
        """See who takes messages."""
        self._takers = {worker: len(worker.open) for worker in self.workers.values() if worker.takes}

    def route(self) -> bool:
        """Hand on what can be handed on; True when there may be more, after a batch."""
        cell, lanes = self._cell, self._cell.lanes
        handed = 0
        while cell.routes and (item := lanes.peek()) is not None:
            message = item[MESSAGE]
            if isinstance(message, Terminated | Nudge) or not still_wanted(cell, item):
                cell.take()
                continue
            key, error = self._key_of(message)
            if lanes.peek() is not item or not cell.routes:  # the user's `key` may do anything
                continue
            if error is not None:
                self._unroutable(cell.take(), error)
                continue
            worker = self._pick(key)
            if worker is None:
                break
            if handed == BATCH:
                return True
            handed += 1
            early = self._keyed and item[MARK] is None and not lanes.closed and bool(lanes.early)
            self._hand(worker, cell.take(), key, early)
        return False

    def _key_of(self, message: object) -> tuple[bytes | None, Exception | None]:
        """Its key, or the error of the user's `key` or of what that gave."""
        try:
            key = None if self._key is None else self._key(message)
            return None if key is None else canonical(key), None
        except Exception as error:
            return None, error

    def _pick(self, key: bytes | None) -> Worker | None:
        if key in self._holders:
            worker, _ = self._holders[key]
        else:
            router = self._for_any if key is None else self._for_keys
            worker = router.pick(self._takers, key)
            if worker is not None and not worker.takes:
                self.refresh()
                worker = router.pick(self._takers, key)
        if worker is None or not worker.takes or (self._keyed and not self._has_room(worker)):
            return None
        return worker

    def _has_room(self, worker: Worker) -> bool:
        room = worker.cell.lanes.has_room
        if not room and not worker.open:  # somebody else has filled it: nothing of ours ends there
            worker.cell.tell_of_room(_Room(self._cell))
        return room

    def _hand(self, worker: Worker, item: Item, key: bytes | None, urgent: bool) -> None:
        delegated = Delegated(worker, self, item, key)
        self._note(delegated)
        worker.idle_since = None
        worker.cell.enter(delegated, item[MESSAGE], item[SENDER], urgent)

    def _unroutable(self, item: Item, error: Exception) -> None:
        cell = self._cell
        cell.kernel.emit(CheckFailed, cell.ref, "key", error)
        if item[ASKED] is not None:
            item[ASKED].fail(ActorFailed(cell.ref, error))
        else:
            cell.kernel.dead_letter(cell, item[MESSAGE], item[SENDER], DeadLetterReason.UNHANDLED)

    def _note(self, delegated: Delegated) -> None:
        worker, key = delegated.worker, delegated.key
        if worker.open:
            self.queued += 1
        worker.open[delegated] = None
        if worker in self._takers:
            self._takers[worker] += 1
        if key is not None:
            _, many = self._holders.get(key, (worker, 0))
            self._holders[key] = worker, many + 1

    def _strike(self, delegated: Delegated) -> None:
        worker, key = delegated.worker, delegated.key
        del worker.open[delegated]
        if worker.open:
            self.queued -= 1
        elif worker.cell.ready:
            worker.idle_since = self._cell.now()
        if worker in self._takers:
            self._takers[worker] -= 1
        if key is not None:
            _, many = self._holders[key]
            if many > 1:
                self._holders[key] = worker, many - 1
            else:
                del self._holders[key]

    # --- what the workers do, see `Delegator` and `Follower` ---

    def finished(self, delegated: Delegated, well: bool, /) -> None:
        """See `Delegator`."""
        self._strike(delegated)
        cell = self._cell
        cell.handled += 1
        cell.active_at = cell.now()
        # What a probe has shown is known in a moment: until then, its worker takes nothing.
        more = delegated.worker.cell.barred or self.route()
        if cell.wants_to_know(delegated.worker, well) or more:
            cell.tell_news()

    def skipped(self, delegated: Delegated, /) -> None:
        """See `Delegator`."""
        self._strike(delegated)
        self._cell.tell_news()

    def came_back(self, delegated: Delegated, /) -> None:
        """See `Delegator`."""
        self._strike(delegated)
        cell = delegated.worker.cell
        self._takers.pop(delegated.worker, None)  # until there is news: others first
        if not cell.lanes.closed and not cell.lanes.has_room:
            cell.tell_of_room(_Room(self._cell))
        self._cell.lanes.put_back(delegated.item)
        self._cell.wake()

    def replaced(self, delegated: Delegated, rest: Delegated, /) -> None:
        """See `Delegator`."""
        self._note(rest)
        self._strike(delegated)

    def caught_up(self, delegated: Delegated, /) -> None:
        """See `Delegator`."""
        worker, cell = delegated.worker, self._cell
        del worker.owed[delegated]
        if worker.idle_since is not None:
            worker.idle_since = cell.now()
        if cell.staff.may_be_too_many(worker):
            cell.tell_news()

    def became_ready(self, cell: Cell, /) -> None:
        """See `Follower`."""
        worker = self.workers[cell]
        if not worker.open:
            worker.idle_since = cell.now()
        self._cell.tell_news()

    def went(self, cell: Cell, exit: Exit, /) -> None:
        """See `Follower`."""
        del self.workers[cell]
        self._cell.tell_news()

    def reclaim(self, items: list[Item]) -> tuple[list[Item], list[Item]]:
        """What is taken from a worker's mailbox: the items as they came to the pool, and those of others."""
        mine: list[Item] = []
        others: list[Item] = []
        for item in items:
            delegated = item[ASKED]
            if isinstance(delegated, Delegated):
                mine.append(delegated.withdraw())
                self._strike(delegated)
            else:
                others.append(item)
        return mine, others
