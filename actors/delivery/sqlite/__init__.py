"""The engine in a file: SQLite, for one process at a time."""

from actors.delivery.sqlite.store import SQLiteStore

__all__ = ["SQLiteStore"]
