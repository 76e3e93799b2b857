"""What was said to one child and is not answered yet, and what its lines mean by that. Pure.

Rules of this file. An id is given once, and open until the child ends it: one word of the four that
end a request, whether or not anybody still wants to hear it. What was cancelled stays open, since the
child may be at work on it, and nobody else can know when it is not. So there is at most one end to
each id, and whatever is said of an id that is not open is ignored, with the reason.

Bytes come in any portions. Of a line without an end at most `max_line` bytes are kept: one that is
longer ends the conversation, as nobody can know what is in it. So do `max_garbage` lines in a row that
mean nothing: it is no child that speaks this protocol.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

import attrs

from actors.process.lines.words import (
    Alive,
    Answered,
    Cancelled,
    Chunk,
    Failed,
    Garbage,
    Logged,
    Protocol,
    Ready,
    Said,
    TurnedDown,
    Used,
    read,
    shown,
)

__all__ = ["Broken", "Conversation", "Ignored", "Meant"]


@attrs.frozen
class Ignored:
    """A line that changes nothing, shortened; and why."""

    line: str
    why: str


@attrs.frozen
class Broken:
    """There is no talking to this child: why."""

    why: str


Meant: TypeAlias = (
    "Ready | Answered | Failed | TurnedDown | Cancelled | Chunk | Alive | Used | Logged | Ignored | Broken"
)


@attrs.define
class Conversation:
    """One child, from its start to its end."""

    protocol: Protocol
    max_line: int
    max_garbage: int | None
    is_ready: bool = False
    is_broken: bool = False
    _open: dict[int, bool] = attrs.field(factory=dict[int, bool])
    """Ids that were given and not ended, oldest first; True: cancelled."""
    _last: int = 0
    _garbage: int = 0
    _rest: bytearray = attrs.field(factory=bytearray)

    # --- to the child ---

    @property
    def waiting(self) -> int:
        """How many requests are open, cancelled ones too."""
        return len(self._open)

    @property
    def next_id(self) -> int:
        """The number that `begin` will give."""
        return self._last + 1

    def begin(self) -> int:
        """A number for one more request; it is open from now on."""
        self._last += 1
        self._open[self._last] = False
        return self._last

    def cancel(self, id: int) -> bool:
        """True when the child is to be told, which is once for what is open."""
        if self._open.get(id) is not False:
            return False
        self._open[id] = True
        return True

    # --- from the child ---

    def feed(self, data: bytes) -> Iterator[Meant]:
        """What these bytes mean, one thing after the other; nothing any more once it is broken."""
        *ended, rest = data.split(b"\n")
        for part in ended:
            if self._rest:
                part = bytes(self._rest + part)
                self._rest.clear()
            yield from self._hear(part)
        self._rest += rest
        if len(self._rest) > self.max_line and not self.is_broken:
            yield self._too_long(self._rest)
        if self.is_broken:
            self._rest.clear()

    def end(self) -> Iterator[Meant]:
        """Its output has ended: a line that was not, is none."""
        rest, self._rest = bytes(self._rest), bytearray()
        if rest.strip() and not self.is_broken:
            yield Ignored(shown(rest), "is no whole line: the output ended in it")

    def _too_long(self, line: bytes | bytearray) -> Broken:
        self.is_broken = True
        return Broken(
            f"wrote a line of more than max_line={self.max_line} bytes, which begins "
            f"{shown(bytes(line[:80]))!r}: raise max_line, or let it write shorter ones"
        )

    def _hear(self, line: bytes) -> Iterator[Meant]:
        if self.is_broken:
            return
        if len(line) > self.max_line:
            yield self._too_long(line)
            return
        said = read(self.protocol, line)
        if any(not isinstance(one, Garbage) for one in said):
            self._garbage = 0
        for one in said:
            yield self._meant(line, one)
            if self.is_broken:
                return

    def _meant(self, line: bytes, said: Said) -> Meant:
        if isinstance(said, Garbage):
            return self._trash(said)
        if isinstance(said, Ready):
            self.is_ready = True
        elif isinstance(said, Chunk):
            if said.id not in self._open:
                return self._unknown(line, said.id)
        elif isinstance(said, Answered | Failed | TurnedDown | Cancelled):
            cancelled = self._open.pop(said.id, None)
            if cancelled is None:
                return self._unknown(line, said.id)
            if isinstance(said, Cancelled) and not cancelled:
                return Failed(said.id, "it says that it was cancelled, and nobody has cancelled it")
        return said

    def _trash(self, said: Garbage) -> Meant:
        self._garbage += 1
        if self.max_garbage is not None and self._garbage > self.max_garbage:
            self.is_broken = True
            return Broken(
                f"wrote more than max_garbage={self.max_garbage} lines in a row that are not of the "
                f"protocol, the last one {said.line!r}, which {said.why}"
            )
        return Ignored(said.line, said.why)

    def _unknown(self, line: bytes, id: int) -> Ignored:
        fate = "was never asked" if id > self._last else "has ended before"
        return Ignored(shown(line), f"is about {id}, which {fate}")
