"""A pool grows with what waits, and shrinks when it is idle: at exact times (checklist rows 59 and 60)."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

import pytest
import trio
from trio.testing import MockClock

import actors
from actors import Policy, Pool, SpawnLimits, StartFailed, Template
from actors.events import Event, PoolGrew, PoolShrank, SpawnRejected, StartAttemptFailed
from actors.spawning.staffing import Staffing
from tests.spawning.hands import Do, Hand, Log, hands, hear, log, outcome, pool, read, settled

__all__ = ["log"]

AUTO = SpawnLimits(cooldown=1.0, performance_threshold=0.0, auto=True)


def limits(**more: Any) -> SpawnLimits:
    return SpawnLimits(**{"cooldown": 1.0, "performance_threshold": 0.0, "auto": True, **more})


def curve(facts: list[Event]) -> list[tuple[float, int]]:
    """(time, how many workers there are from then on), the first of a time left out."""
    return list({fact.at: (fact.at, fact.workers) for fact in facts}.values())  # type: ignore[attr-defined]


def changes(system: actors.System) -> Any:
    return hear(system, PoolGrew, PoolShrank)


async def load(ref: actors.Ref, many: int, seconds: float = 1.0, **more: Any) -> None:
    for number in range(many):
        ref.tell(Do(number, seconds, **more))
    await settled()


# --- up and down ----------------------------------------------------------------------


@pytest.mark.row(60)
async def test_the_curve_of_workers_under_a_load_step(log: Log, autojump_clock: MockClock) -> None:
    """0, then 150 messages of a second each at 10 s, then 0: one worker more each cooldown, then one less.

    More than 100 wait, so it grows at once; at 12 s there are 3, and it goes on as the oldest waits for long.
    """
    async with actors.open_system("s") as system, changes(system) as facts:
        ref = await system.start(pool(log, 1, 5, limits=limits(cooldown=2.0), idle=30.0), name="pool")
        await trio.sleep(10.0)
        await load(ref, 150)
        await trio.sleep(190.0)
        assert len(log.numbers()) == 150
        assert len(system.children(ref)) == 1
    up = [(0.0, 1), (10.0, 2), (12.0, 3), (14.0, 4), (16.0, 5)]
    # 2 x 2 + 2 x 3 + 2 x 4 = 18 by 16 s; the other 132 take five workers 27 s, the last two of them all three
    down = [(72.0, 4), (74.0, 3), (76.0, 2), (78.0, 1)]
    assert curve(facts) == up + down
    assert max(log.lines)[0] == 43.0


@pytest.mark.row(60)
async def test_the_facts_of_growing_and_shrinking_are_true(log: Log, autojump_clock: MockClock) -> None:
    async with actors.open_system("s") as system, changes(system) as facts:
        ref = await system.start(pool(log, 1, 2, limits=AUTO, max_wait=3.0, idle=4.0), name="pool")
        first = system.children(ref)[0]
        await trio.sleep(5.0)
        await load(ref, 4, 10.0)
        await trio.sleep(4.0)
        second = system.children(ref)[1]
        await trio.sleep(96.0)
        assert system.children(ref) == (second,)
    assert facts == [
        PoolGrew(0.0, ref, first, 1, "manual", 0, 0.0),
        PoolGrew(8.0, ref, second, 2, "workload_spike", 3, 3.0),
        PoolShrank(29.0, ref, first, 1, 4.0),
    ]


async def test_a_message_that_waits_for_long_makes_it_grow(log: Log, autojump_clock: MockClock) -> None:
    async with actors.open_system("s") as system, changes(system) as facts:
        ref = await system.start(pool(log, 1, 9, max_wait=2.5), name="pool")
        await load(ref, 2, 100.0)
        await trio.sleep(50.0)
    assert curve(facts) == [(0.0, 1), (2.5, 2)]


async def test_no_worker_is_added_while_one_is_free(log: Log, autojump_clock: MockClock) -> None:
    async with actors.open_system("s") as system, changes(system) as facts:
        ref = await system.start(pool(log, 2, 9), name="pool")
        for number in range(50):
            await ref.ask(Do(number, 5.0))
    assert curve(facts) == [(0.0, 2)]


async def test_who_boots_is_an_answer_on_its_way(log: Log, autojump_clock: MockClock) -> None:
    """Booting takes 5 s: no other one is started meanwhile."""
    async with actors.open_system("s") as system, changes(system) as facts:
        ref = await system.start(pool(log, 1, 9, limits=AUTO, max_wait=1.0), name="pool")
        log.starts += [5.0, 5.0]
        await load(ref, 4, 60.0)
        await trio.sleep(30.0)
    assert curve(facts) == [(0.0, 1), (1.0, 2), (6.0, 3), (11.0, 4)]


@pytest.mark.row(59)
@pytest.mark.parametrize(("waiting", "grows"), [(5, False), (6, True)])
async def test_a_queue_strictly_above_the_threshold_makes_it_grow(
    waiting: int, grows: bool, log: Log, autojump_clock: MockClock
) -> None:
    async with actors.open_system("s") as system, changes(system) as facts:
        one = pool(log, 1, 2, limits=limits(workload_threshold=5), max_wait=1e6)
        ref = await system.start(one, name="pool")
        await trio.sleep(10.0)
        ref.tell(Do(99, 500.0))
        await settled()
        await load(ref, waiting)
    assert curve(facts) == [(0.0, 1), *([(10.0, 2)] if grows else [])]


@pytest.mark.row(59)
@pytest.mark.parametrize(("failing", "grows"), [(5, False), (6, True)])
async def test_a_success_rate_strictly_below_the_threshold_makes_it_grow(
    failing: int, grows: bool, log: Log, autojump_clock: MockClock
) -> None:
    async with actors.open_system("s") as system, changes(system) as facts:
        one = pool(
            log, 1, 2, limits=limits(performance_threshold=0.5), strategy=actors.OneForOne(max_restarts=99)
        )
        ref = await system.start(one, name="pool")
        await trio.sleep(10.0)
        for number in range(10):
            await outcome(ref.request(Do(number, 0.0, "fail" if number < failing else "")))
            await settled()
    assert [(fact.at, fact.trigger) for fact in facts if isinstance(fact, PoolGrew)] == [
        (0.0, "manual"),
        *([(10.0, "performance_threshold")] if grows else []),
    ]


async def test_what_was_poor_before_it_grew_does_not_count_again(log: Log, autojump_clock: MockClock) -> None:
    async with actors.open_system("s") as system, changes(system) as facts:
        more = limits(performance_threshold=0.5)
        one = pool(log, 1, 9, limits=more, strategy=actors.OneForOne(max_restarts=99))
        ref = await system.start(one, name="pool")
        await trio.sleep(10.0)
        for number in range(29):
            await outcome(ref.request(Do(number, 0.0, "fail")))
            await trio.sleep(1.0)
    grown = [fact.at for fact in facts]
    assert grown == [0.0, 19.0, 29.0]


@pytest.mark.row(60)
async def test_a_poor_rate_is_forgotten_when_nothing_was_handled_for_long(
    log: Log, autojump_clock: MockClock
) -> None:
    async with actors.open_system("s") as system, changes(system) as facts:
        more = limits(performance_threshold=0.5)
        one = pool(log, 1, 2, limits=more, idle=20.0, strategy=actors.OneForOne(max_restarts=99))
        ref = await system.start(one, name="pool")
        for number in range(20):  # ten make it grow, ten more are poor too
            await outcome(ref.request(Do(number, 0.0, "fail")))
            await trio.sleep(1.0)
        last = trio.current_time() - 1.0
        await trio.sleep(100.0)
    assert [(type(fact).__name__, fact.at) for fact in facts] == [
        ("PoolGrew", 0.0),
        ("PoolGrew", 9.0),
        ("PoolShrank", last + 20.0),
    ]


@pytest.mark.row(60)
async def test_a_handler_that_takes_longer_than_a_rate_is_old_keeps_nobody_awake(
    log: Log, autojump_clock: MockClock
) -> None:
    async with actors.open_system("s") as system:
        one = pool(log, 1, 2, limits=limits(performance_threshold=0.5), idle=20.0)
        ref = await system.start(one, name="pool")
        await outcome(ref.request(Do(0, 0.0, "")))
        await outcome(ref.request(Do(1, 100.0, "")))
        assert trio.current_time() == 100.0


@pytest.mark.row(59)
async def test_without_auto_it_stays_at_its_minimum(log: Log, autojump_clock: MockClock) -> None:
    async with actors.open_system("s") as system, changes(system) as facts:
        ref = await system.start(pool(log, 2, 9, limits=limits(auto=False)), name="pool")
        await load(ref, 300)
        await trio.sleep(300.0)
        assert len(log.numbers()) == 300
    assert curve(facts) == [(0.0, 2)]


@pytest.mark.parametrize(("max_active", "helpers"), [(None, 2), (4, 2), (3, 1)])
async def test_what_its_workers_spawn_takes_the_slots_of_the_limits_and_not_of_its_maximum(
    max_active: int | None, helpers: int, log: Log, autojump_clock: MockClock
) -> None:
    class Lead(actors.Supervisor):
        def __init__(self) -> None:
            self.spawner = actors.Spawner(self, SpawnLimits.minimal())

        @actors.receive
        async def do(self, message: Do) -> Any:
            helper = self.spawner.spawn(Template(Hand, {"log": log}))
            return await helper.ask(Do(7, 1.0))

    async with actors.open_system("s") as system:
        bounds = None if max_active is None else limits(max_active=max_active)
        ref = await system.start(Pool(Lead, 2, 2, limits=bounds), name="pool")
        outcomes = await read([ref.request(Do(n)) for n in range(2)])
        assert outcomes.count(7) == helpers
        assert outcomes.count(actors.ActorFailed) == 2 - helpers


async def test_it_is_filled_up_to_its_maximum_while_some_are_held_back(
    log: Log, autojump_clock: MockClock
) -> None:
    """Three of three are tripped: one may stand in for them, and no start is tried that would be refused."""
    policy = Policy(breaker=actors.Breaker(failures=1, reset_after=60.0))
    async with actors.open_system("s") as system, hear(system, PoolGrew, SpawnRejected) as facts:
        ref = await system.start(Pool(hands(log, policy=policy), 3, 4), name="pool")
        await load(ref, 3, 1.0, act="fail")
        await trio.sleep(30.0)
        assert len(system.children(ref)) == 4
        assert await ref.ask(Do(9)) == 9
    assert [type(fact) for fact in facts] == [PoolGrew] * 4


@pytest.mark.parametrize(("maximum", "max_active"), [(3, 100), (50, 3)])
async def test_it_grows_to_the_smaller_of_its_bounds(
    maximum: int, max_active: int, log: Log, autojump_clock: MockClock
) -> None:
    async with actors.open_system("s") as system:
        ref = await system.start(pool(log, 1, maximum, limits=limits(max_active=max_active)), name="pool")
        async with hear(system, SpawnRejected) as refused:
            await load(ref, 100)
            await trio.sleep(15.0)
            assert len(system.children(ref)) == 3
        assert not refused


async def test_a_keyed_pool_grows_for_what_waits_in_front_of_its_workers(
    log: Log, autojump_clock: MockClock
) -> None:
    async with actors.open_system("s") as system, changes(system) as facts:
        one = pool(log, 1, 3, routing="key", key=lambda message: message.number, max_wait=2.0)
        ref = await system.start(one, name="pool")
        await load(ref, 6, 10.0)
        await trio.sleep(5.0)
    assert facts[1] == PoolGrew(2.0, ref, facts[1].worker, 2, "workload_spike", 5, 2.0)  # type: ignore[attr-defined]


async def test_what_a_worker_has_in_hand_does_not_wait(log: Log, autojump_clock: MockClock) -> None:
    async with actors.open_system("s") as system, changes(system) as facts:
        one = pool(log, 1, 3, routing="key", key=lambda message: message.number, max_wait=2.0)
        ref = await system.start(one, name="pool")
        ref.tell(Do(1, 100.0))
        await trio.sleep(9.0)
        ref.tell(Do(2))
        await trio.sleep(5.0)
    assert curve(facts) == [(0.0, 1), (11.0, 2)]


# --- down -----------------------------------------------------------------------------


async def test_it_never_shrinks_when_idle_is_infinite(log: Log, autojump_clock: MockClock) -> None:
    async with actors.open_system("s") as system:
        ref = await system.start(pool(log, 1, 3, idle=float("inf")), name="pool")
        await load(ref, 9)
        await trio.sleep(80_000.0)
        assert len(system.children(ref)) > 1


async def test_one_that_works_now_and_then_is_not_idle(log: Log, autojump_clock: MockClock) -> None:
    async with actors.open_system("s") as system:
        ref = await system.start(pool(log, 1, 2, idle=12.0, routing="round_robin"), name="pool")
        await load(ref, 2, 5.0)
        await trio.sleep(9.0)
        assert len(system.children(ref)) == 2
        for number in range(20):
            await trio.sleep(4.0)
            await ref.ask(Do(number))
        assert len(system.children(ref)) == 2
        await trio.sleep(12.0)
        assert len(system.children(ref)) == 1


async def test_a_worker_that_is_let_go_ends_in_order(log: Log, autojump_clock: MockClock) -> None:
    """It is drained: a message of somebody else's that came just before is handled still."""
    async with actors.open_system("s") as system:
        ref = await system.start(pool(log, 0, 1, idle=2.0), name="pool")
        await ref.ask(Do(1))
        (worker,) = system.children(ref)
        await trio.sleep(1.0)
        worker.tell(Do(2, 5.0))
        exit = await worker.wait_stopped()
        assert (exit.kind, exit.reason) == (actors.ExitKind.SHUTDOWN, "drained")
        assert log.numbers() == [1, 2]


