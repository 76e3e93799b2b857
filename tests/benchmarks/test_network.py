"""The benchmark of networks and pools: that it runs, and how its figures are found. Not what they are."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import trio

from benchmarks.bench_network import Results
from benchmarks.network import load_step, starts
from benchmarks.network.load_step import Curve, Plan, Sample, figures
from tests.benchmarks.cast import ROOT, environment

PLAN = Plan(before=1, load=4, after=2, rate=2, work=1, maximum=4, max_wait=0.5, bin=1)


def program(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks.bench_network", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=environment(), cwd=ROOT)


def curve(waits: Sequence[tuple[float, float]], workers: Sequence[int] = (1, 1), minimum: int = 1) -> Curve:
    """With a sample each second from -1 on, and messages due when the plan has them."""
    samples = [Sample(index - 1.0, many, 0, 0.0) for index, many in enumerate(workers)]
    return Curve("a pool", minimum, tuple(samples), tuple(waits), sent=len(list(PLAN.arrivals())))


def test_a_network_of_real_processes_from_the_request_to_ready() -> None:
    done = program("--quick", "starts")
    assert (done.returncode, done.stderr) == (0, "")
    for kind in starts.kinds(1):
        row = next(line for line in done.stdout.splitlines() if line.startswith(f"1 + 2 {kind.title}"))
        assert "15 s   120 s  " in row
        assert row.endswith(("reached (<= 1.1 x at once)", "MISSED (<= 1.1 x at once)"))
        _, _, steps = done.stdout.partition(f"1 + 2 {kind.title}, as they came:\n")
        assert [line.split(":")[0] for line in steps.splitlines()[:2]] == ["  1 of 2", "  2 of 2"]


def test_a_pool_and_what_it_costs_from_the_table_to_the_curves(tmp_path: Path) -> None:
    file, charts = tmp_path / "new.json", tmp_path / "charts"
    done = program("--quick", "pool", "costs", "--json", file, "--plots", charts)
    assert (done.returncode, done.stderr) == (0, "")
    for said in (
        "1 to 8 workers ",
        "1 fixed ",
        "8 fixed ",
        "overshoot: ",
        "x system.spawn, stop",
        "x the wor",
    ):
        assert said in done.stdout
    assert sorted(path.name for path in charts.iterdir()) == ["pool-step.png", "pool-step.svg"]
    assert "</svg>" in (charts / "pool-step.svg").read_text()
    measured = json.loads(file.read_text())
    assert measured.keys() == {field.name for field in Results.__attrs_attrs__}  # type: ignore[attr-defined]
    assert measured["starts"] is None
    growing, least, most = measured["pool"]
    assert {sample["workers"] for sample in least["samples"]} == {1}
    assert {sample["workers"] for sample in most["samples"]} == {8}
    assert growing["samples"][0]["workers"] == 1
    assert max(sample["workers"] for sample in growing["samples"]) > 1
    assert growing["sent"] == len(list(Plan(load=0.6).arrivals()))


@pytest.mark.parametrize(
    ("arguments", "said"), [(("nothing",), "no part 'nothing'"), (("--rounds", "0"), "must be above 0")]
)
def test_a_command_line_that_cannot_be_used(arguments: tuple[str, ...], said: str) -> None:
    done = program(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr


async def test_the_pools_are_measured_by_the_load_that_is_planned(
    autojump_clock: trio.testing.MockClock,
) -> None:
    plan = Plan(before=1, load=4, after=4, rate=40, work=0.1, minimum=1, maximum=6)
    growing, least, most = await load_step.run(plan)
    assert growing.sent == least.sent == most.sent == len(list(plan.arrivals()))
    grown, small, large = (figures(one, plan) for one in (growing, least, most))
    assert (grown.most, small.most, large.most) == (6, 1, 6)
    assert grown.left == large.left == 0 < small.left
    assert large.p50 < grown.p50 < small.p50
    assert small.worker_seconds < grown.worker_seconds < large.worker_seconds
    assert grown.shrunk is not None
    assert plan.idle <= grown.shrunk <= plan.idle + plan.maximum * plan.cooldown + plan.work


def test_a_pool_has_settled_when_no_later_bin_is_slow() -> None:
    """The median of a bin counts, not one message in it."""
    due = list(PLAN.arrivals())
    last = max(index for index, at in enumerate(due) if at < 2)
    assert figures(curve([(at, 0.0) for at in due]), PLAN).settled == 0
    slow = [(at, 1.0 if index <= last else 0.5) for index, at in enumerate(due)]
    assert figures(curve(slow), PLAN).settled == 2
    assert figures(curve([(at, 0.51) for at in due]), PLAN).settled is None


def test_messages_that_nobody_took_have_not_settled() -> None:
    due = list(PLAN.arrivals())
    found = figures(curve([(at, 0.0) for at in due[:-1]]), PLAN)
    assert (found.settled, found.left) == (None, 1)


@pytest.mark.parametrize(
    ("workers", "minimum", "shrunk"),
    [
        ((1, 1, 2, 3, 3, 2, 2, 1), 1, 2.0),
        ((1, 2, 1, 1, 1, 1, 1), 1, 0.0),  # before the load had ended
        ((1, 2, 2, 2, 2, 2, 2), 1, None),  # not yet
        ((2, 2, 2, 2, 2, 2, 2), 2, None),  # it never grew
    ],
)
def test_when_a_pool_has_shrunk(workers: tuple[int, ...], minimum: int, shrunk: float | None) -> None:
    found = figures(curve([(1.0, 0.0)], workers, minimum), PLAN)
    assert found.shrunk == shrunk
    assert found.most == max(workers)
    assert found.worker_seconds == sum(workers[:-1])


def test_the_reference_looks_after_five_seconds_a_process_and_five() -> None:
    assert [starts.rule(n) for n in (1, 3, 6)] == [10, 20, 35]


def test_ratios_are_within_each_round() -> None:
    row = starts.Row(starts.kinds(1)[0], 3)
    row.ours += [starts.Start(2.2, 2.1, ()), starts.Start(1.0, 0.99, ())]
    row.at_once += [2.0, 1.0]
    assert row.ratios_to(row.at_once) == pytest.approx([1.1, 1.0])
    assert row.behind() == pytest.approx([100, 10])
