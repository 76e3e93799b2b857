"""Hold the coverage that the project asks for: `python .ci/coverage.py coverage.json`.

Branch coverage of the pure files is 100 %, of `core/` and of `supervision/` at least 95 %.
"""

from __future__ import annotations

import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))

from tests.architecture.pure_files import PURE_FILES

SHELLS = ("actors/core/", "actors/supervision/")
SHELLS_AT_LEAST = 95.0


def main(report: str) -> int:
    """Print what falls short; 1 if anything does."""
    files = json.loads(pathlib.Path(report).read_text())["files"]
    short: list[str] = []
    for name, entry in files.items():
        summary = entry["summary"]
        if name.removeprefix("actors/") in PURE_FILES and summary["percent_covered"] < 100:
            short.append(
                f"{name}: {summary['percent_covered']:.1f} %, lines {entry['missing_lines']}, "
                f"branches {entry['missing_branches']}"
            )
    for shell in SHELLS:
        inside = [entry["summary"] for name, entry in files.items() if name.startswith(shell)]
        covered = sum(one["covered_lines"] + one["covered_branches"] for one in inside)
        whole = sum(one["num_statements"] + one["num_branches"] for one in inside)
        percent = 100 * covered / whole
        print(f"{shell} {percent:.1f} % of lines and branches")
        if percent < SHELLS_AT_LEAST:
            short.append(f"{shell} less than {SHELLS_AT_LEAST:g} %")
    print("\n".join(short) or "every pure file: 100 %")
    return 1 if short else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
