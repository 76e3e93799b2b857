"""`Ticket`: what whoever posted a message holds, and what becomes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import trio

from actors.checks import check_seconds
from actors.core.scope import CURRENT
from actors.delivery.endings import error_of
from actors.delivery.ticket import ENDED, Entry, Standing, TicketState
from actors.errors import AskTimeout, Deadlock

if TYPE_CHECKING:
    from actors.core.cell import Cell

__all__ = ["Ticket", "Tracker"]

R = TypeVar("R")


class Tracker(Protocol):
    """Whoever knows what becomes of tickets."""

    def cancel(self, ticket: Ticket[Any], /) -> bool:
        """See `Ticket.cancel`."""
        ...

    def was_read(self, ticket: Ticket[Any], /) -> None:
        """Its sender has waited for the end, and knows it."""
        ...

    def check_open(self) -> None:
        """Raise `SystemClosed` where nothing more will be told of any ticket."""
        ...

    async def look(self, ticket: Ticket[Any], /) -> None:
        """Bring the ticket up to date from the store. A checkpoint."""
        ...

    def value_of(self, entry: Entry, /) -> Any:
        """The reply, decoded. Raises what is wrong with it."""
        ...

    def timed_out(self, ticket: Ticket[Any], timeout: float, /) -> AskTimeout:
        """The error of a wait that has ended before the ticket."""
        ...


class Ticket(Generic[R]):
    """The receipt for a posted message. It is kept whether or not this object is."""

    __slots__ = (
        "__weakref__",
        "_entry",
        "_lot",
        "_tracker",
        "_value",
        "is_withdrawn",
        "readers",
    )

    def __init__(self, tracker: Tracker, entry: Entry) -> None:
        self._tracker = tracker
        self._entry = entry
        self._lot = trio.lowlevel.ParkingLot()
        self._value: list[Any] = []
        self.is_withdrawn = False
        """It was cancelled here, and that is being written; for the framework."""
        self.readers: dict[Cell | None, int] = {}
        """Which actors wait for its reply, each with how many tasks; for the framework."""

    def __repr__(self) -> str:
        return f"<Ticket {self.id} to {self.path}, {self.state.value}>"

    @property
    def id(self) -> str:
        """By which `system.ticket(id)` finds it again."""
        return self._entry.id

    @property
    def path(self) -> str:
        """Its recipient."""
        return self._entry.path

    @property
    def state(self) -> TicketState:
        """What is known of it here; one that several nodes share may be a moment older.

        After `cancel()` it is CANCELLED at once, also while that is being written.
        """
        return TicketState.CANCELLED if self.is_withdrawn else self._entry.state

    @property
    def attempts(self) -> int:
        """How often it was delivered."""
        return self._entry.attempts

    @property
    def entry(self) -> Entry:
        """All that is kept of it."""
        return self._entry

    async def wait_reply(self, timeout: float | None = None) -> R:
        """The reply; None where none was wanted. A checkpoint.

        Several tasks may wait, each gets it. Raises `AskTimeout` after `timeout` seconds (the ticket goes
        on), `TicketTimedOut`, `TicketCancelled`, `TicketFailed` (all deliveries failed, the
        last error is the cause), the handler's own `Refused`; `Deadlock` for an actor that waits for
        itself, and `SystemClosed` where the system ends before the ticket.
        """
        if timeout is not None:
            check_seconds("timeout", timeout)
        reader = CURRENT.get()
        if reader is not None and reader.path == self.path and self._entry.state not in ENDED:
            raise Deadlock(reader.ref, self)
        self.readers[reader] = self.readers.get(reader, 0) + 1
        try:
            with trio.move_on_after(float("inf") if timeout is None else timeout) as scope:
                await self._tracker.look(self)
                while self._entry.state not in ENDED:
                    self._tracker.check_open()
                    await self._lot.park()
        finally:
            self.readers[reader] -= 1
            if not self.readers[reader]:
                del self.readers[reader]
        if scope.cancelled_caught and self._entry.state not in ENDED:
            assert timeout is not None
            raise self._tracker.timed_out(self, timeout)
        if reader is not None and reader.path == self._entry.sender:
            self._tracker.was_read(self)
        error = error_of(self._entry)
        if error is not None:
            raise error
        if not self._value:
            self._value.append(self._tracker.value_of(self._entry))
        return self._value[0]

    def cancel(self) -> bool:
        """Withdraw the message: True if it was still PENDING or DELIVERED. Idempotent, never blocks.

        Whoever has it in hand goes on; the reply is dropped. Not promised: that this is on the
        disk when it returns; and where several nodes share the store, that none of them was faster.
        """
        return self._tracker.cancel(self)

    # --- the framework's side ---

    def moved(self, standing: Standing, **facts: Any) -> None:
        """It is in another state."""
        self.renewed(self._entry.at(standing, **facts))

    def answered(self, value: Any) -> None:
        """The reply as the handler gave it."""
        self._value.append(value)

    def closed(self) -> None:
        """Nothing more will be told of it."""
        self._lot.unpark_all()

    def renewed(self, entry: Entry) -> None:
        """This is how it is kept now."""
        self._entry = entry
        if entry.state in ENDED:
            self.is_withdrawn = False
            self._lot.unpark_all()
