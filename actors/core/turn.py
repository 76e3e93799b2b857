"""One turn of an actor without a task: start it, handle what waits, or end it, without waiting for anything.

The road of actors whose handlers and hooks are all plain functions. It says what
`incarnation` says, in the same order, and shares with it what judges and what ends; what
is not here is what plain code cannot do: be interrupted, be cancelled, wait.
"""

from __future__ import annotations

from types import CoroutineType
from typing import TYPE_CHECKING, Any

import trio

from actors.core import orders as order
from actors.core.actor import Actor
from actors.core.context import Context
from actors.core.dispatch import find
from actors.core.fall import done, end_at_once
from actors.core.hand import give_permit_back, hand_done, next_item, still_wanted
from actors.core.mailbox import ASKED
from actors.core.scope import CURRENT
from actors.core.verdict import fallen_with, raised, why_left
from actors.exits import Exit, ExitKind
from actors.messages import Nudge, Terminated, TicketReply

if TYPE_CHECKING:
    from actors.core.cell import Cell

__all__ = ["build", "cut_short", "start", "turn", "unhandled"]


@trio.lowlevel.disable_ki_protection
def turn(cell: Cell) -> None:
    """What a cell has to do now, at most a batch of it. Runs in the cell's own context variables.

    It starts the actor; it handles messages until none waits or the turn is over; it ends the incarnation.
    One function, as every call in it would be one a message.
    """
    exit: Exit | None = None
    dispatcher = cell.kernel.dispatcher
    left = batch = dispatcher.batch
    until = dispatcher.until
    stamp = cell.stamp
    try:
        if not cell.ready:
            left -= 1
            exit = start(cell)
        actor: Any = cell.actor
        lanes = cell.lanes
        table = cell.recipe.table
        vigil = cell.vigil
        if lanes.normal or lanes.early:
            active = cell.active_at
            if active is None or active < dispatcher.now:
                cell.active_at = dispatcher.now
        while exit is None:
            if cell.orders:
                if cell.orders & order.LEAVES or (cell.orders & order.DRAIN and not lanes):
                    exit = why_left(cell)
                    break
                item = next_item(cell)
            elif lanes.early:
                item = lanes.take()
            elif normal := lanes.normal:  # `take`, written out: nearly every message comes this way
                item = normal.popleft()
                if item[4] is not None:
                    lanes.extra += 1
            else:
                item = None
            if item is None:
                dispatcher.left -= (batch - left) or 1
                if vigil is not None:
                    vigil.rest(cell.active_at)
                cell.parked = dispatcher
                return
            message, _, asked, _, mark = item
            if (asked is not None or mark is not None) and not still_wanted(cell, item):
                continue
            cell.item = item
            if vigil is not None:
                vigil.begin(cell.active_at or cell.now())
            try:
                handler = table[message.__class__]
            except KeyError:
                handler = find(table, message.__class__)
            try:
                value = unhandled(cell, message) if handler is None else handler[0](actor, message)
            except Exception as error:
                exit = raised(cell, error)
            else:
                if value is not None and value.__class__ is CoroutineType:  # it wraps an async one
                    cell.take_a_task(value)
                    return
                if vigil is not None:  # from here on counts what comes next
                    cell.active_at = cell.now()
                if asked is not None:
                    asked = cell.item[ASKED]  # None by now if the handler replied, or put it off
                    if asked is not None:
                        asked.answer(value)
                cell.item = None
                cell.handled += 1
                if mark is not None or cell.permit is not None:
                    hand_done(cell)
            left -= 1
            if (lanes.normal or lanes.early) and (not left or stamp() >= until) and exit is None:
                dispatcher.left -= batch - left
                if vigil is not None:
                    vigil.rest(cell.now())
                dispatcher.add(cell)
                return
    except Exception as error:
        exit = fallen_with(cell, error)
    except BaseException as error:  # Ctrl-C: not ours to keep
        cut_short(cell, error)
        return
    if exit is None:
        return
    if batch == 1:  # the end does not depend on how deep the asker's stack is
        cell.exit = exit
        cell.orders |= order.FALLEN
        dispatcher.add(cell)
    else:
        _end(cell, exit)


@trio.lowlevel.enable_ki_protection
def cut_short(cell: Cell, fault: BaseException) -> None:
    """What is nobody's to keep has struck: the incarnation ends, if it has not, and the fault goes on."""
    if cell.ended or cell.is_gone:
        cell.parent.break_down(fault)
        return
    cell.parked = None
    cell.kill()
    _end(cell, Exit(ExitKind.KILLED, reason="its block was cancelled"), fault)


@trio.lowlevel.enable_ki_protection
def _end(cell: Cell, exit: Exit, fault: BaseException | None = None) -> None:
    cell.kernel.dispatcher.left -= 1  # it counts like a message
    try:
        end_at_once(cell, exit)
    except BaseException as error:
        fault = fault or error
    finally:
        cell.over()
    if fault is not None:
        cell.parent.break_down(fault)


def start(cell: Cell) -> Exit | None:
    """Make the object and run its plain `on_start`; an `Exit` when that failed, or is not wanted any more."""
    CURRENT.set(cell)
    if cell.orders & order.LEAVES:
        return why_left(cell)
    try:
        actor = build(cell)
        if type(actor).on_start is not Actor.on_start:
            done(actor, "on_start", actor.on_start())
    except Exception as error:
        return fallen_with(cell, error)
    cell.become_ready()
    return None


def build(cell: Cell) -> Actor:
    """The incarnation's object, with its context."""
    context = cell.context = Context(cell)
    actor = cell.actor = cell.recipe.build(context, cell.args)
    return actor


def unhandled(cell: Cell, message: object) -> Any:
    """What becomes of a message without a handler: notices are ignored, the rest is for `on_unhandled`."""
    if isinstance(message, Terminated | Nudge | TicketReply):
        give_permit_back(cell)  # ignored: nothing of the actor was tried
        return None
    assert cell.actor is not None
    return cell.actor.on_unhandled(message)
