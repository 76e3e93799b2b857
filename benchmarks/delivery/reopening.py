"""A file with many pending messages: how long until it is open, until the first and the last is delivered.

    python -m benchmarks.delivery.reopening FILE COUNT HOW

writes such a file (in a process of its own, so that it can be killed): HOW is "closed" or "killed".
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Mapping
from functools import partial
from pathlib import Path

import trio

import actors
from actors.coding import JsonCoder
from actors.delivery import SQLiteStore
from benchmarks.delivery.parts import Sizes
from benchmarks.delivery.work import PATHS, Places, Work, append, opening
from benchmarks.harness.figures import Aim, Figures, measured
from benchmarks.shared import check

__all__ = ["reopening"]

_GROUP = 1000


async def fill(file: Path, count: int, how: str) -> None:
    """Write so many pending messages, for all recipients in turn."""
    coder = JsonCoder()
    async with SQLiteStore(file).open(opening("filling")) as engine:
        for start in range(0, count, _GROUP):
            numbers = range(start, min(count, start + _GROUP))
            await engine.write([append(number, coder) for number in numbers])
        if how == "killed":
            os.kill(os.getpid(), signal.SIGKILL)


async def _filled(folder: Path, count: int, how: str) -> Path:
    folder.mkdir()  # noqa: ASYNC240 - nothing else runs
    command = [sys.executable, "-m", __name__, str(folder / "posted.db"), str(count), how]
    done = await trio.run_process(command, check=False, capture_stderr=True, stdout=subprocess.DEVNULL)
    check(done.returncode, -signal.SIGKILL if how == "killed" else 0)
    return folder


class Counting(actors.Actor):
    """Counts what it gets, with others; and says when that was the first, and the last."""

    def __init__(self, book: Book) -> None:
        self._book = book

    @actors.receive
    def work(self, message: Work) -> int:
        self._book.told()
        return message.number


class Book:
    """When the first and the last of so many was handled."""

    def __init__(self, count: int) -> None:
        self._left = count
        self.first: float | None = None
        self.last = trio.Event()

    def told(self) -> None:
        """One was handled."""
        self.first = self.first or time.perf_counter()
        self._left -= 1
        if not self._left:
            self.last.set()


async def reopening(places: Places, sizes: Sizes, rounds: int) -> AsyncGenerator[Figures]:
    """Copies of the same files are opened in each round; what is read of them is in memory already."""
    kept = places.new()
    some = {how: await _filled(kept / f"some-{how}", sizes.pending, how) for how in ("closed", "killed")}
    sides = {
        f"{sizes.pending:,}, {how}": partial(_delivered, one, sizes.pending) for how, one in some.items()
    }
    aims = [Aim(side, "first", 1.0, "less") for side in sides]
    aims += [Aim(side, "all", 30.0, "less") for side in sides]
    units = {"first": "s", "all": "s", "open": "s"}
    title = "Reopening: from `open_system` to the first delivery, and to the last"
    yield await measured(title, units, sides, rounds, aims=aims)
    many = {how: await _filled(kept / f"many-{how}", sizes.many, how) for how in ("closed", "killed")}
    sides = {f"{sizes.many:,}, {how}": partial(_opened, one, sizes.many) for how, one in many.items()}
    aims = [Aim(side, "open", 2.0, "less") for side in sides]
    yield await measured("Opening the store alone", units, sides, rounds, aims=aims)
    shutil.rmtree(kept)


async def _delivered(folder: Path, count: int) -> Mapping[str, float]:
    copy = _copied(folder)
    book = Book(count)
    began = time.perf_counter()
    async with actors.open_system("bench", store=SQLiteStore(copy / "posted.db")) as system:
        for path in PATHS:
            system.spawn(Counting, book, name=path[1:])
        await book.last.wait()
        last = time.perf_counter()
    shutil.rmtree(copy)
    assert book.first is not None
    return {"first": book.first - began, "all": last - began}


async def _opened(folder: Path, count: int) -> Mapping[str, float]:
    copy = _copied(folder)
    began = time.perf_counter()
    async with SQLiteStore(copy / "posted.db").open(opening()) as engine:
        taken = time.perf_counter() - began
        check(sum((await engine.waiting()).values()), count)
    shutil.rmtree(copy)
    return {"open": taken}


def _copied(folder: Path) -> Path:
    copy = folder.with_name("copy")
    shutil.copytree(folder, copy)
    os.sync()  # what is written of the copy later is not to be waited for
    return copy


if __name__ == "__main__":
    trio.run(fill, Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
