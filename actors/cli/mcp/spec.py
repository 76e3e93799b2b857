"""The table `[mcp]` of a file: what clients may see and do. `docs/mcp.md` lists the same fields for
people.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

import attrs

from actors.budgets import Budget
from actors.policy import Policy
from actors.spawning.limits import SpawnLimits

__all__ = ["KINDS", "McpSpec", "OfferSpec"]

KINDS: Final = ("class", "command", "lines", "terminal")
_PROGRAMS: Final = ("command", "lines", "terminal")
_GOES_WITH: Final[Mapping[str, tuple[str, ...]]] = {
    "config": ("class",),
    "keys": ("class",),
    "cwd": _PROGRAMS,
    "env": _PROGRAMS,
    "ready": ("command", "lines"),
    "input": ("command",),
    "protocol": ("lines",),
    "in_flight": ("lines",),
    "prompt": ("terminal",),
    "cooldown": ("terminal",),
    "multiline": ("terminal",),
}
"""The keys that go with some kinds alone."""


def _key(name: str) -> dict[str, Any]:
    return {"key": name}


@attrs.frozen(kw_only=True)
class OfferSpec:
    """One of `[mcp.templates]`: what a client may spawn by this name. A field that is not given is None."""

    class_: str | None = attrs.field(default=None, metadata=_key("class"))
    command: tuple[str, ...] | None = None
    lines: tuple[str, ...] | None = None
    terminal: tuple[str, ...] | None = None
    about: str = ""
    text: str | None = None
    policy: Policy | None = None
    config: dict[str, Any] | None = None
    keys: tuple[str, ...] | None = None
    cwd: str | None = None
    env: dict[str, str] | None = None
    ready: str | None = None
    input: str | None = None
    handshake: bool = True
    protocol: Literal["json", "text"] | None = None
    in_flight: int | None = None
    prompt: str | None = None
    cooldown: float | None = None
    multiline: bool | None = None

    @property
    def kind(self) -> str:
        """One of `KINDS`."""
        return next(kind for kind in KINDS if self._said(kind) is not None)

    @property
    def words(self) -> tuple[str, ...]:
        """The program and its arguments; () for a class."""
        return self.command or self.lines or self.terminal or ()

    def _said(self, kind: str) -> object:
        return self.class_ if kind == "class" else getattr(self, kind)

    def __attrs_post_init__(self) -> None:
        given = [kind for kind in KINDS if self._said(kind) is not None]
        if len(given) != 1:
            count = " and ".join(f'"{kind}"' for kind in given) or "none"
            raise ValueError(f"a template has one of {', '.join(KINDS)}, this one has {count}")
        for key, kinds in _GOES_WITH.items():
            if getattr(self, key) is not None and given[0] not in kinds:
                raise ValueError(f'"{key}" does not go with "{given[0]}": take it out')
        if not self.handshake and (given != ["lines"] or self.ready is not None):
            raise ValueError('handshake = false goes with "lines" alone, and without "ready": take it out')
        if given == ["terminal"] and self.prompt is None:
            raise ValueError('a terminal needs a "prompt": how its screen ends when it waits, as in "[$] $"')


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
