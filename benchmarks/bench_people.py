"""What does it cost to wait for people and to be looked at, beside a loop that looks every 0.2 s?

    python -m benchmarks.bench_people [--rounds N] [--quick] [--json FILE] [PART ...]

The sides of a table take turns within each round; ratios are within each round.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from benchmarks.harness.parts import Part, run_parts
from benchmarks.people.nodes import nodes
from benchmarks.people.page import page
from benchmarks.people.waiting import SIZES, Sizes, answers, waiting

PARTS: dict[str, Part[Sizes]] = {"waiting": waiting, "answers": answers, "nodes": nodes, "page": page}


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables."""
    run_parts("bench_people", __doc__, PARTS, SIZES, arguments)


if __name__ == "__main__":
    sys.exit(main())
