"""Refs cross links: which is which, and who is meant."""

from __future__ import annotations

import gc
import pickle
from typing import Any

import pytest
import trio
from trio.testing import MockClock

import actors
from actors import ActorState, ExitKind
from tests.remote.folk import Echo, Hold, Keep, Note, Seen, WhoAsks, Worker, at_rest, link_of, settled
from tests.remote.stage import linked


@actors.message(tag="test.refs.Meet")
class Meet(actors.Request[bool]):
    """A ref in a typed field, in a list and in a dict."""

    one: actors.Ref
    many: list[actors.Ref]
    named: dict[str, actors.Ref | None]


@actors.message(tag="test.refs.Inner")
class Inner:
    ref: actors.Ref


@actors.message(tag="test.refs.Outer")
class Outer(actors.Request[bool]):
    inner: Inner
    other: Inner | None = None


@actors.message(tag="test.refs.Pass")
class Pass(actors.Request[Any]):
    """Ask `whom`, and answer with what it says."""

    whom: actors.Ref
    request: Any


class Host(Worker):
    def __init__(self) -> None:
        super().__init__()
        self.met: list[Any] = []

    @actors.receive
    async def meet(self, message: Meet) -> bool:
        self.met += [message.one, *message.many, *message.named.values()]
        return all(isinstance(one, actors.Ref | None) for one in self.met)

    @actors.receive
    async def open_up(self, message: Outer) -> bool:
        self.met.append(message.inner.ref)
        return isinstance(message.inner.ref, actors.Ref)

    @actors.receive
    async def hand_on(self, message: Pass) -> Any:
        return await message.whom.ask(message.request)


class Asker(actors.Actor):
    @actors.receive
    async def hand_on(self, message: Pass) -> Any:
        return await message.whom.ask(message.request)


async def test_a_ref_in_any_place_of_a_message_arrives_as_a_ref(autojump_clock: MockClock) -> None:
    async with linked() as world:
        world.beta.spawn(Host, name="host")
        host = await world.peer.find("/host")
        assert host is not None
        mine = world.alpha.spawn(Worker, name="mine")
        assert await host.ask(Meet(mine, [mine, host], {"a": mine, "b": None}), timeout=5)
        assert await host.ask(Outer(Inner(mine)), timeout=5)
        assert await host.ask(Outer(Inner(mine), Inner(host)), timeout=5)
        assert await host.ask(Keep([mine, (host, {"deep": mine})])) == [mine, (host, {"deep": mine})]


async def test_a_ref_that_came_over_the_link_is_told_and_asked(autojump_clock: MockClock) -> None:
    async with linked() as world:
        world.beta.spawn(Host, name="host")
        host = await world.peer.find("/host")
        assert host is not None
        mine = world.alpha.spawn(Worker, name="mine")
        assert await host.ask(Pass(mine, Echo("home again")), timeout=5) == "home again"


async def test_a_ref_comes_home_as_the_very_same_ref(autojump_clock: MockClock) -> None:
    async with linked() as world:
        world.beta.spawn(Worker, name="worker")
        worker = await world.peer.find("/worker")
        assert worker is not None
        mine = world.alpha.spawn(Worker, name="mine")
        back = await worker.ask(Keep(mine))
        assert back is mine
        assert (await worker.ask(Keep([mine, back])))[0] is mine


async def test_a_ref_of_an_actor_that_is_gone_comes_home_equal(autojump_clock: MockClock) -> None:
    async with linked() as world:
        worker = world.beta.spawn(Worker, name="worker")
        there = await world.peer.find("/worker")
        assert there is not None
        mine = world.alpha.spawn(Worker, name="mine")
        await there.ask(Keep(mine))
        mine.stop()
        await mine.wait_stopped()
        back = await there.ask(Keep(mine))
        assert (back == mine, hash(back) == hash(mine)) == (True, True)
        assert back.state is ActorState.STOPPED
        kept = worker.cell.actor.kept[0]  # pyright: ignore
        assert (kept.state, kept == kept, kept.path) == (ActorState.STOPPED, True, "/mine")


