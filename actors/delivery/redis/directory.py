"""Who owns which name, kept on the Redis server. Its clock alone decides when a lease lapses."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from actors.delivery.redis import scripts as scripts
from actors.delivery.redis import wire as wire
from actors.delivery.shelf import NODE_ENDED
from actors.delivery.store import Opening, Owner

__all__ = ["RedisDirectory"]


class RedisDirectory:
    """See `Directory`. A lease is a key that the server removes in time."""

    def __init__(self, ask: Callable[..., Awaitable[Any]], opening: Opening) -> None:
        self._ask = ask
        self._opening = opening
        self._milliseconds = str(round(1000 * opening.lease))
        self.epoch = ""
        """Of the lease as this node knows it: another one is kept when it has lapsed meanwhile."""

    async def claim(self, path: str) -> Owner:
        """See `Directory.claim`. A node whose name was started again elsewhere hears of another owner."""
        when, why = repr(self._opening.wall()), json.dumps(NODE_ENDED)
        answer = await self._ask(scripts.CLAIM, path, self._opening.node, self._milliseconds, when, why)
        return _owner(answer)

    async def release(self, path: str) -> None:
        """See `Directory.release`."""
        await self._ask(scripts.RELEASE, path)

    async def owner(self, path: str) -> Owner | None:
        """See `Directory.owner`."""
        answer = await self._ask(scripts.OWNER, path)
        return _owner(answer) if answer else None

    async def renew(self) -> bool:
        """See `Directory.renew`."""
        known, self.epoch = self.epoch, wire.text(await self._ask(scripts.RENEW, self._milliseconds))
        return self.epoch == known


def _owner(answer: Any) -> Owner:
    node, token = answer
    return Owner(wire.text(node), int(token))
