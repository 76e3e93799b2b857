"""A conversation: one connection in use between two nodes. It reads always, and writes what waits.

One task reads and one writes. What is said comes from the session of the association, what
is heard goes to its inbound; a connection that breaks takes nothing with it, as the
next one goes on where the other end had got to.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import trio

from actors.remote import items
from actors.remote.handshake import Reason, Refusal
from actors.remote.jsontext import BadFrame
from actors.remote.session import LANES, SessionFault
from actors.remote.strict import BadValue
from actors.remote.transport import Wire, WireBroken, WireRefused
from actors.remote.wire import decode_frame, decode_item, encode

if TYPE_CHECKING:
    from actors.remote.association import Association

__all__ = ["HANDSHAKE", "Conversation", "ProtocolFault"]

HANDSHAKE: Final = 10.0
"""Seconds for each step of a handshake."""
_FULL: Final = 64
"""Items that are worth a frame without waiting for more."""
_log = logging.getLogger("actors.remote")


class ProtocolFault(Exception):
    """The other end broke the rules: the connection ends, and both ends know why."""

    def __init__(self, reason: Reason, text: str) -> None:
        self.refusal = Refusal(reason, text)
        super().__init__(str(self.refusal))


class Conversation:
    """One connection of an association: its wire, and what its writer waits for."""

    def __init__(self, link: Association, wire: Wire, dialled_by: str) -> None:
        self.link = link
        self.session = link.session
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

    async def run(self, proved: float, hello: Callable[[], str] | None) -> Refusal | str:
        """Use the connection until it ends; the reason. A checkpoint.

        `hello` makes the frame that goes out first. The dialler's connection is in use at once,
        the listener's with the first frame that comes. `proved`: see `Vitality.connected`.
        """
        ended: Refusal | str = "the connection ended"
        try:
            with self.scope:
                if hello is not None:
                    await self.wire.send(hello())
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._write, nursery.cancel_scope)
                    if self.dialled_by == self.link.node.name:
                        self._confirm(proved)
                    ended = await self._read(proved)
                    nursery.cancel_scope.cancel()
        except* WireBroken as group:
            broken: WireBroken = _first(group)
            large = broken.code == 1009
            ended = Refusal(Reason.TOO_LARGE, broken.reason) if large else broken.reason
        except* trio.TooSlowError:
            self.cut_for = Refusal(Reason.TOO_SLOW, f"no first beat within {HANDSHAKE:g} s")
        except* WireRefused as group:
            self.cut_for = Refusal(_first(group).reason, _first(group).text)
        finally:
            if self.cut_for is not None:
                ended = self.cut_for
            self.link.ended(self, str(ended))
        return ended

    def _confirm(self, proved: float) -> None:
        """Both ends have shaken hands."""
        self.confirmed = True
        self.beat_due = True
        self.link.confirmed(proved)
        if self.on_confirmed is not None:
            self.on_confirmed()
        self.rouse()

    @property
    def _is_in_use(self) -> bool:
        """False once a newer connection has taken over: what is sent next is sent there."""
        return self.link.conversation is self

    async def _write(self, reading: trio.CancelScope) -> None:
        """The one task that writes."""
        try:
            while True:
                if self.beat_due:
                    self.beat_due = False
                    await self.wire.send(self._beat())
                elif self.confirmed and self._is_in_use and self.session.waits:
                    await self._gather()
                    if self._is_in_use:
                        await self.wire.send(self._frame())
                elif self.bye is not None:
                    await self.wire.send(encode(items.Bye(self.bye, self.link.parted)))
                    reading.cancel()
                    self.link.give_up(self.bye)
                    return
                else:
                    await self.until_roused()
        except WireBroken:
            return  # the reader knows more

    async def _gather(self) -> None:
        """Let others add to the frame while they do: a frame costs as much as ten messages."""
        still = 0  # passes in a row in which nothing came: in one, a sender may have had its turn before us
        while still < 2 and (before := self.session.unsent) < _FULL:
            await trio.lowlevel.checkpoint()
            still = still + 1 if self.session.unsent == before else 0

    def _beat(self) -> str:
        time, echo = self.link.vitality.beat_out(self.link.kernel.now())
        return encode(items.Beat(time, echo, self.session.sent, self.session.acknowledge()))

    def _frame(self) -> str:
        """Written by hand: the items are JSON already."""
        frame = self.session.next_frame()
        said = [f'{{"k":"items","ack":[{frame.ack[0]},{frame.ack[1]}]']
        for key, (first, texts) in (("c", frame.control), ("d", frame.data)):
            if texts:
                said.append(f'"{key}":[{first},[{",".join(texts)}]]')
        return ",".join(said) + "}"

    async def _read(self, proved: float) -> Refusal | str:
        """Read until the connection ends."""
        while True:
            if self.confirmed:
                text = await self.wire.receive()
            else:
                with trio.fail_after(HANDSHAKE):
                    text = await self.wire.receive()
            try:
                over = self._take(text, proved)
            except ProtocolFault as fault:
                self.cut_for = fault.refusal
                return fault.refusal
            if over is not None:
                return over

    def _take(self, text: str, proved: float) -> str | None:
        """One frame; the reason when the other end says goodbye."""
        now = self.link.kernel.now()
        self.link.heard(now)
        try:
            frame: Any = decode_frame(text)
            if not self.confirmed and not isinstance(frame, Refusal):
                self._confirm(proved)
            if isinstance(frame, items.Items):
                self.session.acknowledged(frame.ack)
                for lane, (first, coded) in zip(LANES, (frame.c, frame.d), strict=True):
                    for item in self.session.take(lane, first, tuple(coded)):
                        self.link.inbound.take(decode_item(item))
            elif isinstance(frame, items.Beat):
                self.session.acknowledged(frame.ack)
                self.session.check_sent(frame.sent)
                trip = self.link.vitality.beat_in(frame.time, frame.echo, now)
                self.link.round_trip = trip if trip is not None else self.link.round_trip
            elif isinstance(frame, Refusal):
                reason = f"the other node refused to go on ({frame})"
                expected = frame.reason in (Reason.CLOSING, Reason.REPLACED)
                _log.log(logging.INFO if expected else logging.WARNING, "%r: %s", self.link.name, reason)
                if frame.reason is Reason.CLOSING:  # else the next connection goes on where this one ends
                    self.link.give_up(reason)
                return reason
            else:
                self.link.parted = frame.final
                reason = f"the other node closed{f': {frame.reason}' if frame.reason else ''}"
                self.link.give_up(reason)
                return reason
        except (BadFrame, BadValue) as error:
            raise ProtocolFault(Reason.BAD_FRAME, str(error)) from None
        except SessionFault as fault:
            raise ProtocolFault(Reason.BAD_NUMBERS, fault.reason) from None
        except ProtocolFault:
            raise
        except Exception as error:  # a mistake of ours: it must not end more than this connection
            _log.exception("an item of %r could not be done", self.link.name)
            raise ProtocolFault(Reason.BAD_FRAME, f"an item could not be done: {error!r:.200}") from None
        self.link.room_again()
        if self.session.waits:
            self.rouse()
        return None


def _first(group: BaseExceptionGroup[Any]) -> Any:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]  # pyright: ignore[reportUnknownMemberType,reportUnknownVariableType]
    return error  # pyright: ignore[reportUnknownVariableType]
