"""From the table `[mcp]` to a `Gate`, and what this machine lacks for it."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

import attrs

from actors.cli.mcp.spec import McpSpec, OfferSpec
from actors.cli.spec import AgentSpec
from actors.cli.strict import Fault
from actors.cli.team import Agent, Place
from actors.cli.what import Surroundings, argv_of, command_faults, cwd_of, environ_of, import_fault, imported
from actors.errors import ActorError
from actors.names import ROOT
from actors.process import Call, Command, Lines, Paste, Terminal
from actors.spawning.template import Template

if TYPE_CHECKING:
    from actors.mcp import Gate, Offer

__all__ = ["CURE", "gate_of", "is_there", "mcp_faults"]

CURE: Final = 'MCP needs its extra: pip install "trio-actors[mcp]"'
_NEEDED: Final = ("hypercorn", "mcp", "starlette")
_TEXTS: Final[Mapping[str, type]] = {"lines": Call, "terminal": Paste}
"""What a text is to those who take no bare one."""
_MADE_HERE: Final = frozenset({"templates", "messages"})


def is_there() -> bool:
    """Whether the extra is installed."""
    return all(importlib.util.find_spec(name) is not None for name in _NEEDED)


def gate_of(spec: McpSpec, place: Place, surroundings: Surroundings) -> Gate:
    """The gate that a table describes. Imports modules; raises what `mcp_faults` has not told of."""
    from actors.mcp import Gate

    offers = {name: _offer(one, _at(place, name), surroundings) for name, one in spec.templates.items()}
    messages = [imported(reference) for reference in spec.messages]
    return Gate(templates=offers, messages=messages, **_given(spec))


def mcp_faults(spec: McpSpec, place: Place, surroundings: Surroundings) -> Iterator[Fault]:
    """Every mistake that this machine shows."""
    if not is_there():
        yield place.fault(CURE)
        return
    faults = [
        fault
        for name, one in spec.templates.items()
        for fault in _offer_faults(one, _at(place, name), surroundings)
    ]
    for index, reference in enumerate(spec.messages):
        fault = _reference_fault(place.at(f"messages[{index}]"), reference)
        faults += [] if fault is None else [fault]
    yield from faults
    if faults:
        return
    try:
        gate_of(spec, place, surroundings)
    except (ActorError, TypeError, ValueError) as error:
        yield place.fault(str(error))


def _at(place: Place, name: str) -> Place:
    return place.at(f"templates.{name}")


def _given(spec: McpSpec) -> dict[str, Any]:
    said: dict[str, Any] = {field.name: getattr(spec, field.name) for field in attrs.fields(McpSpec)}
    return {key: value for key, value in said.items() if value is not None and key not in _MADE_HERE}


def _offer(spec: OfferSpec, place: Place, surroundings: Surroundings) -> Offer:
    from actors.mcp import Offer

    text = _TEXTS.get(spec.kind) if spec.text is None else imported(spec.text)
    template = Template(_what(spec, place, surroundings), spec.config or {}, policy=spec.policy)
    return Offer(template, keys=spec.keys or (), about=spec.about, text=text)


def _what(spec: OfferSpec, place: Place, surroundings: Surroundings) -> Any:
    if spec.class_ is not None:
        return imported(spec.class_)
    agent = _program(spec, place)
    around: dict[str, Any] = {"cwd": cwd_of(agent), "env": environ_of(agent, surroundings)}
    argv = argv_of(agent, surroundings)
    if spec.kind == "command":
        return Command(argv, **around, **_said(spec, "ready", "input"))
    if spec.kind == "lines":
        at_once = {} if spec.handshake else {"ready": False}
        return Lines(argv, **around, **at_once, **_said(spec, "ready", "protocol", "in_flight"))
    return Terminal(argv, **around, **_said(spec, "prompt", "cooldown", "multiline"))


def _said(spec: OfferSpec, *keys: str) -> Mapping[str, Any]:
    return {key: getattr(spec, key) for key in keys if getattr(spec, key) is not None}


def _program(spec: OfferSpec, place: Place) -> Agent:
    """As `[[agents]]` have one."""
    return Agent(AgentSpec(command=spec.words, cwd=spec.cwd, env=spec.env or {}), place, ROOT)


def _offer_faults(spec: OfferSpec, place: Place, surroundings: Surroundings) -> Iterator[Fault]:
    if spec.class_ is not None:
        fault = _reference_fault(place.at("class"), spec.class_)
        if fault is not None:
            yield fault
            return
    else:
        try:
            faults = list(command_faults(_program(spec, place), surroundings))
        except ValueError as error:
            yield place.fault(str(error))
            return
        yield from faults
        if faults:
            return
    if spec.text is not None:
        fault = _reference_fault(place.at("text"), spec.text)
        if fault is not None:
            yield fault
            return
    try:
        _offer(spec, place, surroundings)
    except (ActorError, TypeError, ValueError) as error:
        yield place.fault(str(error))


def _reference_fault(place: Place, reference: str) -> Fault | None:
    module, colon, name = reference.partition(":")
    if not (colon and all(part.isidentifier() for part in (*module.split("."), *name.split(".")))):
        return place.fault(f'"{reference}" does not name a class: write "package.module:Class"')
    return import_fault(place, reference)
