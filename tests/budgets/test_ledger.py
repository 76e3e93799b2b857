"""Charging a chain of ledgers: exact sums, the limit that is passed, what is entered and what is not."""

from __future__ import annotations

import random
from decimal import Decimal
from fractions import Fraction
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

import actors
from actors.budgets import RESOURCES, Budget, Ledger, Spent, charge, exactly, exactly_said, still_passed

COUNTS = st.integers(0, 30)
AMOUNTS = st.one_of(
    st.integers(0, 10**6),
    st.floats(0, 1e12, allow_nan=False),
    st.decimals(0, 10**6, allow_nan=False, places=9),
    st.sampled_from([0.1, 0.2, 0.3, 1e-7, 0.00015]),
)


def fraction(money: Any) -> Fraction:
    """The amount as it is written."""
    return Fraction(str(money))


@given(st.lists(AMOUNTS, max_size=40), AMOUNTS.filter(lambda amount: not isinstance(amount, Decimal)))
def test_money_is_added_up_exactly(amounts: list[Any], limit: Any) -> None:
    """A limit is passed when the sum of what was written is above it, and not by what floats make of it."""
    ledger, total = Ledger(Budget(money=limit)), Fraction(0)
    for amount in amounts:
        total += fraction(amount)
        passed = charge([ledger], money=amount)
        assert (passed is not None) == (total > fraction(limit))
    assert Fraction(ledger.exact_money) == total


@pytest.mark.parametrize(("step", "times", "limit"), [(0.1, 10, 1.0), (0.1, 3, 0.3), (1e-7, 10**5, 0.01)])
def test_what_just_reaches_a_limit_does_not_pass_it(step: float, times: int, limit: float) -> None:
    ledger = Ledger(Budget(money=limit))
    assert not any(charge([ledger], money=step) for _ in range(times))
    assert ledger.spent.money == limit
    assert ledger.left.money == 0.0
    assert charge([ledger], money=1e-300) is not None


@given(st.lists(st.floats(0, allow_nan=False, allow_infinity=False), max_size=20), st.randoms())
def test_the_order_of_charges_changes_no_sum(amounts: list[float], order: random.Random) -> None:
    one, other = Ledger(Budget()), Ledger(Budget())
    for amount in amounts:
        charge([one], money=amount)
    order.shuffle(amounts)
    for amount in amounts:
        charge([other], money=amount)
    assert one.exact_money == other.exact_money


@attrs.define
class Model:
    """One ledger, by plain fractions."""

    limits: dict[str, Fraction | None]
    spent: dict[str, Fraction] = attrs.field(factory=lambda: dict.fromkeys(RESOURCES, Fraction(0)))

    def passed(self, asked: dict[str, Any]) -> str | None:
        for name in RESOURCES:
            limit, more = self.limits[name], asked[name] if name in ("tool_calls", "spawns") else 0
            over = limit is not None and self.spent[name] + more > limit
            if over and (more or name in ("tokens", "money")):
                return name
        return None


SMALL = st.integers(0, 8)
LIMITS = st.fixed_dictionaries(
    {
        "tokens": st.none() | COUNTS,
        "money": st.none() | st.sampled_from([0.0, 0.3, 1.0, 5.0]),
        "tool_calls": st.none() | COUNTS,
        "spawns": st.none() | COUNTS,
    }
)
CHARGES = st.fixed_dictionaries(
    {"tokens": SMALL, "money": st.sampled_from([0, 0.1, 0.2, 0.7, 1]), "tool_calls": SMALL, "spawns": SMALL}
)


