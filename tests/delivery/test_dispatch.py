"""The line of one recipient: what is given next and when, whatever the store answers meanwhile."""

from __future__ import annotations

import math
from typing import Any

import attrs
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from actors.delivery import dispatch
from actors.delivery.dispatch import Give, Line, Load, Wait
from actors.delivery.ticket import Entry
from actors.policy import Backoff, Delivery
from tests.rounds import rounds

FOREVER = Wait(math.inf)


def entry(number: int, priority: int = 0, attempts: int = 0) -> Entry:
    """A ticket that was posted as the `number`-th."""
    return Entry(f"t{number}", "/a", number, 0.0, priority=priority, seq=number, attempts=attempts)


def line(*numbers: int, **policy: Any) -> Line:
    """A line in which these wait, and nothing else is in the store."""
    made = Line(Delivery(**policy), complete=True)
    for number in numbers:
        assert made.arrived(entry(number))
    return made


def give(line: Line, now: float = 0.0) -> str:
    """The one that is given now, taken in hand."""
    step = line.decide(now, True)
    assert isinstance(step, Give), step
    line.gave(step.entry)
    return step.entry.id


def ids(line: Line) -> list[str]:
    return [one.id for one in line.waiting]


@pytest.mark.row(89)
def test_a_new_line_asks_the_store_once() -> None:
    made = Line()
    assert made.decide(0.0, True) == Load()
    assert made.decide(0.0, True) == FOREVER
    made.loaded([entry(1), entry(2)], complete=True)
    assert give(made) == "t1"


def test_the_higher_priority_comes_first_then_the_earlier_receipt() -> None:
    made = line(at_once=9)
    for number, priority in [(1, 0), (2, 5), (3, -1), (4, 5)]:
        made.arrived(entry(number, priority))
    assert [give(made) for _ in range(4)] == ["t2", "t4", "t1", "t3"]


@pytest.mark.row(96)
def test_one_at_a_time_by_default_and_more_where_the_policy_allows() -> None:
    made = line(1, 2)
    give(made)
    assert made.decide(0.0, True) == FOREVER
    both = line(1, 2, 3, at_once=2)
    assert [give(both), give(both)] == ["t1", "t2"]
    assert both.decide(0.0, True) == FOREVER


@pytest.mark.row(96)
def test_nothing_is_given_to_a_recipient_that_is_not_ready() -> None:
    made = line(1)
    assert made.decide(0.0, False) == FOREVER
    assert give(made) == "t1"


@pytest.mark.row(96)
def test_the_cooldown_begins_when_one_has_ended() -> None:
    made = line(1, 2, cooldown=2.0)
    give(made, 10.0)
    made.ended("t1", 15.0)
    assert made.decide(15.0, True) == Wait(17.0)
    assert made.decide(math.nextafter(17.0, 0), True) == Wait(17.0)
    assert give(made, 17.0) == "t2"


def test_the_end_of_what_nobody_has_in_hand_begins_no_cooldown() -> None:
    made = line(1, cooldown=2.0)
    made.ended("t9", 5.0)
    assert give(made, 5.0) == "t1"


def test_what_failed_holds_the_later_ones_back_until_its_time() -> None:
    made = line(1, 2)
    give(made)
    made.came_back(entry(1, attempts=1), 1.0, 4.0)
    assert made.decide(1.0, True) == Wait(4.0)
    assert give(made, 4.0) == "t1"
    made.ended("t1", 5.0)
    assert give(made, 5.0) == "t2"


def test_later_ones_pass_what_failed_where_order_does_not_matter() -> None:
    made = line(1, 2, ordered=False)
    give(made)
    made.came_back(entry(1, attempts=1), 1.0, 4.0)
    assert give(made, 1.0) == "t2"
    made.came_back(entry(2, attempts=1), 2.0, 3.0)
    assert made.decide(2.0, True) == Wait(3.0)
    assert give(made, 3.0) == "t2"


def test_a_return_without_a_wait_is_given_again_at_once() -> None:
    made = line(1)
    give(made)
    made.came_back(entry(1), 1.0, 1.0)
    assert give(made, 1.0) == "t1"


@pytest.mark.parametrize("where", ["waiting", "in hand"])
def test_the_same_one_twice_is_taken_in_once(where: str) -> None:
    """A key that was used before brings the ticket that is there."""
    made = line(1, 2)
    if where == "in hand":
        give(made)
    assert made.arrived(entry(1))
    assert ids(made) == (["t2"] if where == "in hand" else ["t1", "t2"])


