"""A process that says when it is ready: by itself, in a network, and when it never does."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

import actors
from actors.core.cell import Cell
from actors.process import Command, Completed, ProcessFailed
from actors.process.ready import ReadyLine
from tests.process.test_command import WAITS_FOR_TERM, python, shell
from tests.process.witnesses import Heard, Lifeline, runs

AT_ONCE = actors.Policy(backoff=actors.Backoff.immediate(), breaker=None)
STAYS = "exec sleep 60"


class Gate:
    """A shell that does `read go <gate` waits until it is opened, once for each time."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self.wait = f'read go <"{path}"'
        self._end = os.open(path, os.O_RDWR)  # for writing alone, it would have to wait for a reader

    def open(self) -> None:
        os.write(self._end, b"go\n")

    def close(self) -> None:
        os.close(self._end)


class Listener:
    """Follows an actor, and notes what was heard of it in the very step in which it was ready."""

    def __init__(self, heard: Heard) -> None:
        self._heard = heard
        self.heard_by_then: list[tuple[str, bytes]] = []

    def became_ready(self, cell: Cell) -> None:
        self.heard_by_then = list(self._heard.lines)

    def went(self, cell: Cell, exit: actors.Exit) -> None: ...


@pytest.fixture
def gates(tmp_path: Path) -> Any:
    """Makes gates, one a call."""
    made: list[Gate] = []

    def make() -> Gate:
        made.append(Gate(tmp_path / f"gate-{len(made)}"))
        return made[-1]

    yield make
    for gate in made:
        gate.close()


# --- processes --------------------------------------------------------------------


@pytest.mark.row(66)
async def test_it_is_ready_when_it_says_so(gates: Any, heard: Heard) -> None:
    """Not when its program runs, and what it said then was handed on by that time."""
    gate = gates()
    said = f"printf 'on port'; printf ' 80'; printf '\\n'; {STAYS}"
    command = shell(f"echo up; {gate.wait}; {said}", ready=r"port \d+\n", on_output=heard)
    async with actors.open_system("test") as system:
        ref = system.spawn(command, name="server")
        listener = Listener(heard)
        ref.cell.follow(listener)
        await heard.wait_for(b"up")
        assert ref.state is actors.ActorState.STARTING
        gate.open()
        await ref.wait_started()
        assert listener.heard_by_then == [("stdout", b"up"), ("stdout", b"on port 80")]
        assert ref.state is actors.ActorState.BUSY


@pytest.mark.row(66)
@pytest.mark.parametrize(
    ("script", "ready"),
    [("echo ready >&2", b"ready"), ("printf 'db> '", "^db> $"), ("echo no; echo ready; echo no", "ready")],
)
async def test_either_stream_and_a_prompt_will_do(script: str, ready: str | bytes) -> None:
    """`start` returns then; that the lines of `on_output` are cut elsewhere changes nothing."""
    async with actors.open_system("test") as system:
        await system.start(shell(f"{script}; {STAYS}", ready=ready, max_line=2, max_output=0))


