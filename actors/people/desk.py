"""`system.desk`: programs ask people, and people answer. The public door; `register` does the work."""

from __future__ import annotations

import math
import secrets
import threading
from collections.abc import AsyncGenerator, Callable, Generator, Iterable
from contextlib import asynccontextmanager, contextmanager
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any, Final

import trio

from actors.asking import ASK_TIMEOUT, Asking
from actors.checks import check_seconds
from actors.core.scope import CURRENT
from actors.errors import ActorError, SystemClosed
from actors.events import Event, PersonAsked, PersonEvent
from actors.people.action import Action
from actors.people.book import Grant
from actors.people.counts import DeskStatistics
from actors.people.elsewhere import Elsewhere
from actors.people.errors import DeskError, NotApproved
from actors.people.keeping import Keeping
from actors.people.neighbours import Neighbours
from actors.people.permit import Permit
from actors.people.queue import Queue
from actors.people.register import Register, Seat
from actors.people.request import (
    APPROVAL,
    CLARIFICATION,
    NO_RESPONSE,
    RAISE,
    Answer,
    Escalate,
    PersonRequest,
    Raise,
    check_by,
    check_default,
    check_text,
    checked_request,
    rungs_of,
    shown,
)
from actors.people.telling import Telling

if TYPE_CHECKING:
    from actors.core.cell import Cell
    from actors.core.kernel import Kernel

__all__ = ["Desk", "DeskStatistics"]

