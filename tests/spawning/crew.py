"""Actors that spawners spawn, and what tests of spawners share."""

from __future__ import annotations

from typing import Any

import trio

import actors
from actors import SpawnLimits, Template

__all__ = ["LOOSE", "Agent", "Config", "Fragile", "Slow", "Touchy", "only", "waiter"]

LOOSE = SpawnLimits(max_active=100, cooldown=0.1, max_depth=10)
"""As little in the way as the ranges allow."""


@actors.message
class Config(actors.Request[Any]):
    """Answered with the arguments that it was made with."""


class Agent(actors.Actor):
    """Says what it was made with."""

    def __init__(self, topic: str = "none", depth: int = 1, *, style: str = "plain") -> None:
        self.config = (topic, depth, style)

    @actors.receive
    def on_config(self, message: Config) -> Any:
        return self.config


class Slow(actors.Actor):
    """Ready after `start` seconds; takes `ending` seconds to end."""

    def __init__(self, start: float = 1.0, ending: float = 0.0) -> None:
        self.start = start
        self.ending = ending

    async def on_start(self) -> None:
        await trio.sleep(self.start)

    async def on_stop(self, exit: actors.Exit) -> None:
        await trio.sleep(self.ending)


class Fragile(actors.Actor):
    """Its start fails, after `start` seconds."""

    def __init__(self, start: float = 0.0) -> None:
        self.start = start

    async def on_start(self) -> None:
        await trio.sleep(self.start)
        raise ValueError("does not start")


class Touchy(actors.Actor):
    """Fails on any text."""

    @actors.receive
    def on_text(self, message: str) -> None:
        raise ValueError(message)


async def waiter(ctx: actors.Context, seconds: float = 1.0) -> str:
    """A function that returns after `seconds`."""
    await trio.sleep(seconds)
    return "done"


def only(what: Any = Agent, **config: Any) -> Template:
    """A template without a name."""
    return Template(what, config)