@pytest.mark.parametrize("well", [False, True])
async def test_a_worker_that_owes_an_answer_stays(well: bool, log: Log, autojump_clock: MockClock) -> None:
    """With nothing in hand it takes the next message; from the answer on it is idle."""
    async with actors.open_system("s") as system, changes(system) as facts:
        ref = await system.start(pool(log, 0, 1, idle=2.0), name="pool")
        owed = ref.request(Do(1, 0.0, "later"))
        await trio.sleep(5.0)
        assert await ref.ask(Do(2)) == 2
        await trio.sleep(45.0)
        if well:
            log.ports[1].answer("at last")
        else:
            log.ports[1].fail(actors.Refused("no"))
        assert await outcome(owed) == ("at last" if well else actors.Refused)
        await trio.sleep(10.0)
    assert curve(facts) == [(0.0, 1), (52.0, 0)]


async def test_another_one_goes_in_place_of_who_owes_an_answer(log: Log, autojump_clock: MockClock) -> None:
    async with actors.open_system("s") as system, changes(system) as facts:
        ref = await system.start(pool(log, 1, 2, limits=AUTO, idle=5.0), name="pool")
        other = ref.request(Do(1, 4.0))
        owed = ref.request(Do(2, 1.0, "later"))
        await trio.sleep(30.0)
        assert [child.name for child in system.children(ref)] == ["worker-2"]
        log.ports[2].answer(2)
        assert await read([other, owed]) == [1, 2]
    assert curve(facts) == [(0.0, 1), (1.0, 2), (9.0, 1)]


