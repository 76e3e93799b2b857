"""A store over the lives of the systems that use it, and a wall clock that goes on between them."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any, Self

import attrs
import pytest
import trio
from trio.testing import MockClock

import actors
from actors.core import kernel
from actors.events import PersonAsked, PersonEvent
from tests.delivery.keepers import TextStore

__all__ = ["Lives", "kept_paths", "seen", "shown", "until"]


@attrs.define(eq=False)
class Lives:
    """Opens one system after the other on the same store."""

    make: Callable[[], Any]
    """Gives the store, not opened."""
    clock: MockClock
    rate: float = 1.0
    """Of the clock beside its jumps: as clocks go, for stores with threads."""
    away: float = 0.0
    """Seconds that have passed while no system ran: trio's clock has not seen them."""
    _start: float = attrs.field(factory=time.time)

    def __attrs_post_init__(self) -> None:
        self.clock.rate = self.rate

    def patch(self, monkeypatch: pytest.MonkeyPatch) -> Self:
        """Systems that are opened from now on read this wall clock."""
        monkeypatch.setattr(kernel, "time", SimpleNamespace(**vars(time) | {"time": self.wall}))
        return self

    def wall(self) -> float:
        """Seconds since 1970."""
        return self._start + self.clock.current_time() + self.away

    @asynccontextmanager
    async def life(self, name: str = "alpha", **bounds: Any) -> AsyncGenerator[actors.System]:
        """One system."""
        asking = actors.Asking(**bounds)
        async with actors.open_system(name, store=self.make(), asking=asking) as system:
            yield system

    async def left(self, name: str = "alpha", **question: Any) -> actors.PersonRequest:
        """A system asks, and ends before anybody has answered."""
        async with self.life(name) as system:
            return await self.asked(system, **question)

    async def asked(self, system: actors.System, **question: Any) -> actors.PersonRequest:
        """Ask, and go away when the question is shown; with a key it stays."""
        given: dict[str, Any] = {"text": "Deploy?", "to": "ada", "key": "deploy", "timeout": 600.0}
        async with trio.open_nursery() as nursery:

            async def ask() -> None:
                await system.desk.approval(**(given | question))

            nursery.start_soon(ask)
            request = await shown(system, (given | question)["key"])
            nursery.cancel_scope.cancel()
        return request

    async def kept(self) -> list[str]:
        """The paths of what the store has kept of requests."""
        return await kept_paths(self.make())


async def shown(system: actors.System, key: str | None) -> actors.PersonRequest:
    """The request with this key, as soon as people see it."""
    async with system.desk.queue() as queue:
        async for event in queue:
            if isinstance(event, PersonAsked) and event.request.key == key:
                return event.request
    raise AssertionError("the queue has ended")


async def seen(system: actors.System, kind: type[PersonEvent]) -> Any:
    """The next event of this kind."""
    async with system.subscribe(kind) as events:
        async for event in events:
            return event
    raise AssertionError("the system has ended")


async def until(condition: Callable[[], bool]) -> None:
    """Return when it is so: for what happens in a thread, or at a time to which the clock has jumped."""
    with trio.fail_after(5):
        while not condition():  # noqa: ASYNC110 - nobody tells
            await trio.sleep(0.005)


async def kept_paths(store: Any) -> list[str]:
    """The paths of what a store that nobody has open has kept of requests."""
    if isinstance(store, TextStore):
        await trio.lowlevel.checkpoint()
        return [saved.path for saved in store.shelf.states_below("/system/desk")]
    opening = actors.delivery.Opening("looks", "looks", time.time)
    async with store.open(opening) as engine:
        return [saved.path for saved in await engine.states("/system/desk")]
