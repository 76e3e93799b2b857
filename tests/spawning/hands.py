"""The hands of a pool: workers that do what a message says, and note what they begin and end."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from typing import Any

import attrs
import pytest
import trio
from trio.testing import wait_all_tasks_blocked

import actors
from actors import Backoff, Policy, Pool, Template
from actors.events import Event
from tests.core.cast import drained

__all__ = [
    "AT_ONCE",
    "Do",
    "Hand",
    "Log",
    "Plain",
    "clerk",
    "hands",
    "hear",
    "log",
    "outcome",
    "pool",
    "read",
    "settled",
]

AT_ONCE = Policy(backoff=Backoff(initial=0.0, maximum=0.0, jitter=0.0), breaker=None)
"""Restarts without a wait, and without a breaker."""


@actors.message
class Do(actors.Request[Any]):
    """Takes `seconds`, then does what `act` says; answered with its number."""

    number: int
    seconds: float = 0.0
    act: str = ""
    key: Any = None


@attrs.define
class Log:
    """What happened, in order: (time, worker, what, number)."""

    lines: list[tuple[float, str, str, int]] = attrs.field(factory=list[tuple[float, str, str, int]])
    senders: list[Any] = attrs.field(factory=list[Any])
    ports: dict[int, actors.ReplyPort] = attrs.field(factory=dict[int, actors.ReplyPort])
    starts: list[Any] = attrs.field(factory=list[Any])
    """What the starts to come do: an error to raise, seconds to take, None."""

    def note(self, ctx: actors.Context, what: str, number: int) -> None:
        self.lines.append((trio.current_time(), ctx.ref.name or "", what, number))

    def numbers(self, what: str = "end") -> list[int]:
        return [number for _, _, said, number in self.lines if said == what]

    def workers(self, what: str = "begin") -> list[str]:
        """The number in the name of each that has said so."""
        return [name.rpartition("-")[2] for _, name, said, _ in self.lines if said == what]

    def worker_of(self, number: int) -> str:
        return next(name for _, name, said, other in self.lines if (said, other) == ("begin", number))


class Hand(actors.Actor):
    """Notes the beginning and the end of each handling."""

    def __init__(self, log: Log) -> None:
        self.log = log

    async def on_start(self) -> None:
        script = self.log.starts.pop(0) if self.log.starts else None
        if isinstance(script, Exception):
            raise script
        if script is not None:
            await trio.sleep(script)

    @actors.receive
    async def do(self, message: Do) -> Any:
        self.log.note(self.ctx, "begin", message.number)
        self.log.senders.append(self.ctx.sender)
        try:
            value = await self._do(message)
            self.log.note(self.ctx, "end", message.number)
            return value
        finally:
            self.log.note(self.ctx, "over", message.number)

    async def _do(self, message: Do) -> Any:
        if message.act.startswith("reply"):
            self.ctx.reply(message.number)
        if message.act.startswith("later"):
            port = self.log.ports[message.number] = self.ctx.reply_later()
        if message.seconds:
            await trio.sleep(message.seconds)
        match message.act:
            case "fail" | "reply, fail" | "later, fail":
                raise ValueError(message.number)
            case "later, answer":
                port.answer("later")
            case "later, refuse":
                port.fail(ValueError("later"))
            case "refuse":
                raise actors.Refused("not now")
            case "stop":
                self.ctx.stop()
        return message.number


class Plain(actors.Actor):
    """Has no task."""

    def __init__(self, log: Log) -> None:
        self.log = log

    @actors.receive
    def do(self, message: Do) -> Any:
        self.log.note(self.ctx, "begin", message.number)
        if message.act != "fail":
            self.log.note(self.ctx, "end", message.number)
        self.log.note(self.ctx, "over", message.number)
        if message.act == "fail":
            raise ValueError(message.number)
        return message.number


async def clerk(ctx: actors.Context, log: Log) -> None:
    """A function with an inbox."""
    async for message in ctx.inbox:
        log.note(ctx, "begin", message.number)
        await trio.sleep(message.seconds)
        if message.act == "fail":
            raise ValueError(message.number)
        ctx.reply(message.number)
        log.note(ctx, "end", message.number)


def hands(log: Log, what: Any = Hand, policy: Policy | None = AT_ONCE) -> Template:
    """A template of workers that write in this log."""
    return Template(what, {"log": log}, policy=policy)


@asynccontextmanager
async def hear(system: actors.System, *kinds: type[Event]) -> AsyncGenerator[list[Event]]:
    """The facts of these kinds, all there are when the block ends."""
    facts: list[Event] = []
    async with system.subscribe(*kinds) as events:
        yield facts
        await wait_all_tasks_blocked()
        facts.extend(drained(events))


settled = wait_all_tasks_blocked


async def outcome(pending: actors.Pending[Any]) -> Any:
    """The reply, or the type of the error."""
    try:
        return await pending.wait()
    except actors.ActorError as error:
        return type(error)


async def read(pendings: Iterable[actors.Pending[Any]]) -> list[Any]:
    """All outcomes."""
    return [await outcome(pending) for pending in pendings]


@pytest.fixture
def log() -> Log:
    return Log()


def pool(log: Log, minimum: int = 1, maximum: int | None = None, **more: Any) -> Pool:
    """Of `Hand`s, and as large as it begins."""
    return Pool(hands(log), minimum, minimum if maximum is None else maximum, **more)
