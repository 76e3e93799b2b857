"""How a ticket ends: it is written, and whoever has posted the message hears of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import attrs

from actors.core.mailbox import POSTED
from actors.delivery.endings import note_of, reply_of
from actors.delivery.errors import StoreError
from actors.delivery.operations import Moved, Result
from actors.delivery.recipient import is_lasting
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
        standing = move(entry.id, entry.standing, said.move)
        ends = standing.state in ENDED and standing.state is not entry.state  # not if it had timed out
        ended = told = None
        if ends:
            self._rounds.timing.tidy_later()
        if ends and entry.reply and entry.sender is not None and entry.answers is None:
            ended = self._ended(entry, said, standing)
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
                reply = reply_of(note_of(ended), None if value is None else value[0])
                told.put_marked(reply, None, POSTED)  # a full mailbox takes it too

        self._office.move(entry, said, came, value, ends=ends)

    def _ended(self, entry: Entry, said: Moved, standing: Standing) -> Entry:
        """What the ticket is after that."""
        failures = entry.failures if said.failure is None else (*entry.failures, said.failure)
        return entry.at(standing, answer=said.answer, failures=failures, changed=said.at)

    def _adhoc_sender(self, entry: Entry) -> Cell | None:
        """The actor that posted it, if it lives, and can have no post itself."""
        sender = self.sender(entry)
        return None if sender is None or self._office.waits_itself(entry, sender) else sender

    def _follow(self, entry: Entry) -> Entry | None:
        """The reply, posted to the actor that has posted the message; None where nobody is to be told so."""
        sender = entry.sender
        if sender is None or not is_lasting(sender):
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
        said = Moved(entry.id, Move.CANCEL, self._office.wall())
        is_sender = canceller is not None and canceller.path == entry.sender
        self.settle(attrs.evolve(entry, reply=False) if is_sender else entry, said)
        self._rounds.deliveries.withdraw(entry)  # behind it: the next one may be given then

    def expire(self, entry: Entry) -> None:
        """The ticket has timed out: withdrawn, if nobody works on it."""
        if self._office.is_ending(entry.id):
            return
        self.settle(entry, Moved(entry.id, Move.TIME_OUT, self._office.wall()))
        self._rounds.deliveries.timed_out(entry)

    def sender(self, entry: Entry) -> Cell | None:
        """The actor that posted it, if it is here."""
        if entry.sender is None or entry.node != self._kernel.name:
            return None
        ref = self._kernel.system.find(entry.sender)
        if ref is None:
            return None
        if is_lasting(entry.sender) or self._kernel.wall_at(ref.cell.spawned_at) <= entry.posted:
            return ref.cell
        return None  # it was of an earlier system, and another has its number
