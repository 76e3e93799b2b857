"""A pane that survived its system is found again by the next."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
import trio

import actors
from actors.process import NotPasteable, Paste, TerminalNotStarted
from actors.process.terminal.home import Home, longest_folder
from tests.process.terminal.conftest import left_in, processes_of
from tests.process.terminal.programs import Onlooker, agent, says, shell
from tests.process.witnesses import Lifeline

PID = Paste("!print(os.getpid())")
KILLED = """
import os, sys, trio, actors
from actors.process import Paste
from tests.process.terminal.programs import agent
async def main():
    async with actors.open_system("test") as system:
        ref = await system.start(agent(folder=sys.argv[1] or None), name="ada")
        print(await ref.ask(Paste("!word = 42; print(os.getpid())")), flush=True)
        if len(sys.argv) > 2:
            ref.tell(Paste("!open(%r).read()" % sys.argv[2]))
            await trio.testing.wait_all_tasks_blocked()
            await trio.sleep(0)
        os.kill(os.getpid(), 9)
import trio.testing
trio.run(main)
"""


def killed(*arguments: str) -> int:
    """A system with a terminal is killed by SIGKILL; the number of the program's process."""
    done = subprocess.run([sys.executable, "-c", KILLED, *arguments], stdout=subprocess.PIPE, check=False)
    assert done.returncode == -signal.SIGKILL
    return int(done.stdout)


async def test_what_survived_a_kill_is_adopted(folder: Path) -> None:
    """It is the same process, with all that it knows."""
    pid = await trio.to_thread.run_sync(killed, str(folder))
    async with actors.open_system("test") as system:
        ref = await system.start(agent(folder=folder), name="ada")
        assert await ref.ask(PID) == str(pid)
        assert await ref.ask(Paste("!print(word)")) == "42"
    assert left_in(folder) == []


async def test_the_first_paste_into_what_is_found_may_have_several_lines(folder: Path) -> None:
    """How the program takes a paste was noted; one that reads lines still gets none."""
    terminals = {"ada": agent(folder=folder, keep=True), "bob": says(folder=folder, keep=True)}
    async with actors.open_system("test") as system:
        for name, terminal in terminals.items():
            await (await system.start(terminal, name=name)).ask(Paste("hello"))
    async with actors.open_system("test") as system:
        ada, bob = [await system.start(terminal, name=name) for name, terminal in terminals.items()]
        assert await ada.ask(Paste("one\ntwo")) == "7 characters: 'one\\ntwo'...'one\\ntwo'"
        with pytest.raises(NotPasteable):
            await bob.ask(Paste("one\ntwo"))
        for ref in (ada, bob):
            ref.kill()


async def test_without_a_folder_nothing_survives_a_kill(folder: Path) -> None:
    """The server ends with its only client; an empty place is left."""
    await trio.to_thread.run_sync(killed, "")
    with trio.fail_after(10):
        while processes_of(folder):
            await trio.lowlevel.checkpoint()


async def test_what_is_kept_survives_a_clean_end(folder: Path) -> None:
    """Until a system ends it that keeps nothing."""
    async with actors.open_system("test") as system:
        ref = await system.start(agent(folder=folder, keep=True), name="ada")
        pid = await ref.ask(PID)
    async with actors.open_system("test") as system:
        ref = await system.start(agent(folder=folder, keep=True), name="ada")
        assert await ref.ask(PID) == pid
        ref.stop()
        assert (await ref.wait_stopped()).value is None
        ref = await system.start(agent(folder=folder), name="ada")
        assert await ref.ask(PID) == pid
    assert left_in(folder) == []


async def test_a_kill_ends_also_what_is_kept(folder: Path) -> None:
    """Its next start is a new one."""
    async with actors.open_system("test") as system:
        ref = await system.start(agent(folder=folder, keep=True), name="ada")
        ref.kill()
        await ref.wait_stopped()
        assert left_in(folder) == []


