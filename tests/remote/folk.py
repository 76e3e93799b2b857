"""Messages, actors and helpers that the tests of refs over a link share."""

from __future__ import annotations

import gc
from typing import Any

import trio
from trio.testing import wait_all_tasks_blocked

import actors
from actors.remote.association import Association
from tests.remote.stage import World

__all__ = [
    "Break",
    "Deny",
    "Echo",
    "Hold",
    "Keep",
    "Note",
    "Seen",
    "Unknown",
    "WhoAsks",
    "Worker",
    "at_rest",
    "link_of",
    "settled",
]


@actors.message(tag="test.folk.Note")
class Note:
    text: str = ""


@actors.message(tag="test.folk.Seen")
class Seen(actors.Request[list]):
    """Answered with the texts noted so far."""


@actors.message(tag="test.folk.Echo")
class Echo(actors.Request[str]):
    text: str = ""


@actors.message(tag="test.folk.Hold")
class Hold(actors.Request[str]):
    """Answered with "held" after `seconds`."""

    seconds: float = 1.0


@actors.message(tag="test.folk.Break")
class Break(actors.Request[None]):
    """Makes the handler raise ValueError."""

    text: str = "boom"


@actors.message(tag="test.folk.Deny")
class Deny(actors.Request[None]):
    """Makes the handler refuse."""


@actors.message(tag="test.folk.Keep")
class Keep(actors.Request[Any]):
    """Kept, and given back."""

    what: Any = None


@actors.message(tag="test.folk.WhoAsks")
class WhoAsks(actors.Request[Any]):
    """Answered with the sender."""


@actors.message(tag="test.folk.Unknown")
class Unknown(actors.Request[None]):
    """Nobody handles it."""


class Worker(actors.Actor):
    """Handles all of them."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.kept: list[Any] = []

    @actors.receive
    async def note(self, message: Note) -> None:
        self.seen.append(message.text)

    @actors.receive
    async def tell_seen(self, message: Seen) -> list[str]:
        return self.seen

    @actors.receive
    async def echo(self, message: Echo) -> str:
        self.seen.append(message.text)
        return message.text

    @actors.receive
    async def hold(self, message: Hold) -> str:
        await trio.sleep(message.seconds)
        return "held"

    @actors.receive
    async def fail(self, message: Break) -> None:
        raise ValueError(message.text)

    @actors.receive
    async def deny(self, message: Deny) -> None:
        raise actors.Refused("not today")

    @actors.receive
    async def keep(self, message: Keep) -> Any:
        self.kept.append(message.what)
        return message.what

    @actors.receive
    async def who(self, message: WhoAsks) -> Any:
        return self.ctx.sender


def link_of(system: actors.System, name: str) -> Association:
    """What a system has with another one, from inside."""
    return system._node.associations[name]  # pyright: ignore[reportPrivateUsage]


async def settled() -> None:
    """Let everybody run until all wait."""
    for _ in range(5):
        await wait_all_tasks_blocked()


async def at_rest(world: World) -> dict[str, int]:
    """The sizes of all tables of both ends, two beats after the last message; empty ones are left out."""
    await trio.sleep(2.5)
    gc.collect()
    sizes: dict[str, int] = {}
    for system, other in ((world.alpha, "beta"), (world.beta, "alpha")):
        link = link_of(system, other)
        for name in ("windows", "asks", "senders", "watched", "proxies", "facts"):
            sizes[f"{system.name}.{name}"] = len(getattr(link, name))
        for name in ("incoming", "debts", "members"):
            sizes[f"{system.name}.{name}"] = len(getattr(link.inbound, name))
    return {name: size for name, size in sizes.items() if size}
