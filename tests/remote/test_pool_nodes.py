"""A pool whose workers are on several nodes."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
from trio.testing import MockClock

import actors
from actors import ActorState, events
from tests.remote.cast import Ask, Do, Worker, collect, letters
from tests.remote.growers import Three, three

BOTH = ("beta", "gamma")
LIMITS = actors.SpawnLimits(cooldown=1.0, max_active=100, auto=True, performance_threshold=0.0)


@asynccontextmanager
async def pooled(
    minimum: int = 2, maximum: int = 4, on: Any = BOTH, policy: actors.Policy | None = None, **options: Any
) -> AsyncGenerator[tuple[Three, actors.Ref]]:
    """Three nodes, and a pool of alpha's that is ready."""
    async with three(Worker) as world:
        worker = actors.Template(Worker, name="w", policy=policy)
        made = actors.Pool(worker, minimum, maximum, on=on, limits=LIMITS, **options)
        yield world, await world.alpha.start(made, name="pool")


def places(world: Three, pool: actors.Ref) -> list[str]:
    """Where its workers run, in the order of their starts."""
    return [worker.node for worker in world.alpha.children(pool)]


async def answers(pool: actors.Ref, count: int, seconds: float = 1.0) -> Counter[str]:
    """Which nodes have answered so many requests that come at once."""
    seen: Counter[str] = Counter()

    async def ask() -> None:
        await pool.ask(Ask("wait", seconds))
        seen[await pool.ask(Ask("system"))] += 1

    with trio.fail_after(120):
        async with trio.open_nursery() as nursery:
            for _ in range(count):
                nursery.start_soon(ask)
    return seen


# --- where they are ---


@pytest.mark.parametrize(
    ("on", "where"),
    [
        (BOTH, ["beta", "gamma", "beta", "gamma", "beta"]),
        (("alpha", "gamma"), ["alpha", "gamma", "alpha", "gamma", "alpha"]),
        ("beta", ["beta"] * 5),
        ("alpha", ["alpha"] * 5),
        ((), ["alpha"] * 5),
    ],
)
async def test_the_first_workers_are_placed_in_turn(
    on: Any, where: list[str], autojump_clock: MockClock
) -> None:
    async with pooled(5, 5, on) as (world, pool):
        assert places(world, pool) == where
        assert set(await answers(pool, 5)) == set(where)


async def test_a_worker_more_goes_where_there_are_fewest(autojump_clock: MockClock) -> None:
    async with pooled(3, 6) as (world, pool):
        assert places(world, pool) == ["beta", "gamma", "beta"]
        worker = world.alpha.children(pool)[1]
        worker.stop()
        await worker.wait_stopped()
        await trio.sleep(5.0)
        assert places(world, pool) == ["beta", "beta", "gamma"]
        await answers(pool, 30, 3.0)
        assert Counter(places(world, pool)) == {"gamma": 3, "beta": 3}


async def test_messages_replies_and_failures_pass(autojump_clock: MockClock) -> None:
    async with pooled() as (world, pool):
        assert set(await answers(pool, 10)) == {"beta", "gamma"}
        with pytest.raises(actors.ActorFailed):
            await pool.ask(Ask("crash"))
        pool.tell(Do("crash"))
        await trio.sleep(1.0)
        assert letters(world.alpha) == [("crash", "crashed")]
        assert await pool.ask(Ask("args")) == ["", 0.0]


# --- nodes that are not there ---


@pytest.mark.parametrize("on", [("beta", "nowhere"), ("nowhere", "alpha"), "nowhere"])
async def test_a_pool_does_not_start_with_a_node_that_nobody_knows(
    on: Any, autojump_clock: MockClock
) -> None:
    async with three(Worker) as world:
        with pytest.raises(actors.StartFailed) as caught:
            await world.alpha.start(actors.Pool(Worker, 1, on=on), name="pool")
        assert isinstance(caught.value.__cause__, actors.UnknownNode)
        assert "nowhere" in str(caught.value.__cause__)
        assert world.alpha.find("/pool") is None


async def test_what_a_node_does_not_start_fails_the_start_of_the_pool(autojump_clock: MockClock) -> None:
    async with three() as world:
        with pytest.raises(actors.StartFailed) as caught:
            await world.alpha.start(actors.Pool(Worker, 1, on=BOTH), name="pool")
        assert isinstance(caught.value.__cause__, actors.NotSpawnable)


async def test_a_lost_node_is_passed_over_and_the_others_are_used(autojump_clock: MockClock) -> None:
    async with pooled() as (world, pool), world.alpha.subscribe(events.CheckFailed) as checks:
        world.cables["ab"].silent()
        await trio.sleep(40.0)
        assert places(world, pool) == ["gamma", "gamma"]
        await answers(pool, 20, 3.0)
        assert set(places(world, pool)) == {"gamma"}
        errors = [event.error for event in collect(checks, events.CheckFailed)]  # pyright: ignore
        assert errors
        assert all(isinstance(error, actors.UnknownNode) for error in errors)


