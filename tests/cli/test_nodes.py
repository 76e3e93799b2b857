"""`actors node`, `actors tree` and `actors ask`, run as users run them."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.cast import environment, program

SHOP = """
import trio

import actors


@actors.message(tag="shop.Price")
class Price(actors.Request[float]):
    item: str


class Till(actors.Actor):
    @actors.receive
    async def price(self, message: Price) -> float:
        if message.item == "gold":
            raise actors.Refused("not for sale")
        if message.item == "moon":
            await trio.sleep_forever()
        if message.item == "stone":
            raise ValueError("stones have no price")
        return 2.5
"""

KEEPER = """
import sys

import trio

import actors
from shop import Till


async def main() -> None:
    async with actors.open_system("keeper") as keeper:
        peer = await keeper.connect(sys.argv[1])
        await keeper.start(Till, name="till", on=peer.name)
        print("open", flush=True)
        await trio.sleep_forever()


trio.run(main)
"""
"""Another host, which runs a till on the node."""

SOON = 15.0
"""Seconds for what waits for nothing, half of every timeout: mostly those of Python's start."""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A folder with a module to spawn from."""
    (tmp_path / "shop.py").write_text(SHOP)
    (tmp_path / "keeper.py").write_text(KEEPER)
    (tmp_path / "token").write_text("sesame\n")
    (tmp_path / "wrong").write_text("barley\n")
    return tmp_path


@contextmanager
def process(*arguments: object, cwd: Path, wait: bool = True) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A Python with its first line, unless nobody is to wait for one; killed if the test does not end it."""
    with subprocess.Popen(
        [sys.executable, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
        cwd=cwd,
        env=environment(),
    ) as one:
        try:
            assert one.stdout is not None
            yield one, one.stdout.readline() if wait else ""
        finally:
            one.kill()


@contextmanager
def node(shop: Path, *more: object) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`actors node beta` and its URL."""
    arguments = ("-m", "actors", "node", "beta", "--spawnable", "shop:Till", *more)
    with process(*arguments, cwd=shop) as (one, line):
        assert line.startswith("beta listens at ws://127.0.0.1:")
        yield one, line.split()[-1]


@contextmanager
def till(shop: Path) -> Iterator[tuple[str, str]]:
    """A node on which another host runs a till: its URL, and the till's path."""
    with node(shop) as (_, url), process("keeper.py", url, cwd=shop) as (_, line):
        assert line == "open\n"
        yield url, "/system/nodes/keeper/till"


def timed(*arguments: object) -> subprocess.CompletedProcess[str]:
    """`actors`, which must not wait for anything."""
    began = time.monotonic()
    done = program(*arguments)
    assert time.monotonic() - began < SOON
    return done


def _wait_until_asked(url: str) -> None:
    """Until a visitor's question is in hand: the tree says who is busy."""
    deadline = time.monotonic() + 20
    while "[busy]" not in program("tree", url).stdout:
        assert time.monotonic() < deadline


def said(done: subprocess.CompletedProcess[str]) -> str:
    """The one line of an error: no traceback."""
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


# --- node -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)],
    ids=["INT", "TERM", "HUP"],
)
def test_a_signal_ends_a_node_in_order(shop: Path, number: signal.Signals, code: int) -> None:
    """With the code of every other run, and without a word."""
    with node(shop) as (one, _):
        one.send_signal(number)
        out, err = one.communicate(timeout=20)
        assert (one.returncode, out, err) == (code, "", "")


