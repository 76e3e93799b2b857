"""Chunks of a streamed answer: how many may wait, and what an answer adds to them. Pure.

The maker of the chunks has a window of credits and pays one a chunk; the taker gives them back. Here,
in one process, each goes back as it is taken; over a link some at a time, see `Returns`. So never more than a
window of chunks wait untaken, wherever they wait.
"""

from __future__ import annotations

from typing import Any, Final, cast

import attrs

from actors.messages import StreamRequest

__all__ = ["ENDED", "Returns", "Supply", "joined", "last_chunks"]

ENDED: Final = object()
"""The answer of a handler that has given all of it in chunks."""


@attrs.define
class Supply:
    """The maker's side."""

    window: int
    left: int = attrs.field(init=False)
    """So many chunks may be given now."""
    begun: bool = attrs.field(default=False, init=False)
    """A chunk was given."""

    def __attrs_post_init__(self) -> None:
        self.left = self.window

    def pay(self) -> None:
        """One chunk is given. Raises ValueError without credit."""
        if self.left < 1:
            raise ValueError(f"more than {self.window} chunks wait to be taken")
        self.left -= 1
        self.begun = True

    def give_back(self, count: int) -> None:
        """So many were taken. More than wait raises ValueError, and changes nothing."""
        if count < 1 or self.left + count > self.window:
            raise ValueError(f"{count} chunks taken, and only {self.window - self.left} were waiting")
        self.left += count


@attrs.define
class Returns:
    """The taker's side, where telling of each chunk costs too much: credits that go back in one."""

    window: int
    free: int = attrs.field(default=0, init=False)
    """Taken, and not told."""

    def take(self, count: int) -> int:
        """So many were taken; how many to tell of now.

        Told of by quarters of a window: so the maker always has credit when nothing waits here.
        """
        self.free += count
        if self.free * 4 < self.window:
            return 0
        told, self.free = self.free, 0
        return told


def last_chunks(request: object, begun: bool, value: Any) -> tuple[Any, ...]:
    """What an answer adds to the chunks that came before it.

    To a `StreamRequest` a tuple or list is its items, and None nothing; any other value is one chunk, but
    for a None behind others.
    """
    if value is ENDED:
        return ()
    if isinstance(request, StreamRequest):
        if isinstance(value, tuple | list):
            return tuple(cast("list[Any]", value))
        return () if value is None else (value,)
    return () if begun and value is None else (value,)


def joined(request: object, chunks: list[Any], value: Any) -> tuple[Any, ...]:
    """The whole answer for one who has asked and not streamed: the chunks, and what an answer adds."""
    return (*chunks, *last_chunks(request, True, value))
