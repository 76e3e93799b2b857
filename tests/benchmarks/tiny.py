"""Cases for the tests of the harness: quick, and each with a fault that a real one may have."""

from __future__ import annotations

import os
import signal
import time

import trio

from benchmarks.case import ACTORS, PLAIN, RAW, Aim, Case, Side


def turns(count: int) -> float:
    began = time.perf_counter()
    for _ in range(count):
        pass
    return time.perf_counter() - began


async def checkpoints(count: int) -> float:
    began = time.perf_counter()
    for _ in range(count):
        await trio.lowlevel.checkpoint()
    return time.perf_counter() - began


async def blocks(count: int) -> float:
    time.sleep(0.03)  # noqa: ASYNC251
    await trio.sleep(0.01)
    return 0.04


def size(count: int) -> float:
    print("what a library prints on its own account")
    return 100.0 * count


def raises(count: int) -> float:
    raise RuntimeError("it never\nworks")


async def raises_in_nursery(count: int) -> float:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.sleep_forever)
        raise RuntimeError("it never works")


def dies(count: int) -> float:
    os.kill(os.getpid(), signal.SIGKILL)
    return 1.0


def hangs(count: int) -> float:
    time.sleep(60)
    return 60.0


CASES = [
    Case(
        name="turns",
        title="turns of a loop",
        question="How many turns a second?",
        unit="turns/s",
        sides={
            ACTORS: Side(checkpoints, start=8192),
            PLAIN: Side(turns, start=2**20),
            RAW: Side(checkpoints, start=8192),
        },
        aims=(Aim(PLAIN, 2, RAW), Aim(ACTORS, 1e12)),
    ),
    Case(
        name="size",
        title="size of a thing",
        question="How large?",
        unit="bytes",
        kind="value",
        better="less",
        count=3,
        sides={ACTORS: Side(size), RAW: Side(size), "raises": Side(raises)},
        aims=(Aim(ACTORS, 300), Aim(ACTORS, 0.5, RAW)),
    ),
    Case(
        name="faults",
        title="sides that fail",
        question="What is said of them?",
        unit="turns/s",
        count=1,
        sides={
            "raises": Side(raises),
            "raises in a nursery": Side(raises_in_nursery),
            "dies": Side(dies),
            "hangs": Side(hangs),
            "blocks": Side(blocks),
        },
    ),
    Case(
        name="endless",
        title="a side without an end",
        question="What is there after Ctrl-C?",
        unit="turns/s",
        count=1,
        sides={"ends": Side(turns), "hangs": Side(hangs)},
    ),
]
