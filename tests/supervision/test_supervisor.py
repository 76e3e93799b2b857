"""Supervisors and their children: starting, finding, asking all, and ending with them."""

from __future__ import annotations

import gc
import weakref

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

import actors
from actors import ActorState
from tests.supervision.cast import Boom, Child, Crash, Diary, Ping, plain, supervisor


async def family(system: actors.System, diary: Diary, *names: str | None, name: str = "mid") -> actors.Ref:
    """A supervisor with children of these names."""

    async def start(self: actors.Supervisor) -> None:
        for child in names:
            await self.start(Child, child or "adhoc", diary, name=child, policy=plain())

    return await system.start(supervisor(start), name=name, policy=plain())


# --- start and spawn ------------------------------------------------------------------------


@pytest.mark.row(66)
async def test_start_returns_when_the_child_is_ready(autojump_clock: MockClock) -> None:
    """A child whose `on_start` takes three seconds is there after three seconds, and ready."""
    async with actors.open_system("s") as system:
        ref = await system.start(Child, "a", Diary(), [3.0], name="a")
        assert (trio.current_time(), ref.state) == (3.0, ActorState.IDLE)


async def test_spawn_returns_at_once_and_messages_wait(autojump_clock: MockClock) -> None:
    """A spawned child is STARTING; what it is asked meanwhile is answered when it is ready."""
    async with actors.open_system("s") as system:
        ref = system.spawn(Child, "a", Diary(), [3.0], name="a")
        assert ref.state is ActorState.STARTING
        assert await ref.ask(Ping()) == "a"
        assert trio.current_time() == 3.0


@pytest.mark.row(66)
@pytest.mark.parametrize("restart", ["permanent", "transient", "temporary"])
async def test_a_start_that_fails_raises_and_leaves_nothing(restart: str, autojump_clock: MockClock) -> None:
    """One attempt: the error with its cause, `on_stop` run, the name free, nobody else touched."""
    diary = Diary()
    async with actors.open_system("s", strategy=actors.OneForAll(max_restarts=0)) as system:
        await system.start(Child, "other", diary, name="other")
        with pytest.raises(actors.StartFailed) as caught:
            await system.start(Child, "a", diary, [Boom("start")], name="a", policy=plain(restart=restart))
        assert repr(caught.value.__cause__) == repr(Boom("start"))
        assert system.find("/a") is None
        assert diary.lines[-2:] == ["begin a", "stop a START_FAILED"]
        again = await system.start(Child, "a", diary, name="a")
        await trio.sleep(100)
        assert (again.state, diary.of("begin")) == (ActorState.IDLE, ["other", "a", "a"])
        assert system.breakers()["/a"].failures == 0


async def test_a_start_that_is_cancelled_leaves_nothing(autojump_clock: MockClock) -> None:
    """The child is cancelled, its `on_stop` runs, and its name is free when `start` is left."""
    diary = Diary()
    async with actors.open_system("s") as system:
        with trio.move_on_after(2) as scope:
            await system.start(Child, "a", diary, [10.0], name="a")
        assert scope.cancelled_caught
        assert diary.entries == [(0.0, "begin a"), (2.0, "stop a KILLED")]
        assert system.find("/a") is None
        await system.start(Child, "a", diary, name="a")


async def test_a_start_of_a_child_that_is_stopped_meanwhile_raises(autojump_clock: MockClock) -> None:
    """Whoever waits for a start hears that it can no longer happen."""
    async with actors.open_system("s") as system, trio.open_nursery() as nursery:

        async def stop_it() -> None:
            await trio.sleep(1)
            ref = system.find("/a")
            assert ref is not None
            ref.kill()

        nursery.start_soon(stop_it)
        with pytest.raises(actors.ActorStopped):
            await system.start(Child, "a", Diary(), [10.0], name="a")
        assert trio.current_time() == 1.0


async def test_a_child_that_fails_to_start_fails_the_start_of_its_supervisor(
    autojump_clock: MockClock,
) -> None:
    """Earlier siblings stop, nothing is tried again, and the causes lead to the child's error."""
    diary = Diary()

    async def start(self: actors.Supervisor) -> None:
        for name in ("a", "b", "c"):
            script: list[Exception | float | None] = [Boom("start")] if name == "c" else []
            await self.start(Child, name, diary, script, name=name, policy=plain())

    async with actors.open_system("s") as system:
        with pytest.raises(actors.StartFailed) as caught:
            await system.start(supervisor(start), name="mid")
        assert caught.value.ref.path == "/mid"
        below = caught.value.__cause__
        assert isinstance(below, actors.StartFailed)
        assert (below.ref.path, repr(below.__cause__)) == ("/mid/c", repr(Boom("start")))
        assert diary.of("stop") == ["c", "b", "a"]
        assert system.children(system.spawn(supervisor(start))) == ()


