"""The page about growth at run time, held against the code."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import attrs
import pytest

import actors
from actors import Pool, Spawner, SpawnLimits
from actors.spawning.limits import CooldownScope
from actors.spawning.triggers import SuccessRate

PAGE = (Path(__file__).parents[2] / "docs" / "spawning.md").read_text("utf-8")
PRESETS = (SpawnLimits(), SpawnLimits.conservative(), SpawnLimits.aggressive(), SpawnLimits.minimal())


def rows(heading: str) -> list[list[str]]:
    """The cells of the first table under a heading, without its two head lines."""
    table = re.search(rf"^##+ {heading}\n.*?((?:^\|[^\n]*\n)+)", PAGE, re.DOTALL | re.MULTILINE)
    assert table is not None
    return [[cell.strip() for cell in line.strip("|\n").split("|")] for line in table[1].splitlines()[2:]]


def said(value: object) -> str:
    """A value as the table says it."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def test_the_limits_on_the_page_are_those_of_the_code() -> None:
    """Every field with its default, and the three configurations that have names."""
    page = [[cells[0].strip("`"), cells[1], *cells[3:]] for cells in rows("Limits")]
    fields = [field.name for field in attrs.fields(SpawnLimits)]
    assert page == [[name, *(said(getattr(limits, name)) for limits in PRESETS)] for name in fields]


def bounds() -> list[tuple[str, float, float]]:
    """Each field that has a range on the page, with its ends."""
    ranged = [(cells[0].strip("`"), cells[2].split(" to ")) for cells in rows("Limits") if " to " in cells[2]]
    return [(name, float(low), float(high)) for name, (low, high) in ranged]


@pytest.mark.parametrize(("name", "low", "high"), bounds())
def test_the_ranges_on_the_page_are_those_of_the_code(name: str, low: float, high: float) -> None:
    """Both ends go, and nothing beyond them."""
    default: float = getattr(SpawnLimits(), name)
    number = type(default)
    step = 1 if number is int else 0.001

    def limits(value: float) -> SpawnLimits:
        given: dict[str, Any] = {name: number(value)}
        return SpawnLimits(**given)

    for value in (low, high):
        assert getattr(limits(value), name) == value
    for value in (low - step, high + step):
        with pytest.raises(ValueError, match=name):
            limits(value)


def test_what_a_cooldown_may_be_counted_for_is_on_the_page() -> None:
    """The words of `per`."""
    assert rows("Limits")[-1][2] == ", ".join(CooldownScope.__args__)


def test_every_refusal_is_on_the_page() -> None:
    """With the numbers that it carries, the one that is looked at first at the top."""
    page = [cells[0].strip("`").partition("(")[0] for cells in refusals()]
    kinds = {kind.__name__ for kind in actors.SpawnRefused.__subclasses__()}
    assert set(page) == kinds
    assert page[:3] == ["DepthExceeded", "SpawnLimitReached", "CooldownActive"]


def refusals() -> list[list[str]]:
    """The rows of the table of refusals."""
    table = PAGE.partition("| refused | because |")[2].splitlines()[2:]
    lines = table[: next(at for at, line in enumerate(table) if not line.startswith("|"))]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_the_defaults_of_a_pool_on_the_page_are_those_of_the_code() -> None:
    """Numbers in the text and in the table of what it does when."""
    pool = Pool(actors.Actor)
    limits = pool.scaling.limits
    assert f"`max_wait` ({pool.max_wait:g} s)" in PAGE
    assert f"`idle` seconds ({pool.idle:g} s;" in PAGE
    assert f"Pool(template, minimum={pool.minimum}, maximum={pool.maximum}, *," in PAGE
    assert f"of the last {SuccessRate().window} messages ({SuccessRate().least} at least)" in PAGE
    told = f"a cooldown of {limits.cooldown:g} s, above {limits.workload_threshold} messages, no threshold of"
    assert told in PAGE
    assert (limits.auto, limits.performance_threshold) == (True, 0.0)


def test_every_call_of_a_spawner_is_on_the_page() -> None:
    """A method that is new has to be told of."""
    calls = [name for name, value in vars(Spawner).items() if inspect.isfunction(value) and name[0] != "_"]
    assert [name for name in calls if f"{name}(" not in PAGE] == []
    assert f"`history={inspect.signature(Spawner).parameters['history'].default}`" in PAGE
