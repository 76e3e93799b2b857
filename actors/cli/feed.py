"""From the events of a run to its screen: bounded, so that a reader that stands still stops nobody.

A screen may stand still for as long as it likes, as a pipe into a pager does. Facts then
wait here, and the newest are dropped and counted when there are too many; the actors and
the ledger go on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import attrs
import trio

from actors.cli.ledger import Row
from actors.cli.lines import Fact
from actors.events import EventsLost
from actors.tree import TreeNode

__all__ = ["Feed", "Picture", "Screen"]

KEPT = 10_000
"""Facts that wait for the screen."""
BATCH = 500
"""Facts that are shown at once."""


@attrs.frozen
class Picture:
    """How everything stands at one moment."""

    tree: TreeNode
    rows: tuple[Row, ...]


class Screen(Protocol):
    """Where a run is shown. `compose` is quick and has the loop to itself; `write` runs in a thread."""

    @property
    def refresh(self) -> float:
        """Seconds after which it is drawn anew although nothing was reported; infinity: never."""
        ...

    def compose(self, facts: Sequence[Fact], look: Callable[[], Picture]) -> Any:
        """What to write for these facts."""
        ...

    def write(self, composed: Any) -> None:
        """Write it; may block. Raises OSError when nobody reads."""
        ...


class Feed:
    """Facts on their way to the screen."""

    def __init__(self, now: Callable[[], float], kept: int = KEPT) -> None:
        self._now = now
        self._send, self._receive = trio.open_memory_channel[Fact](kept)
        self._lost = 0

    def put(self, fact: Fact) -> None:
        """Hand a fact on; never blocks."""
        try:
            self._send.send_nowait(fact)
        except trio.WouldBlock:
            self._lost += 1
        except trio.ClosedResourceError:  # a last line of a process, after the end
            pass

    def close(self) -> None:
        """What waits is still shown."""
        self._send.close()

    async def _next_batch(self, refresh: float) -> list[Fact] | None:
        """All that waits; [] when nothing came for `refresh` seconds; None at the end. A checkpoint."""
        batch: list[Fact] = []
        with trio.move_on_after(refresh):
            try:
                batch.append(await self._receive.receive())
            except trio.EndOfChannel:
                return None
        while len(batch) < BATCH and self._receive.statistics().current_buffer_used:
            batch.append(self._receive.receive_nowait())
        if self._lost:
            batch.append(EventsLost(self._now(), self._lost))
            self._lost = 0
        return batch

    async def show(self, screen: Screen, look: Callable[[], Picture]) -> bool:
        """Show all on the screen; False as soon as nobody reads any more. A checkpoint."""
        while (batch := await self._next_batch(screen.refresh)) is not None:
            composed = screen.compose(batch, look)
            try:
                await trio.to_thread.run_sync(screen.write, composed, abandon_on_cancel=True)
            except OSError:
                return False
        return True
