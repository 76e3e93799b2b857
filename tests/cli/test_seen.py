"""`actors top` and `actors why`, run as users run them, and what they draw."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from actors.cli.commands import execute
from actors.cli.run import NOBODY_READS
from actors.cli.seen.picture import picture
from actors.cli.seen.rates import Rates, in_tree_order
from actors.observe.fact import Fact
from actors.observe.service import Sight
from tests.cli.cast import facts_of, program, running, written

GOLDEN = Path(__file__).parent / "golden"
TEAM = """
[system]
name = "shop"
[[agents]]
name = "till"
class = "tests.cli.cast:lasts"
[[agents]]
name = "clerk"
class = "tests.cli.cast:fails"
policy = { restart = "temporary" }
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A file that is run, whose clerk has failed for good."""
    path = written(tmp_path_factory.mktemp("shop"), TEAM)
    with running("run", path, "--json") as run:
        for fact in facts_of(run):
            if (fact["event"], fact["path"]) == ("Stopped", "/clerk"):
                break
        yield path


@pytest.fixture
def command(capfd: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """`actors` with these words, in this process: its code, and what it wrote."""

    def run(*arguments: object) -> tuple[int, str, str]:
        code = execute([str(one) for one in arguments])
        return code, *capfd.readouterr()

    return run


Command = Callable[..., tuple[int, str, str]]


def test_why_tells_of_one_that_is_gone_and_knows_the_past(shop: Path, command: Command) -> None:
    code, out, _ = command("why", "/clerk", shop)
    first, second = out.splitlines()
    assert (code, first) == (0, "/clerk is gone: FAILED (RuntimeError: it always fails)")
    assert second.startswith("  <- it failed: RuntimeError: it always fails, at fails (")
    _, out, _ = command("why", "/clerk", shop.with_suffix(".tickets.db"), "--json")
    told = json.loads(out)
    assert (told["path"], told["state"]) == ("/clerk", "gone")
    assert [step["kind"] for step in told["steps"]] == ["Stopped", "Failed"]


def test_why_names_paths_that_are_like_an_unknown_one(shop: Path, command: Command) -> None:
    code, out, err = command("why", "/clark", shop)
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "did you mean /clerk?" in err


@pytest.mark.row(70)
def test_top_shows_the_tree_once_into_a_pipe(shop: Path) -> None:
    done = program("top", shop)
    lines = done.stdout.splitlines()
    assert lines[0].startswith("shop, up ")
    assert any(line.startswith("  till ") and " busy " in line for line in lines)
    assert not any("clerk" in line for line in lines)


def test_top_for_programs_gives_one_object_a_look(shop: Path, command: Command) -> None:
    _, out, _ = command("top", shop, "--once", "--json", "--sort", "uptime", "--limit", "2")
    sight = json.loads(out)
    assert sight["actors"][0]["path"] == "/"
    assert sight["more"] == sight["statistics"]["actors"] - 1
    assert (sight["system"], sight["dead"]["count"]) == ("shop", 0)


def test_top_goes_on_with_news_until_nobody_reads_any_more(shop: Path) -> None:
    with running("top", shop, "--json") as top:
        first, second = islice(facts_of(top), 2)
        assert second["at"] - first["at"] >= 0.9
        assert top.stdout is not None
        top.stdout.close()
        assert top.wait(20) == NOBODY_READS


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["top", "nowhere.db"], 1, "nobody has nowhere.db open"),
        (["top", "nowhere.toml"], 2, "cannot read nowhere.toml"),
        (["top", "redis://localhost"], 2, "is a store, and no system"),
        (["top", "ws:/x"], 2, "ws:/x"),
        (["top", "http://x"], 2, "no URL that begins with"),
        (["top", "x.db", "--limit", "0"], 2, "--limit"),
        (["why", "/x", "nowhere.db"], 1, "start its system first"),
        (["why", "x", "nowhere.db"], 2, "is not a path from the root"),
        (["why", "/x", "x.db", "--token-file", "nothere"], 2, "--token-file nothere"),
    ],
    ids=lambda one: " ".join(one) if isinstance(one, list) else "",
)
def test_a_wrong_word_is_told_on_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: Command,
    arguments: list[str],
    code: int,
    text: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    ended, out, err = command(*arguments)
    assert (ended, out, err.count("\n")) == (code, "", 1), err
    assert text in err


# --- what is drawn -------------------------------------------------------------------------


def row(path: str, **more: Any) -> dict[str, Any]:
    usual = {"name": path.rpartition("/")[2], "kind": "actor", "state": "IDLE", "depth": 0, "restarts": 0}
    return usual | {"path": path, "handled": 0, "failed": 0, "uptime": 100.0} | more


def sight(*actors: dict[str, Any], at: float = 1000.0, handled: int = 0, more: int = 0) -> Sight:
    summary: dict[str, Any] = {
        "system": "shop [bold]",
        "at": at,
        "uptime": 3700.0,
        "statistics": {"actors": len(actors), "waiting": 3, "handled": handled, "restarts": 1},
        "nodes": [{"name": "beta", "state": "SUSPECT", "round_trip": 0.0012}],
        "desk": {
            "pending": [
                {"id": "shop:1", "to": "ann", "text": "[red]sell?[/red]", "deadline": at + 30},
                {"id": "shop:2", "to": None, "text": "open?", "deadline": None},
            ],
            "more": 1,
        },
        "dead": {"count": 2, "posted": None},
    }
    return Sight(summary, list(actors), more)


ACTORS = (
    row("/", name="shop", state="IDLE"),
    row("/team", kind="supervisor"),
    row("/till", state="BUSY", depth=3, handled=70, deadline=1012.5, limit=60.0, waiting_for=["/team/a"]),
    row("/team/a", state="CIRCUIT_OPEN", failed=4, restarts=3,
        breaker={"state": "OPEN", "failures": 4, "retry_after": 12.25}),
    row("/team/~7", state="STARTING", node="beta"),
)  # fmt: skip


def drawn(*looks: Sight, as_tree: bool = True, height: int | None = None) -> str:
    rates = Rates()
    for look in looks:
        rates.look(look.summary, look.actors)
    facts = [Fact(7, 1.0, "Failed", "/team/a", "FAILED (ValueError: [blink]no[/blink])", {})]
    out = io.StringIO()
    Console(file=out, width=130).print(picture(looks[-1], rates, facts, as_tree=as_tree, height=height))
    return "".join(f"{line.rstrip()}\n" for line in out.getvalue().splitlines())


def test_the_picture_is_that_of_the_golden_file() -> None:
    """To the letter: also what users wrote, which is no markup."""
    before = sight(*(actor | {"handled": 20} for actor in ACTORS), at=990.0, handled=40)
    text = drawn(before, sight(*ACTORS, handled=100, more=2))
    if os.environ.get("REGOLD"):
        (GOLDEN / "top.txt").write_text(text)
    assert text == (GOLDEN / "top.txt").read_text()


def test_a_low_terminal_shows_the_first_actors_and_counts_the_rest() -> None:
    text = drawn(sight(*ACTORS), as_tree=False, height=2)
    assert "/team " in text
    assert "/till" not in text
    assert "… 3 actors more" in text


@given(st.lists(st.tuples(st.floats(0, 100), st.integers(0, 1000)), min_size=1, max_size=10))
def test_rates_are_never_negative_whatever_clocks_and_counts_do(looks: list[tuple[float, int]]) -> None:
    rates = Rates()
    for at, handled in looks:
        rates.look(sight(at=at, handled=handled).summary, [row("/a", handled=handled)])
        assert rates.total is None or rates.total >= 0
        assert (rates.of("/a") or 0.0) >= 0
    assert rates.of("/b") is None


@given(st.permutations([row("/"), row("/a"), row("/a/b"), row("/a/c"), row("/d"), row("/x/y")]))
def test_the_tree_has_each_actor_once_below_its_parent(actors: list[dict[str, Any]]) -> None:
    ordered = list(in_tree_order(actors))
    paths = [one["path"] for _, one in ordered]
    assert sorted(paths) == sorted(one["path"] for one in actors)
    assert paths.index("/a") < paths.index("/a/b")
    assert dict((one["path"], deep) for deep, one in ordered) == {
        "/": 0, "/a": 1, "/a/b": 2, "/a/c": 2, "/d": 1, "/x/y": 0,
    }  # fmt: skip
