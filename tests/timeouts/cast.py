"""Who is on stage here: actors that follow a script of waits and signs of life, under limits."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import trio

import actors
from actors import Backoff, Policy, Timeout

__all__ = ["SIGN", "Do", "Doer", "Step", "do", "doing", "fixed", "limited", "play", "quiet", "when_over"]

SIGN = "a sign of life"
Step = float | str | Callable[[Any], Awaitable[object]]
"""Seconds to sleep, a sign of life, or what is called with the actor's context."""


@actors.message
class Do(actors.Request[float]):
    """Answered with the time at which all steps were done."""

    steps: tuple[Step, ...] = ()


def do(*steps: Step) -> Do:
    return Do(steps)


class Doer(actors.Supervisor):
    """Does what it is told, one step after the other. Notes when each handling began."""

    def __init__(self, began: list[float] | None = None) -> None:
        self.began = [] if began is None else began

    @actors.receive
    async def do(self, message: Do) -> float:
        self.began.append(trio.current_time())
        return await play(self.ctx, *message.steps)


async def doing(ctx: actors.Context, *steps: Step) -> float:
    """The same as a function."""
    return await play(ctx, *steps)


async def play(ctx: actors.Context, *steps: Step) -> float:
    for step in steps:
        if step == SIGN:
            ctx.progress()
        elif callable(step):
            await step(ctx)
        else:
            assert isinstance(step, int | float)
            await trio.sleep(step)
    return trio.current_time()


def limited(timeout: Timeout, **more: Any) -> Policy:
    """At once again after a failure, and without a breaker, unless said otherwise."""
    more.setdefault("backoff", Backoff.immediate())
    more.setdefault("breaker", None)
    return Policy(timeout=timeout, **more)


def fixed(seconds: float, **more: Any) -> Policy:
    """A plain limit."""
    return limited(Timeout("fixed", seconds, no_activity=None), **more)


def quiet(seconds: float, **more: Any) -> Policy:
    """A limit of silence alone."""
    return limited(Timeout("fixed", 1e6, no_activity=seconds), **more)


async def when_over(ref: actors.Ref) -> tuple[float, str]:
    """When and how an actor ended."""
    exit = await ref.wait_stopped()
    return trio.current_time(), str(exit.kind)
