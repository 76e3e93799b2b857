"""Small campaigns: processes killed under posted messages, files damaged, disks full, and the judge looks.

The large ones are `python -m benchmarks.chaos_delivery`, `damage_delivery` and `disk_delivery`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.chaos.broken import BREAKS

ROOT = Path(__file__).parents[2]
KILLS = 15


def run(program: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a campaign; its processes are gone when it returns."""
    done = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{program}", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=55,
        check=False,
    )
    print(done.stdout, done.stderr)
    return done


def chaos(engine: str, kill: str, seed: int, *more: object) -> subprocess.CompletedProcess[str]:
    return run("chaos_delivery", "--engine", engine, "--kill", kill, "--kills", KILLS, "--seed", seed, *more)


@pytest.mark.row(95)
@pytest.mark.parametrize("kill", ["sender", "consumer"])
def test_killed_processes_lose_and_double_nothing_in_a_file(kill: str) -> None:
    done = chaos("sqlite", kill, 11)
    assert f"{KILLS} kills" in done.stdout
    assert done.returncode == 0


@pytest.mark.row(95)
@pytest.mark.parametrize("kill", ["server", "consumer"])
def test_killed_servers_and_consumers_lose_and_double_nothing_on_redis(kill: str) -> None:
    if not (shutil.which("redis-server") or shutil.which("valkey-server")):
        pytest.skip("redis-server is not installed: apt-get install redis-server")
    done = chaos("redis", kill, 12, "--lanes", 5, "--lease", 1)
    assert f"{KILLS} kills" in done.stdout
    assert done.returncode == 0


@pytest.mark.parametrize("name", sorted(BREAKS))
def test_a_store_that_breaks_a_promise_turns_the_judge_red(name: str) -> None:
    kill = "sender" if name == "acknowledges-before-commit" else "consumer"
    done = chaos("sqlite", kill, 13, "--broken", name)
    assert f"{BREAKS[name][1]}: found" in done.stdout
    assert done.returncode == 0


def test_a_damaged_file_is_never_a_crash_a_hang_or_a_wrong_message() -> None:
    done = run("damage_delivery", "--damages", 150, "--seed", 14)
    assert "150 damages" in done.stdout
    assert done.returncode == 0


def test_a_store_that_looks_at_no_checksum_turns_the_judge_of_damages_red() -> None:
    done = run("damage_delivery", "--damages", 30, "--seed", 14, "--unchecked")
    assert "WRONG: " in done.stdout
    assert done.returncode == 1


@pytest.mark.parametrize("kind", ["disk", "limit"])
def test_a_full_disk_loses_nothing_and_posts_go_on_when_there_is_room(kind: str) -> None:
    if kind == "disk" and os.geteuid():
        pytest.skip("only root mounts a small disk")
    done = run("disk_delivery", "--kind", kind, "--cycles", 4, "--seed", 15)
    if "no disk can be mounted" in done.stderr:
        pytest.skip("no small disk can be mounted here")
    assert done.returncode == 0
