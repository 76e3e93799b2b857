"""Run cases in fresh processes, interleaved with their baselines, and print medians and ratios."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

import attrs
import trio

Run = Callable[[], Awaitable[float]]


@attrs.frozen
class Case:
    """One question: ours beside raw trio doing the same work, in `unit`; `wanted` is the ratio to reach."""

    name: str
    unit: str
    ours: Run
    raw: Run
    wanted: float | None = None
    less_is_better: bool = False


async def rate(count: int, work: Callable[[], Awaitable[Any]]) -> float:
    """How often a second `work`, which does something `count` times, does it."""
    began = time.perf_counter()
    await work()
    return count / (time.perf_counter() - began)


def run_one(module: str, name: str, side: str) -> float:
    """One measurement in a process of its own."""
    command = [sys.executable, "-m", "benchmarks", "--one", module, name, side]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def measure_here(case: Case, side: str) -> float:
    """One measurement in this process."""
    return trio.run(case.ours if side == "ours" else case.raw)


def compare(module: str, case: Case, rounds: int) -> str:
    """A line of the table: medians, spread and ratio of interleaved runs."""
    ours: list[float] = []
    raw: list[float] = []
    for _ in range(rounds):
        raw.append(run_one(module, case.name, "raw"))
        ours.append(run_one(module, case.name, "ours"))
    ratios = sorted(one / other for one, other in zip(ours, raw, strict=True))
    ratio = statistics.median(ratios)
    reached = ""
    if case.wanted is not None:
        good = ratio <= case.wanted if case.less_is_better else ratio >= case.wanted
        reached = (
            f"{'reached' if good else 'MISSED'} ({'<=' if case.less_is_better else '>='} {case.wanted:g})"
        )
    return (
        f"{case.name:<28} {statistics.median(ours):>13,.0f} {statistics.median(raw):>13,.0f} {case.unit:<13}"
        f" {ratio:>6.2f} [{ratios[0]:.2f} to {ratios[-1]:.2f}]  {reached}"
    )
