"""A cell: one actor as everybody else touches it — its mailbox, its state, the orders it gets.

Everything here is a plain call that runs to its end, or a wait that leaves nothing
behind when it is cancelled. The actor's own task is in `incarnation`; what it is
ordered to do are the bits in `orders`, which its loop looks at between two messages.
"""

from __future__ import annotations

from collections import deque
from contextvars import Context as Variables
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

import trio

from actors.core import incarnation
from actors.core import orders as order
from actors.core.ask import Pending
from actors.core.lifecycle import ActorState, Phase, Signal, state_of, step
from actors.core.mailbox import ASKED, MARK, MESSAGE, REDELIVERED, SENDER, Item, Lanes, Verdict
from actors.core.parent import Fate, Parent
from actors.core.ref import Ref
from actors.core.scope import CURRENT
from actors.core.statistics import Statistics
from actors.core.watch import end_watches
from actors.errors import ActorStopped, Deadlock, MailboxFull, StartFailed
from actors.events import (
    DeadLetterReason,
    Restarted,
    Resumed,
    Spawned,
    Started,
    Stopped,
    Suspended,
    Unresponsive,
)
from actors.exits import Exit, ExitKind
from actors.messages import Request
from actors.names import adhoc_key, join
from actors.policy import Policy, check_seconds

if TYPE_CHECKING:
    from actors.core.actor import Actor
    from actors.core.alarms import Alarm
    from actors.core.context import Context
    from actors.core.kernel import Kernel
    from actors.core.recipe import Recipe
    from actors.core.timers import Timer

__all__ = ["Cell"]

_UNRESPONSIVE_EVERY = 1.0
_current = CURRENT.get


