"""The cast of the tests of posted messages: recipients that do what they are told, and senders."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import attrs
import trio
from trio.testing import wait_all_tasks_blocked

import actors
from actors import Backoff, Delivery, Policy, Ticket, TicketError, TicketReply, TicketState
from actors.delivery import Engine, Entry, MemoryStore, Opening
from actors.delivery.operations import Operation, Result
from actors.events import Event
from tests.core.cast import drained

__all__ = [
    "AT_ONCE",
    "PATIENT",
    "Boom",
    "Desk",
    "Do",
    "Poster",
    "Send",
    "SlowStore",
    "entries",
    "facts",
    "gently",
    "plain",
    "settled",
    "states",
    "way",
]


class Boom(Exception):
    """What fails here."""


def gently(**delivery: Any) -> Policy:
    """Restarts and deliveries without a wait, and without a breaker."""
    return Policy(
        backoff=Backoff.immediate(),
        breaker=None,
        delivery=Delivery(backoff=Backoff.immediate(), **delivery),
    )


AT_ONCE = gently()
PATIENT = actors.OneForOne(max_restarts=100_000)
"""A root that restarts its children as often as they fail."""


@actors.message
class Do(actors.Request[int]):
    """Answered with `n`, after `seconds`; or `error` is raised. `how` chooses another way to answer."""

    n: int = 0
    seconds: float = 0.0
    error: Exception | None = None
    how: str = ""


@actors.message
class plain:
    """Told only."""

    n: int = 0


class Desk(actors.Actor):
    """Writes down what it gets, when it has begun with it, and does it."""

    def __init__(self, book: list[int] | None = None) -> None:
        self.book: list[int] = [] if book is None else book
        self.ports: list[Any] = []

    @actors.receive
    async def do(self, message: Do) -> int:
        self.book.append(message.n)
        if message.how == "early":
            self.ctx.reply(message.n)
        if message.how == "later":
            port = self.ctx.reply_later()
            self.ports.append(port)
        if message.seconds:
            await trio.sleep(message.seconds)
        if message.error is not None:
            raise message.error
        if message.how == "answer the others":
            for port in self.ports:
                port.answer(message.n)
        if message.how == "stop":
            self.ctx.stop()
        return message.n

    @actors.receive
    def told(self, message: plain) -> None:
        self.book.append(message.n)


@actors.message
class Send(actors.Request[Any]):
    """Posts `message` to `path`; answered with the ticket, or with the error."""

    path: str
    message: Any
    options: dict[str, Any] = attrs.field(factory=dict[str, Any])
    wait: bool = False


class Poster(actors.Actor):
    """Posts what it is told to, and writes down the replies that come as messages."""

    def __init__(self, book: list[TicketReply]) -> None:
        self.book = book

    @actors.receive
    async def send(self, message: Send) -> Any:
        try:
            ticket = await self.ctx.system.post(message.path, message.message, **message.options)
        except TicketError as error:
            return error
        return await ticket.wait_reply() if message.wait else ticket

    @actors.receive
    async def replied(self, message: TicketReply) -> None:
        self.book.append(message)


async def settled() -> None:
    """Return when everything that can happen now has happened."""
    for _ in range(3):
        await wait_all_tasks_blocked()


async def entries(system: actors.System, **wanted: Any) -> list[Entry]:
    """The tickets as the store has them."""
    return await system.posted.find(limit=10_000, **wanted)


async def states(system: actors.System, **wanted: Any) -> list[TicketState]:
    """Their states."""
    return [entry.state for entry in await entries(system, **wanted)]


def facts(events: actors.Subscription, kind: type[Event]) -> list[Any]:
    """Those of a kind that wait for this subscriber."""
    return [event for event in drained(events) if isinstance(event, kind)]


async def way(system: actors.System, ticket: Ticket[Any]) -> list[tuple[TicketState, int]]:
    """The states through which a ticket has come, each with its attempts, as the feed has them."""
    seen: list[tuple[TicketState, int]] = []
    last = await system.posted.last_change()
    async with system.posted.feed(after=0) as feed:
        while feed.after < last:
            change = await anext(feed)
            if change.id == ticket.id:
                seen.append((change.state, change.attempts))
    return seen


class SlowStore(MemoryStore):
    """Takes `seconds` for each write, as a disk does: what happens meanwhile happens."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds

    def open(self, opening: Opening) -> AbstractAsyncContextManager[Engine]:
        return self._slowly(super().open(opening))

    @asynccontextmanager
    async def _slowly(self, opened: AbstractAsyncContextManager[Engine]) -> AsyncGenerator[Any]:
        async with opened as engine:
            yield _Slow(engine, self.seconds)


class _Slow:
    def __init__(self, engine: Engine, seconds: float) -> None:
        self._engine = engine
        self._seconds = seconds

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    async def write(self, group: Sequence[Operation]) -> list[Result]:
        await trio.sleep(self._seconds)
        return await self._engine.write(group)
