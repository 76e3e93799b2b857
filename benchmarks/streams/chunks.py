"""How many chunks a second: in one process and over a link, beside a memory channel of trio."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, AsyncIterator
from functools import partial

import attrs
import trio

import actors
from benchmarks.harness.figures import Figures, measured

__all__ = ["SIZES", "Sizes", "here", "there"]

CHANNEL = "a memory channel"
STREAM = "ref.stream"
TOKEN = "and so "


@attrs.frozen
class Sizes:
    """How much is measured."""

    here: int = 200_000
    """Chunks within a process."""
    there: int = 50_000
    """Chunks over a link."""
    windows: tuple[int, ...] = (1, 16, 256)


SIZES = {False: Sizes(), True: Sizes(1000, 200, (16,))}
"""By whether it is to be quick."""


@actors.message
class Complete(actors.StreamRequest[str]):
    """So many tokens."""

    count: int


class Model(actors.Actor):
    """Its tokens cost nothing."""

    @actors.receive
    async def complete(self, message: Complete) -> AsyncIterator[str]:
        for _ in range(message.count):
            yield TOKEN


async def _channel(count: int, window: int) -> dict[str, float]:
    """A task that sends, and one that takes."""
    put, get = trio.open_memory_channel[str](window)

    async def send() -> None:
        async with put:
            for _ in range(count):
                await put.send(TOKEN)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(send)
        began, taken = time.perf_counter(), 0
        async for _ in get:
            taken += 1
        spent = time.perf_counter() - began
    assert taken == count
    return {"chunks": count / spent}


async def _taken(ref: actors.Ref, count: int, window: int) -> dict[str, float]:
    began, taken = time.perf_counter(), 0
    async for _ in ref.stream(Complete(count), window=window):
        taken += 1
    spent = time.perf_counter() - began
    assert taken == count
    return {"chunks": count / spent}


async def _here(count: int, window: int) -> dict[str, float]:
    async with actors.open_system("bench", watchdog=None) as system:
        return await _taken(await system.start(Model), count, window)


async def _there(count: int, window: int) -> dict[str, float]:
    """Both nodes are in this process, and share its core."""
    async with (
        actors.open_system("beta", watchdog=None) as beta,
        actors.open_system("alpha", watchdog=None) as alpha,
    ):
        beta.spawn(Model, name="model")
        listener = await beta.listen("127.0.0.1", 0, token="bench")
        peer = await alpha.connect(listener.url, token="bench")
        await peer.wait_up()
        model = await peer.find("/model")
        assert model is not None
        return await _taken(model, count, window)


async def here(sizes: Sizes, rounds: int) -> AsyncGenerator[Figures]:
    """Within one process."""
    for window in sizes.windows:
        yield await measured(
            f"{sizes.here:,} chunks in one process, window {window}",
            {"chunks": "/s"},
            {
                CHANNEL: partial(_channel, sizes.here, window),
                STREAM: partial(_here, sizes.here, window),
            },
            rounds,
            base=CHANNEL,
        )


async def there(sizes: Sizes, rounds: int) -> AsyncGenerator[Figures]:
    """Over a link of the loopback."""
    for window in sizes.windows:
        few = max(1, sizes.there // (1 if window > 1 else 10))
        yield await measured(
            f"{few:,} chunks over a link, window {window}",
            {"chunks": "/s"},
            {STREAM: partial(_there, few, window)},
            rounds,
        )
