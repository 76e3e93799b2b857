"""Processes that are there at once, because they are forked from one that has everything imported.

Whoever forks runs no threads: a campaign's lanes are processes too, each with plain blocking code.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import select
import signal
import socket
import sys
import time
import traceback
from collections.abc import Awaitable, Callable

import trio

__all__ = ["Child", "Line", "fork", "run_in_lanes"]

_PR_SET_PDEATHSIG = 1


class Line:
    """Of a child to whoever has forked it: single letters say how far it is."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end

    def say(self, letter: bytes) -> None:
        """Say a letter."""
        with contextlib.suppress(OSError):
            self._end.send(letter)

    async def told_to_stop(self) -> None:
        """Return when the other end says anything, or is gone."""
        await trio.lowlevel.wait_readable(self._end)


class Child:
    """A forked process."""

    def __init__(self, pid: int, end: socket.socket) -> None:
        self.pid = pid
        self.code: int | None = None
        self._end = end

    def hears(self, letter: bytes, seconds: float) -> bool:
        """Wait until it says the letter. False: it has ended before, or was too slow."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if select.select([self._end], [], [], left)[0]:
                said = self._end.recv(64)
                if not said:
                    return False
                if letter in said:
                    return True
        return False

    def tell_to_stop(self) -> None:
        """Let it end in order."""
        with contextlib.suppress(OSError):
            self._end.send(b"s")

    def kill(self) -> bool:
        """SIGKILL it. False: it had ended by itself."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        return self.wait() == -signal.SIGKILL

    def wait(self, seconds: float | None = None) -> int:
        """Its exit code; killed after `seconds`."""
        if self.code is None:
            if seconds is not None and not _ended(self.pid, seconds):
                os.kill(self.pid, signal.SIGKILL)
            _, status = os.waitpid(self.pid, 0)
            self.code = os.waitstatus_to_exitcode(status)
            self._end.close()
        return self.code


def _ended(pid: int, seconds: float) -> bool:
    """Whether it ends within so many seconds; it is left to be waited for."""
    watched = os.pidfd_open(pid)
    try:
        return bool(select.select([watched], [], [], seconds)[0])
    finally:
        os.close(watched)


def fork(role: Callable[[Line], Awaitable[object]]) -> Child:
    """Start a process that runs `role` in trio, and ends: 0, or 1 with the error on stderr."""
    ours, its = socket.socketpair()
    parent = os.getpid()
    pid = os.fork()
    if pid:
        its.close()
        return Child(pid, ours)
    code = 1
    try:
        _end_with(parent)
        ours.close()
        trio.run(role, Line(its))
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def _end_with(parent: int) -> None:
    """No process is left behind, however its parent ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def run_in_lanes(lanes: int, work: Callable[[int], str]) -> list[str | None]:
    """Run `work(number)` in that many processes at once; what each has returned, None for one that failed."""
    gc.freeze()
    found: list[tuple[int, int]] = []
    parent = os.getpid()
    for number in range(lanes):
        reading, writing = os.pipe()
        pid = os.fork()
        if not pid:
            code = 1
            try:
                _end_with(parent)
                os.close(reading)
                text = work(number).encode()
                with os.fdopen(writing, "wb") as out:
                    out.write(text)
                code = 0
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stderr.flush()
                os._exit(code)
        os.close(writing)
        found.append((pid, reading))
    results: list[str | None] = []
    for pid, reading in found:
        with os.fdopen(reading, "rb") as came:
            text = came.read().decode()
        _, status = os.waitpid(pid, 0)
        results.append(text if os.waitstatus_to_exitcode(status) == 0 else None)
    return results
