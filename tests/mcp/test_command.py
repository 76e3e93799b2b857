"""The program `actors mcp`: a file's system, and clients at it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest
import trio
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from actors.cli.load import load
from actors.cli.mcp.command import way_of
from actors.cli.mcp.gate import gate_of
from actors.cli.misuse import Misused
from actors.cli.what import Surroundings, look_beside, machine_faults
from actors.process import Command, Lines, Terminal
from tests.mcp.reached import said
from tests.mcp.test_http import INITIALIZE

EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "examples"
SURROUNDINGS = Surroundings({"PATH": os.environ["PATH"]}, sys.executable)

pytestmark = pytest.mark.filterwarnings("ignore:Async generator '(httpx2|httpcore2):ResourceWarning")

PROGRAMS = """
[mcp]
name = "chief"
parent = "/crew"
reach = "tree"
people = true
adopt = true
tools = ["spawn", "tree"]
messages = ["clerks:Count"]
limits = { max_active = 2 }
budget = { tokens = 1000, spawns = 5 }
linger = 1.5
idle = 60
inbox = 7

[mcp.templates.once]
command = ["{python}", "-c", "print(1)"]
input = "x"
cwd = "."
env = { HERE = "{here}" }
policy = { restart = "temporary" }

[mcp.templates.talk]
lines = ["{python}", "-c", ""]
protocol = "text"
in_flight = 2
ready = false

[mcp.templates.shell]
terminal = ["sh"]
prompt = "[$] $"
cooldown = 0.5
"""


def written(folder: Path, text: str) -> Path:
    file = folder / "team.toml"
    file.write_text(text)
    return file


def faults_in(folder: Path, text: str) -> list[str]:
    """Every mistake of a file, on this machine."""
    from actors.cli.load import BadFile

    try:
        team = load(written(folder, text))
    except BadFile as error:
        return [str(fault) for fault in error.faults]
    look_beside(team.place.file)
    return [str(fault) for fault in machine_faults(team, SURROUNDINGS)]


def test_a_table_becomes_a_gate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All that it says, and programs with their folders and variables."""
    monkeypatch.syspath_prepend(EXAMPLES)
    assert faults_in(tmp_path, PROGRAMS) == []
    team = load(tmp_path / "team.toml")
    assert team.mcp is not None
    gate = gate_of(team.mcp, team.place.at("mcp"), SURROUNDINGS)
    assert (gate.name, gate.parent, gate.reach, gate.people, gate.adopt) == (
        "chief",
        "/crew",
        "tree",
        True,
        True,
    )
    assert (gate.tools, gate.messages) == (("spawn", "tree"), ("clerks.Count",))
    assert (gate.limits.max_active, gate.budget.tokens, gate.budget.spawns) == (2, 1000, 5)
    assert (gate.linger, gate.idle, gate.inbox) == (1.5, 60, 7)
    once, talk, shell = (gate.templates[name] for name in ("once", "talk", "shell"))
    assert isinstance(once.template.what, Command)
    assert once.template.what.argv[0] == sys.executable
    assert once.template.policy is not None
    assert dict(once.template.what.env or {})["HERE"] == str(tmp_path)
    assert isinstance(talk.template.what, Lines)
    assert (talk.template.what.in_flight, talk.template.what.ready) == (2, None)
    assert isinstance(shell.template.what, Terminal)
    assert (shell.template.what.cooldown, shell.text) == (0.5, None)


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("[mcp]\nlimit = 1", "unknown key 'limit'"),
        ("mcp = 1", "expected a table, not 1 @ $.mcp"),
        ('[mcp]\nreach = "far"', "expected one of family, tree"),
        ("[mcp]\nlimits = { max_active = 0 }", "1 to 100, not 0"),
        ("[mcp]\nbudget = { tokens = -1 }", "of 0 or more, not -1"),
        ('[mcp]\ntools = ["fly"]', "no tool is called 'fly'"),
        ('[mcp]\nmessages = ["clerks.Count"]', 'does not name a class: write "package.module:Class"'),
        ('[mcp]\nmessages = ["no_such:Count"]', 'cannot import "no_such"'),
        ('[mcp]\nparent = "/system/x"', "is the framework's own"),
        ("[mcp]\nlinger = -1", "linger must be"),
        ("[mcp.templates.a]", "a template has one of class, command, lines, terminal, this one has none"),
        ('[mcp.templates.a]\ncommand = ["ls"]\nlines = ["ls"]', 'this one has "command" and "lines"'),
        ('[mcp.templates.a]\nclass = "x:Y"\ncwd = "."', '"cwd" does not go with "class"'),
        ('[mcp.templates.a]\nlines = ["ls"]\nprompt = "x"', '"prompt" does not go with "lines"'),
        ('[mcp.templates.a]\nterminal = ["sh"]', 'a terminal needs a "prompt"'),
        ('[mcp.templates.a]\nterminal = ["sh"]\nprompt = "["', "$.mcp.templates['a'].prompt"),
        ('[mcp.templates.a]\nterminal = ["sh"]\nprompt = "x"\nready = false', '"ready" does not go with'),
        ('[mcp.templates.a]\ncommand = ["no-such-program"]', "there is no program"),
        ("[mcp.templates.a]\ncommand = []", "the command is empty"),
        ('[mcp.templates.a]\nclass = "Clerk"', 'write "package.module:Class"'),
        ('[mcp.templates.a]\nclass = "clerks:None"', "has no"),
        ('[mcp.templates.a]\nclass = "clerks:Clerk"\nconfig = { haste = 1 }', "haste"),
        ('[mcp.templates.a]\nclass = "clerks:Clerk"\nkeys = ["haste"]', "haste"),
        ('[mcp.templates.a]\nclass = "clerks:Clerk"\ntext = "clerks:Clerk"', "@actors.message"),
        ('[mcp.templates."no name"]\ncommand = ["ls"]', "no name"),
    ],
)
def test_every_mistake_has_its_place_and_its_cure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, wrong: str
) -> None:
    monkeypatch.syspath_prepend(EXAMPLES)
    [fault] = faults_in(tmp_path, text)
    assert wrong in fault
    assert " @ $.mcp" in fault


