"""The table `[mcp]` of a file: what clients may see and do. `docs/mcp.md` lists the same fields for
people.
"""

from __future__ import annotations

from typing import Literal

import attrs

from actors.budgets import Budget
from actors.cli.kinds import WhatSpec, of
from actors.policy import Policy
from actors.spawning.limits import SpawnLimits

__all__ = ["McpSpec", "OfferSpec"]


@attrs.frozen(kw_only=True)
class OfferSpec(WhatSpec):
    """One of `[mcp.templates]`: what a client may spawn by this name."""

    called = "a template"

    keys: tuple[str, ...] | None = attrs.field(default=None, metadata=of("class"))
    about: str = ""
    text: str | None = None
    policy: Policy | None = None


@attrs.frozen(kw_only=True)
class McpSpec:
    """The table `[mcp]`. What is not given is as in `actors.mcp.Gate`."""

    templates: dict[str, OfferSpec] = attrs.field(factory=dict[str, OfferSpec])
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
