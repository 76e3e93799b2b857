"""Processes killed on stores in files: one process at a time has each file, several files at once."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from random import Random

from actors.delivery import SQLiteStore, Store
from actors.testing import Journal, Noted
from benchmarks.chaos.broken import BREAKS, BrokenStore
from benchmarks.chaos.children import Child, fork
from benchmarks.chaos.judging import Found, judged
from benchmarks.chaos.roles import Life, Post, drain, live

__all__ = ["lane"]

_MOMENTS = ("opening",) * 4 + ("working",) * 12 + ("closing",) * 3
_PATIENCE = 20.0
"""Seconds for what takes milliseconds."""


def lane(number: int, *, kill: str, kills: int, seed: int, folder: Path, broken: str | None) -> str:
    """Kill so many processes of one file, drain it, and judge; for `run_in_lanes`.

    `kill` "sender": while it posts and nobody is home. "consumer": while it posts and delivers.
    """
    began = time.monotonic()
    path, journal = folder / f"lane{number}.db", folder / f"lane{number}.journal"
    dice = Random(f"{seed} {kill} {number}")
    found = Found()
    rounds = 0

    def make() -> Store:
        return SQLiteStore(path) if broken is None else BrokenStore(str(path), BREAKS[broken][0])

    while found.kills < kills and not found.crashes:
        rounds += 1
        moment = dice.choice(_MOMENTS)
        life = Life(
            "node",
            f"{number}.{rounds}",
            make(),
            str(journal),
            f"{seed} {number} {rounds}",
            posts=True,
            works=kill == "consumer",
            seconds=dice.uniform(0, 0.06) if moment == "closing" else _PATIENCE,
            again=unsure(journal) if dice.random() < 0.7 else (),
        )
        child = fork(partial(live, life))
        if wait_for(child, moment, dice) and child.kill():
            found.kills += 1
        elif child.wait(_PATIENCE) != 0:
            found.crashes += 1
    if fork(partial(drain, make, str(journal), f"{seed} drain", 60.0)).wait(90.0) != 0:
        found.crashes += 1
    found.seconds = time.monotonic() - began
    return judged(Journal.read(journal), found).text()


def wait_for(child: Child, moment: str, dice: Random) -> bool:
    """Wait for the moment at which it is to be killed. False: it has ended before."""
    if moment == "opening":
        time.sleep(dice.uniform(0, 0.06))
        return True
    if moment == "working":
        is_there = child.hears(b"o", _PATIENCE)
        time.sleep(dice.uniform(0, 0.35) if is_there else 0)
        return is_there
    is_there = child.hears(b"c", _PATIENCE)
    time.sleep(dice.uniform(0, 0.015) if is_there else 0)
    return is_there


def unsure(journal: Path) -> list[Post]:
    """Posts with keys of which it is not known whether they arrived."""
    if not journal.exists():
        return []
    posts: dict[str, Post] = {}
    for one in Journal.read(journal).records:
        if one.noted is Noted.POSTING and one.id.startswith("k") and one.state:
            kind, _, onward = one.state.partition(" ")
            posts[one.id] = Post(one.id, one.path, one.priority, kind, onward, has_key=True)
        elif one.noted is Noted.POSTED:
            posts.pop(one.id, None)
    return list(posts.values())