@pytest.mark.parametrize(
    ("http", "token_file", "is_open", "wrong"),
    [
        (None, Path("t"), False, "--token-file goes with --http"),
        (None, None, True, "--open goes with --http"),
        ("8000", None, False, "HOST:PORT, not '8000'"),
        ("127.0.0.1:99999", None, False, "HOST:PORT"),
        (":80", None, False, "HOST:PORT"),
        ("127.0.0.1:0", Path("t"), True, "do not go together"),
        ("127.0.0.1:0", Path("no-such-file"), False, "No such file"),
    ],
)
def test_a_command_line_that_makes_no_sense(
    http: str | None, token_file: Path | None, is_open: bool, wrong: str
) -> None:
    with pytest.raises(Misused, match=wrong):
        way_of(http, token_file, None, open=is_open)


def test_the_token_is_from_the_file_or_the_environment_or_made_up(tmp_path: Path) -> None:
    """In this order; over the loopback too, where others are on the same machine."""
    file = tmp_path / "token"
    file.write_text("from-file\n")
    assert way_of("[::1]:0", file, "from-env", open=False).token == "from-file"
    assert way_of("127.0.0.1:0", None, "from-env", open=False).token == "from-env"
    made = way_of("127.0.0.1:0", None, "", open=False)
    assert made.made_up
    assert len(made.token or "") >= 32
    assert way_of("127.0.0.1:0", None, "from-env", open=True).token is None


def test_a_missing_extra_is_said_with_its_cure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name, *more: None)
    with pytest.raises(Misused, match=r"pip install \"trio-actors\[mcp\]\""):
        way_of(None, None, None, open=False)
    [fault] = faults_in(tmp_path, "[mcp]")
    assert "trio-actors[mcp]" in fault


def program(*arguments: str, **more: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "actors", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, stdin=subprocess.DEVNULL)


def test_a_file_without_the_table_is_refused(tmp_path: Path) -> None:
    """The others say their mistakes as `actors run` does."""
    done = program("mcp", str(written(tmp_path, '[[agents]]\ncommand = ["true"]')))
    assert (done.returncode, done.stdout) == (2, "")
    assert "has no table [mcp]" in done.stderr


def test_the_example_runs_as_it_stands() -> None:
    """The official client, in a program of its own, at `actors mcp` over stdio."""
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / "mcp_client.py")], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "at work: /agents/mcp/first is at work" in done.stdout
    assert "3 words, 3 since the beginning" in done.stdout
    assert "ALL IS WELL" in done.stdout


@asynccontextmanager
async def serving(*options: str) -> AsyncGenerator[tuple[trio.Process, str, str]]:
    """The example over HTTP: the process, its address and its token."""
    command = [sys.executable, "-m", "actors", "mcp", str(EXAMPLES / "mcp.toml"), "--http", "127.0.0.1:0"]
    process = await trio.lowlevel.open_process([*command, *options], stderr=subprocess.PIPE)
    assert process.stderr is not None
    async with process.stderr:
        try:
            heard = b""
            with trio.fail_after(40):
                while heard.count(b"\n") < 2:
                    piece = await process.stderr.receive_some()
                    assert piece, heard
                    heard += piece
            first, second = heard.decode().splitlines()
            yield process, first.removeprefix("MCP at "), second.split("Bearer ")[1].rstrip('"')
        finally:
            process.kill()
            with trio.CancelScope(shield=True):
                await process.wait()


async def test_a_signal_ends_it_in_order() -> None:
    """With a client connected, and its call under way; the code is that of other commands."""
    async with (
        serving() as (process, url, token),
        httpx2.AsyncClient(headers={"authorization": f"Bearer {token}"}) as http,
        Client(streamable_http_client(url, http_client=http)) as client,
    ):
        spawned = await client.call_tool("spawn", {"template": "clerk", "name": "one"})
        assert said(spawned)["path"] == "/agents/mcp/one"
        other = program("mcp", str(EXAMPLES / "mcp.toml"), "--http", url.split("/")[2])
        assert (other.returncode, other.stdout) == (2, "")
        assert "actors mcp: --http 127.0.0.1:" in other.stderr
        process.send_signal(signal.SIGINT)
        with trio.fail_after(10):
            assert await process.wait() == 128 + signal.SIGINT


async def test_a_signal_ends_it_over_stdio_though_stdin_is_open() -> None:
    """No thread sits in a read; a client that has said something hears nothing that is no message."""
    command = [sys.executable, "-m", "actors", "mcp", str(EXAMPLES / "mcp.toml")]
    process = await trio.lowlevel.open_process(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    async with process.stdin, process.stdout:
        with trio.fail_after(40):
            await process.stdin.send_all(json.dumps(INITIALIZE).encode() + b"\n")
            heard = b""
            while b"\n" not in heard:
                heard += await process.stdout.receive_some()
            process.send_signal(signal.SIGTERM)
            while piece := await process.stdout.receive_some():
                heard += piece
            assert await process.wait() == 128 + signal.SIGTERM
    assert [json.loads(line)["id"] for line in heard.splitlines()] == [1]
