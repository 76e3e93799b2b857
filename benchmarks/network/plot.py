"""The curves of a load step as SVG and PNG, readable in black and white."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.harness.plots import DPI, STYLE
from benchmarks.network.load_step import Curve, Plan, quantile, waits_by_bin

__all__ = ["draw"]

_LINES: tuple[dict[str, Any], ...] = (
    {"color": "#1f4e79", "linewidth": 2.0, "linestyle": "-"},
    {"color": "black", "linewidth": 1.2, "linestyle": ":"},
    {"color": "#5b8db8", "linewidth": 1.4, "linestyle": "--"},
)


def draw(curves: Sequence[Curve], plan: Plan, folder: Path) -> list[Path]:
    """Workers, messages that wait, and how long they do. Returns the files; raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    with matplotlib.rc_context(STYLE):
        figure = _figure(curves, plan)
        vector, pixels = folder / "pool-step.svg", folder / "pool-step.png"
        figure.savefig(vector, metadata={"Date": None})
        figure.savefig(pixels, dpi=DPI)
    return [vector, pixels]


def _figure(curves: Sequence[Curve], plan: Plan) -> Figure:
    figure = Figure(figsize=(8.5, 7.2), layout="constrained")
    workers, waiting, waits = figure.subplots(3, sharex=True)
    for curve, line in zip(curves, _LINES, strict=True):
        at = [sample.at for sample in curve.samples]
        workers.step(at, [sample.workers for sample in curve.samples], where="post", label=curve.name, **line)
        waiting.plot(at, [sample.waiting for sample in curve.samples], **line)
        bins = [
            (middle, quantile(sorted(taken), 0.95)) for middle, taken in waits_by_bin(curve, plan) if taken
        ]
        waits.plot([middle for middle, _ in bins], [1000 * wait for _, wait in bins], **line)
    for axes, label in (
        (workers, "workers"),
        (waiting, "messages that wait,\nlogarithmic from 10"),
        (waits, "waited, p95 by time\nof coming, ms, logarithmic"),
    ):
        _dress(axes, label, plan)
    workers.set_ylim(0)
    waiting.set_yscale("symlog", linthresh=10)
    waiting.set_ylim(0)
    waits.set_yscale("log")
    waits.axhline(1000 * plan.max_wait, color="black", linewidth=0.8)
    waits.annotate(
        "max_wait", (plan.load, 1000 * plan.max_wait), (6, 3), textcoords="offset points", fontsize=9
    )
    waits.set_xlabel(
        f"seconds from the step; grey: {plan.rate:g} messages a second, {1000 * plan.work:g} ms of work each"
    )
    figure.suptitle("A pool under a load step", x=0.01, ha="left", fontsize=13, fontweight="bold")
    figure.legend(loc="outside upper right", ncols=len(curves), frameon=False)
    return figure


def _dress(axes: Axes, label: str, plan: Plan) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#cccccc", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.axvspan(0, plan.load, color="#eeeeee", zorder=0)
    axes.set_ylabel(label)
    axes.set_xlim(-plan.before, plan.load + plan.after)
