"""`actors pending` and `actors answer`, run as users run them."""

from __future__ import annotations

import io
import json
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
from rich.console import Console

import actors
from actors.cli.commands import execute
from actors.cli.people.show import Asked, change_line, request_table
from actors.people.service import ChangeFacts
from tests.cli.cast import facts_of, running, written

TEAM = """
[system]
name = "shop"
[[agents]]
name = "till"
class = "tests.cli.test_people:asking"
args = ["approval", "sell the [red]shop[/red]?", [], "ada"]
[[agents]]
name = "clerk"
class = "tests.cli.test_people:asking"
args = ["colour", "which one?", ["red", "blue"]]
[[agents]]
name = "poet"
class = "tests.cli.test_people:asking"
args = ["clarification", "a word?", []]
"""
PAINT = "\x1b[31m"


async def asking(ctx: actors.Context, kind: str, text: str, options: list[Any], to: str | None = None) -> Any:
    """Asks until it is answered, and says what it was."""
    return (await ctx.system.desk.request(kind, text, options, to=to, timeout=None)).value


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[tuple[Path, subprocess.Popen[str], Iterator[dict[str, Any]]]]:
    """A file that is run, whose three agents ask."""
    path = written(tmp_path, TEAM)
    with running("run", path, "--json") as run:
        facts = facts_of(run)
        asked = 0
        while asked < 3:
            asked += next(facts)["event"] == "PersonAsked"
        yield path, run, facts


