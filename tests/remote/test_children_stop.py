"""Children on another node end in order, and do what they are ordered: interrupt, suspend, resume."""

from __future__ import annotations

import pytest
import trio

import actors
from actors import ActorState, ExitKind
from actors.events import Resumed, Suspended
from tests.cancellation.harness import Lives, cut, sweep
from tests.remote.cast import (
    AT_ONCE,
    LOG,
    Ask,
    Boss,
    Do,
    Seen,
    Spawn,
    Worker,
    hosted,
    letters,
    nothing_left,
    settled,
    staged,
)  # fmt: skip
from tests.remote.stage import Cable, World, cables, linked

Clock = trio.testing.MockClock


class Row(actors.Supervisor):
    """Its children are elsewhere, and take half a second for their end."""

    async def on_start(self) -> None:
        for name in ("a", "b", "c"):
            await self.start(Worker, "", 0.5, name=name, on="beta", policy=AT_ONCE)


async def test_children_elsewhere_stop_one_by_one_from_the_last(autojump_clock: Clock) -> None:
    async with staged(spawnable=(Worker,)) as world:
        top = await world.alpha.start(Row, name="top")
        began = trio.current_time()
        top.stop()
        await top.wait_stopped()
        assert trio.current_time() - began == pytest.approx(1.5, abs=0.05)
        assert [path for path, what in LOG if what == "stopped"] == ["/top/c", "/top/b", "/top/a"]
        nothing_left(world)


async def test_a_system_that_closes_leaves_nothing_on_the_other_node(autojump_clock: Clock) -> None:
    async with actors.open_system("gamma"), linked(spawnable=(Worker, Boss)) as world:
        await world.alpha.start(Row, name="top")
        boss = await world.alpha.start(Boss, name="boss", on="beta")
        await boss.ask(Spawn("one"))
        world.alpha.spawn(Worker, on="beta").tell(Do("long", 3.0))
        await settled()
        assert len(hosted(world)) == 5
        world.alpha.stop()
        await world.peer.wait_down()
        assert hosted(world) == []


async def test_a_system_that_closes_does_not_wait_out_the_lease_of_a_node_that_falls_silent(
    autojump_clock: Clock,
) -> None:
    """Its child there has `shutdown` seconds from when it is not heard any more."""
    with cables() as made:
        async with actors.open_system("beta", spawnable=[Worker], lease=100) as beta:
            cable = Cable()
            async with actors.open_system("alpha", lease=100) as alpha:
                await alpha.connect(made.door(beta, cable))
                await alpha.start(Worker, name="w", on="beta")
                cable.silent()
                began = trio.current_time()
            assert 5 <= trio.current_time() - began < 15


@pytest.mark.parametrize("link", ["up", "down"])
async def test_a_system_whose_block_is_cancelled_leaves_nothing_on_the_other_node(
    autojump_clock: Clock, link: str
) -> None:
    LOG.clear()
    with cables() as made:
        async with actors.open_system("beta", spawnable=(Worker, Boss)) as beta:
            cable = Cable()
            with trio.CancelScope() as scope:
                async with actors.open_system("alpha") as alpha:
                    peer = await alpha.connect(made.door(beta, cable))
                    child = await alpha.start(Worker, "", 0.5, name="w", on="beta")
                    boss = await alpha.start(Boss, name="boss", on="beta")
                    await boss.ask(Spawn("one"))
                    child.tell(Do("long", 1000.0))
                    await trio.sleep(1.0)
                    if link == "down":
                        cable.cut()
                    scope.cancel()
            assert trio.current_time() < 2
            if link == "down":
                await trio.sleep(16)  # it does not wait for a node that it does not hear: the lease does
            assert hosted(World(alpha, beta, peer, cable, made)) == []
            assert [what for _, what in LOG].count("stopped") == 2


@pytest.mark.parametrize("order", ["stop", "drain", "kill"])
async def test_what_waits_when_it_is_ordered_to_end(autojump_clock: Clock, order: str) -> None:
    async with staged(spawnable=(Worker,)) as world:
        child = world.alpha.spawn(Worker, name="w", on="beta", policy=AT_ONCE)
        child.tell(Do("first", 1.0))
        for number in range(60):
            child.tell(Do(str(number)))
        asked = child.request(Ask("system"))
        await settled()
        getattr(child, order)()
        child.tell(Do("too late"))
        exit = await child.wait_stopped()
        told = [str(number) for number in range(60)]
        if order == "drain":
            assert (exit.kind, exit.reason) == (ExitKind.SHUTDOWN, "drained")
            assert await asked.wait() == "beta"
            assert letters(world.alpha) == [("too late", "stopped")]
        else:
            with pytest.raises(actors.ActorStopped):
                await asked.wait()
            assert exit.kind is (ExitKind.KILLED if order == "kill" else ExitKind.SHUTDOWN)
            ended = sorted(letters(world.alpha))
            in_hand = ["first"] if order == "kill" else []
            assert ended == sorted((what, "stopped") for what in [*told, "too late", *in_hand])
        assert ("/w", "stopped") in LOG
        nothing_left(world)


