"""Looking at what is kept in a file, also at one that another process writes to."""

from __future__ import annotations

import json
import logging
import os
import sqlite3
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final, Self, TypeVar

import trio

from actors.delivery.errors import StoreDamaged, StoreInvalid, StoreUnavailable
from actors.delivery.operations import Change, Handled, Saved
from actors.delivery.sqlite.counts import Counts
from actors.delivery.sqlite.errors import translated
from actors.delivery.sqlite.lock import read_note
from actors.delivery.sqlite.rows import (
    CODES,
    STATES,
    Found,
    answer_sum,
    from_ns,
    read_entry,
    read_handled,
    to_ns,
)
from actors.delivery.sqlite.schema import MIGRATIONS, check_version, connect, examine
from actors.delivery.sqlite.texts import DUE, PENDING, entries, past
from actors.delivery.ticket import ENDED, Entry, TicketState

__all__ = ["SQLiteReader"]

T = TypeVar("T")
_log = logging.getLogger("actors.delivery")
_STATE: Final = "json_array(CAST(path AS TEXT), CAST(text AS TEXT), CAST(checksum AS TEXT))"


class SQLiteReader:
    """Reads what is kept in a file; got from `SQLiteStore.open_for_reading`.

    Every method is a checkpoint, and reads in a thread. Raises `StoreUnavailable`, and `StoreDamaged` where
    the file is.
    """

    def __init__(self, where: str, connection: sqlite3.Connection) -> None:
        self._where = where
        self._connection = connection
        self._limiter = trio.CapacityLimiter(1)
        self._is_closed = False

    @classmethod
    def connected(cls, path: str) -> Self:
        """A reader of a file that is being written to."""
        return cls(path, connect(path, mode="ro"))

    @classmethod
    def opened(cls, path: str) -> Self:
        """A reader of a file of which nothing is known."""
        note = read_note(path)
        # Closing a file takes all locks on it from the process, SQLite's too: another program could then
        # remove the log of a store that is open here.
        is_ours = note is not None and note.get("pid") == os.getpid()
        if not is_ours and not examine(path):
            raise StoreInvalid(path, "nothing is kept there yet: check the name")
        try:
            return cls._checked(path, "ro")
        except sqlite3.OperationalError:  # closed, in a folder where nothing may be made: it stays as it is
            return cls._checked(path, "mode=ro&immutable=1")

    @classmethod
    def _checked(cls, path: str, mode: str) -> Self:
        connection = connect(path, mode=mode)
        try:
            version = check_version(connection, path)
            if version < len(MIGRATIONS):
                raise StoreInvalid(
                    path, f"an older version has written it (schema {version}): open it for writing once"
                )
        except BaseException:
            connection.close()
            raise
        return cls(path, connection)

    async def aclose(self) -> None:
        """Close it, when what is being read was read. Not interrupted by cancellation."""
        self._is_closed = True
        with trio.CancelScope(shield=True):
            await trio.to_thread.run_sync(self._connection.close, limiter=self._limiter)

    async def run(self, read: Callable[[sqlite3.Connection], T]) -> T:
        """Read in a thread."""

        def reading() -> T:
            if self._is_closed:
                raise StoreUnavailable(self._where, "it is closed")
            try:
                return read(self._connection)
            except (sqlite3.Error, ValueError) as error:
                raise self._translated(error) from error

        return await trio.to_thread.run_sync(reading, limiter=self._limiter)

    def _translated(self, error: Exception) -> Exception:
        if isinstance(error, json.JSONDecodeError):
            return StoreDamaged(self._where, f"the file is damaged ({error}): put a copy back")
        return translated(self._where, error)

    async def _list(self, statement: str, *arguments: Any) -> list[Any]:
        def read(connection: sqlite3.Connection) -> list[Any]:
            [text] = connection.execute(statement, arguments).fetchone()
            return json.loads(text)

        return await self.run(read)

    async def pending(self, path: str, limit: int, young: Sequence[int] = ()) -> list[Found]:
        """The first of those that wait for a recipient by the index, and those of these places."""
        listed = await self._list(PENDING, path, limit, json.dumps(young))
        found = [read_entry(values) for values in listed]
        return sorted(found, key=lambda one: one.entry.order)

    async def get(self, ticket_id: str) -> Entry | None:
        """See `Engine.get`."""
        which = entries("SELECT seq FROM tickets WHERE id = ?")
        for values in await self._list(which, ticket_id):
            found = read_entry(values)
            if found.damage is not None:
                raise StoreDamaged(self._where, f"{found.damage} of the ticket {ticket_id} is damaged")
            return found.entry
        return None

    async def find(
        self,
        *,
        states: Collection[TicketState] = (),
        path: str | None = None,
        after: int = 0,
        limit: int = 100,
    ) -> list[Entry]:
        """See `Engine.find`."""
        wanted, arguments = _condition(states, path, after)
        which = f"SELECT seq FROM tickets WHERE {wanted} ORDER BY seq LIMIT ?"
        found = await self._list(entries(which), *arguments, limit)
        return sorted((read_entry(values).entry for values in found), key=lambda entry: entry.seq)

    async def due(self, before: float, limit: int) -> list[Entry]:
        """See `Engine.due`."""
        found = await self._list(DUE, to_ns(before), limit)
        late = (read_entry(values, with_payload=False).entry for values in found)
        return sorted(late, key=lambda entry: (entry.due or 0.0, entry.id))

    async def next_due(self) -> float | None:
        """See `Engine.next_due`."""
        text = "SELECT json_array(min(due)) FROM tickets INDEXED BY tickets_due "
        [due] = await self._list(text + "WHERE due IS NOT NULL AND state <= 1")
        return None if due is None else from_ns(due)

    async def load(self, path: str) -> Any:
        """See `Engine.load`."""
        text = "SELECT json_group_array(json_array(CAST(text AS TEXT), CAST(checksum AS TEXT))) FROM states "
        for state, found in await self._list(text + "WHERE path = ?", path):
            if found != answer_sum(path, state):
                raise StoreDamaged(
                    self._where,
                    f"the saved state of {path} is damaged: forget it, and let the actor begin anew",
                )
            return state
        return None

    async def states(self, below: str) -> list[Saved]:
        """See `Engine.states`."""
        text, bounds = f"SELECT json_group_array({_STATE}) FROM states WHERE path >= ?", [below]
        if (end := past(below)) is not None:
            text, bounds = text + " AND path < ?", [below, end]
        try:
            found = await self._list(text, *bounds)
        except StoreDamaged:  # one of them spoils the list: each by itself then
            found = await self._states_one_by_one(text.replace(_STATE, "rowid"), bounds)
        whole = [Saved(path, state) for path, state, known in found if known == answer_sum(path, state)]
        damaged = {path for path, *_ in found} - {saved.path for saved in whole}
        for path in sorted(damaged, key=repr):
            _log.error("%s: the saved state of %r is damaged, and left out", self._where, path)
        return sorted(whole, key=lambda saved: saved.path)

    async def _states_one_by_one(self, rows: str, bounds: Sequence[str]) -> list[Any]:
        found: list[Any] = []
        for row in await self._list(rows, *bounds):
            try:
                found += await self._list(
                    f"SELECT json_group_array({_STATE}) FROM states WHERE rowid = ?", row
                )
            except StoreDamaged as error:
                _log.error("a saved state (row %s) is left out: %s", row, error)
        return found

    async def handled(self, ticket_id: str) -> Handled | None:
        """See `Engine.handled`."""
        columns = "CAST(id AS TEXT), CAST(path AS TEXT), CAST(at AS INTEGER), CAST(answer AS TEXT), "
        text = (
            f"SELECT json_group_array(json_array({columns} CAST(failure AS TEXT), CAST(checksum AS TEXT))) "
        )
        for values in await self._list(text + "FROM handled WHERE id = ?", ticket_id):
            found = read_handled(values)
            if found is None:
                raise StoreDamaged(self._where, f"what is kept of the handled ticket {ticket_id} is damaged")
            return found
        return None

    async def changes(self, after: int, limit: int) -> list[Change]:
        """See `Engine.changes`."""
        columns = "CAST(number AS INTEGER), CAST(id AS TEXT), CAST(path AS TEXT), CAST(state AS INTEGER)"
        found = await self._list(
            f"SELECT json_group_array(json_array({columns}, CAST(attempts AS INTEGER), CAST(at AS INTEGER))) "
            "FROM (SELECT * FROM feed WHERE number > ? ORDER BY number LIMIT ?)",
            after,
            limit,
        )
        return [
            Change(number, ticket_id, path, STATES[state], attempts, from_ns(at))
            for number, ticket_id, path, state, attempts, at in sorted(found)
            if state in STATES
        ]

    async def waiting(self) -> Mapping[str, int]:
        """See `Engine.waiting`."""
        return (await self.run(Counts.read)).live

    async def last_change(self) -> int:
        """See `Engine.last_change`."""
        [number] = await self._list("SELECT json_array(ifnull(max(number), 0)) FROM feed")
        return number


def _condition(states: Collection[TicketState], path: str | None, after: int) -> tuple[str, list[int | str]]:
    """What is looked for, said so that an index serves where there is one."""
    wanted = ["seq > ?"]
    arguments: list[int | str] = [after]
    if states:
        wanted.append(f"state IN ({', '.join(str(CODES[state]) for state in states)})")
        if set(states) <= ENDED:
            wanted.append("state >= 2")
        elif set(states) == {TicketState.PENDING}:
            wanted.append("state = 0")
        elif set(states) == {TicketState.DELIVERED}:
            wanted.append("working = 1")
    if path is not None:
        wanted.append("path = ?")
        arguments.append(path)
    return " AND ".join(wanted), arguments
