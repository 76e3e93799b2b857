"""What many cases share: a mailbox without a bound, latches, shares, checks and quantiles."""

from __future__ import annotations

import functools
import math
import statistics
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, TypeVar

import trio

import actors
from benchmarks.case import ACTORS, PLAIN, Side
from benchmarks.shared import check, shares

__all__ = ["UNBOUNDED", "Latch", "Result", "both", "check", "open_bench", "p99", "shares"]

T = TypeVar("T")

UNBOUNDED = actors.Policy(mailbox=actors.Mailbox(capacity=math.inf))
"""Whoever measures `tell` does not want to be refused."""

open_bench = functools.partial(actors.open_system, "bench", policy=UNBOUNDED)
"""A system whose mailboxes have no bound."""


class Latch:
    """Opens when it was counted down `left` times."""

    def __init__(self, left: int) -> None:
        self.left = left
        self._opened = trio.Event()
        if not left:
            self._opened.set()

    def down(self) -> None:
        """One less."""
        self.left -= 1
        if not self.left:
            self._opened.set()

    @property
    def is_open(self) -> bool:
        """True when nothing is left."""
        return not self.left

    async def wait(self) -> None:
        """Until it is open."""
        await self._opened.wait()


class Result(Generic[T]):
    """A value that somebody will bring."""

    def __init__(self) -> None:
        self._values: list[T] = []
        self._brought = trio.Event()

    def bring(self, value: T) -> None:
        """Here it is."""
        self._values.append(value)
        self._brought.set()

    async def wait(self) -> T:
        """Until it is there."""
        await self._brought.wait()
        return self._values[0]


def both(
    work: Callable[[Any, int], Awaitable[float]],
    asynchronous: object,
    plain: object,
    *,
    start: int = 1024,
    most: int | None = None,
) -> dict[str, Side]:
    """Our two sides: `work(kind, count)` with the class of `async` handlers, and with that of plain ones."""
    return {
        ACTORS: Side(functools.partial(work, asynchronous), start, most),
        PLAIN: Side(functools.partial(work, plain), start, most),
    }


def p99(values: Sequence[float]) -> float:
    """The 0.99 quantile."""
    return statistics.quantiles(values, n=100, method="inclusive")[98] if len(values) > 1 else values[0]
