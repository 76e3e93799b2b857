"""`Gate`: what a client that connects by MCP may see and do. Frozen, checked at the door."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final, Literal, TypeAlias

import attrs

from actors.budgets import Budget
from actors.checks import count, finite, one_of, record, seconds, yes_or_no
from actors.core.recipe import recipe_of
from actors.messages import tag_of
from actors.names import RESERVED, canonical, check_name, split
from actors.spawning.constructor import Constructor
from actors.spawning.limits import SpawnLimits
from actors.spawning.template import Template, as_template

__all__ = ["AGENTS", "TOOLS", "Gate", "Offer", "Reach"]

AGENTS: Final = "/agents"
"""The supervisor of connected agents, unless a gate names another one."""
Reach: TypeAlias = Literal["family", "tree"]
TOOLS: Final = (
    "answer",
    "ask",
    "broadcast",
    "children",
    "interrupt",
    "messages",
    "peers",
    "pending_replies",
    "pending_requests",
    "post",
    "reply",
    "resume",
    "spawn",
    "stop",
    "suspend",
    "tell",
    "ticket",
    "tree",
    "wait_ready",
    "why",
)
"""The names of all tools, sorted."""
PEOPLE: Final = frozenset({"answer", "pending_requests"})
"""The tools that only a gate with `people` has."""
_LIMITS: Final = SpawnLimits(cooldown=0.1)


def _keys(given: Iterable[str]) -> tuple[str, ...]:
    if isinstance(given, str):
        raise TypeError(f"keys are a list of names, not {given!r}: write [{given!r}]")
    return tuple(given)


@attrs.frozen
class Offer:
    """A template that a client may spawn from.

    `keys` are the parameters that the client may set itself; the others are as the template has them.
    `about` tells the client what it is for. Text that is asked of, or told to, what was spawned from it goes
    as it is, unless `text` names a message class: then as the one field of that. Raises ValueError for
    keys that the template does not know.
    """

    template: Template = attrs.field(converter=as_template)
    keys: tuple[str, ...] = attrs.field(default=(), converter=_keys)
    about: str = attrs.field(default="", validator=attrs.validators.instance_of(str))
    text: type | None = None

    def __attrs_post_init__(self) -> None:
        known = Constructor.of(recipe_of(self.template.what))
        unknown = [] if known is None else [key for key in self.keys if not known.knows(key)]
        if known is not None and unknown:
            takes = ", ".join(known.names) or "none"
            raise ValueError(f"{self.template.title} has no parameter {unknown[0]!r}: it knows {takes}")
        if self.text is not None:
            tag_of(self.text)
            if len(attrs.fields(self.text)) != 1:
                raise ValueError(f"text must be a message class with one field, not {self.text.__qualname__}")


def _offers(given: Mapping[str, Any]) -> Mapping[str, Offer]:
    if not isinstance(given, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f'templates map names to templates: write {{"worker": Template(...)}}, not {given!r}')
    offers = {check_name(name): one if isinstance(one, Offer) else Offer(one) for name, one in given.items()}
    return MappingProxyType(offers)


def _tags(given: Iterable[Any]) -> tuple[str, ...]:
    if isinstance(given, str):
        raise TypeError(f"messages are a list of tags, not {given!r}: write [{given!r}]")
    return tuple(tag_of(one) if isinstance(one, type) else str(one) for one in given)


def _tools(given: Iterable[str] | None) -> tuple[str, ...] | None:
    if given is None:
        return None
    if isinstance(given, str):
        raise TypeError(f"tools are a list of names, not {given!r}: write [{given!r}]")
    return tuple(given)


def _known_tools(_: object, __: object, value: tuple[str, ...] | None) -> None:
    unknown = [name for name in value or () if name not in TOOLS]
    if unknown:
        raise ValueError(f"no tool is called {unknown[0]!r}: the tools are {', '.join(TOOLS)}")


def _parent(given: str) -> str:
    path = canonical(given)
    if split(path)[:1] and split(path)[0] in RESERVED:
        raise ValueError(f"{path} is the framework's own: choose another parent for agents")
    return path


def _name(_: object, __: object, value: str | None) -> None:
    if value is not None:
        check_name(value)


def _budget(_: object, __: object, value: object) -> None:
    if value is not None and not isinstance(value, Budget):
        raise TypeError(
            f"budget must be a Budget or None, not {value!r}: write actors.Budget(tool_calls=100)"
        )
    if value is not None and value.idle is not None:
        raise ValueError(
            "an agent is not ended by its budget for being idle: leave idle out, and use Gate(idle=...)"
        )


@attrs.frozen(kw_only=True)
class Gate:
    """What whoever connects by MCP may see and do.

    `templates` are what it may spawn from, by name: a `Template`, whatever else can be spawned, or an
    `Offer`; `limits` bound how much, one for its own children and one for all that were ever adopted
    through this gate; `adopt` lets it spawn what outlives it, under `parent`. `budget` is that of its agent
    and of all below it; each call of a tool that does not only look is one of its `tool_calls`. `parent` is
    the path of the supervisor that its agent lives under: `/agents` is made when it is needed, another one
    has to be there.

    `messages` are the tags (or classes) of messages that it may tell and ask besides text. `reach` is
    "family": itself, its parent, its peers, and all below it; or "tree": all but the framework's own.
    `people`: it sees and answers requests to people, never those of this gate's own agents and what these
    spawned. `tools` are those that it has; None: all.

    `name` is what its agent is called, instead of what the client calls itself. For `linger` seconds an
    agent lives on when its connection has ended: who connects again under its name meanwhile is that
    agent again. `idle` is for how many seconds an agent lives without any request where connections have no
    end of their own (streamable HTTP without sessions). `inbox` is how many messages wait for it besides its
    mailbox; then it is suspended until it reads some.

    Raises ValueError and TypeError with the cure.
    """

    templates: Mapping[str, Offer] = attrs.field(factory=dict[str, Offer], converter=_offers)
    limits: SpawnLimits = attrs.field(
        default=_LIMITS, validator=record(SpawnLimits, "actors.SpawnLimits(...)", optional=False)
    )
    adopt: bool = attrs.field(default=False, validator=yes_or_no)
    budget: Budget | None = attrs.field(default=None, validator=_budget)
    parent: str = attrs.field(default=AGENTS, converter=_parent)
    messages: tuple[str, ...] = attrs.field(default=(), converter=_tags)
    reach: Reach = attrs.field(default="family", validator=one_of(Reach))
    people: bool = attrs.field(default=False, validator=yes_or_no)
    tools: tuple[str, ...] | None = attrs.field(default=None, converter=_tools, validator=_known_tools)
    name: str | None = attrs.field(default=None, validator=_name)
    linger: float = attrs.field(default=0.0, validator=[seconds(), finite])
    idle: float = attrs.field(default=900.0, validator=[seconds(above=True), finite])
    inbox: int = attrs.field(default=1000, validator=count(1))

    @property
    def allowed(self) -> frozenset[str]:
        """The names of the tools that it has."""
        names = frozenset(TOOLS if self.tools is None else self.tools)
        return names if self.people else names - PEOPLE
