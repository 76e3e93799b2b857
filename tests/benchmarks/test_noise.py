"""When a machine is called noisy."""

from __future__ import annotations

import attrs
import pytest

from benchmarks.case import ACTORS, RAW
from benchmarks.harness.lag import lag_of
from benchmarks.harness.noise import case_noise, run_noise, spin_spread
from benchmarks.harness.results import CaseResult, SideResult
from tests.benchmarks.cast import case, measured, result


def spun(*spins: float, python: str = "CPython 3") -> CaseResult:
    """One side, whose calibration loop took this long."""
    done = CaseResult(case())
    rounds = {
        number: attrs.evolve(measured(1.0, spins=(one, one)), python=python)
        for number, one in enumerate(spins)
    }
    done.sides[ACTORS] = SideResult(ACTORS, 1, rounds)
    return done


def test_a_quiet_machine_needs_one_line() -> None:
    done = spun(1.00, 1.01, 1.02, 1.01, 1.00)
    assert case_noise(done) == []
    [line] = run_noise([done], 0.5, 2)
    assert line == "The machine was quiet: the calibration loop varied by 2.0%."


def test_a_loop_that_varies() -> None:
    done = spun(1.0, 1.0, 1.3, 1.3)
    assert case_noise(done) == ["the calibration loop varied by 26%"]
    lines = run_noise([done], 0.5, 2)
    assert "too noisy" in lines[0]
    assert "  noisy cases: bytes" in lines
    assert "system tune" in lines[-1]


def test_one_slow_moment_among_many_is_not_noise() -> None:
    assert spin_spread([spun(*[1.0] * 19, 3.0)]) == 0


def test_each_interpreter_is_held_against_itself() -> None:
    assert spin_spread([spun(1.0, 1.0), spun(2.0, 2.0, python="PyPy 3")]) == 0


def test_a_ratio_that_is_spread() -> None:
    done = result(case(), {ACTORS: [1.0, 2.0, 3.0], RAW: [1.0, 1.0, 1.0]})
    assert case_noise(done) == ["the ratio of actors to raw trio is spread over 100%"]


@pytest.mark.parametrize(("load", "noisy"), [(1.9, False), (2.1, True)])
def test_a_loaded_machine(load: float, noisy: bool) -> None:
    lines = run_noise([spun(1.0, 1.0)], load, 2)
    assert any("load average was 2.1" in line for line in lines) is noisy


def test_nothing_measured_is_not_noise() -> None:
    assert case_noise(CaseResult(case())) == []


def test_lag() -> None:
    assert lag_of([0.001] * 99 + [0.5]) == {"p99": 1.0, "max": 500.0}
    assert lag_of([0.002]) == {"p99": 2.0, "max": 2.0}
