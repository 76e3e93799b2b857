"""Is a damaged file ever a crash, a hang, or a wrong message?

    python -m benchmarks.damage_delivery [--damages N] [--seed N] [--lanes N] [--unchecked]

Each damage (a bit, a byte, a page, a cut, two pages swapped, zeros) is done to a copy of a store as a killed
process has left it: to the file, to its log or to its shared memory. It is opened and drained. Then
either everything is as it was, or what is damaged is reported: `StoreDamaged` or `StoreInvalid` at opening,
a DEAD ticket that says so, or `StoreDamaged` where it is read. Only the last commits of a log that is
damaged may be gone without a word: SQLite reads a log up to its first bad frame. Exit 0: nothing else.
With `--unchecked` no checksum is looked at, and wrong messages are to be expected.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random

from actors.delivery.sqlite import rows
from benchmarks.chaos.children import run_in_lanes
from benchmarks.chaos.damage import Outcome, try_one
from benchmarks.chaos.sample import fresh

_SAFE = (0, 20, 50)
"""How many of the commits are in the file itself."""
_HANG = 20


def main(arguments: Sequence[str] | None = None) -> int:
    """Do all the damages and return the exit code."""
    parser = argparse.ArgumentParser(prog="benchmarks.damage_delivery")
    parser.add_argument("--damages", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--lanes", type=int, default=2)
    parser.add_argument("--unchecked", action="store_true")
    options = parser.parse_args(arguments)
    if options.unchecked:
        rows.checksum = lambda *texts: "0" * 16
    seed = secrets.randbelow(10**6) if options.seed is None else options.seed
    print(f"seed {seed}: {options.damages} damages", flush=True)
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # nothing here depends on a real disk
    folder = Path(tempfile.mkdtemp(prefix="damage", dir=memory))
    began = time.monotonic()
    try:
        results = run_in_lanes(
            options.lanes,
            lambda lane: _lane(folder / str(lane), seed, range(lane, options.damages, options.lanes)),
        )
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    outcomes = [Outcome(*each) for one in results if one is not None for each in json.loads(one)]
    for name, count in sorted(Counter(_kind(one) for one in outcomes).items()):
        print(f"{count:6} {name}")
    bad = [one for one in outcomes if not one.is_good]
    for one in bad[:20]:
        print(f"{one.what}: {one.verdict}")
    died = sum(one is None for one in results)
    commits = sum(one.lost_commits for one in outcomes)
    print(f"{len(outcomes)} damages in {time.monotonic() - began:.1f} s, {len(bad)} bad, {died} lanes died")
    print(f"{commits} commits at the end of logs are gone")
    return 1 if bad or died or len(outcomes) < options.damages else 0


def _kind(one: Outcome) -> str:
    where, _, _ = one.what.partition(":")
    verdict, _, more = one.verdict.partition(":")
    how = more.partition(":")[0].strip() if more.strip().startswith("Store") else ""
    return f"{where:14} {verdict}{' by ' + how if how else ''}"


def _lane(folder: Path, seed: int, numbers: Sequence[int]) -> str:
    samples = [fresh(folder / f"safe{safe}", f"{seed} {safe}", safe) for safe in _SAFE]
    outcomes: list[tuple[str, str, int]] = []
    for number in numbers:
        signal.alarm(_HANG)  # one that hangs for good ends the lane, and is told by its number
        one = try_one(samples[number % len(samples)], folder, Random(f"{seed} {number}"))
        outcomes.append((f"{one.what}, number {number}", one.verdict, one.lost_commits))
    signal.alarm(0)
    return json.dumps(outcomes)


if __name__ == "__main__":
    sys.exit(main())