async def test_a_restart_of_the_pool_makes_do_with_the_nodes_that_are_left(autojump_clock: MockClock) -> None:
    weak = actors.Policy(breaker=None, backoff=actors.Backoff.immediate())
    async with pooled(policy=weak) as (world, pool):
        world.cables["ab"].silent()
        await trio.sleep(40.0)
        for _ in range(30):  # more than the workers' own restarts allow: the pool itself starts again
            pool.tell(Do("crash"))
        await trio.sleep(120.0)
        assert pool.statistics().restarts
        assert set(places(world, pool)) == {"gamma"}
        assert await pool.ask(Ask("system")) == "gamma"


# --- a node goes, and comes back ---


async def test_what_waits_goes_to_the_others_and_what_was_in_hand_fails(autojump_clock: MockClock) -> None:
    async with pooled(2, 2) as (world, pool):
        failures: list[BaseException | None] = []
        done = 0

        async def ask(number: int) -> None:
            nonlocal done
            try:
                await pool.ask(Ask(str(number), 2.0))
            except actors.ActorFailed as error:
                failures.append(error.__cause__)
            else:
                done += 1

        with trio.fail_after(120):
            async with trio.open_nursery() as nursery:
                for number in range(12):
                    nursery.start_soon(ask, number)
                await trio.sleep(1.0)
                world.cables["ab"].silent()
        assert [type(error) for error in failures] == [actors.NodeLost]
        assert done == 11


async def test_a_told_message_in_hand_of_a_lost_node_is_a_dead_letter(autojump_clock: MockClock) -> None:
    async with pooled(2, 2) as (world, pool):
        for number in range(8):
            pool.tell(Do(str(number), 2.0))
        await trio.sleep(1.0)
        world.cables["ab"].silent()
        await trio.sleep(60.0)
        assert [(text, reason) for text, reason in letters(world.alpha)] == [("0", "crashed")]
        assert pool.statistics().depth["normal"] == 0


async def test_who_closes_is_replaced_at_once(autojump_clock: MockClock) -> None:
    async with pooled(2, 2) as (world, pool), world.alpha.subscribe(events.PoolGrew) as grown:
        world.beta.stop()
        await trio.sleep(2.0)
        assert places(world, pool) == ["gamma", "gamma"]
        assert len(collect(grown, events.PoolGrew)) == 1
        assert await answers(pool, 4) == {"gamma": 4}


async def test_within_its_lease_a_silent_node_gets_nothing_and_is_not_replaced(
    autojump_clock: MockClock,
) -> None:
    async with pooled(2, 2) as (world, pool):
        world.cables["ab"].cut()
        await trio.sleep(0.5)
        assert [one.state is ActorState.UNREACHABLE for one in world.alpha.children(pool)] == [True, False]
        assert await answers(pool, 6, 0.5) == {"gamma": 6}
        world.cables["ab"].mend()
        await trio.sleep(5.0)
        assert set(await answers(pool, 6)) == {"beta", "gamma"}
        assert places(world, pool) == ["beta", "gamma"]


async def test_when_no_node_is_heard_messages_wait_until_one_is(autojump_clock: MockClock) -> None:
    async with pooled(2, 2) as (world, pool):
        world.cables["ab"].cut()
        world.cables["ag"].cut()
        await trio.sleep(0.5)
        seen: list[str] = []

        async def ask() -> None:
            seen.append(await pool.ask(Ask("system")))

        with trio.fail_after(20):
            async with trio.open_nursery() as nursery:
                for _ in range(5):
                    nursery.start_soon(ask)
                await trio.sleep(3.0)
                assert not seen
                world.cables["ag"].mend()
        assert seen == ["gamma"] * 5


async def test_while_all_nodes_are_lost_a_pool_tries_once_in_a_cooldown(autojump_clock: MockClock) -> None:
    async with pooled(2, 2) as (world, pool):
        async with world.alpha.subscribe(events.CheckFailed, events.PoolGrew) as seen:
            world.cables["ab"].silent()
            world.cables["ag"].silent()
            for number in range(50):
                pool.tell(Do(str(number)))
            await trio.sleep(130.0)
            assert places(world, pool) == []
            tries = len(collect(seen, events.CheckFailed))
            assert 2 * 90 <= tries <= 2 * 130
        assert pool.state is ActorState.IDLE


