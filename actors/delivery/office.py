"""The office: where messages are posted, and where tickets are looked up. One for each system.

It outlives the courier: what happened while that is being restarted is written afterwards.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakValueDictionary

import trio

from actors.core.scope import CURRENT
from actors.delivery.coder import Coder
from actors.delivery.door import check_options, checked_id, recipient_path
from actors.delivery.edges import Edges
from actors.delivery.errors import (
    KeyConflict,
    NoReplyYet,
    PayloadTooLarge,
    StoreError,
    StoreUnavailable,
    TicketError,
    UnknownTicket,
)
from actors.delivery.handed import posted_in_hand
from actors.delivery.neighbours import Neighbours
from actors.delivery.operations import Append, Moved, Result
from actors.delivery.pump import Pump
from actors.delivery.rounds import Rounds
from actors.delivery.states import States
from actors.delivery.store import Engine, Store
from actors.delivery.ticket import LIVE, Entry, Move, Standing
from actors.delivery.ticketing import Ticket
from actors.errors import AskTimeout, SystemClosed
from actors.events import Event, PostRejected, StoreFailing, StoreRecovered, TicketMoved
from actors.exits import Exit
from actors.posting import Posting

if TYPE_CHECKING:
    from actors.core.cell import Cell
    from actors.core.kernel import Kernel

__all__ = ["Office"]

_FOREVER: Final = float("inf")
_AGAIN: Final = 1.0
"""Seconds until what could not be read is tried again."""
_DRAW: Final = 10
"""Random bytes in an id."""
_DRAWN: Final = 256
_READ: Final = 10_000


class Office:
    """Receipts and tickets."""

    def __init__(
        self,
        kernel: Kernel,
        store: Store,
        coder: Callable[[], Coder],
        posting: Posting,
        lease: float,
        ensure: Callable[[], bool],
        neighbours: Neighbours,
    ) -> None:
        self.kernel = kernel
        self.neighbours = neighbours
        self.store = store
        self.posting = posting
        self.lease = lease
        self._make_coder = coder
        self._coder: Coder | None = None
        self._ensure = ensure
        self._edges = Edges(posting)
        self._tickets: WeakValueDictionary[str, Ticket[Any]] = WeakValueDictionary()
        self._settling: dict[str, None] = {}
        self._read: dict[str, None] = {}
        """In a shared store: tickets whose senders have waited for the end themselves, the latest of them."""
        self._drawn: list[str] = []
        self._doors = trio.lowlevel.ParkingLot()
        self._waits: set[trio.CancelScope] = set()
        self.engine: Engine | None = None
        """The opened store; None while it is not open."""
        self.is_closed = False
        self.pump = Pump(kernel.random.random, self._store_trouble, store.where)
        self.states = States(self)
        self.rounds = Rounds(self)
        kernel.keeper = self.states

    def wall(self) -> float:
        """Seconds since 1970."""
        return self.kernel.wall()

    @property
    def coder(self) -> Coder:
        """Made at the first use."""
        if self._coder is None:
            self._coder = self._make_coder()
        return self._coder

    # --- open and closed ---

    def opened(self, engine: Engine) -> None:
        """From now on it can be written."""
        self.engine = engine
        self._doors.unpark_all()

    def shut(self) -> None:
        """The courier has ended: it may be started again."""
        self.engine = None
        for scope in tuple(self._waits):
            scope.cancel()
        self.rounds.stop()

    def close(self) -> None:
        """The system has ended."""
        self.is_closed = True
        self._doors.unpark_all()
        for ticket in tuple(self._tickets.values()):
            ticket.closed()
        self.pump.give_up(StoreUnavailable(self.store.where, "the system has closed: nothing was stored"))

    async def present(self) -> Engine:
        """The opened store. A checkpoint. Raises `SystemClosed`."""
        await trio.lowlevel.checkpoint()
        while self.engine is None:
            if self.is_closed:
                raise SystemClosed(self.kernel.name)
            if not self._ensure():
                raise SystemClosed(self.kernel.name)
            await self._doors.park()
        return self.engine

    def became_ready(self, cell: Cell) -> None:
        """See `Follower`: `opened` says it too."""

    def went(self, cell: Cell, exit: Exit) -> None:
        """See `Follower`: somebody has stopped the courier, and there is another, or the system closes."""
        if not self._ensure():
            self._doors.unpark_all()

    @contextmanager
    def until_shut(self) -> Generator[None]:
        """A block that ends when the store is closed, for what waits for something in it."""
        with trio.CancelScope() as scope:
            self._waits.add(scope)
            try:
                yield
            finally:
                self._waits.discard(scope)

    def trouble(self, error: StoreError) -> None:
        """Something could not be read now; it is tried again."""
        self._store_trouble(error, _AGAIN)

    def _store_trouble(self, error: StoreError | None, seconds: float) -> None:
        if error is None:
            self.tell(StoreRecovered(self.kernel.now(), self.store.where))
        else:
            self.tell(StoreFailing(self.kernel.now(), self.store.where, error, seconds))

    def tell(self, event: Event) -> None:
        """Report a fact, if somebody listens."""
        if self.kernel.listeners and self.kernel.sink.wants(type(event)):
            self.kernel.sink.emit(event)

    # --- posting ---

    async def post(
        self,
        path: str,
        message: object,
        key: str | None,
        reply: bool,
        timeout: float | None,
        priority: int,
        max_attempts: int,
    ) -> Ticket[Any]:
        """See `System.post`."""
        path = recipient_path(path)
        check_options(key, reply, timeout, priority, max_attempts)
        entry = self._entry(path, message, key, reply, timeout, priority, max_attempts)
        if self.engine is None:
            await self.present()
        else:
            await trio.lowlevel.checkpoint_if_cancelled()  # the write is a checkpoint: one is enough
        try:
            kept: Entry = await self.pump.write(
                Append(entry, self.posting.capacity), lambda result: self.appended(result, entry)
            )
        except TicketError as error:
            self._edges.take_back(entry.sender, path)
            self._refused(entry, error)
            raise
        return self.ticket_of(kept)

    def appended(self, result: Result | StoreError, entry: Entry) -> None:
        """What came of a post. Where that is not known the message may be there all the same."""
        if isinstance(result, Entry):
            self.rounds.appended(result)
        elif isinstance(result, StoreError):
            self.rounds.more(entry.path, entry.priority)
            self.rounds.timing.arm(entry.due)

    def _entry(
        self,
        path: str,
        message: object,
        key: str | None,
        reply: bool,
        timeout: float | None,
        priority: int,
        max_attempts: int,
    ) -> Entry:
        payload = self.coder.out(message)
        sender = CURRENT.get()
        chain = None if sender is None else posted_in_hand(sender)
        now = self.wall()
        entry = Entry(
            self.new_id(now),
            path,
            payload,
            now,
            priority=priority,
            key=key,
            reply=reply,
            max_attempts=max_attempts,
            sender=None if sender is None else sender.path,
            node=self.kernel.name,
            hops=0 if chain is None else chain.entry.hops + 1,
            due=None if timeout is None or timeout == _FOREVER else now + timeout,
        )
        try:
            self._check_size(entry)
            self._edges.check(entry.sender, path, entry.hops, self.kernel.now())
        except TicketError as error:
            self._refused(entry, error)
            raise
        if self.kernel.tracer is not None:
            self.kernel.tracer.posted(entry.id)
        return entry

    def _check_size(self, entry: Entry) -> None:
        if self.store.is_durable and len(entry.payload) > self.posting.max_payload:
            raise PayloadTooLarge(entry.path, len(entry.payload), self.posting.max_payload)

    def _refused(self, entry: Entry, error: TicketError) -> None:
        if not isinstance(error, KeyConflict):
            self.tell(PostRejected(self.kernel.now(), entry.path, entry.sender, error))

    def again(self, ticket_id: str, dead: Entry | None) -> Entry:
        """What a dead letter is posted anew as. Raises `UnknownTicket`."""
        if dead is None:
            raise UnknownTicket(ticket_id)
        now = self.wall()
        return Entry(self.new_id(now), dead.path, dead.payload, now, node=self.kernel.name)

    def new_id(self, now: float) -> str:
        """An id that nobody else draws; later ones are greater, which keeps new rows together."""
        if not self._drawn:  # many at once: each time the thread that writes may take the interpreter
            text = secrets.token_hex(_DRAWN * _DRAW)
            self._drawn = [text[at : at + 2 * _DRAW] for at in range(0, len(text), 2 * _DRAW)]
        return f"{int(now * 1000):012x}{self._drawn.pop()}"

    # --- tickets ---

    def ticket_of(self, entry: Entry) -> Ticket[Any]:
        """The one object of a ticket; made where there is none."""
        ticket = self._tickets.get(entry.id)
        if ticket is None:
            ticket = self._tickets[entry.id] = Ticket(self, entry)
        return ticket

    async def ticket(self, ticket_id: str) -> Ticket[Any]:
        """See `System.ticket`."""
        checked_id(ticket_id)
        engine = await self.present()
        entry = await engine.get(ticket_id)
        if entry is None:
            raise UnknownTicket(ticket_id)
        ticket = self.ticket_of(entry)
        if ticket.entry.state in LIVE:
            ticket.renewed(entry)
        return ticket

    async def look(self, ticket: Ticket[Any]) -> None:
        """See `Tracker.look`."""
        await trio.lowlevel.checkpoint()
        if ticket.entry.state not in LIVE or not self.store.is_shared:
            return
        await self.refresh(ticket.id)

    async def refresh(self, ticket_id: str) -> None:
        """Another node may have moved it: look at the store, if somebody here holds it. A checkpoint."""
        await trio.lowlevel.checkpoint()
        ticket = self._tickets.get(ticket_id)
        if ticket is None:
            return
        engine = await self.present()
        try:
            entry = await engine.get(ticket_id)
        except StoreError as error:
            self.trouble(error)
            return
        if entry is not None and ticket.entry.state in LIVE:
            ticket.renewed(entry)

    def held(self) -> tuple[str, ...]:
        """The tickets that somebody here holds."""
        return tuple(self._tickets)

    def value_of(self, entry: Entry) -> Any:
        """See `Tracker.value_of`."""
        return self.coder.value_back(entry.answer)

    def timed_out(self, ticket: Ticket[Any], timeout: float) -> AskTimeout:
        """See `Tracker.timed_out`."""
        return NoReplyYet(ticket.id, ticket.path, timeout, ticket.state.value)

    def cancel(self, ticket: Ticket[Any]) -> bool:
        """See `Tracker.cancel`."""
        if ticket.state not in LIVE or self.is_ending(ticket.id) or self.is_closed:
            return False
        ticket.is_withdrawn = True
        self.rounds.settling.cancel(ticket.entry, CURRENT.get())
        return True

    def is_ending(self, ticket_id: str) -> bool:
        """Whether its end is being written."""
        return ticket_id in self._settling

    def check_open(self) -> None:
        """See `Tracker.check_open`."""
        if self.is_closed:
            raise SystemClosed(self.kernel.name)

    def waits_itself(self, entry: Entry, sender: Cell) -> bool:
        """Whether the actor that posted it waits for its reply with a task of its own."""
        ticket = self._tickets.get(entry.id)
        return ticket is not None and sender in ticket.readers

    def was_read(self, ticket: Ticket[Any]) -> None:
        """See `Tracker.was_read`. Whoever answers on another node of the store does not know it."""
        if self.store.is_shared:
            self._read[ticket.id] = None
            if len(self._read) > _READ:
                del self._read[next(iter(self._read))]

    def knows_already(self, answers: str, sender: Cell) -> bool:
        """Whether the reply to that ticket need not be told its sender: it has waited, or waits, for it."""
        ticket = self._tickets.get(answers)
        return answers in self._read or (ticket is not None and sender in ticket.readers)

    def move(
        self,
        entry: Entry,
        said: Moved,
        then: Callable[[Result | StoreError], object] | None = None,
        value: list[Any] | None = None,
        *,
        ends: bool = False,
    ) -> None:
        """Write a move, and tell whoever holds the ticket what came of it.

        `value` has the reply as the handler gave it. `then` hears the result afterwards. `ends`: that is
        the end of the ticket, which can not be cancelled any more.
        """
        if ends:
            self._settling[entry.id] = None

        def came(result: Result | StoreError) -> None:
            if ends:
                self._settling.pop(entry.id, None)
            if isinstance(result, Standing):
                self._moved(entry, said, result, value)
            elif said.move is Move.CANCEL and (ticket := self._tickets.get(entry.id)) is not None:
                ticket.is_withdrawn = False  # another node was faster
            if then is not None:
                then(result)

        self.pump.put(said, came)

    def _moved(self, entry: Entry, said: Moved, standing: Standing, value: list[Any] | None) -> None:
        if said.saved is None and said.failure is None and not self.kernel.listeners and not self._tickets:
            return
        ticket = self._tickets.get(entry.id)
        if ticket is not None:
            facts: dict[str, Any] = {"changed": said.at}
            if said.failure is not None and said.failure not in ticket.entry.failures:
                facts["failures"] = (*ticket.entry.failures, said.failure)
            if said.move is Move.ANSWER:
                facts["answer"] = said.answer
                if value is not None:
                    ticket.answered(value[0])
            ticket.moved(standing, **facts)
        if self.kernel.listeners and self.kernel.sink.wants(TicketMoved):
            self.tell(
                TicketMoved(
                    self.kernel.now(),
                    entry.id,
                    entry.path,
                    standing.state.value,
                    standing.attempts,
                    "" if said.failure is None else said.failure.text,
                )
            )
