"""Tools for requests to people: pending_requests, answer. Only where the gate says that a person is there."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any

import trio
from pydantic import Field
from typing_extensions import TypedDict

from actors.mcp.faults import ToolFault
from actors.mcp.tool import Call, Tool
from actors.mcp.tools.shapes import Json

if TYPE_CHECKING:
    from actors.people.request import PersonRequest

__all__ = ["PEOPLE"]


class Question(TypedDict):
    """A request that waits for a person's answer."""

    id: str
    kind: Annotated[
        str, Field(description="approval takes true or false, clarification takes text, others an option.")
    ]
    text: str
    options: list[Json]
    to: Annotated[str | None, Field(description="Whom it is for; None: anybody.")]
    priority: int
    sender: Annotated[str | None, Field(description="The path of the actor that asks.")]
    node: str
    left: Annotated[float | None, Field(description="Seconds until its default is taken; None: no limit.")]


class Questions(TypedDict):
    """Requests that wait, by priority, then by age."""

    requests: list[Question]
    count: int


class Decided(TypedDict):
    """An answer that stands."""

    id: str
    value: Json


def _pending(call: Call, to: str | None) -> list[PersonRequest]:
    return [one for one in call.house.system.desk.pending(to) if not call.house.kin.has_asked(one)]


async def pending_requests(
    call: Call, to: Annotated[str | None, Field(description="Only those for this person.")] = None
) -> Questions:
    """List the questions that wait for a person's answer; never those of your own team."""
    await trio.lowlevel.checkpoint()
    now = call.house.kernel.now()
    found = [
        Question(
            id=one.id,
            kind=one.kind,
            text=one.text,
            options=[call.house.values.out(option) for option in one.options],
            to=one.to,
            priority=one.priority,
            sender=one.sender,
            node=one.node,
            left=None if one.deadline == math.inf else max(0.0, one.deadline - now),
        )
        for one in _pending(call, to)
    ]
    return Questions(requests=found, count=len(found))


async def answer(
    call: Call,
    id: Annotated[str, Field(description="The id of the request.")],
    value: Annotated[Json, Field(description="true or false, a text, or one of the options.")],
) -> Decided:
    """Answer a question in the place of a person. It stands when this returns, and cannot be taken back."""
    await trio.lowlevel.checkpoint_if_cancelled()
    own: Any = next((one for one in call.house.system.desk.pending() if one.id == id), None)
    if own is not None and call.house.kin.has_asked(own):
        raise ToolFault("this was asked by your own team: somebody else has to answer it")
    await call.house.system.desk.decide(id, value, call.agent.ctx.ref.path)
    return Decided(id=id, value=value)


PEOPLE = (
    Tool(pending_requests, title="List questions to people", reads=True),
    Tool(answer, title="Answer for a person", destroys=True),
)
