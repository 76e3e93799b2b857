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
import os, signal, sys, threading
import trio
import actors


@actors.message
class Echo(actors.Request[str]): ...


def strike():
    os.kill(os.getpid(), signal.SIGINT)


class Other(actors.Actor):
    async def on_stop(self, exit):
        print("other", exit.kind, flush=True)


class PlainOther(actors.Actor):
    def on_stop(self, exit):
        print("plain other", exit.kind, flush=True)


class PlainStriker(actors.Actor):
    def __init__(self, where):
        self.where = where
        self.at("plain constructor")

    def at(self, where):
        if self.where == where:
            strike()
            for _ in range(1000):
                pass

    def on_start(self):
        self.at("plain on_start")

    def on_stop(self, exit):
        self.at("plain on_stop")

    def on_unhandled(self, message):
        self.at("plain on_unhandled")

    @actors.receive
    def note(self, message: str) -> None:
        self.at("plain handler")

    @actors.receive
    def echo(self, message: Echo) -> str:
        self.at("plain handler in the asker's step")

    @actors.receive
    def more(self, message: int) -> None:
        self.ctx.ref.tell(message + 1)
        if message == 5000:
            threading.Thread(target=strike).start()


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
            await system.start(PlainOther, name="plain-other")
            if where == "handler":
                system.spawn(Striker, name="striker").tell("now")
            elif where == "function":
                system.spawn(function, name="striker")
            elif where.startswith("plain"):
                striker = system.spawn(PlainStriker, where, name="striker")
                if where.endswith("step"):
                    await striker.wait_started()
                    await striker.ask(Echo())
                elif where.endswith("stop"):
                    await striker.wait_started()
                    striker.stop()
                elif where.endswith("at work"):
                    striker.tell(1)
                else:
                    striker.tell("now" if where.endswith("handler") else b"now")
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


PLACES = [
    "handler",
    "function",
    "body",
    "nursery",
    "while all are idle",
    "plain constructor",
    "plain handler",
    "plain handler in the asker's step",
    "plain on_start",
    "plain on_stop",
    "plain on_unhandled",
    "plain actor at work",
]


@pytest.mark.parametrize("where", PLACES)
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
    lines = run.stdout.splitlines()
    assert sorted(lines[:2]) == ["other KILLED", "plain other KILLED"], run.stderr
    assert lines[2:] == ["KeyboardInterrupt None", "outside KeyboardInterrupt"], run.stderr
    assert run.returncode == 0
