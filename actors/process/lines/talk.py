"""One incarnation of a child that is spoken to in lines: its process, and what is said both ways.

    open ── ready ── say, hear ... ── part ── the leader ends ── the others end ── what the pipes still hold

Four tasks. One says: it alone writes, so that a line that was begun is ended before the next, or nothing is
written any more. It takes a message only when the child may have one more, and the line before is
in the pipe: a child that does not read holds up its own mailbox, and nobody else. Two hear, stdout and
stderr, whatever the first one waits for: so no two pipes can block each other. The last waits for the
leader's end, which is what ends the others.

What the lines mean is decided in `conversation`; what becomes of the messages in `hands`.

Orders come as plain calls (`obey`). Who is to end finishes what it has in hand, is told so, and its stdin is
closed; after `stop_within` seconds its group gets TERM, and KILL when nothing is waited for any more.
"""

from __future__ import annotations

import contextlib
import logging
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any, Final, cast

import trio

from actors.core import orders as order
from actors.core.giving import Hand as Giving
from actors.core.hand import give_permit_back, next_wanted, park
from actors.core.mailbox import ASKED, MARK, MESSAGE, POSTED, REDELIVERED, SENDER, Item
from actors.errors import NotSerializable, Refused
from actors.events import DeadLetterReason, LineIgnored
from actors.messages import Nudge, Request, StreamRequest, Terminated, Text, TicketReply
from actors.process.child import Child, Output, descriptor
from actors.process.completed import Completed, ProcessFailed
from actors.process.lines.conversation import Broken, Conversation, Ignored, Meant
from actors.process.lines.errors import ChildError, ProtocolBroken
from actors.process.lines.hands import Hand, Hands
from actors.process.lines.values import PLAIN, Call, as_plain
from actors.process.lines.words import (
    Alive,
    Answered,
    Cancelled,
    Chunk,
    Failed,
    Logged,
    Ready,
    TurnedDown,
    Used,
    cancel_line,
    message_line,
    shown,
    stop_line,
)
from actors.process.ready import ReadyLine

if TYPE_CHECKING:
    from actors.core.context import Context
    from actors.exits import Exit
    from actors.process.group import ProcessGroup
    from actors.process.lines.what import Lines

__all__ = ["Talk"]

_ENDS: Final = order.FINAL | order.QUIT | order.HALT | order.CANCELS
_LEAVES: Final = order.STOP | order.QUIT | order.HALT
_log = logging.getLogger("actors.process")


