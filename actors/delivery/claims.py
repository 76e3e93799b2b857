"""Whose a name is, where several nodes share a store: claims, their renewal, and what the others do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from actors.delivery.dispatch import Line
from actors.delivery.errors import NotTheOwner, StoreError
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
        self._wanted: set[str] = set()
        self._given_up: dict[str, int | None] = {}
        """What is to be released, each with the token that was its."""
        self._busy: set[str] = set()
        """Names that the directory is being asked about: one question at a time about each."""
        self._answered = trio.lowlevel.ParkingLot()

    def claim(self, one: Recipient) -> None:
        """Try to make its name this node's."""
        if self._rounds.nursery is not None:
            self._wanted.add(one.path)
            self._see_to(one.path)

    def release(self, one: Recipient) -> None:
        """Its actor has gone: others may have the name."""
        token, one.token, one.is_ours = one.token, None, False
        one.line.complete = True
        one.line.waiting.clear()
        if self._rounds.nursery is not None:
            self._given_up.setdefault(one.path, token)
            self._see_to(one.path)

    def stop(self) -> None:
        """The store is closed, and with it all names are given up."""
        self._wanted.clear()
        self._given_up.clear()
        for one in self._rounds.known.values():
            one.is_ours = False
            self._begin_anew(one, None)

    def _see_to(self, path: str) -> None:
        if self._rounds.nursery is not None and path not in self._busy:
            self._busy.add(path)
            self._rounds.nursery.start_soon(self._agree, path)

    async def _agree(self, path: str) -> None:
        """Give up, then claim, until nothing more is wanted."""
        assert self._rounds.engine is not None
        directory = self._rounds.engine.directory
        assert directory is not None
        try:
            while True:
                if path in self._given_up:
                    await self._release_now(directory, path, self._given_up.pop(path))
                elif path in self._wanted:
                    self._wanted.discard(path)
                    await self._claim_now(directory, path)
                else:
                    break
        except StoreError as error:  # it is tried again with the next renewal
            self._office.trouble(error)
        finally:
            self._busy.discard(path)
            self._answered.unpark_all()

    async def _release_now(self, directory: Directory, path: str, token: int | None) -> None:
        if token is not None:  # what was handled before is still said in its name
            await self._office.pump.settled(lambda one: getattr(one, "token", None) == token)
        try:
            await directory.release(path)
        except StoreError:
            self._given_up.setdefault(path, None)  # the lease is renewed, and others may wait for the name
            raise

    async def _claim_now(self, directory: Directory, path: str) -> None:
        one = self._rounds.known.get(path)
        if one is None or one.cell is None or one.is_ours:
            return
        owner = await directory.claim(path)
        is_ours = owner.node == self._kernel.name
        is_stale = is_ours and await self._office.states.is_stale(path, owner.token)
        if path in self._given_up:  # it went meanwhile
            return
        if not is_ours or owner.token != one.token:
            self._begin_anew(one, owner.token if is_ours else None)
        if not is_ours:
            self._office.tell(NameElsewhere(self._kernel.now(), path, owner.node))
            return
        if is_stale:  # another node has had the name meanwhile: it begins anew with what was saved there
            one.cell.halt()
        one.is_ours = True
        one.line.complete = False
        self._rounds.look(path)
        self._rounds.exchange.carrying.showing.look(path)

    def _begin_anew(self, one: Recipient, token: int | None) -> None:
        """What is known of it is from an earlier time of the name."""
        one.token = token
        one.line = Line(one.line.policy, complete=True)
        self._rounds.deliveries.disown(one.path, token)

    def lost(self, one: Recipient, token: int | None) -> None:
        """The name is another node's, or was: what waits there is that one's, until it is claimed."""
        if one.token == token:
            one.is_ours = False
            one.line.complete = True
            if one.cell is not None:
                self.claim(one)

    async def proof(self, path: str) -> int | None:
        """The token by which this node may write about a name; None where it needs none. A checkpoint.

        Raises `NotTheOwner` and `StoreError`.
        """
        await trio.lowlevel.checkpoint()
        while path in self._busy:
            await self._answered.park()
        one = self._rounds.known.get(path)
        directory = None if self._rounds.engine is None else self._rounds.engine.directory
        if directory is None or (one is not None and one.is_ours):
            return None if one is None else one.token
        owner = await directory.owner(path)
        if owner is not None and owner.node != self._kernel.name:
            raise NotTheOwner(path)
        return None

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
            for path in tuple(self._given_up):
                self._see_to(path)

    async def listen(self, engine: Engine) -> None:
        """Hear what other nodes do. What they did while there was no courier was told nobody."""
        await self._look_at_all()
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
