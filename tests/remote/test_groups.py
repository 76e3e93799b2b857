"""Groups over several nodes."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock

import actors
from tests.remote.folk import Echo, Note, Seen, Worker, at_rest, settled
from tests.remote.stage import World, linked


@actors.message(tag="test.groups.Join")
class Join(actors.Request[None]):
    group: str = "crew"


@actors.message(tag="test.groups.Leave")
class Leave(actors.Request[None]):
    group: str = "crew"


class Member(Worker):
    @actors.receive
    async def join(self, message: Join) -> None:
        self.ctx.join(message.group)

    @actors.receive
    async def leave(self, message: Leave) -> None:
        self.ctx.leave(message.group)


async def member(system: actors.System, name: str) -> actors.Ref:
    """A new actor that has joined the crew."""
    ref = system.spawn(Member, name=name)
    await ref.ask(Join())
    return ref


def crews(world: World) -> tuple[list[str], list[str]]:
    """The crew as each end sees it."""
    alpha, beta = world.alpha.group("crew").members, world.beta.group("crew").members
    return sorted(f"{one.node}{one.path}" for one in alpha), sorted(f"{one.node}{one.path}" for one in beta)


async def test_who_joins_on_either_node_is_seen_on_both(autojump_clock: MockClock) -> None:
    async with linked() as world:
        await member(world.alpha, "a")
        at_beta = await member(world.beta, "b")
        await settled()
        both = ["alpha/a", "beta/b"]
        assert crews(world) == (both, both)
        await at_beta.ask(Leave())
        await settled()
        assert crews(world) == (["alpha/a"], ["alpha/a"])


async def test_who_had_joined_before_the_link_stood_is_in_it_after(autojump_clock: MockClock) -> None:
    async with linked() as world:
        await member(world.alpha, "a")
        await member(world.beta, "b")
        world.peer.close()
        await world.peer.wait_down()
        await trio.sleep(1)
        assert crews(world) == (["alpha/a"], ["beta/b"])
        url = next(iter(world.cables.doors))
        await world.alpha.connect(url)
        await settled()
        both = ["alpha/a", "beta/b"]
        assert crews(world) == (both, both)


async def test_a_group_is_told_and_asked_on_all_nodes(autojump_clock: MockClock) -> None:
    async with linked() as world:
        first = await member(world.alpha, "a")
        second = await member(world.beta, "b")
        await settled()
        assert world.alpha.group("crew").tell(Note("hello")) == 2
        await settled()
        outcomes = await world.beta.group("crew").ask_all(Echo("you"), timeout=5)
        assert {ref.path: outcome.value for ref, outcome in outcomes.items()} == {"/a": "you", "/b": "you"}
        assert await first.ask(Seen()) == ["hello", "you"]
        assert await second.ask(Seen()) == ["hello", "you"]


async def test_the_dead_leave_on_both_nodes(autojump_clock: MockClock) -> None:
    async with linked() as world:
        await member(world.alpha, "a")
        second = await member(world.beta, "b")
        await settled()
        second.kill()
        await settled()
        assert crews(world) == (["alpha/a"], ["alpha/a"])


async def test_a_lost_node_leaves_with_all_of_its_members(autojump_clock: MockClock) -> None:
    async with linked() as world:
        await member(world.alpha, "a")
        await member(world.beta, "b")
        await settled()
        world.cable.silent()
        await world.peer.wait_down()
        await trio.sleep(15)
        assert crews(world) == (["alpha/a"], ["beta/b"])


async def test_what_happens_while_the_link_is_down_is_seen_when_it_is_back(autojump_clock: MockClock) -> None:
    async with linked() as world:
        await member(world.alpha, "a")
        gone = await member(world.beta, "b")
        await settled()
        world.cable.cut()
        gone.kill()
        await member(world.beta, "c")
        await trio.sleep(1)
        assert crews(world) == (["alpha/a", "beta/b"], ["alpha/a", "beta/c"])
        outcomes = await world.alpha.group("crew").ask_all(Echo(), timeout=1)
        assert [outcome.ok for outcome in outcomes.values()] == [True, False]
        world.cable.mend()
        await world.connected()
        await settled()
        both = ["alpha/a", "beta/c"]
        assert crews(world) == (both, both)


async def test_joining_twice_and_joining_again(autojump_clock: MockClock) -> None:
    async with linked() as world:
        ref = await member(world.beta, "b")
        await ref.ask(Join())
        await ref.ask(Leave())
        await ref.ask(Leave())
        await ref.ask(Join())
        await settled()
        assert crews(world) == (["beta/b"], ["beta/b"])
        assert world.alpha.group("crew").members == (ref,)


async def test_a_message_that_cannot_travel_raises_for_a_group_too(autojump_clock: MockClock) -> None:
    class Plain(actors.Request[None]): ...

    async with linked() as world:
        await member(world.beta, "b")
        await settled()
        with pytest.raises(actors.NotSerializable, match="Plain"):
            world.alpha.group("crew").tell(Plain())
        outcomes = await world.alpha.group("crew").ask_all(Plain())
        (outcome,) = outcomes.values()
        assert isinstance(outcome.error, actors.NotSerializable)


async def test_an_emptied_group_leaves_nothing(autojump_clock: MockClock) -> None:
    async with linked() as world:
        names: list[Any] = [await member(world.beta, f"b{number}") for number in range(20)]
        await settled()
        for ref in names:
            ref.stop()
        await settled()
        names.clear()
        del ref
        assert await at_rest(world) == {}
        kernels = [system._kernel for system in (world.alpha, world.beta)]  # pyright: ignore
        assert [kernel.groups for kernel in kernels] == [{}, {}]
