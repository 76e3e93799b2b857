"""Figures of several rounds, beside those of what they are built on, and whether an aim is reached."""

from __future__ import annotations

import gc
import math
import statistics
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Literal

import attrs

from benchmarks.harness.aims import LEAST_ROUNDS, word_of
from benchmarks.harness.noise import load_now
from benchmarks.harness.stats import estimate, median_abs_dev

__all__ = ["Aim", "Figures", "Side", "measured", "percentiles", "table"]

Side = Callable[[], Awaitable[Mapping[str, float]]]
"""Does its work once, and returns its values by name."""


@attrs.frozen
class Aim:
    """At least, or at most, so much: of the value, or of its ratio to the same value of another side."""

    side: str
    value: str
    limit: float
    better: Literal["more", "less"] = "more"
    than: str | None = None


@attrs.frozen
class Figures:
    """Every side, each value of it in each round."""

    title: str
    units: Mapping[str, str]
    sides: Mapping[str, Mapping[str, Sequence[float]]]
    base: str | None
    """The side to which ratios are shown."""
    aims: Sequence[Aim]
    load: float
    """The load average when they had been measured."""

    def ratios(self, side: str, value: str, than: str) -> list[float]:
        """Within each round."""
        pairs = zip(self.sides[side][value], self.sides[than][value], strict=True)
        return [one / other for one, other in pairs]


async def measured(
    title: str,
    units: Mapping[str, str],
    sides: Mapping[str, Side],
    rounds: int,
    *,
    base: str | None = None,
    aims: Sequence[Aim] = (),
) -> Figures:
    """Each round measures each side once, and begins with another."""
    names = list(sides)
    taken: dict[str, dict[str, list[float]]] = {name: {} for name in names}
    for number in range(rounds):
        for turn in range(len(names)):
            name = names[(number + turn) % len(names)]
            gc.collect()  # what the last one has left is not looked through while this one is measured
            for value, found in (await sides[name]()).items():
                taken[name].setdefault(value, []).append(found)
    return Figures(title, units, taken, base, aims, load_now())


def percentiles(seconds: Sequence[float]) -> dict[str, float]:
    """The median and the 99th percentile, in milliseconds."""
    ordered = sorted(seconds)
    return {name: 1000 * ordered[math.ceil(share * len(ordered)) - 1] for name, share in _SHARES.items()}


_SHARES = {"p50": 0.5, "p99": 0.99}


def table(figures: Figures) -> list[str]:
    """The lines to print."""
    lines = [f"\n{figures.title} (load average {figures.load:.1f})"]
    wide = max(len(name) for name in figures.sides) + 2
    for name, values in figures.sides.items():
        cells = [_cell(figures, name, value, found) for value, found in values.items()]
        lines.append(f"  {name:<{wide}}" + "   ".join(cells).rstrip())
    return lines + [_said(figures, aim) for aim in figures.aims]


def _cell(figures: Figures, side: str, value: str, found: Sequence[float]) -> str:
    unit = figures.units[value]
    form = ",.0f" if unit.endswith("/s") else ".2f"
    middle, apart = statistics.median(found), median_abs_dev(found)
    cell = f"{value} {middle:{form}} ± {apart:{form}} {unit}"
    base = figures.base
    if base is not None and base != side and value in figures.sides[base]:
        ratio = estimate(figures.ratios(side, value, base))
        cell += f"  {ratio.median:.2f} x ({ratio.low:.2f} to {ratio.high:.2f})"
    return f"{cell:<46}"


def _said(figures: Figures, aim: Aim) -> str:
    if aim.than is None:
        found, of, unit = figures.sides[aim.side][aim.value], "", f" {figures.units[aim.value]}"
    else:
        found, of, unit = figures.ratios(aim.side, aim.value, aim.than), f" of {aim.than}", " x"
    interval = estimate(found)
    word = (
        word_of(interval, aim.limit, aim.better) if len(found) >= LEAST_ROUNDS else "too few rounds to tell"
    )
    limit = f"{'>=' if aim.better == 'more' else '<='} {aim.limit:,g}{unit}{of}"
    return f"  aim: {aim.side}, {aim.value} {limit}: {word} ({interval.median:,.4g}{unit})"
