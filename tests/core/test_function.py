"""Actors that are functions: inbox, reply, readiness, value, stop and drain, interrupt (contract §2)."""

from __future__ import annotations

import functools
from typing import Any

import pytest
import trio
import trio.lowlevel
from trio.testing import MockClock

import actors
from actors import ActorState, ExitKind
from actors.events import Expired, LateReply
from tests.core.cast import AT_ONCE, Echo, Note, facts, settled


async def collector(ctx: actors.Context, seen: list[Any], pause: float = 0.0) -> str:
    """Collects what comes; answers an `Echo`; returns "ended"."""
    async for message in ctx.inbox:
        if isinstance(message, Echo):
            ctx.reply(message.text)
        if pause:
            await trio.sleep(pause)
        seen.append(message)
    return "ended"


async def test_its_value_is_the_value_of_the_exit(autojump_clock: MockClock) -> None:
    async def job(ctx: actors.Context, a: int, b: int) -> int:
        await trio.sleep(3)
        return a + b

    async with actors.open_system("alpha") as system:
        ref = system.spawn(job, 1, 2)
        assert await ref.wait_stopped() == actors.Exit(ExitKind.NORMAL, value=3)
        assert trio.current_time() == pytest.approx(3.0)


async def test_a_partial_gives_keyword_arguments(autojump_clock: MockClock) -> None:
    async def job(ctx: actors.Context, a: int, *, times: int) -> int:
        return a * times

    async with actors.open_system("alpha") as system:
        exit = await system.spawn(functools.partial(job, times=5), 4).wait_stopped()
        assert exit.value == 20


async def test_its_failure_is_a_failed_exit(autojump_clock: MockClock) -> None:
    async def job(ctx: actors.Context) -> None:
        raise ValueError("broken")

    async with actors.open_system("alpha") as system:
        exit = await system.spawn(job).wait_stopped()
        assert (exit.kind, exit.reason, type(exit.error)) == (
            ExitKind.FAILED,
            "ValueError: broken",
            ValueError,
        )


async def test_messages_come_through_the_inbox_in_order(autojump_clock: MockClock) -> None:
    seen: list[Any] = []
    async with actors.open_system("alpha") as system:
        ref = system.spawn(collector, seen)
        for message in (1, 2, 3):
            ref.tell(message)
        ref.tell("first", urgent=True)
        await settled()
        assert seen == ["first", 1, 2, 3]
        assert ref.state is ActorState.IDLE


async def test_a_reply_answers_at_once(autojump_clock: MockClock) -> None:
    """The asker goes on while the function still works on the message."""
    async with actors.open_system("alpha") as system:
        ref = system.spawn(collector, [], 10.0)
        assert await ref.ask(Echo("hi")) == "hi"
        assert (trio.current_time(), ref.state) == (pytest.approx(0.0), ActorState.BUSY)


async def test_taking_the_next_message_without_a_reply_answers_none(autojump_clock: MockClock) -> None:
    async def forgetful(ctx: actors.Context) -> None:
        async for _ in ctx.inbox:
            await trio.sleep(2)

    async with actors.open_system("alpha") as system:
        assert await system.spawn(forgetful).ask(Echo("hi")) is None
        assert trio.current_time() == pytest.approx(2.0)


async def test_returning_without_a_reply_answers_none(autojump_clock: MockClock) -> None:
    async def once(ctx: actors.Context) -> None:
        async for _ in ctx.inbox:
            return

    async with actors.open_system("alpha") as system:
        assert await system.spawn(once).ask(Echo("hi")) is None


async def test_a_reply_with_empty_hands_raises(autojump_clock: MockClock) -> None:
    async def hasty(ctx: actors.Context) -> None:
        ctx.reply("too early")

    async with actors.open_system("alpha") as system:
        exit = await system.spawn(hasty).wait_stopped()
        assert isinstance(exit.error, RuntimeError)
        assert "without a message in hand" in exit.reason


async def test_a_second_reply_is_dropped_like_a_late_one(autojump_clock: MockClock) -> None:
    async def twice(ctx: actors.Context) -> None:
        async for _ in ctx.inbox:
            ctx.reply("first")
            ctx.reply("second")

    async with actors.open_system("alpha") as system, system.subscribe(LateReply) as events:
        ref = system.spawn(twice, name="twice")
        assert await ref.ask(Echo("hi")) == "first"
        await settled()
        assert facts(events) == [("LateReply", "/twice", Echo("hi"))]
        assert ref.state is ActorState.IDLE


