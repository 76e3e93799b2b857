"""Messages into a cell: tell, send, request, and what becomes of those that do not get in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol, cast

import trio

from actors.checks import check_seconds
from actors.core import orders as order
from actors.core.ask import Pending
from actors.core.mailbox import ASKED, MARK, MESSAGE, POSTED, REDELIVERED, SENDER, Item, Verdict
from actors.core.scope import CURRENT
from actors.core.stream import StreamPending
from actors.core.vigil import waiting_for
from actors.core.vitals import Vitals
from actors.errors import ActorStopped, Deadlock, MailboxFull
from actors.events import DeadLetterReason
from actors.messages import Request

if TYPE_CHECKING:
    from actors.core.cell import Cell
    from actors.core.dispatcher import Dispatcher

__all__ = ["Intake", "Waiter", "why_no_request"]

# looked up once: they are on the road of every message
_current = CURRENT.get
_reschedule = trio.lowlevel.reschedule
_ANSWERED_FOR: Final = (None, REDELIVERED, POSTED)
"""The marks of what somebody sent; the rest are notices and timers."""


class Waiter(Protocol):
    """Whoever waits for room without a task of its own."""

    def admitted(self) -> None:
        """Its item, if it has one, is in the mailbox, or has ended otherwise."""
        ...


class Intake(Vitals):
    """The mailbox side of a cell, never alone: every Intake is a Cell. Plain calls, but for `send`."""

    __slots__ = ()

    def tell(self, message: object, urgent: bool = False) -> bool:
        """Offer a told message, see `Ref.tell`; False when it did not get in."""
        return self.tell_from(_current(), message, urgent)

    def tell_from(self, sender: Cell | None, message: object, urgent: bool = False) -> bool:
        """As `tell`, for a sender that is not the running task's actor."""
        item = (message, sender, None, self.stamp(), None)
        refused = self.lanes.offer(item, urgent)
        if self.parked is not None:
            self.wake()
        return refused is None or self._not_taken(item, refused)

    def _not_taken(self, item: Item, refused: Verdict | Item) -> bool:
        if refused is Verdict.FULL:
            raise MailboxFull(self.ref, item[MESSAGE], self.lanes.capacity)
        if refused is Verdict.CLOSED:
            self.discard(item, DeadLetterReason.STOPPED)
        elif refused is Verdict.DROPPED:
            self.discard(item, DeadLetterReason.DROPPED_NEWEST)
        else:
            assert isinstance(refused, tuple)
            self.discard(refused, DeadLetterReason.DROPPED_OLDEST)
            return True
        return False

    def discard(self, item: Item, reason: DeadLetterReason) -> None:
        """End an item that is not handled: a dead letter, or an error for its asker."""
        asked: Pending[Any] | None = item[ASKED]
        if asked is None:
            self.kernel.dead_letter(cast("Cell", self), item[MESSAGE], item[SENDER], reason)
        elif reason in (DeadLetterReason.DROPPED_NEWEST, DeadLetterReason.DROPPED_OLDEST):
            asked.returned(MailboxFull(self.ref, item[MESSAGE], self.lanes.capacity))
        else:
            asked.returned(ActorStopped(self.ref, self.final_exit))

    async def send(self, message: object) -> None:
        """Offer a told message, waiting for room; see `Ref.send`."""
        item = (message, CURRENT.get(), None, self.stamp(), None)
        if self.lanes.closed or (not self.senders and self.lanes.has_room):
            await trio.lowlevel.checkpoint_if_cancelled()
            self.tell(message)
            await trio.lowlevel.cancel_shielded_checkpoint()
            return
        if item[SENDER] is self:
            raise Deadlock(self.ref, message)
        if self.senders is None:
            self.senders = {}
        task = trio.lowlevel.current_task()
        self.senders[task] = item
        self.orders |= order.SENDERS

        def leave(_: Any) -> trio.lowlevel.Abort:
            assert self.senders is not None
            del self.senders[task]
            return trio.lowlevel.Abort.SUCCEEDED

        with waiting_for(cast("Cell", self)):
            await trio.lowlevel.wait_task_rescheduled(leave)

    def admit_senders(self) -> None:
        """Hand the room there is to those who wait for it, first come first served."""
        while self.senders and (self.lanes.closed or self.lanes.has_room):
            task, item = next(iter(self.senders.items()))
            del self.senders[task]
            if item is not None and self.lanes.offer(item) is not None:
                self.discard(item, DeadLetterReason.STOPPED)
            if isinstance(task, trio.lowlevel.Task):
                trio.lowlevel.reschedule(task)
            else:
                task.admitted()
        if not self.senders:
            self.orders &= ~order.SENDERS

    def take_from_line(self) -> list[Item]:
        """What came from elsewhere and waits for room: it was told before, whatever is ordered now."""
        line: list[Item] = []
        for waiter in tuple(self.senders or ()):
            if not isinstance(waiter, trio.lowlevel.Task):
                assert self.senders is not None
                item = self.senders.pop(waiter)
                if item is not None:
                    line.append(item)
                waiter.admitted()
        return line

    def offer_or_wait(self, item: Item, waiter: Waiter) -> None:
        """Put in an item that came from elsewhere, or let it wait in the line of the senders.

        `waiter.admitted()` is called when it is in, or has ended otherwise.
        """
        lanes = self.lanes
        if lanes.overflow == "reject" and not lanes.closed and (self.senders or not lanes.has_room):
            if self.senders is None:
                self.senders = {}
            self.senders[waiter] = item
            self.orders |= order.SENDERS
            return
        asked: Pending[Any] | None = item[ASKED]
        if asked is not None:
            self.enter(asked, item[MESSAGE], item[SENDER])
        else:
            self.tell_from(item[SENDER], item[MESSAGE])
        waiter.admitted()

    def tell_of_room(self, waiter: Waiter) -> None:
        """Let `waiter.admitted()` be called when there is room, or the mailbox has closed. Idempotent."""
        if self.senders is None:
            self.senders = {}
        self.senders.setdefault(waiter, None)
        self.orders |= order.SENDERS

    def request(self, request: Request[Any], timeout: float | None, *, keep: bool) -> Pending[Any]:
        """Offer a request; see `Ref.request`. With `keep` its asker finds it in `ctx.pending`."""
        pending = self._offered(request, timeout, keep)
        if timeout is not None and not pending.done:
            pending.arm(timeout, self.now())
        return pending

    def _offered(self, request: Request[Any], timeout: float | None, keep: bool) -> Pending[Any]:
        if not isinstance(request, Request):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(why_no_request(request))
        if timeout is not None:
            check_seconds("timeout", timeout)
        asker = _current()
        kept_by = asker if keep else None
        pending = self.pending_class(cast("Cell", self), request, kept_by)
        if keep and asker is not None:
            if asker.pendings is None:
                asker.pendings = {}
            asker.pendings[pending] = None
        elif asker is self and not keep:
            pending.fail(Deadlock(self.ref, request))
            return pending
        self.enter(pending, request, asker)
        return pending

    def open_stream(self, request: Request[Any], timeout: float | None, window: int) -> StreamPending:
        """Queue a request whose answer is wanted in chunks; see `Ref.stream`."""
        if not isinstance(request, Request):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(why_no_request(request))
        asker = _current()
        tracer = self.kernel.tracer
        kind = StreamPending if tracer is None else tracer.pending(StreamPending)
        pending = kind(cast("Cell", self), request, asker, window)
        if asker is self:
            pending.fail(Deadlock(self.ref, request))
            return pending
        pending.keep()
        self.enter(pending, request, asker)
        if timeout is not None and not pending.done:
            pending.arm(timeout, self.now())
        return pending

    def enter(self, pending: Pending[Any], request: object, asker: Cell | None, urgent: bool = False) -> None:
        """Queue an open request, or end it at once."""
        if self.barred and not self.lanes.closed and not self._admits(pending):
            return
        item = (request, asker, pending, self.stamp(), None)
        refused = self.lanes.offer(item, urgent)
        if self.parked is not None:
            self.wake()
        if refused is Verdict.FULL or refused is Verdict.DROPPED:
            pending.fail(MailboxFull(self.ref, request, self.lanes.capacity))
        elif refused is not None:
            self._not_taken(item, refused)

    def hand(self, posted: Pending[Any], message: object, sender: Cell | None) -> None:
        """Queue a message that a store keeps: it does not count toward the capacity, and is never dropped."""
        if self.barred and not self.lanes.closed and not self._admits(posted):
            return
        if not self.lanes.put_marked((message, sender, posted, self.stamp(), POSTED)):
            posted.returned(ActorStopped(self.ref, self.final_exit))
        elif self.parked is not None:
            self.wake()

    @trio.lowlevel.enable_ki_protection
    def request_now(self, request: Request[Any], timeout: float | None) -> Pending[Any]:
        """As `request`, of an actor at rest without a task: its turn is now, in the step of whoever asks.

        An answer that comes at once needs neither a task switch nor a timer. Nobody is passed over:
        nothing waits for this actor, and between actors no order is promised.
        """
        waker, self.parked = self.parked, None
        try:
            pending = self._offered(request, timeout, keep=False)
        except BaseException:
            self.parked = waker
            raise
        dispatcher = self.kernel.dispatcher
        try:
            dispatcher.turn_now(cast("Cell", self))
        except BaseException:  # it has its turn on the dispatcher's stack, which is not as deep
            if not self.ended:
                self.parked = waker
                self.wake()
            raise
        if timeout is not None and not pending.done:
            pending.arm(timeout, dispatcher.now)
        return pending

    def _admits(self, pending: Pending[Any]) -> bool:
        """The breaker is not closed: True when this request may be the probe."""
        held = self.permit is not None and not getattr(self.permit, "done", False)
        taken = held or self.lanes.any(lambda item: item[ASKED] is None or not item[ASKED].done)
        error = self.parent.refusal(cast("Cell", self), taken)
        if error is not None:
            pending.returned(error)
            return False
        self.permit = pending
        return True

    def put_marked(self, message: object, sender: Cell | None, mark: Any) -> bool:
        """Queue an uncounted message: a notice, a timer's."""
        taken = self.lanes.put_marked((message, sender, None, self.stamp(), mark))
        if self.parked is not None:
            self.wake()
        return taken

    @trio.lowlevel.enable_ki_protection
    def wake(self) -> None:
        """Let the loop look again, if it is parked; or see to a turn, if it has no task."""
        waker = self.parked
        if waker is not None:
            if self.plain:
                dispatcher = cast("Dispatcher", waker)
                if dispatcher.task is not None:
                    dispatcher.rouse()
                dispatcher.queue.append(cast("Cell", self))
            else:
                _reschedule(cast("trio.lowlevel.Task", waker))
            self.parked = None  # last: where the stack has no room for the calls, the next one tries again

    def unpark(self, _: Any) -> trio.lowlevel.Abort:
        """What trio calls when the parked task is cancelled."""
        self.parked = None
        return trio.lowlevel.Abort.SUCCEEDED

    def flush(self) -> None:
        """Close the mailbox: what waits is not handled any more."""
        lanes = self.lanes
        if lanes.closed and not lanes.early and not self.senders:
            return
        waiting = [item for item in lanes.close() if item[MARK] in _ANSWERED_FOR]
        for item in self.parent.reclaim(cast("Cell", self), waiting) if waiting else ():
            self.discard(item, DeadLetterReason.STOPPED)
        self.admit_senders()


def why_no_request(request: object) -> str:
    """What to do with something that was asked and is no request."""
    if isinstance(request, type):
        name = request.__qualname__
        return f"{name} is a class, not a message: ask {name}(...)"
    kind = type(request)
    if kind.__module__ == "builtins":
        return f"{request!r} is not a Request and has no reply: tell it, or ask a class derived from Request"
    return (
        f"{kind.__qualname__} is not a Request and has no reply: tell it, "
        f"or derive it, as in `class {kind.__name__}(actors.Request[str])`"
    )
