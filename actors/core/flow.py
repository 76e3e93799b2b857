"""A flow: between whoever makes the chunks of one answer and whoever takes them.

The open request of the asker carries it, wherever that goes: into a mailbox, into the hands of a
pool's worker, over a link. Whoever has the request in hand is its source, puts chunks in, and hears when some
were taken and when nobody takes any more. What becomes of a chunk, the kinds of flow say.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Protocol

import trio

from actors.core import orders as order
from actors.core.chunks import ENDED, Supply, last_chunks
from actors.core.pace import BATCH, UNRESPONSIVE_EVERY
from actors.events import LateReply, Progressed, Unresponsive

if TYPE_CHECKING:
    from actors.core.alarms import Alarm
    from actors.core.ask import Pending
    from actors.core.cell import Cell
    from actors.core.driver import Cancellable

__all__ = ["Flow", "Giver", "LocalFlow", "Source", "Streaming", "note_chunk"]


class Source(Protocol):
    """Whoever makes the chunks. Plain calls that return at once."""

    def taken(self, count: int, /) -> None:
        """So many chunks more were taken; 0: there may be room all the same."""
        ...

    def abandoned(self) -> None:
        """Nobody takes any more."""
        ...


class Flow:
    """The maker's side of one flow."""

    __slots__ = ("closed", "source", "supply")

    def __init__(self, window: int) -> None:
        self.supply = Supply(window)
        self.source: Source | None = None
        self.closed = False
        """The answer is over: what is put in goes nowhere."""

    @property
    def window(self) -> int:
        """How many chunks may wait untaken."""
        return self.supply.window

    @property
    def begun(self) -> bool:
        """A chunk was given."""
        return self.supply.begun

    @property
    def has_room(self) -> bool:
        """True when a chunk may be put in; where the flow is closed, nothing is waited for."""
        return self.supply.left > 0 or self.closed

    def put(self, chunk: Any) -> None:
        """Put a chunk in. Raises ValueError without room."""
        if not self.closed:
            self.supply.pay()
            self.carry(chunk)

    def carry(self, chunk: Any) -> None:
        """Bring a chunk, that is paid for, to whoever takes it."""
        raise NotImplementedError

    def taken(self, count: int) -> None:
        """So many chunks were taken. Raises ValueError for more than wait."""
        self.supply.give_back(count)
        if self.source is not None:
            self.source.taken(count)

    def close(self) -> None:
        """The answer is over, one way or another. Idempotent."""
        if not self.closed:
            self.closed = True
            if self.source is not None:
                self.source.taken(0)

    def abandon(self) -> None:
        """Whoever took the chunks has left. Idempotent."""
        source, self.source = self.source, None
        self.close()
        if source is not None:
            source.abandoned()


class LocalFlow(Flow):
    """Its chunks are taken in this process."""

    __slots__ = ("chunks", "taker")

    def __init__(self, window: int) -> None:
        super().__init__(window)
        self.chunks: deque[Any] = deque()
        self.taker: trio.lowlevel.Task | None = None
        """Who waits for the next one."""

    def carry(self, chunk: Any) -> None:
        """See `Flow.carry`."""
        self.chunks.append(chunk)
        if self.taker is not None:
            self._wake()

    @trio.lowlevel.enable_ki_protection
    def _wake(self) -> None:
        task, self.taker = self.taker, None
        if task is not None:
            trio.lowlevel.reschedule(task)

    def take(self) -> Any:
        """The next chunk, which is there."""
        chunk = self.chunks.popleft()
        if not self.closed:  # what an answer adds is not paid for
            self.taken(1)
        return chunk

    def close(self) -> None:
        """See `Flow.close`."""
        super().close()
        self._wake()


