"""How many chunks a second does a stream give, here and over a link, beside a memory channel of trio?

    python -m benchmarks.bench_streams [--rounds N] [--quick] [--json FILE] [PART ...]

The sides of a table take turns within each round; ratios are within each round.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from benchmarks.harness.parts import Part, run_parts
from benchmarks.streams.chunks import SIZES, Sizes, here, there

PARTS: dict[str, Part[Sizes]] = {"here": here, "there": there}


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables."""
    run_parts("bench_streams", __doc__, PARTS, SIZES, arguments)


if __name__ == "__main__":
    sys.exit(main())
