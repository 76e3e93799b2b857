"""What the items of another node do here. Plain calls: the reader never waits for an actor.

A message goes straight into the mailbox. Where that is full it waits in the line of the
senders, and its credit goes back when it is in: so the other node can have no more than a
window of messages waiting here for one actor.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, cast

from actors.core.ask import Pending
from actors.core.chunks import ENDED
from actors.core.flow import Streaming
from actors.core.mailbox import Item
from actors.core.tracing import arriving
from actors.core.watch import Notice
from actors.errors import ActorFailed, InvalidName, NotSerializable
from actors.events import DeadLetterReason, MessageUnread
from actors.exits import Exit
from actors.messages import Request
from actors.names import check_name
from actors.remote import items
from actors.remote.abroad import AbroadPending
from actors.remote.answers import Answers
from actors.remote.child import RemoteChild
from actors.remote.codec import Raw
from actors.remote.conversation import ProtocolFault
from actors.remote.credit import WINDOW, Debt
from actors.remote.facts import event_in
from actors.remote.flows import LinkFlow, check_window, put_in, taken_there
from actors.remote.handshake import Reason
from actors.remote.hosting import Hosting
from actors.remote.proxy import NOBODY, Proxy
from actors.remote.strict import BadValue
from actors.remote.troubles import ended_in, ended_out, error_in, trouble_out

if TYPE_CHECKING:
    from actors.core.cell import Cell
    from actors.remote.association import Association

__all__ = ["Inbound"]

_MEMBERS: Final = 100_000
"""Members of our groups that one other node may have."""
_log = logging.getLogger("actors.remote")


class Incoming(Pending[Any]):
    """An open request of the other node's: its end is told there."""

    __slots__ = ("inbound", "key", "number")

    def __init__(self, cell: Cell, request: object, inbound: Inbound, asked: items.Ask) -> None:
        super().__init__(cell, request, None)
        self.inbound = inbound
        self.number = asked.id
        self.key = asked.to.key

    def _end(self, error: BaseException | None) -> None:
        super()._end(error)
        self.inbound.answer(self.number, self.cell, error, None if error is not None else self._value)

    def _expire(self, timeout: float) -> None:
        self.inbound.incoming.pop(self.number, None)  # its asker counts by itself
        super()._expire(timeout)


class Relayed(AbroadPending):
    """An open request of the other node's to an actor of a third one."""

    __slots__ = ("inbound", "key", "theirs")

    def __init__(self, cell: Cell, request: object, inbound: Inbound, asked: items.Ask) -> None:
        super().__init__(cell, request, None)
        self.inbound = inbound
        self.theirs = asked.id
        self.key = asked.to.key

    def _end(self, error: BaseException | None) -> None:
        super()._end(error)
        value = None if error is not None else self._value
        self.inbound.answer(self.theirs, self.cell, error, value if value is ENDED else Raw(value))


class IncomingStream(Streaming, Incoming):
    """One whose answer is wanted in chunks."""

    __slots__ = ("stream",)

    def __init__(self, cell: Cell, request: object, inbound: Inbound, asked: items.Ask) -> None:
        super().__init__(cell, request, inbound, asked)
        self.stream = _chunks_of(self, inbound, asked)

    def _add_last(self, value: Any) -> None:
        """What comes last goes as the answer."""


class RelayedStream(Streaming, Relayed):
    """One to an actor of a third node, whose answer is wanted in chunks."""

    __slots__ = ("stream",)

    def __init__(self, cell: Cell, request: object, inbound: Inbound, asked: items.Ask) -> None:
        super().__init__(cell, request, inbound, asked)
        self.stream = _chunks_of(self, inbound, asked)

    def _add_last(self, value: Any) -> None:
        """What comes last goes as the answer."""


def _chunks_of(pending: Pending[Any], inbound: Inbound, asked: items.Ask) -> LinkFlow:
    number, window = asked.id, asked.window or 1
    return LinkFlow(window, pending, inbound.association, lambda coded: items.Chunk(number, coded), number)