async def test_a_ref_of_the_forgotten_dead_comes_home_as_stopped(autojump_clock: MockClock) -> None:
    """Nothing of the actor is left at home, and only the other node remembers it."""
    async with linked() as world:
        world.beta.spawn(Keeper, name="keeper")
        there = await world.peer.find("/keeper")
        assert there is not None
        mine = world.alpha.spawn(Worker, name="mine")
        assert await there.ask(Keep(mine)) is mine
        identity = mine.identity
        mine.stop()
        await mine.wait_stopped()
        del mine
        gc.collect()
        (back,) = await there.ask(KeptOnes())
        assert (back.identity, back.state) == (identity, ActorState.STOPPED)
        with pytest.raises(actors.ActorStopped):
            await back.ask(Echo(), timeout=5)


async def test_refs_of_one_life_are_equal_on_both_nodes(autojump_clock: MockClock) -> None:
    async with linked() as world:
        at_home = world.beta.spawn(Worker, name="worker")
        there = await world.peer.find("/worker")
        again = await world.peer.find("/worker")
        assert there is not None
        assert there == again
        assert hash(there) == hash(again)
        assert there.identity == at_home.identity
        assert there == at_home
        assert {there: 1}[again] == 1  # pyright: ignore
        assert (there.name, there.path, there.node) == ("worker", "/worker", "beta")


async def test_a_new_actor_of_the_same_name_is_another_ref(autojump_clock: MockClock) -> None:
    async with linked() as world:
        first = world.beta.spawn(Worker, name="worker")
        old = await world.peer.find("/worker")
        assert old is not None
        first.stop()
        await first.wait_stopped()
        world.beta.spawn(Worker, name="worker")
        new = await world.peer.find("/worker")
        assert new is not None
        assert new != old
        assert (old.state, new.state) == (ActorState.STOPPED, ActorState.IDLE)
        assert await new.ask(Echo("new"), timeout=5) == "new"
        with pytest.raises(actors.ActorStopped):
            await old.ask(Echo("old"), timeout=5)


async def test_a_ref_by_path_means_whoever_lives_there(autojump_clock: MockClock) -> None:
    """Also after somebody has watched the former one."""
    async with linked() as world:
        ref = world.peer.ref("/worker")
        with pytest.raises(actors.ActorStopped):
            await ref.ask(Echo("nobody"), timeout=5)
        first = world.beta.spawn(Worker, name="worker")
        assert await ref.ask(Echo("first"), timeout=5) == "first"
        first.stop()
        exit = await ref.wait_stopped()
        assert exit.kind is ExitKind.SHUTDOWN
        world.beta.spawn(Worker, name="worker")
        assert await ref.ask(Echo("second"), timeout=5) == "second"
        assert ref.state is ActorState.IDLE


async def test_a_ref_by_path_comes_home_as_whoever_lives_there_then(autojump_clock: MockClock) -> None:
    async with linked() as world:
        world.beta.spawn(Host, name="host")
        there, place = world.peer.ref("/host"), world.peer.ref("/worker")
        with pytest.raises(actors.ActorFailed, match="no such actor lives there"):
            await there.ask(Pass(place, Echo("nobody")), timeout=5)
        await settled()
        worker = world.beta.spawn(Worker, name="worker")
        assert await there.ask(Pass(place, Echo("hello")), timeout=5) == "hello"
        assert await there.ask(Keep(place), timeout=5) == worker


async def test_a_ref_survives_the_restart_of_its_actor(autojump_clock: MockClock) -> None:
    async with linked() as world:
        at_once = actors.Policy(backoff=actors.Backoff(initial=0.0, maximum=0.0, jitter=0.0))
        world.beta.spawn(Restarting, name="worker", policy=at_once)
        there = await world.peer.find("/worker")
        assert there is not None
        with pytest.raises(actors.ActorFailed):
            await there.ask(Fall(), timeout=5)
        assert await there.ask(Echo("again"), timeout=5) == "again"


@actors.message(tag="test.refs.Fall")
class Fall(actors.Request[None]): ...


@actors.message(tag="test.refs.KeptOnes")
class KeptOnes(actors.Request[list]): ...


