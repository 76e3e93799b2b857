"""The approval hook: who is asked, what an answer means, and what happens while it is thought about."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

import pytest
import trio
from trio.testing import MockClock

import actors
from actors import CooldownActive, Spawner, SpawnLimitReached, SpawnLimits, SpawnTrigger, Template
from actors.errors import SpawnDenied
from tests.spawning.crew import LOOSE, Agent, Config, waiter

SCOUT = Template(Agent, {"topic": "a"}, name="scout")


@pytest.mark.row(63)
async def test_the_hook_is_asked_about_everything_that_is_known_before_anything_is_started(
    autojump_clock: MockClock,
) -> None:
    asked: list[actors.SpawnRequest] = []
    async with actors.open_system("s") as system:

        def approve(request: actors.SpawnRequest) -> bool:
            assert len(system.tree().children) == len(asked)
            asked.append(request)
            return True

        spawner = Spawner(system, LOOSE, approve=approve)
        ref = spawner.spawn(SCOUT, specialisation={"depth": 3}, trigger="workload_spike")
        await trio.sleep(1)
        clone = spawner.clone(ref, modifications={"style": "x"})
        first, second = asked
        assert (first.template, first.name, first.origin, first.depth) == (SCOUT, ref.name, None, 0)
        assert first.specialisation == {"depth": 3}
        assert first.trigger is SpawnTrigger.WORKLOAD_SPIKE
        assert (second.template, second.name, second.origin, second.depth) == (SCOUT, clone.name, ref, 1)
        assert second.specialisation == {"style": "x"}
        with pytest.raises(TypeError):
            first.specialisation["depth"] = 4  # type: ignore[index]
        with pytest.raises(CooldownActive):
            spawner.clone(clone)
        assert len(asked) == 2  # what is refused anyway is not asked about


@pytest.mark.row(63)
@pytest.mark.parametrize("how", ["start", "wait_spawn"])
async def test_an_async_hook_is_waited_for_where_the_call_waits(autojump_clock: MockClock, how: str) -> None:
    async def approve(request: actors.SpawnRequest) -> bool | str:
        await trio.sleep(2.0)
        return request.name != "bad" or "bad name"

    async with actors.open_system("s") as system:
        spawner = Spawner(system, LOOSE, approve=approve)
        ref = await getattr(spawner, how)(Agent)
        assert trio.current_time() == 2.0
        await trio.sleep(1.0)
        with pytest.raises(SpawnDenied, match="bad name"):
            await getattr(spawner, how)(Agent, name="bad")
        metrics = spawner.metrics()
        assert (metrics.total, metrics.failed, metrics.refused) == (1, 1, 1)
        with pytest.raises(TypeError, match="spawn cannot wait for an async approve: await start"):
            spawner.spawn(waiter)
        with pytest.raises(TypeError, match="cannot wait for an async approve"):
            spawner.clone(ref)
        assert (spawner.metrics().failed, spawner.metrics().refused) == (3, 1)


async def _a_second() -> None:
    await trio.sleep(1.0)


class Later:
    """Can be awaited, and is no coroutine."""

    def __await__(self) -> Any:
        yield from _a_second().__await__()
        return True


@pytest.mark.row(63)
async def test_anything_that_can_be_awaited_is_waited_for(autojump_clock: MockClock) -> None:
    def approve(request: actors.SpawnRequest) -> Awaitable[bool]:
        return Later()

    async with actors.open_system("s") as system:
        spawner = Spawner(system, LOOSE, approve=approve)
        await spawner.start(Agent)
        assert trio.current_time() == 1.0
        with pytest.raises(TypeError, match="cannot wait for an async approve"):
            spawner.spawn(waiter)


@pytest.mark.row(63)
@pytest.mark.parametrize("answer", [None, 1, 0, b"no", ["no"], object()])
async def test_an_answer_that_is_none_is_an_error_and_nothing_is_spawned(
    autojump_clock: MockClock, answer: Any
) -> None:
    async def later(request: actors.SpawnRequest) -> Any:
        return answer

    async with actors.open_system("s") as system:
        spawner = Spawner(system, LOOSE, approve=lambda request: answer)
        with pytest.raises(TypeError, match="approve must answer True, False or a text, not"):
            spawner.spawn(Agent)
        for approve in (later, lambda request: answer):
            with pytest.raises(TypeError, match="approve must answer True, False or a text, not"):
                await Spawner(system, LOOSE, approve=approve).start(Agent)
        metrics = spawner.metrics()
        assert (metrics.total, metrics.failed, metrics.refused) == (0, 1, 0)
        assert system.tree().children == ()


@pytest.mark.row(63)
async def test_what_the_hook_raises_comes_out_and_nothing_is_spawned(autojump_clock: MockClock) -> None:
    def approve(request: actors.SpawnRequest) -> bool:
        raise KeyError("ledger")

    async with actors.open_system("s") as system:
        spawner = Spawner(system, SpawnLimits(max_active=1), approve=approve)
        with pytest.raises(KeyError, match="ledger"):
            spawner.spawn(Agent)
        with pytest.raises(KeyError, match="ledger"):
            await spawner.start(Agent)
        with pytest.raises(KeyError, match="ledger"):
            await spawner.wait_spawn(Agent)
        assert (spawner.metrics().total, spawner.metrics().failed) == (0, 3)
        assert spawner.can_spawn()


@pytest.mark.row(49)
@pytest.mark.row(63)
async def test_a_slot_that_is_taken_while_the_hook_thinks_is_taken(autojump_clock: MockClock) -> None:
    async def approve(request: actors.SpawnRequest) -> bool:
        await trio.sleep(1.0 if request.name == "slow" else 0.0)
        return True

    async with actors.open_system("s") as system, trio.open_nursery() as nursery:
        spawner = Spawner(system, SpawnLimits(max_active=1), approve=approve)

        async def slow() -> None:
            with pytest.raises(SpawnLimitReached):
                await spawner.start(Agent, name="slow")
            assert trio.current_time() == 1.0

        nursery.start_soon(slow)
        await trio.sleep(0.5)
        await spawner.start(waiter, specialisation={"seconds": 60.0})


@pytest.mark.row(52)
@pytest.mark.row(63)
async def test_who_waits_waits_again_for_a_cooldown_that_began_while_the_hook_thought(
    autojump_clock: MockClock,
) -> None:
    async def approve(request: actors.SpawnRequest) -> bool:
        await trio.sleep(2.0 if request.name == "slow" else 0.0)
        return True

    async with actors.open_system("s") as system, trio.open_nursery() as nursery:
        spawner = Spawner(system, SpawnLimits(cooldown=5.0), approve=approve)

        async def slow() -> None:
            await spawner.wait_spawn(Agent, name="slow")
            assert trio.current_time() == 6.0

        nursery.start_soon(slow)
        await trio.sleep(1.0)
        await spawner.start(Agent)
    assert spawner.metrics().refused == 0


@pytest.mark.row(63)
async def test_a_hook_that_spawns_itself_takes_the_slot_and_the_cooldown(autojump_clock: MockClock) -> None:
    async with actors.open_system("s") as system:
        inside: list[bool] = []

        def approve(request: actors.SpawnRequest) -> bool:
            if not inside:
                inside.append(True)
                spawner.spawn(request.template)
            return True

        spawner = Spawner(system, SpawnLimits(cooldown=5.0), approve=approve)
        with pytest.raises(CooldownActive):
            spawner.spawn(Agent)
        assert (spawner.metrics().total, spawner.metrics().active) == (1, 1)
        inside.clear()
        spawner.reset()
        spawner = Spawner(system, SpawnLimits(max_active=1), approve=approve)
        with pytest.raises(SpawnLimitReached):
            spawner.spawn(Agent)
        assert spawner.metrics().active == 1


@pytest.mark.row(63)
async def test_a_call_that_is_cancelled_while_the_hook_thinks_leaves_nothing(
    autojump_clock: MockClock,
) -> None:
    async def approve(request: actors.SpawnRequest) -> bool:
        await trio.sleep(9.0)
        return True

    async with actors.open_system("s") as system:
        spawner = Spawner(system, SpawnLimits(max_active=1), approve=approve)
        for call in (spawner.start, spawner.wait_spawn):
            with trio.move_on_after(1.0) as scope:
                await call(Agent)
            assert scope.cancelled_caught
        assert (spawner.metrics().total, spawner.metrics().failed) == (0, 0)
        assert spawner.can_spawn()
        assert spawner._book._lines == {}
        assert await (await spawner.start(Agent)).ask(Config()) == ("none", 1, "plain")
