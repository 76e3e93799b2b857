"""A receipt is given when the disk has the message: told by the system calls of a process that posts."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from tests.delivery.receipts import AT_ONCE, GROUPS

ROOT = Path(__file__).parents[2]
_CALL = re.compile(r"^(\d+)\s+(\w+)\((\d+)<([^>]*)>(.*)$")
_RESUMED = re.compile(r"^(\d+)\s+<\.\.\. (\w+) resumed>")


@attrs.frozen
class Call:
    """A system call: writes count from their begin, syncs from their end."""

    name: str
    file: str
    rest: str


def calls(log: str) -> Iterator[Call]:
    under_way: dict[str, Call] = {}
    for line in log.splitlines():
        begun, resumed = _CALL.match(line), _RESUMED.match(line)
        if begun is not None:
            pid, name, _, file, rest = begun.groups()
            call = Call(name, file, rest)
            if "sync" in name and "<unfinished" in rest:
                under_way[pid] = call
            else:
                yield call
        elif resumed is not None and resumed[1] in under_way:
            yield under_way.pop(resumed[1])


@attrs.frozen
class Seen:
    """What was seen of each receipt."""

    syncs: int
    """of the log, before the last receipt"""
    receipts: list[str]
    early: list[str]
    """given before what it stands for was synchronized"""


def judged(log: str) -> Seen:
    dirty: set[str] = set()
    safe: set[str] = set()
    receipts: list[str] = []
    early: list[str] = []
    syncs = counted = 0
    for call in calls(log):
        found = re.findall(r"token\d\dx\d", call.rest)
        if call.file.endswith("-wal") and "sync" in call.name:
            syncs += 1
            safe |= dirty
        elif call.file.endswith("-wal"):
            dirty.update(found)
        elif found and call.file.startswith("pipe"):
            receipts += found
            early += [token for token in found if token not in safe]
            counted = syncs
    return Seen(counted, receipts, early)


def traced(tmp_path: Path, *pragma: str) -> Seen:
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is not installed: apt-get install strace")
    log = tmp_path / "log"
    program = [sys.executable, "-m", "tests.delivery.receipts", str(tmp_path / "a.db"), *pragma]
    watched = "trace=write,pwrite64,fsync,fdatasync"
    done = subprocess.run(
        [strace, "-f", "--seccomp-bpf", "-y", "-s", "8192", "-e", watched, "-o", log, *program],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=50,
    )
    if done.returncode and "ptrace" in done.stderr:
        pytest.skip(f"no process may be traced here: {done.stderr.strip()[:200]}")
    assert done.returncode == 0, done.stderr
    return judged(log.read_text(errors="replace"))


def test_each_receipt_comes_after_the_disk_has_the_message(tmp_path: Path) -> None:
    seen = traced(tmp_path)
    assert len(seen.receipts) == GROUPS * AT_ONCE
    assert seen.early == []
    assert seen.syncs >= GROUPS


def test_a_store_that_does_not_wait_for_the_disk_is_found(tmp_path: Path) -> None:
    seen = traced(tmp_path, "synchronous = NORMAL")
    assert len(seen.receipts) == GROUPS * AT_ONCE
    assert len(seen.early) == GROUPS * AT_ONCE
