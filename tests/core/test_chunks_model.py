"""Windows of chunks: the pure rules, and both ends of a flow played by hypothesis."""

from __future__ import annotations

from collections import deque
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from actors.core.chunks import ENDED, Returns, Supply, joined, last_chunks
from tests.core.yielders import Count, Named

TAKES_NO_ROAD = True


class BothEnds(RuleBasedStateMachine):
    """A maker and a taker with a slow link between them, in both directions."""

    @initialize(window=st.integers(1, 20))
    def begin(self, window: int) -> None:
        self.window = window
        self.supply, self.returns = Supply(window), Returns(window)
        self.out: deque[int] = deque()
        self.waiting: deque[int] = deque()
        self.back: deque[int] = deque()
        self.given = self.taken = 0

    @precondition(lambda self: self.supply.left)
    @rule()
    def give(self) -> None:
        self.supply.pay()
        self.out.append(self.given)
        self.given += 1

    @precondition(lambda self: not self.supply.left)
    @rule()
    def give_without_room(self) -> None:
        with pytest.raises(ValueError, match="wait to be taken"):
            self.supply.pay()

    @precondition(lambda self: self.out)
    @rule()
    def arrive(self) -> None:
        self.waiting.append(self.out.popleft())

    @precondition(lambda self: self.waiting)
    @rule()
    def take(self) -> None:
        assert self.waiting.popleft() == self.taken
        self.taken += 1
        told = self.returns.take(1)
        if told:
            self.back.append(told)

    @precondition(lambda self: self.back)
    @rule()
    def hear(self) -> None:
        self.supply.give_back(self.back.popleft())

    @rule(count=st.integers(-2, 30))
    def hear_nonsense(self, count: int) -> None:
        """More than are out, or none: refused, and nothing has changed."""
        if count < 1 or count > self.window - self.supply.left:
            before = self.supply.left
            with pytest.raises(ValueError, match="chunks taken"):
                self.supply.give_back(count)
            assert self.supply.left == before

    @invariant()
    def never_more_than_a_window_waits(self) -> None:
        if hasattr(self, "window"):
            assert len(self.out) + len(self.waiting) <= self.window
            assert self.supply.begun == (self.given > 0)

    @invariant()
    def with_nothing_under_way_the_maker_may_go_on(self) -> None:
        """Else both would wait for each other."""
        if hasattr(self, "window") and not (self.out or self.waiting or self.back):
            assert self.supply.left > 0


TestBothEnds = BothEnds.TestCase

ANSWERS = st.none() | st.integers() | st.lists(st.integers(), max_size=3) | st.tuples(st.integers())


@given(st.booleans(), ANSWERS)
def test_what_an_answer_adds(begun: bool, value: Any) -> None:
    of_stream, of_other = last_chunks(Count(1), begun, value), last_chunks(Named(), begun, value)
    if value is None:
        assert (of_stream, of_other) == ((), () if begun else (None,))
    else:
        assert of_stream == (tuple(value) if isinstance(value, list | tuple) else (value,))
        assert of_other == (value,)
    assert last_chunks(Named(), begun, ENDED) == ()


@given(st.lists(st.integers()), ANSWERS)
def test_who_has_asked_gets_what_one_who_streams_gets(chunks: list[int], value: Any) -> None:
    assert joined(Count(1), chunks, value) == (*chunks, *last_chunks(Count(1), bool(chunks), value))


@pytest.mark.parametrize(
    ("window", "told"), [(1, [1]), (4, [1]), (5, [0, 2]), (16, [0, 0, 0, 4]), (40, [0] * 9 + [10])]
)
def test_credit_goes_back_by_quarters_of_a_window(window: int, told: list[int]) -> None:
    returns = Returns(window)
    for _ in range(2):
        assert [returns.take(1) for _ in told] == told
