"""`Ref`: the handle of an actor that everybody else holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, overload

import trio

from actors.checks import check_count, check_seconds
from actors.core.ask import Pending
from actors.core.scope import CURRENT
from actors.core.stream import Stream

if TYPE_CHECKING:
    from actors.core.cell import Cell
    from actors.core.lifecycle import ActorState
    from actors.core.statistics import Statistics
    from actors.exits import Exit
    from actors.messages import Request, StreamRequest

__all__ = ["Ref"]

R = TypeVar("R")
T = TypeVar("T")
# looked up once: they are on the road of every message
_current = CURRENT.get
_wait = trio.lowlevel.wait_task_rescheduled
_checkpoint = trio.lowlevel.cancel_shielded_checkpoint
_checkpoint_if_cancelled = trio.lowlevel.checkpoint_if_cancelled


class Ref:
    """The handle of one actor's life, valid across its restarts. Frozen and hashable.

    Two refs are equal when they mean the same life: a new actor of the same name has
    another ref, and the old one stays STOPPED.
    """

    __slots__ = ("__weakref__", "cell")

    cell: Cell
    """The framework's own side of the actor; not for users."""

    def __init__(self, cell: Cell) -> None:
        _set_cell(self, cell)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"a Ref is frozen: cannot set {name!r}")

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Ref) and self.identity == other.identity)

    def __hash__(self) -> int:
        return hash(self.cell)

    def __copy__(self) -> Ref:
        return self

    def __deepcopy__(self, memo: object) -> Ref:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"{self!r} cannot be pickled: send it in a message over a link instead")

    def __repr__(self) -> str:
        return self.cell.describe()

    @property
    def identity(self) -> tuple[str, str, str, int]:
        """(node, incarnation of the node, path, serial number): what equality compares."""
        return self.cell.identity

    @property
    def name(self) -> str | None:
        """Its name, or None for an adhoc actor."""
        return self.cell.name

    @property
    def path(self) -> str:
        """From the root down, as in `/network/worker-1`."""
        return self.cell.path

    @property
    def node(self) -> str:
        """The name of the node that it runs on, which is the name of a system."""
        return self.cell.node

    @property
    def state(self) -> ActorState:
        """What it is doing right now; derived on each reading, never stale.

        Of an actor of another node: STOPPED and UNREACHABLE as they are; while a request to it is open,
        what it was doing at its node's last beat, a second ago at most; else IDLE, and it may be busy
        with others.
        """
        return self.cell.state

    @property
    def waiting_for(self) -> str | None:
        """What excuses its silence: the path of its own child, or what `ctx.waiting` named; else None."""
        vigil = self.cell.vigil
        return vigil.waits[-1] if vigil is not None and vigil.waits else None

    def statistics(self) -> Statistics:
        """Counts and times of this actor, as they are now."""
        return self.cell.statistics()

    # --- messages ---

    def tell(self, message: object, *, urgent: bool = False) -> None:
        """Put a message in the mailbox. Never blocks, and is no checkpoint.

        At most once; in order per sender and lane. A full mailbox follows the policy's
        overflow rule ("reject" raises `MailboxFull`); a stopped actor makes it a dead
        letter without an exception. Not promised: that it is ever handled.
        """
        cell = self.cell
        lanes = cell.lanes
        normal = lanes.normal
        if normal is None or urgent or len(normal) + lanes.extra >= lanes.limit:
            cell.tell(message, urgent)
            return
        # written out here, as nearly every message comes this way: every call on it costs a twentieth
        normal.append((message, _current(), None, cell.stamp(), None))
        if cell.parked is not None:
            cell.wake()

    async def send(self, message: object) -> None:
        """As `tell`, but wait for room, whatever the overflow rule. A checkpoint.

        Room is handed to the senders in the order of their waiting. Cancelled while
        waiting, the message was not sent. An actor that would wait for room in its own
        mailbox gets `Deadlock`.
        """
        await self.cell.send(message)

    async def ask(self, request: Request[R], *, timeout: float | None = None) -> R:
        """Send a request and wait for its reply. A checkpoint.

        Raises `AskTimeout` after `timeout` seconds (None: no limit), `ActorFailed`,
        `ActorStopped`, `Refused`, `Unhandled`, `Interrupted`, `MailboxFull`,
        `CircuitOpen` or `Deadlock`. It waits through STARTING, BACKING_OFF and SUSPENDED,
        and survives a restart in the queue; the end of the callee ends it at once.
        Cancelled, the request is withdrawn: skipped if it still waits, else its reply
        is dropped. Not promised: that the handler stops working on it.
        """
        cell = self.cell
        if cell.plain and cell.parked is not None:  # at rest: it takes its turn in the asker's own step
            await _checkpoint_if_cancelled()
            pending: Pending[R] = cell.request_now(request, timeout)
            if pending.done:
                await _checkpoint()
                return pending.take()
        else:
            pending = cell.request(request, timeout, keep=False)
        if pending.done:
            await trio.lowlevel.checkpoint()
        elif cell.parent.vigil is not None:  # who asks may be silent meanwhile: `wait` sees to it
            try:
                await pending.wait()
            except BaseException:
                pending.leave()
                raise
        else:  # written out here: every coroutine between asker and trio costs, twice an ask
            try:
                await _wait(pending.park())
            except BaseException:
                pending.leave()
                raise
        return pending.take()

    def request(self, request: Request[R], *, timeout: float | None = None) -> Pending[R]:
        """Send a request without waiting. No checkpoint; whatever goes wrong, the `Pending` tells.

        An actor's own requests stay in `ctx.pending` until it takes the reply by `wait()` or
        `ctx.replies()`, or throws it away by `cancel()`; at the end of the incarnation that
        made them they are cancelled.
        """
        return self.cell.request(request, timeout, keep=True)

    @overload
    def stream(  # pyright: ignore[reportOverlappingOverload]
        self,
        request: StreamRequest[T],
        *,
        timeout: float | None = None,
        idle: float | None = None,
        window: int = 16,
    ) -> Stream[T]: ...
    @overload
    def stream(
        self,
        request: Request[R],
        *,
        timeout: float | None = None,
        idle: float | None = None,
        window: int = 16,
    ) -> Stream[R]: ...
    def stream(
        self,
        request: Request[Any],
        *,
        timeout: float | None = None,
        idle: float | None = None,
        window: int = 16,
    ) -> Stream[Any]:
        """Send a request, and take its answer in chunks: `async for chunk in ref.stream(...)`. No checkpoint.

        It is sent now, whether or not it is iterated. A handler that yields is not advanced while `window`
        chunks wait untaken. `timeout` (seconds) is for the whole of it, `idle` for one wait for the next
        chunk; both end it with `AskTimeout`. The answer of any other handler is one chunk. Whatever `ask`
        raises, the iteration raises, behind the chunks that came before. Who leaves before the end cancels
        the handler: see `Stream`. An actor's own streams end with the incarnation that began them.
        """
        check_count("window", window)
        if timeout is not None:
            check_seconds("timeout", timeout)
        if idle is not None:
            check_seconds("idle", idle)
        pending = self.cell.open_stream(request, timeout, window)
        return Stream(pending, pending.stream, idle)

    # --- life ---

    async def wait_started(self) -> None:
        """Return when it is ready. A checkpoint.

        Raises `StartFailed` or `ActorStopped` when that can no longer happen.
        """
        await self.cell.wait_started()

    async def wait_stopped(self) -> Exit:
        """Return its `Exit` when it is finally gone, not on a restart. A checkpoint."""
        return await self.cell.wait_stopped()

    def stop(self) -> None:
        """Finish the message in hand, then end for good.

        Queued asks end with `ActorStopped`, queued told messages are dead letters.
        Idempotent, never blocks, bounded by the policy's `shutdown`.
        """
        self.cell.stop()

    def drain(self) -> None:
        """Take no new messages, finish the queue, then end for good; bounded by `shutdown`.

        An actor that is down (BACKING_OFF, CIRCUIT_OPEN) has nothing to finish with: as `stop()`.
        """
        self.cell.drain()

    def kill(self) -> None:
        """Cancel it now, and its children. `on_stop` still runs, for at most `shutdown` seconds."""
        self.cell.kill()

    async def interrupt(self) -> bool:
        """Cancel the running handler and return when it has ended. A checkpoint.

        True if cancellation ended it: its asker got `Interrupted`, or its told message
        is a dead letter. False if nothing was in hand, or it ended by itself. The actor,
        its state and its mailbox stay; hooks are never interrupted. A function is called
        again with its arguments, unless it works inside `ctx.handling()`.
        """
        return await self.cell.interrupt()

    def suspend(self, *, until_message: bool = False) -> None:
        """Take no more messages until `resume()`; the one in hand is finished. Idempotent.

        With `until_message` the next message that comes in (or waits already) resumes it, once. One that is
        parked, because its budget is spent, is not resumed by a top-up then, but by `resume()` alone.
        """
        self.cell.suspend(until_message)

    def resume(self) -> None:
        """Take messages again. Idempotent.

        Also one that is parked; raise its budget first, or it is parked by what it spends next.
        """
        self.cell.resume()


_set_cell: Callable[[Ref, Cell], None] = Ref.__dict__["cell"].__set__  # around `__setattr__`, which refuses
