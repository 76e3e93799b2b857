"""An association: this node and another one, over as many connections as it takes.

It owns the session and the clocks (pure, next door), and carries out what they answer. One
connection at a time is in use, see `conversation`. What arrives goes to `inbound`; what other
files have to say they push with `control` and `data`, which never block.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakValueDictionary

import trio

from actors.errors import LinkRefused, NodeLost, NotSerializable
from actors.events import NodeDown, NodeReconnecting, NodeSuspected, NodeUp
from actors.exits import Exit, ExitKind
from actors.remote import items
from actors.remote.abroad import AbroadPending
from actors.remote.conversation import Conversation
from actors.remote.credit import Window
from actors.remote.handshake import Acquaintance, Reason, Refusal
from actors.remote.inbound import Inbound
from actors.remote.jsontext import DEEPEST, is_deep
from actors.remote.link import LinkState, LinkVerdict, Vitality
from actors.remote.proxy import Proxy
from actors.remote.session import Lane, Session
from actors.remote.wire import encode

if TYPE_CHECKING:
    from actors.core.alarms import Alarm
    from actors.core.ref import Ref
    from actors.remote.child import RemoteChild
    from actors.remote.flows import LinkFlow
    from actors.remote.node import Node

__all__ = ["LEAST_LIMIT", "Association"]

LEAST_LIMIT: Final = 256 * 1024
"""Characters of what nodes say by themselves that every node takes, whatever its limit for messages."""
_FRAME_LEVELS: Final = 3
"""Of what may stand in each other, these are the frame's."""
_log = logging.getLogger("actors.remote")


