"""`Context`: what an actor is given to work with, for one hand."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import trio

from actors.budgets import Money
from actors.checks import check_seconds
from actors.core import hand
from actors.core import orders as order
from actors.core.ask import Pending, ReplyPort
from actors.core.giving import Hand, giver_of, takes_chunks
from actors.core.mailbox import ANSWERED, ASKED, MARK, MESSAGE, SENDER, SINCE
from actors.core.pace import BATCH, SLICE
from actors.core.ref import Ref
from actors.core.scope import DEPENDENCIES, NO_DEPENDENCIES
from actors.core.spending import spend_of
from actors.core.timers import Timer, start_timer
from actors.core.vigil import Vigil
from actors.core.watch import unwatch, watch
from actors.events import LateReply, Progressed
from actors.names import check_name

if TYPE_CHECKING:
    from actors.core.cell import Cell
    from actors.core.driver import Cancellable
    from actors.outcome import Outcome
    from actors.system import System

__all__ = ["Context", "Inbox"]


def _check_alive(context: Context) -> None:
    if context.cell.context is not context:
        raise RuntimeError(
            f"this context of {context.cell.path} has ended with its incarnation, or with the call that "
            f"an interrupt ended: use that of the next"
        )


def _cell_of(ref: object) -> Cell:
    if not isinstance(ref, Ref):
        raise TypeError(f"{ref!r} is not a ref: pass what spawn returned, or system.find(path)")
    return ref.cell


class Context:
    """One incarnation's side of its actor: who it is, its mailbox, timers, watches and groups.

    After the incarnation's end what would act in its name raises RuntimeError.
    """

    __slots__ = ("_giving", "_inbox", "cell", "hand")

    def __init__(self, cell: Cell) -> None:
        self.cell = cell
        """The framework's own side; not for users."""
        self.hand: Cancellable | None = None
        self._inbox: Inbox | None = None
        self._giving: Hand | None = None

    def __repr__(self) -> str:
        return f"<Context of {self.cell.path}>"

    # --- who ---

    @property
    def ref(self) -> Ref:
        """Its own ref."""
        return self.cell.ref

    @property
    def parent(self) -> Ref:
        """Its supervisor; the root for what the system spawned."""
        return self.cell.superior

    @property
    def system(self) -> System:
        """The system it lives in."""
        return self.cell.kernel.system

    @property
    def sender(self) -> Ref | None:
        """The actor that sent the message in hand; None for code outside actors, or empty hands."""
        item = self.cell.item if self.cell.context is self else None
        return None if item is None or item[SENDER] is None else item[SENDER].ref

    @property
    def dependencies(self) -> Mapping[str | int, Outcome]:
        """In a job and what it spawns: how the jobs it comes after have ended, by label, name or index."""
        variables = self.cell.variables
        return NO_DEPENDENCIES if variables is None else variables.get(DEPENDENCIES, NO_DEPENDENCIES)

    # --- messages ---

    @property
    def inbox(self) -> Inbox:
        """The messages of a function actor: `async for message in ctx.inbox`."""
        if self.cell.recipe.actor_class is not None:
            raise RuntimeError(
                f"{self.cell.path} is a class: its messages go to its @receive methods, not to an inbox"
            )
        if self._inbox is None:
            self._inbox = Inbox(self)
        return self._inbox

    def take_inbox(self, inbox: Inbox) -> None:
        """The framework's own: what `inbox` is from now on."""
        self._inbox = inbox

    @property
    def pending(self) -> tuple[Pending[Any], ...]:
        """Its own requests whose replies it has not taken yet, oldest first.

        A reply is taken by `wait()`, by `replies()`, or thrown away by `cancel()`; who does none of
        them keeps it until the end of the incarnation.
        """
        return tuple(pending for pending in self.cell.pendings or () if pending.stream is None)

    async def replies(self, timeout: float = 0.0) -> list[Pending[Any]]:
        """Take the requests of `pending` that are done, oldest first. A checkpoint.

        With none done, wait up to `timeout` seconds for the first; [] when none came.
        """
        check_seconds("timeout", timeout)
        _check_alive(self)
        children = {one.cell.path: None for one in self.pending if one.cell.parent.ref is self.ref}
        waits = self.cell.vigil is not None and children
        with trio.move_on_after(timeout), self.waiting(", ".join(children)) if waits else nullcontext():
            while (open_ones := self.pending) and not any(pending.done for pending in open_ones):
                await self.cell.changed()
        await trio.lowlevel.checkpoint()
        _check_alive(self)
        done = [pending for pending in self.pending if pending.done]
        for pending in done:
            pending.cancel()  # done: this only takes it off the list
        return done

    def reply(self, value: object) -> None:
        """Answer the message in hand now; raises RuntimeError with empty hands.

        The reply to a told message goes nowhere; a second reply is dropped like a late one.
        """
        item = self.cell.item
        value = self.whole(value)
        asked = self._let_go("reply", ANSWERED)
        if asked is not None:
            asked.answer(value)
        elif item is not None and hand.is_answered(item[MARK]):
            self.cell.kernel.emit(LateReply, self.cell.ref, item[MESSAGE])

    def reply_later(self) -> ReplyPort:
        """Keep the answer to the message in hand for later; raises RuntimeError with empty hands."""
        cell = self.cell
        giving = self._giving_hand(cell.item) if takes_chunks(cell.item) else None
        asked = self._let_go("reply_later", None if cell.item is None else cell.item[ASKED])
        if asked is not None:
            if cell.ports is None:
                cell.ports = {}
            cell.ports[asked] = None
            asked.put_off()
        return ReplyPort(asked, self._close_port, giving)

    async def send_chunk(self, value: object) -> bool:
        """In a function: give the asker of the `StreamRequest` in hand a chunk of the answer. A checkpoint.

        It waits while a whole window of chunks waits untaken. True while somebody wants more (also where
        the request was only told: then the chunks go nowhere); False when the asker has left: leave out the
        rest. Inside `ctx.handling()` its leaving ends the block too. The next message, or `ctx.reply()`, ends
        the answer; one who has asked and not streamed gets the chunks in a tuple. Raises RuntimeError with
        any other message in hand, and in a class, where a handler yields its chunks.
        """
        _check_alive(self)
        item = self.cell.item
        if self.cell.recipe.actor_class is not None:
            raise RuntimeError(f"{self.cell.path} is a class: its handlers give chunks with `yield`")
        if item is None or not takes_chunks(item):
            held = "nothing" if item is None else type(item[MESSAGE]).__name__
            why = "only the answer to a StreamRequest has chunks"
            raise RuntimeError(f"send_chunk() with {held} in hand: {why}")
        if hand.is_answered(item[MARK]):
            await trio.lowlevel.checkpoint()
            return False
        return await self._giving_hand(item).give(value)

    def _giving_hand(self, item: Any) -> Hand:
        if self._giving is None or self._giving.item is not item:
            self._giving = Hand(self.cell, item)
        return self._giving

    @contextmanager
    def gathering(self) -> Generator[Hand]:
        """The framework's own: a block in which chunks of the message in hand are kept for its answer."""
        giving = self._giving_hand(self.cell.item)
        try:
            yield giving
        finally:
            self._giving = None

    def whole(self, value: object) -> object:
        """The framework's own: an answer, with the chunks that were kept for it."""
        giving = self._giving
        if giving is None:
            return value
        self._giving = None
        return giving.whole(value) if giving.item is self.cell.item else value

    def _close_port(self, asked: Pending[Any]) -> None:
        if self.cell.ports is not None:
            self.cell.ports.pop(asked, None)

    def _let_go(self, call: str, mark: object) -> Pending[Any] | None:
        _check_alive(self)
        item = self.cell.item
        if item is None:
            raise RuntimeError(
                f"{call}() without a message in hand: {self.cell.path} has taken none, or let it go"
            )
        asked: Pending[Any] | None = item[ASKED]
        if asked is None or asked.is_told:
            return None
        self.cell.item = (item[MESSAGE], item[SENDER], asked.rest(), item[SINCE], mark)
        return asked

    @contextmanager
    def handling(self) -> Generator[None]:
        """In a function: a block that `interrupt()` ends, instead of the function's whole call.

        After an interrupt the code goes on behind the block, with its variables.
        """
        outer, scope = self.hand, trio.CancelScope()
        item = self.cell.item
        giver = None if item is None or item[ASKED] is None else giver_of(self.cell, item[ASKED])
        try:
            with scope:
                self.hand = scope
                if giver is not None:
                    giver.leaving_ends(scope)
                yield
        finally:
            if giver is not None:
                giver.leaving_ends(outer)
            self.hand = outer
            if self.cell.orders & order.INTERRUPT and scope.cancel_called:
                self._interrupted(scope.cancelled_caught)

    def _interrupted(self, caught: bool) -> None:
        self.cell.orders &= ~order.INTERRUPT
        confirmed = caught and self.cell.item is not None
        if confirmed:
            hand.interrupt_hand(self.cell)
        self.cell.interrupted(confirmed)

    # --- life ---

    def ready(self) -> None:
        """Say that the start is done; for functions made with `@function(readiness=True)`."""
        _check_alive(self)
        self.cell.become_ready()

    def stop(self) -> None:
        """End after the message in hand, as a NORMAL exit. A permanent actor starts again."""
        _check_alive(self)
        self.cell.quit()

    def progress(self, n_bytes: int = 0) -> None:
        """Give a sign of life: it is at work, and has made `n_bytes` of output.

        Feeds the limits of its policy and those of its supervisors. Costs a look at the
        clock and a write; safe anywhere in the actor's tasks.
        """
        cell = self.cell
        if cell.context is not self:
            return  # a task that has outlived its incarnation says nothing about the next
        cell.active_at = cell.now()
        if cell.vigil is not None:
            cell.vigil.progress(cell.active_at, n_bytes)
        cell.kernel.emit(Progressed, cell.ref, "progress", n_bytes)

    def spend(self, tokens: int = 0, money: Money = 0.0, tool_calls: int = 0, spawns: int = 0) -> None:
        """As `actors.spend`, also from a task that is not the actor's own. No checkpoint.

        Raises `BudgetSpent`, ValueError for what is no amount, and RuntimeError outside of trio's tasks.
        """
        spend_of(self.cell, tokens, money, tool_calls, spawns)

    def output(self, data: bytes, stream: str = "stdout") -> None:
        """Give a sign of life by what it writes to "stdout" or "stderr": error patterns are looked for in it.

        For actors that read somebody's output themselves; a `Command` does it by itself.
        """
        if stream not in ("stdout", "stderr"):
            raise ValueError(f'stream must be "stdout" or "stderr", not {stream!r}')
        cell = self.cell
        if cell.context is not self:
            return
        cell.active_at = cell.now()
        if cell.vigil is not None:
            cell.vigil.output(cell.active_at, stream, data)
        cell.kernel.emit(Progressed, cell.ref, stream, len(data))

    def waiting(self, what: str) -> AbstractContextManager[None]:
        """A block in which it waits for `what`, a person say: the clock of silence stands still.

        The limit goes on. `ref.waiting_for` says what. Waiting for its own child does this by itself.
        """
        _check_alive(self)
        cell = self.cell
        if cell.vigil is None:
            cell.vigil = Vigil(cell)
        return cell.vigil.waiting(what)

    async def save(self, state: object) -> None:
        """Keep `state`, a message, for the incarnations to come: `on_restore` gets it. A checkpoint.

        In the handler of a posted message it is kept when the handler returns, or raises `Refused`, in one
        step with the acknowledgement: both are kept, or none. Where it answers later it is kept when it
        returns, and the message may then be handled once more. Elsewhere it is kept when this returns.
        None forgets what was kept. How long it is kept is up to the store of the system: in memory by
        default, where it is the object itself, so do not change it afterwards.

        Raises `NotSerializable`, ValueError for an actor without a name (or below one), which no later
        one could be told from, `StoreUnavailable`, and `NotTheOwner` where several nodes share the store and
        another one has the name.
        """
        _check_alive(self)
        keeper = self.cell.kernel.keeper
        assert keeper is not None
        await keeper.save(self.cell, state)

    async def restored(self) -> Any:
        """What `save` has kept last, None where nothing is; for functions, which have no `on_restore`.

        A checkpoint; it waits while the store is not available. Raises `StateUnreadable` where its class
        has gone or has changed, and `StoreError`.
        """
        _check_alive(self)
        keeper = self.cell.kernel.keeper
        assert keeper is not None
        return await keeper.load(self.cell)

    # --- others ---

    def watch(self, ref: Ref) -> None:
        """Get one `Terminated(ref, exit)` when `ref` is finally gone, also if it is already.

        Watching twice is watching once, also after the notice; who has taken it back with
        `unwatch` may watch anew. Watching oneself raises ValueError. The watch outlives a
        restart of either side.
        """
        _check_alive(self)
        watch(self.cell, _cell_of(ref))

    def unwatch(self, ref: Ref) -> None:
        """Take a watch back, and its notice if that still waits. Idempotent."""
        _check_alive(self)
        unwatch(self.cell, _cell_of(ref))

    def after(self, delay: float, message: object) -> Timer:
        """Tell itself `message` in `delay` seconds. Raises ValueError for a negative or NaN delay."""
        _check_alive(self)
        return start_timer(self.cell, delay, None, message)

    def every(self, interval: float, message: object) -> Timer:
        """Tell itself `message` each `interval` seconds, at start + k x interval, without drift.

        What comes due while its last message still waits is skipped.
        """
        _check_alive(self)
        return start_timer(self.cell, interval, interval, message)

    def join(self, group: str) -> None:
        """Become a member of a group of the system. Joining twice is joining once."""
        _check_alive(self)
        check_name(group)
        if self.cell.groups is None:
            self.cell.groups = set()
        self.cell.groups.add(group)
        self.cell.kernel.join(group, self.cell)

    def leave(self, group: str) -> None:
        """Leave a group. Idempotent."""
        _check_alive(self)
        if self.cell.groups is not None:
            self.cell.groups.discard(group)
        self.cell.kernel.leave(group, self.cell)


