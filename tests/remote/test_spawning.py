"""The limits of a spawner hold for what its children spawn, on whichever node they are."""

from __future__ import annotations

import json
from typing import Any

import pytest
import trio
from trio.testing import MockClock

import actors
from actors import ActorState
from actors.remote import child, items
from tests.remote.cast import AT_ONCE, nothing_left, settled
from tests.remote.growers import Crash, Grow, Grower, grow, growers, spawner, taken, three, two
from tests.remote.stage import linked

ONCE = actors.Template(Grower, policy=AT_ONCE)


# --- how deep ---


@pytest.mark.row(53)
@pytest.mark.parametrize("deepest", [1, 2, 3, 10])
async def test_a_chain_over_two_nodes_is_as_deep_as_allowed(deepest: int, autojump_clock: MockClock) -> None:
    async with two() as world:
        last = await spawner(world.alpha, 20, deepest).start(ONCE, on="beta", share=15)
        for depth in range(1, deepest + 1):
            last = await grow(last, on="alpha" if depth % 2 else "beta", share=15 - depth)
            assert isinstance(last, actors.Ref)
        for on in ("alpha", "beta", None):
            assert await grow(last, on=on) == ("deep", deepest + 1, deepest)


async def test_the_least_of_all_depths_above_binds_on_another_node(autojump_clock: MockClock) -> None:
    async with two() as world:
        boss = await spawner(world.alpha, 9, 2).start(ONCE)
        with_wide_limits = await grow(boss)
        far = await grow(with_wide_limits, on="beta", share=3)
        assert await grow(far) == ("deep", 3, 2)


async def test_a_plain_child_elsewhere_of_a_bounded_actor_has_its_depth_and_no_slots(
    autojump_clock: MockClock,
) -> None:
    async with two() as world:
        shallow = await spawner(world.alpha, 9, 1).start(ONCE, on="beta", share=5)
        hop = await grow(shallow, on="alpha", plain=True)
        assert await grow(hop) == ("full", 1, 1)
        hop_again = await grow(hop, on="beta", plain=True)
        assert await grow(hop_again) == ("full", 1, 1)
        bottom = await grow(shallow)
        hop = await grow(bottom, on="alpha", plain=True)
        assert await grow(hop) == ("deep", 2, 1)


async def test_who_is_below_no_spawner_is_free_on_another_node(autojump_clock: MockClock) -> None:
    async with two() as world:
        boss = await world.alpha.start(Grower, on="beta")
        for _ in range(5):
            assert isinstance(await grow(boss, on="alpha", share=2), actors.Ref)


# --- how many ---


async def test_the_share_is_used_up_exactly(autojump_clock: MockClock) -> None:
    async with two() as world:
        home = spawner(world.alpha, 5)
        boss = await home.start(ONCE, on="beta", share=2)
        assert taken(home) == 3
        for _ in range(2):
            assert isinstance(await grow(boss), actors.Ref)
        assert await grow(boss) == ("full", 3, 3)
        assert taken(home) == 3
        text = (await boss.ask(Grow()))[3]
        assert boss.path in text
        assert "share=" in text


async def test_without_a_share_nothing_is_spawned_there(autojump_clock: MockClock) -> None:
    async with two() as world:
        boss = await spawner(world.alpha, 5).start(ONCE, on="beta")
        assert await grow(boss) == ("full", 1, 1)
        assert await grow(boss, on="alpha") == ("full", 1, 1)


async def test_a_grandchild_there_takes_of_the_share_too(autojump_clock: MockClock) -> None:
    async with two() as world:
        boss = await spawner(world.alpha, 5).start(ONCE, on="beta", share=2)
        child = await grow(boss)
        assert isinstance(await grow(child), actors.Ref)
        assert await grow(child) == ("full", 3, 3)
        assert await grow(boss) == ("full", 3, 3)


async def test_a_slot_there_is_free_when_its_child_ends(autojump_clock: MockClock) -> None:
    async with two() as world:
        boss = await spawner(world.alpha, 5).start(ONCE, on="beta", share=1)
        first = await grow(boss)
        assert await grow(boss) == ("full", 2, 2)
        first.stop()
        await first.wait_stopped()
        assert isinstance(await grow(boss), actors.Ref)
        assert await grow(boss) == ("full", 2, 2)


async def test_all_slots_are_free_when_the_subtree_ends(autojump_clock: MockClock) -> None:
    async with two() as world:
        home = spawner(world.alpha, 3)
        boss = await home.start(ONCE, on="beta", share=2)
        await grow(await grow(boss))
        assert not home.can_spawn()
        assert await home.despawn(boss)
        assert taken(home) == 0
        assert growers(world.alpha, world.beta) == 0
        nothing_left(world)


async def test_all_slots_are_free_when_the_node_is_lost_and_nothing_lives_there_then(
    autojump_clock: MockClock,
) -> None:
    async with two(lease=5.0) as world:
        home = spawner(world.alpha, 4)
        boss = await home.start(
            actors.Template(Grower, policy=actors.Policy(restart="temporary")), on="beta", share=2
        )
        await grow(await grow(boss))
        world.cable.silent()
        while boss.state is not ActorState.STOPPED:
            assert taken(home) == 3
            await trio.sleep(0.05)
        assert taken(home) == 0
        assert growers(world.beta) == 0
        for _ in range(4):
            await home.wait_spawn(ONCE)
        assert taken(home) == 4


