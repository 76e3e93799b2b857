"""With keys, the same key goes to the same worker, one message at a time and in order, whatever happens."""

from __future__ import annotations

import math
from random import Random
from typing import Any

import pytest
import trio
from trio.testing import MockClock

import actors
from actors import ActorFailed, ActorState, Breaker, Mailbox, MailboxFull, Policy, Pool, SpawnLimits
from actors.events import BreakerClosed, BreakerHalfOpen, BreakerOpened, CheckFailed, DeadLetterReason
from tests.spawning.hands import AT_ONCE, Do, Hand, Log, hands, hear, log, outcome, read, settled

__all__ = ["log"]


def key_of(message: Do) -> Any:
    return message.key


PATIENT = Policy(backoff=AT_ONCE.backoff, breaker=None, shutdown=math.inf)


def keyed(
    log: Log, minimum: int = 3, maximum: int | None = None, policy: Policy = PATIENT, **more: Any
) -> Pool:
    most = minimum if maximum is None else maximum
    return Pool(hands(log, policy=policy), minimum, most, routing="key", key=key_of, **more)


def owners(log: Log) -> dict[Any, set[str]]:
    """Who has handled each key; the number of a message is its key and a counter."""
    found: dict[Any, set[str]] = {}
    for _, name, what, number in log.lines:
        if what == "begin":
            found.setdefault(number // 1000, set()).add(name)
    return found


def about(key: int, count: int = 0, seconds: float = 0.0, act: str = "") -> Do:
    return Do(key * 1000 + count, seconds, act, key)


def orders(log: Log, key: int) -> list[int]:
    return [number % 1000 for number in log.numbers("begin") if number // 1000 == key]


async def test_a_key_stays_with_its_worker(log: Log, autojump_clock: MockClock) -> None:
    async with actors.open_system("s") as system:
        ref = await system.start(keyed(log), name="pool")
        for count in range(4):
            for key in range(30):
                await ref.ask(about(key, count))
        assert all(len(names) == 1 for names in owners(log).values())
        assert len({name for names in owners(log).values() for name in names}) == 3


async def test_the_owner_of_a_key_is_the_same_in_another_system(log: Log, autojump_clock: MockClock) -> None:
    async with actors.open_system("a") as one, actors.open_system("b") as two:
        for system in (one, two):
            ref = await system.start(keyed(log), name="pool")
            for key in range(30):
                await ref.ask(about(key))
        assert all(len(names) == 1 for names in owners(log).values())


async def test_messages_of_a_key_come_one_at_a_time_and_in_order(log: Log, autojump_clock: MockClock) -> None:
    """Those of other keys are at work meanwhile, in other workers."""
    async with actors.open_system("s") as system:
        ref = await system.start(keyed(log, 8), name="pool")
        for count in range(3):
            for key in range(8):
                ref.tell(about(key, count, 1.0))
        await trio.sleep(100.0)
        assert [orders(log, key) for key in range(8)] == [[0, 1, 2]] * 8
        names = {name for each in owners(log).values() for name in each}
        assert len([at for at, _, what, _ in log.lines if (at, what) == (0.0, "begin")]) == len(names) > 2


async def test_a_message_without_a_key_goes_to_whoever_has_least(log: Log, autojump_clock: MockClock) -> None:
    async with actors.open_system("s") as system:
        ref = await system.start(keyed(log), name="pool")
        for number in range(6):
            ref.tell(Do(number, 1.0))
        await trio.sleep(5.0)
        assert sorted(log.workers()) == ["1", "1", "2", "2", "3", "3"]
        assert max(log.lines)[0] == 2.0


async def test_an_urgent_message_overtakes_those_of_its_worker(log: Log, autojump_clock: MockClock) -> None:
    async with actors.open_system("s") as system:
        ref = await system.start(keyed(log, 1), name="pool")
        ref.tell(about(1, 0, 1.0))
        await settled()
        ref.tell(about(1, 1))
        ref.tell(about(2, 0))
        await settled()
        ref.tell(about(1, 2), urgent=True)
        await trio.sleep(5.0)
        assert log.numbers() == [1000, 1002, 1001, 2000]


async def test_a_key_moves_to_a_newcomer_only_when_nothing_of_it_is_left(
    log: Log, autojump_clock: MockClock
) -> None:
    """And others never move."""
    async with actors.open_system("s") as system:
        limits = SpawnLimits(cooldown=1.0, auto=True, performance_threshold=0.0)
        ref = await system.start(keyed(log, 1, 4, limits=limits, max_wait=0.5, idle=200.0), name="pool")
        for count in range(60):
            for key in range(6):
                ref.tell(about(key, count, 0.125))
            await trio.sleep(0.25)
        assert len(system.children(ref)) == 4
        assert all(len(names) == 1 for names in owners(log).values())
        await trio.sleep(60.0)
        for key in range(6):
            await ref.ask(about(key, 60))
        await trio.sleep(500.0)
        assert len(system.children(ref)) == 1
        for key in range(6):
            assert orders(log, key) == list(range(61))
        assert any(len(names) > 1 for names in owners(log).values())


async def test_a_drain_keeps_the_order_of_what_waits_here_and_there(
    log: Log, autojump_clock: MockClock
) -> None:
    async with actors.open_system("s") as system:
        ref = await system.start(keyed(log, 2), name="pool", policy=PATIENT)
        for count in range(6):
            ref.tell(about(1, count, 1.0))
            await settled()
            if count == 2:
                ref.suspend()
        assert ref.cell.depth == 3
        ref.drain()
        await ref.wait_stopped()
        assert orders(log, 1) == list(range(6))


@pytest.mark.parametrize("order", ["kill", "stop", "drain", "fail"])
async def test_order_survives_the_end_of_a_worker(order: str, log: Log, autojump_clock: MockClock) -> None:
    """What waited for it goes to others, and comes before all that follows."""
    async with actors.open_system("s") as system:
        ref = await system.start(keyed(log, 3), name="pool")
        for key in range(12):
            for count in range(3):
                ref.tell(about(key, count, 1.0, "fail" if (order, count) == ("fail", 0) else ""))
        await trio.sleep(0.5)
        victim = system.children(ref)[1]
        if order != "fail":
            getattr(victim, order)()
        for key in range(12):
            for count in range(3, 6):
                ref.tell(about(key, count, 1.0))
        await trio.sleep(200.0)
        for key in range(12):
            assert orders(log, key) == list(range(6))
        lost = {"kill": 1, "fail": 12}.get(order, 0)
        assert len(system.dead_letters) == lost
        assert len(log.numbers()) == 72 - lost


async def test_what_waits_for_a_worker_waits_through_its_restart(log: Log, autojump_clock: MockClock) -> None:
    policy = Policy(backoff=actors.Backoff(initial=5.0, maximum=5.0, jitter=0.0), breaker=None)
    async with actors.open_system("s") as system:
        ref = await system.start(keyed(log, 2, policy=policy), name="pool")
        pendings = [ref.request(about(1, count, 1.0, "" if count else "fail")) for count in range(3)]
        assert await read(pendings) == [ActorFailed, 1001, 1002]
        assert trio.current_time() == 8.0
        assert len(owners(log)[1]) == 1


async def test_the_keys_of_an_open_breaker_go_to_others_and_come_back_in_order(
    log: Log, autojump_clock: MockClock
) -> None:
    policy = Policy(backoff=AT_ONCE.backoff, breaker=Breaker(failures=2, reset_after=60.0))
    async with (
        actors.open_system("s") as system,
        hear(system, BreakerOpened, BreakerHalfOpen, BreakerClosed) as facts,
    ):
        ref = await system.start(keyed(log, 2, policy=policy), name="pool")
        acts = ["fail", "fail", "", "", "", ""]
        pendings = [ref.request(about(7, count, 1.0, act)) for count, act in enumerate(acts)]
        ref.tell(about(7, 6))
        assert await read(pendings) == [ActorFailed, ActorFailed, 7002, 7003, 7004, 7005]
        assert trio.current_time() == 6.0
        await settled()
        assert orders(log, 7) == list(range(7))
        first, second = log.worker_of(7000), log.worker_of(7002)
        assert first != second
        await trio.sleep(60.0)
        assert await read([ref.request(about(7, count)) for count in (7, 8)]) == [7007, 7008]
        assert [log.worker_of(number) for number in (7007, 7008)] == [first, first]
    assert [type(fact) for fact in facts] == [BreakerOpened, BreakerHalfOpen, BreakerClosed]


async def test_nothing_is_given_to_a_worker_whose_breaker_has_just_opened(
    log: Log, autojump_clock: MockClock
) -> None:
    """Also while its `on_stop` still runs."""

    class Slow(Hand):
        async def on_stop(self, exit: actors.Exit) -> None:
            await trio.sleep(3.0)

    policy = Policy(breaker=Breaker(failures=1, reset_after=60.0))
    async with actors.open_system("s") as system:
        one = Pool(hands(log, Slow, policy), 2, 2, routing="key", key=key_of)
        ref = await system.start(one, name="pool")
        assert await outcome(ref.request(about(1, 0, 0.0, "fail"))) is ActorFailed
        assert await ref.ask(about(1, 1)) == 1001
        assert trio.current_time() == 0.0


async def test_while_a_worker_is_on_probation_its_other_keys_go_elsewhere(
    log: Log, autojump_clock: MockClock
) -> None:
    """The key of the probe itself waits for it: one at a time."""
    policy = Policy(backoff=AT_ONCE.backoff, breaker=Breaker(failures=1, reset_after=10.0))
    async with actors.open_system("s") as system:
        ref = await system.start(keyed(log, 2, policy=policy), name="pool")
        for key in range(40):
            await ref.ask(about(key))
        mine = [key for key, names in owners(log).items() if names == owners(log)[0]]
        assert await outcome(ref.request(about(0, 1, 0.0, "fail"))) is ActorFailed
        await trio.sleep(11.0)
        probe = ref.request(about(mine[0], 2, 5.0))
        await settled()
        assert await ref.ask(about(mine[1], 2)) == mine[1] * 1000 + 2
        assert log.worker_of(mine[1] * 1000 + 2) != log.worker_of(mine[0] * 1000 + 2)
        behind = ref.request(about(mine[0], 3))
        await settled()
        assert not probe.done
        assert await behind.wait() == mine[0] * 1000 + 3
        assert probe.done
        assert await ref.ask(about(mine[1], 4)) == mine[1] * 1000 + 4
        assert log.worker_of(mine[1] * 1000 + 4) == log.worker_of(mine[0] * 1000 + 2)


async def test_a_worker_whose_mailbox_is_full_holds_up_what_comes_behind(
    log: Log, autojump_clock: MockClock
) -> None:
    """Nothing is lost of it: the pool's own mailbox is the next to fill."""
    policy = Policy(mailbox=Mailbox(capacity=2))
    async with actors.open_system("s") as system:
        ref = await system.start(keyed(log, 2, policy=policy), name="pool", policy=policy)
        for count in range(5):
            ref.tell(about(1, count, 1.0))
            await settled()
        with pytest.raises(MailboxFull):
            ref.tell(about(1, 5))
        await trio.sleep(10.0)
        assert orders(log, 1) == list(range(5))


async def test_a_long_queue_does_not_hold_up_the_loop(log: Log, autojump_clock: MockClock) -> None:
    """A pool hands on a batch, and then lets others have their turn."""
    async with actors.open_system("s") as system:
        roomy = Policy(mailbox=Mailbox(capacity=5000))
        ref = await system.start(keyed(log, 2, policy=roomy), name="pool", policy=roomy)
        for number in range(1000):
            ref.tell(Do(number, 1.0, "", number % 10))
        await trio.lowlevel.checkpoint()
        await trio.lowlevel.checkpoint()
        assert ref.cell.depth > 500
        await trio.sleep(0.5)
        assert ref.cell.depth == 0
        await trio.sleep(2000.0)
        assert len(log.numbers()) == 1000


@pytest.mark.parametrize("seed", range(8))
async def test_each_key_is_in_order_while_workers_come_and_go(
    seed: int, log: Log, autojump_clock: MockClock
) -> None:
    draw = Random(seed)
    limits = SpawnLimits(cooldown=0.5, auto=True, performance_threshold=0.0, workload_threshold=5)
    async with actors.open_system("s") as system:
        ref = await system.start(keyed(log, 1, 6, limits=limits, max_wait=0.25, idle=1.0), name="pool")
        counts = [0] * 8
        for _ in range(150):
            key = draw.randrange(8)
            ref.tell(about(key, counts[key], draw.choice([0.0, 0.25, 1.0])))
            counts[key] += 1
            if draw.random() < 0.2 and (workers := system.children(ref)):
                getattr(draw.choice(workers), draw.choice(["stop", "drain"]))()
            await trio.sleep(draw.choice([0.0, 0.25]))
        await trio.sleep(1000.0)
        for key, count in enumerate(counts):
            assert orders(log, key) == list(range(count))
        assert not system.dead_letters


# --- keys that are none ---------------------------------------------------------------


@pytest.mark.parametrize("wrong", [1.5, ["a"], {"a": 1}, object, b"ok"])
async def test_a_wrong_key_fails_its_message_alone(wrong: Any, log: Log, autojump_clock: MockClock) -> None:
    async with actors.open_system("s") as system, hear(system, CheckFailed) as facts:
        ref = await system.start(keyed(log, 2), name="pool")
        bad = ref.request(Do(1, key=wrong))
        assert await ref.ask(Do(2, key="fine")) == 2
        if wrong == b"ok":
            assert await bad.wait() == 1
            return
        with pytest.raises(ActorFailed, match="/pool failed while handling") as caught:
            await bad.wait()
        assert isinstance(caught.value.__cause__, TypeError)
        assert "cannot be a key to route by" in str(caught.value.__cause__)
        assert ref.state is ActorState.IDLE
        assert ref.statistics().restarts == 0
    assert [(fact.ref, fact.what) for fact in facts] == [(ref, "key")]  # type: ignore[attr-defined]


async def test_a_key_function_that_raises_fails_that_message_alone(
    log: Log, autojump_clock: MockClock
) -> None:
    def broken(message: Do) -> int:
        return 10 // message.number

    async with actors.open_system("s") as system:
        ref = await system.start(Pool(hands(log), 2, 2, routing="key", key=broken), name="pool")
        ref.tell(Do(0))
        assert isinstance((await outcome(ref.request(Do(2)))), int)
        (letter,) = system.dead_letters
        assert (letter.ref, letter.message, letter.reason) == (ref, Do(0), DeadLetterReason.UNHANDLED)


async def test_a_wrong_key_is_told_also_while_nobody_is_there(log: Log, autojump_clock: MockClock) -> None:
    async with actors.open_system("s") as system:
        ref = await system.start(keyed(log, 0, 1), name="pool")
        assert await outcome(ref.request(Do(1, key=1.5))) is ActorFailed
        assert system.children(ref) == ()
