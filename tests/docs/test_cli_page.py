"""The page about the program, held against the records that read a file."""

from __future__ import annotations

import re
import shlex
import tomllib
from contextlib import ExitStack
from pathlib import Path

import attrs
import pytest

from actors.cli.commands import execute
from actors.cli.jobs.batch import load_batch
from actors.cli.jobs.run import SOME_FAILED
from actors.cli.jobs.spec import BatchSpec, JobSpec
from actors.cli.load import load
from actors.cli.run import GAVE_UP, NOBODY_READS
from actors.cli.spec import AgentSpec, FileSpec, SupervisorSpec, SystemSpec
from actors.cli.stores import StoreSpec
from actors.cli.strict import data_fields
from actors.cli.structure import BREAKERS, STRATEGIES
from actors.cli.teams.spec import RoleSpec, TeamSpec, TemplateSpec
from actors.cli.teams.template import Wanted, load_template
from actors.messages import MESSAGES
from actors.posting import Posting
from tests.cli.cast import facts_of, running

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
    StoreSpec,
    Posting,
)
SHOP = """
import actors


@actors.message(tag="shop.Order")
class Order(actors.Request[str]):
    item: str


class Shop(actors.Actor):
    @actors.receive
    async def order(self, message: Order) -> str:
        if message.item == "gold":
            raise actors.Refused("not for sale")
        if message.item == "stone":
            raise ValueError("stones have no price")
        return f"one {message.item}"
"""


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
    team, template, jobs, _ = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
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


def test_the_posts_on_the_page_do_what_it_says(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its shop, run as it stands: every command, with what it prints."""
    (tmp_path / "shop.py").write_text(SHOP, "utf-8")
    (tmp_path / "team.toml").write_text(re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)[3], "utf-8")
    monkeypatch.chdir(tmp_path)
    known = {tag: cls for tag, cls in MESSAGES._classes.items() if not tag.startswith("shop.")}
    monkeypatch.setattr(MESSAGES, "_classes", known)  # other tests have shops of their own
    [session] = re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL)
    commands = [command.partition("\n") for command in session.split("$ actors ")[1:]]
    assert len(commands) == 8
    with ExitStack() as stack:
        said = list[str]()
        for command, _, _ in commands:
            words = shlex.split(command)
            if words[0] == "run":
                team = stack.enter_context(running(*words[:-1], "--json"))
                assert any((fact["event"], fact["path"]) == ("Started", "/shop") for fact in facts_of(team))
                said.append("")
            else:
                capfd.readouterr()
                execute(words)
                captured = capfd.readouterr()
                said.append(captured.out + captured.err)
    assert _plain("".join(said)) == _plain("".join(out for _, _, out in commands))


def _plain(text: str) -> str:
    """Without what is different each time: ids, in the order in which they come, ages, ends of lines."""
    ids: dict[str, str] = {}
    text = re.sub(r"\b[0-9a-f]{32}\b", lambda found: ids.setdefault(found[0], f"ticket {len(ids)}"), text)
    text = re.sub(r"\b\d+ s\b", "N s", text)
    return "\n".join(" ".join(line.split()) for line in text.splitlines())
