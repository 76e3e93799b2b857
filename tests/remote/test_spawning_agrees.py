"""Random spawning, stopping and crashing on two nodes: there are never more than the limits allow."""

from __future__ import annotations

from typing import Any

import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

import actors
from tests.core.stage import first_come_first_served
from tests.remote.cast import AT_ONCE, settled
from tests.remote.growers import Crash, Grow, Grower, growers, spawner, taken, two

MOST = 6
WHO = st.integers(0, 9)
NODES = st.sampled_from(["alpha", "beta", None])
STEPS = st.one_of(
    st.tuples(st.just("spawn"), WHO, NODES, st.integers(0, 4)),
    st.tuples(st.just("spawn"), WHO, NODES, st.integers(0, 2)),
    st.tuples(st.just("at home"), WHO, NODES, st.integers(0, 4)),
    st.tuples(st.sampled_from(["stop", "kill", "crash", "burst"]), WHO),
    st.tuples(st.sampled_from(["cut", "sleep"]), st.sampled_from([0.3, 2.0])),
    st.tuples(st.just("cut"), st.just(30.0)),
)
PROGRAMS = st.lists(STEPS, min_size=4, max_size=20)


@given(PROGRAMS)
@settings(derandomize=True, deadline=None, database=None, max_examples=40)
def test_what_lives_on_both_nodes_never_exceeds_the_limits_at_home(program: list[Any]) -> None:
    with first_come_first_served():
        trio.run(_play, program, clock=MockClock(autojump_threshold=0))


async def _play(program: list[Any]) -> None:
    async with two(lease=5.0) as world, trio.open_nursery() as nursery:
        home = spawner(world.alpha, MOST)
        known: list[actors.Ref] = []

        def look() -> None:
            assert growers(world.alpha, world.beta) <= taken(home) <= MOST

        async def watch_always() -> None:
            while True:
                look()
                await trio.sleep(0.1)

        async def grow(who: actors.Ref, on: str | None, share: int) -> None:
            with trio.move_on_after(60):
                try:
                    said = await who.ask(Grow(on=on, share=share))
                except (actors.ActorError, trio.TooSlowError):
                    return
                if isinstance(said, actors.Ref):
                    known.append(said)

        nursery.start_soon(watch_always)
        for what, *rest in program:
            living = [one for one in known if one.state is not actors.ActorState.STOPPED]
            who = living[rest[0] % len(living)] if living and isinstance(rest[0], int) else None
            if what == "at home" or (what == "spawn" and who is None):
                on, share = rest[1:]
                try:
                    grower = actors.Template(Grower, policy=AT_ONCE)
                    known.append(home.spawn(grower, on=on, share=share if on == "beta" else 0))
                except (actors.SpawnRefused, actors.UnknownNode):
                    pass
                await trio.sleep(0.2)
            elif what == "spawn" and who is not None:
                await grow(who, rest[1], rest[2])
            elif what == "cut":
                world.cable.cut()
                await trio.sleep(rest[0])
                world.cable.mend()
                await world.connected()
            elif what == "sleep":
                await trio.sleep(rest[0])
            elif what == "burst" and who is not None:
                async with trio.open_nursery() as burst:
                    for number in range(3):
                        burst.start_soon(grow, who, ("alpha", "beta", None)[number], number)
            elif who is not None:
                who.tell(Crash()) if what == "crash" else getattr(who, what)()
            look()
        for one in home.children_of(actors.Template(Grower, policy=AT_ONCE)):
            one.stop()
            await one.wait_stopped()
        await settled()
        assert growers(world.alpha, world.beta) == taken(home) == 0
        nursery.cancel_scope.cancel()