async def test_an_answer_that_nobody_waits_for_keeps_no_worker(log: Log, autojump_clock: MockClock) -> None:
    async with actors.open_system("s") as system, changes(system) as facts:
        ref = await system.start(pool(log, 0, 1, idle=2.0), name="pool")
        with pytest.raises(actors.AskTimeout):
            await ref.ask(Do(1, 0.0, "later"), timeout=5.0)
        await trio.sleep(5.0)
        await ref.ask(Do(2))
        await trio.sleep(10.0)
    assert curve(facts) == [(0.0, 1), (12.0, 0)]


async def test_of_those_that_are_idle_for_equally_long_the_youngest_goes(
    log: Log, autojump_clock: MockClock
) -> None:
    async with actors.open_system("s") as system, hear(system, PoolShrank) as facts:
        ref = await system.start(pool(log, 1, 3), name="pool")
        for number in range(3):
            ref.tell(Do(number, 4.0 - number))
        await trio.sleep(100.0)
    assert [fact.worker.name for fact in facts] == ["worker-3", "worker-2"]  # type: ignore[attr-defined]


async def test_nobody_goes_within_the_cooldown_of_another_change(log: Log, autojump_clock: MockClock) -> None:
    more = limits(cooldown=10.0, auto=False)
    async with actors.open_system("s") as system, changes(system) as facts:
        ref = await system.start(pool(log, 0, 1, limits=more, idle=1.0), name="pool")
        await ref.ask(Do(1))
        await trio.sleep(50.0)
    assert curve(facts) == [(0.0, 1), (10.0, 0)]


