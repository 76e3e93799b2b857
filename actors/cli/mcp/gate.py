"""From the table `[mcp]` to a `Gate`, and what this machine lacks for it."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import attrs

from actors.cli.kinds import reference_check
from actors.cli.mcp.spec import McpSpec, OfferSpec, TokenSpec
from actors.cli.strict import Fault
from actors.cli.team import Place
from actors.cli.what import Surroundings, import_fault, imported, program_faults, program_of
from actors.errors import ActorError
from actors.spawning.template import Template

if TYPE_CHECKING:
    from actors.mcp import Gate, Offer

__all__ = ["CURE", "gate_of", "gates_of", "is_there", "mcp_faults"]

CURE: Final = 'MCP needs its extra: pip install "trio-actors[mcp]"'
_NEEDED: Final = ("hypercorn", "mcp", "starlette")
_MADE_HERE: Final = frozenset({"templates", "messages", "tokens"})
_OF_TOKENS: Final = frozenset({"templates", "token_env", "token_file"})


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
        faults += _reference_faults(place.at(f"messages[{index}]"), reference)
    yield from faults
    if faults:
        return
    try:
        whole = gate_of(spec, place, surroundings)
    except (ActorError, TypeError, ValueError) as error:
        yield place.fault(str(error))
        return
    for name, one in spec.tokens.items():
        yield from _token_faults(whole, name, one, place.at(f"tokens.{name}"))


def gates_of(spec: McpSpec, place: Place, surroundings: Surroundings) -> tuple[Gate, dict[str, Gate]]:
    """The gate of the table itself, and those of its tokens, by name. Raises as `gate_of`."""
    whole = gate_of(spec, place, surroundings)
    return whole, {name: _token_gate(whole, name, one) for name, one in spec.tokens.items()}


def _token_gate(whole: Gate, name: str, spec: TokenSpec) -> Gate:
    """That of the table, with what the token has in its place. Its agent has the name of the token."""
    said = {field.name: getattr(spec, field.name) for field in attrs.fields(TokenSpec)}
    own: dict[str, Any] = {"name": name}
    own |= {key: value for key, value in said.items() if value is not None and key not in _OF_TOKENS}
    for key in ("name", "budget"):
        if own.get(key) is False:
            own[key] = None
    if spec.templates is not None:
        own["templates"] = {one: whole.templates[one] for one in spec.templates or ()}
    if spec.messages:
        own["messages"] = [imported(reference) for reference in spec.messages]
    return attrs.evolve(whole, **own)


def _token_faults(whole: Gate, name: str, spec: TokenSpec, place: Place) -> Iterator[Fault]:
    known = ", ".join(whole.templates) or "none"
    faults = [
        place.at(f"templates[{index}]").fault(f"no template is called {one!r}: [mcp.templates] has {known}")
        for index, one in enumerate(spec.templates or ())
        if one not in whole.templates
    ]
    for index, reference in enumerate(spec.messages or ()):
        faults += _reference_faults(place.at(f"messages[{index}]"), reference)
    yield from faults
    if faults:
        return
    try:
        _token_gate(whole, name, spec)
    except (ActorError, TypeError, ValueError) as error:
        yield place.fault(str(error))


def _at(place: Place, name: str) -> Place:
    return place.at(f"templates.{name}")


def _given(spec: McpSpec) -> dict[str, Any]:
    said: dict[str, Any] = {field.name: getattr(spec, field.name) for field in attrs.fields(McpSpec)}
    return {key: value for key, value in said.items() if value is not None and key not in _MADE_HERE}


def _offer(spec: OfferSpec, place: Place, surroundings: Surroundings) -> Offer:
    from actors.mcp import Offer

    text = None if spec.text is None else imported(spec.text)
    what = program_of(spec, place, surroundings) if spec.class_ is None else imported(spec.class_)
    template = Template(what, spec.config, policy=spec.policy)
    return Offer(template, keys=spec.keys or (), about=spec.about, text=text)


def _offer_faults(spec: OfferSpec, place: Place, surroundings: Surroundings) -> Iterator[Fault]:
    if spec.class_ is None:
        faults = list(program_faults(spec, place, surroundings))
    else:
        faults = list(_reference_faults(place.at("class"), spec.class_))
    if spec.text is not None and not faults:
        faults = list(_reference_faults(place.at("text"), spec.text))
    yield from faults
    if faults:
        return
    try:
        _offer(spec, place, surroundings)
    except (ActorError, TypeError, ValueError) as error:
        yield place.fault(str(error))


def _reference_faults(place: Place, reference: str) -> Iterator[Fault]:
    try:
        reference_check(None, None, reference)
    except ValueError as error:
        yield place.fault(str(error))
        return
    fault = import_fault(place, reference)
    if fault is not None:
        yield fault
