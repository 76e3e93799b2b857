"""An association: this node and another one, over as many connections as it takes.

It owns the session and the clocks (pure, next door), and carries out what they answer. One
connection at a time is in use: `converse` runs on the task of whoever has dialled or
accepted it, reads always, and writes what waits. What arrives goes to `inbound`; what other
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
from actors.remote.credit import Window
from actors.remote.handshake import Acquaintance, Reason, Refusal
from actors.remote.inbound import Inbound
from actors.remote.jsontext import DEEPEST, BadFrame, is_deep
from actors.remote.link import LinkState, LinkVerdict, Vitality
from actors.remote.proxy import AbroadPending, Proxy
from actors.remote.session import LANES, Lane, Session, SessionFault
from actors.remote.strict import BadValue
from actors.remote.transport import Wire, WireBroken, WireRefused
from actors.remote.wire import decode_frame, decode_item, encode

if TYPE_CHECKING:
    from actors.core.alarms import Alarm
    from actors.core.ref import Ref
    from actors.remote.child import RemoteChild
    from actors.remote.node import Node

__all__ = ["HANDSHAKE", "LEAST_LIMIT", "Association", "Conversation", "ProtocolFault"]

HANDSHAKE: Final = 10.0
"""Seconds for each step of a handshake."""
LEAST_LIMIT: Final = 256 * 1024
"""Characters of what nodes say by themselves that every node takes, whatever its limit for messages."""
_FRAME_LEVELS: Final = 3
"""Of what may stand in each other, these are the frame's."""
_FULL: Final = 64
"""Items that are worth a frame without waiting for more."""
_log = logging.getLogger("actors.remote")


class ProtocolFault(Exception):
    """The other end broke the rules: the connection ends, and both ends know why."""

    def __init__(self, reason: Reason, text: str) -> None:
        self.refusal = Refusal(reason, text)
        super().__init__(str(self.refusal))


class Conversation:
    """One connection in use: its wire, and what its writer waits for."""

    def __init__(self, wire: Wire, dialled_by: str) -> None:
        self.wire = wire
        self.dialled_by = dialled_by
        self.scope = trio.CancelScope()
        self.confirmed = False
        self.cut_for: Refusal | None = None
        self.beat_due = False
        self.bye: str | None = None
        self.on_confirmed: Callable[[], None] | None = None
        self._writer: trio.lowlevel.Task | None = None

    def rouse(self) -> None:
        """There is something to write."""
        task, self._writer = self._writer, None
        if task is not None:
            trio.lowlevel.reschedule(task)

    async def until_roused(self) -> None:
        """Park the writer. A checkpoint."""
        self._writer = trio.lowlevel.current_task()

        def left(_: Any) -> trio.lowlevel.Abort:
            self._writer = None
            return trio.lowlevel.Abort.SUCCEEDED

        await trio.lowlevel.wait_task_rescheduled(left)

    def cut(self, reason: Refusal) -> None:
        """End it; the other end is told why, if it listens."""
        if self.cut_for is None:
            self.cut_for = reason
        self.scope.cancel()


