"""The processes of one terminal: found by the session of its program, or by the mark that they carry.

All that is started for a terminal, its tmux server included, has `ACTORS_TERMINAL` in its environment, with
the folder of the terminal as its value. A process that changes its session is found by that, one that
clears its environment by the session; who does both is out of reach. Only where there is `/proc`.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Collection
from pathlib import Path
from typing import Final

import trio

__all__ = ["MARK", "end_all", "terminate", "wait_ended", "watchable"]

MARK: Final = "ACTORS_TERMINAL"
"""The variable whose value is different for every terminal."""
_PROC: Final = Path("/proc")
_SECONDS: Final = 5.0
_LOOKS: Final = 10
_GONE: Final = frozenset({b"Z", b"X"})


def watchable() -> bool:
    """True where processes of others can be found and waited for."""
    return hasattr(os, "pidfd_open") and (_PROC / "self" / "environ").exists()


def _members(mark: str, session: int | None, spared: Collection[int] = ()) -> list[int]:
    """Who runs and carries the mark, or is of the session. Reads two files for each process.

    Somebody who ends while this looks may have started another one behind its back: then it looks again.
    """
    found: list[int] = []
    for _ in range(_LOOKS):
        found, settled = _look(f"{MARK}={mark}".encode(), session, spared)
        if found or settled:
            break
    return found


def _look(wanted: bytes, session: int | None, spared: Collection[int]) -> tuple[list[int], bool]:
    found: list[int] = []
    settled = True
    for entry in os.listdir(_PROC):
        if not entry.isdigit() or int(entry) in spared:
            continue
        try:
            state, parent, _, its, *_ = (_PROC / entry / "stat").read_bytes().rpartition(b")")[2].split()
            if state in _GONE:
                continue
            if int(its) != session and int(parent) in spared:
                continue  # what tmux has started for itself: it does not survive the loss of one
            if int(its) == session or wanted in (_PROC / entry / "environ").read_bytes().split(b"\0"):
                found.append(int(entry))
        except (FileNotFoundError, ProcessLookupError):
            settled = False
        except OSError:  # somebody else's
            continue
    return found, settled


def _ignores_term(status: bytes) -> bool:
    mask = status.partition(b"\nSigIgn:")[2].split()[0]
    return bool(int(mask, 16) >> (signal.SIGTERM - 1) & 1)


def _ask(pid: int) -> None:
    """TERM; but to a shell that waits for a person, and so ignores TERM, what a terminal says that closes."""
    with contextlib.suppress(OSError, ValueError):
        ignores = _ignores_term((_PROC / str(pid) / "status").read_bytes())
        os.kill(pid, signal.SIGHUP if ignores else signal.SIGTERM)
        os.kill(pid, signal.SIGCONT)


async def terminate(mark: str, session: int, spared: Collection[int]) -> bool:
    """Ask all but those spared to end, once. False when there is nobody. A checkpoint."""
    if not watchable():
        with contextlib.suppress(OSError):
            os.killpg(session, signal.SIGTERM)
        await trio.lowlevel.checkpoint()
        return False
    pids = await trio.to_thread.run_sync(_members, mark, session, spared)
    for pid in pids:
        _ask(pid)
    return bool(pids)


async def wait_ended(
    pids: list[int] | None, mark: str = "", session: int | None = None, spared: Collection[int] = ()
) -> None:
    """Return when these have ended; None: all that carry the mark, or are of the session. A checkpoint."""
    while pids is None or pids:
        waited = (
            await trio.to_thread.run_sync(_members, mark, session, spared) if pids is None else [pids.pop()]
        )
        if not waited:
            return
        with contextlib.suppress(ProcessLookupError):
            descriptor = os.pidfd_open(waited[0])
            try:
                await trio.lowlevel.wait_readable(descriptor)
            finally:
                os.close(descriptor)


async def end_all(mark: str, session: int | None, spared: Collection[int] = ()) -> bool:
    """KILL all, also who is started meanwhile; shielded, for 5 s. False when some are left. A checkpoint."""
    with trio.move_on_after(_SECONDS, shield=True):
        if not watchable():
            if session is not None:
                with contextlib.suppress(OSError):
                    os.killpg(session, signal.SIGKILL)
            await trio.lowlevel.checkpoint()
            return True
        while left := await trio.to_thread.run_sync(_members, mark, session, spared):
            for pid in left:
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
        return True
    return False
