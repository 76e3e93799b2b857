"""What a file may say: frozen records, one a table, with the checks that need nothing but the file.

`docs/cli.md` lists the same fields for people. Times are seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import attrs

from actors.budgets import Budget
from actors.cli.kinds import WhatSpec, of
from actors.cli.mcp.spec import McpSpec
from actors.cli.stores import StoreSpec
from actors.names import check_name
from actors.policy import OneForOne, Policy, Strategy
from actors.posting import Posting
from actors.supervision.supervisor import AutoShutdown

__all__ = [
    "OF_COMMANDS",
    "AgentSpec",
    "FileSpec",
    "Supervising",
    "SupervisorSpec",
    "SystemSpec",
]

Per = Literal["child", "supervisor"]

OF_COMMANDS: Mapping[str, Any] = {"cwd": None, "env": {}, "input": None, "max_output": None, "check": True}
"""The keys of a job that go with a command alone, with their defaults."""


def _name(_: object, __: object, value: str | None) -> None:
    if value is not None:
        check_name(value)


def _never_idle(_: object, __: object, value: Budget | None) -> None:
    if value is not None and value.idle is not None:
        raise ValueError("a system is not ended for being idle: leave idle out of its budget")


def _as_in_strategy(name: str) -> Any:
    """The check that the field of a `Strategy` has."""
    return attrs.validators.optional(attrs.fields_dict(Strategy)[name].validator)  # type: ignore[arg-type]


@attrs.frozen(kw_only=True)
class AgentSpec(WhatSpec):
    """One agent: a class of Python, or a program. Without a name it is adhoc and runs once."""

    called = "an agent"

    name: str | None = attrs.field(default=None, validator=_name)
    args: tuple[Any, ...] = attrs.field(default=(), metadata=of("class"))
    policy: Policy | None = None
    significant: bool = False


@attrs.frozen(kw_only=True)
class Supervising:
    """What supervisors and the system share. The three keys beside `strategy` win over those in it."""

    strategy: Strategy = attrs.field(factory=OneForOne)
    max_restarts: int | None = attrs.field(default=None, validator=_as_in_strategy("max_restarts"))
    within: float | None = attrs.field(default=None, validator=_as_in_strategy("within"))
    per: Per | None = None
    policy: Policy | None = None

    @property
    def whole_strategy(self) -> Strategy:
        """The strategy with the keys beside it."""
        beside = {"max_restarts": self.max_restarts, "within": self.within, "per": self.per}
        return attrs.evolve(self.strategy, **{key: it for key, it in beside.items() if it is not None})


@attrs.frozen(kw_only=True)
class SystemSpec(Supervising):
    """The table `[system]`; `policy` is that of all who have none. It counts in the file that is run."""

    name: str | None = attrs.field(default=None, validator=_name)
    budget: Budget | None = attrs.field(default=None, validator=_never_idle)


@attrs.frozen(kw_only=True)
class SupervisorSpec(Supervising):
    """A supervisor and all below it."""

    name: str = attrs.field(validator=_name)
    auto_shutdown: AutoShutdown = "never"
    significant: bool = False
    include: tuple[str, ...] = ()
    agents: tuple[AgentSpec, ...] = ()
    supervisors: tuple[SupervisorSpec, ...] = ()

    def __attrs_post_init__(self) -> None:
        if not (self.include or self.agents or self.supervisors):
            raise ValueError('it has nobody to supervise: give it "agents", "supervisors" or "include"')


@attrs.frozen(kw_only=True)
class FileSpec:
    """A whole file. `store`, `posting` and `mcp` count in the file that is run, as `system` does."""

    system: SystemSpec = attrs.field(factory=SystemSpec)
    store: StoreSpec | None = None
    posting: Posting = attrs.field(factory=Posting)
    mcp: McpSpec | None = None
    include: tuple[str, ...] = ()
    agents: tuple[AgentSpec, ...] = ()
    supervisors: tuple[SupervisorSpec, ...] = ()

    def __attrs_post_init__(self) -> None:
        if not (self.include or self.agents or self.supervisors or self.mcp):
            raise ValueError('the file describes nobody: give it "agents", "supervisors" or "include"')
