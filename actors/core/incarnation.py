"""One incarnation of an actor: the task that starts it, takes its messages, and ends it.

What costs time and memory decides the shape of this file. A task switch of trio costs
about ten times as much as handling a message, and a cancel scope more than that: so
the loop takes messages as long as there are any and checkpoints once a batch (by count
and by time, so that no actor starves the rest), and there is one scope an incarnation.
Whoever cancels says why in the cell's orders first; an interrupt leaves the scope and
enters a new one.

The life of the task:

    run ── scope ── start ── serve ... ── fall ── release ── on_stop ── over
             └── an interrupt comes back here

From `fall` on it is in the file of that name.
"""

from __future__ import annotations

from collections.abc import Awaitable, Coroutine
from types import CoroutineType
from typing import TYPE_CHECKING, Any

import trio

from actors.core import orders as order
from actors.core.actor import Actor
from actors.core.context import Context
from actors.core.dispatch import find
from actors.core.fall import end
from actors.core.hand import (
    hand_done,
    interrupt_hand,
    next_item,
    settle_hand,
    still_wanted,
)
from actors.core.mailbox import ASKED
from actors.core.pace import BATCH, OFTEN, QUICK, SLICE
from actors.core.scope import CURRENT
from actors.core.turn import build, start, unhandled
from actors.core.verdict import fallen_with, raised, why_left
from actors.exits import Exit, ExitKind

if TYPE_CHECKING:
    from actors.core.cell import Cell

__all__ = ["run"]

_wait = trio.lowlevel.wait_task_rescheduled  # looked up once: it is on the road of every message


@trio.lowlevel.enable_ki_protection
async def run(cell: Cell, begun: Coroutine[Any, Any, Any] | None = None) -> None:
    """Live once. Whatever ends it, `fall`, `on_stop` and `over` follow.

    `begun` is a handling that turned out to need a task while the cell had none.
    """
    CURRENT.set(cell)
    exit: Exit | None = None
    try:
        try:
            if begun is None and _needs_no_scope_yet(cell):  # which costs as much as the task
                exit = start(cell)
                while exit is None and not cell.lanes:
                    if cell.orders & (order.LEAVES | order.DRAIN):
                        exit = why_left(cell)
                    else:
                        cell.parked = trio.lowlevel.current_task()
                        await _wait(cell.unpark)
            while exit is None:
                with cell.scope or trio.CancelScope() as scope:
                    cell.scope = scope
                    if cell.orders & order.CANCELS:
                        scope.cancel()
                    if begun is not None:
                        handling, begun = begun, None
                        exit = await _finish(cell, handling)
                    if exit is None:
                        exit = await (_run_function if cell.recipe.actor_class is None else _serve)(cell)
                if exit is None:
                    exit = _after_cancel(cell, scope.cancelled_caught)
        except Exception as error:  # what is left of a group when the scope took Cancelled out
            exit = fallen_with(cell, error)
        except BaseException:  # from outside the system, or Ctrl-C: not ours to keep
            cell.scope = cell.parked = None
            cell.kill()
            exit = Exit(ExitKind.KILLED, reason="its block was cancelled")
            raise
        finally:
            if exit is not None:
                await end(cell, exit)
    finally:
        cell.over()


def _needs_no_scope_yet(cell: Cell) -> bool:
    """True where nothing is to be cancelled before the first message comes."""
    actor_class = cell.recipe.actor_class
    if actor_class is None or actor_class.on_restore is not Actor.on_restore:
        return False
    return actor_class.on_start is Actor.on_start and not cell.lanes


@trio.lowlevel.disable_ki_protection
async def _finish(cell: Cell, handling: Coroutine[Any, Any, Any]) -> Exit | None:
    """Go on with the message in hand."""
    try:
        value = await handling
    except Exception as error:
        exit = raised(cell, error)
        if exit is not None:
            return exit
    else:
        settle_hand(cell, value)
    if cell.vigil is not None:
        cell.vigil.rest(cell.active_at)
    return None


# --- messages -------------------------------------------------------------------


