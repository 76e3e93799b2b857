"""The program of a benchmark that has parts: each yields its tables, which are printed as they come."""

from __future__ import annotations

import argparse
import contextlib
import json
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import attrs
import trio

from benchmarks.bench_delivery import rounds
from benchmarks.harness.figures import Figures, table
from benchmarks.harness.noise import cores, load_now

__all__ = ["Part", "run_parts"]

S = TypeVar("S")
Part = Callable[[S, int], AsyncGenerator[Figures]]
"""Takes how much is to be measured, and in how many rounds."""


async def _everything(parts: Sequence[Part[S]], sizes: S, rounds: int) -> list[Figures]:
    found: list[Figures] = []
    print(f"{cores()} cores, load average {load_now():.1f} at the start, {rounds} rounds, median ± MAD")
    for part in parts:
        async with contextlib.aclosing(part(sizes, rounds)) as tables:
            async for figures in tables:
                print("\n".join(table(figures)), flush=True)
                found.append(figures)
    return found


def run_parts(
    name: str,
    about: str | None,
    parts: Mapping[str, Part[S]],
    sizes: Mapping[bool, S],
    arguments: Sequence[str] | None,
) -> None:
    """Measure and print; `sizes` by whether it is to be quick."""
    parser = argparse.ArgumentParser(
        prog=f"python -m benchmarks.{name}",
        description=about,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(parts)}; all without one")
    parser.add_argument("--rounds", type=rounds, help="of each side (5; quick 1)")
    parser.add_argument("--quick", action="store_true", help="a few seconds, to see that it runs")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all that was measured")
    options = parser.parse_args(arguments)
    if unknown := [part for part in options.parts if part not in parts]:
        parser.error(f"no part {unknown[0]!r}: there are {', '.join(parts)}")
    chosen = [parts[part] for part in options.parts or parts]
    often = options.rounds or (1 if options.quick else 5)
    with contextlib.suppress(KeyboardInterrupt):
        found = trio.run(_everything, chosen, sizes[options.quick], often)
        if options.json is not None:
            options.json.write_text(json.dumps([attrs.asdict(one) for one in found], indent=1) + "\n")
