"""Counts over the events of a system."""

from __future__ import annotations

from collections import Counter
from typing import Any

import attrs
from hypothesis import given
from hypothesis import strategies as st

from actors import events
from actors.events import DeadLetterReason, Event
from actors.exits import Exit, ExitKind
from actors.observe.tally import COUNTED, LABELS, OTHERS, EventTally, Labels


@attrs.frozen
class Who:
    """As much of a ref as a tally reads."""

    path: str


REF: Any = Who("/till")
MADE = st.one_of(
    st.builds(events.LoopBlocked, st.just(0.0), st.floats(0, 60), st.just("there")),
    st.builds(
        events.DeadLetter, st.just(0.0), st.just(REF), st.none(), st.none(), st.sampled_from(DeadLetterReason)
    ),
    st.builds(
        events.TicketMoved,
        st.just(0.0),
        st.just("1"),
        st.just("/a"),
        st.sampled_from(["pending", "dead"]),
        st.just(0),
        st.just(""),
    ),
    st.builds(
        events.Failed,
        st.just(0.0),
        st.just(REF),
        st.builds(
            Exit,
            st.sampled_from([ExitKind.FAILED, ExitKind.TIMED_OUT]),
            error=st.sampled_from([None, ValueError("no tea"), OSError("full")]),
        ),
    ),
)


@given(st.lists(MADE))
def test_every_event_is_counted_once_whatever_it_is_counted_by(heard: list[Event]) -> None:
    tally = EventTally()
    for event in heard:
        tally.add(event)
    kinds = Counter(type(event) for event in heard)
    assert tally.seen == kinds
    assert tally.failures.total() == kinds[events.Failed]
    assert tally.dead_letters.total() == kinds[events.DeadLetter]
    assert tally.tickets.total() == kinds[events.TicketMoved]
    assert tally.blocked.count == kinds[events.LoopBlocked]
    assert kinds.keys() <= COUNTED


def test_failures_are_told_apart_by_exit_kind_and_class() -> None:
    tally = EventTally()
    tally.add(events.Failed(0.0, REF, Exit(ExitKind.FAILED, error=ValueError("no tea"))))
    tally.add(events.StartAttemptFailed(0.0, REF, Exit(ExitKind.START_FAILED)))
    assert tally.failures == {
        ("FAILED", "ERROR", "ValueError"): 1,
        ("START_FAILED", "START", ""): 1,
    }


def test_classes_without_end_are_counted_together() -> None:
    tally = EventTally()
    for number in range(3 * LABELS):
        error = type(f"Error{number}", (Exception,), {})()
        tally.add(events.Failed(0.0, REF, Exit(ExitKind.FAILED, error=error)))
    assert len(tally.failures) == LABELS + 1
    assert tally.failures["FAILED", "ERROR", OTHERS] == 2 * LABELS


@given(st.lists(st.text()), st.integers(min_value=0, max_value=5))
def test_a_label_has_a_bounded_number_of_values_and_keeps_those_it_has(values: list[str], most: int) -> None:
    labels = Labels(most)
    first = [labels.admit(value) for value in values]
    assert len(set(first) - {OTHERS}) <= most
    assert [labels.admit(value) for value in values] == first