@pytest.fixture
def command(capfd: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """`actors` with these words, in this process: its code, and what it wrote."""

    def run(*arguments: object) -> tuple[int, str, str]:
        capfd.readouterr()
        code = execute([str(one) for one in arguments])
        return code, *capfd.readouterr()

    return run


Command = Callable[..., tuple[int, str, str]]


def test_a_person_sees_what_a_run_asks_and_answers_it(
    shop: tuple[Path, subprocess.Popen[str], Iterator[dict[str, Any]]], command: Command
) -> None:
    """Each kind as it is typed, in a table and as JSON; what is wrong is one line, and nothing is decided."""
    path, run, facts = shop
    code, out, err = command("pending", path)
    assert (code, err) == (0, "")
    header, *rows = out.splitlines()
    assert header.split() == ["id", "for", "left", "priority", "asked", "by", "question", "answer"]
    assert len(rows) == 3
    assert "ada" in out
    assert "no limit" in out
    assert "sell the [red]shop[/red]?" in out
    assert '"red", "blue"' in out
    lines = command("pending", path.with_suffix(".tickets.db"), "--json")[1].splitlines()
    told = {one["sender"]: one for one in map(json.loads, lines)}
    assert sorted(told) == ["/clerk", "/poet", "/till"]
    assert (told["/till"]["to"], told["/till"]["node"], told["/till"]["due"]) == ("ada", "shop", None)
    [of_ada] = command("pending", path, "--to", "ada", "--json")[1].splitlines()
    assert json.loads(of_ada) == told["/till"] | {"asked": pytest.approx(told["/till"]["asked"], abs=0.1)}
    assert command("pending", path, "--to", "bob") == (0, "nobody is asked anything\n", "")
    till, clerk, poet = (told[name]["id"] for name in ("/till", "/clerk", "/poet"))

    with running("pending", path, "--follow", "--json") as follow:
        news = facts_of(follow)
        assert sorted(next(news)["id"] for _ in range(3)) == sorted([till, clerk, poet])

        code, out, err = command("answer", till, "maybe", path)
        assert (code, out, err.count("\n")) == (1, "", 1)
        assert "takes yes or no, not 'maybe'" in err
        assert command("answer", till, "yes", path, "--by", "ada") == (0, f"{till} is answered: true\n", "")
        change = next(news)
        assert (change["event"], change["by"], change["value"]) == ("answered", "ada", True)
        assert change["request"]["id"] == till
        code, _, err = command("answer", till, "no", path)
        assert (code, "ada has answered" in err) == (1, True)
        code, _, err = command("answer", clerk, "green", path)
        assert (code, 'takes one of "red", "blue"' in err) == (1, True)
        assert command("answer", clerk, '"blue"', path, "--as-json")[:2] == (
            0,
            f'{clerk} is answered: "blue"\n',
        )
        assert next(news)["value"] == "blue"
        assert command("answer", poet, "-5", path)[:2] == (0, f'{poet} is answered: "-5"\n')
        assert next(news)["value"] == "-5"
        ends = {}
        for fact in facts:
            if fact["event"] == "Stopped" and fact["path"] in ("/till", "/clerk", "/poet"):
                ends[fact["path"]] = fact["exit"]["value"]
        assert ends == {"/till": True, "/clerk": "blue", "/poet": "-5"}
        assert run.wait(20) == 0


def test_new_requests_are_printed_as_they_come_until_ctrl_c(tmp_path: Path) -> None:
    """Those that wait already come as a table."""
    slow = """
        import trio
        import actors

        async def late(ctx):
            while True:
                await ctx.system.desk.approval("now?", timeout=0.2, default=False)
    """
    (tmp_path / "late.py").write_text("\n".join(line[8:] for line in slow.splitlines()))
    path = written(tmp_path, '[[agents]]\nname = "late"\nclass = "late:late"\n')
    with running("run", path, "--json") as run:
        assert any(fact["event"] == "PersonAsked" for fact in facts_of(run))
        with running("pending", path, "--follow") as follow:
            assert follow.stdout is not None
            seen = ""
            while "  expired" not in seen or "  asked  anybody: now? (yes or no; 0 s)" not in seen:
                seen += follow.stdout.readline()
            follow.send_signal(signal.SIGINT)
            assert follow.wait(20) == 130


def test_a_node_is_asked_by_its_url(command: Command) -> None:
    """One that asks nobody."""
    with running("node", "beta") as node:
        assert node.stdout is not None
        url = node.stdout.readline().split()[-1]
        assert command("pending", url) == (0, "nobody is asked anything\n", "")
        code, out, err = command("answer", "beta:1", "yes", url)
        assert (code, out) == (1, "")
        assert "no request has the id 'beta:1'" in err


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["pending", "nowhere.db"], 1, "nobody has nowhere.db open"),
        (["pending", "nowhere.db", "--follow"], 1, "nobody has nowhere.db open"),
        (["pending", "redis://localhost"], 2, "is a store, and no system"),
        (["pending", "nowhere.toml"], 2, "cannot read nowhere.toml"),
        (["answer", "a:1", "yes", "nowhere.db"], 1, "start its system first"),
        (["answer", "a:1", "yes", "http://x"], 2, "no URL that begins with"),
        (["answer", "a:1", "yes", "ws://127.0.0.1:1"], 1, "no node answers"),
        (["answer", "a:1", "yes", "x.db", "--token-file", "nothere"], 2, "--token-file nothere"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_done_is_told_in_one_line(
    arguments: list[str],
    code: int,
    text: str,
    command: Command,
) -> None:
    ended, out, err = command(*arguments)
    assert (ended, out, err.count("\n")) == (code, "", 1)
    assert err.startswith(f"actors {arguments[0]}: ")
    assert text in err


def asked(**changed: Any) -> dict[str, Any]:
    request = actors.PersonRequest("a:1", "approval", "sure?", node="a")
    return attrs.asdict(request) | {"due": None, "asked": -5.0} | changed


def test_what_programs_ask_steers_no_terminal() -> None:
    """Neither in a table nor in a line: a text may say anything."""
    nasty = f"{PAINT}sure?\r\n\x07[bold]x[/bold]\u202e"
    record = json.dumps(asked(text=nasty, to=nasty, sender=nasty, kind="k", options=[nasty], id=nasty))
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(request_table([Asked.of(record, 1000.0)], 1000.0))
    line = change_line(ChangeFacts(1, "answered", 0.0, record, by=nasty, value=json.dumps(nasty)), 1000.0)
    line += change_line(ChangeFacts(1, "asked", 0.0, record), 1000.0)
    for text in (console.export_text(), line):
        assert "[bold]x" in text
        assert all(one.isprintable() or one == "\n" for one in text)


@pytest.mark.parametrize(
    ("due", "left"),
    [(None, "no limit"), (0.4, "0 s"), (-5.0, "0 s"), (90.0, "90 s"), (600.0, "10 m"), (86_400.0, "24 h")],
)
def test_how_much_time_is_left_is_told(due: float | None, left: str) -> None:
    line = change_line(ChangeFacts(1, "asked", 0.0, json.dumps(asked(due=due))), 1000.0)
    assert line.endswith(f"anybody: sure? (yes or no; {left})")
