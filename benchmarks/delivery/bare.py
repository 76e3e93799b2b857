"""What a store is built on, without a store around it: SQLite by itself."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import trio

from benchmarks.delivery.work import Post

__all__ = ["group_writer", "one_by_one"]

_TABLE = "CREATE TABLE messages (number INTEGER PRIMARY KEY, payload TEXT)"
_INSERT = "INSERT INTO messages VALUES (?, ?)"
_LARGEST_GROUP = 1000


def _connect(folder: Path) -> sqlite3.Connection:
    """As the store does it: a write-ahead log, every commit on the disk."""
    connection = sqlite3.connect(folder / "bare.db", isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(_TABLE)
    # the log at its full size from the beginning: writing over what is there is faster than making it longer
    connection.execute("CREATE TABLE filler AS SELECT zeroblob(8000000)")
    connection.execute("DROP TABLE filler")
    connection.execute("PRAGMA wal_checkpoint(RESTART)")
    return connection


@asynccontextmanager
async def one_by_one(folder: Path, payload: str) -> AsyncGenerator[Post]:
    """A row a transaction, in the thread of the loop: nothing else can run meanwhile."""
    connection = _connect(folder)

    async def post(number: int) -> None:
        connection.execute(_INSERT, (number, payload))

    yield post
    connection.close()


@asynccontextmanager
async def group_writer(folder: Path, payload: str) -> AsyncGenerator[Post]:
    """What has gathered while one group is written in a thread is the next one: plain INSERTs, one table."""
    connection = _connect(folder)
    waiting: list[int] = []
    doors = trio.lowlevel.ParkingLot()
    arrived = trio.lowlevel.ParkingLot()
    limiter = trio.CapacityLimiter(1)

    def commit(group: list[int]) -> None:
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(_INSERT, [(number, payload) for number in group])
        connection.execute("COMMIT")

    async def write() -> None:
        while True:
            if not waiting:
                await arrived.park()
            await trio.lowlevel.checkpoint()  # those who were woken write again
            group = waiting[:_LARGEST_GROUP]
            del waiting[:_LARGEST_GROUP]
            await trio.to_thread.run_sync(commit, group, limiter=limiter)
            doors.unpark(count=len(group))

    async def post(number: int) -> None:
        waiting.append(number)
        arrived.unpark()
        await doors.park()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(write)
        yield post
        nursery.cancel_scope.cancel()
    connection.close()
