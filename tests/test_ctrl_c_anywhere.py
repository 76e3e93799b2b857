"""Ctrl-C at any instruction of the framework ends the block in order: nothing hangs, nothing breaks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.roads import ROADS

ROOT = Path(__file__).parent.parent

PROGRAM = """
import signal, sys
import trio, trio.testing
import actors
from tests.roads import road

what, name, first, stride = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
AT_ONCE = actors.Policy(backoff=actors.Backoff.fixed(0.0), shutdown=0.3)


class Get(actors.Request[int]):
    pass


class Worker(actors.Actor):
    @actors.receive
    def get(self, message: Get) -> int:
        return 1

    @actors.receive
    def crash(self, message: int) -> None:
        raise ValueError(message)


class Strike:
    # counts the instructions of the framework, and strikes at one of them
    def __init__(self, at):
        self.at, self.seen = at, 0

    def enter(self, frame, event, argument):
        where = frame.f_code.co_filename
        if "/actors/core/" in where or "/actors/supervision/" in where:
            frame.f_trace_opcodes, frame.f_trace_lines = True, False
            return self.step

    def step(self, frame, event, argument):
        self.seen += event == "opcode"
        if self.seen == self.at and event == "opcode":
            sys.settrace(None)
            signal.raise_signal(signal.SIGINT)
        return self.step


async def main(strike):
    async with actors.open_system("alpha", watchdog=None) as system:
        ref = await system.start(Worker, name="worker", policy=AT_ONCE)
        for _ in range(2):
            await ref.ask(Get())
        sys.settrace(strike.enter)
        try:
            if what == "ask":
                await ref.ask(Get())
            elif what == "stop":
                ref.stop()
            else:
                ref.tell(0)
            await trio.testing.wait_all_tasks_blocked()
        finally:
            sys.settrace(None)


def run(at):
    strike = Strike(at)
    try:
        trio.run(main, strike)
    except KeyboardInterrupt:
        return strike.seen, "interrupted"
    return strike.seen, "ended"


with road(name):
    total, how = run(-1)
    assert how == "ended", how
    for at in range(1 + first, total, stride):
        assert run(at)[1] == "interrupted", at
print(total)
"""


@pytest.mark.parametrize("name", ROADS)
@pytest.mark.parametrize("what", ["ask", "crash", "stop"])
def test_ctrl_c_at_any_instruction_ends_the_block(what: str, name: str) -> None:
    """Every fifth is tried, each run in a system of its own."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM, what, name, str(len(what) + len(name)), "5"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=50,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert int(done.stdout) > 100
