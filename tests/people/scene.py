"""Those who ask and those who answer, for tests of one desk on a clock that jumps."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import attrs
import trio
from trio.testing import wait_all_tasks_blocked

import actors
from actors.events import PersonEvent

__all__ = ["Asked", "ask", "asking", "desk_events", "nothing_left", "one", "sizes"]


@attrs.define(eq=False)
class Asked:
    """One who asks, and what came of it, and when."""

    scope: trio.CancelScope = attrs.field(factory=trio.CancelScope)
    outcome: Any = "waits"
    """What the call returned, or the class of what it raised."""
    error: BaseException | None = None
    at: float | None = None

    async def run(self, call: Any, *args: Any, **options: Any) -> None:
        with self.scope:
            try:
                self.outcome = await call(*args, **options)
            except (actors.ActorError, trio.TooSlowError) as error:
                self.outcome, self.error = type(error), error
            except trio.Cancelled:
                self.outcome = "cancelled"
                raise
            finally:
                self.at = trio.current_time()


async def ask(nursery: trio.Nursery, call: Any, *args: Any, **options: Any) -> Asked:
    """Somebody asks, and everything has settled."""
    asked = Asked()
    nursery.start_soon(lambda: asked.run(call, *args, **options))
    await wait_all_tasks_blocked()
    return asked


@asynccontextmanager
async def asking(**bounds: Any) -> AsyncGenerator[tuple[actors.System, trio.Nursery]]:
    """A system, and a nursery for those who ask."""
    async with (
        actors.open_system("alpha", asking=actors.Asking(**bounds)) as system,
        trio.open_nursery() as nursery,
    ):
        yield system, nursery


def one(system: actors.System) -> actors.PersonRequest:
    """The one request that waits."""
    (request,) = system.desk.pending()
    return request


def desk_events(system: actors.System) -> list[PersonEvent]:
    """All that the desk tells, from now on."""
    told: list[PersonEvent] = []
    system.desk.watch(told.append)
    return told


def sizes(system: actors.System) -> dict[str, int]:
    """What the desk holds of open requests, table by table."""
    desk: Any = system.desk
    register = desk._register
    book, telling = register._book, desk._telling
    return {
        "open": len(book._open),
        "by key": len(book._by_key),
        "seats": len(register._seats),
        "others": len(register._others),
        "alarms": len(register._alarms),
        "untold": len(telling._untold),
        "queues": len(desk._queues),
        "live alarms of the system": len(system._kernel.alarms),  # type: ignore[attr-defined]
    }


def nothing_left(system: actors.System) -> bool:
    """No table of the desk has anything in it."""
    return not any(sizes(system).values())
