"""The actor at `/system/desk`: it takes up what was open before a restart, and serves other processes.

What it knows belongs to the desk and outlives it. Desks of linked nodes tell it what `words` says, and
front ends ask it for what `service` says.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import trio

from actors.core.actor import function
from actors.errors import ActorError, Refused
from actors.people.elsewhere import HEARD
from actors.people.records import request_record
from actors.people.service import REQUESTS, ExtendRequest, GiveAnswer, PendingPage
from actors.policy import Mailbox, Policy

if TYPE_CHECKING:
    from actors.core.ask import ReplyPort
    from actors.core.context import Context
    from actors.people.desk import Desk

__all__ = ["CLERK", "CLERK_POLICY", "clerk"]

CLERK: Final = "desk"
"""Its name below `/system`."""
CLERK_POLICY: Final = Policy(restart="permanent", breaker=None, mailbox=Mailbox(capacity=float("inf")))
"""What it runs under."""
_CHARACTERS: Final = 200_000
"""On one page, so that it passes any link."""


@function(readiness=True)
async def clerk(ctx: Context, desk: Desk) -> None:
    """Serve until the end."""
    await desk.load()
    desk.elsewhere.begin(ctx.ref.cell)
    ctx.ready()
    async with trio.open_nursery() as nursery:
        async for message in ctx.inbox:
            if isinstance(message, REQUESTS):
                nursery.start_soon(_serve, desk, message, ctx.reply_later())
            elif isinstance(message, HEARD):
                desk.elsewhere.heard(message, ctx.sender)
        nursery.cancel_scope.cancel()


async def _serve(desk: Desk, request: Any, port: ReplyPort) -> None:
    """Answer one request. What cannot be done is refused in words."""
    try:
        reply = await _reply(desk, request)
    except (ActorError, TypeError, ValueError) as error:
        port.fail(Refused(str(error)))
    except Exception as error:  # whatever it is, it concerns this request alone
        port.fail(error)
    else:
        port.answer(reply)


async def _reply(desk: Desk, request: Any) -> Any:
    match request:
        case GiveAnswer():
            await desk.decide(request.id, json.loads(request.value), request.by)
            return None
        case ExtendRequest():
            await trio.lowlevel.checkpoint()
            return desk.extend(request.id, request.seconds)
        case _:
            await trio.lowlevel.checkpoint()
            return _page(desk, request.to)


def _page(desk: Desk, to: str | None) -> PendingPage:
    pending = desk.pending(to)
    records: list[str] = []
    left, now = _CHARACTERS, trio.current_time()
    for request in pending:
        record = json.dumps(request_record(request, -now))
        left -= len(record)
        if left < 0 and records:
            break
        records.append(record)
    return PendingPage(tuple(records), len(pending) - len(records))
