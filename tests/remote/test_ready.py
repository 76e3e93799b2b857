"""Networks over a link: whether another node's actor is ready, that node says."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock

import actors
from actors import ActorState, NetworkReady, SpawnStep
from tests.remote.cast import settled
from tests.remote.stage import World, linked

ONCE = actors.Policy(restart="temporary", breaker=None)
SLACK = 0.01
"""What a few frames over the cable may take."""


class Slow(actors.Actor):
    """Its start takes `length` seconds, and fails if it is negative."""

    def __init__(self, length: float = 0.0) -> None:
        self.length = length

    async def on_start(self) -> None:
        await trio.sleep(abs(self.length))
        if self.length < 0:
            raise ValueError("no key")


class Idle(actors.Actor):
    """Takes nothing."""


class Listener(actors.Actor):
    """Keeps the news."""

    def __init__(self) -> None:
        self.news: list[tuple[float, NetworkReady]] = []
        NEWS.append(self.news)

    @actors.receive
    def ready(self, message: NetworkReady) -> None:
        self.news.append((trio.current_time(), message))


NEWS: list[Any] = []


async def there(world: World, name: str, length: float) -> actors.Ref:
    """An actor of beta's own, as alpha finds it."""
    world.beta.spawn(Slow, length, name=name, policy=ONCE)
    ref = await world.peer.find(f"/{name}")
    assert ref is not None
    return ref


def open_calls(world: World) -> list[int]:
    """What alpha asks of beta, and what beta works on for alpha."""
    mine = world.alpha._node.associations["beta"]  # pyright: ignore[reportPrivateUsage]
    theirs = world.beta._node.associations["alpha"]  # pyright: ignore[reportPrivateUsage]
    return [len(mine.asks), len(theirs.inbound.answers._scopes)]  # pyright: ignore[reportPrivateUsage]


async def test_actors_of_both_nodes_are_waited_for_together(autojump_clock: MockClock) -> None:
    """Children here, children over there, and actors of the other node's own."""
    async with linked(spawnable=(Slow,)) as world:
        began = trio.current_time()
        refs = [
            world.alpha.spawn(Slow, 1.0),
            world.alpha.spawn(Slow, 2.0, on="beta"),
            await there(world, "own", 3.0),
        ]
        steps: list[SpawnStep] = [step async for step in world.alpha.spawning(refs)]
        assert [(step.done, step.ref, step.state, step.error) for step in steps] == [
            (index, ref, ActorState.IDLE, None) for index, ref in enumerate(refs, start=1)
        ]
        assert [step.elapsed for step in steps] == pytest.approx([1.0, 2.0, 3.0], abs=SLACK)
        await world.alpha.wait_ready(refs)
        assert trio.current_time() - began == pytest.approx(3.0, abs=SLACK)
        assert open_calls(world) == [0, 0]


async def test_a_start_that_fails_over_there_is_named(autojump_clock: MockClock) -> None:
    """So is somebody who is not there at all, and one who is late."""
    async with linked() as world:
        bad = await there(world, "bad", -1.0)
        late = await there(world, "late", 100.0)
        nobody = world.peer.ref("/nobody")
        with pytest.raises(actors.NotReady) as caught:
            await world.alpha.wait_ready([bad, nobody, late], timeout=5)
        error = caught.value
        assert (list(error.failed), error.late) == ([bad, nobody], (late,))
        assert [type(one) for one in error.failed.values()] == [actors.StartFailed, actors.ActorStopped]
        await settled()
        assert open_calls(world) == [0, 0]
        late.kill()


async def test_whoever_leaves_midway_leaves_no_question_open(autojump_clock: MockClock) -> None:
    """Neither here nor over there: by breaking out, by cancellation, by `cancel()`."""
    async with linked() as world:
        ready, late = await there(world, "ready", 0.0), await there(world, "late", 100.0)
        async for step in world.alpha.spawning([ready, late]):
            assert step.ref == ready
            break
        with trio.move_on_after(1):
            await world.alpha.wait_ready([late])
        watch = world.alpha.when_ready([late], late)
        await settled()
        assert open_calls(world) == [1, 1]
        watch.cancel()
        await settled()
        assert open_calls(world) == [0, 0]
        late.kill()


async def test_the_loss_of_a_node_is_a_failure_of_its_actors(autojump_clock: MockClock) -> None:
    """Whether it is lost during the wait or was lost before it."""
    async with linked() as world:
        late = await there(world, "late", 100.0)
        world.cable.silent()
        for _ in range(2):
            with pytest.raises(actors.NotReady) as caught:
                await world.alpha.wait_ready([late])
            (error,) = caught.value.failed.values()
            assert isinstance(error, actors.ActorStopped)
            assert isinstance(error.__cause__, actors.NodeLost)
        at_home = world.beta.find("/late")
        assert at_home is not None
        at_home.kill()


async def test_the_news_crosses_a_link(autojump_clock: MockClock) -> None:
    """To an actor of the other node, and to a child that runs there; refs in it are refs there."""
    NEWS.clear()
    async with linked(spawnable=(Listener,)) as world:
        world.beta.spawn(Listener, name="own")
        own = await world.peer.find("/own")
        assert own is not None
        child = await world.alpha.start(Listener, on="beta")
        slow, late = world.alpha.spawn(Slow, 2.0), world.alpha.spawn(Slow, 100.0)
        began = trio.current_time()
        for to in (own, child):
            world.alpha.when_ready([slow, late], to, timeout=3)
        await trio.sleep(5)
        for ((at, news),) in NEWS:
            assert at - began == pytest.approx(3.0, abs=SLACK)
            assert ([ref.path for ref in news.ready], news.elapsed) == ([slow.path], 3.0)
            assert (list(news.failed), [ref.path for ref in news.late], news.ok) == ([], [late.path], False)
        assert len(NEWS) == 2
        late.kill()


async def test_news_that_cannot_get_there_is_a_dead_letter(autojump_clock: MockClock) -> None:
    """It is too long, or the link takes no more."""

    def choke() -> None:
        while True:
            own.tell(NetworkReady(()))

    async with linked() as world:
        own = await there(world, "own", 0.0)
        many = [world.alpha.spawn(Idle, name=f"{'x' * 120}-{number}") for number in range(8000)]
        watch = world.alpha.when_ready(many, own)
        await settled()
        assert watch.done
        world.cable.cut()
        with pytest.raises(actors.MailboxFull):
            choke()
        world.alpha.when_ready([], own)
        await settled()
        assert [letter.reason for letter in world.alpha.dead_letters] == ["unhandled", "full"]
        world.cable.mend()
        await trio.sleep(30)
