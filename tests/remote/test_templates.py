"""Templates are spawned on another node like the class or function that they are of."""

from __future__ import annotations

import functools
from typing import Any

import pytest
import trio
from trio.testing import MockClock

import actors
from tests.remote.cast import AT_ONCE, Ask, Do, Worker, nothing_left, settled, staged


async def echo(ctx: actors.Context, prefix: str, *, suffix: str = "") -> None:
    async for message in ctx.inbox:
        ctx.reply(f"{prefix}{message.what}{suffix}")


class NotThere(actors.Actor):
    def __init__(self, mode: str = "") -> None: ...


ALL: tuple[Any, ...] = (Worker, echo)


async def test_the_config_reaches_the_constructor_there(autojump_clock: MockClock) -> None:
    async with staged(spawnable=ALL) as world:
        child = world.alpha.spawn(actors.Template(Worker, {"start": "slow", "stop": 0.5}), on="beta")
        assert await child.ask(Ask("args")) == ["slow", 0.5]
        assert child.node == "beta"
        child.stop()
        await child.wait_stopped()
        nothing_left(world)


@pytest.mark.parametrize(
    ("what", "args"),
    [
        (actors.Template(actors.Template(Worker, {"start": "a", "stop": 1.0}), {"start": "b"}), ["b", 1.0]),
        (actors.Template(Worker, {"start": "a"}).specialise(stop=2.0), ["a", 2.0]),
        (actors.Template(functools.partial(Worker, start="a", stop=1.0), {"start": "b"}), ["b", 1.0]),
        (actors.Template(actors.Template(functools.partial(Worker, start="a")), {"stop": 1.0}), ["a", 1.0]),
    ],
    ids=["of a template", "specialised", "of a partial", "of both"],
)
async def test_a_template_of_templates_and_partials_is_taken_apart(
    what: Any, args: list[Any], autojump_clock: MockClock
) -> None:
    """With the same answer as at home: what is further out wins."""
    async with staged(spawnable=ALL) as world:
        for on in (None, "beta"):
            assert await (await world.alpha.start(what, on=on)).ask(Ask("args")) == args


async def test_a_function_and_arguments_by_place_besides_the_config(autojump_clock: MockClock) -> None:
    async with staged(spawnable=ALL) as world:
        child = world.alpha.spawn(actors.Template(echo, {"suffix": "!"}), "<", on="beta")
        assert await child.ask(Ask("x")) == "<x!"


async def test_the_name_and_the_policy_are_those_of_the_template(autojump_clock: MockClock) -> None:
    async with staged(spawnable=ALL) as world:
        template = actors.Template(Worker, name="w", policy=AT_ONCE)
        child = world.alpha.spawn(template, on="beta")
        assert child.path == "/w"
        child.tell(Do("crash"))
        await settled()
        assert child.statistics().restarts == 1
        with pytest.raises(actors.NameTaken):
            world.alpha.spawn(template, on="beta")
        once = actors.Policy(restart="temporary")
        other = world.alpha.spawn(template, name="other", policy=once, on="beta")
        other.tell(Do("crash"))
        assert (await other.wait_stopped()).kind is actors.ExitKind.FAILED


async def test_what_the_other_node_does_not_start_is_named_as_it_is(autojump_clock: MockClock) -> None:
    async with staged(spawnable=ALL) as world:
        nested = actors.Template(functools.partial(NotThere, mode="x"), name="innocent")
        with pytest.raises(actors.NotSpawnable, match=r"test_templates:NotThere"):
            world.alpha.spawn(nested, on="beta")
        assert not world.alpha.tree().children or world.alpha.find("/innocent") is None


@pytest.mark.parametrize(
    "what",
    [
        actors.Template(Worker, {"start": object()}),
        actors.Template(Worker).specialise(start=[lambda: None]),
        actors.Template(actors.Template(Worker, {"start": trio.Event})),
    ],
)
async def test_what_cannot_travel_is_refused_at_the_door(what: Any, autojump_clock: MockClock) -> None:
    async with staged(spawnable=ALL) as world:
        with pytest.raises(actors.NotSerializable):
            world.alpha.spawn(what, name="w", on="beta")
        assert world.alpha.find("/w") is None
        nothing_left(world)


@pytest.mark.parametrize("what", [actors.Pool(Worker), actors.Template(actors.Pool(Worker))])
async def test_a_pool_runs_where_it_is_spawned(what: Any, autojump_clock: MockClock) -> None:
    async with staged(spawnable=ALL) as world:
        with pytest.raises(actors.NotSerializable, match=r"Pool .*another node"):
            world.alpha.spawn(what, on="beta")


async def test_a_spawner_clones_what_it_has_put_on_another_node(autojump_clock: MockClock) -> None:
    async with staged(spawnable=ALL) as world:
        spawner = actors.Spawner(world.alpha, actors.SpawnLimits.minimal())
        origin = await spawner.start(actors.Template(Worker, {"start": "a"}, name="w"), on="beta")
        await trio.sleep(0.1)
        clone = spawner.clone(origin, modifications={"stop": 4.0})
        assert await clone.ask(Ask("args")) == ["a", 4.0]
        assert clone.node == "beta"
        assert spawner.children_of(origin) == (clone,)
