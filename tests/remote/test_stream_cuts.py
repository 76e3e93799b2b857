"""Streams over a cable that breaks at random: nothing is lost, nothing comes twice, nothing is left."""

from __future__ import annotations

import functools

import trio
from hypothesis import example, given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

import actors
from tests.core.yielders import Count
from tests.remote.stage import linked
from tests.remote.streamers import Far, left_behind
from tests.remote.test_cuts import FAULTS, Fault, misfortune
from tests.rounds import rounds


async def take(ref: actors.Ref, upto: int, window: int, pause: float) -> None:
    """Chunk by chunk, now and then slowly; every third stream is left in the middle."""
    for number in range(4):
        taken: list[int] = []
        async with ref.stream(Count(upto, pause), window=window) as stream:
            async for chunk in stream:
                taken.append(chunk)
                if number % 3 == 2 and len(taken) == upto // 2:
                    break
                if chunk % 5 == 0:
                    await trio.sleep(pause)
        assert taken == [*range(upto // 2 if number % 3 == 2 else upto)]


async def live_through(faults: list[Fault], window: int, pause: float) -> None:
    async with linked(lease=120, spawnable=(Far,)) as world, trio.open_nursery() as nursery:
        world.beta.spawn(Far, name="far")
        far = await world.peer.find("/far")
        assert far is not None
        child = await world.alpha.start(Far, name="child", on="beta")
        nursery.start_soon(misfortune, world.cable, faults)
        async with trio.open_nursery() as takers:
            for ref in (far, child):
                takers.start_soon(take, ref, 30, window, pause)
        assert [await ref.ask(Count(2)) for ref in (far, child)] == [(0, 1)] * 2
        nursery.cancel_scope.cancel()
        world.cable.frames = []
        world.cable.mend()
        await world.connected()
        await trio.sleep(3)
        assert left_behind((world.alpha, world.beta)) == []


@given(faults=FAULTS, window=st.sampled_from([1, 3, 16]), pause=st.sampled_from([0.0, 0.05, 0.4]))
@example(faults=[Fault(1, "cut", 0.01)], window=1, pause=0.0)
@example(faults=[Fault(6, "deaf alpha", 11.0), Fault(4, "deaf beta", 11.0)], window=3, pause=0.05)
@settings(deadline=None, max_examples=rounds(25, deep=80))
def test_chunks_are_in_order_and_come_once_wherever_the_cable_breaks(
    faults: list[Fault], window: int, pause: float
) -> None:
    trio.run(
        functools.partial(live_through, faults, window, pause),
        clock=MockClock(autojump_threshold=0),
        strict_exception_groups=True,
    )
