"""The lease: what runs on another node for a supervisor that is gone stops, before that hears NODE_DOWN."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

import actors
from actors import ActorState, ExitKind, LinkState
from actors.events import NodeDown, Stopped
from tests.core.stage import first_come_first_served
from tests.remote.cast import (
    LOG,
    Ask,
    Boss,
    Do,
    Seen,
    Spawn,
    Worker,
    collect,
    hosted,
    letters,
    nothing_left,
    settled,
    staged,
)  # fmt: skip
from tests.remote.stage import Cable, World

Clock = MockClock
PATIENT = actors.Policy(backoff=actors.Backoff.fixed(2.0), breaker=None)
MANY = actors.OneForOne(max_restarts=1000)
FAULTS: dict[str, Callable[[Cable], None]] = {
    "silent": lambda cable: cable.silent(),
    "alpha is deaf": lambda cable: cable.deaf("alpha"),
    "beta is deaf": lambda cable: cable.deaf("beta"),
    "cut": lambda cable: cable.cut(),
}


class Top(actors.Supervisor):
    """Restarts for a long time."""

    strategy = MANY

    def __init__(self, policy: actors.Policy) -> None:
        self.policy = policy

    async def on_start(self) -> None:
        await self.start(Worker, name="w", on="beta", policy=self.policy)


async def seen_down(world: World, fault: str) -> tuple[float, float, float]:
    """When the fault came, when the child had stopped on beta, and when alpha heard of it."""
    child = world.alpha.spawn(
        Worker, name="w", on="beta", policy=actors.Policy(restart="temporary", breaker=None)
    )
    assert await child.ask(Ask("system")) == "beta"
    async with world.beta.subscribe(Stopped) as events, world.alpha.subscribe(NodeDown):
        began = trio.current_time()
        FAULTS[fault](world.cable)
        exit = await child.wait_stopped()
        heard = trio.current_time()
        assert exit.kind is ExitKind.NODE_DOWN
        assert isinstance(exit.error, actors.NodeLost)
        stopped = [one.at for one in collect(events, Stopped) if one.ref == child]  # type: ignore[attr-defined]
        assert len(stopped) == 1, "it was not gone on beta when alpha heard NODE_DOWN"
        assert hosted(world) == []
    return began, stopped[0], heard


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("lease", [3.0, 15.0, 15.75])
@pytest.mark.parametrize("phase", [0.0, 0.3, 0.75])
async def test_the_subtree_is_gone_within_the_lease_and_before_its_supervisor_hears_of_it(
    autojump_clock: Clock, fault: str, lease: float, phase: float
) -> None:
    async with staged(lease=lease, spawnable=(Worker,)) as world:
        await trio.sleep(5 + phase)
        began, stopped, heard = await seen_down(world, fault)
        assert stopped <= heard
        assert lease - 2.5 <= stopped - began <= lease + 1.0
        assert heard - began <= 2 * lease + 3.0 if fault == "beta is deaf" else lease + 3.0


async def test_a_whole_subtree_goes_with_its_root(autojump_clock: Clock) -> None:
    async with staged(spawnable=(Boss, Worker)) as world:
        boss = world.alpha.spawn(
            Boss, name="boss", on="beta", policy=actors.Policy(restart="temporary", breaker=None)
        )
        below = await boss.ask(Spawn("one"))
        world.cable.silent()
        assert (await below.wait_stopped()).kind is ExitKind.NODE_DOWN
        await boss.wait_stopped()
        assert ("/system/nodes/alpha/boss/one", "stopped") in LOG
        assert hosted(world) == []


async def test_the_other_nodes_own_actors_live_on(autojump_clock: Clock) -> None:
    async with staged(spawnable=(Worker,)) as world:
        own = world.beta.spawn(Worker, name="own")
        child = world.alpha.spawn(Worker, name="w", on="beta")
        await child.ask(Ask("system"))
        world.cable.silent()
        await trio.sleep(40)
        assert own.state is ActorState.IDLE
        assert await own.ask(Ask("system")) == "beta"
        assert hosted(world) == []


async def test_the_supervisor_starts_it_again_when_the_node_is_back(autojump_clock: Clock) -> None:
    async with staged(spawnable=(Worker,)) as world:
        top = await world.alpha.start(Top, PATIENT, name="top", policy=PATIENT)
        child = world.alpha.find("/top/w")
        assert child is not None
        child.tell(Do("before"))
        assert await child.ask(Seen()) == ["before"]
        world.cable.silent()
        await trio.sleep(20)
        assert child.state in (ActorState.BACKING_OFF, ActorState.STARTING)
        waiting = child.request(Ask("system"))
        child.tell(Do("meanwhile"))
        world.cable.mend()
        assert await waiting.wait(timeout=60) == "beta"
        assert await child.ask(Seen()) == ["meanwhile"]
        assert top.state is ActorState.IDLE
        assert hosted(world) == ["top:w"]
        child.stop()
        await child.wait_stopped()
        await settled()
        nothing_left(world)


async def test_what_was_in_hand_ends_once(autojump_clock: Clock) -> None:
    """Told ones as dead letters, asked ones as ActorFailed; what still waited here is handled later."""
    async with staged(spawnable=(Worker,)) as world:
        await world.alpha.start(Top, PATIENT, name="top", policy=PATIENT)
        child = world.alpha.find("/top/w")
        assert child is not None
        child.tell(Do("long", 1000.0))
        asked = [child.request(Ask("system")) for _ in range(3)]
        told = [f"told {number}" for number in range(60)]
        for what in told:
            child.tell(Do(what))
        await settled()
        world.cable.silent()
        for one in asked:
            with pytest.raises(actors.ActorFailed) as caught:
                await one.wait()
            assert isinstance(caught.value.__cause__, actors.NodeLost)
        await settled()
        lost = [what for what, reason in letters(world.alpha) if reason == "crashed"]
        assert sorted(lost) == sorted(["long", *told[: len(lost) - 1]])
        world.cable.mend()
        assert await child.ask(Seen(), timeout=60) == told[len(lost) - 1 :]


async def test_with_retries_what_was_in_hand_is_delivered_again(autojump_clock: Clock) -> None:
    policy = actors.Policy(backoff=actors.Backoff.fixed(2.0), breaker=None, retries=1)
    async with staged(spawnable=(Worker,)) as world:
        await world.alpha.start(Top, policy, name="top", policy=PATIENT)
        child = world.alpha.find("/top/w")
        assert child is not None
        told = [f"told {number}" for number in range(60)]
        child.tell(Do("long", 30.0))
        for what in told:
            child.tell(Do(what))
        asked = child.request(Ask("system"))
        await settled()
        world.cable.silent()
        await trio.sleep(20)
        assert letters(world.alpha) == []
        world.cable.mend()
        assert await asked.wait(timeout=100) == "beta"
        assert await child.ask(Seen()) == ["long", *told]
        assert [what for _, what in LOG].count("long") == 1


async def test_a_handler_that_cannot_be_cancelled_is_waited_for_and_nothing_is_handled_twice(
    autojump_clock: Clock,
) -> None:
    """Across the lease: its successor starts when it is gone, and alpha hears of one end of its message."""
    async with staged(spawnable=(Worker,)) as world:
        await world.alpha.start(Top, PATIENT, name="top", policy=PATIENT)
        child = world.alpha.find("/top/w")
        assert child is not None
        child.tell(Do("block", 60.0))
        await settled()
        world.cable.silent()
        await trio.sleep(20)
        world.cable.mend()
        assert await child.ask(Ask("system"), timeout=200) == "beta"
        made = [at for at, (_, what) in enumerate(LOG) if what == "made"]
        assert LOG.index(("/top/w", "unblocked")) < made[1]
        assert [what for what, _ in letters(world.alpha)] == ["block"]
        assert hosted(world) == ["top:w"]


async def test_after_the_lease_both_ends_begin_a_new_session(autojump_clock: Clock) -> None:
    async with staged(spawnable=(Worker,)) as world:
        await world.alpha.start(Top, PATIENT, name="top", policy=PATIENT)
        before = world.alpha._node.associations["beta"].session.id  # pyright: ignore
        world.cable.silent()
        await trio.sleep(25)
        world.cable.mend()
        await trio.sleep(30)
        after = world.alpha._node.associations["beta"].session.id  # pyright: ignore
        assert before != after == world.beta._node.associations["alpha"].session.id  # pyright: ignore
        assert world.alpha.node("beta").state is LinkState.UP


async def test_a_subtree_whose_lease_lapsed_just_before_the_link_is_back_counts_as_lost(
    autojump_clock: Clock,
) -> None:
    """Its supervisor, which has not heard NODE_DOWN, restarts it as after any failure."""
    async with staged(spawnable=(Worker,)) as world:
        await world.alpha.start(Top, PATIENT, name="top", policy=PATIENT)
        child = world.alpha.find("/top/w")
        assert child is not None
        await child.ask(Ask("system"))
        link = world.beta._node.associations["alpha"]  # pyright: ignore[reportPrivateUsage]
        link.inbound.lapse("a test")
        await settled()
        exit = child.cell.exit
        assert exit is not None
        assert exit.kind is ExitKind.NODE_DOWN
        assert child.state is ActorState.BACKING_OFF
        assert await child.ask(Ask("system"), timeout=10) == "beta"


async def test_an_interrupt_and_a_stop_end_when_the_node_is_lost(autojump_clock: Clock) -> None:
    async with staged(spawnable=(Worker,)) as world:
        one, two, three = (world.alpha.spawn(Worker, name=name, on="beta") for name in ("a", "b", "c"))
        for child in (one, two, three):
            child.tell(Do("long", 1000.0))
        await settled()
        world.cable.silent()
        await trio.sleep(1)
        two.stop()
        three.kill()
        assert await one.interrupt() is False
        for child in (two, three):
            await child.wait_stopped()


OUTAGES = st.lists(
    st.tuples(
        st.sampled_from(sorted(FAULTS)),
        st.sampled_from([0.05, 0.4, 1.0, 2.5]),
        st.sampled_from([0.0, 0.3, 1.1, 4.0]),
    ),
    max_size=4,
)
TRAFFIC = st.lists(
    st.tuples(st.sampled_from(["tell", "ask"]), st.integers(1, 40), st.sampled_from([0.0, 0.0, 0.1, 1.0])),
    min_size=1,
    max_size=12,
)


@given(outages=OUTAGES, traffic=TRAFFIC)
@settings(derandomize=True, deadline=None, database=None, max_examples=25)
def test_a_link_that_comes_and_goes_loses_nothing_and_doubles_nothing(
    outages: list[tuple[str, float, float]], traffic: list[tuple[str, int, float]]
) -> None:
    """What a child is told and asked comes once and in order, and so do the answers."""

    async def main() -> None:
        async with staged(lease=100.0, spawnable=(Worker,)) as world:
            child = world.alpha.spawn(Worker, name="w", on="beta")
            await child.wait_started()
            told: list[str] = []
            asked: list[tuple[str, actors.Pending[object]]] = []

            async def fail() -> None:
                for fault, before, lasting in outages:
                    await trio.sleep(before)
                    FAULTS[fault](world.cable)
                    await trio.sleep(lasting)
                    world.cable.mend()

            async with trio.open_nursery() as nursery:
                nursery.start_soon(fail)
                for kind, count, pause in traffic:
                    for _ in range(count):
                        what = f"{kind} {len(told) + len(asked)}"
                        if kind == "tell":
                            told.append(what)
                            child.tell(Do(what))
                        else:
                            asked.append((what, child.request(Ask(what))))
                    await trio.sleep(pause)
            answers = [(what, await one.wait(timeout=90)) for what, one in asked]
            assert answers == [(what, what) for what, _ in asked]
            assert await child.ask(Seen(), timeout=90) == told
            assert child.statistics().handled == len(told) + len(asked) + 1
            assert child.statistics().restarts == 0
            child.stop()
            await child.wait_stopped()
            nothing_left(world)
            assert letters(world.alpha) == letters(world.beta) == []

    with first_come_first_served():
        trio.run(main, clock=MockClock(autojump_threshold=0))
