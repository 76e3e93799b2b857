"""Watching and ordering actors of another node."""

from __future__ import annotations

import gc
from typing import Any

import pytest
import trio
from trio.testing import MockClock

import actors
from actors import ActorState, ExitKind
from tests.remote.folk import Echo, Hold, Keep, Note, Seen, Worker, at_rest, link_of, settled
from tests.remote.stage import World, linked


@actors.message(tag="test.watch.Watch")
class Watch:
    ref: actors.Ref


@actors.message(tag="test.watch.Unwatch")
class Unwatch:
    ref: actors.Ref


class Watcher(actors.Actor):
    """Notes what it is told, and the ends of those it watches."""

    def __init__(self, log: list[Any]) -> None:
        self.log = log

    @actors.receive
    async def watch(self, message: Watch) -> None:
        self.ctx.watch(message.ref)

    @actors.receive
    async def unwatch(self, message: Unwatch) -> None:
        self.ctx.unwatch(message.ref)

    @actors.receive
    async def note(self, message: Note) -> None:
        self.log.append(message.text)

    @actors.receive
    async def ended(self, message: actors.Terminated) -> None:
        self.log.append(message)


class Teller(Worker):
    """Tells whoever it keeps."""

    @actors.receive
    async def keep(self, message: Keep) -> None:
        for number in range(20):
            message.what.tell(Note(str(number)))
        self.ctx.stop()


async def found(world: World, kind: Any = Worker, name: str = "worker") -> actors.Ref:
    """A new actor of beta's, as alpha sees it."""
    world.beta.spawn(kind, name=name)
    ref = await world.peer.find(f"/{name}")
    assert ref is not None
    return ref


def ends(log: list[Any]) -> list[tuple[str, ExitKind]]:
    """Whose ends were told, and how they came."""
    return [(one.ref.path, one.exit.kind) for one in log if isinstance(one, actors.Terminated)]


async def test_a_watcher_is_told_once_behind_everything_the_dead_has_said(autojump_clock: MockClock) -> None:
    async with linked() as world:
        log: list[Any] = []
        watcher = world.alpha.spawn(Watcher, log, name="watcher")
        teller = await found(world, Teller)
        watcher.tell(Watch(teller))
        watcher.tell(Watch(teller))
        await settled()
        teller.tell(Keep(watcher))
        await teller.wait_stopped()
        await trio.sleep(5)
        assert log[:-1] == [str(number) for number in range(20)]
        assert ends(log) == [("/worker", ExitKind.NORMAL)]
        assert log[-1].ref == teller


async def test_who_is_gone_already_is_told_at_once(autojump_clock: MockClock) -> None:
    async with linked() as world:
        log: list[Any] = []
        watcher = world.alpha.spawn(Watcher, log, name="watcher")
        worker = await found(world)
        worker.kill()
        await worker.wait_stopped()
        watcher.tell(Watch(worker))
        watcher.tell(Watch(world.peer.ref("/nobody")))
        await settled()
        assert sorted(ends(log)) == [("/nobody", ExitKind.SHUTDOWN), ("/worker", ExitKind.KILLED)]


async def test_the_error_of_a_dead_actor_comes_as_text(autojump_clock: MockClock) -> None:
    async def falls(ctx: actors.Context) -> None:
        async for _ in ctx.inbox:
            raise ValueError("bad wheel")

    async with linked() as world:
        world.beta.spawn(falls, name="falls", policy=actors.Policy(restart="temporary"))
        falling = await world.peer.find("/falls")
        assert falling is not None
        falling.tell(Note())
        exit = await falling.wait_stopped()
        assert exit.kind is ExitKind.FAILED
        assert isinstance(exit.error, actors.RemoteError)
        assert (exit.error.type_name, exit.error.message) == ("ValueError", "bad wheel")
        assert "raise ValueError" in exit.error.traceback_text


async def test_the_value_of_a_function_comes_with_its_exit(autojump_clock: MockClock) -> None:
    async def counts(ctx: actors.Context) -> tuple[int, str]:
        async for _ in ctx.inbox:
            break
        return 3, "three"

    async with linked() as world:
        world.beta.spawn(counts, name="counts")
        counting = await world.peer.find("/counts")
        assert counting is not None
        counting.tell(Note())
        exit = await counting.wait_stopped()
        assert (exit.kind, exit.value) == (ExitKind.NORMAL, (3, "three"))


async def test_unwatch_takes_the_watch_back(autojump_clock: MockClock) -> None:
    async with linked() as world:
        log: list[Any] = []
        watcher = world.alpha.spawn(Watcher, log, name="watcher")
        worker = await found(world)
        watcher.tell(Watch(worker))
        await settled()
        assert len(link_of(world.alpha, "beta").watched) == 1
        watcher.tell(Unwatch(worker))
        await settled()
        assert len(link_of(world.alpha, "beta").watched) == 0
        worker.stop()
        await worker.wait_stopped()
        await trio.sleep(5)
        assert log == []


