"""The table `[mcp]` of a file: what clients may see and do. `docs/mcp.md` lists the same fields for
people.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import attrs

from actors.budgets import Budget
from actors.cli.kinds import WhatSpec, of
from actors.policy import Policy
from actors.spawning.limits import SpawnLimits

__all__ = ["McpSpec", "OfferSpec", "TokenSpec"]

Off: TypeAlias = Literal[False]
"""`false`, told from what is left out: that is as in `[mcp]`."""


def _not_false(_: object, field: attrs.Attribute[Any], value: object) -> None:
    if value is False:
        raise ValueError(f"{field.name} cannot be false: leave it out, and it is that of [mcp]")


@attrs.frozen(kw_only=True)
class OfferSpec(WhatSpec):
    """One of `[mcp.templates]`: what a client may spawn by this name."""

    called = "a template"

    keys: tuple[str, ...] | None = attrs.field(default=None, metadata=of("class"))
    about: str = ""
    text: str | None = None
    policy: Policy | None = None


@attrs.frozen(kw_only=True)
class TokenSpec:
    """One of `[mcp.tokens]`: where a token is, and what whoever brings it may do.

    What is not given is as in `[mcp]`.
    """

    token_env: str | None = None
    token_file: str | None = None
    templates: tuple[str, ...] | Off | None = attrs.field(default=None, validator=_not_false)
    limits: SpawnLimits | Off | None = attrs.field(default=None, validator=_not_false)
    budget: Budget | Off | None = None
    adopt: bool | Off | None = None
    people: bool | Off | None = None
    reach: Literal["family", "tree"] | Off | None = attrs.field(default=None, validator=_not_false)
    messages: tuple[str, ...] | Off | None = attrs.field(default=None, validator=_not_false)
    tools: tuple[str, ...] | Off | None = attrs.field(default=None, validator=_not_false)
    parent: str | Off | None = attrs.field(default=None, validator=_not_false)
    name: str | Off | None = None
    linger: float | Off | None = attrs.field(default=None, validator=_not_false)
    idle: float | Off | None = attrs.field(default=None, validator=_not_false)
    inbox: int | Off | None = attrs.field(default=None, validator=_not_false)

    def __attrs_post_init__(self) -> None:
        if bool(self.token_env) == bool(self.token_file):
            raise ValueError(
                'a token is in a variable or in a file: give one of token_env = "CHIEF_TOKEN" and '
                'token_file = "chief.token"; the token itself is never written here'
            )


@attrs.frozen(kw_only=True)
class McpSpec:
    """The table `[mcp]`. What is not given is as in `actors.mcp.Gate`."""

    templates: dict[str, OfferSpec] = attrs.field(factory=dict[str, OfferSpec])
    tokens: dict[str, TokenSpec] = attrs.field(factory=dict[str, TokenSpec])
    limits: SpawnLimits | None = None
    budget: Budget | None = None
    adopt: bool = False
    people: bool = False
    reach: Literal["family", "tree"] = "family"
    messages: tuple[str, ...] = ()
    tools: tuple[str, ...] | None = None
    parent: str | None = None
    name: str | None = None
    linger: float | None = None
    idle: float | None = None
    inbox: int | None = None
