"""What SQLite and the system say when a file cannot be used, in words that tell what to do."""

from __future__ import annotations

import errno
import sqlite3
from typing import Final

from actors.delivery.errors import StoreDamaged, StoreError, StoreInvalid, StoreUnavailable

__all__ = ["concerns_everybody", "not_openable", "translated"]

_CURES: Final = {
    sqlite3.SQLITE_FULL: "the disk is full: free some space, and write again",
    sqlite3.SQLITE_READONLY: "it may only be read: let this process write to it and to its folder",
    sqlite3.SQLITE_PERM: "this process may not use it: give it the right to",
    sqlite3.SQLITE_BUSY: "another program is writing to it: end that one",
    sqlite3.SQLITE_LOCKED: "another program is writing to it: end that one",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened: look whether its folder is there and may be written",
    sqlite3.SQLITE_IOERR: "the disk refuses: look at its space, its limits and its health",
    sqlite3.SQLITE_PROTOCOL: "its locks do not work: keep it on a disk of this machine",
}
_CURE_OF_DAMAGE: Final = (
    "put a copy back, or move it away and begin a new one; `sqlite3 FILE .recover` gets out what can be read"
)
_DAMAGES: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT})
_TEXTS_OF_DAMAGE: Final = (
    "malformed JSON",
    "BLOB",
    "UTF-8",
    "no such table",
    "no such column",
    "no such index",
)


def translated(where: str, error: Exception) -> Exception:
    """The error to raise for one of SQLite; any other as it is."""
    if not isinstance(error, sqlite3.Error):
        return error
    code: int = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    if code in _DAMAGES or any(text in str(error) for text in _TEXTS_OF_DAMAGE):
        return StoreDamaged(where, f"the file is damaged ({error}): {_CURE_OF_DAMAGE}")
    if isinstance(error, sqlite3.OperationalError):
        cure = _CURES.get(code, "it does not work now")
        return StoreUnavailable(where, f"{cure} ({error})")
    return error


def concerns_everybody(error: Exception) -> bool:
    """Whether the file as a whole cannot be written now, whoever tries."""
    return isinstance(translated("", error), StoreUnavailable)


def not_openable(where: str, error: OSError) -> StoreError:
    """The error for a file, or a file beside it, that the system does not let us open."""
    match error.errno:
        case errno.ENOENT | errno.ENOTDIR:
            return StoreInvalid(where, "its folder is not there: make it first")
        case errno.EISDIR:
            return StoreInvalid(where, "it is a folder: give the name of a file")
        case errno.EACCES | errno.EPERM:
            return StoreInvalid(
                where,
                "this process may not read and write there: give it the right to, or choose another place",
            )
        case errno.EROFS:
            return StoreInvalid(where, "it is on a disk that may only be read: choose another place")
        case errno.ENOSPC | errno.EDQUOT:
            return StoreUnavailable(where, "the disk is full: free some space")
        case _:
            return StoreUnavailable(where, f"it cannot be opened ({error.strerror})")
