"""Looking around in a system: find, children, peers, statistics; spawning and starting (contract §4)."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock

import actors
from actors import ActorState
from actors.events import Spawned, Started, Stopped
from tests.core.cast import AT_ONCE, Echo, Note, Sleep, Worker, facts, settled


class Nest(actors.Supervisor):
    """Named and adhoc children by the names it is given; None is adhoc."""

    def __init__(self, *names: str | None) -> None:
        self.names = names

    async def on_start(self) -> None:
        for name in self.names:
            await self.start(Worker, name=name)

    @actors.receive
    async def echo(self, message: Echo) -> Any:
        return self.children


async def test_find_walks_from_the_root_down(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        nest = await system.start(Nest, "one", None, name="nest")
        one, adhoc = await nest.ask(Echo())
        assert system.find("/nest") == nest
        assert system.find("/nest/one") == one
        assert system.find(adhoc.path) == adhoc
        for nothing in ("/one", "/nest/two", "/nest/one/two", "/nest/~999", "/other"):
            assert system.find(nothing) is None
        root = system.find("/")
        assert root is not None
        assert (root.path, root.state) == ("/", ActorState.IDLE)


@pytest.mark.parametrize("path", ["nest", "", "./nest"])
async def test_find_takes_paths_from_the_root_only(autojump_clock: MockClock, path: str) -> None:
    async with actors.open_system("alpha") as system:
        with pytest.raises(ValueError, match="is not a path from the root"):
            system.find(path)


async def test_find_does_not_see_the_dead(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        worker = await system.start(Worker, name="worker")
        worker.stop()
        await worker.wait_stopped()
        assert system.find("/worker") is None


@pytest.mark.row(72)
async def test_children_peers_and_parent(autojump_clock: MockClock) -> None:
    """Children in start order; peers are siblings without itself and without ended ones."""
    async with actors.open_system("alpha") as system:
        nest = await system.start(Nest, "one", None, "two", name="nest")
        one, adhoc, two = children = system.children(nest)
        assert [child.name for child in children] == ["one", None, "two"]
        assert await nest.ask(Echo()) == children
        assert system.peers(one) == (adhoc, two)
        assert system.peers(two) == (one, adhoc)
        assert system.children(one) == ()
        root = system.find("/")
        assert root is not None
        assert (system.children(root), system.peers(nest), system.peers(root)) == ((nest,), (), ())
        adhoc.stop()
        await adhoc.wait_stopped()
        assert (system.children(nest), system.peers(one)) == ((one, two), (two,))
        nest.stop()
        await nest.wait_stopped()
        assert (system.children(nest), system.peers(one)) == ((), ())


@pytest.mark.row(73)
async def test_the_parent_is_known_by_construction(autojump_clock: MockClock) -> None:
    """Two busy supervisors that spawn at the same time each become the parent of their own."""

    class Busy(actors.Supervisor):
        @actors.receive
        async def spawn_three(self, message: Note) -> None:
            for _ in range(3):
                await trio.sleep(1)
                self.spawn(Child, message.text)

    parents: list[tuple[str, str]] = []

    class Child(actors.Actor):
        def __init__(self, text: str) -> None:
            parents.append((text, self.ctx.parent.path))

    async with actors.open_system("alpha") as system:
        for name in ("red", "blue"):
            system.spawn(Busy, name=name).tell(Note(name))
        await trio.sleep(4)
    assert sorted(parents) == [("blue", "/blue")] * 3 + [("red", "/red")] * 3


async def test_spawn_returns_at_once_and_messages_wait(autojump_clock: MockClock) -> None:
    """It is no checkpoint; the start runs later."""
    async with actors.open_system("alpha") as system:
        with trio.testing.assert_no_checkpoints():
            worker = system.spawn(Worker, name="worker")
            worker.tell(Note("queued"))
        assert worker.state is ActorState.STARTING
        assert await worker.ask(Echo("hi")) == "hi"
        assert worker.statistics().handled == 2


@pytest.mark.row(66)
async def test_start_returns_when_the_child_is_ready_or_fails_with_its_error(
    autojump_clock: MockClock,
) -> None:
    """A start of three seconds takes three; a failing one raises its error after its one."""

    class Slow(Worker):
        async def on_start(self) -> None:
            await trio.sleep(3)

    class Broken(Worker):
        async def on_start(self) -> None:
            await trio.sleep(1)
            raise ValueError("no engine")

    async with actors.open_system("alpha") as system, system.subscribe(Spawned, Started) as events:
        slow = await system.start(Slow, name="slow")
        assert (slow.state, trio.current_time()) == (ActorState.IDLE, pytest.approx(3.0))
        with pytest.raises(actors.StartFailed, match="/broken failed to start: ValueError: no engine"):
            await system.start(Broken, name="broken")
        assert trio.current_time() == pytest.approx(4.0)
        assert facts(events) == [("Spawned", "/slow"), ("Started", "/slow"), ("Spawned", "/broken")]


async def test_start_makes_one_attempt_and_leaves_nothing(autojump_clock: MockClock) -> None:
    """Whatever the restart type: no second attempt, no failure of its supervisor, and the name is free."""
    starts = []

    class Broken(Worker):
        async def on_start(self) -> None:
            starts.append(trio.current_time())
            raise ValueError("no engine")

    policy = actors.Policy(restart="permanent", backoff=AT_ONCE.backoff)
    async with actors.open_system("alpha", strategy=actors.OneForOne(max_restarts=0)) as system:
        for _ in range(3):
            with pytest.raises(actors.StartFailed):
                await system.start(Broken, name="broken", policy=policy)
            assert system.find("/broken") is None
        await trio.sleep(100)
        assert len(starts) == 3
        assert (await system.start(Worker, name="broken")).state is ActorState.IDLE


async def test_a_cancelled_start_leaves_nothing(autojump_clock: MockClock) -> None:
    """The child is gone, with its `on_stop`, when `start` raises Cancelled; the name is free."""
    stopped = []

    class Slow(Worker):
        async def on_start(self) -> None:
            await trio.sleep(60)

        async def on_stop(self, exit: actors.Exit) -> None:
            await trio.sleep(1)
            stopped.append(exit.kind)

    async with actors.open_system("alpha") as system, system.subscribe(Stopped) as events:
        with trio.move_on_after(2) as scope:
            await system.start(Slow, name="slow")
        assert (scope.cancelled_caught, stopped) == (True, ["KILLED"])
        assert [fact[:2] for fact in facts(events)] == [("Stopped", "/slow")]
        assert (system.find("/slow"), trio.current_time()) == (None, pytest.approx(3.0))
        await system.start(Worker, name="slow")


async def test_a_start_that_was_stopped_meanwhile_says_so(autojump_clock: MockClock) -> None:
    class Slow(Worker):
        async def on_start(self) -> None:
            await trio.sleep(3)

    async with actors.open_system("alpha") as system, trio.open_nursery() as nursery:

        async def start() -> None:
            with pytest.raises(actors.ActorStopped):
                await system.start(Slow, name="slow", policy=actors.Policy(shutdown=1.0))
            assert trio.current_time() == pytest.approx(1.0)

        nursery.start_soon(start)
        await settled()
        slow = system.find("/slow")
        assert slow is not None
        slow.stop()


async def test_start_is_a_checkpoint_and_refuses_to_begin_when_cancelled(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system, system.subscribe(Spawned) as events:
        with trio.CancelScope() as scope:
            scope.cancel()
            await system.start(Worker, name="worker")
        assert (scope.cancelled_caught, facts(events)) == (True, [])


async def test_the_policy_of_a_system_is_that_of_actors_without_one(autojump_clock: MockClock) -> None:
    """It is given to every level, and a supervisor's own is not inherited."""

    async def deaf(ctx: actors.Context) -> None:
        await trio.sleep_forever()

    class Boss(actors.Supervisor):
        async def on_start(self) -> None:
            self.spawn(deaf, name="deaf")

    ends = {}
    async with actors.open_system("alpha", policy=actors.Policy(shutdown=2.0)) as system:
        boss = await system.start(Boss, name="boss", policy=actors.Policy(shutdown=50.0))
        plain = await system.start(deaf)
        own = await system.start(deaf, policy=actors.Policy(shutdown=7.0))
        for name, ref in (
            ("below", system.children(boss)[0]),
            ("plain", plain),
            ("own", own),
        ):
            start = trio.current_time()
            ref.stop()
            await ref.wait_stopped()
            ends[name] = trio.current_time() - start
    assert ends == {"below": pytest.approx(2.0), "plain": pytest.approx(2.0), "own": pytest.approx(7.0)}


