"""The asker of a stream leaves before its end: the handler is cancelled, and the actor lives on."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest
import trio
from trio.testing import MockClock

import actors
from actors.events import Unresponsive
from tests.core.cast import AT_ONCE, drained, settled
from tests.core.test_stream import taken
from tests.core.yielders import Count, Named, Yielder

TAKES_NO_ROAD = True


async def breaks(ref: actors.Ref, message: Count) -> None:
    async for chunk in ref.stream(message):
        if chunk == 2:
            break


async def fails(ref: actors.Ref, message: Count) -> None:
    with suppress(KeyError):
        async with ref.stream(message) as stream:
            async for chunk in stream:
                if chunk == 2:
                    raise KeyError


async def is_cancelled(ref: actors.Ref, message: Count) -> None:
    with trio.move_on_after(3.5):
        async for chunk in ref.stream(message):
            if chunk == 2:
                await trio.sleep_forever()


async def is_cancelled_waiting(ref: actors.Ref, message: Count) -> None:
    stream = ref.stream(Count(10, pause=5.0))
    with trio.move_on_after(1):
        await anext(stream)
    with pytest.raises(StopAsyncIteration):
        await anext(stream)


async def closes(ref: actors.Ref, message: Count) -> None:
    stream = ref.stream(message)
    assert await anext(stream) == 0
    await stream.aclose()
    await stream.aclose()
    with pytest.raises(StopAsyncIteration):
        await anext(stream)


async def leaves_the_block(ref: actors.Ref, message: Count) -> None:
    async with ref.stream(message) as stream:
        assert await anext(stream) == 0


async def drops_it(ref: actors.Ref, message: Count) -> None:
    stream = ref.stream(message)
    await settled()
    del stream


async def never_looks(ref: actors.Ref, message: Count) -> None:
    ref.stream(message)


async def leaves_it_to_the_collector(ref: actors.Ref, message: Count) -> None:
    knot: list[Any] = [ref.stream(message)]
    knot.append(knot)
    await settled()
    del knot
    gc.collect()


async def drops_it_in_a_thread(ref: actors.Ref, message: Count) -> None:
    held = [ref.stream(message)]
    await settled()
    await trio.to_thread.run_sync(held.clear)


WAYS: list[Callable[[actors.Ref, Count], Awaitable[None]]] = [
    breaks,
    fails,
    is_cancelled,
    is_cancelled_waiting,
    closes,
    leaves_the_block,
    drops_it,
    never_looks,
    leaves_it_to_the_collector,
    drops_it_in_a_thread,
]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
@pytest.mark.parametrize("message", [Count(1000), Count(1000, pause=0.25)], ids=["at a yield", "at work"])
async def test_the_handler_is_cancelled_at_once(
    way: Callable[[actors.Ref, Count], Awaitable[None]], message: Count, autojump_clock: MockClock
) -> None:
    log: list[Any] = []
    async with actors.open_system("alpha") as system:
        ref = system.spawn(Yielder, log, name="a")
        await way(ref, message)
        left_at = trio.current_time()
        assert await ref.ask(Named("alive"), timeout=1.0) == "alive"
        assert trio.current_time() == left_at
        assert log in ([], ["begun", "Cancelled", "finally"]) or log[-2:] == ["Cancelled", "finally"]
        assert len(log) < 30
        assert ref.statistics().restarts == 0
        assert not system.dead_letters


async def test_one_that_waits_in_the_mailbox_is_skipped(autojump_clock: MockClock) -> None:
    log: list[Any] = []
    async with actors.open_system("alpha") as system:
        ref = system.spawn(Yielder, log)
        held = ref.stream(Count(3), window=1)
        waiting = ref.stream(Count(3))
        await settled()
        await waiting.aclose()
        assert [chunk async for chunk in held] == [0, 1, 2]
        assert await ref.ask(Named("alive")) == "alive"
        assert log.count("begun") == 1


async def test_the_streams_of_an_incarnation_end_with_it(autojump_clock: MockClock) -> None:
    """Also those that somebody else still has in hand."""
    log: list[Any] = []
    kept: list[actors.Stream[int]] = []

    class Taker(actors.Actor):
        def __init__(self, ref: actors.Ref) -> None:
            self.other = ref

        @actors.receive
        async def named(self, message: Named) -> int:
            kept.append(self.other.stream(Count(100), window=2))
            first = await anext(kept[0])
            assert self.ctx.pending == ()
            return first

    async with actors.open_system("alpha") as system:
        ref = system.spawn(Yielder, log, name="a")
        taker = system.spawn(Taker, ref, name="b")
        assert await taker.ask(Named()) == 0
        await settled()
        assert log == ["begun", 0, 1, 2]
        taker.stop()
        await taker.wait_stopped()
        await settled()
        assert log[-2:] == ["Cancelled", "finally"]
        chunks, error = await taken(kept[0])
        assert chunks == [1, 2]
        assert "cancelled by its asker" in str(error)


async def test_an_actor_keeps_nothing_of_streams_that_are_over(autojump_clock: MockClock) -> None:
    kept: list[int] = []

    class Taker(actors.Actor):
        def __init__(self, ref: actors.Ref) -> None:
            self.other = ref

        @actors.receive
        async def named(self, message: Named) -> None:
            await taken(self.other.stream(Count(3)))
            await taken(self.other.stream(Count(3, pause=1.0), timeout=1.5))
            await taken(self.other.stream(Count(3, error="x")))
            await self.other.stream(Count(3)).aclose()
            unseen = self.other.stream(Count(3))
            await trio.sleep(1)
            kept.append(len(self.ctx.cell.pendings or ()))
            del unseen

    async with actors.open_system("alpha") as system:
        ref = system.spawn(Yielder, [], name="a", policy=AT_ONCE)
        await system.spawn(Taker, ref).ask(Named())
        assert kept == [0]


async def test_who_takes_what_waits_lets_others_run(autojump_clock: MockClock) -> None:
    steps: list[int] = []

    async def others() -> None:
        while True:
            await trio.lowlevel.checkpoint()
            steps.append(1)

    async with actors.open_system("alpha") as system:
        stream = system.spawn(Yielder, []).stream(Count(1000), window=2000)
        await settled()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(others)
            assert (await taken(stream))[0] == [*range(1000)]
            nursery.cancel_scope.cancel()
        assert len(steps) >= 5


async def test_an_end_that_comes_at_the_same_time_loses_nothing(autojump_clock: MockClock) -> None:
    """Dropped in the very step in which it ended: nobody is told of a late reply."""
    late: list[Any] = []
    async with actors.open_system("alpha") as system, trio.open_nursery() as nursery:

        async def listen() -> None:
            async with system.subscribe(actors.events.LateReply) as facts:
                async for fact in facts:
                    late.append(fact)

        nursery.start_soon(listen)
        await settled()
        ref = system.spawn(Yielder, [])
        for upto in range(20):
            stream = ref.stream(Count(upto), window=4)
            for _ in range(upto):
                await anext(stream)
            del stream
            assert await ref.ask(Named("alive")) == "alive"
        await settled()
        assert late == []
        nursery.cancel_scope.cancel()


async def test_a_stream_outlives_the_run_that_it_was_of() -> None:
    """Dropped when there is no loop any more, it says nothing."""
    kept: list[Any] = []

    async def run() -> None:
        async with actors.open_system("alpha") as system:
            kept.append(system.spawn(Yielder, []).stream(Count(10)))
            await anext(kept[0])

    await trio.to_thread.run_sync(trio.run, run)
    kept.clear()
    gc.collect()


async def test_a_handler_that_does_not_end_when_its_asker_leaves_is_reported(
    autojump_clock: MockClock,
) -> None:
    """Each second, until it has ended: nobody else would see it."""

    class Stubborn(actors.Actor):
        @actors.receive
        async def count(self, message: Count) -> AsyncIterator[int]:
            try:
                yield 0
            finally:
                with trio.CancelScope(shield=True):
                    await trio.sleep(message.pause)

    async def stubborn(ctx: actors.Context) -> None:
        async for message in ctx.inbox:
            with ctx.handling():
                await ctx.send_chunk(0)
                with trio.CancelScope(shield=True):
                    await trio.sleep(message.pause)

    async with actors.open_system("alpha") as system, system.subscribe(Unresponsive) as events:
        for ref in (system.spawn(Stubborn, name="class"), system.spawn(stubborn, name="function")):
            async with ref.stream(Count(2, pause=3.5)) as stream:
                assert await anext(stream) == 0
            await trio.sleep(20)
            assert [(fact.ref, fact.seconds) for fact in drained(events)] == [
                (ref, 1.0),
                (ref, 2.0),
                (ref, 3.0),
            ]
            async with ref.stream(Count(2, pause=3.5)) as stream:
                await anext(stream)
            await trio.sleep(0.5)
            ref.kill()  # from here on the cell reports it
            await ref.wait_stopped()
            assert [fact.seconds for fact in drained(events)] == [1.0, 2.0]
