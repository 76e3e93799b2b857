"""`Stream`: the answer to a request, in chunks, on the asker's side."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

import outcome  # of trio's own: what its `reschedule` takes
import trio

from actors.core.ask import Pending
from actors.core.flow import LocalFlow, Streaming
from actors.core.pace import BATCH
from actors.core.vigil import waiting_for
from actors.errors import AskTimeout

if TYPE_CHECKING:
    from actors.core.cell import Cell

__all__ = ["Stream", "StreamPending"]

T_co = TypeVar("T_co", covariant=True)
_LATE = object()


class StreamPending(Streaming, Pending[Any]):
    """An open request whose answer comes in chunks."""

    __slots__ = ("stream",)

    def __init__(self, cell: Cell, request: object, asker: Cell | None, window: int) -> None:
        super().__init__(cell, request, asker)
        self.stream = LocalFlow(window)


class Stream(AsyncIterator[T_co], Generic[T_co]):
    """What `ref.stream` gives: the chunks of one answer, in order, each once.

    Iterate it in one task. Who leaves before the end takes the request back, and the handler is cancelled:
    `break` where nothing else refers to the stream, and for certain the end of `async with`, `aclose()`, or
    the cancellation of whoever waits for the next chunk. After the end, or an error, the iteration is over
    for ever.
    """

    __slots__ = ("__weakref__", "_flow", "_idle", "_left", "_over", "_pending", "_taking", "_token")

    def __init__(self, pending: Pending[Any], flow: LocalFlow, idle: float | None) -> None:
        self._over = False
        self._pending = pending
        self._flow = flow
        self._idle = idle
        self._left = BATCH
        self._taking = False
        self._token = trio.lowlevel.current_trio_token()

    def __repr__(self) -> str:
        state = "over" if self._over else "ended" if self._pending.done else "open"
        return f"<Stream of {type(self._pending.message).__name__} from {self._pending.cell.path}, {state}>"

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T_co:
        """The next chunk. A checkpoint when none waits, and at least once a batch.

        Raises what `ask` raises, behind the chunks that came before; also `AskTimeout` when none came
        for `idle` seconds of waiting; RuntimeError while another task waits for the next one.
        """
        flow = self._flow
        if self._taking:
            raise RuntimeError(
                f"another task takes from {self!r} already: let one task iterate, "
                f"and hand the chunks on over a memory channel"
            )
        self._left -= 1
        if not self._left or not flow.chunks:
            self._taking = True
            try:
                await self._until_something()
            except BaseException:
                self._leave()
                raise
            finally:
                self._taking = False
        if flow.chunks:
            chunk: T_co = flow.take()
            return chunk
        if not self._over:
            self._over = True
            self._pending.take()
        raise StopAsyncIteration

    async def _until_something(self) -> None:
        self._left = BATCH
        flow = self._flow
        if flow.chunks or flow.closed:
            await trio.lowlevel.checkpoint()
            return
        cell = self._pending.cell
        with waiting_for(cell):
            alarm = None
            task = trio.lowlevel.current_task()
            if self._idle is not None:
                alarm = cell.kernel.alarms.after(self._idle, lambda: self._wake_late(task))
            try:
                flow.taker = task
                woken = await trio.lowlevel.wait_task_rescheduled(self._unpark)
            finally:
                flow.taker = None
                if alarm is not None:
                    alarm.cancel()
        if woken is _LATE:
            assert self._idle is not None
            raise AskTimeout(cell.ref, self._pending.message, self._idle, cell.state)

    def _unpark(self, _: Any) -> trio.lowlevel.Abort:
        self._flow.taker = None
        return trio.lowlevel.Abort.SUCCEEDED

    def _wake_late(self, task: trio.lowlevel.Task) -> None:
        if self._flow.taker is task:
            self._flow.taker = None
            trio.lowlevel.reschedule(task, outcome.Value(_LATE))

    def _leave(self) -> None:
        """Take the request back; what waits is thrown away. Idempotent."""
        self._over = True
        self._pending.cancel()
        self._flow.chunks.clear()

    async def aclose(self) -> None:
        """Take the request back: the handler is cancelled, and no chunk comes any more. A checkpoint.

        Idempotent. Not promised: that the handler has ended when this returns.
        """
        self._leave()
        await trio.lowlevel.checkpoint()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()
        if error is None:
            await trio.lowlevel.checkpoint()

    def __del__(self) -> None:
        """Dropped: the request is taken back, in the loop's own thread and between two steps."""
        if not getattr(self, "_over", True) and not self._pending.done:
            with suppress(trio.RunFinishedError):
                self._token.run_sync_soon(self._pending.cancel)
