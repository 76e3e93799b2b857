"""Does it hurt the actors when somebody looks at the page, from a process of its own, as a browser is?"""

from __future__ import annotations

import itertools
import random
import subprocess
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

import trio

import actors
from benchmarks.harness.figures import Aim, Figures, Side, measured, percentiles
from benchmarks.people.waiting import Sizes

__all__ = ["page"]

ALONE = "nobody looks"
SHOWN = "somebody looks"
_RATE = 1000.0
"""Asks a second, where they are not one after the other."""

_LOOKER = """
import sys, trio, trio_websocket

async def look(url):
    async with trio_websocket.open_websocket_url(url) as socket:
        print("looking", flush=True)
        while True:
            try:
                await socket.get_message()
            except trio_websocket.ConnectionClosed:
                return

trio.run(look, sys.argv[1])
"""
"""Reads all that comes, and draws nothing."""


@actors.message(tag="bench.people.Add")
class Add(actors.Request[int]):
    """What comes back is one more."""

    number: int


class Worker(actors.Actor):
    """One of many."""

    @actors.receive
    async def add(self, message: Add) -> int:
        """Answer at once."""
        return message.number + 1


@asynccontextmanager
async def _looking(system: actors.System) -> AsyncGenerator[None]:
    from actors.observe.web import start_observatory

    observatory = await start_observatory(system)
    url = observatory.url.replace("http", "ws") + "/api/v1/live"
    async with trio.open_nursery() as nursery:
        command = partial(trio.run_process, [sys.executable, "-c", _LOOKER, url], stdout=subprocess.PIPE)
        looker: trio.Process = await nursery.start(command)
        assert looker.stdout is not None
        await looker.stdout.receive_some()  # it looks
        yield
        nursery.cancel_scope.cancel()


async def _events(refs: list[actors.Ref], rate: float) -> None:
    """So many a second, from one actor after the other."""
    began = trio.current_time()
    for number in itertools.count():
        ref = refs[number // 2 % len(refs)]
        if number % 2:
            ref.resume()
        else:
            ref.suspend()
        await trio.sleep_until(began + number / rate)


async def _asked(sizes: Sizes, *, busy: bool, shown: bool) -> dict[str, float]:
    taken: list[float] = []
    draw = random.Random(1)
    async with actors.open_system("bench", watchdog=None) as system, AsyncExitStack() as stack:
        refs = [await system.start(Worker, name=f"worker-{number}") for number in range(sizes.actors)]
        if shown:
            await stack.enter_async_context(_looking(system))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_events, refs[1:], sizes.events)
            await trio.sleep(sizes.warm)  # the page has its tree
            due = trio.current_time()
            end = due + sizes.asks / _RATE
            while trio.current_time() < end:
                if not busy:
                    due += draw.expovariate(_RATE)
                    await trio.sleep_until(due)
                began = time.perf_counter()
                await refs[0].ask(Add(1))
                taken.append(time.perf_counter() - began)
            nursery.cancel_scope.cancel()
    return {name: 1000 * found for name, found in percentiles(taken).items()}


async def page(sizes: Sizes, rounds: int) -> AsyncGenerator[Figures]:
    """How long does an actor's answer take, with the page and without?"""
    for busy in (True, False):
        sides: dict[str, Side] = {
            ALONE: partial(_asked, sizes, busy=busy, shown=False),
            SHOWN: partial(_asked, sizes, busy=busy, shown=True),
        }
        which = "one after the other" if busy else f"{_RATE:,.0f} a second"
        yield await measured(
            f"asks, {which}, among {sizes.actors:,} actors with {sizes.events:g} events a second",
            {"p50": "us", "p99": "us"},
            sides,
            rounds,
            base=ALONE,
            aims=[Aim(SHOWN, "p99", 1.1, "less", ALONE)],
        )
