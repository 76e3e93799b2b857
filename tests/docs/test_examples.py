"""The example programs of the documentation, run as they stand."""

from __future__ import annotations

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
