"""Checks under load: a burst, requests at once, a switch in flight, a soak."""

from __future__ import annotations

import gc
import os
import resource
import statistics
from collections import Counter, deque
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import attrs
import trio

import actors
from actors import Backoff, Delivery, Policy, Posting, TicketState
from actors.delivery import SQLiteStore, Store

__all__ = ["Check", "burst", "grown", "in_turn", "soak", "switch"]

_FAILS = 10
"""Of so many messages one fails at its first delivery."""
_EASY = Policy(backoff=Backoff.immediate(), breaker=None, delivery=Delivery(backoff=Backoff.immediate()))
_ROOT = actors.OneForOne(max_restarts=100_000)
_FILLED = 4000
"""Messages after which everything is full that is bounded: the feed has 10,000 changes, three a message."""


@attrs.frozen
class Check:
    """What was found, and whether that is enough."""

    name: str
    found: str
    limit: str
    is_met: bool

    def __str__(self) -> str:
        return f"{self.name:<44}{self.found:>24}   {self.limit:<18}{'met' if self.is_met else 'MISSED'}"


@actors.message(tag="bench.Task")
class Task(actors.Request[int]):
    """Some work; it fails at the first delivery if it is to."""

    number: int
    seconds: float = 0.0
    fails: bool = False


class Trouble(Exception):
    """What the first delivery fails with."""


class Agent(actors.Actor):
    """Does what it is told, and tells the book."""

    def __init__(self, book: Book) -> None:
        self._book = book

    @actors.receive
    async def task(self, message: Task) -> int:
        self._book.begin(message.number)
        await trio.sleep(message.seconds)
        self._book.end()
        if message.fails and self._book.times[message.number] == 1:
            raise Trouble
        return message.number


class OtherAgent(Agent):
    """Another mode: what takes the place of an agent."""


class Book:
    """What was begun, how often, and how many at once."""

    def __init__(self) -> None:
        self.times: Counter[int] = Counter()
        self.order: list[int] = []
        self.at_once = self.peak = 0
        self._lot = trio.lowlevel.ParkingLot()

    def begin(self, number: int) -> None:
        """One is in hand."""
        self.times[number] += 1
        self.order.append(number)
        self.at_once += 1
        self.peak = max(self.peak, self.at_once)

    def end(self) -> None:
        """It is not, any more."""
        self.at_once -= 1
        self._lot.unpark_all()

    async def wait(self, different: int) -> None:
        """Return when so many different ones were begun."""
        while len(self.times) < different:
            await self._lot.park()


# --- a burst ------------------------------------------------------------------------


async def burst(store: Store, agents: int, messages: int, timeout: float) -> Check:
    """So many senders, each with so many messages for an agent of its own, all at once."""
    answered = 0

    async def ask(system: actors.System, agent: int, number: int) -> None:
        nonlocal answered
        task = Task(number, 0.001, fails=number % _FAILS == 0)
        with trio.move_on_after(timeout):
            ticket = await system.post(f"/agent-{agent}", task)
            reply = await ticket.wait_reply()
            answered += reply == number

    book = Book()
    async with actors.open_system("load", store=store, strategy=_ROOT, policy=_EASY) as system:
        for agent in range(agents):
            system.spawn(Agent, book, name=f"agent-{agent}")
        async with trio.open_nursery() as nursery:
            for number in range(agents * messages):
                nursery.start_soon(ask, system, number % agents, number)
    share = answered / (agents * messages)
    return Check(
        f"burst, {agents} x {messages}, one in {_FAILS} fails once", f"{share:.1%}", "> 95 %", share > 0.95
    )


async def in_turn(store: Store, requests: int = 5) -> Check:
    """Requests to one agent at once: one after the other, in the order of their receipts."""
    book = Book()
    receipts: list[tuple[int, int]] = []

    async def ask(system: actors.System, number: int) -> None:
        ticket = await system.post("/agent", Task(number, 0.02))
        receipts.append((ticket.entry.seq, number))
        await ticket.wait_reply()

    async with actors.open_system("load", store=store) as system:
        system.spawn(Agent, book, name="agent")
        async with trio.open_nursery() as nursery:
            for number in range(requests):
                nursery.start_soon(ask, system, number)
    in_order = book.order == [number for _, number in sorted(receipts)]
    found = f"{book.peak} at once, {'in order' if in_order else 'out of order'}"
    return Check(f"{requests} requests to one agent", found, "1, in order", book.peak == 1 and in_order)


