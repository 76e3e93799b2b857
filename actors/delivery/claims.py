"""Whose a name is, where several nodes share a store: claims, their renewal, and what the others do."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import trio

from actors.delivery.dispatch import Line
from actors.delivery.errors import StoreError
from actors.delivery.recipient import Recipient
from actors.delivery.store import Arrived, Changed, Directory, Engine
from actors.events import NameElsewhere

if TYPE_CHECKING:
    from actors.delivery.office import Office
    from actors.delivery.rounds import Rounds

__all__ = ["Claims"]


class Claims:
    """The names of this node."""

    def __init__(self, office: Office, rounds: Rounds) -> None:
        self._office = office
        self._kernel = office.kernel
        self._rounds = rounds

    def claim(self, one: Recipient) -> None:
        """Try to make its name this node's."""
        if self._rounds.nursery is not None and not one.claiming:
            one.claiming = True
            self._rounds.nursery.start_soon(self._claim_now, one)

    async def _claim_now(self, one: Recipient) -> None:
        """Make the name ours, if it is nobody's."""
        assert self._rounds.engine is not None
        directory = self._rounds.engine.directory
        assert directory is not None
        try:
            owner = await directory.claim(one.path)
            is_ours = owner.node == self._kernel.name
            is_stale = is_ours and await self._office.is_stale(one.path, owner.token)
        except StoreError as error:  # it is tried again with the next renewal
            self._office.trouble(error)
            return
        finally:
            one.claiming = False
        if not is_ours:
            self._office.tell(NameElsewhere(self._kernel.now(), one.path, owner.node))
        elif one.cell is None:  # it went meanwhile
            await directory.release(one.path)
        else:
            if is_stale:  # another node has had the name meanwhile: it begins anew with what was saved there
                one.cell.halt()
            one.is_ours = True
            one.token = owner.token
            one.line.complete = False
            self._rounds.look(one.path)
            self._rounds.exchange.carrying.showing.look(one.path)

    def lost(self, one: Recipient, token: int | None) -> None:
        """The name is another node's, or was meanwhile: what waits there is that one's."""
        if one.token != token:
            return
        one.is_ours = False
        one.token = None
        one.line = Line(one.line.policy, complete=True)
        if one.cell is not None:
            self.claim(one)

    def release(self, one: Recipient) -> None:
        """Its actor has gone: others may have the name."""
        one.is_ours = False
        one.token = None
        one.line.complete = True
        one.line.waiting.clear()
        if self._rounds.nursery is not None:
            self._rounds.nursery.start_soon(self._release_now, one.path)

    async def _release_now(self, path: str) -> None:
        await self._office.pump.flushed()  # what it has handled before is still said in its name
        one = self._rounds.known.get(path)
        directory = None if self._rounds.engine is None else self._rounds.engine.directory
        if directory is None or (one is not None and one.is_ours):
            return
        with suppress(StoreError):  # then it lapses with the lease
            await directory.release(path)
        if one is not None and one.cell is not None:
            self.claim(one)

    async def renew(self, directory: Directory) -> None:
        """Keep this node's names its own."""
        assert self._rounds.engine is not None
        while True:
            await trio.sleep(self._office.lease / 3)
            try:
                is_kept = await directory.renew()
                due = await self._rounds.engine.next_due()  # another node's, which may be gone by now
            except StoreError as error:
                self._office.trouble(error)
                continue
            self._rounds.timing.arm(due)
            for one in tuple(self._rounds.known.values()):
                if not is_kept and one.is_ours:
                    self.lost(one, one.token)
                elif not one.is_ours and one.cell is not None:
                    self.claim(one)

    async def listen(self, engine: Engine) -> None:
        """Hear what other nodes do."""
        async for signal in engine.signals():
            if isinstance(signal, Arrived):
                if signal.path in self._rounds.known:
                    self._rounds.more(signal.path, signal.priority)
            elif isinstance(signal, Changed):
                await self._office.refresh(signal.id)
            else:
                await self._look_at_all()

    async def _look_at_all(self) -> None:
        """Signals may have been lost."""
        for path in tuple(self._rounds.known):
            self._rounds.more(path)
        for ticket_id in self._office.held():
            await self._office.refresh(ticket_id)
