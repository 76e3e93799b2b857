"""Budgets in the file of `actors run`."""

from __future__ import annotations

from pathlib import Path

import pytest

from actors import Budget, Policy
from actors.cli.load import BadFile, load
from actors.cli.team import Agent

FILE = """
[system]
budget = {money = 20, tokens = 1000000}

[[agents]]
name = "worker"
class = "tests.budgets.cast:Agent"
policy = {budget = {tokens = 1000, money = 0.5, idle = 300}}
"""


def test_a_file_says_what_may_be_spent(tmp_path: Path) -> None:
    path = tmp_path / "team.toml"
    path.write_text(FILE)
    team = load(path)
    assert team.budget == Budget(money=20, tokens=1000000)
    (worker,) = team.children
    assert isinstance(worker, Agent)
    assert worker.policy(Policy()).budget == Budget(tokens=1000, money=0.5, idle=300)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("{token = 5}", "token"),
        ('{tokens = "5"}', "tokens"),
        ("{tokens = -5}", "0 or more"),
        ("{money = inf}", "finite"),
        ("{idle = 5}", "idle"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, wrong: str, said: str) -> None:
    path = tmp_path / "team.toml"
    path.write_text(FILE.replace("{money = 20, tokens = 1000000}", wrong))
    with pytest.raises(BadFile) as caught:
        load(path)
    assert said in str(caught.value)