async def test_watching_again_after_unwatch_is_watching(autojump_clock: MockClock) -> None:
    async with linked() as world:
        log: list[Any] = []
        watcher = world.alpha.spawn(Watcher, log, name="watcher")
        worker = await found(world)
        for _ in range(3):
            watcher.tell(Watch(worker))
            watcher.tell(Unwatch(worker))
        watcher.tell(Watch(worker))
        await settled()
        worker.stop()
        await worker.wait_stopped()
        await settled()
        assert ends(log) == [("/worker", ExitKind.SHUTDOWN)]


async def test_a_watched_actor_that_nobody_has_a_ref_of_is_told(autojump_clock: MockClock) -> None:
    async with linked() as world:
        log: list[Any] = []
        watcher = world.alpha.spawn(Watcher, log, name="watcher")
        worker = await found(world)
        watcher.tell(Watch(worker))
        await settled()
        del worker
        gc.collect()
        at_home = world.beta.find("/worker")
        assert at_home is not None
        at_home.stop()
        await trio.sleep(1)
        assert ends(log) == [("/worker", ExitKind.SHUTDOWN)]
        log.clear()
        watcher.tell(Note("the last message of its task"))
        assert await at_rest(world) == {}


async def test_the_end_of_a_watcher_ends_its_watch(autojump_clock: MockClock) -> None:
    async with linked() as world:
        watcher = world.alpha.spawn(Watcher, [], name="watcher")
        worker = await found(world)
        watcher.tell(Watch(worker))
        await settled()
        watcher.stop()
        await watcher.wait_stopped()
        assert len(link_of(world.alpha, "beta").watched) == 0


async def test_a_lost_node_ends_what_was_watched_there(autojump_clock: MockClock) -> None:
    """Both ways: each end hears NODE_DOWN of the other's actors, once."""
    async with linked() as world:
        here: list[Any] = []
        there: list[Any] = []
        at_alpha = world.alpha.spawn(Watcher, here, name="at_alpha")
        at_beta = world.beta.spawn(Watcher, there, name="at_beta")
        worker = await found(world)
        at_alpha.tell(Watch(worker))
        at_beta.tell(Watch(await world.beta.node("alpha").find("/at_alpha")))  # pyright: ignore
        await settled()
        world.cable.silent()
        await trio.sleep(60)
        assert ends(here) == [("/worker", ExitKind.NODE_DOWN)]
        assert ends(there) == [("/at_alpha", ExitKind.NODE_DOWN)]
        assert isinstance(here[0].exit.error, actors.NodeLost)
        assert here[0].exit.is_failure
        assert worker.state is ActorState.STOPPED
        assert await worker.wait_stopped() == here[0].exit
        with pytest.raises(actors.ActorStopped):
            await worker.ask(Echo(), timeout=5)


async def test_a_notice_can_be_sent_on_over_a_link(autojump_clock: MockClock) -> None:
    """`Terminated` is a message like any: its exit is whole over there."""
    async with linked() as world:
        log: list[Any] = []
        world.beta.spawn(Watcher, log, name="watcher")
        mine = world.alpha.spawn(Worker, name="mine")
        watcher = await world.peer.find("/watcher")
        assert watcher is not None
        error = ValueError("bad wheel")
        watcher.tell(actors.Terminated(mine, actors.Exit(ExitKind.FAILED, value=1, error=error)))
        await settled()
        (notice,) = log
        assert (notice.ref.path, notice.exit.kind, notice.exit.value) == ("/mine", ExitKind.FAILED, 1)
        assert notice.exit.is_failure
        assert notice.exit.error.type_name == "ValueError"


# --- waits and orders ---


async def test_wait_started_waits_for_the_start_over_there(autojump_clock: MockClock) -> None:
    class Slow(Worker):
        async def on_start(self) -> None:
            await trio.sleep(3)

    class Never(actors.Actor):
        async def on_start(self) -> None:
            await trio.sleep(1)
            raise ValueError("no")

    async with linked() as world:
        slow = await found(world, Slow)
        await slow.wait_started()
        assert trio.current_time() == pytest.approx(3.0, abs=0.01)
        await slow.wait_started()
        world.beta.spawn(Never, name="never", policy=actors.Policy(restart="temporary"))
        never = await world.peer.find("/never")
        assert never is not None
        with pytest.raises(actors.StartFailed):
            await never.wait_started()
        slow.stop()
        await slow.wait_stopped()
        with pytest.raises(actors.ActorStopped):
            await slow.wait_started()


async def test_wait_started_ends_with_the_node(autojump_clock: MockClock) -> None:
    class Slow(actors.Actor):
        async def on_start(self) -> None:
            await trio.sleep(1000)

    async with linked() as world:
        slow = await found(world, Slow)
        world.cable.silent()
        with pytest.raises(actors.ActorStopped):
            await slow.wait_started()
        assert world.peer.state is actors.LinkState.DOWN
        at_home = world.beta.find("/worker")
        assert at_home is not None
        at_home.kill()


