"""Suspending and resuming: the mailbox goes on filling, nothing is taken (contract §3)."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock

import actors
from actors import ActorState
from actors.events import Resumed, Suspended
from tests.core.cast import AT_ONCE, Die, Echo, Note, Seen, Sleep, Worker, facts, settled


async def test_a_suspended_actor_takes_nothing_until_it_is_resumed(autojump_clock: MockClock) -> None:
    """State and mailbox stay."""
    async with actors.open_system("alpha") as system, system.subscribe(Suspended, Resumed) as events:
        worker = await system.start(Worker, name="worker")
        worker.tell(Note("before"))
        await settled()
        worker.suspend()
        worker.suspend()
        worker.tell(Note("during"))
        await trio.sleep(10)
        assert (worker.state, worker.statistics().handled) == (ActorState.SUSPENDED, 1)
        worker.resume()
        worker.resume()
        assert await worker.ask(Seen()) == ["before", "during"]
        assert facts(events) == [("Suspended", "/worker"), ("Resumed", "/worker")]


async def test_the_message_in_hand_is_finished(autojump_clock: MockClock) -> None:
    """It is BUSY until then, and its asker gets the reply."""
    async with actors.open_system("alpha") as system:
        worker = system.spawn(Worker)
        pending = worker.request(Sleep(2))
        await settled()
        worker.suspend()
        worker.tell(Note("waits"))
        assert worker.state is ActorState.BUSY
        assert await pending.wait() == "slept"
        await settled()
        assert (worker.state, worker.statistics().depth["normal"]) == (ActorState.SUSPENDED, 1)


@pytest.mark.row(80)
async def test_ten_concurrent_messages_resume_it_once(autojump_clock: MockClock) -> None:
    """With `until_message` the first one resumes it, and all are handled with the state of before."""
    replies: list[Any] = []

    async def ask(worker: actors.Ref, n: int) -> None:
        replies.append(await worker.ask(Echo(str(n))))

    async with actors.open_system("alpha") as system, system.subscribe(Suspended, Resumed) as events:
        worker = await system.start(Worker, name="worker")
        worker.tell(Note("kept"))
        await settled()
        worker.suspend(until_message=True)
        await trio.sleep(60)
        assert worker.state is ActorState.SUSPENDED
        async with trio.open_nursery() as nursery:
            for n in range(10):
                nursery.start_soon(ask, worker, n)
        assert sorted(replies) == [str(n) for n in range(10)]
        assert facts(events) == [("Suspended", "/worker"), ("Resumed", "/worker")]
        assert (await worker.ask(Seen()), worker.state) == (["kept"], ActorState.IDLE)


async def test_until_message_is_met_by_one_that_waits_already(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        worker = await system.start(Worker)
        worker.suspend()
        worker.tell(Note("waits"))
        await settled()
        worker.suspend(until_message=True)
        await settled()
        assert (worker.state, worker.statistics().handled) == (ActorState.IDLE, 1)


async def test_a_plain_suspend_takes_until_message_back(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        worker = await system.start(Worker)
        worker.suspend(until_message=True)
        worker.suspend()
        worker.tell(Note("waits"))
        await settled()
        assert (worker.state, worker.statistics().handled) == (ActorState.SUSPENDED, 0)
        worker.resume()


async def test_a_suspended_actor_stops_at_once(autojump_clock: MockClock) -> None:
    """What waited becomes dead letters."""
    async with actors.open_system("alpha") as system:
        worker = await system.start(Worker)
        worker.suspend()
        worker.tell(Note("never"))
        worker.stop()
        assert (await worker.wait_stopped()).kind is actors.ExitKind.SHUTDOWN
        assert trio.current_time() == pytest.approx(0.0)
        assert [(letter.message.text, letter.reason) for letter in system.dead_letters] == [
            ("never", "stopped")
        ]


async def test_draining_resumes_a_suspended_actor(autojump_clock: MockClock) -> None:
    """`drain` finishes the queue first: it cannot wait for a resume that may never come."""
    async with actors.open_system("alpha") as system:
        worker = await system.start(Worker)
        worker.suspend()
        worker.tell(Note("handled"))
        worker.drain()
        assert (await worker.wait_stopped()).kind is actors.ExitKind.SHUTDOWN
        assert (worker.statistics().handled, system.dead_letters) == (1, ())


async def test_a_suspension_outlives_a_restart(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        worker = await system.start(Worker, name="worker", policy=AT_ONCE)
        worker.tell(Die())
        worker.suspend()
        worker.resume()
        worker.tell(Note("after"))
        await settled()
        assert worker.statistics().restarts == 1
        worker.suspend()
        worker.tell(Die())
        await settled()
        assert (worker.state, worker.statistics().restarts) == (ActorState.SUSPENDED, 1)
        worker.resume()
        await settled()
        assert (worker.state, worker.statistics().restarts) == (ActorState.IDLE, 2)


async def test_suspended_during_the_start_it_starts_and_takes_nothing(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        worker = system.spawn(Worker)
        worker.suspend()
        worker.tell(Note("waits"))
        assert worker.state is ActorState.STARTING
        await worker.wait_started()
        await settled()
        assert (worker.state, worker.statistics().handled) == (ActorState.SUSPENDED, 0)
        worker.resume()
        assert await worker.ask(Seen()) == ["waits"]


async def test_a_function_is_suspended_at_its_inbox(autojump_clock: MockClock) -> None:
    seen: list[Any] = []

    async def collector(ctx: actors.Context) -> None:
        async for message in ctx.inbox:
            seen.append(message)

    async with actors.open_system("alpha") as system:
        ref = await system.start(collector)
        ref.suspend()
        ref.tell(1)
        await settled()
        assert (seen, ref.state) == ([], ActorState.SUSPENDED)
        ref.resume()
        await settled()
        assert (seen, ref.state) == ([1], ActorState.IDLE)


async def test_suspending_and_resuming_the_dead_does_nothing(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system, system.subscribe(Suspended, Resumed) as events:
        worker = await system.start(Worker)
        worker.stop()
        worker.suspend()
        await worker.wait_stopped()
        worker.suspend()
        worker.resume()
        assert (worker.state, facts(events)) == (ActorState.STOPPED, [])
