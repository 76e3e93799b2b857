"""What became of whom: the events of a run, added up by path. Plain data; time is an argument."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from actors.events import (
    ActorEvent,
    Event,
    Failed,
    Restarted,
    StartAttemptFailed,
    Started,
    Stopped,
)
from actors.exits import Exit
from actors.supervision.breaker import BreakerState

__all__ = ["Ledger", "Row"]

_STARTS = (Started, Restarted, StartAttemptFailed)
_ENDS = (StartAttemptFailed, Failed, Stopped)


@attrs.frozen(kw_only=True)
class Row:
    """One path: how often it started again, what its breaker says (None: it has none), its last exit.

    `restarts` counts all starts after the first, whoever ordered them.
    """

    path: str
    restarts: int = 0
    breaker: BreakerState | None = None
    exit: Exit | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain data; the exit is left to the writer."""
        health = None if self.breaker is None else attrs.asdict(self.breaker)
        return {"path": self.path, "restarts": self.restarts, "breaker": health}


@attrs.define
class _Account:
    guarded: bool
    starts: int = 0
    runs: bool = False
    exit: Exit | None = None


class Ledger:
    """Adds up events, in the order in which the paths first appear."""

    def __init__(self) -> None:
        self._accounts: dict[str, _Account] = {}

    def note(self, event: Event) -> None:
        """Add one event."""
        if not isinstance(event, ActorEvent):
            return
        account = self._accounts.get(event.ref.path)
        if account is None:
            cell = event.ref.cell
            guarded = cell.name is not None and cell.policy.breaker is not None
            account = self._accounts[event.ref.path] = _Account(guarded)
        if isinstance(event, _STARTS):
            account.starts += 1
            account.runs = True
        if isinstance(event, _ENDS):
            if account.runs or account.exit is None:  # else it was down, and why says more
                account.exit = event.exit
            account.runs = False

    def rows(self, breaker: Callable[[str], BreakerState]) -> tuple[Row, ...]:
        """One row a path; `breaker` tells the state of a path, as `system.breaker` does."""
        return tuple(
            Row(
                path=path,
                restarts=max(0, account.starts - 1),
                breaker=breaker(path) if account.guarded else None,
                exit=account.exit,
            )
            for path, account in self._accounts.items()
            if path != "/"
        )
