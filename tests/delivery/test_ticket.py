"""The table of tickets: every move from every state (row 90)."""

from __future__ import annotations

import itertools

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from actors.delivery.errors import IllegalMove
from actors.delivery.ticket import ENDED, LIVE, MOVES, Entry, Move, Standing, TicketState, move

P, D, T = TicketState.PENDING, TicketState.DELIVERED, TicketState.TIMED_OUT
LEGAL = {
    # state, whether it is worked on: what each move makes of it; written out, to hold the table from outside
    (P, False): {"deliver": (D, True), "cancel": (TicketState.CANCELLED, False), "time_out": (T, False)},
    (D, True): {
        "return": (P, False),
        "fail": (P, False),
        "answer": (TicketState.RESPONDED, False),
        "refuse": (TicketState.FAILED, False),
        "cancel": (TicketState.CANCELLED, False),
        "time_out": (T, True),
    },
    (T, True): {
        "answer": (TicketState.RESPONDED, False),
        "refuse": (T, False),
        "fail": (T, False),
        "return": (T, False),
    },
}
EVERY = list(itertools.product(TicketState, [False, True], Move))


@pytest.mark.row(90)
@pytest.mark.parametrize(("state", "working", "what"), EVERY, ids=str)
def test_a_move_leads_where_the_table_says_or_is_refused(
    state: TicketState, working: bool, what: Move
) -> None:
    """All else raises an error that names the ticket, its state and the move."""
    before = Standing(state, attempts=1, max_attempts=3, working=working)
    expected = LEGAL.get((state, working), {}).get(what.value)
    if expected is None:
        with pytest.raises(IllegalMove) as caught:
            move("t1", before, what)
        assert (caught.value.ticket_id, caught.value.state, caught.value.move) == (
            "t1",
            state.value,
            what.value,
        )
        return
    counted = {Move.DELIVER: 2, Move.RETURN: 0}.get(what, 1)
    assert move("t1", before, what) == Standing(expected[0], counted, 3, expected[1])


def test_the_table_has_no_move_that_is_not_tested_here() -> None:
    assert len(MOVES) == sum(len(moves) for moves in LEGAL.values())


def test_every_state_is_either_live_or_ended() -> None:
    assert frozenset({P, D}) == LIVE
    assert frozenset(TicketState) == LIVE | ENDED
    assert not LIVE & ENDED


def test_only_what_is_delivered_or_timed_out_is_worked_on() -> None:
    assert {state for (state, working) in MOVES.values() if working} == {D, T}


def test_each_state_but_pending_is_reached() -> None:
    reached = {state for state, _ in MOVES.values()} | {TicketState.DEAD}
    assert reached == set(TicketState)


@pytest.mark.row(90)
@given(most=st.integers(1, 30), returns=st.lists(st.integers(0, 3), max_size=30))
def test_exactly_max_attempts_deliveries_fail_before_it_is_dead(most: int, returns: list[int]) -> None:
    """Those that came back before they began count as none."""
    now = Standing(max_attempts=most)
    deliveries = 0
    for back in itertools.chain(returns, itertools.repeat(0)):
        for _ in range(back):
            now = move("t", move("t", now, Move.DELIVER), Move.RETURN)
        now = move("t", now, Move.DELIVER)
        deliveries += 1
        assert now.attempts == deliveries
        now = move("t", now, Move.FAIL)
        if now.state is not P:
            break
    assert (now.state, deliveries, now.working) == (TicketState.DEAD, most, False)


def test_a_timed_out_ticket_that_fails_for_the_last_time_stays_timed_out() -> None:
    now = move("t", move("t", Standing(max_attempts=1), Move.DELIVER), Move.TIME_OUT)
    assert move("t", now, Move.FAIL) == Standing(T, 1, 1, working=False)


@pytest.mark.row(90)
@given(st.lists(st.sampled_from(Move), max_size=40), st.integers(1, 4))
def test_a_ticket_that_has_ended_never_lives_again(moves: list[Move], most: int) -> None:
    now = Standing(max_attempts=most)
    for what in moves:
        was_over = now.state in ENDED
        try:
            now = move("t", now, what)
        except IllegalMove:
            continue
        assert not was_over or now.state in ENDED


def test_an_entry_moves_with_its_standing_and_what_is_new() -> None:
    entry = Entry("t", "/a", "1", 5.0, seq=3, priority=2)
    moved = entry.at(Standing(D, 1, 5, working=True), changed=7.0)
    assert moved == attrs.evolve(entry, state=D, attempts=1, working=True, changed=7.0)
    assert moved.standing == Standing(D, 1, 5, working=True)


def test_higher_priority_comes_first_then_the_earlier_receipt() -> None:
    entries = [
        Entry("t", "/a", "1", 0.0, priority=p, seq=s) for p, s in [(0, 1), (1, 3), (0, 2), (-1, 0), (1, 2)]
    ]
    ordered = sorted(entries, key=lambda entry: entry.order)
    assert [(one.priority, one.seq) for one in ordered] == [(1, 2), (1, 3), (0, 1), (0, 2), (-1, 0)]


class TicketMachine(RuleBasedStateMachine):
    """Random moves, with what must hold after each told in its own way: by counting."""

    def __init__(self) -> None:
        super().__init__()
        self.now = Standing(max_attempts=3)
        self.delivered = self.returned = self.failed = 0
        self.ended: list[TicketState] = []

    @rule(what=st.sampled_from(Move))
    def make(self, what: Move) -> None:
        before = self.now
        allowed = what.value in LEGAL.get((before.state, before.working), {})
        try:
            self.now = move("t", before, what)
        except IllegalMove:
            assert not allowed
            assert self.now is before
            return
        assert allowed
        self.delivered += what is Move.DELIVER
        self.returned += what is Move.RETURN
        self.failed += what is Move.FAIL

    @rule()
    def deliver_and_fail(self) -> None:
        for what in (Move.DELIVER, Move.FAIL):
            self.make(what)

    @invariant()
    def attempts_are_deliveries_that_were_not_returned(self) -> None:
        assert self.now.attempts == self.delivered - self.returned
        assert 0 <= self.now.attempts <= self.now.max_attempts

    @invariant()
    def it_is_worked_on_between_a_delivery_and_its_end_only(self) -> None:
        if self.now.state is D:
            assert self.now.working
        if self.now.working:
            assert self.now.state in {D, T}
            assert self.now.attempts >= 1

    @invariant()
    def dead_means_that_every_delivery_failed(self) -> None:
        if self.now.state is TicketState.DEAD:
            assert self.failed == self.now.attempts == self.now.max_attempts
        if self.now.state is P:
            assert self.failed == self.now.attempts < self.now.max_attempts


TestTicketMachine = pytest.mark.row(90)(TicketMachine.TestCase)
