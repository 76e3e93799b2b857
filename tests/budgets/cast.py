"""Who is on stage in these tests: agents that spend as they are told."""

from __future__ import annotations

from contextlib import nullcontext

import actors
from actors import Context, Ref, System

__all__ = ["Agent", "Boss", "Burn", "Count", "Note", "Raise", "Use", "burner", "spent_by"]


@actors.message
class Burn(actors.Request[int]):
    """Spend so many tokens, in a block of `within`."""

    tokens: int
    within: int | None = None


@actors.message
class Use(actors.Request[None]):
    """Spend this."""

    tokens: int = 0
    money: float = 0.0
    tool_calls: int = 0
    spawns: int = 0


@actors.message
class Note:
    text: str


@actors.message
class Count(actors.Request[list[str]]):
    """What it has noted."""


@actors.message
class Raise:
    """Fail."""


class Agent(actors.Actor):
    """Spends as it is told."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    @actors.receive
    async def burn(self, message: Burn) -> int:
        with nullcontext() if message.within is None else actors.budget(tokens=message.within):
            actors.spend(tokens=message.tokens)
        self.notes.append(f"burnt {message.tokens}")
        return message.tokens

    @actors.receive
    async def use(self, message: Use) -> None:
        self.ctx.spend(message.tokens, message.money, message.tool_calls, message.spawns)

    @actors.receive
    async def note(self, message: Note) -> None:
        self.notes.append(message.text)

    @actors.receive
    async def count(self, message: Count) -> list[str]:
        return list(self.notes)

    @actors.receive
    async def fail(self, message: Raise) -> None:
        raise RuntimeError("as told")


class Boss(actors.Supervisor):
    """Has agents, and spends itself too."""

    def __init__(self, *names: str) -> None:
        self.names = names

    async def on_start(self) -> None:
        for name in self.names:
            self.spawn(Agent, name=name)

    @actors.receive
    async def burn(self, message: Burn) -> int:
        actors.spend(tokens=message.tokens)
        return message.tokens


async def burner(ctx: Context, tokens: int) -> None:
    """Spends so many for each message."""
    async for _ in ctx.inbox:
        actors.spend(tokens=tokens)


def spent_by(system: System, ref: Ref | str) -> int:
    """How many tokens are entered in its budget."""
    state = system.budget(ref)
    assert state is not None
    return state.spent.tokens
