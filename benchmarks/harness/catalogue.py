"""Which cases there are, and who competes in each: its own sides, and the peers of all interpreters."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import attrs

from benchmarks.case import Case
from benchmarks.harness.processes import SideFailed, ask_worker

__all__ = ["Contender", "Contest", "Peer", "UnknownWord", "contests", "find_peers", "own_cases", "picked"]

CASES = "benchmarks.cases"


class UnknownWord(Exception):
    """A word of the command line is in no case's name; the text says which there are."""


@attrs.frozen
class Contender:
    """A side, and where a worker finds it."""

    name: str
    module: str
    python: str = sys.executable
    start: int = 1
    most: int | None = None


@attrs.frozen
class Contest:
    """A case, and all who do its work."""

    case: Case
    contenders: tuple[Contender, ...]


@attrs.frozen
class Peer:
    """Another library, where it is installed, and the cases that it has."""

    name: str
    version: str
    module: str
    python: str
    cases: Mapping[str, Mapping[str, Any]]

    def contender(self, case: str) -> Contender:
        """Its side of a case."""
        return Contender(self.name, self.module, self.python, **self.cases[case])


def own_cases(modules: Sequence[str] = ()) -> list[tuple[Case, str]]:
    """All cases in the order of the table, each with its module; those of other modules, if there are any."""
    if not modules:
        modules = [f"{CASES}.{name}" for name in importlib.import_module(CASES).MODULES]
    return [(case, module) for module in modules for case in importlib.import_module(module).CASES]


def picked(cases: Sequence[tuple[Case, str]], words: Sequence[str]) -> list[tuple[Case, str]]:
    """The cases whose name contains one of the words; all without words. Raises `UnknownWord`."""
    names = [case.name for case, _ in cases]
    for word in words:
        if not any(word in name for name in names):
            raise UnknownWord(f'no case has "{word}" in its name: there are {", ".join(names)}')
    return [(case, module) for case, module in cases if not words or any(word in case.name for word in words)]


def find_peers(pythons: Iterable[str]) -> tuple[list[Peer], list[str]]:
    """The peers of these interpreters, each from the first that has it, and what went wrong."""
    found: dict[str, Peer] = {}
    faults: list[str] = []
    for python in dict.fromkeys(pythons):
        try:
            answer = ask_worker(python, ["--versions"])
        except SideFailed as error:
            faults.append(f"{python}: cannot be asked for its peers: {error}")
            continue
        faults += [f"{python}: {module}: {reason}" for module, reason in answer["faults"].items()]
        for module, said in answer["peers"].items():
            peer = Peer(said["name"], said["version"], module, python, said["cases"])
            found.setdefault(peer.name, peer)
    return list(found.values()), faults


def contests(cases: Iterable[tuple[Case, str]], peers: Sequence[Peer] = ()) -> list[Contest]:
    """Each case with its own sides first, then the peers that have it."""
    return [Contest(case, tuple(_contenders(case, module, peers))) for case, module in cases]


def _contenders(case: Case, module: str, peers: Sequence[Peer]) -> Iterator[Contender]:
    for name, side in case.sides.items():
        yield Contender(name, module, start=side.start, most=side.most)
    for peer in peers:
        if case.name in peer.cases and peer.name not in case.sides:
            yield peer.contender(case.name)
