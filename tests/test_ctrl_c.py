"""A real SIGINT leaves `open_system` as a plain KeyboardInterrupt, wherever it strikes (contract §4)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

PROGRAM = """
import os, signal, sys
import trio
import actors


def strike():
    os.kill(os.getpid(), signal.SIGINT)


class Other(actors.Actor):
    async def on_stop(self, exit):
        print("other", exit.kind, flush=True)


class Striker(actors.Actor):
    @actors.receive
    async def note(self, message: str) -> None:
        strike()
        for _ in range(1000):
            await trio.sleep(0)


async def function(ctx):
    strike()
    await trio.sleep_forever()


async def main(where):
    try:
        async with actors.open_system("alpha") as system:
            await system.start(Other, name="other")
            if where == "handler":
                system.spawn(Striker, name="striker").tell("now")
            elif where == "function":
                system.spawn(function, name="striker")
            elif where == "body":
                strike()
            elif where == "nursery":
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(trio.sleep_forever)
                    strike()
            else:
                trio.lowlevel.spawn_system_task(strike_when_idle)
            await trio.sleep_forever()
    except BaseException as error:
        print(type(error).__name__, error.__cause__, flush=True)
        raise


async def strike_when_idle():
    await trio.testing.wait_all_tasks_blocked()
    await trio.to_thread.run_sync(strike)


import trio.testing

try:
    trio.run(main, sys.argv[1])
except KeyboardInterrupt:
    print("outside KeyboardInterrupt")
"""


@pytest.mark.parametrize("where", ["handler", "function", "body", "nursery", "while all are idle"])
def test_ctrl_c_leaves_the_block_as_a_plain_keyboard_interrupt(where: str) -> None:
    """The other actors' `on_stop` runs, the block raises it plain, and so does `trio.run`."""
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM, where],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert run.stdout.splitlines() == [
        "other KILLED",
        "KeyboardInterrupt None",
        "outside KeyboardInterrupt",
    ], run.stderr
    assert run.returncode == 0
