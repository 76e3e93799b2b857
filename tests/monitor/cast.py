"""Who is on stage here: actors that write, wait and fail, under the eyes of the monitor."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import actors
from actors import Backoff, Policy, Stall
from actors.monitor import Watches
from tests.timeouts.cast import Doer, do, doing

__all__ = ["Alert", "Doer", "do", "doing", "err", "guarded", "out", "watches_of"]


def guarded(stall: Stall | None = None, **more: Any) -> Policy:
    """At once again after a failure, and without a breaker, unless said otherwise."""
    more.setdefault("backoff", Backoff.immediate())
    more.setdefault("breaker", None)
    return Policy(stall=Stall() if stall is None else stall, **more)


def out(data: bytes, stream: str = "stdout") -> Callable[[actors.Context], Awaitable[None]]:
    """A step that writes."""

    async def write(ctx: actors.Context) -> None:
        ctx.output(data, stream)

    return write


def err(data: bytes) -> Callable[[actors.Context], Awaitable[None]]:
    """A step that writes to stderr."""
    return out(data, "stderr")


def watches_of(system: actors.System) -> Watches:
    return system._watches


class Alert:
    """An `on_detection` that remembers, and raises when told to."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.told: list[tuple[actors.Ref, str]] = []

    def __call__(self, ref: actors.Ref, reason: str) -> None:
        self.told.append((ref, reason))
        if self.error is not None:
            raise self.error
