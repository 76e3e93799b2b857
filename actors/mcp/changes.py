"""Who is told when a resource has changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import trio
from mcp.server.subscriptions import InMemorySubscriptionBus
from mcp.shared.subscriptions import ResourceUpdated, ServerEvent

if TYPE_CHECKING:
    from actors.system import System

__all__ = ["EVENTS", "TREE", "TREE_JSON", "Changes"]

EVENTS: Final = "actors://events"
TREE: Final = "actors://tree"
TREE_JSON: Final = "actors://tree.json"
_SHAPES: Final = ("Spawned", "Started", "Restarted", "Failed", "Stopped", "Suspended", "Resumed", "Parked")
"""Facts after which the tree looks different."""


class Changes(InMemorySubscriptionBus):
    """Tells those who listen that a resource has changed. Nothing is looked at while nobody does."""

    def __init__(self, system: System) -> None:
        super().__init__()
        self._system = system
        self._listening = 0
        self._begun = trio.Event()
        self._turn = trio.Lock()

    def subscribe(self, listener: Callable[[ServerEvent], None]) -> Callable[[], None]:
        """From now on it hears of changes, until what is returned is called."""
        leave = super().subscribe(listener)
        self._listening += 1
        self._begun.set()
        left = False

        def unsubscribe() -> None:
            nonlocal left
            self._listening -= not left
            left = True
            leave()

        return unsubscribe

    async def follow(self) -> None:
        """Tell of changes, until cancelled; several facts of one moment are told of once.

        Of several that follow, for several transports, one does so, and the next one when that ends.
        """
        async with self._turn:
            journal = self._system.journal
            while not journal.closed:
                if not self._listening:
                    self._begun = trio.Event()
                    await self._begun.wait()
                after = journal.last
                while self._listening and not journal.closed:
                    await journal.wait(after)
                    page = journal.after(after)
                    after = page.after
                    if any(one.kind in _SHAPES for one in page.facts):
                        await self.publish(ResourceUpdated(uri=TREE))
                        await self.publish(ResourceUpdated(uri=TREE_JSON))
                    if page.facts:
                        await self.publish(ResourceUpdated(uri=EVENTS))
