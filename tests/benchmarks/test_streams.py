"""The benchmark of streams: that it runs. Not its figures."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.benchmarks.cast import ROOT, environment


def test_chunks_are_counted_here_and_over_a_link(tmp_path: Path) -> None:
    file = tmp_path / "new.json"
    command = [sys.executable, "-m", "benchmarks.bench_streams", "--quick", "--json", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(), cwd=ROOT)
    assert (done.returncode, done.stderr) == (0, "")
    sides = [list(one["sides"]) for one in json.loads(file.read_text())]
    assert sides == [["a memory channel", "ref.stream"], ["ref.stream"]]
