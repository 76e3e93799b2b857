"""What time does to tickets: they time out, and are removed long after their end."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

from actors.delivery.errors import StoreError
from actors.delivery.operations import Prune
from actors.delivery.ticket import ENDED, TicketState

if TYPE_CHECKING:
    from actors.core.alarms import Alarm
    from actors.delivery.office import Office
    from actors.delivery.rounds import Rounds

__all__ = ["Timing"]

_DUES: Final = 500
_AGAIN: Final = 5.0
"""Seconds until something is tried again that the store could not do."""


class Timing:
    """One alarm for all timeouts, and one for what is to be removed."""

    def __init__(self, office: Office, rounds: Rounds) -> None:
        self._office = office
        self._kernel = office.kernel
        self._rounds = rounds
        self._due: Alarm | None = None
        self._tidying: Alarm | None = None
        self._again: dict[Callable[[], None], Alarm] = {}

    def stop(self) -> None:
        """The courier has ended: the next one looks at the store anew."""
        for alarm in (self._due, self._tidying, *self._again.values()):
            if alarm is not None:
                alarm.cancel()

    def arm(self, due: float | None) -> None:
        """Something times out at `due`, seconds since 1970."""
        if due is None or self._rounds.nursery is None:
            return
        at = self._kernel.now() + max(0.0, due - self._office.wall())
        if self._due is None or not self._due.live or at < self._due.due:
            if self._due is not None:
                self._due.cancel()
            self._due = self._kernel.alarms.at(at, self._ring)

    def _ring(self) -> None:
        if self._rounds.nursery is not None:
            self._rounds.nursery.start_soon(self._trying, self._time_out, self._ring)

    async def _trying(self, work: Callable[[], Awaitable[None]], again: Callable[[], None]) -> None:
        """Do it, now or when the store can be read again."""
        try:
            await work()
        except StoreError as error:
            self._office.trouble(error)
            self._again[again] = self._kernel.alarms.after(_AGAIN, again)

    async def _time_out(self) -> None:
        """End the tickets whose time has come."""
        assert self._rounds.engine is not None
        while True:
            entries = await self._rounds.engine.due(self._office.wall(), _DUES)
            for entry in entries:
                self._rounds.settling.expire(entry)
            if not entries:
                break
            await self._office.pump.caught_up()  # others may write for ever
        self.arm(await self._rounds.engine.next_due())

    def tidy_later(self) -> None:
        """There is something that will have to be removed, or may not be taken by anybody."""
        if self._rounds.nursery is None or (self._tidying is not None and self._tidying.live):
            return
        posting = self._office.posting
        seconds = min(posting.keep_ended, posting.keep_unclaimed or math.inf)
        self._tidying = self._kernel.alarms.after(seconds, self.begin)

    def begin(self) -> None:
        """Look now at what ended long ago, and at what nobody has taken."""
        if self._rounds.nursery is not None:
            self._rounds.nursery.start_soon(self._trying, self._tidy, self.begin)

    async def _tidy(self) -> None:
        """Remove what ended long ago; end what nobody has taken."""
        assert self._rounds.engine is not None
        posting, wall = self._office.posting, self._office.wall()
        states = ENDED - {TicketState.DEAD}
        while await self._office.pump.write(Prune(wall - posting.keep_ended, states)):
            pass
        if posting.keep_unclaimed is not None:
            await self._expire_unclaimed(wall - posting.keep_unclaimed)
        await self._rounds.tidy()
        if await self._rounds.engine.find(states=states | {TicketState.PENDING}, limit=1):
            self.tidy_later()

    async def _expire_unclaimed(self, before: float) -> None:
        assert self._rounds.engine is not None
        after = 0
        while True:
            entries = await self._rounds.engine.find(states={TicketState.PENDING}, after=after, limit=_DUES)
            for entry in entries:
                after = entry.seq
                if entry.posted >= before:
                    return
                if not entry.attempts and entry.due is None and not self._rounds.serves(entry.path):
                    self._rounds.settling.expire(entry)
            if not entries:
                return
            await self._office.pump.caught_up()  # others may write for ever
