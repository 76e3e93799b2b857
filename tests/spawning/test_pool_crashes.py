"""A worker's crash takes the message in hand and nothing else (contract §7)."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

import actors
from actors import (
    ActorFailed,
    ActorState,
    AskTimeout,
    Backoff,
    Breaker,
    CircuitOpen,
    OneForAll,
    OneForOne,
    Policy,
    Pool,
    RestForOne,
    SpawnLimits,
)
from actors.events import BreakerClosed, BreakerOpened, PoolGrew, SpawnRejected
from tests.core.cast import Echo
from tests.spawning.hands import AT_ONCE, Do, Hand, Log, hands, hear, log, outcome, pool, read, settled

__all__ = ["log"]

PATIENT = OneForOne(max_restarts=1000)


def backoff(seconds: float) -> Backoff:
    return Backoff(initial=seconds, maximum=seconds, jitter=0.0)


def tripping(failures: int = 1, reset_after: float = 60.0) -> Policy:
    return Policy(backoff=backoff(0.0), breaker=Breaker(failures=failures, reset_after=reset_after))


def of(log: Log, policy: Policy, minimum: int, maximum: int | None = None, **more: Any) -> Pool:
    most = minimum if maximum is None else maximum
    return Pool(hands(log, policy=policy), minimum, most, **{"strategy": PATIENT, **more})


async def test_the_others_take_what_waits_while_one_is_down(log: Log, autojump_clock: MockClock) -> None:
    policy = Policy(backoff=backoff(100.0), breaker=None)
    async with actors.open_system("s") as system:
        ref = await system.start(of(log, policy, 2), name="pool")
        acts = ["fail", *[""] * 9]
        outcomes = await read([ref.request(Do(n, 1.0, act)) for n, act in enumerate(acts)])
        assert outcomes == [ActorFailed, *range(1, 10)]
        assert trio.current_time() == 9.0
        assert log.workers().count("1") == 1
        await trio.sleep(100.0)
        assert await read([ref.request(Do(n, 1.0)) for n in (10, 11)]) == [10, 11]
        assert sorted(log.workers()[-2:]) == ["1", "2"]


@pytest.mark.parametrize("strategy", [OneForAll(max_restarts=99), RestForOne(max_restarts=99)])
async def test_a_group_strategy_interrupts_nobody(strategy: Any, log: Log, autojump_clock: MockClock) -> None:
    """The others finish what they have, and the queue waits until the group is there again."""
    async with actors.open_system("s") as system:
        ref = await system.start(of(log, AT_ONCE, 3, strategy=strategy), name="pool")
        acts = ["fail", *[""] * 8]
        pendings = [ref.request(Do(n, 1.0 + n / 8, act)) for n, act in enumerate(acts)]
        assert await read(pendings) == [ActorFailed, *range(1, 9)]
        assert not system.dead_letters


@pytest.mark.parametrize("order", ["stop", "drain", "kill"])
async def test_a_worker_that_is_ended_from_outside_is_replaced(
    order: str, log: Log, autojump_clock: MockClock
) -> None:
    async with actors.open_system("s") as system, hear(system, PoolGrew) as facts:
        ref = await system.start(pool(log, 2), name="pool")
        pendings = [ref.request(Do(n, 2.0)) for n in range(4)]
        await trio.sleep(1.5)
        victim = system.children(ref)[0]
        getattr(victim, order)()
        await victim.wait_stopped()
        seen = await read(pendings)
        assert seen.count(actors.ActorStopped) == (order == "kill")
        assert len(system.children(ref)) == 2
        assert victim not in system.children(ref)
    assert [fact.at for fact in facts] == [0.0, 0.0, 1.5 if order == "kill" else 2.0]


async def test_a_suspended_worker_gets_nothing_until_it_goes_on(log: Log, autojump_clock: MockClock) -> None:
    async with actors.open_system("s") as system:
        ref = await system.start(pool(log, 2), name="pool")
        first, second = system.children(ref)
        first.suspend()
        assert await read([ref.request(Do(n, 1.0)) for n in range(3)]) == [0, 1, 2]
        assert set(log.workers()) == {"2"}
        second.suspend()
        waiting = ref.request(Do(9))
        with pytest.raises(AskTimeout):
            await waiting.wait(timeout=50.0)
        first.resume()
        assert await waiting.wait() == 9
        assert log.worker_of(9) == "worker-1"


async def test_an_interrupted_worker_goes_on_with_the_next(log: Log, autojump_clock: MockClock) -> None:
    async with actors.open_system("s") as system:
        ref = await system.start(pool(log, 1), name="pool")
        pendings = [ref.request(Do(n, 1.0)) for n in range(2)]
        await trio.sleep(0.5)
        assert not await ref.interrupt()  # a pool has nothing in hand itself
        assert await system.children(ref)[0].interrupt()
        assert await read(pendings) == [actors.Interrupted, 1]
        assert trio.current_time() == 1.5


# --- breakers -------------------------------------------------------------------------


async def test_an_open_breaker_isolates_its_worker_and_another_stands_in(
    log: Log, autojump_clock: MockClock
) -> None:
    """When it is back there is one too many, and the one that is idle for longest goes."""
    limits = SpawnLimits(cooldown=1.0, auto=False)
    async with (
        actors.open_system("s") as system,
        hear(system, BreakerOpened, BreakerClosed, PoolGrew) as facts,
    ):
        ref = await system.start(of(log, tripping(), 2, 3, limits=limits, idle=5.0), name="pool")
        acts = ["fail", *[""] * 5]
        seen = await read([ref.request(Do(n, 1.0, act)) for n, act in enumerate(acts)])
        assert seen == [ActorFailed, 1, 2, 3, 4, 5]
        assert trio.current_time() == 3.0
        assert [child.name for child in system.children(ref)] == ["worker-1", "worker-2", "worker-3"]
        assert system.children(ref)[0].state is ActorState.CIRCUIT_OPEN
        await trio.sleep(100.0)
        assert len(system.children(ref)) == 2
    assert [(fact.at, type(fact)) for fact in facts] == [
        (0.0, PoolGrew),
        (0.0, PoolGrew),
        (1.0, BreakerOpened),
        (1.0, PoolGrew),
    ]


async def test_who_stands_in_does_not_wait_for_the_end_of_the_other(
    log: Log, autojump_clock: MockClock
) -> None:
    """Its `on_stop` may take its time."""

    class Slow(Hand):
        async def on_stop(self, exit: actors.Exit) -> None:
            await trio.sleep(4.0)

    async with actors.open_system("s") as system:
        limits = SpawnLimits(cooldown=1.0, auto=False)
        ref = await system.start(Pool(hands(log, Slow, tripping()), 1, 2, limits=limits), name="pool")
        assert await outcome(ref.request(Do(0, 0.0, "fail"))) is ActorFailed
        assert await ref.ask(Do(1)) == 1
        assert trio.current_time() == 1.0


async def test_with_all_breakers_open_messages_wait_and_nothing_spins(
    log: Log, autojump_clock: MockClock
) -> None:
    class Steps(trio.abc.Instrument):
        count = 0

        def before_task_step(self, task: trio.lowlevel.Task) -> None:
            self.count += 1

    async with actors.open_system("s") as system, hear(system, SpawnRejected) as refused:
        ref = await system.start(of(log, tripping(), 2), name="pool")
        assert await read([ref.request(Do(n, 1.0, "fail")) for n in range(2)]) == [ActorFailed] * 2
        ref.tell(Do(2))
        waiting = ref.request(Do(3))
        with pytest.raises(AskTimeout, match="/pool"):
            await ref.ask(Do(4), timeout=20.0)
        steps = Steps()
        trio.lowlevel.add_instrument(steps)
        await trio.sleep(30.0)
        trio.lowlevel.remove_instrument(steps)
        assert steps.count <= 2
        assert ref.statistics().depth["normal"] == 3
        assert await waiting.wait() == 3
        assert trio.current_time() == 61.0
        await settled()
        assert sorted(log.numbers()) == [2, 3]
    assert not refused


async def test_a_name_with_an_open_breaker_is_not_given_again(log: Log, autojump_clock: MockClock) -> None:
    """Its breaker would hold the newcomer back, too."""
    policy = Policy(restart="temporary", breaker=Breaker(failures=1, reset_after=60.0))
    async with actors.open_system("s") as system:
        ref = await system.start(of(log, policy, 1, 4), name="pool")
        for number in range(3):
            assert await outcome(ref.request(Do(number, 0.0, "fail"))) is ActorFailed
            assert await ref.ask(Do(10 + number, 1.0)) == 10 + number
        assert log.workers() == ["1", "2", "2", "3", "3", "4"]
        await trio.sleep(60.0)
        await outcome(ref.request(Do(4, 0.0, "fail")))
        assert await ref.ask(Do(5)) == 5
        assert log.workers()[-1] == "1"


async def test_somebody_elses_probe_does_not_lose_a_message(log: Log, autojump_clock: MockClock) -> None:
    """The worker refuses it while it is on trial for another's; so it waits at the pool's head."""
    async with actors.open_system("s") as system:
        ref = await system.start(of(log, tripping(reset_after=10.0), 1), name="pool")
        assert await outcome(ref.request(Do(0, 0.0, "fail"))) is ActorFailed
        (worker,) = system.children(ref)
        await trio.sleep(11.0)
        foreign = worker.request(Do(1, 5.0))
        await settled()
        pendings = [ref.request(Do(n)) for n in (2, 3)]
        assert await foreign.wait() == 1
        assert await read(pendings) == [2, 3]
        assert log.numbers() == [1, 2, 3]


async def test_a_probe_that_shows_nothing_leaves_the_trial_to_the_next(
    log: Log, autojump_clock: MockClock
) -> None:
    async with actors.open_system("s") as system, hear(system, BreakerClosed) as facts:
        ref = await system.start(of(log, tripping(reset_after=10.0), 1), name="pool")
        assert await outcome(ref.request(Do(0, 0.0, "fail"))) is ActorFailed
        await trio.sleep(11.0)
        assert await read([ref.request(message) for message in (Echo(), Echo(), Do(1), Do(2))]) == [
            actors.Unhandled,
            actors.Unhandled,
            1,
            2,
        ]
    assert len(facts) == 1


@pytest.mark.parametrize("routing", ["least_busy", "round_robin"])
async def test_who_refuses_is_passed_over(routing: Any, log: Log, autojump_clock: MockClock) -> None:
    async with actors.open_system("s") as system:
        ref = await system.start(of(log, tripping(reset_after=10.0), 2, routing=routing), name="pool")
        assert await outcome(ref.request(Do(0, 0.0, "fail"))) is ActorFailed
        first, _ = system.children(ref)
        await trio.sleep(11.0)
        foreign = first.request(Do(1, 5.0))
        await settled()
        assert await read([ref.request(Do(n, 1.0)) for n in (2, 3)]) == [2, 3]
        assert trio.current_time() == 13.0
        assert {log.worker_of(2), log.worker_of(3)} == {"worker-2"}
        assert await foreign.wait() == 1
        await settled()
        assert await read([ref.request(Do(n, 1.0)) for n in (4, 5)]) == [4, 5]
        assert {log.worker_of(4), log.worker_of(5)} == {"worker-1", "worker-2"}


@pytest.mark.parametrize("overflow", ["reject", "drop_newest", "drop_oldest"])
@pytest.mark.parametrize("keyed", [False, True])
async def test_a_worker_whose_mailbox_others_have_filled_is_not_forgotten(
    overflow: Any, keyed: bool, log: Log, autojump_clock: MockClock
) -> None:
    """It gets messages again as soon as there is room, whatever else happens in the pool, or does not."""
    policy = attrs.evolve(AT_ONCE, mailbox=actors.Mailbox(capacity=1, overflow=overflow))
    routing: dict[str, Any] = {"routing": "key", "key": lambda message: message.number} if keyed else {}
    async with actors.open_system("s") as system:
        ref = await system.start(Pool(hands(log, policy=policy), 1, 1, **routing), name="pool")
        (worker,) = system.children(ref)
        for number in (8, 9):
            worker.tell(Do(number, 1.0))
            await settled()
        assert await read([ref.request(Do(n)) for n in range(3)]) == [0, 1, 2]
        pushes = keyed or overflow != "drop_oldest"  # else the first one has pushed the other out
        assert log.numbers() == ([8, 9, 0, 1, 2] if pushes else [8, 0, 1, 2])


async def test_a_worker_that_ends_with_a_full_mailbox_leaves_what_waits_for_room_to_another(
    log: Log, autojump_clock: MockClock
) -> None:
    policy = attrs.evolve(AT_ONCE, mailbox=actors.Mailbox(capacity=1))
    async with actors.open_system("s") as system:
        ref = await system.start(Pool(hands(log, policy=policy), 1, 1), name="pool")
        (worker,) = system.children(ref)
        for number in (8, 9):
            worker.tell(Do(number, 1.0))
            await settled()
        pending = ref.request(Do(1))
        await trio.sleep(0.5)
        worker.kill()
        assert await pending.wait() == 1
        assert log.numbers() == [1]


# --- the pool's own restart -----------------------------------------------------------


async def test_a_pool_whose_worker_fails_too_often_starts_again_with_its_mailbox(
    log: Log, autojump_clock: MockClock
) -> None:
    async with actors.open_system("s") as system:
        one = of(log, AT_ONCE, 2, strategy=OneForOne(max_restarts=1))
        ref = await system.start(one, name="pool", policy=Policy(backoff=backoff(3.0), breaker=None))
        acts = ["fail", "fail", "fail", "", "", ""]
        pendings = [ref.request(Do(n, 1.0, act)) for n, act in enumerate(acts)]
        ref.tell(Do(6))
        await trio.sleep(2.5)
        assert ref.state is ActorState.BACKING_OFF
        seen = await read(pendings)
        await settled()
        assert seen[:3].count(ActorFailed) == 3
        assert set(log.numbers("begin")) == set(range(7))
        assert len(log.numbers("begin")) == 7
        assert ref.statistics().restarts == 1
        assert seen[3:] == [3, 4, 5]
        assert sorted(log.numbers()) == [3, 4, 5, 6]


async def test_a_keyed_pool_takes_back_what_its_workers_have_when_it_restarts(
    log: Log, autojump_clock: MockClock
) -> None:
    async with actors.open_system("s") as system:
        one = of(
            log,
            AT_ONCE,
            2,
            strategy=OneForOne(max_restarts=0),
            routing="key",
            key=lambda message: message.key,
        )
        ref = await system.start(one, name="pool", policy=Policy(backoff=backoff(3.0), breaker=None))
        pendings = [ref.request(Do(n, 1.0, "" if n else "fail", n % 4)) for n in range(20)]
        seen = await read(pendings)
        assert seen[0] is ActorFailed
        assert seen.count(ActorFailed) == 1
        assert sorted(log.numbers("begin")) == list(range(20))
        assert ref.statistics().restarts == 1


async def test_a_pool_whose_breaker_opened_is_tried_by_its_start(log: Log, autojump_clock: MockClock) -> None:
    async with actors.open_system("s") as system, hear(system, BreakerOpened, BreakerClosed) as facts:
        one = of(log, AT_ONCE, 1, strategy=OneForOne(max_restarts=0))
        policy = Policy(breaker=Breaker(failures=1, reset_after=30.0))
        ref = await system.start(one, name="pool", policy=policy)
        assert await outcome(ref.request(Do(0, 0.0, "fail"))) is ActorFailed
        await settled()
        assert ref.state is ActorState.CIRCUIT_OPEN
        assert await outcome(ref.request(Do(1))) is CircuitOpen
        ref.tell(Do(2))
        await trio.sleep(31.0)
        assert ref.state is ActorState.IDLE
        assert await read([ref.request(Do(n, 1.0)) for n in (3, 4)]) == [3, 4]
        assert log.numbers() == [2, 3, 4]
    assert [(fact.at, type(fact)) for fact in facts] == [(0.0, BreakerOpened), (30.0, BreakerClosed)]


async def test_a_pool_starts_again_although_the_breaker_of_a_worker_is_open(
    log: Log, autojump_clock: MockClock
) -> None:
    async with actors.open_system("s") as system:
        one = of(log, tripping(failures=2), 2, strategy=OneForOne(max_restarts=1, per="supervisor"))
        ref = await system.start(one, name="pool", policy=Policy(backoff=backoff(0.0), breaker=None))
        for number in range(8):
            await outcome(ref.request(Do(number, 0.0, "fail")))
        assert await ref.ask(Do(9)) == 9
        assert ref.statistics().restarts >= 1


# --- function and temporary workers ---------------------------------------------------


async def test_temporary_workers_are_replaced_once_a_cooldown(log: Log, autojump_clock: MockClock) -> None:
    async with actors.open_system("s") as system:
        ref = await system.start(of(log, Policy(restart="temporary", breaker=None), 2), name="pool")
        acts = ["fail", "fail", "", "", "", ""]
        assert await read([ref.request(Do(n, 0.5, act)) for n, act in enumerate(acts)]) == [
            ActorFailed,
            ActorFailed,
            2,
            3,
            4,
            5,
        ]
        assert len(system.children(ref)) == 2


async def test_functions_that_return_are_replaced(log: Log, autojump_clock: MockClock) -> None:
    async def once(ctx: actors.Context) -> None:
        async for message in ctx.inbox:
            ctx.reply(message.number)
            return

    async with actors.open_system("s") as system:
        ref = await system.start(Pool(once, 1, 1), name="pool")
        assert await read([ref.request(Do(n)) for n in range(4)]) == [0, 1, 2, 3]
        assert trio.current_time() == 3.0


async def test_a_worker_that_stops_itself_is_replaced(log: Log, autojump_clock: MockClock) -> None:
    async with actors.open_system("s") as system:
        ref = await system.start(pool(log, 1), name="pool")
        assert await read([ref.request(Do(n, 0.0, "stop")) for n in range(3)]) == [0, 1, 2]


async def test_an_idle_worker_that_fails_is_not_counted_as_idle(log: Log, autojump_clock: MockClock) -> None:
    class Moody(Hand):
        async def on_start(self) -> None:
            self.ctx.after(5.0, Do(-1, 0.0, "fail"))

    policy = Policy(backoff=backoff(0.0), breaker=Breaker(failures=1, reset_after=60.0))
    async with actors.open_system("s") as system, hear(system, PoolGrew) as facts:
        await system.start(Pool(hands(log, Moody, policy), 1, 2), name="pool")
        await trio.sleep(6.0)
    assert [fact.at for fact in facts] == [0.0, 5.0]
