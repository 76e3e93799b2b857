"""Deliveries to recipients at linked nodes: the side where a message was posted. Plain calls.

A delivery is written here like any other, then told to the courier over there, and what comes of it is
written here. As long as both nodes live nothing of that is lost, however often the link breaks; when the
node is lost, the delivery has failed, and the ticket goes to whoever has the path then. See `carrying`, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from actors.delivery.endings import Note
from actors.delivery.handed import Handed
from actors.delivery.neighbours import Neighbour, Neighbours
from actors.delivery.seeking import Seeking
from actors.delivery.ticket import Entry, Failure
from actors.delivery.words import Carried, Carry, End, Here, Recall
from actors.errors import NodeLost, NotSerializable

if TYPE_CHECKING:
    from actors.delivery.office import Office
    from actors.delivery.recipient import Recipient
    from actors.delivery.rounds import Rounds

__all__ = ["Abroad", "Carriage", "FailedThere"]


class FailedThere(Exception):
    """What went wrong with a delivery at another node, as that node tells it."""

    def __init__(self, failure: Failure) -> None:
        self.failure = failure
        super().__init__(failure.text)


class Carriage(Handed):
    """A delivery that another node makes."""

    __slots__ = ("_rounds", "neighbour")

    def __init__(self, rounds: Rounds, entry: Entry, neighbour: Neighbour) -> None:
        super().__init__(neighbour.actor(entry.path), rounds.deliveries, entry, entry.payload)
        self.neighbour = neighbour
        self._rounds = rounds

    def withdraw(self) -> None:
        """See `Handed.withdraw`: it is said over there too."""
        super().withdraw()
        self._rounds.exchange.tell(self.neighbour, Recall(self.entry.id))

    def refuse(self, error: Exception) -> None:
        """It will not be done, however often it is tried."""
        if self._ends():
            self._rounds.deliveries.refused(self, error)

    def answer_kept(self, answer: Any, values: list[Any] | None) -> None:
        """It was handled: `answer` is the reply as a payload; `values` has the object, if it is here."""
        if self._ends():
            self._rounds.deliveries.answered(self, answer, values)


class Abroad:
    """What is delivered at other nodes."""

    def __init__(self, office: Office, rounds: Rounds, neighbours: Neighbours) -> None:
        self._office = office
        self._rounds = rounds
        self._neighbours = neighbours
        self._carriages: dict[str, Carriage] = {}
        self.seeking = Seeking(rounds)

    # --- deliveries ---

    def carriage(self, one: Recipient, entry: Entry) -> Carriage | None:
        """A delivery by the node that has the recipient; None where that is not linked any more."""
        neighbour = self._neighbours.get(one.node or "")
        return None if neighbour is None else Carriage(self._rounds, entry, neighbour)

    def carry(self, carriage: Carriage) -> None:
        """Let the other node make the delivery; what cannot travel is refused."""
        self._carriages[carriage.entry.id] = carriage
        try:
            self._tell(carriage)
        except NotSerializable as error:
            del self._carriages[carriage.entry.id]
            carriage.refuse(error)

    def _tell(self, carriage: Carriage, again: bool = False) -> None:
        entry, neighbour = carriage.entry, carriage.neighbour
        is_kept = self._office.store.is_durable
        tracer = self._office.kernel.tracer
        self._rounds.exchange.tell(
            neighbour,
            Carry(
                ticket=entry.id,
                attempt=entry.attempts,
                path=entry.path,
                payload=entry.payload if is_kept else _text(entry, neighbour),
                is_kept=is_kept,
                posted=entry.posted,
                priority=entry.priority,
                reply=entry.reply,
                max_attempts=entry.max_attempts,
                sender=entry.sender,
                node=entry.node,
                hops=entry.hops,
                answers=entry.answers,
                again=again,
                trace=None if tracer is None else tracer.posting(entry.id),
            ),
        )

    def carried(self, neighbour: Neighbour, said: Carried) -> None:
        """The other node says what came of one."""
        carriage = self._carriages.get(said.ticket)
        if carriage is None or carriage.neighbour is not neighbour or carriage.entry.attempts != said.attempt:
            return  # of an earlier delivery, which has failed here
        if said.end == End.LATER:
            self._rounds.deliveries.put_off(carriage)
            return
        del self._carriages[said.ticket]
        failure = None if said.failure is None else Failure(**attrs.asdict(said.failure))
        if said.end == End.ANSWERED:
            self._answered(carriage, said.answer)
        elif failure is None:
            self._rounds.gone_there(carriage.entry.path, neighbour.name)  # until it says that it is there
            carriage.returned(NodeLost(neighbour.name, "it has returned the message"))
        elif said.end == End.REFUSED:
            carriage.refuse(FailedThere(failure))
        else:
            carriage.fail(FailedThere(failure))

    def _answered(self, carriage: Carriage, text: str | None) -> None:
        if self._office.store.is_durable:
            carriage.answer_kept(text, None)
            return
        try:
            value = carriage.neighbour.coder.value_back(text)
        except Exception as error:
            carriage.refuse(error)
        else:
            carriage.answer_kept(value, [value])

    # --- links ---

    def node_down(self, neighbour: Neighbour) -> None:
        """A node is lost: what it had in hand has failed once."""
        self.seeking.node_down(neighbour)
        lost = NodeLost(neighbour.name, neighbour.why_down)
        for carriage in self._with(neighbour):
            del self._carriages[carriage.entry.id]
            carriage.fail(lost)

    def again(self, neighbour: Neighbour) -> None:
        """Either courier is another one than before, and may have missed what it was told: say all again."""
        self.seeking.node_up(neighbour)
        for carriage in self._with(neighbour):
            self._tell(carriage, again=True)

    def _with(self, neighbour: Neighbour) -> list[Carriage]:
        return [one for one in self._carriages.values() if one.neighbour is neighbour]

    def here(self, neighbour: Neighbour, said: Here) -> None:
        """A node says who is there."""
        if said.anew:
            self.again(neighbour)
        self.seeking.here(neighbour, said)


def _text(entry: Entry, neighbour: Neighbour) -> str:
    """The message of a store that keeps objects, for another node. Raises `NotSerializable`."""
    coder = neighbour.coder
    if entry.answers is None:
        return coder.out(entry.payload)
    note: Note = entry.payload
    value = None if note.value is None else coder.value_out(note.value)
    return coder.note_out(attrs.evolve(note, value=value))
