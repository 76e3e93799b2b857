"""Who works in these tests: a stage that counts what runs on it, and jobs that do as they are told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import trio

import actors
from actors import Backoff, Breaker, Outcome, Policy

__all__ = ["Boom", "Stage", "ends", "guarded", "steady", "values"]


class Boom(Exception):
    """What these jobs fail with."""


@attrs.define(eq=False)
class Stage:
    """What ran, when, and how many at once. Times count from its making."""

    began: float = attrs.field(factory=trio.current_time)
    running: int = 0
    peak: int = 0
    starts: list[tuple[float, Any]] = attrs.field(factory=list[tuple[float, Any]])
    ends: list[tuple[float, Any]] = attrs.field(factory=list[tuple[float, Any]])

    @property
    def now(self) -> float:
        return trio.current_time() - self.began

    async def work(
        self, ctx: actors.Context, key: Any, seconds: float = 1.0, error: Exception | None = None
    ) -> Any:
        """Take `seconds`, then fail with `error`, or return `key`."""
        self.starts.append((self.now, key))
        self.running += 1
        self.peak = max(self.peak, self.running)
        try:
            await trio.sleep(seconds)
        finally:
            self.running -= 1
            self.ends.append((self.now, key))
        if error is not None:
            raise error
        return key

    def fails(self, times: int, seconds: float = 0.0, error: Callable[[], Exception] = Boom) -> Any:
        """A job that fails so many times, then returns the number of its attempt."""
        attempt = 0

        async def work(ctx: actors.Context) -> int:
            nonlocal attempt
            attempt += 1
            await self.work(ctx, attempt, seconds)
            if attempt <= times:
                raise error()
            return attempt

        return work

    @property
    def order(self) -> list[Any]:
        """The keys in the order of their starts."""
        return [key for _, key in self.starts]

    def started(self, key: Any) -> list[float]:
        """When `key` started."""
        return [at for at, one in self.starts if one == key]


def steady(retries: int, seconds: float = 0.0, **more: Any) -> Policy:
    """So many retries, always after the same wait, and no breaker unless one is given."""
    more.setdefault("breaker", None)
    return Policy(retries=retries, backoff=Backoff.fixed(seconds), **more)


def guarded(failures: int = 1, reset_after: float = 60.0, retries: int = 0, seconds: float = 0.0) -> Policy:
    """A policy whose breaker opens at so many failures."""
    return steady(
        retries, seconds, breaker=Breaker(failures=failures, within=1000.0, reset_after=reset_after)
    )


def values(outcomes: list[Outcome]) -> list[Any]:
    """The value of each."""
    return [outcome.value for outcome in outcomes]


def ends(outcomes: list[Outcome]) -> list[str]:
    """`ok`, or the kind of failure, of each."""
    return ["ok" if outcome.ok else str(outcome.failure) for outcome in outcomes]
