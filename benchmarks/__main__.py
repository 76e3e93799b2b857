"""`python -m benchmarks [WORD ...]`: every case, or those whose name contains a word.

It needs the extra `bench`, and says so when that is missing.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence

_NEEDED = ("cyclopts", "pyperf", "rich")
_CURE = 'the benchmarks need the extra `bench`: pip install "trio-actors[bench]"'


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line (None: that of the process) and return the exit code."""
    if not all(importlib.util.find_spec(name) for name in _NEEDED):
        print(_CURE, file=sys.stderr)
        return 2
    from benchmarks.harness.program import execute

    return execute(arguments)


if __name__ == "__main__":
    sys.exit(main())
