"""Whoever a killed program has left behind is found by its mark."""

from __future__ import annotations

import os
import subprocess
import sys

import trio

from actors.process.marked import MARK, end_marked, marked

_PARENT = """
import subprocess, sys
subprocess.Popen(["sleep", "1000"], start_new_session=True)
print("started", flush=True)
sys.stdin.read()
"""


async def test_what_a_killed_program_had_started_is_ended_by_its_mark() -> None:
    """The grandchild has a session of its own, and nobody else knows of it."""
    mark = f"test-{os.getpid()}-marked"
    parent = await trio.lowlevel.open_process(
        [sys.executable, "-c", _PARENT],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, MARK: mark},
    )
    assert parent.stdin is not None
    assert parent.stdout is not None
    async with parent.stdin, parent.stdout:
        said = b""
        while not said.endswith(b"\n"):
            said += await parent.stdout.receive_some(100)
        assert len(marked(mark)) == 2
        parent.kill()
        await parent.wait()
        assert len(marked(mark)) == 1
        await end_marked(mark)
        assert marked(mark) == []


async def test_nobody_is_ended_for_a_mark_that_nobody_carries() -> None:
    await end_marked("nobody")
    assert marked("nobody") == []
