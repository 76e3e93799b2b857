"""Who is of one team: the agents of a gate, and what they have spawned. None of them answers for a person
what another one has asked.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final, cast

from actors.core.mailbox import SENDER
from actors.delivery.handed import posted_in_hand
from actors.mcp.reach import parent_of
from actors.names import ROOT

if TYPE_CHECKING:
    from actors.mcp.gate import Gate
    from actors.people.request import PersonRequest
    from actors.system import System

__all__ = ["Kin", "kin_of"]

_MANY: Final = 1000
_FAR: Final = 100
"""Actors from whoever asks a person back to whoever wanted that."""


def kin_of(system: System, gate: Gate) -> Kin:
    """The team of a gate: one of all gates that are equal, over all servers, as long as the system lives."""
    root = system.__actor_family__()
    kept: dict[Any, Any] = {} if root.kept is None else root.kept
    root.kept = kept
    teams = cast("list[tuple[Gate, Kin]]", kept.setdefault(Kin, []))
    found = next((kin for known, kin in teams if known == gate), None)
    if found is None:
        found = Kin(system)
        teams.append((gate, found))
    return found


class Kin:
    """The paths of the agents that are and were of one gate, and of what they had adopted."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._paths: set[str] = set()
        self._crowded = _MANY

    def __len__(self) -> int:
        return len(self._paths)

    def __contains__(self, path: str) -> bool:
        """Whether the actor at a path is one of them, or below one."""
        while path not in self._paths:
            if path == ROOT:
                return False
            path = parent_of(path)
        return True

    def add(self, path: str) -> bool:
        """Keep it as long as somebody may answer what it has asked; whether it is new."""
        if path in self._paths:
            return False
        self._paths.add(path)
        if len(self._paths) >= self._crowded:
            self._forget()
        return True

    def discard(self, path: str) -> None:
        """It has never been."""
        self._paths.discard(path)

    def _forget(self) -> None:
        asked: set[str] = set()
        for one in self._system.desk.pending():
            for path in self._behind(one):
                above = path
                while above not in asked:
                    asked.add(above)
                    above = parent_of(above)
        self._paths = {one for one in self._paths if one in asked or self._system.find(one) is not None}
        self._crowded = max(_MANY, 2 * len(self._paths))

    def has_asked(self, request: PersonRequest) -> bool:
        """Whether a request to a person is one of theirs.

        Also one that somebody else asks while it has their message in hand, told, asked or posted, or that of
        somebody who has. What it asks later, or in a task of its own, is not known to be theirs.
        """
        return any(path in self for path in self._behind(request))

    def _behind(self, request: PersonRequest) -> Iterator[str]:
        """Who has asked, and for whom."""
        path = request.sender if request.node == self._system.name else None
        for _ in range(_FAR):  # two may have messages of each other in hand
            if path is None:
                return
            yield path
            path = self._wanted_by(path)

    def _wanted_by(self, path: str) -> str | None:
        """Who has sent what an actor has in hand."""
        ref = self._system.find(path)
        if ref is None or ref.cell.item is None:
            return None
        posted = posted_in_hand(ref.cell)
        if posted is not None:
            return posted.entry.sender
        sender = ref.cell.item[SENDER]
        return None if sender is None else sender.path
