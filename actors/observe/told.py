"""Told messages that nobody handled, by number, for people who send one again or put it away.

A number is the letter's place among all that there ever were; what was put away is remembered as long as the
letter is.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from actors.errors import ActorError

if TYPE_CHECKING:
    from actors.core.kernel import Kernel
    from actors.events import DeadLetter

__all__ = ["NobodyThere", "Told", "UnknownLetter"]


class UnknownLetter(ActorError, LookupError):
    """No dead letter has this id: it never was, or was sent again, put away, or pushed out by newer ones."""

    def __init__(self, letter_id: str) -> None:
        self.letter_id = letter_id
        super().__init__(f"no dead letter has the id {letter_id!r}: look at those that are there now")


class NobodyThere(ActorError):
    """Nobody lives at the path that a dead letter was for: it stays where it is."""

    def __init__(self, path: str) -> None:
        self.path = path
        super().__init__(f"no actor lives at {path} now: the letter stays, send it again when there is one")


class Told:
    """The dead letters of one system that were told. Plain calls."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._away: set[int] = set()

    def __iter__(self) -> Iterator[tuple[int, DeadLetter]]:
        """Those that are there, the newest first."""
        first = self._first
        if self._away:
            self._away = {number for number in self._away if number >= first}
        letters = tuple(self._kernel.dead_letters)
        for index in range(len(letters) - 1, -1, -1):
            if first + index not in self._away:
                yield first + index, letters[index]

    @property
    def _first(self) -> int:
        return self._kernel.dead_letter_count - len(self._kernel.dead_letters) + 1

    @property
    def count(self) -> int:
        """How many there ever were."""
        return self._kernel.dead_letter_count

    def find(self, letter_id: str) -> tuple[int, DeadLetter]:
        """The letter; raises `UnknownLetter`."""
        if letter_id.isascii() and letter_id.isdigit() and len(letter_id) < 20:
            index = int(letter_id) - self._first
            if 0 <= index < len(self._kernel.dead_letters) and int(letter_id) not in self._away:
                return int(letter_id), self._kernel.dead_letters[index]
        raise UnknownLetter(letter_id)

    def drop(self, letter_id: str) -> None:
        """Put it away. Raises `UnknownLetter`."""
        number, _ = self.find(letter_id)
        self._away.add(number)

    def redeliver(self, letter_id: str) -> str:
        """Tell it to whoever lives at its path now. The path. Raises `UnknownLetter`, `NobodyThere`."""
        number, letter = self.find(letter_id)
        ref = self._kernel.system.find(letter.ref.path)
        if ref is None:
            raise NobodyThere(letter.ref.path)
        self._away.add(number)
        ref.tell(letter.message)
        return letter.ref.path
