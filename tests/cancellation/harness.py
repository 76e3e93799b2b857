"""Do something at the n-th step of a run, for n = 1, 2, 3 ... until the run ends before that step.

Mostly: cancel it, whole or a single call of it.

A step is what trio does between two switches of tasks, so every checkpoint of every task
is one. Each n is a run of its own with a clock that jumps and a seeded scheduler: the
same n is the same moment each time, and a failing n can be run alone.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from typing import Any, Self

import attrs
import trio
from trio.testing import MockClock

import actors
from actors.system import System
from tests.leftovers import TaskWatch, relics

__all__ = ["Act", "At", "Life", "Lives", "Player", "cut", "sweep"]

LIMIT = 5_000
"""More steps than any scenario has: a run that never becomes clean is a fault."""
HANGS = 1e6
"""Virtual seconds after which a run hangs."""


class At(trio.abc.Instrument):
    """Calls `action` when the `step`-th task step inside its block begins."""

    def __init__(self, step: int, action: Callable[[], None]) -> None:
        self.step = step
        self.action = action
        self.count = 0

    def __enter__(self) -> Self:
        trio.lowlevel.add_instrument(self)
        return self

    def __exit__(self, *exc: object) -> None:
        trio.lowlevel.remove_instrument(self)

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self.count += 1
        if self.count == self.step:
            self.action()

    @property
    def too_late(self) -> bool:
        """The block ended before the step."""
        return self.count < self.step


@attrs.define(eq=False)
class Life:
    """One incarnation, as its own hooks saw it."""

    path: str
    started: bool = False
    stops: int = 0
    tidied: int = 0


@attrs.define
class Lives:
    """Every incarnation of one run; `handled` are the messages whose handlers returned."""

    all: list[Life] = attrs.field(factory=list[Life])
    cells: list[Any] = attrs.field(factory=list[Any])
    handled: list[object] = attrs.field(factory=list[object])

    def check(self) -> None:
        """Every incarnation had exactly one `on_stop`, which ran to its end; nothing is open."""
        for life in self.all:
            assert life.stops == 1, f"{life}: on_stop ran {life.stops} times"
            assert life.tidied == 1, f"{life}: on_stop was cut short"
        for cell in self.cells:
            assert not cell.pendings, f"{cell.path}: open requests {cell.pendings}"
            assert not cell.timers, f"{cell.path}: timers {cell.timers}"
            assert not cell.senders, f"{cell.path}: senders {cell.senders}"


@actors.message
class Act(actors.Request[str]):
    """Takes `seconds`; then fails, stops the actor, asks `whom`, or just returns."""

    seconds: float = 0.0
    then: str = "return"
    whom: actors.Ref | None = None
    key: int = 0


class Player(actors.Supervisor):
    """Starts `below` as its children and takes its time for everything."""

    def __init__(self, lives: Lives, *below: str, fails: list[bool] | None = None) -> None:
        self.lives = lives
        self.below = below
        self.fails = fails
        self.life = Life(self.ctx.ref.path)
        lives.all.append(self.life)
        lives.cells.append(self.ctx.ref.cell)

    async def on_start(self) -> None:
        await trio.sleep(0.25)
        for name in self.below:
            await self.start(Player, self.lives, name=name)
        if self.fails and self.fails.pop(0):
            raise ValueError("start")
        self.ctx.every(1.0, Act(0.1))
        self.life.started = True

    async def on_stop(self, exit: actors.Exit) -> None:
        self.life.stops += 1
        await trio.sleep(0.5)
        self.life.tidied += 1

    @actors.receive
    async def act(self, message: Act) -> str:
        await trio.sleep(message.seconds)
        if message.then == "fail":
            raise ValueError("act")
        if message.then == "stop":
            self.ctx.stop()
        if message.whom is not None:
            return await message.whom.ask(Act(1.0), timeout=5.0)
        if message.key:
            self.lives.handled.append(message.key)
        return self.ctx.ref.path


Scenario = Callable[[Lives, int], Awaitable[At]]
"""Does something at the given step of a part of it, and says by the `At` whether it came to that."""


@contextmanager
def cut(step: int) -> Generator[tuple[At, trio.CancelScope]]:
    """A block that is cancelled at its `step`-th step, and swallows that."""
    with trio.CancelScope() as scope, At(step, scope.cancel) as at:
        yield at, scope


def sweep(scenario: Scenario, seed: int) -> int:
    """Run `scenario` for each step until there is no such step; the number of steps it has."""
    for step in range(1, LIMIT):
        trio._core._run._r.seed(seed)  # type: ignore[attr-defined]  # the order of tasks in a batch
        try:
            if trio.run(_one_run, scenario, step, clock=MockClock(autojump_threshold=0)):
                return step
        except BaseException as error:
            error.add_note(f"at step {step}, seed {seed}")
            raise
    raise AssertionError(f"no clean run within {LIMIT} steps")


async def _one_run(scenario: Scenario, step: int) -> bool:
    lives = Lives()
    with trio.fail_after(HANGS), TaskWatch() as watch, _systems() as systems:
        at = await scenario(lives, step)
    left = watch.left_behind(trio.lowlevel.current_task()) + relics(systems)
    assert not left, left
    lives.check()
    return at.too_late


@contextmanager
def _systems() -> Generator[list[System]]:
    """Every system that is made inside the block."""
    made: list[System] = []
    original = System.__init__

    def remember(system: System, *args: Any) -> None:
        made.append(system)
        original(system, *args)

    System.__init__ = remember  # type: ignore[method-assign]
    try:
        yield made
    finally:
        System.__init__ = original  # type: ignore[method-assign]
