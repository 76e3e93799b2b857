"""What autogen-core's agents do: its tracing is off, its log keeps its level, so nothing is written."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from time import perf_counter

from autogen_core import (
    AgentId,
    MessageContext,
    RoutedAgent,
    SingleThreadedAgentRuntime,
    TopicId,
    TypeSubscription,
    event,
    rpc,
)
from opentelemetry.trace import NoOpTracerProvider

from benchmarks.peers.common import ASKERS, RECEIVERS, SENDERS, Latch, check, shares

__all__ = ["ask", "ask_at_once", "ring", "spawn", "tell_from_many", "tell_many", "tell_one"]

Runtime = SingleThreadedAgentRuntime


@dataclass
class Number:
    """A message needs a type that can be serialised."""

    value: int


class Sink(RoutedAgent):
    """Handles as many messages as its share of its kind."""

    def __init__(self, parts: list[int], latch: Latch) -> None:
        super().__init__("sink")
        self.left = parts[int(self.id.key)]
        self.latch = latch

    @event
    async def got(self, message: Number, ctx: MessageContext) -> None:
        """One less."""
        self.left -= 1
        if not self.left:
            self.latch.down()


class Sender(RoutedAgent):
    """Sends as many messages as it is told to."""

    def __init__(self) -> None:
        super().__init__("sender")
        self.sink = TopicId("sink", "0")

    @event
    async def send(self, message: Number, ctx: MessageContext) -> None:
        """All at once."""
        for number in range(message.value):
            await self.publish_message(Number(number), self.sink)


class Echo(RoutedAgent):
    """Answers."""

    def __init__(self) -> None:
        super().__init__("echo")

    @rpc
    async def answer(self, message: Number, ctx: MessageContext) -> Number:
        """The number."""
        return message


class Node(RoutedAgent):
    """Passes the token on until it has no hops left."""

    def __init__(self, size: int, latch: Latch) -> None:
        super().__init__("node")
        self.following = TopicId("node", str((int(self.id.key) + 1) % size))
        self.latch = latch

    @event
    async def hop(self, message: Number, ctx: MessageContext) -> None:
        """Pass it on."""
        if message.value:
            await self.publish_message(Number(message.value - 1), self.following)
        else:
            self.latch.down()


class Idle(RoutedAgent):
    """Says that it is there, and waits for messages."""

    def __init__(self, latch: Latch) -> None:
        super().__init__("idle")
        latch.down()

    @event
    async def got(self, message: Number, ctx: MessageContext) -> None:
        """Nothing."""


def _running(work: Callable[..., Awaitable[float]]) -> Callable[..., float]:
    async def run(*arguments: object) -> float:
        runtime = Runtime(tracer_provider=NoOpTracerProvider(), ignore_unhandled_exceptions=False)
        runtime.start()
        try:
            return await work(runtime, *arguments)
        finally:
            await runtime.close()

    return lambda *arguments: asyncio.run(run(*arguments))


async def _start(
    runtime: Runtime, kind: type[RoutedAgent], make: Callable[[], RoutedAgent], count: int
) -> None:
    """Start `count` agents whose type and topic is the name of their kind, and whose keys are numbers."""
    name = kind.__name__.lower()
    await kind.register(runtime, name, make)
    await runtime.add_subscription(TypeSubscription(name, name))
    for key in range(count):
        await runtime.get(name, str(key), lazy=False)


@_running
async def tell_one(runtime: Runtime, count: int) -> float:
    """A task publishes to one agent."""
    done = asyncio.Event()
    await _start(runtime, Sink, partial(Sink, [count], Latch(1, done)), 1)
    topic = TopicId("sink", "0")
    began = perf_counter()
    for number in range(count):
        await runtime.publish_message(Number(number), topic)
    await done.wait()
    return perf_counter() - began


@_running
async def tell_from_many(runtime: Runtime, count: int) -> float:
    """100 agents publish to one."""
    done = asyncio.Event()
    await _start(runtime, Sink, partial(Sink, [count], Latch(1, done)), 1)
    await _start(runtime, Sender, Sender, SENDERS)
    began = perf_counter()
    for key, share in enumerate(shares(count, SENDERS)):
        await runtime.publish_message(Number(share), TopicId("sender", str(key)))
    await done.wait()
    return perf_counter() - began


@_running
async def tell_many(runtime: Runtime, count: int) -> float:
    """A task publishes to 100 agents in turn."""
    done = asyncio.Event()
    parts = shares(count, RECEIVERS)
    await _start(runtime, Sink, partial(Sink, parts, Latch(len(parts), done)), len(parts))
    topics = [TopicId("sink", str(key)) for key in range(RECEIVERS)]
    began = perf_counter()
    for number in range(count):
        await runtime.publish_message(Number(number), topics[number % RECEIVERS])
    await done.wait()
    return perf_counter() - began


@_running
async def ask(runtime: Runtime, timeout: float | None, count: int) -> float:
    """A task asks one agent. `send_message` has no limit of its own, so it is that of asyncio."""
    await _start(runtime, Echo, Echo, 1)
    echo = AgentId("echo", "0")
    answer = Number(-1)
    began = perf_counter()
    if timeout is None:
        for number in range(count):
            answer = await runtime.send_message(Number(number), echo)
    else:
        for number in range(count):
            async with asyncio.timeout(timeout):
                answer = await runtime.send_message(Number(number), echo)
    took = perf_counter() - began
    check(answer.value, count - 1)
    return took


@_running
async def ask_at_once(runtime: Runtime, count: int) -> float:
    """1,000 tasks ask one agent."""
    await _start(runtime, Echo, Echo, 1)
    echo = AgentId("echo", "0")

    async def asker(share: int) -> None:
        for number in range(share):
            check((await runtime.send_message(Number(number), echo)).value, number)

    began = perf_counter()
    await asyncio.gather(*(asker(share) for share in shares(count, ASKERS)))
    return perf_counter() - began


@_running
async def ring(runtime: Runtime, size: int, count: int) -> float:
    """`size` agents in a ring. Handing the first one the token is a hop, too."""
    done = asyncio.Event()
    await _start(runtime, Node, partial(Node, size, Latch(1, done)), size)
    began = perf_counter()
    await runtime.publish_message(Number(count - 1), TopicId("node", "0"))
    await done.wait()
    return perf_counter() - began


@_running
async def spawn(runtime: Runtime, count: int) -> float:
    """All of one type."""
    done = asyncio.Event()
    await _start(runtime, Idle, partial(Idle, Latch(count, done)), 0)
    began = perf_counter()
    for key in range(count):
        await runtime.get("idle", str(key), lazy=False)
    await done.wait()
    return perf_counter() - began
