"""A process as an actor, with real processes: nothing here sleeps, everything waits for lines and ends."""

from __future__ import annotations

import logging
import math
import os
import shlex
import signal
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
import trio

import actors
from actors.events import DeadLetter, DeadLetterReason
from actors.process import Command, Completed, ProcessFailed, ProcessNotStarted
from actors.process import group as group_module
from actors.process import run as run_module
from actors.process.group import ProcessGroup
from tests.process.witnesses import Heard, Lifeline, runs

IMPATIENT = actors.Policy(shutdown=0.1, restart="temporary")
DEAF = "trap '' TERM; echo up; sleep 60 & wait"
"""Ignores TERM, and so do its children."""
WAITS_FOR_TERM = (
    "import os, signal\n"
    "TERM = signal.SIGTERM\n"
    "signal.pthread_sigmask(signal.SIG_BLOCK, [TERM])\n"
    "def said(what): os.write(1, f'{what}\\n'.encode())\n"
)
"""The start of a script that takes TERM with `sigwait`, so that it cannot miss it."""
LEAVES_A_CHILD = WAITS_FOR_TERM + (
    "ready, up = os.pipe()\nif os.fork(): os.read(ready, 1); os._exit(0)\nos.write(up, b'.')\n"
)
"""The same, in a child whose leader has ended, or is about to."""


class Anything(actors.Request[str]):
    pass


def shell(script: str, **options: Any) -> Command:
    return Command(["sh", "-c", script], **options)


def python(script: str, **options: Any) -> Command:
    return Command([sys.executable, "-c", script], **options)


async def exit_of(command: Command, policy: actors.Policy | None = None) -> actors.Exit:
    """Run a command as an adhoc actor to its end."""
    async with actors.open_system("test") as system:
        return await system.spawn(command, policy=policy).wait_stopped()


async def completed(command: Command) -> Completed:
    exit = await exit_of(command)
    assert exit.kind is actors.ExitKind.NORMAL, exit
    return exit.value


# --- its value --------------------------------------------------------------------


async def test_its_value_is_what_it_wrote_and_returned() -> None:
    """Both outputs apart, as bytes."""
    assert await completed(shell("echo out; echo err >&2")) == Completed(0, b"out\n", b"err\n", 0)


async def test_a_code_is_a_failure() -> None:
    """A process that returns something else than 0 has failed, and its error tells all."""
    exit = await exit_of(shell("echo out; echo why >&2; exit 3"))
    assert exit.kind is actors.ExitKind.FAILED
    assert isinstance(exit.error, ProcessFailed)
    assert exit.error.completed == Completed(3, b"out\n", b"why\n", 0)
    assert exit.error.argv[0] == "sh"
    assert "ended with code 3" in exit.reason
    assert "why" in exit.reason


async def test_death_by_a_signal_is_a_failure() -> None:
    """The code is minus the number of the signal."""
    exit = await exit_of(shell("kill -KILL $$"))
    assert isinstance(exit.error, ProcessFailed)
    assert exit.error.completed.returncode == -signal.SIGKILL


async def test_without_check_a_code_is_an_answer() -> None:
    """The exit is NORMAL, and the value has the code."""
    assert (await completed(shell("exit 3", check=False))).returncode == 3


async def test_a_named_process_that_fails_is_started_again(tmp_path: Path) -> None:
    """It is an actor like others: its restart type decides."""
    policy = actors.Policy(backoff=actors.Backoff(initial=0.0, maximum=0.0), breaker=None)
    async with actors.open_system("test") as system:
        second = shell("test -e once || { touch once; exit 1; }", cwd=tmp_path)
        ref = system.spawn(second, name="twice", policy=policy)
        exit = await ref.wait_stopped()
        assert exit.kind is actors.ExitKind.NORMAL
        assert ref.statistics().restarts == 1


async def test_the_folder_and_the_environment_are_its_own(tmp_path: Path) -> None:
    """`cwd` is where it starts, `env` is all it knows."""
    command = shell("touch here; echo $NAME", cwd=tmp_path, env={"NAME": "value", "PATH": os.environ["PATH"]})
    assert (await completed(command)).stdout == b"value\n"
    assert await trio.Path(tmp_path / "here").exists()