@pytest.mark.parametrize("call", ["spawn", "start"])
async def test_a_name_is_taken_while_its_actor_lives(call: str, autojump_clock: MockClock) -> None:
    """A second actor of the name is refused, also during a backoff; an ended one frees it."""
    async with actors.open_system("s") as system:
        ref = await system.start(Child, "a", Diary(), name="a", policy=plain(100))
        ref.tell(Crash())
        await wait_all_tasks_blocked()
        assert ref.state is ActorState.BACKING_OFF
        with pytest.raises(actors.NameTaken) as caught:
            await again(system, call)
        assert caught.value.ref == ref
        ref.stop()
        await ref.wait_stopped()
        new = await again(system, call)
        assert new != ref
        assert ref.state is ActorState.STOPPED


async def again(system: actors.System, call: str) -> actors.Ref:
    made = getattr(system, call)(Child, "a", Diary(), name="a")
    return made if call == "spawn" else await made


@pytest.mark.parametrize("name", ["", "-a", ".a", "a b", "a/b", "ä", "a" * 129])
async def test_an_invalid_name_is_refused(name: str, autojump_clock: MockClock) -> None:
    """Names are 1 to 128 plain characters beginning with a letter or digit; nothing is spawned."""
    async with actors.open_system("s") as system:
        with pytest.raises(actors.InvalidName):
            system.spawn(Child, "a", Diary(), name=name)
        assert system.tree().children == ()


async def test_a_foreign_node_or_a_wrong_policy_is_refused_at_the_door(autojump_clock: MockClock) -> None:
    """An unknown node, and a policy that is none, raise before anything is spawned."""
    async with actors.open_system("s") as system:
        with pytest.raises(actors.UnknownNode):
            system.spawn(Child, "a", Diary(), on="elsewhere")
        with pytest.raises(TypeError, match="Policy"):
            system.spawn(Child, "a", Diary(), policy="default")  # type: ignore[arg-type]
        with pytest.raises(TypeError):
            system.spawn(Child, "a", "b", "c", "d", "too many")
        assert system.spawn(Child, "a", Diary(), on="s", name="a").node == "s"
        assert [child.path for child in system.tree().children] == ["/a"]


async def test_an_ended_supervisor_starts_nothing(autojump_clock: MockClock) -> None:
    """A supervisor that has ended, or backs off, refuses children; a closed system says so."""
    async with actors.open_system("s") as system:
        kept: list[actors.Supervisor] = []

        async def start(self: actors.Supervisor) -> None:
            kept.append(self)

        mid = await system.start(supervisor(start), name="mid")
        mid.stop()
        await mid.wait_stopped()
        with pytest.raises(actors.ActorStopped):
            kept[0].spawn(Child, "a", Diary())
    with pytest.raises(actors.SystemClosed):
        system.spawn(Child, "a", Diary())
    with pytest.raises(actors.SystemClosed):
        await system.start(Child, "a", Diary())


# --- who is who ----------------------------------------------------------------------------


@pytest.mark.row(72)
async def test_children_peers_and_parent(autojump_clock: MockClock) -> None:
    """Children in start order without ended ones, peers without oneself, and the parent of each."""
    async with actors.open_system("s") as system:
        mid = await family(system, Diary(), "a", "b", None, "c")
        a, b, adhoc, c = system.children(mid)
        assert [ref.name for ref in (a, b, adhoc, c)] == ["a", "b", None, "c"]
        assert system.peers(a) == (b, adhoc, c)
        assert system.peers(mid) == ()
        b.stop()
        await b.wait_stopped()
        assert system.children(mid) == (a, adhoc, c)
        assert system.peers(a) == (adhoc, c)
        assert system.children(a) == ()


@pytest.mark.row(72)
async def test_an_actor_of_another_system_is_unknown(autojump_clock: MockClock) -> None:
    """Asking for the relatives of a stranger raises and names it."""
    async with actors.open_system("one") as one, actors.open_system("two") as two:
        stranger = await two.start(Child, "a", Diary(), name="a")
        for question in (one.children, one.peers):
            with pytest.raises(actors.UnknownActor):
                question(stranger)