_DRAW: Final = 8
"""Random bytes in an id."""


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
        self._thread = threading.get_ident()
        self._ensure = ensure
        self._telling = Telling(kernel)
        self._register = Register(kernel, asking, keeping, self._telling)
        self._queues: list[Queue] = []
        self.elsewhere = Elsewhere(kernel, self, neighbours, asking)
        """The framework's own side: requests of linked nodes."""
        self._telling.watch(self.elsewhere.tell_others)

    def __repr__(self) -> str:
        return f"<Desk of {self._kernel.name!r}, {len(self._register)} pending>"

    @property
    def asking(self) -> Asking:
        """Its bounds."""
        return self._register.asking

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

        The person sees the action as a call, in full, below `text` if there is one. The permit holds for this
        very action, `async with permit.claim(action): ...`. Nothing is approved by default: raises
        `NotApproved` when a person refuses it and when nobody answers, `NoAnswer` for `default=actors.RAISE`.

        With a `key` the permit is found again, and what was begun before is not begun again: see
        `Permit.claim`. Asked with the key and a changed action, what was approved before is void, and the
        new action is asked for. All else is as in `approval`.
        """
        if not isinstance(action, Action):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(
                f"{shown(action)} is no action: write actors.Action('delete', {{'path': '/srv'}})"
            )
        last = rungs_of(default)[1]
        if last is not RAISE and last is not False:
            raise ValueError(
                f"default={shown(last)}: an action is never approved because nobody has answered"
            )
        if text is not None:
            check_text("text", text)
        said = f"Approve {action.call}?" if text is None else f"{text}\n{action.call}"
        question = self._question(APPROVAL, said, (), to, priority, key, action.digest)
        answer, grant = await self._ask(question, timeout, default)
        if answer.value is not True:
            raise NotApproved(answer.id, str(action), answer.by, in_time=not answer.is_default)
        return Permit(answer, action, grant, key, self._register.claimed)

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
        self._check_thread()
        await trio.lowlevel.checkpoint_if_cancelled()
        if self.clerk() is None:
            raise SystemClosed(self._kernel.name)
        return await self._register.ask(question, limit, default)

    # --- answering ---

    def pending(self, to: str | None = None) -> tuple[PersonRequest, ...]:
        """The requests that wait for an answer, of linked nodes too: by priority, then by age.

        `to`: those for this person alone.
        """
        waiting = (*self.own(), *self.elsewhere.pending)
        found = [one for one in waiting if to is None or one.to == to]
        return tuple(sorted(found, key=lambda one: one.place))

    def answer(self, id: str, value: Any, by: str | None = None) -> None:
        """Decide a request: whoever waits for it gets `value`. Never blocks.

        `by` is the name of who says so; it is told to whoever has asked, and whether it is true is not
        checked. Raises `UnknownRequest`, `AlreadyAnswered`, `RequestExpired`, and `InvalidAnswer`: then it
        waits on; TypeError and ValueError for what is no name; RuntimeError in another thread than the
        system's, where `trio.from_thread.run_sync(desk.answer, ...)` is right.

        With a durable store whoever waits gets it when it is on the disk. A request of a linked node may be
        decided over there at the same moment: then that decision stands, and event `AnswerRefused` says so.
        `decide` waits for that.
        """
        self.decided(id, value, by, None)

    async def decide(self, id: str, value: Any, by: str | None = None) -> None:
        """As `answer`, but it returns when the decision stands, and is on the disk. A checkpoint.

        Raises what `answer` raises, also where it turns out on the node that has asked; `NodeLost` where that
        one is gone, and `SystemClosed`. Cancelled, it may have been decided all the same.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        done = Seat()
        self.decided(id, value, by, done.settle)
        await self._register.settled(done)

    def decided(
        self, request_id: str, value: Any, by: str | None, then: Callable[[ActorError | None], object] | None
    ) -> None:
        """The framework's own: as `answer`; `then` hears, maybe at once, what came of it."""
        self._check_thread()
        check_by(by)
        try:
            if self._is_elsewhere(request_id):
                self.elsewhere.answer(request_id, value, by, then)
            else:
                self._register.answer(request_id, value, by, then)
        except DeskError as error:
            self._register.refused(request_id, by, error)
            raise

    def _is_elsewhere(self, request_id: object) -> bool:
        return isinstance(request_id, str) and self.elsewhere.knows(request_id)

    def extend(self, id: str, seconds: float) -> None:
        """Give a request so many seconds more; whoever waits for it waits on. Never blocks.

        Raises `UnknownRequest`, `AlreadyAnswered`, `RequestExpired`, and ValueError. A request of a
        linked node has more time when that node has heard it.
        """
        self._check_thread()
        check_seconds("seconds", seconds, above=True)
        if self._is_elsewhere(id):
            self.elsewhere.extend(id, seconds)
        else:
            self._register.extend(id, seconds)

    def withdraw(self, id: str) -> None:
        """Take a request of this node back: for whoever waits it is as if its time had passed. Never blocks.

        Raises `UnknownRequest`, `AlreadyAnswered`, `RequestExpired`.
        """
        self._check_thread()
        self._register.withdraw(id)

    def _check_thread(self) -> None:
        """From another thread nobody can be woken, and whoever asked would wait for ever."""
        if threading.get_ident() != self._thread:
            raise RuntimeError(
                f"this thread is not that of the system {self._kernel.name!r}: "
                f"call its desk there, as trio.from_thread.run_sync(system.desk.answer, ...) does"
            )

    # --- looking ---

    @asynccontextmanager
    async def queue(self, to: str | None = None) -> AsyncGenerator[Queue]:
        """What a front end shows: all that waits (for this person), then every change, as events.

        As in `async with system.desk.queue("ada") as queue: async for event in queue: ...`. It begins with
        a `PersonAsked` for each that waits now; whoever was away opens it again and misses nothing.
        """
        queue = Queue(to, self.pending, self._kernel.now)
        if self._register.is_closed:
            queue.close()
        self._queues.append(queue)
        try:
            with self._telling.watching(queue.put):
                yield queue
        finally:
            self._queues.remove(queue)
            queue.close()

    @contextmanager
    def notify(self, send: Callable[[PersonRequest], object]) -> Generator[None]:
        """Call `send(request)` for each request of this node, inside the block, when it can be answered.

        In the very step: it is a plain function, must not block, and may answer at once. What it raises is
        logged. Raises TypeError for an async function.
        """
        if iscoroutinefunction(send):
            raise TypeError(
                f"{shown(send)} is async, and nobody would wait for it: pass a plain function, "
                f"or read `async with desk.queue() as queue` in a task"
            )

        def tell(event: PersonEvent) -> None:
            if isinstance(event, PersonAsked) and event.request.node == self._kernel.name:
                send(event.request)

        with self._telling.watching(tell):
            yield

    def statistics(self) -> DeskStatistics:
        """Counts of this node's requests."""
        return self._register.statistics()

    # --- the framework's own ---

    def watch(self, watcher: Callable[[PersonEvent], object]) -> None:
        """Hear every event in its step, until the system closes."""
        self._telling.watch(watcher)

    def tell(self, kind: type[PersonEvent], *facts: Any) -> None:
        """Report a fact about a request."""
        self._telling.tell(kind, *facts)

    def emit(self, event: Event) -> None:
        """Report a fact, if somebody listens."""
        self._telling.emit(event)

    def own(self) -> list[PersonRequest]:
        """The requests of this node that can be answered."""
        return self._register.own()

    def clerk(self) -> Cell | None:
        """Its actor, made where it is not there; None while the system closes."""
        return None if self._register.is_closed else self._ensure()

    async def load(self) -> None:
        """Take up what was open before a restart. A checkpoint. For its actor."""
        await self._register.load()

    def close(self) -> None:
        """The system has ended."""
        self._register.close()
        for queue in self._queues:
            queue.close()
        self.elsewhere.close()