class Restarting(Worker):
    @actors.receive
    async def fall(self, message: Fall) -> None:
        raise ValueError("fell")


class Keeper(Worker):
    @actors.receive
    async def give(self, message: KeptOnes) -> list[Any]:
        return self.kept


async def test_the_sender_is_known_over_the_link(autojump_clock: MockClock) -> None:
    async with linked() as world:
        world.beta.spawn(Worker, name="worker")
        worker = await world.peer.find("/worker")
        assert worker is not None
        asker = world.alpha.spawn(Asker, name="asker")
        assert await asker.ask(Pass(worker, WhoAsks())) is asker
        assert await worker.ask(WhoAsks()) is None


async def test_the_sender_of_a_told_message_can_be_answered(autojump_clock: MockClock) -> None:
    class Answering(actors.Actor):
        @actors.receive
        async def note(self, message: Note) -> None:
            assert self.ctx.sender is not None
            self.ctx.sender.tell(Note(f"{message.text} back"))

    class Telling(Worker):
        @actors.receive
        async def keep(self, message: Keep) -> None:
            message.what.tell(Note("there"))

    async with linked() as world:
        world.beta.spawn(Answering, name="answering")
        telling = world.alpha.spawn(Telling, name="telling")
        await telling.ask(Keep(await world.peer.find("/answering")))
        await settled()
        assert await telling.ask(Seen()) == ["there back"]


async def test_a_ref_of_another_node_cannot_be_pickled_either(autojump_clock: MockClock) -> None:
    async with linked() as world:
        with pytest.raises(TypeError, match="cannot be pickled: send it in a message over a link"):
            pickle.dumps(world.peer.ref("/worker"))


async def test_a_ref_of_another_node_shows_where_it_is(autojump_clock: MockClock) -> None:
    async with linked() as world:
        worker = world.beta.spawn(Worker, name="worker")
        there = await world.peer.find("/worker")
        assert there is not None
        assert repr(there) == "<Ref /worker IDLE on beta>"
        world.cable.cut()
        await settled()
        assert repr(there) == "<Ref /worker UNREACHABLE on beta>"
        worker.kill()
        world.cable.mend()
        await there.wait_stopped()
        assert repr(there) == "<Ref /worker STOPPED on beta exit=KILLED>"
        assert there.name == "worker"


async def test_refs_that_nobody_holds_are_forgotten(autojump_clock: MockClock) -> None:
    async with linked() as world:
        host = world.beta.spawn(Host, name="host")
        for _ in range(100):
            there = await world.peer.find("/host")
            assert there is not None
            await there.ask(Keep(1))
        del there
        assert await at_rest(world) == {}
        host.stop()
        await host.wait_stopped()
        assert link_of(world.beta, "alpha").inbound.known == {}


async def test_the_end_of_the_link_forgets_who_was_known(autojump_clock: MockClock) -> None:
    async with linked() as world:
        worker = world.beta.spawn(Worker, name="worker")
        there = await world.peer.find("/worker")
        assert there is not None
        await there.ask(Echo())
        link = link_of(world.beta, "alpha")
        assert worker.cell.watchers
        world.peer.close()
        await link.over()
        assert not worker.cell.watchers
        assert link.inbound.known == {}
        assert there.state is ActorState.STOPPED
        with pytest.raises(actors.ActorStopped, match="the link was closed"):
            await there.ask(Hold(), timeout=5)
        await trio.sleep(30)
        assert world.alpha.nodes == ()
        assert world.beta.nodes == ()


async def test_a_ref_by_path_is_the_same_however_its_path_is_spelt(autojump_clock: MockClock) -> None:
    async with linked() as world:
        world.beta.spawn(Worker, name="worker")
        assert world.peer.ref("//worker/") == world.peer.ref("/worker")
        assert world.peer.ref("//worker/").path == "/worker"
        assert await world.peer.find("//worker/") == await world.peer.find("/worker")


async def test_waiting_for_the_start_of_nobody_says_that_nobody_is_there(autojump_clock: MockClock) -> None:
    async with linked() as world:
        with pytest.raises(actors.ActorStopped, match="no such actor lives there"):
            await world.peer.ref("/nobody").wait_started()
