"""What a team template may say. `docs/cli.md` lists the same fields for people. Times are seconds."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import Any, cast

import attrs

from actors.cli.kinds import PROGRAMS
from actors.cli.spec import AgentSpec, Supervising
from actors.cli.stores import StoreSpec
from actors.cli.structure import new_file_converter
from actors.names import check_name
from actors.posting import Posting
from actors.supervision.supervisor import AutoShutdown

__all__ = ["LARGEST", "RoleSpec", "TeamSpec", "TemplateSpec", "check_size", "filled", "structure_template"]

LARGEST = 100
"""Instances of one role."""

_FILLED = (*PROGRAMS, "env", "args", "config")
_EXPRESSIONS = ("ready", "prompt")
_PLACEHOLDER = re.compile(r"\{\{(name|number|team)\}\}|\{(name|number|team)\}")


def check_size(size: int, role: str = "a role") -> int:
    """Return `size` if a role may have so many instances, else raise ValueError."""
    if not 1 <= size <= LARGEST:
        raise ValueError(f"{role} may have 1 to {LARGEST} instances, not {size}")
    return size


def _size(_: object, __: object, value: int) -> None:
    check_size(value)


def _name(_: object, __: object, value: str | None) -> None:
    if value is not None:
        check_name(value)


@attrs.frozen(kw_only=True)
class TeamSpec(Supervising):
    """The table `[team]`: the supervisor. `policy` is that of all who have none, its own too."""

    name: str | None = attrs.field(default=None, validator=_name)
    description: str | None = None
    auto_shutdown: AutoShutdown = "never"


@attrs.frozen(kw_only=True)
class RoleSpec(AgentSpec):
    """One role: an agent, `size` times."""

    called = "a role"

    name: str = attrs.field(validator=_name)
    size: int = attrs.field(default=1, validator=_size)

    def instances(self, team: str, size: int) -> tuple[AgentSpec, ...]:
        """The agents of this role, placeholders filled. Raises InvalidName for a name that gets too long."""
        if size == 1:
            return (self._instance(self.name, 1, team),)
        return tuple(self._instance(f"{self.name}-{number}", number, team) for number in range(1, size + 1))

    def _instance(self, name: str, number: int, team: str) -> AgentSpec:
        said: dict[str, Any] = {field.name: getattr(self, field.name) for field in attrs.fields(AgentSpec)}
        values = {"name": name, "number": str(number), "team": team}
        said.update({key: filled(said[key], values) for key in _FILLED}, name=name)
        literally = {key: re.escape(value) for key, value in values.items()}  # a name may have dots
        return AgentSpec(**said | {key: filled(said[key], literally) for key in _EXPRESSIONS})


@attrs.frozen(kw_only=True)
class TemplateSpec:
    """A whole file."""

    team: TeamSpec = attrs.field(factory=TeamSpec)
    store: StoreSpec | None = None
    posting: Posting = attrs.field(factory=Posting)
    roles: tuple[RoleSpec, ...] = ()

    def __attrs_post_init__(self) -> None:
        if not self.roles:
            raise ValueError("the team has no roles: give it at least one [[roles]]")


def filled(value: Any, values: Mapping[str, str]) -> Any:
    """The value with `{name}`, `{number}` and `{team}` filled in every text; `{{name}}` becomes `{name}`.

    Nothing else in braces is touched: code and JSON have braces of their own.
    """
    if isinstance(value, str):
        return _PLACEHOLDER.sub(lambda found: values.get(found[2], f"{{{found[1]}}}"), value)
    if isinstance(value, dict):
        table = cast("Mapping[str, Any]", value)
        return {key: filled(inner, values) for key, inner in table.items()}
    if isinstance(value, list | tuple):
        items = cast("tuple[Any, ...]", value)
        return type(items)(filled(inner, values) for inner in items)
    return value


def structure_template(data: Mapping[str, Any]) -> TemplateSpec:
    """The records of a file's data. Raises what `faults_of` takes apart."""
    return _converter().structure(data, TemplateSpec)


@functools.cache
def _converter() -> Any:
    return new_file_converter()
