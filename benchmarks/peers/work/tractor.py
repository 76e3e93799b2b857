"""What tractor's actors do: the root actor in this process, the others in processes of its nursery."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import Any

import tractor
import trio

from benchmarks.peers.common import ASKERS, SENDERS, check, shares

__all__ = ["ask", "ask_at_once", "ping_pong", "spawn", "tell_from_many", "tell_one"]

Nursery = Any


async def answer(number: int) -> int:
    """A request: the number."""
    return number


@tractor.context
async def sink(ctx: tractor.Context, left: int) -> int:
    """Handles `left` messages."""
    await ctx.started()
    handled = 0
    async with ctx.open_stream(allow_overruns=True) as stream:
        while handled < left:
            await stream.receive()
            handled += 1
    return handled


@tractor.context
async def echo(ctx: tractor.Context) -> None:
    """Answers each number on a stream."""
    await ctx.started()
    async with ctx.open_stream() as stream:
        async for number in stream:
            await stream.send(number)


@tractor.context
async def pong(ctx: tractor.Context) -> None:
    """Sends back what is left of the hops, until that is none."""
    await ctx.started()
    async with ctx.open_stream() as stream:
        async for left in stream:
            if left:
                await stream.send(left - 1)


def _running(work: Callable[..., Awaitable[float]]) -> Callable[..., float]:
    async def run(*arguments: object) -> float:
        async with tractor.open_nursery() as nursery:
            try:
                return await work(nursery, *arguments)
            finally:
                await nursery.cancel()

    return lambda *arguments: trio.run(run, *arguments)


def _start(nursery: Nursery, name: str) -> Awaitable[tractor.Portal]:
    started: Awaitable[tractor.Portal] = nursery.start_actor(name, enable_modules=[__name__])
    return started


@_running
async def tell_one(nursery: Nursery, count: int) -> float:
    """A stream to one process, opened before."""
    portal = await _start(nursery, "sink")
    async with portal.open_context(sink, left=count) as (ctx, _), ctx.open_stream() as stream:
        began = perf_counter()
        for number in range(count):
            await stream.send(number)
        handled = await ctx.wait_for_result()
        took = perf_counter() - began
    check(handled, count)
    return took


@_running
async def tell_from_many(nursery: Nursery, count: int) -> float:
    """100 tasks, each with a stream to the same process, opened before."""
    portal = await _start(nursery, "sink")
    go = trio.Event()

    async def sender(share: int, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        async with portal.open_context(sink, left=share) as (ctx, _), ctx.open_stream() as stream:
            task_status.started()
            await go.wait()
            for number in range(share):
                await stream.send(number)
            check(await ctx.wait_for_result(), share)

    async with trio.open_nursery() as senders:
        for share in shares(count, SENDERS):
            await senders.start(sender, share)
        began = perf_counter()
        go.set()
    return perf_counter() - began


@_running
async def ask(nursery: Nursery, timeout: float | None, count: int) -> float:
    """A stream, which is ten times as fast as calling a function. A limit is that of trio."""
    portal = await _start(nursery, "echo")
    got: int | None = None
    async with portal.open_context(echo) as (ctx, _), ctx.open_stream() as stream:
        began = perf_counter()
        for number in range(count):
            if timeout is None:
                await stream.send(number)
                got = await stream.receive()
            else:
                with trio.fail_after(timeout):
                    await stream.send(number)
                    got = await stream.receive()
        took = perf_counter() - began
        await ctx.cancel()
    check(got, count - 1)
    return took


@_running
async def ask_at_once(nursery: Nursery, count: int) -> float:
    """1,000 tasks call a function of one process: they cannot share a stream."""
    portal = await _start(nursery, "echo")

    async def asker(share: int) -> None:
        for number in range(share):
            check(await portal.run(answer, number=number), number)

    began = perf_counter()
    async with trio.open_nursery() as askers:
        for share in shares(count, ASKERS):
            askers.start_soon(asker, share)
    return perf_counter() - began


@_running
async def ping_pong(nursery: Nursery, count: int) -> float:
    """A stream between the root actor and another."""
    portal = await _start(nursery, "pong")
    async with portal.open_context(pong) as (ctx, _), ctx.open_stream() as stream:
        began = perf_counter()
        left = count - 1
        await stream.send(left)
        while left > 0:
            left = await stream.receive() - 1
            if left >= 0:
                await stream.send(left)
        took = perf_counter() - began
        await ctx.cancel()
    return took


@_running
async def spawn(nursery: Nursery, count: int) -> float:
    """All at once. Each has shaken hands when it is started."""
    began = perf_counter()
    async with trio.open_nursery() as starting:
        for number in range(count):
            starting.start_soon(_start, nursery, f"idle-{number}")
    return perf_counter() - began
