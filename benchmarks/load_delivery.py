"""Does store and forward hold under load? Exit 0: every figure is met; 1: one is missed.

    python -m benchmarks.load_delivery [--agents N] [--messages N] [--engine memory|sqlite]
                                       [--timeout S] [--soak SECONDS] [--virtual]

A burst to many agents, five requests to one at once, a switch of mode with messages in flight, and with
`--soak` the memory of the process while messages come and go. With `--virtual` the time of the soak passes
by itself, in memory: an hour takes a minute or two.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import trio
import trio.testing

from actors.delivery import MemoryStore, SQLiteStore, Store
from benchmarks.delivery.load import Check, burst, in_turn, soak, switch


def main(arguments: Sequence[str] | None = None) -> int:
    """Run all checks and return the exit code."""
    options = _parsed(arguments)
    checks: list[Check] = []
    with tempfile.TemporaryDirectory(prefix="load", ignore_cleanup_errors=True) as folder:
        place = Path(folder)

        def store(name: str) -> Store:
            return MemoryStore() if options.engine == "memory" else SQLiteStore(place / f"{name}.db")

        works = [
            partial(burst, store("burst"), options.agents, options.messages, options.timeout),
            partial(in_turn, store("turns")),
            partial(switch, place / "switch.db"),
        ]
        with contextlib.suppress(KeyboardInterrupt):
            for work in works:
                checks.append(_said(trio.run(work)))
            if options.soak is not None:
                kept = MemoryStore() if options.virtual else store("soak")
                clock = trio.testing.MockClock(autojump_threshold=0) if options.virtual else None
                check = trio.run(partial(soak, kept, options.agents, options.soak), clock=clock)
                checks.append(_said(check))
            return 0 if all(check.is_met for check in checks) else 1
        return 130


def _said(check: Check) -> Check:
    print(check, flush=True)
    return check


def _parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.load_delivery",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--agents", type=_count, default=10, help="10")
    parser.add_argument("--messages", type=_count, default=10, help="for each agent; 10")
    parser.add_argument("--engine", choices=("memory", "sqlite"), default="sqlite")
    parser.add_argument(
        "--timeout", type=float, default=30.0, help="seconds for each message of the burst; 30"
    )
    parser.add_argument("--soak", type=_seconds, metavar="SECONDS", help="how long; without it there is none")
    parser.add_argument("--virtual", action="store_true", help="the time of the soak passes by itself")
    options = parser.parse_args(arguments)
    if options.virtual and options.soak is None:
        parser.error("--virtual is about the soak: --soak 3600 --virtual")
    return options


def _count(text: str) -> int:
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError("must be above 0")
    return number


def _seconds(text: str) -> float:
    if not (number := float(text)) > 0:
        raise argparse.ArgumentTypeError("must be above 0")
    return number


if __name__ == "__main__":
    sys.exit(main())