@trio.lowlevel.disable_ki_protection
async def _serve(cell: Cell) -> Exit | None:
    """Handle messages until an order ends the incarnation (an `Exit`) or interrupts it (None)."""
    if not cell.ready:
        exit = await _start(cell)
        if exit is not None:
            return exit
    actor: Any = cell.actor
    lanes = cell.lanes
    take = lanes.take
    table = cell.recipe.table
    now = cell.kernel.now
    task = trio.lowlevel.current_task()
    vigil = cell.vigil
    if vigil is not None:
        vigil.rest(None)  # what an interrupt has left
    if lanes:
        cell.active_at = now()
    left, look, looked = BATCH, BATCH - 1, now()
    slice_end = looked + SLICE
    while True:
        if cell.orders:
            if cell.orders & order.LEAVES or (cell.orders & order.DRAIN and not lanes):
                return why_left(cell)
            table = cell.recipe.table  # another one since the incarnation is traced
            item = next_item(cell)
        elif lanes.early or not (normal := lanes.normal):
            item = take()
        else:  # `take`, written out: nearly every message comes this way
            item = normal.popleft()
            if item[4] is not None:
                lanes.extra += 1
        if item is None:
            if cell.orders & order.LEAVES:  # ordered by what was called to route messages
                continue
            if vigil is not None:
                vigil.rest(cell.active_at)
            cell.parked = task
            await _wait(cell.unpark)  # `park`, without its coroutine
            looked = now()
            if lanes.normal or lanes.early:  # an order is no activity
                cell.active_at = looked
            left, look, slice_end = BATCH, BATCH - 1, looked + SLICE
            continue
        message, _, asked, _, mark = item
        if (asked is not None or mark is not None) and not still_wanted(cell, item):
            continue
        cell.item = item
        if vigil is not None:
            vigil.begin(cell.active_at or now())
        try:
            handler = table[message.__class__]
        except KeyError:
            handler = find(table, message.__class__)
        try:
            if handler is None:
                value = await _unhandled(cell, message)
            elif handler[1]:
                value = await handler[0](actor, message)
                cell.active_at = now()
            else:
                value = handler[0](actor, message)
                if value.__class__ is CoroutineType:  # a plain wrapper around an async handler
                    value = await value
                if vigil is not None:  # from here on counts what comes next
                    cell.active_at = now()
        except Exception as error:
            exit = raised(cell, error)
            if exit is not None:
                return exit
        else:
            if asked is not None:
                asked = cell.item[ASKED]  # None by now if the handler replied, or put it off
                if asked is not None:
                    asked.answer(value)
            cell.item = None
            cell.handled += 1
            if mark is not None or cell.permit is not None:
                hand_done(cell)
        left -= 1
        if left == look:
            before, looked = looked, now()
            if left and looked < slice_end:
                look = max(0, left - OFTEN) if looked - before < QUICK else left - 1
                continue
            if not cell.orders & order.LEAVES:  # an interrupt has cancelled the scope: leave it first
                if vigil is not None:
                    vigil.rest(looked)
                await trio.lowlevel.checkpoint()
            cell.active_at = looked = now()
            left, look, slice_end = BATCH, BATCH - 1, looked + SLICE


async def _unhandled(cell: Cell, message: object) -> object:
    value = unhandled(cell, message)
    if value.__class__ is CoroutineType:
        return await value
    return value


# --- start ----------------------------------------------------------------------


async def _start(cell: Cell) -> Exit | None:
    """Make the object and run `on_start`; an `Exit` when that failed, or is not wanted any more."""
    if cell.orders & order.LEAVES:
        return why_left(cell)
    try:
        actor = build(cell)
        if type(actor).on_restore is not Actor.on_restore:
            await _restore(cell, actor)
        starting = actor.on_start()
        if isinstance(starting, Awaitable):
            await starting
    except Exception as error:
        return fallen_with(cell, error)
    cell.become_ready()
    return None


async def _restore(cell: Cell, actor: Actor) -> None:
    """Give it the state that it has saved, if there is one."""
    if cell.name is None or cell.kernel.keeper is None:
        return
    state = await cell.kernel.keeper.load(cell)
    if state is not None:
        restoring = actor.on_restore(state)
        if isinstance(restoring, Awaitable):
            await restoring


@trio.lowlevel.disable_ki_protection
async def _run_function(cell: Cell) -> Exit | None:
    """Run the function to its end; called again after an interrupt."""
    if cell.orders & order.LEAVES:
        return why_left(cell)
    context = cell.context = Context(cell)
    if cell.vigil is not None:
        cell.vigil.rest(None)  # what an interrupt has left
        cell.vigil.begin(cell.now())
    if not cell.recipe.readiness:
        cell.become_ready()
    try:
        value = await cell.recipe.call(context, *cell.args)
    except Exception as error:
        return fallen_with(cell, error)
    settle_hand(cell, context.whole(None))
    if cell.orders & order.INTERRUPT:
        cell.orders &= ~order.INTERRUPT
    ended = why_left(cell) or Exit(ExitKind.NORMAL)
    return Exit(ended.kind, value=value, error=ended.error, reason=ended.reason)


# --- the end --------------------------------------------------------------------


def _after_cancel(cell: Cell, caught: bool) -> Exit | None:
    """The scope is behind: the exit that was ordered, or None to go on after an interrupt."""
    cell.scope = None
    exit = why_left(cell) if cell.orders & order.CANCELS else None
    if exit is not None:
        return exit
    cell.orders &= ~order.INTERRUPT
    confirmed = caught and cell.item is not None
    if confirmed:
        interrupt_hand(cell)
    cell.interrupted(confirmed)
    return None
