"""One incarnation of a child that is spoken to in lines: its process, and what is said both ways.

    open ── ready ── say, hear ... ── part ── the leader ends ── the others end ── what the pipes still hold

Four tasks. One says: it alone writes, so that a line that was begun is ended before the next, or nothing is
written any more. It takes a message only when the child may have one more, and the line before is
in the pipe: a child that does not read holds up its own mailbox, and nobody else. Two hear, stdout and
stderr, whatever the first one waits for: so no two pipes can block each other. The last waits for the
leader's end, which is what ends the others.

What the lines mean is decided in `conversation`; what is done about it in `hearing`; what becomes of the
messages in `hands`.

Orders come as plain calls (`obey`). Who is to end finishes what it has in hand, is told so, and its stdin is
closed; after `stop_within` seconds its group gets TERM, and KILL when nothing is waited for any more.
"""

from __future__ import annotations

import contextlib
import logging
from functools import partial
from typing import TYPE_CHECKING, Any, Final, cast

import trio

from actors.core import orders as order
from actors.core.hand import give_permit_back, next_wanted, park
from actors.core.mailbox import ASKED, MARK, MESSAGE, POSTED, REDELIVERED, SENDER, Item
from actors.errors import NotSerializable
from actors.events import DeadLetterReason
from actors.messages import Nudge, Request, Terminated, Text, TicketReply
from actors.process.child import Child, Output, descriptor
from actors.process.completed import Completed, ProcessFailed
from actors.process.lines.conversation import Conversation
from actors.process.lines.errors import ProtocolBroken
from actors.process.lines.hands import Hand, Hands
from actors.process.lines.hearing import Hearing
from actors.process.lines.values import PLAIN, Call, as_plain
from actors.process.lines.words import (
    cancel_line,
    message_line,
    stop_line,
)

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
        self._hearing = Hearing(lines, ctx, self._said, self._hands, self._become_ready, self._break)
        self._outbox: list[bytes] = []
        """What goes out before the next message."""
        self._ready = trio.Event()
        self._parting = False
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
        if self._hearing.error is not None:
            raise self._hearing.error
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
        await self._hearing.heed_all()
        if data := stderr.rest():
            self._hearing.stderr(data)
        if data := stdout.rest():
            await self._hearing.stdout(data)
        await self._hearing.end()

    @property
    def _is_broken(self) -> bool:
        return self._hearing.error is not None or self._why is not None

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
            await self._hearing.stdout(data)
            if self._hearing.error is not None:
                self._nursery.cancel_scope.cancel()
        self._nursery.start_soon(
            self._wait_for_its_end, "closed its stdout and lives on, so that no reply can come"
        )

    async def _hear_stderr(self, stderr: Output) -> None:
        while data := await stderr.receive():
            self._hearing.stderr(data)

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
