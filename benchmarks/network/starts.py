"""A network of real processes, from the request to "ready", beside the same with nothing around them."""

from __future__ import annotations

import json
import secrets
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, ClassVar

import attrs
import trio

import actors
from benchmarks.harness.stats import median_abs_dev
from benchmarks.network.agents import Grow, Network, NodeAgent, process_agent

__all__ = ["Row", "Start", "measure", "rule", "spread", "table"]

AIM = 1.1
"""A network is ready after at most so many times the start of its slowest process."""
PER_CALL = 120.0
"""Seconds that the reference waits in a call that blocks."""

_WAITS = "import sys, time; time.sleep(float(sys.argv[1])); print('ready', time.monotonic(), flush=True)"
_COMPUTES = """import sys, time
for number in range(int(3e7 * float(sys.argv[1]))): pass
print('ready', time.monotonic(), flush=True)"""
_STAYS = "\nsys.stdin.read() or time.sleep(600)"


def rule(n: int) -> float:
    """The seconds after which the reference says that one should look."""
    return n * 5.0 + 5.0


@attrs.frozen
class Kind:
    """Processes of one kind; the last of n takes longest, and as long whatever n."""

    name: str
    title: str
    code: str = ""
    seconds: float = 0.0

    def argv(self, k: int, n: int) -> list[str]:
        """Of the k-th of n, from 1."""
        share = self.seconds * k / n if self.name == "waits" else self.seconds
        return [sys.executable, "-S", "-c", self.code + _STAYS, f"{share:.4f}"]

    def agents(self, n: int, lines: list[float]) -> list[object]:
        """As actors."""
        return [process_agent(self.argv(k, n), lines) for k in range(1, n + 1)]

    def said_first(self) -> bytes:
        """What it wants to read before it begins."""
        return b""


@attrs.frozen
class NodeKind(Kind):
    """Node processes: bare, they say where they listen; as actors, they are linked and have an actor."""

    lease: ClassVar[float] = 10.0

    def argv(self, k: int, n: int) -> list[str]:
        return [sys.executable, "-m", "actors.worker"]

    def agents(self, n: int, lines: list[float]) -> list[object]:
        return [partial(NodeAgent, f"node-{k}") for k in range(1, n + 1)]

    def said_first(self) -> bytes:
        told: dict[str, Any] = {"name": "bare", "spawnable": ["benchmarks.network.agents:Resident"]}
        told |= {"lease": self.lease, "path": sys.path, "main": None, "token": secrets.token_urlsafe(32)}
        return json.dumps(told).encode() + b"\n"


def kinds(seconds: float) -> list[Kind]:
    """All kinds, of processes that take about so long."""
    return [
        Kind("waits", "processes that wait, as for a network", _WAITS, seconds),
        Kind("computes", "processes that compute", _COMPUTES, seconds / 2),
        NodeKind("nodes", "node processes, each with an actor"),
    ]


# --- without anything around them ---------------------------------------------------


async def bare(kind: Kind, which: Sequence[int], n: int) -> float:
    """Seconds until the slowest of these processes, started at once, has said its line."""
    taken: list[float] = []

    async def one(k: int) -> None:
        async with _open(kind, kind.argv(k, n)) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            await process.stdin.send_all(kind.said_first())
            line = b""
            while not line.endswith(b"\n"):
                line += await process.stdout.receive_some(4096)
            taken.append(time.perf_counter() - began)

    began = time.perf_counter()
    async with trio.open_nursery() as nursery:
        for k in which:
            nursery.start_soon(one, k)
    return max(taken)


@asynccontextmanager
async def _open(kind: Kind, argv: list[str]) -> AsyncGenerator[trio.Process]:
    pipe = subprocess.PIPE
    process = await trio.lowlevel.open_process(argv, stdin=pipe, stdout=pipe, start_new_session=True)
    try:
        yield process
    finally:
        process.kill()
        with trio.CancelScope(shield=True):
            await process.wait()
            for end in (process.stdin, process.stdout):
                if end is not None:
                    await trio.aclose_forcefully(end)


# --- as a network -------------------------------------------------------------------


