"""A run in this process: what is shown, when it is over, and what it ends with."""

from __future__ import annotations

import functools
import signal
from pathlib import Path

import pytest
import trio

from actors.cli.ends import all_ended, all_settled
from actors.cli.feed import Feed
from actors.cli.lines import Output
from actors.cli.run import GAVE_UP, NOBODY_READS, Run, Verdict, over_when_all_ended, run_team
from actors.cli.what import Surroundings
from actors.events import EventsLost
from actors.exits import ExitKind
from actors.tree import TreeNode
from tests.cli.cast import Notes, team_of

NOTHING = Surroundings({}, "python")
RETURNS = 'class = "tests.cli.cast:returns"'
FAILS = 'class = "tests.cli.cast:fails"'
LASTS = 'class = "tests.cli.cast:lasts"'


async def run_text(folder: Path, text: str) -> tuple[Verdict, Notes]:
    notes = Notes()
    verdict = await run_team(team_of(folder, text), NOTHING, lambda since: notes)
    return verdict, notes


async def test_it_ends_when_all_have_ended(tmp_path: Path, autojump_clock: object) -> None:
    """Also supervisors that have nobody left are stopped then."""
    text = (
        f'[[agents]]\nname = "a"\n{RETURNS}\n[[supervisors]]\nname = "s"\n[[supervisors.agents]]\n{RETURNS}'
    )
    verdict, notes = await run_text(tmp_path, text)
    assert (verdict.code, verdict.error) == (0, None)
    assert notes.names("/a") == ["Spawned", "Started", "Stopped"]
    assert notes.names("/s") == ["Spawned", "Started", "Stopped"]


async def test_an_adhoc_agent_that_fails_fails_nobody(tmp_path: Path, autojump_clock: object) -> None:
    """The run ends well; the table tells."""
    verdict, _ = await run_text(tmp_path, f"[[agents]]\n{FAILS}")
    [row] = verdict.rows
    assert row.exit is not None
    assert (verdict.code, row.restarts, row.breaker, row.exit.kind) == (0, 0, None, ExitKind.FAILED)


async def test_a_root_that_gives_up_ends_with_1(tmp_path: Path, autojump_clock: object) -> None:
    """The error has the whole chain."""
    text = f'[[agents]]\nname = "a"\n{FAILS}\npolicy = {{ breaker = false }}'
    verdict, notes = await run_text(tmp_path, text)
    assert verdict.code == GAVE_UP
    assert verdict.error is not None
    assert verdict.rows[0].restarts == 5
    assert notes.names("/")[-3:] == ["Escalated", "Failed", "Stopped"]


async def test_a_supervisor_that_restarts_has_its_children_again(
    tmp_path: Path, autojump_clock: object
) -> None:
    """What stands below it is spawned anew, and counted on."""
    text = f"""
        [system]
        max_restarts = 1
        [[supervisors]]
        name = "s"
        max_restarts = 0
        [[supervisors.agents]]
        name = "a"
        {FAILS}
        policy = {{ breaker = false }}
    """
    verdict, notes = await run_text(tmp_path, text)
    assert verdict.code == GAVE_UP
    assert notes.names("/s/a").count("Spawned") == 2
    assert {row.path: row.restarts for row in verdict.rows} == {"/s": 1, "/s/a": 1}


@pytest.mark.row(34)
async def test_the_health_of_all_agents_is_told(tmp_path: Path, autojump_clock: object) -> None:
    """State, failures, velocity and risk of each breaker, in the pictures and at the end."""
    policy = '{ restart = "temporary", breaker = { failures = 1 } }'
    bad = f'[[agents]]\nname = "bad"\n{FAILS}\npolicy = {policy}'
    good = f'[[agents]]\nname = "good"\n{RETURNS}'
    verdict, notes = await run_text(tmp_path, f"{bad}\n{good}")
    rows = {row.path: row.breaker for row in verdict.rows}
    assert rows["/bad"] is not None
    assert rows["/good"] is not None
    assert (rows["/bad"].state, rows["/bad"].failures, rows["/bad"].risk) == ("OPEN", 1, "critical")
    assert (rows["/good"].state, rows["/good"].failures, rows["/good"].risk) == ("CLOSED", 0, "low")
    assert notes.pictures[-1].rows == verdict.rows


async def test_what_brought_it_down_is_its_last_exit(tmp_path: Path, autojump_clock: object) -> None:
    """Not that it was stopped later, while it lay there."""
    bad = (
        f'[[agents]]\nname = "bad"\n{FAILS}\npolicy = {{ breaker = {{ failures = 1, reset_after = 1000 }} }}'
    )
    run = Run(team_of(tmp_path, bad), lambda system, team: system.breaker("/bad").failures == 1, None)
    verdict = await run.run(NOTHING, Notes())
    [row] = verdict.rows
    assert row.exit is not None
    assert (verdict.code, row.exit.kind) == (0, ExitKind.FAILED)


