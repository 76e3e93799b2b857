"""Whole systems cancelled at every step: nothing is left, and every life ends once."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from random import Random

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

import actors
from actors import Backoff, Breaker, Policy, System
from tests.cancellation.harness import Act, At, Lives, Player, cut, sweep

QUICK = Policy(backoff=Backoff(initial=2.0, maximum=2.0, jitter=0.0), breaker=None, retries=1)
SEEDS = [0, 1]


@asynccontextmanager
async def opened(strategy: actors.OneForOne | actors.OneForAll | None = None) -> AsyncGenerator[System]:
    async with actors.open_system("s", strategy=strategy, policy=QUICK, random=Random(0)) as system:
        yield system


async def starting(lives: Lives) -> None:
    """A tree of three levels, once by `start` and once by `spawn`."""
    async with opened() as system:
        await system.start(Player, lives, "x", "y", name="a")
        ref = system.spawn(Player, lives, "x", name="b")
        system.spawn(Player, lives)
        await ref.wait_started()


async def asking(lives: Lives) -> None:
    """Asks from outside and from actor to actor, waiting, running and with a limit."""
    async with opened() as system:
        a = await system.start(Player, lives, name="a")
        b = await system.start(Player, lives, name="b")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(a.ask, Act(1.0, whom=b))
            nursery.start_soon(a.ask, Act(0.5))
            await b.ask(Act(0.25))
        pending = a.request(Act(1.0), timeout=9.0)
        a.tell(Act(0.25))
        await pending.wait()


async def restarting(lives: Lives) -> None:
    """A failing start, a failing handler, their backoff and the message that is tried again."""
    async with opened() as system:
        ref = system.spawn(Player, lives, "x", name="a")
        ref.tell(Act(0.5, then="fail"))
        await trio.sleep(1.5)
        assert await ref.ask(Act(0.5), timeout=60.0) == "/a"


async def failing_to_start(lives: Lives) -> None:
    """A spawned actor whose first start fails below it, and a `start` that fails."""
    async with opened() as system:
        with pytest.raises(actors.StartFailed):
            await system.start(FailsOnce, lives, [True], "x", name="b")
        ref = system.spawn(FailsOnce, lives, [True, False], "x", name="a")
        await ref.wait_started()


class FailsOnce(Player):
    def __init__(self, lives: Lives, fails: list[bool], *below: str) -> None:
        super().__init__(lives, *below, fails=fails)


async def restarting_a_group(lives: Lives) -> None:
    """A round of OneForAll with an adhoc sibling, and a second failure while it starts."""
    async with opened(actors.OneForAll()) as system:
        a = await system.start(Player, lives, "x", name="a")
        b = await system.start(Player, lives, name="b")
        await system.start(Player, lives)
        await system.start(Player, lives, name="c")
        b.tell(Act(0.0, then="fail"))
        await wait_all_tasks_blocked()
        await a.wait_started()
        a.tell(Act(0.0, then="fail"))
        await trio.sleep(12)


async def stopping(lives: Lives) -> None:
    """Ordered stops of a busy tree, by a ref and by the end of the block."""
    async with opened() as system:
        a = await system.start(Player, lives, "x", "y", name="a")
        await system.start(Player, lives, "x", name="b")
        a.tell(Act(3.0))
        await trio.sleep(1)
        a.stop()
        await a.wait_stopped()


async def killing(lives: Lives) -> None:
    """A busy tree is killed while it works and while it starts."""
    async with opened() as system:
        a = await system.start(Player, lives, "x", name="a")
        a.tell(Act(30.0))
        await trio.sleep(1)
        a.kill()
        b = system.spawn(Player, lives, "x", name="b")
        await trio.sleep(0.25)
        b.kill()
        await a.wait_stopped()
        await b.wait_stopped()


async def draining(lives: Lives) -> None:
    """A queue is finished before the end, within a bound that is too short."""
    async with opened() as system:
        a = await system.start(Player, lives, name="a")
        for _ in range(8):
            a.tell(Act(1.0))
        a.drain()
        await a.wait_stopped()


async def probing(lives: Lives) -> None:
    """A breaker opens, a probe fails, the next one closes it."""
    policy = Policy(backoff=QUICK.backoff, breaker=Breaker(failures=1, reset_after=5.0))
    async with opened() as system:
        a = await system.start(Player, lives, "x", name="a", policy=policy)
        a.tell(Act(0.0, then="fail"))
        a.tell(Act(0.0, then="fail"))
        await trio.sleep(20)
        assert await a.ask(Act(1.0)) == "/a"


async def escalating(lives: Lives) -> None:
    """A supervisor gives up, and its own supervisor starts it again."""

    class Strict(Player):
        strategy = actors.OneForOne(max_restarts=0)

    async with opened() as system:
        a = await system.start(Strict, lives, "x", "y", name="a")
        system.children(a)[0].tell(Act(0.5, then="fail"))
        system.children(a)[0].tell(Act(0.0, then="fail"))
        await trio.sleep(1)
        await a.wait_started()


async def interrupting(lives: Lives) -> None:
    """A handler is interrupted while others wait behind it."""
    async with opened() as system:
        a = await system.start(Player, lives, name="a")
        pending = a.request(Act(30.0))
        a.tell(Act(0.5))
        await trio.sleep(1)
        await a.interrupt()
        assert pending.done
        await a.ask(Act(0.0))


async def listening(lives: Lives) -> None:
    """Events are read while the system works and after it has closed."""
    async with opened() as system, system.subscribe() as events, trio.open_nursery() as nursery:
        nursery.start_soon(system.start, Player, lives, "x")
        async for event in events:
            if isinstance(event, actors.events.Started) and event.ref.name is None:
                break


SCENARIOS: list[Callable[[Lives], Awaitable[None]]] = [
    starting,
    asking,
    restarting,
    failing_to_start,
    restarting_a_group,
    stopping,
    killing,
    draining,
    probing,
    escalating,
    interrupting,
    listening,
]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_a_system_that_is_cancelled_anywhere_leaves_nothing(
    scenario: Callable[[Lives], Awaitable[None]], seed: int
) -> None:
    """Only the cancellation leaves the block; no task, timer or request is left; one `on_stop` a life."""

    async def cancelled(lives: Lives, step: int) -> At:
        with cut(step) as (at, _):
            await scenario(lives)
        return at

    assert sweep(cancelled, seed) > 10