# --- a switch in flight -------------------------------------------------------------


async def switch(file: Path, messages: int = 50, senders: int = 5) -> Check:
    """In flight the agent is replaced by another, then the system by another on the same file."""
    book, left = Book(), deque(range(messages))
    async with _opened(file) as system, trio.open_nursery() as nursery:
        agent = system.spawn(Agent, book, name="agent")
        for _ in range(senders):
            nursery.start_soon(_send, system, left)
        await book.wait(messages // 3)
        agent.stop()
        await agent.wait_stopped()
        system.spawn(OtherAgent, book, name="agent")
        await book.wait(2 * messages // 3)
        nursery.cancel_scope.cancel()
    async with _opened(file) as system:
        system.spawn(OtherAgent, book, name="agent")
        async with trio.open_nursery() as nursery:
            for _ in range(senders):
                nursery.start_soon(_send, system, left)
        with trio.move_on_after(30):
            await book.wait(messages)
        entries = await system.posted.find(path="/agent", limit=10 * messages)
        for entry in entries:
            with trio.move_on_after(30):
                await (await system.ticket(entry.id)).wait_reply()
        entries = await system.posted.find(path="/agent", limit=10 * messages)
    answered = {entry.key for entry in entries if entry.state is TicketState.RESPONDED}
    lost = (messages - len(answered)) / messages
    return Check(f"switch of mode with {messages} in flight: lost", f"{lost:.1%}", "< 1 %", lost < 0.01)


def _opened(file: Path) -> AbstractAsyncContextManager[actors.System]:
    return actors.open_system("load", store=SQLiteStore(file), policy=_EASY)


async def _send(system: actors.System, left: deque[int]) -> None:
    """Post what is left; what was not posted for sure is posted again, under its key."""
    while left:
        number = left.popleft()
        try:
            await system.post("/agent", Task(number, 0.002), key=f"task-{number}")
        except BaseException:
            left.appendleft(number)
            raise
        await trio.sleep(0.005)


# --- a soak -------------------------------------------------------------------------


async def soak(store: Store, agents: int, seconds: float, rate: float = 50.0) -> Check:
    """So many messages a second, for so long: how far does the memory of the process grow?

    From the median of the first fifth to that of the last. What ended is kept for a twentieth of the time.
    """
    book, samples = Book(), list[int]()
    posting = Posting(keep_ended=seconds / 20)
    async with actors.open_system("load", store=store, posting=posting) as system:
        for agent in range(agents):
            system.spawn(Agent, book, name=f"agent-{agent}")
        await _asked(system, agents, _FILLED)
        async with trio.open_nursery() as nursery:
            began = trio.current_time()
            for agent in range(agents):
                nursery.start_soon(_keep_asking, system, agent, began + seconds, agents / rate)
            for step in range(1, 51):
                await trio.sleep_until(began + step * seconds / 50)
                book.times.clear()
                book.order.clear()
                gc.collect()
                samples.append(resident())
    growth = grown(samples)
    return Check(f"memory over {seconds:,g} s of soak", f"{growth:+.1%}", "< 5 %", growth < 0.05)


def grown(samples: Sequence[int]) -> float:
    """By which share the last fifth is above the first, by their medians."""
    fifth = max(1, len(samples) // 5)
    return statistics.median(samples[-fifth:]) / statistics.median(samples[:fifth]) - 1


async def _asked(system: actors.System, agents: int, count: int) -> None:
    async def some(agent: int) -> None:
        for number in range(count // agents):
            await (await system.post(f"/agent-{agent}", Task(number))).wait_reply()

    async with trio.open_nursery() as nursery:
        for agent in range(agents):
            nursery.start_soon(some, agent)


async def _keep_asking(system: actors.System, agent: int, until: float, pause: float) -> None:
    number = 0
    while trio.current_time() < until:
        number += 1
        await (await system.post(f"/agent-{agent}", Task(number))).wait_reply()
        await trio.sleep(pause)


def resident() -> int:
    """Bytes of memory of this process; where the system does not say, the most that it ever had."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
