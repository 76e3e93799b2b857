"""The engine that keeps posted messages in one SQLite file: for one process, through crashes.

A write-ahead log with `synchronous = FULL`: a commit is on the disk when it returns. One connection writes,
in groups (`groupcommit`, `batch`); two more read, one for what deliveries wait for and one for lists,
which may be long. Nothing of it runs in the thread of the loop but what is known without looking: how
many tickets wait for whom.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from itertools import count
from typing import Any, Self, TypeVar

import trio

from actors.delivery.errors import StoreInvalid, StoreUnavailable
from actors.delivery.operations import Change, Handled, Operation, Result, Saved
from actors.delivery.shelf import NODE_ENDED
from actors.delivery.sqlite.batch import Batch, Mend
from actors.delivery.sqlite.counts import Counts
from actors.delivery.sqlite.errors import concerns_everybody, not_openable, translated
from actors.delivery.sqlite.groupcommit import Call, GroupCommit
from actors.delivery.sqlite.lock import FileLock, read_note
from actors.delivery.sqlite.reading import SQLiteReader
from actors.delivery.sqlite.schema import (
    check_kind,
    check_version,
    check_whole,
    connect,
    examine,
    migrate,
    prepare,
)
from actors.delivery.store import Directory, Engine, Opening, Signal
from actors.delivery.ticket import Entry, Failure, TicketState

__all__ = ["SQLiteStore"]

T = TypeVar("T")
_PATIENCE = 20


class SQLiteStore:
    """Keeps posted messages in the SQLite file `path`, which is made where it is not there.

    One process at a time has it open for writing. Beside it are the files that SQLite makes (`-wal`,
    `-shm`) and one of ours (`-lock`). It has to be on a disk of this machine.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        if not isinstance(path, str | bytes | os.PathLike):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"give the name of a file, such as 'actors.db', not {path!r}")
        self._path = os.fspath(path)
        if self._path == ":memory:":
            raise StoreInvalid(self._path, "that is no file: to keep messages in memory, use MemoryStore()")
        if not isinstance(self._path, str) or not self._path or "\0" in self._path:  # type: ignore[redundant-expr]
            raise StoreInvalid(repr(path), "it is no name of a file: give one, such as 'actors.db'")
        self._lock: FileLock | None = None
        self._opener = ""
        """The incarnation that had it open last: opened by it again, what it has in hand is in hand."""

    def __repr__(self) -> str:
        return f"<SQLiteStore {self._path}>"

    @property
    def where(self) -> str:
        """See `Store.where`."""
        return self._path

    @property
    def is_durable(self) -> bool:
        """True: it outlives the process, and the machine's power."""
        return True

    @property
    def is_shared(self) -> bool:
        """False: it is one process's."""
        return False

    def open(self, opening: Opening) -> AbstractAsyncContextManager[Engine]:
        """See `Store.open`. Takes up to 2 s for a million tickets: `schema` says what is checked."""
        return self._opened(opening)

    @asynccontextmanager
    async def _opened(self, opening: Opening) -> AsyncGenerator[Engine]:
        lock = await self._in_thread(lambda: self._locked(opening.node))
        try:
            ended = None if opening.incarnation == self._opener else opening.wall()
            engine = await self._in_thread(lambda: _SQLiteEngine.opened(self._path, opening.wall, ended))
            self._opener = opening.incarnation
            self._lock = lock
            try:
                yield engine
            finally:
                self._lock = None
                await engine.aclose()
        finally:
            lock.release()

    def _locked(self, node: str) -> FileLock:
        check_kind(self._path)  # before a lock is made beside what is none
        return FileLock.take(self._path, node)

    @asynccontextmanager
    async def open_for_reading(self) -> AsyncGenerator[SQLiteReader]:
        """Look at what is kept, while another process may have it open; nothing is changed.

        Raises `StoreInvalid`, `StoreTooNew`, `StoreDamaged` or `StoreUnavailable`.
        """
        reader = await self._in_thread(lambda: SQLiteReader.opened(self._path))
        try:
            yield reader
        finally:
            await reader.aclose()

    def tell(self, **facts: Any) -> None:
        """Leave a note for other processes of this machine, such as an address; only the file's owner can
        read it. It is gone when the store is closed. Raises `StoreUnavailable` where the store is not open.
        """
        if self._lock is None:
            raise StoreUnavailable(self._path, "it is not open here: open it first")
        try:
            self._lock.tell(**facts)
        except OSError as error:
            raise not_openable(self._path, error) from error

    def read_note(self) -> dict[str, Any] | None:
        """What the process that has it open says of itself: `pid`, `node`, and what it has told. None
        where there is none. It may be out of date where that process was killed: expect nobody there.
        """
        return read_note(self._path)

    async def _in_thread(self, function: Callable[[], T]) -> T:
        """Call it in a thread, and say in our words what SQLite says."""
        try:
            return await trio.to_thread.run_sync(function, limiter=trio.CapacityLimiter(1))
        except sqlite3.Error as error:
            raise translated(self._path, error) from error


