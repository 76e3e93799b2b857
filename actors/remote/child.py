"""A child of a supervisor here that runs on another node: its cell, and what an incarnation does.

Everything that is promised about an actor (mailbox, restarts, breaker, retries, order) is kept
by the same cell as for any other child. Only an incarnation is different: it starts the actor
over there, hands it a few messages at a time, and falls with the exit that is told of it. What
was handed over and not handled comes back to the head of the queue when the incarnation
falls; when the whole node is lost, nobody knows what of it was handled, and it counts as in hand.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, cast

import trio

from actors.core import orders as order
from actors.core.ask import Pending
from actors.core.cell import Cell
from actors.core.chunks import ENDED
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
from actors.core.mailbox import ANSWERED, ASKED, MARK, MESSAGE, REDELIVERED, SENDER, SINCE, Item
from actors.core.several import drop_all, remember_tries, tries_of
from actors.core.spending import spent_elsewhere
from actors.core.verdict import EndedAs, raised
from actors.errors import ActorError, ActorFailed, ActorStopped, Interrupted, NodeLost, NotSerializable
from actors.events import DeadLetterReason
from actors.exits import Exit, ExitKind
from actors.remote import items
from actors.remote.credit import WINDOW
from actors.remote.flows import Returner, not_there, put_in
from actors.remote.grants import grant_of
from actors.remote.strict import BadValue
from actors.remote.terms import with_what_is_left
from actors.remote.troubles import ended_in, error_in
from actors.remote.window import FarLanes

if TYPE_CHECKING:
    from actors.core.context import Context
    from actors.core.flow import Flow
    from actors.core.stream import StreamPending
    from actors.remote.association import Association
    from actors.remote.node import Node

__all__ = ["RemoteChild", "live"]

_AHEAD: Final = 32
"""Messages that are handed over before the first of them is handled."""
_ORDERS: Final = ((order.STOP, "stop"), (order.HALT, "halt"))
_ORDERED: Final = order.FINAL | order.HALT | order.CANCELS
"""Its end was wanted here."""


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
        "fell_with",
        "goes_alone",
        "handed",
        "hub",
        "nothing_there",
        "number",
        "on",
        "owed",
        "ready_there",
        "returned",
        "stirred",
        "there",
        "told",
        "tries_there",
        "urgent_ones",
        "watched_there",
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
        self.urgent_ones: set[int] = set()
        """Those of them that stand before the others over there."""
        self.returned: list[int] = []
        """Those of them that were not begun when it was halted, or began to end by itself."""
        self.owed: dict[int, Pending[Any]] = {}
        """Requests that it will answer later."""
        self.tries_there: dict[int, int] = {}
        """How often those of them were tried again that were."""
        self.fell_with: list[tuple[Item, int]] = []
        """What the incarnation that falls had in hand, oldest first, with its tries."""
        self.goes_alone = False
        """It may have several in hand at once: what is tried again then has it for itself."""
        self.there: tuple[Exit, list[int]] | None = None
        """How its incarnation has ended, and the messages that it had in hand."""
        self.told: str | None = None
        self.ready_there = False
        self.nothing_there = True
        """Nothing of it is left over there."""
        self.stirred: list[bool] = []
        self.awaited = 0
        self.watched_there: list[Any] = []
        """What its last incarnation watched: that outlives a restart, as its groups do."""
        super().__init__(*args)
        self.lanes = lanes = FarLanes(self.policy.mailbox)
        lanes.handed = self.handed

    # --- what it is like ---

    @property
    def node(self) -> str:
        """The name of the node that it runs on."""
        return self.on

    @property
    def is_busy(self) -> bool:
        """True while it has something to handle."""
        return bool(self.handed) and not self.lanes.rests

    @property
    def state(self) -> ActorState:
        """UNREACHABLE while the link is down and it may still be alive."""
        seen = super().state
        link = self.association
        if link is not None and not self.nothing_there and not link.is_up and not self.is_gone:
            return ActorState.UNREACHABLE
        return seen

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
            terms = with_what_is_left(terms, None if self.account is None else self.account.ledger)
            link.control(
                items.Spawn(
                    self.number,
                    self.what,
                    self.hub.ref_out(self.ref),
                    self.hub.ref_out(self.parent.ref),
                    [codec.value_out(one) for one in args],
                    {key: codec.value_out(one) for key, one in options.items()},
                    terms,
                    self.watched_there,
                    sorted(self.groups or ()),
                    grant_of(self),
                )
            )
        if self.orders & order.SUSPEND:
            self._send_order(self._suspension)
        try:
            while True:
                if self.ready_there and not self.ready:
                    context.ready()
                self._see_the_end(link)
                self._tell_orders(link)
                self._hand_over(link)
                await park(self)
        except trio.Cancelled:
            await self._be_killed(link)
            raise

    def _see_the_end(self, link: Association) -> None:
        there = self._told_end()
        if there is not None:
            self._fall_as(*there)
        if link.lost is not None:
            self._lose(link.lost)

    async def _be_killed(self, link: Association) -> None:
        """Cancel it over there; what it has had in hand, only the other node can tell."""
        link.control(items.ChildOrder(self.number, "kill"))
        with trio.CancelScope(shield=True):
            while self._told_end() is None and link.lost is None and not self._is_given_up(link):
                await park(self)
        with suppress(EndedAs):  # our orders say how it has ended
            self._see_the_end(link)

    def _is_given_up(self, link: Association) -> bool:
        """A system that closes does not wait for a node that it does not hear: the lease ends it there."""
        return self.kernel.closing and not link.is_up

    def _told_end(self) -> tuple[Exit, list[int]] | None:
        return self.there

    def _tell_orders(self, link: Association) -> None:
        """Let it end over there when it is to end here."""
        told = next((name for bits, name in _ORDERS if self.orders & bits), None)
        if told is None and self.orders & order.DRAIN and not self.lanes:
            told = "drain"
        if told is not None and self.told != told:
            self.told = told
            lane = link.data if told == "drain" else link.control
            lane(items.ChildOrder(self.number, told))

    def _hand_over(self, link: Association) -> None:
        while (
            self.ready
            and self.told is None
            and link.is_up
            and link.has_room
            and not self.orders & order.LEAVES
        ):
            hurried = bool(self.lanes.early) and not self.lanes.closed
            if not self._may_have_more(hurried):
                return
            item = next_item(self)
            if item is None:
                return
            if still_wanted(self, item):
                self._hand(link, item, hurried)
            self.lanes.passing = False

    def _may_have_more(self, hurried: bool) -> bool:
        """One at a time as a probe, and where the oldest may have to be dropped; what hurries goes on."""
        if self.orders & order.PROBE or self.lanes.overflow == "drop_oldest":
            return not self.handed
        if self.goes_alone and self.handed:
            ahead = self.lanes.peek()
            if any(one[MARK] is REDELIVERED for one in (*self.handed.values(), *((ahead,) if ahead else ()))):
                return False
        return len(self.handed) < (WINDOW if hurried else _AHEAD)

    def _hand(self, link: Association, item: Item, hurried: bool) -> None:
        number = link.next_id()
        asked: Pending[Any] | None = item[ASKED]
        try:
            with self.hub.exporting(link):
                coded = self.hub.codec.message_out(item[MESSAGE])
                sender = None if item[SENDER] is None else self.hub.ref_out(item[SENDER].ref)
                left = None if asked is None else asked.left(self.now())
                tracer = self.kernel.tracer
                trace = None if tracer is None else tracer.outgoing(asked, item[SINCE])
                flow = None if asked is None else asked.stream
                window = None if flow is None else flow.window
                do = items.Do(
                    self.number, number, coded, sender, asked is not None, left, hurried, trace, window
                )
                text = link.written(do, item[MESSAGE])
        except NotSerializable as error:  # too long, or a change since it was accepted
            self.discard_unsent(item, error)
            return
        if flow is not None:
            if not link.streams:
                self.discard_unsent(item, not_there(link.name))
                return
            flow.source = self._returner(link, number, flow)
        self.handed[number] = item
        if tries := tries_of(self, item):
            self.tries_there[number] = tries
        if hurried:
            self.urgent_ones.add(number)
        link.push("data", text, self.number)

    def _returner(self, link: Association, number: int, flow: Flow) -> Returner:
        child = self.number

        def left() -> None:
            if child == self.number and not self.nothing_there:
                undo = items.Undo(child, number)
                if flow.begun:
                    link.control(undo)
                else:  # not before the request itself
                    link.data(undo, child)

        return Returner(flow.window, link, lambda count: items.ChildTaken(child, number, count), left)

    def discard_unsent(self, item: Item, error: ActorError) -> None:
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

    def open_stream(self, request: Any, timeout: float | None, window: int) -> StreamPending:
        """See `Ref.stream`. Raises `NotSerializable`."""
        self._check(request)
        return super().open_stream(request, timeout, window)

    def _check(self, message: object) -> None:
        """At the sender, and nothing is done: what cannot travel is not taken."""
        self.hub.codec.message_out(message)

    # --- what is told of it ---

    def link_changed(self) -> None:
        """The link is up, silent, down or lost."""
        self._limit()  # an end that was ordered before is bounded here from when it is not heard
        self.wake()
        if self.lot is not None:
            self.lot.unpark_all()
        self.parent.resumed(self)

    def heard(self, item: Any) -> None:
        """Something that the other node says of it."""
        self.active_at = self.now()
        if isinstance(item, items.Ready):
            self.ready_there = True
        elif isinstance(item, items.Done):
            self._done(item)
        elif isinstance(item, items.Answer):
            self._answered(item)
        elif isinstance(item, items.ChildChunk):
            self._chunk(item)
        elif isinstance(item, items.Later):
            asked = self._let_go(item.n)
            if asked is not None:
                self.owed[item.n] = asked
                asked.put_off()
        elif isinstance(item, items.Stirred):
            self.stirred.append(item.confirmed)
            self.link_changed()
        elif isinstance(item, items.Quits):
            self.told = "quit"
            self.quit()
        elif isinstance(item, items.Resumed):
            if self.orders & order.ONCE:
                self.lanes.rests = False
                super().resume()
        elif isinstance(item, items.Spent):
            spent_elsewhere(self, item.tokens, item.money, item.tool_calls, item.spawns)
        elif isinstance(item, items.Fell):
            self.there = self._ended(item.exit), [] if item.hand is None else [item.hand, *item.beside]
            self.watched_there = item.watching
        else:
            self._is_over()
            self.link_changed()
        self.wake()

    def _ended(self, said: items.Ended) -> Exit:
        exit = ended_in(said, self.hub.codec)
        if exit.kind is ExitKind.NODE_DOWN:
            why = f"there the lease has lapsed: {said.reason}"
        elif exit.kind in (ExitKind.SHUTDOWN, ExitKind.KILLED) and not self.orders & _ORDERED:
            why = f"it has ended what runs there for others ({said.reason})"  # it closes
        else:
            return exit
        return Exit(ExitKind.NODE_DOWN, error=NodeLost(self.on, why))

    def joined(self, group: str) -> None:
        """It has joined a group over there: it is a member until it is gone, whatever restarts there are."""
        self.groups = {*(self.groups or ()), group}

    def left(self, group: str) -> bool:
        """It has left a group; True when it did so itself, and not by the end of an incarnation."""
        if self._told_end() is not None and not self.is_gone:
            return False
        (self.groups or set()).discard(group)
        return True

    def alive(self, at: float) -> None:
        """A sign of life over there."""
        self.active_at = max(at, self.active_at or 0.0)

    def _is_over(self) -> None:
        self.nothing_there = True
        if self.association is not None:
            self.association.children.pop(self.number, None)

    def _taken_from(self, number: int) -> Item | None:
        """It is not handed over any more: there is room for another."""
        self.urgent_ones.discard(number)
        self.tries_there.pop(number, None)
        item = self.handed.pop(number, None)
        if self.orders & order.SENDERS:
            self.admit_senders()
        return item

    def _done(self, said: items.Done) -> None:
        """It has handled a message."""
        item = self.handed.get(said.n)
        if item is None:
            return
        if said.error is not None and said.error.kind == "stopped" and self._keeps_queue:
            self.returned.append(said.n)  # when it has fallen, it is the head of the queue again
            return
        self._taken_from(said.n)
        if said.error is not None and said.error.kind == "withdrawn":
            still_wanted(self, item)
            return
        self.lanes.rests = bool(self.orders & order.SUSPEND)
        self.item = item
        error = self._error(said, item[MESSAGE])
        if error is None:
            settle_hand(self, self._value(said, item))
        elif isinstance(error, Interrupted):
            interrupt_hand(self)
        elif isinstance(error, ActorStopped):  # it waited there when the end was ordered
            self.item = None
            for left in self.parent.reclaim(self, [item]):
                self.discard(left, DeadLetterReason.STOPPED)
        elif raised(self, cast("Exception", error)) is not None:  # an answer, not the actor's failure
            fail_asker(self, item, error)
            self.item = None
            self.handled += 1
            hand_done(self)

    @property
    def _keeps_queue(self) -> bool:
        """True when another incarnation will handle what this one leaves."""
        if self.is_final or self.lanes.closed:
            return False
        quits = self.orders & order.QUIT  # else its node closes
        restarts = ("permanent",) if quits else ("permanent", "transient")
        again = self.name is not None and self.policy.restart in restarts
        return again or bool(self.orders & order.HALT)

    def _let_go(self, number: int) -> Pending[Any] | None:
        """The reply to a message in hand goes its own way."""
        item = self.handed.get(number)
        if item is None or item[ASKED] is None:
            return None
        message, sender, asked, since, _ = item
        self.handed[number] = (message, sender, asked.rest(), since, ANSWERED)
        return asked

    def _chunk(self, said: items.ChildChunk) -> None:
        """A part of an answer. Raises `BadValue` for one that there is no room for."""
        item = self.handed.get(said.n)
        asked: Pending[Any] | None = self.owed.get(said.n) or (None if item is None else item[ASKED])
        if asked is None or asked.stream is None:
            return  # answered already
        try:
            chunk = self.hub.codec.value_in(said.v)
        except BadValue as unread:
            asked.fail(ActorFailed(self.ref, unread))
            asked.stream.abandon()
            return
        put_in(asked.stream, chunk)

    def _answered(self, said: items.Answer) -> None:
        owed = self.owed.pop(said.n, None) or self._let_go(said.n)
        if owed is None:
            return
        error = self._error(said, owed.message)
        if error is not None:
            owed.fail(error)
            return
        try:
            owed.answer(ENDED if said.end else self.hub.codec.value_in(said.v))
        except BadValue as unread:
            owed.fail(ActorFailed(self.ref, unread))

    def _value(self, said: items.Done, item: Item) -> Any:
        if item[ASKED] is None:
            return None
        try:
            return ENDED if said.end else self.hub.codec.value_in(said.v)
        except BadValue as unread:
            item[ASKED].fail(ActorFailed(self.ref, unread))
            return None

    def _error(self, said: items.Done | items.Answer, message: object) -> BaseException | None:
        return None if said.error is None else error_in(said.error, self.ref, message, self.hub.codec)

    def request_ended(self, pending: Pending[Any]) -> None:
        """An asker has left, or got its answer: what waits over there is to be skipped."""
        link = self.association
        if link is None or self.nothing_there:
            return
        for number, item in self.handed.items():  # never more than a few
            if item[ASKED] is pending and item is not self.item:
                link.data(items.Undo(self.number, number), self.number)  # not before the request itself
                return

    # --- the end ---

    def _fall_as(self, exit: Exit, hands: list[int]) -> None:
        """Its incarnation has ended: so does this one."""
        self._fall_with([number for number in hands if number in self.handed])
        self._take_back()
        raise EndedAs(exit)

    def _fall_with(self, hands: list[int]) -> None:
        """It had these in hand."""
        self.goes_alone = self.goes_alone or len(hands) > 1
        self.fell_with = [(self.handed.pop(number), self.tries_there.pop(number, 0)) for number in hands]
        self.item = self.fell_with[0][0] if hands else None

    def fell(self, exit: Exit) -> None:
        """See `Cell.fell`."""
        held, self.fell_with = self.fell_with, []
        if held:
            drop_all(self, held, exit)
        super().fell(exit)

    def _lose(self, lost: Exit) -> None:
        """The node is lost, and with it everything that was handed over."""
        self._is_over()
        self._fall_with(list(self.handed)[:1])
        handed = list(self.handed.values())
        self._forget_handed()
        again = bool(self.policy.retries) and self.name is not None
        waited: list[Item] = []
        for item in handed:
            if again and not _has_begun(item):
                waited.append(item)
            else:
                self._lost_in_hand(item, lost)
        self.lanes.restore(waited)
        raise EndedAs(lost)

    def _lost_in_hand(self, item: Item, lost: Exit) -> None:
        if item[ASKED] is not None:
            item[ASKED].fail(ActorFailed(self.ref, lost.error))
        elif item[MARK] is None:
            self.kernel.dead_letter(self, item[MESSAGE], item[SENDER], DeadLetterReason.CRASHED)

    def _forget_handed(self) -> None:
        self.handed.clear()
        self.urgent_ones.clear()
        self.tries_there.clear()
        self.returned.clear()
        self.lanes.rests = False

    def flush(self) -> None:
        """See `Intake.flush`."""
        super().flush()
        returned, self.returned = self.returned, []
        taken = [item for number in returned if (item := self._taken_from(number)) is not None]
        for item in self.parent.reclaim(self, taken) if taken else ():
            self.discard(item, DeadLetterReason.STOPPED)

    def _take_back(self) -> None:
        """What was handed over and not begun is the head of the queue again."""
        for number, tries in self.tries_there.items():
            remember_tries(self, self.handed[number], tries)
        urgent = [item for number, item in self.handed.items() if number in self.urgent_ones]
        normal = [item for number, item in self.handed.items() if number not in self.urgent_ones]
        self._forget_handed()
        self.lanes.take_back(urgent, normal)

    async def release(self, exit: Exit) -> None:
        """Wait until nothing of it is left over there, or its lease has lapsed."""
        self._take_back()
        if self.lanes.closed:
            self.flush()
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
            if self._is_given_up(link):
                break
            await self.changed()
        self._is_over()

    # --- orders that go straight there ---

    async def interrupt(self) -> bool:
        """See `Ref.interrupt`."""
        link = self.association
        if link is None or not self.ready or not (self.handed or link.is_up):
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

    def drain(self) -> None:
        """See `Ref.drain`."""
        was = self.orders & order.SUSPEND
        super().drain()
        if was and not self.orders & order.SUSPEND:
            self.lanes.rests = False
            self._send_order("resume")

    def suspend(self, once: bool) -> None:
        """See `Ref.suspend`."""
        super().suspend(once)
        if not self.is_final:
            self._send_order(self._suspension)

    def resume(self) -> None:
        """See `Ref.resume`."""
        was = self.orders & order.SUSPEND
        self.lanes.rests = False
        super().resume()
        if was:
            self._send_order("resume")

    @property
    def _suspension(self) -> str:
        return "suspend-once" if self.orders & order.ONCE else "suspend"

    def _limit(self, also: int = 0) -> None:
        """Over there it is given `shutdown` seconds; here the whole of a drain is, and who is not heard."""
        link = self.association
        unheard = link is not None and not link.is_up and not self.nothing_there
        works = self.policy.shutdown > 0 or self.lanes or self.handed
        if unheard or (self.orders & order.DRAIN and works):
            super()._limit(also)

    def _send_order(self, what: str) -> None:
        if self.association is not None and not self.nothing_there:
            self.association.control(items.ChildOrder(self.number, what))


def _has_begun(item: Item) -> bool:
    return item[ASKED] is not None and item[ASKED].has_begun


async def live(context: Context, *_: Any) -> None:
    """What the recipe of a remote child calls."""
    await cast("RemoteChild", context.cell).live(context)
