"""What tmux says in control mode, taken apart. Pure; `feed` takes bytes in whatever portions.

Replies stand between `%begin` and `%end` or `%error` with the same three numbers; everything else
that begins with `%` is a notice. tmux never puts a notice into a reply, so a line in a reply that
looks like one is text of a pane. A pane could print an end of a reply with the very numbers of the one at
hand; it would get only itself into trouble, as `Client` takes no reply for whole before it has seen
a word that no pane knows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, TypeAlias

import attrs

__all__ = ["ControlParser", "Exited", "NotControlMode", "Notice", "Output", "Paused", "Reply", "unescape"]

LONGEST_LINE: Final = 64 * 1024 * 1024
"""Bytes of a line; longer is no tmux. A line of a captured history may be long."""
_OCTAL: Final = re.compile(rb"\\([0-7]{3})")
_GUARD: Final = re.compile(rb"%(begin|end|error) (\d+) (\d+) (\d+)")


class NotControlMode(ValueError):
    """This is not what tmux says in control mode."""


@attrs.frozen
class Reply:
    """What one command printed. `ours` is False for commands of hooks and of the command line."""

    ok: bool
    lines: tuple[str, ...]
    ours: bool = True


@attrs.frozen
class Output:
    """The program in a pane has written `data`."""

    pane: str
    data: bytes = attrs.field(repr=False)


@attrs.frozen
class Paused:
    """We were too slow for a pane, and get no more of its output until we ask for it."""

    pane: str


@attrs.frozen
class Exited:
    """Nothing more will come; `reason` is often empty."""

    reason: str


@attrs.frozen
class Notice:
    """Anything else: `%window-renamed @0 gone` has the name "window-renamed" and the rest "@0 gone"."""

    name: str
    rest: str


Said: TypeAlias = "Reply | Output | Paused | Exited | Notice"


def unescape(data: bytes) -> bytes:
    r"""The bytes that a pane wrote: `\ooo` is one of them, everything else stands for itself."""
    if b"\\" not in data:
        return data
    return _OCTAL.sub(lambda found: bytes((int(found[1], 8) & 0xFF,)), data)


class ControlParser:
    """Takes the output of a `tmux -C` apart."""

    __slots__ = ("_begun", "_lines", "_longest", "_rest")

    def __init__(self, longest: int = LONGEST_LINE) -> None:
        self._rest = bytearray()
        self._begun: bytes | None = None
        self._lines: list[str] = []
        self._longest = longest

    def feed(self, data: bytes) -> list[Said]:
        """What is complete with `data`, in order. Raises `NotControlMode`."""
        searched = len(self._rest)
        self._rest += data
        if self._rest.find(b"\n", searched) < 0:
            if len(self._rest) > self._longest:
                raise NotControlMode(f"a line of more than {self._longest} bytes")
            return []
        *lines, rest = bytes(self._rest).split(b"\n")
        self._rest = bytearray(rest)
        return [said for line in lines for said in self._line(line.removesuffix(b"\r"))]

    def _line(self, line: bytes) -> Iterator[Said]:
        if self._begun is not None:
            yield from self._in_reply(line)
            return
        if not line.startswith(b"%"):
            raise NotControlMode(f"{line[:80]!r} outside a reply")
        word, _, rest = line.partition(b" ")
        if word == b"%output":
            pane, _, value = rest.partition(b" ")
            yield Output(_text(pane), unescape(value))
        elif word == b"%extended-output":
            about, _, value = rest.partition(b" : ")
            yield Output(_text(about.partition(b" ")[0]), unescape(value))
        elif word == b"%begin":
            if _GUARD.fullmatch(line) is None:
                raise NotControlMode(f"{line[:80]!r} begins no reply")
            self._begun, self._lines = rest, []
        elif word == b"%pause":
            yield Paused(_text(rest))
        elif word == b"%exit":
            yield Exited(_text(rest))
        else:
            yield Notice(_text(word[1:]), _text(rest))

    def _in_reply(self, line: bytes) -> Iterator[Said]:
        found = _GUARD.fullmatch(line)
        if found is None or found[1] == b"begin" or line.partition(b" ")[2] != self._begun:
            self._lines.append(_text(line))
            return
        yield Reply(found[1] == b"end", tuple(self._lines), found[4] != b"0")
        self._begun, self._lines = None, []


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")