def test_the_window_is_bounded_and_the_rest_stays_in_the_store() -> None:
    made = line(*range(1, dispatch.WINDOW + 1))
    assert made.arrived(entry(1000))
    assert (len(made.waiting), made.complete, ids(made)[-1]) == (dispatch.WINDOW, False, "t256")
    assert not made.arrived(entry(1001))
    assert made.arrived(entry(1002, priority=1))
    assert ids(made)[0] == "t1002"


@pytest.mark.parametrize(("attempts", "wait"), [(1, 0.0), (0, 5.0)])
def test_what_came_back_is_never_put_out_of_the_window(attempts: int, wait: float) -> None:
    """The store may not know yet that it waits again."""
    made = line(1, at_once=2)
    give(made)
    made.came_back(entry(1, attempts=attempts), 0.0, wait)
    for number in range(2, dispatch.WINDOW + 5):
        made.arrived(entry(number, priority=1))
    assert ids(made)[-1] == "t1"
    assert made.complete


def test_what_is_put_out_of_the_window_while_the_store_is_asked_is_asked_for_again() -> None:
    made = line(1)
    made.more()
    assert made.decide(0.0, False) == Load()
    made.loaded([], complete=False)
    assert made.decide(0.0, False) == Load()
    for number in range(2, dispatch.WINDOW + 2):
        made.arrived(entry(number, priority=1))
    assert len(made.waiting) == dispatch.WINDOW
    made.loaded([], complete=True)
    assert not made.complete


@pytest.mark.parametrize("fails", [False, True])
def test_nothing_overtakes_what_arrived_while_the_store_was_asked(fails: bool) -> None:
    """The store was looked at before number 2, and what it gave stands behind that."""
    made = Line()
    made.loading = True
    made.loaded([entry(1, 2)], complete=False)
    assert made.decide(0.0, False) == Load()
    assert not made.arrived(entry(2, 1))
    if fails:
        made.not_loaded()
        made.arrived(entry(3, 2))
    else:
        made.loaded([entry(1, 2), entry(4, 0)], complete=True)
    assert not made.arrived(entry(5, 1))


def test_a_line_that_is_through_remembers_nothing() -> None:
    made = line(1, 2)
    give(made)
    made.came_back(entry(1, attempts=1), 0.0, 9.0)
    made.withdrawn("t1")
    made.more()
    made.decide(0.0, False)
    give(made)
    made.ended("t2", 0.0)
    made.loaded([entry(2)], complete=True)
    assert made == Line(Delivery(), complete=True, free_at=0.0)


def test_it_is_filled_up_again_when_few_are_left() -> None:
    made = Line(Delivery(at_once=10_000))
    made.decide(0.0, True)
    made.loaded(map(entry, range(1, 257)), complete=False)
    steps: list[int] = []
    while not made.loading:
        step = made.decide(0.0, True)
        if isinstance(step, Give):
            made.gave(step.entry)
            steps.append(step.entry.seq)
    assert steps == list(range(1, 257 - dispatch.LOW + 1))


def test_what_arrives_while_the_store_is_asked_is_asked_for_again() -> None:
    made = Line()
    made.decide(0.0, True)
    assert not made.arrived(entry(3))
    made.loaded([entry(1), entry(2)], complete=True)
    assert not made.complete
    assert made.decide(0.0, True) == Load()
    made.loaded([entry(1), entry(2), entry(3)], complete=True)
    assert (ids(made), made.complete) == (["t1", "t2", "t3"], True)


def test_what_is_known_already_is_not_loaded_twice() -> None:
    made = line(1, 2)
    give(made)
    made.more()
    assert made.decide(0.0, True) == Load()
    made.loaded([entry(1), entry(2), entry(3)], complete=True)
    assert ids(made) == ["t2", "t3"]


def test_what_ended_while_the_store_was_asked_does_not_come_back_with_the_answer() -> None:
    """The store was looked at before that was written."""
    made = line(1, 2, 3, at_once=2)
    give(made)
    give(made)
    made.more()
    assert made.decide(0.0, True) == Load()
    made.ended("t1", 0.0)
    made.withdrawn("t3")
    made.came_back(entry(2, attempts=1), 0.0, 0.0)
    made.loaded([entry(1), entry(2), entry(3)], complete=True)
    assert [(one.id, one.attempts) for one in made.waiting] == [("t2", 1)]


def test_a_later_one_does_not_overtake_what_is_only_in_the_store() -> None:
    made = line()
    made.arrived(entry(1))
    made.more(priority=1)  # there is number 2 now
    assert not made.arrived(entry(3, priority=1))
    assert made.decide(0.0, False) == Load()
    made.loaded([entry(2, 1), entry(3, 1), entry(1)], complete=True)
    assert ids(made) == ["t2", "t3", "t1"]


