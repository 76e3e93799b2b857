"""The example programs of the documentation, run as they stand."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "examples"


def run(name: str) -> str:
    """What an example prints; it must succeed and complain of nothing."""
    done = subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLES / name)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_primes_are_counted_on_every_core() -> None:
    """There are 4,203 primes below 40,000, however many processes look for them."""
    assert run("cores.py").startswith("4203 primes, counted on ")


def test_a_network_tells_each_agent_that_is_ready_and_is_whole_at_the_end() -> None:
    """The one that fails at first is started again; the tree shows all of them at rest."""
    *steps, system, network, _, _, _ = run("network.py").splitlines()
    told = [re.fullmatch(r"(\d) of 3: (\w+) is IDLE after \d\.\d s", step) for step in steps]
    assert [step and step[1] for step in told] == ["1", "2", "3"]
    assert {step and step[2] for step in told} == {"planner", "searcher", "writer"}
    assert (system, network) == ("alpha [idle] (system)", "└── network [idle] (supervisor)")