async def test_another_program_is_never_adopted(folder: Path) -> None:
    """What runs under the name, but is not what is asked for, is ended."""
    async with actors.open_system("test") as system:
        await system.start(agent(folder=folder, keep=True), name="ada")
    async with actors.open_system("test") as system:
        ref = await system.start(says(folder=folder), name="ada")
        assert await ref.ask(Paste("hello")) == "you said: hello"
        assert [line for line in processes_of(folder) if "python" in line] == []


async def test_a_pane_whose_program_has_ended_is_started_anew(folder: Path, lifeline: Lifeline) -> None:
    """So is one whose server was killed."""
    script = says().argv[2]
    terminal = shell(f'exec 9>"{lifeline.path}"; {script}', folder=folder, keep=True)
    async with actors.open_system("test") as system:
        ref = await system.start(terminal, name="ada")
        person = await Onlooker.at(system, ref)
    await person.does("send-keys", "-t", "ada", "C-d")
    await lifeline.wait_released(10)
    async with actors.open_system("test") as system:
        ref = await system.start(terminal, name="ada")
        assert await ref.ask(Paste("one")) == "you said: one"
        person = await Onlooker.at(system, ref)
    await person.does("kill-server")
    async with actors.open_system("test") as system:
        ref = await system.start(says(folder=folder), name="ada")
        assert await ref.ask(Paste("two")) == "you said: two"


async def test_a_place_belongs_to_one_living_system(folder: Path) -> None:
    """Two that paste into one pane would mix."""
    async with actors.open_system("test") as system:
        await system.start(says(folder=folder), name="ada")
        with pytest.raises(TerminalNotStarted, match="held by another living system"):
            Home.named(str(folder), "ada", "test:/ada")
        other = await system.start(says(folder=folder), name="bob")
        assert await other.ask(Paste("hello")) == "you said: hello"


async def test_a_server_that_no_terminal_started_is_left_alone(folder: Path) -> None:
    """It is somebody's."""
    home = Home.named(str(folder), "ada", "test:/ada")
    home.release()
    tmux = ["tmux", "-S", str(home.socket), "-f", "/dev/null"]
    await trio.run_process([*tmux, "new-session", "-d", "cat"])
    async with actors.open_system("test") as system:
        with pytest.raises(actors.StartFailed, match="no Terminal has started"):
            await system.start(says(folder=folder), name="ada")
    await trio.run_process([*tmux, "kill-server"])


async def test_a_folder_needs_a_name(folder: Path) -> None:
    """By which it is found again."""
    async with actors.open_system("test") as system:
        exit = await system.spawn(says(folder=folder)).wait_stopped()
        assert "spawn it with name=" in exit.reason


def test_folders_are_checked_when_they_are_written(tmp_path: Path) -> None:
    """A socket has a name of 107 bytes at most."""
    with pytest.raises(ValueError, match="too long for the socket"):
        says(folder="/" + "x" * longest_folder())
    assert says(folder="/" + "x" * (longest_folder() - 1)).folder is not None
    with pytest.raises(ValueError, match="needs a folder="):
        says(keep=True)


@pytest.mark.parametrize("name", ["odd 'name' #{x};", "ü" * 20])
async def test_odd_folders_are_as_good_as_others(folder: Path, name: str) -> None:
    """Also one so long that the name of the actor has no room."""
    async with actors.open_system("test") as system:
        ref = await system.start(says(folder=folder / name), name="a.b-c_d")
        assert await ref.ask(Paste("hello")) == "you said: hello"
    long = folder / ("y" * (longest_folder() - len(str(folder)) - 1))
    home = Home.named(str(long), "x" * 100, "key")
    assert len(bytes(home.socket)) == 107
    home.remove()


def test_a_folder_that_others_may_enter_is_refused(folder: Path) -> None:
    """They could type into it."""
    home = Home.named(str(folder), "ada", "key")
    home.path.chmod(0o755)
    home.release()
    with pytest.raises(TerminalNotStarted, match="chmod 700"):
        Home.named(str(folder), "ada", "key")
