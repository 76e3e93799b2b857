"""What all parts post, to whom, and how they know that all of it was acknowledged."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from itertools import count
from pathlib import Path

import trio

import actors
from actors.delivery import MemoryStore, SQLiteStore, Store
from actors.delivery.coder import Coder
from actors.delivery.operations import Append
from actors.delivery.store import Opening
from actors.delivery.ticket import Entry
from benchmarks.harness.figures import percentiles
from benchmarks.shared import shares

__all__ = [
    "PATHS",
    "Places",
    "Post",
    "Work",
    "Worker",
    "acknowledged",
    "append",
    "appends",
    "end_to_end",
    "message",
    "opening",
    "receipts",
    "spread_over",
    "stores",
]

PATHS = tuple(f"/worker-{number}" for number in range(50))
"""The recipients."""
SIZE = 200
"""Characters of a payload, about."""
CAPACITY = 10_000_000


@actors.message(tag="bench.Work")
class Work(actors.Request[int]):
    """As JSON, some 200 characters."""

    number: int
    text: str


class Worker(actors.Actor):
    """Answers at once."""

    @actors.receive
    def work(self, message: Work) -> int:
        return message.number


def message(number: int) -> Work:
    """One of many."""
    return Work(number, f"{number:08}" * 20)


Post = Callable[[int], Awaitable[object]]
"""Keeps the message with this number, and returns when it is safe."""


class Places:
    """A folder, and in it a new one for each measurement."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = count(1)

    def new(self) -> Path:
        """A folder that is empty."""
        place = self._folder / f"store-{next(self._numbers)}"
        place.mkdir()
        return place


def stores(places: Places) -> dict[str, Callable[[], Store]]:
    """Those without a server, each time a new one."""
    return {"memory": MemoryStore, "SQLite": lambda: SQLiteStore(places.new() / "posted.db")}


# --- many senders -------------------------------------------------------------------


async def spread_over(post: Post, senders: int, count: int) -> float:
    """Post so many, each sender one after the other; the rate a second."""

    async def sender(numbers: range) -> None:
        for number in numbers:
            await post(number)

    done, began = 0, time.perf_counter()
    async with trio.open_nursery() as nursery:
        for share in shares(count, senders):
            nursery.start_soon(sender, range(done, done + share))
            done += share
    return count / (time.perf_counter() - began)


async def receipts(post: Post, senders: int, each: int, rate: float | None = None) -> Mapping[str, float]:
    """How long a receipt takes, with so many senders.

    Without a `rate` each posts as fast as it can. With one each posts so many a second, at moments of its
    own, and a receipt counts from when the post was due: nobody gains by being late.
    """
    taken: list[float] = []

    async def sender(index: int) -> None:
        due = began + (0 if rate is None else index / senders / rate)
        for number in range(each):
            if rate is None:
                due = trio.current_time()
            else:
                await trio.sleep_until(due)
            await post(index * each + number)
            taken.append(trio.current_time() - due)
            if rate is not None:
                due += 1 / rate

    for number in range(10):
        await post(senders * each + number)  # what the first one has to make is not counted
    began = trio.current_time()
    async with trio.open_nursery() as nursery:
        for index in range(senders):
            nursery.start_soon(sender, index)
    return percentiles(taken) | {"posts": len(taken) / (trio.current_time() - began)}


# --- to the engine itself -----------------------------------------------------------


def opening(name: str = "bench") -> Opening:
    """Who opens it."""
    return Opening(name, f"{name}-{time.time_ns()}", time.time)


def append(number: int, coder: Coder) -> Append:
    """The message as the engine is given it."""
    path = PATHS[number % len(PATHS)]
    now = time.time()
    return Append(Entry(f"{number:032}", path, coder.out(message(number)), now), CAPACITY)


@asynccontextmanager
async def appends(store: Store, coder: Coder) -> AsyncGenerator[Post]:
    """Posts to an engine alone, one operation at a time."""
    async with store.open(opening()) as engine:

        async def post(number: int) -> None:
            await engine.write([append(number, coder)])

        yield post


# --- to the end ---------------------------------------------------------------------


async def end_to_end(store: Store, recipients: int, senders: int, count: int) -> Mapping[str, float]:
    """Post, handle, acknowledge: how many a second from the first post to the last acknowledgement."""
    async with actors.open_system("bench", store=store) as system:
        for path in PATHS[:recipients]:
            await system.start(Worker, name=path[1:])
        began = time.perf_counter()
        await spread_over(partial(posted, system, recipients), senders, count)
        await acknowledged(system, count)
        return {"messages": count / (time.perf_counter() - began)}


async def posted(system: actors.System, recipients: int, number: int) -> None:
    """Post it to one of so many."""
    await system.post(PATHS[number % recipients], message(number))


async def acknowledged(system: actors.System, count: int) -> None:
    """Return when so many were posted, delivered and answered: three changes each, and no others."""
    async with system.posted.feed(after=3 * count - 1) as feed:
        await anext(feed)
