"""Actors that answer in chunks, for the tests of streams."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import trio

import actors

__all__ = ["Any1", "Count", "Fails", "Give", "Named", "Slow", "Yielder", "give"]


@actors.message
class Count(actors.StreamRequest[int]):
    """0, 1, ... to below `upto`, with `pause` seconds before each; after the last, `error` is raised."""

    upto: int
    pause: float = 0.0
    error: str = ""


@actors.message
class Named(actors.Request[str]):
    """An ordinary request."""

    name: str = "x"


@actors.message
class Slow(actors.StreamRequest[str]):
    """Yields inside a scope and a nursery of its own."""

    limit: float = 1.0
    upto: int = 1000


@actors.message
class Any1(actors.Request[Any]):
    """An ordinary request, answered by a handler that yields."""


class Fails(Exception):
    pass


class Yielder(actors.Actor):
    """`log` is what its generators have done, over all incarnations."""

    def __init__(self, log: list[Any]) -> None:
        self.log = log

    @actors.receive
    async def count(self, message: Count) -> AsyncIterator[int]:
        self.log.append("begun")
        try:
            for n in range(message.upto):
                if message.pause:
                    await trio.sleep(message.pause)
                self.log.append(n)
                yield n
            if message.error:
                raise Fails(message.error)
        except BaseException as error:
            self.log.append(type(error).__name__)
            raise
        finally:
            self.log.append("finally")

    @actors.receive
    async def slowly(self, message: Slow) -> AsyncIterator[str]:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            try:
                with trio.fail_after(message.limit):
                    for n in range(message.upto):
                        yield f"in {n}"
            except trio.TooSlowError:
                self.log.append("too slow")
                yield "late"
            nursery.cancel_scope.cancel()
        self.log.append("finally")

    @actors.receive
    async def nothing(self, message: Any1) -> AsyncIterator[int]:
        if self.log:
            yield 1

    @actors.receive
    async def named(self, message: Named) -> str:
        return message.name


@actors.message
class Give(actors.StreamRequest[int]):
    """Of `give`: so many chunks, then `reply` unless it is None."""

    upto: int
    reply: Any = None


async def give(ctx: actors.Context, log: list[Any], blocks: bool = False) -> None:
    """A function that gives chunks, within `ctx.handling()` where `blocks`."""
    async for message in ctx.inbox:
        if blocks:
            with ctx.handling():
                await _give(ctx, log, message)
        else:
            await _give(ctx, log, message)
        log.append("done")


async def _give(ctx: actors.Context, log: list[Any], message: Any) -> None:
    if not isinstance(message, Give):
        ctx.reply("other")
        return
    for n in range(message.upto):
        log.append((n, await ctx.send_chunk(n)))
        if not log[-1][1]:
            return
    if message.reply is not None:
        ctx.reply(message.reply)
