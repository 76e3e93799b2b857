"""The page about monitoring, held against the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from actors import Oversight, Stall

PAGE = (Path(__file__).parents[2] / "docs" / "monitoring.md").read_text("utf-8")


@pytest.mark.row(9)
def test_the_patterns_on_the_page_are_those_of_the_code() -> None:
    """In their order, with their kinds."""
    table = re.findall(r"^\| `(.+)` \| ([A-Z_]+) \|$", PAGE, re.MULTILINE)
    described = [(regex.replace(r"\|", "|"), kind) for regex, kind in table]
    assert described == [(pattern.regex, str(pattern.kind)) for pattern in Stall().resolved()]


def test_the_numbers_of_oversight_on_the_page_are_those_of_the_code() -> None:
    """Three troubles, how often and how far apart."""
    default = Oversight()
    found = dict(re.findall(r"^\| `(stuck|waiting|errors)` \| (\d+)", PAGE, re.MULTILINE))
    assert found == {
        "stuck": f"{default.stuck:g}",
        "waiting": f"{default.waiting:g}",
        "errors": str(default.errors),
    }
    assert f"`interventions` ({default.interventions}) times" in PAGE
    assert f"`cooldown` ({default.cooldown:g} s) apart" in PAGE
