"""Tools of what is posted: post, ticket. It is kept until it is handled, also where nobody is there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from actors.delivery.ticket import ENDED
from actors.errors import ActorError, AskTimeout
from actors.mcp.faults import ToolFault, refusing, text_of
from actors.mcp.tool import Call, Tool
from actors.mcp.tools.shapes import Json, Message, Path, Seconds

if TYPE_CHECKING:
    from actors.delivery.ticketing import Ticket

__all__ = ["POSTS"]

_MOST = 10_000


class Receipt(TypedDict):
    """What is known of a posted message."""

    ticket: Annotated[str, Field(description="The id that `ticket` takes.")]
    to: str
    state: Annotated[
        str, Field(description="pending, delivered, responded, failed, timed_out, cancelled or dead.")
    ]
    ended: bool
    attempts: int
    reply: NotRequired[Json]
    error: NotRequired[str]


async def post(
    call: Call,
    path: Path,
    message: Message,
    key: Annotated[
        str | None, Field(description="Posting with the same key of yours again is posting it once.")
    ] = None,
    timeout: Seconds = None,
    priority: Annotated[int, Field(description="Higher ones are delivered first.")] = 0,
    max_attempts: Annotated[int, Field(description="Deliveries until it counts as dead.", ge=1)] = 5,
) -> Receipt:
    """Store a message for an actor, also for one that is not there yet, and return the receipt.

    It is delivered when an actor with this path is ready, at least once. The reply comes to your
    `messages`, unless you take it by `ticket`.
    """
    house = call.house
    whole = house.path(path)
    ref = house.system.find(whole)
    with refusing(ValueError, TypeError):
        ticket = await house.system.post(
            whole,
            house.values.told(message, house.text_class(ref)),
            key=None if key is None else f"{call.agent.ctx.ref.path} {key}",  # tickets are not shared
            timeout=timeout,
            priority=priority,
            max_attempts=max_attempts,
        )
    tickets = call.agent.tickets
    tickets[ticket.id] = None
    while len(tickets) > _MOST:
        del tickets[next(iter(tickets))]
    return _receipt(ticket)


async def ticket(
    call: Call,
    id: Annotated[str, Field(description="The id of a ticket of yours.")],
    wait: Annotated[
        float, Field(description="Wait so many seconds for its end; 0: look only.", ge=0, allow_inf_nan=False)
    ] = 0.0,
    cancel: Annotated[bool, Field(description="Withdraw it, if it has not ended.")] = False,
) -> Receipt:
    """Tell what has become of a message that you have posted, with its reply if there is one."""
    if id not in call.agent.tickets:
        raise ToolFault(f"no ticket {id!r:.100} is yours: `post` gives you tickets")
    found: Ticket[Any] = await call.house.system.ticket(id)
    if cancel:
        found.cancel()
    if not wait and found.state not in ENDED:
        return _receipt(found)
    try:
        value = await found.wait_reply(timeout=wait)
    except AskTimeout:
        return _receipt(found)
    except ActorError as error:
        receipt = _receipt(found)
        receipt["error"] = text_of(error) or ""
    else:
        receipt = _receipt(found)
        receipt["reply"] = call.house.values.out(value)
    return receipt


def _receipt(ticket: Ticket[Any]) -> Receipt:
    return Receipt(
        ticket=ticket.id,
        to=ticket.path,
        state=ticket.state.value,
        ended=ticket.state in ENDED,
        attempts=ticket.attempts,
    )


POSTS = (Tool(post, title="Post a message"), Tool(ticket, title="Look after a ticket"))
