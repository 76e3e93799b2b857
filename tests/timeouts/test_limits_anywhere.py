"""Systems with limits, cancelled at every checkpoint: nothing is left, whatever was under way."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from random import Random
from typing import Any

import pytest
import trio

import actors
from actors import Backoff, Policy, Timeout
from actors.limits import Ladder
from tests.cancellation.harness import Act, At, Lives, Player, cut, sweep

LIMITS = Policy(
    backoff=Backoff.fixed(2.0),
    breaker=None,
    retries=1,
    timeout=Timeout("progressive", 4.0, 6.0, no_activity=3.0, ladder=Ladder()),
)


def opened() -> Any:
    return actors.open_system("s", policy=LIMITS, random=Random(0))


async def over_the_limit(lives: Lives) -> None:
    """A handling that is ended, tried again, and ended for good; another one in time."""
    async with opened() as system:
        a = await system.start(Talker, lives, name="a")
        a.tell(Act(30.0, then="talk"))
        assert await a.ask(Act(0.5)) == "/a"


async def silent(lives: Lives) -> None:
    """The whole ladder, then the end, of a supervisor with a busy child."""
    async with opened() as system:
        a = await system.start(Player, lives, "x", name="a")
        system.children(a)[0].tell(Act(2.0))
        with pytest.raises(actors.ActorFailed):
            await a.ask(Act(30.0))


async def waiting(lives: Lives) -> None:
    """An actor waits for its child, for a person, and for the child that it starts."""
    async with opened() as system:
        a = await system.start(Waiter, lives, "x", name="a")
        assert await a.ask(Act(2.0, then="wait")) == "/a"
        assert a.waiting_for is None


async def stopped_and_interrupted(lives: Lives) -> None:
    """Orders while limits run."""
    async with opened() as system:
        a = await system.start(Player, lives, name="a")
        b = await system.start(Player, lives, name="b")
        for ref in (a, b):
            ref.tell(Act(30.0))
            ref.tell(Act(2.0))
        await trio.sleep(1.0)
        await a.interrupt()
        b.drain()
        a.suspend()
        await trio.sleep(5.0)
        a.resume()
        await trio.sleep(1.0)


async def bounded_blocks(lives: Lives) -> None:
    """`progressive_timeout` in a handler and around an ask."""
    async with opened() as system:
        a = await system.start(Bounded, lives, name="a")
        assert await a.ask(Act(2.0, then="bound")) == "/a"
        with pytest.raises(actors.TimedOut), actors.progressive_timeout(1.0):
            await a.ask(Act(3.5))


class Talker(Player):
    @actors.receive
    async def act(self, message: Act) -> str:
        if message.then == "talk":
            while True:
                self.ctx.progress()
                await trio.sleep(0.75)
        return await super().act(message)


class Waiter(Player):
    @actors.receive
    async def act(self, message: Act) -> str:
        if message.then == "wait":
            [child] = self.children
            await child.ask(Act(message.seconds))
            with self.ctx.waiting("a person"):
                await trio.sleep(0.5)
            await self.start(Player, self.lives, name="y")
            return self.ctx.ref.path
        return await super().act(message)


class Bounded(Player):
    @actors.receive
    async def act(self, message: Act) -> str:
        if message.then == "bound":
            try:
                with actors.progressive_timeout(Timeout(no_activity=1.0)) as deadline:
                    await trio.sleep(0.5)
                    deadline.progress()
                    await trio.sleep(30.0)
            except actors.Stalled:
                return self.ctx.ref.path
        return await super().act(message)


SCENARIOS: list[Callable[[Lives], Awaitable[None]]] = [
    over_the_limit,
    silent,
    waiting,
    stopped_and_interrupted,
    bounded_blocks,
]


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_a_system_with_limits_that_is_cancelled_anywhere_leaves_nothing(
    scenario: Callable[[Lives], Awaitable[None]], seed: int
) -> None:
    """Only the cancellation leaves the block; no task, alarm or wait is left; one `on_stop` a life."""

    async def cancelled(lives: Lives, step: int) -> At:
        with cut(step) as (at, _):
            await scenario(lives)
        for cell in lives.cells:
            vigil = cell.vigil
            assert (vigil.since, vigil.waits, vigil.verdict) == (None, [], None), cell.path
            assert [guard._alarm for guard in vigil.guards] == [None], cell.path
        return at

    assert sweep(cancelled, seed) > 10
