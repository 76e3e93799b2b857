"""The cases: each side does its work, here a few times, and says how long it took."""

from __future__ import annotations

import inspect
import math
import subprocess
import sys
from collections import Counter

import pytest
import trio

from benchmarks import cases
from benchmarks.case import ACTORS, PLAIN, RAW, Case
from benchmarks.cases import common, idle

OTHERS = {"fastest peer", "Erlang"}
FEW = 100  # a power of ten: skynet's trees are full

SIDES = [
    pytest.param(case, side, id=f"{case.name}-{side}".replace(" ", "-"))
    for case in cases.every()
    for side in case.sides
]


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idle, "SECONDS", 0.01)


def run(case: Case, side: str, count: int) -> float:
    work = case.sides[side].work
    if not inspect.iscoroutinefunction(work):
        return work(count)  # type: ignore[return-value]

    async def in_time() -> float:
        with trio.fail_after(20):
            return await work(count)

    return trio.run(in_time)


@pytest.mark.parametrize(("case", "side"), SIDES)
def test_a_side_comes_to_a_positive_finite_number(case: Case, side: str) -> None:
    assert 0 < run(case, side, FEW) < math.inf


@pytest.mark.parametrize("count", [1, 7])
@pytest.mark.parametrize(("case", "side"), [one for one in SIDES if one.values[0].count is None])
def test_a_calibrated_count_may_be_small(case: Case, side: str, count: int) -> None:
    assert 0 < run(case, side, count) < math.inf


def test_names_are_unique() -> None:
    names = Counter(case.name for case in cases.every())
    assert {name for name, times in names.items() if times > 1} == set()


def test_aims_name_sides_that_exist() -> None:
    for case in cases.every():
        for aim in case.aims:
            assert aim.side in case.sides, case.name
            assert aim.against is None or aim.against in case.sides or aim.against in OTHERS, case.name


def test_every_case_has_both_of_our_sides() -> None:
    assert [case.name for case in cases.every() if not {ACTORS, PLAIN} <= set(case.sides)] == []


def test_the_cases_that_peers_know_are_there_beside_raw_trio() -> None:
    wanted = "tell-1-1 tell-100-1 tell-1-100 ask ask-timeout ask-1000 ring ping-pong spawn skynet"
    assert all(RAW in cases.find(name).sides for name in wanted.split())


def test_find_returns_the_case_of_a_name() -> None:
    assert [cases.find(case.name).name for case in cases.every()] == [case.name for case in cases.every()]


def test_find_names_all_cases_when_there_is_none_of_this_name() -> None:
    with pytest.raises(LookupError, match=r"no case 'tel': there are tell-1-1, .*bystander"):
        cases.find("tel")


def test_shares_add_up_and_none_is_empty() -> None:
    assert common.shares(7, 3) == [3, 2, 2]
    assert common.shares(2, 3) == [1, 1]


def test_a_wrong_result_raises() -> None:
    with pytest.raises(RuntimeError, match="came to 1 instead of 2"):
        common.check(1, 2)


def test_p99_of_hundred_and_one_values_is_the_second_largest() -> None:
    assert common.p99(range(101)) == 99
    assert common.p99([5.0]) == 5.0


def test_the_list_of_modules_is_read_without_importing_actors() -> None:
    code = "import sys, benchmarks.cases as c; assert c.MODULES; sys.exit('actors' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)
