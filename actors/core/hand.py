"""Taking a message into the hand and letting it go: what loops and inboxes have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import trio

from actors.core import orders as order
from actors.core.ask import Pending
from actors.core.mailbox import ANSWERED, ASKED, MARK, MESSAGE, SENDER, Item
from actors.core.timers import Timer
from actors.errors import Interrupted
from actors.events import DeadLetterReason, Expired

if TYPE_CHECKING:
    from actors.core.cell import Cell

__all__ = [
    "fail_asker",
    "give_permit_back",
    "hand_done",
    "interrupt_hand",
    "is_answered",
    "next_item",
    "next_wanted",
    "park",
    "settle_hand",
    "still_wanted",
]

SECOND_TAKER = (
    "another task of {} takes from its inbox already: let one task take the messages, "
    "and hand them on over a memory channel"
)


def next_item(cell: Cell) -> Item | None:
    """The next item while orders are pending: None when there is none to be taken now."""
    cell.orders &= ~order.RENEWED
    if cell.orders & order.SUSPEND:
        if not (cell.orders & order.ONCE and cell.lanes):
            return None
        cell.resume()
    if cell.orders & order.ROUTES:
        cell.route()
        return None
    item = cell.lanes.take()
    if item is not None and cell.orders & order.PROBE:
        cell.permit = item
    if cell.orders & order.SENDERS:
        cell.admit_senders()
    return item


async def park(cell: Cell) -> None:
    """Wait until somebody wakes the cell. A checkpoint."""
    if cell.parked is not None:
        raise RuntimeError(SECOND_TAKER.format(cell.path))
    cell.parked = trio.lowlevel.current_task()
    await trio.lowlevel.wait_task_rescheduled(cell.unpark)


def still_wanted(cell: Cell, item: Item) -> bool:
    """False for a request whose asker has gone; it is skipped."""
    if isinstance(item[MARK], Timer):
        item[MARK].taken()
    asked = item[ASKED]
    if asked is None or not asked.done:
        return True
    cell.kernel.emit(Expired, cell.ref, item[MESSAGE])
    asked.skipped()
    give_permit_back(cell)
    return False


def give_permit_back(cell: Cell) -> None:
    """The probe has shown nothing: another one may try."""
    if cell.permit is not None:
        cell.permit = None
        cell.kernel.takes_again(cell)


def settle_hand(cell: Cell, value: object) -> None:
    """The message in hand was handled: answer whoever asked, and go on."""
    item, cell.item = cell.item, None
    if item is None:
        return
    cell.handled += 1
    cell.active_at = cell.now()
    if item[ASKED] is not None:
        item[ASKED].answer(value)
    hand_done(cell)


def hand_done(cell: Cell) -> None:
    """A message was handled well: what it stood for (a retry, a probe) is settled."""
    cell.tries = 0
    if cell.permit is not None:
        cell.permit = None
        cell.orders &= ~order.PROBE
        cell.barred = False
        cell.parent.probe_passed(cell)


def interrupt_hand(cell: Cell) -> None:
    """Cancellation ended the handler: its asker gets `Interrupted`, a told message is a dead letter."""
    item, cell.item = cell.item, None
    assert item is not None
    cell.handled += 1
    cell.active_at = cell.now()
    if item[ASKED] is not None:
        item[ASKED].fail(Interrupted(cell.ref, item[MESSAGE]))
    elif not is_answered(item[MARK]):
        cell.kernel.dead_letter(cell, item[MESSAGE], item[SENDER], DeadLetterReason.INTERRUPTED)
    give_permit_back(cell)


def fail_asker(cell: Cell, item: Item, error: BaseException) -> bool:
    """Give an error to whoever asked, also if the reply was put off; False for a told message."""
    asked: Pending[Any] | None = item[ASKED]
    if cell.ports and item[MARK] in cell.ports:
        late = cast("Pending[Any]", item[MARK])
        del cell.ports[late]
        late.fail(error)
    if asked is not None:
        asked.fail(error)
    return asked is not None or is_answered(item[MARK])


def is_answered(mark: object) -> bool:
    """True for a request whose answer the handler has given, or put off: then the mark is its Pending."""
    return mark is ANSWERED or isinstance(mark, Pending)


def next_wanted(cell: Cell) -> Item | None:
    """The next item that somebody still wants, or None when there is none to be taken now."""
    while not cell.orders & order.LEAVES:
        item = next_item(cell)
        if item is None or still_wanted(cell, item):
            return item
    return None
