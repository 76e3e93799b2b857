"""The count of a vote: which value has enough votes, and whether any still can.

Values are compared by `==` alone, so that replies without a hash can be votes too. The first
value that reaches the quorum has won, whatever comes after it.
"""

from __future__ import annotations

from typing import Any

import attrs

from actors.checks import check_count

__all__ = ["Votes", "quorum_of"]


def quorum_of(asked: int, quorum: object = None) -> int:
    """How many votes a value needs where `asked` may vote: `quorum`, or (None) more than half.

    Raises ValueError for anything but a whole number from 1 to `asked`.
    """
    if quorum is None:
        return asked // 2 + 1
    needed = check_count("quorum", quorum)
    if needed > asked:
        raise ValueError(
            f"quorum is {needed} and no value can have as many votes: of {asked} asked "
            f"it must be from 1 to {asked}; leave it out for more than half"
        )
    return needed


@attrs.define
class Votes:
    """A vote of `asked` voters, each of whom votes once or abstains once."""

    asked: int
    """How many may vote."""
    quorum: int
    """How many votes a value needs."""
    answered: int = 0
    """How many have voted or abstained."""
    _winner: _Pile | None = None
    _piles: list[_Pile] = attrs.Factory(list["_Pile"])

    def cast(self, value: object) -> None:
        """A vote for this value. Of values that are equal the first one stands for all."""
        self._answer()
        pile = next((pile for pile in self._piles if _same(pile.value, value)), None)
        if pile is None:
            pile = _Pile(value)
            self._piles.append(pile)
        pile.votes += 1
        if self._winner is None and pile.votes == self.quorum:
            self._winner = pile

    def abstain(self) -> None:
        """An answer without a value."""
        self._answer()

    def _answer(self) -> None:
        if self.answered == self.asked:
            raise RuntimeError(f"all {self.asked} have voted: nobody votes twice")
        self.answered += 1

    @property
    def reached(self) -> bool:
        """True once a value has had the quorum."""
        return self._winner is not None

    @property
    def value(self) -> Any:
        """That value; None without one."""
        return None if self._winner is None else self._winner.value

    @property
    def decided(self) -> bool:
        """True when no vote that is still to come can change `reached` or `value`."""
        most = max((pile.votes for pile in self._piles), default=0)
        return self.reached or most + self.asked - self.answered < self.quorum

    @property
    def tally(self) -> tuple[tuple[Any, int], ...]:
        """Every value with its votes, most first, those with as many in order of arrival."""
        return tuple((pile.value, pile.votes) for pile in sorted(self._piles, key=lambda pile: -pile.votes))


@attrs.define(eq=False)
class _Pile:
    """The votes for one value."""

    value: Any
    votes: int = 0


def _same(one: Any, other: Any) -> bool:
    """Whether two values are equal; a comparison that raises says that they are not."""
    try:
        return bool(one == other)
    except Exception:  # one reply that cannot be compared must not undo the vote of all
        return False
