"""`system.posted`: what a system has posted, for programs and people that look after it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Collection, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, cast

import trio

from actors.checks import check_count
from actors.delivery.door import checked_id, recipient_path
from actors.delivery.errors import FeedGap
from actors.delivery.operations import Change, Drop, Redeliver, Save, Saved
from actors.delivery.store import Engine
from actors.delivery.ticket import Entry, TicketState
from actors.delivery.ticketing import Ticket
from actors.errors import SystemClosed

if TYPE_CHECKING:
    from actors.delivery.office import Office

__all__ = ["Feed", "Posted"]

_PAGE: Final = 500


class Posted:
    """The tickets of a system's store. Every method is a checkpoint, and raises `StoreError`."""

    def __init__(self, office: Office) -> None:
        self._office = office

    def __repr__(self) -> str:
        return f"<Posted in {self._office.store.where}>"

    async def find(
        self,
        *,
        states: Collection[TicketState] = (),
        path: str | None = None,
        after: int = 0,
        limit: int = 100,
    ) -> list[Entry]:
        """Tickets in the order of their receipts, at most `limit`; of these states (none named: of all).

        `after` is the `seq` of the last one seen. As in `find(states={TicketState.DEAD})`, the dead letters.
        A payload or answer that is not what was written is None.
        """
        check_count("limit", limit)
        _check_after(after)
        _check_states(states)
        engine = await self._office.present()
        wanted = None if path is None else recipient_path(path)
        return await engine.find(states=states, path=wanted, after=after, limit=limit)

    async def waiting(self) -> Mapping[str, int]:
        """How many live tickets each recipient has."""
        engine = await self._office.present()
        return await engine.waiting()

    async def redeliver(self, ticket_id: str) -> Ticket[Any]:
        """Post a dead letter anew: a new ticket, with all its attempts. The dead one is removed.

        Raises `UnknownTicket`, and `IllegalMove` for one that is not DEAD.
        """
        checked_id(ticket_id)
        engine = await self._office.present()
        dead = await engine.get(ticket_id)
        new = self._office.again(ticket_id, dead)
        kept: Entry = await self._office.pump.write(
            Redeliver(ticket_id, new), lambda result: self._office.appended(result, new)
        )
        return self._office.ticket_of(kept)

    async def drop(self, ticket_id: str) -> None:
        """Remove an ended ticket, a dead letter above all.

        Raises `UnknownTicket`, and `IllegalMove` for a live one.
        """
        checked_id(ticket_id)
        await self._office.present()
        await self._office.pump.write(Drop(ticket_id))

    async def forget(self, path: str) -> None:
        """Forget the state that the actor at `path` has saved."""
        path = recipient_path(path)
        await self._office.present()
        await self._office.pump.write(Save(Saved(path, None), self._office.rounds.token_of(path)))

    async def last_change(self) -> int:
        """The number of the newest change, from which a feed may go on."""
        engine = await self._office.present()
        return await engine.last_change()

    def feed(
        self, *, after: int | None = None, path: str | None = None, states: Collection[TicketState] = ()
    ) -> AbstractAsyncContextManager[Feed]:
        """Every change of a ticket as it happens.

        As in `async with system.posted.feed() as feed: async for change in feed: ...`.

        It begins behind the change `after`: whoever was away passes the `number` of the last one seen,
        and misses nothing that is still kept (10,000 changes at least), else `FeedGap` says which are gone.
        By default it begins now. `path` and `states` leave out the others. A slow reader slows nobody.
        """
        if after is not None:
            _check_after(after)
        _check_states(states)
        wanted = None if path is None else recipient_path(path)
        return self._feed(after, wanted, frozenset(states))

    @asynccontextmanager
    async def _feed(
        self, after: int | None, path: str | None, states: frozenset[TicketState]
    ) -> AsyncGenerator[Feed]:
        engine = await self._office.present()
        begin = await engine.last_change() if after is None else after
        yield Feed(self._office, engine, begin, path, states)


class Feed:
    """Changes of tickets, one after the other. One task iterates; each step is a checkpoint.

    It ends when the system closes.
    """

    def __init__(
        self,
        office: Office,
        engine: Engine,
        after: int,
        path: str | None,
        states: frozenset[TicketState],
    ) -> None:
        self._office = office
        self._engine = engine
        self._after = after
        self._path = path
        self._states = states
        self._page: list[Change] = []

    @property
    def after(self) -> int:
        """The number of the last change that was looked at: where to go on."""
        return self._after

    def __aiter__(self) -> AsyncIterator[Change]:
        return self

    async def __anext__(self) -> Change:
        try:
            return await self._next()
        except SystemClosed:
            raise StopAsyncIteration from None

    async def _next(self) -> Change:
        await trio.lowlevel.checkpoint()
        while True:
            while self._page:
                change = self._page.pop(0)
                expected, self._after = self._after + 1, change.number
                if change.number > expected and expected > 1:
                    self._page.insert(0, change)
                    self._after = change.number - 1
                    raise FeedGap(expected, change.number)
                if self._is_wanted(change):
                    return change
            self._engine = await self._office.present()
            self._page = await self._engine.changes(self._after, _PAGE)
            if not self._page:
                with self._office.until_shut():
                    await self._engine.wait_change(self._after)

    def _is_wanted(self, change: Change) -> bool:
        return self._path in (None, change.path) and (not self._states or change.state in self._states)


def _check_after(after: int) -> None:
    if check_count("after", after, least=0) >= 2**63:
        raise ValueError(f"after is the number of the last one seen, and none is as high as {after!r}")


def _check_states(states: object) -> None:
    given = tuple(cast("Collection[object]", states)) if isinstance(states, Collection) else (None,)
    if not all(isinstance(state, TicketState) for state in given):
        raise TypeError(f"states={states!r} must be a collection, as in states={{TicketState.DEAD}}")