async def test_a_pool_of_none_starts_one_for_a_message_and_lets_it_go(
    log: Log, autojump_clock: MockClock
) -> None:
    async with actors.open_system("s") as system, changes(system) as facts:
        ref = await system.start(pool(log, 0, 5, limits=limits(auto=False), idle=30.0), name="pool")
        assert system.children(ref) == ()
        await trio.sleep(10.0)
        assert await read([ref.request(Do(n, 1.0)) for n in range(3)]) == [0, 1, 2]
        assert trio.current_time() == 13.0
        await trio.sleep(100.0)
        assert system.children(ref) == ()
    assert curve(facts) == [(10.0, 1), (43.0, 0)]


# --- what is not promised by a number -------------------------------------------------


@pytest.mark.row(87)
async def test_an_idle_pool_takes_no_steps(log: Log, autojump_clock: MockClock) -> None:
    class Steps(trio.abc.Instrument):
        def __init__(self, but: trio.lowlevel.Task) -> None:
            self.but = but
            self.names: list[str] = []

        def before_task_step(self, task: trio.lowlevel.Task) -> None:
            if task is not self.but:
                self.names.append(task.name)

    async with actors.open_system("s") as system:
        ref = await system.start(pool(log, 2, 5), name="pool")
        keyed = await system.start(pool(log, 2, 5, routing="key", key=lambda message: message.number))
        await load(ref, 50)
        await load(keyed, 50)
        await trio.sleep(500.0)
        assert len(log.numbers()) == 100
        assert [len(system.children(one)) for one in (ref, keyed)] == [2, 2]
        steps = Steps(trio.lowlevel.current_task())
        trio.lowlevel.add_instrument(steps)
        await trio.sleep(1e4)
        trio.lowlevel.remove_instrument(steps)
        assert steps.names == []
        assert system.statistics().alarms == 0


