"""How soon is a network of real processes ready, how does a pool follow its load, and what does it cost?

    python -m benchmarks.bench_network [--rounds N] [--quick] [--plots DIR] [--json FILE] [PART ...]

"alone" is the slowest process by itself, from exec to its own "ready" line; "at once" the slowest
of all n, started together with nothing around them, as they compete for the cores; "network" from the
request to the supervisor that has its `NetworkReady`; "behind" how long that was after the last
process had written its line. The reference looks after n x 5 + 5 s, or waits in a call for 120 s.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import attrs
import trio

from benchmarks.harness.noise import cores, load_now
from benchmarks.network import costs, load_step, starts

PARTS = ("starts", "pool", "costs")
_QUICK = load_step.Plan(before=0.1, load=0.6, after=0.5, cooldown=0.1, max_wait=0.02, idle=0.1)


@attrs.define
class Results:
    """What was measured; None where it was not asked for."""

    starts: list[starts.Row] | None = None
    pool: list[load_step.Curve] | None = None
    costs: list[costs.Cost] | None = None


async def everything(options: argparse.Namespace) -> Results:
    """Measure and print."""
    quick, rounds, results = options.quick, options.rounds, Results()
    print(f"{cores()} cores, load average {load_now():.1f} at the start, {rounds} rounds, median ± MAD")
    if "starts" in options.parts:
        print("\nA supervisor and n real processes, from the request to ready")
        sizes = [2] if quick else [1, 3, 6]
        results.starts = await starts.measure(0.05 if quick else 1.0, sizes, rounds)
        show(starts.table(results.starts))
        for row in (row for row in results.starts if row.n == sizes[len(sizes) // 2]):
            show(
                [
                    f"\n1 + {row.n} {row.kind.title}, as they came:",
                    *(f"  {step}" for step in row.ours[-1].steps),
                ]
            )
    if "pool" in options.parts:
        plan = _QUICK if quick else load_step.Plan()
        load = f"0, {plan.rate:g}, 0 messages a second, {1000 * plan.work:g} ms of work each"
        print(f"\nA pool under a load of {load}")
        results.pool = await load_step.run(plan)
        show(load_step.table(results.pool, plan))
        if options.plots is not None:
            from benchmarks.network.plot import draw  # which needs matplotlib

            print("drawn:", *draw(results.pool, plan, options.plots))
    if "costs" in options.parts:
        print("\nWhat it costs")
        results.costs = await costs.measure(200 if quick else 3000, rounds)
        show(costs.table(results.costs))
    return results


def show(lines: Sequence[str]) -> None:
    """Print them now: the next part takes a while."""
    print("\n".join(lines), flush=True)


def rounds(text: str) -> int:
    """At least one."""
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError("must be above 0")
    return number


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.bench_network",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)}; all without one")
    parser.add_argument("--rounds", type=rounds, help="of each side (7; quick 1)")
    parser.add_argument("--quick", action="store_true", help="a few seconds, to see that it runs")
    parser.add_argument("--plots", type=Path, metavar="DIR", help="draw the curves of the pool there")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all that was measured")
    options = parser.parse_args()
    if unknown := [part for part in options.parts if part not in PARTS]:
        parser.error(f"no part {unknown[0]!r}: there are {', '.join(PARTS)}")
    options.parts = options.parts or PARTS
    options.rounds = options.rounds or (1 if options.quick else 7)
    with contextlib.suppress(KeyboardInterrupt):
        results = trio.run(everything, options)
        if options.json is not None:
            options.json.write_text(json.dumps(attrs.asdict(results), indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())