async def test_a_wait_that_is_cancelled_leaves_nothing(autojump_clock: MockClock) -> None:
    class Slow(Worker):
        async def on_start(self) -> None:
            await trio.sleep(100)

    async with linked() as world:
        slow = await found(world, Slow)
        for wait in (slow.wait_started, slow.wait_stopped, slow.interrupt):
            with trio.move_on_after(1):
                await wait()
        assert await at_rest(world) == {"alpha.proxies": 1}
        slow.kill()
        await slow.wait_stopped()


async def test_a_thousand_waits_for_the_end_hear_of_it_once_each(autojump_clock: MockClock) -> None:
    async with linked() as world:
        worker = await found(world)
        exits: list[actors.Exit] = []

        async def wait() -> None:
            exits.append(await worker.wait_stopped())

        async with trio.open_nursery() as nursery:
            for _ in range(1000):
                nursery.start_soon(wait)
            await settled()
            worker.stop()
        assert len(exits) == 1000
        assert {exit.kind for exit in exits} == {ExitKind.SHUTDOWN}
        assert await at_rest(world) == {"alpha.proxies": 1}


async def test_stop_finishes_the_message_in_hand(autojump_clock: MockClock) -> None:
    async with linked() as world:
        worker = await found(world)
        pending = worker.request(Hold(2))
        worker.tell(Note("never"))
        await settled()
        worker.stop()
        worker.stop()
        exit = await worker.wait_stopped()
        assert (exit.kind, trio.current_time()) == (ExitKind.SHUTDOWN, pytest.approx(2.0, abs=0.01))
        assert await pending.wait() == "held"
        assert [letter.message for letter in world.beta.dead_letters] == [Note("never")]


async def test_drain_comes_behind_the_messages_before_it(autojump_clock: MockClock) -> None:
    async with linked() as world:
        worker = await found(world)
        worker.tell(Hold(2))
        told = [worker.request(Echo(str(number))) for number in range(10)]
        worker.drain()
        late = worker.request(Echo("late"))
        assert (await worker.wait_stopped()).kind is ExitKind.SHUTDOWN
        assert [await one.wait() for one in told] == [str(number) for number in range(10)]
        with pytest.raises(actors.ActorStopped):
            await late.wait()


async def test_kill_cancels_at_once(autojump_clock: MockClock) -> None:
    async with linked() as world:
        worker = await found(world)
        worker.tell(Hold(100))
        await settled()
        worker.kill()
        assert (await worker.wait_stopped()).kind is ExitKind.KILLED
        assert trio.current_time() == pytest.approx(0.0, abs=0.01)


async def test_suspend_and_resume(autojump_clock: MockClock) -> None:
    async with linked() as world:
        worker = await found(world)
        worker.suspend()
        pending = worker.request(Echo("later"))
        await trio.sleep(5)
        assert not pending.done
        assert world.beta.find("/worker").state is ActorState.SUSPENDED  # pyright: ignore
        worker.resume()
        assert await pending.wait() == "later"
        worker.suspend(until_message=True)
        await settled()
        assert world.beta.find("/worker").state is ActorState.SUSPENDED  # pyright: ignore
        assert await worker.ask(Echo("wakes it"), timeout=5) == "wakes it"


async def test_interrupt_tells_whether_cancellation_ended_the_handler(autojump_clock: MockClock) -> None:
    async with linked() as world:
        worker = await found(world)
        assert await worker.interrupt() is False
        worker.tell(Hold(100))
        await settled()
        assert await worker.interrupt() is True
        assert [letter.reason for letter in world.beta.dead_letters] == ["interrupted"]
        assert await worker.ask(Seen(), timeout=5) == []


async def test_what_belongs_to_the_other_node_takes_no_orders(autojump_clock: MockClock) -> None:
    async with linked() as world:
        for path in ("/", "/system", "/system/links"):
            ref = world.peer.ref(path)
            for order in (ref.stop, ref.drain, ref.kill, ref.suspend):
                order()
            assert await ref.interrupt() is False
        await trio.sleep(5)
        assert world.peer.state is actors.LinkState.UP
        assert {world.beta.find(path).state for path in ("/", "/system")} == {ActorState.IDLE}  # pyright: ignore
        assert await (await found(world)).ask(Echo("lives"), timeout=5) == "lives"


async def test_orders_to_the_dead_and_the_lost_are_nothing(autojump_clock: MockClock) -> None:
    async with linked() as world:
        worker = await found(world)
        worker.stop()
        await worker.wait_stopped()
        for _ in range(2):
            for order in (worker.stop, worker.drain, worker.kill, worker.suspend, worker.resume):
                order()
            assert await worker.interrupt() is False
            world.cable.silent()
            await trio.sleep(30)
