"""Savina's chameneos: 100 creatures meet in pairs in a mall and change colours. Raw: tasks and channels."""

from __future__ import annotations

from enum import Enum
from time import perf_counter

import trio

import actors
from benchmarks.case import RAW, Case, Side
from benchmarks.cases.common import Result, both, check

CREATURES = 100


class Colour(Enum):
    """Of a creature."""

    BLUE = 0
    RED = 1
    YELLOW = 2


COLOURS = tuple(Colour)


def mixed(one: Colour, other: Colour) -> Colour:
    """What both become: the same, or the third colour."""
    return one if one is other else COLOURS[3 - one.value - other.value]


@actors.message
class Meet:
    """To the mall: here is one of this colour. To a creature: you have met one of this colour."""

    colour: Colour


@actors.message
class Closed:
    """To a creature: go home."""


@actors.message
class Home:
    """To the mall: somebody has met so many."""

    meetings: int


class Mall(actors.Actor):
    """Pairs those who come, `left` times, then sends all home."""

    def __init__(self, left: int, total: Result[int]) -> None:
        self.left = left
        self.total = total
        self.met = 0
        self.home = 0
        self.waiting: tuple[actors.Ref, Meet] | None = None

    @actors.receive
    def meet(self, message: Meet) -> None:
        """The first waits for the second."""
        sender = self.ctx.sender
        assert sender is not None
        if not self.left:
            sender.tell(Closed())
        elif self.waiting is None:
            self.waiting = sender, message
        else:
            first, of_first = self.waiting
            self.waiting = None
            self.left -= 1
            first.tell(message)
            sender.tell(of_first)

    @actors.receive
    def gone(self, message: Home) -> None:
        """Add up."""
        self.met += message.meetings
        self.home += 1
        if self.home == CREATURES:
            self.total.bring(self.met)


class AsyncMall(Mall):
    """The same with `async` handlers."""

    @actors.receive
    async def meet(self, message: Meet) -> None:
        super().meet(message)

    @actors.receive
    async def gone(self, message: Home) -> None:
        super().gone(message)


class Creature(actors.Actor):
    """Meets others until the mall is closed."""

    def __init__(self, mall: actors.Ref, colour: Colour) -> None:
        self.mall = mall
        self.colour = colour
        self.meetings = 0

    @actors.receive
    def begin(self, message: int) -> None:
        """Go to the mall."""
        self.mall.tell(Meet(self.colour))

    @actors.receive
    def met(self, message: Meet) -> None:
        """Change, and go there again."""
        self.colour = mixed(self.colour, message.colour)
        self.meetings += 1
        self.mall.tell(Meet(self.colour))

    @actors.receive
    def closed(self, message: Closed) -> None:
        """Go home."""
        self.mall.tell(Home(self.meetings))


class AsyncCreature(Creature):
    """The same with `async` handlers."""

    @actors.receive
    async def begin(self, message: int) -> None:
        super().begin(message)

    @actors.receive
    async def met(self, message: Meet) -> None:
        super().met(message)

    @actors.receive
    async def closed(self, message: Closed) -> None:
        super().closed(message)


async def ours(kinds: tuple[type[Mall], type[Creature]], count: int) -> float:
    """An actor each."""
    async with actors.open_system("bench") as system:
        total = Result[int]()
        mall = await system.start(kinds[0], count, total)
        creatures = [
            await system.start(kinds[1], mall, COLOURS[number % len(COLOURS)]) for number in range(CREATURES)
        ]
        began = perf_counter()
        for creature in creatures:
            creature.tell(0)
        check(await total.wait(), 2 * count)
        return perf_counter() - began


Visit = tuple[Meet, trio.MemorySendChannel[Meet | Closed]]


async def _mall(receiver: trio.MemoryReceiveChannel[Visit], left: int) -> None:
    waiting: Visit | None = None
    async for message, sender in receiver:
        if not left:
            await sender.send(Closed())
        elif waiting is None:
            waiting = message, sender
        else:
            of_first, first = waiting
            waiting = None
            left -= 1
            await first.send(message)
            await sender.send(of_first)


async def _creature(mall: trio.MemorySendChannel[Visit], colour: Colour, meetings: list[int]) -> None:
    own, inbox = trio.open_memory_channel[Meet | Closed](1)
    met = 0
    async with mall:
        while True:
            await mall.send((Meet(colour), own))
            message = await inbox.receive()
            if isinstance(message, Closed):
                break
            colour = mixed(colour, message.colour)
            met += 1
    meetings.append(met)


async def raw(count: int) -> float:
    """A task each."""
    meetings: list[int] = []
    sender, receiver = trio.open_memory_channel[Visit](0)
    began = perf_counter()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_mall, receiver, count)
        async with sender:
            for number in range(CREATURES):
                nursery.start_soon(_creature, sender.clone(), COLOURS[number % len(COLOURS)], meetings)
    check(sum(meetings), 2 * count)
    return perf_counter() - began


CASES = [
    Case(
        name="savina-chameneos",
        title="Savina: chameneos",
        question="How many pairs a second does a mall make of 100 creatures?",
        unit="meetings/s",
        sides={**both(ours, (AsyncMall, AsyncCreature), (Mall, Creature)), RAW: Side(raw, 1024)},
    )
]
