"""Limits that hold: through a restart of whoever made the spawner, and below what a spawner has spawned."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

import actors
from actors import (
    Backoff,
    CooldownActive,
    DepthExceeded,
    Policy,
    Spawner,
    SpawnLimitReached,
    SpawnLimits,
    SpawnRefused,
    SpawnTrigger,
    Template,
)
from actors.events import SpawnerUnhealthy
from tests.core.cast import drained
from tests.spawning.crew import LOOSE, Agent, Config, Touchy, waiter

AT_ONCE = Policy(backoff=Backoff(initial=0.0, maximum=0.0, jitter=0.0), breaker=None)
AGENT = Template(Agent, name="agent")
OTHER = Template(waiter, {"seconds": 1e6}, name="other", policy=Policy(shutdown=0.0))


@attrs.define
class Shown:
    """What a supervisor shows of itself: the newest incarnation and its spawner."""

    net: Any = None
    spawner: Any = None
    incarnations: int = 0


class Net(actors.Supervisor):
    """Makes a spawner over itself in each incarnation."""

    def __init__(self, shown: Shown, limits: SpawnLimits, name: str | None = None) -> None:
        self.shown, self.limits, self.name = shown, limits, name

    async def on_start(self) -> None:
        self.shown.net = self
        self.shown.spawner = Spawner(self, self.limits, name=self.name)
        self.shown.incarnations += 1

    @actors.receive
    def on_text(self, text: str) -> None:
        raise ValueError(text)


async def crash(ref: actors.Ref, shown: Shown) -> Spawner:
    """The spawner of the next incarnation."""
    before = shown.incarnations
    ref.tell("crash")
    await wait_all_tasks_blocked()
    assert shown.incarnations == before + 1
    return shown.spawner


# --- restarts -------------------------------------------------------------------------


@pytest.mark.row(50)
@pytest.mark.row(57)
async def test_a_supervisor_that_crashes_goes_on_with_its_limits_and_its_history(
    autojump_clock: MockClock,
) -> None:
    shown = Shown()
    async with actors.open_system("s") as system:
        net = await system.start(
            Net, shown, SpawnLimits(max_active=2, cooldown=5.0), name="net", policy=AT_ONCE
        )
        first = shown.spawner.spawn(AGENT)
        shown.spawner.spawn(OTHER)
        with pytest.raises(SpawnLimitReached):
            shown.spawner.spawn(Agent)
        old = shown.spawner
        spawner = await crash(net, shown)
        assert spawner is not old
        assert spawner.metrics() == old.metrics()
        metrics = spawner.metrics()
        assert (metrics.total, metrics.active, metrics.refused) == (2, 0, 1)  # its children went with it
        assert spawner.record(first) is not None
        assert spawner.cooldown_remaining(AGENT) == 5.0
        with pytest.raises(CooldownActive):
            spawner.spawn(AGENT)
        await trio.sleep(5)
        assert spawner.record(spawner.clone(first)).depth == 1
        spawner.spawn(OTHER)
        with pytest.raises(SpawnLimitReached) as caught:
            spawner.spawn(Agent)
        assert (caught.value.active, caught.value.max_active) == (2, 2)
        assert [record.trigger for record in spawner.history()] == [SpawnTrigger.MANUAL] * 4


async def test_limits_and_history_that_are_changed_at_a_restart_count_from_then_on(
    autojump_clock: MockClock,
) -> None:
    async with actors.open_system("s") as system:
        one = Spawner(system, LOOSE, name="x")
        for template in (AGENT, OTHER):
            await one.despawn(one.spawn(template))
        assert len(one.history()) == 2
        two = Spawner(system, SpawnLimits(cooldown=60.0), name="x", history=1)
        assert len(two.history()) == 1
        assert one.limits == two.limits == SpawnLimits(cooldown=60.0)
        assert two.cooldown_remaining(AGENT) == 60.0


class Remaker(actors.Actor):
    """Makes a spawner over the system in each handler, and may fail after it."""

    def __init__(self, told: list[Any], then: str = "") -> None:
        self.told = told

    @actors.receive
    def on_text(self, text: str) -> None:
        spawner = Spawner(self.ctx.system, SpawnLimits(max_active=3, cooldown=0.1))
        try:
            self.told.append(spawner.spawn(Template(waiter, {"seconds": 1e6})))
        except SpawnRefused as error:
            self.told.append(type(error))
        if text == "crash":
            raise ValueError(text)


@pytest.mark.row(48)
@pytest.mark.parametrize("text", ["go", "crash"])
async def test_an_actor_that_makes_its_spawner_anew_cannot_exceed_its_limits(
    autojump_clock: MockClock, text: str
) -> None:
    told: list[Any] = []
    async with actors.open_system("s", strategy=actors.OneForOne(max_restarts=100)) as system:
        ref = system.spawn(Remaker, told, name="r", policy=AT_ONCE)
        for _ in range(6):
            ref.tell(text)
            ref.tell(text)
            await trio.sleep(0.1)
    assert [type(one) for one in told[::2]] == [actors.Ref] * 3 + [type] * 3
    assert told[1:7:2] == [CooldownActive] * 2 + [SpawnLimitReached]
    assert told[6:] == [SpawnLimitReached] * 6


async def test_two_spawners_of_one_actor_over_one_supervisor_are_told_apart_by_name(
    autojump_clock: MockClock,
) -> None:
    class Two(actors.Supervisor):
        async def on_start(self) -> None:
            small, large = SpawnLimits(max_active=1, cooldown=0.1), LOOSE
            one, two = Spawner(self, small, name="one"), Spawner(self, large, name="two")
            one.spawn(AGENT)
            two.spawn(AGENT)
            assert (one.limits, two.limits) == (small, large)
            assert not one.can_spawn(check_cooldown=False)
            assert two.can_spawn(check_cooldown=False)
            assert Spawner(self, small, name="one").metrics() == one.metrics()
            assert Spawner(self, small).metrics().total == 0
            assert Spawner(self.ctx.system, small, name="one").metrics().total == 0

    async with actors.open_system("s") as system:
        await system.start(Two)


async def test_spawners_made_outside_of_actors_are_each_for_themselves_unless_they_share_a_name(
    autojump_clock: MockClock,
) -> None:
    async with actors.open_system("s") as system:
        one, two = Spawner(system, LOOSE), Spawner(system, LOOSE)
        one.spawn(AGENT)
        assert two.can_spawn()
        assert two.history() == []
        named = Spawner(system, LOOSE, name="x")
        named.spawn(AGENT)
        assert Spawner(system, LOOSE, name="x").metrics().total == 1
        assert Spawner(system, LOOSE, name="y").metrics().total == 0


# --- nested ---------------------------------------------------------------------------


async def nested(
    system: actors.System, outer: Spawner, limits: SpawnLimits = LOOSE
) -> tuple[actors.Ref, Shown]:
    """A spawn of `outer` that has a spawner over itself."""
    shown = Shown()
    ref = await outer.start(Template(Net, {"shown": shown, "limits": limits}, name="net", policy=AT_ONCE))
    return ref, shown


@pytest.mark.row(48)
@pytest.mark.row(49)
async def test_what_is_spawned_below_a_spawn_fills_the_slots_above_too(autojump_clock: MockClock) -> None:
    async with actors.open_system("s") as system, system.subscribe(SpawnerUnhealthy) as events:
        outer = Spawner(system, SpawnLimits(max_active=3, cooldown=0.1))
        ref, shown = await nested(system, outer)
        inner = shown.spawner
        child = inner.spawn(AGENT)
        assert drained(events) == []
        inner.spawn(OTHER)
        assert [(event.rule, event.text) for event in drained(events)] == [
            ("limit", "3 of at most 3 are alive")
        ]
        assert inner.record(child).depth == 1
        for spawner in (inner, outer):
            await trio.sleep(1)
            assert not spawner.can_spawn()
            with pytest.raises(SpawnLimitReached) as caught:
                spawner.spawn(Agent)
            assert (caught.value.active, caught.value.max_active) == (3, 3)
        with pytest.raises(SpawnLimitReached, match="a spawner above has 3 of at most 3 alive"):
            inner.spawn(Agent)
        await inner.despawn(child)
        assert outer.can_spawn()
        drained(events)
        outer.spawn(Agent)
        assert not inner.can_spawn()
        await outer.despawn(ref)  # with all its children
        assert outer._book.admission.taken == 1
        assert inner._book.admission.taken == 0


@pytest.mark.row(48)
async def test_a_restart_below_frees_the_slots_above(autojump_clock: MockClock) -> None:
    async with actors.open_system("s") as system:
        outer = Spawner(system, SpawnLimits(max_active=3, cooldown=0.1))
        ref, shown = await nested(system, outer)
        for template in (AGENT, OTHER):
            shown.spawner.spawn(template)
        inner = await crash(ref, shown)
        assert outer._book.admission.taken == 1
        await trio.sleep(1)
        for template in (AGENT, OTHER):
            inner.spawn(template)
        with pytest.raises(SpawnLimitReached):
            inner.spawn(Agent)


class Sower(actors.Actor):
    """Spawns others over the system, with loose limits of its own."""

    def __init__(self, out: list[Any]) -> None:
        self.out = out

    def on_start(self) -> None:
        spawner = Spawner(self.ctx.system, LOOSE)
        self.out.append(spawner)
        try:
            spawner.spawn(Template(Sower, {"out": self.out}))
        except SpawnRefused as error:
            self.out.append(error)


@pytest.mark.row(49)
async def test_limits_bind_what_spawns_beside_itself(autojump_clock: MockClock) -> None:
    """Each is a sibling of the one that has spawned it: none is below another in the tree."""
    out: list[Any] = []
    async with actors.open_system("s") as system:
        outer = Spawner(system, SpawnLimits(max_active=4, cooldown=0.1, max_depth=10))
        outer.spawn(Template(Sower, {"out": out}))
        await trio.sleep(1)
        *spawners, error = out
        assert len(spawners) == len(system.tree().children) == 4
        assert isinstance(error, SpawnLimitReached)
        assert (error.active, error.max_active) == (4, 4)


@pytest.mark.row(53)
async def test_limits_bind_where_the_maker_of_a_spawner_is_gone(autojump_clock: MockClock) -> None:
    out: list[Any] = []
    async with actors.open_system("s") as system:
        outer = Spawner(system, SpawnLimits(max_active=2, cooldown=0.1, max_depth=1))
        sower = await outer.start(Template(Sower, {"out": out}))
        await wait_all_tasks_blocked()
        await outer.despawn(sower)
        assert outer._book.admission.taken == 1  # what it has sown lives on
        await trio.sleep(1)
        inner = out[0]
        assert inner.record(inner.spawn(Agent)).depth == 1
        with pytest.raises(SpawnLimitReached):
            inner.spawn(waiter)
        with pytest.raises(SpawnLimitReached):
            outer.spawn(waiter)


@pytest.mark.row(53)
async def test_the_depth_above_binds_below(autojump_clock: MockClock) -> None:
    async with actors.open_system("s") as system:
        outer = Spawner(system, SpawnLimits(max_active=10, cooldown=0.1, max_depth=1))
        _, shown = await nested(system, outer)
        child = shown.spawner.spawn(AGENT)
        await trio.sleep(1)
        assert shown.spawner.can_spawn()
        with pytest.raises(DepthExceeded) as caught:
            shown.spawner.clone(child)
        assert (caught.value.depth, caught.value.max_depth) == (2, 1)


@pytest.mark.row(50)
async def test_each_counts_its_own_cooldowns(autojump_clock: MockClock) -> None:
    async with actors.open_system("s") as system:
        outer = Spawner(system, SpawnLimits(cooldown=60.0))
        _, shown = await nested(system, outer)
        outer.spawn(AGENT)
        assert await shown.spawner.spawn(AGENT).ask(Config()) == ("none", 1, "plain")


@pytest.mark.row(63)
async def test_a_start_that_fails_below_frees_the_slots_above(autojump_clock: MockClock) -> None:
    async with actors.open_system("s") as system:
        outer = Spawner(system, SpawnLimits(max_active=3, cooldown=0.1))
        ref, shown = await nested(system, outer)
        shown.net.spawn(Touchy, name="x")
        with pytest.raises(actors.NameTaken):
            shown.spawner.spawn(Agent, name="x")
        assert outer._book.admission.taken == 1
        assert await outer.despawn(ref)


class Onlooker:
    """Follows an actor, and bounds nothing."""

    def became_ready(self, cell: Any, /) -> None: ...

    def went(self, cell: Any, exit: Any, /) -> None: ...


@pytest.mark.row(53)
async def test_who_else_follows_an_actor_bounds_nothing_below_it(autojump_clock: MockClock) -> None:
    shown = Shown()
    async with actors.open_system("s") as system:
        ref = await system.start(Net, shown, LOOSE)
        ref.cell.kernel.follow(ref.cell, Onlooker())
        assert shown.spawner.record(shown.spawner.spawn(AGENT)).depth == 0
