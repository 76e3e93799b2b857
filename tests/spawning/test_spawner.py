"""A spawner: how much, how fast, how deep, and what it tells of it (contract §7)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

import actors
from actors import (
    CooldownActive,
    DepthExceeded,
    ExitKind,
    Policy,
    Spawner,
    SpawnLimitReached,
    SpawnLimits,
    SpawnRefused,
    SpawnTrigger,
    Template,
)
from actors.errors import SpawnDenied
from actors.events import SpawnerUnhealthy, SpawnRejected, SpawnRolledBack
from tests.core.cast import drained
from tests.spawning.crew import LOOSE, Agent, Config, Fragile, Slow, Touchy, only, waiter

THREE = SpawnLimits(max_active=3, cooldown=0.1)
PATIENT = SpawnLimits(max_active=10, cooldown=5.0)


async def after_cooldown(spawner: Spawner) -> None:
    await trio.sleep_until(trio.current_time() + spawner.cooldown_remaining())


# --- how many -------------------------------------------------------------------------


@pytest.mark.row(48)
async def test_a_slot_that_is_despawned_is_free_again(autojump_clock: MockClock) -> None:
    async with actors.open_system("s") as system:
        spawner = Spawner(system, THREE)
        refs = [await spawner.wait_spawn(Agent) for _ in range(3)]
        await after_cooldown(spawner)
        assert not spawner.can_spawn()
        with pytest.raises(SpawnLimitReached) as caught:
            spawner.spawn(Agent)
        assert (caught.value.active, caught.value.max_active) == (3, 3)
        assert await spawner.despawn(refs[1])
        assert spawner.can_spawn()
        spawner.spawn(Agent)
        assert spawner.metrics().active == 3


ENDS: dict[str, tuple[Any, Callable[[actors.Ref], object]]] = {
    "stop": (only(Agent), actors.Ref.stop),
    "kill": (only(Agent), actors.Ref.kill),
    "drain": (only(Agent), actors.Ref.drain),
    "crash of an adhoc actor": (only(Touchy), lambda ref: ref.tell("now")),
    "return of a function": (only(waiter), lambda ref: None),
    "a start that fails": (only(Fragile), lambda ref: None),
    "kill during its start": (only(Slow), actors.Ref.kill),
}


@pytest.mark.row(48)
@pytest.mark.parametrize("end", ENDS)
async def test_who_saw_it_end_can_spawn_at_once(autojump_clock: MockClock, end: str) -> None:
    what, act = ENDS[end]
    async with actors.open_system("s") as system:
        spawner = Spawner(system, SpawnLimits(max_active=1, cooldown=0.1))
        ref = spawner.spawn(what)
        seen: list[int] = []

        class Listener:
            """Hears of the end in the very step."""

            def became_ready(self, cell: Any, /) -> None: ...

            def went(self, cell: Any, exit: Any, /) -> None:
                seen.append(spawner.metrics().active)

        ref.cell.kernel.follow(ref.cell, Listener())
        await trio.sleep(0.1)
        assert not spawner.can_spawn(check_cooldown=False) or end == "a start that fails"
        act(ref)
        await ref.wait_stopped()
        assert spawner.can_spawn()
        assert seen == [0]
        spawner.spawn(Agent)


@pytest.mark.row(48)
async def test_the_slots_of_a_system_that_has_closed_are_free(autojump_clock: MockClock) -> None:
    async with actors.open_system("s") as system:
        spawner = Spawner(system, THREE)
        ref = await spawner.start(Template(Agent, name="a"))
    assert spawner.metrics().active == 0
    assert spawner.record(ref) is not None
    await trio.sleep(1)
    with pytest.raises(actors.SystemClosed):
        spawner.spawn(Agent)
    assert spawner.metrics().failed == 1
    assert repr(spawner) == "<Spawner over /, 0 of 3>"


# --- how fast -------------------------------------------------------------------------


@pytest.mark.row(50)
async def test_the_cooldown_ends_exactly_when_it_is_over(autojump_clock: MockClock) -> None:
    async with actors.open_system("s") as system:
        spawner = Spawner(system, PATIENT)
        spawner.spawn(Agent)
        await trio.sleep(4.999)
        assert not spawner.can_spawn()
        assert spawner.can_spawn(check_cooldown=False)
        assert spawner.cooldown_remaining() == pytest.approx(0.001)
        with pytest.raises(CooldownActive) as caught:
            spawner.spawn(Agent)
        assert caught.value.retry_after == pytest.approx(0.001)
        await trio.sleep_until(5.0)
        assert spawner.can_spawn()
        assert spawner.cooldown_remaining() == 0.0
        spawner.spawn(Agent)


@pytest.mark.row(50)
async def test_each_template_has_a_cooldown_of_its_own_and_shares_it_with_its_special_ones(
    autojump_clock: MockClock,
) -> None:
    one, other = Template(Agent, name="one"), Template(Agent, name="other")
    async with actors.open_system("s") as system:
        spawner = Spawner(system, PATIENT)
        spawner.spawn(one)
        await trio.sleep(1)
        spawner.spawn(other)
        assert spawner.cooldown_remaining(one) == 4.0
        assert spawner.cooldown_remaining(other) == spawner.cooldown_remaining() == 5.0
        for same in (one, one.specialise(topic="a"), Template(Agent, name="one")):
            with pytest.raises(CooldownActive):
                spawner.spawn(same)
        with pytest.raises(CooldownActive):
            spawner.spawn(one, specialisation={"topic": "b"})
        assert not spawner.can_spawn(template=one)
        assert spawner.can_spawn(template=Agent)  # as a template of its own
        assert not spawner.can_spawn()
        spawner.spawn(Agent)
        assert spawner.cooldown_remaining(Agent) == 5.0


@pytest.mark.row(50)
async def test_the_cooldown_may_be_one_for_the_whole_spawner(autojump_clock: MockClock) -> None:
    async with actors.open_system("s") as system:
        spawner = Spawner(system, SpawnLimits(cooldown=5.0, per="spawner"))
        spawner.spawn(Agent)
        with pytest.raises(CooldownActive):
            spawner.spawn(waiter)
        await trio.sleep(5.0)
        spawner.spawn(waiter)


@pytest.mark.row(50)
async def test_what_failed_or_was_refused_starts_no_cooldown(autojump_clock: MockClock) -> None:
    async with actors.open_system("s") as system:
        spawner = Spawner(system, PATIENT)
        with pytest.raises(actors.StartFailed):
            await spawner.start(Fragile)
        assert spawner.can_spawn(template=Fragile)
        spawner.spawn(Agent, name="a")
        await trio.sleep(5.0)
        with pytest.raises(actors.NameTaken):
            spawner.spawn(Agent, name="a")
        assert spawner.cooldown_remaining() == 0.0
        assert spawner.statistics().last_spawn == 0.0


# --- waiting for the cooldown ---------------------------------------------------------


@pytest.mark.row(52)
async def test_a_waiting_spawn_comes_exactly_when_the_cooldown_is_over(autojump_clock: MockClock) -> None:
    async with actors.open_system("s") as system:
        spawner = Spawner(system, PATIENT)
        await spawner.wait_spawn(Agent)
        assert trio.current_time() == 0.0
        await spawner.wait_spawn(Agent)
        assert trio.current_time() == 5.0
        assert spawner.metrics().refused == 0


@pytest.mark.row(52)
@pytest.mark.parametrize("per", ["template", "spawner"])
async def test_those_who_wait_come_in_the_order_in_which_they_asked(
    autojump_clock: MockClock, per: Any
) -> None:
    order: list[tuple[int, float]] = []
    templates = (
        [Template(Agent)] * 4 if per == "template" else [Template(Agent, name=f"n{i}") for i in range(4)]
    )
    async with actors.open_system("s") as system, trio.open_nursery() as nursery:
        spawner = Spawner(system, SpawnLimits(cooldown=5.0, per=per))

        async def wait(number: int) -> None:
            await spawner.wait_spawn(templates[number])
            order.append((number, trio.current_time()))

        for number in range(4):
            nursery.start_soon(wait, number)
            await wait_all_tasks_blocked()
    assert order == [(0, 0.0), (1, 5.0), (2, 10.0), (3, 15.0)]


@pytest.mark.row(52)
@pytest.mark.parametrize("leaver", [1, 2, 3])
async def test_who_leaves_the_line_leaves_it_whole(autojump_clock: MockClock, leaver: int) -> None:
    order: list[tuple[int, float]] = []
    async with actors.open_system("s") as system, trio.open_nursery() as nursery:
        spawner = Spawner(system, PATIENT)
        scopes = [trio.CancelScope() for _ in range(4)]

        async def wait(number: int) -> None:
            with scopes[number]:
                await spawner.wait_spawn(Agent)
                order.append((number, trio.current_time()))

        for number in range(4):
            nursery.start_soon(wait, number)
            await wait_all_tasks_blocked()
        await trio.sleep(2.0)
        scopes[leaver].cancel()
    rest = [number for number in range(4) if number != leaver]
    assert order == list(zip(rest, [0.0, 5.0, 10.0], strict=True))
    assert spawner._book._lines == {}  # nothing is kept of a line that nobody stands in


@pytest.mark.row(52)
async def test_who_waits_goes_on_when_the_spawner_is_reset(autojump_clock: MockClock) -> None:
    async with actors.open_system("s") as system, trio.open_nursery() as nursery:
        spawner = Spawner(system, PATIENT)
        spawner.spawn(Agent)

        async def wait() -> None:
            await spawner.wait_spawn(Agent)
            assert trio.current_time() == 3.0

        nursery.start_soon(wait)
        await trio.sleep(3.0)
        spawner.reset()


@pytest.mark.row(52)
async def test_a_failed_start_frees_the_cooldown_in_its_step(autojump_clock: MockClock) -> None:
    template = Template(Fragile, {"start": 2.0})
    async with actors.open_system("s") as system, trio.open_nursery() as nursery:
        spawner = Spawner(system, PATIENT)

        async def attempt() -> None:
            with pytest.raises(actors.StartFailed):
                await spawner.wait_spawn(template)

        nursery.start_soon(attempt)
        nursery.start_soon(attempt)
    assert trio.current_time() == 4.0


@pytest.mark.row(52)
async def test_what_no_waiting_cures_is_said_at_once(autojump_clock: MockClock) -> None:
    async with actors.open_system("s") as system:
        spawner = Spawner(system, SpawnLimits(max_active=1, cooldown=5.0))
        await spawner.wait_spawn(Agent)
        with pytest.raises(SpawnLimitReached):
            await spawner.wait_spawn(Agent)
        assert trio.current_time() == 0.0


@pytest.mark.row(52)
async def test_a_slot_that_is_lost_while_it_waits_is_a_refusal(autojump_clock: MockClock) -> None:
    async with actors.open_system("s") as system, trio.open_nursery() as nursery:
        spawner = Spawner(system, SpawnLimits(max_active=2, cooldown=5.0))
        spawner.spawn(Agent)

        async def wait() -> None:
            with pytest.raises(SpawnLimitReached):
                await spawner.wait_spawn(Agent)
            assert trio.current_time() == 5.0

        nursery.start_soon(wait)
        await trio.sleep(1.0)
        spawner.spawn(waiter, specialisation={"seconds": 60.0})


# --- how deep -------------------------------------------------------------------------


@pytest.mark.row(53)
@pytest.mark.parametrize("deepest", [1, 3, 10])
async def test_clones_of_clones_go_down_to_the_limit_and_not_further(
    autojump_clock: MockClock, deepest: int
) -> None:
    async with actors.open_system("s") as system:
        spawner = Spawner(system, SpawnLimits(max_active=100, cooldown=0.1, max_depth=deepest))
        ref = spawner.spawn(Agent)
        depths = [spawner.record(ref).depth]  # type: ignore[union-attr]
        for _ in range(deepest):
            await trio.sleep(0.1)
            ref = spawner.clone(ref)
            depths.append(spawner.record(ref).depth)  # type: ignore[union-attr]
        assert depths == list(range(deepest + 1))
        await trio.sleep(0.1)
        with pytest.raises(DepthExceeded) as caught:
            spawner.clone(ref)
        assert (caught.value.depth, caught.value.max_depth) == (deepest + 1, deepest)
        assert isinstance(caught.value, ValueError)


class Chain(actors.Supervisor):
    """Spawns one like itself, until it is refused. Tells how deep it is."""

    def __init__(self, told: list[Any], over: str = "itself") -> None:
        self.told = told
        self.over = over

    async def on_start(self) -> None:
        spawner = Spawner(self if self.over == "itself" else self.ctx.system, LOOSE)
        try:
            ref = spawner.spawn(Template(Chain, {"told": self.told, "over": self.over}))
        except SpawnRefused as error:
            self.told.append(error)
        else:
            self.told.append(spawner.record(ref).depth)  # type: ignore[union-attr]


@pytest.mark.row(53)
@pytest.mark.parametrize("deepest", [1, 3, 10])
@pytest.mark.parametrize("over", ["itself", "the system"])
async def test_depth_counts_on_in_spawners_of_what_was_spawned(
    autojump_clock: MockClock, deepest: int, over: str
) -> None:
    told: list[Any] = []
    async with actors.open_system("s") as system:
        spawner = Spawner(system, SpawnLimits(max_active=100, max_depth=deepest))
        await spawner.start(Template(Chain, {"told": told, "over": over}))
        await wait_all_tasks_blocked()
    *depths, last = told
    assert depths == list(range(1, deepest + 1))
    assert isinstance(last, DepthExceeded)


@pytest.mark.row(53)
async def test_depth_counts_on_where_a_spawn_uses_the_spawner_that_has_spawned_it(
    autojump_clock: MockClock,
) -> None:
    told: list[Any] = []

    class Climber(actors.Actor):
        def __init__(self, spawner: Spawner) -> None:
            self.spawner = spawner

        async def on_start(self) -> None:
            await trio.sleep(1)
            assert self.spawner.can_spawn() == (len(told) < 3)
            try:
                ref = self.spawner.spawn(Template(Climber, {"spawner": self.spawner}))
            except DepthExceeded as error:
                told.append(error.depth)
            else:
                told.append(self.spawner.record(ref).depth)  # type: ignore[union-attr]

    async with actors.open_system("s") as system:
        spawner = Spawner(system, SpawnLimits(max_active=100, cooldown=0.1, max_depth=3))
        spawner.spawn(Template(Climber, {"spawner": spawner}))
        await trio.sleep(10)
        assert told == [1, 2, 3, 4]


@pytest.mark.row(54)
@pytest.mark.row(55)
async def test_depth_and_lineage_outlive_the_parent(autojump_clock: MockClock) -> None:
    template = Template(Agent, {"topic": "a"}, name="scout")
    async with actors.open_system("s") as system:
        spawner = Spawner(system, LOOSE)
        parent = spawner.spawn(template)
        await trio.sleep(1)
        child = spawner.clone(parent, modifications={"depth": 2})
        assert await spawner.despawn(parent)
        assert await spawner.despawn(child)
        await trio.sleep(1)
        grandchild = spawner.clone(child, modifications={"style": "x"})
        await trio.sleep(1)
        orphan = spawner.clone(parent)
        records = [spawner.record(ref) for ref in (parent, child, grandchild, orphan)]
        assert [record.depth for record in records if record] == [0, 1, 2, 1]
        assert spawner.children_of(template) == (parent,)
        assert spawner.children_of(parent) == (child, orphan)
        assert spawner.children_of(child) == (grandchild,)
        assert spawner.children_of(grandchild) == ()
        assert await grandchild.ask(Config()) == ("a", 2, "x")
        assert await orphan.ask(Config()) == ("a", 1, "plain")


@pytest.mark.row(55)
async def test_what_was_spawned_of_a_template_is_found_under_it_and_under_what_it_was_specialised_from(
    autojump_clock: MockClock,
) -> None:
    root = Template(Agent)
    special = root.specialise(topic="a")
    async with actors.open_system("s") as system:
        spawner = Spawner(system, LOOSE)
        refs = []
        for what in (root, special, Agent):
            refs.append(spawner.spawn(what))
            await trio.sleep(0.1)
        refs.append(spawner.spawn(root, specialisation={"topic": "a"}))
        assert spawner.children_of(root) == spawner.children_of(Agent) == tuple(refs)
        assert spawner.children_of(special) == (refs[1],)
        assert spawner.children_of(waiter) == ()


# --- records, names -------------------------------------------------------------------


@pytest.mark.row(57)
async def test_a_record_tells_what_was_spawned_of_what_why_and_when_and_stays(
    autojump_clock: MockClock,
) -> None:
    template = Template(Agent, {"topic": "a"}, name="scout")
    async with actors.open_system("s") as system:
        spawner = Spawner(system, LOOSE)
        await trio.sleep(2)
        given = {"depth": 7}
        ref = spawner.spawn(template, specialisation=given, trigger="workload_spike")
        given["depth"] = 8
        record = spawner.record(ref)
        assert record is not None
        assert re.fullmatch(r"spawn_[0-9a-f]{8}", record.id)
        assert (record.ref, record.template, record.origin) == (ref, template, None)
        assert (record.at, record.depth) == (2.0, 0)
        assert record.trigger is SpawnTrigger.WORKLOAD_SPIKE
        assert record.specialisation == {"depth": 7}
        assert record.definition == Template(Agent, {"topic": "a", "depth": 7}, "scout")
        await spawner.despawn(ref)
        assert spawner.record(ref) is record
        await trio.sleep(1)
        twin = spawner.record(spawner.clone(ref, trigger="specialization_needed"))
        assert twin is not None
        assert (twin.template, twin.origin, twin.at) == (template, ref, 3.0)
        assert twin.id != record.id


@pytest.mark.row(57)
async def test_made_up_names_tell_the_stem_and_never_grow(autojump_clock: MockClock) -> None:
    async with actors.open_system("s") as system:
        spawner = Spawner(system, LOOSE)
        ref = spawner.spawn(Template(Agent, name="scout"))
        assert re.fullmatch(r"scout_spawn_[0-9a-f]{8}", ref.name or "")
        for _ in range(3):
            await trio.sleep(1)
            ref = spawner.clone(ref)
            assert re.fullmatch(r"scout_clone_[0-9a-f]{8}", ref.name or "")


@pytest.mark.row(57)
async def test_a_name_that_another_spawner_has_made_up_does_not_grow_either(
    autojump_clock: MockClock,
) -> None:
    async with actors.open_system("s") as system:
        one, other = Spawner(system, LOOSE), Spawner(system, LOOSE)
        ref = one.spawn(Template(Agent, name="scout"))
        clone = other.clone(ref)
        assert re.fullmatch(r"scout_clone_[0-9a-f]{8}", clone.name or "")
        await trio.sleep(1)
        assert re.fullmatch(r"scout_clone_[0-9a-f]{8}", other.clone(clone).name or "")


@pytest.mark.row(57)
async def test_a_child_has_the_name_it_is_given_or_none_where_neither_it_nor_its_template_has_one(
    autojump_clock: MockClock,
) -> None:
    async with actors.open_system("s") as system:
        spawner = Spawner(system, LOOSE)
        named = spawner.spawn(Agent, name="ann")
        await trio.sleep(1)
        clone = spawner.clone(named)
        await trio.sleep(1)
        adhoc = spawner.spawn(Agent)
        await trio.sleep(1)
        assert named.name == "ann"
        assert re.fullmatch(r"ann_clone_[0-9a-f]{8}", clone.name or "")
        assert adhoc.name is spawner.clone(adhoc).name is None
        nested = spawner.spawn(Template(Template(Agent, name="inner")))
        assert re.fullmatch(r"inner_spawn_[0-9a-f]{8}", nested.name or "")


@pytest.mark.row(57)
async def test_the_longest_stem_leaves_room_for_what_is_put_behind(autojump_clock: MockClock) -> None:
    async with actors.open_system("s") as system:
        spawner = Spawner(system, LOOSE)
        ref = spawner.spawn(Template(Agent, name="x" * 128))
        assert re.fullmatch(r"x{110}_spawn_[0-9a-f]{8}", ref.name or "")


@pytest.mark.row(57)
async def test_a_made_up_name_is_none_that_a_living_child_has(autojump_clock: MockClock) -> None:
    """Dice that fall on the same number twice."""
    async with actors.open_system("s") as system:
        spawner = Spawner(system, LOOSE)
        dice = [1, 1, 2, 3, 4]
        system.spawn(Agent, name="scout_spawn_00000001")
        system.__actor_family__().kernel.random.getrandbits = lambda _: dice.pop(0)  # type: ignore[method-assign]
        assert spawner.spawn(Template(Agent, name="scout")).name == "scout_spawn_00000002"


# --- counts ---------------------------------------------------------------------------


@pytest.mark.row(58)
async def test_the_counts_tell_what_came_of_what_was_asked(autojump_clock: MockClock) -> None:
    async with actors.open_system("s") as system:
        spawner = Spawner(system, SpawnLimits(cooldown=0.1))
        for start in (1.0, 2.0, 6.0):
            ref = await spawner.start(Template(Slow, {"start": start}), trigger="workload_spike")
        spawner.spawn(Agent)
        with pytest.raises(CooldownActive):
            spawner.spawn(Agent)
        with pytest.raises(actors.StartFailed):
            await spawner.start(Fragile)
        await spawner.despawn(ref)
        metrics = spawner.metrics()
        assert (metrics.total, metrics.active, metrics.failed, metrics.refused) == (4, 3, 2, 1)
        assert metrics.mean_latency == (1.0 + 2.0 + 6.0 + 0.0) / 4
        assert metrics.by_trigger == {SpawnTrigger.WORKLOAD_SPIKE: 3, SpawnTrigger.MANUAL: 1}
        assert metrics.by_trigger["workload_spike"] == 3


@pytest.mark.row(58)
async def test_the_counts_are_a_copy(autojump_clock: MockClock) -> None:
    async with actors.open_system("s") as system:
        spawner = Spawner(system, LOOSE)
        spawner.spawn(Agent)
        before = spawner.metrics()
        before.by_trigger[SpawnTrigger.MANUAL] += 7
        assert spawner.metrics().by_trigger == {SpawnTrigger.MANUAL: 1}
        spawner.spawn(waiter)
        assert before.total == 1
        with pytest.raises(AttributeError):
            before.total = 9  # type: ignore[misc]


@pytest.mark.row(51)
async def test_each_refusal_says_what_would_help_and_is_counted_and_reported(
    autojump_clock: MockClock,
) -> None:
    async with actors.open_system("s") as system, system.subscribe(SpawnRejected) as events:
        spawner = Spawner(
            system,
            SpawnLimits(max_active=2, cooldown=5.0, max_depth=1),
            approve=lambda request: "too dear" if request.name == "dear" else request.name != "no",
        )
        ref = spawner.spawn(Agent)
        with pytest.raises(CooldownActive, match="try again in 5 s") as cooling:
            spawner.spawn(Agent)
        with pytest.raises(SpawnDenied, match="denied the spawn: too dear") as dear:
            spawner.spawn(waiter, name="dear")
        with pytest.raises(SpawnDenied, match=r"denied the spawn$") as denied:
            await spawner.start(waiter, name="no")
        await trio.sleep(5)
        clone = spawner.clone(ref)
        with pytest.raises(DepthExceeded) as deep:
            spawner.clone(clone)
        with pytest.raises(SpawnLimitReached) as full:
            spawner.spawn(waiter)
        errors = [one.value for one in (cooling, dear, denied, deep, full)]
        assert all(isinstance(error, SpawnRefused) for error in errors)
        assert all(isinstance(error, RuntimeError) for error in errors)
        assert cooling.value.retry_after == 5.0
        assert (dear.value.reason, denied.value.reason) == ("too dear", "")
        metrics = spawner.metrics()
        assert (metrics.total, metrics.failed, metrics.refused) == (2, 5, 5)
        told = drained(events)
        assert [event.error for event in told] == errors
        assert [event.template for event in told] == ["Agent", "waiter", "waiter", "Agent", "waiter"]


# --- health ---------------------------------------------------------------------------


@pytest.mark.row(51)
async def test_more_than_a_tenth_that_failed_is_reported_once_until_it_holds_again(
    autojump_clock: MockClock,
) -> None:
    async with actors.open_system("s") as system, system.subscribe(SpawnerUnhealthy) as events:
        spawner = Spawner(system, LOOSE)

        async def spawn(many: int) -> None:
            for _ in range(many):
                await spawner.wait_spawn(waiter)

        def refuse() -> None:
            with pytest.raises(CooldownActive):
                spawner.spawn(waiter)

        await spawn(10)
        refuse()  # one of ten: not more than a tenth
        assert drained(events) == []
        refuse()
        refuse()
        assert [(event.rule, event.text) for event in drained(events)] == [
            ("failures", "2 failed beside 10 that did not")
        ]
        await spawn(20)
        refuse()
        assert [event.rule for event in drained(events)] == ["failures"]


@pytest.mark.row(51)
async def test_the_limit_is_reported_when_it_is_reached_once_until_there_is_room(
    autojump_clock: MockClock,
) -> None:
    async with actors.open_system("s") as system, system.subscribe(SpawnerUnhealthy) as events:
        spawner = Spawner(system, SpawnLimits(max_active=2, cooldown=0.1))
        first = await spawner.wait_spawn(Agent)
        assert drained(events) == []
        await spawner.wait_spawn(Agent)
        [event] = drained(events)
        assert (event.rule, event.text) == ("limit", "2 of at most 2 are alive")
        with pytest.raises(SpawnLimitReached):
            spawner.spawn(Agent)
        await spawner.despawn(first)
        await spawner.wait_spawn(Agent)
        assert [event.rule for event in drained(events)] == ["failures", "limit"]


# --- clones ---------------------------------------------------------------------------


class Net(actors.Supervisor):
    """Its parts can be used from outside."""

    def __init__(self, out: list[Any]) -> None:
        out.append(self)


@pytest.mark.row(61)
async def test_a_child_that_was_spawned_otherwise_is_cloned_with_modifications(
    autojump_clock: MockClock,
) -> None:
    async with actors.open_system("s") as system:
        spawner = Spawner(system, LOOSE)
        policy = Policy(shutdown=3.0)
        other = system.spawn(Agent, "a", 2, name="ann", policy=policy)
        clone = spawner.clone(other, modifications={"depth": 3})
        assert await clone.ask(Config()) == ("a", 3, "plain")
        assert re.fullmatch(r"ann_clone_[0-9a-f]{8}", clone.name or "")
        assert clone.cell.policy == policy
        record = spawner.record(clone)
        assert record is not None
        assert (record.origin, record.depth, record.specialisation) == (other, 1, {"depth": 3})
        assert spawner.record(other) is None
        assert spawner.children_of(other) == (clone,)
        with pytest.raises(CooldownActive):
            spawner.clone(other)
        with pytest.raises(actors.InvalidTemplate, match="Agent does not know 'nope': it knows topic"):
            spawner.clone(other, modifications={"nope": 1})


@pytest.mark.row(61)
async def test_a_clone_may_be_named(autojump_clock: MockClock) -> None:
    async with actors.open_system("s") as system:
        spawner = Spawner(system, LOOSE)
        ref = spawner.spawn(Agent)
        await trio.sleep(1)
        assert spawner.clone(ref, name="bob").path == "/bob"


# --- the end --------------------------------------------------------------------------


@pytest.mark.row(62)
async def test_despawn_returns_when_it_has_ended_and_its_queue_is_told(autojump_clock: MockClock) -> None:
    async with actors.open_system("s") as system:
        spawner = Spawner(system, LOOSE)
        ref = await spawner.start(Template(Slow, {"start": 0.0, "ending": 2.0}))
        ref.suspend()
        asked = ref.request(Config())
        ref.tell("lost")
        assert await spawner.despawn(ref)
        with pytest.raises(actors.ActorStopped):
            await asked.wait()
        assert trio.current_time() == 2.0
        assert [letter.message for letter in system.dead_letters][-1:] == ["lost"]
        assert ref not in system.children(system.find("/"))  # type: ignore[arg-type]
        exit = await ref.wait_stopped()
        assert exit.kind is ExitKind.SHUTDOWN


@pytest.mark.row(62)
async def test_what_is_no_living_spawn_is_not_despawned(autojump_clock: MockClock) -> None:
    async with actors.open_system("s") as system:
        spawner, another = Spawner(system, LOOSE), Spawner(system, LOOSE)
        strange, spawned = system.spawn(Agent), another.spawn(Agent)
        assert await spawner.despawn(strange) is await spawner.despawn(spawned) is False
        ref = spawner.spawn(Agent)
        assert await spawner.despawn(ref) is True
        assert await spawner.despawn(ref) is False
        assert strange.state is actors.ActorState.IDLE


@pytest.mark.row(62)
async def test_of_two_who_despawn_at_once_one_has_done_it_and_both_wait(autojump_clock: MockClock) -> None:
    async with actors.open_system("s") as system:
        spawner = Spawner(system, LOOSE)
        ref = await spawner.start(Template(Slow, {"start": 0.0, "ending": 2.0}))
        answers: list[tuple[bool, float]] = []

        async def despawn() -> None:
            answers.append((await spawner.despawn(ref), trio.current_time()))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(despawn)
            nursery.start_soon(despawn)
        assert sorted(answers) == [(False, 2.0), (True, 2.0)]


class Suicidal(actors.Supervisor):
    """Despawns itself, or lets a child despawn it."""

    def __init__(self, told: list[BaseException], spawner: Spawner, child: bool) -> None:
        self.told, self.spawner, self.child = told, spawner, child

    async def on_start(self) -> None:
        self.ctx.ref.tell("go")

    @actors.receive
    async def go(self, message: str) -> None:
        async def despawn(ctx: actors.Context, ref: actors.Ref) -> None:
            try:
                await self.spawner.despawn(ref)
            except ValueError as error:
                self.told.append(error)

        if self.child:
            self.spawn(despawn, self.ctx.ref)
        else:
            await despawn(self.ctx, self.ctx.ref)


@pytest.mark.row(62)
@pytest.mark.parametrize("child", [False, True])
async def test_despawning_oneself_is_refused_instead_of_waited_for(
    autojump_clock: MockClock, child: bool
) -> None:
    told: list[BaseException] = []
    async with actors.open_system("s") as system:
        spawner = Spawner(system, LOOSE)
        ref = await spawner.start(
            Template(
                Suicidal,
                {"told": told, "spawner": spawner, "child": child},
                policy=Policy(shutdown=float("inf")),
            )
        )
        await wait_all_tasks_blocked()
        [error] = told
        assert "cannot be waited for from inside it" in str(error)
        assert await spawner.despawn(ref)


# --- asked ----------------------------------------------------------------------------


@pytest.mark.row(63)
async def test_the_statistics_tell_everything_at_once(autojump_clock: MockClock) -> None:
    async with actors.open_system("s") as system:
        spawner = Spawner(system, PATIENT)
        seen = spawner.statistics()
        assert (seen.can_spawn, seen.last_spawn, seen.history, seen.cooldown_remaining) == (
            True,
            None,
            0,
            0.0,
        )
        await trio.sleep(1)
        spawner.spawn(Agent)
        await trio.sleep(2)
        seen = spawner.statistics()
        assert seen.limits == spawner.limits == PATIENT
        assert seen.metrics == spawner.metrics()
        assert (seen.can_spawn, seen.last_spawn, seen.history, seen.cooldown_remaining) == (
            False,
            1.0,
            1,
            3.0,
        )


@pytest.mark.row(63)
async def test_a_reset_forgets_everything_but_who_lives(autojump_clock: MockClock) -> None:
    async with actors.open_system("s") as system, system.subscribe(SpawnerUnhealthy) as events:
        spawner = Spawner(system, SpawnLimits(max_active=2, cooldown=5.0))
        gone, living = spawner.spawn(Agent), spawner.spawn(waiter, specialisation={"seconds": 99.0})
        await spawner.despawn(gone)
        with pytest.raises(CooldownActive):
            spawner.spawn(Agent)
        spawner.reset()
        assert spawner.metrics() == actors.SpawnMetrics(
            total=0, active=1, failed=0, refused=0, mean_latency=0.0, by_trigger=spawner.metrics().by_trigger
        )
        assert [record.ref for record in spawner.history()] == [living]
        assert (spawner.cooldown_remaining(), spawner.statistics().last_spawn) == (0.0, None)
        drained(events)
        spawner.spawn(Agent)
        with pytest.raises(SpawnLimitReached):
            spawner.spawn(Agent)
        assert [event.rule for event in drained(events)] == ["limit", "failures"]


@pytest.mark.row(63)
async def test_a_start_that_fails_after_a_reset_leaves_no_count_below_zero(autojump_clock: MockClock) -> None:
    async with actors.open_system("s") as system:
        spawner = Spawner(system, PATIENT)
        spawner.spawn(Template(Fragile, {"start": 2.0}))
        spawner.reset()
        await trio.sleep(1)
        spawner.spawn(Agent)
        await trio.sleep(2)
        metrics = spawner.metrics()
        assert (metrics.total, metrics.failed, dict(metrics.by_trigger)) == (1, 1, {SpawnTrigger.MANUAL: 1})
        assert spawner.statistics().last_spawn == 1.0


@pytest.mark.row(59)
async def test_the_performance_trigger_fires_strictly_below_with_auto_on_and_room(
    autojump_clock: MockClock,
) -> None:
    limits = SpawnLimits(max_active=1, cooldown=5.0, performance_threshold=0.6, auto=True)
    async with actors.open_system("s") as system:
        spawner = Spawner(system, limits)
        assert spawner.check_performance(0.599)
        assert not spawner.check_performance(0.6)
        assert not Spawner(system, SpawnLimits(auto=False)).check_performance(0.0)
        assert not spawner.check_performance()  # nothing is known yet
        ref = spawner.spawn(Agent)
        assert not spawner.check_performance(0.0)  # no room
        await spawner.despawn(ref)
        assert not spawner.check_performance(0.0)  # in cooldown
        assert not spawner.check_performance(0.0, template=Agent)
        assert spawner.check_performance(0.0, template=waiter)


@pytest.mark.row(59)
async def test_the_workload_trigger_fires_strictly_above_with_auto_on_and_room(
    autojump_clock: MockClock,
) -> None:
    limits = SpawnLimits(max_active=1, cooldown=5.0, workload_threshold=2, auto=True)
    async with actors.open_system("s") as system:
        spawner = Spawner(system, limits)
        assert spawner.check_workload(3)
        assert not spawner.check_workload(2)
        assert not Spawner(system, SpawnLimits(auto=False)).check_workload(10**6)
        spawner.spawn(Agent)
        assert not spawner.check_workload(3)


@pytest.mark.row(59)
async def test_without_a_value_the_triggers_look_at_what_its_living_spawns_do(
    autojump_clock: MockClock,
) -> None:
    limits = SpawnLimits(cooldown=0.1, performance_threshold=0.6, workload_threshold=2, auto=True)
    async with actors.open_system("s") as system:
        spawner = Spawner(system, limits)
        at_once = Policy(backoff=actors.Backoff(initial=0.0, maximum=0.0), breaker=None)
        ref = spawner.spawn(Template(Touchy, name="touchy", policy=at_once))
        await trio.sleep(1)
        assert not spawner.check_performance()
        ref.tell("one")
        await trio.sleep(1)
        assert spawner.check_performance()
        ref.suspend()
        for _ in range(2):
            ref.tell("more")
        assert not spawner.check_workload()
        ref.tell("more")
        assert spawner.check_workload()


# --- rollback -------------------------------------------------------------------------


@pytest.mark.row(63)
async def test_a_spawn_whose_start_fails_for_good_is_rolled_back(autojump_clock: MockClock) -> None:
    async with actors.open_system("s") as system, system.subscribe(SpawnRolledBack) as events:
        spawner = Spawner(system, PATIENT)
        ref = spawner.spawn(Template(Fragile, {"start": 1.0}), trigger="workload_spike")
        assert (spawner.metrics().total, spawner.metrics().active) == (1, 1)
        await ref.wait_stopped()
        metrics = spawner.metrics()
        assert (metrics.total, metrics.active, metrics.failed, metrics.refused) == (0, 0, 1, 0)
        assert dict(metrics.by_trigger) == {}
        assert spawner.record(ref) is None
        assert spawner.can_spawn()
        assert spawner.statistics().last_spawn is None
        [event] = drained(events)
        assert event.ref == ref
        assert "does not start" in str(event.error)


class Frail(actors.Supervisor):
    strategy = actors.OneForOne(max_restarts=2, within=60.0)

    def __init__(self, out: list[Spawner]) -> None:
        self.out = out

    async def on_start(self) -> None:
        self.out.append(Spawner(self, PATIENT))


@pytest.mark.row(63)
async def test_a_named_spawn_is_rolled_back_when_its_supervisor_gives_up(autojump_clock: MockClock) -> None:
    out: list[Spawner] = []
    async with actors.open_system("s") as system:
        net = await system.start(Frail, out, name="net")
        ref = out[0].spawn(Template(Fragile, name="f", policy=Policy(breaker=None)))
        await ref.wait_stopped()
        assert out[0].metrics().failed == 1
        assert out[0].record(ref) is None
        assert out[0].can_spawn()
        net.kill()
        await net.wait_stopped()


@pytest.mark.row(63)
async def test_a_spawn_that_became_ready_and_failed_later_stays_on_record(autojump_clock: MockClock) -> None:
    async with actors.open_system("s") as system:
        spawner = Spawner(system, PATIENT)
        ref = await spawner.start(Touchy)
        ref.tell("x")
        await ref.wait_stopped()
        assert spawner.record(ref) is not None
        assert (spawner.metrics().total, spawner.metrics().failed) == (1, 0)


@pytest.mark.row(63)
async def test_a_start_that_stops_itself_has_failed(autojump_clock: MockClock) -> None:
    class Shy(actors.Actor):
        def on_start(self) -> None:
            self.ctx.stop()

        @actors.receive
        async def never(self, message: str) -> None: ...

    @actors.function(readiness=True)
    async def hasty(ctx: actors.Context) -> None: ...

    async with actors.open_system("s") as system:
        spawner = Spawner(system, PATIENT)
        with pytest.raises(actors.StartFailed):
            await spawner.start(hasty)
        assert (spawner.metrics().total, spawner.metrics().failed) == (0, 1)
        ref = spawner.spawn(hasty)  # which nobody waits for: it has returned, as a function may
        await ref.wait_stopped()
        assert (spawner.metrics().total, spawner.metrics().failed) == (1, 1)


@pytest.mark.row(63)
async def test_a_start_that_is_cancelled_leaves_nothing_and_is_no_failure(autojump_clock: MockClock) -> None:
    async with actors.open_system("s") as system:
        spawner = Spawner(system, SpawnLimits(max_active=1, cooldown=5.0))
        with trio.move_on_after(1.0):
            await spawner.start(Template(Slow, {"start": 9.0}))
        assert spawner.history() == []
        assert (spawner.metrics().total, spawner.metrics().failed, spawner.metrics().active) == (0, 0, 0)
        assert spawner.can_spawn(template=Slow)
        assert system.tree().children == ()


@pytest.mark.row(63)
async def test_a_despawn_before_it_is_ready_keeps_the_record(autojump_clock: MockClock) -> None:
    async with actors.open_system("s") as system:
        spawner = Spawner(system, PATIENT)
        ref = spawner.spawn(Template(Slow, {"start": 9.0}))
        assert await spawner.despawn(ref)
        assert spawner.record(ref) is not None
        assert (spawner.metrics().total, spawner.metrics().failed) == (1, 0)


@pytest.mark.row(63)
async def test_a_spawn_that_restarts_keeps_its_slot_and_is_counted_once(autojump_clock: MockClock) -> None:
    async with actors.open_system("s") as system:
        spawner = Spawner(system, SpawnLimits(max_active=1, cooldown=0.1))
        ref = await spawner.start(Template(Touchy, name="t"))
        ref.tell("x")
        await trio.sleep(30)
        assert ref.statistics().restarts == 1
        metrics = spawner.metrics()
        assert (metrics.total, metrics.active, metrics.mean_latency) == (1, 1, 0.0)
        assert not spawner.can_spawn()
