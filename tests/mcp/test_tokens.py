"""Agents with rights of their own: the tables `[mcp.tokens]` of a file."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx2
import pytest
import trio
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

import actors
from actors.cli.load import BadFile, load
from actors.cli.mcp.command import way_of
from actors.cli.mcp.gate import gates_of
from actors.cli.misuse import Misused
from actors.cli.what import Surroundings, look_beside, machine_faults
from actors.mcp import Gate
from tests.mcp.reached import said
from tests.mcp.test_command import EXAMPLES
from tests.mcp.test_http import INITIALIZE

pytestmark = pytest.mark.filterwarnings("ignore:Async generator '(httpx2|httpcore2):ResourceWarning")

CREW = """
[mcp]
adopt = true
people = true
reach = "tree"
name = "all"
messages = ["clerks:Count"]
budget = { tokens = 5 }

[mcp.templates.say]
lines = ["{python}", "-c", '''
import os, sys
for line in sys.stdin:
    print(line.split()[0], os.environ.get("CHIEF", "nothing"), flush=True)
''']
protocol = "text"
ready = false

[mcp.templates.once]
command = ["{python}", "-c", "print(1)"]

[mcp.tokens.chief]
token_env = "CHIEF"
budget = false

[mcp.tokens.guest]
token_file = "guest.token"
templates = ["once"]
tools = ["spawn", "tree"]
limits = { max_active = 1 }
adopt = false
people = false
reach = "family"
messages = []
name = false
inbox = 3
"""


def surroundings(**environ: str) -> Surroundings:
    return Surroundings({"PATH": os.environ["PATH"], **environ}, sys.executable)


def written(folder: Path, text: str = CREW) -> Path:
    file = folder / "team.toml"
    file.write_text(text)
    (folder / "guest.token").write_text("of-guest\n")
    return file


def faults_in(folder: Path, text: str, *, secrets: bool = True, **environ: str) -> list[str]:
    """What `actors check` says of it."""
    try:
        team = load(written(folder, text))
    except BadFile as error:
        return [str(fault) for fault in error.faults]
    look_beside(team.place.file)
    return [str(fault) for fault in machine_faults(team, surroundings(**environ), secrets=secrets)]


def test_a_token_has_the_rights_of_the_table_but_those_that_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`false` takes a right away, and is not taken for one that is left out."""
    monkeypatch.syspath_prepend(EXAMPLES)
    assert faults_in(tmp_path, CREW, CHIEF="of-chief") == []
    team = load(tmp_path / "team.toml")
    assert team.mcp is not None
    whole, gates = gates_of(team.mcp, team.place.at("mcp"), surroundings())
    chief, guest = gates["chief"], gates["guest"]
    assert whole.name == "all"
    assert (chief.name, chief.budget, chief.adopt, chief.people) == ("chief", None, True, True)
    assert (chief.reach, chief.messages, set(chief.templates)) == ("tree", ("clerks.Count",), {"say", "once"})
    assert (guest.name, guest.budget) == (None, actors.Budget(tokens=5))
    assert (guest.adopt, guest.people, guest.reach, guest.messages) == (False, False, "family", ())
    assert (set(guest.templates), guest.tools) == ({"once"}, ("spawn", "tree"))
    assert (guest.limits.max_active, guest.inbox) == (1, 3)


