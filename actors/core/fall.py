"""The end of an incarnation: judge and answer in one step, then what may take time.

`fall` is the moment of the end: the supervisor judges, whoever waits for an answer gets
one, in the same step. What follows (children, `on_stop`) may take time, and nobody waits.
"""

from __future__ import annotations

from collections.abc import Awaitable
from types import CoroutineType
from typing import TYPE_CHECKING, cast

import trio

from actors.core import orders as order
from actors.core.actor import Actor, Done
from actors.core.hand import is_answered
from actors.core.lifecycle import Signal
from actors.core.mailbox import ASKED, MARK, MESSAGE, POSTED, REDELIVERED, SENDER, Item
from actors.core.parent import Fate
from actors.core.parking import hand_back, refuse_queue
from actors.core.timers import Timer, end_timers
from actors.errors import ActorFailed, ActorStopped, BudgetSpent, Interrupted
from actors.events import DeadLetterReason, Failed, StartAttemptFailed, StopFailed, Unresponsive
from actors.exits import Exit, ExitKind

if TYPE_CHECKING:
    from actors.core.cell import Cell

__all__ = ["done", "drop_hand", "end", "end_at_once", "let_go"]


async def end(cell: Cell, exit: Exit) -> None:
    """`fall`, then what may take time, shielded: children, `on_stop`."""
    _fall(cell, exit)
    actor = cell.actor
    hooked = actor is not None and type(actor).on_stop is not Actor.on_stop
    if hooked or cell.owns_children:
        with trio.CancelScope(shield=True):
            await cell.release(exit)
            if hooked:
                assert actor is not None
                await _stop_hook(cell, actor, exit)
    _let_go_of_all(cell)


def end_at_once(cell: Cell, exit: Exit) -> None:
    """The end of an incarnation without a task: nothing of it takes time."""
    _fall(cell, exit)
    actor = cell.actor
    if actor is not None and type(actor).on_stop is not Actor.on_stop:
        try:
            done(actor, "on_stop", _stop_plainly(actor, exit))
        except Exception as error:
            cell.kernel.emit(StopFailed, cell.ref, error)
    _let_go_of_all(cell)


@trio.lowlevel.disable_ki_protection
def _stop_plainly(actor: Actor, exit: Exit) -> object:
    """The user's part of an end that Ctrl-C must not cut in two."""
    return actor.on_stop(exit)


def done(actor: Actor, hook: str, value: object) -> None:
    """Raise TypeError when a plain hook has left something to be awaited: there is no task that could."""
    if value is not None and isinstance(value, Awaitable) and not isinstance(value, Done):
        if isinstance(value, CoroutineType):
            value.close()
        name = f"{type(actor).__qualname__}.{hook}"
        raise TypeError(f"{name} is plain and returned something to await: write `async def {hook}`")


def _let_go_of_all(cell: Cell) -> None:
    pendings, cell.pendings = cell.pendings, None
    for pending in tuple(pendings or ()):
        pending.cancel()
    if cell.timers is not None:
        end_timers(cell)
    cell.actor = cell.context = None


@trio.lowlevel.enable_ki_protection
def _fall(cell: Cell, exit: Exit) -> None:
    """The moment of the end: judge, answer, and let nobody wait for what follows."""
    cell.exit = exit
    cell.ended = True
    cell.scope = None
    cell.disarm()
    if exit.is_failure:
        cell.failed += 1
        if cell.ready:
            message = None if cell.item is None else cell.item[MESSAGE]
            cell.kernel.emit(Failed, cell.ref, exit, message)
        else:
            cell.kernel.emit(StartAttemptFailed, cell.ref, exit)
    cell.ready = False
    if cell.vigil is not None:
        cell.vigil.end(exit)
    if cell.timers is not None:
        end_timers(cell)
    ordered = cell.is_final
    cell.fate = Fate.FINAL if ordered else cell.parent.judge(cell, exit)
    if not ordered:
        cell.step(Signal.STOP if cell.fate is Fate.FINAL else Signal.FALL)
    cell.fell(exit)
    if cell.driver is not None:
        cell.driver.fell(exit)
    let_go(cell, exit)
    if cell.fate is Fate.FINAL:
        cell.flush()
    elif cell.fate is Fate.TRIPPED or (cell.fate is Fate.HELD and exit.error is not None):
        refuse_queue(cell)
    cell.orders &= ~order.OF_INCARNATION
    if cell.interrupters or cell.lot is not None:
        cell.interrupted(confirmed=False)


