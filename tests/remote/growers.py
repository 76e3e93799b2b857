"""Supervisors that spawn on any node, and what they answer; for tests of limits over several nodes."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import attrs
import trio

import actors
from actors.spawning import book
from tests.remote.cast import AT_ONCE
from tests.remote.stage import Cable, World, cables, linked

__all__ = [
    "WIDE",
    "Crash",
    "Grow",
    "Grower",
    "Three",
    "grow",
    "growers",
    "limits",
    "spawner",
    "taken",
    "three",
    "two",
]

WIDE = actors.SpawnLimits.minimal()
"""As little in the way as the ranges allow: a cooldown of 0.1 s."""


def limits(max_active: int, max_depth: int = 10) -> actors.SpawnLimits:
    """Of these two alone."""
    return actors.SpawnLimits(max_active=max_active, max_depth=max_depth, cooldown=0.1)


@actors.message(tag="test.growers.Grow")
class Grow(actors.Request[Any]):
    """Spawn a grower: the answer is its ref, or what has refused it."""

    on: str | None = None
    share: int = 0
    over: str = "itself"
    plain: bool = False


@actors.message(tag="test.growers.Crash")
class Crash: ...


class Grower(actors.Supervisor):
    """Spawns its like."""

    def __init__(self) -> None:
        self.spawner = actors.Spawner(self, WIDE)

    @actors.receive
    async def grow(self, message: Grow) -> Any:
        await trio.sleep(0.1)  # the cooldown
        if message.plain:
            return self.spawn(Grower, on=message.on, policy=AT_ONCE)
        over = self.spawner if message.over == "itself" else actors.Spawner(self.ctx.system, WIDE)
        what = actors.Template(Grower, policy=AT_ONCE)
        try:
            return await over.start(what, on=message.on, share=message.share)
        except actors.SpawnLimitReached as error:
            return ["full", error.active, error.max_active, str(error)]
        except actors.DepthExceeded as error:
            return ["deep", error.depth, error.max_depth]

    @actors.receive
    def crash(self, message: Crash) -> None:
        raise ArithmeticError("crashed")


async def grow(grower: actors.Ref, **options: Any) -> Any:
    """What one answers, without the text."""
    with trio.fail_after(30):
        said = await grower.ask(Grow(**options))
    return tuple(said[:3]) if isinstance(said, list) else said


def spawner(system: actors.System, max_active: int, max_depth: int = 10) -> actors.Spawner:
    """One over the system, bounded."""
    return actors.Spawner(system, limits(max_active, max_depth))


def growers(*systems: actors.System) -> int:
    """How many live on these, whichever node they belong to."""
    return sum(_running(one.tree()) for one in systems)


def _running(node: actors.TreeNode) -> int:
    """A child elsewhere is of another kind; what only has it below is no grower."""
    depth = node.path.count("/")
    is_grower = depth > 3 if node.path.startswith("/system") else node.path != "/"
    return (is_grower and node.kind == "supervisor") + sum(map(_running, node.children))


def taken(of: actors.Spawner) -> int:
    """Its slots in use."""
    return kept(of).admission.taken


def kept(of: actors.Spawner) -> book.Book:
    """What it knows."""
    return of._book  # pyright: ignore[reportPrivateUsage]


@asynccontextmanager
async def two(**options: Any) -> AsyncGenerator[World]:
    """alpha and beta, which both start growers."""
    async with linked(spawnable=(Grower,), **options) as world:
        yield world


@attrs.frozen
class Three:
    """Three systems, each linked with both others."""

    alpha: actors.System
    beta: actors.System
    gamma: actors.System
    cables: dict[str, Cable]


@asynccontextmanager
async def three(*spawnable: Any) -> AsyncGenerator[Three]:
    """alpha, beta and gamma, which all start these."""
    with cables() as made:
        opened = [actors.open_system(name, spawnable=spawnable) for name in ("gamma", "beta", "alpha")]
        async with opened[0] as gamma, opened[1] as beta, opened[2] as alpha:
            cut = {"ab": Cable(), "ag": Cable(), "bg": Cable()}
            for name, here, there in (("ab", alpha, beta), ("ag", alpha, gamma), ("bg", beta, gamma)):
                await here.connect(made.door(there, cut[name]))
            await trio.sleep(2.0)  # both ends of all links have heard a beat
            yield Three(alpha, beta, gamma, cut)
