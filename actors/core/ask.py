"""Open requests: `Pending` on the asker's side, `ReplyPort` on the answerer's."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import outcome  # of trio's own: what its `reschedule` takes
import trio

from actors.checks import check_seconds
from actors.core.scope import CURRENT
from actors.core.vigil import waiting_for
from actors.errors import ActorError, ActorFailed, AskTimeout, Deadlock
from actors.events import LateReply

if TYPE_CHECKING:
    from actors.core.alarms import Alarm
    from actors.core.cell import Cell
    from actors.core.flow import Flow
    from actors.core.giving import Hand

__all__ = ["Pending", "ReplyPort"]

R = TypeVar("R")
_LATE = object()
# looked up once: they are on the road of every ask
_current_task = trio.lowlevel.current_task
_reschedule = trio.lowlevel.reschedule


class Pending(Generic[R]):
    """A request on its way. It ends once: with a reply, an error, its deadline, or `cancel()`."""

    __slots__ = (
        "__weakref__",
        "_alarm",
        "_asker",
        "_error",
        "_id",
        "_request",
        "_task",
        "_tasks",
        "_value",
        "cell",
        "done",
    )

    stream: Flow | None = None
    """Where the chunks of the answer go, where it is wanted in chunks."""

    def __init__(self, cell: Cell, request: object, asker: Cell | None) -> None:
        self.cell = cell
        self.done = False
        """True once it has ended, one way or another."""
        self._request = request
        self._asker = asker
        self._error: BaseException | None = None
        self._task: trio.lowlevel.Task | None = None  # the first waiter; nearly always the only one
        self._tasks: list[trio.lowlevel.Task | Callable[[], object]] | None = None
        self._alarm: Alarm | None = None

    @property
    def id(self) -> int:
        """Unique within its system; drawn when it is first looked at."""
        try:
            return self._id
        except AttributeError:
            self._id: int = self.cell.kernel.next_request()
            return self._id

    @property
    def message(self) -> object:
        """The request itself."""
        return self._request

    def __repr__(self) -> str:
        state = "done" if self.done else "waiting"
        return f"<Pending {self.id} {type(self._request).__name__} to {self.cell.path}, {state}>"

    # --- the asker's side ---

    async def wait(self, timeout: float | None = None) -> R:
        """The reply, or the error that `ask` would raise. A checkpoint.

        `timeout` (seconds) ends only this wait, with `AskTimeout`; the request goes on.
        Several tasks may wait. Waiting for oneself raises `Deadlock`.
        """
        if timeout is not None:
            check_seconds("timeout", timeout)
        if self.done:
            await trio.lowlevel.checkpoint()
        elif CURRENT.get() is self.cell:
            raise Deadlock(self.cell.ref, self._request)
        else:
            with waiting_for(self.cell):
                try:
                    if timeout is None:
                        await trio.lowlevel.wait_task_rescheduled(self.park())
                    else:
                        await self._wait_at_most(timeout)
                except BaseException:
                    self._drop(_current_task())  # Ctrl-C may strike before trio knows that it waits
                    raise
        self._collect()
        return self.take()

    async def _wait_at_most(self, timeout: float) -> None:
        task = trio.lowlevel.current_task()
        alarm = self.cell.kernel.alarms.after(timeout, lambda: self._wake_late(task))
        try:
            woken = await trio.lowlevel.wait_task_rescheduled(self.park())
        finally:
            alarm.cancel()
        if woken is _LATE:
            raise AskTimeout(self.cell.ref, self._request, timeout, self.cell.state)

    def park(self) -> Callable[[Any], trio.lowlevel.Abort]:
        """Enter the running task as a waiter; the answer is what trio calls when it is cancelled."""
        task = _current_task()
        if self._task is None:
            self._task = task
            return self._first_leaves
        if self._tasks is None:
            self._tasks = []
        self._tasks.append(task)
        return lambda _: self._leave(task)

    def _first_leaves(self, _: Any) -> trio.lowlevel.Abort:
        self._task = None
        return trio.lowlevel.Abort.SUCCEEDED

    def _leave(self, task: trio.lowlevel.Task) -> trio.lowlevel.Abort:
        self._drop(task)
        return trio.lowlevel.Abort.SUCCEEDED

    def _drop(self, task: trio.lowlevel.Task) -> bool:
        if self._task is task:
            self._task = None
        elif self._tasks is not None and task in self._tasks:
            self._tasks.remove(task)
        else:
            return False
        return True

    def leave(self) -> None:
        """The running task does not wait any more, whatever ended that, and wants no reply."""
        self._drop(_current_task())  # as in `wait`
        self.cancel()

    def take(self) -> R:
        """The reply of a request that is done, or its error raised."""
        if self._error is not None:
            raise self._error
        return self._value

    def _wake_late(self, task: trio.lowlevel.Task) -> None:
        if self._drop(task):
            trio.lowlevel.reschedule(task, outcome.Value(_LATE))

    def cancel(self) -> None:
        """Withdraw the request. Idempotent. A handler that has it in hand goes on; its reply is dropped."""
        if not self.done:
            why = f"the request {self.id} to {self.cell.path} was cancelled by its asker"
            self._withdraw(ActorError(why))
        self._collect()

    def keep(self) -> None:
        """It ends with the incarnation that has begun it."""
        asker = self._asker
        if asker is not None:
            if asker.pendings is None:
                asker.pendings = {}
            asker.pendings[self] = None

    def _collect(self) -> None:
        if self._asker is not None and self._asker.pendings is not None:
            self._asker.pendings.pop(self, None)

    def _withdraw(self, error: BaseException) -> None:
        """The asker leaves."""
        self._end(error)

    # --- the framework's side ---

    @property
    def has_begun(self) -> bool:
        """True once the asker has had a chunk of the answer: it cannot be begun anew."""
        return self.stream is not None and self.stream.begun

    @property
    def is_told(self) -> bool:
        """True where somebody waits to hear that a message was handled, and for no reply."""
        return False

    def rest(self) -> Pending[Any] | None:
        """What is to hear that the message was handled, once its reply goes another way."""
        return None

    def left(self, now: float) -> float | None:
        """Seconds until its deadline; None without one."""
        return None if self._alarm is None else max(0.0, self._alarm.due - now)

    def when_ended(self, told: Callable[[], object]) -> None:
        """Call `told`, a plain function, in the step in which it ends: its asker may have left."""
        if self._tasks is None:
            self._tasks = []
        self._tasks.append(told)

    def tell_left(self) -> None:
        """Its asker has left, and it goes on: who waits for its end may see to it that it comes sooner."""
        for waiter in tuple(self._tasks or ()):
            if not isinstance(waiter, trio.lowlevel.Task):
                waiter()

    def put_off(self) -> None:
        """The handler lets go of the message and will answer later."""

    def returned(self, error: BaseException) -> None:
        """Its actor will not handle it: nothing of it was begun."""
        self.fail(error)

    def skipped(self) -> None:
        """Nobody waited for it any more when its turn came."""

    def arm(self, timeout: float, since: float) -> None:
        """End with `AskTimeout` at `timeout` seconds after `since`."""
        self._alarm = self.cell.kernel.alarms.at(since + timeout, lambda: self._expire(timeout))

    def _expire(self, timeout: float) -> None:
        self._alarm = None
        self._withdraw(AskTimeout(self.cell.ref, self._request, timeout, self.cell.state))

    def answer(self, value: Any) -> None:
        """End with a reply; a late one is dropped with an event."""
        if self.done:
            self.cell.kernel.emit(LateReply, self.cell.ref, self._request)
            return
        self._value = value
        self._end(None)

    def fail(self, error: BaseException) -> None:
        """End with an error; a late one is dropped."""
        if not self.done:
            self._end(error)

    def _end(self, error: BaseException | None) -> None:
        self.done = True
        self._error = error
        if self._alarm is not None:
            self._alarm.cancel()
        if self._task is not None:
            _reschedule(self._task)
            self._task = None
        if self._tasks is not None:
            waiters, self._tasks = self._tasks, None
            for waiter in waiters:
                if isinstance(waiter, trio.lowlevel.Task):
                    trio.lowlevel.reschedule(waiter)
                else:
                    waiter()
        if self._asker is not None and self._asker.pendings is not None and self in self._asker.pendings:
            self._asker.reply_came()


class ReplyPort:
    """Answers a request later, from anywhere in the system; the handler may return before.

    It lives as long as the incarnation that made it: when that ends first, the asker
    gets `ActorFailed` or `ActorStopped`. A second answer is dropped like a late reply.
    """

    __slots__ = ("_close", "_giving", "_pending")

    def __init__(
        self, pending: Pending[Any] | None, close: Callable[[Pending[Any]], None], giving: Hand | None = None
    ) -> None:
        self._pending = pending
        self._close = close
        self._giving = giving

    def __repr__(self) -> str:
        asked = self._pending
        return "<ReplyPort to nobody>" if asked is None else f"<ReplyPort of {asked!r}>"

    def answer(self, value: object) -> None:
        """Give the asker its reply. Never blocks."""
        if self._pending is not None:
            self._close(self._pending)
            self._pending.answer(value if self._giving is None else self._giving.whole(value))

    async def send_chunk(self, value: object) -> bool:
        """Give the asker a chunk of the answer, see `Context.send_chunk`; `answer()` ends it. A checkpoint.

        Raises RuntimeError where the message is no `StreamRequest`.
        """
        if self._giving is None:
            raise RuntimeError(f"{self!r} takes no chunks: only the answer to a StreamRequest has such")
        return await self._giving.give(value)

    def fail(self, error: BaseException) -> None:
        """Give the asker an error: an `ActorError` as it is, else `ActorFailed` with it as cause."""
        if self._pending is None:
            return
        self._close(self._pending)
        if self._pending.done:
            self._pending.answer(None)
        elif isinstance(error, ActorError):
            self._pending.fail(error)
        else:
            self._pending.fail(ActorFailed(self._pending.cell.ref, error))