class Association:
    """What this node and another one have with each other. Plain calls, but for `converse`."""

    def __init__(
        self,
        node: Node,
        name: str,
        incarnation: str,
        session: Session,
        vitality: Vitality,
        spawnable: frozenset[str],
        longest: int,
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

    def control(self, item: object) -> None:
        """Send an item that never waits behind messages."""
        self._push("control", item)

    def data(self, item: object) -> None:
        """Send an item in the order of messages."""
        self._push("data", item)

    def _push(self, lane: Lane, item: object) -> None:
        if not self.is_down:
            self.push(lane, self.written(item, item, max(self.longest, LEAST_LIMIT)))

    def written(self, item: object, of: object, limit: int | None = None) -> str:
        """An item as it goes out. Raises `NotSerializable` when the other node does not take as much."""
        text = encode(item)
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

    async def converse(
        self, talk: Conversation, proved: float, hello: Callable[[], str] | None
    ) -> Refusal | str:
        """Use a connection until it ends; the reason. A checkpoint.

        `hello` makes the frame that goes out first. The dialler's connection is in use at once,
        the listener's with the first frame that comes.
        """
        ended: Refusal | str = "the connection ended"
        try:
            with talk.scope:
                if hello is not None:
                    await talk.wire.send(hello())
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._write, talk, nursery.cancel_scope)
                    if talk.dialled_by == self.node.name:
                        self._confirmed(talk, proved)
                    ended = await self._read(talk, proved)
                    nursery.cancel_scope.cancel()
        except* WireBroken as group:
            broken: WireBroken = _first(group)
            large = broken.code == 1009
            ended = Refusal(Reason.TOO_LARGE, broken.reason) if large else broken.reason
        except* trio.TooSlowError:
            talk.cut_for = Refusal(Reason.TOO_SLOW, f"no first beat within {HANDSHAKE:g} s")
        except* WireRefused as group:
            talk.cut_for = Refusal(_first(group).reason, _first(group).text)
        finally:
            if talk.cut_for is not None:
                ended = talk.cut_for
            if self.conversation is talk:
                self.conversation = None
                if talk.bye is not None:  # it did not get through, and the link is closed all the same
                    self.give_up(talk.bye)
                elif talk.confirmed:
                    self._disconnected(str(ended))
        return ended

    def _confirmed(self, talk: Conversation, proved: float) -> None:
        """Both ends have shaken hands, and use the connection."""
        resumed, self._began = self._began, True
        talk.confirmed = True
        talk.beat_due = True
        now = self.kernel.now()
        self.vitality.connected(now, proved)
        self.emit(NodeUp, resumed)
        self.stirred()
        self._room_again()
        if talk.on_confirmed is not None:
            talk.on_confirmed()
        talk.rouse()

    def _disconnected(self, reason: str) -> None:
        if self.is_down:
            return
        self.vitality.disconnected(self.kernel.now(), reason)
        self.emit(NodeReconnecting, reason)
        self.stirred()

    async def _write(self, talk: Conversation, reading: trio.CancelScope) -> None:
        """The one task that writes."""
        try:
            while True:
                if talk.beat_due:
                    talk.beat_due = False
                    await talk.wire.send(self._beat())
                elif talk.confirmed and self.conversation is talk and self.session.waits:
                    await self._gather()
                    await talk.wire.send(self._frame())
                elif talk.bye is not None:
                    await talk.wire.send(encode(items.Bye(talk.bye, self.parted)))
                    reading.cancel()
                    self.give_up(talk.bye)
                    return
                else:
                    await talk.until_roused()
        except WireBroken:
            return  # the reader knows more

    async def _gather(self) -> None:
        """Let others add to the frame while they do: a frame costs as much as ten messages."""
        still = 0  # passes in a row in which nothing came: in one, a sender may have had its turn before us
        while still < 2 and (before := self.session.unsent) < _FULL:
            await trio.lowlevel.checkpoint()
            still = still + 1 if self.session.unsent == before else 0

    def _beat(self) -> str:
        time, echo = self.vitality.beat_out(self.kernel.now())
        return encode(items.Beat(time, echo, self.session.sent, self.session.acknowledge()))

    def _frame(self) -> str:
        """Written by hand: the items are JSON already."""
        frame = self.session.next_frame()
        said = [f'{{"k":"items","ack":[{frame.ack[0]},{frame.ack[1]}]']
        for key, (first, texts) in (("c", frame.control), ("d", frame.data)):
            if texts:
                said.append(f'"{key}":[{first},[{",".join(texts)}]]')
        return ",".join(said) + "}"

    async def _read(self, talk: Conversation, proved: float) -> Refusal | str:
        """Read until the connection ends."""
        while True:
            if talk.confirmed:
                text = await talk.wire.receive()
            else:
                with trio.fail_after(HANDSHAKE):
                    text = await talk.wire.receive()
            try:
                over = self._take(text, talk, proved)
            except ProtocolFault as fault:
                talk.cut_for = fault.refusal
                return fault.refusal
            if over is not None:
                return over

    def _take(self, text: str, talk: Conversation, proved: float) -> str | None:
        """One frame; the reason when the other end says goodbye."""
        now = self.kernel.now()
        before = self.state
        self.vitality.heard(now)
        if before is not self.state:
            self.stirred()
        try:
            frame: Any = decode_frame(text)
            if not talk.confirmed and not isinstance(frame, Refusal):
                self._confirmed(talk, proved)
            if isinstance(frame, items.Items):
                self.session.acknowledged(frame.ack)
                for lane, (first, coded) in zip(LANES, (frame.c, frame.d), strict=True):
                    for item in self.session.take(lane, first, tuple(coded)):
                        self.inbound.take(decode_item(item))
            elif isinstance(frame, items.Beat):
                self.session.acknowledged(frame.ack)
                self.session.check_sent(frame.sent)
                trip = self.vitality.beat_in(frame.time, frame.echo, now)
                self.round_trip = trip if trip is not None else self.round_trip
            elif isinstance(frame, Refusal):
                reason = f"the other node refused to go on ({frame})"
                expected = frame.reason in (Reason.CLOSING, Reason.REPLACED)
                _log.log(logging.INFO if expected else logging.WARNING, "%r: %s", self.name, reason)
                if frame.reason is Reason.CLOSING:  # else the next connection goes on where this one ends
                    self.give_up(reason)
                return reason
            else:
                self.parted = frame.final
                reason = f"the other node closed{f': {frame.reason}' if frame.reason else ''}"
                self.give_up(reason)
                return reason
        except (BadFrame, BadValue) as error:
            raise ProtocolFault(Reason.BAD_FRAME, str(error)) from None
        except SessionFault as fault:
            raise ProtocolFault(Reason.BAD_NUMBERS, fault.reason) from None
        except ProtocolFault:
            raise
        except Exception as error:  # a mistake of ours: it must not end more than this connection
            _log.exception("an item of %r could not be done", self.name)
            raise ProtocolFault(Reason.BAD_FRAME, f"an item could not be done: {error!r:.200}") from None
        self._room_again()
        if self.conversation is not None and self.session.waits:
            self.conversation.rouse()
        return None

    def _room_again(self) -> None:
        """Acknowledged items have made room: let those go on who wait for it."""
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
        asks, self.asks = self.asks, {}
        for asked in asks.values():
            if isinstance(asked, AbroadPending):
                asked.lost(exit)
            else:
                asked(None, items.Trouble("lost", type(error).__name__, str(error)))
        for proxy in tuple(self.proxies.values()):
            proxy.gone(exit)
        self.senders.clear()
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

        number = self.next_id() if number is None else number
        self.asks[number] = answer
        self.control(items.Call(number, what, to, args or []))
        try:
            await done.wait()
        finally:
            if self.asks.pop(number, None) is not None:
                self.control(items.Cancel(number))
        value, trouble = came[0]
        if trouble is not None:
            if trouble.kind == "lost":
                raise NodeLost(self.name, self.vitality.reason)
            raise LinkRefused(trouble.kind, trouble.text)
        return value


def _first(group: BaseExceptionGroup[Any]) -> Any:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]  # pyright: ignore[reportUnknownMemberType,reportUnknownVariableType]
    return error  # pyright: ignore[reportUnknownVariableType]
