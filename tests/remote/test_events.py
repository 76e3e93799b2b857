"""What can be seen of another node: actors by path, its tree, its events, the link itself."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

import actors
from actors import LinkState
from actors.events import (
    DeadLetter,
    DeadLetterReason,
    Event,
    EventsLost,
    Failed,
    LateReply,
    NodeDown,
    NodeReconnecting,
    NodeSuspected,
    NodeUp,
    Spawned,
    Started,
    Stopped,
)
from actors.messages import MessageRegistry
from actors.tree import TreeNode
from tests.remote.folk import Break, Echo, Hold, Note, Unknown, Worker, at_rest, link_of, settled
from tests.remote.stage import Cable, cables, linked


@attrs.frozen
class Plain:
    text: str


async def taken(events: Any, count: int) -> list[Any]:
    """The next ones."""
    found: list[Any] = []
    with trio.fail_after(30):
        async for event in events:
            found.append(event)
            if len(found) == count:
                break
    return found


# --- who is there ---


async def test_find_gives_the_actor_that_lives_there_now(autojump_clock: MockClock) -> None:
    async with linked() as world:
        worker = world.beta.spawn(Worker, name="worker")
        found = await world.peer.find("/worker")
        assert found == worker
        assert await world.peer.find("/nobody") is None
        assert await world.peer.find("/worker/child") is None
        root = await world.peer.find("/")
        assert root is not None
        assert (root.path, root.node) == ("/", "beta")
        for wrong in ("worker", ""):
            with pytest.raises(ValueError, match="path"):
                await world.peer.find(wrong)
            with pytest.raises(ValueError, match="path"):
                world.peer.ref(wrong)


async def test_find_and_tree_wait_while_the_link_is_down_and_end_with_it(autojump_clock: MockClock) -> None:
    async with linked() as world:
        world.beta.spawn(Worker, name="worker")
        world.cable.cut()
        found: list[Any] = []

        async def find() -> None:
            found.append(await world.peer.find("/worker"))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(find)
            await trio.sleep(3)
            assert found == []
            world.cable.mend()
        assert found[0].path == "/worker"
        world.cable.cut()
        with pytest.raises(actors.NodeLost, match="beta"):
            await world.peer.find("/worker")
        with pytest.raises(actors.NodeLost):
            await world.peer.tree()
        assert world.alpha.nodes == ()


async def test_a_call_that_is_given_up_leaves_nothing(autojump_clock: MockClock) -> None:
    async with linked() as world:
        world.cable.cut()
        with trio.move_on_after(1):
            await world.peer.find("/worker")
        assert link_of(world.alpha, "beta").asks == {}
        world.cable.mend()
        await world.connected()
        assert await at_rest(world) == {}


async def test_the_tree_of_a_node_is_what_it_is_over_there(autojump_clock: MockClock) -> None:
    async with linked() as world:
        world.beta.spawn(Worker, name="worker")
        tree = await world.peer.tree()
        assert tree == world.beta.tree()
        assert "worker" in str(tree)


async def test_a_tree_that_is_none_is_refused(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with linked() as world:
        monkeypatch.setattr(TreeNode, "as_dict", lambda _: {"name": "beta"})
        with pytest.raises(actors.LinkRefused, match="no tree"):
            await world.peer.tree()


# --- links ---


async def test_nodes_are_known_by_name_on_both_ends(autojump_clock: MockClock) -> None:
    async with linked() as world:
        assert [peer.name for peer in world.alpha.nodes] == ["beta"]
        assert [peer.name for peer in world.beta.nodes] == ["alpha"]
        assert world.alpha.node("beta").state is LinkState.UP
        assert repr(world.alpha.node("beta")) == "<Peer 'beta' UP>"
        with pytest.raises(actors.UnknownNode, match="gamma"):
            world.alpha.node("gamma")
        await trio.sleep(3)
        assert world.peer.round_trip is not None
        assert world.peer.round_trip < 2


async def test_a_link_is_reported_up_suspected_reconnecting_and_down(autojump_clock: MockClock) -> None:
    async with linked() as world:
        async with world.alpha.subscribe(NodeUp, NodeSuspected, NodeReconnecting, NodeDown) as events:
            world.cable.cut()
            await trio.sleep(3)
            world.cable.mend()
            await world.connected()
            cut, up = await taken(events, 2)
            assert (type(cut), cut.node, type(up), up.node) == (NodeReconnecting, "beta", NodeUp, "beta")
            world.cable.silent()
            await world.peer.wait_down()
            assert [type(one) for one in await taken(events, 3)] == [
                NodeSuspected,
                NodeReconnecting,
                NodeDown,
            ]
        assert world.peer.state is LinkState.DOWN
        await world.peer.wait_down()


@pytest.mark.parametrize("closer", ["alpha", "beta"])
async def test_close_is_for_good_on_both_ends_whoever_has_dialled(
    autojump_clock: MockClock, closer: str
) -> None:
    async with linked() as world:
        worker = world.beta.spawn(Worker, name="worker")
        there = await world.peer.find("/worker")
        assert there is not None
        other = world.beta.node("alpha")
        (world.alpha.node("beta") if closer == "alpha" else other).close()
        with trio.fail_after(3):
            await world.peer.wait_down()
            await other.wait_down()
        exit = await there.wait_stopped()
        assert exit.kind is actors.ExitKind.NODE_DOWN
        assert "the link was closed" in exit.reason + str(exit.error)
        await trio.sleep(60)
        assert (world.alpha.nodes, world.beta.nodes) == ((), ())
        assert worker.state is actors.ActorState.IDLE
        world.peer.close()
        again = await world.alpha.connect(next(iter(world.cables.doors)))
        assert await again.ref("/worker").ask(Echo("again"), timeout=5) == "again"


async def test_close_while_the_cable_is_cut(autojump_clock: MockClock) -> None:
    """Whoever has dialled closes, and does not dial again; the other end waits for its lease."""
    async with linked() as world:
        other = world.beta.node("alpha")
        world.cable.cut()
        await settled()
        world.peer.close()
        await world.peer.wait_down()
        world.cable.mend()
        await other.wait_down()
        assert 13 <= trio.current_time() <= 16
        await trio.sleep(60)
        assert (world.alpha.nodes, world.beta.nodes) == ((), ())


@pytest.mark.parametrize("closer", ["alpha", "beta"])
async def test_a_link_that_breaks_before_its_goodbye_is_out_is_closed_all_the_same(
    autojump_clock: MockClock, closer: str
) -> None:
    """For whoever has closed it; the other end hears of nothing but a cut cable, and waits for the lease."""
    async with linked() as world:
        peer = world.peer if closer == "alpha" else world.beta.node("alpha")
        peer.close()
        world.cable.cut()
        with trio.fail_after(2):
            await peer.wait_down()
        assert not (world.alpha if closer == "alpha" else world.beta).nodes


async def test_what_was_told_before_close_arrives(autojump_clock: MockClock) -> None:
    async with linked() as world:
        worker = world.beta.spawn(Worker, name="worker")
        ref = world.peer.ref("/worker")
        for number in range(500):
            ref.tell(Note(str(number)))
        world.peer.close()
        await world.peer.wait_down()
        await settled()
        assert len(worker.cell.actor.seen) == 500  # pyright: ignore


async def test_wait_up_returns_when_the_link_is_back(autojump_clock: MockClock) -> None:
    async with linked() as world:
        world.cable.cut()
        await settled()
        assert world.peer.state is LinkState.RECONNECTING

        async def mend() -> None:
            await trio.sleep(5)
            world.cable.mend()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(mend)
            await world.peer.wait_up()
        assert 5 <= trio.current_time() <= 8


async def test_both_ends_dial_each_other_at_once(autojump_clock: MockClock) -> None:
    with cables() as made:
        async with actors.open_system("beta") as beta, actors.open_system("alpha") as alpha:
            cable = Cable()
            to_beta, to_alpha = made.door(beta, cable), made.door(alpha, cable)
            peers: list[actors.Peer] = []

            async def dial(system: actors.System, url: str) -> None:
                peers.append(await system.connect(url))

            async with trio.open_nursery() as nursery:
                nursery.start_soon(dial, alpha, to_beta)
                nursery.start_soon(dial, beta, to_alpha)
            for peer in peers:
                await peer.wait_up()
            worker = beta.spawn(Worker, name="worker")
            assert await alpha.node("beta").ref("/worker").ask(Echo("one"), timeout=5) == "one"
            await trio.sleep(30)
            assert [len(system.nodes) for system in (alpha, beta)] == [1, 1]
            assert link_of(alpha, "beta").session.id == link_of(beta, "alpha").session.id
            cable.cut()
            await trio.sleep(2)
            cable.mend()
            assert await alpha.node("beta").ref("/worker").ask(Echo("two"), timeout=10) == "two"
            assert worker.cell.actor.seen == ["one", "two"]  # pyright: ignore


async def test_a_node_that_starts_anew_ends_all_of_the_former_one(autojump_clock: MockClock) -> None:
    """Its refs end with NODE_DOWN; the new one is another node of the same name."""
    with cables() as made:
        async with actors.open_system("alpha") as alpha:
            cable = Cable()
            async with actors.open_system("beta") as beta:
                url = made.door(beta, cable)
                peer = await alpha.connect(url)
                await peer.wait_up()
                beta.spawn(Worker, name="worker")
                old = await peer.find("/worker")
                assert old is not None
                cable.cut()  # no goodbye is heard
            assert peer.state is LinkState.RECONNECTING
            async with actors.open_system("beta") as beta, alpha.subscribe(NodeDown, NodeUp) as events:
                made.redirect(url, beta)
                at_home = beta.spawn(Worker, name="worker")
                cable.mend()
                exit = await old.wait_stopped()
                assert exit.kind is actors.ExitKind.NODE_DOWN
                down, up = await taken(events, 2)
                assert (type(down), type(up)) == (NodeDown, NodeUp)
                await peer.wait_up()
                new = await peer.find("/worker")
                assert new is not None
                assert (new == old, new == at_home) == (False, True)
                assert await new.ask(Echo("new"), timeout=5) == "new"
                with pytest.raises(actors.ActorStopped):
                    await old.ask(Echo("old"), timeout=5)


# --- events ---


async def test_events_of_another_node_are_heard(autojump_clock: MockClock) -> None:
    async with linked() as world:
        await trio.sleep(3)
        async with world.peer.subscribe(Spawned, Started, Stopped, Failed) as events:
            worker = world.beta.spawn(Worker, name="worker", policy=actors.Policy(restart="temporary"))
            spawned, started = await taken(events, 2)
            assert (type(spawned), type(started)) == (Spawned, Started)
            assert spawned.ref == worker
            assert spawned.at == pytest.approx(3.0, abs=0.01)
            assert await spawned.ref.ask(Echo("by event"), timeout=5) == "by event"
            worker.tell(Break("bad wheel"))
            failed, stopped = await taken(events, 2)
            assert (type(failed), type(stopped)) == (Failed, Stopped)
            assert isinstance(failed.exit.error, actors.RemoteError)
            assert failed.exit.error.type_name == "ValueError"
            assert stopped.exit.kind is actors.ExitKind.FAILED
        del spawned, started, failed, stopped
        assert await at_rest(world) == {}


async def test_all_events_are_heard_without_kinds(autojump_clock: MockClock) -> None:
    async with linked() as world, world.peer.subscribe() as events:
        world.beta.spawn(Worker)
        kinds = [type(event) for event in await taken(events, 2)]
        assert kinds == [Spawned, Started]


async def test_what_cannot_travel_in_an_event_comes_as_text(autojump_clock: MockClock) -> None:
    async with linked() as world, world.peer.subscribe(DeadLetter, LateReply) as events:
        worker = world.beta.spawn(Worker, name="worker")
        worker.tell(Plain("there"))
        worker.tell(Unknown())
        with trio.move_on_after(1):
            await worker.ask(Hold(2))
        plain, unknown, late = await taken(events, 3)
        assert (plain.message, plain.reason) == ("Plain(text='there')", DeadLetterReason.UNHANDLED)
        assert isinstance(plain.reason, DeadLetterReason)
        assert (unknown.message, unknown.sender, unknown.ref) == (Unknown(), None, worker)
        assert late.message == Hold(2)


async def test_only_kinds_of_events_can_be_subscribed_to(autojump_clock: MockClock) -> None:
    class Mine(Event): ...

    async with linked() as world:
        for wrong in (Mine, int, Echo):
            with pytest.raises(TypeError, match="is not a kind of event"):
                async with world.peer.subscribe(wrong):  # pyright: ignore
                    pass


async def test_events_end_when_the_node_is_lost(autojump_clock: MockClock) -> None:
    async with linked() as world:
        heard: list[Any] = []
        async with world.peer.subscribe(Spawned) as events:
            world.beta.spawn(Worker)
            await settled()
            world.cable.silent()
            async for event in events:
                heard.append(event)
        assert [type(event) for event in heard] == [Spawned]
        with pytest.raises(actors.NodeLost):
            async with world.peer.subscribe(Spawned):
                pass


async def test_a_subscription_outlives_a_cut_and_loses_nothing(autojump_clock: MockClock) -> None:
    async with linked() as world, world.peer.subscribe(Spawned) as events:
        world.cable.cut()
        for _ in range(100):
            world.beta.spawn(Worker)
        await trio.sleep(2)
        world.cable.mend()
        assert len({event.ref for event in await taken(events, 100)}) == 100


async def test_events_for_which_there_is_no_room_are_counted(autojump_clock: MockClock) -> None:
    async with linked() as world, world.peer.subscribe(DeadLetter) as events:
        worker = world.beta.spawn(Worker, name="worker")
        world.cable.cut()
        for _ in range(12_000):
            worker.tell(Unknown())
            if worker.cell.depth > 500:
                await settled()
        await settled()
        world.cable.mend()
        await world.connected()
        await settled()
        worker.tell(Unknown())
        heard = await taken(events, 10_001)
        lost = sum(event.count for event in heard if isinstance(event, EventsLost))
        assert lost == 2_000
        assert isinstance(heard[-1], EventsLost)
        (last,) = await taken(events, 1)
        assert isinstance(last, DeadLetter)


async def test_a_subscription_that_ends_is_taken_back(autojump_clock: MockClock) -> None:
    async with linked() as world:
        relays = link_of(world.beta, "alpha").inbound.answers._relays  # pyright: ignore
        async with world.peer.subscribe(Spawned), world.peer.subscribe():
            assert len(relays) == 2
        await settled()
        assert relays == {}
        assert link_of(world.alpha, "beta").facts == {}


async def test_a_message_whose_class_is_unknown_here_comes_as_it_is_on_the_wire(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with linked() as world, world.peer.subscribe(DeadLetter) as events:
        find = MessageRegistry.find
        monkeypatch.setattr(
            MessageRegistry,
            "find",
            lambda book, tag: None if tag == "test.folk.Unknown" else find(book, tag),
        )
        world.beta.spawn(Worker, name="worker").tell(Unknown())
        (letter,) = await taken(events, 1)
        assert letter.message.json == {"$": "test.folk.Unknown"}
