"""Is an acknowledged message ever lost, doubled or out of order, while processes are killed with SIGKILL?

    python -m benchmarks.chaos_delivery [--engine sqlite|redis] [--kill sender|consumer|server]
                                        [--kills N] [--seed N] [--lanes N] [--lease SECONDS] [--keep DIR]
                                        [--broken NAME]

Each lane has a store of its own. Its processes post, with keys and without, and deliver to actors that keep
what they have done with `ctx.save`; some handlers fail, some refuse, some post on. They are killed at
random moments, also while they open, recover and close, and started again. At the end all is drained and
`actors.testing.check_history` judges the journal that all processes have written. Exit 0: nothing is wrong.
With `--broken` the store breaks a promise, and exit 0 means that the judge has found it.
"""

from __future__ import annotations

import argparse
import secrets
import shutil
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from benchmarks.chaos import on_redis, on_sqlite
from benchmarks.chaos.broken import BREAKS
from benchmarks.chaos.children import run_in_lanes
from benchmarks.chaos.judging import Found, summed

_KILLS = {"sqlite": ("sender", "consumer"), "redis": ("server", "consumer")}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one campaign and return the exit code."""
    options = _parsed(arguments)
    print(
        f"seed {options.seed}: {options.kills} kills of a {options.kill} on {options.engine}"
        + (f", broken: {options.broken}" if options.broken else ""),
        flush=True,
    )
    folder = Path(options.keep or tempfile.mkdtemp(prefix="chaos"))
    folder.mkdir(parents=True, exist_ok=True)
    try:
        found = campaign(options, folder)
    finally:
        if not options.keep:
            shutil.rmtree(folder, ignore_errors=True)
    print(found)
    if options.broken:
        wanted = BREAKS[options.broken][1]
        print(f"{wanted}: {'found' if wanted in found.bad else 'NOT FOUND'}")
        return 0 if wanted in found.bad and not found.crashes else 1
    return 0 if found.is_good else 1


def campaign(options: argparse.Namespace, folder: Path) -> Found:
    """All lanes, judged."""
    each, more = divmod(options.kills, options.lanes)
    shares = [each + (number < more) for number in range(options.lanes)]

    def work(number: int) -> str:
        lane = partial(
            on_sqlite.lane, number, kills=shares[number], kill=options.kill, seed=options.seed, folder=folder
        )
        if options.engine == "sqlite":
            return lane(broken=options.broken)
        return on_redis.lane(
            number,
            kills=shares[number],
            kill=options.kill,
            seed=options.seed,
            folder=folder,
            lease=options.lease,
        )

    if options.engine == "redis":
        on_redis.import_all()
    results = run_in_lanes(options.lanes, work)
    return summed([Found(crashes=1) if one is None else Found.read(one) for one in results])


def _parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.chaos_delivery")
    parser.add_argument("--engine", choices=sorted(_KILLS), default="sqlite")
    parser.add_argument("--kill", choices=("sender", "consumer", "server"), default="consumer")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--lanes", type=int, default=4)
    parser.add_argument("--lease", type=float, default=0.5, help="seconds, for consumers on redis")
    parser.add_argument("--keep", metavar="DIR", help="where stores and journals are left")
    parser.add_argument("--broken", choices=sorted(BREAKS))
    options = parser.parse_args(arguments)
    if options.kill not in _KILLS[options.engine]:
        parser.error(f"on {options.engine} one kills a {' or a '.join(_KILLS[options.engine])}")
    if options.broken and options.engine != "sqlite":
        parser.error("the broken stores are in files: --engine sqlite")
    options.seed = secrets.randbelow(10**6) if options.seed is None else options.seed
    options.lanes = max(1, min(options.lanes, options.kills))
    return options


if __name__ == "__main__":
    sys.exit(main())
