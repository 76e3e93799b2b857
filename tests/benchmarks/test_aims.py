"""What is said of an aim."""

from __future__ import annotations

from typing import Literal

import pytest

from benchmarks.case import ACTORS, PLAIN, RAW, Aim
from benchmarks.harness.aims import FASTEST_PEER, fastest_peer, judge
from tests.benchmarks.cast import case, result

THREE = [10.0, 10.0, 10.0]


@pytest.mark.parametrize(
    ("better", "values", "word"),
    [
        ("more", [20, 21, 22], "reached"),
        ("more", [19, 21, 22], "too noisy to tell"),
        ("more", [17, 18, 19], "MISSED"),
        ("less", [20, 19, 18], "reached"),
        ("less", [21, 19, 18], "too noisy to tell"),
        ("less", [21, 22, 23], "MISSED"),
        ("more", [30], "too few rounds to tell"),
        ("more", [], "not measured"),
    ],
)
def test_the_whole_interval_has_to_be_on_one_side(
    better: Literal["more", "less"], values: list[float], word: str
) -> None:
    done = result(case(better=better), {ACTORS: values, RAW: THREE})
    assert judge(Aim(ACTORS, 2, RAW), done).word == word
    assert judge(Aim(ACTORS, 20), done).word == word


def test_what_is_not_there_is_not_measured() -> None:
    done = result(case(), {ACTORS: THREE})
    for aim in (Aim(ACTORS, 2, RAW), Aim("nobody", 2), Aim(ACTORS, 2, FASTEST_PEER)):
        assert judge(aim, done).word == "not measured"


def test_a_side_that_failed_is_not_measured() -> None:
    done = result(case(), {ACTORS: THREE, RAW: THREE})
    done.sides[RAW].failure = "it broke"
    assert judge(Aim(ACTORS, 2, RAW), done).word == "not measured"


@pytest.mark.parametrize(("better", "name"), [("more", "quick"), ("less", "slow")])
def test_the_fastest_peer_is_neither_ours_nor_a_baseline(better: Literal["more", "less"], name: str) -> None:
    others = {ACTORS: [99.0], PLAIN: [0.1], RAW: [98.0], "raw trio, buffered": [97.0], "Erlang": [999.0]}
    done = result(case(better=better), others | {"slow": [1.0], "quick": [5.0]})
    assert fastest_peer(done) == name
    assert judge(Aim(ACTORS, 2, FASTEST_PEER), done).against == name


def test_ratios_are_inside_a_round() -> None:
    """A machine that becomes slower for both changes nothing."""
    done = result(case(), {ACTORS: [30.0, 15.0, 3.0], RAW: [10.0, 5.0, 1.0]})
    verdict = judge(Aim(ACTORS, 3, RAW), done)
    assert verdict.word == "reached"
    assert verdict.found is not None
    assert verdict.found.spread == 0
