"""`python -m benchmarks [--rounds N] [CASE ...]`: every case, or those whose name contains a word."""

from __future__ import annotations

import argparse
import importlib
import json
import platform
import sys

import trio

from benchmarks.measure import Case, compare, measure_here

MODULES = ("bench_tell", "bench_ask", "bench_ring", "bench_spawn", "bench_memory")


def cases(module: str) -> list[Case]:
    """The cases of one file."""
    found: list[Case] = importlib.import_module(f"benchmarks.{module}").CASES
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="interleaved runs of each case (default 5)")
    parser.add_argument("--one", nargs=3, metavar=("MODULE", "CASE", "SIDE"), help=argparse.SUPPRESS)
    parser.add_argument("words", nargs="*", help="only cases whose name contains one of these")
    options = parser.parse_args()
    if options.one:
        module, name, side = options.one
        case = next(case for case in cases(module) if case.name == name)
        json.dump(measure_here(case, side), sys.stdout)
        return
    print(f"Python {platform.python_version()}, trio {trio.__version__}; medians of {options.rounds} runs")
    print(f"{'case':<28} {'actors':>13} {'raw trio':>13} {'unit':<13} {'ratio':>6} [spread]")
    for module in MODULES:
        for case in cases(module):
            if not options.words or any(word in case.name for word in options.words):
                print(compare(module, case, options.rounds), flush=True)


if __name__ == "__main__":
    main()
