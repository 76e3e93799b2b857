"""The actor at `/system/desk`: it takes up what was open before a restart, and serves other processes.

What it knows belongs to the desk and outlives it. Desks of linked nodes tell it what `words` says, and
front ends ask it for what `service` says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import trio

from actors.core.actor import function
from actors.people.elsewhere import HEARD
from actors.people.front import Front
from actors.people.service import REQUESTS
from actors.policy import Mailbox, Policy

if TYPE_CHECKING:
    from actors.core.context import Context
    from actors.people.desk import Desk

__all__ = ["CLERK", "CLERK_POLICY", "clerk"]

CLERK: Final = "desk"
"""Its name below `/system`."""
CLERK_POLICY: Final = Policy(restart="permanent", breaker=None, mailbox=Mailbox(capacity=float("inf")))
"""What it runs under."""


@function(readiness=True)
async def clerk(ctx: Context, desk: Desk) -> None:
    """Serve until the end."""
    await desk.load()
    cell = ctx.ref.cell
    desk.elsewhere.begin(cell)
    ctx.ready()
    async with trio.open_nursery() as nursery:
        front = Front(desk, cell.kernel, nursery)
        async for message in ctx.inbox:
            if isinstance(message, REQUESTS):
                nursery.start_soon(front.serve, message, ctx.reply_later())
            elif isinstance(message, HEARD):
                desk.elsewhere.heard(message, ctx.sender)
        nursery.cancel_scope.cancel()
