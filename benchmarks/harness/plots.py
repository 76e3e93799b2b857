"""Bar charts as SVG and PNG, readable in black and white."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import LogLocator, NullFormatter

from benchmarks.case import ACTORS, PLAIN, RAW
from benchmarks.harness.results import CaseResult, SideResult
from benchmarks.harness.stats import Estimate, estimate
from benchmarks.harness.tables import number

__all__ = ["draw_all", "needs_log"]

LOG_FROM = 30
STYLE = {
    "font.size": 10,
    "font.family": "DejaVu Sans",
    "hatch.linewidth": 0.6,
    "svg.fonttype": "none",
    "svg.hashsalt": "benchmarks",
}
_LOOKS: dict[str, dict[str, Any]] = {
    ACTORS: {"facecolor": "#1f4e79", "hatch": ""},
    PLAIN: {"facecolor": "#5b8db8", "hatch": ""},
    RAW: {"facecolor": "white", "hatch": "////"},
}
_WHISKERS: dict[str, Any] = {
    "color": "black",
    "capsize": 3,
    "linewidth": 1.1,
    "path_effects": [withStroke(linewidth=2.6, foreground="white")],  # seen on dark bars, too
}
_VARIANT: dict[str, Any] = {"facecolor": "white", "hatch": "...."}
_PEER: dict[str, Any] = {"facecolor": "#d9d9d9", "hatch": ""}
DPI = 150


def draw_all(results: Sequence[CaseResult], folder: Path) -> list[Path]:
    """One chart a case, and one of all ratios to raw trio. Returns the files; raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    with matplotlib.rc_context(STYLE):
        for result in results:
            if any(side.is_measured for side in result.sides.values()):
                written += _save(_case_chart(result), folder / _file_name(result.case.name))
        ratios = list(_all_ratios(results))
        if ratios:
            written += _save(_overview(ratios), folder / "ratios")
    return written


def needs_log(values: Sequence[float]) -> bool:
    """Bars of one scale would not be seen beside each other."""
    return max(values) > LOG_FROM * min(values) > 0


def _file_name(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", name).strip("-") or "case"


def _save(figure: Figure, path: Path) -> Iterator[Path]:
    for ending, extra in ((".svg", {"metadata": {"Date": None}}), (".png", {"dpi": DPI})):
        target = path.with_name(path.name + ending)
        figure.savefig(target, **extra)
        yield target


def _canvas(rows: int) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(8.5, 1.3 + 0.42 * rows), layout="constrained")
    axes = figure.subplots()
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color="#cccccc", linewidth=0.6)
    axes.set_axisbelow(True)
    return figure, axes


def _errors(found: Estimate) -> tuple[list[float], list[float]]:
    return [found.median - found.low], [found.high - found.median]


# --- a case -------------------------------------------------------------------------


def _case_chart(result: CaseResult) -> Figure:
    sides = [side for side in result.sides.values() if side.is_measured]
    figure, axes = _canvas(len(sides))
    found = [estimate(side.values(result.case)) for side in sides]
    for row, (side, one) in enumerate(zip(sides, found, strict=True)):
        look = _LOOKS.get(side.name, _VARIANT if side.name.startswith(f"{RAW}, ") else _PEER)
        axes.barh(row, one.median, 0.68, edgecolor="black", linewidth=0.8, **look)
        axes.errorbar(one.median, row, xerr=_errors(one), **_WHISKERS)
        axes.annotate(
            number(one.median), (one.high, row), (6, 0), textcoords="offset points", va="center", fontsize=9
        )
    _scale(axes, found)
    axes.set_yticks(range(len(sides)), [side.name for side in sides])
    axes.invert_yaxis()
    figure.suptitle(result.case.title, x=0.01, ha="left", fontsize=13, fontweight="bold")
    axes.set_xlabel(_caption(result, sides, axes.get_xscale()))
    return figure


def _scale(axes: Axes, found: Sequence[Estimate]) -> None:
    """From 0, or logarithmic; with room for the figures at the right."""
    high, low = max(one.high for one in found), min(one.low for one in found)
    if needs_log([one.median for one in found]):
        axes.set_xscale("log")
        axes.set_xlim(low / 3, high * (high / low) ** 0.18)
        axes.xaxis.set_minor_formatter(NullFormatter())
    else:
        axes.set_xlim(0, high * 1.15)
    axes.xaxis.set_major_formatter(lambda value, _: number(value))


def _caption(result: CaseResult, sides: Sequence[SideResult], scale: str) -> str:
    rounds = max(len(side.rounds) for side in sides)
    said = [f"{result.case.unit}, {result.case.better} is better"]
    said += [f"median and spread of {rounds} rounds"] if rounds > 1 else ["one round"]
    said += ["logarithmic"] if scale == "log" else []
    return "; ".join(said)


# --- the overview -------------------------------------------------------------------

_MARKS: dict[str, dict[str, Any]] = {
    ACTORS: {"marker": "o", "color": "#1f4e79", "markersize": 7},
    PLAIN: {"marker": "D", "color": "#5b8db8", "markersize": 6, "markeredgecolor": "black"},
}


def _all_ratios(results: Sequence[CaseResult]) -> Iterator[tuple[str, dict[str, Estimate]]]:
    """How many times as good as raw trio, for each case that can say so."""
    for result in results:
        found: dict[str, Estimate] = {}
        for name in _MARKS:
            ratios = result.ratios(name, RAW)
            if ratios:
                found[name] = estimate(
                    [1 / ratio for ratio in ratios] if result.case.better == "less" else ratios
                )
        if found:
            yield result.case.title, found


def _overview(ratios: Sequence[tuple[str, dict[str, Estimate]]]) -> Figure:
    figure, axes = _canvas(len(ratios) + 1)
    for name, marks in _MARKS.items():
        label: str | None = name
        for row, (_, found) in enumerate(ratios):
            if name in found:
                one = found[name]
                shift = -0.13 if name == ACTORS else 0.13
                axes.errorbar(
                    one.median, row + shift, xerr=_errors(one), capsize=3, linewidth=1.1, label=label, **marks
                )
                label = None
    axes.axvline(1, color="black", linewidth=1.2)
    axes.set_xscale("log")
    low, high = min(axes.get_xlim()[0], 0.5), max(axes.get_xlim()[1], 2.0)
    axes.set_xlim(low, high)
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if high < 300 * low else (1.0,)))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g} ×")
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_yticks(range(len(ratios)), [title for title, _ in ratios])
    axes.set_ylim(len(ratios) - 0.4, -0.6)
    axes.set_xlabel(f"times as good as {RAW}, logarithmic; right of the line is better")
    figure.suptitle(f"Beside {RAW}", x=0.01, ha="left", fontsize=13, fontweight="bold")
    figure.legend(loc="outside upper right", ncols=len(_MARKS), frameon=False)
    return figure