@pytest.mark.parametrize(
    ("text", "wrong", "where"),
    [
        ("", "give one of token_env", "$.mcp.tokens['a']"),
        ('token_env = "A"\ntoken_file = "a"', "give one of token_env", "$.mcp.tokens['a']"),
        ('token = "secret"', "unknown key 'token'", "$.mcp.tokens['a']"),
        ('token_env = "NO"', "no variable NO, or it is empty: set it", "$.mcp.tokens.a.token_env"),
        ('token_env = "BLANK"', "no variable BLANK, or it is empty", "$.mcp.tokens.a.token_env"),
        ('token_file = "none"', "No such file or directory: write the token", "$.mcp.tokens.a.token_file"),
        ('token_file = "team.bin"', "it is no text", "$.mcp.tokens.a.token_file"),
        ('token_file = "empty"', "is empty: write the token", "$.mcp.tokens.a.token_file"),
        ('token_env = "A"\ntemplates = ["x"]', "no template is called 'x'", "$.mcp.tokens.a.templates[0]"),
        ('token_env = "A"\ntemplates = false', "templates cannot be false", "$.mcp.tokens['a'].templates"),
        ('token_env = "A"\ntools = false', "tools cannot be false", "$.mcp.tokens['a'].tools"),
        ('token_env = "A"\nlimits = false', "limits cannot be false", "$.mcp.tokens['a'].limits"),
        ('token_env = "A"\nmessages = false', "messages cannot be false", "$.mcp.tokens['a'].messages"),
        ('token_env = "A"\nmessages = ["no_such:C"]', 'import "no_such"', "$.mcp.tokens.a.messages[0]"),
        ('token_env = "A"\nreach = "far"', "expected one of family, tree", "$.mcp.tokens['a'].reach"),
        ('token_env = "A"\ntools = ["fly"]', "no tool is called 'fly'", "$.mcp.tokens.a"),
        ('token_env = "A"\nname = "a b"', "not a valid name", "$.mcp.tokens.a"),
        ('token_env = "A"\n[mcp.tokens.b]\ntoken_env = "SAME"', "is that of 'a'", "$.mcp.tokens.b"),
    ],
)
def test_a_wrong_token_has_its_place_and_its_cure(tmp_path: Path, text: str, wrong: str, where: str) -> None:
    """No word of a token is said."""
    (tmp_path / "empty").write_text(" \n")
    (tmp_path / "team.bin").write_bytes(b"\xff\xfe\x00")
    [fault] = faults_in(tmp_path, f"[mcp.tokens.a]\n{text}", A="hush-1", SAME="hush-1", BLANK=" ")
    assert wrong in fault
    assert fault.endswith(f" @ {where}")
    assert "hush-1" not in fault


def test_tokens_are_looked_for_where_clients_come_over_http_alone(tmp_path: Path) -> None:
    """A run, and one client over stdio, need none."""
    assert faults_in(tmp_path, '[mcp.tokens.a]\ntoken_env = "NO"', secrets=False) == []


def test_nobody_comes_without_a_token_where_the_file_has_some() -> None:
    """None is made up; one that is given is for whoever has the rights of the table itself."""
    tokens = {"of-chief": Gate()}
    made = way_of("127.0.0.1:0", None, None, open=False)
    assert made.beside({}) is made
    assert (made.beside(tokens).token, made.beside(tokens).made_up) == (None, False)
    assert way_of("127.0.0.1:0", None, "mine", open=False).beside(tokens).token == "mine"
    with pytest.raises(Misused, match="--open lets everybody in"):
        way_of("127.0.0.1:0", None, None, open=True).beside(tokens)
    with pytest.raises(Misused, match=r"one of \[mcp.tokens\] too"):
        way_of("127.0.0.1:0", None, "of-chief", open=False).beside(tokens)


async def test_several_agents_with_rights_of_their_own_over_http(tmp_path: Path) -> None:
    """What each sees is its own, and no program has the token of another among its variables."""
    (tmp_path / "clerks.py").write_text((EXAMPLES / "clerks.py").read_text())
    command = [sys.executable, "-m", "actors", "mcp", str(written(tmp_path)), "--http", "127.0.0.1:0"]
    environ = {**os.environ, "CHIEF": "of-chief"}
    environ.pop("ACTORS_MCP_TOKEN", None)
    process = await trio.lowlevel.open_process(command, stderr=subprocess.PIPE, env=environ)
    assert process.stderr is not None
    try:
        heard = b""
        with trio.fail_after(40):
            while b"\n" not in heard:
                piece = await process.stderr.receive_some()
                assert piece, heard
                heard += piece
        assert heard.count(b"\n") == 1
        url = heard.decode().strip().removeprefix("MCP at ")
        async with httpx2.AsyncClient() as http:
            assert (await http.post(url, json=INITIALIZE)).status_code == 401
        async with bearing("of-chief") as one, Client(streamable_http_client(url, http_client=one)) as chief:
            spawned = said(await chief.call_tool("spawn", {"template": "say", "name": "it"}))
            assert spawned["path"] == "/agents/chief/it"
            asked = said(await chief.call_tool("ask", {"path": "it", "message": "x", "timeout": 10}))
            assert asked["reply"] == "nothing"
            async with (
                bearing("of-guest") as other,
                Client(streamable_http_client(url, http_client=other)) as guest,
            ):
                assert [tool.name for tool in (await guest.list_tools()).tools] == ["spawn", "tree"]
                wrong = await guest.call_tool("spawn", {"template": "say"})
                assert wrong.is_error
    finally:
        process.kill()
        with trio.CancelScope(shield=True):
            await process.wait()
            await process.stderr.aclose()


def bearing(token: str) -> Any:
    return httpx2.AsyncClient(headers={"authorization": f"Bearer {token}"}, timeout=10)
