"""What is seen of a pool: state, tree, statistics, notices, and who gets the next message."""

from __future__ import annotations

from typing import Any

import trio
from trio.testing import MockClock

import actors
from actors import (
    ActorFailed,
    ActorState,
    Pool,
    Refused,
    Template,
)
from tests.spawning.hands import (
    Do,
    Hand,
    Log,
    log,
    pool,
    read,
    settled,
)

__all__ = ["log"]


def letters(system: actors.System) -> list[tuple[Any, str]]:
    return [(letter.message.number, str(letter.reason)) for letter in system.dead_letters]


async def test_it_is_busy_while_a_worker_has_something(log: Log, autojump_clock: MockClock) -> None:
    async with actors.open_system("s") as system:
        ref = await system.start(pool(log, 2), name="pool")
        assert ref.state is ActorState.IDLE
        ref.tell(Do(1, 1.0))
        await settled()
        assert ref.state is ActorState.BUSY
        assert str(system.tree()) == (
            "s [idle] (system)\n"
            "└── pool [busy] (supervisor)\n"
            "    ├── worker-1 [busy] (actor)\n"
            "    └── worker-2 [idle] (actor)"
        )
        await trio.sleep(1.5)
        assert ref.state is ActorState.IDLE


async def test_its_statistics_are_those_of_the_messages_that_came_to_it(
    log: Log, autojump_clock: MockClock
) -> None:
    async with actors.open_system("s") as system:
        ref = await system.start(pool(log, 2), name="pool")
        for number in range(5):
            ref.tell(Do(number, 1.0))
        await trio.sleep(0.5)
        seen = ref.statistics()
        assert (seen.handled, seen.depth["normal"], seen.oldest) == (0, 3, 0.5)
        await trio.sleep(9.5)
        seen = ref.statistics()
        assert (seen.handled, seen.depth["normal"], seen.oldest) == (5, 0, None)
        assert seen.last_activity == 3.0
        assert seen.restarts == 0
        assert system.statistics().handled == 5  # each once: by its worker
        ref.stop()
        await ref.wait_stopped()
        assert system.statistics().handled == 5


async def test_workers_are_named_after_their_template(log: Log, autojump_clock: MockClock) -> None:
    async with actors.open_system("s") as system:
        ref = await system.start(Pool(Template(Hand, {"log": log}, name="reader"), 2, 2), name="pool")
        assert [child.path for child in system.children(ref)] == ["/pool/reader-1", "/pool/reader-2"]


async def test_two_pools_may_be_made_of_one_record(log: Log, autojump_clock: MockClock) -> None:
    async with actors.open_system("s") as system:
        record = pool(log)
        one, two = await system.start(record, name="one"), await system.start(record)
        assert [await one.ask(Do(1)), await two.ask(Do(2))] == [1, 2]


async def test_a_pool_may_be_made_of_pools(log: Log, autojump_clock: MockClock) -> None:
    async with actors.open_system("s") as system:
        ref = await system.start(Pool(pool(log, 1), 2, 9), name="pool")
        acts = ["", "fail", "refuse", "reply", "later, answer"]
        outcomes = await read([ref.request(Do(n, 1.0, act)) for n, act in enumerate(acts)])
        assert outcomes == [0, ActorFailed, Refused, 3, "later"]
        ref.tell(Do(5, 1.0, "fail"))
        await trio.sleep(2.0)
        assert letters(system) == [(5, "crashed")]
        assert [child.path for child in system.children(system.children(ref)[1])] == [
            "/pool/worker-2/worker-1"
        ]


async def test_it_may_watch_and_be_watched(log: Log, autojump_clock: MockClock) -> None:
    notices: list[Any] = []

    class Watcher(actors.Actor):
        def __init__(self, ref: actors.Ref) -> None:
            self.ctx.watch(ref)

        @actors.receive
        def gone(self, message: actors.Terminated) -> None:
            notices.append((message.ref, message.exit.kind))

    async with actors.open_system("s") as system:
        ref = await system.start(pool(log), name="pool")
        await system.start(Watcher, ref)
        await settled()
        ref.tell(Do(1, 1.0))
        ref.drain()
        await ref.wait_stopped()
        await settled()
        assert notices == [(ref, actors.ExitKind.SHUTDOWN)]
        assert trio.current_time() == 1.0


async def test_notices_to_the_pool_are_ignored(log: Log, autojump_clock: MockClock) -> None:
    """They are of the framework, and none of the workers' business."""
    async with actors.open_system("s") as system:
        ref = await system.start(pool(log), name="pool")
        ref.tell(actors.Terminated(ref, actors.Exit(actors.ExitKind.NORMAL)))
        assert await ref.ask(Do(1)) == 1
        assert not system.dead_letters


# --- who gets the next message --------------------------------------------------------


async def test_round_robin_gives_each_its_turn(log: Log, autojump_clock: MockClock) -> None:
    async with actors.open_system("s") as system:
        ref = await system.start(pool(log, 3, routing="round_robin"), name="pool")
        for number in range(7):
            await ref.ask(Do(number))
        assert log.workers() == ["1", "2", "3", "1", "2", "3", "1"]


async def test_round_robin_passes_over_who_is_busy(log: Log, autojump_clock: MockClock) -> None:
    async with actors.open_system("s") as system:
        ref = await system.start(pool(log, 3, routing="round_robin"), name="pool")
        ref.tell(Do(0, 10.0))
        await settled()
        for number in range(1, 6):
            await ref.ask(Do(number))
        assert log.workers() == ["1", "2", "3", "2", "3", "2"]


async def test_a_light_load_is_the_work_of_the_first_worker(log: Log, autojump_clock: MockClock) -> None:
    async with actors.open_system("s") as system:
        ref = await system.start(pool(log, 3), name="pool")
        for number in range(3):
            await ref.ask(Do(number, 1.0))
        ref.tell(Do(3, 1.0))
        ref.tell(Do(4, 1.0))
        await trio.sleep(2.0)
        assert [log.worker_of(number)[-1] for number in range(5)] == ["1", "1", "1", "1", "2"]
