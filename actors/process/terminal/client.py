"""The one client of a terminal's tmux server, in control mode: commands go out, replies and notices come in.

Replies come in the order of the commands, a number of them for each; so behind every command goes
one that prints a word which nobody can know, and what comes up to it belongs to that command.
"""

from __future__ import annotations

import contextlib
import secrets
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

import attrs
import trio

from actors.process.terminal.control import (
    ControlParser,
    Exited,
    NotControlMode,
    Notice,
    Output,
    Paused,
    Reply,
)
from actors.process.terminal.errors import TerminalLost

__all__ = ["ANSWERS_WITHIN", "Client"]

ANSWERS_WITHIN: Final = 10.0
"""Seconds in which tmux takes a command and answers it, or is lost."""
_CHUNK: Final = 64 * 1024


@attrs.define(eq=False)
class _Asked:
    word: str
    replies: list[Reply] = attrs.field(factory=list[Reply])
    answered: bool = False
    done: trio.Event = attrs.field(factory=trio.Event)


class Client:
    """Speaks with tmux over the pipes of `process`. One task must be in `read`."""

    def __init__(
        self,
        process: trio.Process,
        *,
        on_output: Callable[[bytes], object],
        on_notice: Callable[[str, str], object],
    ) -> None:
        self.process = process
        self.began = trio.Event()
        """The command of the command line is done, or the client has ended."""
        self.greeting: Reply | None = None
        """Its reply."""
        self.ended = False
        self.finished = trio.Event()
        """Set when it has."""
        self.reason = ""
        self._on_output = on_output
        self._on_notice = on_notice
        self._parser = ControlParser()
        self._asked: deque[_Asked] = deque()
        self._writing = trio.Lock()
        self._paused = trio.Event()

    async def read(self) -> None:
        """Take what comes until tmux has said its last. Raises nothing but Cancelled."""
        assert self.process.stdout is not None
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._go_on)
                with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                    while data := await self.process.stdout.receive_some(_CHUNK):
                        self._take(bytes(data))
                nursery.cancel_scope.cancel()
        finally:
            self.ended = True
            self.finished.set()
            self.began.set()
            for asked in self._asked:
                asked.done.set()

    def _take(self, data: bytes) -> None:
        try:
            for said in self._parser.feed(data):
                match said:
                    case Reply():
                        self._reply(said)
                    case Output():
                        self._on_output(said.data)
                    case Paused():
                        self._paused.set()
                    case Exited():
                        self.reason = said.reason
                    case Notice():
                        self._on_notice(said.name, said.rest)
        except NotControlMode as error:
            self.reason = f"it said {error}"
            self.process.kill()

    def _reply(self, reply: Reply) -> None:
        if not self.began.is_set():
            self.greeting = reply
            self.began.set()
        elif reply.ours and self._asked:
            asked = self._asked[0]
            if reply.ok and reply.lines == (asked.word,):
                self._asked.popleft()
                asked.answered = True
                asked.done.set()
            else:
                asked.replies.append(reply)

    async def _go_on(self) -> None:
        """We were slow, or the machine is: what came meanwhile is on the screen, go on from there."""
        while True:
            await self._paused.wait()
            self._paused = trio.Event()
            with contextlib.suppress(TerminalLost):
                await self.command("refresh-client -A %0:continue")
            self._on_output(b"")

    async def command(self, line: str) -> list[Reply]:
        """Have tmux carry out a line of commands; their replies. A checkpoint.

        Raises `TerminalLost` when tmux has gone, or takes more than `ANSWERS_WITHIN` seconds. It is
        carried out also when the caller is cancelled meanwhile.
        """
        asked = _Asked(secrets.token_hex(8))
        with trio.move_on_after(ANSWERS_WITHIN) as scope:
            await self._write(asked, f"{line}\ndisplay-message -p {asked.word}\n".encode())
            await asked.done.wait()
        if asked.answered:
            return asked.replies
        if scope.cancelled_caught:
            raise TerminalLost(f"tmux did not answer in {ANSWERS_WITHIN:g} s: the machine may be overloaded")
        raise self.lost()

    def lost(self) -> TerminalLost:
        """What to raise when it has ended."""
        return TerminalLost(
            f"the tmux server of the terminal has ended{self.reason and f' ({self.reason})'}: "
            f"look who has ended it"
        )

    async def _write(self, asked: _Asked, data: bytes) -> None:
        """Write all or nothing: half a command would be the beginning of the next."""
        assert self.process.stdin is not None
        async with self._writing:
            if self.ended:
                raise self.lost()
            self._asked.append(asked)
            with trio.move_on_after(ANSWERS_WITHIN, shield=True) as scope:
                try:
                    await self.process.stdin.send_all(data)
                except (trio.BrokenResourceError, trio.ClosedResourceError):
                    raise self.lost() from None
            if scope.cancelled_caught:
                raise TerminalLost(f"tmux took no command in {ANSWERS_WITHIN:g} s: end it")

    async def all_well(self, line: str) -> Sequence[Reply]:
        """The same; raises `TerminalLost` also when one of the commands failed."""
        replies = await self.command(line)
        for reply in replies:
            if not reply.ok:
                raise TerminalLost(f"tmux refused `{line[:80]}`: {' '.join(reply.lines)}")
        return replies

    def close(self) -> None:
        """Let go of the pipes."""
        for pipe in (self.process.stdin, self.process.stdout):
            if isinstance(pipe, trio.lowlevel.FdStream):
                pipe.close()
