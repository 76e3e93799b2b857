"""Processes that carry a mark: whoever a killed program has left behind is found by its environment.

A program that is ended by SIGKILL cannot end what it has started, and each of these has a session
of its own. But all inherit its environment, unless they clear it. Only where there is `/proc`.
"""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path
from typing import Final

import trio

__all__ = ["MARK", "end_marked", "marked"]

MARK: Final = "ACTORS_NODE_PROCESS"
"""The variable whose value is different for every node process."""
_PROC: Final = Path("/proc")
_SECONDS: Final = 5.0


def marked(value: str) -> list[int]:
    """The processes that run and carry this mark. Reads a file for each process of the machine."""
    if not (_PROC / "self" / "environ").exists():
        return []
    wanted = f"{MARK}={value}".encode()
    found: list[int] = []
    for entry in os.listdir(_PROC):
        if entry.isdigit():
            with contextlib.suppress(OSError):  # it has ended, or is somebody else's
                if wanted in (_PROC / entry / "environ").read_bytes().split(b"\0"):
                    found.append(int(entry))
    return found


async def end_marked(value: str) -> None:
    """KILL them all, also those who are started meanwhile; shielded, for 5 seconds at most. A checkpoint."""
    with trio.move_on_after(_SECONDS, shield=True):
        while left := await trio.to_thread.run_sync(marked, value):
            for pid in left:
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
