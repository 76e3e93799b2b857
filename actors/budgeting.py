"""Budgets from outside: what one is like, and topping it up."""

from __future__ import annotations

import attrs

from actors.budgets import ADMITTED, Budget, Ledger, Spent, check_money, still_passed
from actors.census import below
from actors.checks import check_count
from actors.core.account import ledgers_of
from actors.core.cell import Cell
from actors.errors import BudgetSpent
from actors.exits import Exit

__all__ = ["BudgetState", "state_of_budget", "top_up"]


@attrs.frozen(kw_only=True)
class BudgetState:
    """A budget as it is now."""

    path: str
    """Whose it is; "/" is the system."""
    limits: Budget
    """How much may be spent, with all that it was topped up by."""
    spent: Spent
    """What it and those below it have spent, over all restarts."""
    left: Budget
    """What is left of each limit, 0 at least; None where there is no limit."""
    parked: Exit | None
    """Why the actor is parked, be it for a budget above its own; None while it is not."""


def state_of_budget(cell: Cell) -> BudgetState | None:
    """What the budget of an actor is like; None for one without."""
    ledger = None if cell.account is None else cell.account.ledger
    if ledger is None:
        return None
    return BudgetState(
        path=cell.path, limits=ledger.limits, spent=ledger.spent, left=ledger.left, parked=cell.held
    )


def top_up(cell: Cell, root: Cell, tokens: int, money: float, tool_calls: int, spawns: int) -> None:
    """Raise limits, and let those below `root` go on who were parked because of it and have enough now."""
    for name, amount in (("tokens", tokens), ("tool_calls", tool_calls), ("spawns", spawns)):
        check_count(name, amount, least=0)
    check_money("money", money)
    ledger = None if cell.account is None else cell.account.ledger
    if ledger is None:
        raise ValueError(
            f"{cell.path} has no budget of its own: give it one in its policy, or top up one above it"
        )
    ledger.top_up(tokens, money, tool_calls, spawns)
    for one in (root, *below(root)):
        if _has_waited_for(one, cell, ledger):
            one.resume()


def _has_waited_for(one: Cell, cell: Cell, ledger: Ledger) -> bool:
    """Whether an actor is parked for the budget of `cell`, and has enough of all now.

    That may be one above its own, which was spent as well; or that of another actor, which it had asked.
    """
    account = one.account
    error = None if account is None or account.exit is None else account.exit.error
    if account is None or account.is_suspended or not isinstance(error, BudgetSpent):
        return False
    around = ledgers_of(one)
    named = next((its for its in (*around, ledger) if its.whose is error.scope), None)
    is_its = named is ledger or (error.scope is None and error.path == cell.path)
    if not (is_its or (named is not None and ledger in around)) or still_passed((*around, ledger)):
        return False
    if named is None or error.resource not in ADMITTED:
        return True
    return getattr(named.limits, error.resource) > error.limit  # else it would ask for the same again
