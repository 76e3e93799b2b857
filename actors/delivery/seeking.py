"""Recipients that are not at home are sought at all linked nodes; these say when they have one.

Paths go out a page at a time, the next when the one before is answered: thousands are a few dozen messages.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs

from actors.delivery.neighbours import Neighbour
from actors.delivery.words import Here, Seek
from actors.errors import NotSerializable

if TYPE_CHECKING:
    from actors.delivery.rounds import Rounds

__all__ = ["Seeking"]

_PAGE: Final = 500
"""Paths in one message at most."""
_CHARACTERS: Final = 50_000
"""Characters of paths in one message at most."""


@attrs.define(eq=False)
class _Inquiry:
    """What one node is to be told, and is not yet: True for what is sought, False for what is no more."""

    neighbour: Neighbour
    paths: dict[str, bool]
    is_open: bool = False
    """It has not answered the last page."""

    def next_page(self) -> Seek:
        """What to tell now."""
        left = min(_CHARACTERS, self.neighbour.longest // 4)
        sides: dict[bool, list[str]] = {True: [], False: []}
        for path in tuple(self.paths)[:_PAGE]:
            left -= len(path) + 10
            if left < 0 and (sides[True] or sides[False]):
                break
            sides[self.paths.pop(path)].append(path)
        return Seek(tuple(sides[True]), tuple(sides[False]))


class Seeking:
    """What this node seeks elsewhere. Plain calls."""

    def __init__(self, rounds: Rounds) -> None:
        self._rounds = rounds
        self._sought: dict[str, None] = {}
        self._inquiries: dict[str, _Inquiry] = {}

    def seek(self, path: str) -> None:
        """It has something waiting, and is not here."""
        if path not in self._sought:
            self._sought[path] = None
            self._say(path, True)

    def forget(self, path: str) -> None:
        """Nothing of it is known here any more."""
        if path in self._sought:
            del self._sought[path]
            self._say(path, False)

    def _say(self, path: str, is_sought: bool) -> None:
        for inquiry in self._inquiries.values():
            if inquiry.paths.get(path, is_sought) is is_sought:
                inquiry.paths[path] = is_sought
            else:
                del inquiry.paths[path]  # it has not been told the contrary
            self._ask(inquiry)

    def _ask(self, inquiry: _Inquiry) -> None:
        exchange = self._rounds.exchange
        while exchange.courier is not None and inquiry.paths and not inquiry.is_open:
            page = inquiry.next_page()
            try:
                exchange.tell(inquiry.neighbour, page)
            except NotSerializable:  # a path that is too long for that node: nobody has it there
                continue
            inquiry.is_open = True

    def begin(self) -> None:
        """The courier runs: what waits goes out."""
        for inquiry in self._inquiries.values():
            self._ask(inquiry)

    def node_up(self, neighbour: Neighbour) -> None:
        """It is asked for all that is sought; also anew."""
        inquiry = _Inquiry(neighbour, dict.fromkeys(self._sought, True))
        self._inquiries[neighbour.name] = inquiry
        self._ask(inquiry)

    def node_down(self, neighbour: Neighbour) -> None:
        """Nobody is there any more."""
        inquiry = self._inquiries.get(neighbour.name)
        if inquiry is not None and inquiry.neighbour is neighbour:
            del self._inquiries[neighbour.name]
        for one in tuple(self._rounds.known.values()):
            self._rounds.gone_there(one.path, neighbour.name)

    def here(self, neighbour: Neighbour, said: Here) -> None:
        """What a node says of those that were sought there."""
        for place in said.places:
            self._rounds.ready_there(place.path, neighbour.name, place.delivery)
        for path in said.gone:
            self._rounds.gone_there(path, neighbour.name)
        inquiry = self._inquiries.get(neighbour.name)
        if said.answers and inquiry is not None and inquiry.neighbour is neighbour:
            inquiry.is_open = False
            self._ask(inquiry)
