"""What a process writes, as bytes in any portions: its lines, and the end of it. Both bounded.

Pure: whoever reads feeds in what came. How the bytes were cut into portions changes
nothing about what comes out; the tests hold that.
"""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["Lines", "Tail"]


class Lines:
    """Cuts a stream into lines, without their newlines. At most `limit` bytes wait for their end.

    A longer line comes in pieces of `limit` bytes and a rest, so that nothing is lost.
    A carriage return is left where it is.
    """

    __slots__ = ("_limit", "_rest")

    def __init__(self, limit: int) -> None:
        if limit < 1:
            raise ValueError(f"limit must be 1 byte or more, not {limit!r}")
        self._limit = limit
        self._rest = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that `data` ends, in order, and the pieces of one that is too long."""
        *ended, rest = data.split(b"\n")
        lines: list[bytes] = []
        for part in ended:
            if self._rest or len(part) > self._limit:
                lines.extend(self._append(part))
                lines.append(self._take(len(self._rest)))
            else:
                lines.append(part)
        lines.extend(self._append(rest))
        return lines

    def flush(self) -> list[bytes]:
        """The last line, when the stream ended without a newline; else []."""
        return [self._take(len(self._rest))] if self._rest else []

    def _append(self, part: bytes) -> Iterator[bytes]:
        """Keep `part` waiting; yield what is too much, a piece at a time."""
        self._rest += part
        while len(self._rest) > self._limit:  # not at the limit: its end may be the next byte
            yield self._take(self._limit)

    def _take(self, size: int) -> bytes:
        taken = bytes(self._rest[:size])
        del self._rest[:size]
        return taken


class Tail:
    """The last `limit` bytes of a stream, and how many were dropped before them."""

    __slots__ = ("_kept", "_limit", "dropped")

    dropped: int
    """Bytes that came and are not kept."""

    def __init__(self, limit: int) -> None:
        if limit < 0:
            raise ValueError(f"limit must be 0 bytes or more, not {limit!r}")
        self._limit = limit
        self._kept = bytearray()  # deleting at its front is cheap
        self.dropped = 0

    def feed(self, data: bytes) -> None:
        """Keep `data`, and drop the oldest bytes beyond the limit."""
        self._kept += data
        excess = len(self._kept) - self._limit
        if excess > 0:
            del self._kept[:excess]
            self.dropped += excess

    def value(self) -> bytes:
        """What is kept now."""
        return bytes(self._kept)