class Inbox:
    """The messages of a function actor, one at a time.

    Taking the next one ends the one in hand: without a reply its asker gets None. It
    ends after the message in hand on `stop`, after the queue on `drain`. Taking is a
    checkpoint when nothing waits, and at least once a batch. One task takes: a second
    one raises RuntimeError while the first waits, or has a message in hand.
    """

    __slots__ = ("_context", "_left", "_taker", "_until")

    def __init__(self, context: Context) -> None:
        self._context = context
        self._taker: trio.lowlevel.Task | None = None
        self._begin_slice()

    def _begin_slice(self) -> None:
        self._left = BATCH
        self._until = self._context.cell.now() + SLICE

    def __repr__(self) -> str:
        return f"<Inbox of {self._context.cell.path}, {self._context.cell.depth} waiting>"

    def __aiter__(self) -> Inbox:
        return self

    async def __anext__(self) -> Any:
        cell = self._context.cell
        _check_alive(self._context)
        task = trio.lowlevel.current_task()
        if cell.item is not None and self._taker is not task:
            raise RuntimeError(hand.SECOND_TAKER.format(cell.path))
        if self._context._giving is None:  # pyright: ignore[reportPrivateUsage]
            hand.settle_hand(cell, None)
        else:
            hand.settle_hand(cell, self._context.whole(None))
        if cell.orders & order.INTERRUPT:  # it came too late for the message; nothing else may be hit
            await trio.lowlevel.checkpoint()
        self._left -= 1
        if (not self._left or (cell.active_at or 0.0) >= self._until) and cell.lanes:
            await trio.lowlevel.checkpoint()  # with nothing there it parks, and is IDLE at once
            self._begin_slice()
        while True:
            _check_alive(self._context)
            if cell.item is not None:  # taken by another task while this one was about to
                raise RuntimeError(hand.SECOND_TAKER.format(cell.path))
            item = hand.next_wanted(cell)
            if item is not None:
                cell.item = item
                self._taker = task
                cell.active_at = cell.now()
                return item[MESSAGE]
            if cell.orders & (order.STOP | order.QUIT | order.HALT) or (
                cell.orders & order.DRAIN and not cell.lanes
            ):
                raise StopAsyncIteration
            await hand.park(cell)
            self._begin_slice()
