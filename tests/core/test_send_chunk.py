"""Function actors that answer in chunks, and replies that are put off and come in chunks."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock

import actors
from tests.core.cast import settled
from tests.core.test_stream import taken
from tests.core.yielders import Count, Give, Named, give

TAKES_NO_ROAD = True


@pytest.mark.parametrize("blocks", [False, True])
async def test_a_function_gives_chunks_by_hand(blocks: bool, autojump_clock: MockClock) -> None:
    log: list[Any] = []
    async with actors.open_system("alpha") as system:
        ref = system.spawn(give, log, blocks)
        assert await taken(ref.stream(Give(20), window=3)) == ([*range(20)], None)
        assert await taken(ref.stream(Give(0))) == ([], None)
        assert await taken(ref.stream(Give(2, reply=7))) == ([0, 1, 7], None)
        assert await taken(ref.stream(Give(2, reply=(7, 8)))) == ([0, 1, 7, 8], None)
        assert await taken(ref.stream(Named())) == (["other"], None)


async def test_it_waits_while_a_window_waits(autojump_clock: MockClock) -> None:
    log: list[Any] = []
    async with actors.open_system("alpha") as system:
        ref = system.spawn(give, log)
        stream = ref.stream(Give(20), window=3)
        await settled()
        assert log == [(n, True) for n in range(3)]
        assert await anext(stream) == 0
        await settled()
        assert log == [(n, True) for n in range(4)]


async def test_asked_it_gives_them_in_a_tuple_and_told_to_nobody(autojump_clock: MockClock) -> None:
    log: list[Any] = []
    async with actors.open_system("alpha") as system:
        ref = system.spawn(give, log)
        assert await ref.ask(Give(3)) == (0, 1, 2)
        assert await ref.ask(Give(3, reply=9)) == (0, 1, 2, 9)
        log.clear()
        ref.tell(Give(3))
        await settled()
        assert log == [(0, True), (1, True), (2, True), "done"]


@pytest.mark.parametrize("blocks", [False, True])
async def test_it_hears_that_the_asker_has_left(blocks: bool, autojump_clock: MockClock) -> None:
    """At its next chunk, or, within a block, at once."""
    log: list[Any] = []
    async with actors.open_system("alpha") as system:
        ref = system.spawn(give, log, blocks)
        stream = ref.stream(Give(100), window=2)
        await settled()
        await stream.aclose()
        await settled()
        assert log[:2] == [(0, True), (1, True)]
        assert log[2:] == (["done"] if blocks else [(2, False), "done"])
        assert await ref.ask(Give(1)) == (0,)
        with trio.move_on_after(1):
            async for chunk in ref.stream(Give(100)):
                await trio.sleep(chunk)
        assert await ref.ask(Give(1)) == (0,)


async def test_a_block_ends_also_before_the_first_chunk(autojump_clock: MockClock) -> None:
    ended: list[str] = []

    async def thinks(ctx: actors.Context) -> None:
        async for _ in ctx.inbox:
            with ctx.handling():
                await trio.sleep(100)
            ended.append(f"at {trio.current_time():g}")

    async with actors.open_system("alpha") as system:
        ref = system.spawn(thinks)
        with trio.move_on_after(2):
            await taken(ref.stream(Give(1)))
        await settled()
        assert ended == ["at 2"]
        assert await ref.ask(Give(1)) is None


async def test_a_block_ends_at_once_for_one_who_has_left_before_it(autojump_clock: MockClock) -> None:
    """Whether or not a chunk was given, or a block within the block is at its end."""
    ended: list[float] = []

    async def slow(ctx: actors.Context) -> None:
        async for message in ctx.inbox:
            if message.upto:
                await ctx.send_chunk(0)
            await trio.sleep(5)
            with ctx.handling():
                with ctx.handling():
                    await trio.sleep(100)
                await trio.sleep(100)
            ended.append(trio.current_time())

    async with actors.open_system("alpha") as system:
        ref = system.spawn(slow)
        for upto in (0, 1):
            async with ref.stream(Give(upto)):
                await trio.sleep(1)
            await trio.sleep(19)
        assert ended == [5.0, 25.0]


async def test_an_interrupt_comes_behind_its_chunks(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        ref = system.spawn(give, [], True)
        stream = ref.stream(Give(100), window=2)
        await settled()
        assert await ref.interrupt()
        chunks, error = await taken(stream)
        assert chunks == [0, 1]
        assert isinstance(error, actors.Interrupted)


async def test_without_a_stream_request_in_hand_it_raises(autojump_clock: MockClock) -> None:
    said: list[str] = []

    async def wrong(ctx: actors.Context) -> None:
        for number in range(3):
            try:
                said.append(str(await ctx.send_chunk(1)))
            except RuntimeError as error:
                said.append(str(error))
            await anext(ctx.inbox)
            if number == 1:
                ctx.reply("early")

    class Wrong(actors.Actor):
        @actors.receive
        async def count(self, message: Count) -> None:
            await self.ctx.send_chunk(1)

    async with actors.open_system("alpha") as system:
        ref = system.spawn(wrong)
        ref.tell(Named())
        assert await taken(ref.stream(Give(1))) == (["early"], None)
        ref.tell("end")
        await ref.wait_stopped()
        assert "with nothing in hand" in said[0]
        assert "with Named in hand" in said[1]
        assert said[2] == "False"  # answered already
        with pytest.raises(actors.ActorFailed, match="with `yield`"):
            await system.spawn(Wrong).ask(Count(1))


async def test_a_reply_that_is_put_off_may_come_in_chunks(autojump_clock: MockClock) -> None:
    ports: list[actors.ReplyPort] = []

    class Later(actors.Actor):
        @actors.receive
        def count(self, message: Count | Named) -> None:
            ports.append(self.ctx.reply_later())

    async with actors.open_system("alpha") as system:
        ref = system.spawn(Later)
        streams = [ref.stream(Count(0), window=2) for _ in range(2)]
        pending = ref.request(Count(0))
        ref.tell(Count(0))
        await settled()
        for port in (*ports, *ports):
            assert await port.send_chunk("a")
        ports[0].answer(None)
        ports[1].answer(("b", "c"))
        ports[2].answer("d")
        assert await taken(streams[0]) == (["a", "a"], None)
        assert await taken(streams[1]) == (["a", "a", "b", "c"], None)
        assert await pending.wait() == ("a", "a", "d")
        assert not await ports[0].send_chunk("late")
        last = ref.stream(Count(0), window=1)
        await settled()
        async with trio.open_nursery() as nursery:
            sent: list[bool] = []

            async def send() -> None:
                sent.append(await ports[4].send_chunk("x"))
                sent.append(await ports[4].send_chunk("y"))

            nursery.start_soon(send)
            await settled()
            assert sent == [True]
            await last.aclose()
        assert sent == [True, False]
        ref.tell(Named())
        await settled()
        with pytest.raises(RuntimeError, match="takes no chunks"):
            await ports[5].send_chunk(1)


async def test_what_waits_to_give_a_put_off_chunk_hears_of_the_end(autojump_clock: MockClock) -> None:
    """The actor is gone, and its ports with it."""
    ports: list[actors.ReplyPort] = []

    class Later(actors.Actor):
        @actors.receive
        async def count(self, message: Count) -> None:
            ports.append(self.ctx.reply_later())

    async with actors.open_system("alpha") as system:
        ref = system.spawn(Later)
        stream = ref.stream(Count(0), window=1)
        await settled()
        assert await ports[0].send_chunk(1)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ports[0].send_chunk, 2)
            await settled()
            ref.kill()
        chunks, error = await taken(stream)
        assert chunks == [1]
        assert isinstance(error, actors.ActorStopped)