class Cell:
    """One actor's life, from spawn to its final end, over all incarnations."""

    __slots__ = (
        "active_at",
        "actor",
        "alarm",
        "args",
        "barred",
        "begun_at",
        "context",
        "ended",
        "ended_at",
        "exit",
        "failed",
        "fate",
        "groups",
        "handled",
        "interrupters",
        "item",
        "kernel",
        "lanes",
        "lot",
        "name",
        "now",
        "on_ordered",
        "orders",
        "parent",
        "parked",
        "pendings",
        "permit",
        "phase",
        "policy",
        "ports",
        "readies",
        "ready",
        "recipe",
        "ref",
        "restarts",
        "scope",
        "senders",
        "serial",
        "significant",
        "spawned_at",
        "timers",
        "trial",
        "tries",
        "variables",
        "watchers",
        "watching",
    )

    def __init__(
        self,
        kernel: Kernel,
        parent: Parent,
        recipe: Recipe,
        args: tuple[Any, ...],
        name: str | None,
        policy: Policy,
    ) -> None:
        self.kernel = kernel
        self.now = kernel.now
        self.parent = parent
        self.recipe = recipe
        self.args = args
        self.name = name
        self.policy = policy
        self.serial = kernel.next_serial()
        self.ref = Ref(self)
        self.lanes = Lanes(policy.mailbox)
        self.phase = Phase.STARTING
        self.orders = 0
        self.spawned_at = self.begun_at = self.ended_at = kernel.now()
        self.active_at: float | None = None
        self.handled = self.failed = self.restarts = self.readies = self.tries = 0
        self.significant = self.trial = self.barred = False
        # of the running incarnation
        self.actor: Actor | None = None
        self.context: Context | None = None
        self.scope: trio.CancelScope | None = None
        self.parked: trio.lowlevel.Task | None = None
        self.item: Item | None = None
        self.exit: Exit | None = None
        self.fate = Fate.FINAL
        self.ready = self.ended = False
        # made on first use: an idle actor has none of them
        self.alarm: Alarm | None = None
        self.permit: Any = None
        self.lot: trio.lowlevel.ParkingLot | None = None
        self.interrupters: list[list[bool]] | None = None
        self.senders: deque[tuple[Item, trio.lowlevel.Task]] | None = None
        self.timers: set[Timer] | None = None
        self.pendings: dict[Pending[Any], None] | None = None
        self.ports: dict[Pending[Any], None] | None = None
        self.watchers: dict[Cell, None] | None = None
        self.watching: dict[Cell, None] | None = None
        self.groups: set[str] | None = None
        self.on_ordered: Any = None
        self.variables: Variables | None = copy_context()
        self.variables.run(CURRENT.set, self)
        kernel.emit(Spawned, self.ref)

    # --- what it is like ---

    @property
    def key(self) -> str:
        """The last part of its path."""
        return adhoc_key(self.serial) if self.name is None else self.name

    @property
    def path(self) -> str:
        """From the root down."""
        return join(self.parent.path, self.key)

    @property
    def state(self) -> ActorState:
        """Derived on each reading."""
        return state_of(self.phase, busy=self.is_busy, suspended=bool(self.orders & order.SUSPEND))

    @property
    def is_busy(self) -> bool:
        """A message in hand; a function is also busy while it runs and does not wait for one."""
        if self.item is not None:
            return True
        return self.recipe.actor_class is None and self.parked is None

    @property
    def is_gone(self) -> bool:
        """True once nothing of it is left."""
        return self.phase is Phase.STOPPED

    @property
    def is_final(self) -> bool:
        """True when it will end for good, or has."""
        return self.phase is Phase.STOPPING or self.phase is Phase.STOPPED

    @property
    def depth(self) -> int:
        """How many items wait."""
        return sum(self.lanes.depth().values())

    def describe(self) -> str:
        """The status line that a ref shows."""
        said = [f"<Ref {self.path} {self.state}"]
        if self.depth:
            said.append(f"depth={self.depth}")
        if self.restarts:
            said.append(f"restarts={self.restarts}")
        if self.is_gone and self.exit is not None:
            said.append(f"exit={self.exit.kind}")
        return " ".join(said) + ">"

    def statistics(self) -> Statistics:
        """Counts and times as they are now."""
        now = self.kernel.now()
        since = self.lanes.oldest()
        return Statistics(
            handled=self.handled,
            failed=self.failed,
            restarts=self.restarts,
            depth=self.lanes.depth(),
            oldest=None if since is None else now - since,
            last_activity=self.active_at,
            uptime=(self.ended_at if self.is_gone else now) - self.spawned_at,
        )

    def step(self, signal: Signal) -> None:
        """Move on in the table of `lifecycle`, and wake whoever waits for a change."""
        self.phase = step(self.phase, signal)
        if self.lot is not None:
            self.lot.unpark_all()

    # --- messages in ---

    def tell(self, message: object, urgent: bool = False) -> None:
        """Offer a told message; see `Ref.tell`."""
        item = (message, _current(), None, self.now(), None)
        refused = self.lanes.offer(item, urgent)
        if self.parked is not None:
            self.wake()
        if refused is not None:
            self._not_taken(item, refused)

    def _not_taken(self, item: Item, refused: Verdict | Item) -> None:
        if refused is Verdict.FULL:
            raise MailboxFull(self.ref, item[MESSAGE], self.lanes.capacity)
        if refused is Verdict.CLOSED:
            self.discard(item, DeadLetterReason.STOPPED)
        elif refused is Verdict.DROPPED:
            self.discard(item, DeadLetterReason.DROPPED_NEWEST)
        else:
            assert isinstance(refused, tuple)
            self.discard(refused, DeadLetterReason.DROPPED_OLDEST)

    def discard(self, item: Item, reason: DeadLetterReason) -> None:
        """End an item that is not handled: a dead letter, or an error for its asker."""
        asked: Pending[Any] | None = item[ASKED]
        if asked is None:
            self.kernel.dead_letter(self, item[MESSAGE], item[SENDER], reason)
        elif reason in (DeadLetterReason.DROPPED_NEWEST, DeadLetterReason.DROPPED_OLDEST):
            asked.fail(MailboxFull(self.ref, item[MESSAGE], self.lanes.capacity))
        else:
            asked.fail(ActorStopped(self.ref, self.exit if self.is_gone else None))

    async def send(self, message: object) -> None:
        """Offer a told message, waiting for room; see `Ref.send`."""
        item = (message, CURRENT.get(), None, self.kernel.now(), None)
        if self.lanes.closed or (not self.senders and self.lanes.has_room):
            await trio.lowlevel.checkpoint_if_cancelled()
            self.tell(message)
            await trio.lowlevel.cancel_shielded_checkpoint()
            return
        if self.senders is None:
            self.senders = deque()
        waiter = (item, trio.lowlevel.current_task())
        self.senders.append(waiter)
        self.orders |= order.SENDERS

        def leave(_: Any) -> trio.lowlevel.Abort:
            assert self.senders is not None
            self.senders.remove(waiter)
            return trio.lowlevel.Abort.SUCCEEDED

        await trio.lowlevel.wait_task_rescheduled(leave)

    def admit_senders(self) -> None:
        """Hand the room there is to those who wait for it, first come first served."""
        while self.senders and (self.lanes.closed or self.lanes.has_room):
            item, task = self.senders.popleft()
            if self.lanes.offer(item) is not None:
                self.discard(item, DeadLetterReason.STOPPED)
            trio.lowlevel.reschedule(task)
        if not self.senders:
            self.orders &= ~order.SENDERS

    def request(self, request: Request[Any], timeout: float | None, *, keep: bool) -> Pending[Any]:
        """Offer a request; see `Ref.request`. With `keep` its asker finds it in `ctx.pending`."""
        if not isinstance(request, Request):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(
                f"{type(request).__name__} is not a Request and has no reply: tell it, "
                f"or derive it, as in `class {type(request).__name__}(actors.Request[str])`"
            )
        if timeout is not None:
            check_seconds("timeout", timeout)
        asker = _current()
        pending: Pending[Any] = Pending(self, request, asker if keep else None)
        if keep and asker is not None:
            if asker.pendings is None:
                asker.pendings = {}
            asker.pendings[pending] = None
        elif asker is self and not keep:
            pending.fail(Deadlock(self.ref, request))
            return pending
        if self.barred and not self._bars(pending):
            return pending
        item = (request, asker, pending, self.now(), None)
        refused = self.lanes.offer(item)
        if self.parked is not None:
            self.wake()
        if refused is Verdict.FULL or refused is Verdict.DROPPED:
            pending.fail(MailboxFull(self.ref, request, self.lanes.capacity))
        elif refused is not None:
            self._not_taken(item, refused)
        if timeout is not None and not pending.done:
            pending.arm(timeout)
        return pending

    def _bars(self, pending: Pending[Any]) -> bool:
        """The breaker is not closed: True when this request may be the probe."""
        taken = bool(self.lanes) or (self.permit is not None and not getattr(self.permit, "done", False))
        error = self.parent.refusal(self, taken)
        if error is not None:
            pending.fail(error)
            return False
        self.permit = pending
        return True

    def put_marked(self, message: object, sender: Cell | None, mark: Any) -> bool:
        """Queue an uncounted message: a notice, a timer's."""
        taken = self.lanes.put_marked((message, sender, None, self.kernel.now(), mark))
        if self.parked is not None:
            self.wake()
        return taken

    def wake(self) -> None:
        """Let the loop look again, if it is parked."""
        task = self.parked
        if task is not None:
            self.parked = None
            trio.lowlevel.reschedule(task)

    def unpark(self, _: Any) -> trio.lowlevel.Abort:
        """What trio calls when the parked task is cancelled."""
        self.parked = None
        return trio.lowlevel.Abort.SUCCEEDED

    # --- orders ---

    def stop(self) -> None:
        """See `Ref.stop`."""
        self._end_for_good(order.STOP)

    def drain(self) -> None:
        """See `Ref.drain`."""
        self._end_for_good(order.DRAIN)

    def kill(self) -> None:
        """See `Ref.kill`."""
        self._end_for_good(order.KILL | order.STOP)

    def quit(self) -> None:
        """The actor asks for its own end; a permanent one starts again."""
        if self.name is not None and self.policy.restart == "permanent":
            self.orders |= order.QUIT
            self.obey()
        else:
            self._end_for_good(order.QUIT)

    def halt(self) -> None:
        """End this incarnation after the message in hand; mailbox and name stay. For supervisors."""
        if self.runs and not self.is_final:
            self.orders |= order.HALT
            self._limit()
            self.obey()

    @property
    def runs(self) -> bool:
        """True while an incarnation has a task."""
        return self.phase not in (Phase.WAITING, Phase.TRIPPED, Phase.STOPPED)

    def _end_for_good(self, bits: int) -> None:
        news = bits & ~self.orders
        if self.is_gone or not news:
            return
        self.orders |= bits
        if not self.is_final:
            idle = not self.runs
            self.step(Signal.STOP)
            if idle:
                self.finish(Exit(ExitKind.KILLED if bits & order.KILL else ExitKind.SHUTDOWN))
                return
        if self.orders & (order.STOP | order.QUIT):
            self.flush()
        else:
            self.lanes.shut()
            self.orders &= ~(order.SUSPEND | order.ONCE)
        if self.scope is not None or not self.ended:
            self._limit()
            self.obey()

    def _limit(self) -> None:
        """From now on what runs has `shutdown` seconds; with none, it is cancelled at once."""
        if self.alarm is not None or not self.orders & (order.STOP | order.DRAIN | order.HALT):
            return
        if self.policy.shutdown > 0:
            self.alarm = self.kernel.alarms.after(self.policy.shutdown, self._expired)
        elif self.is_busy or not self.ready or (self.orders & order.DRAIN and self.lanes):
            self.orders |= order.EXPIRED

    def _expired(self) -> None:
        self.alarm = None
        self.orders |= order.EXPIRED
        self.obey()

    def fail(self) -> None:
        """The supervisor in this cell gives up: its incarnation fails now."""
        self.orders |= order.FAIL
        self.obey()

    def obey(self) -> None:
        """Make the incarnation notice its orders: cancel it, or wake it."""
        if self.on_ordered is not None:
            self.on_ordered()
        if self.orders & order.CANCELS and self.scope is not None:
            self.scope.cancel()
            self.watch_cancelled()
        else:
            self.wake()

    def watch_cancelled(self) -> None:
        """Report each second that cancellation has not ended the incarnation."""
        since = self.kernel.now()

        def report() -> None:
            self.kernel.emit(Unresponsive, self.ref, self.kernel.now() - since)
            self.alarm = self.kernel.alarms.after(_UNRESPONSIVE_EVERY, report)

        self.disarm()
        self.alarm = self.kernel.alarms.after(_UNRESPONSIVE_EVERY, report)

    def disarm(self) -> None:
        """Nothing is timed any more."""
        if self.alarm is not None:
            self.alarm.cancel()
            self.alarm = None

    async def interrupt(self) -> bool:
        """See `Ref.interrupt`."""
        if self.item is None or self.scope is None or not self.ready:
            await trio.lowlevel.checkpoint()
            return False
        if self.interrupters is None:
            self.interrupters = []
            self.orders |= order.INTERRUPT
            (self._handling_scope() or self.scope).cancel()
        answer: list[bool] = []
        self.interrupters.append(answer)
        while not answer:
            await self.changed()
        return answer[0]

    def _handling_scope(self) -> trio.CancelScope | None:
        return None if self.context is None else self.context.hand

    def interrupted(self, confirmed: bool) -> None:
        """Tell those who interrupted how it ended."""
        answers, self.interrupters = self.interrupters, None
        for answer in answers or ():
            answer.append(confirmed)
        if self.lot is not None:
            self.lot.unpark_all()

    def suspend(self, once: bool) -> None:
        """See `Ref.suspend`."""
        if self.is_final:
            return
        fresh = not self.orders & order.SUSPEND
        self.orders = (self.orders & ~order.ONCE) | order.SUSPEND | (order.ONCE if once else 0)
        if fresh:
            self.kernel.emit(Suspended, self.ref)
        self.wake()

    def resume(self) -> None:
        """See `Ref.resume`."""
        if self.orders & order.SUSPEND:
            self.orders &= ~(order.SUSPEND | order.ONCE)
            self.kernel.emit(Resumed, self.ref)
            self.wake()

    # --- incarnations ---

    def launch(self, nursery: trio.Nursery) -> None:
        """Begin the next incarnation, as a task of its supervisor's nursery."""
        if self.phase is not Phase.STARTING:
            self.step(Signal.START)
            self.restarts += 1
        self.exit = None
        self.ended = False
        self.begun_at = self.kernel.now()
        assert self.variables is not None
        self.variables.run(nursery.start_soon, self.run, name=self.path)

    def run(self) -> Any:
        """The coroutine of one incarnation."""
        return incarnation.run(self)

    @property
    def owns_children(self) -> bool:
        """True for supervisors: `release` has something to do."""
        return False

    def why_failed(self) -> BaseException | None:
        """The error of an incarnation that was ordered to fail."""
        return None

    def reply_came(self) -> None:
        """One of its open requests has ended."""
        if self.lot is not None:
            self.lot.unpark_all()

    async def release(self, exit: Exit) -> None:
        """End what the incarnation owns, before its `on_stop`. Shielded."""

    def become_ready(self) -> None:
        """The start succeeded."""
        if self.ready:
            return
        self.ready = True
        self.trial = False
        self.readies += 1
        if self.phase is Phase.STARTING:
            self.step(Signal.READY)
        elif self.lot is not None:
            self.lot.unpark_all()
        if self.restarts:
            self.kernel.emit(Restarted, self.ref, self.restarts)
        else:
            self.kernel.emit(Started, self.ref)

    def over(self) -> None:
        """The incarnation's task ends here: finish, or hand over to the supervisor."""
        if self.is_final:
            assert self.exit is not None
            self.finish(self.exit)
        else:
            self.step(Signal.TRIP if self.fate is Fate.TRIPPED else Signal.WAIT)
            self.parent.settle(self)

    # --- the end ---

    def flush(self) -> None:
        """Close the mailbox: what waits is not handled any more."""
        for item in self.lanes.close():
            if item[MARK] is None or item[MARK] is REDELIVERED:
                self.discard(item, DeadLetterReason.STOPPED)
        self.admit_senders()

    def finish(self, exit: Exit) -> None:
        """Nothing of it runs any more: tell everybody, and let go of everything."""
        self.exit = exit
        self.disarm()
        self.ended_at = self.kernel.now()
        self.kernel.handled_by_the_dead += self.handled
        self.orders &= ~order.SUSPEND
        self.step(Signal.GONE)
        self.flush()
        end_watches(self)
        for name in self.groups or ():
            self.kernel.leave(name, self)
        self.variables = None
        self.args = ()
        self.kernel.emit(Stopped, self.ref, exit)
        self.parent.gone(self, exit)

    # --- waiting for a change ---

    async def changed(self) -> None:
        """Park until the next step of its life. A checkpoint."""
        if self.lot is None:
            self.lot = trio.lowlevel.ParkingLot()
        await self.lot.park()

    async def wait_started(self) -> None:
        """See `Ref.wait_started`."""
        seen = self.readies
        if self.phase is Phase.RUNNING:
            await trio.lowlevel.checkpoint()
            return
        while self.readies == seen:
            if self.is_final and self.exit is not None and self.exit.kind is ExitKind.START_FAILED:
                await trio.lowlevel.checkpoint()
                raise StartFailed(self.ref, self.exit.error)
            if self.is_final:
                await trio.lowlevel.checkpoint()
                raise ActorStopped(self.ref, self.exit if self.is_gone else None)
            await self.changed()

    async def wait_stopped(self) -> Exit:
        """See `Ref.wait_stopped`."""
        if self.is_gone:
            await trio.lowlevel.checkpoint()
        while not self.is_gone:
            await self.changed()
        assert self.exit is not None
        return self.exit
