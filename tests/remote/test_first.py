"""A link from end to end."""

from __future__ import annotations

import pytest
import trio

import actors
from actors import LinkState
from tests.remote.stage import linked


@actors.message(tag="test.first.Greet")
class Greet(actors.Request[str]):
    name: str


class Greeter(actors.Actor):
    @actors.receive
    async def greet(self, message: Greet) -> str:
        return f"hello {message.name}"


async def test_an_actor_of_another_node_is_asked_like_one_at_home(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with linked() as world:
        world.beta.spawn(Greeter, name="greeter")
        assert await world.peer.ref("/greeter").ask(Greet("ada"), timeout=5) == "hello ada"


async def test_a_link_that_drops_comes_back_and_goes_on(autojump_clock: trio.testing.MockClock) -> None:
    async with linked() as world:
        world.beta.spawn(Greeter, name="greeter")
        ref = world.peer.ref("/greeter")
        world.cable.cut()
        await trio.sleep(1)
        assert world.peer.state is LinkState.RECONNECTING
        assert ref.state is actors.ActorState.UNREACHABLE
        pending = ref.request(Greet("bob"))
        await trio.sleep(3)
        world.cable.mend()
        assert await pending.wait(timeout=10) == "hello bob"
        assert world.peer.state is LinkState.UP


async def test_silence_is_noticed_and_ends_as_node_down(autojump_clock: trio.testing.MockClock) -> None:
    async with linked(spawnable=(Greeter,)) as world:
        child = world.alpha.spawn(Greeter, name="w", on="beta", policy=actors.Policy(restart="temporary"))
        assert await child.ask(Greet("ada"), timeout=5) == "hello ada"
        world.cable.silent()
        began = trio.current_time()
        exit = await child.wait_stopped()
        assert exit.kind is actors.ExitKind.NODE_DOWN
        assert 14 <= trio.current_time() - began <= 17
        assert world.beta.find("/system/nodes/alpha/w") is None


async def test_a_child_over_there_is_restarted_from_here(autojump_clock: trio.testing.MockClock) -> None:
    with pytest.raises(actors.UnknownNode):
        async with linked(spawnable=(Greeter,)) as world:
            world.alpha.spawn(Greeter, name="w", on="gamma")
