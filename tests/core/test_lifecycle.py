"""The table of one actor's life, and the state that users are shown."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.core.lifecycle import TABLE, ActorState, IllegalStep, Phase, Signal, state_of, step

LEGAL = sorted(TABLE, key=str)
ILLEGAL = sorted(set(itertools.product(Phase, Signal)) - set(TABLE), key=str)


@pytest.mark.parametrize(("phase", "signal"), LEGAL)
def test_a_step_of_the_table_leads_where_the_table_says(phase: Phase, signal: Signal) -> None:
    """`step` answers what the table has."""
    assert step(phase, signal) is TABLE[phase, signal]


@pytest.mark.parametrize(("phase", "signal"), ILLEGAL)
def test_any_other_step_raises_and_names_phase_and_signal(phase: Phase, signal: Signal) -> None:
    """An illegal step raises `IllegalStep` with both, and the table is as it was."""
    before = dict(TABLE)
    with pytest.raises(IllegalStep, match=f"no step {signal.name} from {phase.name}") as caught:
        step(phase, signal)
    assert (caught.value.phase, caught.value.signal) == (phase, signal)
    assert before == TABLE


def test_every_phase_is_reached_from_the_first() -> None:
    """No phase of the table is dead."""
    reached = {Phase.STARTING}
    while more := {after for (before, _), after in TABLE.items() if before in reached} - reached:
        reached |= more
    assert reached == set(Phase)


def test_every_signal_means_something() -> None:
    """No signal of the table is dead."""
    assert {signal for _, signal in TABLE} == set(Signal)


def test_the_end_is_reached_from_everywhere_by_a_stop() -> None:
    """Whatever an actor does, a stop leads to STOPPING, and from there to STOPPED only."""
    for phase in set(Phase) - {Phase.STOPPED}:
        assert step(phase, Signal.STOP) is Phase.STOPPING
    assert {after for (before, _), after in TABLE.items() if before is Phase.STOPPING} == {
        Phase.STOPPING,
        Phase.STOPPED,
    }


def test_nothing_follows_the_end() -> None:
    """STOPPED is final: no signal leads on."""
    assert [signal for before, signal in TABLE if before is Phase.STOPPED] == []


@given(st.lists(st.sampled_from(Signal), max_size=60))
def test_a_walk_never_takes_messages_between_two_starts(signals: list[Signal]) -> None:
    """RUNNING is entered from STARTING alone, and nothing comes back from STOPPING."""
    walk = [Phase.STARTING]
    for signal in signals:
        try:
            walk.append(step(walk[-1], signal))
        except IllegalStep:
            continue
    for before, after in itertools.pairwise(walk):
        assert after is not Phase.RUNNING or before is Phase.STARTING
        assert before is not Phase.STOPPING or after in (Phase.STOPPING, Phase.STOPPED)
        assert before is not Phase.STOPPED


@pytest.mark.parametrize(
    ("phase", "expected"),
    [
        (Phase.STARTING, ActorState.STARTING),
        (Phase.ENDING, ActorState.BACKING_OFF),
        (Phase.WAITING, ActorState.BACKING_OFF),
        (Phase.TRIPPED, ActorState.CIRCUIT_OPEN),
        (Phase.STOPPING, ActorState.STOPPING),
        (Phase.STOPPED, ActorState.STOPPED),
    ],
)
@pytest.mark.parametrize(("busy", "suspended"), list(itertools.product((False, True), repeat=2)))
def test_outside_running_the_phase_alone_is_shown(
    phase: Phase, expected: ActorState, busy: bool, suspended: bool
) -> None:
    """What is in hand, or a suspension, hides no start, wait or end."""
    assert state_of(phase, busy=busy, suspended=suspended) is expected


@pytest.mark.parametrize("phase", Phase)
def test_an_incarnation_that_opened_its_breaker_shows_so_while_it_ends(phase: Phase) -> None:
    """And in no other phase, where the breaker of a former one tells nothing."""
    shown = state_of(phase, busy=False, suspended=False, tripped=True)
    expected = state_of(phase, busy=False, suspended=False)
    assert shown is (ActorState.CIRCUIT_OPEN if phase is Phase.ENDING else expected)


@pytest.mark.parametrize(
    ("busy", "suspended", "expected"),
    [
        (False, False, ActorState.IDLE),
        (True, False, ActorState.BUSY),
        (False, True, ActorState.SUSPENDED),
        (True, True, ActorState.BUSY),
    ],
)
def test_a_running_actor_is_busy_before_it_is_suspended(
    busy: bool, suspended: bool, expected: ActorState
) -> None:
    """With a message in hand it is BUSY, also when it was suspended meanwhile."""
    assert state_of(Phase.RUNNING, busy=busy, suspended=suspended) is expected


def test_the_states_are_those_of_the_contract() -> None:
    """Users match on these names."""
    names = "STARTING IDLE BUSY BACKING_OFF CIRCUIT_OPEN SUSPENDED STOPPING STOPPED UNREACHABLE"
    assert [str(state) for state in ActorState] == names.split()
