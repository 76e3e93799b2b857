"""One incarnation of a terminal: from its tmux server to the last of its processes.

    home ── pane ── prompt ── messages ... ── the program ends, or is asked to ── all ends ── no home

One task reads what tmux says, one waits for the end of the program, and this one takes messages, one at
a time. Cancellation may come at any point: the `finally` of `run` ends what carries the mark of
the home, whatever had happened.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import trio

from actors.core import orders as order
from actors.core.hand import fail_asker
from actors.core.mailbox import ASKED, MESSAGE, SENDER
from actors.core.verdict import raised
from actors.errors import ActorStopped, Refused, Unhandled
from actors.events import DeadLetterReason
from actors.messages import Text
from actors.process.completed import Completed, ProcessFailed
from actors.process.terminal.beside import Beside
from actors.process.terminal.crowd import end_all, terminate, wait_ended, watchable
from actors.process.terminal.errors import AnswerTruncated, NotPasteable, TerminalLost
from actors.process.terminal.home import Home
from actors.process.terminal.messages import AttachCommand, Capture, Keys, Paste, Resize, Screen
from actors.process.terminal.opening import open_pane
from actors.process.terminal.pane import Ended, Pane
from actors.process.terminal.talk import Pasted, Talk
from actors.process.terminal.text import as_text

if TYPE_CHECKING:
    from actors.core.context import Context
    from actors.exits import Exit
    from actors.process.terminal.terminal import Terminal

__all__ = ["Life"]

_ENDS = order.FINAL | order.QUIT | order.HALT | order.CANCELS
_TOLD_WITHIN = 5.0
"""Seconds in which tmux learns that a program has ended whose end we know of."""

_log = logging.getLogger("actors.process")


class Life:
    """One incarnation of a terminal."""

    def __init__(self, terminal: Terminal, ctx: Context) -> None:
        self._terminal = terminal
        self._ctx = ctx
        self._cell = ctx.cell
        self._life = trio.CancelScope()
        """Left when the program has ended, or tmux."""
        self._starting = trio.CancelScope()
        self._interrupting: trio.CancelScope | None = None
        self._asked_to_end = False
        self._ended: Ended | None = None
        self._lost: TerminalLost | None = None
        self._gone = trio.Event()
        self._pasted: Pasted | None = None

    async def run(self) -> Completed | None:
        """Live; how the program ended, None when it was not started or lives on."""
        self._cell.driver = self
        home: Home | None = None
        kept = False
        try:
            if self._cell.orders & _ENDS:
                return None
            home = self._home()
            self._pane = Pane(home, self._ctx.output)
            self._talk = Talk(self._terminal, self._pane)
            error = await self._live()
            kept = self._is_kept and error is None
            return None if kept else self._judge(error)
        finally:
            self._cell.driver = None
            if home is not None:
                await self._clean(home, kept)

    def _home(self) -> Home:
        folder, ref = self._terminal.folder, self._ctx.ref
        if folder is None:
            return Home.temporary()
        if ref.name is None:
            raise ValueError(
                "a Terminal with a folder= needs a name, by which it is found again: spawn it with name="
            )
        return Home.named(folder, ref.name, f"{self._ctx.system.name}:{ref.path}")

    def in_hand(self) -> tuple[()]:
        """See `Driver`: one at a time, which is in the cell."""
        return ()

    def obey(self) -> None:
        """An order came: a start is given up, and what is shielded when all must end now."""
        self._starting.cancel()
        if self._cell.orders & order.CANCELS and self._interrupting is not None:
            self._interrupting.cancel()

    def fell(self, exit: Exit) -> None:
        """The message in hand is in the cell, which sees to it."""

    # --- its course ---

    async def _live(self) -> Exception | None:
        """Open the pane, take messages, end the program; what went wrong, which no nursery may wrap."""
        error: Exception | None = None
        async with trio.open_nursery() as nursery:
            self._beside = Beside(self._cell, (Capture, AttachCommand), self._see, nursery)
            try:
                with self._life:
                    with self._starting:
                        await self._open(nursery)
                    if not self._cell.orders & _ENDS:
                        self._begin()
                        await self._serve()
                if self._pane.pid and not (self._over or self._is_kept):
                    await self._dismiss()
            except Exception as caught:
                error = caught
            nursery.cancel_scope.cancel()
        return error

    async def _open(self, nursery: trio.Nursery) -> None:
        adopted = await open_pane(self._pane, nursery, self._terminal, self._ctx)
        nursery.start_soon(self._follow_program)
        nursery.start_soon(self._follow_tmux)
        if not adopted:  # who was found at work may go on: a paste waits for the prompt anyway
            with self._beside.working():
                await self._talk.admit()

    @property
    def _over(self) -> bool:
        return self._ended is not None or self._lost is not None

    @property
    def _is_kept(self) -> bool:
        """It is to go on without us."""
        orders = self._cell.orders
        if not self._terminal.keep or self._over or not self._pane.pid:
            return False
        return bool(orders & (order.STOP | order.DRAIN)) and not orders & order.CANCELS

    def _begin(self) -> None:
        self._ctx.ready()
        if self._cell.vigil is not None:
            self._cell.vigil.rest(None)  # limits bound messages, not the life of the program

    async def _follow_tmux(self) -> None:
        """The client ends when the server has, or somebody has thrown it out."""
        client = self._pane.client
        await client.process.wait()
        await client.finished.wait()
        if not self._gone.is_set():
            self._lost = client.lost()
            self._end_life()

    async def _follow_program(self) -> None:
        """See the program end, then whatever it has left behind."""
        pane = self._pane
        if watchable():
            await wait_ended([pane.pid])
            await self._end_others()
        try:
            with trio.move_on_after(_TOLD_WITHIN if watchable() else float("inf")):
                while True:
                    news = pane.news
                    self._ended = await pane.ending()
                    if self._ended is not None:
                        break
                    await news.wait()
            if self._ended is None:
                self._lost = TerminalLost("the program has ended, and tmux does not know it: end its server")
        except TerminalLost as error:
            self._lost = error
        self._gone.set()
        self._end_life()

    async def _end_others(self) -> None:
        """What a program that ended left behind: TERM, a bounded wait, KILL."""
        home, pane = str(self._pane.home.path), self._pane
        spared = (pane.server, pane.client.process.pid)
        if self._asked_to_end or await terminate(home, pane.pid, spared):
            with trio.move_on_after(self._terminal.linger):
                await wait_ended(None, home, pane.pid, spared)
            await end_all(home, pane.pid, spared)

    def _end_life(self) -> None:
        self._life.cancel()
        if self._interrupting is not None:
            self._interrupting.cancel()

    async def _dismiss(self) -> None:
        """Ask the program to end, and wait until all has. After `shutdown` seconds the cell cancels."""
        pane = self._pane
        self._asked_to_end = True
        await terminate(str(pane.home.path), pane.pid, (pane.server, pane.client.process.pid))
        await self._gone.wait()

    async def _clean(self, home: Home, kept: bool) -> None:
        """Leave nothing; or, kept, the pane alone."""
        pane = self._pane
        if kept:
            await pane.disconnect()
            home.release()
            return
        try:
            if not await end_all(str(home.path), pane.pid or None):
                _log.error("processes of the terminal %s are still there after SIGKILL", self._ctx.ref.path)
            await pane.disconnect()
        finally:
            home.remove()

    def _judge(self, error: Exception | None) -> Completed | None:
        if error is not None:
            raise error
        if self._lost is not None and not self._asked_to_end:
            raise self._lost
        if self._ended is None:
            return None
        completed = Completed(self._ended.code, self._ended.text.encode(), b"", 0)
        if self._asked_to_end:
            return completed
        if not self._cell.ready:
            raise ProcessFailed(completed, self._terminal.argv, self._terminal.prompt)
        if completed.returncode and self._terminal.check:
            raise ProcessFailed(completed, self._terminal.argv)
        self._let_go(completed)
        return completed

    def _let_go(self, completed: Completed) -> None:
        """The program returned with a message in hand: its asker shall not take silence for an answer."""
        item = self._cell.item
        if item is None:
            return
        self._cell.item = None
        error = ActorStopped(
            self._ctx.ref, None, f"has ended with code {completed.returncode} before it answered"
        )
        if not fail_asker(self._cell, item, error):
            self._cell.kernel.dead_letter(self._cell, item[MESSAGE], item[SENDER], DeadLetterReason.STOPPED)

    # --- messages ---

    async def _serve(self) -> None:
        async for message in self._ctx.inbox:
            await self._handle(message)

    async def _handle(self, message: Any) -> None:
        """One message, through any number of interrupts that the program does not heed."""
        cell = self._cell
        self._pasted = None
        if cell.vigil is not None:
            cell.vigil.begin(cell.now())
        try:
            with self._beside.working():
                await self._answer(message)
        except (Refused, Unhandled) as error:
            item = cell.item
            if item is not None and item[ASKED] is None and isinstance(error, Refused):
                _log.warning("%s: a told %s: %s", self._ctx.ref.path, type(message).__name__, error)
            if raised(cell, error) is not None:
                raise
        except AnswerTruncated as error:
            self._ctx.reply_later().fail(error)
        if cell.vigil is not None:
            cell.vigil.rest(cell.now())

    async def _answer(self, message: Any) -> None:
        while self._cell.item is not None:
            with self._ctx.handling():
                try:
                    value = await self._carry_out(message)
                except trio.Cancelled:
                    if not self._is_interrupt or await self._interrupt():
                        raise
                    continue  # the program goes on, and so do we
                self._ctx.reply(value)
                break

    @property
    def _is_interrupt(self) -> bool:
        orders = self._cell.orders
        return bool(orders & order.INTERRUPT) and not orders & order.CANCELS and not self._life.cancel_called

    async def _interrupt(self) -> bool:
        """Press the key; True when the prompt came, in a bounded time."""
        with trio.move_on_after(self._terminal.interrupt_timeout, shield=True) as self._interrupting:
            look = await self._pane.look()
            if self._talk.finds(look) is None:
                await self._talk.press(self._terminal.interrupt_key)
                await self._talk.wait_prompt()
            self._interrupting = None
            return True
        self._interrupting = None
        return False

    async def _carry_out(self, message: Any) -> Any:
        match message:
            case Paste(text):
                return await self._paste(text)
            case Text(text) | str(text):
                return await self._paste(_pasteable(text))
            case Keys(keys):
                await self._talk.type(*keys)
                return None
            case Capture() | AttachCommand():
                return await self._see(message)
            case Resize(width, height):
                await self._pane.resize(width, height)
                return None
            case _:
                raise Unhandled(self._ctx.ref, message)

    async def _paste(self, text: str) -> str:
        while self._pasted is None:
            look = await self._talk.admit()
            if self._left_alone:
                return ""
            with trio.CancelScope(shield=True):  # all of it or nothing; every step of it is bounded
                self._pasted = await self._talk.paste(text, look)
        return await self._talk.answer(self._pasted)

    @property
    def _left_alone(self) -> bool:
        """Whoever asked has gone: nothing is typed for nobody."""
        item = self._cell.item
        return item is not None and item[ASKED] is not None and item[ASKED].done

    async def _see(self, message: Capture | AttachCommand) -> Screen | tuple[str, ...]:
        pane = self._pane
        if isinstance(message, AttachCommand):
            return pane.attach
        look, history = await pane.look(), message.history
        lines = await pane.lines(max(0, look.history - history), look.history, look)
        text = "\n".join([*lines, *look.lines])
        return Screen(text, look.width, look.height, look.x, look.y, self._talk.finds(look) is not None)


def _pasteable(text: str) -> str:
    """As `Paste` has it, for what was no `Paste` at its sender. Raises `NotPasteable`."""
    try:
        return as_text(text)
    except ValueError as error:
        raise NotPasteable(f"nothing was typed: {error}") from None
