"""What waits for one WebSocket client: bounded, and given up for one that does not keep up."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

import attrs
import trio

__all__ = ["Outbox", "Past"]

_FRAMES: Final = 512
_CHARACTERS: Final = 4 * 1024 * 1024


@attrs.frozen
class Past:
    """Stands among the frames for facts after one number, up to another: read when its turn comes."""

    after: int
    until: int


class Outbox:
    """Frames for one client, in order. One task takes them. `give_up` is called once, when too much waits."""

    __slots__ = ("_frames", "_give_up", "_lot", "_size", "is_closed", "is_over")

    def __init__(self, give_up: Callable[[], object] = lambda: None) -> None:
        self._give_up = give_up
        self._frames: deque[str | Past] = deque()
        self._size = 0
        self._lot = trio.lowlevel.ParkingLot()
        self.is_over = False
        """Too much waits: the client has to come again, and goes on where it was."""
        self.is_closed = False
        """Nothing more comes: this side ends."""

    def __len__(self) -> int:
        return len(self._frames)

    def put(self, frame: str | Past) -> None:
        """One more; never blocks. Nothing is kept for a client that is given up."""
        if self.is_over or self.is_closed:
            return
        self._frames.append(frame)
        self._size += _size(frame)
        if len(self._frames) > _FRAMES or self._size > _CHARACTERS:
            self.is_over = True
            self._frames.clear()
            self._give_up()  # whoever sends is stuck in what was taken before
        self._lot.unpark()

    def close(self) -> None:
        """Nothing more comes. Never blocks."""
        self.is_closed = True
        self._lot.unpark()

    async def take(self) -> str | Past | None:
        """The next frame, or None when none will come. A checkpoint."""
        while not (self._frames or self.is_over or self.is_closed):
            await self._lot.park()
        if self.is_over or self.is_closed:
            return None
        frame = self._frames.popleft()
        self._size -= _size(frame)
        return frame


def _size(frame: str | Past) -> int:
    return len(frame) if isinstance(frame, str) else 0