def test_a_linked_node_says_goodbye_when_it_is_stopped(shop: Path) -> None:
    """Whoever runs something there hears it at once, not at the lease."""
    with node(shop) as (one, url), process("keeper.py", url, cwd=shop) as (other, line):
        assert line == "open\n"
        one.send_signal(signal.SIGTERM)
        assert one.wait(20) == 143
        assert other.poll() is None


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--listen", "127.0.0.1"], "--listen takes HOST:PORT"),
        (["--listen", "127.0.0.1:http"], "--listen takes HOST:PORT"),
        (["--listen", "127.0.0.1:70000"], "70000"),
        (["--listen", "0.0.0.0:0"], "token"),
        (
            ["--listen", "no.such.host.invalid:0", "--token-file", "token"],
            "cannot listen at no.such",
        ),
        (["--token-file", "missing"], "missing: No such file or directory"),
        (["--token-file", "empty"], "empty is empty"),
        (["--token-file", "."], "--token-file ."),
        (["--spawnable", "no_such_module:Till"], "--spawnable no_such_module:Till: No module named"),
        (["--spawnable", "shop:Tell"], "--spawnable shop:Tell: module 'shop' has no attribute 'Tell'"),
        (["--spawnable", "shop"], "write module:Class"),
        (["--store", "shop.db"], 'unknown store "shop.db"'),
        (["--store", "sqlite:no/folder/shop.db"], "its folder is not there"),
        (["--spawnable", "shop:actors"], "shop:actors"),
        (["--spawnable", "broken:Till"], "--spawnable broken:Till: ZeroDivisionError: division by zero"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_node_that_cannot_begin_says_why_in_one_line(shop: Path, arguments: list[str], why: str) -> None:
    """Exit code 2, before anything runs."""
    (shop / "empty").write_text("\n")
    (shop / "broken.py").write_text("1 / 0\n")
    done = subprocess.run(
        [sys.executable, "-m", "actors", "node", "beta", *arguments],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        cwd=shop,
        env=environment(),
        timeout=30,
        check=False,
    )
    assert done.returncode == 2
    assert said(done).startswith("actors node: ")
    assert why in done.stderr


def test_a_node_whose_name_is_none_says_so() -> None:
    """Like every other name."""
    done = program("node", "not a name")
    assert done.returncode == 2
    assert "not a name" in said(done)


def test_a_port_that_is_taken_is_named() -> None:
    """With the words of the operating system."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = program("node", "beta", "--listen", f"127.0.0.1:{taken.getsockname()[1]}")
    assert done.returncode == 2
    assert "address already in use" in said(done).lower()
    assert str(taken) not in done.stderr


def test_a_node_with_a_store_keeps_what_is_posted_to_it(shop: Path) -> None:
    """Before anybody is there to get it."""
    with node(shop, "--store", "sqlite:shop.db") as (_, url):
        done = program("post", url, "/till", '{"$": "shop.Price", "item": "tea"}')
        assert (done.returncode, done.stderr) == (0, "")
        shown = program("tickets", url, "--state", "pending", "--json")
        assert json.loads(shown.stdout)["id"] == done.stdout.strip()


# --- tree -----------------------------------------------------------------------------


def test_the_tree_of_a_node_is_drawn_and_told_as_json(shop: Path) -> None:
    """With what others run there."""
    with till(shop) as (url, path):
        drawn = program("tree", url)
        assert (drawn.returncode, drawn.stderr) == (0, "")
        assert drawn.stdout.splitlines()[0].startswith("beta")
        assert any("till" in line for line in drawn.stdout.splitlines())
        told = program("tree", url, "--json")
        assert (told.returncode, told.stderr) == (0, "")
        todo, paths = [json.loads(told.stdout)], set()
        while todo:
            here = todo.pop()
            paths.add(here["path"])
            todo += here["children"]
        assert path in paths


def test_a_token_file_opens_the_door(shop: Path) -> None:
    """A wrong token and none are told apart; the node goes on."""
    with node(shop, "--token-file", shop / "token") as (_, url):
        wrong = timed("tree", url, "--token-file", shop / "wrong")
        assert wrong.returncode == 1
        assert "not the right one" in said(wrong)
        none = timed("tree", url)
        assert none.returncode == 1
        assert "a token is needed" in said(none)
        assert program("tree", url, "--token-file", shop / "token").returncode == 0


@pytest.mark.parametrize("command", [["tree"], ["ask", "/x", '{"$": "x"}']], ids=["tree", "ask"])
@pytest.mark.parametrize(
    ("url", "code", "why"),
    [
        ("http://127.0.0.1:1", 2, "ws://host:port"),
        ("127.0.0.1:1", 2, "ws://host:port"),
        ("ws://127.0.0.1", 2, "ws://host:port"),
        ("ws://127.0.0.1:99999", 2, "ws://host:port"),
        ("ws://127.0.0.1:1", 1, "no node answers at ws://127.0.0.1:1"),
    ],
)
def test_a_url_that_leads_nowhere_is_told_at_once(command: list[str], url: str, code: int, why: str) -> None:
    """2 for one that is none, 1 for one where nobody answers."""
    done = timed(command[0], url, *command[1:])
    assert done.returncode == code
    assert why in said(done)


# --- ask ------------------------------------------------------------------------------


def test_an_actor_is_asked_in_json(shop: Path) -> None:
    """The reply is JSON too; what the actor raises is told in one line."""
    with till(shop) as (url, path):
        done = program("ask", url, path, '{"$": "shop.Price", "item": "tea"}')
        assert (done.returncode, done.stdout, done.stderr) == (0, "2.5\n", "")
        refused = program("ask", url, path, '{"$": "shop.Price", "item": "gold"}')
        assert refused.returncode == 1
        assert "not for sale" in said(refused)
        failed = program("ask", url, path, '{"$": "shop.Price", "item": "stone"}')
        assert failed.returncode == 1
        assert "stones have no price" in said(failed)


def test_an_ask_that_nobody_can_answer_ends_at_once(shop: Path) -> None:
    """An unknown path, an unknown tag, fields that do not fit: 1, and never the timeout."""
    with till(shop) as (url, path):
        tea = '{"$": "shop.Price", "item": "tea"}'
        nobody = timed("ask", url, "/nobody", tea)
        assert nobody.returncode == 1
        assert "/nobody" in said(nobody)
        unknown = timed("ask", url, path, '{"$": "shop.Cost", "item": "tea"}')
        assert unknown.returncode == 1
        assert "shop.Cost" in said(unknown)
        unfit = timed("ask", url, path, '{"$": "shop.Price", "items": 1}')
        assert unfit.returncode == 1
        assert "required field missing @ $.item" in said(unfit)


def test_an_ask_that_takes_too_long_ends_at_its_timeout_or_by_ctrl_c(shop: Path) -> None:
    """1, and 130."""
    with till(shop) as (url, path):
        never = '{"$": "shop.Price", "item": "moon"}'
        with process("-m", "actors", "ask", url, path, never, cwd=shop, wait=False) as (one, _):
            _wait_until_asked(url)
            one.send_signal(signal.SIGINT)
            out, err = one.communicate(timeout=20)
        assert (one.returncode, out) == (130, "")
        assert "Traceback" not in err
        slow = timed("ask", url, path, never, "--timeout", "0.3")
        assert slow.returncode == 1
        assert "0.3" in said(slow)


@pytest.mark.parametrize(
    ("path", "message", "why"),
    [
        ("/x", "{", "no JSON"),
        ("/x", "[1]", "its tag"),
        ("/x", '{"item": "tea"}', "its tag"),
        ("/x", '{"$": 5}', "tag"),
        ("x", '{"$": "x"}', "'x'"),
    ],
)
def test_a_message_or_path_that_is_none_is_told(shop: Path, path: str, message: str, why: str) -> None:
    """2, as the command line is wrong."""
    with node(shop) as (_, url):
        done = timed("ask", url, path, message)
        assert done.returncode == 2
        assert why in said(done)


@pytest.mark.parametrize("timeout", ["-1", "nan", "soon"])
def test_a_timeout_that_is_none_is_told(timeout: str) -> None:
    """Before anybody is asked."""
    done = timed("ask", "ws://127.0.0.1:1", "/x", '{"$": "x"}', "--timeout", timeout)
    assert done.returncode == 2
