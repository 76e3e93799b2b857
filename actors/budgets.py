"""What may be spent, and what has been: limits, ledgers, and charging a chain of them. Pure.

A ledger counts what one block, actor or system has spent, against its limits. Ledgers lie around each
other, as cancel scopes do: what is spent is entered in the innermost one and in all around it.

Tokens and money are gone when they are told of, so they are always entered, also beyond a limit. Calls of
tools and spawns are asked for before they happen: where a limit would be passed, they are not entered.
When several ledgers are passed, the outermost one is named: it ends what the inner ones would, and more.

Money is added up exactly, as it is written: three times 0.1 is 0.3 here, and not a little more. A sum of
floats drifts, and a limit of 0.3 would be passed by what just reaches it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from decimal import Context, Decimal
from typing import Any, Final, Literal, TypeAlias

import attrs

from actors.checks import check_count, check_seconds

__all__ = [
    "ADMITTED",
    "RESOURCES",
    "Budget",
    "Ledger",
    "Money",
    "Passed",
    "Resource",
    "Spent",
    "charge",
    "check_money",
    "exactly",
    "exactly_said",
    "said",
    "still_passed",
]

Resource = Literal["tokens", "money", "tool_calls", "spawns"]
RESOURCES: Final[tuple[Resource, ...]] = ("tokens", "money", "tool_calls", "spawns")
ADMITTED: Final[tuple[Resource, ...]] = ("tool_calls", "spawns")
"""Those that are asked for before they happen."""
Money: TypeAlias = float | int | Decimal
_EXACT: Final = Context(prec=2000)
"""Wide enough for the sum of any two floats, the largest and the smallest included."""
_ZERO: Final = Decimal(0)
_LARGEST: Final = 400
"""Digits before the point, so that the sum stays exact: that of the largest float has fewer."""
_WARNS_AT: Final = (8, 10)
"""Of a limit, as a fraction."""


def check_money(name: str, value: object) -> Money:
    """Return an amount of money as it is; raise ValueError for one below 0, or that is no finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise ValueError(f"{name} must be a number, not {value!r}")
    try:
        is_amount = math.isfinite(value) and value >= 0
    except OverflowError:  # a whole number larger than any float
        is_amount = False
    if not is_amount:
        raise ValueError(f"{name} must be 0 or more and finite, not {value!r}")
    return value


def exactly(money: Money) -> Decimal:
    """An amount as it is written: 0.1 is a tenth, and not the float next to it."""
    if isinstance(money, float):
        return Decimal(float.__repr__(money))  # that of a class of its own may say its name too
    return money if isinstance(money, Decimal) else Decimal(int(money))


def exactly_said(money: str) -> Decimal:
    """An amount that somebody else has written; 0 for what is none."""
    try:
        amount = Decimal(money)
    except ArithmeticError:
        return _ZERO
    return amount if amount.is_finite() and amount >= 0 and amount.adjusted() < _LARGEST else _ZERO


def _count_or_none(_: object, field: attrs.Attribute[Any], value: object) -> None:
    if value is not None:
        check_count(field.name, value, least=0)


def _money_or_none(_: object, field: attrs.Attribute[Any], value: object) -> None:
    if value is not None:
        check_money(field.name, value)


def _idle_or_none(_: object, field: attrs.Attribute[Any], value: object) -> None:
    if value is not None:
        check_seconds(field.name, value, above=True)


@attrs.frozen(kw_only=True)
class Budget:
    """How much may be spent: each limit may be used up, and not passed; None: no limit.

    `money` is in a unit of your own. `idle` is in seconds: an actor that has had nothing in hand, nothing
    waiting and nothing open for so long ends, and its next message starts it again.
    """

    tokens: int | None = attrs.field(default=None, validator=_count_or_none)
    money: float | None = attrs.field(default=None, validator=_money_or_none)
    tool_calls: int | None = attrs.field(default=None, validator=_count_or_none)
    spawns: int | None = attrs.field(default=None, validator=_count_or_none)
    idle: float | None = attrs.field(default=None, validator=_idle_or_none)


@attrs.frozen(kw_only=True)
class Spent:
    """How much has been spent."""

    tokens: int = 0
    money: float = 0.0
    tool_calls: int = 0
    spawns: int = 0


_WORDS: Final = {"tokens": "tokens", "money": "money", "tool_calls": "tool calls", "spawns": "spawns"}


def said(resource: str, spent: float, limit: float) -> str:
    """As in "1200 of 1000 tokens"."""
    return f"{_number(spent)} of {_number(limit)} {_WORDS.get(resource, resource)}"


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.15g}"


@attrs.frozen
class Passed:
    """A limit that was passed; or that would have been, of what was asked for and is not entered."""

    ledger: Ledger
    resource: Resource
    limit: float
    spent: float


