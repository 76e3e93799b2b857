"""`actors check` validates, and prints the tree that would start."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.cast import program, written

GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.row(70)
def test_a_tree_of_four_levels_is_drawn() -> None:
    """The text is that of the golden file, to the letter."""
    done = program("check", GOLDEN / "deep.toml")
    assert (done.returncode, done.stdout, done.stderr) == (0, (GOLDEN / "deep.txt").read_text(), "")


@pytest.mark.row(70)
def test_the_tree_as_json() -> None:
    """One object; the same tree, for programs."""
    done = program("check", GOLDEN / "deep.toml", "--json")
    tree = json.loads(done.stdout)
    crew = tree["children"][2]
    assert (done.returncode, tree["name"], tree["path"], tree["kind"]) == (0, "alpha", "/", "system")
    assert [child["path"] for child in crew["children"]] == ["/crew/lead", "/crew/writers", "/crew/readers"]
    assert crew["children"][1]["children"][1]["children"][1]["what"] == ["false"]


def test_mistakes_are_printed_and_end_with_2(tmp_path: Path) -> None:
    """One line each, under their file, on stderr."""
    path = written(tmp_path, '[[agents]]\ncommand = ["true"]\ncolour = 1\npolicy = "x"')
    done = program("check", path)
    first, *lines = done.stderr.splitlines()
    assert (done.returncode, done.stdout, first) == (2, "", f"{path}:")
    assert {line.rpartition(" @ ")[2] for line in lines} == {"$.agents[0]", "$.agents[0].policy"}


def test_mistakes_as_json(tmp_path: Path) -> None:
    """The same, for programs."""
    path = written(tmp_path, '[[agents]]\ncommand = ["no-such-program"]')
    done = program("check", path, "--json")
    [fault] = json.loads(done.stdout)["faults"]
    assert done.returncode == 2
    assert (fault["file"], fault["where"]) == (str(path), "$.agents[0].command")


def test_a_class_beside_the_file_is_found(tmp_path: Path) -> None:
    """As Python finds the modules beside a script."""
    written(tmp_path, "async def job(ctx): ...", "jobs_of_a_test.py")
    path = written(tmp_path, '[[agents]]\nclass = "jobs_of_a_test:job"')
    assert program("check", path).returncode == 0


@pytest.mark.parametrize("code", [0, 5])
def test_a_module_that_ends_the_program_on_import_is_a_mistake_like_others(tmp_path: Path, code: int) -> None:
    """Its own code is not ours: 0 would say that the file is right. Names that are wrong are told with it."""
    written(tmp_path, f"raise SystemExit({code})", "leaves.py")
    agent = '[[agents]]\nname = "system"\nclass = "leaves:X"'
    done = program("check", written(tmp_path, agent))
    assert (done.returncode, done.stdout) == (2, "")
    assert f'cannot import "leaves": SystemExit: {code}.' in done.stderr
    assert "the framework's own" in done.stderr


@pytest.mark.parametrize("arguments", [["run"], ["run", "a", "b"], ["run", "x.toml", "--colour"], ["dance"]])
def test_a_command_line_that_cannot_be_read(arguments: list[str]) -> None:
    """It ends with 2 and says why."""
    done = program(*arguments)
    assert done.returncode == 2
    assert done.stderr
