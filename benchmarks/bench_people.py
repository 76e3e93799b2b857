"""What does it cost to wait for people and to be looked at, beside a loop that looks every 0.2 s?

    python -m benchmarks.bench_people [--rounds N] [--quick] [--json FILE] [PART ...]

The sides of a table take turns within each round; ratios are within each round.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import AsyncGenerator, Callable, Sequence
from pathlib import Path

import attrs
import trio

from benchmarks.bench_delivery import rounds
from benchmarks.harness.figures import Figures, table
from benchmarks.harness.noise import cores, load_now
from benchmarks.people.nodes import nodes
from benchmarks.people.page import page
from benchmarks.people.waiting import SIZES, Sizes, answers, waiting

Part = Callable[[Sizes, int], AsyncGenerator[Figures]]
PARTS: dict[str, Part] = {"waiting": waiting, "answers": answers, "nodes": nodes, "page": page}


async def everything(options: argparse.Namespace) -> list[Figures]:
    """Measure and print."""
    found: list[Figures] = []
    print(
        f"{cores()} cores, load average {load_now():.1f} at the start, {options.rounds} rounds, median ± MAD"
    )
    for name in options.parts:
        async with contextlib.aclosing(PARTS[name](SIZES[options.quick], options.rounds)) as part:
            async for figures in part:
                print("\n".join(table(figures)), flush=True)
                found.append(figures)
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.bench_people",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)}; all without one")
    parser.add_argument("--rounds", type=rounds, help="of each side (5; quick 1)")
    parser.add_argument("--quick", action="store_true", help="a few seconds, to see that it runs")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all that was measured")
    options = parser.parse_args(arguments)
    if unknown := [part for part in options.parts if part not in PARTS]:
        parser.error(f"no part {unknown[0]!r}: there are {', '.join(PARTS)}")
    options.rounds = options.rounds or (1 if options.quick else 5)
    options.parts = options.parts or list(PARTS)
    with contextlib.suppress(KeyboardInterrupt):
        found = trio.run(everything, options)
        if options.json is not None:
            options.json.write_text(json.dumps([attrs.asdict(one) for one in found], indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())