class _Admission:
    """A message that waits for room; its credit goes back when it is in."""

    __slots__ = ("inbound", "to")

    def __init__(self, inbound: Inbound, to: items.Address) -> None:
        self.inbound = inbound
        self.to = to

    def admitted(self) -> None:
        """See `Waiter`."""
        self.inbound.give_back(self.to)


class Mourner:
    """Watches for the other node: every actor of ours that it has a ref of."""

    def __init__(self, inbound: Inbound) -> None:
        self._inbound = inbound
        self.watching: Any = None

    def put_marked(self, message: Any, sender: Cell, mark: Notice) -> None:
        """The notice that a watcher gets."""
        self._inbound.tell_gone(sender, message.exit)


class Inbound:
    """One association's inbox."""

    def __init__(self, association: Association) -> None:
        self.association = association
        self.node = association.node
        self.kernel = association.kernel
        self.codec = association.node.codec
        self.mourner = Mourner(self)
        self.incoming: dict[int, Incoming | Relayed] = {}
        self.debts: dict[items.Key, Debt] = {}
        self.known: dict[Cell, dict[items.Key, None]] = {}
        """Living actors that the other node has refs of, and the addresses by which it watches them."""
        self.members: dict[tuple[str, Cell], None] = {}
        self.hosting = Hosting(association)
        self.answers = Answers(association)
        self._table: dict[type, Callable[[Any], None]] = {
            items.Tell: self._tell,
            items.Ask: self._ask,
            items.Reply: self._reply,
            items.Chunk: self._chunk,
            items.Taken: self._taken,
            items.Fail: self._fail,
            items.Cancel: self._cancel,
            items.Credit: self._credit,
            items.Order: self._order,
            items.Watch: self._watch,
            items.Gone: self._gone,
            items.State: self._state,
            items.Unread: self._unread,
            items.Call: self._call,
            items.Fact: self._fact,
            items.Join: self._join,
            items.Leave: self._leave,
            items.Spawn: self.hosting.spawn,
            items.Do: self.hosting.do,
            items.Undo: self.hosting.undo,
            items.ChildOrder: self.hosting.order,
            items.Ready: self._of_child,
            items.Done: self._of_child,
            items.Answer: self._of_child,
            items.ChildChunk: self._of_child,
            items.ChildTaken: self.hosting.taken,
            items.Later: self._of_child,
            items.Stirred: self._of_child,
            items.Quits: self._of_child,
            items.Resumed: self._of_child,
            items.Spent: self._of_child,
            items.Fell: self._of_child,
            items.Over: self._of_child,
            items.Alive: self._alive,
        }

    def take(self, item: Any) -> None:
        """Do what an item says."""
        within = arriving(self.kernel.tracer, getattr(item, "trace", None))
        with self.codec.heard_from(self.association), self.node.exporting(self.association), within:
            self._table[type(item)](item)

    # --- messages ---

    def _tell(self, item: items.Tell) -> None:
        self._pay(item.to)
        cell = self.node.resolve(item.to, self.association)
        try:
            sender = self._sender(item.sender)
            if isinstance(cell, Proxy):
                self._pass_on(item, cell, sender)
                return
            message = self.codec.message_in(item.m)
        except BadValue as error:
            self._cannot_read(item, cell, str(error))
            return
        if item.urgent and cell.lanes.has_room:
            cell.tell_from(sender, message, True)
            self.give_back(item.to)
            return
        queued: Item = (message, sender, None, cell.stamp(), None)
        cell.offer_or_wait(queued, _Admission(self, item.to))

    def _pass_on(self, item: items.Tell, cell: Proxy, sender: Cell | None) -> None:
        """For a third node, or for nobody: as it came. Without credit there it waits here, and costs some."""
        message: Any = Raw(item.m)
        try:
            cell.pass_on(message, sender, item.urgent, _Admission(self, item.to))
        except NotSerializable:  # longer than the third node takes
            self.kernel.dead_letter(cell.ref.cell, message, sender, DeadLetterReason.UNHANDLED)
            self.give_back(item.to)

    def _ask(self, item: items.Ask) -> None:
        self._pay(item.to)
        if item.id in self.incoming:
            raise self._fault(f"the request {item.id} is open already")
        check_window(item.window)
        cell = self.node.resolve(item.to, self.association)
        try:
            sender = self._sender(item.sender)
            if isinstance(cell, Proxy):
                self._relay(item, cell, sender)
                return
            request: Any = self.codec.message_in(item.m)
            if not isinstance(request, Request):
                raise BadValue(f"{type(request).__name__} is no Request and has no reply: tell it")
        except BadValue as error:
            self.give_back(item.to)
            trouble = items.Trouble("unreadable", "BadValue", str(error))
            self.association.control(items.Fail(item.id, trouble))
            return
        kind = Incoming if item.window is None else IncomingStream
        pending = self.incoming[item.id] = kind(cell, cast("object", request), self, item)
        if item.left is not None:
            pending.arm(max(0.0, item.left), cell.now())
        queued: Item = (pending.message, sender, pending, cell.stamp(), None)
        cell.offer_or_wait(queued, _Admission(self, item.to))

    def _relay(self, item: items.Ask, cell: Proxy, sender: Cell | None) -> None:
        """Ask a third node, or nobody, on behalf of the other one."""
        kind = Relayed if item.window is None else RelayedStream
        relayed = self.incoming[item.id] = kind(cell.ref.cell, Raw(item.m), self, item)
        try:
            cell.enter(relayed, relayed.message, sender, item.m, item.left)
        except NotSerializable as error:  # longer than the third node takes
            relayed.fail(error)
        self.give_back(item.to)

    def _sender(self, coded: Any) -> Cell | None:
        return None if coded is None else self.codec.ref_in(coded).cell

    def _cannot_read(self, item: items.Tell, cell: Any, why: str) -> None:
        self.give_back(item.to)
        _log.warning("a message of %r for %s cannot be read: %s", self.association.name, item.to.path, why)
        self.association.emit(MessageUnread, item.to.path, why)
        self.kernel.dead_letter(cell.ref.cell, Raw(item.m), None, DeadLetterReason.UNHANDLED)
        self.association.control(items.Unread(item.to, why))

    def _unread(self, item: items.Unread) -> None:
        name, path = self.association.name, item.to.path
        _log.warning("%r has not taken what was sent to %s: %s", name, path, item.why)
        self.association.emit(MessageUnread, item.to.path, item.why)

    # --- answers ---

    def answer(self, number: int, cell: Cell, error: BaseException | None, value: Any) -> None:
        """An actor here has answered a request of the other node's."""
        if self.incoming.pop(number, None) is None:
            return  # its asker has left
        if error is not None or value is ENDED:
            last = items.Reply(number, end=True) if error is None else items.Fail(number, trouble_out(error))
            self.association.control(last, number)
            return
        with self.node.exporting(self.association):
            try:
                reply = items.Reply(number, self.codec.value_out(value))
                self.association.push("control", self.association.written(reply, value), number)
            except Exception as broken:  # the reply cannot travel: its asker hears why
                failed = ActorFailed(cell.ref, broken)
                self.association.control(items.Fail(number, trouble_out(failed)), number)

    def _chunk(self, item: items.Chunk) -> None:
        asked = self.association.asks.get(item.id)
        if asked is None:
            return  # its asker has left
        if not isinstance(asked, AbroadPending):
            raise self._fault(f"a chunk for the call {item.id}")
        try:
            chunk = Raw(item.v) if isinstance(asked.message, Raw) else self.codec.value_in(item.v)
        except BadValue as error:
            trouble = items.Trouble("error", "BadValue", f"a chunk cannot be read: {error}")
            asked.fail(error_in(trouble, asked.cell.ref, asked.message, self.codec))
            return
        put_in(asked.stream, chunk)

    def _taken(self, item: items.Taken) -> None:
        pending = self.incoming.get(item.id)
        if pending is not None:  # else it has ended
            taken_there(pending.stream, item)

    def _call(self, item: items.Call) -> None:
        if self.answers.is_open(item.id):
            raise self._fault(f"the call {item.id} is open already")
        self.answers.take(item)

    def _reply(self, item: items.Reply) -> None:
        asked = self.association.asks.pop(item.id, None)
        if asked is None:
            return  # its asker has left
        if not isinstance(asked, AbroadPending):
            asked(item.v, None)
            return
        try:
            raw = isinstance(asked.message, Raw)
            value = ENDED if item.end else item.v if raw else self.codec.value_in(item.v)
            asked.answer(value)
        except BadValue as error:
            trouble = items.Trouble("error", "BadValue", f"the reply cannot be read: {error}")
            asked.fail(error_in(trouble, asked.cell.ref, asked.message, self.codec))

    def _fail(self, item: items.Fail) -> None:
        asked = self.association.asks.pop(item.id, None)
        if asked is None:
            return
        if not isinstance(asked, AbroadPending):
            asked(None, item.error)
            return
        asked.fail(error_in(item.error, asked.cell.ref, asked.message, self.codec))

    def _cancel(self, item: items.Cancel) -> None:
        pending = self.incoming.pop(item.id, None)
        if pending is not None:
            pending.cancel()
        else:
            self.answers.cancel(item.id)

    # --- credit ---

    def _pay(self, to: items.Address) -> None:
        debt = self.debts.get(to.key)
        if debt is None:
            debt = self.debts[to.key] = Debt()
        if not debt.take():
            raise self._fault(f"more than {WINDOW} messages for {to.path} without credit", "no-credit")

    def give_back(self, to: items.Address) -> None:
        """A message is where it belongs."""
        debt = self.debts.get(to.key)
        if debt is not None:
            self._give(to.key, debt, debt.done())

    def settle(self) -> None:
        """Give back what is owed, however little: the tables of both ends forget actors at rest."""
        for key, debt in tuple(self.debts.items()):
            self._give(key, debt, debt.settle())

    def _give(self, key: items.Key, debt: Debt, given: int) -> None:
        if given:
            self.association.control(items.Credit(items.Address.of(key), given))
        if not debt.owed:
            del self.debts[key]

    def _credit(self, item: items.Credit) -> None:
        via, key = self.association, item.to.key
        window = via.windows.get(key)
        if window is None:
            raise self._fault(f"{item.n} credits given back for {item.to.path}, and none are owed")
        try:
            window.give(item.n)
        except ValueError as error:
            raise self._fault(str(error)) from None
        waiting = self._proxy(item.to)
        if waiting is not None:
            waiting.admit()
        if window.left == WINDOW:
            del via.windows[key]

    def _fault(self, text: str, reason: str = "bad-frame") -> Exception:
        return ProtocolFault(Reason(reason), text)

    # --- actors ---

    def _order(self, item: items.Order) -> None:
        cell = self.node.resolve(item.to, self.association)
        why = self.node.forbids(cell)
        if why is not None:
            _log.warning("%r may not %s %s: %s", self.association.name, item.order, item.to.path, why)
            self.association.control(items.Unread(item.to, why))
            return
        orders: dict[str, Callable[[], None]] = {
            "stop": cell.stop,
            "drain": cell.drain,
            "kill": cell.kill,
            "suspend": lambda: cell.suspend(False),
            "suspend-once": lambda: cell.suspend(True),
            "resume": cell.resume,
        }
        order = orders.get(item.order)
        if order is None:
            raise self._fault(f"unknown order {item.order!r:.40}: use one of {', '.join(orders)}")
        order()

    def _watch(self, item: items.Watch) -> None:
        cell = self.node.resolve(item.to, self.association)
        if cell.is_gone:
            self._say_gone(item.to, cell.exit or NOBODY)
            return
        self.export(cell, item.to)

    def export(self, cell: Cell, named: items.Address | None = None) -> None:
        """The other node has a ref of it: it will hear of its end."""
        addresses = self.known.setdefault(cell, {})
        if named is not None:
            addresses[named.key] = None
        if cell.watchers is None:
            cell.watchers = {}
        mourner = cast("Any", self.mourner)
        if mourner not in cell.watchers:
            cell.watchers[mourner] = None
            cell.watch_begun()

    def tell_gone(self, cell: Cell, exit: Exit) -> None:
        """An actor that the other node knows has ended: behind everything it has sent."""
        home = cell.identity[:2]
        third = None if list(home) == self.node.home else home
        told = items.Address(cell.path, cell.serial, third)
        for key in {told.key: None, **self.known.pop(cell, {})}:
            self._say_gone(items.Address.of(key), exit)

    def _say_gone(self, to: items.Address, exit: Exit) -> None:
        self.association.data(items.Gone(to, ended_out(exit, self.codec, self.association.longest)))

    def _gone(self, item: items.Gone) -> None:
        proxy = self._proxy(item.to)
        if proxy is not None:
            proxy.gone(ended_in(item.exit, self.codec))

    def report_states(self) -> None:
        """Tell what those are doing that have open requests of the other node's."""
        for key, asked in {pending.key: pending for pending in self.incoming.values()}.items():
            self.association.control(items.State(items.Address.of(key), str(asked.cell.state)))

    def _state(self, item: items.State) -> None:
        proxy = self._proxy(item.to)
        if proxy is not None:
            proxy.heard_state(item.state)

    def _proxy(self, to: items.Address) -> Proxy | None:
        """What stands for an actor of the other node's here, if anybody has a ref of it."""
        via = self.association
        home = (via.name, via.incarnation) if to.node is None else to.node
        return via.proxies.get((*home, to.path, to.life))

    # --- groups ---

    def _join(self, item: items.Join) -> None:
        try:
            check_name(item.group)
        except InvalidName as error:
            raise BadValue(f"a group: {error}") from None
        if len(self.members) >= _MEMBERS:
            raise self._fault(f"more than {_MEMBERS} members of groups")
        cell = self.codec.ref_in(item.ref).cell
        if not cell.is_gone:
            self.kernel.list_member(item.group, cell)
            if isinstance(cell, RemoteChild):
                cell.joined(item.group)
            else:
                self.members[item.group, cell] = None

    def _leave(self, item: items.Leave) -> None:
        cell = self.codec.ref_in(item.ref).cell
        ours = isinstance(cell, RemoteChild) and cell.left(item.group)
        if ours or self.members.pop((item.group, cell), 0) is None:
            self.kernel.strike_member(item.group, cell)

    # --- children of ours, over there ---

    def _of_child(self, item: Any) -> None:
        child = self.association.children.get(item.child)
        if child is not None:
            child.heard(item)

    def _alive(self, item: items.Alive) -> None:
        now = self.kernel.now()
        for number, ago in item.children:
            child = self.association.children.get(int(number))
            if child is not None:
                child.alive(now - ago)

    def _fact(self, item: items.Fact) -> None:
        if item.id == items.OWN:
            self._of_own_child(item)
            return
        take = self.association.facts.get(item.id)
        if take is not None:
            take(item)

    def _of_own_child(self, item: items.Fact) -> None:
        """Something was noticed of a child of ours where it runs: here it is an event like any other."""
        event = event_in(item, self.association)
        child = getattr(getattr(event, "ref", None), "cell", None)
        if event is not None and child in self.association.children.values():
            sink = self.kernel.sink
            if sink.wants(type(event)):
                sink.emit(event)

    def report_signs_of_life(self, now: float) -> None:
        """What the other node's children here have done since the last beat."""
        self.hosting.report(now)

    # --- the end ---

    def lapse(self, reason: str) -> None:
        """Nobody owns any more what runs here for the other node."""
        self.hosting.lapse(reason)

    def close(self) -> None:
        """The association is over."""
        incoming, self.incoming = self.incoming, {}
        for pending in incoming.values():
            pending.cancel()
        self.answers.close()
        for group, cell in self.members:
            self.kernel.strike_member(group, cell)
        self.members.clear()
        self.debts.clear()
        for cell in self.known:
            if cell.watchers is not None:
                cell.watchers.pop(cast("Any", self.mourner), None)
                if not cell.watchers:
                    cell.watch_ended()
        self.known.clear()
