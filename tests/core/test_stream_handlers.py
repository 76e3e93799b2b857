"""What may stand in place of a plain generator, and what it keeps."""

from __future__ import annotations

import functools
import gc
import weakref
from collections.abc import AsyncIterator
from typing import Any

import pytest
import trio
from trio.testing import MockClock

import actors
from actors.core.pace import BATCH
from tests.core.test_stream import taken
from tests.core.yielders import Count, Yielder

TAKES_NO_ROAD = True


async def test_what_is_wrapped_around_a_generator_may_return_it_or_its_own_reply(
    autojump_clock: MockClock,
) -> None:
    seen: list[int] = []

    def looks_at_it(function: Any) -> Any:
        @functools.wraps(function)
        def wrapper(self: Any, message: Count) -> Any:
            seen.append(message.upto)
            return function(self, message)

        return wrapper

    def replies(function: Any) -> Any:
        @functools.wraps(function)
        async def wrapper(self: Any, message: Count) -> int:
            await trio.sleep(1)
            return sum([chunk async for chunk in function(self, message)])

        return wrapper

    def says_its_own(function: Any) -> Any:
        @functools.wraps(function)
        def wrapper(self: Any, message: Count) -> int:
            return message.upto

        return wrapper

    for wrap, said in ((looks_at_it, (0, 1, 2)), (replies, 3), (says_its_own, 3)):

        class Wrapped(actors.Actor):
            @actors.receive
            @wrap
            async def count(self, message: Count) -> AsyncIterator[int]:
                for n in range(message.upto):
                    yield n

        async with actors.open_system("alpha") as system:
            ref = system.spawn(Wrapped)
            assert await ref.ask(Count(3)) == said
            assert (await taken(ref.stream(Count(3))))[0] == [*said] if isinstance(said, tuple) else [said]
    assert seen == [3, 3]


async def test_a_reply_comes_behind_the_chunks_also_for_one_who_has_asked(autojump_clock: MockClock) -> None:
    ports: list[actors.ReplyPort] = []

    class Early(actors.Actor):
        @actors.receive
        async def count(self, message: Count) -> AsyncIterator[int]:
            yield 1
            yield 2
            if message.upto:
                self.ctx.reply(9)
            else:
                ports.append(self.ctx.reply_later())
            yield 3

    async with actors.open_system("alpha") as system:
        ref = system.spawn(Early)
        for _ in range(2):
            assert await ref.ask(Count(1)) == (1, 2, 9)
            assert await taken(ref.stream(Count(1))) == ([1, 2, 9], None)
        asked, streamed = ref.request(Count(0)), ref.stream(Count(0))
        ref.tell(Count(0))
        ref.tell(Count(1))
        assert await ref.ask(Count(1)) == (1, 2, 9)
        for port in ports:
            assert await port.send_chunk(4)
            port.answer(None)
        assert await asked.wait() == (1, 2, 3, 4)
        assert await taken(streamed) == ([1, 2, 3, 4], None)


async def test_what_is_posted_is_answered_with_all_chunks_or_just_handled(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        system.spawn(Yielder, [], name="a")
        for reply in (True, False):
            ticket = await system.post("/a", Count(3), reply=reply)
            assert await ticket.wait_reply(timeout=5) == ((0, 1, 2) if reply else None)
            assert ticket.state is actors.TicketState.RESPONDED


async def test_chunks_are_kept_no_longer_than_somebody_waits_for_all_of_them(
    autojump_clock: MockClock,
) -> None:
    """One who has asked has left; the generator goes on, and what it yields is forgotten."""

    class Chunk:
        pass

    alive: weakref.WeakSet[Chunk] = weakref.WeakSet()

    async def chunks(ctx: actors.Context) -> None:
        async for message in ctx.inbox:
            for _ in range(message.upto):
                await trio.sleep(1)
                alive.add(chunk := Chunk())
                await ctx.send_chunk(chunk)
                del chunk

    class Endless(actors.Actor):
        @actors.receive
        async def count(self, message: Count) -> AsyncIterator[Any]:
            for _ in range(message.upto):
                await trio.sleep(1)
                alive.add(chunk := Chunk())
                yield chunk
                del chunk

    async with actors.open_system("alpha") as system:
        for what in (chunks, Endless):
            ref = system.spawn(what)
            with pytest.raises(actors.AskTimeout):
                await ref.ask(Count(100), timeout=10.5)
            assert len(alive) == 10
            await trio.sleep(10)
            gc.collect()
            assert len(alive) <= 1
            ref.kill()
            await ref.wait_stopped()


@pytest.mark.parametrize("way", ["streamed", "asked", "told"])
async def test_a_generator_that_never_waits_lets_others_run(way: str, autojump_clock: MockClock) -> None:
    """However large the window is: no more than a batch of chunks in one step."""
    log: list[Any] = []
    async with actors.open_system("alpha") as system:
        ref = system.spawn(Yielder, log)
        held: Any = None
        if way == "told":
            ref.tell(Count(2000))
        else:
            held = ref.stream(Count(2000), window=5000) if way == "streamed" else ref.request(Count(2000))
        made = 0
        while "finally" not in log:
            await trio.lowlevel.checkpoint()
            assert len(log) - made <= 2 * BATCH + 2  # its step comes before or behind this one
            made = len(log)
        assert len(log) == 2002
        del held


@pytest.mark.parametrize("way", ["streamed", "asked"])
async def test_a_generator_that_computes_lets_others_run_after_a_slice_of_time(
    way: str, mock_clock: MockClock
) -> None:
    made: list[int] = []

    class Computes(actors.Actor):
        @actors.receive
        async def count(self, message: Count) -> AsyncIterator[int]:
            for n in range(message.upto):
                mock_clock.jump(0.001)
                made.append(n)
                yield n

    async with actors.open_system("alpha") as system:
        ref = system.spawn(Computes)
        held: Any = ref.stream(Count(100), window=500) if way == "streamed" else ref.request(Count(100))
        seen = 0
        while len(made) < 100:
            await trio.lowlevel.checkpoint()
            assert len(made) - seen <= 2 * 7
            seen = len(made)
        del held
