"""A disk that is full for a while, under load: a small one of its own, or a limit on the size of files."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import resource
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random

import attrs

from actors.delivery import SQLiteStore
from actors.testing import Journal, Noted
from benchmarks.chaos.children import Child, fork
from benchmarks.chaos.judging import Found, judged
from benchmarks.chaos.roles import Life, drain, live

__all__ = ["KINDS", "lane", "why_no_disk"]

KINDS = ("disk", "limit")
_PATIENCE = 20.0
_SIZE = 24 * 2**20
"""Bytes: there is room for the log at its longest."""
_NEWNS, _PRIVATE, _REC = 0x20000, 1 << 18, 1 << 14


def why_no_disk(folder: Path) -> str | None:
    """Mount a small disk there that only this process and its children see; or why that cannot be."""
    libc = ctypes.CDLL(None, use_errno=True)
    steps: tuple[Callable[[], int], ...] = (
        lambda: libc.unshare(_NEWNS),
        lambda: libc.mount(b"none", b"/", None, _PRIVATE | _REC, None),
        lambda: libc.mount(b"none", os.fsencode(folder), b"tmpfs", 0, f"size={_SIZE}".encode()),
    )
    for step in steps:
        if step():
            return f"no disk can be mounted here: {os.strerror(ctypes.get_errno())}"
    return None


@attrs.frozen
class _Fill:
    """How the disk becomes full, and has room again."""

    kind: str
    folder: Path
    child: Child

    def begin(self) -> None:
        if self.kind == "limit":
            most = (self.folder / "a.db-wal").stat().st_size
            resource.prlimit(self.child.pid, resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))
            return
        with open(self.folder / "ballast", "wb", buffering=0) as ballast:
            for size in (2**16, 2**12):
                with contextlib.suppress(OSError):
                    while ballast.write(bytes(size)) == size:
                        pass

    def end(self) -> None:
        if self.kind == "limit":
            both = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
            resource.prlimit(self.child.pid, resource.RLIMIT_FSIZE, both)
        else:
            (self.folder / "ballast").unlink()


def lane(number: int, *, kind: str, cycles: int, seed: int, folder: Path) -> str:
    """Fill it so many times, drain, and judge; for `run_in_lanes`. A store that stays away is a crash."""
    began = time.monotonic()
    home, journal = folder / f"disk{number}", folder / f"lane{number}.journal"
    home.mkdir()
    if kind == "disk":
        reason = why_no_disk(home)
        if reason is not None:
            raise OSError(errno.EPERM, reason)
    dice = Random(f"{seed} {kind} {number}")
    found = Found()
    life = Life(
        "node",
        f"{number}.1",
        SQLiteStore(home / "a.db"),
        str(journal),
        f"{seed} {number}",
        posts=True,
        works=True,
    )
    child = fork(partial(live, life))
    child.hears(b"o", _PATIENCE)
    _wait_for_more(journal, 0, 50)
    for _ in range(cycles):
        time.sleep(dice.uniform(0.05, 0.2))
        fill = _Fill(kind, home, child)
        fill.begin()
        refused = _wait_for_more(journal, _count(journal, Noted.UNKNOWN), 1, Noted.UNKNOWN)
        time.sleep(dice.uniform(0, 0.3))
        fill.end()
        if refused:
            found.kills += 1  # it was full, and said so
        if not _wait_for_more(journal, _count(journal, Noted.POSTED), 20):
            found.crashes += 1
            break
    child.tell_to_stop()
    found.crashes += child.wait(_PATIENCE) != 0
    last = partial(drain, lambda: SQLiteStore(home / "a.db"), str(journal), f"{seed} drain", 60.0)
    found.crashes += fork(last).wait(90.0) != 0
    found.seconds = time.monotonic() - began
    return judged(Journal.read(journal), found).text()


def _count(journal: Path, noted: Noted) -> int:
    return journal.read_bytes().count(f'"noted": "{noted.value}"'.encode()) if journal.exists() else 0


def _wait_for_more(journal: Path, than: int, by: int, noted: Noted = Noted.POSTED) -> bool:
    until = time.monotonic() + _PATIENCE
    while _count(journal, noted) < than + by:
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True
