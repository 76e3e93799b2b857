"""What one actor may post to another: no endless chain, and not too often. Pure."""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Final

import attrs

from actors.delivery.errors import HopLimitReached, PostRateExceeded
from actors.posting import Posting

__all__ = ["Edges"]

_MINUTE: Final = 60.0
_EDGES: Final = 10_000
"""How many edges are remembered: the longest silent is forgotten first."""


@attrs.define
class Edges:
    """How often each actor has posted to each other in the last minute."""

    bounds: Posting
    _posted: OrderedDict[tuple[str, str], deque[float]] = attrs.field(
        factory=OrderedDict[tuple[str, str], "deque[float]"]
    )

    def check(self, sender: str | None, path: str, hops: int, now: float) -> None:
        """Raise `HopLimitReached` or `PostRateExceeded`; else count this one.

        Code outside actors has no rate.
        """
        if self.bounds.hops is not None and hops >= self.bounds.hops:
            raise HopLimitReached(sender, path, hops)
        allowed = self.bounds.per_minute
        if allowed is None or sender is None:
            return
        times = self._posted.setdefault((sender, path), deque())
        self._posted.move_to_end((sender, path))
        while times and times[0] <= now - _MINUTE:
            times.popleft()
        if len(times) >= allowed:
            raise PostRateExceeded(sender, path, allowed, times[0] + _MINUTE - now)
        times.append(now)
        if len(self._posted) > _EDGES:
            self._posted.popitem(last=False)

    def take_back(self, sender: str | None, path: str) -> None:
        """The last one was not posted after all."""
        times = self._posted.get((sender or "", path))
        if times:
            times.pop()
