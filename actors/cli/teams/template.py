"""From a team template to a `Team`: one supervisor, its roles in their sizes. Every mistake at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import attrs

from actors.cli.load import BadFile, name_of, read_toml
from actors.cli.spec import AgentSpec, SupervisorSpec
from actors.cli.stores import TICKETS
from actors.cli.strict import Fault, faults_of
from actors.cli.team import Agent, Crew, Place, Team, name_faults
from actors.cli.teams.find import COMMAND_LINE, escapes
from actors.cli.teams.spec import RoleSpec, TemplateSpec, check_size, structure_template
from actors.errors import InvalidName
from actors.names import RESERVED, ROOT, check_name, join
from actors.policy import OneForOne, Policy

__all__ = ["Instance", "Wanted", "load_template"]


@attrs.frozen
class Wanted:
    """What the command line says of a team: its name, and `ROLE=N` for sizes. Both win over the file."""

    name: str | None = None
    sizes: tuple[str, ...] = ()


@attrs.frozen
class Instance:
    """A template that was instantiated: the tree, the supervisor at its top, and what the file says of it."""

    team: Team
    crew: Crew
    description: str | None

    @property
    def paths(self) -> tuple[str, ...]:
        """The paths of all agents."""
        return tuple(join(self.crew.path, agent.name or "") for agent in self.crew.spec.agents)


def load_template(path: Path, wanted: Wanted) -> Instance:
    """The team that a template describes. Reads the file; raises `BadFile`."""
    faults = tuple(_asked_name_faults(wanted.name))
    place = Place(path)
    try:
        spec = _read(path, place)
    except BadFile as error:
        raise BadFile((*faults, *error.faults)) from None
    sizes, size_faults = _sizes(wanted.sizes, spec.roles)
    faults += (*size_faults, *_twice(spec.roles, place))
    if faults:
        raise BadFile(faults)
    return _instance(spec, place, wanted.name or spec.team.name or name_of(path), sizes)


def _read(path: Path, place: Place) -> TemplateSpec:
    data = read_toml(path, place)
    try:
        return structure_template(data)
    except Exception as error:  # cattrs raises groups of whatever the checks raised
        raise BadFile(tuple(attrs.evolve(fault, file=str(path)) for fault in faults_of(error))) from None


def _instance(spec: TemplateSpec, place: Place, name: str, sizes: Mapping[str, int]) -> Instance:
    faults: list[Fault] = []
    agents: list[Agent] = []
    for index, role in enumerate(spec.roles):
        here = place.at(f"roles[{index}]")
        try:
            found = role.instances(name, sizes.get(role.name, role.size))
        except InvalidName as error:  # that of the role is right, with its number it gets too long
            faults.append(here.at("name").fault(str(error)))
            continue
        agents.extend(Agent(agent, here, join(ROOT, name)) for agent in found)
        faults.extend(fault for agent in found for fault in _path_faults(agent, here))
    if faults:
        raise BadFile(tuple(dict.fromkeys(faults)))  # all instances of a role have its mistakes
    instance = _planted(spec, place, name, tuple(agents))
    faults.extend(name_faults(instance.team.children))
    if faults:
        raise BadFile(tuple(faults))
    return instance


def _planted(spec: TemplateSpec, place: Place, name: str, agents: tuple[Agent, ...]) -> Instance:
    supervisor = SupervisorSpec(
        name=name,
        strategy=spec.team.whole_strategy,
        auto_shutdown=spec.team.auto_shutdown,
        agents=tuple(agent.spec for agent in agents),
    )
    crew = Crew(supervisor, place.at("team"), join(ROOT, name), agents)
    team = Team(
        name=name_of(place.file),
        strategy=OneForOne(),
        policy=spec.team.policy or Policy(),
        children=(crew,),
        folder=place.file.parent,
        store=spec.store,
        posting=spec.posting,
        tickets=f"{name}{TICKETS}",
    )
    return Instance(team, crew, spec.team.description)


# --- mistakes in a template -----------------------------------------------------------


def _twice(roles: Sequence[RoleSpec], place: Place) -> Iterator[Fault]:
    first: dict[str, int] = {}
    for index, role in enumerate(roles):
        if role.name in first:
            other = f"$.roles[{first[role.name]}].name"
            here = place.at(f"roles[{index}]").at("name")
            yield here.fault(f'the name "{role.name}" is taken by {other}: choose another')
        first.setdefault(role.name, index)


def _path_faults(agent: AgentSpec, here: Place) -> Iterator[Fault]:
    """Files that a template names lie in its folder: it may come from somebody else."""
    folder = here.file.parent
    for key, value in (("cwd", agent.cwd), ("folder", agent.folder)):
        if value is not None and escapes(folder / value, folder):
            yield _outside(here.at(key), value)
    for index, word in enumerate(agent.words):
        if _leads_out(word, folder):
            yield _outside(here.at(f"{agent.kind}[{index}]"), word)
    for key, value in agent.env.items():
        if _leads_out(value, folder):
            yield _outside(here.at(f"env.{key}"), value)


def _leads_out(word: str, folder: Path) -> bool:
    return word.startswith("{here}") and escapes(Path(f"{folder}{word.removeprefix('{here}')}"), folder)


def _outside(place: Place, value: str) -> Fault:
    return place.fault(f'"{value}" leads out of the folder of the team: name a place inside it')


# --- mistakes of the command line -----------------------------------------------------


def _asked_name_faults(name: str | None) -> Iterator[Fault]:
    if name is None:
        return
    try:
        check_name(name)
    except InvalidName as error:
        yield Fault("--name", str(error), COMMAND_LINE)
    if name in RESERVED:
        text = f'the name "{name}" is the framework\'s own below the root: choose another'
        yield Fault("--name", text, COMMAND_LINE)


def _sizes(asked: Sequence[str], roles: Sequence[RoleSpec]) -> tuple[dict[str, int], tuple[Fault, ...]]:
    """Role → size, and what is wrong with those that have none."""
    sizes: dict[str, int] = {}
    faults: list[Fault] = []
    known = [role.name for role in roles]
    for text in asked:
        try:
            role, size = _size(text, known)
            if role in sizes:
                raise ValueError(f'the role "{role}" has two sizes: give it one')
            sizes[role] = size
        except ValueError as error:
            faults.append(Fault("--size", str(error), COMMAND_LINE))
    return sizes, tuple(faults)


def _size(text: str, known: Sequence[str]) -> tuple[str, int]:
    role, equals, number = text.partition("=")
    if not (role and equals and number.isascii() and number.removeprefix("-").isdigit()):
        raise ValueError(f"{text!r} does not say ROLE=N: write {known[0]}=3")
    if role not in known:
        raise ValueError(f'there is no role "{role}": the known ones are {", ".join(dict.fromkeys(known))}')
    return role, check_size(int(number), role)
