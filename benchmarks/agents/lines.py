"""From a message to the answer of a child that is spoken to in lines, beside its bare pipes."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Mapping
from functools import partial

import trio

import actors
from actors.process import Call, Lines
from benchmarks.agents.sizes import Sizes
from benchmarks.harness.figures import Aim, Figures, measured, percentiles

__all__ = ["lines"]

CHILD = """
import json, sys
print('{"ready": true}', flush=True)
for line in sys.stdin:
    asked = json.loads(line)
    if "request" in asked:
        print(json.dumps({"id": asked["id"], "reply": asked["request"]}), flush=True)
    else:
        break
"""
ARGV = (sys.executable, "-c", CHILD)
BARE = "bare pipes"
LINES = "process.Lines"
TEXT = "what is the weather like at Corran Head?"


async def _line(pipe: trio.abc.ReceiveStream) -> bytes:
    line = bytes(await pipe.receive_some())
    while not line.endswith(b"\n"):
        line += await pipe.receive_some()
    return line


async def _bare(asks: int) -> Mapping[str, float]:
    """A request and its answer, with nothing around them."""
    process = await trio.lowlevel.open_process(ARGV, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    heard: list[float] = []
    await _line(process.stdout)
    for number in range(asks):
        began = time.perf_counter()
        await process.stdin.send_all(json.dumps({"id": number, "request": TEXT}).encode() + b"\n")
        assert json.loads(await _line(process.stdout))["reply"] == TEXT
        heard.append(time.perf_counter() - began)
    await process.stdin.aclose()
    await process.wait()
    await process.stdout.aclose()
    return percentiles(heard)


async def _lines(asks: int) -> Mapping[str, float]:
    """The same, of a supervised actor with a mailbox."""
    heard: list[float] = []
    async with actors.open_system("bench", watchdog=None) as system:
        child = await system.start(Lines(ARGV), name="child")
        for _ in range(asks):
            began = time.perf_counter()
            assert await child.ask(Call(TEXT)) == TEXT
            heard.append(time.perf_counter() - began)
    return percentiles(heard)


async def lines(sizes: Sizes, rounds: int) -> AsyncGenerator[Figures]:
    """How soon is a message answered?"""
    yield await measured(
        f"from a message to its answer, {sizes.asks:,} one after the other",
        {"p50": "ms", "p99": "ms"},
        {BARE: partial(_bare, sizes.asks), LINES: partial(_lines, sizes.asks)},
        rounds,
        base=BARE,
        aims=[Aim(LINES, "p50", 1, "less")],
    )
