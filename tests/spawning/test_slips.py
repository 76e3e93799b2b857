"""Slips in the use of spawners, pools and networks: each is said at the door, or does no harm."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import trio
from trio.testing import MockClock

import actors
from actors import ActorStopped, Pool, Spawner, SpawnLimits
from tests.spawning.crew import LOOSE, Agent, Slow


async def test_waiting_in_on_start_for_oneself_is_refused(autojump_clock: MockClock) -> None:
    class Selfish(actors.Supervisor):
        async def on_start(self) -> None:
            await self.ctx.system.wait_ready([self.ctx.ref])

    class Curious(actors.Supervisor):
        async def on_start(self) -> None:
            async for _ in self.ctx.system.spawning([self.ctx.ref]):
                pass

    async with actors.open_system("s") as system:
        for what in (Selfish, Curious):
            with pytest.raises(actors.StartFailed, match="cannot wait until it is ready itself"):
                await system.start(what)


async def test_a_second_spawner_with_other_limits_wants_a_name(autojump_clock: MockClock) -> None:
    class Net(actors.Supervisor):
        async def on_start(self) -> None:
            Spawner(self, LOOSE)
            Spawner(self, LOOSE)
            Spawner(self, SpawnLimits(max_active=1), name="one")
            with pytest.raises(ValueError, match=r"/net has a spawner over /net already.*name="):
                Spawner(self, SpawnLimits(max_active=1))

    async with actors.open_system("s") as system:
        await system.start(Net, name="net")


async def test_who_calls_again_after_a_despawn_that_was_given_up_is_the_first(
    autojump_clock: MockClock,
) -> None:
    async with actors.open_system("s") as system:
        spawner = Spawner(system, LOOSE)
        ref = await spawner.start(actors.Template(Slow, {"start": 0.0, "ending": 1.0}))
        with trio.move_on_after(0.5) as scope:
            await spawner.despawn(ref)
        assert scope.cancelled_caught
        assert await spawner.despawn(ref)


async def test_a_supervisor_that_is_down_is_not_called_stopped(autojump_clock: MockClock) -> None:
    class Net(actors.Supervisor):
        made: list[Net] = []  # noqa: RUF012

        async def on_start(self) -> None:
            self.made.append(self)

        @actors.receive
        def on_text(self, text: str) -> None:
            raise ValueError(text)

    async with actors.open_system("s") as system:
        ref = await system.start(Net, name="net")
        ref.tell("fail")
        await trio.sleep(0.01)
        assert ref.state is actors.ActorState.BACKING_OFF
        spawner = Spawner(system, LOOSE)
        assert spawner.can_spawn()
        with pytest.raises(ActorStopped, match="/net is BACKING_OFF until it restarts"):
            ref.cell.admit(Agent, (), None, None)  # type: ignore[attr-defined]


async def test_a_clone_may_be_waited_for(autojump_clock: MockClock) -> None:
    asked: list[int] = []

    async def approve(request: actors.SpawnRequest) -> bool:
        asked.append(request.depth)
        await trio.sleep(1)
        return True

    async with actors.open_system("s") as system:
        spawner = Spawner(system, SpawnLimits(cooldown=5.0), approve=approve)
        origin = await spawner.start(Agent)
        clone = await spawner.wait_clone(origin, modifications={"topic": "law"})
        assert trio.current_time() == 7.0
        record = spawner.record(clone)
        assert record is not None
        assert (record.origin, record.depth, asked) == (origin, 1, [0, 1])


def doing(what: Callable[[actors.Ref], object], told: list[actors.Ref]) -> Callable[[str], str]:
    def key(message: str) -> str:
        if message == "do":
            what(told[0])
        return message

    return key


async def test_a_key_function_that_stops_its_pool_ends_it_in_order(autojump_clock: MockClock) -> None:
    told: list[actors.Ref] = []
    async with actors.open_system("s") as system:
        pool = Pool(Agent, 1, 1, routing="key", key=doing(actors.Ref.stop, told))
        ref = await system.start(pool, name="pool")
        told.append(ref)
        ref.tell("do")
        assert (await ref.wait_stopped()).kind is actors.ExitKind.SHUTDOWN
        assert [letter.message for letter in system.dead_letters] == ["do"]


async def test_a_key_function_that_tells_its_pool_something_mixes_nothing_up(
    autojump_clock: MockClock,
) -> None:
    told: list[actors.Ref] = []
    seen: list[str] = []

    async def note(ctx: actors.Context) -> None:
        async for message in ctx.inbox:
            seen.append(message)

    def urgent(ref: actors.Ref) -> None:
        if "hurry" not in seen and not sent:
            sent.append("hurry")
            ref.tell("hurry", urgent=True)

    sent: list[str] = []
    async with actors.open_system("s") as system:
        pool = Pool(note, 1, 1, routing="key", key=doing(urgent, told))
        ref = await system.start(pool, name="pool")
        told.append(ref)
        ref.tell("do")
        await trio.sleep(1)
        assert sorted(seen) == ["do", "hurry"]


def test_an_async_key_function_is_refused() -> None:
    async def key(message: object) -> str:
        return "a"

    with pytest.raises(ValueError, match="key must be a plain function"):
        Pool(Agent, routing="key", key=key)  # type: ignore[arg-type]


async def test_a_pool_takes_no_arguments(autojump_clock: MockClock) -> None:
    async with actors.open_system("s") as system:
        with pytest.raises(TypeError, match="Pool cannot be started with these arguments"):
            system.spawn(Pool(Agent), "argument")
