"""What triotp's processes do, each run by a node with one application.

A task that receives from its own mailbox is faster than a generic server that is cast to, so
that is what is told. What starts processes is a dynamic supervisor.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from time import perf_counter
from types import SimpleNamespace
from typing import Any

import trio
import trio.testing
from triotp import application, dynamic_supervisor, gen_server, mailbox, node, supervisor

from benchmarks.peers.common import ASKERS, RECEIVERS, SENDERS, Latch, check, shares

__all__ = ["ask", "ask_at_once", "ring", "spawn", "tell_from_many", "tell_many", "tell_one"]

Started = Any
"""What `nursery.start` gives a task to say that it is ready, and with which mailbox."""

Work = Callable[[trio.Nursery], Awaitable[float]]


async def sink(left: int, latch: Latch, task_status: Started = trio.TASK_STATUS_IGNORED) -> None:
    """Handles `left` messages."""
    async with mailbox.open() as mine:
        task_status.started(mine)
        while True:
            await mailbox.receive(mine)
            left -= 1
            if not left:
                latch.down()


async def sender(to: str, task_status: Started = trio.TASK_STATUS_IGNORED) -> None:
    """Sends as many messages as it is told to."""
    async with mailbox.open() as mine:
        task_status.started(mine)
        while True:
            for number in range(await mailbox.receive(mine)):
                await mailbox.send(to, number)


async def hop(latch: Latch, task_status: Started = trio.TASK_STATUS_IGNORED) -> None:
    """Learns who comes next, then passes the token on until it has no hops left."""
    async with mailbox.open() as mine:
        task_status.started(mine)
        following = await mailbox.receive(mine)
        while True:
            left = await mailbox.receive(mine)
            if left:
                await mailbox.send(following, left - 1)
            else:
                latch.down()


async def idle(latch: Latch) -> None:
    """Says that it is there, and waits for messages."""
    async with mailbox.open() as mine:
        latch.down()
        while True:
            await mailbox.receive(mine)


async def _init(_: object) -> None:
    return None


async def _answer(message: int, caller: object, state: None) -> tuple[gen_server.Reply, None]:
    return gen_server.Reply(payload=message), state


ECHO = SimpleNamespace(__name__="echo", init=_init, handle_call=_answer)
"""A generic server is a module, or what looks like one."""


def _run(work: Work) -> float:
    """In a nursery, whose tasks end with it."""
    found: list[float] = []

    async def start(_: object) -> None:
        async with trio.open_nursery() as nursery:
            found.append(await work(nursery))
            nursery.cancel_scope.cancel()

    module = SimpleNamespace(__name__="bench", start=start)
    node.run([application.app_spec(module=module, start_arg=None, permanent=False)])
    return found[0]


def tell_one(count: int) -> float:
    """A task sends to one process."""

    async def work(nursery: trio.Nursery) -> float:
        done = trio.Event()
        to = await nursery.start(sink, count, Latch(1, done))
        began = perf_counter()
        for number in range(count):
            await mailbox.send(to, number)
        await done.wait()
        return perf_counter() - began

    return _run(work)


def tell_from_many(count: int) -> float:
    """100 processes send to one."""

    async def work(nursery: trio.Nursery) -> float:
        done = trio.Event()
        to = await nursery.start(sink, count, Latch(1, done))
        senders = [await nursery.start(sender, to) for _ in range(SENDERS)]
        began = perf_counter()
        for one, share in zip(senders, shares(count, SENDERS), strict=False):
            await mailbox.send(one, share)
        await done.wait()
        return perf_counter() - began

    return _run(work)


def tell_many(count: int) -> float:
    """A task sends to 100 processes in turn."""

    async def work(nursery: trio.Nursery) -> float:
        done = trio.Event()
        parts = shares(count, RECEIVERS)
        latch = Latch(len(parts), done)
        sinks = [await nursery.start(sink, share, latch) for share in parts]
        began = perf_counter()
        for number in range(count):
            await mailbox.send(sinks[number % RECEIVERS], number)
        await done.wait()
        return perf_counter() - began

    return _run(work)


async def _start_echo(nursery: trio.Nursery) -> None:
    nursery.start_soon(gen_server.start, ECHO, None, ECHO.__name__)
    await trio.testing.wait_all_tasks_blocked()


def ask(timeout: float | None, count: int) -> float:
    """A task calls one generic server."""

    async def work(nursery: trio.Nursery) -> float:
        await _start_echo(nursery)
        answer: int | None = None
        began = perf_counter()
        for number in range(count):
            answer = await gen_server.call(ECHO.__name__, number, timeout)
        took = perf_counter() - began
        check(answer, count - 1)
        return took

    return _run(work)


def ask_at_once(count: int) -> float:
    """1,000 tasks call one generic server."""

    async def asker(share: int) -> None:
        for number in range(share):
            check(await gen_server.call(ECHO.__name__, number), number)

    async def work(nursery: trio.Nursery) -> float:
        await _start_echo(nursery)
        began = perf_counter()
        async with trio.open_nursery() as askers:
            for share in shares(count, ASKERS):
                askers.start_soon(asker, share)
        return perf_counter() - began

    return _run(work)


def ring(size: int, count: int) -> float:
    """`size` processes in a ring. Handing the first one the token is a hop, too."""

    async def work(nursery: trio.Nursery) -> float:
        done = trio.Event()
        latch = Latch(1, done)
        nodes = [await nursery.start(hop, latch) for _ in range(size)]
        for one, following in zip(nodes, [*nodes[1:], nodes[0]], strict=True):
            await mailbox.send(one, following)
        began = perf_counter()
        await mailbox.send(nodes[0], count - 1)
        await done.wait()
        return perf_counter() - began

    return _run(work)


def spawn(count: int) -> float:
    """Temporary children of a dynamic supervisor."""

    async def work(nursery: trio.Nursery) -> float:
        done = trio.Event()
        latch = Latch(count, done)
        parent = await nursery.start(dynamic_supervisor.start, supervisor.options())
        began = perf_counter()
        for number in range(count):
            child = supervisor.child_spec(
                id=str(number), task=idle, args=[latch], restart=supervisor.restart_strategy.TEMPORARY
            )
            await dynamic_supervisor.start_child(parent, child)
        await done.wait()
        return perf_counter() - began

    return _run(work)
