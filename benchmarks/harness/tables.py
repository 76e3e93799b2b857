"""What is printed: a table a case with its aims, the list of cases, and what has changed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.table import Table
from rich.text import Text

from benchmarks.case import RAW, Case
from benchmarks.harness.aims import Verdict
from benchmarks.harness.catalogue import Contest
from benchmarks.harness.compare import Change
from benchmarks.harness.results import CaseResult, SideResult
from benchmarks.harness.stats import Estimate, estimate, median_abs_dev

__all__ = ["aim_line", "case_table", "change_table", "heading", "list_table", "number"]

LAG = "lag p99/max ms"
WHY_NOT = "why not"
_STYLES = {
    "reached": "green",
    "MISSED": "red",
    "too noisy to tell": "yellow",
    "too few rounds to tell": "yellow",
    "not measured": "dim",
}


def number(value: float) -> str:
    """As many digits as a reader takes in, whole from a thousand on."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def times(value: float) -> str:
    """A ratio: three digits, all of a large one."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def heading(case: Case) -> Text:
    """Its title and name, and what it asks."""
    question = f". {case.question}" if case.question else ""
    return Text.assemble((case.title, "bold"), f" ({case.name}){question}")


def case_table(result: CaseResult) -> Table:
    """One row a side."""
    names = ["side", _unit(result.case), "± MAD", f"ratio to {RAW}", "spread"]
    sides = result.sides.values()
    names += [LAG] * any(side.lag is not None for side in sides)
    names += [WHY_NOT] * any(not side.is_measured for side in sides)
    table = _table()
    for name in names:
        left = name in ("side", "spread", WHY_NOT)
        table.add_column(name, justify="left" if left else "right", no_wrap=name != WHY_NOT, overflow="fold")
    for side in sides:
        cells = _cells(result, side)
        table.add_row(*(cells.get(name, "") for name in names))
    return table


def _table() -> Table:
    return Table(box=None, pad_edge=False, header_style="bold")


def _unit(case: Case) -> str:
    return case.unit if case.better == "more" else f"{case.unit}, less is better"


def _cells(result: CaseResult, side: SideResult) -> dict[str, str | Text]:
    """By column; those that have nothing to say are left out."""
    cells: dict[str, str | Text] = {"side": side.name}
    if side.failure is not None:
        return cells | {WHY_NOT: Text(f"failed: {side.failure}", "red")}
    values = side.values(result.case)
    if not values:
        return cells | {WHY_NOT: Text("not measured", "dim")}
    cells |= {
        _unit(result.case): number(side.median(result.case)),
        "± MAD": f"± {number(median_abs_dev(values))}",
    }
    ratios = [] if side.name == RAW else result.ratios(side.name, RAW)
    if ratios:
        ratio, spread = _ratio(estimate(ratios))
        cells |= {f"ratio to {RAW}": ratio, "spread": spread}
    if side.lag is not None:
        cells[LAG] = f"{side.lag.p99:.1f} / {side.lag.max:.1f}"
    return cells


def _ratio(found: Estimate) -> tuple[str, str]:
    return times(found.median), f"[{times(found.low)}..{times(found.high)}]"


def aim_line(verdict: Verdict, case: Case) -> Text:
    """What was to be reached, and whether it is."""
    aim = verdict.aim
    sign = ">=" if case.better == "more" else "<="
    if aim.against is None:
        wanted = f"{aim.side} {sign} {number(aim.limit)} {case.unit}"
    else:
        who = "" if verdict.against in (None, aim.against) else f" ({verdict.against})"
        wanted = f"{aim.side} {sign} {times(aim.limit)} × {aim.against}{who}"
    text = Text.assemble(f"aim: {wanted}: ", (verdict.word, _STYLES[verdict.word]))
    if verdict.found is not None:
        said = number if aim.against is None else times
        found = verdict.found
        text.append(f" ({said(found.median)} [{said(found.low)}..{said(found.high)}])")
    return text


def list_table(contests: Iterable[Contest]) -> Table:
    """All cases, and who competes in each."""
    table = _table()
    for name in ("case", "title", "unit", "sides"):
        table.add_column(name, no_wrap=name == "case")
    for contest in contests:
        sides = "; ".join(contender.name for contender in contest.contenders)
        table.add_row(contest.case.name, contest.case.title, contest.case.unit, sides)
    return table


def change_table(changes: Sequence[Change]) -> Table:
    """Old and new, and whether the runs show that they differ."""
    table = _table()
    for name in ("case", "what", "old", "new", "new / old", ""):
        table.add_column(name, justify="right" if name in ("old", "new", "new / old") else "left")
    last = ""
    for change in changes:
        shown = number if change.unit else times
        old, new = (shown(one.median) for one in (change.old, change.new))
        unit = f" {change.unit}" if change.unit else ""
        table.add_row(
            change.case if change.case != last else "",
            change.what,
            old,
            new + unit,
            times(change.factor),
            _judged(change),
        )
        last = change.case
    return table


def _judged(change: Change) -> Text:
    if not change.is_shown:
        return Text("no difference that these runs show", "dim")
    return Text("better", "green") if change.is_better else Text("WORSE", "red")
