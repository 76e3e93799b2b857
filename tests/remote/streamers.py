"""Actors of other nodes that answer in chunks, and the roads on which they are reached."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import attrs
import trio

import actors
from actors import Backoff, Policy
from tests.core.yielders import Named, Yielder, give
from tests.remote.stage import World, linked
from tests.remote.test_three_nodes import three

__all__ = ["ROADS", "Far", "Large", "Odd", "Scene", "far_giver", "left_behind", "reached"]

LOG: list[Any] = []
"""What the generators of all nodes have done: they are in this process."""
ROADS = ["home", "child", "third", "pool", "circle"]
"""Another node's actor; our child there; on a third node; our pool's worker there; and our child there as
seen from there."""


@actors.message
class Large(actors.StreamRequest[str]):
    """Chunks of so many characters, one after the other."""

    sizes: tuple[int, ...]


@actors.message
class Odd(actors.StreamRequest[Any]):
    """The second chunk cannot travel."""


class Far(Yielder):
    """Writes into `LOG`."""

    def __init__(self) -> None:
        super().__init__(LOG)

    @actors.receive
    async def large(self, message: Large) -> AsyncIterator[str]:
        for number, size in enumerate(message.sizes):
            yield str(number).ljust(size, "x")

    @actors.receive
    async def odd(self, message: Odd) -> AsyncIterator[Any]:
        try:
            yield {"fine": (1, b"2")}
            yield object()
            await trio.sleep_forever()
        finally:
            LOG.append("finally")


async def far_giver(ctx: actors.Context) -> None:
    """A function over there."""
    await give(ctx, LOG, True)


@attrs.frozen
class Scene:
    """A ref on one of the roads, and the world around it."""

    ref: actors.Ref
    world: Any
    log: list[Any]
    systems: tuple[actors.System, ...]

    async def alive(self) -> None:
        """It answers at once."""
        assert await self.ref.ask(Named("alive"), timeout=1.0) == "alive"


def left_behind(systems: tuple[actors.System, ...]) -> list[Any]:
    """What links still keep of requests."""
    found: list[Any] = []
    for system in systems:
        for link in system._node.associations.values():  # pyright: ignore[reportPrivateUsage]
            found += [*link.asks, *link.inbound.incoming, *link.flows]
            found += [run.streams for run in link.inbound.hosting.runs.values() if run.streams]
    return found


@asynccontextmanager
async def reached(road: str, what: Any = Far, **policy: Any) -> AsyncGenerator[Scene]:
    """The actor, on this road; in the end no node keeps anything of a stream."""
    LOG.clear()
    kept = Policy(**{"backoff": Backoff.fixed(0.25), "breaker": None, **policy})
    if road == "third":
        async with three() as world:
            ref = await world.found(what, policy=kept)
            systems = (world.alpha, world.beta, world.gamma)
            yield Scene(ref, world, LOG, systems)
            await _checked(systems)
        return
    async with linked(spawnable=(what,)) as world:
        ref = await _ref(road, what, kept, world)
        yield Scene(ref, world, LOG, (world.alpha, world.beta))
        await _checked((world.alpha, world.beta))


async def _ref(road: str, what: Any, policy: Policy, world: World) -> actors.Ref:
    if road == "home":
        world.beta.spawn(what, name="far", policy=policy)
        found = await world.peer.find("/far")
    elif road == "pool":
        template = actors.Template(what, name="w", policy=policy)
        return await world.alpha.start(actors.Pool(template, 1, 1, on="beta"), name="pool")
    else:
        child = await world.alpha.start(what, name="far", on="beta", policy=policy)
        found = child if road == "child" else await world.beta.node("alpha").find("/far")
    assert found is not None
    return found


async def _checked(systems: tuple[actors.System, ...]) -> None:
    await trio.sleep(1.5)
    assert left_behind(systems) == []