async def test_a_stop_overtakes_a_drain(autojump_clock: Clock) -> None:
    async with staged(spawnable=(Worker,)) as world:
        child = world.alpha.spawn(Worker, name="w", on="beta")
        for _ in range(4):
            child.tell(Do("long", 1.0))
        await settled()
        child.drain()
        await settled()
        child.stop()
        await child.wait_stopped()
        assert trio.current_time() < 1.5
        assert letters(world.alpha) == [("long", "stopped")] * 3


async def test_who_does_not_stop_in_time_is_cancelled_over_there(autojump_clock: Clock) -> None:
    async with staged(spawnable=(Worker,)) as world:
        for order in ("stop", "drain"):
            child = world.alpha.spawn(Worker, name=order, on="beta", policy=actors.Policy(shutdown=2.0))
            child.tell(Do("long", 100.0))
            await settled()
            began = trio.current_time()
            getattr(child, order)()
            exit = await child.wait_stopped()
            assert exit.kind is ExitKind.KILLED
            assert "within 2 s" in exit.reason
            assert trio.current_time() - began == pytest.approx(2.0, abs=0.05)
        assert [what for what, _ in letters(world.alpha)] == ["long", "long"]
        nothing_left(world)


@pytest.mark.parametrize("order", ["stop", "drain"])
async def test_without_time_to_stop_one_at_rest_ends_well_and_one_at_work_is_cancelled(
    autojump_clock: Clock, order: str
) -> None:
    async with staged(spawnable=(Worker,)) as world:
        for seconds, kind in ((0.0, ExitKind.SHUTDOWN), (100.0, ExitKind.KILLED)):
            child = world.alpha.spawn(Worker, on="beta", policy=actors.Policy(shutdown=0.0))
            child.tell(Do("work", seconds))
            await settled()
            getattr(child, order)()
            assert (await child.wait_stopped()).kind is kind


async def test_a_child_that_is_killed_with_the_link_down_ends_when_the_node_is_back_or_lost(
    autojump_clock: Clock,
) -> None:
    async with staged(spawnable=(Worker,)) as world:
        for mended in (True, False):
            child = world.alpha.spawn(Worker, name="w", on="beta")
            child.tell(Do("long", 1000.0))
            await settled()
            world.cable.cut()
            await trio.sleep(1.0)
            child.kill()
            await trio.sleep(1.0)
            assert child.state is ActorState.UNREACHABLE
            assert hosted(world) == ["w"]
            if mended:
                world.cable.mend()
            assert (await child.wait_stopped()).kind is ExitKind.KILLED
            assert hosted(world) == []


async def test_a_child_that_waits_for_its_next_start_is_stopped_at_once(autojump_clock: Clock) -> None:
    later = actors.Policy(backoff=actors.Backoff.fixed(50.0), breaker=None)
    async with staged(spawnable=(Worker,)) as world:
        child = world.alpha.spawn(Worker, name="w", on="beta", policy=later)
        child.tell(Do("crash"))
        await settled()
        assert child.state is ActorState.BACKING_OFF
        child.stop()
        assert (await child.wait_stopped()).kind is ExitKind.SHUTDOWN
        assert trio.current_time() < 1
        nothing_left(world)


# --- interrupt, suspend, state ---


async def test_an_interrupt_is_confirmed_when_cancellation_ended_the_handler(autojump_clock: Clock) -> None:
    async with staged(spawnable=(Worker,)) as world:
        child = world.alpha.spawn(Worker, name="w", on="beta")
        await child.wait_started()
        assert await child.interrupt() is False
        asked = child.request(Ask("long", 100.0))
        told = Do("after")
        child.tell(told)
        await settled()
        assert await child.interrupt() is True
        with pytest.raises(actors.Interrupted):
            await asked.wait()
        assert await child.ask(Seen()) == ["after"]
        child.tell(Do("block", 2.0))
        await settled()
        answers: list[bool] = []
        async with trio.open_nursery() as nursery:
            for _ in range(2):

                async def interrupt() -> None:
                    answers.append(await child.interrupt())

                nursery.start_soon(interrupt)
        assert answers == [False, False]
        child.tell(Do("long", 100.0))
        await settled()
        assert await child.interrupt() is True
        assert ("long", "interrupted") in letters(world.alpha)
        assert child.statistics().restarts == 0


