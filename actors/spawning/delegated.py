"""A message of a pool in the hands of a worker: it passes the answer on, and says when it was handled."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Protocol

from actors.core.ask import Pending
from actors.core.mailbox import ASKED, MARK, MESSAGE, SENDER, SINCE, Item
from actors.errors import (
    ActorFailed,
    ActorStopped,
    BudgetSpent,
    CircuitOpen,
    Interrupted,
    MailboxFull,
    Refused,
)
from actors.events import DeadLetterReason

if TYPE_CHECKING:
    from actors.core.flow import Flow
    from actors.spawning.worker import Worker

__all__ = ["Delegated", "Delegator"]

_REASONS: Final = (
    (ActorFailed, DeadLetterReason.CRASHED),
    (Interrupted, DeadLetterReason.INTERRUPTED),
    (ActorStopped, DeadLetterReason.STOPPED),
    (BudgetSpent, DeadLetterReason.BUDGET),
)


class Delegator(Protocol):
    """Whoever hands messages on."""

    def finished(self, delegated: Delegated, well: bool, /) -> None:
        """The worker is done with it; not `well`: it failed over it."""
        ...

    def skipped(self, delegated: Delegated, /) -> None:
        """Nobody waited for it any more when its turn came."""
        ...

    def came_back(self, delegated: Delegated, /) -> None:
        """The worker would not have it: nothing of it was begun."""
        ...

    def replaced(self, delegated: Delegated, rest: Delegated, /) -> None:
        """The answer goes alone; `rest` says when the handling is over."""
        ...

    def caught_up(self, delegated: Delegated, /) -> None:
        """The answer that was put off has come, or never will."""
        ...


class Delegated(Pending[Any]):
    """An open request to a worker, also where the message was only told: so it says when it was handled.

    Whoever asked the pool waits for what is in `item`; nobody waits for this one itself.
    """

    __slots__ = ("_alone", "_delegator", "_over", "_silent", "item", "key", "worker")

    def __init__(
        self, worker: Worker, delegator: Delegator, item: Item, key: bytes | None, silent: bool = False
    ) -> None:
        self.worker = worker
        self.item = item
        """As it came to the pool."""
        self.key = key
        self._delegator = delegator
        self._over = self._alone = False
        self._silent = silent
        super().__init__(worker.cell, item[MESSAGE], None)

    @property
    def asked(self) -> Pending[Any] | None:
        """The request of whoever asked the pool; None for a message that was told."""
        return self.item[ASKED]

    @property
    def stream(self) -> Flow | None:  # type: ignore[override]
        """See `Pending.stream`: the worker's chunks go straight to whoever asked the pool."""
        return None if self.asked is None else self.asked.stream

    @property
    def done(self) -> bool:  # type: ignore[override]
        """True when nobody waits any more: it is over, or whoever asked the pool has left."""
        return self._over or (self.asked is not None and self.asked.done)

    @done.setter
    def done(self, value: bool) -> None:
        self._over = value

    @property
    def is_told(self) -> bool:
        """See `Pending.is_told`."""
        return self.asked is None or self.asked.is_told

    def rest(self) -> Pending[Any]:
        """See `Pending.rest`."""
        assert self.asked is not None
        self._alone = True
        message, sender, since = self.item[MESSAGE], self.item[SENDER], self.item[SINCE]
        item = (message, sender, self.asked.rest(), since, self.item[MARK])
        rest = Delegated(self.worker, self._delegator, item, self.key, silent=True)
        self._delegator.replaced(self, rest)
        return rest

    def put_off(self) -> None:
        """See `Pending.put_off`."""
        assert self.asked is not None
        self.worker.owed[self] = None
        self.asked.put_off()

    def when_ended(self, told: Callable[[], object]) -> None:
        """See `Pending.when_ended`: also when whoever asked the pool leaves."""
        super().when_ended(told)
        if self.asked is not None:
            self.asked.when_ended(told)

    def left(self, now: float) -> float | None:
        """See `Pending.left`."""
        return None if self.asked is None else self.asked.left(now)

    def skipped(self) -> None:
        """See `Pending.skipped`."""
        if self.asked is not None:
            self.asked.skipped()
        self._over = True
        self._delegator.skipped(self)

    def answer(self, value: Any) -> None:
        """See `Pending.answer`."""
        if self._over:
            super().answer(value)
            return
        self._over = True
        if self.asked is not None:
            self.asked.answer(value)
        if not self._alone:
            self._delegator.finished(self, True)
        elif self in self.worker.owed:
            self._delegator.caught_up(self)

    def returned(self, error: BaseException) -> None:
        """See `Pending.returned`: what a worker whose budget is spent has not done, others do."""
        if self._over or self._alone or not isinstance(error, BudgetSpent):
            self.fail(error)
        else:
            self._over = True
            self._delegator.came_back(self)

    def fail(self, error: BaseException) -> None:
        """See `Pending.fail`."""
        if self._over:
            return
        self._over = True
        if self._alone:
            assert self.asked is not None
            self.asked.fail(error)
            if self in self.worker.owed:
                self._delegator.caught_up(self)
        elif isinstance(error, CircuitOpen | MailboxFull):
            self._delegator.came_back(self)
        else:
            self._pass_on(error)
            self._delegator.finished(self, not isinstance(error, ActorFailed))

    def _pass_on(self, error: BaseException) -> None:
        if self.asked is not None:
            self.asked.fail(error)
        elif not self._silent and not isinstance(error, Refused):
            known = (why for kind, why in _REASONS if isinstance(error, kind))
            reason = next(known, DeadLetterReason.UNHANDLED)
            if reason is DeadLetterReason.CRASHED and self.cell.tries:
                reason = DeadLetterReason.RETRIES_EXHAUSTED
            self.cell.kernel.dead_letter(self.cell, self.item[MESSAGE], self.item[SENDER], reason)

    def withdraw(self) -> Item:
        """It goes to somebody else: the item as it came to the pool."""
        self._over = True
        return self.item
