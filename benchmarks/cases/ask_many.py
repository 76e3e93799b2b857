"""How many requests of 1,000 askers at once does one actor answer a second? Raw: 1,000 tasks, one answers."""

from __future__ import annotations

from time import perf_counter

import trio

import actors
from benchmarks.case import RAW, Case, Side
from benchmarks.cases.ask import AsyncEcho, Echo, Letter, Ping, answer_all, exchange
from benchmarks.cases.common import both, check, open_bench, shares

ASKERS = 1_000


async def _ask(echo: actors.Ref, share: int) -> None:
    for number in range(share):
        check(await echo.ask(Ping(number)), number)


async def ours(kind: type[actors.Actor], count: int) -> float:
    """1,000 tasks ask one actor."""
    async with open_bench() as system:
        echo = await system.start(kind, name="echo")
        began = perf_counter()
        async with trio.open_nursery() as nursery:
            for share in shares(count, ASKERS):
                nursery.start_soon(_ask, echo, share)
        return perf_counter() - began


async def _exchange(sender: trio.MemorySendChannel[Letter], share: int) -> None:
    for number in range(share):
        check(await exchange(sender, number), number)


async def raw(count: int) -> float:
    """1,000 tasks ask one task."""
    sender, receiver = trio.open_memory_channel[Letter](0)
    async with trio.open_nursery() as answering, sender:
        answering.start_soon(answer_all, receiver)
        began = perf_counter()
        async with trio.open_nursery() as nursery:
            for share in shares(count, ASKERS):
                nursery.start_soon(_exchange, sender, share)
        return perf_counter() - began


CASES = [
    Case(
        name="ask-1000",
        title="ask, 1,000 at once",
        question="How many requests a second does one actor answer to 1,000 askers at once?",
        unit="requests/s",
        sides={**both(ours, AsyncEcho, Echo, start=4096), RAW: Side(raw, 4096)},
    )
]