async def test_a_restart_there_begins_with_the_same_share_and_nothing_of_before(
    autojump_clock: MockClock,
) -> None:
    async with two() as world:
        home = spawner(world.alpha, 3)
        boss = await home.start(ONCE, name="boss", on="beta", share=2)
        for _ in range(2):
            await grow(boss)
        boss.tell(Crash())
        await settled()
        assert growers(world.beta) <= 1
        assert taken(home) == 3
        for _ in range(2):
            assert isinstance(await grow(boss), actors.Ref)
        assert await grow(boss) == ("full", 3, 3)
        assert growers(world.beta) == 3


async def test_the_share_is_for_what_is_below_the_child(autojump_clock: MockClock) -> None:
    """What it spawned elsewhere in the other tree would outlive it, and the slots at home."""
    async with two() as world:
        boss = await spawner(world.alpha, 9).start(ONCE, on="beta", share=5)
        said = await boss.ask(Grow(over="the system"))
        assert said[:3] == ["full", 1, 6]
        assert "below it" in said[3]
        assert isinstance(await grow(boss), actors.Ref)


async def test_a_share_passes_on_to_a_third_node(autojump_clock: MockClock) -> None:
    async with three(Grower) as world:
        home = spawner(world.alpha, 6, 2)
        boss = await home.start(ONCE, on="beta", share=4)
        deputy = await grow(boss, on="gamma", share=2)
        assert await grow(boss, on="gamma", share=2) == ("full", 4, 5)
        assert isinstance(await grow(boss, share=0), actors.Ref)
        assert await grow(boss) == ("full", 5, 5)
        last = await grow(deputy, on="alpha")
        assert await grow(last) == ("deep", 3, 2)
        assert isinstance(await grow(deputy), actors.Ref)
        assert await grow(deputy, on="beta") == ("full", 3, 3)
        deputy.stop()
        await deputy.wait_stopped()
        assert isinstance(await grow(boss, share=2, on="gamma"), actors.Ref)


async def test_more_than_any_limits_allow_is_no_share(autojump_clock: MockClock) -> None:
    async with two() as world:
        home = spawner(world.alpha, 100)
        for wrong in (100, 10**9, -1, True, 1.0, "3"):
            with pytest.raises(ValueError, match="from 0 to 99"):
                home.spawn(ONCE, on="beta", share=wrong)  # pyright: ignore[reportArgumentType]
        assert taken(home) == 0
        home.spawn(ONCE, on="beta", share=99)
        assert taken(home) == 100


async def test_a_race_on_both_nodes_fills_the_slots_and_no_more(autojump_clock: MockClock) -> None:
    async with two() as world:
        home = spawner(world.alpha, 8)
        bosses = [await home.wait_spawn(ONCE, on="beta", share=2), await home.wait_spawn(ONCE)]
        said: list[Any] = []

        async def ask(boss: actors.Ref) -> None:
            said.append(await grow(boss))

        async with trio.open_nursery() as nursery:
            for _ in range(10):
                for boss in bosses:
                    nursery.start_soon(ask, boss)
        assert sum(isinstance(one, actors.Ref) for one in said) == 2 + 4
        assert growers(world.alpha, world.beta) == taken(home) == 8


# --- what the grant says ---


def spawned(world: Any, node: str = "alpha") -> list[dict[str, Any]]:
    """The spawn items that a node has sent."""
    frames = [json.loads(text) for sender, text in world.cable.frames if sender == node]
    found = [item for frame in frames if frame["k"] == "items" for item in frame.get("c", [0, []])[1]]
    return [item for item in found if item["k"] == "spawn"]


async def test_only_who_is_bounded_takes_a_grant_along(autojump_clock: MockClock) -> None:
    async with two() as world:
        await world.alpha.start(Grower, on="beta")
        await spawner(world.alpha, 7, 4).start(ONCE, on="beta", share=5)
        free, bounded = spawned(world)
        assert "grant" not in free
        assert bounded["grant"] == {"depth": 0, "max_depth": 4, "slots": 6}


@pytest.mark.parametrize(
    "grant",
    [
        {"depth": -1, "max_depth": 3, "slots": 1},
        {"depth": 11, "max_depth": 3, "slots": 1},
        {"depth": 0, "max_depth": 0, "slots": 1},
        {"depth": 0, "max_depth": 11, "slots": 1},
        {"depth": 0, "max_depth": 3, "slots": 0},
        {"depth": 0, "max_depth": 3, "slots": 101},
        {"depth": 0, "max_depth": 3, "slots": 10**30},
    ],
)
async def test_a_child_with_wrong_numbers_in_its_grant_fails_to_start(
    grant: dict[str, Any], autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with two() as world:
        monkeypatch.setattr(child, "grant_of", lambda _: items.Grant(**grant))  # pyright: ignore[reportUnknownLambdaType]
        with pytest.raises(actors.StartFailed, match="must be"):
            await world.alpha.start(Grower, on="beta")
        monkeypatch.undo()
        nothing_left(world)
        assert isinstance(await world.alpha.start(Grower, on="beta"), actors.Ref)


class Until(actors.Supervisor):
    """Ends with its child."""

    auto_shutdown = "any"

    async def on_start(self) -> None:
        once = actors.Policy(restart="temporary")
        await self.start(Grower, name="one", policy=once, significant=True)


async def test_a_supervisor_elsewhere_that_ends_with_its_child_frees_its_slots(
    autojump_clock: MockClock,
) -> None:
    async with linked(spawnable=(Until,)) as world:
        home = spawner(world.alpha, 4)
        boss = await home.start(Until, on="beta", share=1)
        assert taken(home) == 2

        assert growers(world.beta) == 2
        one = world.beta.find(f"/system/nodes/alpha/{boss.path.strip('/')}/one")
        assert one is not None
        one.tell(Crash())
        with trio.fail_after(5):
            await boss.wait_stopped()
        assert taken(home) == 0
        nothing_left(world)
