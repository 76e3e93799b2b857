"""One run of a command: the process, its three pipes, and the end of its whole group.

    open ── read, write ── the leader ends ── the others end ── what the pipes still hold

It is ready when it is open, or at the line that says so, were it among what the pipes still hold.

Orders come as plain calls (`obey`) and signal the group in that step; the leader's end
is then what moves the run on, ordered or not. Cancellation may come at any point: the
`finally` of `_live` ends the group, whatever had happened.
"""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING

import trio

from actors.core import orders as order
from actors.process.child import Child, Output
from actors.process.completed import Completed, ProcessFailed
from actors.process.group import ProcessGroup
from actors.process.output import Lines
from actors.process.ready import ReadyLine

if TYPE_CHECKING:
    from actors.core.context import Context
    from actors.exits import Exit
    from actors.process.command import Command

__all__ = ["Run"]

_ENDS = order.FINAL | order.QUIT | order.HALT | order.CANCELS

_log = logging.getLogger("actors.process")


class Run:
    """One incarnation of a process actor."""

    def __init__(self, command: Command, ctx: Context) -> None:
        self.command = command
        self.ctx = ctx
        self._child = Child(command.argv, command.linger)
        self._ordered = False
        self._on_output = command.on_output
        self._awaited = None if command.ready is None else ReadyLine(command.ready)

    async def run(self) -> Completed | None:
        """Start the process, see it through, and return how it ended; None when it was not started."""
        cell = self.ctx.cell
        cell.driver = self
        try:
            if cell.orders & _ENDS:
                return None
            command = self.command
            group = await self._child.open(
                command.cwd, command.env, self.ctx.dependencies, stdin=command.input is not None
            )
            return await self._live(group)
        finally:
            cell.driver = None

    def in_hand(self) -> tuple[()]:
        """See `Driver`: a command takes no messages."""
        return ()

    def obey(self) -> None:
        """An order came: TERM to the whole group, once; KILL when nothing is waited for any more."""
        self._ordered = True
        if self.ctx.cell.orders & order.CANCELS:
            self._child.kill()
        else:
            self._child.terminate()

    def fell(self, exit: Exit) -> None:
        """A command takes no messages: there is nobody to tell."""

    async def _live(self, group: ProcessGroup) -> Completed:
        streams = _Stream("stdout", group.leader.stdout, self), _Stream("stderr", group.leader.stderr, self)
        try:
            self._begin()
            code = await self._follow(group, streams)
            for stream in streams:
                stream.finish()
        finally:
            await self._child.end()
        return self._judge(code, *streams)

    def _begin(self) -> None:
        """Ready, unless a line is to say so; or stop at once, when that was ordered during the start."""
        if self._ordered:
            self.obey()
        elif self._awaited is None:
            self.ctx.ready()

    async def _follow(self, group: ProcessGroup, streams: tuple[_Stream, ...]) -> int:
        """Read and write until nobody of the group is left."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._read, streams)
            if group.leader.stdin is not None:
                nursery.start_soon(_write, group.leader.stdin, self.command.input or b"")
            code = await group.leader.wait()
            await self._child.end_others(ordered=self._ordered)
            nursery.cancel_scope.cancel()
        return code

    async def _read(self, streams: tuple[_Stream, ...]) -> None:
        async with trio.open_nursery() as nursery:
            for stream in streams:
                nursery.start_soon(stream.read)
        self._child.output_ended.set()

    def hand_on(self, stream: str, lines: list[bytes]) -> None:
        """Call `on_output` for each line; one that raises is logged, and not called again."""
        on_output = self._on_output
        if on_output is None:
            return
        try:
            for line in lines:
                on_output(stream, line)
        except Exception:
            self._on_output = None
            _log.exception("on_output of %s raised; it is not called any more", self.ctx.ref.path)

    def look(self, stream: str, data: bytes) -> None:
        """Ready, if a line says so now. After that nobody looks any more."""
        if self._awaited is not None and self._awaited.feed(stream, data) and not self._ordered:
            self._awaited = None
            self.ctx.ready()

    def _judge(self, code: int, stdout: _Stream, stderr: _Stream) -> Completed:
        completed = Completed(
            code, stdout.tail.value(), stderr.tail.value(), stdout.tail.dropped + stderr.tail.dropped
        )
        if self._ordered:
            return completed
        if self._awaited is not None:
            raise ProcessFailed(completed, self.command.argv, self.command.ready)
        if code and self.command.check:
            raise ProcessFailed(completed, self.command.argv)
        return completed


class _Stream(Output):
    """One output of the process: read from its pipe, cut into lines, its end kept."""

    def __init__(self, name: str, pipe: trio.abc.ReceiveStream | None, run: Run) -> None:
        super().__init__(name, pipe, run.command.max_output)
        self._lines = None if run.command.on_output is None else Lines(run.command.max_line)
        self._run = run

    async def read(self) -> None:
        """Take what comes until the pipe ends."""
        while data := await self.receive():
            self._take(data)

    def finish(self) -> None:
        """Take what the pipe still holds, and the line that was not ended."""
        if data := self.rest():
            self._take(data)
        if self._lines is not None:
            self._run.hand_on(self.name, self._lines.flush())

    def _take(self, data: bytes) -> None:
        self._run.ctx.output(data, self.name)
        if self._lines is not None:
            self._run.hand_on(self.name, self._lines.feed(data))
        self._run.look(self.name, data)  # last: who hears that it is ready finds its lines handed on


async def _write(stdin: trio.abc.SendStream, data: bytes) -> None:
    """Write the input and close; a process that does not read it all is within its rights."""
    async with stdin:
        with contextlib.suppress(trio.BrokenResourceError):
            await stdin.send_all(data)
