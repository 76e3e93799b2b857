"""The benchmark of programs that are spoken to: that it runs. Not its figures."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.benchmarks.cast import ROOT, environment


def test_programs_are_spoken_to_beside_the_same_without_actors(tmp_path: Path) -> None:
    """Three tables: lines beside bare pipes, terminals beside polled ones, tools beside a bare server."""
    file = tmp_path / "new.json"
    command = [sys.executable, "-m", "benchmarks.bench_agents", "--quick", "--json", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(), cwd=ROOT)
    assert (done.returncode, done.stderr) == (0, "")
    assert "aim: process.Lines, p50 <= 1 ms" in done.stdout
    assert [list(one["sides"]) for one in json.loads(file.read_text())] == [
        ["bare pipes", "process.Lines"],
        ["tmux and a look each 0.3 s", "process.Terminal"],
        ["a bare server, in memory", "ask an actor, in memory", "ask an actor, over HTTP"],
    ]
