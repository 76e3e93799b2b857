"""The life of a function actor: readiness, its end, its interrupts (contract §2)."""

from __future__ import annotations

from typing import Any

import pytest
import trio
import trio.lowlevel
from trio.testing import MockClock

import actors
from actors import ActorState, ExitKind
from tests.core.cast import Echo, settled


async def collector(ctx: actors.Context, seen: list[Any], pause: float = 0.0) -> str:
    """Collects what comes; answers an `Echo`; returns "ended"."""
    async for message in ctx.inbox:
        if isinstance(message, Echo):
            ctx.reply(message.text)
        if pause:
            await trio.sleep(pause)
        seen.append(message)
    return "ended"


async def test_it_is_ready_when_its_task_runs(autojump_clock: MockClock) -> None:
    async def job(ctx: actors.Context) -> None:
        await trio.sleep(10)

    async with actors.open_system("alpha") as system:
        ref = await system.start(job)
        assert (trio.current_time(), ref.state) == (pytest.approx(0.0), ActorState.BUSY)


@actors.function(readiness=True)
async def slow_start(ctx: actors.Context, delay: float = 3.0) -> None:
    await trio.sleep(delay)
    ctx.ready()
    await trio.sleep(10)


@pytest.mark.row(66)
async def test_with_readiness_it_is_ready_when_it_says_so(autojump_clock: MockClock) -> None:
    """`start` returns at the handshake, exactly, and the state is STARTING until then."""
    async with actors.open_system("alpha") as system:
        ref = system.spawn(slow_start)
        await trio.sleep(2.9)
        assert ref.state is ActorState.STARTING
        await ref.wait_started()
        assert (trio.current_time(), ref.state) == (pytest.approx(3.0), ActorState.BUSY)
        await system.start(slow_start, 5.0)
        assert trio.current_time() == pytest.approx(8.0)


async def test_with_readiness_from_now_on_it_waits_from_now_on(autojump_clock: MockClock) -> None:
    """Also a function that was started before without."""

    async def slow(ctx: actors.Context) -> None:
        await trio.sleep(3)
        ctx.ready()

    async with actors.open_system("alpha") as system:
        await system.start(slow)
        assert trio.current_time() == pytest.approx(0.0)
        actors.function(readiness=True)(slow)
        await system.start(slow)
        assert trio.current_time() == pytest.approx(3.0)


async def test_returning_before_ready_is_a_failed_start(autojump_clock: MockClock) -> None:
    @actors.function(readiness=True)
    async def never(ctx: actors.Context) -> None: ...

    async with actors.open_system("alpha") as system:
        with pytest.raises(actors.StartFailed, match="before it was ready"):
            await system.start(never, name="never")
        assert system.find("/never") is None


async def test_raising_before_ready_is_a_failed_start(autojump_clock: MockClock) -> None:
    @actors.function(readiness=True)
    async def broken(ctx: actors.Context) -> None:
        raise ValueError("no engine")

    async with actors.open_system("alpha") as system:
        with pytest.raises(actors.StartFailed, match="no engine"):
            await system.start(broken, name="broken")
        exit = await system.spawn(broken).wait_stopped()
        assert exit.kind is ExitKind.START_FAILED


async def test_on_stop_the_inbox_ends_after_the_message_in_hand(autojump_clock: MockClock) -> None:
    seen: list[Any] = []
    async with actors.open_system("alpha") as system:
        ref = system.spawn(collector, seen, 2.0)
        ref.tell(1)
        ref.tell(2)
        await settled()
        ref.stop()
        assert ref.state is ActorState.STOPPING
        exit = await ref.wait_stopped()
        assert (seen, exit.kind, exit.value) == ([1], ExitKind.SHUTDOWN, "ended")
        assert trio.current_time() == pytest.approx(2.0)
        assert [(letter.message, letter.reason) for letter in system.dead_letters] == [(2, "stopped")]


async def test_on_drain_the_inbox_ends_after_the_queue(autojump_clock: MockClock) -> None:
    seen: list[Any] = []
    async with actors.open_system("alpha") as system:
        ref = system.spawn(collector, seen, 2.0)
        ref.tell(1)
        ref.tell(2)
        ref.drain()
        ref.tell(3)
        exit = await ref.wait_stopped()
        assert (seen, exit.kind, exit.value) == ([1, 2], ExitKind.SHUTDOWN, "ended")
        assert trio.current_time() == pytest.approx(4.0)
        assert [(letter.message, letter.reason) for letter in system.dead_letters] == [(3, "stopped")]


