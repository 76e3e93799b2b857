"""`actors bench`: `python -m benchmarks` in a process of its own, from the wheel or a checkout."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

__all__ = ["run_bench"]

_PACKAGE = Path(__file__).parent.parent
_MISSING = "this installation has no benchmarks: install the wheel, or run from a checkout"
_BAD_INPUT = 2


def run_bench(arguments: Sequence[str], stderr: TextIO) -> int:
    """Run it with these arguments and return its exit code. Ctrl-C reaches both: it ends the run in order."""
    folder = _folder()
    if folder is None:
        print(_MISSING, file=stderr)
        return _BAD_INPUT
    # -P: a folder `benchmarks` where the program happens to be called is another one
    process = subprocess.Popen([sys.executable, "-P", "-m", "benchmarks", *arguments], env=_environ(folder))
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            continue


def _folder() -> Path | None:
    """The one that has the benchmarks: in the wheel, or in the checkout beside the package."""
    for folder in (_PACKAGE / "_bench", _PACKAGE.parent):
        if (folder / "benchmarks" / "harness").is_dir():
            return folder
    return None


def _environ(folder: Path) -> dict[str, str]:
    path = [str(folder), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path)}
