"""A pool under a load step, beside fixed pools of its minimum and of its maximum, at the same time.

Messages come by a Poisson process whose rate steps from 0 up and down again; each takes a worker
so many seconds of waiting. They are counted from the moment at which they were due,
so that whoever is late with a message does not flatter the pool.
"""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Iterator, Sequence
from functools import partial

import attrs
import trio

import actors

__all__ = ["Curve", "Figures", "Plan", "Sample", "figures", "run", "table", "waits_by_bin"]


@attrs.frozen
class Plan:
    """What happens; times are seconds."""

    before: float = 1.0
    load: float = 5.0
    after: float = 4.0
    rate: float = 300.0
    """Messages a second."""
    work: float = 0.02
    minimum: int = 1
    maximum: int = 8
    cooldown: float = 0.2
    max_wait: float = 0.05
    idle: float = 0.5
    sample: float = 0.05
    bin: float = 0.25
    seed: int = 20

    @property
    def needed(self) -> int:
        """Workers without whom the queue would grow for ever."""
        return math.ceil(self.rate * self.work)

    @property
    def whole(self) -> float:
        """All of it."""
        return self.before + self.load + self.after

    def arrivals(self) -> Iterator[float]:
        """When messages are due, from the step on."""
        chance = random.Random(self.seed)
        due = chance.expovariate(self.rate)
        while due < self.load:
            yield due
            due += chance.expovariate(self.rate)


@attrs.frozen
class Sample:
    """What a pool looked like; the time is from the step on."""

    at: float
    workers: int
    waiting: int
    oldest: float


@attrs.frozen
class Curve:
    """What happened to one pool."""

    name: str
    minimum: int
    samples: tuple[Sample, ...]
    waits: tuple[tuple[float, float], ...]
    """When each message was due, and how long it waited; those that a worker took."""
    sent: int


# --- the run ------------------------------------------------------------------------


@attrs.frozen
class Work:
    """It was due then."""

    due: float


class Worker(actors.Actor):
    """Takes its time for each message, and notes when it took it."""

    def __init__(self, seconds: float, taken: list[tuple[float, float]]) -> None:
        self._seconds = seconds
        self._taken = taken

    @actors.receive
    async def work(self, message: Work) -> None:
        self._taken.append((message.due, trio.current_time() - message.due))
        await trio.sleep(self._seconds)


async def run(plan: Plan) -> list[Curve]:
    """The growing pool and the two fixed ones."""
    sizes = {
        f"{plan.minimum} to {plan.maximum} workers": (plan.minimum, plan.maximum),
        f"{plan.minimum} fixed": (plan.minimum, plan.minimum),
        f"{plan.maximum} fixed": (plan.maximum, plan.maximum),
    }
    patient = actors.Policy(mailbox=actors.Mailbox(capacity=1_000_000))
    limits = actors.SpawnLimits(
        cooldown=plan.cooldown, performance_threshold=0.0, max_active=plan.maximum, auto=True
    )
    curves: list[Curve] = []
    async with actors.open_system("bench", policy=patient) as system, trio.open_nursery() as nursery:
        pools: list[tuple[str, int, actors.Ref, list[tuple[float, float]]]] = []
        for name, (least, most) in sizes.items():
            taken: list[tuple[float, float]] = []
            what = partial(Worker, plan.work, taken)
            pool = actors.Pool(what, least, most, limits=limits, max_wait=plan.max_wait, idle=plan.idle)
            pools.append((name, least, await system.start(pool), taken))
        step = trio.current_time() + plan.before
        for name, least, ref, taken in pools:
            nursery.start_soon(_one, plan, system, step, name, least, ref, taken, curves)
    return sorted(curves, key=lambda curve: list(sizes).index(curve.name))


async def _one(
    plan: Plan,
    system: actors.System,
    step: float,
    name: str,
    least: int,
    ref: actors.Ref,
    taken: list[tuple[float, float]],
    curves: list[Curve],
) -> None:
    samples: list[Sample] = []
    sent = 0

    async def watch() -> None:
        while trio.current_time() < step + plan.load + plan.after:
            samples.append(_sampled(system, ref, trio.current_time() - step))
            await trio.sleep(plan.sample)

    async def tell() -> None:
        nonlocal sent
        for due in plan.arrivals():
            await trio.sleep_until(step + due)
            ref.tell(Work(step + due))
            sent += 1

    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch)
        nursery.start_soon(tell)
    waits = tuple((due - step, waited) for due, waited in taken)
    curves.append(Curve(name, least, tuple(samples), waits, sent))
    ref.stop()


