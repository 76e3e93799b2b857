"""The tree that a file and all it includes describe, and how it is drawn. Frozen, and nothing runs yet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import attrs

from actors.budgets import Budget
from actors.cli.mcp.spec import McpSpec
from actors.cli.spec import AgentSpec, SupervisorSpec
from actors.cli.stores import StoreSpec
from actors.cli.strict import Fault
from actors.names import RESERVED, ROOT, join
from actors.policy import OneForAll, OneForOne, Policy, RestForOne, Strategy
from actors.posting import Posting

__all__ = ["Agent", "Child", "Crew", "Place", "Team", "name_faults"]

_STRATEGY_NAMES: dict[type[Strategy], str] = {
    OneForOne: "one_for_one",
    OneForAll: "one_for_all",
    RestForOne: "rest_for_one",
}


@attrs.frozen
class Place:
    """Where something is written: the file, and the path inside it, as in `$.agents[0]`."""

    file: Path
    where: str = "$"

    def at(self, key: str) -> Place:
        """A key of the table here."""
        return attrs.evolve(self, where=f"{self.where}.{key}")

    def fault(self, message: str) -> Fault:
        """A mistake here."""
        return Fault(self.where, message, str(self.file))


@attrs.frozen
class Agent:
    """One agent, where it is written, and its path when it has a name."""

    spec: AgentSpec
    place: Place
    parent: str

    @property
    def label(self) -> str:
        """Its name, or what it runs."""
        if self.spec.name is not None:
            return self.spec.name
        return f"~ {self.what}"

    @property
    def path(self) -> str | None:
        """Its path; None when it is adhoc and gets one only when it is spawned."""
        return None if self.spec.name is None else join(self.parent, self.spec.name)

    @property
    def what(self) -> str:
        """The program or the class."""
        return self.spec.class_ or self.spec.words[0]

    def policy(self, default: Policy) -> Policy:
        """The policy that it will have."""
        return self.spec.policy or default


@attrs.frozen
class Crew:
    """One supervisor and all below it, included files in place."""

    spec: SupervisorSpec
    place: Place
    path: str
    children: tuple[Child, ...]


Child: TypeAlias = Agent | Crew


@attrs.frozen
class Team:
    """The whole tree, ready to be planted. `policy` is that of all who have none.

    `store` keeps what is posted; without one that is the file `tickets`, beside the file of the tree. `mcp`
    is what clients of MCP may do; `place` is the file of the tree.
    """

    name: str
    strategy: Strategy
    policy: Policy
    children: tuple[Child, ...]
    folder: Path
    store: StoreSpec | None = None
    posting: Posting = attrs.field(factory=Posting)
    budget: Budget | None = None
    tickets: str = "actors.tickets.db"
    mcp: McpSpec | None = None
    place: Place = Place(Path("actors.toml"))

    @property
    def agents(self) -> tuple[Agent, ...]:
        """All agents, in start order."""
        return tuple(child for child in walk(self.children) if isinstance(child, Agent))

    @property
    def crews(self) -> frozenset[str]:
        """The paths of all supervisors."""
        return frozenset(child.path for child in walk(self.children) if isinstance(child, Crew))

    def __str__(self) -> str:
        first = f"{self.name} (system) {_strategy(self.strategy)}"
        return "\n".join([first, *_draw(self.children, self.policy)])

    def as_dict(self) -> dict[str, Any]:
        """Plain dictionaries and lists, ready for JSON."""
        return {
            "name": self.name,
            "path": ROOT,
            "kind": "system",
            "strategy": _strategy(self.strategy),
            "children": [_plain(child, self.policy) for child in self.children],
        }


def walk(children: Iterable[Child]) -> Iterator[Child]:
    """Every child and all below it, parents first."""
    for child in children:
        yield child
        if isinstance(child, Crew):
            yield from walk(child.children)


# --- drawing --------------------------------------------------------------------


def _draw(children: Sequence[Child], default: Policy) -> Iterator[str]:
    for index, child in enumerate(children):
        first, rest = ("└── ", "    ") if index == len(children) - 1 else ("├── ", "│   ")
        yield first + _line(child, default)
        if isinstance(child, Crew):
            yield from (rest + line for line in _draw(child.children, default))


def _line(child: Child, default: Policy) -> str:
    if isinstance(child, Crew):
        auto = child.spec.auto_shutdown
        ends = "" if auto == "never" else f", ends with {auto} significant"
        return f"{child.spec.name} (supervisor) {_strategy(child.spec.whole_strategy)}{ends}"
    said = [child.label, f"({_kind(child)}{_way(child)})", *([child.what] if child.spec.name else [])]
    return f"{' '.join(said)}: {_life(child, default)}"


def _kind(agent: Agent) -> str:
    return "actor" if agent.spec.class_ else "process"


def _way(agent: Agent) -> str:
    """How it is spoken with: some processes are."""
    return {"lines": ", in lines", "terminal": ", in a terminal"}.get(agent.spec.kind, "")


def _life(agent: Agent, default: Policy) -> str:
    if agent.spec.name is None:
        return "adhoc"
    policy = agent.policy(default)
    breaker = policy.breaker
    guard = "no breaker" if breaker is None else f"breaker {breaker.failures} in {breaker.within:g} s"
    return f"{policy.restart}, {guard}{', significant' if agent.spec.significant else ''}"


def _strategy(strategy: Strategy) -> str:
    each = " each" if isinstance(strategy, OneForOne) and strategy.per == "child" else ""
    restarts = f"{strategy.max_restarts} restart{'' if strategy.max_restarts == 1 else 's'}{each}"
    return f"{_STRATEGY_NAMES[type(strategy)]}, {restarts} in {strategy.within:g} s"


def _plain(child: Child, default: Policy) -> dict[str, Any]:
    if isinstance(child, Crew):
        return {
            "name": child.spec.name,
            "path": child.path,
            "kind": "supervisor",
            "strategy": _strategy(child.spec.whole_strategy),
            "children": [_plain(one, default) for one in child.children],
        }
    return {
        "name": child.spec.name,
        "path": child.path,
        "kind": _kind(child),
        "as": child.spec.kind,
        "what": list(child.spec.words) or child.what,
        "life": _life(child, default),
        "children": [],
    }


# --- names ----------------------------------------------------------------------


def name_faults(children: Sequence[Child], top: bool = True) -> Iterator[Fault]:
    """Names that two siblings have, wherever each is written, and those the framework keeps."""
    taken: dict[str, Place] = {}
    for child in children:
        name, place = child.spec.name, child.place.at("name")
        if top and name in RESERVED:
            yield place.fault(f'the name "{name}" is the framework\'s own below the root: choose another')
        if name is not None and name in taken:
            yield place.fault(f'the name "{name}" is taken by {_other(taken[name], place)}: choose another')
        if name is not None:
            taken.setdefault(name, place)
        if isinstance(child, Crew):
            yield from name_faults(child.children, top=False)


def _other(first: Place, second: Place) -> str:
    return first.where if first.file == second.file else f"{first.where} of {first.file}"
