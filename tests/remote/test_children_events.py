"""What is noticed of a child where it runs is an event where its supervisor is."""

from __future__ import annotations

from typing import Any

import trio

import actors
from actors import events
from tests.remote.stage import linked


@actors.message(tag="test.children_events.Work")
class Work(actors.Request[str]):
    seconds: float


class Slow(actors.Actor):
    """Works, and says so each second."""

    @actors.receive
    async def work(self, message: Work) -> str:
        until = trio.current_time() + message.seconds
        while trio.current_time() < until:
            await trio.sleep(1)
            self.ctx.progress()
        return "done"


class Stubborn(actors.Actor):
    """Its end fails."""

    async def on_stop(self, exit: actors.Exit) -> None:
        raise ValueError("no end")


GROWING = actors.Policy(timeout=actors.Timeout(initial=5, maximum=20, extend_within=3))


async def test_a_limit_that_grows_over_there_is_told_here(autojump_clock: trio.testing.MockClock) -> None:
    async with linked(spawnable=(Slow,)) as world:
        child = world.alpha.spawn(Slow, name="slow", on="beta", policy=GROWING)
        async with world.alpha.subscribe(events.DeadlineExtended) as seen:
            assert await child.ask(Work(6.5)) == "done"
            grown: Any = seen.next_nowait()
        assert isinstance(grown, events.DeadlineExtended)
        assert (grown.ref, grown.limit, grown.extensions) == (child, 7.5, 1)


async def test_an_end_that_fails_over_there_is_told_here(autojump_clock: trio.testing.MockClock) -> None:
    async with linked(spawnable=(Stubborn,)) as world:
        child = world.alpha.spawn(Stubborn, name="stubborn", on="beta")
        await child.wait_started()
        async with world.alpha.subscribe(events.StopFailed) as seen:
            child.stop()
            await child.wait_stopped()
            failed: Any = await anext(seen)
        assert failed.ref == child
        assert (failed.error.type_name, failed.error.message) == ("ValueError", "no end")


async def test_nobody_listens_over_there_once_the_last_child_is_gone(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with linked(spawnable=(Slow,)) as world:
        children = [world.alpha.spawn(Slow, on="beta") for _ in range(2)]
        kernel = world.beta._kernel  # pyright: ignore[reportPrivateUsage]
        for child in children:
            await child.wait_started()
        assert len(kernel.listeners) == 1
        for child in children:
            child.stop()
            await child.wait_stopped()
        assert len(kernel.listeners) == 0
