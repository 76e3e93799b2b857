"""A posted message in the hands of its recipient: it says how the handling ended.

It is an open request to the recipient, also where no reply is wanted: so it hears that the message
was handled. A reply that the handler gives before it returns waits for that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

from actors.core.ask import Pending
from actors.delivery.operations import Saved
from actors.errors import ActorError, ActorFailed, Refused, Unhandled

if TYPE_CHECKING:
    from actors.core.cell import Cell
    from actors.delivery.ticket import Entry

__all__ = ["Courier", "Handed", "cause_of", "posted_in_hand"]

_NONE: Final = object()


class Courier(Protocol):
    """Whoever hands posted messages over."""

    def handled(self, handed: Handed, value: Any, /) -> None:
        """The handler has returned, and this is the reply."""
        ...

    def refused(self, handed: Handed, error: ActorError, /) -> None:
        """The handler will not do it."""
        ...

    def failed(self, handed: Handed, error: BaseException, /) -> None:
        """The recipient failed over it, or went with it in hand."""
        ...

    def came_back(self, handed: Handed, /) -> None:
        """The recipient went, or would not have it: nothing of it was begun."""
        ...

    def put_off(self, handed: Handed, /) -> None:
        """The handler has returned, and answers later."""
        ...


class Handed(Pending[Any]):
    """One delivery of one ticket."""

    __slots__ = ("_courier", "_over", "_reply", "_rests", "cancelled", "entry", "saved", "token")

    def __init__(
        self, cell: Cell, courier: Courier, entry: Entry, message: object, token: int | None = None
    ) -> None:
        super().__init__(cell, message, None)
        self.entry = entry
        """The ticket as it is in this delivery."""
        self.token = token
        self.saved: Saved | None = None
        """What `ctx.save` wants to be kept with its end."""
        self.cancelled = False
        """The ticket was cancelled: its handler goes on, and nobody wants the reply."""
        self._courier = courier
        self._reply: Any = _NONE
        self._rests = self._over = False

    @property
    def is_told(self) -> bool:
        """See `Pending.is_told`."""
        return not self.entry.reply

    def rest(self) -> Pending[Any]:
        """See `Pending.rest`."""
        self._rests = True
        return _Rest(self)

    @property
    def is_over(self) -> bool:
        """Whether its handling has ended; `done` also says that nobody wants it."""
        return self._over

    def answer(self, value: Any) -> None:
        """See `Pending.answer`."""
        if self._over:
            return
        self._reply = value
        if not self._rests:
            self._handled()

    def handler_returned(self) -> None:
        """What waited for that goes out."""
        self._rests = False
        if self._reply is not _NONE:
            self._handled()
        elif not self._over:
            self._courier.put_off(self)

    def _handled(self) -> None:
        if self._ends():
            self._courier.handled(self, self._reply)

    def _ends(self) -> bool:
        """It is over now; False: it was before."""
        was_over, self._over, self.done = self._over, True, True
        return not was_over

    def fail(self, error: BaseException) -> None:
        """See `Pending.fail`."""
        if not self._ends():
            return
        if isinstance(error, Refused | Unhandled):
            self._courier.refused(self, error)
        else:
            self._courier.failed(self, error)

    def returned(self, error: BaseException) -> None:
        """See `Pending.returned`."""
        if self._ends():
            self._courier.came_back(self)

    def skipped(self) -> None:
        """See `Pending.skipped`: it was cancelled before its turn."""
        if self._ends():
            self._courier.came_back(self)

    def withdraw(self) -> None:
        """The ticket was cancelled: it is skipped when its turn comes, and goes on where it is begun."""
        self.cancelled = self.done = True


class _Rest(Pending[Any]):
    """What hears that the handler has returned, once it has replied or put the reply off."""

    __slots__ = ("whole",)

    def __init__(self, whole: Handed) -> None:
        super().__init__(whole.cell, whole.message, None)
        self.whole = whole

    @property
    def is_told(self) -> bool:
        return True

    def answer(self, value: Any) -> None:
        self.done = True
        self.whole.handler_returned()

    def fail(self, error: BaseException) -> None:
        self.done = True
        self.whole.fail(error)


def posted_in_hand(cell: Cell) -> Handed | None:
    """The posted message that an actor has in hand now, if it is one."""
    asked = None if cell.item is None else cell.item[2]
    if isinstance(asked, _Rest):
        return asked.whole
    return asked if isinstance(asked, Handed) else None


def cause_of(error: BaseException) -> BaseException:
    """What went wrong itself, not what says that something did."""
    if isinstance(error, ActorFailed) and error.__cause__ is not None:
        return error.__cause__
    return error
