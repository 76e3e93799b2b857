"""What `actors run` and `actors check` work on: the tree of a FILE, or a team by its name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import attrs
from cyclopts import Parameter

from actors.cli.load import BadFile, load
from actors.cli.run import Comment
from actors.cli.strict import Fault
from actors.cli.team import Team
from actors.cli.teams.find import COMMAND_LINE, find_template
from actors.cli.teams.ready import TeamReadiness
from actors.cli.teams.template import Instance, Wanted, load_template

__all__ = ["Chosen", "TeamOptions", "choose"]


@attrs.frozen(kw_only=True)
class TeamOptions:
    """The options that name a team in place of a FILE."""

    team: Annotated[
        str | None, Parameter(help="A team by name, in place of FILE: research, of research.toml.")
    ] = None
    teams: Annotated[
        Path | None, Parameter(help="The folder of the team's file; without it, the current one.")
    ] = None
    name: Annotated[str | None, Parameter(help="What this team is called; wins over its file.")] = None
    size: Annotated[
        Sequence[str],
        Parameter(
            help="ROLE=N: so many of a role; wins over the file. May be given several times.",
            negative="",
            show_default=False,
        ),
    ] = ()

    def faults(self, file: Path | None) -> Iterator[Fault]:
        """What does not go together."""
        if file is None and self.team is None:
            yield _fault("FILE", "there is nothing to run: name a FILE, or a team with --team")
        if file is not None and self.team is not None:
            yield _fault("--team", "a FILE and a team do not go together: give one of them")
        if self.team is None:
            for option in self._given():
                yield _fault(option, f"{option} goes with --team alone: name a team, or take it out")

    def _given(self) -> Iterator[str]:
        """The options that say something of the team."""
        for option, value in (("--teams", self.teams), ("--name", self.name)):
            if value is not None:
                yield option
        if self.size:
            yield "--size"


def _fault(where: str, message: str) -> Fault:
    return Fault(where, message, COMMAND_LINE)


@attrs.frozen
class Chosen:
    """A tree to run, the file that it comes from, and who comments on its run."""

    team: Team
    file: Path
    description: str | None = None
    comment: Callable[[float], Comment] | None = None

    def __str__(self) -> str:
        return str(self.team) if self.description is None else f"{self.description}\n{self.team}"

    def as_dict(self) -> dict[str, Any]:
        """The tree, and what the file says of it."""
        said = {} if self.description is None else {"description": self.description}
        return self.team.as_dict() | said


def choose(file: Path | None, options: TeamOptions) -> tuple[Chosen | None, tuple[Fault, ...]]:
    """The tree that the command line names, and what is wrong with it. Reads files.

    A tree whose names alone are wrong comes out all the same, to be looked at further.
    """
    faults = tuple(options.faults(file))
    if faults:
        return None, faults
    try:
        return _chosen_file(file) if file is not None else (_chosen_team(options), ())
    except BadFile as error:
        return None, error.faults


def _chosen_file(file: Path) -> tuple[Chosen, tuple[Fault, ...]]:
    try:
        return Chosen(load(file), file), ()
    except BadFile as error:
        if error.team is None:
            raise
        return Chosen(error.team, file), error.faults


def _chosen_team(options: TeamOptions) -> Chosen:
    path = find_template(options.team or "", options.teams or Path())
    instance = load_template(path, Wanted(options.name, tuple(options.size)))
    return Chosen(instance.team, path, instance.description, _comments(instance))


def _comments(instance: Instance) -> Callable[[float], Comment]:
    return lambda since: TeamReadiness(instance.crew.path, instance.paths, since).note
