"""A process group: signals to all its members, and how to learn that none is left.

The number of a group stays taken while it has a member, and a leader that ended is a
member until it is reaped. So a signal hits strangers only if it is sent when the leader
is reaped and nobody else is left. Therefore: whoever reaps the leader signals the
group in the same step, and the first `ProcessLookupError` is remembered; after it
nothing is sent any more.

There is nothing to wait on for a group as a whole. On Linux its members are found in
`/proc` and waited for one by one, each by its pidfd; elsewhere `watchable` is False, and
the caller must go by the end of the pipes that the members hold.

Everybody is asked once to end: some take a second TERM for impatience. But a process that
is just being started may lose the first one, to a handler of its parent that it still has.
Who lives after TERM and does nothing to hear it has lost it, and is asked again.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import trio

__all__ = ["REAP_SECONDS", "ProcessGroup", "group_of", "hears_term"]

REAP_SECONDS = 5.0
"""How long a killed group may take to be gone; the kernel needs longer only when it is stuck itself."""

_log = logging.getLogger("actors.process")
_PROC = Path("/proc")
_ZOMBIE_OR_DEAD = frozenset({b"Z", b"X"})


class ProcessGroup:
    """The group that a leader was started in, as its own session."""

    def __init__(self, leader: trio.Process) -> None:
        self.leader = leader
        self.watchable = hasattr(os, "pidfd_open") and (_PROC / "self" / "stat").exists()
        self._gone = False

    def signal(self, number: int) -> bool:
        """Send a signal to every member; 0 only asks. False when nobody is there to get it."""
        if self._gone:
            return False
        try:
            os.killpg(self.leader.pid, number)
        except ProcessLookupError:
            self._gone = True
            return False
        except PermissionError:  # on macOS: only zombies; else: they have become somebody else's
            return False
        return True

    def terminate(self) -> bool:
        """Ask every member to end, also those that were suspended. False when there is none."""
        if not self.signal(signal.SIGTERM):
            return False
        self.signal(signal.SIGCONT)  # what is suspended hears TERM only when it goes on
        return True

    def kill(self) -> bool:
        """End every member now. False when there is none."""
        return self.signal(signal.SIGKILL)

    async def wait_empty(self) -> None:
        """Return when no member runs; those that ended and nobody reaped do not count. A checkpoint.

        Only where `watchable`, and after TERM: those who lost it are asked again. Not
        promised: a member that is started while `/proc` is read.
        """
        with contextlib.suppress(OSError):  # no more descriptors: the KILL that follows is all we can do
            while running := await trio.to_thread.run_sync(_running, self.leader.pid):
                _ask_again(running)
                await _wait_ended(running[0])

    async def end(self) -> None:
        """KILL all, reap the leader, see that nobody is left; shielded, for `REAP_SECONDS`. Idempotent."""
        with trio.move_on_after(REAP_SECONDS, shield=True) as scope:
            self.kill()
            await self.leader.wait()
            if self.kill() and self.watchable:
                await self.wait_empty()
        self._gone = True
        if scope.cancelled_caught:
            _log.error("process group %d is still there %g s after SIGKILL", self.leader.pid, REAP_SECONDS)


def group_of(status: bytes) -> tuple[int, bool]:
    """From a `/proc/N/stat`: the number of the process's group, and whether it runs still."""
    state, _, group, *_ = status.rpartition(b")")[2].split()  # the name before may hold anything
    return int(group), state not in _ZOMBIE_OR_DEAD


def hears_term(status: bytes) -> bool:
    """From a `/proc/N/status`: whether the process handles TERM, or blocks it to wait for it."""
    masks = [status.partition(field)[2].split()[0] for field in (b"\nSigCgt:", b"\nSigBlk:")]
    return any(int(mask, 16) >> (signal.SIGTERM - 1) & 1 for mask in masks)


def _ask_again(pids: list[int]) -> None:
    """TERM to those that got it and live, though they neither handle nor block it."""
    for pid in pids:
        with contextlib.suppress(OSError):  # it ended meanwhile
            if not hears_term((_PROC / str(pid) / "status").read_bytes()):
                os.kill(pid, signal.SIGTERM)


def _running(number: int) -> list[int]:
    """The members of a group that run. Reads files, one a process of the machine."""
    return [pid for pid, status in _statuses() if group_of(status) == (number, True)]


def _statuses() -> Iterator[tuple[int, bytes]]:
    for entry in os.listdir(_PROC):
        if entry.isdigit():
            with contextlib.suppress(OSError):  # it ended meanwhile
                yield int(entry), (_PROC / entry / "stat").read_bytes()


async def _wait_ended(pid: int) -> None:
    """Return when a process that is not our child has ended. A checkpoint."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        await trio.lowlevel.wait_readable(descriptor)
    finally:
        os.close(descriptor)
