"""The cast: messages, actors and policies that many tests of the core share."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import trio
from trio.testing import wait_all_tasks_blocked

import actors
from actors.events import Event

__all__ = [
    "AT_ONCE",
    "Count",
    "Die",
    "Echo",
    "Fail",
    "Note",
    "Seen",
    "Sleep",
    "Unwatch",
    "Watch",
    "Watcher",
    "Worker",
    "drained",
    "ended",
    "facts",
    "logged",
    "settled",
]

AT_ONCE = actors.Policy(backoff=actors.Backoff(initial=0.0, maximum=0.0, jitter=0.0), breaker=None)
"""Restarts without a wait, and without a breaker."""


@actors.message
class Note:
    text: str = ""


@actors.message
class Echo(actors.Request[str]):
    text: str = ""


@actors.message
class Sleep(actors.Request[str]):
    """Answered with "slept" after `seconds`."""

    seconds: float = 1.0


@actors.message
class Fail(actors.Request[None]):
    """Makes the handler raise `error`."""

    error: Exception


@actors.message
class Die:
    """Told only: makes the handler raise."""

    text: str = "boom"


@actors.message
class Seen(actors.Request[list]):
    """Answered with the texts noted so far."""


@actors.message
class Count(actors.Request[int]):
    """Answered with the number of this incarnation's handled counts."""


class Worker(actors.Actor):
    """Notes what it is told, echoes, sleeps, and fails on request."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.counted = 0

    @actors.receive
    def note(self, message: Note) -> None:
        self.seen.append(message.text)

    @actors.receive
    def echo(self, message: Echo) -> str:
        return message.text

    @actors.receive
    async def sleep(self, message: Sleep) -> str:
        await trio.sleep(message.seconds)
        return "slept"

    @actors.receive
    async def fail(self, message: Fail) -> None:
        raise message.error

    @actors.receive
    async def die(self, message: Die) -> None:
        raise RuntimeError(message.text)

    @actors.receive
    def tell_seen(self, message: Seen) -> list[str]:
        return list(self.seen)

    @actors.receive
    def count(self, message: Count) -> int:
        self.counted += 1
        return self.counted


@actors.message
class Watch:
    ref: Any
    times: int = 1


@actors.message
class Unwatch:
    ref: Any


class Watcher(Worker):
    """Writes down every note and every notice, with who sent it."""

    def __init__(self, book: list[Any]) -> None:
        super().__init__()
        self.book = book

    @actors.receive
    def watch(self, message: Watch) -> None:
        for _ in range(message.times):
            self.ctx.watch(message.ref)

    @actors.receive
    def unwatch(self, message: Unwatch) -> None:
        self.ctx.unwatch(message.ref)

    @actors.receive
    def note(self, message: Note) -> None:
        self.book.append(message.text)

    @actors.receive
    def terminated(self, message: actors.Terminated) -> None:
        self.book.append((message.ref, message.exit.kind))


def logged(function: Callable[..., Any]) -> Callable[..., Any]:
    """A plain wrapper, as decorators for logs, retries and traces make them."""

    @functools.wraps(function)
    def wrapper(*arguments: Any) -> Any:
        return function(*arguments)

    return wrapper


async def settled() -> None:
    """Every other task waits for something."""
    await wait_all_tasks_blocked()


async def ended(ref: actors.Ref, order: str = "stop") -> actors.Exit:
    """The exit of an actor that was ordered to end."""
    getattr(ref, order)()
    return await ref.wait_stopped()


def drained(events: actors.Subscription) -> list[Event]:
    """Everything that waits for this subscriber."""
    read = []
    while (event := events.next_nowait()) is not None:
        read.append(event)
    return read


def facts(events: actors.Subscription) -> list[tuple[Any, ...]]:
    """What waits for this subscriber as (kind, path, ...) without times: easy to compare."""
    return [_fact(event) for event in drained(events)]


def _fact(event: Event) -> tuple[Any, ...]:
    fields = [getattr(event, field.name) for field in type(event).__attrs_attrs__]  # type: ignore[attr-defined]
    shown = [value.path if isinstance(value, actors.Ref) else value for value in fields[1:]]
    return (type(event).__name__, *shown)
