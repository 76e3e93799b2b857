"""The Redis engine beside bare appends to a stream, on a server of its own with every receipt on the disk."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from itertools import count
from typing import Any

import trio

from actors.coding import JsonCoder
from actors.delivery import RedisStore
from benchmarks.chaos.server import Server
from benchmarks.delivery.parts import Opened, Sizes, system_of
from benchmarks.delivery.work import Places, Post, appends, end_to_end, message, receipts, spread_over
from benchmarks.harness.figures import Aim, Figures, Side, measured

__all__ = ["on_redis"]

BARE = "bare XADD, 100 senders"
_IN_A_PIPE = 100


async def on_redis(places: Places, sizes: Sizes, rounds: int) -> AsyncGenerator[Figures]:
    """All of it; the server is stopped at the end."""
    server = Server(places.new())
    await trio.to_thread.run_sync(server.start)
    try:
        yield await _appends(server.url, sizes, rounds)
        yield await _receipts(server.url, sizes, rounds)
        yield await _ends(server.url, sizes, rounds)
    finally:
        server.stop()


_prefixes = count(1)


def _store(url: str) -> RedisStore:
    """On data of its own."""
    return RedisStore(url, f"bench{next(_prefixes)}")


async def _appends(url: str, sizes: Sizes, rounds: int) -> Figures:
    payload, coder = JsonCoder().out(message(0)), JsonCoder()
    bare: Opened = partial(bare_stream, url, payload)
    sides: dict[str, Side] = {
        "bare XADD, one sender": partial(_rate, bare, 1, sizes.plain),
        BARE: partial(_rate, bare, 100, sizes.posts),
        f"bare XADD, {_IN_A_PIPE} in a pipe": partial(_piped, url, payload, sizes.posts),
        "engine alone, one sender": partial(_rate, lambda: appends(_store(url), coder), 1, sizes.plain),
        "engine alone, 100 senders": partial(_rate, lambda: appends(_store(url), coder), 100, sizes.posts),
        "system.post, one sender": partial(_rate, lambda: system_of(lambda: _store(url)), 1, sizes.plain),
        "system.post, 100 senders": partial(_rate, lambda: system_of(lambda: _store(url)), 100, sizes.posts),
    }
    aims = [
        Aim("engine alone, one sender", "posts", 0.6, than="bare XADD, one sender"),
        Aim("engine alone, 100 senders", "posts", 1200),
        Aim("system.post, 100 senders", "posts", 1200),
    ]
    title = "Redis, appendfsync always: posts, nobody there"
    return await measured(title, {"posts": "posts/s"}, sides, rounds, base=BARE, aims=aims)


async def _receipts(url: str, sizes: Sizes, rounds: int) -> Figures:
    each = max(1, round(sizes.seconds * sizes.rate))

    async def paced(opened: Opened) -> Mapping[str, float]:
        async with opened() as post:
            return await receipts(post, 100, each, sizes.rate)

    payload = JsonCoder().out(message(0))
    sides = {
        "bare XADD": partial(paced, partial(bare_stream, url, payload)),
        "Redis": partial(paced, lambda: system_of(lambda: _store(url))),
        "Redis, delivered too": partial(paced, lambda: system_of(lambda: _store(url), True)),
    }
    units = {"p50": "ms", "p99": "ms", "posts": "posts/s"}
    title = f"Redis: receipts, 100 senders with {sizes.rate:g} posts a second each, from when each was due"
    aims = [Aim("Redis", "p99", 20.0, "less")]
    return await measured(title, units, sides, rounds, base="bare XADD", aims=aims)


async def _ends(url: str, sizes: Sizes, rounds: int) -> Figures:
    async def end(recipients: int) -> Mapping[str, float]:
        count = sizes.posts if recipients > 1 else sizes.plain
        return await end_to_end(_store(url), recipients, 100, count)

    sides = {f"Redis, {recipients}": partial(end, recipients) for recipients in (50, 1)}
    title = f"Redis: end to end, {sizes.posts:,} messages to 50 recipients, {sizes.plain:,} to one"
    return await measured(title, {"messages": "messages/s"}, sides, rounds)


async def _rate(opened: Opened, senders: int, count: int) -> Mapping[str, float]:
    async with opened() as post:
        return {"posts": await spread_over(post, senders, count)}


def _client(url: str) -> Any:
    import coredis

    return coredis.Redis.from_url(url, max_connections=8, decode_components=True)


@asynccontextmanager
async def bare_stream(url: str, payload: str) -> AsyncGenerator[Post]:
    """XADD of the payload, by a client whose connections all senders share."""
    key = f"stream{next(_prefixes)}"
    async with _client(url) as client:

        async def post(number: int) -> None:
            await client.xadd(key, {"payload": payload})

        yield post


async def _piped(url: str, payload: str, count: int) -> Mapping[str, float]:
    """As many in one pipe as there are senders elsewhere: each pipe is waited for."""
    key = f"stream{next(_prefixes)}"
    async with _client(url) as client:

        async def post(number: int) -> None:
            async with client.pipeline(transaction=False) as pipe:
                for _ in range(_IN_A_PIPE):
                    pipe.xadd(key, {"payload": payload})

        pipes = max(1, count // _IN_A_PIPE)
        return {"posts": _IN_A_PIPE * await spread_over(post, 1, pipes)}
