"""The page about deadlines, held against the presets and the machine."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from actors import Breaker, Ladder, Policy, Timeout

PAGE = (Path(__file__).parents[2] / "docs" / "deadlines.md").read_text("utf-8")


def rows(heading: str) -> list[list[str]]:
    """The cells of the first table under a heading, without its two head lines."""
    table = re.search(rf"## {heading}\n.*?((?:^\|[^\n]*\n)+)", PAGE, re.DOTALL | re.MULTILINE)
    assert table is not None
    return [[cell.strip() for cell in line.strip("|\n").split("|")] for line in table[1].splitlines()[2:]]


@pytest.mark.row(22)
def test_the_presets_on_the_page_are_those_of_the_code() -> None:
    """Row by row, in the order of the code."""
    assert [row[0].strip("`") for row in rows("Presets")] == [
        "default",
        "production",
        "fast_fail",
        "patient",
        "development",
        "test",
    ]
    assert rows("Presets") == [described(row[0].strip("`")) for row in rows("Presets")]


def described(name: str) -> list[str]:
    """A preset as the page says it."""
    policy = Policy.preset(name)
    timeout, stall, backoff = policy.timeout, policy.stall, policy.backoff
    assert timeout is not None
    grows = timeout.mode != "fixed"
    silence = "never" if timeout.no_activity is None else f"{timeout.no_activity:g}"
    return [
        f"`{name}`",
        timeout.mode,
        f"{timeout.initial:g}",
        f"{timeout.maximum:g}" if grows else "",
        f"{timeout.extend_within:g}" if grows else "",
        silence,
        str(policy.retries + 1),
        f"{backoff.initial:g}, {backoff.maximum:g}" if backoff.maximum else "none",
        "no, no" if stall is None else f"yes, {'yes' if stall.terminate else 'told only'}",
        "none" if policy.breaker is None else {Breaker.agents(): "agents"}[policy.breaker],
    ]


def test_the_ladder_on_the_page_is_that_of_the_code() -> None:
    """Its default shares."""
    ladder = Ladder()
    shares = {row[0].strip("`"): float(row[1]) for row in rows("Silence") if row[0]}
    assert shares == {"notice": ladder.notice, "nudge": ladder.nudge, "warn": ladder.warn}


def test_the_defaults_on_the_page_are_those_of_the_code() -> None:
    """As they are written above the table of moments."""
    assert "`Timeout(initial=60, maximum=300, extend_within=10, factor=1.5)`" in PAGE
    assert Timeout() == Timeout(initial=60, maximum=300, extend_within=10, factor=1.5, no_activity=30)
