"""Limits that cannot be meant: refused when they are made, with the name, the value and the cure."""

from __future__ import annotations

import math
import tomllib
from pathlib import Path
from typing import Any

import cattrs
import pytest

import actors
from actors import FailureKind, Ladder, Oversight, Pattern, Policy, Stall, Timeout
from tests.cli.cast import faults_in

NO_TIMES: list[Any] = [0.0, -1.0, math.nan, -math.inf, "30", True, [1]]


@pytest.mark.parametrize("value", NO_TIMES)
@pytest.mark.parametrize("field", ["initial", "maximum", "no_activity"])
def test_a_limit_is_more_than_no_time(field: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"{field} must be") as caught:
        Timeout(**{field: value})
    assert repr(value) in str(caught.value)


@pytest.mark.parametrize("field", ["initial", "maximum"])
def test_only_silence_may_be_left_out(field: str) -> None:
    assert Timeout(no_activity=None).no_activity is None
    with pytest.raises(ValueError, match=field):
        Timeout(**{field: None})


@pytest.mark.parametrize("value", [-1.0, math.nan, "1", True, None])
def test_extend_within_is_a_time_or_zero(value: Any) -> None:
    assert Timeout(extend_within=0.0).extend_within == 0.0
    with pytest.raises(ValueError, match="extend_within must be"):
        Timeout(extend_within=value)


@pytest.mark.parametrize("value", [1.0, 1, 0.5, 0.0, -2.0, math.nan, math.inf, "2", True, None])
def test_a_factor_lets_a_limit_grow(value: Any) -> None:
    with pytest.raises(ValueError, match="factor must be") as caught:
        Timeout(factor=value)
    assert repr(value) in str(caught.value)


@pytest.mark.parametrize("mode", ["slow", "FIXED", "", None, 1, ["fixed"]])
def test_an_unknown_mode_is_told_the_known_ones(mode: Any) -> None:
    with pytest.raises(ValueError, match="mode must be one of progressive, fixed, adaptive") as caught:
        Timeout(mode)
    assert repr(mode) in str(caught.value)


@pytest.mark.parametrize("mode", ["progressive", "adaptive"])
def test_initial_is_not_above_maximum(mode: Any) -> None:
    """The error names both, and two ways out; a fixed limit has no maximum."""
    with pytest.raises(ValueError, match=r"initial \(400 s\) is above maximum \(300 s\): raise maximum"):
        Timeout(mode, 400.0)
    assert Timeout("fixed", 400.0).initial == 400.0
    assert Timeout(mode, 300.0).initial == 300.0


# --- the ladder --------------------------------------------------------------------------


@pytest.mark.parametrize("value", [0.0, 1.0, 75, -0.5, math.nan, "0.5", True])
@pytest.mark.parametrize("rung", ["notice", "nudge", "warn"])
def test_a_rung_is_a_share(rung: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"{rung} is a share of the silence limit between 0 and 1"):
        Ladder(**{rung: value})


def test_a_ladder_goes_up() -> None:
    with pytest.raises(ValueError, match=r"a ladder goes up: .* not \[0.8, 0.75, 0.9\]"):
        Ladder(notice=0.8)
    assert Ladder(notice=0.8, nudge=None).notice == 0.8


def test_a_ladder_leads_to_a_limit_of_silence() -> None:
    with pytest.raises(ValueError, match="a ladder leads to the silence limit: set no_activity"):
        Timeout(no_activity=None, ladder=Ladder())


@pytest.mark.parametrize("ladder", [{"notice": 0.5}, 0.5, "steep", True])
def test_a_ladder_is_a_ladder(ladder: Any) -> None:
    with pytest.raises(TypeError, match="ladder"):
        Timeout(ladder=ladder)


# --- patterns, stall, oversight -----------------------------------------------------------


@pytest.mark.parametrize(
    ("regex", "position"), [("a(b", 1), ("[", 0), ("x*+*", 3), ("(?P<n>a)(?P<n>b)", 12), ("a\\", 1)]
)
def test_a_broken_regular_expression_is_named_with_its_position(regex: str, position: int) -> None:
    """In a pattern, and in a list of them with its place there."""
    for make, name in (
        (lambda: Pattern(regex), "regex"),
        (lambda: Stall(patterns=("fine", regex)), "patterns[1]"),
    ):
        with pytest.raises(ValueError, match="is no regular expression") as caught:
            make()
        assert str(caught.value).startswith(f"{name} {regex!r} ")
        assert str(caught.value).endswith(f"at position {position}")


