"""The benchmark of posted messages: that it runs, and how its figures are found. Not what they are."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

import pytest
import trio

from benchmarks import bench_delivery, load_delivery
from benchmarks.delivery.load import grown
from benchmarks.delivery.work import receipts
from benchmarks.harness.figures import Aim, measured, percentiles, table
from tests.benchmarks.cast import ROOT, environment


def program(module: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", f"benchmarks.{module}", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=environment(), cwd=ROOT)


def test_posted_messages_are_measured_beside_sqlite(tmp_path: Path) -> None:
    file, folder = tmp_path / "new.json", tmp_path / "stores"
    folder.mkdir()
    parts = ("receipts", "throughput", "ends", "reopening")
    done = program("bench_delivery", "--quick", "--folder", folder, "--json", file, *parts)
    assert (done.returncode, done.stderr) == (0, "")
    assert "aim: SQLite, p99 <= 5 ms: too few rounds to tell" in done.stdout
    assert "aim: SQLite, posts >= 0.6 x of bare group commit: too few rounds to tell" in done.stdout
    assert "aim: 400, killed, first <= 1 s: too few rounds to tell" in done.stdout
    tables = json.loads(file.read_text())
    assert len(tables) == 8
    assert all(value > 0 for one in tables for side in one["sides"].values() for [value] in side.values())
    assert list(folder.iterdir()) == []


@pytest.mark.skipif(shutil.which("redis-server") is None, reason="redis-server is not installed")
def test_posted_messages_are_measured_beside_redis() -> None:
    done = program("bench_delivery", "--quick", "redis")
    assert (done.returncode, done.stderr) == (0, "")
    assert "aim: engine alone, 100 senders, posts >= 1,200 posts/s" in done.stdout
    assert "Redis: end to end" in done.stdout


@pytest.mark.parametrize(
    ("module", "arguments", "said"),
    [
        (bench_delivery, ("nothing",), "no part 'nothing'"),
        (bench_delivery, ("--rounds", "0"), "must be above 0"),
        (load_delivery, ("--agents", "0"), "must be above 0"),
        (load_delivery, ("--soak", "0"), "must be above 0"),
        (load_delivery, ("--virtual",), "--virtual is about the soak"),
    ],
)
def test_a_command_line_that_cannot_be_used(
    module: ModuleType, arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        module.main(arguments)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


@pytest.mark.row(100)
def test_a_burst_a_switch_and_a_soak_lose_nothing() -> None:
    done = program("load_delivery", "--soak", "20", "--virtual")
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split()[-1] for line in done.stdout.splitlines()] == ["met"] * 4


@pytest.mark.row(100)
def test_a_missed_figure_of_the_load_is_an_exit() -> None:
    done = program("load_delivery", "--engine", "memory", "--timeout", "0")
    assert (done.returncode, done.stderr) == (1, "")
    assert [line.split()[-1] for line in done.stdout.splitlines()] == ["MISSED", "met", "met"]


def test_memory_that_grows_is_seen_and_one_peak_is_not() -> None:
    assert grown([*range(100, 150)]) == pytest.approx(40 / 104.5)
    assert grown([100] * 49 + [900]) == 0


async def test_a_paced_receipt_counts_from_when_it_was_due(autojump_clock: trio.testing.MockClock) -> None:
    """With posts that take longer than there is time between them each is later than the one before."""

    async def post(number: int) -> None:
        await trio.sleep(0.3)

    found = await receipts(post, 1, 4, rate=10)
    assert found["p50"] == pytest.approx(500)  # 300, 500, 700, 900 ms
    assert found["p99"] == pytest.approx(900)
    assert found["posts"] == pytest.approx(4 / 1.2)
    assert (await receipts(post, 2, 4))["p99"] == pytest.approx(300)


def test_percentiles_are_of_what_was_measured() -> None:
    assert percentiles([0.001 * number for number in range(1, 101)]) == {"p50": 50, "p99": 99}
    assert percentiles([0.002]) == {"p50": 2, "p99": 2}


async def test_the_sides_of_a_table_take_turns_and_ratios_are_within_a_round() -> None:
    order: list[str] = []
    values = {"ours": iter([10.0, 40.0]), "bare": iter([20.0, 50.0])}

    def side(name: str):
        async def work() -> Mapping[str, float]:
            order.append(name)
            return {"posts": next(values[name])}

        return work

    aims = [Aim("ours", "posts", limit, than="bare") for limit in (0.5, 0.6, 0.9)]
    aims.append(Aim("ours", "posts", 5, "less"))
    found = await measured(
        "T", {"posts": "posts/s"}, {"ours": side("ours"), "bare": side("bare")}, 2, base="bare", aims=aims
    )
    assert order == ["ours", "bare", "bare", "ours"]
    assert found.ratios("ours", "posts", "bare") == pytest.approx([0.5, 0.8])
    lines = table(found)
    assert "posts 25 ± 15 posts/s  0.65 x (0.50 to 0.80)" in lines[1]
    assert [line.partition(": ")[2].partition(": ")[2] for line in lines[3:]] == [
        "reached (0.65 x)",
        "too noisy to tell (0.65 x)",
        "MISSED (0.65 x)",
        "MISSED (25 posts/s)",
    ]
