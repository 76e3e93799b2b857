"""Whatever happens to the cable: nothing is lost, nothing comes twice, all in order."""

from __future__ import annotations

import functools
from typing import Any, Literal

import attrs
import trio
from hypothesis import example, given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

import actors
from tests.remote.folk import Echo, Note, Seen, Worker, link_of
from tests.remote.stage import Cable, World, linked
from tests.rounds import rounds

How = Literal["cut", "silent", "deaf alpha", "deaf beta"]


@attrs.frozen
class Fault:
    """After so many frames the cable breaks, and is mended after so many seconds."""

    frames: int
    how: How
    seconds: float


FAULTS = st.lists(
    st.builds(
        Fault,
        frames=st.integers(1, 60),
        how=st.sampled_from(["cut", "silent", "deaf alpha", "deaf beta"]),
        seconds=st.floats(0.01, 12.0),
    ),
    max_size=6,
)


class _Frames(list[Any]):
    """Counts the frames of a cable, and breaks it in the middle of one."""

    def __init__(self, fault: Fault, cable: Cable) -> None:
        self.left = fault.frames
        self.fault = fault
        self.cable = cable
        self.broken = trio.Event()

    def append(self, frame: Any) -> None:
        self.left -= 1
        if self.left == 0:
            if self.fault.how == "cut":
                self.cable.cut()
            elif self.fault.how == "silent":
                self.cable.silent()
            else:
                self.cable.deaf(self.fault.how.removeprefix("deaf "))
            self.broken.set()


async def misfortune(cable: Cable, faults: list[Fault]) -> None:
    """One after the other."""
    for fault in faults:
        cable.frames = frames = _Frames(fault, cable)
        await frames.broken.wait()
        await trio.sleep(fault.seconds)
        cable.mend()
        await trio.sleep(0.5)
    cable.frames = []


async def speak(ref: actors.Ref, count: int, pause: float, expected: list[str]) -> None:
    """Tell, send and ask in turn."""
    for number in range(count):
        text = str(number)
        expected.append(text)
        if number % 3 == 0:
            ref.tell(Note(text))
        elif number % 3 == 1:
            await ref.send(Note(text))
        else:
            assert await ref.ask(Echo(text)) == text
        await trio.sleep(pause)


async def live_through(faults: list[Fault], pause: float) -> None:
    async with linked(lease=120) as world, trio.open_nursery() as nursery:
        refs, expected, heard = await _recorders(world)
        nursery.start_soon(misfortune, world.cable, faults)
        async with trio.open_nursery() as speakers:
            for ref, texts in zip(refs, expected, strict=True):
                speakers.start_soon(speak, ref, 60, pause, texts)
        for ref, texts, actor in zip(refs, expected, heard, strict=True):
            assert await ref.ask(Seen()) == texts
            assert await actor.ask(Seen()) == texts
        nursery.cancel_scope.cancel()
        world.cable.frames = []
        world.cable.mend()
        await world.connected()
        await trio.sleep(3)
        ends = link_of(world.alpha, "beta"), link_of(world.beta, "alpha")
        assert [(end.asks, end.windows, end.inbound.incoming, end.inbound.debts) for end in ends] == [
            ({}, {}, {}, {})
        ] * 2


async def _recorders(world: World) -> tuple[list[actors.Ref], list[list[str]], list[actors.Ref]]:
    """Two on each node, as the other one sees them."""
    refs: list[actors.Ref] = []
    heard: list[actors.Ref] = []
    for system, other in ((world.alpha, world.beta), (world.beta, world.alpha)):
        for number in range(2):
            heard.append(other.spawn(Worker, name=f"recorder-{number}"))
            ref = await system.node(other.name).find(f"/recorder-{number}")
            assert ref is not None
            refs.append(ref)
    return refs, [[] for _ in refs], heard


@given(faults=FAULTS, pause=st.sampled_from([0.0, 0.05, 0.4]))
@example(faults=[Fault(1, "cut", 0.01)], pause=0.0)
@example(faults=[Fault(2, "deaf alpha", 11.0), Fault(2, "deaf beta", 11.0)], pause=0.05)
@settings(deadline=None, max_examples=rounds(60, deep=80))
def test_nothing_is_lost_or_doubled_and_all_is_in_order(faults: list[Fault], pause: float) -> None:
    """In both directions, told, sent and asked, wherever the cable breaks."""
    trio.run(
        functools.partial(live_through, faults, pause),
        clock=MockClock(autojump_threshold=0),
        strict_exception_groups=True,
    )