def _sampled(system: actors.System, ref: actors.Ref, at: float) -> Sample:
    seen = ref.statistics()
    waiting = seen.depth["urgent"] + seen.depth["normal"]
    return Sample(at, len(system.children(ref)), waiting, seen.oldest or 0.0)


# --- what it comes to: plain calculation ----------------------------------------------


@attrs.frozen
class Figures:
    """One pool in a row. Times are seconds; None: never."""

    settled: float | None
    """From the step until, by the medians of the bins, none waits longer than `max_wait` any more."""
    p50: float
    p95: float
    longest: float
    """Of the waiting times of all messages that were taken."""
    late_p95: float | None
    """Of those due in the second half of the load."""
    left: int
    """Not taken when the time was up."""
    most: int
    """Workers at once."""
    shrunk: float | None
    """From the end of the load until no more than the minimum were there."""
    worker_seconds: float
    """What it took."""


def waits_by_bin(curve: Curve, plan: Plan) -> list[tuple[float, list[float]]]:
    """The middle of each bin of the load, and the waiting times of the messages due in it."""
    count = math.ceil(plan.load / plan.bin)
    bins: list[list[float]] = [[] for _ in range(count)]
    for due, waited in curve.waits:
        bins[min(int(due / plan.bin), count - 1)].append(waited)
    return [((index + 0.5) * plan.bin, waits) for index, waits in enumerate(bins)]


def figures(curve: Curve, plan: Plan) -> Figures:
    """The row of one pool."""
    waits = sorted(waited for _, waited in curve.waits)
    late = sorted(waited for due, waited in curve.waits if due >= plan.load / 2)
    return Figures(
        settled=_settled(curve, plan),
        p50=quantile(waits, 0.5),
        p95=quantile(waits, 0.95),
        longest=waits[-1] if waits else math.nan,
        late_p95=quantile(late, 0.95) if late else None,
        left=curve.sent - len(curve.waits),
        most=max(sample.workers for sample in curve.samples),
        shrunk=_shrunk(curve, plan),
        worker_seconds=_worker_seconds(curve),
    )


def quantile(ordered: Sequence[float], share: float) -> float:
    """The value below which this share of the values is."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else math.nan


def _settled(curve: Curve, plan: Plan) -> float | None:
    """Where the last bin ends that was too slow, or had messages that nobody took."""
    taken = waits_by_bin(curve, plan)
    sent = [0] * len(taken)
    for due in plan.arrivals():
        sent[min(int(due / plan.bin), len(taken) - 1)] += 1
    slow = [
        index
        for index, (_, waits) in enumerate(taken)
        if len(waits) < sent[index] or (waits and statistics.median(waits) > plan.max_wait)
    ]
    after = slow[-1] + 1 if slow else 0
    return after * plan.bin if after < len(taken) else None


def _shrunk(curve: Curve, plan: Plan) -> float | None:
    """None where it never had more."""
    more = [sample.at for sample in curve.samples if sample.workers > curve.minimum]
    if not more or more[-1] == curve.samples[-1].at:
        return None
    first = next(sample.at for sample in curve.samples if sample.at > more[-1])
    return max(0.0, first - plan.load)


def _worker_seconds(curve: Curve) -> float:
    pairs = zip(curve.samples, curve.samples[1:], strict=False)
    return sum(one.workers * (after.at - one.at) for one, after in pairs)


def table(curves: Sequence[Curve], plan: Plan) -> list[str]:
    """The lines to print."""
    lines = [
        f"{'pool':<18}{'settled':>9}{'p50':>10}{'p95':>10}{'longest':>10}{'later p95':>11}"
        f"{'left':>6}{'most':>6}{'shrunk':>9}{'worker s':>10}"
    ]
    for curve in curves:
        found = figures(curve, plan)
        lines.append(
            f"{curve.name:<18}{_s(found.settled):>9}{_ms(found.p50):>10}{_ms(found.p95):>10}"
            f"{_ms(found.longest):>10}{_ms(found.late_p95):>11}{found.left:>6}{found.most:>6}"
            f"{_s(found.shrunk):>9}{found.worker_seconds:>10.1f}"
        )
    grown = figures(curves[0], plan)
    lines.append(
        f"overshoot: {grown.most - plan.needed} workers beyond the {plan.needed} that "
        f"{plan.rate:g} messages/s x {1000 * plan.work:g} ms need"
    )
    return lines


def _s(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds:.2f} s"


def _ms(seconds: float | None) -> str:
    return "-" if seconds is None or math.isnan(seconds) else f"{1000 * seconds:.1f} ms"
