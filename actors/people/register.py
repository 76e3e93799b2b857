"""The shell of `book`: who waits, when time is up, what is kept and what is told.

A request is registered, kept where it is to outlive the process, and only then shown: an answer finds
it, however fast it comes. Everything that decides is a plain call in one step; waiting costs nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

import attrs
import trio

from actors.asking import Asking
from actors.core.scope import CURRENT
from actors.errors import ActorError, SystemClosed
from actors.events import (
    AnswerRefused,
    PersonAnswered,
    PersonAsked,
    PersonEscalated,
    PersonEvent,
    PersonExtended,
    PersonTimedOut,
    PersonWarned,
    PersonWithdrawn,
)
from actors.people.book import Book, Ended, Escalated, Expired, Grant, Kept, Matter, Wait, Waited, Warned
from actors.people.counts import Counts, DeskStatistics
from actors.people.errors import AlreadyAnswered, DeskError, NoAnswer, RequestExpired, UnknownRequest
from actors.people.keeping import Keeping
from actors.people.lasting import Lasting
from actors.people.request import RAISE, Answer, PersonRequest, rungs_of
from actors.people.telling import Telling

if TYPE_CHECKING:
    from actors.core.alarms import Alarm
    from actors.core.kernel import Kernel

__all__ = ["Register", "Seat"]

Then = Callable[[ActorError | None], object]
"""Hears what came of an answer."""


@attrs.define(eq=False)
class Seat:
    """One task that waits."""

    over: trio.Event = attrs.field(factory=trio.Event)
    answer: Answer | None = None
    error: Exception | None = None
    is_closed: bool = False

    def settle(self, error: Exception | None) -> None:
        """What it waits for has come, or never will."""
        self.error = error
        self.over.set()


class Register:
    """The open requests of one node, and those who wait for them."""

    def __init__(self, kernel: Kernel, asking: Asking, keeping: Keeping | None, telling: Telling) -> None:
        self._kernel = kernel
        self._telling = telling
        self._book = Book(asking, is_lasting=keeping is not None)
        self._lasting = Lasting(kernel, self._book, keeping)
        self._seats: dict[Wait, Seat] = {}
        self._others: set[Seat] = set()
        """Tasks that wait for the store, or for another node."""
        self._alarms: dict[Matter, Alarm] = {}
        self._counts = Counts()
        self.is_closed = False
        """Whether the system has ended."""

    @property
    def asking(self) -> Asking:
        """Its bounds."""
        return self._book.asking

    def __len__(self) -> int:
        return len(self._book)

    def own(self) -> list[PersonRequest]:
        """The requests that can be answered."""
        return [matter.request for matter in self._book if matter.is_shown]

    def statistics(self) -> DeskStatistics:
        """See `Desk.statistics`."""
        return self._counts.statistics(
            pending=len(self._book),
            waiting=len(self._seats),
            remembered=self._book.remembered,
            kept=self._book.kept,
        )

    # --- asking ---

    async def ask(self, question: PersonRequest, limit: float, default: Any) -> tuple[Answer, Grant]:
        """Ask, and wait for what comes of it. A checkpoint; nothing is asked if it is cancelled at once."""
        self._lasting.check(question.key)
        self._lasting.forget_stale()  # its alarm may ring after this in the very same moment
        now = self._kernel.now()
        self._void_changed(question)
        found = self._book.find(question, now)
        if isinstance(found, Kept):
            await trio.lowlevel.cancel_shielded_checkpoint()
            return found.answer, found.grant
        rungs, last = rungs_of(default)
        wait = Wait(now + limit, rungs, now, limit)
        matter = self._book.enter(question, wait) if found is None else found
        has_moved = found is not None and self._book.join(found, wait)
        seat = self._seats[wait] = Seat()  # before anybody can answer
        try:
            if found is None:
                self._begin(matter)
            else:
                self._joined(matter, has_moved)
            with _waiting(question):
                await seat.over.wait()
        finally:
            del self._seats[wait]
            self._left(matter, wait)
        self._check(seat)
        if seat.answer is not None:
            return seat.answer, matter.grant
        request = matter.request
        if last is RAISE:
            raise NoAnswer(request.id, request.text, self._kernel.now() - now)
        return Answer(request.id, request.kind, last, None, self._kernel.now(), is_default=True), matter.grant

    def _begin(self, matter: Matter) -> None:
        self._counts.asked += 1
        self._arm(matter)
        if self._lasting.keeps(matter.request):
            self._lasting.put(matter, lambda error: self._kept(matter, error))
        else:
            self._show(matter)

    def _kept(self, matter: Matter, error: Exception | None) -> None:
        """It is on the disk, or never will be: then it is not asked, as it would not be what it promises."""
        if matter.ended is None and error is not None:
            self._book.end(matter)
            self._release(matter, error=error)
            self._withdrawn(matter)
        elif matter.ended is None:
            self._show(matter)

    def _joined(self, matter: Matter, has_moved: bool) -> None:
        self._arm(matter)
        if has_moved:
            self._lasting.put(matter)
            self._tell_shown(matter, PersonExtended, matter.request)

    def _left(self, matter: Matter, wait: Wait) -> None:
        """Somebody does not wait any more. Where the request is over that changes nothing."""
        if matter.ended is not None:
            return
        before = matter.request.deadline
        if self._book.leave(matter, wait, self._kernel.now(), park=self._lasting.keeps(matter.request)):
            self._withdrawn(matter)
            return
        self._arm(matter)
        if matter.request.deadline != before:
            self._lasting.put(matter)

    def _void_changed(self, question: PersonRequest) -> None:
        """What its key stood for before is another action: that is not asked for any more, and void."""
        found = self._book.void_changed(question)
        if isinstance(found, Matter) and found.ended is Ended.WITHDRAWN:
            self._release(found)
            self._withdrawn(found)
        elif found is not None:
            self._lasting.forget(found.request)

    # --- answering ---

    def answer(self, request_id: object, value: Any, by: str | None, then: Then | None) -> None:
        """Decide a request. Raises what `Desk.answer` does; `then` hears it when the decision stands."""
        now = self._kernel.now()
        matter, kept = self._book.answer(request_id, value, by, now)
        self._disarm(matter)

        def stands(_: Exception | None) -> None:  # a decision that cannot be kept is one all the same
            self._book.settle(matter, kept)
            self._lasting.forget_stale()
            self._release(matter, kept.answer)
            self._counts.answered += 1
            seconds = now - kept.request.asked
            self._counts.response.observe(seconds)
            self._telling.tell(PersonAnswered, kept.request, kept.answer, seconds)
            if then is not None:
                then(None)

        self._lasting.put_answer(kept, stands)

    def refused(self, request_id: object, by: str | None, error: DeskError) -> None:
        """Somebody has answered in vain."""
        if isinstance(error, AlreadyAnswered):
            self._counts.duplicate += 1
        elif isinstance(error, RequestExpired):
            self._counts.late += 1
        if not isinstance(error, UnknownRequest):
            self._telling.emit(AnswerRefused(self._kernel.now(), str(request_id), by, error))

    def extend(self, request_id: object, seconds: float) -> None:
        """See `Desk.extend`."""
        matter = self._book.extend(request_id, seconds, self._kernel.now())
        self._arm(matter)
        self._lasting.put(matter)
        self._telling.tell(PersonExtended, matter.request)

    def withdraw(self, request_id: object) -> None:
        """See `Desk.withdraw`."""
        matter = self._book.withdraw(request_id)
        self._release(matter)
        self._withdrawn(matter)

    def _release(self, matter: Matter, answer: Answer | None = None, error: Exception | None = None) -> None:
        """Whoever waits for it waits no longer."""
        for wait in matter.waits:
            self._wake(wait, answer, error)

    def _wake(self, wait: Wait, answer: Answer | None = None, error: Exception | None = None) -> None:
        seat = self._seats.get(wait)
        if seat is not None:  # nobody sits there who was cancelled, or has waited before a restart
            seat.answer = answer
            seat.settle(error)

    # --- time ---

    def _arm(self, matter: Matter) -> None:
        alarm, due = self._alarms.get(matter), matter.due
        if alarm is not None and alarm.live and alarm.due == due:
            return
        self._disarm(matter)
        if due < math.inf and matter.ended is None:
            self._alarms[matter] = self._kernel.alarms.at(due, lambda: self._ring(matter))

    def _disarm(self, matter: Matter) -> None:
        alarm = self._alarms.pop(matter, None)
        if alarm is not None:
            alarm.cancel()

    def _ring(self, matter: Matter) -> None:
        now = self._kernel.now()
        for happening in self._book.ring(matter, now):
            if isinstance(happening, Warned | Escalated) and matter.ended is not None:
                continue  # whoever heard of the one before has answered
            match happening:
                case Warned(remaining):
                    self._lasting.put(matter)
                    self._tell_shown(matter, PersonWarned, matter.request, remaining)
                case Escalated(before, _):
                    self._counts.escalated += 1
                    self._lasting.put(matter)
                    self._tell_shown(matter, PersonEscalated, matter.request, before)
                case Waited(wait):
                    self._wake(wait)
                case Expired():
                    self._counts.expired += 1
                    self._retire(matter, PersonTimedOut, matter.request, now - matter.request.asked)
        self._arm(matter)

    # --- what is over, and what is told ---

    def _show(self, matter: Matter) -> None:
        matter.is_shown = True
        self._telling.tell(PersonAsked, matter.request)

    def _withdrawn(self, matter: Matter) -> None:
        self._counts.withdrawn += 1
        self._retire(matter, PersonWithdrawn, matter.request)

    def _retire(self, matter: Matter, kind: type[PersonEvent], *facts: Any) -> None:
        """It is over without an answer."""
        self._disarm(matter)
        self._lasting.forget(matter.request)
        self._tell_shown(matter, kind, *facts)

    def _tell_shown(self, matter: Matter, kind: type[PersonEvent], *facts: Any) -> None:
        if matter.is_shown:
            self._telling.tell(kind, *facts)

    # --- the store, and other nodes ---

    async def load(self) -> None:
        """Take up what was open before a restart, once. A checkpoint. Raises `StoreError`."""
        await self._lasting.load(self._restored)

    def _restored(self, matter: Matter) -> None:
        self._ring(matter)  # what time has done meanwhile
        if matter.ended is None:
            self._telling.tell(PersonAsked, matter.request)

    async def claimed(self, key: str | None, grant: Grant) -> None:
        """What has become of an approval is kept before anything is done on it. A checkpoint.

        Raises `StoreError` where it cannot be kept, and `SystemClosed`.
        """
        if self.is_closed:
            raise SystemClosed(self._kernel.name)
        kept = None if key is None else self._book.kept_at(key)
        if kept is None or kept.grant is not grant or not self._lasting.keeps(kept.request):
            await trio.lowlevel.cancel_shielded_checkpoint()
            return
        seat = Seat()
        self._lasting.put_answer(kept, seat.settle)
        await self.settled(seat)

    async def settled(self, seat: Seat) -> None:
        """Wait for the store, or another node. A checkpoint. Raises what that says, and `SystemClosed`."""
        self._others.add(seat)
        try:
            await seat.over.wait()
        finally:
            self._others.discard(seat)
        self._check(seat)

    def _check(self, seat: Seat) -> None:
        if seat.is_closed:
            raise SystemClosed(self._kernel.name)
        if seat.error is not None:
            raise seat.error

    # --- the end ---

    def close(self) -> None:
        """The system has ended: whoever waits hears that, and what is kept stays where it is."""
        self.is_closed = True
        for matter in tuple(self._alarms):
            self._disarm(matter)
        self._lasting.close()
        self._book.close()
        for seat in (*self._seats.values(), *self._others):
            seat.is_closed = not seat.over.is_set()
            seat.over.set()


def _waiting(question: PersonRequest) -> AbstractContextManager[None]:
    """A person takes time: an actor that waits for one is not silent."""
    sender = CURRENT.get()
    if sender is None or sender.context is None:
        return nullcontext()
    return sender.context.waiting(f"{question.to or 'somebody'} to answer ({question.kind})")
