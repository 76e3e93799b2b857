"""Who is on stage in these tests: a diary, a few messages, and actors that do as they are told."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import attrs
import pytest
import trio
from trio.testing import wait_all_tasks_blocked

import actors
from actors import ActorState, Backoff, Breaker, Policy

__all__ = [
    "ONE",
    "TWO",
    "Boom",
    "Child",
    "Crash",
    "Diary",
    "Die",
    "Ping",
    "Quit",
    "Refuse",
    "Starts",
    "Work",
    "gives_up",
    "opened",
    "plain",
    "steady",
    "supervisor",
    "trio_of",
]


class Boom(Exception):
    """What these actors fail with."""


@attrs.define
class Diary:
    """What happened in one test, and when."""

    entries: list[tuple[float, str]] = attrs.field(factory=list[tuple[float, str]])

    def note(self, what: str) -> None:
        self.entries.append((trio.current_time(), what))

    @property
    def lines(self) -> list[str]:
        return [what for _, what in self.entries]

    def of(self, word: str) -> list[str]:
        """The second words of the lines that begin with `word`, in order."""
        return [line.split()[1] for line in self.lines if line.split()[0] == word]

    def times(self, what: str) -> list[float]:
        return [at for at, line in self.entries if line == what]

    def clear(self) -> None:
        self.entries.clear()


@actors.message
class Crash:
    text: str = "boom"


@actors.message
class Die(actors.Request[None]):
    """Asked for; its handling fails."""


@actors.message
class Ping(actors.Request[str]):
    pass


@actors.message
class Refuse(actors.Request[None]):
    pass


@actors.message
class Work(actors.Request[str]):
    """Takes `seconds`, and cannot be cancelled when it is `stubborn`."""

    seconds: float
    stubborn: bool = False


@actors.message
class Quit:
    pass


class Child(actors.Actor):
    """Writes `begin`, `start` and `stop` with its label into the diary.

    `starts` is a script of its starts: an error to raise, seconds to take, or None;
    each start takes one off. `stop` is what its `on_stop` does.
    """

    def __init__(
        self,
        label: str,
        diary: Diary,
        starts: list[Exception | float | None] | None = None,
        stop: Exception | float | None = None,
    ) -> None:
        self.label = label
        self.diary = diary
        self.starts = starts
        self.stop = stop

    async def on_start(self) -> None:
        self.diary.note(f"begin {self.label}")
        await play(self.starts.pop(0) if self.starts else None)
        self.diary.note(f"start {self.label}")

    async def on_stop(self, exit: actors.Exit) -> None:
        self.diary.note(f"stop {self.label} {exit.kind}")
        await play(self.stop)

    @actors.receive
    def crash(self, message: Crash) -> None:
        raise Boom(message.text)

    @actors.receive
    def die(self, message: Die) -> None:
        raise Boom("asked to")

    @actors.receive
    def ping(self, message: Ping) -> str:
        self.diary.note(f"ping {self.label}")
        return self.label

    @actors.receive
    def refuse(self, message: Refuse) -> None:
        raise actors.Refused("no")

    @actors.receive
    async def work(self, message: Work) -> str:
        self.diary.note(f"work {self.label}")
        with trio.CancelScope(shield=message.stubborn):
            await trio.sleep(message.seconds)
        self.diary.note(f"done {self.label}")
        return self.label

    @actors.receive
    def quit(self, message: Quit) -> None:
        self.ctx.stop()


async def play(part: Exception | float | None) -> None:
    """One step of a script: raise, sleep, or nothing."""
    if isinstance(part, Exception):
        raise part
    if part is not None:
        await trio.sleep(part)


def steady(seconds: float) -> Backoff:
    """The same delay before every restart."""
    return Backoff(initial=seconds, maximum=seconds, factor=1.0, jitter=0.0)


def plain(delay: float = 0.0, breaker: Breaker | None = None, **more: Any) -> Policy:
    """A policy without a breaker and with a fixed delay, unless said otherwise."""
    more.setdefault("backoff", steady(delay))
    return Policy(breaker=breaker, **more)


def supervisor(
    start: Callable[[Any], Any], strategy: Any = None, auto_shutdown: Any = "never"
) -> type[actors.Supervisor]:
    """A supervisor class whose `on_start` awaits `start(self)`."""

    async def on_start(self: actors.Supervisor) -> None:
        await start(self)

    body = {"on_start": on_start, "auto_shutdown": auto_shutdown}
    if strategy is not None:
        body["strategy"] = strategy
    return type("Made", (actors.Supervisor,), body)


def gives_up() -> AbstractContextManager[pytest.ExceptionInfo[actors.SupervisorFailed]]:
    """Around the block of a system whose root gives up."""
    return pytest.raises(actors.SupervisorFailed)


TWO = plain(1, Breaker(failures=2, within=300.0, reset_after=60.0))
"""A policy whose breaker opens at the second failure."""
ONE = plain(1, Breaker(failures=1, reset_after=60.0))
"""A policy whose breaker opens at the first failure."""


async def opened(
    system: actors.System, diary: Diary | None = None, policy: Policy = ONE, stop: float | None = None
) -> actors.Ref:
    """An actor /a whose breaker has just opened."""
    ref = await system.start(Child, "a", diary or Diary(), None, stop, name="a", policy=policy)
    assert policy.breaker is not None
    for _ in range(policy.breaker.failures):
        await ref.wait_started()
        ref.tell(Crash())
        await wait_all_tasks_blocked()
    assert ref.state is ActorState.CIRCUIT_OPEN or stop
    return ref


Starts = list[Exception | float | None]


async def trio_of(
    system: actors.System,
    diary: Diary,
    *,
    starts: dict[str, Starts] | None = None,
    policy: Policy | None = None,
) -> tuple[actors.Ref, actors.Ref, actors.Ref]:
    """Start a, b and c with a backoff of two seconds, unless said otherwise."""
    refs: list[actors.Ref] = []
    for name in ("a", "b", "c"):
        script = [None, *(starts or {}).get(name, [])]
        refs.append(await system.start(Child, name, diary, script, name=name, policy=policy or plain(2)))
    diary.clear()
    return refs[0], refs[1], refs[2]
