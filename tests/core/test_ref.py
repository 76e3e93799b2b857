"""Refs: who they mean, what they show, and telling (contract §3)."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
import trio
import trio.lowlevel
from trio.testing import MockClock

import actors
from actors import ActorState
from tests.core.cast import AT_ONCE, Die, Echo, Note, Seen, Sleep, Worker, settled


class Nest(actors.Supervisor):
    """Has a named child and an adhoc one."""

    async def on_start(self) -> None:
        self.spawn(Worker, name="worker-1")
        self.spawn(Worker)

    @actors.receive
    def echo(self, message: Echo) -> Any:
        return self.children


async def test_name_path_and_node(autojump_clock: MockClock) -> None:
    """An adhoc actor has no name; its path is `/…/~n`."""
    async with actors.open_system("alpha") as system:
        nest = await system.start(Nest, name="network")
        named, adhoc = await nest.ask(Echo())
        assert (named.name, named.path, named.node) == ("worker-1", "/network/worker-1", "alpha")
        assert (adhoc.name, adhoc.node) == (None, "alpha")
        head, _, number = adhoc.path.rpartition("~")
        assert (head, number.isdigit()) == ("/network/", True)
        root = system.find("/")
        assert root is not None
        assert (root.path, root.node) == ("/", "alpha")


async def test_a_ref_stays_the_same_over_restarts(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        worker = await system.start(Worker, name="worker", policy=AT_ONCE)
        hashed = hash(worker)
        worker.tell(Die())
        assert await worker.ask(Echo("again")) == "again"
        assert (worker.statistics().restarts, hash(worker)) == (1, hashed)
        assert system.find("/worker") == worker


async def test_a_new_actor_of_the_same_name_is_another_ref(autojump_clock: MockClock) -> None:
    """The old one stays STOPPED."""
    async with actors.open_system("alpha") as system:
        old = await system.start(Worker, name="worker")
        old.stop()
        await old.wait_stopped()
        new = await system.start(Worker, name="worker")
        assert (old == new, old != new, len({old, new})) == (False, True, 2)
        assert (old.path, new.path) == ("/worker", "/worker")
        assert (old.state, new.state) == (ActorState.STOPPED, ActorState.IDLE)


async def test_refs_of_two_systems_of_one_name_differ(autojump_clock: MockClock) -> None:
    """Equality includes the incarnation of the node."""
    async with actors.open_system("alpha") as one, actors.open_system("alpha") as other:
        assert one.spawn(Worker, name="worker") != other.spawn(Worker, name="worker")


async def test_a_ref_equals_its_copies_and_nothing_else(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        worker = system.spawn(Worker, name="worker")
        assert copy.copy(worker) == worker == copy.deepcopy(worker)
        assert worker != "/worker"
        assert {worker: 1}[copy.copy(worker)] == 1


async def test_a_ref_is_frozen(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        worker = system.spawn(Worker)
        with pytest.raises(AttributeError, match="frozen"):
            worker.name = "other"  # type: ignore[misc]
        with pytest.raises(AttributeError):
            worker.anything = 1  # type: ignore[attr-defined]


async def test_a_ref_cannot_be_pickled(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        with pytest.raises(TypeError, match="cannot be pickled"):
            pickle.dumps(system.spawn(Worker))


async def test_repr_is_a_status_line(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        worker = system.spawn(Worker, name="worker", policy=AT_ONCE)
        assert repr(worker) == "<Ref /worker STARTING>"
        await worker.wait_started()
        assert repr(worker) == "<Ref /worker IDLE>"
        worker.tell(Sleep(1))
        await settled()
        worker.tell(Note("1"))
        worker.tell(Note("2"))
        assert repr(worker) == "<Ref /worker BUSY depth=2>"
        worker.tell(Die())
        await trio.sleep(1)
        await settled()
        assert repr(worker) == "<Ref /worker IDLE restarts=1>"
        worker.stop()
        assert repr(worker) == "<Ref /worker STOPPING restarts=1>"
        await worker.wait_stopped()
        assert repr(worker) == "<Ref /worker STOPPED restarts=1 exit=SHUTDOWN>"


async def test_telling_never_runs_the_actor_in_the_tellers_step(autojump_clock: MockClock) -> None:
    """`tell` is no checkpoint: the message is handled after the teller has let others run."""
    async with actors.open_system("alpha") as system:
        worker = await system.start(Worker)
        worker.tell(Note("a"))
        assert worker.statistics().handled == 0
        await settled()
        assert worker.statistics().handled == 1


async def test_telling_a_stopped_actor_is_a_dead_letter_and_no_exception(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        worker = await system.start(Worker, name="worker")
        worker.stop()
        await worker.wait_stopped()
        worker.tell(Note("late"))
        worker.tell(Note("late and urgent"), urgent=True)
        await worker.send(Note("sent late"))
        assert [(letter.message.text, letter.reason) for letter in system.dead_letters] == [
            ("late", "stopped"),
            ("late and urgent", "stopped"),
            ("sent late", "stopped"),
        ]


async def test_telling_after_the_system_has_closed_raises_nothing(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        worker = await system.start(Worker)
    worker.tell(Note("late"))
    assert [letter.reason for letter in system.dead_letters] == ["stopped"]
    with pytest.raises(actors.ActorStopped):
        await worker.ask(Echo(), timeout=1)


@pytest.mark.parametrize(
    "message", [None, 5, "text", ("a", 1), object(), Worker], ids=lambda message: type(message).__name__
)
async def test_any_object_may_be_told(autojump_clock: MockClock, message: Any) -> None:
    """Inside one process a message needs no decorator; the very object arrives."""
    got: list[Any] = []

    class Anything(actors.Actor):
        @actors.receive
        def anything(self, message: Any) -> None:
            got.append(message)

    async with actors.open_system("alpha") as system:
        system.spawn(Anything).tell(message)
        await settled()
    assert len(got) == 1
    assert got[0] is message


async def test_an_actor_may_tell_itself(autojump_clock: MockClock) -> None:
    class Loop(Worker):
        @actors.receive
        def start(self, message: int) -> None:
            self.seen.append(str(message))
            if message:
                self.ctx.ref.tell(message - 1)

    async with actors.open_system("alpha") as system:
        loop = system.spawn(Loop)
        loop.tell(3)
        await settled()
        assert await loop.ask(Seen()) == ["3", "2", "1", "0"]


async def test_messages_of_one_sender_keep_their_order_among_many_senders(autojump_clock: MockClock) -> None:
    """FIFO per sender and lane, across batches."""
    got: list[tuple[str, int]] = []

    async def sender(ctx: actors.Context, to: actors.Ref) -> None:
        for n in range(300):
            to.tell((ctx.ref.name, n))
            if n % 50 == 0:
                await trio.lowlevel.checkpoint()

    class Collector(actors.Actor):
        @actors.receive
        async def take(self, message: tuple) -> None:  # type: ignore[type-arg]
            got.append(message)

    async with actors.open_system("alpha") as system:
        collector = system.spawn(Collector, name="collector")
        senders = [system.spawn(sender, collector, name=f"sender-{n}") for n in range(3)]
        for ref in senders:
            await ref.wait_stopped()
        await settled()
    assert len(got) == 900
    for ref in senders:
        assert [n for name, n in got if name == ref.name] == list(range(300))


async def test_every_async_call_is_a_checkpoint_also_when_there_is_nothing_to_wait_for(
    autojump_clock: MockClock,
) -> None:
    """As in trio: an `async` one is a checkpoint, a plain one never is."""

    async def asker(ctx: actors.Context) -> None:
        with trio.testing.assert_checkpoints():
            await ctx.replies()

    async with actors.open_system("alpha") as system:
        worker = await system.start(Worker)
        with trio.testing.assert_checkpoints():
            await worker.wait_started()
        with trio.testing.assert_checkpoints():
            await system.group("nobody").ask_all(Echo())
        assert (await system.spawn(asker).wait_stopped()).error is None
        with trio.testing.assert_no_checkpoints():
            for order in (worker.suspend, worker.resume, worker.drain, worker.stop, worker.kill):
                order()
        await worker.wait_stopped()
        with trio.testing.assert_checkpoints():
            await worker.wait_stopped()
        with trio.testing.assert_checkpoints():
            await worker.send(Note())
        with trio.testing.assert_checkpoints(), pytest.raises(actors.ActorStopped):
            await worker.wait_started()
        with trio.testing.assert_checkpoints(), pytest.raises(actors.ActorStopped):
            await worker.ask(Echo())
        with trio.testing.assert_checkpoints():
            await worker.interrupt()