def let_go(cell: Cell, exit: Exit) -> None:
    """Whoever waits for this incarnation hears that it has ended."""
    drop_hand(cell, exit)
    if cell.ports:
        _fail_ports(cell, exit)


def drop_hand(cell: Cell, exit: Exit) -> bool:
    """What becomes of the message in hand when its handling did not end well; True: it is tried again."""
    item, cell.item = cell.item, None
    cell.permit = None
    if item is None:
        return False
    cell.handled += 1
    asked, mark = item[ASKED], item[MARK]
    tries = cell.tries = cell.tries if mark is REDELIVERED else 0
    if cell.fate is Fate.HELD:
        return hand_back(cell, item, exit.error)
    if exit.is_failure and not cell.orders & order.FAIL and _again(cell, exit, item, tries):
        cell.tries = tries + 1
        cell.lanes.put_back(item)
        return True
    if asked is not None:
        asked.fail(_error_for(cell, exit, item))
    elif not is_answered(mark):
        cell.kernel.dead_letter(cell, item[MESSAGE], item[SENDER], _reason_for(cell, exit, tries))
    cell.tries = 0
    return False


def _again(cell: Cell, exit: Exit, item: Item, tries: int) -> bool:
    """True when the message is to be the first one of the next incarnation."""
    asked, mark = item[ASKED], item[MARK]
    if cell.fate is Fate.FINAL or tries >= cell.policy.retries or cell.name is None:
        return False
    if not cell.policy.tries_again(exit):
        return False
    if mark is POSTED or is_answered(mark) or isinstance(mark, Timer):
        return False
    # an asker does not wait for a breaker: it hears of the failure now
    return asked is None or not (asked.done or asked.has_begun or cell.fate is Fate.TRIPPED)


def _error_for(cell: Cell, exit: Exit, item: Item) -> BaseException:
    if exit.is_failure:
        return ActorFailed(cell.ref, exit.error)
    if isinstance(exit.error, BudgetSpent):
        return exit.error.again()
    if cell.fate is Fate.FINAL:
        return ActorStopped(cell.ref, exit)
    return Interrupted(cell.ref, item[MESSAGE])


def _reason_for(cell: Cell, exit: Exit, tries: int) -> DeadLetterReason:
    if exit.is_failure:
        return DeadLetterReason.RETRIES_EXHAUSTED if tries else DeadLetterReason.CRASHED
    if exit.kind is ExitKind.BUDGET:
        return DeadLetterReason.BUDGET
    return DeadLetterReason.STOPPED if cell.fate is Fate.FINAL else DeadLetterReason.INTERRUPTED


def _fail_ports(cell: Cell, exit: Exit) -> None:
    """Replies that were put off can no longer come."""
    ports, cell.ports = cell.ports, None
    for pending in ports or ():
        pending.fail(_port_error(cell, exit))


def _port_error(cell: Cell, exit: Exit) -> BaseException:
    if exit.is_failure:
        return ActorFailed(cell.ref, exit.error)
    return exit.error.again() if isinstance(exit.error, BudgetSpent) else ActorStopped(cell.ref, exit)


@trio.lowlevel.disable_ki_protection
async def _stop_hook(cell: Cell, actor: Actor, exit: Exit) -> None:
    """Run `on_stop`, an `async` one for at most `shutdown` seconds; its failure is an event, not the exit."""
    try:
        stopping: object = actor.on_stop(exit)
        if isinstance(stopping, Awaitable):
            await _stopped_in_time(cell, cast("Awaitable[object]", stopping))
    except Exception as error:
        cell.kernel.emit(StopFailed, cell.ref, error)


async def _stopped_in_time(cell: Cell, stopping: Awaitable[object]) -> None:
    limit = cell.policy.shutdown
    since = cell.kernel.now() + limit

    def report() -> None:
        cell.kernel.emit(Unresponsive, cell.ref, cell.kernel.now() - since)
        cell.alarm = cell.kernel.alarms.after(1.0, report)

    cell.alarm = cell.kernel.alarms.at(since + 1.0, report)
    try:
        with trio.move_on_after(limit, shield=True) as scope:
            await stopping
    finally:
        cell.disarm()
    if scope.cancel_called:  # also when the hook swallowed it
        raise trio.TooSlowError(f"on_stop of {cell.path} took longer than shutdown={limit:g} s")