class Streaming:
    """What is different for an open request whose answer comes in chunks. Mixed into a kind of `Pending`."""

    __slots__ = ()

    stream: Any

    def answer(self: Any, value: Any) -> None:
        """See `Pending.answer`: the chunks are over, and this comes behind them."""
        if self.done:
            if value is not ENDED:
                self.cell.kernel.emit(LateReply, self.cell.ref, self.message)
            return
        self._add_last(value)
        self._value = value
        self._end(None)

    def _add_last(self: Any, value: Any) -> None:
        self.stream.chunks.extend(last_chunks(self.message, self.stream.begun, value))

    def _withdraw(self, error: BaseException) -> None:
        self.stream.abandon()  # first: it is not to go on because the flow is closed
        super()._withdraw(error)  # type: ignore[misc]  # pyright: ignore

    def _end(self, error: BaseException | None) -> None:
        super()._end(error)  # type: ignore[misc]  # pyright: ignore
        self.stream.close()
        self._collect()  # pyright: ignore


class Giver:
    """The source of a flow in an actor's own code: it waits for room, and pauses once a batch."""

    __slots__ = ("_alarm", "_handling", "_left", "cell", "flow", "is_left", "waiting")

    def __init__(self, cell: Cell, asked: Pending[Any]) -> None:
        flow = asked.stream
        assert flow is not None
        self.cell = cell
        self.flow = flow
        self.is_left = asked.done
        """Nobody takes any more."""
        self._handling: Cancellable | None = None
        self._alarm: Alarm | None = None
        self.waiting: dict[trio.lowlevel.Task, None] = {}
        self._left = BATCH
        flow.source = self

    @property
    def has_room(self) -> bool:
        """True when the next chunk need not wait."""
        return self._left > 0 and self.flow.has_room

    async def until_room(self) -> None:
        """Wait until a chunk may be given; meanwhile the actor is not silent, but held up. A checkpoint."""
        self._left = BATCH
        if self.flow.has_room:
            await trio.lowlevel.checkpoint()
        while not self.flow.has_room:
            vigil = self.cell.vigil
            if vigil is None:
                await self._park()
            else:
                with vigil.waiting("room for a chunk"):
                    await self._park()

    async def _park(self) -> None:
        task = trio.lowlevel.current_task()
        self.waiting[task] = None

        def left(_: Any) -> trio.lowlevel.Abort:
            self.waiting.pop(task, None)
            return trio.lowlevel.Abort.SUCCEEDED

        await trio.lowlevel.wait_task_rescheduled(left)

    def put(self, chunk: Any) -> None:
        """Give a chunk."""
        self._left -= 1
        self.flow.put(chunk)

    @trio.lowlevel.enable_ki_protection
    def taken(self, count: int, /) -> None:
        """See `Source`."""
        if self.flow.has_room:
            for task in tuple(self.waiting):
                del self.waiting[task]
                trio.lowlevel.reschedule(task)

    def leaving_ends(self, handling: Cancellable | None) -> None:
        """This is cancelled when nobody takes any more, now if that is so already; None: nothing is."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        self._handling = handling
        if self.is_left:
            self._end_handling()

    def abandoned(self) -> None:
        """See `Source`."""
        self.is_left = True
        self._left = 0  # what goes on without a pause is stopped at its next chunk
        self._end_handling()
        self.taken(0)

    def _end_handling(self) -> None:
        """Cancel it, and report each second that this has not ended it."""
        if self._handling is None:
            return
        self._handling.cancel()
        kernel = self.cell.kernel
        since = kernel.now()

        def report() -> None:
            if not self.cell.orders & order.CANCELS:  # else the cell reports it
                kernel.emit(Unresponsive, self.cell.ref, kernel.now() - since)
            self._alarm = kernel.alarms.after(UNRESPONSIVE_EVERY, report)

        self._alarm = kernel.alarms.after(UNRESPONSIVE_EVERY, report)


def note_chunk(cell: Cell, chunk: Any) -> float:
    """Giving a chunk is a sign of life; text and bytes count as output. The time is the answer."""
    at = cell.active_at = cell.now()
    size = len(chunk) if isinstance(chunk, str | bytes) else 0
    if cell.vigil is not None:
        cell.vigil.progress(at, size)
    if cell.kernel.listeners:
        cell.kernel.emit(Progressed, cell.ref, "progress", size)
    return at
