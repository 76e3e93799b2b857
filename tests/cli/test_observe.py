"""`--observe`: a page over what a command runs."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from actors.cli.misuse import Misused
from actors.cli.watched import watching
from tests.cli.cast import environment, facts_of, program, running, written

TREE = """
    [[agents]]
    name = "sleeper"
    command = ["sleep", "60"]
"""


def asked(url: str, path: str, token: str | None = None) -> dict:
    """What the page's system says."""
    request = urllib.request.Request(url + path)
    if token is not None:
        request.add_header("authorization", f"Bearer {token}")
    with urllib.request.urlopen(request, timeout=5) as answer:
        return json.load(answer)


def test_a_run_is_watched_in_a_browser(tmp_path: Path) -> None:
    """The address is told as an event, the tree is there, and it ends with the run."""
    file = written(tmp_path, TREE)
    with running("run", file, "--json", "--observe", "127.0.0.1:0") as process:
        facts = facts_of(process)
        opened = next(fact for fact in facts if fact["event"] == "ObservatoryOpened")
        next(fact for fact in facts if fact["event"] == "Started" and fact["path"] == "/sleeper")
        tree = asked(opened["url"], "/api/v1/tree")
        assert "/sleeper" in [child["path"] for child in tree["children"]]
        process.send_signal(signal.SIGINT)
        assert [fact["event"] for fact in facts][-1] == "Status"


def test_a_node_is_watched_with_the_token_that_others_need(tmp_path: Path) -> None:
    """One token for links and for the page; without it nothing is told."""
    token = tmp_path / "token"
    token.write_text("secret\n")
    command = [sys.executable, "-m", "actors", "node", "beta", "--token-file", str(token), "--observe"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment()) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(2)]
        url = lines[1].removeprefix("observatory at ").strip()
        assert asked(url, "/api/v1/tree", "secret")["name"] == "beta"
        with pytest.raises(urllib.error.HTTPError, match="401"):
            asked(url, "/api/v1/tree")
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 128 + signal.SIGTERM


@pytest.mark.parametrize("where", ["here", "127.0.0.1:x", "127.0.0.1:70000", ":80"])
def test_an_address_that_is_none_is_refused(where: str) -> None:
    """With the cure."""
    with pytest.raises(Misused, match="--observe takes HOST:PORT"):
        watching([where], None)


def test_an_address_that_others_reach_needs_a_token(tmp_path: Path) -> None:
    """Nothing has run then."""
    done = program("run", written(tmp_path, TREE), "--observe", "0.0.0.0:0")
    assert done.returncode == 2
    assert "give a file with a token" in done.stderr
