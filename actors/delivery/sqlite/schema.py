"""The file: whose it is, which version it has, how it comes to the newest one, and whether it is whole.

What is checked when. At each opening: the first bytes, the application's number, the version. A file of
up to 64 MB is checked wholly (`integrity_check`, some 400 MB/s), and indexes that do not fit their tables
are made anew. One of up to 256 MB that was not closed is checked for its structure (`quick_check`). Of a
larger one nothing more: a damaged page shows when it is read, and a damaged ticket by its checksum.
"""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Sequence
from typing import Final
from urllib.parse import quote

from actors.delivery.errors import StoreDamaged, StoreInvalid, StoreTooNew
from actors.delivery.sqlite.errors import not_openable

__all__ = [
    "APPLICATION",
    "MIGRATIONS",
    "check_kind",
    "check_version",
    "check_whole",
    "connect",
    "examine",
    "migrate",
    "prepare",
]

APPLICATION: Final = 0x61637473
"""The number that says whose file it is: "acts"."""

_MAGIC: Final = b"SQLite format 3\0"
_WHOLLY_CHECKED: Final = 64 * 2**20
_CHECKED_AFTER_A_CRASH: Final = 256 * 2**20
_CHECKPOINT_PAGES: Final = 4000  # 16 MB: the write that copies them into the file takes some ms longer
_OLDEST_SQLITE: Final = (3, 35)
_ONLY_INDEXES: Final = ("missing from index", "wrong # of entries in index", "non-unique entry in index")

_COMPLETE_INDEXES: Final = (
    ("tickets", "tickets_by_id"),
    ("states", "states_by_path"),
    ("handled", "handled_by_id"),
)

_VERSION_1: Final = (
    """CREATE TABLE tickets (
        seq INTEGER PRIMARY KEY, id TEXT NOT NULL, path TEXT NOT NULL, priority INTEGER NOT NULL, key TEXT,
        max_attempts INTEGER NOT NULL, due INTEGER, state INTEGER NOT NULL, attempts INTEGER NOT NULL,
        working INTEGER NOT NULL, changed INTEGER NOT NULL, checksum TEXT NOT NULL,
        indexed INTEGER NOT NULL)""",
    "CREATE UNIQUE INDEX tickets_by_id ON tickets (id)",
    "CREATE INDEX tickets_by_key ON tickets (path, key) WHERE key IS NOT NULL",
    "CREATE INDEX tickets_pending ON tickets (path, priority DESC) WHERE state = 0 AND indexed = 1",
    "CREATE INDEX tickets_in_hand ON tickets (path) WHERE working = 1",
    "CREATE INDEX tickets_due ON tickets (due) WHERE due IS NOT NULL AND state <= 1",
    "CREATE INDEX tickets_ended ON tickets (state, changed) WHERE state >= 2",
    """CREATE TABLE messages (
        seq INTEGER PRIMARY KEY, posted INTEGER NOT NULL, reply INTEGER NOT NULL, sender TEXT,
        node TEXT NOT NULL, hops INTEGER NOT NULL, answers TEXT, payload TEXT, checksum TEXT NOT NULL)""",
    "CREATE TABLE answers (seq INTEGER PRIMARY KEY, text TEXT NOT NULL, checksum TEXT NOT NULL)",
    """CREATE TABLE failures (
        number INTEGER PRIMARY KEY, seq INTEGER NOT NULL, text TEXT NOT NULL, checksum TEXT NOT NULL)""",
    "CREATE INDEX failures_by_ticket ON failures (seq)",
    "CREATE TABLE states (path TEXT NOT NULL, text TEXT NOT NULL, checksum TEXT NOT NULL)",
    "CREATE UNIQUE INDEX states_by_path ON states (path)",
    """CREATE TABLE handled (
        id TEXT NOT NULL, path TEXT NOT NULL, at INTEGER NOT NULL, answer TEXT, failure TEXT,
        checksum TEXT NOT NULL)""",
    "CREATE UNIQUE INDEX handled_by_id ON handled (id)",
    "CREATE INDEX handled_by_time ON handled (at)",
    """CREATE TABLE feed (
        number INTEGER PRIMARY KEY, id TEXT NOT NULL, path TEXT NOT NULL, state INTEGER NOT NULL,
        attempts INTEGER NOT NULL, at INTEGER NOT NULL)""",
    "CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID",
    f"PRAGMA application_id = {APPLICATION}",
)

MIGRATIONS: Final[Sequence[Sequence[str]]] = (_VERSION_1,)
"""What leads from each version to the next: the first makes a new file. Only ever added to."""


def connect(path: str, *, mode: str = "rwc", wait: float = 1.0) -> sqlite3.Connection:
    """A connection to the file, for any one thread at a time. `wait` is in seconds, for the locks of others.

    Texts that are no texts any more come as they are, and are found out by their checksum.
    """
    address = f"file:{quote(os.path.abspath(path))}?{mode if '=' in mode else 'mode=' + mode}"
    connection = sqlite3.connect(
        address, uri=True, timeout=wait, isolation_level=None, check_same_thread=False, cached_statements=128
    )
    connection.text_factory = _text
    return connection


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def check_kind(path: str) -> None:
    """Raises for what is there and no file: opening a pipe would wait for who writes to it."""
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        return
    except OSError as error:
        raise not_openable(path, error) from error
    if stat.S_ISDIR(mode):
        raise StoreInvalid(path, "it is a folder: give the name of a file")
    if not stat.S_ISREG(mode):
        raise StoreInvalid(path, "it is a device, a pipe or a socket: give the name of a file")


