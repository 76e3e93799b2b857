"""A cell: one actor as everybody else touches it — the orders it gets, its incarnations, its end.

Everything here is a plain call that runs to its end, or a wait that leaves nothing
behind when it is cancelled. What runs is in `incarnation` and, without a task, in `turn`; what it is
ordered to do are the bits in `orders`, which are looked at between two messages.
"""

from __future__ import annotations

import math
from collections.abc import Coroutine, Sequence
from typing import TYPE_CHECKING, Any

import trio

from actors.core import incarnation
from actors.core import orders as order
from actors.core.fall import let_go
from actors.core.intake import Intake
from actors.core.lifecycle import Phase, Signal
from actors.core.pace import UNRESPONSIVE_EVERY
from actors.core.parent import Fate
from actors.core.parking import suspend_parked, unpark
from actors.core.scope import CURRENT
from actors.core.watch import end_watches
from actors.events import EndOrdered, Restarted, Resumed, Started, Stopped, Suspended, Unresponsive
from actors.exits import Exit, ExitKind

if TYPE_CHECKING:
    from actors.core.driver import Cancellable
    from actors.core.mailbox import Item

__all__ = ["Cell"]

_ORDERS = (
    (order.KILL, "kill"),
    (order.DRAIN, "drain"),
    (order.QUIT, "quit"),
    (order.HALT, "restart"),
    (order.STOP, "stop"),
)


