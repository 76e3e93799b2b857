"""The server killed under its senders and consumers, and consumers killed whose names another node takes."""

from __future__ import annotations

import importlib
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from random import Random

import attrs

from actors.delivery import RedisStore, Store
from actors.testing import Journal, Noted, Record
from benchmarks.chaos.children import Child, fork
from benchmarks.chaos.judging import Found, judged
from benchmarks.chaos.roles import Life, drain, live
from benchmarks.chaos.server import Server

__all__ = ["import_all", "lane"]

_PATIENCE = 30.0
_LONG = 2.0
"""Seconds of a lease, where the server is away for moments."""


def import_all() -> None:
    """What each process would import by itself, and slowly."""
    for name in ("coredis", "coredis.retry", "coredis.exceptions"):
        importlib.import_module(name)


@attrs.define
class _Lane:
    """What the processes of a lane have in common."""

    number: int
    seed: int
    journal: Path
    server: Server
    dice: Random
    lease: float
    """Seconds, where it is to lapse: a process that stands still for longer is a slow one of two owners."""
    found: Found = attrs.Factory(Found)
    lives: int = 0

    def store(self) -> Store:
        return RedisStore(self.server.url, "chaos", patience=10.0)

    def begin(self, name: str, *, posts: bool = False, works: bool = False, lease: float) -> Child:
        """Start a process, and wait until it is open."""
        self.lives += 1
        mark = f"{self.number}.{name}.{self.lives}"
        life = Life(
            name,
            mark,
            self.store(),
            str(self.journal),
            f"{self.seed} {mark}",
            posts=posts,
            works=works,
            lease=lease,
            pause=0.06,
        )
        return fork(partial(live, life))

    def end(self, *children: Child) -> None:
        """Let them end in order."""
        for child in children:
            child.tell_to_stop()
        for child in children:
            self.found.crashes += child.wait(_PATIENCE) != 0


def lane(number: int, *, kill: str, kills: int, seed: int, folder: Path, lease: float) -> str:
    """Kill so many, drain, and judge; for `run_in_lanes`. `kill` is "server" or "consumer"."""
    began = time.monotonic()
    server = Server(folder / f"lane{number}")
    one = _Lane(
        number, seed, folder / f"lane{number}.journal", server, Random(f"{seed} {kill} {number}"), lease
    )
    server.start()
    try:
        (_kill_server if kill == "server" else _kill_consumers)(one, kills)
        last = partial(drain, one.store, str(one.journal), f"{seed} drain", 60.0)
        one.found.crashes += fork(last).wait(90.0) != 0
    finally:
        server.stop()
    one.found.seconds = time.monotonic() - began
    history = Journal.read(one.journal)
    one.found.takeovers = _takeovers(history.records)
    return judged(history, one.found).text()


def _kill_server(one: _Lane, kills: int) -> None:
    sender = one.begin("sender", posts=True, lease=_LONG)
    consumers = [one.begin(name, works=True, posts=True, lease=_LONG) for name in ("left", "right")]
    for child in (sender, *consumers):
        child.hears(b"o", _PATIENCE)
    for _ in range(kills):
        time.sleep(one.dice.choice((one.dice.uniform(0, 0.03), one.dice.uniform(0.1, 0.6))))
        one.server.kill()
        one.found.kills += 1
        time.sleep(one.dice.choice((0.0, one.dice.uniform(0, 0.2))))
        one.server.start()
    time.sleep(0.3)
    one.end(sender, *consumers)


def _kill_consumers(one: _Lane, kills: int) -> None:
    sender = one.begin("sender", posts=True, lease=one.lease)
    consumers = {name: one.begin(name, works=True, posts=True, lease=one.lease) for name in ("left", "right")}
    for child in (sender, *consumers.values()):
        child.hears(b"o", _PATIENCE)
    while one.found.kills < kills and not one.found.crashes:
        time.sleep(one.dice.uniform(0.02, 0.4))
        name = one.dice.choice(sorted(consumers))
        if consumers[name].kill():
            one.found.kills += 1
        else:
            one.found.crashes += 1
        # soon again, while its names are still its node's; or so late that the other one has them
        time.sleep(one.dice.choice((one.dice.uniform(0, 0.1), one.lease * one.dice.uniform(1, 2))))
        consumers[name] = one.begin(name, works=True, posts=True, lease=one.lease)
        if one.dice.random() < 0.7:
            consumers[name].hears(b"o", _PATIENCE)
    time.sleep(0.3)
    one.end(sender, *consumers.values())


def _takeovers(records: Sequence[Record]) -> int:
    """How often a recipient was at another node than before."""
    homes: dict[str, str] = {}
    changes = 0
    for record in records:
        if record.noted is Noted.BEGUN:
            node = record.by.split(".")[1] if "." in record.by else record.by
            changes += homes.get(record.path, node) != node
            homes[record.path] = node
    return changes