async def test_a_line_is_looked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it writes afterwards is not searched."""
    searched: list[bytes] = []

    def feed(self: ReadyLine, stream: str, data: bytes) -> bool:
        searched.append(data)
        return b"ready" in b"".join(searched)

    monkeypatch.setattr(ReadyLine, "feed", feed)
    script = "import os\nos.write(1, b'ready\\n')\nfor _ in range(50): os.write(1, b'x' * 65536)\n"
    async with actors.open_system("test") as system:
        exit = await system.spawn(python(script, ready="ready")).wait_stopped()
    assert exit.kind is actors.ExitKind.NORMAL
    assert exit.value.dropped > 0
    assert sum(map(len, searched)) <= 65536


async def test_a_process_that_says_so_and_ends_was_ready() -> None:
    """Also when its last words are read after its end."""
    async with actors.open_system("test") as system, system.subscribe(actors.events.Started) as events:
        ref = system.spawn(shell("printf ready", ready="ready"))
        exit = await ref.wait_stopped()
        assert exit.value == Completed(0, b"ready", b"")
        async for event in events:
            if event.ref == ref:
                break


@pytest.mark.row(66)
@pytest.mark.parametrize("options", [{}, {"check": False}])
@pytest.mark.parametrize("code", [0, 3])
async def test_an_end_before_that_is_a_failed_start(code: int, options: dict[str, bool]) -> None:
    """With any code; the error names the command, its end, its last words and the expression."""
    command = shell(f"echo one; echo why >&2; exit {code}", ready="listening on", **options)
    async with actors.open_system("test") as system:
        with pytest.raises(actors.StartFailed) as caught:
            await system.start(command, name="server")
        assert system.find("/server") is None
    error = caught.value.error
    assert isinstance(error, ProcessFailed)
    assert error.completed == Completed(code, b"one\n", b"why\n")
    assert error.ready == re.compile("listening on")
    assert str(error) == (
        f"sh -c 'echo one; echo why >&2; exit {code}' ended with code {code} before a line of "
        f"its output said that it is ready; its stdout ends with\n    | one\n"
        f"and its stderr ends with\n    | why\n"
        f"(the line that was waited for matches ready='listening on')"
    )


async def test_a_failure_after_that_is_one_like_any_other() -> None:
    """It has been ready: the exit is FAILED, and the expression is not to blame."""
    async with actors.open_system("test") as system:
        exit = await system.spawn(shell("echo ready; exit 3", ready="ready")).wait_stopped()
    assert exit.kind is actors.ExitKind.FAILED
    assert isinstance(exit.error, ProcessFailed)
    assert exit.error.ready is None
    assert "pass check=False" in str(exit.error)


@pytest.mark.parametrize("order", ["stop", "drain", "kill"])
async def test_an_order_before_that_ends_the_start(order: str, heard: Heard, lifeline: Lifeline) -> None:
    """As with any start: whoever waits hears that it was stopped, and nothing is left."""
    command = Command(lifeline.held(f"echo pid $$; {STAYS}"), ready="ready", on_output=heard)
    async with actors.open_system("test") as system:
        ref = system.spawn(command, name="server")
        pid = int(await heard.wait_for(b"pid "))
        getattr(ref, order)()
        with pytest.raises(actors.ActorStopped):
            await ref.wait_started()
        exit = await ref.wait_stopped()
        await lifeline.wait_released()
    assert not runs(pid)
    assert exit.kind is (actors.ExitKind.KILLED if order == "kill" else actors.ExitKind.SHUTDOWN)


async def test_a_line_that_comes_after_the_order_makes_nobody_ready(heard: Heard) -> None:
    """It was stopped; what it says on its way out is output."""
    script = f"{WAITS_FOR_TERM}said('up')\nsignal.sigwait([TERM])\nsaid('ready')\n"
    async with actors.open_system("test") as system:
        ref = system.spawn(python(script, ready="ready", on_output=heard))
        await heard.wait_for(b"up")
        ref.stop()
        with pytest.raises(actors.ActorStopped):
            await ref.wait_started()
        exit = await ref.wait_stopped()
    assert exit.kind is actors.ExitKind.SHUTDOWN
    assert exit.value.stdout == b"up\nready\n"


async def test_each_incarnation_has_to_say_it_again(gates: Any, heard: Heard, tmp_path: Path) -> None:
    """What the one before said does not count for the next."""
    gate = gates()
    script = f"test -e once && echo again && {gate.wait}; touch once; echo ready; {gate.wait}; exit 3"
    async with actors.open_system("test") as system:
        command = shell(script, ready="^ready", cwd=tmp_path, on_output=heard)
        ref = await system.start(command, name="server", policy=AT_ONCE)
        gate.open()
        await heard.wait_for(b"again")
        assert ref.state is actors.ActorState.STARTING
        gate.open()
        await ref.wait_started()
        assert ref.statistics().restarts == 1


async def test_a_start_that_fails_is_tried_again(tmp_path: Path) -> None:
    """Code 0 is no return where it was never ready, and a transient process is started again."""
    script = f"test -e once || {{ touch once; exit 0; }}; echo ready; {STAYS}"
    async with actors.open_system("test") as system:
        ref = system.spawn(shell(script, ready="ready", cwd=tmp_path), name="server", policy=AT_ONCE)
        await system.wait_ready([ref])
        assert (ref.statistics().restarts, ref.statistics().failed) == (1, 1)


# --- limits -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("timeout", "error"),
    [
        (actors.Timeout(mode="fixed", initial=7, no_activity=None), actors.TimedOut),
        (actors.Timeout(mode="fixed", initial=90, no_activity=7), actors.Stalled),
    ],
)
async def test_a_process_that_never_says_it_is_bounded_by_its_limits(
    timeout: actors.Timeout, error: type[actors.ActorError], mock_clock: MockClock, heard: Heard
) -> None:
    """Its run is its whole life, the start with it. The clock stands, but for what the test does."""
    policy = actors.Policy(timeout=timeout, restart="temporary")
    async with actors.open_system("test") as system:
        command = shell(f"echo up; {STAYS}", ready="ready", on_output=heard)
        ref = system.spawn(command, name="mute", policy=policy)
        await heard.wait_for(b"up")
        mock_clock.jump(6.75)
        await wait_all_tasks_blocked()
        assert ref.state is actors.ActorState.STARTING
        mock_clock.jump(0.25)
        with pytest.raises(actors.StartFailed) as caught:
            await ref.wait_started()
    assert type(caught.value.error) is error
    assert "7 s" in str(caught.value.error)


async def test_an_error_pattern_ends_a_start(heard: Heard) -> None:
    """Even one in the same portion as the line: it was judged first."""
    policy = actors.Policy(stall=actors.Stall(), restart="temporary")
    async with actors.open_system("test") as system:
        command = shell(f"printf 'invalid API key\\nready\\n' >&2; {STAYS}", ready="ready")
        ref = system.spawn(command, name="server", policy=policy)
        with pytest.raises(actors.StartFailed, match="invalid API key"):
            await ref.wait_started()
        assert (await ref.wait_stopped()).kind is actors.ExitKind.PATTERN


# --- networks ---------------------------------------------------------------------


@pytest.mark.row(66)
async def test_a_network_of_processes_is_ready_when_each_has_said_so(gates: Any) -> None:
    """In the order in which they say it; the one that ends without is named."""
    says = {"planner": "echo ready", "searcher": "echo ready", "writer": "exit 0"}
    doors = {name: gates() for name in says}
    order = ["searcher", "planner", "writer"]
    steps: list[actors.SpawnStep] = []
    async with actors.open_system("test") as system:
        policy = actors.Policy(restart="temporary")
        refs = [
            system.spawn(
                shell(f"{doors[name].wait}; {said}; {STAYS}", ready="^ready"), name=name, policy=policy
            )
            for name, said in says.items()
        ]
        doors[order[0]].open()
        async for step in system.spawning(refs):
            steps.append(step)
            if step.done < step.total:
                doors[order[step.done]].open()
    assert [step.ref.name for step in steps] == order
    assert [step.state for step in steps[:2]] == [actors.ActorState.BUSY] * 2
    assert [type(step.error) for step in steps] == [type(None), type(None), actors.StartFailed]
    assert "ended with code 0 before a line" in str(steps[2].error)


async def test_who_has_not_said_it_in_time_is_late(mock_clock: MockClock) -> None:
    """The process runs on: it is late, and has not failed."""

    async def let_time_pass() -> None:
        await wait_all_tasks_blocked()
        mock_clock.jump(3)

    async with actors.open_system("test") as system, trio.open_nursery() as nursery:
        ref = system.spawn(Command(["sleep", "60"], ready="ready"), name="mute")
        nursery.start_soon(let_time_pass)
        with pytest.raises(actors.NotReady) as caught:
            await system.wait_ready([ref], timeout=3)
        assert caught.value.late == (ref,)
        assert ref.state is actors.ActorState.STARTING
