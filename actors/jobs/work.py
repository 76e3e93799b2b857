"""What became of one job so far, what follows the end of a run, and the outcome. Plain calls, no loop."""

from __future__ import annotations

from typing import Any

import attrs

from actors.budgets import Ledger
from actors.core.cell import Cell
from actors.errors import ActorStopped
from actors.exits import Exit, ExitKind
from actors.jobs.job import Job
from actors.outcome import FailureKind, Outcome, kind_of_exit, retry_after
from actors.policy import Policy
from actors.supervision.backoff import delay

__all__ = ["Work"]


@attrs.define(eq=False)
class Work:
    """What became of one job so far."""

    job: Job
    policy: Policy
    has_name: bool = False
    attempts: int = 0
    started: float | None = None
    cell: Cell | None = None
    falls_back: bool = False
    """Its next run is the fallback."""
    in_fallback: bool = False
    """Its last run is the fallback."""
    ledger: Ledger | None = None
    """What all its runs have spent."""

    @property
    def exit(self) -> Exit | None:
        """How its last run ended."""
        return None if self.cell is None else self.cell.exit

    def tries_again(self, exit: Exit) -> bool:
        """True when the run that ended so is to be followed by another attempt."""
        if self.job.name is None or self.in_fallback or self.attempts > self.policy.retries:
            return False
        return self.policy.tries_again(exit)

    def may_fall_back(self, exit: Exit) -> bool:
        """True when the fallback is to follow the run that ended so."""
        return exit.is_failure and self.job.fallback is not None and not self.in_fallback

    def is_over(self, exit: Exit) -> bool:
        """True when nothing is to follow the run that ended so, and nobody cut it short."""
        ended = exit.kind in (ExitKind.NORMAL, ExitKind.BUDGET) or exit.is_failure
        return ended and not self.tries_again(exit) and not self.may_fall_back(exit)

    def keep_ledger(self, cell: Cell) -> None:
        """Another run spends what the one before has left."""
        if cell.account is not None and cell.account.ledger is not None:
            if self.ledger is None:
                self.ledger = cell.account.ledger
            self.ledger.whose = cell.ref
            cell.account.ledger = self.ledger

    def rest_after(self, exit: Exit, draw: float) -> float:
        """Seconds from the run that ended so to the next attempt; `draw` is uniform in [0, 1)."""
        wait = delay(self.policy.backoff, self.attempts - 1, draw)
        if kind_of_exit(exit, self.policy.classify) is FailureKind.RATE_LIMIT:
            wait = max(wait, retry_after(exit) or 0.0)
        return wait

    # --- what it came to ---

    def outcome(self, exit: Exit, now: float) -> Outcome:
        """The outcome of a job whose last run ended so."""
        assert self.cell is not None
        if exit.kind is ExitKind.NORMAL:
            return self._made(now, ok=True, value=exit.value)
        error = exit.error if exit.is_failure or exit.kind is ExitKind.BUDGET else None
        spent = FailureKind.BUDGET if exit.kind is ExitKind.BUDGET else FailureKind.ERROR
        return self._made(
            now,
            ok=False,
            value=exit.value,
            failure=kind_of_exit(exit, self.policy.classify) or spent,
            error=ActorStopped(self.cell.ref, exit) if error is None else error,
        )

    def failed(self, failure: FailureKind, error: BaseException, now: float) -> Outcome:
        """The outcome of a job that something else than its last run has ended."""
        return self._made(now, ok=False, failure=failure, error=error)

    def _made(self, now: float, **said: Any) -> Outcome:
        vigil = None if self.cell is None else self.cell.vigil
        return Outcome(
            attempts=self.attempts,
            extended=vigil is not None and vigil.extensions > 0,
            fallback=self.in_fallback,
            started=self.started,
            elapsed=0.0 if self.started is None else now - self.started,
            exit=self.exit,
            **said,
        )