class Busy(actors.Supervisor):
    """Spawns a child for each message, slowly; each child tells who its parent is."""

    def __init__(self, parents: list[tuple[str, actors.Ref]]) -> None:
        self.parents = parents

    @actors.receive
    async def more(self, message: Ping) -> str:
        for _ in range(5):
            self.spawn(tell_parent, self.parents, self.ctx.ref.path)
            await trio.sleep(0.5)
        return "done"


async def tell_parent(ctx: actors.Context, parents: list[tuple[str, actors.Ref]], expected: str) -> None:
    await trio.sleep(0.25)
    parents.append((expected, ctx.parent))


@pytest.mark.row(73)
async def test_the_parent_is_known_by_construction(autojump_clock: MockClock) -> None:
    """Two supervisors spawn at the same time; every child has the right one."""
    parents: list[tuple[str, actors.Ref]] = []
    async with actors.open_system("s") as system, trio.open_nursery() as nursery:
        for name in ("one", "two"):
            ref = await system.start(Busy, parents, name=name)
            nursery.start_soon(ref.ask, Ping())
    assert len(parents) == 10
    assert all(expected == parent.path for expected, parent in parents)
    assert {parent.name for _, parent in parents} == {"one", "two"}


# --- a supervisor is an actor -----------------------------------------------------------------


async def test_the_failure_of_a_supervisor_stops_its_children_and_a_restart_makes_new_ones(
    autojump_clock: MockClock,
) -> None:
    """Children belong to the incarnation that started them."""
    diary = Diary()

    class Fragile(actors.Supervisor):
        async def on_start(self) -> None:
            await self.start(Child, "a", diary, name="a")

        @actors.receive
        def crash(self, message: Crash) -> None:
            raise Boom(message.text)

    async with actors.open_system("s") as system:
        ref = await system.start(Fragile, name="mid", policy=plain(1))
        old = system.children(ref)[0]
        ref.tell(Crash())
        await trio.sleep(2)
        assert old.state is ActorState.STOPPED
        assert system.children(ref)[0].state is ActorState.IDLE
        assert diary.entries[2:] == [(0.0, "stop a SHUTDOWN"), (1.0, "begin a"), (1.0, "start a")]


@pytest.mark.parametrize(
    ("field", "value", "known"),
    [
        ("strategy", "one_for_one", "OneForOne"),
        ("strategy", actors.OneForAll, "OneForAll"),
        ("strategy", None, "RestForOne"),
        ("auto_shutdown", "some", "never, any, all"),
    ],
)
async def test_what_a_supervisor_sets_for_itself_is_checked_there(
    field: str, value: object, known: str, autojump_clock: MockClock
) -> None:
    """As at its class: no child has to fail before it shows."""

    class Chooses(actors.Supervisor):
        def __init__(self) -> None:
            setattr(self, field, value)

    async with actors.open_system("s") as system:
        with pytest.raises(actors.StartFailed) as caught:
            await system.start(Chooses, name="mid")
        assert isinstance(caught.value.__cause__, ValueError)
        assert known in str(caught.value.__cause__)


async def test_a_supervisor_may_set_its_strategy_for_itself(autojump_clock: MockClock) -> None:
    """By its arguments, say; it holds for the children of that incarnation."""
    diary = Diary()

    class Chooses(actors.Supervisor):
        def __init__(self, strategy: actors.OneForAll) -> None:
            self.strategy = strategy

        async def on_start(self) -> None:
            for name in ("a", "b"):
                await self.start(Child, name, diary, name=name, policy=plain())

    async with actors.open_system("s") as system:
        mid = await system.start(Chooses, actors.OneForAll(), name="mid")
        system.children(mid)[0].tell(Crash())
        await trio.sleep(1)
        assert diary.of("start") == ["a", "b", "a", "b"]


async def test_a_supervisor_keeps_nothing_of_a_child_that_is_gone(autojump_clock: MockClock) -> None:
    """What failed to start, was restarted and ended is garbage."""
    async with actors.open_system("s") as system:
        ref = system.spawn(Child, "a", Diary(), [Boom("start")], name="a", policy=plain())
        await ref.wait_started()
        ref.stop()
        await ref.wait_stopped()
        kept = weakref.ref(ref)
        del ref
        await trio.sleep(1)
        gc.collect()
        assert kept() is None
