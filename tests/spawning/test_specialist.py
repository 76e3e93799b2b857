"""The specialisation trigger: whoever is specialised already is found, and else spawned (contract §7)."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

import actors
from actors import CooldownActive, InvalidTemplate, Spawner, SpawnLimits, Template
from tests.spawning.crew import LOOSE, Agent, Config


@pytest.mark.row(59)
async def test_a_specialist_is_spawned_once_and_found_from_then_on(autojump_clock: MockClock) -> None:
    async with actors.open_system("s") as system:
        spawner = Spawner(system, LOOSE)
        template = Template(Agent, name="agent")
        first = spawner.specialist(template, {"topic": "law"})
        assert await first.ask(Config()) == ("law", 1, "plain")
        assert spawner.specialist(template, {"topic": "law"}) == first
        await trio.sleep(1)
        second = spawner.specialist(template, {"topic": "tax"})
        assert second != first
        record = spawner.record(second)
        assert record is not None
        assert (record.trigger, dict(record.specialisation)) == ("specialization_needed", {"topic": "tax"})
        assert spawner.metrics().by_trigger == {"specialization_needed": 2}


async def test_one_that_has_ended_or_ends_is_no_specialist_any_more(autojump_clock: MockClock) -> None:
    async with actors.open_system("s") as system:
        spawner = Spawner(system, LOOSE)
        first = spawner.specialist(Agent, {"topic": "law"})
        await first.wait_started()
        first.drain()
        await trio.sleep(1)
        second = spawner.specialist(Agent, {"topic": "law"})
        assert second != first
        second.stop()
        with pytest.raises(CooldownActive):
            spawner.specialist(Agent, {"topic": "law"})


async def test_a_clone_with_the_same_arguments_is_one_too(autojump_clock: MockClock) -> None:
    async with actors.open_system("s") as system:
        spawner = Spawner(system, LOOSE)
        origin = spawner.spawn(Agent)
        await trio.sleep(1)
        clone = spawner.clone(origin, modifications={"topic": "law"})
        assert spawner.specialist(Agent, {"topic": "law"}) == clone
        assert spawner.specialist(Agent, {}) == origin


@pytest.mark.row(59)
async def test_the_specialisation_trigger_fires_with_auto_on_nobody_there_and_room(
    autojump_clock: MockClock,
) -> None:
    async with actors.open_system("s") as system:
        spawner = Spawner(system, SpawnLimits(1, 0.1, auto=True))
        assert spawner.check_specialisation(Agent, {"topic": "law"})
        assert not Spawner(system, LOOSE).check_specialisation(Agent, {"topic": "law"})
        spawner.specialist(Agent, {"topic": "law"})
        await trio.sleep(1)
        assert not spawner.check_specialisation(Agent, {"topic": "law"})
        assert not spawner.check_specialisation(Agent, {"topic": "tax"})  # no room


async def test_a_specialisation_that_the_constructor_does_not_know_is_refused(
    autojump_clock: MockClock,
) -> None:
    async with actors.open_system("s") as system:
        spawner = Spawner(system, LOOSE)
        with pytest.raises(InvalidTemplate, match=r"does not know 'colour': it knows topic, depth, style"):
            spawner.specialist(Agent, {"colour": "red"})
