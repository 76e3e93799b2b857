"""How an incarnation ends: the exit that its orders, or what its code raised, ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actors.core import orders as order
from actors.core.account import spent_exit
from actors.core.hand import fail_asker, give_permit_back, hand_done
from actors.core.mailbox import MESSAGE, SENDER
from actors.core.parking import ran_out, spent_in
from actors.errors import Refused, Unhandled
from actors.events import DeadLetterReason
from actors.exits import Exit, ExitKind

if TYPE_CHECKING:
    from actors.core.cell import Cell

__all__ = ["EndedAs", "failure", "fallen_with", "raised", "why_left"]


class EndedAs(Exception):
    """Raised by the framework's own code in an incarnation: it has ended with this exit elsewhere."""

    def __init__(self, exit: Exit) -> None:
        self.exit = exit
        super().__init__(exit.reason)


def fallen_with(cell: Cell, error: BaseException) -> Exit:
    """The exit of an incarnation whose code raised: what was ordered meanwhile comes first."""
    if isinstance(error, EndedAs):
        ended = error.exit
        ours = why_left(cell) if ended.kind in (ExitKind.NORMAL, ExitKind.SHUTDOWN) else None
        return ended if ours is None else Exit(ours.kind, ended.value, ours.error, ours.reason)
    ended = why_left(cell, error)
    if ended is not None:
        return ended
    spent = spent_in(cell, error)
    return failure(cell, error) if spent is None else spent_exit(cell, spent)


def failure(cell: Cell, error: BaseException) -> Exit:
    """It failed by itself."""
    return Exit(ExitKind.FAILED if cell.ready else ExitKind.START_FAILED, error=error)


def why_left(cell: Cell, error: BaseException | None = None) -> Exit | None:
    """The exit that the orders ask for; None for an interrupt, or without orders."""
    orders = cell.orders
    if orders & order.FALLEN:
        return cell.exit
    if orders & order.FAIL:
        return failure(cell, cell.why_failed() or error or RuntimeError("failed"))
    if orders & order.KILL:
        return Exit(ExitKind.KILLED, error=error, reason="killed")
    if orders & order.EXPIRED:
        limit = f"cancelled: it did not stop within {cell.policy.shutdown:g} s"
        if orders & order.QUIT and not (orders & (order.FINAL | order.HALT) or cell.is_final):
            return Exit(ExitKind.NORMAL, error=error, reason=limit)  # a permanent one: nobody wants it gone
        return Exit(ExitKind.KILLED, error=error, reason=limit)
    if orders & order.OVERDUE and cell.vigil is not None:
        return cell.vigil.verdict
    if error is not None:
        return None
    if orders & order.FINAL:
        return Exit(ExitKind.SHUTDOWN, reason="drained" if orders & order.DRAIN else "stopped")
    if orders & order.HALT:
        return Exit(ExitKind.SHUTDOWN, reason="stopped with its group")
    if orders & order.QUIT:
        return Exit(ExitKind.NORMAL, reason="stopped itself")
    return None


def raised(cell: Cell, error: Exception) -> Exit | None:
    """A handler raised: None when the actor lives on (it refused, has no handler, or its budget is spent)."""
    item = cell.item
    assert item is not None
    spent = None if cell.orders & order.CANCELS else spent_in(cell, error)  # that comes first
    if spent is not None:
        return ran_out(cell, item, spent)
    refused = isinstance(error, Refused)
    unhandled = isinstance(error, Unhandled) and error.message is item[MESSAGE] and error.ref == cell.ref
    if refused or unhandled:
        cell.item = None
        cell.handled += 1
        cell.active_at = cell.now()
        if not fail_asker(cell, item, error) and unhandled:
            cell.kernel.dead_letter(cell, item[MESSAGE], item[SENDER], DeadLetterReason.UNHANDLED)
        if refused:
            hand_done(cell)
        else:
            give_permit_back(cell)
        return None
    return fallen_with(cell, error)
