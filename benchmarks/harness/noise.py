"""Whether the machine was quiet enough for its figures to mean something."""

from __future__ import annotations

import os
import statistics
from collections.abc import Iterable, Sequence

from benchmarks.case import RAW
from benchmarks.harness.results import CaseResult
from benchmarks.harness.stats import estimate

__all__ = ["case_noise", "cores", "load_now", "run_noise", "spin_spread"]

SPIN_LIMIT = 0.10
RATIO_LIMIT = 0.50
CURE = (
    "What helps: end other programs and wait until the load has gone, run on mains power, measure longer "
    "(--seconds 1 --rounds 15), and on Linux: python -m pyperf system tune"
)


def cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def load_now() -> float:
    """The load average of the last minute."""
    return os.getloadavg()[0]


def spin_spread(results: Iterable[CaseResult]) -> float:
    """By which share the calibration loop varied: from the 10th to the 90th percentile, over the median.

    Each interpreter is held against itself; the worst counts.
    """
    spins: dict[str, list[float]] = {}
    for result in results:
        for side in result.sides.values():
            for one in side.rounds.values():
                spins.setdefault(one.python, []).extend(one.spins)
    return max((_spread(taken) for taken in spins.values()), default=0.0)


def _spread(taken: Sequence[float]) -> float:
    if len(taken) < 2:
        return 0.0
    tenths = statistics.quantiles(taken, n=10, method="inclusive")
    return (tenths[-1] - tenths[0]) / statistics.median(taken)


def case_noise(result: CaseResult) -> list[str]:
    """What was wrong while this case ran; [] when it was quiet."""
    found: list[str] = []
    spread = spin_spread([result])
    if spread > SPIN_LIMIT:
        found.append(f"the calibration loop varied by {spread:.0%}")
    for name in result.sides:
        ratios = result.ratios(name, RAW)
        if name != RAW and ratios and (width := estimate(ratios).spread) > RATIO_LIMIT:
            found.append(f"the ratio of {name} to {RAW} is spread over {width:.0%}")
    return found


def run_noise(results: Sequence[CaseResult], load: float, processors: int) -> list[str]:
    """The lines at the end of a run: one when the machine was quiet, else what was wrong and what to do."""
    noisy = [result.case.name for result in results if case_noise(result)]
    spread = spin_spread(results)
    found: list[str] = []
    if load > processors:
        found.append(f"the load average was {load:.1f} at the start, on {processors} cores")
    if spread > SPIN_LIMIT:
        found.append(f"the calibration loop varied by {spread:.0%}")
    if noisy:
        found.append(f"noisy cases: {', '.join(noisy)}")
    if not found:
        return [f"The machine was quiet: the calibration loop varied by {spread:.1%}."]
    return ["The machine was too noisy for exact figures:", *(f"  {line}" for line in found), CURE]