async def test_a_node_that_comes_back_is_used_again(autojump_clock: MockClock) -> None:
    async with pooled(2, 6) as (world, pool):
        peer = world.alpha.node("beta")
        world.cables["ab"].silent()
        await trio.sleep(40.0)
        assert places(world, pool) == ["gamma", "gamma"]
        world.cables["ab"].mend()
        with trio.fail_after(60):
            await peer.wait_up()
        assert (await answers(pool, 40, 3.0))["beta"]
        assert Counter(places(world, pool))["beta"] >= 2


async def test_a_pool_on_one_node_is_there_within_a_cooldown_of_it(autojump_clock: MockClock) -> None:
    async with pooled(3, 3, "beta") as (world, pool):
        peer = world.alpha.node("beta")
        world.cables["ab"].silent()
        await trio.sleep(40.0)
        world.cables["ab"].mend()
        with trio.fail_after(60):
            await peer.wait_up()
        with trio.fail_after(1.1):
            assert await pool.ask(Ask("system")) == "beta"


async def test_a_key_stays_with_its_worker_while_its_node_is_silent_and_moves_when_it_is_lost(
    autojump_clock: MockClock,
) -> None:
    async with pooled(2, 2, routing="key", key=lambda message: message.what) as (world, pool):
        # the worker on beta knows nothing of what is asked here: "system" says who handles it
        before = await pool.ask(Ask("system"))
        cable = world.cables["ab" if before == "beta" else "ag"]
        cable.cut()
        asked = pool.request(Ask("system"))
        await trio.sleep(3.0)
        assert not asked.done
        cable.mend()
        assert await asked.wait(timeout=10) == before
        cable.silent()
        await trio.sleep(40.0)
        assert await pool.ask(Ask("system")) != before


@pytest.mark.parametrize("on", ["alpha", "beta"])
async def test_a_worker_that_puts_an_answer_off_takes_the_next_message(
    on: str, autojump_clock: MockClock
) -> None:
    """And it stays while it owes the answer, here as there."""
    async with pooled(0, 1, on, idle=2.0) as (world, pool):
        owed = pool.request(Ask("later"))
        await trio.sleep(10.0)
        assert not owed.done
        assert pool.state is ActorState.IDLE
        assert await pool.ask(Ask("answer all"), timeout=5.0) == "answer all"
        assert await owed.wait(5.0) == 0
        await trio.sleep(10.0)
        assert world.alpha.children(pool) == ()
        assert pool.statistics().handled == 2
        assert not world.alpha.dead_letters


@pytest.mark.parametrize("on", ["alpha", "beta"])
async def test_an_answer_that_comes_early_does_not_end_the_handling(
    on: str, autojump_clock: MockClock
) -> None:
    """The next message waits in the pool: who crashes behind its answer loses nobody else's message."""
    async with pooled(1, 1, on) as (_, pool):
        began = trio.current_time()
        assert await pool.ask(Ask("early")) == "early"
        next_one = pool.request(Ask("system"))
        await trio.sleep(0.5)
        assert pool.statistics().depth["normal"] == 1
        assert await next_one.wait() == on
        assert trio.current_time() - began == pytest.approx(1.0, abs=0.01)
        assert pool.statistics().handled == 2


async def test_stopping_the_pool_leaves_nothing_on_any_node(autojump_clock: MockClock) -> None:
    async with pooled(4, 4) as (world, pool):
        await answers(pool, 8)
        pool.stop()
        await pool.wait_stopped()
        await trio.sleep(2.5)
        for system in (world.beta, world.gamma):
            assert system.find("/system/nodes/alpha/pool:w-1") is None
            assert system.find("/system/nodes/alpha/pool:w-2") is None


async def test_a_pool_is_ready_when_its_workers_on_all_nodes_are(autojump_clock: MockClock) -> None:
    async with three(Worker) as world:
        slow = actors.Template(Worker, {"start": "slow"})
        began = trio.current_time()
        pool = world.alpha.spawn(actors.Pool(slow, 3, on=("alpha", "beta", "gamma")), name="pool")
        steps = [step async for step in world.alpha.spawning([pool, *_alone(world)])]
        assert steps[-1].ref == pool
        assert trio.current_time() - began == pytest.approx(1.0, abs=0.01)


def _alone(world: Three) -> list[actors.Ref]:
    return [world.alpha.spawn(Worker, on=on) for on in ("alpha", "beta", "gamma")]


async def test_a_lost_node_abstains_from_a_vote(autojump_clock: MockClock) -> None:
    async with three(Worker) as world:
        voters = [await world.alpha.start(Worker, on=on) for on in ("alpha", "beta", "beta", "gamma")]
        lost = voters[1:3]
        began = trio.current_time()
        world.cables["ab"].silent()
        result = await actors.consensus(voters, Ask("args"), quorum=3)
        assert not result.reached
        assert [type(result.votes[ref].error) for ref in lost if ref in result.votes] == [
            actors.ActorFailed
        ] * 2
        assert 10.0 < trio.current_time() - began < 20.0