@attrs.frozen
class Start:
    """One start of a network; all in seconds from the request."""

    ready: float
    """When its supervisor was told that all are ready."""
    last_line: float | None
    """When the slowest process had written its line, where it says when."""
    steps: tuple[str, ...]
    """k of n, as they came."""


async def network(kind: Kind, n: int) -> Start:
    """Ask for a network of n, and hear of it."""
    lines: list[float] = []
    heard: list[tuple[float, actors.NetworkReady]] = []
    told = trio.Event()

    def hear(at: float, news: actors.NetworkReady) -> None:
        heard.append((at, news))
        told.set()

    async with actors.open_system("bench") as system:
        ref = await system.start(Network, kind.agents(n, lines), hear, name="network")
        clock, began = time.monotonic(), trio.current_time()
        refs = await ref.ask(Grow())
        steps = [_shown(step) async for step in system.spawning(refs)]
        await told.wait()
    [(at, news)] = heard
    if not news.ok:
        raise RuntimeError(f"never ready: {news}")
    return Start(at - began, max(lines) - clock if lines else None, tuple(steps))


def _shown(step: actors.SpawnStep) -> str:
    if step.error is not None:
        raise step.error
    return f"{step.done} of {step.total}: {step.ref.name} {step.state.name} after {step.elapsed:.3f} s"


# --- the table ----------------------------------------------------------------------


@attrs.define
class Row:
    """One kind and one n, with a value a round."""

    kind: Kind
    n: int
    alone: list[float] = attrs.Factory(list[float])
    """The slowest process by itself."""
    at_once: list[float] = attrs.Factory(list[float])
    """The slowest of all, started together."""
    ours: list[Start] = attrs.Factory(list[Start])

    async def measure_alone(self) -> None:
        self.alone.append(await bare(self.kind, [self.n], self.n))

    async def measure_at_once(self) -> None:
        self.at_once.append(await bare(self.kind, range(1, self.n + 1), self.n))

    async def measure_ours(self) -> None:
        self.ours.append(await network(self.kind, self.n))

    def ratios_to(self, own: Sequence[float]) -> list[float]:
        """Within each round."""
        return [one.ready / other for one, other in zip(self.ours, own, strict=True)]

    def behind(self) -> list[float]:
        """Milliseconds from the last line to the supervisor that knows."""
        return [1000 * (one.ready - one.last_line) for one in self.ours if one.last_line is not None]


async def measure(seconds: float, sizes: Sequence[int], rounds: int) -> list[Row]:
    """Each round measures each side of each row once, and begins with another side."""
    rows = [Row(kind, n) for kind in kinds(seconds) for n in sizes]
    for number in range(rounds):
        for row in rows:
            sides = [row.measure_alone, row.measure_at_once, row.measure_ours]
            for turn in range(len(sides)):
                await sides[(number + turn) % len(sides)]()
    return rows


def table(rows: Sequence[Row]) -> list[str]:
    """The lines to print."""
    lines = [
        f"{'':44}{'alone':>8}{'at once':>9}{'network':>16}{'x at once':>16}{'x alone':>9}"
        f"{'behind':>9}{'n x 5 + 5':>11}{'a call':>8}"
    ]
    for row in rows:
        ready = [one.ready for one in row.ours]
        alone, at_once = statistics.median(row.alone), statistics.median(row.at_once)
        ratios = row.ratios_to(row.at_once)
        ratio_alone = statistics.median(row.ratios_to(row.alone))
        behind = f"{statistics.median(row.behind()):.1f} ms" if row.behind() else "-"
        lines.append(
            f"1 + {row.n} {row.kind.title:38}{alone:>6.2f} s{at_once:>7.2f} s"
            f"{spread(ready, '.2f'):>14} s{spread(ratios, '.3f'):>16}"
            f"{ratio_alone:>9.2f}{behind:>9}{rule(row.n):>9.0f} s{PER_CALL:>6.0f} s  "
            f"{'reached' if statistics.median(ratios) <= AIM else 'MISSED'} (<= {AIM:g} x at once)"
        )
    return lines


def spread(values: Sequence[float], form: str) -> str:
    """Median ± MAD."""
    return f"{statistics.median(values):{form}} ± {median_abs_dev(values):{form}}"
