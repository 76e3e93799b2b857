"""Whether an actor may restart: its restart type, then the budget of its supervisor.

The window slides: a past restart counts while its age is at most `within`, the edge
included (Erlang's rule, on a float clock). `max_restarts` restarts are allowed in it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable

import attrs

from actors.exits import ExitKind
from actors.policy import OneForOne, RestartType, Strategy

__all__ = ["RESTARTS", "Allowance", "Budgets", "wants_restart"]

RESTARTS: dict[tuple[RestartType, bool], bool] = {
    ("permanent", False): True,
    ("permanent", True): True,
    ("transient", False): False,
    ("transient", True): True,
    ("temporary", False): False,
    ("temporary", True): False,
}
"""(restart type, the exit is a failure) → restart. It judges only what an actor did by itself."""

_ORDERED = frozenset({ExitKind.SHUTDOWN, ExitKind.KILLED, ExitKind.BUDGET})


def wants_restart(kind: RestartType, exit: ExitKind) -> bool:
    """True when the type asks for a restart after this exit; never after an order or a spent budget."""
    return exit not in _ORDERED and RESTARTS[kind, exit.is_failure]


@attrs.define
class Allowance:
    """`max_restarts` in a sliding window of `within` seconds. `who` spent what can be forgiven."""

    max_restarts: int
    within: float
    _spent: deque[tuple[float, Hashable]] = attrs.field(factory=deque[tuple[float, Hashable]])

    def spend(self, now: float, who: Hashable) -> bool:
        """Take one restart out of the budget; False, and nothing taken, when it is used up."""
        while self._spent and now - self._spent[0][0] > self.within:
            self._spent.popleft()
        if len(self._spent) >= self.max_restarts:
            return False
        self._spent.append((now, who))
        return True

    def forgive(self, who: Hashable) -> None:
        """Forget what `who` spent: its breaker has taken over."""
        self._spent = deque(entry for entry in self._spent if entry[1] != who)

    @property
    def spent(self) -> int:
        """Restarts noted, including those that no longer count."""
        return len(self._spent)


@attrs.define
class Budgets:
    """The budgets of one supervisor: one a child, or one for all; group strategies count the group."""

    strategy: Strategy
    _budgets: dict[Hashable, Allowance] = attrs.field(factory=dict[Hashable, Allowance])

    def _key(self, who: Hashable) -> Hashable:
        alone = isinstance(self.strategy, OneForOne) and self.strategy.per == "child"
        return who if alone else None

    def spend(self, now: float, who: Hashable) -> bool:
        """Take one restart for `who`; False when the supervisor must give up."""
        key = self._key(who)
        budget = self._budgets.get(key)
        if budget is None:
            budget = self._budgets[key] = Allowance(self.strategy.max_restarts, self.strategy.within)
        return budget.spend(now, who)

    def forgive(self, who: Hashable) -> None:
        """Forget what `who` spent."""
        budget = self._budgets.get(self._key(who))
        if budget is not None:
            budget.forgive(who)

    def drop(self, who: Hashable) -> None:
        """`who` is gone for good; a budget of its own goes with it."""
        if self._key(who) is not None:
            self._budgets.pop(who, None)
