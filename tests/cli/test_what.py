"""What agents run is looked up on this machine before anything starts."""

from __future__ import annotations

import functools
import re
import sys
from pathlib import Path

import attrs
import pytest

from actors.cli.load import load
from actors.cli.what import what_of
from actors.process import Command
from tests.cli import cast
from tests.cli.cast import SURROUNDINGS, faults_in, team_of, written


def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    """It is named, with the cure."""
    [line] = faults_in(tmp_path, '[[agents]]\ncommand = ["no-such-program", "x"]')
    assert line.startswith('there is no program "no-such-program": install it')
    assert line.endswith("@ $.agents[0].command")


def test_the_path_of_the_agent_counts(tmp_path: Path) -> None:
    """A program is looked up where the process will be."""
    [line] = faults_in(tmp_path, '[[agents]]\ncommand = ["true"]\nenv = { PATH = "/nowhere" }')
    assert "there is no program" in line


def test_a_program_beside_the_file(tmp_path: Path) -> None:
    """A relative program counts from the folder that the process starts in."""
    script = written(tmp_path, "#!/bin/sh\n", "bin/job")
    text = '[[agents]]\ncommand = ["./job"]\ncwd = "bin"'
    assert "there is no program" in faults_in(tmp_path, text)[0]  # it is not executable
    script.chmod(0o755)
    assert faults_in(tmp_path, text) == []


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    """A relative one counts from the file."""
    [line] = faults_in(tmp_path, '[[agents]]\ncommand = ["true"]\ncwd = "no"')
    assert line == f"there is no folder {tmp_path / 'no'}: make it, or name another @ $.agents[0].cwd"


CLASSES = {
    "no_such_module_anywhere:A": 'cannot import "no_such_module_anywhere": ModuleNotFoundError',
    "tests.cli.cast:Nobody": 'the module "tests.cli.cast" has no "Nobody"',
    "tests.cli.cast:Outer.Nobody": 'has no "Outer.Nobody"',
    "tests.cli.cast:Outer": "cannot be an agent: Outer is not an Actor class",
    "tests.cli.cast:not_async": "not_async is not an async function",
    "tests.cli.cast:ROOT": "cannot be an agent",
}


@pytest.mark.parametrize("reference", CLASSES)
def test_a_class_that_cannot_be_an_agent(tmp_path: Path, reference: str) -> None:
    """Each way is told apart."""
    [line] = faults_in(tmp_path, f'[[agents]]\nclass = "{reference}"')
    assert CLASSES[reference] in line
    assert line.endswith("@ $.agents[0].class")


@pytest.mark.parametrize(
    "body",
    ["1 / 0", "raise AttributeError('x')", "raise TypeError('x')", "raise SystemExit(0)", "syntax error"],
)
def test_a_module_that_fails_when_it_is_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str
) -> None:
    """Whatever it raises is its own, and not taken for a missing class."""
    written(tmp_path, body, "broken_module_of_a_test.py")
    monkeypatch.syspath_prepend(tmp_path)
    [line] = faults_in(tmp_path, '[[agents]]\nclass = "broken_module_of_a_test:A"')
    assert line.startswith('cannot import "broken_module_of_a_test": ')


@pytest.mark.parametrize(
    ("arguments", "place"),
    [("config = { shout = true }", "config"), ("args = [1, 2, 3]", "args")],
)
def test_arguments_that_a_class_does_not_take(tmp_path: Path, arguments: str, place: str) -> None:
    """They are refused before anything starts."""
    [line] = faults_in(tmp_path, f'[[agents]]\nclass = "tests.cli.cast:Greeter"\n{arguments}')
    assert line.endswith(f"@ $.agents[0].{place}")


def test_a_permanent_child_cannot_be_significant(tmp_path: Path) -> None:
    """It never ends by itself; the policy of the system counts, too."""
    agent = '[[agents]]\nname = "a"\ncommand = ["true"]\nsignificant = true'
    text = '[system]\npolicy = { restart = "permanent" }\n' + agent
    [line] = faults_in(tmp_path, text)
    assert line.endswith("@ $.agents[0].significant")


def test_what_is_wrong_with_names_hides_nothing_of_this_machine(tmp_path: Path) -> None:
    """Both are told at once."""
    agent = '[[agents]]\nname = "a"\ncommand = ["no-such-program"]\n'
    lines = faults_in(tmp_path, agent + agent)
    assert [line.rpartition(" @ ")[2] for line in lines] == [
        "$.agents[1].name",
        "$.agents[0].command",
        "$.agents[1].command",
    ]


# --- what is right ---------------------------------------------------------------


def what_in(folder: Path, text: str) -> object:
    return what_of(team_of(folder, text).agents[0], SURROUNDINGS)


def test_a_class_a_function_and_an_inner_class(tmp_path: Path) -> None:
    """All that can be spawned can be named."""
    for name, what in (
        ("Greeter", cast.Greeter),
        ("returns", cast.returns),
        ("Outer.Inner", cast.Outer.Inner),
    ):
        assert what_in(tmp_path, f'[[agents]]\nclass = "tests.cli.cast:{name}"') is what


def test_arguments_are_bound(tmp_path: Path) -> None:
    """`args` by position, `config` by name."""
    found = what_in(tmp_path, '[[agents]]\nclass = "tests.cli.cast:Greeter"\nconfig = { greeting = "hi" }')
    assert isinstance(found, functools.partial)
    assert (found.func, found.keywords) == (cast.Greeter, {"greeting": "hi"})


def test_a_command_has_all_its_keys(tmp_path: Path) -> None:
    """The variables are added to ours."""
    text = """
        [[agents]]
        command = ["{python}", "{here}/x.py", "{python}s"]
        cwd = "."
        env = { COLOUR = "blue", DATA = "{here}/data" }
        input = "text"
        max_output = 7
        check = false
        ready = "listening on"
    """
    found = what_in(tmp_path, text)
    assert isinstance(found, Command)
    assert found.argv == (sys.executable, f"{tmp_path}/x.py", "{python}s")
    assert found.env == {**SURROUNDINGS.environ, "COLOUR": "blue", "DATA": f"{tmp_path}/data"}
    assert (found.cwd, found.input, found.max_output, found.check) == (str(tmp_path), b"text", 7, False)
    assert found.ready == re.compile("listening on")


def test_folders_of_an_included_file_count_from_it(tmp_path: Path) -> None:
    """Each file means its own folder."""
    written(tmp_path, '[[agents]]\ncommand = ["{here}/run"]\ncwd = "."', "parts/inner.toml")
    [agent] = load(written(tmp_path, 'include = ["parts/inner.toml"]')).agents
    found = what_of(agent, attrs.evolve(SURROUNDINGS, environ={}))
    assert (found.argv, found.cwd) == ((f"{tmp_path}/parts/run",), str(tmp_path / "parts"))
