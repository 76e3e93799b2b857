"""By what line a process says that it is ready: the expression, and the look for it. Pure.

Looked at are lines: complete ones with their newline, and the one that is not ended yet, as it
stands, since a prompt has no newline. So an expression with a newline at its end waits for the
whole line, and any other may be found when only a part of it was written. Of a line without an
end only the last `OVERLAP` characters are looked at again, so that the work is linear and the
memory flat: as with error patterns.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable
from typing import Any, TypeAlias

from actors.monitor.patterns import OVERLAP

__all__ = ["Expression", "ReadyLine", "as_expression"]

Expression: TypeAlias = "re.Pattern[str] | re.Pattern[bytes]"
"""Of str it is searched in lines decoded as UTF-8, of bytes in lines as they come."""


def as_expression(ready: str | bytes | Expression | None) -> Expression | None:
    """`ready` compiled; ValueError for what is no expression, or one that every line matches."""
    if ready is None:
        return None
    if not isinstance(ready, str | bytes | re.Pattern):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(
            f"ready must be a regular expression, not {ready!r}: write ready='listening on', "
            f"or None for a process that is ready when it runs"
        )
    regex: re.Pattern[Any] = ready if isinstance(ready, re.Pattern) else _compiled(ready)
    if regex.search(regex.pattern[:0]) is not None:
        raise ValueError(
            f"ready {regex.pattern!r} matches the empty string, and so does every line: "
            f"write what the line has in it, or '.' for any line that is not empty"
        )
    return regex


def _compiled(ready: Any) -> Expression:
    try:
        return re.compile(ready)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(
            f"ready {ready!r} is no regular expression: {error}; "
            f"for just this text write {re.escape(ready)!r}"
        ) from None


class ReadyLine:
    """Looks for one expression in both outputs of a process, each for itself."""

    __slots__ = ("_streams",)

    def __init__(self, regex: Expression) -> None:
        self._streams = {stream: _LineSearch(regex) for stream in ("stdout", "stderr")}

    def feed(self, stream: str, data: bytes) -> bool:
        """True when a line has it that `data` begins, goes on or ends."""
        return self._streams[stream].feed(data)


class _LineSearch:
    """Looks for one expression in the lines of one stream, in whatever portions it comes."""

    __slots__ = ("_cut", "_decode", "_newline", "_regex", "_rest", "_return")

    def __init__(self, regex: re.Pattern[Any]) -> None:
        self._regex = regex
        self._decode: Callable[[bytes], Any] = bytes
        self._newline: Any = b"\n"
        self._return: Any = b"\r"
        if isinstance(regex.pattern, str):
            self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
            self._newline, self._return = "\n", "\r"
        self._rest: Any = self._newline[:0]
        self._cut = False

    def feed(self, data: bytes) -> bool:
        *ended, rest = (self._rest + self._decode(data)).split(self._newline)
        for line in ended:
            if self._matches(line.removesuffix(self._return) + self._newline):  # `$` is before a CR, too
                return True
            self._cut = False
        found = self._matches(rest)
        # Of a long line its end is kept, behind the one character before it: by that a
        # regular expression sees that the line did not begin there.
        self._cut = self._cut or len(rest) > OVERLAP + 1
        self._rest = rest[-OVERLAP - 1 :]
        return found

    def _matches(self, line: Any) -> bool:
        return self._regex.search(line, 1 if self._cut else 0) is not None
