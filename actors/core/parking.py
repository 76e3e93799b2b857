"""Parking: what happens to an actor whose budget is spent. It is no failure, and nothing of it is lost.

A class keeps its object, its children and its mailbox, and takes nothing, as if it were suspended. A function
or a process has nothing that could be kept: its incarnation ends, and its supervisor holds it until it is
resumed. Both refuse asks at once, by the door that an open breaker shuts; told messages wait. The message in
hand is the first again when it goes on; whoever asked it hears now.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from actors.core import orders as order
from actors.core.account import account_of, spent_exit
from actors.core.hand import fail_asker, give_permit_back, is_answered
from actors.core.mailbox import ASKED, MARK, MESSAGE, POSTED, SENDER, Item
from actors.core.spending import ledgers_around
from actors.errors import ActorError, ActorStopped, BudgetSpent, flatten
from actors.events import DeadLetterReason, Parked
from actors.exits import Exit

if TYPE_CHECKING:
    from actors.core.cell import Cell

__all__ = [
    "hand_back",
    "hold",
    "ran_out",
    "refusal_of",
    "refuse_queue",
    "spent_in",
    "suspend_parked",
    "unpark",
]


def spent_in(cell: Cell, error: BaseException) -> BudgetSpent | None:
    """The spent budget that has ended what an actor did; None where something else has.

    Tasks in a nursery may find it out together: of a group that is nothing else, the outermost counts.
    """
    if isinstance(error, BudgetSpent):
        return error
    leaves = list(flatten(error))
    spent = [leaf for leaf in leaves if isinstance(leaf, BudgetSpent)]
    if len(spent) < len(leaves):
        return None
    around = [ledger.whose for ledger in ledgers_around(cell)]
    return max(spent, key=lambda leaf: around.index(leaf.scope) if leaf.scope in around else -1)


def ran_out(cell: Cell, item: Item, error: BudgetSpent) -> Exit | None:
    """A handler let this out: an exit where it has to end, None where it lives on, parked or not.

    A budget that is not its own, nor one above it, is that of a block or of another actor that it has asked:
    then only the message comes to nothing.
    """
    is_own = any(ledger.whose is error.scope for ledger in ledgers_around(cell) if _is_actors(ledger.whose))
    if is_own and not cell.is_final:
        exit = spent_exit(cell, error)
        if not cell.parent.parks(cell):
            return exit
        _let_go(cell)
        hand_back(cell, item, error)
        give_permit_back(cell)
        _park(cell, exit)
        return None
    _let_go(cell)
    cell.tries = 0
    if not fail_asker(cell, item, error):
        cell.kernel.dead_letter(cell, item[MESSAGE], item[SENDER], DeadLetterReason.BUDGET)
    give_permit_back(cell)
    if is_own:  # it drains, and could not do any more of it
        cell.stop()
    return None


def _is_actors(whose: object) -> bool:
    return hasattr(whose, "path")


def _let_go(cell: Cell) -> None:
    cell.item = None
    cell.handled += 1
    cell.active_at = cell.now()


def hand_back(cell: Cell, item: Item, error: BaseException | None) -> bool:
    """What becomes of the message in hand; True for one that is the first again, as it was told.

    Whoever has asked it hears why it is not answered. One that a store keeps goes back there, and its attempt
    does not count; one of a pool goes to others.
    """
    asked, mark = item[ASKED], item[MARK]
    told = ActorStopped(cell.ref) if error is None else error
    told = told.again() if isinstance(told, BudgetSpent) else told
    if mark is POSTED or (asked is not None and asked.is_told and not is_answered(mark)):
        asked.returned(told)
    elif asked is None and not is_answered(mark):
        cell.lanes.put_back(item)
        return True
    else:
        fail_asker(cell, item, told)
    return False


def _park(cell: Cell, exit: Exit) -> None:
    """A class: from here on it takes nothing."""
    hold(cell, exit)
    refuse_queue(cell)


def hold(cell: Cell, exit: Exit) -> None:
    """It is parked, and says so. What is parked has no alarm for being idle."""
    account = account_of(cell)
    account.disarm()
    account.exit = exit
    account.is_suspended = bool(cell.orders & order.SUSPEND and not cell.orders & order.ONCE)
    if cell.ready:
        cell.orders = (cell.orders & ~order.ONCE) | order.SUSPEND
    cell.kernel.emit(Parked, cell.ref, exit)


def suspend_parked(cell: Cell) -> bool:
    """Somebody suspends it as well: it is not enough then to top it up. False if somebody had before."""
    assert cell.account is not None
    before, cell.account.is_suspended = cell.account.is_suspended, True
    return not before


def unpark(cell: Cell) -> bool:
    """It may go on; False for one that was not parked."""
    account = cell.account
    if account is None or account.exit is None:
        return False
    account.exit = None
    account.is_suspended = False
    account.wake_up(cell)
    if cell.ready:
        account.became_ready(cell)
    cell.barred = bool(cell.orders & order.PROBE)
    return True


def refusal_of(cell: Cell) -> BudgetSpent | None:
    """What an ask gets while it is parked; None for one that is idle, and starts for it."""
    error = None if cell.held is None else cell.held.error
    return error.again() if isinstance(error, BudgetSpent) else None


def refuse_queue(cell: Cell) -> None:
    """It is held back, by its breaker or its budget: waiting asks end now, told messages wait on."""
    cell.barred = True
    waiting = cell.lanes.remove(lambda item: item[ASKED] is not None)
    for item in cell.parent.reclaim(cell, waiting) if waiting else ():
        error: ActorError | None = cell.parent.refusal(cell, taken=True)
        item[ASKED].returned(error or ActorStopped(cell.ref))
    cell.admit_senders()
