"""A pool ends like one actor: stopped, drained, killed, suspended, and with its system (contract §3, §4)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import trio
from trio.testing import MockClock

import actors
from actors import ActorState, ActorStopped, ExitKind, Policy, Pool
from actors.events import Resumed, Suspended
from tests.cancellation.harness import At, Lives, cut, sweep
from tests.spawning.hands import AT_ONCE, Do, Hand, Log, Plain, hands, hear, log, pool, read, settled

__all__ = ["log"]

KEYED: dict[str, Any] = {"routing": "key", "key": lambda message: message.key}
ROUTES = pytest.mark.parametrize("more", [{}, KEYED], ids=["any", "key"])


async def loaded(system: actors.System, ref: actors.Ref, many: int = 6) -> list[actors.Pending[Any]]:
    """Messages of a second each, asked for and told in turn."""
    pendings = [ref.request(Do(number, 1.0, key=number)) for number in range(many)]
    ref.tell(Do(many, 1.0, key=many))
    await trio.sleep(0.5)
    return pendings


@ROUTES
async def test_stop_lets_each_worker_finish_what_it_has_in_hand(
    more: dict[str, Any], log: Log, autojump_clock: MockClock
) -> None:
    """All at the same time; what is queued, here or there, ends as with an actor that is stopped."""
    async with actors.open_system("s") as system:
        ref = await system.start(pool(log, 2, **more), name="pool")
        pendings = await loaded(system, ref)
        begun = log.numbers("begin")
        assert len(begun) == 2
        ref.stop()
        assert ref.state is ActorState.STOPPING
        exit = await ref.wait_stopped()
        assert (exit.kind, exit.reason, trio.current_time()) == (ExitKind.SHUTDOWN, "stopped", 1.0)
        assert log.numbers("begin") == begun
        for number, pending in enumerate(pendings):
            if number in begun:
                assert await pending.wait() == number
            else:
                with pytest.raises(ActorStopped, match="/pool ") as caught:
                    await pending.wait()
                assert caught.value.ref == ref
        (letter,) = system.dead_letters
        assert (letter.ref, letter.reason) == (ref, "stopped")
        assert system.find("/pool") is None


@ROUTES
async def test_drain_finishes_the_queue_first(
    more: dict[str, Any], log: Log, autojump_clock: MockClock
) -> None:
    async with actors.open_system("s") as system:
        ref = await system.start(pool(log, 2, **more), name="pool")
        pendings = await loaded(system, ref)
        ref.drain()
        ref.tell(Do(99))
        assert await read(pendings) == list(range(6))
        exit = await ref.wait_stopped()
        assert (exit.kind, exit.reason) == (ExitKind.SHUTDOWN, "drained")
        assert sorted(log.numbers()) == list(range(7))
        assert [letter.message.number for letter in system.dead_letters] == [99]
        assert ref.statistics().handled == 7


@ROUTES
async def test_a_crash_while_it_drains_loses_the_message_in_hand_alone(
    more: dict[str, Any], log: Log, autojump_clock: MockClock
) -> None:
    """A draining pool starts nobody again; so others take what is left, or somebody new."""
    async with actors.open_system("s") as system:
        slow = Policy(shutdown=60.0)
        ref = await system.start(pool(log, 2, **more), name="pool", policy=slow)
        pendings = [ref.request(Do(n, 1.0, "" if n > 1 else "fail", key=n)) for n in range(12)]
        ref.drain()
        seen = await read(pendings)
        assert seen.count(actors.ActorFailed) == 2
        assert sorted(log.numbers("begin")) == list(range(12))
        assert (await ref.wait_stopped()).reason == "drained"


async def test_a_drain_that_takes_too_long_is_cut(log: Log, autojump_clock: MockClock) -> None:
    async with actors.open_system("s") as system:
        ref = await system.start(pool(log), name="pool", policy=Policy(shutdown=2.0))
        pendings = await loaded(system, ref)
        ref.drain()
        assert await read(pendings) == [0, 1, 2, *[ActorStopped] * 3]
        exit = await ref.wait_stopped()
        assert exit.kind is ExitKind.KILLED
        assert trio.current_time() == 3.0


@pytest.mark.parametrize("busy", [False, True])
async def test_a_drain_without_any_time_ends_what_it_has(
    busy: bool, log: Log, autojump_clock: MockClock
) -> None:
    async with actors.open_system("s") as system:
        ref = await system.start(pool(log), name="pool", policy=Policy(shutdown=0.0))
        if busy:
            await loaded(system, ref)
        ref.drain()
        assert (await ref.wait_stopped()).kind is (ExitKind.KILLED if busy else ExitKind.SHUTDOWN)


@ROUTES
async def test_kill_ends_everything_at_once(
    more: dict[str, Any], log: Log, autojump_clock: MockClock
) -> None:
    async with actors.open_system("s") as system:
        ref = await system.start(pool(log, 2, **more), name="pool")
        pendings = await loaded(system, ref)
        ref.kill()
        assert (await ref.wait_stopped()).kind is ExitKind.KILLED
        assert trio.current_time() == 0.5
        assert set(await read(pendings)) == {ActorStopped}
        assert [letter.message.number for letter in system.dead_letters] == [6]
        assert log.numbers() == []


async def test_suspend_holds_the_queue_back(log: Log, autojump_clock: MockClock) -> None:
    """What a worker has, it finishes."""
    async with actors.open_system("s") as system, hear(system, Suspended, Resumed) as facts:
        ref = await system.start(pool(log, 1, 4), name="pool")
        pendings = await loaded(system, ref)
        ref.suspend()
        assert ref.state is ActorState.BUSY
        await trio.sleep(59.5)
        assert ref.state is ActorState.SUSPENDED
        assert log.numbers() == [0]
        assert len(system.children(ref)) == 1
        ref.resume()
        assert await read(pendings) == list(range(6))
        assert trio.current_time() < 66.0
    assert [type(fact) for fact in facts] == [Suspended, Resumed]


async def test_suspended_once_it_goes_on_with_the_next_message(log: Log, autojump_clock: MockClock) -> None:
    async with actors.open_system("s") as system:
        ref = await system.start(pool(log, 2), name="pool")
        ref.tell(Do(1, 1.0))
        await trio.sleep(0.5)
        ref.cell.suspend(once=True)
        await trio.sleep(5.0)  # the worker that ends is no occasion
        assert ref.state is ActorState.SUSPENDED
        assert await ref.ask(Do(2)) == 2
        assert ref.state is ActorState.IDLE


@pytest.mark.parametrize("what", [Hand, Plain])
@ROUTES
async def test_a_system_closes_around_a_full_pool(
    more: dict[str, Any], what: Any, log: Log, autojump_clock: MockClock
) -> None:
    async with actors.open_system("s") as system:
        ref = await system.start(Pool(hands(log, what), 2, 2, **more), name="pool")
        pendings = [ref.request(Do(n, 1.0, key=n)) for n in range(50)]
    assert all(pending.done for pending in pendings)
    assert trio.current_time() <= 1.0
    assert ref.state is ActorState.STOPPED
    seen = await read(pendings)
    assert {one for one in seen if isinstance(one, type)} <= {ActorStopped}
    assert [one for one in seen if isinstance(one, int)] == sorted(log.numbers())


@pytest.mark.parametrize("fault", [KeyboardInterrupt, ValueError])
async def test_what_a_body_raises_leaves_the_block_as_it_is(
    fault: type[BaseException], log: Log, autojump_clock: MockClock
) -> None:
    async def body() -> None:
        async with actors.open_system("s") as system:
            ref = await system.start(pool(log, 2), name="pool")
            for number in range(20):
                ref.tell(Do(number, 1.0))
            await settled()
            raise fault

    with pytest.raises(fault):
        await body()
    assert log.numbers() == []


@pytest.mark.parametrize("what", [Hand, Plain])
async def test_ctrl_c_in_a_worker_leaves_the_system_as_it_is(
    what: type[Any], log: Log, autojump_clock: MockClock
) -> None:
    pendings: list[actors.Pending[Any]] = []

    class Struck(what):  # type: ignore[misc]
        @actors.receive
        def do(self, message: Do) -> None:
            raise KeyboardInterrupt

    async def body() -> None:
        async with actors.open_system("s") as system:
            ref = await system.start(Pool(hands(log, Struck), 2, 2), name="pool")
            pendings.extend(ref.request(Do(number)) for number in range(20))
            await trio.sleep_forever()

    with pytest.raises(KeyboardInterrupt):
        await body()
    assert len(pendings) == 20
    assert all(pending.done for pending in pendings)


async def test_a_stop_before_it_has_started_leaves_nothing(log: Log, autojump_clock: MockClock) -> None:
    async with actors.open_system("s") as system:
        ref = system.spawn(pool(log, 2), name="pool")
        ref.stop()
        await ref.wait_stopped()
        log.starts += [100.0]
        ref = system.spawn(pool(log, 2), name="pool")
        await trio.sleep(1.0)
        ref.stop()
        assert (await ref.wait_stopped()).kind is ExitKind.KILLED
        assert trio.current_time() == 11.0  # its own start has `shutdown` seconds, then that of its worker


async def test_messages_told_before_it_is_ready_wait(log: Log, autojump_clock: MockClock) -> None:
    log.starts += [3.0, 7.0]
    async with actors.open_system("s") as system:
        ref = system.spawn(pool(log, 2), name="pool")
        pendings = [ref.request(Do(number, 1.0)) for number in range(4)]
        assert ref.state is ActorState.STARTING
        await ref.wait_started()
        assert trio.current_time() == 7.0
        assert await read(pendings) == [0, 1, 2, 3]


async def test_a_pool_in_a_group_goes_down_and_up_with_it(log: Log, autojump_clock: MockClock) -> None:
    """Its mailbox stays, and what its workers had waiting is in it."""

    class Net(actors.Supervisor):
        strategy = actors.OneForAll(max_restarts=9)

        async def on_start(self) -> None:
            await self.start(Hand, Log(), name="other", policy=AT_ONCE)
            await self.start(pool(log, 2, **KEYED), name="pool", policy=AT_ONCE)

    async with actors.open_system("s") as system:
        await system.start(Net, name="net")
        ref, other = system.find("/net/pool"), system.find("/net/other")
        assert ref is not None
        assert other is not None
        pendings = [ref.request(Do(n, 1.0, key=n)) for n in range(10)]
        await trio.sleep(0.5)
        other.tell(Do(0, 0.0, "fail"))
        assert await read(pendings) == list(range(10))
        assert sorted(log.numbers("begin")) == list(range(10))
        assert ref.statistics().restarts == 1


# --- cut at every step ----------------------------------------------------------------


def _slow(log: Log, lives: Lives) -> Pool:
    class Slow(Hand):
        async def on_start(self) -> None:
            await trio.sleep(0.25)

        async def on_stop(self, exit: actors.Exit) -> None:
            await trio.sleep(0.25)

    return Pool(hands(log, Slow), 3, 3)


@pytest.mark.parametrize("seed", [0, 1])
def test_a_start_that_is_cancelled_anywhere_leaves_nothing(seed: int) -> None:
    async def scenario(lives: Lives, step: int) -> At:
        log = Log()
        async with actors.open_system("s") as system:
            with cut(step) as (at, scope):
                await system.start(_slow(log, lives), name="pool")
            if scope.cancelled_caught:
                assert system.find("/pool") is None
                assert await (await system.start(_slow(log, lives), name="pool")).ask(Do(1)) == 1
            return at

    assert sweep(scenario, seed) > 5


Act = Callable[[actors.Ref], None]


@pytest.mark.parametrize("order", ["block", "stop", "kill", "drain"])
def test_a_pool_at_work_that_is_ended_at_any_step_answers_everybody(order: str) -> None:
    async def scenario(lives: Lives, step: int) -> At:
        log = Log()
        pendings: list[actors.Pending[Any]] = []
        with trio.CancelScope() as scope:
            async with actors.open_system("s") as system:
                one = pool(log, 1, 3, idle=1.0, max_wait=0.25, **KEYED)
                ref = await system.start(one, name="pool")
                end = scope.cancel if order == "block" else getattr(ref, order)
                with At(step, end) as at:
                    for number in range(12):
                        act = "fail" if number % 5 == 1 else ""
                        pendings.append(ref.request(Do(number, 0.25, act, number % 4)))
                        await trio.sleep(0.125)
                    await trio.sleep(20.0)
        assert all(pending.done for pending in pendings)
        assert len(set(log.numbers("begin"))) == len(log.numbers("begin"))
        assert sorted(log.numbers("begin")) == sorted(log.numbers("over"))
        return at

    assert sweep(scenario, 0) > 50
