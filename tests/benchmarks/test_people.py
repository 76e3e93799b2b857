"""The benchmark of people and of the page: that it runs, and who waits without a wake-up. Not its figures."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import bench_people
from tests.benchmarks.cast import ROOT, environment


@pytest.mark.row(104)
@pytest.mark.row(116)
def test_waiting_for_people_is_measured_beside_a_polling_loop(tmp_path: Path) -> None:
    """And at the desk nobody wakes up, however many wait."""
    file = tmp_path / "new.json"
    command = [sys.executable, "-m", "benchmarks.bench_people", "--quick", "--json", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(), cwd=ROOT)
    assert (done.returncode, done.stderr) == (0, "")
    for aim in (
        "system.desk, p99 <= 1 ms",
        "an answer over the link, p99 <= 10 ms",
        "somebody looks, p99 <= 1.1 x",
    ):
        assert f"aim: {aim}" in done.stdout
    tables = json.loads(file.read_text())
    assert len(tables) == 7
    for one in tables[:2]:
        assert one["sides"]["system.desk"]["wake-ups"] == [0]
        assert one["sides"]["a loop of 0.2 s each"]["wake-ups"][0] >= 1


@pytest.mark.parametrize(
    ("arguments", "said"), [(("nothing",), "no part 'nothing'"), (("--rounds", "0"), "must be above 0")]
)
def test_a_wrong_option_is_told(
    arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        bench_people.main(arguments)
    assert said in capsys.readouterr().err