class Cell(Intake):
    """One actor's life, from spawn to its final end, over all incarnations."""

    __slots__ = ()

    def stop(self, because: Cell | None = None) -> None:
        """See `Ref.stop`; a supervisor does it `because` another child has ended."""
        self._end_for_good(order.STOP, because)

    def drain(self) -> None:
        """See `Ref.drain`. One that is parked has nothing to finish with."""
        self._end_for_good(order.DRAIN if self.held is None else order.STOP)

    def kill(self) -> None:
        """See `Ref.kill`."""
        self._end_for_good(order.KILL | order.STOP)

    def quit(self, *, bounded: bool = False, because: Cell | None = None) -> None:
        """The actor asks for its own end; a permanent one starts again.

        `bounded`: what runs has not asked, and has `shutdown` seconds as with any order. `because` of the
        end of that child.
        """
        if self.name is not None and self.policy.restart == "permanent":
            if not self.ended:
                self._tell_of(order.QUIT, because)
                self.orders |= order.QUIT
                self.obey()
        else:
            self._end_for_good(order.QUIT, because)
        if bounded and self.runs and not self.ended:
            self._limit(order.QUIT)
            self.obey()

    def halt(self, because: Cell | None = None) -> None:
        """End this incarnation after the message in hand; mailbox and name stay.

        For supervisors, which restart it `because` of another child, and for who knows that what it
        began with is old: then it begins anew by itself.
        """
        if self.runs and not self.is_final and not self.ended:
            self._tell_of(order.HALT, because)
            self.orders |= order.HALT
            self._limit()
            self.obey()

    @property
    def runs(self) -> bool:
        """True while there is an incarnation."""
        return self.phase not in (Phase.WAITING, Phase.TRIPPED, Phase.STOPPED)

    @property
    def is_launched(self) -> bool:
        """True from the launch of an incarnation to its fall."""
        return self.runs and self.begun and not self.ended

    def _tell_of(self, bits: int, because: Cell | None = None) -> None:
        """Report an order to end, and whose it is."""
        if self.kernel.listeners and self.kernel.sink.wants(EndOrdered):
            name = next(name for bit, name in _ORDERS if bits & bit)
            by = CURRENT.get()
            paths = (None if cell is None else cell.path for cell in (by, because))
            self.kernel.emit(EndOrdered, self.ref, name, *paths)

    def _end_for_good(self, bits: int, because: Cell | None = None) -> None:
        news = bits & ~self.orders
        if self.is_gone or not news:
            return
        self._tell_of(news, because)
        self.orders |= bits
        if not self.is_final:
            idle = not self.runs
            self.step(Signal.STOP)
            if idle:
                self.finish(self._stopped_while_down())
                return
        if self.orders & (order.STOP | order.QUIT):
            self.flush()
        else:
            self.lanes.shut(self.take_from_line())
            self.admit_senders()
            self.orders &= ~(order.SUSPEND | order.ONCE)
        if not self.ended:
            self._limit()
            self.obey()

    def _limit(self, also: int = 0) -> None:
        """From now on what runs has `shutdown` seconds; with none, it is cancelled at once."""
        if self.alarm is not None or not self.orders & (order.STOP | order.DRAIN | order.HALT | also):
            return
        if self.policy.shutdown > 0:
            if self.plain and not self.orders & order.DRAIN:
                return  # its next turn is its last
            self.alarm = self.kernel.alarms.after(self.policy.shutdown, self._expired)
        elif self.is_busy or not self.ready or (self.orders & order.DRAIN and self.lanes):
            self.orders |= order.EXPIRED
        elif self.recipe.actor_class is None:  # a function in its inbox may end at once by itself
            self.alarm = self.kernel.alarms.after(0.0, self._about_to_expire)

    def _about_to_expire(self) -> None:
        """One step more: it was woken in this pass, and may not have run yet."""
        soon = math.nextafter(self.kernel.now(), math.inf)
        self.alarm = self.kernel.alarms.at(soon, self._expired)

    def _expired(self) -> None:
        self.alarm = None
        self.orders |= order.EXPIRED
        self.obey()

    def overdue(self) -> None:
        """A guard has condemned the run at hand; its verdict is in the vigil."""
        self.orders |= order.OVERDUE
        self.obey()

    def fail(self) -> None:
        """The supervisor in this cell gives up: its incarnation fails now."""
        self.orders |= order.FAIL
        self.obey()

    @property
    def in_hand(self) -> Sequence[Item]:
        """The messages at work, oldest first."""
        several = () if self.driver is None else self.driver.in_hand()
        return several or (() if self.item is None else (self.item,))

    def obey(self) -> None:
        """Make the incarnation notice its orders: cancel it, or wake it."""
        if self.driver is not None:
            self.driver.obey()
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
            self.alarm = self.kernel.alarms.after(UNRESPONSIVE_EVERY, report)

        self.disarm()
        self.alarm = self.kernel.alarms.after(UNRESPONSIVE_EVERY, report)

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

    def _handling_scope(self) -> Cancellable | None:
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
        if self.held is not None:
            fresh, once = suspend_parked(self), False
        else:
            fresh = not self.orders & order.SUSPEND
        self.orders = (self.orders & ~order.ONCE) | order.SUSPEND | (order.ONCE if once else 0)
        if fresh:
            self.kernel.emit(Suspended, self.ref)
        self.wake()

    def resume(self) -> None:
        """See `Ref.resume`."""
        was_held = unpark(self)
        if was_held or self.orders & order.SUSPEND:
            self.orders &= ~(order.SUSPEND | order.ONCE)
            self.kernel.emit(Resumed, self.ref)
            self.wake()
            self.parent.resumed(self)
            if was_held:
                self.kernel.takes_again(self)

    # --- incarnations ---

    def launch(self, nursery: trio.Nursery) -> None:
        """Begin the next incarnation: a task of its supervisor's nursery, or a turn at the dispatcher."""
        if self.phase is Phase.WAITING or self.phase is Phase.TRIPPED:
            self.step(Signal.START)
        if self.begun:
            self.restarts += 1
            self.exit = None
            self.ended = False
        self.begun = True
        self.orders &= ~order.OF_INCARNATION
        if self.alarm is not None:
            self.disarm()
        self.begun_at = self.now()
        assert self.variables is not None
        if self.plain:  # what an incarnation sets is not for the next one
            self.within = self.variables if self.name is None else self.variables.copy()
            self.kernel.dispatcher.add(self)
        else:
            self.variables.run(nursery.start_soon, self.run, name=self.path)

    def run(self) -> Any:
        """The coroutine of one incarnation."""
        return incarnation.run(self)

    def take_a_task(self, begun: Coroutine[Any, Any, Any]) -> None:
        """A handler that seemed plain waits for something: from now on the actor has a task."""
        self.plain = False
        self.within = None
        self.scope = trio.CancelScope()  # so that it can be interrupted before the task's first step
        self._limit()  # a plain handler needs none
        self.parent.adopt(incarnation.run, self, begun, name=self.path)

    @property
    def owns_children(self) -> bool:
        """True for supervisors: `release` has something to do."""
        return False

    def route(self) -> None:
        """Hand on what waits; for those who handle nothing themselves."""

    @property
    def own_cell(self) -> Cell:
        """See `Parent.own_cell`."""
        return self

    def why_failed(self) -> BaseException | None:
        """The error of an incarnation that was ordered to fail."""
        return None

    def fell(self, exit: Exit) -> None:
        """Its incarnation has ended and is judged; nobody has been told of its messages yet."""

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
        if self.account is not None:
            self.account.became_ready(self)
        if self.kernel.followers:
            self.kernel.tell_ready(self)
        if self.name is not None and self.kernel.named_ready is not None:
            self.kernel.named_ready(self)
        if not self.kernel.listeners:
            return
        if self.restarts:
            self.kernel.emit(Restarted, self.ref, self.restarts)
        else:
            self.kernel.emit(Started, self.ref)

    def _stopped_while_down(self) -> Exit:
        if self.orders & order.KILL:
            return Exit(ExitKind.KILLED, reason="killed before it started again")
        if not self.orders & order.FINAL:
            return Exit(ExitKind.NORMAL, reason="stopped itself before it started again")
        return Exit(ExitKind.SHUTDOWN, reason="stopped before it started again")

    @trio.lowlevel.enable_ki_protection
    def over(self) -> None:
        """Nothing of the incarnation runs any more: finish, or hand over to the supervisor."""
        if self.phase in (Phase.STARTING, Phase.RUNNING):  # a fault of the framework cut its end short
            self.step(Signal.STOP)
            self.fate = Fate.FINAL
            let_go(self, self.exit or self._stopped_while_down())
        if self.is_final:
            lost = self.exit is None or self.fate is not Fate.FINAL
            self.finish(self._stopped_while_down() if lost or self.exit is None else self.exit)
        else:
            self.step(Signal.TRIP if self.fate is Fate.TRIPPED else Signal.WAIT)
            self.parent.settle(self)

    # --- the end ---

    def finish(self, exit: Exit) -> None:
        """Nothing of it runs any more: tell everybody, and let go of everything."""
        self.exit = exit
        self.barred = False
        if self.account is not None:
            self.account.close(self)
        if self.alarm is not None:
            self.disarm()
        self.ended_at = self.now()
        self.kernel.handled_by_the_dead += self.handled_itself
        self.orders &= ~order.SUSPEND
        self.step(Signal.GONE)
        self.flush()
        if self.watchers is not None or self.watching is not None:
            end_watches(self)
        for name in self.groups or ():
            self.kernel.leave(name, self)
        self.variables = self.within = self.kept = None
        self.args = ()
        self.kernel.emit(Stopped, self.ref, exit)
        self.parent.gone(self, exit)
        if self.kernel.followers:
            self.kernel.tell_gone(self, exit)
