"""What does a full disk do to posted messages?

    python -m benchmarks.disk_delivery [--kind disk|limit] [--cycles N] [--seed N] [--lanes N]

One process posts and delivers while its disk (a small one of its own, for which one has to be root) or
its files may grow no more for a while, again and again. Posts raise `StoreUnavailable` then; when there is
room it goes on by itself, and at the end nothing that was acknowledged is lost. Exit 0: so it is.
"""

from __future__ import annotations

import argparse
import secrets
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.chaos import disk
from benchmarks.chaos.children import run_in_lanes
from benchmarks.chaos.judging import Found, summed


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it and return the exit code."""
    parser = argparse.ArgumentParser(prog="benchmarks.disk_delivery")
    parser.add_argument("--kind", choices=disk.KINDS, default="disk")
    parser.add_argument("--cycles", type=int, default=20)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--lanes", type=int, default=2)
    options = parser.parse_args(arguments)
    seed = secrets.randbelow(10**6) if options.seed is None else options.seed
    print(f"seed {seed}: {options.cycles} times full, by {options.kind}", flush=True)
    folder = Path(tempfile.mkdtemp(prefix="disk"))
    each, more = divmod(options.cycles, options.lanes)

    def work(number: int) -> str:
        cycles = each + (number < more)
        return disk.lane(number, kind=options.kind, cycles=cycles, seed=seed, folder=folder)

    try:
        results = run_in_lanes(options.lanes, work)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    found = summed([Found(crashes=1) if one is None else Found.read(one) for one in results])
    print(str(found).replace("kills", "times full and said so", 1))
    return 0 if found.is_good and found.kills == options.cycles else 1


if __name__ == "__main__":
    sys.exit(main())
