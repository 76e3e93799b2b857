"""What is here of what other nodes seek: they are told when it is ready, and when it has gone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from actors.delivery.neighbours import Neighbour, Neighbours
from actors.delivery.recipient import is_recipient, takes
from actors.delivery.words import Here, Place, Seek
from actors.exits import Exit

if TYPE_CHECKING:
    from actors.core.cell import Cell
    from actors.delivery.office import Office
    from actors.delivery.rounds import Rounds

__all__ = ["Showing", "is_sound"]

_CHARACTERS: Final = 50_000
"""In one message at most."""
_OF_A_PLACE: Final = 250
"""Characters of a place, besides its path."""


def is_sound(path: str) -> bool:
    """Whether it can be the path of a recipient; whatever another node says."""
    try:
        return is_recipient(path)
    except (ValueError, IndexError):
        return False


class Showing:
    """Who seeks what here. Plain calls."""

    def __init__(self, office: Office, rounds: Rounds, neighbours: Neighbours) -> None:
        self._kernel = office.kernel
        self._is_shared = office.store.is_shared
        self._rounds = rounds
        self._neighbours = neighbours
        self._sought: dict[str, dict[str, None]] = {}
        """The nodes that seek a path."""
        self._news: dict[str, None] = {}
        """Paths of which those have not heard what is new."""

    def taker(self, path: str) -> Cell | None:
        """The actor at a path, if it takes a message now."""
        if self._is_shared:  # the name may be another node's
            one = self._rounds.known.get(path)
            return one.cell if one is not None and one.is_ready else None
        ref = self._kernel.system.find(path)
        return ref.cell if ref is not None and takes(ref.cell) else None

    def seek(self, neighbour: Neighbour, said: Seek) -> None:
        """A node seeks these paths here."""
        for path in said.forget:
            self._drop(path, neighbour.name)
        here: list[str] = []
        for path in filter(is_sound, said.paths):
            self._sought.setdefault(path, {})[neighbour.name] = None
            if self.taker(path) is not None:
                here.append(path)
        self._say(neighbour, here, [], answers=True)

    def _drop(self, path: str, node: str) -> None:
        nodes = self._sought.get(path, {})
        nodes.pop(node, None)
        if not nodes:
            self._sought.pop(path, None)

    def node_down(self, neighbour: Neighbour) -> None:
        """It seeks nothing any more."""
        for path in tuple(self._sought):
            self._drop(path, neighbour.name)

    # --- news ---

    def look(self, path: str) -> None:
        """The actor there may be ready now, or may have gone: those who seek it will hear."""
        if path in self._sought:
            if not self._news:
                self._kernel.alarms.after(0.0, self._tell)
            self._news[path] = None

    def begin(self) -> None:
        """The courier runs: look at everything."""
        for path in self._sought:
            self.look(path)

    def became_ready(self, cell: Cell) -> None:
        """See `Follower`: `look` is called then."""

    def went(self, cell: Cell, exit: Exit) -> None:
        """See `Follower`."""
        self.look(cell.path)

    def _tell(self) -> None:
        """Each node hears what is new for it, all at once."""
        news, self._news = self._news, {}
        told: dict[str, tuple[list[str], list[str]]] = {}
        for path in news:
            is_here = self.taker(path) is not None
            if not is_here and self._kernel.system.find(path) is not None:
                continue  # it is on its way
            for node in self._sought.get(path, ()):
                here, gone = told.setdefault(node, ([], []))
                (here if is_here else gone).append(path)
        for node, (here, gone) in told.items():
            neighbour = self._neighbours.get(node)
            if neighbour is not None:
                self._say(neighbour, here, gone)

    def _say(self, neighbour: Neighbour, here: list[str], gone: list[str], *, answers: bool = False) -> None:
        """In as many messages as that node's limit takes."""
        room = min(_CHARACTERS, neighbour.longest // 2)
        places: list[Place] = []
        left = room
        for path in here:
            cell = self.taker(path)
            assert cell is not None
            self._kernel.follow(cell, self)
            left -= len(path) + _OF_A_PLACE
            if left < 0 and places:
                self._rounds.exchange.tell(neighbour, Here(tuple(places)))
                places, left = [], room - len(path) - _OF_A_PLACE
            places.append(Place(path, cell.policy.delivery))
        self._rounds.exchange.tell(neighbour, Here(tuple(places), tuple(gone), answers))
