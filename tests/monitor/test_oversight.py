"""The oversight machine: a table of times, recovery, and when it looks."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from actors import Oversight
from actors.monitor.oversight import Act, Condition, Overseer, Reason

Fact = tuple[float, str, str, int]
DEFAULT = Oversight()


def seen(
    policy: Oversight,
    condition_at: Callable[[float], Condition],
    until: float,
    changes: tuple[float, ...] = (),
) -> list[Fact]:
    """What is done when, looking at what is due and at the moments at which something changes."""
    overseer = Overseer(policy)
    facts: list[Fact] = []
    now, turns = 0.0, sorted(changes)
    while True:
        due = overseer.due(now, condition_at(now))
        assert due > now or due == -math.inf
        if turns and turns[0] <= max(due, now):
            due = turns.pop(0)
        now = max(now, due)
        if now > until:
            return facts
        for step in overseer.look(now, condition_at(now)):
            facts.append((now, str(step.reason), step.act.value, step.attempt))


def stuck(since: float) -> Callable[[float], Condition]:
    return lambda now: Condition(quiet_since=since)


@pytest.mark.row(84)
def test_the_stuck_are_nudged_thrice_a_minute_apart_and_then_help_is_called() -> None:
    """After 300 seconds without a sign of life; and nothing after that."""
    assert seen(DEFAULT, stuck(0.0), 10_000.0) == [
        (300.0, "stuck", "nudge", 1),
        (360.0, "stuck", "nudge", 2),
        (420.0, "stuck", "nudge", 3),
        (480.0, "stuck", "help", 3),
    ]


@pytest.mark.row(84)
def test_who_waits_is_nudged_after_two_minutes() -> None:
    """Its clock of silence stands still: it is not stuck."""
    found = seen(DEFAULT, lambda now: Condition(waiting_since=10.0), 10_000.0)
    assert found == [
        (130.0, "waiting", "nudge", 1),
        (190.0, "waiting", "nudge", 2),
        (250.0, "waiting", "nudge", 3),
        (310.0, "waiting", "help", 3),
    ]


@pytest.mark.row(84)
def test_three_errors_in_a_row_are_trouble_at_once() -> None:
    """Two are none."""
    overseer = Overseer(DEFAULT)
    assert overseer.look(0.0, Condition(errors=2)) == []
    (step,) = overseer.look(1.0, Condition(errors=3))
    assert (step.act, step.reason, step.seconds, step.attempt) == (Act.NUDGE, Reason.ERRORS, 0.0, 1)
    assert overseer.look(30.0, Condition(errors=4)) == []
    assert [overseer.look(at, Condition(errors=5))[0].act for at in (61.0, 121.0, 181.0)] == [
        Act.NUDGE,
        Act.NUDGE,
        Act.HELP,
    ]
    assert overseer.look(500.0, Condition(errors=9)) == []
    assert overseer.due(500.0, Condition(errors=9)) == math.inf
    assert [step.act for step in overseer.look(600.0, Condition())] == [Act.RECOVERED]


@pytest.mark.row(84)
def test_the_healthy_are_left_alone() -> None:
    """At work with signs of life, idle, or with errors that were not in a row."""
    assert seen(DEFAULT, lambda now: Condition(quiet_since=now - 299.0, errors=2), 10_000.0) == []
    assert seen(DEFAULT, lambda now: Condition(), 10_000.0) == []


@pytest.mark.row(84)
def test_recovery_starts_over() -> None:
    """Nudged twice, a sign of life at 370, silent again: the next nudge is the first."""
    found = seen(DEFAULT, lambda now: Condition(quiet_since=0.0 if now < 370.0 else 370.0), 735.0)
    assert found == [
        (300.0, "stuck", "nudge", 1),
        (360.0, "stuck", "nudge", 2),
        (420.0, "stuck", "recovered", 2),
        (670.0, "stuck", "nudge", 1),
        (730.0, "stuck", "nudge", 2),
    ]


@pytest.mark.row(84)
def test_recovery_between_two_looks_is_one() -> None:
    """A limit shorter than the cooldown: when it looks again the agent is stuck anew."""
    policy = Oversight(stuck=10.0, waiting=10.0)
    found = seen(policy, lambda now: Condition(quiet_since=0.0 if now < 15.0 else 15.0), 140.0)
    assert found == [
        (10.0, "stuck", "nudge", 1),
        (70.0, "stuck", "recovered", 1),
        (70.0, "stuck", "nudge", 1),
        (130.0, "stuck", "nudge", 2),
    ]
    found = seen(policy, lambda now: Condition(waiting_since=0.0 if now < 15.0 else 16.0), 80.0)
    assert [fact[2] for fact in found] == ["nudge", "recovered", "nudge"]


def test_recovery_is_noticed_after_help_was_called() -> None:
    """Whatever errors lie behind: a look each cooldown while it is in trouble."""
    policy = Oversight(interventions=1)
    found = seen(policy, lambda now: Condition(quiet_since=0.0 if now < 500.0 else 500.0, errors=1), 900.0)
    assert found == [
        (300.0, "stuck", "nudge", 1),
        (360.0, "stuck", "help", 1),
        (540.0, "stuck", "recovered", 1),
        (800.0, "stuck", "nudge", 1),
        (860.0, "stuck", "help", 1),
    ]


def test_one_trouble_after_the_other() -> None:
    """Out of one and into the next: told, and counted from the beginning; never within the cooldown."""
    overseer = Overseer(DEFAULT)
    overseer.look(300.0, Condition(quiet_since=0.0))
    steps = overseer.look(310.0, Condition(waiting_since=190.0))
    assert [step.act for step in steps] == [Act.RECOVERED]
    steps = overseer.look(360.0, Condition(waiting_since=190.0))
    assert [(step.act, step.reason, step.seconds, step.attempt) for step in steps] == [
        (Act.NUDGE, Reason.WAITING, 170.0, 1)
    ]


def test_what_was_forgotten_is_not_recovered_from() -> None:
    """A run that was ended is over; the cooldown still holds."""
    overseer = Overseer(DEFAULT)
    overseer.look(300.0, Condition(quiet_since=0.0))
    overseer.forget()
    assert overseer.look(301.0, Condition()) == []
    assert overseer.look(350.0, Condition(quiet_since=0.0)) == []
    assert [step.attempt for step in overseer.look(360.0, Condition(quiet_since=0.0))] == [1]


def test_who_was_not_nudged_does_not_recover() -> None:
    """Trouble within the cooldown of an earlier one, over before its end: nobody was told of it."""
    overseer = Overseer(DEFAULT)
    overseer.look(300.0, Condition(quiet_since=0.0))
    overseer.forget()
    overseer.look(310.0, Condition(quiet_since=0.0))
    assert overseer.look(320.0, Condition(quiet_since=315.0)) == []


def test_nothing_to_look_for_is_never_due() -> None:
    """All three left out."""
    policy = Oversight(stuck=None, waiting=None, errors=None)
    condition = Condition(quiet_since=0.0, waiting_since=0.0, errors=99)
    assert Overseer(policy).due(5.0, condition) == math.inf
    assert Overseer(policy).look(1e9, condition) == []
