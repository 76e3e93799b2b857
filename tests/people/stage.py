"""Linked nodes whose programs ask people, on a clock that jumps."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import attrs
import trio

import actors
from actors.events import PersonEvent
from tests.core.cast import drained
from tests.remote.post_stage import Cut, nodes, settled

__all__ = ["Asked", "Cut", "asks", "happened", "heard", "ids", "nodes", "nothing_left", "settled"]


@attrs.define(eq=False)
class Asked:
    """One who asks, and what came of it."""

    scope: trio.CancelScope = attrs.field(factory=trio.CancelScope)
    over: trio.Event = attrs.field(factory=trio.Event)
    value: Any = None
    error: BaseException | None = None
    by: str | None = None


async def asks(nursery: trio.Nursery, system: actors.System, text: str = "deploy?", **options: Any) -> Asked:
    """Somebody asks, and it has been shown."""
    asked = Asked()

    async def ask() -> None:
        with asked.scope:
            try:
                answer = await system.desk.request(options.pop("kind", "approval"), text, **options)
                asked.value, asked.by = answer.value, answer.by
            except (actors.ActorError, trio.TooSlowError) as error:
                asked.error = error
        asked.over.set()

    nursery.start_soon(ask)
    await settled()
    return asked


def ids(system: actors.System, to: str | None = None) -> list[str]:
    """The texts of what waits, as this node shows it."""
    return [one.text for one in system.desk.pending(to)]


@contextmanager
def heard(system: actors.System) -> Generator[list[str]]:
    """What this desk tells whoever looks, as `kind text`."""
    told: list[str] = []
    is_over = False

    def watch(event: PersonEvent) -> None:
        if not is_over:
            told.append(f"{type(event).__name__.removeprefix('Person').lower()} {event.request.text}")

    system.desk.watch(watch)
    yield told
    is_over = True


def happened(events: Any, kind: type[Any]) -> list[Any]:
    """The events of a kind that have come."""
    return [event for event in drained(events) if isinstance(event, kind)]


def nothing_left(*systems: actors.System) -> None:
    """No desk shows anything, or waits for anything."""
    for system in systems:
        elsewhere: Any = system.desk.elsewhere
        assert system.desk.pending() == ()
        assert elsewhere._copies._shown == {}
        for life in elsewhere._lives.values():
            assert (life.shown, life.sending) == ({}, {}), life
        assert len(elsewhere._lives) == len(elsewhere._neighbours.all()) == len(system.nodes)
        assert system.desk.statistics().pending == system.desk.statistics().waiting == 0
