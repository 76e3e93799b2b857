"""One measurement: `PYTHON -m benchmarks.harness.worker CASE SIDE COUNT` prints a line of JSON.

It may run under another interpreter, in which only attrs, trio and a peer are installed, so
it imports nothing else but the module that has the side.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import functools
import importlib
import importlib.metadata
import importlib.util
import inspect
import json
import os
import platform
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from types import ModuleType
from typing import Any

from benchmarks.case import Case, Side
from benchmarks.harness.spin import spin

__all__ = ["find_side", "measure", "peers_here"]

SHOWN = ("trio", "trio-actors")


def peer_names() -> list[str]:
    """The modules of all peers, installed here or not."""
    if importlib.util.find_spec("benchmarks.peers") is None:
        return []
    peers: tuple[str, ...] = getattr(importlib.import_module("benchmarks.peers"), "PEERS", ())
    return [f"benchmarks.peers.{name}" for name in peers]


def peers_here() -> dict[str, Any]:
    """What this interpreter has: each installed peer by module, with its name, version and cases."""
    found: dict[str, Any] = {}
    faults: dict[str, str] = {}
    for name in peer_names():
        try:
            module = importlib.import_module(name)
            version: str | None = module.version()
            sides: dict[str, Side] = {} if version is None else module.SIDES
        except Exception as error:  # what a peer imports is foreign code
            faults[name] = _reason(error)
            continue
        if version is not None:
            cases = {case: {"start": side.start, "most": side.most} for case, side in sides.items()}
            found[name] = {"name": module.NAME, "version": version, "cases": cases}
    return {"python": platform.python_version(), "peers": found, "faults": faults}


def find_side(case: str, side: str, module: str | None = None) -> tuple[Side, str | None]:
    """The side, and the version of the peer if it is one. Without a module all are looked through."""
    for found in _modules() if module is None else (importlib.import_module(module),):
        if getattr(found, "NAME", None) == side and case in found.SIDES:
            return found.SIDES[case], found.version()
        cases: list[Case] = getattr(found, "CASES", [])
        for one in cases:
            if one.name == case and side in one.sides:
                return one.sides[side], None
    raise LookupError(f"there is no side {side!r} of a case {case!r}")


def _modules() -> Iterator[ModuleType]:
    for name in peer_names():
        with contextlib.suppress(ImportError):  # its library is not installed here
            yield importlib.import_module(name)
    for name in importlib.import_module("benchmarks.cases").MODULES:
        yield importlib.import_module(f"benchmarks.cases.{name}")


def measure(side: Side, count: int, *, lag: bool = False) -> dict[str, Any]:
    """Do the work once. With `lag`, a watcher runs beside it on its loop; a plain side has no such loop."""
    work: Any = side.work
    lags: dict[str, float] | None = None
    before = spin()
    began = time.perf_counter()
    if not _is_async(work):
        value = work(count)
    else:
        import trio

        if lag:
            from benchmarks.harness.lag import watched

            value, lags = trio.run(watched, work, count)
        else:
            value = trio.run(work, count)
    elapsed = time.perf_counter() - began
    return {
        "value": float(value),
        "count": count,
        "elapsed": elapsed,
        "lag": lags,
        "spins": [before, spin()],
        "date": datetime.datetime.now().isoformat(" "),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
    }


def _is_async(work: Any) -> bool:
    while isinstance(work, functools.partial):
        work = work.func
    return inspect.iscoroutinefunction(work) or inspect.iscoroutinefunction(type(work).__call__)


def _versions(side: str, version: str | None) -> dict[str, str]:
    found = {} if version is None else {side: version}
    for name in SHOWN:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found


def _reason(error: BaseException) -> str:
    """One line; a group of one is taken for what is in it."""
    inside = getattr(error, "exceptions", ())
    if inside:
        return _reason(inside[0]) + (f" (and {len(inside) - 1} more)" if len(inside) > 1 else "")
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def main(arguments: Sequence[str] | None = None) -> int:
    """Print one line of JSON, or the reason as the last line on stderr."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.harness.worker", description=__doc__)
    parser.add_argument("case", nargs="?")
    parser.add_argument("side", nargs="?")
    parser.add_argument("count", nargs="?", type=int)
    parser.add_argument("--module", help="where the side is; else all modules are looked through")
    parser.add_argument("--lag", action="store_true", help="watch the event loop meanwhile")
    parser.add_argument("--versions", action="store_true", help="print which peers are installed")
    given = parser.parse_args(arguments)
    if not given.versions and given.count is None:
        parser.error("CASE SIDE COUNT are needed")
    try:
        if given.versions:
            said = peers_here()
        else:
            side, version = find_side(given.case, given.side, given.module)
            said = measure(side, given.count, lag=given.lag)
            said["versions"] = _versions(given.side, version)
    except BaseException as error:
        traceback.print_exc()
        print(_reason(error), file=sys.stderr)
        return 1
    print(json.dumps(said), flush=True)
    return 0


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # whatever a side left running must not keep the process
