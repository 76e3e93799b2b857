"""One run of a command: the process, its three pipes, and the end of its whole group.

    open ── read, write ── the leader ends ── the others end ── what the pipes still hold

It is ready when it is open, or at the line that says so, were it among what the pipes still hold.

Orders come as plain calls (`obey`) and signal the group in that step; the leader's end
is then what moves the run on, ordered or not. Cancellation may come at any point: the
`finally` of `_live` ends the group, whatever had happened.

Nobody waits for the pipes to end: a descendant that left the group may hold them for
ever. What the group wrote is in the pipes when it is gone, and one look fetches it.
"""

from __future__ import annotations

import contextlib
import logging
import os
import subprocess
from typing import TYPE_CHECKING

import trio

from actors.core import orders as order
from actors.process.arguments import environment_of
from actors.process.completed import Completed, ProcessFailed, ProcessNotStarted
from actors.process.group import ProcessGroup
from actors.process.output import Lines, Tail
from actors.process.ready import ReadyLine

if TYPE_CHECKING:
    from actors.core.context import Context
    from actors.process.command import Command

__all__ = ["Run"]

_CHUNK = 64 * 1024
_PIPE_AT_MOST = 1024 * 1024
"""What a pipe can hold, where its writer made it as large as it may."""
_ENDS = order.FINAL | order.QUIT | order.HALT | order.CANCELS

_log = logging.getLogger("actors.process")


class Run:
    """One incarnation of a process actor."""

    def __init__(self, command: Command, ctx: Context) -> None:
        self.command = command
        self.ctx = ctx
        self._group: ProcessGroup | None = None
        self._ordered = self._asked = False
        self._output_ended = trio.Event()
        self._on_output = command.on_output
        self._awaited = None if command.ready is None else ReadyLine(command.ready)

    async def run(self) -> Completed | None:
        """Start the process, see it through, and return how it ended; None when it was not started."""
        cell = self.ctx.cell
        cell.on_ordered = self.obey
        try:
            if cell.orders & _ENDS:
                return None
            return await self._live(await self._open())
        finally:
            cell.on_ordered = None

    def obey(self) -> None:
        """An order came: TERM to the whole group, once; KILL when nothing is waited for any more."""
        self._ordered = True
        if self._group is None:  # being started
            return
        if self.ctx.cell.orders & order.CANCELS:
            self._group.kill()
        else:
            self._terminate(self._group)

    def _terminate(self, group: ProcessGroup) -> bool:
        """Ask the group to end, once: some take a second TERM for impatience. False when nobody is left."""
        if self._asked:
            return group.signal(0)
        self._asked = True
        return group.terminate()

    async def _open(self) -> trio.Process:
        command = self.command
        try:
            return await trio.lowlevel.open_process(
                command.argv,
                cwd=command.cwd,
                env=environment_of(command.env, self.ctx.dependencies),
                stdin=subprocess.DEVNULL if command.input is None else subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            raise ProcessNotStarted(command.argv, error, command.cwd) from error

    async def _live(self, process: trio.Process) -> Completed:
        group = self._group = ProcessGroup(process)
        streams = _Stream("stdout", process.stdout, self), _Stream("stderr", process.stderr, self)
        try:
            self._begin()
            code = await self._follow(group, streams)
            for stream in streams:
                stream.finish()
        finally:
            await group.end()
            for pipe in (process.stdin, process.stdout, process.stderr):
                if pipe is not None:
                    _descriptor(pipe).close()
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
            await self._end_others(group)
            nursery.cancel_scope.cancel()
        return code

    async def _end_others(self, group: ProcessGroup) -> None:
        """What a leader that ended left behind: TERM, a bounded wait, KILL.

        After an order they have as long as the cell waits: then it cancels. Halfway they
        are looked at once more: who was being started at the first look may have lost TERM.
        """
        ordered = self._ordered
        if self._terminate(group):
            with trio.move_on_after(self.command.linger):
                await self._others_ended(group)
            if ordered:
                await self._others_ended(group)
        await group.end()

    async def _others_ended(self, group: ProcessGroup) -> None:
        await (group.wait_empty() if group.watchable else self._output_ended.wait())

    async def _read(self, streams: tuple[_Stream, ...]) -> None:
        async with trio.open_nursery() as nursery:
            for stream in streams:
                nursery.start_soon(stream.read)
        self._output_ended.set()

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


class _Stream:
    """One output of the process: read from its pipe, cut into lines, its end kept."""

    def __init__(self, name: str, pipe: trio.abc.ReceiveStream | None, run: Run) -> None:
        assert pipe is not None
        self.name = name
        self.tail = Tail(run.command.max_output)
        self._lines = None if run.command.on_output is None else Lines(run.command.max_line)
        self._run = run
        self._pipe = _descriptor(pipe)
        self._ended = False

    async def read(self) -> None:
        """Take what comes until the pipe ends."""
        while data := await self._pipe.receive_some(_CHUNK):
            self._take(data)
        self._ended = True

    def finish(self) -> None:
        """Take what the pipe still holds, and the line that was not ended."""
        if not self._ended:
            with contextlib.suppress(BlockingIOError):  # it is empty, and somebody holds it open
                self._take(os.read(self._pipe.fileno(), _PIPE_AT_MOST))
        if self._lines is not None:
            self._run.hand_on(self.name, self._lines.flush())

    def _take(self, data: bytes) -> None:
        self._run.ctx.output(data, self.name)
        self.tail.feed(data)
        if self._lines is not None:
            self._run.hand_on(self.name, self._lines.feed(data))
        self._run.look(self.name, data)  # last: who hears that it is ready finds its lines handed on


async def _write(stdin: trio.abc.SendStream, data: bytes) -> None:
    """Write the input and close; a process that does not read it all is within its rights."""
    async with stdin:
        with contextlib.suppress(trio.BrokenResourceError):
            await stdin.send_all(data)


def _descriptor(pipe: trio.abc.AsyncResource) -> trio.lowlevel.FdStream:
    assert isinstance(pipe, trio.lowlevel.FdStream)
    return pipe
