"""How soon is an answer heard that was given on another node? The other node is a process of its own."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from functools import partial

import trio
import trio.lowlevel

import actors
from actors.events import PersonAsked
from benchmarks.harness.figures import Aim, Figures, measured, percentiles
from benchmarks.people.waiting import Sizes

__all__ = ["nodes"]

PLAIN = "an ask over the link"
ANSWER = "an answer over the link"


@actors.message(tag="bench.people.Echo")
class Echo(actors.Request[float]):
    """What comes back is the same number."""

    at: float


class Person(actors.Actor):
    """Sits at the other node, and says yes to whatever comes: `Answer.by` has when."""

    async def on_start(self) -> None:
        """Be there."""
        self.ctx.system.spawn(front_end, name="front-end")

    @actors.receive
    def echo(self, message: Echo) -> float:
        """For comparison."""
        return message.at


async def front_end(ctx: actors.Context) -> None:
    """Answer each request as it comes."""
    desk = ctx.system.desk
    async with desk.queue() as queue:
        async for event in queue:
            if isinstance(event, PersonAsked):  # the clock is one for all processes of a machine
                desk.answer(event.request.id, True, repr(time.perf_counter()))


async def _both(sizes: Sizes) -> dict[str, dict[str, float]]:
    async with actors.open_system("asks", spawnable=[Person], watchdog=None) as system:
        await system.start_node("answers")
        person = await system.start(Person, name="person", on="answers")
        asked: list[float] = []
        for _ in range(sizes.answers):
            began = time.perf_counter()
            await person.ask(Echo(began))
            asked.append(time.perf_counter() - began)
        heard: list[float] = []
        for number in range(sizes.answers):
            answer = await system.desk.request("number", str(number), (True, False), timeout=10)
            heard.append(time.perf_counter() - float(str(answer.by)))
            await trio.lowlevel.checkpoint()
    return {PLAIN: percentiles(asked), ANSWER: percentiles(heard)}


async def nodes(sizes: Sizes, rounds: int) -> AsyncGenerator[Figures]:
    """From the answer on one node to who waits on the other."""
    taken: dict[str, dict[str, float]] = {}

    async def side(name: str) -> dict[str, float]:
        if name not in taken:
            taken.update(await _both(sizes))
        return taken.pop(name)

    yield await measured(
        "from the answer on another node to who waits here (an ask is there and back)",
        {"p50": "ms", "p99": "ms"},
        {PLAIN: partial(side, PLAIN), ANSWER: partial(side, ANSWER)},
        rounds,
        base=PLAIN,
        aims=[Aim(ANSWER, "p99", 10, "less")],
    )
