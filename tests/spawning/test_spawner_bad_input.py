"""What a spawner refuses at the door: it says what would be right, and nothing has changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import trio
from trio.testing import MockClock

import actors
from actors import InvalidTemplate, NotAChild, Spawner, SpawnLimits
from tests.remote.stage import linked
from tests.spawning.crew import LOOSE, Agent, Slow, only


class Net(actors.Supervisor):
    def __init__(self, out: list[Any]) -> None:
        out.append(self)


@pytest.mark.parametrize(
    ("make", "kind", "text"),
    [
        (lambda s: Spawner(3), TypeError, "supervisor must be a Supervisor or a System, not 3"),
        (lambda s: Spawner(Net), TypeError, "inside of a Supervisor, write Spawner\\(self\\)"),
        (lambda s: Spawner(Net([])), TypeError, "Net object at .* has not been spawned"),
        (lambda s: Spawner(s.spawn(Agent)), TypeError, "must be a Supervisor or a System, not <Ref"),
        (lambda s: Spawner(s, {"max_active": 3}), TypeError, "limits must be SpawnLimits"),
        (lambda s: Spawner(s, approve=True), TypeError, "approve must be callable, not True"),
        (lambda s: Spawner(s, history=-1), ValueError, "history must be a whole number of 0 or more"),
        (lambda s: Spawner(s, history=1.5), ValueError, "history must be a whole number of 0 or more"),
        (lambda s: Spawner(s, SpawnLimits(max_active=0)), ValueError, "max_active must be"),
        (lambda s: Spawner(s, SpawnLimits(max_active=101)), ValueError, "max_active must be"),
        (lambda s: Spawner(s, SpawnLimits(max_spawns=3)), TypeError, "max_spawns"),
        (lambda s: Spawner(s, max_active=3), TypeError, "max_active"),
    ],
)
async def test_a_spawner_over_nothing_or_within_no_limits_is_refused(
    autojump_clock: MockClock, make: Callable[[Any], Any], kind: type[Exception], text: str
) -> None:
    async with actors.open_system("s") as system:
        with pytest.raises(kind, match=text):
            make(system)


SPAWNS: list[tuple[Callable[[Spawner], Any], type[Exception], str, int]] = [
    # the call, what it raises, what it says, how many failures it counts as
    (lambda s: s.spawn(3), InvalidTemplate, "3 cannot be an actor", 0),
    (lambda s: s.spawn(Agent, specialisation={"nope": 1}), InvalidTemplate, "knows topic, depth, style", 0),
    (lambda s: s.spawn(Agent, specialisation={3: 1}), InvalidTemplate, "does not know 3", 0),
    (lambda s: s.spawn(Agent, specialisation=["a"]), InvalidTemplate, "must be a mapping", 0),
    (lambda s: s.spawn(Agent, trigger="whim"), ValueError, "unknown trigger 'whim': use one of perf", 0),
    (lambda s: s.spawn(Agent, trigger=None), ValueError, "unknown trigger None", 0),
    (lambda s: s.spawn(Agent, share=1), ValueError, "share goes with on=", 0),
    (lambda s: s.spawn(Agent, on="s", share=1), ValueError, "share goes with on=", 0),
    (lambda s: s.spawn(Agent, on="beta", share=-1), ValueError, "share must be a whole number", 0),
    (lambda s: s.spawn(Agent, on="beta", share=True), ValueError, "share must be a whole number", 0),
    (lambda s: s.spawn(Agent, on="beta", share=1.0), ValueError, "share must be a whole number", 0),
    (lambda s: s.spawn(Agent, name=""), actors.InvalidName, "is not a valid name", 1),
    (lambda s: s.spawn(Agent, name="a b"), actors.InvalidName, "is not a valid name", 1),
    (lambda s: s.spawn(Agent, name=3), actors.InvalidName, "is not a valid name", 1),
    (lambda s: s.spawn(Agent, name="taken"), actors.NameTaken, "/taken is taken", 1),
    (lambda s: s.spawn(Agent, name="system"), actors.NameReserved, "system", 1),
    (lambda s: s.spawn(Agent, on="nowhere"), actors.UnknownNode, "nowhere", 1),
    (lambda s: s.spawn(Required), TypeError, "missing a required argument: 'topic'", 1),
    (lambda s: s.history(trigger="whim"), ValueError, "unknown trigger 'whim'", 0),
    (lambda s: s.history(limit=-1), ValueError, "limit must be a whole number of 0 or more", 0),
    (lambda s: s.children_of(3), InvalidTemplate, "3 cannot be an actor", 0),
    (lambda s: s.can_spawn(template=3), InvalidTemplate, "3 cannot be an actor", 0),
    (lambda s: s.check_performance(float("nan")), ValueError, "performance must be", 0),
    (lambda s: s.check_workload(-1), ValueError, "workload must be", 0),
    (lambda s: s.clone(None), NotAChild, "None is no child of /", 0),
    (lambda s: s.clone([]), NotAChild, "\\[\\] is no child of /", 0),
    (lambda s: s.clone("/taken"), NotAChild, "pass the ref of one of its children", 0),
]


class Required(actors.Actor):
    def __init__(self, topic: str) -> None: ...


@pytest.mark.row(61)
@pytest.mark.parametrize(("call", "kind", "text", "failed"), SPAWNS)
async def test_a_call_that_is_wrong_changes_nothing_and_says_what_is_right(
    autojump_clock: MockClock, call: Callable[[Spawner], Any], kind: type[Exception], text: str, failed: int
) -> None:
    async with actors.open_system("s") as system:
        system.spawn(Agent, name="taken")
        spawner = Spawner(system, LOOSE)
        with pytest.raises(kind, match=text):
            call(spawner)
        metrics = spawner.metrics()
        assert (metrics.total, metrics.active, metrics.failed) == (0, 0, failed)
        assert spawner.can_spawn()
        assert spawner.history() == []
        assert len(system.tree().children) == 1
        assert spawner._book.admission.taken == 0


@pytest.mark.row(61)
@pytest.mark.parametrize("how", ["start", "wait_spawn"])
async def test_the_waiting_calls_refuse_the_same(autojump_clock: MockClock, how: str) -> None:
    async with actors.open_system("s") as system:
        spawner = Spawner(system, LOOSE)
        call = getattr(spawner, how)
        with pytest.raises(InvalidTemplate):
            await call(Agent, specialisation={"nope": 1})
        with pytest.raises(ValueError, match="unknown trigger"):
            await call(Agent, trigger="whim")
        system.spawn(Agent, name="taken")
        with pytest.raises(actors.NameTaken):
            await call(Agent, name="taken")
        assert spawner.metrics().failed == 1


@pytest.mark.row(61)
async def test_only_children_of_the_supervisor_are_cloned(autojump_clock: MockClock) -> None:
    out: list[Any] = []
    async with actors.open_system("s") as system, actors.open_system("t") as elsewhere:
        net = await system.start(Net, out, name="net")
        spawner = Spawner(out[0], LOOSE)
        stranger, far = system.spawn(Agent), elsewhere.spawn(Agent)
        nephew = Spawner(system, LOOSE).spawn(Agent)
        child = out[0].spawn(Agent)
        grandson = out[0].spawn(Net, out)
        for ref in (stranger, far, nephew, net):
            with pytest.raises(NotAChild, match="is no child of /net"):
                spawner.clone(ref)
        spawner.clone(child)
        spawner.clone(grandson)
        child.kill()
        await child.wait_stopped()
        with pytest.raises(NotAChild):  # it is gone, and this spawner has no record of it
            spawner.clone(child)
        assert spawner.metrics().failed == 0


@pytest.mark.row(61)
async def test_a_spawn_that_is_gone_and_forgotten_is_cloned_no_more(autojump_clock: MockClock) -> None:
    async with actors.open_system("s") as system:
        spawner = Spawner(system, LOOSE, history=0)
        ref = spawner.spawn(Agent)
        assert spawner.record(ref) is not None
        await spawner.despawn(ref)
        assert spawner.record(ref) is None
        with pytest.raises(NotAChild):
            spawner.clone(ref)


async def test_a_child_on_another_node_that_was_spawned_otherwise_is_not_cloned(
    autojump_clock: MockClock,
) -> None:
    async with linked(spawnable=[Agent]) as world:
        spawner = Spawner(world.alpha, LOOSE)
        ref = world.alpha.spawn(Agent, on="beta")
        with pytest.raises(InvalidTemplate, match="runs on another node: only what this spawner has put"):
            spawner.clone(ref)


@pytest.mark.row(56)
async def test_a_bounded_history_keeps_the_newest_of_those_that_are_gone(autojump_clock: MockClock) -> None:
    async with actors.open_system("s") as system:
        spawner = Spawner(system, LOOSE, history=2)
        living = spawner.spawn(Slow)
        gone = []
        for _ in range(5):
            ref = await spawner.wait_spawn(Agent)
            await spawner.despawn(ref)
            gone.append(ref)
        assert [record.ref for record in spawner.history()] == [gone[4], gone[3], living]
        assert [record.ref for record in spawner.history(ref=gone[4])] == [gone[4]]
        assert spawner.history(ref=gone[0]) == []
        assert spawner.history(trigger="workload_spike") == []
        assert spawner.history(ref=living, trigger="manual", limit=0) == []
        assert spawner.statistics().history == 3


async def test_nothing_grows_with_the_number_of_spawns(autojump_clock: MockClock) -> None:
    async with actors.open_system("s") as system:
        spawner = Spawner(system, LOOSE, history=3)
        for number in range(300):
            template = only(topic=str(number))
            ref = await spawner.wait_spawn(template)
            await spawner.despawn(ref)
            await trio.sleep(0.1)
        book = spawner._book
        assert len(book.history) == 3
        assert book.living == book._lines == {}
        assert len(book.admission.last) <= 2
        assert len(book.admission._ties) <= 2
        assert ref.cell.kernel.followers == {}


async def test_books_of_supervisors_that_are_gone_are_not_kept(autojump_clock: MockClock) -> None:
    kept: list[int] = []

    class Keeper(actors.Supervisor):
        @actors.receive
        async def on_text(self, message: str) -> None:
            out: list[Any] = []
            net = await self.start(Net, out)
            Spawner(out[0], LOOSE).spawn(Agent)
            net.kill()
            await net.wait_stopped()
            kept.append(len(self.ctx.cell.kept or ()))

    async with actors.open_system("s") as system:
        keeper = system.spawn(Keeper)
        for _ in range(5):
            keeper.tell("go")
        await trio.sleep(1)
        assert kept == [1] * 5