class Loud(Notes):
    """Sends a signal to this process as soon as it shows something, and another one later."""

    def __init__(self, *numbers: int) -> None:
        super().__init__()
        self.numbers = list(numbers)

    def compose(self, facts: object, look: object) -> object:  # type: ignore[override]
        if self.numbers:
            signal.raise_signal(self.numbers.pop(0))
        return super().compose(facts, look)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
async def test_a_signal_stops_in_order(tmp_path: Path, number: int, code: int) -> None:
    """Everybody ends as after `system.stop()`."""
    text = f'[[agents]]\nname = "a"\n{LASTS}\npolicy = {{ shutdown = 0 }}'
    verdict = await run_team(team_of(tmp_path, text), NOTHING, lambda since: Loud(number))
    assert verdict.code == code
    assert verdict.error is None


async def test_a_second_signal_cancels(tmp_path: Path) -> None:
    """Nobody is waited for any more."""
    text = f'[[agents]]\nname = "a"\n{LASTS}\npolicy = {{ shutdown = inf }}'
    with trio.fail_after(20):
        screen = Loud(signal.SIGINT, signal.SIGTERM)
        run = functools.partial(run_team, over=over_when_all_ended)
        verdict = await run(team_of(tmp_path, text), NOTHING, lambda since: _twice(screen))
    assert verdict.code == 130
    [row] = verdict.rows
    assert row.exit is not None
    assert row.exit.kind is ExitKind.KILLED


def _twice(screen: Loud) -> Loud:
    """The second signal comes while the first is being obeyed: with the next thing shown, at once."""
    compose = screen.compose

    def both(facts: object, look: object) -> object:
        compose(facts, look)
        return compose(facts, look)

    screen.compose = both  # type: ignore[assignment,method-assign]
    return screen


class Gone(Notes):
    """A screen whose reader has gone."""

    def write(self, composed: object) -> None:
        raise BrokenPipeError


async def test_a_reader_that_has_gone_stops_the_run(tmp_path: Path) -> None:
    """As after `| head`."""
    text = f'[[agents]]\nname = "a"\n{LASTS}\npolicy = {{ shutdown = 0 }}'
    verdict = await run_team(team_of(tmp_path, text), NOTHING, lambda since: Gone())
    assert verdict.code == NOBODY_READS


async def test_a_screen_that_stands_still_stops_nobody(autojump_clock: object) -> None:
    """Facts wait, then the newest are dropped and counted; putting never blocks."""
    feed = Feed(trio.current_time, kept=2)
    for number in range(5):
        feed.put(Output(0.0, "/a", "stdout", str(number)))
    feed.close()
    feed.put(Output(0.0, "/a", "stdout", "late"))
    notes = Notes()
    heard = await feed.show(notes, lambda: None)  # type: ignore[arg-type,return-value]
    assert heard
    first, second, lost = notes.facts
    assert (first, second) == (Output(0.0, "/a", "stdout", "0"), Output(0.0, "/a", "stdout", "1"))
    assert isinstance(lost, EventsLost)
    assert lost.count == 3


# --- over? -----------------------------------------------------------------------


def node(path: str, kind: str, state: str, *children: TreeNode) -> TreeNode:
    return TreeNode(name=path.rpartition("/")[2] or "x", path=path, kind=kind, state=state, children=children)


@pytest.mark.parametrize(
    ("children", "over"),
    [
        ([], True),
        ([node("/s", "supervisor", "IDLE")], True),
        ([node("/s", "supervisor", "STARTING")], False),
        ([node("/s", "supervisor", "BACKING_OFF")], False),
        ([node("/s", "supervisor", "STOPPING")], False),
        ([node("/other", "supervisor", "IDLE")], False),
        ([node("/s", "supervisor", "IDLE", node("/s/a", "actor", "IDLE"))], False),
        ([node("/a", "process", "BACKING_OFF")], False),
        ([node("/a", "process", "CIRCUIT_OPEN")], False),
        ([node("/system", "supervisor", "IDLE", node("/system/monitor", "actor", "IDLE"))], True),
    ],
)
def test_when_a_run_is_over(children: list[TreeNode], over: bool) -> None:
    """Only supervisors of the file are left, and all of them have begun."""
    assert all_ended(node("/", "system", "IDLE", *children), {"/s"}) is over


def test_an_open_breaker_settles() -> None:
    """Where that is asked for."""
    tree = node(
        "/", "system", "IDLE", node("/s", "supervisor", "IDLE", node("/s/a", "process", "CIRCUIT_OPEN"))
    )
    assert all_settled(tree, {"/s"}, lambda path: path == "/s/a")
    assert not all_settled(tree, {"/s"}, lambda path: False)
