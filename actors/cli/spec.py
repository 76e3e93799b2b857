"""What a file may say: frozen records, one a table, with the checks that need nothing but the file.

`docs/cli.md` lists the same fields for people. Times are seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import attrs

from actors.budgets import Budget
from actors.cli.mcp.spec import McpSpec
from actors.cli.stores import StoreSpec
from actors.names import check_name
from actors.policy import OneForOne, Policy, Strategy
from actors.posting import Posting
from actors.process.ready import as_expression
from actors.supervision.supervisor import AutoShutdown

__all__ = [
    "OF_COMMANDS",
    "AgentSpec",
    "FileSpec",
    "Supervising",
    "SupervisorSpec",
    "SystemSpec",
    "reference_check",
]

Per = Literal["child", "supervisor"]

OF_COMMANDS: Mapping[str, Any] = {"cwd": None, "env": {}, "input": None, "max_output": None, "check": True}
_OF_CLASSES: Mapping[str, Any] = {"args": (), "config": {}}
"""The keys that go with one kind alone, with their defaults. What jobs have of them is `OF_COMMANDS`."""


def _name(_: object, __: object, value: str | None) -> None:
    if value is not None:
        check_name(value)


def _never_idle(_: object, __: object, value: Budget | None) -> None:
    if value is not None and value.idle is not None:
        raise ValueError("a system is not ended for being idle: leave idle out of its budget")


def _words(_: object, __: object, value: tuple[str, ...] | None) -> None:
    if value == ():
        raise ValueError('the command is empty: its first word is the program, as in ["ls", "-l"]')
    if any("\0" in word for word in value or ()):
        raise ValueError("a word of the command has a NUL in it, which ends a word")


def reference_check(_: object, __: object, value: str | None) -> None:
    """A validator: `package.module:Name`."""
    module, colon, name = (value or "a:b").partition(":")
    if not (colon and all(part.isidentifier() for part in (*module.split("."), *name.split(".")))):
        raise ValueError(f'"{value}" does not name a class: write "package.module:Class"')


def _folder(_: object, __: object, value: str | None) -> None:
    if value is not None and (not value or "\0" in value):
        raise ValueError("cwd does not name a folder: it is empty, or has a NUL in it")


def _variables(_: object, __: object, value: Mapping[str, str]) -> None:
    for name in value:
        if not name or "=" in name or "\0" in name + value[name]:
            raise ValueError(f"{name!r} cannot be a variable: it is empty, or has '=' or NUL in it")


def _bytes(_: object, __: object, value: int | None) -> None:
    if value is not None and value < 0:
        raise ValueError(f"max_output must be 0 bytes or more, not {value}")


def _expression(_: object, __: object, value: str | None) -> None:
    as_expression(value)


def _as_in_strategy(name: str) -> Any:
    """The check that the field of a `Strategy` has."""
    return attrs.validators.optional(attrs.fields_dict(Strategy)[name].validator)  # type: ignore[arg-type]


@attrs.frozen(kw_only=True)
class AgentSpec:
    """One agent: a `command`, or a `class` of Python. Without a name it is adhoc and runs once."""

    name: str | None = attrs.field(default=None, validator=_name)
    command: tuple[str, ...] | None = attrs.field(default=None, validator=_words)
    cwd: str | None = attrs.field(default=None, validator=_folder)
    env: dict[str, str] = attrs.field(factory=dict[str, str], validator=_variables)
    input: str | None = None
    max_output: int | None = attrs.field(default=None, validator=_bytes)
    check: bool = True
    ready: str | None = attrs.field(default=None, validator=_expression)
    class_: str | None = attrs.field(default=None, metadata={"key": "class"}, validator=reference_check)
    args: tuple[Any, ...] = ()
    config: dict[str, Any] = attrs.field(factory=dict[str, Any])
    policy: Policy | None = None
    significant: bool = False

    def __attrs_post_init__(self) -> None:
        if (self.command is None) == (self.class_ is None):
            count = "neither" if self.command is None else "both"
            raise ValueError(f'an agent has either "command" or "class", this one has {count}')
        of_commands = {**OF_COMMANDS, "ready": None}  # jobs are waited for until their end
        kind, others = ("class", of_commands) if self.command is None else ("command", _OF_CLASSES)
        for key, default in others.items():
            if getattr(self, key) != default:
                raise ValueError(f'"{key}" does not go with "{kind}": take it out')


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
