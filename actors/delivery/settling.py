"""How a ticket ends: it is written, and whoever has posted the message hears of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import attrs

from actors.delivery.endings import note_of, reply_of
from actors.delivery.errors import StoreError
from actors.delivery.operations import Moved, Result
from actors.delivery.ticket import ENDED, Entry, Move, Standing, move

if TYPE_CHECKING:
    from actors.core.cell import Cell
    from actors.delivery.office import Office
    from actors.delivery.rounds import Rounds

__all__ = ["Settling"]


class Settling:
    """The ends of tickets."""

    def __init__(self, office: Office, rounds: Rounds) -> None:
        self._office = office
        self._kernel = office.kernel
        self._rounds = rounds

    def settle(
        self,
        entry: Entry,
        said: Moved,
        value: list[Any] | None = None,
        then: Callable[[Result | StoreError], object] | None = None,
    ) -> None:
        """Write how a delivery ended, and let the sender know if that is the end of the ticket."""
        ended = self._ended(entry, said)
        told = None
        if ended is not None:
            self._rounds.timing.tidy_later()
            follow = self._follow(ended)
            if follow is not None:
                said = attrs.evolve(said, follow=follow)
            else:
                told = self._adhoc_sender(ended)

        def came(result: Result | StoreError) -> None:
            if then is not None:
                then(result)
            if not isinstance(result, Standing):
                return
            if said.follow is not None:
                self._rounds.more(said.follow.path)
            elif told is not None and ended is not None:
                told.tell(reply_of(note_of(ended), None if value is None else value[0]))

        self._office.move(entry, said, came, value)

    def _ended(self, entry: Entry, said: Moved) -> Entry | None:
        """What the ticket is after that, if it has ended."""
        standing = move(entry.id, entry.standing, said.move)
        if standing.state not in ENDED:
            return None
        failures = entry.failures if said.failure is None else (*entry.failures, said.failure)
        return entry.at(standing, answer=said.answer, failures=failures, changed=said.at)

    def _adhoc_sender(self, entry: Entry) -> Cell | None:
        """The actor that posted it, if it lives, and can have no post itself."""
        if not entry.reply or entry.answers is not None:
            return None
        sender = self.sender(entry)
        return None if sender is None or self._office.waits_itself(entry, sender) else sender

    def _follow(self, entry: Entry) -> Entry | None:
        """The reply, posted to the actor that has posted the message; None where nobody is to be told so."""
        sender = entry.sender
        if not entry.reply or entry.answers is not None or sender is None or "/~" in sender:
            return None
        cell = self.sender(entry)
        if cell is not None and self._office.waits_itself(entry, cell):
            return None
        now = self._office.wall()
        return Entry(
            self._office.new_id(now),
            sender,
            self._office.coder.note_out(note_of(entry)),
            now,
            priority=entry.priority,
            reply=False,
            sender=entry.path,
            node=self._kernel.name,
            hops=entry.hops + 1,
            answers=entry.id,
        )

    def cancel(self, entry: Entry, canceller: Cell | None) -> None:
        """The ticket is cancelled; whoever posted it hears so, if it was somebody else."""
        self._rounds.deliveries.withdraw(entry)
        said = Moved(entry.id, Move.CANCEL, self._office.wall())
        is_sender = canceller is not None and canceller.path == entry.sender
        self.settle(attrs.evolve(entry, reply=False) if is_sender else entry, said)

    def expire(self, entry: Entry) -> None:
        """The ticket has timed out: withdrawn, if nobody works on it."""
        if not entry.working:
            self._rounds.deliveries.withdraw(entry)
        self.settle(entry, Moved(entry.id, Move.TIME_OUT, self._office.wall()))

    def sender(self, entry: Entry) -> Cell | None:
        """The actor that posted it, if it is here."""
        if entry.sender is None or entry.node != self._kernel.name:
            return None
        ref = self._kernel.system.find(entry.sender)
        return None if ref is None else ref.cell