class Ledger:
    """What has been spent in one scope, and how much may be. `whose` is for who made it."""

    __slots__ = (
        "_limit",
        "_money",
        "_unwarned",
        "limits",
        "spawns",
        "tokens",
        "tool_calls",
        "whose",
    )

    def __init__(self, limits: Budget, whose: object = None) -> None:
        self.whose = whose
        self.tokens = self.tool_calls = self.spawns = 0
        self._money = _ZERO
        self.limits = limits
        self._limit = None if limits.money is None else exactly(limits.money)
        self._unwarned: list[Resource] = self._limited()

    @property
    def money(self) -> float:
        """What has been spent of it: the float next to the exact sum."""
        return float(self._money)

    @property
    def exact_money(self) -> Decimal:
        """The exact sum."""
        return self._money

    @property
    def spent(self) -> Spent:
        """As it is now."""
        return Spent(tokens=self.tokens, money=self.money, tool_calls=self.tool_calls, spawns=self.spawns)

    @property
    def left(self) -> Budget:
        """What may still be spent, 0 where a limit is passed; None where there is no limit."""
        limits, limit = self.limits, self._limit
        money = None if limit is None else max(0.0, float(_EXACT.subtract(limit, self._money)))
        return Budget(
            tokens=_rest(limits.tokens, self.tokens),
            money=money,
            tool_calls=_rest(limits.tool_calls, self.tool_calls),
            spawns=_rest(limits.spawns, self.spawns),
            idle=limits.idle,
        )

    def enter(self, tokens: int, money: Decimal | None) -> None:
        """What is gone."""
        self.tokens += tokens
        if money:
            self._money = _EXACT.add(self._money, money)

    def enter_admitted(self, tool_calls: int, spawns: int) -> None:
        """What every ledger has let pass."""
        self.tool_calls += tool_calls
        self.spawns += spawns

    def passed(self, tool_calls: int = 0, spawns: int = 0) -> Passed | None:
        """The first limit that is passed, or that so many more calls and spawns would pass."""
        limits = self.limits
        if limits.tokens is not None and self.tokens > limits.tokens:
            return Passed(self, "tokens", limits.tokens, self.tokens)
        if self._limit is not None and self._money > self._limit:
            return Passed(self, "money", float(self._limit), self.money)
        if tool_calls and limits.tool_calls is not None and self.tool_calls + tool_calls > limits.tool_calls:
            return Passed(self, "tool_calls", limits.tool_calls, self.tool_calls)
        if spawns and limits.spawns is not None and self.spawns + spawns > limits.spawns:
            return Passed(self, "spawns", limits.spawns, self.spawns)
        return None

    def warnings(self) -> list[Resource]:
        """Of which resources 80 % is spent now: each once, until its limit is raised."""
        if not self._unwarned:
            return []
        nearly: list[Resource] = [resource for resource in self._unwarned if self._is_nearly_spent(resource)]
        for resource in nearly:
            self._unwarned.remove(resource)
        return nearly

    def _is_nearly_spent(self, resource: Resource) -> bool:
        share, whole = _WARNS_AT
        if resource == "money":
            assert self._limit is not None
            return bool(self._limit) and _EXACT.multiply(self._money, Decimal(whole)) >= _EXACT.multiply(
                self._limit, Decimal(share)
            )
        limit = getattr(self.limits, resource)
        return limit > 0 and getattr(self, resource) * whole >= limit * share

    def top_up(self, tokens: int = 0, money: Money = 0, tool_calls: int = 0, spawns: int = 0) -> None:
        """Raise limits by so much. Raises ValueError, and changes nothing, where there is no such limit."""
        more: dict[Resource, Any] = {
            "tokens": tokens,
            "money": money,
            "tool_calls": tool_calls,
            "spawns": spawns,
        }
        for resource, amount in more.items():
            if amount and getattr(self.limits, resource) is None:
                raise ValueError(f"there is no limit of {_WORDS[resource]} that could be raised")
        new: dict[str, Any] = {
            resource: getattr(self.limits, resource) + amount
            for resource, amount in more.items()
            if amount and resource != "money"
        }
        limit = self._limit
        if money and limit is not None:
            limit = _EXACT.add(limit, exactly(money))
            new["money"] = float(limit)
        self.limits = attrs.evolve(self.limits, **new)
        self._limit = limit
        self._unwarned = [
            one for one in self._limited() if one in self._unwarned or not self._is_nearly_spent(one)
        ]

    def _limited(self) -> list[Resource]:
        return [resource for resource in RESOURCES if getattr(self.limits, resource) is not None]


def _rest(limit: int | None, spent: int) -> int | None:
    return None if limit is None else max(0, limit - spent)


def charge(
    ledgers: Sequence[Ledger],
    tokens: int = 0,
    money: Money = 0,
    tool_calls: int = 0,
    spawns: int = 0,
) -> Passed | None:
    """Enter this in all these ledgers, the innermost first; the outermost limit that is passed, or None.

    Where one is passed, the calls and the spawns are not entered in any. A ledger that was passed before is
    still passed, whatever is spent.
    """
    exact = exactly(money) if money else None
    found: Passed | None = None
    for ledger in ledgers:
        ledger.enter(tokens, exact)
        found = ledger.passed(tool_calls, spawns) or found
    if found is None and (tool_calls or spawns):
        for ledger in ledgers:
            ledger.enter_admitted(tool_calls, spawns)
    return found


def still_passed(ledgers: Iterable[Ledger]) -> bool:
    """Whether any of them has a limit that is passed."""
    return any(ledger.passed() is not None for ledger in ledgers)
