"""Spending: `spend`, and `budget`, a block that bounds it. Blocks lie around each other as cancel scopes do.

What is spent is charged to the blocks that are open around the running task, the innermost first; then to the
actor whose task it is; then to its supervisors and the system. A block is found by a context variable, so it
is around all tasks that are started inside it. One that an actor was spawned in is not around that actor:
an actor outlives the block. A job does not, so it has a payer: whoever called `run_jobs`.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextvars import ContextVar
from math import inf
from types import TracebackType
from typing import TYPE_CHECKING, Self

import attrs
import trio

from actors.budgets import Budget, Ledger, Money, Passed, Spent, charge, check_money, exactly, exactly_said
from actors.checks import check_count
from actors.core.account import ledgers_of, spent_exit
from actors.core.scope import CURRENT
from actors.core.vigil import Vigil
from actors.errors import BudgetSpent
from actors.events import BudgetWarning

if TYPE_CHECKING:
    from actors.core.cell import Cell

__all__ = [
    "PAYER",
    "BudgetScope",
    "Payer",
    "budget",
    "charge_spawn",
    "ledgers_around",
    "spend",
    "spend_of",
    "spent_elsewhere",
]


class BudgetScope:
    """A block that may spend so much. Made by `actors.budget`; it is entered once, by one task."""

    __slots__ = ("_entered", "_ledger", "cell", "is_open", "outer")

    def __init__(self, limits: Budget) -> None:
        self._ledger = Ledger(limits, self)
        self._entered = False
        self.outer: BudgetScope | None = None
        """The framework's own: the block around it in the same actor."""
        self.cell: Cell | None = None
        """The framework's own: the actor that has opened it."""
        self.is_open = False
        """True inside the block."""

    def __repr__(self) -> str:
        spent = ", ".join(f"{key}={value!r}" for key, value in attrs.asdict(self.spent).items() if value)
        return f"<BudgetScope {'open' if self.is_open else 'closed'}{', spent ' if spent else ''}{spent}>"

    @property
    def limits(self) -> Budget:
        """How much may be spent."""
        return self._ledger.limits

    @property
    def spent(self) -> Spent:
        """How much has been spent in it; also after its end."""
        return self._ledger.spent

    @property
    def left(self) -> Budget:
        """How much of each limit is left, 0 at least; None where there is no limit.

        What the blocks, actors and the system around it have left may be less.
        """
        return self._ledger.left

    @property
    def ledger(self) -> Ledger:
        """The framework's own."""
        return self._ledger

    def __enter__(self) -> Self:
        if self._entered:
            raise RuntimeError("a budget block is entered once: open another one with actors.budget(...)")
        self._entered = self.is_open = True
        self.cell = CURRENT.get()
        around = _SCOPE.get()
        self.outer = around if around is not None and around.cell is self.cell else None
        _SCOPE.set(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.is_open = False
        if _SCOPE.get() is self:  # else its end runs in another context, as that of a dropped generator may
            _SCOPE.set(self.outer)


@attrs.define(eq=False)
class Payer:
    """Whoever pays for what runs on their account: the batch of a job."""

    scope: BudgetScope | None
    cell: Cell | None
    outer: Payer | None
    is_open: bool = True

    @classmethod
    def now(cls) -> Payer:
        """The running task pays."""
        cell = CURRENT.get()
        return cls(_scope_of(cell), cell, PAYER.get())


_SCOPE: ContextVar[BudgetScope | None] = ContextVar("actors_budget_scope", default=None)
PAYER: ContextVar[Payer | None] = ContextVar("actors_budget_payer", default=None)
"""In a job and what it spawns: who has called `run_jobs`."""


def budget(
    *,
    tokens: int | None = None,
    money: float | None = None,
    tool_calls: int | None = None,
    spawns: int | None = None,
) -> BudgetScope:
    """A block that may spend so much: `with actors.budget(tokens=500) as scope:`. None: no limit of its own.

    `spend` inside it, also in tasks that are started there, is charged to it and to all around it. What would
    pass a limit, or has, raises `BudgetSpent`, whose `scope` is this one; nobody catches it here. After the
    block `scope.spent` tells what it has come to. Raises ValueError for limits below 0; no checkpoint.
    """
    return BudgetScope(Budget(tokens=tokens, money=money, tool_calls=tool_calls, spawns=spawns))


def spend(tokens: int = 0, money: Money = 0.0, tool_calls: int = 0, spawns: int = 0) -> None:
    """Charge this to the innermost budget and to all around it. A plain call, and no checkpoint.

    Around it are the blocks of the running task, the actor it belongs to, its supervisors, and the system.
    Tokens and money are entered whatever the limits are, as they are gone: tell of them when you know.
    Calls of tools and spawns are entered before they happen, and not where this raises. Money is in a unit of
    your own, and is added up as it is written: three times 0.1 is 0.3.

    Raises `BudgetSpent` where a limit is passed or would be, also where it was passed before; when several
    are, it names the outermost. ValueError for what is no amount. Outside of actors and blocks nobody is
    charged. In a thread: `trio.from_thread.run_sync(actors.spend, ...)`; RuntimeError without.
    """
    cell = CURRENT.get()
    _spend(cell, ledgers_around(cell), tokens, money, tool_calls, spawns)


def spend_of(cell: Cell, tokens: int, money: Money, tool_calls: int, spawns: int) -> None:
    """As `spend`, for an actor: without the blocks of a task that is not its own."""
    if CURRENT.get() is cell:
        spend(tokens, money, tool_calls, spawns)
    else:
        _spend(cell, list(ledgers_of(cell)), tokens, money, tool_calls, spawns)


def _spend(
    cell: Cell | None, ledgers: list[Ledger], tokens: int, money: Money, tool_calls: int, spawns: int
) -> None:
    if tokens.__class__ is not int or tokens < 0:
        check_count("tokens", tokens, least=0)
    if tool_calls.__class__ is not int or tool_calls < 0:
        check_count("tool_calls", tool_calls, least=0)
    if spawns.__class__ is not int or spawns < 0:
        check_count("spawns", spawns, least=0)
    if money.__class__ is not float or not 0.0 <= money < inf:
        check_money("money", money)
    if not ledgers:
        return
    if not trio.lowlevel.in_trio_task():
        raise RuntimeError(
            "spend() was called outside of trio's tasks: in a thread write "
            "trio.from_thread.run_sync(actors.spend, ...)"
        )
    passed = charge(ledgers, tokens, money, tool_calls, spawns)
    _warn_of(ledgers)
    teller = None if cell is None or cell.account is None else cell.account.teller
    if teller is not None:
        calls, born = (tool_calls, spawns) if passed is None else (0, 0)
        teller.tell_spent(tokens, str(exactly(money)), calls, born)
    if passed is not None:
        raise _error(passed)


def _warn_of(ledgers: Iterable[Ledger]) -> None:
    for ledger in ledgers:
        for resource in ledger.warnings():
            _warn(ledger, resource)


def _warn(ledger: Ledger, resource: str) -> None:
    ref = ledger.whose
    if isinstance(ref, BudgetScope) or ref is None:
        return
    cell: Cell = getattr(ref, "cell")  # noqa: B009
    limit, spent = getattr(ledger.limits, resource), getattr(ledger, resource)
    if spent <= limit:  # else there is more to be heard of it
        cell.kernel.emit(BudgetWarning, cell.ref, resource, spent, limit)


def _error(passed: Passed) -> BudgetSpent:
    whose = passed.ledger.whose
    cell = whose.cell if isinstance(whose, BudgetScope) else getattr(whose, "cell", None)
    return BudgetSpent(
        passed.resource, passed.limit, passed.spent, whose, None if cell is None else cell.path
    )


def _scope_of(cell: Cell | None) -> BudgetScope | None:
    """The innermost block of the running task, if the actor itself has opened it."""
    scope = _SCOPE.get()
    return scope if scope is not None and scope.cell is cell else None


def ledgers_around(cell: Cell | None) -> list[Ledger]:
    """What the running task of an actor, or of none, is charged to, the innermost first."""
    found: list[Ledger] = []
    _collect(found, _scope_of(cell), cell)
    payer = PAYER.get()
    while payer is not None:
        if payer.is_open:
            _collect(found, payer.scope, payer.cell)
        payer = payer.outer
    return found


def _collect(found: list[Ledger], scope: BudgetScope | None, cell: Cell | None) -> None:
    while scope is not None:
        if scope.is_open:
            found.append(scope.ledger)
        scope = scope.outer
    if cell is None:
        return
    theirs = ledgers_of(cell)
    if found and theirs:  # what is around both of a job and of who pays for it, is around all that is between
        found[:] = [ledger for ledger in found if ledger not in theirs]
    found.extend(theirs)


def charge_spawn(family: Cell) -> None:
    """One more child of a supervisor; whoever spawns is charged too. Raises `BudgetSpent`: make none then."""
    ledgers = ledgers_around(CURRENT.get())
    _collect(ledgers, None, family)
    _spend(family, ledgers, 0, 0, 0, 1)


def spent_elsewhere(cell: Cell, tokens: int, money: str, tool_calls: int, spawns: int) -> None:
    """A child on another node has spent this: where a limit here is passed by it, it is parked.

    The limits of its own budget are seen to over there.
    """
    ledgers = ledgers_of(cell)
    for ledger in ledgers:
        ledger.enter(tokens, exactly_said(money))
        ledger.enter_admitted(tool_calls, spawns)
    _warn_of(ledgers)
    above = [passed for ledger in ledgers if ledger.whose is not cell.ref and (passed := ledger.passed())]
    if above and not cell.ended:
        error = _error(above[-1])
        if cell.vigil is None:
            cell.vigil = Vigil(cell)
        cell.vigil.condemn(spent_exit(cell, error), idle=True)
