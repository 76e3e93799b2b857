"""`system.desk`: programs ask people, and people answer. The shell of `book`.

A request is registered, kept where it is to outlive the process, and only then shown: an answer finds
it, however fast it comes. Everything that decides is a plain call in one step; waiting costs nothing.
"""

from __future__ import annotations

import logging
import math
import secrets
from collections.abc import AsyncGenerator, Callable, Generator, Iterable
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, Final, TypeVar

import attrs
import trio

from actors.asking import ASK_TIMEOUT, Asking
from actors.checks import check_seconds
from actors.core.scope import CURRENT
from actors.errors import ActorError, SystemClosed
from actors.events import (
    AnswerRefused,
    Event,
    PersonAnswered,
    PersonAsked,
    PersonEscalated,
    PersonEvent,
    PersonExtended,
    PersonTimedOut,
    PersonWarned,
    PersonWithdrawn,
)
from actors.histogram import PEOPLE, Histogram, HistogramSnapshot
from actors.people.action import Action
from actors.people.book import Book, Escalated, Expired, Grant, Kept, Matter, Wait, Waited, Warned
from actors.people.elsewhere import Elsewhere
from actors.people.errors import (
    AlreadyAnswered,
    DeskError,
    NoAnswer,
    NotApproved,
    RequestExpired,
    UnknownRequest,
)
from actors.people.keeping import Keeping
from actors.people.neighbours import Neighbours
from actors.people.permit import Permit
from actors.people.queue import Queue
from actors.people.records import is_open, kept_of, kept_record, matter_of, matter_record
from actors.people.request import (
    APPROVAL,
    CLARIFICATION,
    NO_RESPONSE,
    RAISE,
    Answer,
    Escalate,
    PersonRequest,
    Raise,
    check_default,
    checked_request,
    rungs_of,
)

if TYPE_CHECKING:
    from actors.core.alarms import Alarm
    from actors.core.cell import Cell
    from actors.core.kernel import Kernel

__all__ = ["Desk", "DeskStatistics"]

T = TypeVar("T")

_log = logging.getLogger("actors.people")
_DRAW: Final = 8
"""Random bytes in an id."""


@attrs.frozen(kw_only=True)
class DeskStatistics:
    """Counts since the system was opened, and what is there now."""

    asked: int
    answered: int
    expired: int
    withdrawn: int
    escalated: int
    late: int
    """Answers to what was over."""
    duplicate: int
    """Answers to what was answered."""
    pending: int
    """Requests that wait for an answer, those of this node alone."""
    waiting: int
    """Who waits for one: several may wait for the same."""
    remembered: int
    """Ended requests that are known by their ids."""
    kept: int
    """Answers that are found by their keys."""
    response: HistogramSnapshot
    """Seconds from question to answer."""

    @property
    def timeout_rate(self) -> float:
        """The share of those that are decided by time; 0 where none is over."""
        over = self.answered + self.expired
        return self.expired / over if over else 0.0


@attrs.define
class _Counts:
    asked: int = 0
    answered: int = 0
    expired: int = 0
    withdrawn: int = 0
    escalated: int = 0
    late: int = 0
    duplicate: int = 0


@attrs.define(eq=False)
class _Seat:
    """One task that waits."""

    over: trio.Event = attrs.field(factory=trio.Event)
    answer: Answer | None = None
    closed: bool = False