async def test_the_last_bytes_are_kept_and_the_others_counted() -> None:
    """`max_output` bounds each stream, `dropped` counts both."""
    value = await completed(shell("echo 0123456789; echo abcdefgh >&2", max_output=4))
    assert value == Completed(0, b"789\n", b"fgh\n", 7 + 5)


async def test_a_command_takes_no_arguments() -> None:
    """They belong into its argv, and the error says so."""
    async with actors.open_system("test") as system:
        with pytest.raises(TypeError, match="write them into its argv"):
            system.spawn(shell("true"), "more")


# --- start ------------------------------------------------------------------------


async def test_it_is_ready_when_the_program_runs(heard: Heard) -> None:
    """`start` returns while it runs; it is a process, and busy."""
    async with actors.open_system("test") as system:
        ref = await system.start(shell("echo up; exec sleep 60", on_output=heard), name="sleeper")
        assert ref.state is actors.ActorState.BUSY
        assert system.tree().children[0].kind == "process"
        await heard.wait_for(b"up")


async def test_a_missing_program_is_a_failed_start() -> None:
    """The error names the program and the cause, and the name is free again."""
    async with actors.open_system("test") as system:
        with pytest.raises(actors.StartFailed, match=r"cannot start no-such-program.*No such file") as caught:
            await system.start(Command(["no-such-program", "-x"]), name="missing")
        assert isinstance(caught.value.error, ProcessNotStarted)
        assert isinstance(caught.value.error.__cause__, FileNotFoundError)
        assert system.find("/missing") is None


async def test_a_file_that_is_no_program_is_a_failed_start(tmp_path: Path) -> None:
    """It lacks the permission, and the cure says how to give it."""
    (tmp_path / "data").write_text("data")
    exit = await exit_of(Command([tmp_path / "data"]))
    assert exit.kind is actors.ExitKind.START_FAILED
    assert "chmod +x" in exit.reason


async def test_a_missing_folder_is_a_failed_start(tmp_path: Path) -> None:
    """It is the folder that is named, not the program."""
    exit = await exit_of(shell("true", cwd=tmp_path / "nowhere"))
    assert exit.kind is actors.ExitKind.START_FAILED
    assert "Pass as cwd= a folder that is there" in exit.reason


async def test_a_word_that_no_program_can_be_given_is_a_failed_start() -> None:
    """Also what is no fault of the operating system names the command."""
    exit = await exit_of(Command(["echo", "\ud800"]))
    assert exit.kind is actors.ExitKind.START_FAILED
    assert isinstance(exit.error, ProcessNotStarted)


@pytest.mark.parametrize("order", ["stop", "drain", "kill"])
async def test_an_order_before_the_task_runs_starts_nothing(order: str, tmp_path: Path) -> None:
    """Stopped in the step in which it was spawned, it has never been."""
    async with actors.open_system("test") as system:
        ref = system.spawn(shell("touch started", cwd=tmp_path))
        getattr(ref, order)()
        exit = await ref.wait_stopped()
    assert exit.kind is (actors.ExitKind.KILLED if order == "kill" else actors.ExitKind.SHUTDOWN)
    assert exit.value is None
    assert not (tmp_path / "started").exists()


