"""Actors that answer with what they were made with, after a while, and write down when they were asked."""

from __future__ import annotations

from typing import Any

import attrs
import trio

import actors

__all__ = ["Book", "Give", "Plain", "Voter", "voters"]


@actors.message
class Give(actors.Request[Any]):
    """Answered with the voter's value; `text` is noted."""

    text: str = ""


@attrs.define
class Book:
    """What happened, in order."""

    lines: list[tuple[Any, ...]] = attrs.field(factory=list[tuple[Any, ...]])

    def note(self, *line: Any) -> None:
        self.lines.append((trio.current_time(), *line))


class Voter(actors.Actor):
    """Says `value` after `seconds`; raises it where it is an exception. Takes `ending` seconds to end."""

    def __init__(self, book: Book, value: Any, seconds: float = 0.0, ending: float = 0.0) -> None:
        self.book = book
        self.value = value
        self.seconds = seconds
        self.ending = ending

    @actors.receive
    async def give(self, message: Give) -> Any:
        self.book.note("asked", self.ctx.ref.name, message.text)
        await trio.sleep(self.seconds)
        self.book.note("answers", self.ctx.ref.name)
        if isinstance(self.value, Exception):
            raise self.value
        return self.value

    async def on_stop(self, exit: actors.Exit) -> None:
        await trio.sleep(self.ending)
        self.book.note("gone", self.ctx.ref.name)


class Plain(actors.Actor):
    """Answers in the very step in which it is asked."""

    def __init__(self, book: Book, value: Any) -> None:
        self.book = book
        self.value = value

    @actors.receive
    def give(self, message: Give) -> Any:
        self.book.note("asked", self.ctx.ref.name, message.text)
        return self.value


async def voters(system: actors.System, book: Book, *script: tuple[Any, float]) -> list[actors.Ref]:
    """One voter for each (value, seconds), named a, b, c ..."""
    return [
        await system.start(Voter, book, value, seconds, name="abcdefghij"[place])
        for place, (value, seconds) in enumerate(script)
    ]
