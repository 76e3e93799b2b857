"""Many actors asked or stopped together, of which some run on another node."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock

import actors
from actors import ExitKind
from actors.events import Expired
from tests.remote.cast import AT_ONCE, Ask, Do, Seen, Worker, nothing_left, settled, staged


@actors.message(tag="test.together.All")
class All(actors.Request[dict[str, Any]]):
    what: Any
    timeout: float | None = None


class Team(actors.Supervisor):
    """One child here, and two on beta."""

    async def on_start(self) -> None:
        await self.start(Worker, name="near")
        for name in ("far", "further"):
            await self.start(Worker, name=name, on="beta", policy=AT_ONCE)

    @actors.receive
    async def all(self, message: All) -> dict[str, Any]:
        return {ref.path: one for ref, one in (await self.broadcast(message.what, message.timeout)).items()}


@pytest.mark.row(75)
async def test_a_broadcast_reaches_children_on_another_node(autojump_clock: MockClock) -> None:
    """One outcome each, in start order: also of one that is gone over there, and while nobody hears."""
    async with staged(spawnable=(Worker,)) as world:
        team = await world.alpha.start(Team, name="team")
        _, far, further = world.alpha.children(team)
        outcomes = await team.ask(All(Ask("system", 2.0)))
        assert {path: one.value for path, one in outcomes.items()} == {
            "/team/near": "alpha",
            "/team/far": "beta",
            "/team/further": "beta",
        }
        assert [one.elapsed for one in outcomes.values()] == [pytest.approx(2.0, abs=0.01)] * 3

        told = await team.ask(All(Do("hello")))
        assert [one.ok for one in told.values()] == [True] * 3
        assert await far.ask(Seen()) == ["hello"]

        told = await team.ask(All("no message class"))
        assert [type(one.error) for one in told.values()] == [type(None), *[actors.NotSerializable] * 2]

        pending = team.request(All(Ask("system", 5.0)))
        await trio.sleep(1.0)
        further.kill()
        outcomes = await pending.wait()
        assert [one.ok for one in outcomes.values()] == [True, True, False]
        assert type(outcomes["/team/further"].error) is actors.ActorStopped

        world.cable.silent()
        outcomes = await team.ask(All(Ask("system"), 2.0))
        assert {path: type(one.error) for path, one in outcomes.items()} == {
            "/team/near": type(None),
            "/team/far": actors.AskTimeout,
        }
        world.cable.mend()
        await world.connected()
        await actors.stop_all([team])
        await settled()
        nothing_left(world)


async def test_a_vote_over_two_nodes_withdraws_what_is_open_over_there(autojump_clock: MockClock) -> None:
    """Beta hears that nobody waits any more, and passes the request over when its turn comes."""
    async with staged(spawnable=(Worker,)) as world, world.beta.subscribe(Expired) as events:
        near = await world.alpha.start(Worker, name="near")
        far = await world.alpha.start(Worker, name="far", on="beta")
        slow = await world.alpha.start(Worker, name="slow", on="beta")
        slow.tell(Do("busy", 30.0))
        result = await actors.consensus([slow, near, far], Ask("args"))
        assert (result.reached, result.value, result.open) == (True, ["", 0.0], (slow,))
        assert trio.current_time() < 30.0
        await trio.sleep(60.0)
        assert [(event.ref.path, event.message) for event in iter(events.next_nowait, None)] == [
            (slow.path, Ask("args"))
        ]
        exits = await actors.stop_all([near, far, slow])
        assert {exit.kind for exit in exits.values()} == {ExitKind.SHUTDOWN}
        await settled()
        nothing_left(world)


@pytest.mark.row(79)
async def test_actors_of_two_nodes_are_stopped_at_once(autojump_clock: MockClock) -> None:
    """Each takes a second to end: together a second, and the way."""
    async with staged(spawnable=(Worker,)) as world:
        refs = [
            await world.alpha.start(Worker, "", 1.0, name=f"w{number}", on="beta" if number % 2 else None)
            for number in range(10)
        ]
        began = trio.current_time()
        exits = await actors.stop_all(refs)
        assert trio.current_time() - began == pytest.approx(1.0, abs=0.01)
        assert [exits[ref].kind for ref in refs] == [ExitKind.SHUTDOWN] * 10
        nothing_left(world)


async def test_refs_of_another_nodes_own_actors_will_do(autojump_clock: MockClock) -> None:
    """They are asked in turn, at once and by vote; named twice they are asked once."""
    async with staged() as world:
        ref = await world.beta.start(Worker, name="w")
        here = world.peer.ref("/w")
        found = await world.peer.find("/w")
        assert found is not None
        outcomes = await actors.sequential([found, found], Ask("system"))
        assert [one.value for one in outcomes.values()] == ["beta"]
        outcomes = await actors.parallel([here], Ask("system"))
        assert [one.value for one in outcomes.values()] == ["beta"]
        assert (await actors.consensus([found], Ask("system"))).value == "beta"
        assert (await actors.stop_all([found]))[found].kind is ExitKind.SHUTDOWN
        assert ref.state is actors.ActorState.STOPPED