def test_what_is_urgent_is_asked_for_at_once_also_when_many_wait() -> None:
    made = line(*range(1, 101))
    made.more()
    assert made.decide(0.0, False) == FOREVER
    made.more(priority=1)
    assert made.decide(0.0, False) == Load()


@pytest.mark.parametrize("missed", [False, True])
def test_a_store_that_could_not_answer_is_asked_again(missed: bool) -> None:
    made = line(1, at_once=2)
    give(made)
    made.more()
    assert made.decide(0.0, True) == Load()
    made.ended("t1", 0.0)
    if missed:
        made.more()
    made.not_loaded()
    assert made.decide(0.0, True) == Load()
    made.loaded([entry(1, attempts=1)], complete=True)  # it was asked after the end: it is what is true now
    assert (ids(made), made.complete) == (["t1"], True)


def test_a_withdrawn_one_is_not_given_and_what_is_in_hand_goes_on() -> None:
    made = line(1, 2, 3)
    give(made)
    made.withdrawn("t1")
    made.withdrawn("t2")
    assert list(made.in_hand) == ["t1"]
    made.ended("t1", 1.0)
    assert give(made, 1.0) == "t3"


class LineMachine(RuleBasedStateMachine):
    """A line and its store, which hears late and answers late, against a plain list.

    `pending` is what the store would give. What the line does is written to it some time later, in order.
    """

    @initialize(
        ordered=st.booleans(),
        at_once=st.integers(1, 3),
        cooldown=st.sampled_from([0.0, 1.0]),
        before=st.lists(st.integers(0, 2), max_size=9),
    )
    def begin(self, ordered: bool, at_once: int, cooldown: float, before: list[int]) -> None:
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(dispatch, "WINDOW", 5)
        self.patch.setattr(dispatch, "LOW", 2)
        policy = Delivery(
            ordered=ordered, at_once=at_once, cooldown=cooldown, backoff=Backoff(initial=0.0, maximum=0.0)
        )
        self.line = Line(policy)
        self.now = 0.0
        self.ready = True
        self.number = 0
        self.pending: dict[str, Entry] = {}
        self.unwritten: list[tuple[str, Entry]] = []
        self.true: dict[str, Entry] = {}  # what is to be delivered, as it is known to who knows all
        self.held: dict[str, float] = {}
        self.giving: dict[str, Entry] = {}
        self.hands: dict[str, Entry] = {}
        self.free_at = -math.inf
        self.handled: list[str] = []
        self.cancelled: set[str] = set()
        self.answer: list[Entry] | None = None
        for priority in before:
            self.new(priority)

    def teardown(self) -> None:
        if hasattr(self, "line"):
            self.finish()
            self.patch.undo()

    def new(self, priority: int) -> Entry:
        self.number += 1
        made = entry(self.number, priority)
        self.pending[made.id] = self.true[made.id] = made
        return made

    # --- what the world does ---

    @rule(priority=st.integers(0, 2))
    def post(self, priority: int) -> None:
        self.line.arrived(self.new(priority))

    @rule(priority=st.integers(0, 2))
    def posted_by_the_store(self, priority: int) -> None:
        """A reply is posted in one step with something else."""
        self.new(priority)
        self.line.more(priority)

    @rule(which=st.integers(0, 100))
    def post_again(self, which: int) -> None:
        """Its key was used: the store says what it has."""
        known = sorted(self.pending)
        if known:
            self.line.arrived(self.pending[known[which % len(known)]])

    @rule(which=st.integers(0, 100))
    def cancel(self, which: int) -> None:
        live = sorted(self.true.keys() | self.giving.keys() | self.hands.keys())
        if live:
            chosen = live[which % len(live)]
            self.cancelled.add(chosen)
            self.true.pop(chosen, None)
            self.held.pop(chosen, None)
            self.line.withdrawn(chosen)
            self.unwritten.append(("cancelled", entry(int(chosen[1:]))))

    @rule(seconds=st.sampled_from([0.5, 1.0, 3.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def readiness_changes(self) -> None:
        self.ready = not self.ready

    # --- what the shell does ---

    @rule()
    def look(self) -> None:
        while True:
            step = self.line.decide(self.now, self.ready)
            if isinstance(step, Load):
                self.answer, self.limit = None, self.line.window
            elif isinstance(step, Give):
                self.check_given(step.entry)
                self.line.gave(step.entry)
                self.true.pop(step.entry.id, None)
                self.giving[step.entry.id] = step.entry
                self.unwritten.append(("deliver", step.entry))
            else:
                assert step.until > self.now
                return

    def check_given(self, given: Entry) -> None:
        policy = self.line.policy
        assert self.ready
        assert given.id not in self.giving
        assert given.id not in self.hands
        assert given.id not in self.handled
        assert len(self.giving) + len(self.hands) < policy.at_once
        assert self.now >= self.free_at
        assert self.now >= self.held.get(given.id, -math.inf)
        if given.id in self.cancelled:  # the store gave it before it knew that
            return
        assert given == self.true[given.id], "it is not given as it is by now"
        earlier = [
            one.id
            for one in self.true.values()
            if one.priority == given.priority
            and one.seq < given.seq
            and (policy.ordered or self.held.get(one.id, -math.inf) <= self.now)
        ]
        assert not earlier, f"{given.id} is given before {earlier}"

    @precondition(lambda self: self.unwritten)
    @rule(much=st.integers(1, 4))
    def write(self, much: int) -> None:
        for _ in range(min(much, len(self.unwritten))):
            what, one = self.unwritten.pop(0)
            kept = self.pending.get(one.id)
            if what == "cancelled":
                self.pending.pop(one.id, None)
            elif what == "waits":
                if one.id not in self.cancelled:
                    self.pending[one.id] = one
            elif kept is None or kept.attempts != one.attempts:  # refused
                del self.giving[one.id]
                self.line.ended(one.id, self.now)
                self.free_at = self.now + self.line.policy.cooldown
                self.line.more()
            else:
                del self.pending[one.id]
                self.hands[one.id] = self.giving.pop(one.id)

    @precondition(lambda self: self.line.loading)
    @rule()
    def the_store_looks(self) -> None:
        self.answer = sorted(self.pending.values(), key=lambda one: one.order)[: self.limit]

    @precondition(lambda self: self.line.loading and self.answer is not None)
    @rule()
    def the_store_answers(self) -> None:
        assert self.answer is not None
        self.line.loaded(self.answer, complete=len(self.answer) < self.limit)
        self.answer = None

    @precondition(lambda self: self.line.loading)
    @rule()
    def the_store_fails(self) -> None:
        self.line.not_loaded()
        self.answer = None

    @precondition(lambda self: self.hands)
    @rule(which=st.integers(0, 2))
    def handled_well(self, which: int) -> None:
        chosen = sorted(self.hands)[which % len(self.hands)]
        del self.hands[chosen]
        self.line.ended(chosen, self.now)
        self.free_at = self.now + self.line.policy.cooldown
        self.handled.append(chosen)

    @precondition(lambda self: self.hands)
    @rule(which=st.integers(0, 2), wait=st.sampled_from([0.0, 1.0, 2.0]), begun=st.booleans())
    def handled_badly(self, which: int, wait: float, begun: bool) -> None:
        chosen = sorted(self.hands)[which % len(self.hands)]
        one = self.hands.pop(chosen)
        if chosen in self.cancelled:
            self.line.ended(chosen, self.now)
        else:
            if not begun:
                wait = 0.05
            again = attrs.evolve(one, attempts=one.attempts + begun)
            self.line.came_back(again, self.now, self.now + wait)
            self.true[chosen] = again
            self.held[chosen] = self.now + wait
            self.unwritten.append(("waits", again))
        self.free_at = self.now + self.line.policy.cooldown

    # --- what always holds ---

    @invariant()
    def nobody_is_there_twice(self) -> None:
        if hasattr(self, "line"):
            here = [one.id for one in self.line.waiting] + list(self.line.in_hand)
            assert len(here) == len(set(here))
            assert [one.order for one in self.line.waiting] == sorted(one.order for one in self.line.waiting)

    @invariant()
    def who_is_complete_knows_all(self) -> None:
        if hasattr(self, "line") and self.line.complete:
            assert self.true.keys() <= {one.id for one in self.line.waiting}

    def finish(self) -> None:
        """From here on everything goes well: all that was posted and not cancelled is handled, once."""
        self.ready = True
        for _ in range(20 * (self.number + 2)):
            self.look()
            if self.line.loading:
                self.the_store_looks()
            if self.unwritten:
                self.write(len(self.unwritten))
            if self.line.loading and self.answer is not None:
                self.the_store_answers()
            while self.hands:
                self.handled_well(0)
            self.now += 5.0
        expected = {f"t{number}" for number in range(1, self.number + 1)} - self.cancelled
        assert sorted(one for one in self.handled if one not in self.cancelled) == sorted(expected)
        assert len(self.handled) == len(set(self.handled))
        assert self.line.complete
        assert not self.line.waiting
        assert not self.line.in_hand


TestLineMachine = pytest.mark.row(89)(LineMachine.TestCase)
TestLineMachine.settings = settings(
    max_examples=rounds(80, deep=150), stateful_step_count=60, suppress_health_check=[HealthCheck.too_slow]
)
