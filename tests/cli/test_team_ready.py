"""A team says when it is ready: counted from events, shown as lines."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

import actors
from actors import events
from actors.cli.feed import Picture
from actors.cli.lines import Notice, as_json, as_text
from actors.cli.run import run_team
from actors.cli.screens import LiveScreen
from actors.cli.teams.ready import TeamNotReady, TeamProgress, TeamReadiness, TeamReady
from actors.cli.teams.template import Instance
from actors.exits import Exit, ExitKind
from actors.tree import TreeNode
from tests.cli.cast import SURROUNDINGS, Notes, instance_of

AGENTS = ("/t/a", "/t/b", "/t/c")
FAILED = Exit(ExitKind.START_FAILED, error=ValueError("no"))
MOVES = ("spawned", "started", "restarted", "attempt", "stopped", "opened", "half_open", "failed")


def moved(at: float, path: str, move: str) -> events.Event:
    """One event about this path."""
    ref: Any = SimpleNamespace(path=path)
    made: dict[str, events.Event] = {
        "spawned": events.Spawned(at, ref),
        "started": events.Started(at, ref),
        "restarted": events.Restarted(at, ref, 1),
        "attempt": events.StartAttemptFailed(at, ref, FAILED),
        "stopped": events.Stopped(at, ref, Exit(ExitKind.SHUTDOWN)),
        "opened": events.BreakerOpened(at, ref, 1, 9.0),
        "half_open": events.BreakerHalfOpen(at, ref),
        "failed": events.Failed(at, ref, FAILED),
    }
    return made[move]


def told(moves: Iterable[tuple[str, str]]) -> list[Notice]:
    """What is said of these moves, one a second from 101 on; the run began at 100."""
    readiness = TeamReadiness("/t", AGENTS, 100.0)
    numbered = enumerate(moves, 101)
    return [notice for at, (path, move) in numbered for notice in readiness.note(moved(at, path, move))]


def test_a_team_is_ready_with_its_last_agent() -> None:
    """Each one is counted, the last one ends it; others do not count, nor does who starts again."""
    notices = told(
        [
            ("/t", "started"),
            ("/t/a", "spawned"),
            ("/t/a", "started"),
            ("/t/a", "failed"),
            ("/t/a", "restarted"),
            ("/t/c", "started"),
            ("/t/b", "started"),
            ("/t/a", "stopped"),
        ]
    )
    assert notices == [
        TeamProgress(103, "/t", "/t/a", 1, 3),
        TeamProgress(106, "/t", "/t/c", 2, 3),
        TeamReady(107, "/t", 3, 3, 7.0),
    ]
    assert [str(notice) for notice in notices] == [
        "t: 1 of 3 ready",
        "t: 2 of 3 ready",
        "t: 3 of 3 ready after 7.00 s",
    ]


def test_who_fails_to_start_is_named_once_and_may_start_later() -> None:
    """With the reason; each further attempt has its own event."""
    notices = told(
        [
            ("/t/a", "started"),
            ("/t/b", "attempt"),
            ("/t/b", "attempt"),
            ("/t/c", "started"),
            ("/t/b", "restarted"),
        ]
    )
    assert [str(notice) for notice in notices] == [
        "t: 1 of 3 ready",
        "t: 1 of 3 ready, b failed to start: ValueError: no",
        "t: 2 of 3 ready",
        "t: 3 of 3 ready after 5.00 s",
    ]
    assert [notice.lasting for notice in notices] == [False, True, False, True]


def test_a_team_is_not_ready_when_nobody_is_on_the_way_any_more() -> None:
    """Gone, or behind an open breaker. When one comes back and makes it, the team is ready."""
    notices = told(
        [
            ("/t/a", "started"),
            ("/t/b", "attempt"),
            ("/t/b", "opened"),
            ("/t/c", "stopped"),
            ("/t/b", "half_open"),
            ("/t/b", "opened"),
            ("/t/c", "spawned"),
            ("/t/c", "started"),
            ("/t/b", "half_open"),
            ("/t/b", "restarted"),
        ]
    )
    missing = {"/t/b": "ValueError: no", "/t/c": "SHUTDOWN"}
    assert notices[2] == TeamNotReady(104, "/t", 1, 3, 4.0, missing)
    assert str(notices[2]) == "t: 1 of 3 ready after 4.00 s, not ready: b (ValueError: no); c (SHUTDOWN)"
    assert [str(notice) for notice in notices[3:]] == [
        "t: 2 of 3 ready",
        "t: 2 of 3 ready after 8.00 s, not ready: b (ValueError: no)",
        "t: 3 of 3 ready after 10.00 s",
    ]


@given(st.lists(st.tuples(st.sampled_from(AGENTS), st.sampled_from(MOVES)), max_size=40))
def test_ready_is_said_once_and_when_it_is_so(moves: list[tuple[str, str]]) -> None:
    """Whatever happens in whatever order: exactly when each has been ready, and nothing after it."""
    notices = told(moves)
    ready = {path for path, move in moves if move in ("started", "restarted")}
    ends = [notice for notice in notices if isinstance(notice, TeamReady)]
    assert len(ends) == (ready == set(AGENTS))
    assert not ends or notices[-1] is ends[0]
    counts = [notice.ready for notice in notices]  # type: ignore[attr-defined]
    assert counts == sorted(counts)
    assert counts.count(3) == len(ends)


def test_notices_as_lines() -> None:
    """For people and for programs."""
    notice = TeamNotReady(12.0, "/t", 0, 1, 2.0, {"/t/a": "why"})
    assert as_text(notice, 10.0) == str(notice)
    assert json.loads(as_json(notice, 10.0)) == {
        "at": 2.0,
        "event": "TeamNotReady",
        "path": "/t",
        "ready": 0,
        "total": 1,
        "elapsed": 2.0,
        "missing": {"/t/a": "why"},
    }


def test_on_a_terminal_the_count_stands_below_the_tree_until_the_last_line() -> None:
    """Each count takes the place of the one before; what lasts scrolls away above."""
    screen = LiveScreen(Console(file=io.StringIO()))
    picture = Picture(TreeNode(name="t", path="/", kind="system", state="IDLE"), ())

    def drawn(*notices: Notice) -> tuple[list[str], str]:
        above, tree = screen.compose(notices, lambda: picture)
        console = Console(file=io.StringIO(), width=80)
        console.print(tree)
        return [str(line) for line in above], console.file.getvalue()  # type: ignore[attr-defined]

    progress, end = TeamProgress(1.0, "/t", "/t/a", 1, 2), TeamReady(2.0, "/t", 2, 2, 2.0)
    assert drawn(progress) == ([], "t [idle] (system)\nt: 1 of 2 ready\n")
    assert drawn() == ([], "t [idle] (system)\nt: 1 of 2 ready\n")
    assert drawn(end) == (["t: 2 of 2 ready after 2.00 s"], "t [idle] (system)\n")


# --- runs ---------------------------------------------------------------------------


class NoStart(actors.Actor):
    """Starts when its file is there, and makes that at the first attempt."""

    def __init__(self, file: str) -> None:
        self.file = Path(file)

    async def on_start(self) -> None:
        if not self.file.exists():
            self.file.touch()
            raise RuntimeError("not yet")
        self.ctx.stop()


async def said_by(instance: Instance) -> list[str]:
    """The notices of a run to its end."""
    notes = Notes()

    def comment(since: float) -> Any:
        return TeamReadiness(instance.crew.path, instance.paths, since).note

    await run_team(instance.team, SURROUNDINGS, lambda since: notes, comment=comment)
    return [str(fact) for fact in notes.facts if isinstance(fact, Notice)]


async def test_a_role_that_starts_at_its_second_attempt_is_waited_for(
    tmp_path: Path, autojump_clock: object
) -> None:
    """The team is ready when it is: a backoff is part of the way."""
    text = f"""
        [team]
        policy = {{ backoff = {{ initial = 4.0, jitter = 0.0 }} }}
        [[roles]]
        name = "a"
        class = "tests.cli.cast:returns"
        [[roles]]
        name = "b"
        class = "tests.cli.test_team_ready:NoStart"
        config = {{ file = "{tmp_path}/{{name}}" }}
    """
    lines = await said_by(instance_of(tmp_path, text))
    assert len(lines) == 3
    assert "crew: 1 of 2 ready" in lines
    assert any(line.endswith("ready, b failed to start: RuntimeError: not yet") for line in lines)
    assert lines[-1] == "crew: 2 of 2 ready after 4.00 s"


async def test_a_role_that_never_starts_is_named_at_the_end(tmp_path: Path, autojump_clock: object) -> None:
    """A temporary one is not tried again."""
    text = f"""
        [[roles]]
        name = "a"
        class = "tests.cli.cast:returns"
        [[roles]]
        name = "b"
        size = 2
        class = "tests.cli.test_team_ready:NoStart"
        config = {{ file = "{tmp_path}/{{name}}" }}
        policy = {{ restart = "temporary" }}
    """
    *_, last = await said_by(instance_of(tmp_path, text))
    reason = "RuntimeError: not yet"
    assert last == f"crew: 1 of 3 ready after 0.00 s, not ready: b-1 ({reason}); b-2 ({reason})"


async def test_a_process_that_says_when_it_is_ready_counts_only_then(tmp_path: Path) -> None:
    """Its program runs before; the one that ends without is named with its last words."""
    text = """
        [team]
        policy = { restart = "temporary" }
        [[roles]]
        name = "a"
        command = ["sh", "-c", "echo {name} is ready"]
        ready = "^{name} is ready$"
        [[roles]]
        name = "b"
        command = ["sh", "-c", "echo no plan >&2"]
        ready = "ready"
    """
    *_, last = await said_by(instance_of(tmp_path, text))
    missing = r"b \(code 0 before it was ready: no plan\)"
    assert re.fullmatch(rf"crew: 1 of 2 ready after \d\.\d\d s, not ready: {missing}", last)


async def test_a_large_team_is_counted_to_its_end(tmp_path: Path, autojump_clock: object) -> None:
    """No event is lost on the way, and each agent is counted once."""
    roles = "".join(
        f'[[roles]]\nname = "r{number}"\nsize = 100\nclass = "tests.cli.cast:returns"\n'
        for number in range(5)
    )
    lines = await said_by(instance_of(tmp_path, roles))
    assert lines == [
        *(f"crew: {count} of 500 ready" for count in range(1, 500)),
        "crew: 500 of 500 ready after 0.00 s",
    ]
