"""What a budget means for one actor: its ledger, the exit for which it is parked, the alarm of an idle one.

Only an actor with a budget of its own, or one that has spent or is parked, has an account. It is kept over
restarts. An idle actor costs one alarm, which is set when it gets ready: messages touch no timer, and one
that rings too early finds out from the last sign of life, and is set anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from actors.budgets import Ledger, said
from actors.core.vigil import Vigil
from actors.errors import BudgetSpent
from actors.exits import Exit, ExitKind

if TYPE_CHECKING:
    from actors.core.alarms import Alarm
    from actors.core.cell import Cell
    from actors.core.vitals import Vitals

__all__ = ["Account", "account_of", "ledgers_of", "spent_exit"]


class Account:
    """The budget's side of one actor."""

    __slots__ = ("_alarm", "chain", "doze", "exit", "is_suspended", "ledger", "plain", "ready_at", "teller")

    def __init__(self, ledger: Ledger | None = None) -> None:
        self.ledger = ledger
        """What it and those below it have spent; None for one without a budget of its own."""
        self.exit: Exit | None = None
        """Why it is parked; None while it is not."""
        self.is_suspended = False
        """While it is parked: somebody has suspended it, too."""
        self.chain: tuple[Ledger, ...] | None = None
        """Its own ledger and all above it, once it has spent."""
        self.teller: Vitals | None = None
        """Who tells another node of what it spends; None for nearly all."""
        self.doze: trio.CancelScope | None = None
        """Around the task that waits for the next message, after it was idle for too long."""
        self.plain = False
        """Whether it needs no task when it does not doze."""
        self.ready_at = 0.0
        self._alarm: Alarm | None = None

    # --- idle ---

    def became_ready(self, cell: Cell) -> None:
        """From here on it may be idle."""
        budget = cell.policy.budget
        if budget is not None and budget.idle is not None and self.exit is None:
            self.ready_at = cell.now()
            self._arm(cell, self.ready_at + budget.idle)

    def _arm(self, cell: Cell, due: float) -> None:
        self.disarm()
        self._alarm = cell.kernel.alarms.at(due, lambda: self._look(cell))

    def disarm(self) -> None:
        """It cannot be idle: it is parked, or gone."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def _look(self, cell: Cell) -> None:
        self._alarm = None
        budget = cell.policy.budget
        if budget is None or budget.idle is None or cell.ended or cell.is_final:
            return
        now = cell.now()
        if is_at_work(cell):
            self._arm(cell, now + budget.idle)
            return
        due = max(self.ready_at, cell.active_at or 0.0) + budget.idle
        if due > now:
            self._arm(cell, due)
            return
        if cell.vigil is None:
            cell.vigil = Vigil(cell)
        cell.vigil.condemn(Exit(ExitKind.BUDGET, reason=f"idle for {budget.idle:g} s"), idle=True)

    # --- dozing: down, and started by the next message ---

    def fall_asleep(self, cell: Cell) -> trio.CancelScope:
        """Its next message is to wake the task that waits inside this scope."""
        self.doze = trio.CancelScope()
        self.plain, cell.plain = cell.plain, False
        return self.doze

    def wake_up(self, cell: Cell) -> None:
        """It is to start again, or is gone. Idempotent."""
        doze, self.doze = self.doze, None
        if doze is not None:
            cell.plain = self.plain
            doze.cancel()

    def close(self, cell: Cell) -> None:
        """It is gone."""
        self.exit = None
        self.disarm()
        self.wake_up(cell)


def is_at_work(cell: Cell) -> bool:
    """Whether there is anything that it has to do, has promised, or waits for."""
    return bool(cell.is_busy or cell.lanes or cell.pendings or cell.ports or cell.child_count)


def account_of(cell: Vitals) -> Account:
    """Its account, made where there is none."""
    if cell.account is None:
        cell.account = Account()
    return cell.account


def spent_exit(cell: Vitals, error: BudgetSpent) -> Exit:
    """The end of an incarnation, or the parking of an actor, whose budget is spent."""
    said_of = said(error.resource, error.spent, error.limit)
    whose = "" if error.path in (None, cell.ref.path) else f" of {error.path}"
    return Exit(ExitKind.BUDGET, error=error, reason=f"spent {said_of}{whose}")


def ledgers_of(cell: Vitals) -> tuple[Ledger, ...]:
    """The ledger of an actor and those of all above it, the innermost first."""
    account = account_of(cell)
    if account.chain is None:
        found: list[Ledger] = []
        above: Vitals | None = cell
        while above is not None:
            if above.account is not None and above.account.ledger is not None:
                found.append(above.account.ledger)
            if above.spends_elsewhere:
                account.teller = above
            above = above.parent.own_cell
        account.chain = tuple(found)
    return account.chain
