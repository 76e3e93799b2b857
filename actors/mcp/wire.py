"""The stdin and stdout of this process, kept for a protocol: read in lines, written whole, without threads.

Nothing is set to non-blocking: a terminal, or a pipe that others have too, would be so for them as well. A
descriptor that is ready takes a small piece without blocking, so it is waited for, and pieces are small.
"""

from __future__ import annotations

import fcntl
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from io import TextIOWrapper
from typing import Final

import attrs
import trio

__all__ = ["LONGEST_LINE", "Lines", "ReaderGone", "TextOut", "taken_over"]

LONGEST_LINE: Final = 4 * 1024 * 1024
"""Bytes of one line."""
_PIECE: Final = 64 * 1024
_SMALL: Final = 4096
"""Bytes that a pipe which is ready has room for."""


class ReaderGone(Exception):
    """Nobody reads what is written any more."""


@contextmanager
def taken_over() -> Generator[tuple[int, int]]:
    """The real stdin and stdout, as other descriptors. Until the end 0 is at its end, and 1 is stderr.

    So what an actor prints, or a program that it starts, is seen by people and not taken for the protocol.
    Raises OSError where stdin or stdout are closed.
    """
    waits = _at_once(True)
    source = fcntl.fcntl(0, fcntl.F_DUPFD_CLOEXEC, 3)
    try:
        target = fcntl.fcntl(1, fcntl.F_DUPFD_CLOEXEC, 3)
    except OSError:
        os.close(source)
        raise
    try:
        _point(0, os.open(os.devnull, os.O_RDONLY))
        _point(1, _errors())
        yield source, target
    finally:
        _at_once(waits)
        _point(0, source)
        _point(1, target)


def _point(number: int, opened: int) -> None:
    os.dup2(opened, number)
    os.close(opened)


def _errors() -> int:
    try:
        return os.dup(2)
    except OSError:
        return os.open(os.devnull, os.O_WRONLY)


def _at_once(lines: bool) -> bool:
    """What is printed comes out now, and from now on with each line, or not; what it was before."""
    printed = sys.stdout
    if not isinstance(printed, TextIOWrapper):  # there may be none, or one of somebody's own
        return lines
    before = printed.line_buffering
    with suppress(OSError, ValueError):  # it may be closed
        printed.reconfigure(line_buffering=lines)
    return before


@attrs.define(eq=False)
class Lines:
    """What is read from a descriptor, one line after the other, the last one with or without its end.

    A line that is too long is read away, and comes out as words that are no JSON. What is no UTF-8 is
    replaced.
    """

    _fd: int
    _longest: int = LONGEST_LINE
    _read: bytearray = attrs.field(factory=bytearray, init=False)
    _looked: int = attrs.field(default=0, init=False)
    _is_over: bool = attrs.field(default=False, init=False)

    def __aiter__(self) -> Lines:
        return self

    async def __anext__(self) -> str:
        """The next line, with its end. A checkpoint."""
        too_long = False
        while True:
            end = self._read.find(b"\n", self._looked) + 1
            if end or self._is_over:
                line = self._taken(end or len(self._read))
                if not line and not too_long:
                    raise StopAsyncIteration
                return f"a line of more than {self._longest} bytes" if too_long else line
            self._looked = len(self._read)
            if self._looked > self._longest:
                too_long = True
                self._taken(self._looked)
            await self._more()

    def _taken(self, size: int) -> str:
        line = self._read[:size].decode(errors="replace")
        del self._read[:size]
        self._looked = 0
        return line

    async def _more(self) -> None:
        try:
            await trio.lowlevel.wait_readable(self._fd)
        except PermissionError:  # a file: always ready
            await trio.lowlevel.checkpoint()
        try:
            piece = os.read(self._fd, _PIECE)
        except OSError:  # a terminal that has gone
            piece = b""
        self._is_over = not piece
        self._read += piece


@attrs.define(eq=False)
class TextOut:
    """Texts that are written to a descriptor."""

    _fd: int

    async def write(self, text: str) -> None:
        """Write all of it. A checkpoint. Cancelled, a part may have gone out. Raises `ReaderGone`."""
        rest = memoryview(text.encode(errors="backslashreplace"))
        while rest:
            try:
                await trio.lowlevel.wait_writable(self._fd)
            except PermissionError:  # a file
                await trio.lowlevel.checkpoint()
            try:
                rest = rest[os.write(self._fd, rest[:_SMALL]) :]
            except OSError as error:
                raise ReaderGone("nobody reads any more") from error

    async def flush(self) -> None:
        """Nothing is held back."""
        await trio.lowlevel.checkpoint()
