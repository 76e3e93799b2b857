"""What the couriers of linked nodes tell each other: who hears it, and in whose name it is told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from actors.delivery.abroad import Abroad
from actors.delivery.carrying import Carrying
from actors.delivery.neighbours import Neighbour, Neighbours
from actors.delivery.words import WORDS, Carried, Carry, Here, Recall, Seek

if TYPE_CHECKING:
    from actors.core.cell import Cell
    from actors.core.ref import Ref
    from actors.delivery.office import Office
    from actors.delivery.rounds import Rounds

__all__ = ["HEARD", "Exchange"]


@attrs.frozen
class _Lost:
    """A linked node is lost. It takes its turn behind what that node has said before."""

    neighbour: Neighbour


HEARD = (*WORDS, _Lost)
"""What the courier hands on to the exchange."""


class Exchange:
    """This node's courier among those of linked nodes. Plain calls."""

    def __init__(self, office: Office, rounds: Rounds, neighbours: Neighbours) -> None:
        self._neighbours = neighbours
        self._living: dict[tuple[str, str], Neighbour] = {}
        """The lives of nodes of which not all is heard yet."""
        self.courier: Cell | None = None
        """In whose name others are told; None before there was one. It may be between two incarnations."""
        self.abroad = Abroad(office, rounds, neighbours)
        self.carrying = Carrying(office, rounds, neighbours)
        neighbours.follow(self)

    def begin(self, courier: Cell) -> None:
        """The courier runs. Another one than before has not heard what was told to that one meanwhile."""
        before, self.courier = self.courier, courier
        if before is not courier:
            for neighbour in tuple(self._living.values()):
                if neighbour.is_down:
                    self._lost(neighbour)
        self.abroad.seeking.begin()
        self.carrying.showing.begin()
        if before not in (None, courier):
            for neighbour in self._neighbours.all():
                self.abroad.again(neighbour)
                self.tell(neighbour, Here(anew=True))

    def tell(self, neighbour: Neighbour, message: object) -> None:
        """Tell the courier of a linked node. Raises `NotSerializable`."""
        if self.courier is not None:
            neighbour.tell(message, self.courier)

    def heard(self, message: Any, sender: Ref | None) -> None:
        """The courier of another node says something. Anybody else has nothing to say."""
        if isinstance(message, _Lost):
            self._lost(message.neighbour)
            return
        neighbour = None if sender is None else self._living.get(sender.identity[:2])
        if neighbour is None:
            return
        match message:
            case Seek():
                self.carrying.showing.seek(neighbour, message)
            case Here():
                self.abroad.here(neighbour, message)
            case Carry():
                self.carrying.carry(neighbour, message)
            case Carried():
                self.abroad.carried(neighbour, message)
            case Recall():
                self.carrying.recall(message)
            case _:
                raise TypeError(f"{message!r} is nothing that couriers tell each other")

    # --- links; see `LinkFollower` ---

    def node_up(self, neighbour: Neighbour) -> None:
        """See `LinkFollower`."""
        self._living[neighbour.life] = neighbour
        self.abroad.seeking.node_up(neighbour)

    def node_down(self, neighbour: Neighbour) -> None:
        """See `LinkFollower`. What it has said last may wait in the courier's mailbox, and comes first."""
        if self.courier is None or self.courier.is_final:
            self._lost(neighbour)
        else:
            self.courier.tell_from(None, _Lost(neighbour))

    def _lost(self, neighbour: Neighbour) -> None:
        if self._living.pop(neighbour.life, None) is None:
            return
        self.carrying.showing.node_down(neighbour)
        self.abroad.node_down(neighbour)