@pytest.mark.parametrize("order", ["stop", "drain", "kill"])
async def test_an_order_during_the_start_ends_what_was_started(
    order: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process comes up just to be ended, and was never ready."""
    opened = trio.lowlevel.open_process

    async def ordered_meanwhile(*args: Any, **options: Any) -> trio.Process:
        process = await opened(*args, **options)
        getattr(ref, order)()
        return process

    monkeypatch.setattr(trio.lowlevel, "open_process", ordered_meanwhile)
    async with actors.open_system("test") as system:
        ref = system.spawn(Command(["sleep", "60"]))
        with pytest.raises(actors.ActorStopped):
            await ref.wait_started()
        exit = await ref.wait_stopped()
    if order == "kill":
        assert exit.kind is actors.ExitKind.KILLED
    else:
        assert exit.kind is actors.ExitKind.SHUTDOWN
        assert exit.value.returncode == -signal.SIGTERM


async def test_a_cancelled_start_leaves_nothing() -> None:
    """Whoever gives up waiting has no process to look after; the fixture sees that none is left."""
    async with actors.open_system("test") as system:
        with trio.CancelScope() as scope:
            scope.cancel()
            await system.start(Command(["sleep", "60"]), name="sleeper")
        assert scope.cancelled_caught
        assert system.find("/sleeper") is None


# --- output -----------------------------------------------------------------------


@pytest.mark.row(44)
async def test_lines_come_as_they_are_written(heard: Heard) -> None:
    """They are there before the process ends: it waits for an answer to its last one."""
    async with actors.open_system("test") as system:
        ref = system.spawn(shell("echo one; echo two >&2; echo three; exec sleep 60", on_output=heard))
        await heard.wait_for(b"three")
        await heard.wait_for(b"two")
        assert ref.state is actors.ActorState.BUSY
        assert [line for line in heard.lines if line[0] == "stdout"] == [
            ("stdout", b"one"),
            ("stdout", b"three"),
        ]
        assert ("stderr", b"two") in heard.lines


@pytest.mark.row(44)
async def test_a_hundred_megabytes_need_no_more_memory_than_a_few() -> None:
    """Lines are handed on and forgotten; the value has the end of them."""
    lines = bytes_seen = 0

    def count(stream: str, line: bytes) -> None:
        nonlocal lines, bytes_seen
        lines += 1
        bytes_seen += len(line) + 1

    script = "import sys\nfor _ in range(100): sys.stdout.buffer.write((b'x' * 999 + b'\\n') * 1000)"
    async with actors.open_system("test") as system:
        tracemalloc.start()
        try:
            exit = await system.spawn(python(script, on_output=count, max_output=65536)).wait_stopped()
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert (lines, bytes_seen) == (100_000, 100_000_000)
    assert len(exit.value.stdout) == 65536
    assert exit.value.dropped == 100_000_000 - 65536
    assert peak < 2_000_000


@pytest.mark.row(44)
async def test_a_line_without_end_is_handed_on_in_pieces(heard: Heard) -> None:
    """`max_line` bounds what waits for a newline."""
    value = await completed(shell("printf abcdefgh; echo; echo ij", on_output=heard, max_line=3))
    assert [line for _, line in heard.lines] == [b"abc", b"def", b"gh", b"ij"]
    assert value.stdout == b"abcdefgh\nij\n"


async def test_the_last_line_needs_no_newline(heard: Heard) -> None:
    """It comes when the process has ended."""
    await completed(shell("printf last", on_output=heard))
    assert heard.lines == [("stdout", b"last")]


async def test_a_callback_that_raises_is_dropped_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    """The process goes on, and so does the reading."""
    calls: list[bytes] = []

    def broken(stream: str, line: bytes) -> None:
        calls.append(line)
        raise RuntimeError("a fault of the callback")

    with caplog.at_level(logging.ERROR):
        value = await completed(shell("echo one; echo two", on_output=broken))
    assert value.stdout == b"one\ntwo\n"
    assert calls == [b"one"]
    assert "a fault of the callback" in caplog.text


async def test_a_callback_may_tell_actors_in_the_name_of_the_process() -> None:
    """It runs in a task of the process's actor, which is the sender."""
    senders: list[actors.Ref | None] = []

    async def listener(ctx: actors.Context) -> None:
        async for _ in ctx.inbox:
            senders.append(ctx.sender)
            return

    async with actors.open_system("test") as system:
        ear = system.spawn(listener)
        ref = system.spawn(shell("echo hello", on_output=lambda _, line: ear.tell(line)))
        with trio.fail_after(20):
            await ear.wait_stopped()
    assert senders == [ref]


async def test_output_counts_as_activity(heard: Heard) -> None:
    """What it wrote is the last activity of the actor."""
    async with actors.open_system("test") as system:
        ref = await system.start(shell("read go; echo up; exec sleep 60", input="go\n", on_output=heard))
        before = trio.current_time()
        await heard.wait_for(b"up")
        activity = ref.statistics().last_activity
        assert activity is not None
        assert before - 1 < activity <= trio.current_time()


# --- input ------------------------------------------------------------------------


async def test_a_large_input_and_a_large_output_do_not_block_each_other() -> None:
    """Ten megabytes go through `cat`, many times what two pipes hold."""
    data = bytes(range(256)) * 40_000
    value = await completed(Command(["cat"], input=data, max_output=len(data)))
    assert value.stdout == data


async def test_text_is_utf_8() -> None:
    """A str is encoded."""
    assert (await completed(Command(["cat"], input="grün"))).stdout.decode() == "grün"


async def test_without_input_stdin_is_empty() -> None:
    """A reader sees its end at once, and never our terminal."""
    assert await completed(Command(["cat"])) == Completed(0, b"", b"", 0)


async def test_an_empty_input_is_an_empty_stdin() -> None:
    """It is written and closed like any other."""
    assert await completed(Command(["cat"], input=b"")) == Completed(0, b"", b"", 0)


@pytest.mark.parametrize("script", ["exec <&-; echo ok", "head -c 1 >/dev/null; echo ok"])
async def test_input_that_is_not_read_is_no_failure(script: str) -> None:
    """A process may close its stdin when it has enough."""
    assert (await completed(shell(script, input=b"x" * 1_000_000))).stdout == b"ok\n"


# --- stopping ---------------------------------------------------------------------


@pytest.mark.parametrize("order", ["stop", "drain"])
async def test_an_order_lets_it_finish(order: str, heard: Heard) -> None:
    """It gets TERM, and what it does with it is its own: the exit is SHUTDOWN, with its value."""
    script = f"{WAITS_FOR_TERM}said('up')\nsignal.sigwait([TERM])\nsaid('bye')\nos._exit(7)\n"
    async with actors.open_system("test") as system:
        ref = system.spawn(python(script, on_output=heard), name="polite")
        await heard.wait_for(b"up")
        getattr(ref, order)()
        assert ref.state is actors.ActorState.STOPPING
        exit = await ref.wait_stopped()
    assert exit.kind is actors.ExitKind.SHUTDOWN
    assert exit.value == Completed(7, b"up\nbye\n", b"", 0)


async def test_an_ordered_death_by_term_is_no_failure(heard: Heard, lifeline: Lifeline) -> None:
    """`check` judges only what a process does by itself."""
    script = lifeline.held("echo up; sleep 60 & wait")
    async with actors.open_system("test") as system:
        ref = system.spawn(Command(script, on_output=heard), name="plain")
        await heard.wait_for(b"up")
        ref.stop()
        exit = await ref.wait_stopped()
        await lifeline.wait_released()
    assert exit.kind is actors.ExitKind.SHUTDOWN
    assert exit.value.returncode == -signal.SIGTERM


async def test_term_reaches_the_whole_group_once(heard: Heard) -> None:
    """Leader and child hear it, each once, whatever is ordered on top."""
    script = WAITS_FOR_TERM + (
        "who = 'leader' if os.fork() else 'child'\n"
        "said(f'{who} up')\n"
        "signal.sigwait([TERM])\n"
        "said(f'{who} term')\n"
        "if who == 'leader': os.wait()\n"
        "if signal.sigpending(): said(f'{who} again')\n"
    )
    async with actors.open_system("test") as system:
        ref = system.spawn(python(script, on_output=heard))
        await heard.wait_for(b"leader up")
        await heard.wait_for(b"child up")
        ref.drain()
        ref.stop()
        exit = await ref.wait_stopped()
    assert exit.kind is actors.ExitKind.SHUTDOWN
    assert sorted(exit.value.stdout.split(b"\n")[2:]) == [b"", b"child term", b"leader term"]


async def test_who_was_being_started_when_term_came_is_asked_later(
    heard: Heard, lifeline: Lifeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A child that lost TERM, and could not be seen to have at the first look, is found at the second."""
    looks: list[bool] = []
    look = group_module.hears_term

    def late(status: bytes) -> bool:
        looks.append(len(looks) == 0 or look(status))
        return looks[-1]

    def leader_alone(group: ProcessGroup) -> bool:
        os.kill(group.leader.pid, signal.SIGTERM)
        return True

    monkeypatch.setattr(group_module, "hears_term", late)
    monkeypatch.setattr(ProcessGroup, "terminate", leader_alone)
    async with actors.open_system("test") as system:
        argv = lifeline.held("sleep 60 & echo up; wait")
        ref = system.spawn(Command(argv, on_output=heard, linger=0.05))
        await heard.wait_for(b"up")
        ref.stop()
        exit = await ref.wait_stopped()
        await lifeline.wait_released()
    assert exit.kind is actors.ExitKind.SHUTDOWN
    assert looks == [True, False]


async def test_leaving_the_system_stops_it_in_order(heard: Heard, lifeline: Lifeline) -> None:
    """The end of the block is an order like any other."""
    async with actors.open_system("test") as system:
        ref = system.spawn(Command(lifeline.held("echo up; exec sleep 60"), on_output=heard))
        await heard.wait_for(b"up")
    exit = await ref.wait_stopped()
    assert exit.kind is actors.ExitKind.SHUTDOWN
    await lifeline.wait_released()


async def test_a_process_that_is_deaf_to_term_is_killed(heard: Heard, lifeline: Lifeline) -> None:
    """After `shutdown` seconds nobody is asked any more."""
    async with actors.open_system("test") as system:
        ref = system.spawn(Command(lifeline.held(DEAF), on_output=heard), policy=IMPATIENT)
        await heard.wait_for(b"up")
        ref.stop()
        exit = await ref.wait_stopped()
        await lifeline.wait_released()
    assert exit.kind is actors.ExitKind.KILLED
    assert "0.1 s" in exit.reason


async def test_a_deaf_child_of_a_polite_leader_is_killed_too(heard: Heard, lifeline: Lifeline) -> None:
    """The group has not stopped as long as one of it has not."""
    script = "(trap '' TERM; echo up; exec sleep 60) & wait"
    async with actors.open_system("test") as system:
        ref = system.spawn(Command(lifeline.held(script), on_output=heard), policy=IMPATIENT)
        await heard.wait_for(b"up")
        ref.stop()
        exit = await ref.wait_stopped()
        await lifeline.wait_released()
    assert exit.kind is actors.ExitKind.KILLED


async def test_without_shutdown_it_is_killed_at_once(heard: Heard, lifeline: Lifeline) -> None:
    """Nobody is asked when there is no time to answer."""
    policy = actors.Policy(shutdown=0)
    script = lifeline.held("trap 'echo bye' TERM; echo up; sleep 60 & wait")
    async with actors.open_system("test") as system:
        ref = system.spawn(Command(script, on_output=heard), policy=policy)
        await heard.wait_for(b"up")
        ref.stop()
        exit = await ref.wait_stopped()
        await lifeline.wait_released()
    assert exit.kind is actors.ExitKind.KILLED
    assert [line for _, line in heard.lines] == [b"up"]


@pytest.mark.row(43)
async def test_killing_reaches_the_whole_group(heard: Heard, lifeline: Lifeline) -> None:
    """A child that forked a sleeper, both deaf to TERM: no survivor, long before the sleeper is over."""
    async with actors.open_system("test") as system:
        script = lifeline.held("trap '' TERM; sleep 60 & echo pid $!; wait")
        ref = system.spawn(Command(script, on_output=heard), policy=actors.Policy(shutdown=math.inf))
        sleeper = int(await heard.wait_for(b"pid "))
        assert runs(sleeper)
        with trio.fail_after(10):
            ref.kill()
            exit = await ref.wait_stopped()
            await lifeline.wait_released()
    assert exit.kind is actors.ExitKind.KILLED
    assert not runs(sleeper)


@pytest.mark.row(43)
async def test_a_cancelled_block_kills_the_whole_group(heard: Heard, lifeline: Lifeline) -> None:
    """When the block is left, nobody of the group is left."""
    with trio.CancelScope() as scope:
        async with actors.open_system("test") as system:
            script = lifeline.held("trap '' TERM; sleep 60 & echo pid $!; wait")
            ref = system.spawn(Command(script, on_output=heard), policy=actors.Policy(shutdown=math.inf))
            sleeper = int(await heard.wait_for(b"pid "))
            scope.cancel()
    assert not runs(sleeper)
    assert (await ref.wait_stopped()).kind is actors.ExitKind.KILLED
    await lifeline.wait_released()


async def test_a_suspended_process_hears_term_too(heard: Heard) -> None:
    """It is woken to hear it."""
    async with actors.open_system("test") as system:
        ref = system.spawn(shell("echo pid $$; exec sleep 60", on_output=heard))
        pid = int(await heard.wait_for(b"pid "))
        os.kill(pid, signal.SIGSTOP)
        ref.stop()
        exit = await ref.wait_stopped()
    assert exit.kind is actors.ExitKind.SHUTDOWN


async def test_killing_during_the_wait_ends_the_wait(heard: Heard, lifeline: Lifeline) -> None:
    """`kill()` after `stop()` does not wait for `shutdown`."""
    async with actors.open_system("test") as system:
        policy = actors.Policy(shutdown=math.inf)
        ref = system.spawn(Command(lifeline.held(DEAF), on_output=heard), policy=policy)
        await heard.wait_for(b"up")
        ref.stop()
        ref.kill()
        exit = await ref.wait_stopped()
        await lifeline.wait_released()
    assert exit.kind is actors.ExitKind.KILLED


async def test_a_group_restart_stops_the_process_and_starts_it_again(heard: Heard) -> None:
    """Its supervisor's order is no failure either."""

    async def failing(ctx: actors.Context) -> None:
        async for _ in ctx.inbox:
            raise RuntimeError("once")

    quick = actors.Policy(backoff=actors.Backoff(initial=0.0, maximum=0.0), breaker=None)
    async with actors.open_system("test", strategy=actors.OneForAll()) as system:
        process = system.spawn(
            shell("echo pid $$; exec sleep 60", on_output=heard), name="process", policy=quick
        )
        sibling = await system.start(failing, name="sibling", policy=quick)
        first = int(await heard.wait_for(b"pid "))
        async with system.subscribe(actors.events.Restarted) as events:
            sibling.tell("fail")
            with trio.fail_after(20):
                async for event in events:
                    if event.ref == process:
                        break
        assert not runs(first)
        assert process.statistics().failed == 0
        assert process.statistics().restarts == 1


# --- what a leader leaves behind --------------------------------------------------


async def test_what_a_leader_leaves_behind_is_ended(lifeline: Lifeline) -> None:
    """A child in the background that holds the pipes does not hold up the end."""
    async with actors.open_system("test") as system:
        ref = system.spawn(Command(lifeline.held("sleep 60 & echo $!; exit 0")))
        with trio.fail_after(20):
            exit = await ref.wait_stopped()
        assert exit.kind is actors.ExitKind.NORMAL
        assert not runs(int(exit.value.stdout))
        await lifeline.wait_released()


async def test_what_is_left_behind_may_finish() -> None:
    """It gets TERM, and what it writes then is part of the output."""
    script = LEAVES_A_CHILD + "signal.sigwait([TERM])\nsaid('bye')\n"
    assert (await completed(python(script, linger=math.inf))).stdout == b"bye\n"


async def test_what_is_left_behind_and_deaf_is_killed(lifeline: Lifeline) -> None:
    """`linger` seconds, then KILL."""
    command = Command(lifeline.held("trap '' TERM; sleep 60 & echo $!; exit 0"), linger=0.05)
    value = await completed(command)
    assert not runs(int(value.stdout))
    await lifeline.wait_released()


async def test_what_is_left_behind_without_the_pipes_is_ended_too(lifeline: Lifeline) -> None:
    """The end of the output does not prove the end of the group."""
    script = "trap '' TERM; (exec >/dev/null 2>&1; exec sleep 60) & echo $!; exit 0"
    value = await completed(Command(lifeline.held(script), linger=0.05))
    assert not runs(int(value.stdout))
    await lifeline.wait_released()


async def test_a_leader_that_fails_leaves_nothing_behind_either(lifeline: Lifeline) -> None:
    """A failure is told when the group is gone."""
    exit = await exit_of(Command(lifeline.held("sleep 60 & exit 4")))
    assert isinstance(exit.error, ProcessFailed)
    await lifeline.wait_released()


@pytest.mark.parametrize("order", ["stop", "kill"])
async def test_an_order_reaches_what_lingers(order: str, heard: Heard, lifeline: Lifeline) -> None:
    """The leader has ended, its deaf child lives: the order still ends it."""
    script = LEAVES_A_CHILD + "signal.sigwait([TERM])\nsaid('term')\nsignal.sigwait([signal.SIGUSR1])\n"
    argv = lifeline.held("exec " + shlex.join([sys.executable, "-c", script]))
    async with actors.open_system("test") as system:
        linger = 0.2 if order == "stop" else math.inf
        ref = system.spawn(Command(argv, on_output=heard, linger=linger))
        await heard.wait_for(b"term")
        getattr(ref, order)()
        exit = await ref.wait_stopped()
        await lifeline.wait_released()
    assert exit.kind is (actors.ExitKind.SHUTDOWN if order == "stop" else actors.ExitKind.KILLED)
    assert [line for _, line in heard.lines] == [b"term"]


async def test_a_descendant_that_left_the_group_does_not_hold_up_the_end() -> None:
    """It is out of reach and lives on, with the pipes; what was written before is all there."""
    script = (
        "import os, signal, sys\n"
        "ready, up = os.pipe()\n"
        "pid = os.fork()\n"
        "if not pid: os.setsid(); os.write(up, b'.'); signal.pause()\n"
        "os.read(ready, 1)\n"
        "os.write(1, b'%d\\n' % pid)\n"
    )
    with trio.fail_after(20):
        value = await completed(python(script))
    pid = int(value.stdout)
    assert runs(pid)
    os.kill(pid, signal.SIGKILL)


async def test_what_the_pipe_still_holds_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Readers that had no turn before the end miss nothing, though somebody holds the pipes."""

    async def no_turn(_: object) -> None:
        await trio.sleep_forever()

    monkeypatch.setattr(run_module._Stream, "read", no_turn)
    value = await completed(shell("echo out; echo err >&2"))
    assert value == Completed(0, b"out\n", b"err\n", 0)


async def test_where_groups_cannot_be_watched_the_pipes_tell(
    monkeypatch: pytest.MonkeyPatch, lifeline: Lifeline
) -> None:
    """Without pidfds and /proc the end of the output ends the wait, and KILL follows."""
    made = ProcessGroup.__init__

    def blind(group: ProcessGroup, leader: trio.Process) -> None:
        made(group, leader)
        group.watchable = False

    monkeypatch.setattr(ProcessGroup, "__init__", blind)
    async with actors.open_system("test") as system:
        ref = system.spawn(Command(lifeline.held("sleep 60 & echo $!; exit 0"), linger=math.inf))
        with trio.fail_after(20):
            exit = await ref.wait_stopped()
        assert exit.kind is actors.ExitKind.NORMAL
        await lifeline.wait_released()


# --- messages ---------------------------------------------------------------------


async def test_a_process_takes_no_messages(heard: Heard) -> None:
    """Told ones are dead letters at its end, asks end with it."""
    async with actors.open_system("test") as system:
        ref = await system.start(shell("echo up; exec sleep 60", on_output=heard))
        await heard.wait_for(b"up")
        ref.tell("hello")
        asked = ref.request(Anything())
        ref.stop()
        with pytest.raises(actors.ActorStopped):
            await asked.wait()
        await ref.wait_stopped()
        [letter] = system.dead_letters
        assert isinstance(letter, DeadLetter)
        assert (letter.message, letter.reason) == ("hello", DeadLetterReason.STOPPED)


async def test_there_is_nothing_to_interrupt(heard: Heard) -> None:
    """`interrupt()` is about messages; the process goes on."""
    async with actors.open_system("test") as system:
        ref = await system.start(shell("echo up; exec sleep 60", on_output=heard))
        assert not await ref.interrupt()
        assert ref.state is actors.ActorState.BUSY