async def test_a_suspended_child_takes_nothing_also_of_what_was_handed_over(autojump_clock: Clock) -> None:
    async with staged(spawnable=(Worker,)) as world, world.alpha.subscribe(Suspended, Resumed) as events:
        child = world.alpha.spawn(Worker, name="w", on="beta", policy=AT_ONCE)
        child.tell(Do("first", 1.0))
        for number in range(50):
            child.tell(Do(str(number)))
        await settled()
        child.suspend()
        await trio.sleep(5.0)
        assert [what for _, what in LOG if what not in ("made", "started")] == ["first"]
        assert child.state is ActorState.SUSPENDED
        assert sum(child.statistics().depth.values()) == 50
        child.resume()
        assert len(await child.ask(Seen())) == 51
        assert [type(events.next_nowait()) for _ in range(3)] == [Suspended, Resumed, type(None)]


async def test_a_child_suspended_until_a_message_goes_on_with_it(autojump_clock: Clock) -> None:
    async with staged(spawnable=(Worker,)) as world:
        child = world.alpha.spawn(Worker, name="w", on="beta")
        await child.wait_started()
        child.suspend(until_message=True)
        assert child.state is ActorState.SUSPENDED
        assert await child.ask(Ask("system")) == "beta"
        assert child.state is ActorState.IDLE
        child.tell(Do("note"))
        child.suspend(until_message=True)  # it waits already
        await settled()
        assert child.state is ActorState.IDLE
        assert await child.ask(Seen()) == ["note"]


async def test_a_suspension_outlives_a_restart(autojump_clock: Clock) -> None:
    async with staged(spawnable=(Worker,)) as world:
        child = world.alpha.spawn(Worker, name="w", on="beta", policy=AT_ONCE)
        child.tell(Do("crash", 1.0))
        child.tell(Do("next"))
        await settled()
        child.suspend()
        await trio.sleep(3.0)
        assert child.state is ActorState.SUSPENDED
        assert child.statistics().restarts == 1
        assert sum(child.statistics().depth.values()) == 1
        child.resume()
        assert await child.ask(Seen()) == ["next"]


async def test_its_state_is_told_truly(autojump_clock: Clock) -> None:
    later = actors.Policy(backoff=actors.Backoff.fixed(2.0), breaker=None)
    async with staged(spawnable=(Worker,)) as world:
        child = world.alpha.spawn(Worker, "slow", 1.0, name="w", on="beta", policy=later)
        await settled()
        assert child.state is ActorState.STARTING
        await child.wait_started()
        assert child.state is ActorState.IDLE
        child.tell(Do("crash", 1.0))
        await settled()
        assert child.state is ActorState.BUSY
        world.cable.cut()
        await settled()
        assert child.state is ActorState.UNREACHABLE
        world.cable.mend()
        await world.connected()
        assert child.state is ActorState.BUSY
        await trio.sleep(1.5)
        assert child.state is ActorState.BACKING_OFF
        await child.wait_started()
        child.stop()
        await settled()
        assert child.state is ActorState.STOPPING
        await child.wait_stopped()
        assert child.state is ActorState.STOPPED


async def test_an_asker_that_leaves_takes_its_request_with_it(autojump_clock: Clock) -> None:
    async with staged(spawnable=(Worker,)) as world:
        child = world.alpha.spawn(Worker, name="w", on="beta")
        child.tell(Do("long", 5.0))
        pendings = [child.request(Ask("never")) for _ in range(3)]
        with pytest.raises(actors.AskTimeout):
            await child.ask(Ask("never"), timeout=1.0)
        for one in pendings:
            one.cancel()
        await settled()
        assert sum(child.statistics().depth.values()) == 0
        assert await child.ask(Seen()) == ["long"]
        assert child.statistics().handled == 2


# --- cancelled at every step ---


async def _start_is_cut(_: Lives, step: int) -> object:
    LOG.clear()
    async with linked(spawnable=(Worker,)) as world:
        with cut(step) as (at, scope):
            await world.alpha.start(Worker, "slow", 0.5, name="w", on="beta")
        if scope.cancelled_caught:
            assert world.alpha.find("/w") is None
            assert hosted(world) == []
            nothing_left(world)
            made = [what for _, what in LOG]
            assert made.count("made") == made.count("stopped")
    return at


def test_a_start_elsewhere_cancelled_at_any_step_leaves_nothing_on_either_node() -> None:
    assert sweep(_start_is_cut, seed=1) > 10  # type: ignore[arg-type]


async def _ask_is_cut(_: Lives, step: int) -> object:
    async with linked(spawnable=(Worker,)) as world:
        child = await world.alpha.start(Worker, name="w", on="beta")
        with cut(step) as (at, _scope):
            await child.ask(Ask("slow", 0.5))
        await trio.sleep(1.0)
        assert await child.ask(Ask("system")) == "beta"
        assert not child.cell.handed  # type: ignore[attr-defined]
        child.stop()
        await child.wait_stopped()
        nothing_left(world)
    return at


def test_an_ask_cancelled_at_any_step_leaves_nothing_on_either_node() -> None:
    assert sweep(_ask_is_cut, seed=1) > 5  # type: ignore[arg-type]
