"""What does it cost to speak to programs: in lines, in terminals, by MCP, beside the same without actors?

    python -m benchmarks.bench_agents [--rounds N] [--quick] [--json FILE] [PART ...]

The sides of a table take turns within each round; ratios are within each round.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from benchmarks.agents.lines import lines
from benchmarks.agents.sizes import SIZES, Sizes
from benchmarks.agents.terminals import terminals
from benchmarks.agents.tools import tools
from benchmarks.harness.parts import Part, run_parts

PARTS: dict[str, Part[Sizes]] = {"lines": lines, "terminals": terminals, "tools": tools}


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables."""
    run_parts("bench_agents", __doc__, PARTS, SIZES, arguments)


if __name__ == "__main__":
    sys.exit(main())
