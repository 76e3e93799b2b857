"""Results in a file of pyperf, and two of them beside each other."""

from __future__ import annotations

from pathlib import Path

import pyperf
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.case import ACTORS, RAW
from benchmarks.harness.compare import changes
from benchmarks.harness.results import CaseResult, Lag, SideResult
from benchmarks.harness.store import BadResults, from_suite, load, machine, save, to_suite
from tests.benchmarks.cast import case, measured, result

UNITS = st.sampled_from(["bytes", "ms", "s", "µs", "times", "turns/s"])


def kept(done: CaseResult) -> CaseResult:
    suite = to_suite([done])
    assert suite is not None
    [back] = from_suite(suite)
    return back


@given(UNITS, st.lists(st.floats(0, 1e9), min_size=1, max_size=5))
def test_values_come_back_as_they_went_in(unit: str, values: list[float]) -> None:
    kind = "rate" if unit == "turns/s" else "value"
    of = case(unit=unit, kind=kind, better="less")
    values = [max(value, 0.001) for value in values] if kind == "rate" else values
    back = kept(result(of, {ACTORS: values}, Lag(1.0, 2.0)))
    assert back.sides[ACTORS].values(back.case) == pytest.approx(
        result(of, {ACTORS: values}).sides[ACTORS].values(of)
    )
    assert back.sides[ACTORS].lag == Lag(1.0, 2.0)
    assert (back.case.unit, back.case.kind, back.case.better) == (unit, kind, "less")


def test_failures_come_back_even_of_sides_without_a_value() -> None:
    done = result(case(), {ACTORS: [1.0, 2.0], RAW: [3.0]})
    done.sides[RAW].failure = "not done after 120 s"
    done.sides["peer"] = SideResult("peer", failure="it broke")
    back = kept(done)
    assert back.sides[ACTORS].failure is None
    assert back.sides[RAW].failure == "not done after 120 s"
    assert back.sides["peer"].failure == "it broke"


def test_a_rate_is_stored_as_the_seconds_of_one_unit(tmp_path: Path) -> None:
    done = CaseResult(case("turns", kind="rate", unit="turns/s"))
    done.sides[ACTORS] = SideResult(ACTORS, 200, {0: measured(0.5, 200), 1: measured(0.7, 200)})
    suite = to_suite([done], machine())
    assert suite is not None
    save(tmp_path / "new.json", suite)
    [benchmark] = pyperf.BenchmarkSuite.load(str(tmp_path / "new.json"))
    assert (benchmark.get_name(), benchmark.get_unit()) == ("turns: actors", "second")
    assert benchmark.get_values() == pytest.approx([0.0025, 0.0035])
    assert benchmark.get_loops() == 200
    [back] = load(tmp_path / "new.json")
    assert back.sides[ACTORS].values(back.case) == pytest.approx([400, 200 / 0.7])


def test_nothing_measured_is_no_suite() -> None:
    assert to_suite([CaseResult(case())]) is None


@pytest.mark.parametrize("text", [None, "no JSON", "{}", '{"version": "1.0", "benchmarks": []}'])
def test_a_file_that_is_none(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "old.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(BadResults, match=r"old\.json"):
        load(path)


def test_a_file_of_other_benchmarks(tmp_path: Path) -> None:
    run = pyperf.Run((1.0,), metadata={"name": "other"}, collect_metadata=False)
    pyperf.Benchmark([run]).dump(str(tmp_path / "old.json"))
    with pytest.raises(BadResults, match="no results of these benchmarks"):
        load(tmp_path / "old.json")


def test_two_runs_beside_each_other() -> None:
    old = result(case(better="less"), {ACTORS: [10.0, 11.0, 10.0], RAW: [5.0, 5.5, 5.0], "gone": [1.0]})
    new = result(case(better="less"), {ACTORS: [20.0, 22.0, 21.0], RAW: [5.1, 5.4, 5.0], "fresh": [1.0]})
    found = {change.what: change for change in changes([old], [new])}
    assert list(found) == [ACTORS, "actors / raw trio", RAW]
    assert (found[ACTORS].is_shown, found[ACTORS].is_better, found[ACTORS].factor) == (True, False, 2.1)
    assert found["actors / raw trio"].is_shown
    assert not found[RAW].is_shown


def test_cases_that_only_one_run_has_or_that_changed_are_left_out() -> None:
    old = [result(case("one"), {ACTORS: [1.0]}), result(case("two", unit="ms"), {ACTORS: [1.0]})]
    new = [result(case("two"), {ACTORS: [1.0]}), result(case("three"), {ACTORS: [1.0]})]
    assert list(changes(old, new)) == []
