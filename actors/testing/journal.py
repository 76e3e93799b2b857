"""The file into which the processes of a campaign note what they do."""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType
from typing import Self

from actors.testing.history import History, Noted, Record, from_lines, to_line

__all__ = ["Journal"]


class Journal:
    """Appends records to a file that other processes append to as well.

    Each record is one write: what was noted outlives a SIGKILL of its process, not a power loss.
    """

    def __init__(self, path: str | os.PathLike[str], by: str = "") -> None:
        self._path = Path(path)
        self._by = by
        self._file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def note(
        self, noted: Noted, id: str, *, path: str = "", priority: int = 0, attempt: int = 0, state: str = ""
    ) -> None:
        """Append one record. Blocks for as long as the write takes. Raises OSError."""
        record = Record(noted, id, path, priority, attempt, state, self._by)
        line = to_line(record).encode()
        written = os.write(self._file, line)
        if written < len(line):
            raise OSError(f"{self._path}: only {written} of {len(line)} bytes of a record were written")

    def close(self) -> None:
        """Close the file. Idempotent."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    @staticmethod
    def read(path: str | os.PathLike[str]) -> History:
        """All that was noted so far. A character that was cut in two counts as a line that was cut off."""
        return from_lines(Path(path).read_bytes().decode(errors="replace"))