@given(st.lists(LIMITS, min_size=1, max_size=4), st.lists(st.tuples(CHARGES, st.integers(1, 4)), max_size=25))
def test_a_chain_of_ledgers_does_as_its_model(
    limits: list[dict[str, Any]], charges: list[tuple[dict[str, Any], int]]
) -> None:
    """Tokens and money are entered in all; calls and spawns in all or in none; the outermost is named."""
    ledgers = [Ledger(Budget(**one)) for one in limits]
    models = [Model({k: None if v is None else fraction(v) for k, v in one.items()}) for one in limits]
    for spent, depth in charges:
        chain, told = ledgers[-depth:], models[-depth:]
        passed = charge(chain, **spent)
        for model in told:
            for name in ("tokens", "money"):
                model.spent[name] += fraction(spent[name])
        over = [(model, name) for model in told if (name := model.passed(spent)) is not None]
        if over:
            assert passed is not None
            assert (told[chain.index(passed.ledger)], passed.resource) == over[-1]
        else:
            assert passed is None
            for model in told:
                for name in ("tool_calls", "spawns"):
                    model.spent[name] += spent[name]
        for ledger, model in zip(ledgers, models, strict=True):
            assert {name: fraction(getattr(ledger.spent, name)) for name in RESOURCES} == model.spent
        assert still_passed(chain) == any(model.passed(dict.fromkeys(RESOURCES, 0)) for model in told)


@given(st.integers(1, 1000), st.lists(st.integers(0, 100), max_size=60))
def test_it_warns_once_when_80_percent_are_spent(limit: int, spends: list[int]) -> None:
    ledger, total, warned = Ledger(Budget(tokens=limit)), 0, 0
    for tokens in spends:
        charge([ledger], tokens=tokens)
        total += tokens
        warned += len(ledger.warnings())
        assert warned == (total * 10 >= limit * 8)


def test_a_limit_that_is_raised_warns_again() -> None:
    ledger = Ledger(Budget(tokens=100, money=1.0))
    charge([ledger], tokens=80, money=0.8)
    assert ledger.warnings() == ["tokens", "money"]
    ledger.top_up(tokens=100, money=0.5)
    assert ledger.limits == Budget(tokens=200, money=1.5)
    charge([ledger], tokens=79)
    assert ledger.warnings() == []
    charge([ledger], tokens=1, money=0.4)
    assert ledger.warnings() == ["tokens", "money"]


def test_a_limit_of_nothing_lets_nothing_pass_and_warns_of_nothing() -> None:
    ledger = Ledger(Budget(tokens=0, money=0.0, tool_calls=0, spawns=0))
    assert charge([ledger]) is None
    assert ledger.warnings() == []
    assert all(charge([Ledger(ledger.limits)], **{name: 1}) is not None for name in RESOURCES)


def test_what_has_no_limit_cannot_be_topped_up_and_nothing_is_changed() -> None:
    ledger = Ledger(Budget(tokens=10))
    with pytest.raises(ValueError, match="no limit of tool calls"):
        ledger.top_up(tokens=5, tool_calls=1)
    assert ledger.limits == Budget(tokens=10)


def test_what_is_left_is_never_below_nothing() -> None:
    ledger = Ledger(Budget(tokens=10, money=0.5, idle=3.0))
    charge([ledger], tokens=4, tool_calls=3)
    charge([ledger], tokens=8, money=0.6, tool_calls=3)
    assert ledger.left == Budget(tokens=0, money=0.0, idle=3.0)
    assert ledger.spent == Spent(tokens=12, money=0.6, tool_calls=3)


@pytest.mark.parametrize(
    "wrong",
    [
        {"tokens": -1}, {"tokens": 1.5}, {"tokens": True}, {"money": -0.1}, {"money": float("nan")},
        {"money": float("inf")}, {"money": "1"}, {"tool_calls": -1}, {"spawns": "x"}, {"idle": 0},
        {"idle": -1},
    ],
)  # fmt: skip
def test_wrong_limits_are_refused_with_their_name(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Budget(**wrong)


def test_exactly_takes_a_number_as_it_is_written() -> None:
    assert [exactly(one) for one in (0.1, 3, Decimal("0.10"))] == [Decimal("0.1"), 3, Decimal("0.1")]


def test_a_policy_says_what_a_budget_is() -> None:
    with pytest.raises(TypeError, match=r"write actors.Budget\(tokens=1000\)"):
        actors.Policy(budget={"tokens": 5})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("said", "amount"),
    [
        ("0.1", "0.1"),
        ("12", "12"),
        ("much", "0"),
        ("-1", "0"),
        ("NaN", "0"),
        ("Infinity", "0"),
        ("1e999999", "0"),
    ],
)
def test_what_another_node_says_of_money_is_an_amount_or_nothing(said: str, amount: str) -> None:
    assert exactly_said(said) == Decimal(amount)
