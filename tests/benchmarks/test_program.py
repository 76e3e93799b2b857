"""The program as its users run it: real processes, files, charts, and Ctrl-C."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyperf
import pytest

from benchmarks.harness.processes import SideFailed, ask_worker
from benchmarks.harness.store import load
from tests.benchmarks.cast import ROOT, TINY, benchmarks, environment

QUICK = (*TINY, "--without-peers", "--quick", "--seconds", "0.01")
MODULE = ("--module", "tests.benchmarks.tiny")


def test_a_run_from_its_table_to_its_charts(tmp_path: Path) -> None:
    """Tables, aims, the file and the charts of two cases, one of them with a side that raises."""
    file, charts = tmp_path / "new.json", tmp_path / "charts"
    done = benchmarks(*QUICK, "--rounds", "2", "turns", "size", "--json", file, "--plots", charts)
    assert (done.returncode, done.stderr) == (0, "")
    assert "turns of a loop (turns). How many turns a second?" in done.stdout
    assert "aim: actors, plain >= 2 × raw trio: reached" in done.stdout
    assert "aim: actors >= 1,000,000,000,000 turns/s: MISSED" in done.stdout
    assert "failed: RuntimeError: it never works" in done.stdout
    assert "aim: actors <= 300 bytes: reached (300 [300..300])" in done.stdout
    assert "aim: actors <= 0.5 × raw trio: MISSED (1 [1..1])" in done.stdout
    turns, size = load(file)
    assert [len(side.rounds) for side in turns.sides.values()] == [2, 2, 2]
    assert size.sides["raises"].failure == "RuntimeError: it never works"
    assert len(pyperf.BenchmarkSuite.load(str(file))) == 5
    drawn = {path.name: path.read_bytes() for path in charts.iterdir()}
    assert sorted(drawn) == [
        f"{name}.{kind}" for name in ("ratios", "size", "turns") for kind in ("png", "svg")
    ]
    assert all(data[:4] == b"\x89PNG" for name, data in drawn.items() if name.endswith("png"))
    assert all(b"</svg>" in data for name, data in drawn.items() if name.endswith("svg"))
    again = benchmarks("--compare", file, "--compare", file)
    assert again.returncode == 0
    assert again.stdout.count("no difference that these runs show") == 8


def test_what_is_said_of_sides_that_fail() -> None:
    done = benchmarks(*QUICK, "--rounds", "1", "--timeout", "1.5", "--lag", "faults")
    assert done.returncode == 0
    said = {line.split("  ")[0]: line for line in done.stdout.splitlines() if line}
    assert "failed: RuntimeError: it never works" in said["raises"]
    assert "failed: RuntimeError: it never works" in said["raises in a nursery"]
    assert "failed: the process died of SIGKILL" in said["dies"]
    assert "failed: not done after 1.5 s" in said["hangs"]
    assert float(said["blocks"].split("/")[-1]) >= 20  # the lag that it had, in ms


def test_a_word_that_is_in_no_name() -> None:
    done = benchmarks(*TINY, "--without-peers", "turns", "nope")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == 'no case has "nope" in its name: there are turns, size, faults, endless\n'


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--rounds", "0"), "--rounds must be above 0"),
        (("--json", "/nowhere/new.json"), "cannot write /nowhere/new.json"),
        (("--compare", "/nowhere/old.json"), "cannot read /nowhere/old.json"),
        (("--nonsense",), "--nonsense"),
    ],
)
def test_a_command_line_that_cannot_be_used(arguments: tuple[str, ...], said: str) -> None:
    done = benchmarks(*TINY, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr


def test_actors_bench_is_the_same_program(tmp_path: Path) -> None:
    """From any folder, even one that has other benchmarks."""
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "benchmarks" / "__init__.py").write_text("raise SystemExit('not this one')")
    command = [sys.executable, "-c", "import sys; from actors.cli import main; sys.exit(main())"]
    command += ["bench", "--list", "--without-peers", *TINY]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(), cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "actors; actors, plain; raw trio" in done.stdout


def test_an_interpreter_that_is_not_there_is_named() -> None:
    done = benchmarks(*TINY, "--list", "--peers", "/nowhere/python")
    assert done.returncode == 0
    assert "/nowhere/python: cannot be asked for its peers" in done.stderr


def test_missing_extras_are_named(tmp_path: Path) -> None:
    code = "import sys; sys.modules['pyperf'] = None; import benchmarks.__main__ as m; sys.exit(m.main())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment())
    assert done.returncode == 2
    assert 'pip install "trio-actors[bench]"' in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_keeps_what_was_measured_and_leaves_no_process(
    tmp_path: Path, number: signal.Signals
) -> None:
    file = tmp_path / "new.json"
    command = [
        sys.executable,
        "-m",
        "benchmarks",
        *QUICK,
        "--rounds",
        "1",
        "endless",
        "--json",
        str(file),
    ]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(), cwd=ROOT
    )
    try:
        worker = worker_of(process.pid, "hangs")
        process.send_signal(number)
        out, err = process.communicate(timeout=20)
    finally:
        process.kill()  # of no effect when it has ended
        process.communicate()
    assert (process.returncode, err) == (130, "")
    assert "interrupted: this is what was measured so far" in out
    [result] = load(file)
    assert list(result.sides) == ["ends"]
    assert has_ended(worker)


def has_ended(pid: int) -> bool:
    """Whether it ends within some seconds; who reaps it takes its time."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([process], [], [], 5.0)[0])
    finally:
        os.close(process)


def worker_of(parent: int, side: str) -> int:
    """The process that measures this side."""
    for _ in range(1500):
        listed = subprocess.run(
            ["ps", "-A", "-ww", "-o", "pid=,ppid=,args="], capture_output=True, text=True, check=True
        )
        for line in listed.stdout.splitlines():
            pid, ppid, args = line.split(None, 2)
            if int(ppid) == parent and f" {side} " in args:
                return int(pid)
        time.sleep(0.02)
    raise AssertionError("it was never started")


def test_a_worker_prints_one_measurement() -> None:
    answer = ask_worker(sys.executable, ["size", "actors", "7", *MODULE])
    assert (answer["value"], answer["count"], answer["lag"]) == (700.0, 7, None)
    assert len(answer["spins"]) == 2
    assert set(answer["versions"]) >= {"trio"}


def test_a_worker_without_such_a_side() -> None:
    with pytest.raises(SideFailed, match="no side 'nobody' of a case 'size'"):
        ask_worker(sys.executable, ["size", "nobody", "7", *MODULE])
