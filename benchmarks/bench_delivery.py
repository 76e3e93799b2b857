"""What does it cost to post a message that is safe, beside what SQLite and Redis do by themselves?

    python -m benchmarks.bench_delivery [--rounds N] [--quick] [--folder DIR] [--json FILE] [PART ...]

The sides of a table take turns within each round; ratios are within each round. SQLite writes with
`synchronous = FULL` everywhere, Redis with `appendfsync always`: run it on a disk, not in memory.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import sys
import tempfile
from collections.abc import AsyncGenerator, Callable, Sequence
from pathlib import Path

import attrs
import trio

from benchmarks.delivery.on_redis import on_redis
from benchmarks.delivery.parts import SIZES, Sizes, ends, receipt, throughput
from benchmarks.delivery.reopening import reopening
from benchmarks.delivery.work import Places
from benchmarks.harness.figures import Figures, table
from benchmarks.harness.noise import cores, load_now

Part = Callable[[Places, Sizes, int], AsyncGenerator[Figures]]
PARTS: dict[str, Part] = {
    "receipts": receipt,
    "throughput": throughput,
    "ends": ends,
    "reopening": reopening,
    "redis": on_redis,
}


async def everything(options: argparse.Namespace, folder: Path) -> list[Figures]:
    """Measure and print."""
    found: list[Figures] = []
    print(
        f"{cores()} cores, load average {load_now():.1f} at the start, {options.rounds} rounds, median ± MAD"
    )
    for name in options.parts:
        async with contextlib.aclosing(
            PARTS[name](Places(folder), SIZES[options.quick], options.rounds)
        ) as part:
            async for figures in part:
                print("\n".join(table(figures)), flush=True)
                found.append(figures)
        for place in folder.iterdir():  # noqa: ASYNC240 - nothing else runs
            shutil.rmtree(place)
    return found


def rounds(text: str) -> int:
    """At least one."""
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError("must be above 0")
    return number


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.bench_delivery",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)}; all without one")
    parser.add_argument("--rounds", type=rounds, help="of each side (5; quick 1)")
    parser.add_argument("--quick", action="store_true", help="a few seconds, to see that it runs")
    parser.add_argument("--folder", type=Path, metavar="DIR", help="where the stores are made")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all that was measured")
    options = parser.parse_args(arguments)
    if unknown := [part for part in options.parts if part not in PARTS]:
        parser.error(f"no part {unknown[0]!r}: there are {', '.join(PARTS)}")
    options.rounds = options.rounds or (1 if options.quick else 5)
    options.parts = options.parts or [part for part in PARTS if part != "redis" or _has_redis()]
    with contextlib.suppress(KeyboardInterrupt), tempfile.TemporaryDirectory(dir=options.folder) as folder:
        found = trio.run(everything, options, Path(folder))
        if options.json is not None:
            options.json.write_text(json.dumps([attrs.asdict(one) for one in found], indent=1) + "\n")


def _has_redis() -> bool:
    has = any(shutil.which(name) for name in ("redis-server", "valkey-server"))
    if not has:
        print("left out, as redis-server is not installed: redis")
    return has


if __name__ == "__main__":
    sys.exit(main())
