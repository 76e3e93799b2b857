"""A worker process of the demo: reads its share of the files and writes its index to stdout.

Run as `python -m actors.cli.demo.worker`; the folders come in the environment. It begins
by noting its number in the notes folder, so that the demo can look for it afterwards. How
often it has been started is also there: a process that crashes remembers nothing itself.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from actors.cli.demo.index import count, dump, share

__all__ = ["CHILDREN", "NOTES", "PAGES", "PROCESSES", "text_files"]

PAGES = "ACTORS_DEMO_PAGES"
"""The variable that names the folder of the files."""
NOTES = "ACTORS_DEMO_NOTES"
"""The variable that names the folder of the notes."""
PROCESSES = "processes"
"""The note of all workers."""
CHILDREN = "children"
"""The note of the children that were left behind."""

_SUFFIXES = frozenset({".md", ".rst", ".txt"})
_SLEEPS = "import signal; signal.pause()"
_NEEDED = "dictionary.txt"


def text_files(folder: Path) -> list[str]:
    """The text files below a folder, hidden ones left out, in order."""
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.suffix in _SUFFIXES)
    return sorted(
        path.as_posix()
        for path in found
        if not any(part.startswith(".") for part in path.parts) and (folder / path).is_file()
    )


def _note(name: str, pid: int) -> None:
    with (Path(os.environ[NOTES]) / name).open("a") as notes:
        notes.write(f"{pid}\n")


def _attempt(worker: str) -> int:
    """How often this worker has been started, this time included."""
    notes = Path(os.environ[NOTES]) / f"attempts-{worker}"
    attempt = int(notes.read_text()) + 1 if notes.exists() else 1
    notes.write_text(str(attempt))
    return attempt


def _index(number: int, of: int) -> str:
    folder = Path(os.environ[PAGES])
    files = share(text_files(folder), number, of)
    return dump({file: count((folder / file).read_text("utf-8", "replace")) for file in files})


def _leave_a_child() -> None:
    """A child in our group that would sleep for ever, and holds none of our pipes."""
    null = subprocess.DEVNULL
    child = subprocess.Popen([sys.executable, "-S", "-c", _SLEEPS], stdin=null, stdout=null, stderr=null)
    _note(CHILDREN, child.pid)
    child.returncode = 0  # we do not wait for it, and mean it


def _spell() -> None:
    dictionary = Path(os.environ[NOTES]) / _NEEDED
    if not dictionary.exists():
        sys.exit(f"there is no {_NEEDED} to check the spelling with")


def main(arguments: Sequence[str]) -> None:
    """`index NUMBER of COUNT [--crashes TIMES] [--forks]`, or `spell`."""
    _note(PROCESSES, os.getpid())
    if arguments[0] == "spell":
        _spell()
        return
    number, of = int(arguments[1]), int(arguments[3])
    if "--crashes" in arguments:
        attempt, times = _attempt(arguments[1]), int(arguments[arguments.index("--crashes") + 1])
        if attempt <= times:
            raise RuntimeError(f"crash {attempt} of {times}")
    if "--forks" in arguments:
        _leave_a_child()
    print(_index(number, of))


if __name__ == "__main__":
    main(sys.argv[1:])
