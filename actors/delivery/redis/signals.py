"""What other nodes have done, as the Redis server tells it: by reads that it holds until there is something.

Signals are entries of a stream of this node, numbered without a gap. Where numbers are missing, and whenever
the server was away or has forgotten the stream, `Resumed` says that everything is to be looked at.
"""

from __future__ import annotations

import logging
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, Any, Final

import trio

from actors.delivery.errors import StoreUnavailable
from actors.delivery.redis import scripts as scripts
from actors.delivery.redis import wire as wire
from actors.delivery.redis.line import BLOCK, Line
from actors.delivery.store import Resumed, Signal

if TYPE_CHECKING:
    import coredis
    from coredis.response.types import StreamEntry

__all__ = ["KEPT", "FeedWatch", "hello", "listen"]

KEPT: Final = 60.0
"""Seconds for which the stream of a node is kept when it is not heard."""
_AT_ONCE: Final = 500
_FIRST, _LONGEST = 0.05, 5.0
"""Seconds between two tries."""
_log = logging.getLogger("actors.delivery")


async def hello(ask: Callable[..., Awaitable[Any]], node: str, *, is_new: bool = False) -> tuple[bool, int]:
    """Make or keep the stream of a node: whether it was there still, and the number at its end."""
    kept, end = await ask(scripts.LISTEN, node, str(round(1000 * KEPT)), str(int(is_new)))
    return bool(kept), _number(end)


async def listen(line: Line, first: tuple[str, str], node: str) -> AsyncIterator[Signal]:
    """Signals, for ever. While the server is away it is asked again and again, with growing pauses."""
    stream = f"{first[0]}:wake:{first[1]}"
    heard, said_hello, tries, lost = 0, -math.inf, 0, line.lost

    async def ask(script: scripts.Script, *arguments: str) -> Any:
        return await line.ask(script, *first, *arguments)

    async def read(client: coredis.Redis[bytes]) -> Any:
        return await client.xread({stream: f"{heard}-0"}, count=_AT_ONCE, block=round(1000 * BLOCK))

    while True:
        try:
            seen, is_doubtful = line.lost, line.lost != lost or tries > 0
            if is_doubtful or trio.current_time() >= said_hello + BLOCK:
                is_kept, end = await hello(ask, node)
                said_hello, lost, tries = trio.current_time(), seen, 0
                heard = min(heard, end)
                if is_doubtful or not is_kept:
                    yield Resumed()
            found = await line.held(read)
        except (StoreUnavailable, *line.passing) as error:
            _log.info("%s: no signals for now: %s", line.where, error)
            await trio.sleep(_pause(tries))
            tries += 1
            continue
        for identity, fields in _entries(found):
            number = _number(identity)
            if number != heard + 1:
                yield Resumed()
            heard = number
            signal = wire.signal(fields)
            if signal is not None:
                yield signal


class FeedWatch:
    """Wakes those who follow the changes: one read for all of them, and none where nobody waits."""

    def __init__(self, line: Line, first: tuple[str, str]) -> None:
        self._line = line
        self._first = first
        self._newest = 0
        self._waiting: dict[object, int] = {}
        self._idle = trio.lowlevel.ParkingLot()
        self._waiters = trio.lowlevel.ParkingLot()

    async def wait(self, after: int) -> None:
        """Return when there is a change behind `after`."""
        await trio.lowlevel.checkpoint()
        one = object()
        self._waiting[one] = after
        self._idle.unpark_all()
        try:
            while self._newest <= after:
                await self._waiters.park()
        finally:
            del self._waiting[one]

    async def run(self) -> None:
        """Watch, for as long as somebody waits; until cancelled."""
        tries = 0
        while True:
            while not self._is_awaited():
                await self._idle.park()
            try:
                self._newest = int(await self._line.ask(scripts.LAST_CHANGE, *self._first) or 0)
                self._waiters.unpark_all()
                if self._is_awaited():
                    await self._line.held(self._read)
                tries = 0
            except (StoreUnavailable, *self._line.passing):
                await trio.sleep(_pause(tries))
                tries += 1

    def _is_awaited(self) -> bool:
        return any(after >= self._newest for after in self._waiting.values())

    async def _read(self, client: coredis.Redis[bytes]) -> None:
        feed = f"{self._first[0]}:feed"
        await client.xread({feed: f"{self._newest}-0"}, count=1, block=round(1000 * BLOCK))


def _pause(tries: int) -> float:
    return min(_FIRST * 2 ** min(tries, 10), _LONGEST)


def _number(identity: Any) -> int:
    return int(wire.text(identity).partition("-")[0])


def _entries(found: Any) -> Iterator[tuple[bytes, dict[str, str]]]:
    streams: dict[bytes, tuple[StreamEntry, ...]] = found or {}
    for entries in streams.values():
        for entry in entries:
            fields = {wire.text(name): wire.text(value) for name, value in entry.field_values.items()}
            yield wire.text(entry.identifier).encode(), fields