class _SQLiteEngine:
    """The file, opened."""

    def __init__(
        self, path: str, wall: Callable[[], float], connection: sqlite3.Connection, counts: Counts
    ) -> None:
        self._path = path
        self._wall = wall
        self._connection = connection
        self._counts = counts
        self._deliveries = SQLiteReader.connected(path)
        self._lists = SQLiteReader.connected(path)
        self._changed = trio.lowlevel.ParkingLot()
        self._writing = GroupCommit(self._commit, self._changed.unpark_all)
        self._is_closed = False
        self._is_uncertain = False
        """A commit was begun, and has not said what became of it: the counts may not be those of the disk."""

    @classmethod
    def opened(cls, path: str, wall: Callable[[], float], ended: float | None) -> Self:
        """Open the file; in a thread. `ended` is when whoever had tickets in hand was no more."""
        was_there = examine(path)
        was_closed = not _size(f"{path}-wal")
        connection = connect(path)
        try:
            check_version(connection, path)  # before anything is changed in it
            prepare(connection, path)
            migrate(connection, path)
            is_checked = was_there and check_whole(connection, path, was_closed=was_closed)
            counts = _counted(connection, whole=is_checked, at=ended)
            return cls(path, wall, connection, counts)
        except BaseException:
            connection.close()
            raise

    async def aclose(self) -> None:
        """Write what is queued, copy everything into the file, and close it. Not interrupted."""
        self._is_closed = True
        with trio.CancelScope(shield=True):
            await self._writing.wait_idle()
            await self._deliveries.aclose()
            await self._lists.aclose()
            await trio.to_thread.run_sync(self._close, limiter=trio.CapacityLimiter(1))

    def _close(self) -> None:
        try:
            # where it fails (a full disk) nothing is lost: it is in the log, for the next opening
            with suppress(sqlite3.Error):
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            self._connection.close()

    def _check_open(self) -> None:
        if self._is_closed:
            raise StoreUnavailable(self._path, "it is closed: nothing was written")

    @property
    def directory(self) -> Directory | None:
        return None

    # --- writing ---

    async def write(self, group: Sequence[Operation]) -> list[Result]:
        self._check_open()
        return await self._writing.write(group)

    def _commit(self, calls: Sequence[Call]) -> None:
        """Write a group, in a thread. Where one caller's operations cannot be written the others' are."""
        try:
            self._transact(calls)
        except Exception as error:
            self._roll_back()
            if len(calls) == 1 or concerns_everybody(error):
                for call in calls:
                    call.error = translated(self._path, error)
                    call.error.__cause__ = error if call.error is not error else None
            else:
                for call in calls:
                    self._commit([call])

    def _transact(self, calls: Sequence[Call]) -> None:
        if self._connection.in_transaction:  # the last one could not even be rolled back
            self._connection.execute("ROLLBACK")
        if self._is_uncertain:
            self._counts = _counted(self._connection)
            self._is_uncertain = False
        self._connection.execute("BEGIN IMMEDIATE")
        batch = Batch(self._connection, self._counts)
        batch.load(operation for call in calls for operation in call.operations)
        results = [[batch.apply(operation) for operation in call.operations] for call in calls]
        batch.close()
        self._is_uncertain = True
        self._connection.execute("COMMIT")
        batch.count()
        self._is_uncertain = False
        for call, its_results in zip(calls, results, strict=True):
            call.results = its_results

    def _roll_back(self) -> None:
        if self._connection.in_transaction:
            with suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")

    # --- reading ---

    async def take(
        self, path: str, limit: int, *, again: bool = False, token: int | None = None
    ) -> list[Entry]:
        for tries in count():
            young = [seq for _, seq in self._counts.young.get(path, ())[:limit]]
            found = await self._deliveries.pending(path, limit, young)
            damaged = {one.row.seq: one.damage for one in found if one.damage is not None}
            pending = [
                one.entry
                for one in found
                if one.entry.state is TicketState.PENDING and one.entry.path == path
            ]
            others = {one.row.seq for one in found} - {entry.seq for entry in pending}
            # the index says what is not so; of a young one that may be because it was moved meanwhile
            strays = not others <= set(young) or (bool(others) and tries > _PATIENCE)
            if not damaged and not strays:
                if not others or len(pending) >= limit:
                    return pending[:limit]
                continue
            self._check_open()
            await self._writing.write([Mend(damaged, self._wall(), reindex=strays)])
        raise AssertionError("counting does not end")

    async def waiting(self) -> Mapping[str, int]:
        await trio.lowlevel.checkpoint()
        return dict(self._counts.live)

    async def get(self, ticket_id: str) -> Entry | None:
        return await self._deliveries.get(ticket_id)

    async def find(
        self,
        *,
        states: Collection[TicketState] = (),
        path: str | None = None,
        after: int = 0,
        limit: int = 100,
    ) -> list[Entry]:
        return await self._lists.find(states=states, path=path, after=after, limit=limit)

    async def due(self, before: float, limit: int) -> list[Entry]:
        return await self._deliveries.due(before, limit)

    async def next_due(self) -> float | None:
        return await self._deliveries.next_due()

    async def load(self, path: str) -> Any:
        return await self._deliveries.load(path)

    async def states(self, below: str) -> list[Saved]:
        return await self._lists.states(below)

    async def handled(self, ticket_id: str) -> Handled | None:
        return await self._deliveries.handled(ticket_id)

    async def changes(self, after: int, limit: int) -> list[Change]:
        # what is committed is counted a moment later: until then `waiting` does not know of it
        counted = self._counts.number
        return [one for one in await self._lists.changes(after, limit) if one.number <= counted]

    async def last_change(self) -> int:
        await trio.lowlevel.checkpoint()
        return self._counts.number

    async def wait_change(self, after: int) -> None:
        await trio.lowlevel.checkpoint()
        while self._counts.number <= after:
            await self._changed.park()

    async def signals(self) -> AsyncIterator[Signal]:
        await trio.sleep_forever()
        yield  # type: ignore[misc]  # one store, one node: there is nobody else to signal


def _counted(connection: sqlite3.Connection, *, whole: bool = False, at: float | None = None) -> Counts:
    """Count what is there; all that is pending goes to the index. With `whole` it is looked for everywhere.

    `at` that time whoever had tickets in hand was no more: each has failed once.
    """
    connection.execute("BEGIN IMMEDIATE")
    counts = Counts.read(connection)
    batch = Batch(connection, counts)
    batch.index_until(counts.seq, since=0 if whole else None)
    if at is not None:
        for ticket_id in batch.load_in_hand():
            batch.fail(ticket_id, Failure(at, 0, "", NODE_ENDED))
    batch.close()
    connection.execute("COMMIT")
    batch.count()
    return counts


def _size(path: str) -> int:
    try:
        return os.path.getsize(path)
    except OSError:
        return 0