class Talk:
    """One incarnation."""

    _nursery: trio.Nursery

    def __init__(self, lines: Lines, ctx: Context) -> None:
        self.lines = lines
        self.ctx = ctx
        self.cell = ctx.cell
        self._child = Child(lines.argv, lines.linger)
        self._said = Conversation(lines.protocol, lines.max_line, lines.max_garbage)
        self._hands = Hands(self.cell, self._let_go)
        self._unheeded: deque[Meant] = deque()
        """What was heard and waits, for room in a stream at most."""
        self._outbox: list[bytes] = []
        """What goes out before the next message."""
        self._awaited = ReadyLine(lines.ready) if lines.ready is not None and not lines.is_handshake else None
        self._ready = trio.Event()
        self._parting = False
        self._error: Exception | None = None
        self._why: str | None = None
        """Why there is no talking to it."""
        self._stirred: set[Hand] = set()
        """What is being interrupted."""
        self._confirmed = False

    async def run(self) -> Completed | None:
        """Start the child, talk to it to its end, and return how it ended; None when it was not started."""
        if self.cell.orders & _ENDS:
            return None
        self.cell.driver = self
        self.ctx.hand = self
        lines = self.lines
        group = await self._child.open(lines.cwd, lines.env, self.ctx.dependencies, stdin=True)
        stdout, stderr = (
            Output(name, pipe, lines.max_output)
            for name, pipe in (("stdout", group.leader.stdout), ("stderr", group.leader.stderr))
        )
        try:
            code = await self._live(group, stdout, stderr)
            if code is not None:
                await self._finish(stdout, stderr)
        finally:
            await self._child.end()
        if self._error is not None:
            raise self._error
        returned = group.leader.returncode
        dropped = stdout.tail.dropped + stderr.tail.dropped
        return self._judge(
            Completed(0 if returned is None else returned, stdout.tail.value(), stderr.tail.value(), dropped)
        )

    async def _live(self, group: ProcessGroup, stdout: Output, stderr: Output) -> int | None:
        """Talk until nobody of the group is left, and return the code; None when there was no talking."""
        code: int | None = None
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            nursery.start_soon(self._say, group)
            nursery.start_soon(self._hear_all, stdout, stderr)
            if self.lines.ready is None:
                self._become_ready()
            elif self.lines.ready_within is not None:
                nursery.start_soon(self._wait_ready, self.lines.ready_within)
            code = await group.leader.wait()
            await self._child.end_others(ordered=bool(self.cell.orders & _ENDS))
            nursery.cancel_scope.cancel()
        return None if self._is_broken else code

    async def _finish(self, stdout: Output, stderr: Output) -> None:
        """What waits, and what the pipes still hold: a reply may be in it."""
        await self._heed_all()
        if data := stderr.rest():
            self._heard_stderr(data)
        if data := stdout.rest():
            await self._heard_stdout(data)
        self._unheeded.extend(self._said.end())
        await self._heed_all()

    @property
    def _is_broken(self) -> bool:
        return self._error is not None or self._why is not None

    def _judge(self, completed: Completed) -> Completed:
        argv, waits = self.lines.argv, len(self._hands)
        if self._why is not None:
            raise ProtocolBroken(self._why, argv, completed, self._ready.is_set())
        if waits:
            raise ProcessFailed(completed, argv, why=f"with {waits} of its messages in hand")
        if self._parting:
            return completed
        if not self._ready.is_set():
            why = f"before it was ready: {self.lines.awaited}"
            raise ProcessFailed(completed, argv, why=why, was_ready=False)
        if completed.returncode:
            raise ProcessFailed(completed, argv, why="though nobody had told it to end")
        return completed

    def _break(self, why: str) -> None:
        if not self._is_broken:
            self._why = why
            self._nursery.cancel_scope.cancel()

    # --- orders ---

    def in_hand(self) -> list[Item]:
        """See `Driver`."""
        return [hand.item for hand in self._hands]

    def obey(self) -> None:
        """See `Driver`: an order waits for what is in hand, but for those that wait for nothing."""
        if self.cell.orders & order.CANCELS:
            self._child.kill()

    def cancel(self) -> None:
        """See `Cancellable`: an interrupt. It ends when the child has ended what it has in hand."""
        self._stirred = set(self._hands)
        self._confirmed = False
        for hand in self._hands:
            self._take_back(hand)

    def fell(self, exit: Exit) -> None:
        """See `Driver`."""
        self.cell.driver = None
        self._hands.fall(exit)

    def _take_back(self, hand: Hand) -> None:
        """Its asker has left, or nobody is to wait for it: let the child know, once."""
        if hand in self._hands and hand.id is not None and self._said.cancel(hand.id):
            self._outbox.append(cancel_line(self.lines.protocol, hand.id))
            self.cell.wake()

    def _let_go(self, hand: Hand, cancelled: bool) -> None:
        """It has ended: there is room for another one, and an interrupt may be over."""
        cell = self.cell
        self._stirred.discard(hand)
        self._confirmed = self._confirmed or cancelled
        if cell.orders & order.INTERRUPT and not self._stirred:
            cell.orders &= ~order.INTERRUPT
            cell.interrupted(self._confirmed)
        if cell.lanes or cell.orders:
            cell.wake()

    # --- to the child ---

    async def _say(self, group: ProcessGroup) -> None:
        """Say what is to be said, as it comes, until it is to end."""
        assert group.leader.stdin is not None
        stdin = descriptor(group.leader.stdin)
        try:
            while not self._is_to_part:
                if self._outbox:
                    lines, self._outbox = b"".join(self._outbox), []
                    await stdin.send_all(lines)
                elif (item := self._next()) is not None:
                    await self._say_message(stdin, item)
                else:
                    await park(self.cell)
        except trio.BrokenResourceError:
            if not self._is_to_part:
                await self._wait_for_its_end(
                    "closed its stdin and lives on, so that nothing can be said to it"
                )
        await self._part(stdin)

    @property
    def _is_to_part(self) -> bool:
        if self._hands:
            return False
        orders = self.cell.orders
        return bool(orders & _LEAVES or (orders & order.DRAIN and not self.cell.lanes))

    def _next(self) -> Item | None:
        """The next message, if the child may have one more."""
        cell = self.cell
        if not self._ready.is_set() or len(self._hands) >= self.lines.in_flight:
            return None
        if self._hands and (cell.orders & order.PROBE or self._goes_alone()):
            return None
        return next_wanted(cell)

    def _goes_alone(self) -> bool:
        """What is tried again may have been what ended the child: nothing else is to go down with it."""
        ahead = self.cell.lanes.peek()
        if ahead is not None and ahead[MARK] is REDELIVERED:
            return True
        return any(hand.item[MARK] is REDELIVERED for hand in self._hands)

    async def _say_message(self, stdin: trio.lowlevel.FdStream, item: Item) -> None:
        message: Any = item[MESSAGE]
        asked = item[ASKED]
        if isinstance(message, Terminated | Nudge | TicketReply):  # as by a class without a handler for it
            give_permit_back(self.cell)
            return
        wants_answer = self.lines.confirm or item[MARK] is POSTED or (asked is not None and not asked.is_told)
        id = self._said.next_id if wants_answer else None
        is_request = wants_answer and isinstance(cast("object", message), Request)
        left = None if asked is None else asked.left(self.cell.now())
        try:
            line = message_line(self.lines.protocol, self._plain(message), id, is_request, left)
        except NotSerializable as error:
            self._unsaid(item, error)
            return
        except (ValueError, TypeError, RecursionError) as error:
            self._unsaid(item, NotSerializable(cast("type[Any]", type(message)), str(error)))
            return
        if wants_answer:
            self._said.begin()
        hand = self._hands.take(item, id)
        if asked is not None:
            asked.when_ended(partial(self._take_back, hand))
        await stdin.send_all(line)
        if id is None:
            self._hands.settle(hand, None)

    def _plain(self, message: Any) -> Any:
        """The message as JSON."""
        if isinstance(message, Call):
            return message.value
        if isinstance(message, Text):
            return message.text
        if self.lines.protocol == "text":  # which has a str, or nothing
            return message
        if isinstance(message, PLAIN):
            return as_plain(cast("object", message))
        return self.cell.kernel.codec.message_out(message)

    def _unsaid(self, item: Item, error: NotSerializable) -> None:
        """It cannot be said: its asker hears why, a told one is a dead letter."""
        cell = self.cell
        give_permit_back(cell)
        cell.handled += 1
        if item[ASKED] is not None:
            item[ASKED].fail(error)
        else:
            _log.warning("%s: %s", cell.path, error)
            cell.kernel.dead_letter(cell, item[MESSAGE], item[SENDER], DeadLetterReason.UNHANDLED)

    async def _part(self, stdin: trio.lowlevel.FdStream) -> None:
        """Tell it to end, and if it does not, TERM. The leader's end ends the wait."""
        self._parting = True
        shutdown = self.cell.policy.shutdown
        with trio.move_on_after(min(self.lines.stop_within, shutdown / 2)):
            with contextlib.suppress(trio.BrokenResourceError):
                await stdin.send_all(stop_line(self.lines.protocol))
            stdin.close()
            await trio.sleep_forever()
        stdin.close()
        self._child.terminate()

    async def _wait_for_its_end(self, why: str) -> None:
        """A pipe has ended, and so will the leader; if not, there is no talking to it."""
        with trio.move_on_after(self.lines.linger):
            await trio.sleep_forever()
        if not self._parting:
            self._break(why)

    # --- from the child ---

    async def _hear_all(self, stdout: Output, stderr: Output) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._hear_stderr, stderr)
            nursery.start_soon(self._hear_stdout, stdout)
        self._child.output_ended.set()

    async def _hear_stdout(self, stdout: Output) -> None:
        while data := await stdout.receive():
            await self._heard_stdout(data)
        self._nursery.start_soon(
            self._wait_for_its_end, "closed its stdout and lives on, so that no reply can come"
        )

    async def _hear_stderr(self, stderr: Output) -> None:
        while data := await stderr.receive():
            self._heard_stderr(data)

    def _heard_stderr(self, data: bytes) -> None:
        self.ctx.output(data, "stderr")
        self._look("stderr", data)

    async def _heard_stdout(self, data: bytes) -> None:
        self.ctx.output(data, "stdout")
        self._unheeded.extend(self._said.feed(data))
        await self._heed_all()
        self._look("stdout", data)
        if self._error is not None:
            self._nursery.cancel_scope.cancel()

    async def _heed_all(self) -> None:
        """One after the other; what is cut off while it waits for room has done nothing, and waits on."""
        while self._unheeded:
            await self._heed(self._unheeded[0])
            self._unheeded.popleft()

    def _look(self, stream: str, data: bytes) -> None:
        if self._awaited is not None and self._awaited.feed(stream, data):
            self._awaited = None
            self._become_ready()

    async def _heed(self, meant: Meant) -> None:
        match meant:
            case Answered(id, value):
                self._answered(self._hands.find(id), value)
            case Failed(id, text):
                hand = self._hands.find(id)
                self._hands.fail(hand, ChildError(self.ctx.ref, hand.message, text))
            case TurnedDown(id, why):
                self._hands.fail(self._hands.find(id), Refused(why))
            case Cancelled(id):
                self._hands.interrupt(self._hands.find(id))
            case Chunk(id, value):
                await self._chunk(self._hands.find(id), value)
            case Alive(n_bytes):
                self.ctx.progress(n_bytes)
            case Used(tokens, money, tool_calls):
                self._spend(tokens, money, tool_calls)
            case Logged(text):
                _log.info("%s: %s", self.cell.path, text)
            case Ready():
                if self.lines.is_handshake:
                    self._become_ready()
            case Ignored(line, why):
                _log.warning("%s wrote a line that %s: %r", self.cell.path, why, line)
                self.cell.kernel.emit(LineIgnored, self.ctx.ref, line, why)
            case Broken(why):
                self._break(why)

    def _answered(self, hand: Hand, value: Any) -> None:
        try:
            reply = self._whole(hand, self._value(value))
        except Exception as error:  # of a class of users', or a value that describes itself wrongly
            why = f"its reply cannot be read: {shown(str(error))}"
            self._hands.fail(hand, ChildError(self.ctx.ref, hand.message, why))
        else:
            self._hands.settle(hand, reply)

    def _value(self, value: Any) -> Any:
        return self.cell.kernel.codec.value_in(value) if isinstance(value, list | dict) else value

    def _whole(self, hand: Hand, reply: Any) -> Any:
        """The reply, with the parts that came before it, where they were not given one by one."""
        giving = hand.giving
        if giving is None and isinstance(hand.message, StreamRequest):
            giving = Giving(self.cell, hand.item)
        return reply if giving is None else giving.whole(reply)

    async def _chunk(self, hand: Hand, value: Any) -> None:
        """A part of a reply. While there is no room for it nothing more is heard."""
        try:
            chunk = self._value(value)
        except Exception as error:
            why = f"a chunk of its reply cannot be read: {shown(str(error))}"
            if hand.asked is not None:
                hand.asked.fail(ChildError(self.ctx.ref, hand.message, why))  # what is left is cancelled
            return
        if hand.giving is None:
            hand.giving = Giving(self.cell, hand.item)
        await hand.giving.give(chunk)

    def _spend(self, tokens: int, money: float, tool_calls: int) -> None:
        """Charge the actor. What that raises ends the incarnation, behind what was heard with it."""
        try:
            self.ctx.spend(tokens=tokens, money=money, tool_calls=tool_calls)
        except Exception as error:
            self._error = self._error or error

    # --- readiness ---

    def _become_ready(self) -> None:
        if self._ready.is_set() or self.cell.orders & _ENDS:
            return
        self._ready.set()
        if self.cell.vigil is not None:
            self.cell.vigil.rest(None)  # the start is no run to go by
        self.ctx.ready()
        if self.cell.lanes or self.cell.orders:
            self.cell.wake()

    async def _wait_ready(self, seconds: float) -> None:
        with trio.move_on_after(seconds):
            await self._ready.wait()
            return
        if not self.cell.orders & _ENDS:
            self._break(f"was not ready within ready_within={seconds:g} s: {self.lines.awaited}")
