"""One process of an actor: its start, what it writes, and the end of its whole group.

Shared by what runs a process to its end and what talks to one. Nobody waits for the pipes to end: a
descendant that left the group may hold them for ever. What the group wrote is in the pipes when it is
gone, and one look fetches it.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Mapping

import trio

from actors.outcome import Outcome
from actors.process.arguments import Environment, environment_of
from actors.process.completed import ProcessNotStarted
from actors.process.group import ProcessGroup
from actors.process.output import Tail

__all__ = ["Child", "Output", "descriptor"]

_CHUNK = 64 * 1024
_PIPE_AT_MOST = 1024 * 1024
"""What a pipe can hold, where its writer made it as large as it may."""


class Child:
    """One process, from its start to the end of its group."""

    def __init__(self, argv: tuple[str | bytes, ...], linger: float) -> None:
        self.argv = argv
        self.linger = linger
        self.group: ProcessGroup | None = None
        """None until it was started."""
        self.output_ended = trio.Event()
        """Nobody writes any more: for where the members of a group cannot be watched."""
        self._asked = False

    async def open(
        self,
        cwd: str | bytes | None,
        env: Environment | None,
        dependencies: Mapping[str | int, Outcome],
        *,
        stdin: bool,
    ) -> ProcessGroup:
        """Start it in a session of its own. Raises `ProcessNotStarted`. A checkpoint."""
        try:
            process = await trio.lowlevel.open_process(
                self.argv,
                cwd=cwd,
                env=environment_of(env, dependencies),
                stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            raise ProcessNotStarted(self.argv, error, cwd) from error
        self.group = ProcessGroup(process)
        return self.group

    def terminate(self) -> bool:
        """Ask the group to end, once: some take a second TERM for impatience. False when nobody is left."""
        if self.group is None:
            return False
        if self._asked:
            return self.group.signal(0)
        self._asked = True
        return self.group.terminate()

    def kill(self) -> None:
        """End the group now."""
        if self.group is not None:
            self.group.kill()

    async def end_others(self, *, ordered: bool) -> None:
        """What a leader that ended left behind: TERM, a bounded wait, KILL. A checkpoint.

        After an order they have as long as the cell waits: then it cancels. Halfway they
        are looked at once more: who was being started at the first look may have lost TERM.
        """
        assert self.group is not None
        if self.terminate():
            with trio.move_on_after(self.linger):
                await self._others_ended(self.group)
            if ordered:
                await self._others_ended(self.group)
        await self.group.end()

    async def _others_ended(self, group: ProcessGroup) -> None:
        await (group.wait_empty() if group.watchable else self.output_ended.wait())

    async def end(self) -> None:
        """KILL whoever is left, and close the pipes. Shielded; idempotent."""
        group = self.group
        if group is None:
            return
        await group.end()
        for pipe in (group.leader.stdin, group.leader.stdout, group.leader.stderr):
            if pipe is not None:
                descriptor(pipe).close()


class Output:
    """One output of a process: read from its pipe, its end kept."""

    def __init__(self, name: str, pipe: trio.abc.ReceiveStream | None, max_output: int) -> None:
        assert pipe is not None
        self.name = name
        self.tail = Tail(max_output)
        self._pipe = descriptor(pipe)
        self._ended = False

    async def receive(self) -> bytes:
        """What comes next; nothing when the pipe ends. A checkpoint."""
        data = bytes(await self._pipe.receive_some(_CHUNK))
        self.tail.feed(data)
        self._ended = not data
        return data

    def rest(self) -> bytes:
        """What the pipe still holds."""
        data = b""
        if not self._ended:
            with contextlib.suppress(BlockingIOError):  # it is empty, and somebody holds it open
                data = os.read(self._pipe.fileno(), _PIPE_AT_MOST)
        self.tail.feed(data)
        return data


def descriptor(pipe: trio.abc.AsyncResource) -> trio.lowlevel.FdStream:
    """The pipe as what it is on POSIX."""
    assert isinstance(pipe, trio.lowlevel.FdStream)
    return pipe