async def test_a_waiting_function_stops_at_once(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        for order in ("stop", "drain"):
            ref = await system.start(collector, [])
            getattr(ref, order)()
            exit = await ref.wait_stopped()
            assert (exit.kind, exit.value) == (ExitKind.SHUTDOWN, "ended")
        assert trio.current_time() == pytest.approx(0.0)


async def test_one_that_never_looks_at_its_inbox_is_cancelled_after_shutdown(
    autojump_clock: MockClock,
) -> None:
    async def deaf(ctx: actors.Context) -> None:
        await trio.sleep_forever()

    async with actors.open_system("alpha") as system:
        ref = await system.start(deaf, policy=actors.Policy(shutdown=4.0))
        ref.stop()
        exit = await ref.wait_stopped()
        assert (exit.kind, trio.current_time()) == (ExitKind.KILLED, pytest.approx(4.0))


async def test_ctx_stop_ends_the_inbox_and_the_exit_is_normal(autojump_clock: MockClock) -> None:
    async def quitter(ctx: actors.Context) -> str:
        async for _ in ctx.inbox:
            ctx.stop()
        return "quit"

    async with actors.open_system("alpha") as system:
        ref = system.spawn(quitter)
        ref.tell(1)
        ref.tell(2)
        exit = await ref.wait_stopped()
        assert (exit.kind, exit.value) == (ExitKind.NORMAL, "quit")


async def test_an_interrupt_calls_it_again_and_the_next_message_is_served(autojump_clock: MockClock) -> None:
    """Its current message is a dead letter, the queue stays, and it is the same incarnation."""

    async def worker(ctx: actors.Context, calls: list[Any]) -> None:
        calls.append("call")
        async for message in ctx.inbox:
            calls.append(message)
            if message == "long":
                await trio.sleep_forever()

    calls: list[Any] = []
    async with actors.open_system("alpha") as system:
        ref = system.spawn(worker, calls, name="worker")
        ref.tell("long")
        ref.tell("next")
        await settled()
        assert await ref.interrupt() is True
        await settled()
        assert calls == ["call", "long", "call", "next"]
        assert ref.statistics().restarts == 0
        assert [(letter.message, letter.reason) for letter in system.dead_letters] == [
            ("long", "interrupted")
        ]


async def test_the_context_of_a_call_ends_with_the_interrupt_of_that_call(autojump_clock: MockClock) -> None:
    """The next call is the same incarnation, and has a context of its own."""
    kept: list[actors.Context] = []

    async def sleeper(ctx: actors.Context) -> None:
        kept.append(ctx)
        async for _ in ctx.inbox:
            await trio.sleep_forever()

    async with actors.open_system("alpha") as system:
        ref = await system.start(sleeper, name="sleeper")
        ref.tell("long")
        await settled()
        assert await ref.interrupt() is True
        await settled()
        old, new = kept
        with pytest.raises(RuntimeError, match="or with the call that an interrupt ended"):
            old.stop()
        assert ref.state is ActorState.IDLE
        new.stop()
        assert (await ref.wait_stopped()).kind is ExitKind.NORMAL


async def test_inside_ctx_handling_the_function_goes_on_with_its_variables(autojump_clock: MockClock) -> None:
    async def worker(ctx: actors.Context, calls: list[Any]) -> None:
        served = 0
        async for message in ctx.inbox:
            with ctx.handling():
                if message == "long":
                    await trio.sleep_forever()
                served += 1
            calls.append((message, served))

    calls: list[Any] = []
    async with actors.open_system("alpha") as system:
        ref = system.spawn(worker, calls)
        for message in ("a", "long", "b"):
            ref.tell(message)
        await settled()
        assert await ref.interrupt() is True
        await settled()
        assert calls == [("a", 1), ("long", 1), ("b", 2)]


async def test_an_interrupt_of_a_function_with_empty_hands_does_nothing(autojump_clock: MockClock) -> None:
    async def job(ctx: actors.Context) -> str:
        await trio.sleep(5)
        return "whole"

    async with actors.open_system("alpha") as system:
        ref = await system.start(job)
        assert await ref.interrupt() is False
        assert (await ref.wait_stopped()).value == "whole"


async def test_a_handling_block_that_swallows_the_interrupt_is_not_confirmed(
    autojump_clock: MockClock,
) -> None:
    async def stubborn(ctx: actors.Context) -> None:
        async for _ in ctx.inbox:
            with ctx.handling(), trio.CancelScope(shield=True):
                await trio.sleep(3)
            ctx.reply("done")

    async with actors.open_system("alpha") as system:
        ref = system.spawn(stubborn)
        pending = ref.request(Echo())
        await settled()
        assert await ref.interrupt() is False
        assert await pending.wait() == "done"
        assert trio.current_time() == pytest.approx(3.0)


async def test_a_handling_block_that_raises_when_it_is_interrupted_ends_the_interrupt(
    autojump_clock: MockClock,
) -> None:
    """It is not confirmed; the function may catch the error, answer, and take the next message."""

    async def breaks(ctx: actors.Context) -> None:
        async for message in ctx.inbox:
            try:
                with ctx.handling():
                    if message.text == "long":
                        try:
                            await trio.sleep_forever()
                        finally:
                            raise ValueError("on the way out")
            except ValueError:
                pass
            ctx.reply(message.text)

    async with actors.open_system("alpha") as system:
        ref = system.spawn(breaks)
        pending = ref.request(Echo("long"))
        await settled()
        with trio.fail_after(10):
            assert await ref.interrupt() is False
            assert await pending.wait() == "long"
            assert await ref.ask(Echo("next")) == "next"


async def test_the_outer_of_two_handling_blocks_is_interrupted_after_the_inner_one(
    autojump_clock: MockClock,
) -> None:
    """Leaving the inner block, the interrupt hits the outer one again and not the whole call."""
    calls: list[Any] = []

    async def nests(ctx: actors.Context) -> None:
        calls.append("call")
        async for message in ctx.inbox:
            with ctx.handling():
                with ctx.handling():
                    calls.append(message)
                await trio.sleep_forever()
            calls.append("behind")

    async with actors.open_system("alpha") as system:
        ref = system.spawn(nests)
        ref.tell("long")
        await settled()
        assert await ref.interrupt() is True
        assert calls == ["call", "long", "behind"]


async def test_with_readiness_taking_a_message_does_not_make_it_ready(autojump_clock: MockClock) -> None:
    """Only `ctx.ready()` does."""

    @actors.function(readiness=True)
    async def configured(ctx: actors.Context) -> None:
        async for message in ctx.inbox:
            await trio.sleep(2)
            if message == "last part":
                ctx.ready()

    async with actors.open_system("alpha") as system:
        ref = system.spawn(configured)
        ref.tell("first part")
        ref.tell("last part")
        await trio.sleep(3)
        assert ref.state is ActorState.STARTING
        await ref.wait_started()
        assert trio.current_time() == pytest.approx(4.0)
