"""What the tests of the SQLite store work with: a store in a file, tickets, and connections that fail."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import attrs

from actors.delivery.operations import Append, Moved
from actors.delivery.sqlite import SQLiteStore
from actors.delivery.store import Engine, Opening
from actors.delivery.ticket import Entry, Move

__all__ = ["START", "Faults", "answered", "delivered", "entry", "faulty_connect", "open_store", "post"]

START = 1_700_000_000.0
_numbers = count(1)


def entry(path: str = "/a", **fields: Any) -> Entry:
    """A ticket to post."""
    ticket_id = fields.pop("id", f"t{next(_numbers):04}")
    return Entry(ticket_id, path, fields.pop("payload", '{"n": 1}'), fields.pop("posted", START), **fields)


def post(path: str = "/a", **fields: Any) -> Append:
    """A post."""
    return Append(entry(path, **fields), 1_000_000)


def delivered(ticket_id: str, attempt: int = 1) -> Moved:
    """It is handed over."""
    return Moved(ticket_id, Move.DELIVER, START + 1, attempt)


def answered(ticket_id: str, attempt: int = 1, **more: Any) -> Moved:
    """It is answered."""
    return Moved(ticket_id, Move.ANSWER, START + 2, attempt, answer='"yes"', **more)


@asynccontextmanager
async def open_store(path: Path | str, at: float = START + 10) -> AsyncGenerator[Engine]:
    """The store in the file."""
    async with SQLiteStore(path).open(Opening("test", "life", lambda: at)) as engine:
        yield engine


@attrs.define
class Faults:
    """Which statement fails, and how."""

    at: int = 0
    """The number of the statement; 0: none."""
    after: bool = False
    """Whether it is done all the same."""
    code: int = sqlite3.SQLITE_IOERR
    only: str = ""
    """Count only statements that begin so."""
    seen: int = 0

    def error(self) -> sqlite3.OperationalError:
        error = sqlite3.OperationalError("injected")
        error.sqlite_errorcode = self.code
        return error


def faulty_connect(monkeypatch: Any, faults: Faults) -> None:
    """From now on connections fail by this plan."""

    class Connection(sqlite3.Connection):
        def execute(self, sql: str, *arguments: Any) -> sqlite3.Cursor:
            sql = sql.replace("synchronous = FULL", "synchronous = OFF")  # many openings: the disk is slow
            if not sql.startswith(faults.only):
                return super().execute(sql, *arguments)
            faults.seen += 1
            fails = faults.seen == faults.at
            if fails and not faults.after:
                raise faults.error()
            cursor = super().execute(sql, *arguments)
            if fails:
                cursor.close()
                raise faults.error()
            return cursor

    connect = sqlite3.connect

    def connected(*arguments: Any, **named: Any) -> sqlite3.Connection:
        return connect(*arguments, factory=Connection, **named)

    monkeypatch.setattr(sqlite3, "connect", connected)
