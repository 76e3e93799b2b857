"""The deadline machine: exact moments, and what holds whatever an actor does."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.limits import Ladder, Timeout
from actors.timeouts.deadline import SHORTEST, Deadline, Mark
from tests.rounds import rounds
from tests.timeouts.model import TICK, Life, Walker, naive

QUIET = Timeout(no_activity=None)
"""The defaults of the contract, without a limit of silence."""


def moments(policy: Timeout, life: Life, initial: float | None = None) -> list[tuple[float, str, float]]:
    """(when, what, seconds) of a run that is looked at only when something can be due."""
    walker = Walker(policy, life, initial)
    walker.go_when_due()
    return [(at, step.mark.value, step.seconds) for at, step in walker.found]


def ends(policy: Timeout, life: Life, initial: float | None = None) -> tuple[float, str, float]:
    return moments(policy, life, initial)[-1]


TALKING = Life.talking(every=1.0)


# --- the limit --------------------------------------------------------------------------


@pytest.mark.row(19)
def test_who_talks_without_pause_has_the_whole_maximum() -> None:
    """60, 90, 135, 202.5, 300, each warned of at 0.8 of it."""
    assert moments(QUIET, TALKING) == [
        (48.0, "warn", 12.0),
        (60.0, "extended", 90.0),
        (72.0, "warn", 18.0),
        (90.0, "extended", 135.0),
        (108.0, "warn", 27.0),
        (135.0, "extended", 202.5),
        (162.0, "warn", 40.5),
        (202.5, "extended", 300.0),
        (240.0, "warn", 60.0),
        (300.0, "passed", 300.0),
    ]


@pytest.mark.row(19)
def test_the_silent_end_at_the_first_limit() -> None:
    """A start is no activity: without a sign of life nothing is ever extended."""
    assert moments(QUIET, Life()) == [(48.0, "warn", 12.0), (60.0, "passed", 60.0)]


@pytest.mark.row(19)
@pytest.mark.parametrize(
    ("last", "end"),
    [(50.0, 60.0), (50.25, 90.0), (59.75, 90.0), (80.0, 90.0), (80.25, 135.0), (292.5, 300.0)],
)
def test_only_activity_just_before_the_limit_extends_it(last: float, end: float) -> None:
    """Ten seconds before are too old, less are young enough; each limit is judged by itself."""
    life = Life([at for at in (59.0, 89.0, 134.0, 202.0) if at < last] + [last])
    assert ends(QUIET, life)[:2] == (end, "passed")


@pytest.mark.parametrize("extend_within", [0.0, 0.5, math.inf])
def test_how_young_is_said_by_extend_within(extend_within: float) -> None:
    """Zero: never. Infinity: any sign of life, however old, is enough for the whole maximum."""
    policy = Timeout(no_activity=None, extend_within=extend_within)
    expected = {0.0: 60.0, 0.5: 60.0, math.inf: 300.0}[extend_within]
    assert ends(policy, Life([1.0]))[0] == expected


def test_the_last_extension_stops_at_the_maximum() -> None:
    """A limit never grows over it, however little is missing."""
    policy = Timeout("progressive", 10.0, 10.5, factor=2.0, no_activity=None)
    assert moments(policy, TALKING)[1:] == [
        (10.0, "extended", 10.5),
        (10.0, "warn", 0.5),
        (10.5, "passed", 10.5),
    ]


def test_a_maximum_of_the_initial_limit_never_extends() -> None:
    """There is nowhere to grow to."""
    assert ends(Timeout("progressive", 60.0, 60.0, no_activity=None), TALKING) == (60.0, "passed", 60.0)


@pytest.mark.row(20)
@pytest.mark.parametrize("initial", [30.0, 1800.0])
def test_a_fixed_limit_never_extends(initial: float) -> None:
    """It is what it says, also above `maximum`, which is not its own."""
    policy = Timeout("fixed", initial, no_activity=None)
    assert moments(policy, TALKING) == [
        (0.8 * initial, "warn", pytest.approx(0.2 * initial)),
        (initial, "passed", initial),
    ]


@pytest.mark.row(20)
@pytest.mark.parametrize(
    ("measured", "silent", "talking"),
    [
        (None, 60.0, 300.0),
        (8.0, 8.0, 300.0),
        (250.0, 250.0, 300.0),
        (900.0, 300.0, 300.0),
        (0.0, SHORTEST, SHORTEST),
    ],
)
def test_adaptive_grows_from_what_runs_before_took(
    measured: float | None, silent: float, talking: float
) -> None:
    """At most to the maximum, and never from less than a millisecond."""
    policy = Timeout("adaptive", no_activity=None)
    assert ends(policy, Life(), measured)[:2] == (silent, "passed")
    assert ends(policy, TALKING, measured)[:2] == (talking, "passed")


def test_a_measured_limit_is_never_above_the_maximum() -> None:
    """Also where that is shorter than the shortest limit."""
    policy = Timeout("adaptive", 0.0001, 0.0005, no_activity=None)
    assert ends(policy, Life(), 7.0)[0] == 0.0005


def test_no_limit_at_all_is_a_limit_too() -> None:
    """Infinity: nothing is ever due."""
    deadline = Deadline(Timeout("fixed", math.inf, no_activity=None))
    deadline.begin(5.0)
    assert deadline.due(5.0, None, 5.0) == math.inf
    assert deadline.look(1e12, 3.0, 3.0) == []
    assert deadline.end(None, 5.0) == (math.inf, False)


# --- silence ---------------------------------------------------------------------------


@pytest.mark.row(12)
@pytest.mark.parametrize(("no_activity", "name"), [(30.0, "default"), (10.0, "test"), (15.0, "fast_fail")])
def test_silence_ends_a_run_at_its_own_limit(no_activity: float, name: str) -> None:
    """Counted from the start, then from each sign of life; the limit is far away."""
    policy = Timeout(initial=1000.0, maximum=1000.0, no_activity=no_activity)
    assert moments(policy, Life()) == [(no_activity, "silent", no_activity)]
    assert moments(policy, Life([3.0, 7.5])) == [(7.5 + no_activity, "silent", no_activity)]


def test_at_the_same_moment_the_limit_comes_before_silence() -> None:
    """Thirty silent seconds of thirty: its time was up."""
    assert ends(Timeout("fixed", 30.0, no_activity=30.0), Life())[:2] == (30.0, "passed")


def test_a_limit_that_grows_at_the_moment_of_silence_does_not_help() -> None:
    """The sign of life five seconds ago extends it, and is five seconds old all the same."""
    policy = Timeout(no_activity=5.0)
    life = Life([*range(2, 56), 55.0])
    assert moments(policy, life)[-2:] == [(60.0, "extended", 90.0), (60.0, "silent", 5.0)]
    deadline = Deadline(policy)
    deadline.begin(0.0)
    assert deadline.end(55.0, 55.0) == (60.0, True)


def test_silence_stands_still_while_its_clock_does() -> None:
    """Ten silent seconds, a hundred that do not count, and the rest of the thirty."""
    policy = Timeout(initial=1000.0, maximum=1000.0, no_activity=30.0)
    assert moments(policy, Life(holds=[(10.0, 110.0)])) == [(130.0, "silent", 30.0)]


def test_the_limit_does_not_stand_still() -> None:
    """Whoever waits for ever has used up the limit at its moment."""
    assert ends(Timeout(), Life(holds=[(10.0, 1e6)]))[:2] == (60.0, "passed")


# --- the ladder ------------------------------------------------------------------------

LONG = Timeout(initial=1e4, maximum=1e4, no_activity=100.0, ladder=Ladder())


def test_the_ladder_is_climbed_once_in_each_silence() -> None:
    """Notice, nudge, warning and the end at 50, 75, 90 and 100 % of the limit of silence."""
    assert moments(LONG, Life()) == [
        (50.0, "notice", 50.0),
        (75.0, "nudge", 75.0),
        (90.0, "warn_silence", 90.0),
        (100.0, "silent", 100.0),
    ]


def test_a_sign_of_life_leads_back_to_the_ground() -> None:
    """Whatever rung was reached, the next silence begins with the first one."""
    marks = [(at, mark) for at, mark, _ in moments(LONG, Life([60.0, 140.0, 235.0]))]
    assert marks == [
        (50.0, "notice"),
        (110.0, "notice"),
        (135.0, "nudge"),
        (190.0, "notice"),
        (215.0, "nudge"),
        (230.0, "warn_silence"),
        (285.0, "notice"),
        (310.0, "nudge"),
        (325.0, "warn_silence"),
        (335.0, "silent"),
    ]


def test_a_wait_leads_to_no_rung_and_from_none() -> None:
    """Up to the nudge at 75, a wait of 50, then on to the warning at 90 + 50."""
    marks = [(at, mark) for at, mark, _ in moments(LONG, Life(holds=[(80.0, 130.0)]))]
    assert marks == [(50.0, "notice"), (75.0, "nudge"), (140.0, "warn_silence"), (150.0, "silent")]


@pytest.mark.parametrize(
    ("ladder", "rungs"),
    [
        (Ladder(notice=None), ["nudge", "warn_silence"]),
        (Ladder(nudge=None), ["notice", "warn_silence"]),
        (Ladder(warn=None), ["notice", "nudge"]),
        (Ladder(None, 0.01, None), ["nudge"]),
        (Ladder(None, None, None), []),
        (Ladder(0.5, 0.5, 0.5), ["notice", "nudge", "warn_silence"]),
    ],
)
def test_rungs_can_be_left_out_or_stand_at_one_height(ladder: Ladder, rungs: list[str]) -> None:
    """Their order stays."""
    policy = Timeout(initial=1e4, maximum=1e4, no_activity=100.0, ladder=ladder)
    assert [mark for _, mark, _ in moments(policy, Life())] == [*rungs, "silent"]


# --- late looks ---------------------------------------------------------------------


def looked(policy: Timeout, *times: float, activity: float | None = None, quiet: Any = ...) -> list[Any]:
    """(what, seconds) found by looks at these times, after a start at 0."""
    deadline = Deadline(policy)
    deadline.begin(0.0)
    since = (activity or 0.0) if quiet is ... else quiet
    return [(step.mark.value, step.seconds) for now in times for step in deadline.look(now, activity, since)]


def test_a_late_look_finds_the_end_once() -> None:
    """A loop that stood still for an hour: the limit that was passed, not the hour."""
    assert looked(QUIET, 3600.0) == [("passed", 60.0)]
    assert looked(QUIET, 3600.0, activity=59.0) == [("extended", 90.0), ("passed", 90.0)]


def test_a_late_look_finds_what_came_first() -> None:
    """Silence at 30 was there before the limit at 60, however late it is seen."""
    assert looked(Timeout(), 3600.0) == [("silent", 3600.0)]
    assert looked(Timeout(no_activity=90.0), 3600.0) == [("passed", 60.0)]


def test_a_late_look_climbs_all_rungs() -> None:
    """In their order, before the end."""
    assert [mark for mark, _ in looked(LONG, 5000.0)] == ["notice", "nudge", "warn_silence", "silent"]


def test_activity_in_the_time_that_nobody_looked_counts() -> None:
    """It may have come before the limit, too: who was not looked at is not to blame."""
    assert looked(QUIET, 65.0, activity=64.0) == [("extended", 90.0)]


def test_a_second_look_at_one_moment_finds_nothing_new() -> None:
    """What was told is told."""
    assert looked(LONG, 75.0, 75.0) == [("notice", 75.0), ("nudge", 75.0)]
    assert looked(QUIET, 60.0, 60.0, activity=59.0) == [("extended", 90.0)]


# --- whatever an actor does ------------------------------------------------------------

ticks = st.integers(1, 400).map(lambda count: count * TICK)
shares = st.none() | st.sampled_from([0.25, 0.5, 0.625, 0.75])


@st.composite
def timeouts(draw: st.DrawFn) -> Timeout:
    initial = draw(ticks)
    rungs = sorted(share for share in (draw(shares), draw(shares), draw(shares)) if share is not None)
    no_activity = draw(st.none() | ticks)
    ladder = Ladder(*rungs, *[None] * (3 - len(rungs))) if draw(st.booleans()) and no_activity else None
    return Timeout(
        draw(st.sampled_from(["progressive", "fixed", "adaptive"])),
        initial,
        initial + draw(st.sampled_from([0.0, 0.25, 7.0, 100.0, 300.0])),
        extend_within=draw(st.sampled_from([0.0, TICK, 5.0, 10.0, 1000.0])),
        factor=draw(st.sampled_from([1.25, 1.5, 2.0, 3.0])),
        no_activity=no_activity,
        ladder=ladder,
    )


@st.composite
def lives(draw: st.DrawFn) -> Life:
    activity = sorted(draw(st.lists(ticks, max_size=30)))
    edges = sorted(draw(st.lists(ticks, max_size=6, unique=True)))
    return Life(activity, list(zip(edges[::2], edges[1::2], strict=False)))


@settings(max_examples=rounds(100, deep=300), derandomize=True, database=None)
@given(policy=timeouts(), life=lives(), initial=st.none() | ticks, start=st.sampled_from([0.0, 3.25, 1e6]))
def test_a_look_when_something_is_due_misses_nothing(
    policy: Timeout, life: Life, initial: float | None, start: float
) -> None:
    """It finds the same steps at the same moments as one who looks all the time."""
    lazy = Walker(policy, life, initial, start)
    lazy.go_when_due()
    eager = Walker(policy, life, initial, start)
    eager.go_all_the_time(also=lazy.looks)
    assert lazy.found == eager.found
    assert lazy.found[-1][1].mark in (Mark.SILENT, Mark.PASSED)


@settings(max_examples=rounds(100, deep=300), derandomize=True, database=None)
@given(policy=timeouts(), life=lives(), initial=st.none() | ticks)
def test_it_finds_what_a_naive_clockwork_finds(policy: Timeout, life: Life, initial: float | None) -> None:
    """A second model goes from tick to tick and knows nothing of due moments."""
    walker = Walker(policy, life, initial)
    walker.go_all_the_time()
    assert [(at, step.mark.value) for at, step in walker.found] == naive(policy, life, initial)


@settings(max_examples=rounds(100, deep=300), derandomize=True, database=None)
@given(policy=timeouts(), life=lives(), initial=st.none() | ticks)
def test_looking_is_rare(policy: Timeout, life: Life, initial: float | None) -> None:
    """No more often than limits, warnings and rungs can come due; activity alone costs no look."""
    walker = Walker(policy, life, initial)
    walker.go_when_due()
    ended = walker.found[-1][0]
    first = min((share for share in (1.0, *walker.rungs)), default=1.0) * (policy.no_activity or math.inf)
    limits = 2 * (walker.deadline.extensions + 1)
    silences = (len(walker.rungs) + 1) * (1 + len(life.holds) + ended / first)
    assert len(walker.looks) <= limits + 2 * silences


@settings(max_examples=rounds(100, deep=300), derandomize=True, database=None)
@given(policy=timeouts(), life=lives(), initial=st.none() | ticks)
def test_the_foreseen_end_is_the_end(policy: Timeout, life: Life, initial: float | None) -> None:
    """After the last sign of life `end` names moment and cause of what then comes."""
    life = Life(life.activity)
    walker = Walker(policy, life, initial)
    walker.go_when_due()
    at, step = walker.found[-1]
    heard = [one for one in life.activity if one < at]
    last = heard[-1] if heard else None
    deadline = Deadline(policy)
    deadline.begin(0.0, initial)
    for one, before in zip(heard, [None, *heard], strict=False):
        deadline.look(one, before, before or 0.0)
    foreseen, silent = deadline.end(last, last or 0.0)
    assert (foreseen, silent) == (at, step.mark is Mark.SILENT)


@settings(max_examples=rounds(100, deep=300), derandomize=True, database=None)
@given(
    initial=st.floats(1e-9, 1e9),
    factor=st.floats(1.01, 1e3),
    no_activity=st.none() | st.floats(1e-12, 1e9),
    share=st.floats(1e-30, 1.0, exclude_max=True),
    start=st.floats(0.0, 1e9),
    ages=st.lists(st.floats(0.0, 1.0), max_size=20),
)
def test_every_look_leads_on(
    initial: float, factor: float, no_activity: float | None, share: float, start: float, ages: list[float]
) -> None:
    """After a look that did not end the run the next one is later, whatever the rounding: nobody spins."""
    ladder = None if no_activity is None else Ladder(share, None, None)
    deadline = Deadline(
        Timeout("progressive", initial, initial * 100, factor=factor, no_activity=no_activity, ladder=ladder)
    )
    deadline.begin(start)
    now, last = start, None
    for age in [*ages, 1.0]:
        due = deadline.due(now, last, start if last is None else last)
        assert due > now or deadline.look(now, last, start if last is None else last)
        steps = deadline.look(due, last, start if last is None else last)
        if steps and steps[-1].mark in (Mark.SILENT, Mark.PASSED):
            return
        now, last = due, max(last or start, due - age * initial)