@pytest.mark.parametrize("regex", ["", "a*", "(x|)", "^"])
def test_a_pattern_that_is_always_there_is_refused(regex: str) -> None:
    with pytest.raises(ValueError, match="matches the empty string and would end every run"):
        Stall(patterns=[regex])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Stall(patterns="429"), "patterns must be a list"),
        (lambda: Stall(patterns=None), "patterns must be a list"),
        (lambda: Stall(patterns=[429]), r"patterns\[0\] must be a regular expression as a str"),
        (lambda: Stall(predicates=[1]), r"predicates\[0\] must be a function"),
        (lambda: Pattern("x", kind="FATAL"), f"kind must be one of {', '.join(FailureKind)}, not 'FATAL'"),
        (lambda: Pattern("x", stream="log"), "stream must be one of stderr, stdout, both"),
        (lambda: Stall(threshold=0), "threshold must be more than 0"),
        (lambda: Stall(check_interval=math.inf), "check_interval must be finite"),
        (lambda: Stall(confirmations=0), "confirmations must be a whole number of 1"),
        (lambda: Stall(min_output=1.5), "min_output must be a whole number of 0"),
        (lambda: Oversight(stuck=0), "stuck must be more than 0"),
        (lambda: Oversight(errors=0), "errors must be a whole number of 1"),
        (lambda: Oversight(interventions=0), "interventions must be"),
        (lambda: Oversight(cooldown=0), "cooldown must be more than 0"),
    ],
)
def test_what_watches_is_checked_likewise(make: Any, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        make()


# --- in a policy -------------------------------------------------------------------------


@pytest.mark.parametrize("value", [30, "30", {"initial": 30}, Stall(), True])
def test_a_timeout_is_a_timeout(value: Any) -> None:
    """The error shows the one to write."""
    with pytest.raises(TypeError, match=r'a Timeout or None, not .*Timeout\(mode="fixed", initial=30\)'):
        Policy(timeout=value)


@pytest.mark.parametrize(("field", "example"), [("stall", "Stall"), ("oversight", "Oversight")])
def test_the_others_are_themselves_too(field: str, example: str) -> None:
    with pytest.raises(
        TypeError, match=rf"{field} must be a {example} or None, not 30: write actors\.{example}"
    ):
        Policy(**{field: 30})


@pytest.mark.parametrize("field", ["retry_on_timeout", "retry_on_pattern"])
def test_a_flag_is_true_or_false(field: str) -> None:
    """ "no" would be true."""
    with pytest.raises(TypeError, match=field):
        Policy(**{field: "no"})


# --- from a file -------------------------------------------------------------------------

BAD = {
    "initial above maximum": (
        "{ timeout = { initial = 400 } }",
        "initial (400 s) is above maximum",
        "timeout",
    ),
    "a factor of one": ("{ timeout = { factor = 1 } }", "factor must be more than 1", "timeout.factor"),
    "no silence": (
        "{ timeout = { no_activity = 0 } }",
        "no_activity must be more than 0",
        "timeout.no_activity",
    ),
    "silence of nan": ("{ timeout = { no_activity = nan } }", "not nan", "timeout.no_activity"),
    "an unknown mode": (
        '{ timeout = { mode = "slow" } }',
        "one of progressive, fixed, adaptive",
        "timeout.mode",
    ),
    "a number for a table": ("{ timeout = 30 }", "", "timeout"),
    "true for a table": ("{ timeout = true }", "", "timeout"),
    "a time as text": ('{ timeout = { initial = "5" } }', "number", "timeout.initial"),
    "an unknown key": ("{ timeout = { limit = 5 } }", "limit", "timeout"),
    "a ladder without an end": (
        "{ timeout = { no_activity = false, ladder = {} } }",
        "a ladder leads to the silence limit",
        "timeout",
    ),
    "a ladder that goes down": (
        "{ timeout = { ladder = { notice = 0.9, nudge = 0.1 } } }",
        "a ladder goes up",
        "timeout.ladder",
    ),
    "a rung above it": ("{ timeout = { ladder = { warn = 9 } } }", "a share of", "timeout.ladder.warn"),
    "a broken pattern": (
        "{ stall = { patterns = ['fine', 'a('] } }",
        "'a(' is no regular expression: missing ), unterminated subpattern at position 1",
        "stall.patterns[1]",
    ),
    "a broken pattern in a table": (
        "{ stall = { patterns = [{ regex = 'a(' }] } }",
        "at position 1",
        "stall.patterns[0]",
    ),
    "an unknown kind": (
        "{ stall = { patterns = [{ regex = 'a', kind = 'FATAL' }] } }",
        "kind must be one of ERROR, TIMEOUT,",
        "stall.patterns[0].kind",
    ),
    "a pattern that is none": ("{ stall = { patterns = [7] } }", "regular expression", "stall.patterns[0]"),
    "patterns that are none": ("{ stall = { patterns = 'a' } }", "a list", "stall.patterns"),
    "a function as data": ("{ stall = { predicates = [] } }", "unknown key 'predicates'", "stall"),
    "a callback as data": ("{ stall = { on_detection = 'f' } }", "unknown key 'on_detection'", "stall"),
    "no confirmations": ("{ stall = { confirmations = 0 } }", "1 or more, not 0", "stall.confirmations"),
    "no errors": ("{ oversight = { errors = 0 } }", "1 or more, not 0", "oversight.errors"),
    "a flag that is none": ("{ retry_on_timeout = 1 }", "true or false, not 1", "retry_on_timeout"),
    "a preset that does not fit": (
        '{ preset = "development", timeout = { mode = "progressive" } }',
        "initial (1800 s) is above maximum (300 s)",
        "timeout",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_the_check_of_a_file_names_the_mistake_and_its_place(case: str, tmp_path: Path) -> None:
    """As `actors check` prints it: one line for one mistake."""
    text, message, place = BAD[case]
    [line] = faults_in(tmp_path, f'[[agents]]\nname = "a"\ncommand = ["true"]\npolicy = {text}\n')
    assert message in line
    assert line.endswith(f" @ $.agents[0].policy.{place}")


def test_all_mistakes_of_a_limit_come_at_once(tmp_path: Path) -> None:
    """In a table of its own, too."""
    text = '[[agents]]\ncommand = ["true"]\n[agents.policy.timeout]\nmode = "x"\ninitial = 0\nfactor = 0.5\n'
    places = [line.rpartition("timeout.")[2] for line in faults_in(tmp_path, text)]
    assert sorted(places) == ["factor", "initial", "mode"]


PLAIN = [
    "timeout = { initial = 400 }",
    "timeout = { factor = 1 }",
    "timeout = { no_activity = 0 }",
    "timeout = { no_activity = nan }",
    'timeout = { mode = "slow" }',
    "timeout = { ladder = { warn = 9 } }",
    "stall = { patterns = ['a('] }",
    "stall = { patterns = [{ regex = 'a', kind = 'FATAL' }] }",
    "stall = { confirmations = 0 }",
]


@pytest.mark.parametrize("text", PLAIN)
def test_a_plain_converter_refuses_the_same(text: str) -> None:
    """The records check themselves: whoever reads the data, it is not taken."""
    with pytest.raises(cattrs.ClassValidationError):
        cattrs.structure(tomllib.loads(text), Policy)


def test_a_plain_converter_takes_what_is_right() -> None:
    """Tables become records, down to the patterns."""
    text = """
    timeout = { mode = "fixed", initial = 5, no_activity = 2.5, ladder = { notice = 0.25 } }
    stall = { patterns = ["a", { regex = "b", kind = "RATE_LIMIT", stream = "both" }], terminate = false }
    oversight = { stuck = 10 }
    """
    policy = cattrs.structure(tomllib.loads(text), Policy)
    assert policy == Policy(
        timeout=Timeout("fixed", 5.0, no_activity=2.5, ladder=Ladder(0.25)),
        stall=Stall(
            patterns=("a", actors.Pattern("b", kind=FailureKind.RATE_LIMIT, stream="both")), terminate=False
        ),
        oversight=Oversight(stuck=10.0),
    )
