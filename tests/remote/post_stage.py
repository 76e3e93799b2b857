"""Nodes that post to each other: two or three that are linked, and can start anew with the store they had."""

from __future__ import annotations

import copy
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import trio

import actors
from actors import Backoff, Delivery, Policy
from actors.delivery import MemoryStore
from tests.remote.stage import Cable, Cables, cables

__all__ = [
    "AT_ONCE",
    "Add",
    "Count",
    "Counter",
    "Cut",
    "Do",
    "Node",
    "Worker",
    "hands_of",
    "nodes",
    "settled",
]

AT_ONCE = Policy(
    backoff=Backoff.immediate(), breaker=None, delivery=Delivery(backoff=Backoff.immediate()), shutdown=1.0
)
"""Restarts and deliveries without a wait, and without a breaker."""


@actors.message(tag="test.post.Do")
class Do(actors.Request[Any]):
    """Answered with `n`, after `seconds`, unless `how` says something else."""

    n: int = 0
    seconds: float = 0.0
    how: str = ""


class Worker(actors.Actor):
    """Writes down the node, and what it gets there, when it has begun with it."""

    def __init__(self, book: list[tuple[str, int]] | None = None, failures: int = 0) -> None:
        self.book: list[tuple[str, int]] = [] if book is None else book
        self.failures = failures
        self.ports: list[Any] = []

    @actors.receive
    async def do(self, message: Do) -> Any:
        self.book.append((self.ctx.system.name, message.n))
        if message.how == "later":
            self.ports.append(self.ctx.reply_later())
            return None
        if message.how == "answer the others":
            for port in self.ports:
                port.answer(message.n)
        if message.how == "early":
            self.ctx.reply("early")
        if message.seconds:
            await trio.sleep(message.seconds)
        if message.how == "crash" or (message.how == "crash first" and len(self.book) <= self.failures):
            raise ArithmeticError("crashed")
        if message.how == "refuse":
            raise actors.Refused("not here")
        if message.how == "sender":
            return None if self.ctx.sender is None else (self.ctx.sender.node, self.ctx.sender.path)
        if message.how == "unspeakable":
            return object()
        if message.how == "long":
            return "x" * message.n
        return message.n


@actors.message(tag="test.post.Add")
class Add(actors.Request[int]):
    """Answered with the new sum, after `seconds`."""

    n: int = 1
    seconds: float = 0.0


@actors.message(tag="test.post.Count")
class Count:
    """What the counter keeps."""

    sum: int


class Counter(actors.Actor):
    """Adds, and keeps the sum with each acknowledgement."""

    sum = 0

    async def on_restore(self, state: Count) -> None:
        self.sum = state.sum

    @actors.receive
    async def add(self, message: Add) -> int:
        self.sum += message.n
        await self.ctx.save(Count(self.sum))
        if message.seconds:
            await trio.sleep(message.seconds)
        return self.sum


class Node:
    """A node that can end, also without a goodbye, and come back under its name."""

    def __init__(self, world: Cut, name: str, store: Any, lease: float) -> None:
        self.world = world
        self.name = name
        self.store: Any = MemoryStore() if store is None else store
        self.lease = lease
        self.system: actors.System
        self._scope = trio.CancelScope()
        self._gone = trio.Event()

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """One life of it."""
        self._scope, self._gone = trio.CancelScope(), trio.Event()
        with self._scope:
            async with actors.open_system(self.name, store=self.store, lease=self.lease) as system:
                self.system = system
                task_status.started()
                await trio.sleep_forever()
        self._gone.set()

    async def start(self) -> None:
        """Begin a life."""
        await self.world.nursery.start(self.run)

    async def stop(self) -> None:
        """End it in order: the others hear a goodbye."""
        self.system.stop()
        await self._gone.wait()

    async def crash(self) -> None:
        """End it without a word: nobody hears anything of it any more, and nothing more is written.

        What is in memory stands for what was on the disk: a copy of it is what the next life finds.
        """
        for cable in self.world.cables_of(self.name):
            cable.cut()
        left = MemoryStore()
        left.shelf = copy.deepcopy(self.store.shelf)
        self._scope.cancel()
        await self._gone.wait()
        self.store = left


class Cut:
    """Nodes by name, and the cables between them."""

    def __init__(self, nursery: trio.Nursery, made: Cables) -> None:
        self.nursery = nursery
        self.made = made
        self.nodes: dict[str, Node] = {}
        self._cables: dict[tuple[str, str], Cable] = {}

    def __getitem__(self, name: str) -> actors.System:
        return self.nodes[name].system

    async def add(self, name: str, store: Any = None, lease: float = 15.0) -> actors.System:
        node = self.nodes[name] = Node(self, name, store, lease)
        await node.start()
        return node.system

    async def link(self, one: str, other: str) -> Cable:
        """`one` dials `other`, until either ends."""
        cable = self._cables[one, other] = Cable()
        await self[one].connect(self.made.door(self[other], cable))
        await settled()
        return cable

    def cables_of(self, name: str) -> list[Cable]:
        return [cable for ends, cable in self._cables.items() if name in ends]

    async def again(self, name: str) -> actors.System:
        """The next life of a node."""
        await self.nodes[name].start()
        return self[name]


@asynccontextmanager
async def nodes(*names: str, lease: float = 15.0, link: bool = True) -> AsyncGenerator[Cut]:
    """These nodes, each linked with every other."""
    with cables() as made:
        async with trio.open_nursery() as nursery:
            world = Cut(nursery, made)
            for name in names:
                await world.add(name, lease=lease)
            if link:
                for at, name in enumerate(names):
                    for other in names[:at]:
                        await world.link(name, other)
            yield world
            for node in world.nodes.values():
                await node.stop()


async def settled() -> None:
    """Whatever takes no time is done, on all nodes."""
    await trio.sleep(1 / 64)


def hands_of(system: actors.System) -> tuple[int, int]:
    """How many deliveries it has under way at other nodes, and for other nodes."""
    exchange = system._office.rounds.exchange  # pyright: ignore[reportPrivateUsage]
    return len(exchange.abroad._carriages), len(exchange.carrying._hands)  # pyright: ignore[reportPrivateUsage]
