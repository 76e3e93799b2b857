"""A child of a supervisor here that runs on another node: its cell, and what an incarnation does.

Everything that is promised about an actor (mailbox, restarts, breaker, retries, order) is kept
by the same cell as for any other child. Only an incarnation is different: it starts the actor
over there, hands it a few messages at a time, and falls with the exit that is told of it. What
was handed over and not handled comes back to the head of the queue when the incarnation
falls; when the whole node is lost, nobody knows what of it was handled, and it counts as in hand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

import trio

from actors.core import orders as order
from actors.core.ask import Pending
from actors.core.cell import Cell
from actors.core.hand import (
    fail_asker,
    hand_done,
    interrupt_hand,
    next_item,
    park,
    settle_hand,
    still_wanted,
)
from actors.core.lifecycle import ActorState
from actors.core.mailbox import ASKED, MARK, MESSAGE, SENDER, Item
from actors.core.verdict import EndedAs, raised
from actors.errors import ActorFailed, ActorStopped, Interrupted, NotSerializable
from actors.events import DeadLetterReason
from actors.exits import Exit
from actors.remote import items
from actors.remote.codec import BadValue
from actors.remote.troubles import ended_in, error_in

if TYPE_CHECKING:
    from actors.core.context import Context
    from actors.remote.association import Association
    from actors.remote.node import Node

__all__ = ["RemoteChild", "live"]

_AHEAD: Final = 32
"""Messages that are handed over before the first of them is handled."""
_ORDERS: Final = ((order.STOP | order.QUIT, "stop"), (order.HALT, "halt"))


class ForwardedPending(Pending[Any]):
    """An open request to a child elsewhere: when its asker leaves, the child is told."""

    __slots__ = ()

    def _end(self, error: BaseException | None) -> None:
        super()._end(error)
        cast("RemoteChild", self.cell).request_ended(self)


class RemoteChild(Cell):
    """The cell of a child that runs on another node."""

    __slots__ = (
        "association",
        "awaited",
        "handed",
        "hub",
        "nothing_there",
        "number",
        "on",
        "owed",
        "ready_there",
        "stirred",
        "there",
        "told",
        "what",
    )  # fmt: skip

    request_class = ForwardedPending

    def __init__(self, hub: Node, on: str, what: str, *args: Any) -> None:
        self.hub = hub
        self.on = on
        self.what = what
        self.association: Association | None = None
        self.number = 0
        self.handed: dict[int, Item] = {}
        """What it has and has not handled, oldest first."""
        self.owed: dict[int, Pending[Any]] = {}
        """Requests that it will answer later."""
        self.there: tuple[Exit, int | None] | None = None
        """How its incarnation has ended, and the message that it had in hand."""
        self.told: str | None = None
        self.ready_there = False
        self.nothing_there = True
        """Nothing of it is left over there."""
        self.stirred: list[bool] = []
        self.awaited = 0
        super().__init__(*args)

    # --- what it is like ---

    @property
    def node(self) -> str:
        """The name of the node that it runs on."""
        return self.on

    @property
    def is_busy(self) -> bool:
        """True while it has something to handle."""
        return bool(self.handed)

    @property
    def state(self) -> ActorState:
        """UNREACHABLE while the link is down and it may still be alive."""
        seen = super().state
        link = self.association
        if link is not None and not self.nothing_there and not link.is_up and not self.is_gone:
            return ActorState.UNREACHABLE
        return seen

    @property
    def depth(self) -> int:
        """What waits here, and what it has and does not work at yet."""
        return super().depth + max(0, len(self.handed) - 1)

    @property
    def owns_children(self) -> bool:
        """What it owns is over there, and has to end first."""
        return True

    # --- one incarnation ---

    async def live(self, context: Context) -> None:
        """Start it over there, and hand messages over until it ends."""
        link = self.association = self.hub.place(self.on)
        self.number = link.next_id()
        self.there = self.told = None
        self.ready_there = self.nothing_there = False
        link.children[self.number] = self
        with self.hub.exporting(link):
            codec = self.hub.codec
            args, options, terms = cast("tuple[Any, Any, Any]", self.args)
            link.control(
                items.Spawn(
                    self.number,
                    self.what,
                    self.hub.ref_out(self.ref),
                    self.hub.ref_out(self.parent.ref),
                    [codec.value_out(one) for one in args],
                    {key: codec.value_out(one) for key, one in options.items()},
                    terms,
                )
            )
        while True:
            there = self._told_end()
            if there is not None:
                self._fall_as(*there)
            if link.lost is not None:
                self._lose(link.lost)
            if self.ready_there and not self.ready:
                context.ready()
            self._tell_orders(link)
            self._hand_over(link)
            await park(self)

    def _told_end(self) -> tuple[Exit, int | None] | None:
        return self.there

    def _tell_orders(self, link: Association) -> None:
        """Let it end over there when it is to end here."""
        told = next((name for bits, name in _ORDERS if self.orders & bits), None)
        if told is None and self.orders & order.DRAIN and not self.lanes:
            told = "drain"
        if told is not None and self.told is None:
            self.told = told
            lane = link.data if told == "drain" else link.control
            lane(items.ChildOrder(self.number, told))

    def _hand_over(self, link: Association) -> None:
        ahead = 1 if self.orders & order.PROBE else _AHEAD
        while (
            self.ready
            and self.told is None
            and link.is_up
            and len(self.handed) < ahead
            and link.has_room
            and not self.orders & order.LEAVES
        ):
            item = next_item(self)
            if item is None:
                return
            if still_wanted(self, item):
                self._hand(link, item)

    def _hand(self, link: Association, item: Item) -> None:
        number = link.next_id()
        asked: Pending[Any] | None = item[ASKED]
        try:
            with self.hub.exporting(link):
                coded = self.hub.codec.message_out(item[MESSAGE])
                sender = None if item[SENDER] is None else self.hub.ref_out(item[SENDER].ref)
        except NotSerializable as error:  # a change since it was accepted
            self.discard_unsent(item, error)
            return
        left = None if asked is None else asked.left(self.now())
        self.handed[number] = item
        link.data(items.Do(self.number, number, coded, sender, asked is not None, left))

    def discard_unsent(self, item: Item, error: NotSerializable) -> None:
        """It cannot travel: its asker hears why, a told one is a dead letter."""
        self.permit = None
        if item[ASKED] is not None:
            item[ASKED].fail(error)
        else:
            self.kernel.dead_letter(self, item[MESSAGE], item[SENDER], DeadLetterReason.UNHANDLED)

    # --- messages in: checked at the door ---

    def tell_from(self, sender: Cell | None, message: object, urgent: bool = False) -> bool:
        """See `Intake.tell_from`. Raises `NotSerializable`."""
        self._check(message)
        return super().tell_from(sender, message, urgent)

    async def send(self, message: object) -> None:
        """See `Ref.send`. Raises `NotSerializable`."""
        self._check(message)
        await super().send(message)

    def request(self, request: Any, timeout: float | None, *, keep: bool) -> Pending[Any]:
        """See `Ref.request`. Raises `NotSerializable`."""
        self._check(request)
        return super().request(request, timeout, keep=keep)

    def _check(self, message: object) -> None:
        """At the sender, and nothing is done: what cannot travel is not taken."""
        self.hub.codec.message_out(message)

    # --- what is told of it ---

    def heard(self, item: Any) -> None:
        """Something that the other node says of it."""
        self.active_at = self.now()
        if isinstance(item, items.Ready):
            self.ready_there = True
        elif isinstance(item, items.Done):
            self._done(item)
        elif isinstance(item, items.Later):
            self._later(item.n)
        elif isinstance(item, items.Stirred):
            self.stirred.append(item.confirmed)
            if self.lot is not None:
                self.lot.unpark_all()
        elif isinstance(item, items.Fell):
            assert self.association is not None
            self.there = ended_in(item.exit, self.hub.codec), item.hand
        else:
            self._is_over()
        self.wake()

    def _is_over(self) -> None:
        self.nothing_there = True
        if self.association is not None:
            self.association.children.pop(self.number, None)
        if self.lot is not None:
            self.lot.unpark_all()

    def _later(self, number: int) -> None:
        item = self.handed.pop(number, None)
        if item is None or item[ASKED] is None:
            return
        self.owed[number] = item[ASKED]
        self.handled += 1
        hand_done(self)

    def _done(self, said: items.Done) -> None:
        """It has handled a message, or answers one that it had put off."""
        owed = self.owed.pop(said.n, None)
        if owed is not None:
            self._answer(owed, said)
            return
        item = self.handed.pop(said.n, None)
        if item is None:
            return
        self.item = item
        error = self._error(said, item[MESSAGE])
        if error is None:
            settle_hand(self, self._value(said, item))
        elif isinstance(error, Interrupted):
            interrupt_hand(self)
        elif isinstance(error, ActorStopped):  # it waited there when the end was ordered
            self.item = None
            self.discard(item, DeadLetterReason.STOPPED)
        elif raised(self, cast("Exception", error)) is not None:  # an answer, not the actor's failure
            fail_asker(self, item, error)
            self.item = None
            self.handled += 1
            hand_done(self)

    def _answer(self, owed: Pending[Any], said: items.Done) -> None:
        error = self._error(said, owed.message)
        if error is not None:
            owed.fail(error)
            return
        try:
            owed.answer(self.hub.codec.value_in(said.v))
        except BadValue as unread:
            owed.fail(ActorFailed(self.ref, unread))

    def _value(self, said: items.Done, item: Item) -> Any:
        if item[ASKED] is None:
            return None
        try:
            return self.hub.codec.value_in(said.v)
        except BadValue as unread:
            item[ASKED].fail(ActorFailed(self.ref, unread))
            return None

    def _error(self, said: items.Done, message: object) -> BaseException | None:
        return None if said.error is None else error_in(said.error, self.ref, message, self.hub.codec)

    def request_ended(self, pending: Pending[Any]) -> None:
        """An asker has left, or got its answer: what waits over there is to be skipped."""
        link = self.association
        if link is None or self.nothing_there:
            return
        for number, item in self.handed.items():  # never more than a few
            if item[ASKED] is pending and item is not self.item:
                link.control(items.Undo(self.number, number))
                return

    # --- the end ---

    def _fall_as(self, exit: Exit, hand: int | None) -> None:
        """Its incarnation has ended: so does this one."""
        item = None if hand is None else self.handed.pop(hand, None)
        self._take_back()
        self.item = item
        raise EndedAs(exit)

    def _lose(self, lost: Exit) -> None:
        """The node is lost, and with it everything that was handed over."""
        self.nothing_there = True
        handed, self.handed = list(self.handed.values()), {}
        again = bool(self.policy.retries) and self.name is not None
        if again:
            self.lanes.restore(handed[1:])
        else:
            for item in handed[1:]:
                self._lost_in_hand(item, lost)
        self.item = handed[0] if handed else None
        raise EndedAs(lost)

    def _lost_in_hand(self, item: Item, lost: Exit) -> None:
        if item[ASKED] is not None:
            item[ASKED].fail(ActorFailed(self.ref, lost.error))
        elif item[MARK] is None:
            self.kernel.dead_letter(self, item[MESSAGE], item[SENDER], DeadLetterReason.CRASHED)

    def _take_back(self) -> None:
        """What was handed over and not begun is the head of the queue again."""
        handed, self.handed = list(self.handed.values()), {}
        if self.lanes.closed:
            for item in handed:
                self.discard(item, DeadLetterReason.STOPPED)
        else:
            self.lanes.restore(handed)

    async def release(self, exit: Exit) -> None:
        """Wait until nothing of it is left over there, or its lease has lapsed."""
        self._take_back()
        for pending in tuple(self.owed.values()):
            failed = exit.is_failure
            pending.fail(ActorFailed(self.ref, exit.error) if failed else ActorStopped(self.ref, exit))
        self.owed.clear()
        link = self.association
        if link is None or self.nothing_there:
            return
        if self.there is None:
            link.control(items.ChildOrder(self.number, "kill"))
        while not self.nothing_there and link.lost is None:
            await self.changed()
        self._is_over()

    # --- orders that go straight there ---

    async def interrupt(self) -> bool:
        """See `Ref.interrupt`."""
        link = self.association
        if link is None or not self.handed or not self.ready:
            await trio.lowlevel.checkpoint()
            return False
        self.awaited += 1
        if self.awaited == 1:
            self.stirred = []
            link.control(items.ChildOrder(self.number, "interrupt"))
        try:
            answers = self.stirred
            while not answers and not self.nothing_there and link.lost is None and self.there is None:
                await self.changed()
            return bool(answers) and answers[0]
        finally:
            self.awaited -= 1

    def suspend(self, once: bool) -> None:
        """See `Ref.suspend`."""
        super().suspend(once)
        self._send_order("suspend")

    def resume(self) -> None:
        """See `Ref.resume`."""
        was = self.orders & order.SUSPEND
        super().resume()
        if was:
            self._send_order("resume")

    def _send_order(self, what: str) -> None:
        if self.association is not None and not self.nothing_there:
            self.association.control(items.ChildOrder(self.number, what))


async def live(context: Context, *_: Any) -> None:
    """What the recipe of a remote child calls."""
    await cast("RemoteChild", context.cell).live(context)
