"""The parts of the benchmark that need no server: receipts, throughput, end to end."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial

import attrs

import actors
from actors.coding import JsonCoder
from actors.delivery import SQLiteStore, Store
from benchmarks.delivery.bare import group_writer, one_by_one
from benchmarks.delivery.work import (
    PATHS,
    Places,
    Post,
    Worker,
    appends,
    end_to_end,
    message,
    posted,
    receipts,
    spread_over,
    stores,
)
from benchmarks.harness.figures import Aim, Figures, Side, measured

__all__ = ["SIZES", "Sizes", "ends", "receipt", "throughput"]

BARE = "bare group commit"
PLAIN = "plain sqlite3 loop"


@attrs.frozen
class Sizes:
    """How much is measured."""

    receipts: int = 6000
    """Receipts in one closed loop."""
    seconds: float = 3.0
    """How long a paced one takes."""
    posts: int = 20_000
    plain: int = 2000
    """Transactions of the plain loop, which waits for the disk each time."""
    rate: float = 20.0
    """Posts a second of each paced sender."""
    pending: int = 100_000
    many: int = 1_000_000


SIZES = {False: Sizes(), True: Sizes(200, 0.1, 200, 50, 20.0, 400, 1000)}
"""By whether it is to be quick."""

Opened = Callable[[], AbstractAsyncContextManager[Post]]


@asynccontextmanager
async def system_of(store: Callable[[], Store], workers: bool = False) -> AsyncGenerator[Post]:
    """`system.post`, to recipients that are there, or not."""
    async with actors.open_system("bench", store=store()) as system:
        for path in PATHS if workers else ():
            await system.start(Worker, name=path[1:])
        yield partial(posted, system, len(PATHS))


def _opened(places: Places) -> dict[str, Opened]:
    payload = JsonCoder().out(message(0))
    ours: dict[str, Opened] = {name: partial(system_of, store) for name, store in stores(places).items()}
    return {BARE: lambda: group_writer(places.new(), payload), **ours}


# --- receipts -----------------------------------------------------------------------


async def receipt(places: Places, sizes: Sizes, rounds: int) -> AsyncGenerator[Figures]:
    """How soon is there a receipt, with nobody there?"""
    units = {"p50": "ms", "p99": "ms", "posts": "posts/s"}
    opened = _opened(places)
    payload = JsonCoder().out(message(0))
    for senders in (1, 100, 200):
        each = max(1, min(sizes.receipts, 2000 if senders == 1 else sizes.receipts) // senders)
        sides = {name: partial(_receipts, one, senders, each) for name, one in opened.items()}
        if senders == 1:
            plain: Opened = lambda: one_by_one(places.new(), payload)  # noqa: E731
            sides = {PLAIN: partial(_receipts, plain, senders, each), **sides}
        aims = _aims() if senders == 100 else ()
        title = f"Receipts, {senders} senders as fast as they can, {each} posts each, nobody there"
        yield await measured(title, units, sides, rounds, base=BARE, aims=aims)
    each = max(1, round(sizes.seconds * sizes.rate))
    paced = {name: partial(_receipts, one, 100, each, sizes.rate) for name, one in opened.items()}
    for name, store in stores(places).items():
        there = partial(system_of, store, True)
        paced[f"{name}, delivered too"] = partial(_receipts, there, 100, each, sizes.rate)
    title = f"Receipts, 100 senders with {sizes.rate:g} posts a second each, from when each was due"
    yield await measured(title, units, paced, rounds, base=BARE, aims=_aims())


def _aims() -> list[Aim]:
    return [Aim("SQLite", "p99", 5.0, "less"), Aim("memory", "p99", 5.0, "less")]


async def _receipts(
    opened: Opened, senders: int, each: int, rate: float | None = None
) -> Mapping[str, float]:
    async with opened() as post:
        return await receipts(post, senders, each, rate)


# --- throughput ---------------------------------------------------------------------


async def throughput(places: Places, sizes: Sizes, rounds: int) -> AsyncGenerator[Figures]:
    """How many posts a second are safe?"""
    payload, coder = JsonCoder().out(message(0)), JsonCoder()
    opened = _opened(places)
    opened["SQLite, engine alone"] = lambda: appends(SQLiteStore(places.new() / "posted.db"), coder)
    sides: dict[str, Side] = {name: partial(_rate, one, 100, sizes.posts) for name, one in opened.items()}
    sides[PLAIN] = partial(_rate, lambda: one_by_one(places.new(), payload), 1, sizes.plain)
    aims = [Aim(name, "posts", 0.6, than=BARE) for name in ("SQLite, engine alone", "SQLite")]
    title = f"Throughput, {sizes.posts:,} posts by 100 senders, nobody there"
    yield await measured(title, {"posts": "posts/s"}, sides, rounds, base=BARE, aims=aims)


async def _rate(opened: Opened, senders: int, count: int) -> Mapping[str, float]:
    async with opened() as post:
        return {"posts": await spread_over(post, senders, count)}


# --- end to end ---------------------------------------------------------------------


async def ends(places: Places, sizes: Sizes, rounds: int) -> AsyncGenerator[Figures]:
    """How many messages a second are posted, handled and acknowledged?"""
    sides = {
        f"{name}, {recipients}": partial(
            _end, store, recipients, sizes.posts if recipients > 1 else sizes.plain
        )
        for name, store in stores(places).items()
        for recipients in (50, 1)
    }
    aims = [Aim(f"{name}, 50", "messages", 5000) for name in ("SQLite", "memory")]
    title = f"End to end, {sizes.posts:,} messages to 50 recipients, {sizes.plain:,} to one, by 100 senders"
    yield await measured(title, {"messages": "messages/s"}, sides, rounds, aims=aims)


async def _end(store: Callable[[], Store], recipients: int, count: int) -> Mapping[str, float]:
    return await end_to_end(store(), recipients, 100, count)
