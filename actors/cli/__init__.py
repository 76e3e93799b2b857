"""The program `actors`. It needs the extra `cli`; `main` says so when that is missing."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence

__all__ = ["main"]

_NEEDED = ("cyclopts", "rich")
_CURE = 'the program `actors` needs its extra: pip install "trio-actors[cli]"'


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line (None: that of the process) and return the exit code."""
    if not all(importlib.util.find_spec(name) for name in _NEEDED):
        print(_CURE, file=sys.stderr)
        return 2
    from actors.cli.commands import execute

    return execute(arguments)
