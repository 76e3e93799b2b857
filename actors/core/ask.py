"""Open requests: `Pending` on the asker's side, `ReplyPort` on the answerer's."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import outcome
import trio

from actors.core.scope import CURRENT
from actors.errors import ActorError, ActorFailed, AskTimeout, Deadlock
from actors.events import LateReply
from actors.policy import check_seconds

if TYPE_CHECKING:
    from actors.core.alarms import Alarm
    from actors.core.cell import Cell

__all__ = ["Pending", "ReplyPort"]

R = TypeVar("R")
_LATE = object()


class Pending(Generic[R]):
    """A request on its way. It ends once: with a reply, an error, its deadline, or `cancel()`."""

    __slots__ = (
        "__weakref__",
        "_alarm",
        "_asker",
        "_error",
        "_request",
        "_tasks",
        "_value",
        "cell",
        "done",
        "id",
    )

    def __init__(self, cell: Cell, request: object, asker: Cell | None) -> None:
        self.cell = cell
        self.id = cell.kernel.next_request()
        """Unique within its system."""
        self.done = False
        """True once it has ended, one way or another."""
        self._request = request
        self._asker = asker
        self._value: Any = None
        self._error: BaseException | None = None
        self._tasks: list[trio.lowlevel.Task] | None = None
        self._alarm: Alarm | None = None

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
        else:
            await self._wait_done(timeout)
        self._collect()
        if self._error is not None:
            raise self._error
        return self._value

    async def _wait_done(self, timeout: float | None) -> None:
        if CURRENT.get() is self.cell:
            raise Deadlock(self.cell.ref, self._request)
        task = trio.lowlevel.current_task()
        if self._tasks is None:
            self._tasks = []
        self._tasks.append(task)
        alarm = (
            None if timeout is None else self.cell.kernel.alarms.after(timeout, lambda: self._wake_late(task))
        )
        try:
            woken = await trio.lowlevel.wait_task_rescheduled(lambda _: self._leave(task))
        finally:
            if alarm is not None:
                alarm.cancel()
        if woken is _LATE:
            assert timeout is not None
            raise AskTimeout(self.cell.ref, self._request, timeout, self.cell.state)

    def _leave(self, task: trio.lowlevel.Task) -> trio.lowlevel.Abort:
        assert self._tasks is not None
        self._tasks.remove(task)
        return trio.lowlevel.Abort.SUCCEEDED

    def _wake_late(self, task: trio.lowlevel.Task) -> None:
        if self._tasks and task in self._tasks:
            self._tasks.remove(task)
            trio.lowlevel.reschedule(task, outcome.Value(_LATE))

    async def result(self) -> R:
        """`wait` for a request that nobody else knows: leaving it withdraws it."""
        try:
            return await self.wait()
        except BaseException:
            self.cancel()
            raise

    def cancel(self) -> None:
        """Withdraw the request. Idempotent. A handler that has it in hand goes on; its reply is dropped."""
        if not self.done:
            self._end(
                None, ActorError(f"the request {self.id} to {self.cell.path} was cancelled by its asker")
            )
        self._collect()

    def _collect(self) -> None:
        if self._asker is not None and self._asker.pendings is not None:
            self._asker.pendings.pop(self, None)

    # --- the framework's side ---

    def arm(self, timeout: float) -> None:
        """End with `AskTimeout` in `timeout` seconds."""
        self._alarm = self.cell.kernel.alarms.after(timeout, lambda: self._expire(timeout))

    def _expire(self, timeout: float) -> None:
        self._alarm = None
        self._end(None, AskTimeout(self.cell.ref, self._request, timeout, self.cell.state))

    def answer(self, value: Any) -> None:
        """End with a reply; a late one is dropped with an event."""
        if self.done:
            self.cell.kernel.emit(LateReply, self.cell.ref, self._request)
        else:
            self._end(value, None)

    def fail(self, error: BaseException) -> None:
        """End with an error; a late one is dropped."""
        if not self.done:
            self._end(None, error)

    def _end(self, value: Any, error: BaseException | None) -> None:
        self.done = True
        self._value = value
        self._error = error
        if self._alarm is not None:
            self._alarm.cancel()
        if self._tasks:
            tasks, self._tasks = self._tasks, None
            for task in tasks:
                trio.lowlevel.reschedule(task)
        if self._asker is not None and self._asker.pendings is not None and self in self._asker.pendings:
            self._asker.reply_came()


class ReplyPort:
    """Answers a request later, from anywhere in the system; the handler may return before.

    It lives as long as the incarnation that made it: when that ends first, the asker
    gets `ActorFailed` or `ActorStopped`. A second answer is dropped like a late reply.
    """

    __slots__ = ("_close", "_pending")

    def __init__(self, pending: Pending[Any] | None, close: Callable[[Pending[Any]], None]) -> None:
        self._pending = pending
        self._close = close

    def answer(self, value: object) -> None:
        """Give the asker its reply. Never blocks."""
        if self._pending is not None:
            self._close(self._pending)
            self._pending.answer(value)

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
