"""Credit: a slow actor slows its senders, and nobody has more under way than a window."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.remote.credit import WINDOW, Debt, Window


def test_a_window_pays_for_so_many_messages_and_no_more() -> None:
    window = Window()
    assert all(window.pay() for _ in range(WINDOW))
    assert not window.pay()
    assert not window.pay()
    assert window.left == 0


def test_what_is_given_back_can_be_paid_again() -> None:
    window = Window()
    for _ in range(WINDOW):
        window.pay()
    window.give(2)
    assert [window.pay(), window.pay(), window.pay()] == [True, True, False]


@pytest.mark.parametrize("count", [0, -1, 2, WINDOW + 1])
def test_nothing_and_more_than_is_owed_cannot_be_given_back(count: int) -> None:
    window = Window()
    window.pay()
    with pytest.raises(ValueError, match="only 1 are owed"):
        window.give(count)
    assert window.left == WINDOW - 1


def test_a_debt_takes_so_many_messages_and_no_more() -> None:
    debt = Debt()
    assert all(debt.take() for _ in range(WINDOW))
    assert not debt.take()
    assert debt.owed == WINDOW


def test_credits_go_back_in_quarters_of_a_window() -> None:
    debt = Debt()
    for _ in range(WINDOW):
        debt.take()
    given_back = [debt.done() for _ in range(WINDOW)]
    assert [(at + 1, count) for at, count in enumerate(given_back) if count] == [
        (WINDOW * part // 4, WINDOW // 4) for part in (1, 2, 3, 4)
    ]
    assert (debt.owed, debt.free) == (0, 0)


def test_a_debt_can_be_settled_before_a_quarter() -> None:
    debt = Debt()
    for _ in range(3):
        debt.take()
    assert [debt.done(), debt.done()] == [0, 0]
    assert debt.settle() == 2
    assert (debt.owed, debt.free, debt.settle()) == (1, 0, 0)


@given(st.lists(st.tuples(st.sampled_from(["send", "handle", "settle"]), st.integers(1, 400)), max_size=60))
def test_both_sides_agree_and_who_waits_can_go_on_when_all_is_handled(events: list[tuple[str, int]]) -> None:
    window, debt, waiting = Window(), Debt(), 0

    def give(count: int) -> None:
        if count:
            window.give(count)

    for what, times in [*events, ("handle", WINDOW)]:
        for _ in range(times):
            if what == "send" and window.pay():
                assert debt.take()
                waiting += 1
            elif what == "handle" and waiting:
                waiting -= 1
                give(debt.done())
        if what == "settle":
            give(debt.settle())
        assert debt.owed == WINDOW - window.left
        assert waiting <= debt.owed <= WINDOW
        assert debt.free == debt.owed - waiting
    assert window.pay()
