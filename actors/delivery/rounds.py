"""The rounds: who gets which posted message now. Everything here is a plain call, but for the loads.

For each recipient that is here, or has something in hand, there is a `Line`, which decides; this file does
what it answers. How a delivery goes is in `deliveries`, how a ticket ends in `settling`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import trio

from actors.delivery.claims import Claims
from actors.delivery.deliveries import Deliveries
from actors.delivery.dispatch import Give, Line, Load
from actors.delivery.errors import NotTheOwner, StoreError
from actors.delivery.exchange import Exchange
from actors.delivery.recipient import Recipient, is_recipient
from actors.delivery.settling import Settling
from actors.delivery.store import Engine
from actors.delivery.ticket import Entry, TicketState
from actors.delivery.timing import Timing
from actors.exits import Exit
from actors.policy import Delivery

if TYPE_CHECKING:
    from actors.core.cell import Cell
    from actors.delivery.office import Office

__all__ = ["Rounds"]


class Rounds:
    """All recipients of one system."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._kernel = office.kernel
        self.known: dict[str, Recipient] = {}
        """Those that are here, or have something in hand."""
        self._elsewhere: dict[str, int] = {}
        """Those for which the store has something, and that are not here: each with when that was seen last.
        Not for a shared store, which tells of what arrives."""
        self._sights = 0
        self._is_shared = office.store.is_shared
        self.engine: Engine | None = None
        self.nursery: trio.Nursery | None = None
        self.claims = Claims(office, self)
        self.deliveries = Deliveries(office, self)
        self.settling = Settling(office, self)
        self.timing = Timing(office, self)
        self.exchange = Exchange(office, self, office.neighbours)
        self._seeking = self.exchange.abroad.seeking

    async def start(self, engine: Engine, nursery: trio.Nursery, courier: Cell) -> None:
        """The store is open: look at what is in it. A checkpoint."""
        self.engine = engine
        self.nursery = nursery
        waiting = [path for path in await engine.waiting() if path not in self.known]
        if not self._is_shared:
            self._elsewhere.update(dict.fromkeys(waiting, 0))
        self._kernel.named_ready = self.named_ready
        for path in waiting:
            if self._find(path) is None:
                self._seek(path)
        for one in tuple(self.known.values()):
            if one.cell is not None and not one.is_ours:
                self.claims.claim(one)
            self.look(one.path)
        self.exchange.begin(courier)
        self.timing.arm(await engine.next_due())
        if engine.directory is not None:
            nursery.start_soon(self.claims.renew, engine.directory)
            nursery.start_soon(self.claims.listen, engine)
        if await engine.last_change():
            self.timing.begin()

    def rest(self) -> None:
        """The courier ends, and with it its tasks: no new one is begun, which its nursery may not take."""
        self.nursery = None

    def stop(self) -> None:
        """The courier has ended. What is in hand goes on, and what becomes of it will be written."""
        self.engine = self.nursery = None
        self.timing.stop()
        for one in self.known.values():
            if one.alarm is not None:
                one.alarm.cancel()
            if one.line.loading:
                one.line.not_loaded()
        if self._is_shared:
            self.claims.stop()

    def token_of(self, path: str) -> int | None:
        """With what this node proves that a name is its own."""
        one = self.known.get(path)
        return None if one is None else one.token

    # --- who is there ---

    def named_ready(self, cell: Cell) -> None:
        """An actor with a name is ready."""
        path = cell.path
        one = self.known.get(path)
        if one is None and (path in self._elsewhere or (self._is_shared and is_recipient(path))):
            one = self.open(path)
        if one is not None:
            self._meet(one, cell)
            self.look(path)
        self.exchange.carrying.showing.look(path)

    def open(self, path: str) -> Recipient:
        """A recipient comes into sight."""
        complete = path not in self._elsewhere or self._is_shared  # what is not ours is not loaded
        self._elsewhere.pop(path, None)
        one = self.known[path] = Recipient(path, Line(complete=complete), is_ours=not self._is_shared)
        return one

    def _meet(self, one: Recipient, cell: Cell) -> None:
        if one.cell is not cell:
            if one.cell is not None:
                self._kernel.unfollow(one.cell, self)
            one.cell = cell
            one.suit()
            self._kernel.follow(cell, self)
        if not one.is_ours:
            self.claims.claim(one)

    def _find(self, path: str) -> Recipient | None:
        """The round of a recipient that is here."""
        one = self.known.get(path)
        if one is not None and one.cell is not None:
            return one
        ref = self._kernel.system.find(path)
        if ref is None:
            return one
        if one is None:
            one = self.open(path)
        self._meet(one, ref.cell)
        return one

    def serves(self, path: str) -> bool:
        """Whether there is a recipient, ready or not, for what waits."""
        one = self.known.get(path)
        return one is not None and (one.cell is not None or bool(one.there))

    def became_ready(self, cell: Cell) -> None:
        """See `Follower`: `named_ready` hears it too."""

    def went(self, cell: Cell, exit: Exit) -> None:
        """See `Follower`: what waits for it stays in the store."""
        one = self.known.get(cell.path)
        self._office.states.forget(cell.path)
        if one is not None and one.cell is cell:
            one.cell = None
            if self._is_shared:
                self.claims.release(one)
            self._moved(one)

    def ready_there(self, path: str, node: str, delivery: Delivery) -> None:
        """A linked node has a recipient, and it is ready."""
        one = self.known.get(path)
        if one is None and path in self._elsewhere:
            one = self.open(path)
        if one is not None:
            one.there[node] = delivery
            self._moved(one)

    def gone_there(self, path: str, node: str) -> None:
        """A linked node has it no more, or it is not ready there."""
        one = self.known.get(path)
        if one is not None and one.there.pop(node, None) is not None:
            self._moved(one)

    def _moved(self, one: Recipient) -> None:
        """Who serves it may be somebody else now."""
        one.suit()
        if one.cell is None and not one.there:
            self._forget(one)
        else:
            self.look(one.path)

    def _seek(self, path: str) -> None:
        """It has something waiting, and is not here."""
        if not self._is_shared:
            self._sights += 1
            self._elsewhere[path] = self._sights
            self._seeking.seek(path)

    async def tidy(self) -> None:
        """Those that are not here, and for whom nothing waits any more, need not be known. A checkpoint."""
        assert self.engine is not None
        latest = self._sights
        live = await self.engine.waiting()
        for path, seen in tuple(self._elsewhere.items()):
            if seen <= latest and path not in live:
                del self._elsewhere[path]
                self._seeking.forget(path)

    def _forget(self, one: Recipient) -> None:
        """Nobody is there: nothing of it need be known here, once nothing of it is being written."""
        if one.alarm is not None:
            one.alarm.cancel()
        if one.line.in_hand:
            return
        del self.known[one.path]
        if one.line.waiting or not one.line.complete:
            self._seek(one.path)
        else:
            self._seeking.forget(one.path)

    # --- what is to be delivered ---

    def appended(self, entry: Entry) -> None:
        """A message was posted, and is in the store."""
        if entry.state is not TicketState.PENDING:  # its key was used before
            return
        one = self._find(entry.path)
        if self._is_shared:
            pass  # its owner hears of it, whoever that is
        elif one is None:
            self._seek(entry.path)
            self.timing.tidy_later()
        else:
            one.line.arrived(entry)
            self.look(entry.path)
        self.timing.arm(entry.due)

    def more(self, path: str, priority: int = 0) -> None:
        """The store has something new for a recipient."""
        one = self._find(path)
        if one is None:
            self._seek(path)
        elif one.is_ours:
            one.line.more(priority)
            self.look(path)
        else:
            self.claims.claim(one)

    def look(self, path: str) -> None:
        """Do for a recipient what can be done now."""
        one = self.known.get(path)
        if one is None or self.nursery is None:
            return
        while True:
            now = self._kernel.now()
            step = one.line.decide(now, one.is_ready)
            if isinstance(step, Load):
                self.nursery.start_soon(self._load, one)
            elif isinstance(step, Give):
                self.deliveries.give(one, step.entry)
            else:
                break
        if one.alarm is not None:
            one.alarm.cancel()
        one.alarm = None
        if step.until < math.inf:
            one.alarm = self._kernel.alarms.at(step.until, lambda: self.look(path))
        elif one.cell is None and not one.there:
            self._forget(one)

    async def _load(self, one: Recipient) -> None:
        assert self.engine is not None
        line, token = one.line, one.token
        limit = line.window
        try:
            # all again each time: what was given once may have been lost on its way
            entries = await self.engine.take(one.path, limit, again=True, token=token)
        except NotTheOwner:
            line.not_loaded()
            self.claims.lost(one, token)
            return
        except StoreError as error:
            self._office.trouble(error)
            line.not_loaded()
            if self.known.get(one.path) is not one:  # it has gone meanwhile
                return
            soon = self._kernel.now() + 1.0
            one.alarm = one.alarm or self._kernel.alarms.at(soon, lambda: self.look(one.path))
            return
        line.loaded(entries, complete=len(entries) < limit)
        self.look(one.path)
