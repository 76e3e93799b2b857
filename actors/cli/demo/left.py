"""What is left of a run, measured: tasks of trio, and processes of the operating system."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import trio

__all__ = ["living_tasks", "marked_processes", "noted", "still_runs"]

_PROC = Path("/proc")
_ENDED = frozenset({b"Z", b"X"})


def living_tasks() -> frozenset[trio.lowlevel.Task]:
    """Every task of this trio run, the caller's and trio's own included."""
    root = trio.lowlevel.current_root_task()
    return frozenset() if root is None else frozenset((root, *_below(root)))


def _below(task: trio.lowlevel.Task) -> Iterator[trio.lowlevel.Task]:
    for nursery in task.child_nurseries:
        for child in nursery.child_tasks:
            yield child
            yield from _below(child)


def noted(file: Path) -> frozenset[int]:
    """The numbers of processes that a note has."""
    return frozenset(int(line) for line in file.read_text().split()) if file.exists() else frozenset()


def still_runs(pid: int) -> bool:
    """Whether a process runs; one that ended and that nobody has reaped does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # the number is somebody else's by now
        return False
    with contextlib.suppress(OSError):
        return (_PROC / str(pid) / "stat").read_bytes().rpartition(b")")[2].split()[0] not in _ENDED
    return not _PROC.joinpath("self").exists() or _PROC.joinpath(str(pid)).exists()


def marked_processes(mark: str) -> frozenset[int]:
    """The running processes that have `NAME=value` in the environment they began with.

    Descendants inherit it, whoever their parent is now. Needs `/proc`; elsewhere none is found.
    """
    wanted, found = os.fsencode(mark), set[int]()
    for entry in _PROC.iterdir() if _PROC.joinpath("self").exists() else ():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):  # it ended meanwhile, or is not ours
                if wanted in (entry / "environ").read_bytes().split(b"\0"):
                    found.add(int(entry.name))
    return frozenset(pid for pid in found if still_runs(pid))