async def test_statistics_of_a_system(autojump_clock: MockClock) -> None:
    """Counts over the whole tree; what the dead have handled stays counted."""
    async with actors.open_system("alpha") as system:
        assert system.statistics() == actors.SystemStatistics(
            actors=0, states={}, waiting=0, handled=0, dead_letters=0, alarms=0, uptime=0.0
        )
        await system.start(Nest, "one", "two", name="nest")
        worker = await system.start(Worker)
        worker.tell(Note())
        await settled()
        worker.stop()
        await worker.wait_stopped()
        worker.tell(Note("late"))
        one, two = system.children(system.find("/nest"))  # type: ignore[arg-type]
        one.tell(Sleep(10))
        await settled()
        one.tell(Note())
        one.tell(Note())
        two.suspend()
        await trio.sleep(4)
        statistics = system.statistics()
        assert statistics.states == {ActorState.IDLE: 1, ActorState.BUSY: 1, ActorState.SUSPENDED: 1}
        assert (statistics.actors, statistics.waiting, statistics.handled) == (3, 2, 1)
        assert (statistics.dead_letters, statistics.uptime) == (1, pytest.approx(4.0))


async def test_repr_shows_whether_it_is_open(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        assert repr(system) == "<System 'alpha' open, 0 children>"
        system.spawn(Worker)
        assert repr(system) == "<System 'alpha' open, 1 children>"
        system.stop()
        assert repr(system) == "<System 'alpha' closing, 1 children>"
    assert repr(system) == "<System 'alpha' closed, 0 children>"
