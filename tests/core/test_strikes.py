"""Ctrl-C may strike anywhere in a turn, and not only in the user's code: nothing hangs, and everybody ends.

The strikes are made by a trace function, at every so many places of one run: exactly where trio's
handler of the signal would raise KeyboardInterrupt.
"""

from __future__ import annotations

import gc
import sys
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any, Self

import pytest
import trio
from trio.testing import MockClock

import actors
from actors.core import turn
from tests.core.cast import AT_ONCE, Die, Echo, Note, settled
from tests.leftovers import relics

TAKES_NO_ROAD = True

CORE = str(Path(turn.__file__).parent)
EVERY = 7
"""Of so many places one is struck; a prime number, so that it is another one in each round of a loop."""


class Strike:
    """Raises KeyboardInterrupt at the n-th unprotected place of all turns inside its block."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.count = 0
        self.where = "nowhere"

    def __enter__(self) -> Self:
        self.former = sys.gettrace()
        sys.settrace(self._trace)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(self.former)

    def _trace(self, frame: FrameType, event: str, _: Any) -> Any:
        if not frame.f_code.co_filename.startswith(CORE):
            return None
        self._step(frame)
        return self._inside

    def _inside(self, frame: FrameType, event: str, _: Any) -> Any:
        if event == "line":
            self._step(frame)
        return self._inside

    def _step(self, frame: FrameType) -> None:
        if trio.lowlevel.currently_ki_protected() or not is_in_turn(frame):
            return
        self.count += 1
        if self.count == self.number:
            self.where = f"{frame.f_code.co_name}, line {frame.f_lineno}"
            sys.settrace(self.former)
            raise KeyboardInterrupt


def is_in_turn(frame: FrameType | None) -> bool:
    """True for code of an actor's turn, or code that it has called."""
    while frame is not None and frame.f_code is not turn.turn.__code__:
        frame = frame.f_back
    return frame is not None


class Bystander(actors.Actor):
    """Knows nothing of it, and ends in order."""

    def __init__(self, ended: list[str]) -> None:
        self.ended = ended

    def on_stop(self, exit: actors.Exit) -> None:
        self.ended.append(str(self.ctx.ref.name))


class BystanderWithTask(Bystander):
    async def on_start(self) -> None: ...


class Worker(actors.Actor):
    """Everything that an actor without a task can do."""

    def on_start(self) -> None:
        self.ctx.after(0.5, Note("timer"))

    def on_stop(self, exit: actors.Exit) -> None: ...

    @actors.receive
    def note(self, message: Note) -> None:
        if len(message.text) < 3:
            self.ctx.ref.tell(Note(message.text + "."))

    @actors.receive
    def echo(self, message: Echo) -> Any:
        return self.later() if message.text == "later" else message.text

    async def later(self) -> str:
        await trio.sleep(1)
        return "late"

    @actors.receive
    def die(self, message: Die) -> None:
        raise ArithmeticError("on purpose")


class Crew(actors.Supervisor):
    strategy = actors.OneForAll()

    def on_start(self) -> None:
        for name in ("a", "b"):
            self.spawn(Worker, name=name, policy=AT_ONCE)


async def play(strike: Strike, ended: list[str], systems: list[actors.System]) -> None:
    """A little of everything, and the strike somewhere in it."""
    async with actors.open_system("alpha", watchdog=None) as system:
        systems.append(system)
        await system.start(Bystander, ended, name="plain")
        await system.start(BystanderWithTask, ended, name="task")
        with strike:
            crew = await system.start(Crew)
            await settled()
            first, second = system.children(crew)
            first.tell(Note())
            with suppress(actors.ActorError):
                await second.ask(Echo("now"))
                await second.ask(Echo("later"), timeout=5.0)
            second.suspend()
            first.tell(Die())
            await trio.sleep(1)
            second.resume()
            await settled()
            first.drain()
            await first.wait_stopped()
            crew.stop()
            await crew.wait_stopped()


def struck(number: int) -> Strike:
    """One run, struck at this place."""
    strike, ended, systems = Strike(number), list[str](), list[actors.System]()
    with suppress(KeyboardInterrupt):
        trio.run(play, strike, ended, systems, clock=MockClock(autojump_threshold=0))
        assert strike.where == "nowhere", f"the strike in {strike.where} was lost"
    assert sorted(ended) == ["plain", "task"], strike.where
    systems[0]._kernel.alarms._table._heap.clear()  # one that was struck as it was set rings for nobody
    assert relics(systems) == [], strike.where
    return strike


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_ctrl_c_at_any_place_of_a_turn_ends_everybody() -> None:
    """It leaves as a plain KeyboardInterrupt; whoever was not struck has had its `on_stop`."""
    places = struck(0).count
    assert places > 300
    for number in range(1, places + 1, EVERY):
        struck(number)
    gc.collect()  # what was struck before it was awaited says so here, and not in a later test
