"""From a file to a `Team`: TOML, the records, and what it includes. Every mistake of every file at once."""

from __future__ import annotations

import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs

from actors.cli.spec import FileSpec, SupervisorSpec
from actors.cli.stores import TICKETS
from actors.cli.strict import Fault, faults_of
from actors.cli.structure import structure_file
from actors.cli.team import Agent, Child, Crew, Place, Team, name_faults
from actors.errors import ActorError, InvalidName
from actors.names import ROOT, check_name, join
from actors.policy import Policy

__all__ = ["BadFile", "load", "name_of", "read_toml"]


class BadFile(ActorError):
    """A file, or one that it includes, cannot be run; `.faults` has every mistake with its place.

    `.team` is what it describes all the same, when nothing but names is wrong.
    """

    def __init__(self, faults: tuple[Fault, ...], team: Team | None = None) -> None:
        self.faults = faults
        self.team = team
        super().__init__("\n".join(f"{fault.file}: {fault}" for fault in faults))


def load(path: Path) -> Team:
    """The tree that a file describes. Reads files; raises `BadFile`."""
    loader = _Loader()
    spec = loader.read(path, Place(path))
    children = () if spec is None else loader.children(spec, Place(path), ROOT, (path,))
    faults = (*loader.faults, *name_faults(children))
    if spec is None or loader.faults:
        raise BadFile(faults)
    team = Team(
        name=spec.system.name or name_of(path),
        strategy=spec.system.whole_strategy,
        policy=spec.system.policy or Policy(),
        children=children,
        folder=path.parent,
        store=spec.store,
        posting=spec.posting,
        budget=spec.system.budget,
        tickets=f"{path.stem}{TICKETS}",
        mcp=spec.mcp,
        place=Place(path),
    )
    if faults:
        raise BadFile(faults, team)
    return team


def name_of(path: Path) -> str:
    """The name of a system that a file describes."""
    try:
        return check_name(path.stem)
    except InvalidName:
        return "actors"


def read_toml(path: Path, named_at: Place) -> dict[str, Any]:
    """The data of a file that is named at a place; raises `BadFile`."""
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        fault = named_at.fault(f"cannot read {path}: {error.strerror or error}")
    except UnicodeDecodeError as error:
        fault = Place(path).fault(f"it is not UTF-8 text: {error}")
    except tomllib.TOMLDecodeError as error:
        fault = Place(path).fault(f"it is not TOML: {error}")
    raise BadFile((fault,))


@attrs.define
class _Loader:
    """Collects the mistakes of all files on the way."""

    faults: list[Fault] = attrs.field(factory=list[Fault])

    def read(self, path: Path, named_at: Place) -> FileSpec | None:
        """The records of one file; None, and faults, when it has mistakes."""
        try:
            return self._structure(path, read_toml(path, named_at))
        except BadFile as error:
            self.faults.extend(error.faults)
            return None

    def _structure(self, path: Path, data: dict[str, Any]) -> FileSpec | None:
        if "roles" in data:
            where = f"--team {shlex.quote(path.stem)} --teams {shlex.quote(str(path.parent))}"
            self.faults.append(Place(path).fault(f"it is the template of a team: name it as {where}"))
            return None
        try:
            return structure_file(data)
        except Exception as error:  # cattrs raises groups of whatever the checks raised
            self.faults.extend(attrs.evolve(fault, file=str(path)) for fault in faults_of(error))
            return None

    def children(
        self, owner: FileSpec | SupervisorSpec, place: Place, parent: str, chain: tuple[Path, ...]
    ) -> tuple[Child, ...]:
        """The agents, then the supervisors, then what the included files bring."""
        return (*self._own(owner, place, parent, chain), *self._included(owner, place, parent, chain))

    def _own(
        self, owner: FileSpec | SupervisorSpec, place: Place, parent: str, chain: tuple[Path, ...]
    ) -> Iterator[Child]:
        for index, agent in enumerate(owner.agents):
            yield Agent(agent, place.at(f"agents[{index}]"), parent)
        for index, spec in enumerate(owner.supervisors):
            here, path = place.at(f"supervisors[{index}]"), join(parent, spec.name)
            yield Crew(spec, here, path, self.children(spec, here, path, chain))

    def _included(
        self, owner: FileSpec | SupervisorSpec, place: Place, parent: str, chain: tuple[Path, ...]
    ) -> Iterator[Child]:
        for index, name in enumerate(owner.include):
            here, path = place.at(f"include[{index}]"), place.file.parent / name
            if path.resolve() in [one.resolve() for one in chain]:
                circle = " → ".join(str(one) for one in (*chain, path))
                self.faults.append(here.fault(f"files include each other in a circle: {circle}"))
                continue
            spec = self.read(path, here)
            if spec is not None:
                yield from self.children(spec, Place(path), parent, (*chain, path))
