"""What a test may leave behind: nothing. The X-ray that the autouse fixture looks through.

`Traces` compares the process before and after: threads, child processes, sockets and
pipes. `TaskWatch` finds trio tasks that outlive a test's body. `relics` looks into
systems that have ended. All of them answer with lines for people, `[]` when clean.
"""

from __future__ import annotations

import gc
import os
import stat
import subprocess
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Self

import attrs
import trio

from actors.system import System

__all__ = ["TaskWatch", "Traces", "relics"]

_CACHED_THREAD = "Trio thread"  # trio keeps idle worker threads for ten seconds
_JOIN_SECONDS = 1.0


def threads() -> dict[int, str]:
    """Living threads by ident, without trio's idle workers."""
    living = (thread for thread in threading.enumerate() if not thread.name.startswith(_CACHED_THREAD))
    return {thread.ident: thread.name for thread in living if thread.ident is not None}


def child_processes() -> dict[int, str]:
    """Children of this process by pid, zombies included."""
    if Path("/proc/self/task").exists():
        lists = (_read(path).split() for path in Path("/proc/self/task").glob("*/children"))
        return {int(pid): _command(int(pid)) for pids in lists for pid in pids}
    listed = subprocess.run(
        ["ps", "-A", "-o", "ppid=,pid=,comm="], capture_output=True, text=True, check=True
    )
    rows = (line.split(None, 2) for line in listed.stdout.splitlines())
    return {int(pid): comm for ppid, pid, comm in rows if int(ppid) == os.getpid() and comm != "ps"}


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:  # a thread that ended meanwhile
        return ""


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ").strip() or "zombie"
    except OSError:
        return "gone"


def descriptors() -> dict[tuple[int, int], str]:
    """Open sockets, pipes and pollers by (fd, inode); files and terminals are not our concern."""
    found: dict[tuple[int, int], str] = {}
    for entry in os.listdir("/dev/fd"):
        try:
            status = os.fstat(int(entry))
        except OSError:  # the one that listdir itself had open
            continue
        kind = _kind(status.st_mode)
        if kind is not None:
            found[int(entry), status.st_ino] = f"{kind} {entry}"
    return found


def _kind(mode: int) -> str | None:
    if stat.S_ISSOCK(mode):
        return "socket"
    if stat.S_ISFIFO(mode):
        return "pipe"
    return "poller" if stat.S_IFMT(mode) == 0 else None


@attrs.frozen
class Traces:
    """What the process holds at one moment."""

    threads: dict[int, str] = attrs.field(factory=threads)
    children: dict[int, str] = attrs.field(factory=child_processes)
    descriptors: dict[tuple[int, int], str] = attrs.field(factory=descriptors)

    def since(self, before: Traces) -> list[str]:
        """What is here and was not there before."""
        return [
            *(f"thread {name}" for ident, name in self.threads.items() if ident not in before.threads),
            *(f"process {pid}: {name}" for pid, name in self.children.items() if pid not in before.children),
            *(name for key, name in self.descriptors.items() if key not in before.descriptors),
        ]

    def left_behind(self) -> list[str]:
        """What is new now, after the dying threads and the garbage have had their chance."""
        if Traces().since(self):
            gc.collect()
            for thread in threading.enumerate():
                if thread.ident not in self.threads and not thread.name.startswith(_CACHED_THREAD):
                    thread.join(_JOIN_SECONDS)
        return Traces().since(self)


class TaskWatch(trio.abc.Instrument):
    """Tasks that were spawned inside its block and have not ended."""

    def __init__(self) -> None:
        self._living: dict[trio.lowlevel.Task, None] = {}

    def __enter__(self) -> Self:
        trio.lowlevel.add_instrument(self)
        return self

    def __exit__(self, *exc: object) -> None:
        trio.lowlevel.remove_instrument(self)

    def task_spawned(self, task: trio.lowlevel.Task) -> None:
        self._living[task] = None

    def task_exited(self, task: trio.lowlevel.Task) -> None:
        self._living.pop(task, None)

    def left_behind(self, test: trio.lowlevel.Task) -> list[str]:
        """All but those in the test's own nursery, which pytest-trio ends after the test."""
        legal = set(_descendants(test))
        return [f"task {task.name}" for task in self._living if task not in legal]


def _descendants(task: trio.lowlevel.Task) -> Iterator[trio.lowlevel.Task]:
    for nursery in task.child_nurseries:
        for child in nursery.child_tasks:
            yield child
            yield from _descendants(child)


def relics(systems: Iterable[System]) -> list[str]:
    """What systems that should have ended still hold."""
    return [f"{system!r}: {relic}" for system in systems for relic in _relics_of(system)]


def _relics_of(system: System) -> Iterator[str]:
    kernel, root = system._kernel, system._root
    if not root.is_gone:
        yield "its root has not ended"
    for child in root.children.values():
        yield f"{child.ref!r} lives"
    alarms = [entry[2] for entry in kernel.alarms._table._heap if entry[2].live]
    if alarms:
        yield f"{len(alarms)} live alarms, the next due at {min(alarm.due for alarm in alarms):g}"
    if kernel.followers:
        yield f"{len(kernel.followers)} actors are followed"
    if kernel.groups:
        yield f"groups {', '.join(kernel.groups)}"
