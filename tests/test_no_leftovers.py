"""The fixture that looks for leftovers turns red on each kind of leak (negative control)."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

LEAKS = """
import os, random, socket, subprocess, sys, threading
import trio
import actors

KEPT = []


async def forever(ctx):
    await trio.sleep_forever()


async def test_clean(autojump_clock):
    async with actors.open_system("alpha") as system:
        await system.start(forever, name="worker", policy=actors.Policy(shutdown=0.0))
        await trio.to_thread.run_sync(int)  # in a worker thread, which trio keeps


def test_clean_without_trio():
    thread = threading.Thread(target=int)
    thread.start()


async def test_clean_nursery(nursery):
    nursery.start_soon(trio.sleep_forever)


async def test_task():
    trio.lowlevel.spawn_system_task(trio.sleep_forever, name="stray task")


async def test_process():
    KEPT.append(subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE))


def test_zombie():
    child = subprocess.Popen([sys.executable, "-c", ""])
    KEPT.append(child)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)


def test_socket():
    KEPT.extend(socket.socketpair())


def test_pipe():
    KEPT.extend(os.pipe())


def test_thread():
    thread = threading.Thread(target=threading.Event().wait, name="stray thread", daemon=True)
    thread.start()


async def test_alarm():
    async with actors.open_system("alpha") as system:
        system._kernel.alarms.after(10, int)


async def test_group():
    async with actors.open_system("alpha") as system:
        system._kernel.join("crew", system._root)


async def test_system():
    actors.System("beta", actors.OneForOne(), None, random.Random())


"""

RED = {
    "test_task": "task stray task",
    "test_process": "process ",
    "test_zombie": "process ",
    "test_socket": "socket ",
    "test_pipe": "pipe ",
    "test_thread": "thread stray thread",
    "test_alarm": "1 live alarms, the next due at",
    "test_group": "groups crew",
    "test_system": "its root has not ended",
}
GREEN = {"test_clean", "test_clean_without_trio", "test_clean_nursery"}


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Test name → what pytest says of it, after one run of the leaking tests in a process of their own."""
    folder = tmp_path_factory.mktemp("leaks")
    (folder / "test_leaks.py").write_text(LEAKS)
    options = ["-p", "tests.conftest", "-p", "no:randomly", "-p", "no:cacheprovider", "-o", "trio_mode=true"]
    run = subprocess.run(
        [sys.executable, "-m", "pytest", *options, "-rA", "--tb=line", "-W", "ignore", "test_leaks.py"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "500"},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=50,
        check=False,
    )
    said: dict[str, str] = {}
    for line in run.stdout.splitlines():
        verdict, _, rest = line.partition(" test_leaks.py::")
        if rest and verdict in ("PASSED", "FAILED", "ERROR"):
            name, _, why = rest.partition(" - ")
            said[name] = f"{said.get(name, '')}{verdict} {why}\n"
    assert said, run.stdout + run.stderr
    return said


@pytest.mark.row(117)
@pytest.mark.parametrize("name", sorted(RED))
def test_a_leak_turns_the_fixture_red(verdicts: dict[str, str], name: str) -> None:
    """Each kind of leak fails its test, and the message names what was left."""
    red = [line for line in verdicts[name].splitlines() if line.startswith(("FAILED", "ERROR"))]
    assert len(red) == 1
    assert RED[name] in red[0]


@pytest.mark.row(117)
@pytest.mark.parametrize("name", sorted(GREEN))
def test_what_ends_in_order_stays_green(verdicts: dict[str, str], name: str) -> None:
    """A system that has ended, trio's cached worker threads and the nursery fixture are no leaks."""
    assert verdicts[name] == "PASSED \n"


def test_every_leaking_test_is_judged(verdicts: dict[str, str]) -> None:
    """The tables above name exactly the tests of the leaking file."""
    assert set(verdicts) == set(RED) | GREEN