class Desk:
    """Requests to people. `system.desk`; its actor is `/system/desk`.

    The first decision wins. Cancellation of whoever waits passes through and withdraws the request,
    unless others wait for it; with a key and a durable store it stays, for whoever asks again with that key.
    """

    def __init__(
        self,
        kernel: Kernel,
        asking: Asking,
        ensure: Callable[[], Cell | None],
        keeping: Keeping | None,
        neighbours: Neighbours,
    ) -> None:
        self._kernel = kernel
        self._ensure = ensure
        self._keeping = keeping
        self._book = Book(asking, is_lasting=keeping is not None)
        self._seats: dict[Wait, _Seat] = {}
        self._alarms: dict[Matter, Alarm] = {}
        self._counts = _Counts()
        self._response = Histogram(PEOPLE)
        self._watchers: list[Callable[[PersonEvent], object]] = []
        self._queues: list[Queue] = []
        self._closed = False
        self.elsewhere = Elsewhere(kernel, self, neighbours, asking)
        """The framework's own side: requests of linked nodes."""
        self._watchers.append(self.elsewhere.tell_others)

    def __repr__(self) -> str:
        return f"<Desk of {self._kernel.name!r}, {len(self._book)} pending>"

    @property
    def asking(self) -> Asking:
        """Its bounds."""
        return self._book.asking

    # --- asking ---

    async def approval(
        self,
        text: str,
        *,
        to: str | None = None,
        timeout: float | None = ASK_TIMEOUT,
        default: bool | Raise | Escalate = False,
        priority: int = 0,
        key: str | None = None,
    ) -> bool:
        """Ask for a yes or a no, and return it. A checkpoint.

        `to` is whom it is for, None: anybody. After `timeout` seconds (None: never; not given: what
        `Asking` says) `default` is returned, False where nothing is said; or raised, as `NoAnswer`, for
        `actors.RAISE`; or another person is asked, for `actors.Escalate(to=...)`. The higher `priority` comes
        first in the queue of a person.

        `key` names the question: asked again with it while it is open, both wait for the one answer; asked
        again later, it is answered already. With a durable store also after a restart, so that nobody is
        asked twice. Raises `KeyReused` where it stands for another question, `DeskFull`, `SystemClosed`,
        TypeError and ValueError.
        """
        question = self._question(APPROVAL, text, (), to, priority, key)
        answer, _ = await self._ask(question, timeout, default)
        return answer.value

    async def clarification(
        self,
        text: str,
        *,
        to: str | None = None,
        timeout: float | None = ASK_TIMEOUT,
        default: str | Raise | Escalate = NO_RESPONSE,
        priority: int = 0,
        key: str | None = None,
    ) -> str:
        """Ask for a text, and return it. A checkpoint. All else is as in `approval`."""
        question = self._question(CLARIFICATION, text, (), to, priority, key)
        answer, _ = await self._ask(question, timeout, default)
        return answer.value

    async def request(
        self,
        kind: str,
        text: str,
        options: Iterable[Any] = (),
        *,
        to: str | None = None,
        timeout: float | None = ASK_TIMEOUT,
        default: Any = RAISE,
        priority: int = 0,
        key: str | None = None,
    ) -> Answer:
        """Ask for one of `options`, or for any plain data where there are none. A checkpoint.

        `kind` is a name of your own; "approval" and "clarification" take what these take. A default is
        returned as an `Answer` with `is_default`. All else is as in `approval`.
        """
        question = self._question(kind, text, options, to, priority, key)
        answer, _ = await self._ask(question, timeout, default)
        return answer

    async def permission(
        self,
        action: Action,
        text: str | None = None,
        *,
        to: str | None = None,
        timeout: float | None = ASK_TIMEOUT,
        default: bool | Raise | Escalate = False,
        priority: int = 0,
        key: str | None = None,
    ) -> Permit:
        """Ask for the approval of an action, and return the permit to carry it out once. A checkpoint.

        `text` is the question, by default the action as a call. The permit holds for this very action,
        `async with permit.claim(action): ...`. Nothing is approved by default: raises `NotApproved` when a
        person refuses it and when nobody answers, `NoAnswer` for `default=actors.RAISE`.

        With a `key` the permit is found again, and what was begun before is not begun again: see
        `Permit.claim`. Asked with the key and a changed action, what was approved before is void, and the
        new action is asked for. All else is as in `approval`.
        """
        if not isinstance(action, Action):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"{action!r} is no action: write actors.Action('delete', {{'path': '/srv'}})")
        last = rungs_of(default)[1]
        if last is not RAISE and last is not False:
            raise ValueError(f"default={last!r}: an action is never approved because nobody has answered")
        shown = f"Approve {action}?" if text is None else text
        question = self._question(APPROVAL, shown, (), to, priority, key, action.digest)
        self._void_changed(question)
        answer, grant = await self._ask(question, timeout, default)
        if answer.value is not True:
            raise NotApproved(answer.id, str(action), answer.by, in_time=not answer.is_default)
        return Permit(answer, action, grant, key, self._claimed)

    def _question(
        self,
        kind: str,
        text: str,
        options: Iterable[Any],
        to: str | None,
        priority: int,
        key: str | None,
        digest: str | None = None,
    ) -> PersonRequest:
        sender = CURRENT.get()
        request = PersonRequest(
            id=f"{self._kernel.name}:{secrets.token_hex(_DRAW)}",
            kind=kind,
            text=text,
            options=options,  # pyright: ignore[reportArgumentType]  # the check makes a tuple of it
            to=to,
            priority=priority,
            asked=self._kernel.now(),
            sender=None if sender is None else sender.path,
            node=self._kernel.name,
            key=key,
            digest=digest,
        )
        return checked_request(request, self.asking.max_text)

    async def _ask(
        self, question: PersonRequest, timeout: float | None, default: Any
    ) -> tuple[Answer, Grant]:
        check_default(question.kind, default)
        if timeout is ASK_TIMEOUT:  # the very default of the signature, not a number that somebody wrote
            timeout = self.asking.timeout_of(question.kind)
        limit = math.inf if timeout is None else check_seconds("timeout", timeout)
        await trio.lowlevel.checkpoint_if_cancelled()
        if self._closed or self._ensure() is None:
            raise SystemClosed(self._kernel.name)
        now = self._kernel.now()
        found = self._book.find(question, now)
        if isinstance(found, Kept):
            await trio.lowlevel.cancel_shielded_checkpoint()
            return found.answer, found.grant
        rungs, last = rungs_of(default)
        wait = Wait(now + limit, rungs, now)
        matter = self._enter(question, wait) if found is None else self._join(found, wait)
        seat = self._seats[wait] = _Seat()
        try:
            with self._waiting(question):
                await seat.over.wait()
        finally:
            del self._seats[wait]
            self._left(matter, wait)
        if seat.closed:
            raise SystemClosed(self._kernel.name)
        if seat.answer is not None:
            return seat.answer, matter.grant
        request = matter.request
        if last is RAISE:
            raise NoAnswer(request.id, request.text, self._kernel.now() - now)
        return Answer(request.id, request.kind, last, None, self._kernel.now(), is_default=True), matter.grant

    def _enter(self, question: PersonRequest, wait: Wait) -> Matter:
        matter = self._book.enter(question, wait)
        self._counts.asked += 1
        self._arm(matter)
        if self._is_lasting(matter):
            self._put(matter, lambda: self._show(matter))
        else:
            self._show(matter)
        return matter

    def _join(self, matter: Matter, wait: Wait) -> Matter:
        before = matter.request.deadline
        self._book.join(matter, wait)
        self._arm(matter)
        if matter.request.deadline != before:
            self._put(matter)
            self._tell_shown(matter, PersonExtended, matter.request)
        return matter

    def _left(self, matter: Matter, wait: Wait) -> None:
        """Somebody does not wait any more. Where the request is over that changes nothing."""
        if matter.ended is not None:
            return
        if self._book.leave(matter, wait, self._kernel.now(), park=self._is_lasting(matter)):
            self._counts.withdrawn += 1
            self._retire(matter, PersonWithdrawn, matter.request)
        else:
            self._arm(matter)

    def _waiting(self, question: PersonRequest) -> AbstractContextManager[None]:
        """A person takes time: whoever waits for one is not silent."""
        sender = CURRENT.get()
        if sender is None or sender.context is None:
            return nullcontext()
        return sender.context.waiting(f"{question.to or 'somebody'} to answer ({question.kind})")

    # --- answering ---

    def pending(self, to: str | None = None) -> tuple[PersonRequest, ...]:
        """The requests that wait for an answer, of linked nodes too: by priority, then by age.

        `to`: those for this person alone.
        """
        waiting = (*self.own(), *self.elsewhere.pending)
        found = [one for one in waiting if to is None or one.to == to]
        return tuple(sorted(found, key=lambda one: one.place))

    def answer(self, request_id: str, value: Any, by: str | None = None) -> None:
        """Decide a request: whoever waits for it gets `value`. Never blocks.

        `by` is who says so; it is told to whoever has asked, and not checked.
        Raises `UnknownRequest`, `AlreadyAnswered`, `RequestExpired`, and `InvalidAnswer`: then it waits on.

        With a durable store whoever waits gets it when it is on the disk. A request of a linked node may be
        decided over there at the same moment: then that decision stands, and event `AnswerRefused` says so.
        `decide` waits for that.
        """
        self.decided(request_id, value, by, None)

    async def decide(self, request_id: str, value: Any, by: str | None = None) -> None:
        """As `answer`, but it returns when the decision stands, and is on the disk. A checkpoint.

        Raises what `answer` raises, also where it turns out on the node that has asked; `NodeLost` where that
        one is gone, and `SystemClosed`. Cancelled, it may have been decided all the same.
        """
        done = _Seat()
        outcome: list[ActorError] = []

        def settled(error: ActorError | None) -> None:
            if error is not None:
                outcome.append(error)
            done.over.set()

        self.decided(request_id, value, by, settled)
        with self._until_closed(done):
            await done.over.wait()
        if done.closed:
            raise SystemClosed(self._kernel.name)
        if outcome:
            raise outcome[0]

    def decided(
        self, request_id: str, value: Any, by: str | None, then: Callable[[ActorError | None], object] | None
    ) -> None:
        """The framework's own: as `answer`; `then` hears, maybe at once, what came of it."""
        if by is not None and not isinstance(by, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"by is the name of a person, not {by!r}")
        try:
            if self.elsewhere.knows(request_id):
                self.elsewhere.answer(request_id, value, by, then)
                return
            matter, answer = self._book.answer(request_id, value, by, self._kernel.now())
        except DeskError as error:
            self._refused(request_id, by, error)
            raise
        self._disarm(matter)

        def stands() -> None:
            self._answered(matter, answer)
            if then is not None:
                then(None)

        kept = None if matter.request.key is None else self._book.kept_at(matter.request.key)
        if self._keeping is not None and kept is not None:
            self._keeping.put(matter.request.id, kept_record(kept, self._shift), stands)
            self._forget_stale()
        else:
            self._book.stale(self._kernel.now())
            stands()

    def _answered(self, matter: Matter, answer: Answer) -> None:
        for wait in matter.waits:
            seat = self._seats.get(wait)
            if seat is not None:
                seat.answer = answer
                seat.over.set()
        seconds = answer.at - matter.request.asked
        self._counts.answered += 1
        self._response.observe(seconds)
        self.tell(PersonAnswered, matter.request, answer, seconds)

    def _refused(self, request_id: object, by: str | None, error: DeskError) -> None:
        if isinstance(error, AlreadyAnswered):
            self._counts.duplicate += 1
        elif isinstance(error, RequestExpired):
            self._counts.late += 1
        if not isinstance(error, UnknownRequest):
            self.emit(AnswerRefused(self._kernel.now(), str(request_id), by, error))

    def extend(self, request_id: str, seconds: float) -> None:
        """Give a request so many seconds more; whoever waits for it waits on. Never blocks.

        Raises `UnknownRequest`, `AlreadyAnswered`, `RequestExpired`, and ValueError. A request of a
        linked node has more time when that node has heard it.
        """
        check_seconds("seconds", seconds, above=True)
        if self.elsewhere.knows(request_id):
            self.elsewhere.extend(request_id, seconds)
            return
        matter = self._book.extend(request_id, seconds, self._kernel.now())
        self._arm(matter)
        self._put(matter)
        self.tell(PersonExtended, matter.request)

    def withdraw(self, request_id: str) -> None:
        """Take a request of this node back: for whoever waits it is as if its time had passed. Never blocks.

        Raises `UnknownRequest`, `AlreadyAnswered`, `RequestExpired`.
        """
        matter = self._book.withdraw(request_id)
        for wait in matter.waits:
            seat = self._seats.get(wait)
            if seat is not None:
                seat.over.set()
        self._counts.withdrawn += 1
        self._retire(matter, PersonWithdrawn, matter.request)

    # --- looking ---

    @asynccontextmanager
    async def queue(self, to: str | None = None) -> AsyncGenerator[Queue]:
        """What a front end shows: all that waits (for this person), then every change, as events.

        As in `async with system.desk.queue("ada") as queue: async for event in queue: ...`. It begins with
        a `PersonAsked` for each that waits now; whoever was away opens it again and misses nothing.
        """
        queue = Queue(to, self.pending, self._kernel.now)
        self._queues.append(queue)
        self._watchers.append(queue.put)
        if self._closed:
            queue.close()
        try:
            yield queue
        finally:
            self._watchers.remove(queue.put)
            self._queues.remove(queue)

    @contextmanager
    def notify(self, send: Callable[[PersonRequest], object]) -> Generator[None]:
        """Call `send(request)` for each request of this node, inside the block, when it can be answered.

        In the very step: it must not block, and may answer at once. What it raises is logged.
        """

        def tell(event: PersonEvent) -> None:
            if isinstance(event, PersonAsked) and event.request.node == self._kernel.name:
                send(event.request)

        self._watchers.append(tell)
        try:
            yield
        finally:
            self._watchers.remove(tell)

    def watch(self, watcher: Callable[[PersonEvent], object]) -> None:
        """The framework's own: hear every event in its step, until the system closes."""
        self._watchers.append(watcher)

    def own(self) -> list[PersonRequest]:
        """The framework's own: the requests of this node that can be answered."""
        return [matter.request for matter in self._book if matter.is_shown]

    def statistics(self) -> DeskStatistics:
        """Counts of this node's requests."""
        return DeskStatistics(
            **attrs.asdict(self._counts),
            pending=len(self._book),
            waiting=len(self._seats),
            remembered=self._book.remembered,
            kept=self._book.kept,
            response=self._response.snapshot(),
        )

    # --- time ---

    def _arm(self, matter: Matter) -> None:
        alarm, due = self._alarms.get(matter), matter.due
        if alarm is not None and alarm.live and alarm.due == due:
            return
        self._disarm(matter)
        if due < math.inf:
            self._alarms[matter] = self._kernel.alarms.at(due, lambda: self._ring(matter))

    def _disarm(self, matter: Matter) -> None:
        alarm = self._alarms.pop(matter, None)
        if alarm is not None:
            alarm.cancel()

    def _ring(self, matter: Matter) -> None:
        now = self._kernel.now()
        for happening in self._book.ring(matter, now):
            match happening:
                case Warned(remaining):
                    self._tell_shown(matter, PersonWarned, matter.request, remaining)
                case Escalated(before, _):
                    self._counts.escalated += 1
                    self._put(matter)
                    self._tell_shown(matter, PersonEscalated, matter.request, before)
                case Waited(wait):
                    seat = self._seats.get(wait)
                    if seat is not None:
                        seat.over.set()
                case Expired():
                    self._counts.expired += 1
                    self._retire(matter, PersonTimedOut, matter.request, now - matter.request.asked)
        if matter.ended is None:
            self._arm(matter)

    # --- what outlives the process ---

    @property
    def _shift(self) -> float:
        """What seconds since 1970 are more than the clock."""
        return self._kernel.wall_at(0.0)

    def _is_lasting(self, matter: Matter) -> bool:
        return self._keeping is not None and matter.request.key is not None

    def _put(self, matter: Matter, then: Callable[[], object] = lambda: None) -> None:
        if self._keeping is not None and matter.request.key is not None:
            self._keeping.put(matter.request.id, matter_record(matter, self._shift), then)

    def _forget_stale(self) -> None:
        assert self._keeping is not None
        for kept in self._book.stale(self._kernel.now()):
            self._keeping.put(kept.request.id, None, lambda: None)

    def _void_changed(self, question: PersonRequest) -> None:
        """What its key stood for before is another action: that is not asked for any more, and void."""
        if question.key is None:
            return
        kept = self._book.kept_at(question.key)
        if kept is not None and kept.request.digest not in (None, question.digest):
            kept.grant.void()
            self._book.forget(question.key)
            if self._keeping is not None:
                self._keeping.put(kept.request.id, None, lambda: None)
        for matter in self._book:
            request = matter.request
            if request.key == question.key and request.digest not in (None, question.digest):
                self._book.withdraw(request.id)
                for wait in matter.waits:
                    if (seat := self._seats.get(wait)) is not None:
                        seat.over.set()
                self._counts.withdrawn += 1
                self._retire(matter, PersonWithdrawn, request)

    async def _claimed(self, permit: Permit) -> None:
        """What has become of a permit is kept before anything is done on it. A checkpoint."""
        request_key = permit.key
        kept = None if request_key is None else self._book.kept_at(request_key)
        if self._keeping is None or kept is None or kept.grant is not permit.grant:
            await trio.lowlevel.checkpoint()
            return
        done = _Seat()
        self._keeping.put(kept.request.id, kept_record(kept, self._shift), done.over.set)
        with self._until_closed(done):
            await done.over.wait()
        if done.closed:
            raise SystemClosed(self._kernel.name)

    async def load(self) -> None:
        """Take up what was open before a restart. A checkpoint. For its actor."""
        if self._keeping is None:
            await trio.lowlevel.checkpoint()
            return
        for record in await self._keeping.load():
            try:
                self._restore(record)
            except (KeyError, TypeError, ValueError) as error:
                _log.warning("a request that was kept cannot be read, and is left alone: %r", error)
        self._forget_stale()

    def _restore(self, record: Any) -> None:
        if is_open(record):
            request, wait = matter_of(record, self._shift)
            if self._book.find(request, self._kernel.now()) is None:
                matter = self._book.restore(request, wait)
                self._arm(matter)
                self.tell(PersonAsked, matter.request)
        else:
            self._book.keep(kept_of(record, self._shift))

    # --- telling ---

    def _show(self, matter: Matter) -> None:
        if matter.ended is None:
            matter.is_shown = True
            self.tell(PersonAsked, matter.request)

    def _retire(self, matter: Matter, kind: type[PersonEvent], *facts: Any) -> None:
        """It is over without an answer."""
        self._disarm(matter)
        if self._keeping is not None and matter.request.key is not None:
            self._keeping.put(matter.request.id, None, lambda: None)
        self._tell_shown(matter, kind, *facts)

    def _tell_shown(self, matter: Matter, kind: type[PersonEvent], *facts: Any) -> None:
        if matter.is_shown:
            self.tell(kind, *facts)

    def tell(self, kind: type[PersonEvent], *facts: Any) -> None:
        """The framework's own: report a fact about a request."""
        if not self._watchers and not (self._kernel.listeners and self._kernel.sink.wants(kind)):
            return
        event = kind(self._kernel.now(), *facts)
        for watcher in tuple(self._watchers):
            try:
                watcher(event)
            except Exception:  # a front end must not hurt whoever asks
                _log.exception("what was told of the request %s has failed", event.request.id)
        self.emit(event)

    def emit(self, event: Event) -> None:
        """The framework's own: report a fact, if somebody listens."""
        if self._kernel.listeners and self._kernel.sink.wants(type(event)):
            self._kernel.sink.emit(event)

    def clerk(self) -> Cell | None:
        """The framework's own: its actor, made where it is not there; None while the system closes."""
        return None if self._closed else self._ensure()

    # --- the end ---

    @contextmanager
    def _until_closed(self, seat: _Seat) -> Generator[None]:
        wait = Wait(math.inf)
        self._seats[wait] = seat
        try:
            yield
        finally:
            del self._seats[wait]

    def close(self) -> None:
        """The system has ended."""
        self._closed = True
        for seat in self._seats.values():
            seat.closed = not seat.over.is_set()
            seat.over.set()
        for matter in tuple(self._alarms):
            self._disarm(matter)
        for queue in self._queues:
            queue.close()
        self.elsewhere.close()