async def test_a_failed_function_is_called_again_with_its_arguments_and_mailbox(
    autojump_clock: MockClock,
) -> None:
    async def flaky(ctx: actors.Context, calls: list[Any]) -> None:
        calls.append("call")
        async for message in ctx.inbox:
            if message == "boom":
                raise ValueError
            calls.append(message)

    calls: list[Any] = []
    async with actors.open_system("alpha") as system:
        ref = system.spawn(flaky, calls, name="flaky", policy=AT_ONCE)
        for message in (1, "boom", 2):
            ref.tell(message)
        await settled()
        await trio.lowlevel.checkpoint()
        await settled()
    assert calls == ["call", 1, "call", 2]


async def test_a_class_has_no_inbox(autojump_clock: MockClock) -> None:
    class Wrong(actors.Actor):
        @actors.receive
        def note(self, message: Note) -> None:
            assert self.ctx.inbox

    async with actors.open_system("alpha") as system:
        wrong = system.spawn(Wrong)
        wrong.tell(Note())
        exit = await wrong.wait_stopped()
        assert exit.reason.startswith("RuntimeError: ")
        assert "@receive" in exit.reason


async def test_a_second_task_that_waits_at_the_inbox_is_refused(autojump_clock: MockClock) -> None:
    """The first one goes on taking; who wants a pool hands the messages on."""
    taken: list[Any] = []
    refused: list[str] = []

    async def pool(ctx: actors.Context) -> None:
        async def take() -> None:
            try:
                async for message in ctx.inbox:
                    taken.append(message)
            except RuntimeError as error:
                refused.append(str(error))

        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(take)

    async with actors.open_system("alpha") as system:
        ref = await system.start(pool, name="pool")
        await settled()
        for n in range(4):
            ref.tell(n)
            await settled()
        ref.stop()
        exit = await ref.wait_stopped()
        assert (exit.kind, trio.current_time()) == (ExitKind.SHUTDOWN, pytest.approx(0.0))
    assert taken == [0, 1, 2, 3]
    assert len(refused) == 2
    assert "another task of /pool takes from its inbox already" in refused[0]


async def test_a_second_task_that_takes_while_a_message_is_in_hand_is_refused(
    autojump_clock: MockClock,
) -> None:
    """Also when it need not wait: each asker gets the reply of the task that took its request."""
    refused: dict[str, str] = {}

    async def pool(ctx: actors.Context) -> None:
        async def take(me: str) -> None:
            try:
                async for message in ctx.inbox:
                    await trio.sleep(1)
                    ctx.reply((me, message.text))
            except RuntimeError as error:
                refused[me] = str(error)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(take, "one")
            nursery.start_soon(take, "two")

    async with actors.open_system("alpha") as system:
        ref = system.spawn(pool, name="pool")
        pendings = [ref.request(Echo(str(n))) for n in range(4)]
        replies = [await pending.wait() for pending in pendings]
    ((loser, why),) = refused.items()
    assert "another task of /pool takes from its inbox already" in why
    taker = "one" if loser == "two" else "two"
    assert replies == [(taker, str(n)) for n in range(4)]


async def test_a_wrapper_of_a_function_that_ran_before_is_another_function(autojump_clock: MockClock) -> None:
    """`functools.wraps` copies whatever the framework has kept on the first one."""

    async def plain(ctx: actors.Context) -> str:
        return "plain"

    async with actors.open_system("alpha") as system:
        assert (await system.spawn(plain).wait_stopped()).value == "plain"

        @functools.wraps(plain)
        async def wrapper(ctx: actors.Context) -> str:
            return "wrapped " + await plain(ctx)

        assert (await system.spawn(wrapper).wait_stopped()).value == "wrapped plain"
        assert (await system.spawn(plain).wait_stopped()).value == "plain"


async def test_a_request_that_nobody_waits_for_is_skipped_in_the_inbox(autojump_clock: MockClock) -> None:
    seen: list[Any] = []
    async with actors.open_system("alpha") as system, system.subscribe(Expired) as events:
        ref = await system.start(collector, seen, name="collector")
        ref.suspend()
        withdrawn = ref.request(Echo("withdrawn"))
        ref.tell("kept")
        withdrawn.cancel()
        ref.resume()
        await settled()
        assert (seen, facts(events)) == (["kept"], [("Expired", "/collector", Echo("withdrawn"))])
