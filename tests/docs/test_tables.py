"""The state tables on the design page."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_state_tables_of_the_design_page_are_those_of_the_code() -> None:
    """`python docs/tools/draw_tables.py` would change nothing."""
    command = [sys.executable, "docs/tools/draw_tables.py", "--check"]
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == 0
