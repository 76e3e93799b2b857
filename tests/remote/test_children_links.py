"""What children on another node and actors at home tell each other while the link comes and goes."""

from __future__ import annotations

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

import actors
from actors import ActorState, ExitKind
from tests.core.stage import first_come_first_served
from tests.remote.cast import (
    AT_ONCE,
    Ask,
    Boss,
    Do,
    Seen,
    Spawn,
    Worker,
    hosted,
    letters,
    nothing_left,
    settled,
    staged,
)
from tests.remote.test_lease import FAULTS

Clock = MockClock


@actors.message(tag="test.children_links.Say")
class Say:
    """Told to a speaker: tell and ask this one so often, with a pause after each."""

    to: actors.Ref
    count: int
    pause: float


class Speaker(actors.Actor):
    """Tells numbers, and asks for some of them to be said again."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    @actors.receive
    async def say(self, message: Say) -> None:
        for number in range(message.count):
            message.to.tell(Do(str(number)))
            if number % 5 == 0:
                self.heard.append(await message.to.ask(Ask(f"again {number}")))
            if message.pause:
                await trio.sleep(message.pause)

    @actors.receive
    def seen(self, message: Seen) -> list[str]:
        return self.heard


@given(
    outages=st.lists(
        st.tuples(
            st.sampled_from(sorted(FAULTS)),
            st.sampled_from([0.05, 0.4, 1.0, 2.5]),
            st.sampled_from([0.0, 0.3, 1.1, 4.0]),
        ),
        min_size=1,
        max_size=4,
    ),
    count=st.integers(1, 60),
    pause=st.sampled_from([0.0, 0.02, 0.1]),
)
@settings(derandomize=True, deadline=None, database=None, max_examples=20)
def test_both_directions_stay_in_order_over_a_link_that_comes_and_goes(
    outages: list[tuple[str, float, float]], count: int, pause: float
) -> None:
    """A child elsewhere speaks to one at home, one at home to one there, and siblings there."""

    async def main() -> None:
        async with staged(lease=100.0, spawnable=(Worker, Speaker)) as world:
            pairs = []
            for number, (speaks, hears) in enumerate(
                (("beta", "alpha"), ("alpha", "beta"), ("beta", "beta"))
            ):
                speaker = await world.alpha.start(Speaker, name=f"s{number}", on=speaks)
                hearer = await world.alpha.start(Worker, name=f"h{number}", on=hears)
                speaker.tell(Say(hearer, count, pause))
                pairs.append((speaker, hearer))
            for fault, before, lasting in outages:
                await trio.sleep(before)
                FAULTS[fault](world.cable)
                await trio.sleep(lasting)
                world.cable.mend()
            for speaker, hearer in pairs:
                heard = await speaker.ask(Seen(), timeout=200)
                assert heard == [f"again {number}" for number in range(0, count, 5)]
                assert await hearer.ask(Seen(), timeout=90) == [str(number) for number in range(count)]
                for ref in (speaker, hearer):
                    assert ref.statistics().restarts == 0
                    ref.stop()
                    await ref.wait_stopped()
            await settled()
            nothing_left(world)
            assert letters(world.alpha) == letters(world.beta) == []

    with first_come_first_served():
        trio.run(main, clock=MockClock(autojump_threshold=0))


async def test_a_child_that_is_spawned_while_the_link_is_down_starts_when_it_is_back(
    autojump_clock: Clock,
) -> None:
    async with staged(spawnable=(Worker,)) as world:
        world.cable.cut()
        await settled()
        child = world.alpha.spawn(Worker, name="w", on="beta")
        asked = child.request(Ask("system"))
        await trio.sleep(5.0)
        assert child.state is ActorState.UNREACHABLE
        assert not asked.done
        world.cable.mend()
        assert await asked.wait(timeout=30) == "beta"


async def test_a_crash_while_the_link_is_down_is_heard_when_it_is_back(autojump_clock: Clock) -> None:
    async with staged(spawnable=(Worker,)) as world:
        child = world.alpha.spawn(Worker, name="w", on="beta", policy=AT_ONCE)
        child.tell(Do("crash", 1.0))
        for number in range(60):
            child.tell(Do(str(number)))
        await settled()
        world.cable.cut()
        await trio.sleep(4.0)
        assert child.state is ActorState.UNREACHABLE
        assert child.statistics().restarts == 0
        world.cable.mend()
        assert await child.ask(Seen(), timeout=30) == [str(number) for number in range(60)]
        assert letters(world.alpha) == [("crash", "crashed")]
        assert child.statistics().restarts == 1


async def test_orders_that_are_given_while_the_link_is_down_are_carried_out_when_it_is_back(
    autojump_clock: Clock,
) -> None:
    async with staged(spawnable=(Worker,)) as world:
        one, two = (world.alpha.spawn(Worker, name=name, on="beta") for name in ("a", "b"))
        for child in (one, two):
            child.tell(Do("long", 100.0))
        await settled()
        world.cable.cut()
        await settled()
        one.stop()
        answers: list[bool] = []
        async with trio.open_nursery() as nursery:

            async def interrupt() -> None:
                answers.append(await two.interrupt())

            nursery.start_soon(interrupt)
            await trio.sleep(1.0)
            assert answers == []
            world.cable.mend()
        assert answers == [True]
        assert (await one.wait_stopped()).kind is ExitKind.KILLED
        assert hosted(world) == ["b"]


async def test_its_owner_orders_about_what_a_child_elsewhere_has_started(autojump_clock: Clock) -> None:
    """It is its own subtree, although it lives below /system over there."""
    async with staged(spawnable=(Boss, Worker)) as world:
        boss = world.alpha.spawn(Boss, name="boss", on="beta")
        one, two = await boss.ask(Spawn("one")), await boss.ask(Spawn("two"))
        asked = one.request(Ask("long", 100.0))
        await settled()
        assert await one.interrupt() is True
        two.stop()
        assert (await two.wait_stopped()).kind is ExitKind.SHUTDOWN
        with pytest.raises(actors.Interrupted):
            await asked.wait()
