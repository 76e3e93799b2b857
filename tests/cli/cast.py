"""Actors that the files of the tests name, and helpers to write and run such files."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import trio

import actors
from actors.cli.feed import Picture
from actors.cli.lines import Fact
from actors.cli.load import BadFile, load
from actors.cli.team import Team
from actors.cli.teams.template import Instance, Wanted, load_template
from actors.cli.what import Surroundings, machine_faults

ROOT = Path(__file__).parent.parent.parent
SURROUNDINGS = Surroundings(os.environ.copy(), sys.executable)


class Greeter(actors.Actor):
    def __init__(self, greeting: str = "hello") -> None:
        self.greeting = greeting


class Outer:
    class Inner(actors.Actor):
        pass


async def returns(ctx: actors.Context, value: object = None) -> object:
    return value


async def fails(ctx: actors.Context) -> None:
    raise RuntimeError("it always fails")


async def lasts(ctx: actors.Context) -> None:
    await trio.sleep_forever()


def not_async(ctx: actors.Context) -> None: ...


def written(folder: Path, text: str, name: str = "team.toml") -> Path:
    """A file with this text."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def team_of(folder: Path, text: str) -> Team:
    """The team of a file with this text."""
    return load(written(folder, text))


def instance_of(folder: Path, text: str, name: str | None = None, *sizes: str) -> Instance:
    """The team of a template with this text, in a file `crew.toml`."""
    return load_template(written(folder, text, "crew.toml"), Wanted(name, sizes))


def faults(path: Path) -> list[str]:
    """Every mistake of a file, those that need this machine included, as they are printed."""
    found, team = (), None
    try:
        team = load(path)
    except BadFile as error:
        found, team = error.faults, error.team
    here = () if team is None else machine_faults(team, SURROUNDINGS)
    return [str(fault) for fault in (*found, *here)]


def faults_in(folder: Path, text: str) -> list[str]:
    """Every mistake of a file with this text."""
    return faults(written(folder, text))


class Notes:
    """A screen that remembers."""

    refresh = math.inf

    def __init__(self) -> None:
        self.facts: list[Fact] = []
        self.pictures: list[Picture] = []

    def compose(self, facts: Sequence[Fact], look: Callable[[], Picture]) -> Sequence[Fact]:
        self.pictures.append(look())
        return facts

    def write(self, composed: Sequence[Fact]) -> None:
        self.facts.extend(composed)

    def names(self, path: str) -> list[str]:
        """The events of one path, in order."""
        about = (fact for fact in self.facts if getattr(getattr(fact, "ref", None), "path", None) == path)
        return [type(fact).__name__ for fact in about]


# --- the program, as a process ---------------------------------------------------


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", **more}


def program(*arguments: object, **more: str) -> subprocess.CompletedProcess[str]:
    """`actors` run to its end, its output not a terminal."""
    return subprocess.run(
        [sys.executable, "-m", "actors", *map(str, arguments)],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env=environment(**more),
        timeout=50,
        check=False,
    )


@contextmanager
def running(*arguments: object) -> Iterator[subprocess.Popen[str]]:
    """`actors` while it runs; killed if the test does not end it."""
    with subprocess.Popen(
        [sys.executable, "-m", "actors", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
        text=True,
        env=environment(),
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def facts_of(process: subprocess.Popen[str]) -> Iterator[dict[str, Any]]:
    """The JSON lines, as they come."""
    assert process.stdout is not None
    for line in process.stdout:
        yield json.loads(line)
