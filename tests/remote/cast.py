"""The cast: messages and actors that tests of children on another node share."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import trio

import actors
from actors.events import Event
from tests.core.cast import drained
from tests.remote.stage import World, linked

__all__ = [
    "AT_ONCE",
    "Ask",
    "Boss",
    "Do",
    "Seen",
    "Spawn",
    "Worker",
    "collect",
    "hosted",
    "letters",
    "nothing_left",
    "settled",
    "staged",
]

AT_ONCE = actors.Policy(backoff=actors.Backoff.immediate(), breaker=None)
"""Restarts without a wait, and without a breaker."""
LOG: list[tuple[str, Any]] = []
"""What actors of both nodes write down: both nodes are in this process."""


@actors.message(tag="test.cast.Do")
class Do:
    """Told: crash, sleep, stop, note."""

    what: str
    seconds: float = 0.0


@actors.message(tag="test.cast.Ask")
class Ask(actors.Request[Any]):
    """Asked: the same, and what it is like."""

    what: str
    seconds: float = 0.0
    ref: actors.Ref | None = None


@actors.message(tag="test.cast.Seen")
class Seen(actors.Request[list[str]]):
    """What it has been told in this incarnation."""


@actors.message(tag="test.cast.Spawn")
class Spawn(actors.Request[actors.Ref]):
    """A supervisor starts a worker."""

    name: str


async def settled() -> None:
    """Whatever takes no time is done, on both nodes."""
    await trio.sleep(1 / 1024)


def nothing_left(world: World) -> None:
    """Neither node keeps anything of a child."""
    for system in (world.alpha, world.beta):
        for link in system._node.associations.values():  # pyright: ignore[reportPrivateUsage]
            hosting = link.inbound.hosting
            assert not link.children, link.children
            assert not hosting.runs, hosting.runs
            assert not hosting._waiting  # pyright: ignore[reportPrivateUsage]
            assert not link.asks
            assert not link.inbound.incoming
            assert link.session.unacknowledged[1] < 100


def hosted(world: World) -> list[str]:
    """The names of what runs on beta for alpha."""
    nodes = next((one for one in world.beta.tree().children if one.path == "/system"), None)
    if nodes is None:
        return []
    found = [one for one in nodes.children if one.path == "/system/nodes"]
    here = [one for top in found for one in top.children if one.path == "/system/nodes/alpha"]
    return [child.path.rpartition("/")[2] for one in here for child in one.children]


def letters(system: actors.System) -> list[tuple[Any, str]]:
    """The dead letters of a node: what each says, and why."""
    return [(getattr(one.message, "what", one.message), str(one.reason)) for one in system.dead_letters]


def collect(events: Any, kind: type[Event]) -> list[Event]:
    """The events of a kind that have come."""
    return [event for event in drained(events) if isinstance(event, kind)]


@asynccontextmanager
async def staged(**options: Any) -> AsyncGenerator[World]:
    """alpha and beta; in the end nothing of any child is left, and the log is empty."""
    LOG.clear()
    async with linked(**options) as world:
        yield world
    LOG.clear()


class Worker(actors.Actor):
    """Does what it is told."""

    def __init__(self, start: str = "", stop: float = 0.0) -> None:
        self.start = start
        self.stop = stop
        self.seen: list[str] = []
        self.ports: list[actors.ReplyPort] = []
        LOG.append((self.ctx.ref.path, "made"))

    async def on_start(self) -> None:
        if self.start == "fails":
            raise ArithmeticError("start")
        if self.start == "slow":
            await trio.sleep(1.0)
        LOG.append((self.ctx.ref.path, "started"))

    async def on_stop(self, exit: actors.Exit) -> None:
        if self.stop:
            await trio.sleep(self.stop)
        LOG.append((self.ctx.ref.path, "stopped"))

    @actors.receive
    async def do(self, message: Do) -> None:
        self.seen.append(message.what)
        if message.what == "block":
            with trio.CancelScope(shield=True):
                await trio.sleep(message.seconds)
                LOG.append((self.ctx.ref.path, "unblocked"))
        elif message.seconds:
            await trio.sleep(message.seconds)
        LOG.append((self.ctx.ref.path, message.what))
        if message.what == "crash":
            raise ArithmeticError("crashed")
        if message.what == "limited":
            raise actors.RateLimited("slow down", retry_after=7.0)
        if message.what == "permanent":
            raise actors.PermanentFailure("never")
        if message.what == "quit":
            self.ctx.stop()
        if message.what == "tell itself":
            for number in range(50):
                self.ctx.ref.tell(Do(str(number)))
        if message.what == "progress":
            for _ in range(20):
                await trio.sleep(1.0)
                self.ctx.progress()

    @actors.receive
    def told(self, message: Seen) -> list[str]:
        return self.seen

    @actors.receive
    async def ask(self, message: Ask) -> Any:
        if message.seconds:
            await trio.sleep(message.seconds)
        what = message.what
        if what == "crash":
            raise ArithmeticError("crashed")
        if what == "ref":
            return self.ctx.ref
        if what == "parent":
            return self.ctx.parent
        if what == "sender":
            return self.ctx.sender
        if what == "system":
            return self.ctx.system.name
        if what == "args":
            return [self.start, self.stop]
        if what == "join":
            self.ctx.join("crew")
        if what == "watch":
            self.ctx.watch(message.ref)
        if what == "after":
            self.ctx.after(1.0, Do("after"))
        if what == "every":
            self.ctx.every(1.0, Do("every"))
        if what == "ask itself":
            await self.ctx.ref.ask(Ask("ref"), timeout=5.0)
        if what == "wait for itself":
            await self.ctx.ref.request(Ask("ref"), timeout=5.0).wait()
        if what == "ask other":
            return await message.ref.ask(Ask("system"), timeout=5.0)
        if what == "later":
            self.ports.append(self.ctx.reply_later())
        if what == "answer all":
            for number, port in enumerate(self.ports):
                port.answer(number)
        if what == "early":
            self.ctx.reply("early")
            await trio.sleep(1.0)
        if what == "pending":
            self.ctx.ref.request(Ask("system"))
            return len(self.ctx.pending)
        if what == "replies":
            return [one.take() for one in await self.ctx.replies(timeout=5.0)]
        return what

    @actors.receive
    def ended(self, message: actors.Terminated) -> None:
        self.seen.append(f"ended {message.ref.path} {message.exit.kind}")


class Boss(actors.Supervisor):
    """Starts workers below itself, wherever it runs."""

    @actors.receive
    async def begin(self, message: Spawn) -> actors.Ref:
        return await self.start(Worker, name=message.name, policy=AT_ONCE)
