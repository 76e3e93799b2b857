"""The page about the program, held against the records that read a file."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import attrs
import pytest

from actors.cli.jobs.batch import load_batch
from actors.cli.jobs.run import SOME_FAILED
from actors.cli.jobs.spec import BatchSpec, JobSpec
from actors.cli.load import load
from actors.cli.run import GAVE_UP, NOBODY_READS
from actors.cli.spec import AgentSpec, FileSpec, SupervisorSpec, SystemSpec
from actors.cli.strict import data_fields
from actors.cli.structure import BREAKERS, STRATEGIES
from actors.cli.teams.spec import RoleSpec, TeamSpec, TemplateSpec
from actors.cli.teams.template import Wanted, load_template

PAGE = (Path(__file__).parents[2] / "docs" / "cli.md").read_text("utf-8")
RECORDS: tuple[type[attrs.AttrsInstance], ...] = (
    AgentSpec,
    SupervisorSpec,
    SystemSpec,
    FileSpec,
    JobSpec,
    BatchSpec,
    TemplateSpec,
    TeamSpec,
    RoleSpec,
)


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.__name__)
def test_every_key_of_a_file_is_on_the_page(record: type[attrs.AttrsInstance]) -> None:
    """A field that nobody can read about does not exist."""
    missing = {key for key in data_fields(record) if f"`{key}`" not in PAGE} - {"system"}
    assert missing == set()


@pytest.mark.parametrize("name", [*STRATEGIES, *BREAKERS])
def test_every_short_name_is_on_the_page(name: str) -> None:
    """Strategies and breakers are named as a file writes them."""
    assert f'"{name}"' in PAGE


@pytest.mark.parametrize("code", [GAVE_UP, SOME_FAILED, NOBODY_READS])
def test_every_exit_code_is_on_the_page(code: int) -> None:
    """Scripts go by them."""
    assert f"\n| {code} |" in PAGE


def test_the_files_on_the_page_load(tmp_path: Path) -> None:
    """They can be copied as they stand: a tree, the template of a team, and jobs."""
    team, template, jobs = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    path = tmp_path / "example.toml"
    path.write_text(team, "utf-8")
    assert load(path).name == tomllib.loads(team)["system"]["name"]
    path.write_text(template, "utf-8")
    paths = load_template(path, Wanted()).paths
    assert paths == ("/research/lead", *(f"/research/searcher-{number}" for number in range(1, 5)))
    path.write_text(jobs, "utf-8")
    assert [[task.label for task in wave] for wave in load_batch(path).waves] == [
        ["fetch", "outline"],
        ["draft"],
        ["review"],
    ]
