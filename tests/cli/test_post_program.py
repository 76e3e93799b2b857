"""Posting to a team from outside, as users do it: real processes, killed at any time."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from actors.cli.commands import execute
from actors.delivery.service import AwaitTicket, PostJson
from tests.cli.cast import facts_of, program, running, written

TEAM = """
[[agents]]
name = "shop"
class = "bakery:Shop"
"""
BAKERY = """
import pathlib

import trio

import actors


@actors.message(tag="bakery.Order")
class Order(actors.Request[str]):
    item: str


class Shop(actors.Actor):
    @actors.receive
    async def order(self, message: Order) -> str:
        if message.item == "moon":
            await trio.sleep_forever()
        with open(pathlib.Path(__file__).with_name("sold"), "a") as sold:
            sold.write(message.item + "\\\\n")
        return f"one {message.item}"
"""


@pytest.fixture
def team(tmp_path: Path) -> Path:
    (tmp_path / "bakery.py").write_text(BAKERY.replace("\\\\n", "\\n"))
    return written(tmp_path, TEAM)


@contextmanager
def run(team: Path) -> Iterator[tuple[subprocess.Popen[str], Iterator[dict[str, Any]]]]:
    """`actors run`, when its shop is ready."""
    with running("run", team, "--json") as process:
        facts = facts_of(process)
        assert any((fact["event"], fact["path"]) == ("Started", "/shop") for fact in facts)
        yield process, facts


def order(item: str) -> str:
    return json.dumps({"$": "bakery.Order", "item": item})


def found(file: Path, capfd: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    capfd.readouterr()
    assert execute(["tickets", str(file), "--json"]) == 0
    return [json.loads(line) for line in capfd.readouterr().out.splitlines()]


def test_what_is_posted_survives_the_kill_of_its_team(team: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """While it runs it is asked; what is posted when it is dead is delivered when it runs again, in order."""
    file = team.with_name("team.tickets.db")
    with run(team) as (process, facts):
        asked = program("post", file, "/shop", order("tea"), "--wait")
        assert (asked.returncode, asked.stdout, asked.stderr) == (0, '"one tea"\n', "")
        stuck = program("post", file, "/shop", order("moon"), "--max-attempts", 1)
        assert stuck.returncode == 0
        moved = (fact for fact in facts if fact["event"] == "TicketMoved")
        assert any((one["ticket_id"], one["state"]) == (stuck.stdout.strip(), "delivered") for one in moved)
        process.send_signal(signal.SIGKILL)
        process.wait()
    for item in ("milk", "salt", "jam"):
        assert execute(["post", str(file), "/shop", order(item)]) == 0
    with run(team) as (process, facts):
        answered = 0
        while answered < 3:
            fact = next(facts)
            answered += (fact["event"], fact.get("state")) == ("TicketMoved", "responded")
        process.send_signal(signal.SIGINT)
        assert process.wait() == 130
    assert (team.parent / "sold").read_text().split() == ["tea", "milk", "salt", "jam"]
    states = [(one["message"]["item"], one["state"]) for one in found(file, capfd)]
    assert states == [
        ("tea", "responded"),
        ("moon", "dead"),
        ("milk", "responded"),
        ("salt", "responded"),
        ("jam", "responded"),
    ]


def test_ctrl_c_ends_the_waiting_and_not_the_ticket(
    team: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its id is told, and the code is that of every Ctrl-C; so is it when it strikes before the receipt."""
    file = team.with_name("team.tickets.db")
    words = ["post", str(file), "/shop", order("moon"), "--wait"]

    def struck(request: type) -> Callable[..., object]:
        def strike(*fields: object, **more: object) -> object:
            signal.raise_signal(signal.SIGINT)
            return request(*fields, **more)

        return strike

    with run(team):
        with monkeypatch.context() as patch:
            patch.setattr("actors.cli.posted.post.AwaitTicket", struck(AwaitTicket))
            assert execute(words) == 130
        err = capfd.readouterr().err
        [ticket] = found(file, capfd)
        assert ticket["state"] in ("pending", "delivered")
        assert err == f"actors post: not waited for any more; the ticket {ticket['id']} goes on\n"
        with monkeypatch.context() as patch:
            patch.setattr("actors.cli.posted.post.PostJson", struck(PostJson))
            assert execute(words) == 130
        assert "it may have been posted" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("option", "why"),
    [
        ("sqlite:no/such/folder/x.db", "its folder is not there"),
        ("mysql:x", 'unknown store "mysql:x": write "sqlite:FILE"'),
        ("redis://127.0.0.1:1", "no server is there"),
    ],
)
def test_a_run_whose_store_cannot_be_used_does_not_begin(
    team: Path, option: str, why: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """2, and one line."""
    assert execute(["run", str(team), "--store", option]) == 2
    said = capfd.readouterr()
    assert said.err.count("\n") == 1
    assert why in said.err
    assert "Started" not in said.out


def test_a_second_run_of_a_file_is_told_who_has_its_store(team: Path) -> None:
    """And that another store can be named."""
    with run(team) as (process, _):
        done = program("run", team)
        assert done.returncode == 2
        assert f"the process {process.pid} (node team) has it open" in done.stderr
        assert "--store" in done.stderr


def test_a_run_in_memory_leaves_no_file(tmp_path: Path) -> None:
    """With the option, and with the key of the file."""
    quick = '[[agents]]\nname = "a"\ncommand = ["true"]\n'
    assert execute(["run", str(written(tmp_path, quick)), "--store", "memory"]) == 0
    assert execute(["run", str(written(tmp_path, f'store = "memory"\n{quick}'))]) == 0
    assert os.listdir(tmp_path) == ["team.toml"]
    assert execute(["run", str(written(tmp_path, f'store = "sqlite:kept.db"\n{quick}'))]) == 0
    assert (tmp_path / "kept.db").exists()
