"""What waiting for people costs, and how soon an answer is heard: beside a loop that looks every 0.2 s."""

from __future__ import annotations

import random
import time
from collections.abc import AsyncGenerator, Callable
from functools import partial

import attrs
import trio
import trio.testing

import actors
from benchmarks.harness.figures import Aim, Figures, Side, measured, percentiles

__all__ = ["SIZES", "Sizes", "answers", "waiting"]

DESK = "system.desk"
POLLING = "a loop of 0.2 s each"
_LOOK = 0.2


@attrs.frozen
class Sizes:
    """How much is measured."""

    crowds: tuple[int, ...] = (1, 100, 1000)
    """How many wait at once."""
    seconds: float = 10.0
    """For how long they wait."""
    answers: int = 1000
    """Answers in one measurement."""
    actors: int = 1000
    """Actors on the page."""
    events: float = 200.0
    """Events a second on the page."""
    asks: int = 10_000
    warm: float = 2.0
    """Seconds before anything is measured there."""


SIZES = {False: Sizes(), True: Sizes((1, 5), 0.3, 10, 20, 50.0, 200, 0.1)}
"""By whether it is to be quick."""


class _Steps(trio.abc.Instrument):
    """Counts the steps of all tasks."""

    def __init__(self) -> None:
        self.count = 0

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self.count += 1


Wait = Callable[[int], AsyncGenerator[None]]


class Polled:
    """Answers in a dictionary, and everybody looks into it every 0.2 s, as is often done."""

    def __init__(self) -> None:
        self.answers: dict[int, float] = {}

    async def approval(self, number: int) -> float:
        while number not in self.answers:  # noqa: ASYNC110 - that is what is measured
            await trio.sleep(_LOOK)
        return self.answers.pop(number)


async def _rest(crowd: int, seconds: float, *, polling: bool) -> dict[str, float]:
    """Let a crowd wait, and count what that takes once all of them do."""
    async with actors.open_system("bench", watchdog=None) as system, trio.open_nursery() as nursery:
        polled = Polled()
        for number in range(crowd):
            await trio.sleep(_LOOK / crowd if polling else 0)  # people do not come all at once
            if polling:
                nursery.start_soon(polled.approval, number)
            else:
                nursery.start_soon(partial(system.desk.approval, "may I?", timeout=None))
        await trio.testing.wait_all_tasks_blocked()
        steps = _Steps()
        trio.lowlevel.add_instrument(steps)
        began = time.process_time()
        await trio.sleep(seconds)
        cpu = time.process_time() - began
        trio.lowlevel.remove_instrument(steps)
        nursery.cancel_scope.cancel()
    return {"CPU": 1000 * cpu, "wake-ups": steps.count - 1}  # the last step is our own


async def waiting(sizes: Sizes, rounds: int) -> AsyncGenerator[Figures]:
    """What does it cost to wait?"""
    for crowd in sizes.crowds:
        sides: dict[str, Side] = {
            POLLING: partial(_rest, crowd, sizes.seconds, polling=True),
            DESK: partial(_rest, crowd, sizes.seconds, polling=False),
        }
        yield await measured(
            f"{crowd} waiting for {sizes.seconds:g} s",
            {"CPU": "ms", "wake-ups": ""},
            sides,
            rounds,
            aims=[Aim(DESK, "wake-ups", 0, "less")],
        )


async def _answered(crowd: int, sizes: Sizes, *, polling: bool) -> dict[str, float]:
    """From the call of `answer` to the step in which whoever has waited has it."""
    heard: list[float] = []
    draw = random.Random(1)
    async with actors.open_system("bench", watchdog=None) as system:
        desk, polled, told = system.desk, Polled(), dict[str, float]()

        async def person(number: int) -> None:
            if polling:
                began = await polled.approval(number)
            else:
                await desk.approval(str(number), timeout=None)
                began = told[str(number)]
            heard.append(time.perf_counter() - began)

        while len(heard) < sizes.answers:
            async with trio.open_nursery() as nursery:
                for number in range(crowd):
                    nursery.start_soon(person, number)
                await trio.testing.wait_all_tasks_blocked()
                waiting = list(desk.pending())
                draw.shuffle(waiting)
                for number in range(crowd):
                    await trio.sleep(draw.random() * (_LOOK if crowd == 1 and polling else 0.002))
                    if polling:
                        polled.answers[number] = time.perf_counter()
                    else:
                        told[waiting[number].text] = time.perf_counter()
                        desk.answer(waiting[number].id, True, "ada")
    return percentiles(heard)


async def answers(sizes: Sizes, rounds: int) -> AsyncGenerator[Figures]:
    """How soon does whoever waits have the answer?"""
    for crowd in sizes.crowds:
        few = attrs.evolve(sizes, answers=min(sizes.answers, 20 * crowd))
        yield await measured(
            f"from the answer to who waits, {crowd} waiting",
            {"p50": "ms", "p99": "ms"},
            {
                POLLING: partial(_answered, crowd, few, polling=True),
                DESK: partial(_answered, crowd, sizes, polling=False),
            },
            rounds,
            base=POLLING,
            aims=[Aim(DESK, "p99", 1, "less")],
        )
