"""What a client is told of its gate: at the beginning, and with each tool."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from actors.mcp.values import described

if TYPE_CHECKING:
    from mcp.types import Tool as Listed

    from actors.mcp.gate import Gate
    from actors.mcp.tool import Tool

__all__ = ["instructions_of", "listed"]

_ABOUT: Final = (
    "You are an actor in a tree of actors. What you spawn are your children: they run beside you, and "
    "end when you disconnect{adopted}. Each actor handles one message at a time. `tell` sends and "
    "goes on; `ask` waits for the reply, or with wait=false gives an id whose reply comes by "
    "`pending_replies`. What others tell and ask you waits until you read it by `messages`; answer "
    'those that wait for it by `reply`. You reach {reach}. Paths begin with "/"; a name without it is '
    "a child of yours. Times are in seconds."
)


def instructions_of(gate: Gate) -> str:
    """What a client reads when it connects."""
    reach = (
        "the whole tree" if gate.reach == "tree" else "yourself, your parent, your peers, and all below you"
    )
    adopted = ", but for those spawned with adopt=true" if gate.adopt else ""
    return "\n\n".join([_ABOUT.format(adopted=adopted, reach=reach), *_offers(gate), *_messages(gate)])


def _offers(gate: Gate) -> Iterator[str]:
    if gate.templates:
        lines = [
            f"- {name}: {offer.about or offer.template.title}"
            + (f" (you may set: {', '.join(offer.keys)})" if offer.keys else "")
            for name, offer in sorted(gate.templates.items())
        ]
        yield "\n".join(["Templates to spawn from:", *lines])


def _messages(gate: Gate) -> Iterator[str]:
    if gate.messages:
        yield "\n".join(["Messages besides text:", *(f"- {described(tag)}" for tag in gate.messages)])


def listed(tool: Tool, gate: Gate) -> Listed:
    """A tool as this gate has it: what may be chosen is in its schema."""
    schema: dict[str, Any] = tool.listed.input_schema
    properties: dict[str, Any] = dict(schema.get("properties", {}))
    about = [tool.listed.description or ""]
    if tool.name == "spawn":
        properties["template"] = {**properties["template"], "enum": sorted(gate.templates)}
        if not gate.adopt:
            properties.pop("adopt", None)
        about.extend(_offers(gate))
    elif "message" in properties:
        about.extend(_messages(gate))
    return tool.listed.model_copy(
        update={"input_schema": {**schema, "properties": properties}, "description": "\n\n".join(about)}
    )
