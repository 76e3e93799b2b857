"""What a file of jobs may say. `docs/cli.md` lists the same fields for people. Times are seconds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import cattrs

from actors.checks import count, finite, seconds
from actors.cli.kinds import reference_check
from actors.cli.spec import OF_COMMANDS, AgentSpec
from actors.cli.strict import WrongValue
from actors.cli.structure import new_file_converter
from actors.jobs.job import check_label
from actors.names import check_name
from actors.policy import Policy

__all__ = ["BatchSpec", "Fallback", "JobSpec", "structure_batch"]


def _name(_: object, __: object, value: str | None) -> None:
    if value is not None:
        check_name(value)


def _label(_: object, __: object, value: str | None) -> None:
    check_label(value)


def _as_in_agent(name: str) -> Any:
    """The check that the field of an `AgentSpec` has."""
    return attrs.fields_dict(AgentSpec)[name].validator


@attrs.frozen
class Fallback:
    """What runs when a job failed for good: a function of Python, or a command."""

    what: str | None = attrs.field(default=None, validator=reference_check)
    command: tuple[str, ...] | None = attrs.field(default=None, validator=_as_in_agent("command"))


@attrs.frozen(kw_only=True)
class JobSpec:
    """One job: a `command`, or `what` of Python. Without a name it is adhoc: attempted once."""

    label: str | None = attrs.field(default=None, validator=_label)
    name: str | None = attrs.field(default=None, validator=_name)
    command: tuple[str, ...] | None = attrs.field(default=None, validator=_as_in_agent("command"))
    cwd: str | None = attrs.field(default=None, validator=_as_in_agent("cwd"))
    env: dict[str, str] = attrs.field(factory=dict[str, str], validator=_as_in_agent("env"))
    input: str | None = None
    max_output: int | None = attrs.field(default=None, validator=_as_in_agent("max_output"))
    check: bool = True
    what: str | None = attrs.field(default=None, validator=reference_check)
    args: tuple[Any, ...] = ()
    policy: Policy | None = None
    timeout: float | None = attrs.field(
        default=None, validator=attrs.validators.optional(seconds(above=True))
    )
    fallback: Fallback | None = None
    after: tuple[str, ...] = ()

    def __attrs_post_init__(self) -> None:
        if (self.command is None) == (self.what is None):
            number = "neither" if self.command is None else "both"
            raise ValueError(f'a job has either "command" or "what", this one has {number}')
        if self.command is not None and self.args:
            raise ValueError('"args" does not go with "command": write them into the command')
        if self.command is None and (self.fallback is None or self.fallback.command is None):
            for key, default in OF_COMMANDS.items():
                if getattr(self, key) != default:
                    raise ValueError(f'"{key}" does not go with "what": take it out')

    def agent(self) -> AgentSpec:
        """What its attempts run."""
        return self._agent(self.command, self.what)

    def fallback_agent(self) -> AgentSpec | None:
        """What its fallback runs; a command has the surroundings of the job's own."""
        if self.fallback is None:
            return None
        return self._agent(self.fallback.command, self.fallback.what)

    def _agent(self, command: tuple[str, ...] | None, what: str | None) -> AgentSpec:
        if command is None:
            return AgentSpec(name=self.name, class_=what, args=self.args)
        return AgentSpec(
            name=self.name,
            command=command,
            cwd=self.cwd,
            env=self.env,
            input=self.input,
            max_output=self.max_output,
            check=self.check,
        )


@attrs.frozen(kw_only=True)
class BatchSpec:
    """A whole file. `policy` is that of all jobs that have none."""

    limit: int = attrs.field(default=10, validator=count(1))
    stagger: float = attrs.field(default=0.0, validator=[seconds(), finite])
    deadline: float | None = attrs.field(default=None, validator=attrs.validators.optional(seconds()))
    policy: Policy | None = None
    jobs: tuple[JobSpec, ...] = ()

    def __attrs_post_init__(self) -> None:
        if not self.jobs:
            raise ValueError("the file has no jobs: give it at least one [[jobs]]")


def structure_batch(data: dict[str, Any]) -> BatchSpec:
    """The records of a file's data. Raises what `faults_of` takes apart."""
    converter = new_file_converter()
    converter.register_structure_hook(Fallback, _fallback_hook(converter))
    return converter.structure(data, BatchSpec)


def _fallback_hook(converter: cattrs.Converter) -> Callable[[Any, Any], Fallback]:
    """A string names a function, a list is a command."""

    def structure(value: Any, _: Any) -> Fallback:
        if isinstance(value, str):
            return Fallback(what=value)
        if isinstance(value, list):
            return Fallback(command=converter.structure(value, tuple[str, ...]))
        raise WrongValue('"package.module:function", or a command as a list', value)

    return structure
