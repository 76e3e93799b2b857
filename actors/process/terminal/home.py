"""The folder of one terminal: the socket of its tmux server, and who holds it.

Only we may enter it. A terminal that shall be found again has a folder of a known name, which is
locked for as long as somebody holds it: the lock goes with the process, however that ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import stat
import tempfile
from pathlib import Path
from typing import Final

from actors.process.terminal.errors import TerminalNotStarted

__all__ = ["Home", "longest_folder"]

_LONGEST: Final = 103 if os.uname().sysname == "Darwin" else 107
"""Bytes of the name of a socket."""
_SOCKET: Final = "s"
_DIGEST: Final = 10


def longest_folder() -> int:
    """How many bytes the absolute name of a folder for terminals may have."""
    return _LONGEST - len(f"/{'x' * _DIGEST}/{_SOCKET}")


class Home:
    """A folder with a socket in it; made or found by `temporary` or `named`."""

    def __init__(self, path: Path, lock: int | None) -> None:
        self.path = path
        self.socket = path / _SOCKET
        self._lock = lock
        self._foreign = False

    @classmethod
    def temporary(cls) -> Home:
        """A new one, which nobody will find again. Raises `TerminalNotStarted`."""
        folder = tempfile.gettempdir()
        if len(os.fsencode(folder)) > longest_folder():
            folder = "/tmp"
        try:
            return cls(Path(tempfile.mkdtemp(prefix="actors-", dir=folder)), None)
        except OSError as error:
            raise TerminalNotStarted(
                f"no folder for the socket of tmux can be made: {error}. Set TMPDIR to a folder that is yours"
            ) from error

    @classmethod
    def named(cls, folder: str, name: str, key: str) -> Home:
        """That of `key` in `folder`, made or found, and held. Raises `TerminalNotStarted`."""
        digest = hashlib.sha256(key.encode()).hexdigest()[:_DIGEST]
        room = max(0, longest_folder() - len(os.fsencode(folder)) - 1)
        path = Path(folder) / (f"{name[:room]}-{digest}" if room else digest)
        try:
            for made in (Path(folder), path):
                made.mkdir(mode=0o700, parents=True, exist_ok=True)
            return cls(path, _hold(path))
        except BlockingIOError as error:
            raise TerminalNotStarted(
                f"{path} is held by another living system: stop that one, or pass another folder="
            ) from error
        except OSError as error:
            raise TerminalNotStarted(
                f"{path} cannot be used for the socket of tmux: {error}. Pass a folder= that is yours"
            ) from error

    @property
    def is_named(self) -> bool:
        """True where it can be found again."""
        return self._lock is not None

    def is_foreign(self) -> None:
        """What is in it belongs to somebody else: it is not removed."""
        self._foreign = True

    def release(self) -> None:
        """Let go of it, and leave it. Idempotent."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def remove(self) -> None:
        """Take it away, with all that is in it. Idempotent."""
        if not self._foreign:
            shutil.rmtree(self.path, ignore_errors=True)
        self.release()


def _hold(path: Path) -> int:
    """A lock on the folder; BlockingIOError when somebody else has it."""
    while True:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            ours = os.fstat(descriptor)
            if ours.st_uid != os.geteuid() or stat.S_IMODE(ours.st_mode) & 0o077:
                raise PermissionError(f"{path} may be entered by others than its owner: chmod 700 it")
            with contextlib.suppress(FileNotFoundError):  # it was removed before we had the lock
                if os.stat(path).st_ino == ours.st_ino:
                    return descriptor
            path.mkdir(mode=0o700, exist_ok=True)
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
