"""Savina's dining philosophers: 20 of them ask one waiter for two forks each. Raw: tasks and channels.

Who is denied asks again at once; how often that happens is a matter of scheduling, and part of
the cost of a meal.
"""

from __future__ import annotations

from time import perf_counter

import trio

import actors
from benchmarks.case import RAW, Case, Side
from benchmarks.cases.common import Result, both, check, open_bench, shares

SEATS = 20


@actors.message
class Hungry:
    """May this one eat?"""

    seat: int


@actors.message
class Fed:
    """This one puts the forks back."""

    seat: int


@actors.message
class Eat:
    """Yes: both forks are yours."""


@actors.message
class Denied:
    """No: somebody has one of them."""


EAT, DENIED = Eat(), Denied()


class Table:
    """The forks, and how many meals are left."""

    def __init__(self, meals: int) -> None:
        self.free = [True] * SEATS
        self.meals = meals
        self.eaten = 0

    def take(self, seat: int) -> bool:
        """True when both forks were free; they are not any more."""
        right = (seat + 1) % SEATS
        if not (self.free[seat] and self.free[right]):
            return False
        self.free[seat] = self.free[right] = False
        return True

    def put_back(self, seat: int) -> None:
        """Free both; raise when they were not in use."""
        right = (seat + 1) % SEATS
        check((self.free[seat], self.free[right]), (False, False))
        self.free[seat] = self.free[right] = True
        self.eaten += 1

    @property
    def is_cleared(self) -> bool:
        """True when all have eaten."""
        return self.eaten == self.meals


class Waiter(actors.Actor):
    """Gives both forks, or none."""

    def __init__(self, table: Table, eaten: Result[int]) -> None:
        self.table = table
        self.eaten = eaten

    @actors.receive
    def hungry(self, message: Hungry) -> None:
        """Look at the forks."""
        assert self.ctx.sender is not None
        self.ctx.sender.tell(EAT if self.table.take(message.seat) else DENIED)

    @actors.receive
    def fed(self, message: Fed) -> None:
        """Take them back."""
        self.table.put_back(message.seat)
        if self.table.is_cleared:
            self.eaten.bring(self.table.eaten)


class AsyncWaiter(Waiter):
    """The same with `async` handlers."""

    @actors.receive
    async def hungry(self, message: Hungry) -> None:
        super().hungry(message)

    @actors.receive
    async def fed(self, message: Fed) -> None:
        super().fed(message)


class Philosopher(actors.Actor):
    """Eats `left` times."""

    def __init__(self, waiter: actors.Ref, seat: int, left: int) -> None:
        self.waiter = waiter
        self.seat = seat
        self.left = left

    @actors.receive
    def begin(self, message: int) -> None:
        """Be hungry."""
        self.waiter.tell(Hungry(self.seat))

    @actors.receive
    def eat(self, message: Eat) -> None:
        """Eat, put the forks back, and be hungry again."""
        self.waiter.tell(Fed(self.seat))
        self.left -= 1
        if self.left:
            self.waiter.tell(Hungry(self.seat))

    @actors.receive
    def denied(self, message: Denied) -> None:
        """Ask again."""
        self.waiter.tell(Hungry(self.seat))


class AsyncPhilosopher(Philosopher):
    """The same with `async` handlers."""

    @actors.receive
    async def begin(self, message: int) -> None:
        super().begin(message)

    @actors.receive
    async def eat(self, message: Eat) -> None:
        super().eat(message)

    @actors.receive
    async def denied(self, message: Denied) -> None:
        super().denied(message)


async def ours(kinds: tuple[type[Waiter], type[Philosopher]], count: int) -> float:
    """An actor each."""
    async with open_bench() as system:
        eaten = Result[int]()
        waiter = await system.start(kinds[0], Table(count), eaten)
        philosophers = [
            await system.start(kinds[1], waiter, seat, share)
            for seat, share in enumerate(shares(count, SEATS))
        ]
        began = perf_counter()
        for philosopher in philosophers:
            philosopher.tell(0)
        check(await eaten.wait(), count)
        return perf_counter() - began


Letter = tuple[Hungry | Fed, trio.MemorySendChannel[Eat | Denied]]


async def _waiter(receiver: trio.MemoryReceiveChannel[Letter], table: Table) -> None:
    async for message, sender in receiver:
        if isinstance(message, Hungry):
            await sender.send(EAT if table.take(message.seat) else DENIED)
        else:
            table.put_back(message.seat)


async def _philosopher(waiter: trio.MemorySendChannel[Letter], seat: int, left: int) -> None:
    own, inbox = trio.open_memory_channel[Eat | Denied](1)
    async with waiter:
        while left:
            await waiter.send((Hungry(seat), own))
            if isinstance(await inbox.receive(), Eat):
                await waiter.send((Fed(seat), own))
                left -= 1


async def raw(count: int) -> float:
    """A task each."""
    table = Table(count)
    sender, receiver = trio.open_memory_channel[Letter](0)
    began = perf_counter()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_waiter, receiver, table)
        async with sender:
            for seat, share in enumerate(shares(count, SEATS)):
                nursery.start_soon(_philosopher, sender.clone(), seat, share)
    check(table.eaten, count)
    return perf_counter() - began


CASES = [
    Case(
        name="savina-philosophers",
        title="Savina: dining philosophers",
        question="How many meals a second do 20 philosophers get whose forks one waiter gives out?",
        unit="meals/s",
        sides={**both(ours, (AsyncWaiter, AsyncPhilosopher), (Waiter, Philosopher)), RAW: Side(raw, 1024)},
    )
]