def examine(path: str) -> bool:
    """Whether there is something in the file; raises for one that cannot be a store of ours."""
    if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
        needed = ".".join(map(str, _OLDEST_SQLITE))
        raise StoreInvalid(path, f"SQLite {sqlite3.sqlite_version} is too old: {needed} is needed")
    check_kind(path)
    try:
        with open(path, "rb") as file:
            head = file.read(100)
    except FileNotFoundError:
        head = b""
    except OSError as error:
        raise not_openable(path, error) from error
    if not head:
        _check_no_log(path)
        return False
    if head[: len(_MAGIC)] != _MAGIC:
        if head[68:72] == APPLICATION.to_bytes(4, "big"):
            raise StoreDamaged(path, "the first bytes of the file are damaged: put a copy back")
        raise StoreInvalid(
            path, f"it is no database, it begins with {head[:16]!r}: give another name, or move it away"
        )
    return True


def _check_no_log(path: str) -> None:
    """A log is begun after the file: one without it has messages, and SQLite would remove it."""
    try:
        size = os.path.getsize(f"{path}-wal")
    except OSError:
        return
    if size:
        raise StoreDamaged(
            path,
            f"the file is empty or gone, and its log {os.path.basename(path)}-wal is not: put a copy of both "
            "back, or move the log away and begin a new one",
        )


def prepare(connection: sqlite3.Connection, path: str) -> None:
    """Set what holds for this connection; the file becomes one with a write-ahead log."""
    [mode] = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        raise StoreInvalid(
            path, f"no write-ahead log can be kept for it (only {mode!r}): keep it on a local disk"
        )
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA fullfsync = ON")  # macOS: through the cache of the disk, too
    connection.execute("PRAGMA checkpoint_fullfsync = ON")
    connection.execute("PRAGMA foreign_keys = OFF")
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA cell_size_check = ON")
    connection.execute("PRAGMA cache_size = -16384")
    connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")


def migrate(
    connection: sqlite3.Connection, path: str, migrations: Sequence[Sequence[str]] = MIGRATIONS
) -> None:
    """Bring the file to the newest version, each step in a transaction of its own.

    Raises `StoreTooNew`, and `StoreInvalid` for a database of another program.
    """
    version = check_version(connection, path, len(migrations))
    for number, statements in enumerate(migrations[version:], start=version + 1):
        connection.execute("BEGIN IMMEDIATE")
        for statement in statements:
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {number}")
        connection.execute("COMMIT")


def check_version(connection: sqlite3.Connection, path: str, newest: int = len(MIGRATIONS)) -> int:
    """The version of the file, 0 for an empty one; raises where it is not ours, or too new."""
    [application] = connection.execute("PRAGMA application_id").fetchone()
    [version] = connection.execute("PRAGMA user_version").fetchone()
    tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master ORDER BY name LIMIT 4")]
    if application != APPLICATION and (application or version or tables):
        of = f"application {application:#x}" + (f", with {', '.join(tables)}" if tables else "")
        raise StoreInvalid(
            path, f"it is the database of another program ({of}): give another name, or move it away"
        )
    if version > newest:
        raise StoreTooNew(
            path,
            f"a newer version has written it (schema {version}, known here: {newest}): install that version",
        )
    return version


def check_whole(connection: sqlite3.Connection, path: str, *, was_closed: bool) -> bool:
    """Check as much of the file as its size allows; raises `StoreDamaged`. Whether it was checked wholly."""
    size = os.path.getsize(path)
    if size <= _WHOLLY_CHECKED:
        complaints = _complaints(connection, "integrity_check")
        only_indexes = all(any(text in line for text in _ONLY_INDEXES) for line in complaints)
        if complaints and only_indexes and not _lost(connection):
            connection.execute("REINDEX")
            complaints = _complaints(connection, "integrity_check")
    elif size <= _CHECKED_AFTER_A_CRASH and not was_closed:
        complaints = _complaints(connection, "quick_check")
    else:
        return False
    if complaints:
        raise StoreDamaged(
            path,
            f"the file is damaged ({complaints[0]}): put a copy back, or move it away and begin a new one; "
            "`sqlite3 FILE .recover` gets out what can be read",
        )
    return size <= _WHOLLY_CHECKED


def _lost(connection: sqlite3.Connection) -> bool:
    """Whether a table has fewer rows than its index: that is told, and not hidden by a new index."""
    counts = "SELECT (SELECT count(*) FROM {0} NOT INDEXED) < (SELECT count(*) FROM {0} INDEXED BY {1})"
    return any(connection.execute(counts.format(*pair)).fetchone()[0] for pair in _COMPLETE_INDEXES)


def _complaints(connection: sqlite3.Connection, check: str) -> list[str]:
    found = [str(line) for (line,) in connection.execute(f"PRAGMA {check}(20)")]
    return [] if found == ["ok"] else found
