"""The courier: the actor at `/system/courier` that has the store open, and delivers.

What it knows belongs to the office and outlives it: a courier that is restarted goes on where the
one before was. It ends after all other actors, so that what they still finish is written. Other processes
ask it for what `service` says, and those of linked nodes tell it what `words` says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import trio

from actors.core.actor import function
from actors.delivery.admin import Admin
from actors.delivery.exchange import HEARD
from actors.delivery.service import REQUESTS
from actors.delivery.store import Opening
from actors.policy import Mailbox, Policy

if TYPE_CHECKING:
    from actors.core.context import Context
    from actors.delivery.office import Office

__all__ = ["COURIER", "COURIER_POLICY", "courier"]

COURIER: Final = "courier"
"""Its name below `/system`."""
COURIER_POLICY: Final = Policy(restart="permanent", breaker=None, mailbox=Mailbox(capacity=float("inf")))
"""What it runs under."""
_LAST_WORDS: Final = 2.0
"""Seconds for writing what has happened once it ends, what is on its way included."""


@function(readiness=True)
async def courier(ctx: Context, office: Office) -> None:
    """Open the store, write and deliver until the end."""
    office.kernel.follow(ctx.ref.cell, office)
    opening = Opening(office.kernel.name, office.kernel.incarnation, office.wall, office.lease)
    async with office.store.open(opening) as engine:
        try:
            async with trio.open_nursery() as nursery:
                try:
                    nursery.start_soon(office.pump.run, engine, name=f"pump of {office.kernel.name}")
                    await office.rounds.start(engine, nursery, ctx.ref.cell)
                    office.opened(engine)
                    ctx.ready()
                    admin = Admin(office)
                    async for message in ctx.inbox:
                        if isinstance(message, REQUESTS):
                            nursery.start_soon(admin.serve, message, ctx.reply_later())
                        elif isinstance(message, HEARD):
                            office.rounds.exchange.heard(message, ctx.sender)
                    await office.pump.flushed()
                    nursery.cancel_scope.cancel()
                finally:
                    office.rounds.rest()
                    office.pump.hurry(_LAST_WORDS)  # a write that hangs does not keep it
        finally:
            office.shut()
            await office.pump.last_words(engine)
