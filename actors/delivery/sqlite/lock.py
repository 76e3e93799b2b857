"""One process at a time writes to a file: a lock of the kernel, and a note of who has it.

The lock is on a file beside the store, named like it with `-lock` at the end. It ends with the
process, however that ends; the file stays, because taking it away could give two processes a lock each.
"""

from __future__ import annotations

import fcntl
import json
import os
from typing import Any, Self

from actors.delivery.errors import StoreInUse
from actors.delivery.sqlite.errors import not_openable

__all__ = ["FileLock", "lock_path", "read_note"]

_LARGEST_NOTE = 65536


def lock_path(path: str) -> str:
    """The file beside the store; one file has one, by whatever links it is reached."""
    return os.path.realpath(path) + "-lock"


def read_note(path: str) -> dict[str, Any] | None:
    """What the process that has the store at `path` open says of itself: `pid`, `node`, and what it added.

    None where no such process lives. Where its number was given to another process since it was killed
    the note is an old one: whoever goes by it finds nobody at its address.
    """
    try:
        with open(lock_path(path), encoding="utf-8") as file:
            note = json.loads(file.read(_LARGEST_NOTE))
    except (OSError, ValueError):
        return None
    if not isinstance(note, dict):
        return None
    found: dict[str, Any] = note  # type: ignore[assignment]  # keys of JSON are texts
    return found if _lives(found.get("pid")) else None


def _lives(pid: object) -> bool:
    if not isinstance(pid, int) or pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except PermissionError:  # somebody else's
        return True
    except (OSError, OverflowError):
        return False
    return True


class FileLock:
    """The lock, held."""

    def __init__(self, descriptor: int, note: dict[str, Any]) -> None:
        self._descriptor = descriptor
        self._note = note

    @classmethod
    def take(cls, path: str, node: str) -> Self:
        """Take it; raises `StoreInUse` naming who has it, `StoreInvalid` and `StoreUnavailable`."""
        try:
            # what it may hold, such as the word that opens an address, is nobody else's
            descriptor = os.open(lock_path(path), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise not_openable(path, error) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            lock = cls(descriptor, {"pid": os.getpid(), "node": node})
            lock.tell()
        except BlockingIOError:
            os.close(descriptor)
            raise StoreInUse(path, _who(path)) from None
        except OSError as error:
            os.close(descriptor)
            raise not_openable(path, error) from error
        return lock

    def tell(self, **facts: Any) -> None:
        """Add to what others can read of this process; raises OSError."""
        self._note.update(facts)
        text = json.dumps(self._note).encode()
        os.pwrite(self._descriptor, text, 0)
        os.ftruncate(self._descriptor, len(text))

    def release(self) -> None:
        """Let it go. Idempotent."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            try:
                os.ftruncate(descriptor, 0)
            finally:
                os.close(descriptor)


def _who(path: str) -> str:
    note = read_note(path) or {}
    pid, node = note.get("pid"), note.get("node")
    if pid == os.getpid():
        return "this process has it open already: one system at a time can use it"
    named = "another process" if pid is None else f"the process {pid} (node {node})"
    return f"{named} has it open: end that one, or give this one a file of its own"