class Association:
    """What this node and another one have with each other. Plain calls."""

    def __init__(
        self,
        node: Node,
        name: str,
        incarnation: str,
        session: Session,
        vitality: Vitality,
        spawnable: frozenset[str],
        longest: int,
        streams: bool = False,
    ) -> None:
        self.node = node
        self.kernel = node.kernel
        self.name = name
        self.incarnation = incarnation
        self.session = session
        self.vitality = vitality
        self.spawnable = spawnable
        self.longest = longest
        """The longest message, in characters of JSON, that the other node takes."""
        self.streams = streams
        """The other node knows answers in chunks."""
        self.parted = False
        """It was closed by hand: nobody is to dial again."""
        self.dialler: Ref | None = None
        """What dials the other node from here."""
        self.conversation: Conversation | None = None
        self.lot = trio.lowlevel.ParkingLot()
        """Whoever waits for a change of its state."""
        self.round_trip: float | None = None
        self.lost: Exit | None = None
        """How everything of the node's has ended, once it is DOWN."""
        # what is here of the other node's
        self.proxies: WeakValueDictionary[tuple[str, str, str, int], Proxy] = WeakValueDictionary()
        self.windows: dict[items.Key, Window] = {}
        self.asks: dict[int, AbroadPending | Callable[[Any, items.Trouble | None], None]] = {}
        self.senders: dict[Proxy, None] = {}
        """Proxies at which somebody waits, for credit or for room in the buffer."""
        self.flows: dict[LinkFlow, None] = {}
        """Those whose next chunk waits for room in the buffer."""
        self.choked = False
        """Somebody has found no room in the buffer."""
        self.watched: dict[Proxy, None] = {}
        """Proxies that somebody waits for the end of."""
        self.facts: dict[int, Callable[[items.Fact | None], None]] = {}
        # children of ours over there
        self.children: dict[int, RemoteChild] = {}
        self.next_id = itertools.count(1).__next__
        self.inbound = Inbound(self)
        self._began = False
        """It was UP once."""
        now = self.kernel.now()
        vitality.greeted(now)  # a welcome that nobody confirms lapses like any other link
        self._alarm: Alarm | None = None
        self._set_alarm(now)

    def __repr__(self) -> str:
        return f"<Association with {self.name!r}, {self.state}>"

    # --- what it is like ---

    @property
    def state(self) -> LinkState:
        """UP, SUSPECT, RECONNECTING or DOWN."""
        return self.vitality.state

    @property
    def is_up(self) -> bool:
        """True while a connection is in use and heard."""
        return self.state is LinkState.UP

    @property
    def is_down(self) -> bool:
        """True once it is over for good."""
        return self.state is LinkState.DOWN

    @property
    def acquaintance(self) -> Acquaintance:
        """What the handshake needs to know."""
        talk = self.conversation
        return Acquaintance(
            incarnation=self.incarnation,
            session=None if self.is_down else self.session.id,
            connected=talk is not None and self.state is not LinkState.SUSPECT,
            confirmed=talk is not None and (talk.confirmed or talk.dialled_by == self.node.name),
        )

    async def changed(self) -> None:
        """Park until its state changes. A checkpoint."""
        await self.lot.park()

    async def over(self) -> None:
        """Return when it is DOWN."""
        while not self.is_down:
            await self.changed()

    def stirred(self) -> None:
        """Something of the node's has changed."""
        self.lot.unpark_all()
        self.node.lot.unpark_all()
        for child in tuple(self.children.values()):
            child.link_changed()

    # --- out ---

    def control(self, item: object, to: Hashable = None) -> None:
        """Send an item that never waits behind messages; in order with what else is for `to`."""
        self._push("control", item, to)

    def data(self, item: object, to: Hashable = None) -> None:
        """Send an item in the order of messages."""
        self._push("data", item, to)

    def _push(self, lane: Lane, item: object, to: Hashable) -> None:
        if not self.is_down:
            self.push(lane, self.written(item, item, max(self.longest, LEAST_LIMIT)), to)

    def written(self, item: object, of: object, limit: int | None = None) -> str:
        """An item as it goes out. Raises `NotSerializable` when the other node does not take as much."""
        try:
            text = encode(item)
        except NotSerializable as error:
            if error.kind not in (dict, list):
                raise
            raise NotSerializable(type(of), str(error).partition(" ")[2]) from None
        limit = self.longest if limit is None else limit
        if len(text) > limit:
            why = f"of {len(text)} characters on the wire is more than {self.name!r} takes, which is {limit}"
            raise NotSerializable(type(of), f"{why}: say it in parts, or raise max_message there")
        if is_deep(text, DEEPEST - _FRAME_LEVELS):
            why = f"has more than {DEEPEST} objects and arrays in each other on the wire: make it flatter"
            raise NotSerializable(type(of), why)
        return text

    def push(self, lane: Lane, text: str, to: Hashable = None) -> None:
        """Send an item that is `written`; it may pass a long one that is for somebody else than `to`."""
        if self.is_down:
            return
        self.session.push(lane, text, to)
        if self.conversation is not None:
            self.conversation.rouse()

    @property
    def has_room(self) -> bool:
        """True while the buffer takes messages."""
        return self.session.has_room

    def takes_chunks(self, flow: LinkFlow) -> bool:
        """True while the buffer takes chunks; else the flow hears when it does again."""
        if self.session.has_room_for_answers:
            return True
        self.flows[flow] = None
        return False

    def window(self, key: items.Key) -> Window:
        """The credit for an actor over there."""
        found = self.windows.get(key)
        if found is None:
            found = self.windows[key] = Window()
        return found

    def proxy(self, home: tuple[str, str], path: str, life: int, node: str) -> Proxy:
        """The one proxy of an actor that is reached over this link."""
        key = (*home, path, life)
        found = self.proxies.get(key)
        if found is None:
            found = self.proxies[key] = Proxy(self, home, path, life, node)
        return found

    def ref_in(self, coded: list[Any]) -> Ref:
        """See `RefBook`: as the other node means it."""
        return self.node.ref_by(coded, self)

    def ref_out(self, ref: Ref) -> list[Any]:
        """See `RefBook`."""
        return self.node.ref_out(ref)

    # --- a connection ---

    def take_over(self, talk: Conversation) -> None:
        """This connection stands from now on, and the former one is cut: before others are judged."""
        former, self.conversation = self.conversation, talk
        if former is not None:
            former.cut(Refusal(Reason.REPLACED, "a newer connection took over"))

    def confirmed(self, proved: float) -> None:
        """Both ends have shaken hands, and use the connection. `proved`: see `Vitality.connected`."""
        resumed, self._began = self._began, True
        self.vitality.connected(self.kernel.now(), proved)
        self.emit(NodeUp, resumed)
        if not resumed:
            for told in self.node.linked:
                told(self, True)
        self.stirred()
        self.room_again()

    def ended(self, talk: Conversation, reason: str) -> None:
        """A connection is over; if it was the one in use, the session waits for the next."""
        if self.conversation is not talk:
            return
        self.conversation = None
        if talk.bye is not None:  # it did not get through, and the link is closed all the same
            self.give_up(talk.bye)
        elif talk.confirmed and not self.is_down:
            self.vitality.disconnected(self.kernel.now(), reason)
            self.emit(NodeReconnecting, reason)
            self.stirred()

    def heard(self, now: float) -> None:
        """A frame came."""
        before = self.state
        self.vitality.heard(now)
        if before is not self.state:
            self.stirred()

    def room_again(self) -> None:
        """Acknowledged items have made room: let those go on who wait for it."""
        if self.flows and self.session.has_room_for_answers:
            flows, self.flows = self.flows, {}
            for flow in flows:
                flow.room_again()
        if self.choked and self.has_room:
            self.choked = False
            for proxy in tuple(self.senders):
                proxy.admit()

    # --- clocks ---

    def _set_alarm(self, now: float) -> None:
        due = self.vitality.next_look(now)
        self._alarm = self.kernel.alarms.at(due, lambda: self._tick(due))

    def _tick(self, due: float) -> None:
        """Each beat: a sign of life out, a look at the silence and the leases."""
        now = self.kernel.now()
        before = self.state
        verdict = self.vitality.observe(now, due)
        if self.state is LinkState.SUSPECT and before is LinkState.UP:
            self.emit(NodeSuspected, now - self.vitality.heard_at)
            self.stirred()
        if now >= self.vitality.lapses_at:
            self.inbound.lapse(f"nothing was heard of {self.name!r} within its lease")
        talk = self.conversation
        if self.session.is_overdue:
            control, data = self.session.unacknowledged
            reason = f"{control + data} items are not acknowledged by {self.name!r}, and no more are kept"
            _log.warning("the link ends: %s", reason)
            self.give_up(reason)
            return
        if verdict is LinkVerdict.LAPSED:
            self.give_up(f"no connection for {self.vitality.lease:g} s ({self.vitality.reason})")
            return
        if verdict is LinkVerdict.CUT and talk is not None:
            talk.wire.drop_what_is_unsent()
            talk.cut(Refusal(Reason.SILENT, self.vitality.reason))
        elif talk is not None and talk.confirmed:
            self.inbound.report_signs_of_life(now)
            self.inbound.settle()
            self.inbound.report_states()
            talk.beat_due = True
            talk.rouse()
        self._set_alarm(now)

    # --- the end ---

    def give_up(self, reason: str) -> None:
        """It is over: here every ref of the node's ends, and what we did for it stops. Idempotent."""
        if self.is_down:
            return
        self.vitality.down(reason)
        if self._alarm is not None:
            self._alarm.cancel()
        error = NodeLost(self.name, reason)
        self.lost = exit = Exit(ExitKind.NODE_DOWN, error=error)
        _log.info("node %r is down: %s", self.name, reason)
        if self._began:
            self.emit(NodeDown, reason)
            for told in self.node.linked:
                told(self, False)
        asks, self.asks = self.asks, {}
        for asked in asks.values():
            if isinstance(asked, AbroadPending):
                asked.lost(exit)
            else:
                asked(None, items.Trouble("lost", type(error).__name__, str(error)))
        for proxy in tuple(self.proxies.values()):
            proxy.gone(exit)
        self.senders.clear()
        self.flows.clear()
        self.watched.clear()
        self.windows.clear()
        self.inbound.lapse(reason)
        self.inbound.close()
        for hear in self.facts.values():
            hear(None)
        self.facts.clear()
        self.node.forget(self)
        self.stirred()
        if self.conversation is not None:
            self.conversation.cut(Refusal(Reason.CLOSING, reason))

    def goodbye(self, reason: str, final: bool = False) -> None:
        """This node closes: say so behind what still waits, and give up. `final`: nobody is to dial again."""
        self.parted = self.parted or final
        talk = self.conversation
        if talk is None or not talk.confirmed:
            self.give_up(reason)
            return
        talk.bye = talk.bye or reason
        talk.rouse()

    def emit(self, kind: type[Any], *facts: Any) -> None:
        """Report a fact about the node."""
        sink = self.kernel.sink
        if sink.wants(kind):
            sink.emit(kind(self.kernel.now(), self.name, *facts))

    # --- calls ---

    def begin_call(
        self,
        what: str,
        to: items.Address | None,
        args: list[Any],
        answer: Callable[[Any, items.Trouble | None], None],
        number: int | None = None,
    ) -> int:
        """Ask the node itself; `answer` is called once, with what it says. The number of the call."""
        number = self.next_id() if number is None else number
        self.asks[number] = answer
        self.control(items.Call(number, what, to, args))
        return number

    def drop_call(self, number: int) -> None:
        """Nobody waits for the answer any more. Idempotent."""
        if self.asks.pop(number, None) is not None:
            self.control(items.Cancel(number))

    async def call(
        self,
        what: str,
        to: items.Address | None = None,
        args: list[Any] | None = None,
        number: int | None = None,
    ) -> Any:
        """Ask the node itself; the coded answer. A checkpoint. Raises what the answer says."""
        if self.lost is not None:
            await trio.lowlevel.checkpoint()
            raise NodeLost(self.name, self.vitality.reason)
        done = trio.Event()
        came: list[tuple[Any, items.Trouble | None]] = []

        def answer(value: Any, trouble: items.Trouble | None) -> None:
            came.append((value, trouble))
            done.set()

        number = self.begin_call(what, to, args or [], answer, number)
        try:
            await done.wait()
        finally:
            self.drop_call(number)
        value, trouble = came[0]
        if trouble is not None:
            if trouble.kind == "lost":
                raise NodeLost(self.name, self.vitality.reason)
            raise LinkRefused(trouble.kind, trouble.text)
        return value