VARIABLE: ContextVar[str] = ContextVar("VARIABLE", default="nobody's")


async def test_a_worker_does_not_inherit_the_context_of_a_message(
    log: Log, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever tells, asks or finishes something, workers are started in the pool's own task."""
    seen: list[str] = []
    tasks: set[str] = set()
    start = Staffing._start

    class Shy(Hand):
        async def on_start(self) -> None:
            seen.append(VARIABLE.get())
            VARIABLE.set("a worker's")

    def noted(*arguments: Any) -> Any:
        tasks.add(trio.lowlevel.current_task().name)
        return start(*arguments)

    monkeypatch.setattr(Staffing, "_start", noted)
    async with actors.open_system("s") as system:
        more = limits(cooldown=0.5, workload_threshold=2)
        ref = await system.start(Pool(hands(log, Shy), 1, 6, limits=more, max_wait=0.25), name="pool")
        VARIABLE.set("an asker's")
        pendings = [ref.request(Do(n, 0.75, "fail" if n % 5 == 0 else "")) for n in range(20)]
        await read(pendings)
        assert len(system.children(ref)) > 3
    assert set(seen) == {"nobody's"}
    assert tasks == {"/pool"}


# --- starts that fail -----------------------------------------------------------------


async def test_a_first_worker_that_does_not_start_is_a_pool_that_does_not(
    log: Log, autojump_clock: MockClock
) -> None:
    """At once, also while others boot still; nothing is left."""
    log.starts += [60.0, ValueError("no")]
    async with actors.open_system("s") as system:
        with pytest.raises(StartFailed) as caught:
            await system.start(Pool(hands(log, policy=Policy(shutdown=0.0)), 3), name="pool")
        assert isinstance(caught.value.__cause__, StartFailed)
        assert isinstance(caught.value.__cause__.__cause__, ValueError)
        assert trio.current_time() == 0.0
        assert system.find("/pool") is None
        assert await system.start(pool(log, 3), name="pool")


async def test_a_first_worker_that_is_stopped_is_a_pool_that_does_not_start(
    log: Log, autojump_clock: MockClock
) -> None:
    log.starts += [60.0]
    async with actors.open_system("s") as system, trio.open_nursery() as nursery:

        async def stop() -> None:
            await trio.sleep(1.0)
            (ref,) = system.children(system.find("/pool"))
            ref.stop()

        nursery.start_soon(stop)
        with pytest.raises(StartFailed) as caught:
            await system.start(pool(log, 1), name="pool")
        assert isinstance(caught.value.__cause__, actors.ActorStopped)
        assert trio.current_time() == 6.0  # its `on_start` has `shutdown` seconds


@pytest.mark.parametrize("restart", ["temporary", "transient"])
async def test_a_worker_that_does_not_start_later_is_tried_once_a_cooldown(
    restart: Any, log: Log, autojump_clock: MockClock
) -> None:
    """A temporary one is replaced; another is started again by its own policy, and needs no replacement."""
    policy = Policy(
        restart=restart, backoff=actors.Backoff(initial=1.0, maximum=1.0, jitter=0.0), breaker=None
    )
    async with actors.open_system("s") as system, hear(system, PoolGrew, StartAttemptFailed) as facts:
        one = Pool(hands(log, policy=policy), 1, 2, max_wait=1.0, strategy=actors.OneForOne(max_restarts=99))
        ref = await system.start(one, name="pool")
        log.starts += [ValueError("no")] * 4
        await load(ref, 3, 10.0)
        await trio.sleep(9.0)
        assert len(system.children(ref)) == 2
        assert log.numbers("begin") == [0, 1]
    failed = [fact.at for fact in facts if isinstance(fact, StartAttemptFailed)]
    assert failed == [1.0, 2.0, 3.0, 4.0]
    grown = [fact.at for fact in facts if isinstance(fact, PoolGrew)]
    assert grown == ([0.0, 1.0, 2.0, 3.0, 4.0, 5.0] if restart == "temporary" else [0.0, 1.0])


async def test_a_start_that_is_refused_is_tried_once_a_cooldown(log: Log, autojump_clock: MockClock) -> None:
    """Below a spawner the limits of that one bind too."""

    class Boss(actors.Supervisor):
        async def on_start(self) -> None:
            spawner = actors.Spawner(self, SpawnLimits(max_active=3, cooldown=0.1))
            self.pool = await spawner.start(Template(pool(log, 1, 5)), name="pool")

    async with actors.open_system("s") as system:
        await system.start(Boss, name="boss")
        ref = system.find("/boss/pool")
        assert ref is not None
        async with hear(system, SpawnRejected) as refused:
            await load(ref, 9, 10.0)
            ref.tell(Do(9))
            await trio.sleep(5.5)
            for number in range(10, 15):  # nothing of this is another occasion
                ref.tell(Do(number))
                await settled()
        assert len(system.children(ref)) == 2
        assert [fact.at for fact in refused] == [2.0, 3.0, 4.0, 5.0]


async def test_a_pool_on_a_node_that_is_not_there_does_not_start(log: Log, autojump_clock: MockClock) -> None:
    async with actors.open_system("here") as system:
        with pytest.raises(StartFailed, match="nowhere"):
            await system.start(pool(log, 1, 3, on="nowhere"), name="pool")
