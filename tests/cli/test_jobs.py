"""`actors jobs` as its users run it: plans, outcomes, re-runs, mistakes, and Ctrl-C with real processes."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio

from actors.cli.demo.left import still_runs
from actors.cli.jobs.batch import Batch, faults_here, load_batch
from actors.cli.jobs.done import Record, done_path, read_done, remembered, write_done
from actors.cli.jobs.main import Options, run_file
from actors.cli.jobs.run import SOME_FAILED, run_batch
from actors.cli.jobs.show import Ended
from actors.cli.load import BadFile
from actors.cli.run import NOBODY_READS
from tests.cli.cast import SURROUNDINGS, environment, program, running, written

PLAN = """
limit = 2

[[jobs]]
label = "fetch"
command = ["sh", "-c", "echo fetch >> log"]
cwd = "."

[[jobs]]
label = "lint"
command = ["sh", "-c", "echo lint >> log; test -e mended || { echo bad style >&2; exit 3; }"]
cwd = "."

[[jobs]]
label = "count"
what = "work_of_a_test:count"
args = [3]
timeout = 30
after = ["fetch"]

[[jobs]]
label = "report"
command = ["sh", "-c", 'echo "report after <$ACTORS_FAILED_DEPENDENCIES>" >> log']
cwd = "."
after = ["fetch", "lint", "count"]
"""
WORK = """
async def count(ctx, number):
    return number * 2

async def fails(ctx, *args):
    raise RuntimeError("it always fails")

def plain(ctx): ...
"""


def plan(folder: Path, text: str = PLAN) -> Path:
    """A plan, and the functions that it names."""
    written(folder, WORK, "work_of_a_test.py")
    return written(folder, text, "plan.toml")


def log(folder: Path) -> list[str]:
    """What the processes wrote, in order."""
    path = folder / "log"
    return path.read_text().splitlines() if path.exists() else []


def facts(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in done.stdout.splitlines()]


def by_label(told: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {fact["label"]: fact for fact in told if fact["event"] == "Job"}


# --- a run --------------------------------------------------------------------------


@pytest.mark.row(42)
def test_a_plan_runs_in_waves_and_tells_what_failed(tmp_path: Path) -> None:
    """Those that come after a failure run, and know of it; the code says that some failed."""
    done = program("jobs", plan(tmp_path), "--json")
    told = by_label(facts(done))
    assert (done.returncode, done.stderr) == (1, "")
    assert {label: fact["ok"] for label, fact in told.items()} == {
        "fetch": True,
        "lint": False,
        "count": True,
        "report": True,
    }
    assert list(told["lint"]) == [
        "at",
        "event",
        "label",
        "done",
        "total",
        "skipped",
        "ok",
        "failure",
        "error",
        "attempts",
        "extended",
        "fallback",
        "elapsed",
        "value",
    ]
    assert told["count"]["value"] == 6
    assert (told["lint"]["failure"], told["lint"]["attempts"]) == ("ERROR", 1)
    assert "ended with code 3" in told["lint"]["error"]
    assert log(tmp_path)[-1] == "report after <lint>"
    last = facts(done)[-1]
    del last["at"]
    assert last == {"event": "Batch", "code": 1, "jobs": 4, "ok": 3, "failed": 1, "skipped": 0}


@pytest.mark.row(42)
def test_a_second_run_skips_what_is_done(tmp_path: Path) -> None:
    """Only what failed runs again; a third run has nothing to do; `--again` runs all."""
    path = plan(tmp_path)
    assert program("jobs", path).returncode == 1
    (tmp_path / "log").unlink()
    (tmp_path / "mended").touch()
    second = program("jobs", path, "--json")
    assert second.returncode == 0
    assert log(tmp_path) == ["lint"]
    skipped = {label for label, fact in by_label(facts(second)).items() if fact["skipped"]}
    assert skipped == {"fetch", "count", "report"}
    assert by_label(facts(second))["count"]["value"] == 6
    third = program("jobs", path)
    assert (third.returncode, log(tmp_path)) == (0, ["lint"])
    assert third.stdout.count("skipped") == 8  # a line and a row for each
    assert program("jobs", path, "--again").returncode == 0
    assert sorted(log(tmp_path)[1:]) == ["fetch", "lint", "report after <>"]


@pytest.mark.row(42)
def test_a_job_that_says_something_else_is_run_again(tmp_path: Path) -> None:
    """It is known by its label and by what its table says."""
    assert program("jobs", plan(tmp_path)).returncode == 1
    other = PLAN.replace("args = [3]", "args = [4]").replace("echo fetch", "echo again")
    told = by_label(facts(program("jobs", plan(tmp_path, other), "--json")))
    assert {label for label, fact in told.items() if not fact["skipped"]} == {"fetch", "lint", "count"}
    assert told["count"]["value"] == 8


@pytest.mark.row(42)
def test_a_dry_run_shows_the_waves_and_starts_nothing(tmp_path: Path) -> None:
    """In order, with what is done already, and the longest time when there is one."""
    path = plan(tmp_path)
    done = program("jobs", path, "--dry-run")
    assert done.returncode == 0
    assert [line for line in done.stdout.splitlines() if not line.startswith("  ")] == [
        "wave 1",
        "wave 2",
        "wave 3",
        "2 at a time",
    ]
    assert "  count: work_of_a_test:count, after fetch" in done.stdout.splitlines()
    assert sorted(one.name for one in tmp_path.iterdir() if one.is_file()) == [
        "plan.toml",
        "work_of_a_test.py",
    ]
    program("jobs", path)
    options = ("--dry-run", "--json", "--limit", 3, "--stagger", 0.5, "--deadline", 60)
    [told] = facts(program("jobs", path, *options))
    assert told["waves"] == [["fetch", "lint"], ["count"], ["report"]]
    assert [job["label"] for job in told["jobs"] if job["skipped"]] == ["fetch", "count", "report"]
    assert (told["limit"], told["stagger"], told["deadline"], told["longest"]) == (3, 0.5, 60.0, 60.0)
    bounded = plan(tmp_path, '[[jobs]]\ncommand = ["true"]\ntimeout = 5\nfallback = ["true"]')
    assert (
        "at most 10 s by the limits of the jobs"
        in program("jobs", bounded, "--dry-run", "--deadline", 99).stdout
    )


def test_lines_for_people_end_with_a_table(tmp_path: Path) -> None:
    """One line a job as it ends, then all in the order of the file."""
    text = """
        [[jobs]]
        label = "slow"
        command = ["sleep", "0.1"]
        [[jobs]]
        name = "flaky"
        command = ["sh", "-c", "echo no >&2; exit 3"]
        policy = { retries = 1, backoff = { initial = 0.0 }, breaker = false }
        fallback = "work_of_a_test:fails"
        [[jobs]]
        name = "saved"
        what = "work_of_a_test:fails"
        args = [1, 2]
        fallback = ["sh", "-c", "exit 0"]
        after = ["flaky"]
    """
    done = program("jobs", plan(tmp_path, text))
    lines = done.stdout.splitlines()
    assert done.returncode == 1
    assert lines[0].endswith("[1/3]  flaky  error in " + lines[0].partition(" error in ")[2])
    assert lines[0].endswith("(2 attempts, by its fallback): RuntimeError: it always fails")
    rows = [line.split() for line in lines[-4:]]
    assert rows[0] == ["job", "result", "attempts", "seconds", "why"]
    assert rows[1][:3] == ["slow", "ok", "1"]
    assert rows[2][:5] == ["flaky", "error,", "by", "fallback", "2"]
    assert rows[3][:5] == ["saved", "ok,", "by", "fallback", "1"]


def test_the_command_line_wins_over_the_file(tmp_path: Path) -> None:
    """A limit, a stagger, and a deadline that cuts the rest off."""
    text = "deadline = 0\n" + "\n".join(['[[jobs]]\ncommand = ["sleep", "100"]'] * 2)
    began = time.monotonic()
    done = program("jobs", plan(tmp_path, text), "--json", "--limit", 1, "--deadline", 0.3)
    assert time.monotonic() - began < 20
    told = facts(done)
    assert [fact["failure"] for fact in told[:-1]] == ["DEADLINE", "DEADLINE"]
    assert [fact["attempts"] for fact in told[:-1]] == [1, 0]
    assert (done.returncode, told[-1]["failed"]) == (1, 2)


def test_a_terminal_has_a_bar(tmp_path: Path) -> None:
    """With the failures above it, and the table when it is gone."""
    path = plan(tmp_path)
    reader, writer = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "actors", "jobs", str(path)],
        stdout=writer,
        stderr=writer,
        stdin=subprocess.DEVNULL,
        env=environment(TERM="xterm", COLUMNS="200"),
    )
    os.close(writer)
    shown = b""
    try:
        while data := os.read(reader, 4096):
            shown += data
    except OSError:  # the other end has closed
        pass
    os.close(reader)
    assert process.wait(50) == 1
    text = shown.decode()
    assert "4/4" in text
    assert "1 failed" in text
    assert "lint  error" in text
    assert text.rindex("report") > text.rindex("4/4")


# --- mistakes -----------------------------------------------------------------------


def mistakes(folder: Path, text: str) -> list[str]:
    """Every mistake of a plan, as it is printed."""
    try:
        batch = load_batch(plan(folder, text))
    except BadFile as error:
        return [str(fault) for fault in error.faults]
    return [str(fault) for fault in faults_here(batch, SURROUNDINGS)]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("limit = 0\n", "limit must be a whole number of 1 or more, not 0 @ $.limit"),
        ('limit = "3"\n', 'expected a whole number, not "3" @ $.limit'),
        ("stagger = inf\n", "stagger must be finite, not inf @ $.stagger"),
        (
            "stager = 1\n",
            "unknown key 'stager': the known ones are limit, stagger, deadline, policy, jobs @ $",
        ),
        ("JOB\ntimeout = 0\n", "timeout must be more than 0 seconds, not 0 @ $.jobs[0].timeout"),
        ('JOB\npolicy = "gentle"\n', "unknown preset 'gentle': choose one of"),
        (
            "JOB\npolicy = { retries = -1 }\n",
            "retries must be a whole number of 0 or more, not -1 @ $.jobs[0].policy.retries",
        ),
        ('JOB\nlabel = ""\n', "label must be one line of printable text, not '' @ $.jobs[0].label"),
        ('JOB\nname = "a b"\n', "'a b' is not a valid name"),
        ('JOB\nargs = ["x"]\n', '"args" does not go with "command": write them into the command @ $.jobs[0]'),
        ('JOB\nwhat = "a:b"\n', 'a job has either "command" or "what", this one has both @ $.jobs[0]'),
        ('[[jobs]]\nlabel = "a"\n', 'a job has either "command" or "what", this one has neither @ $.jobs[0]'),
        (
            '[[jobs]]\nwhat = "os:getcwd"\nenv = { A = "b" }',
            '"env" does not go with "what": take it out @ $.jobs[0]',
        ),
        (
            '[[jobs]]\nwhat = "nothing"\n',
            '"nothing" does not name a class: write "package.module:Class" @ $.jobs[0].what',
        ),
        (
            "JOB\nfallback = 3\n",
            'expected "package.module:function", or a command as a list, not 3 @ $.jobs[0].fallback',
        ),
        ("JOB\nfallback = []\n", "the command is empty"),
        ('JOB\nafter = "a"\n', 'expected a list, not "a" @ $.jobs[0].after'),
        ('JOB\nafter = ["b"]\n', 'there is no job "b": name one by its label or name @ $.jobs[0].after[0]'),
        (
            'JOB\nname = "x"\nJOB\nname = "x"\nJOB\nafter = ["x"]\n',
            '"x" may be $.jobs[0], $.jobs[1]: give each of them a label @ $.jobs[2].after[0]',
        ),
        (
            'JOB\nlabel = "a"\nafter = ["b"]\nJOB\nlabel = "b"\nafter = ["a"]\n',
            "jobs wait for each other in a circle: a → b → a. Take one of them out of an after= @ $.jobs",
        ),
        (
            'JOB\nlabel = "a"\nJOB\nlabel = "a"\n',
            '"a" is what $.jobs[0] is called: give this job a label of its own @ $.jobs[1].label',
        ),
        (
            'JOB\nlabel = "job-2"\nJOB\n',
            '"job-2" is what $.jobs[0] is called: give this job a label of its own @ $.jobs[1].label',
        ),
        (
            'JOB\nlabel = "x"\nJOB\nlabel = "y"\nname = "x"\n',
            '"x" is the name of $.jobs[1]: choose another label @ $.jobs[0].label',
        ),
        ('[[jobs]]\ncommand = ["no-such-program"]\n', 'there is no program "no-such-program"'),
        ('[[jobs]]\nwhat = "work_of_a_test:nobody"\n', 'the module "work_of_a_test" has no "nobody"'),
        (
            '[[jobs]]\nwhat = "work_of_a_test:plain"\n',
            '"work_of_a_test:plain" cannot be an agent: plain is not an async',
        ),
        ('[[jobs]]\nwhat = "work_of_a_test:count"\n', "count cannot be started with these arguments"),
        (
            'JOB\nfallback = "work_of_a_test:nobody"\n',
            'has no "nobody": write "package.module:Class" @ $.jobs[0].fallback',
        ),
    ],
)
def test_mistakes_are_told_with_their_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, line: str
) -> None:
    """Before anything starts."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "work_of_a_test", raising=False)
    whole = text.replace("JOB", '[[jobs]]\ncommand = ["true"]')
    if "[[jobs]]" not in whole:
        whole += '[[jobs]]\ncommand = ["true"]\n'
    [told] = mistakes(tmp_path, whole)
    assert line in told


def test_a_file_without_jobs_is_refused(tmp_path: Path) -> None:
    """And one that is not there, or no TOML."""
    assert mistakes(tmp_path, "limit = 3") == ["the file has no jobs: give it at least one [[jobs]] @ $"]
    assert "it is not TOML" in mistakes(tmp_path, "limit")[0]
    with pytest.raises(BadFile, match="cannot read"):
        load_batch(tmp_path / "nowhere.toml")


def test_a_bad_file_ends_with_2(tmp_path: Path) -> None:
    """Mistakes are lines on stderr, or one JSON object."""
    path = plan(tmp_path, "limit = 0\n[[jobs]]\ncommand = []")
    done = program("jobs", path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[0] == f"{path}:"
    assert len(done.stderr.splitlines()) == 3
    done = program("jobs", path, "--json")
    assert done.returncode == 2
    assert [fault["where"] for fault in facts(done)[0]["faults"]] == ["$.limit", "$.jobs[0].command"]


@pytest.mark.parametrize("option", [("--limit", 0), ("--stagger", -1), ("--deadline", "nan")])
def test_a_bad_option_ends_with_2(tmp_path: Path, option: tuple[str, object]) -> None:
    done = program("jobs", plan(tmp_path), *option)
    assert done.returncode == 2
    assert done.stderr.strip().endswith(f"@ {option[0]}")
    assert log(tmp_path) == []


@pytest.mark.row(42)
@pytest.mark.parametrize(
    "damage",
    ["", "{", "[]", '{"version": 2, "done": {}}', '{"version": 1, "done": {"fetch": {"digest": 3}}}', "\xff"],
)
def test_a_damaged_done_file_is_told_with_the_cure(tmp_path: Path, damage: str) -> None:
    """Nothing starts; `--again` writes it anew."""
    path = plan(tmp_path)
    done_path(path).write_bytes(damage.encode("latin-1"))
    done = program("jobs", path)
    assert (done.returncode, log(tmp_path)) == (2, [])
    assert "it is damaged" in done.stderr
    assert "delete it, or run with --again, which writes it anew" in done.stderr
    assert program("jobs", path, "--again").returncode == 1
    assert set(read_done(done_path(path))) == {"fetch", "count", "report"}


def test_a_done_file_that_cannot_be_is_told_at_once(tmp_path: Path) -> None:
    """Another place can be named."""
    path = plan(tmp_path)
    for place in (tmp_path / "no" / "such" / "folder", tmp_path):
        done = program("jobs", path, "--done", place)
        assert (done.returncode, log(tmp_path)) == (2, [])
        assert "Name another with --done" in done.stderr
    assert program("jobs", path, "--done", tmp_path / "other.json").returncode == 1
    assert set(read_done(tmp_path / "other.json")) == {"fetch", "count", "report"}
    assert not done_path(path).exists()


# --- what is remembered -------------------------------------------------------------


def test_records_come_back_as_they_were(tmp_path: Path) -> None:
    """Those of jobs that are not in the plan stay, and nothing else is in the folder."""
    path = tmp_path / "done.json"
    records = {"a": Record("1", 0.5, 2, {"x": [1, None, "ü"]}), "b": Record("2", 1.0)}
    assert read_done(path) == {}
    write_done(path, records)
    assert read_done(path) == records
    assert [one.name for one in tmp_path.iterdir()] == ["done.json"]


def test_only_what_json_can_hold_is_remembered_as_a_value(tmp_path: Path) -> None:
    """The success is, in any case."""
    [task, *_] = load_batch(plan(tmp_path)).tasks
    for value, kept in [
        (6, 6),
        ("x", "x"),
        ([1, {"a": None}], [1, {"a": None}]),
        ((1, 2), None),
        (b"x", None),
    ]:
        outcome = attrs.evolve(Record("", 0.0).outcome(), value=value)
        assert Record.of(task, outcome).value == kept


def test_a_label_does_not_count_for_the_digest(tmp_path: Path) -> None:
    """What the table says does; a changed job is not remembered."""
    first = load_batch(plan(tmp_path, '[[jobs]]\nlabel = "a"\ncommand = ["true"]'))
    second = load_batch(plan(tmp_path, '[[jobs]]\nlabel = "b"\ncommand = ["true"]'))
    third = load_batch(plan(tmp_path, '[[jobs]]\nlabel = "a"\ncommand = ["true", "x"]'))
    records = {"a": Record(first.tasks[0].digest, 1.0)}
    assert first.tasks[0].digest == second.tasks[0].digest
    assert [set(remembered(batch, records)) for batch in (first, second, third)] == [{"a"}, set(), set()]


# --- ends in the middle ---------------------------------------------------------------

LONG = """
[[jobs]]
label = "quick"
command = ["true"]
[[jobs]]
label = "group"
command = ["sh", "-c", "sleep 100 & echo $! $$ > pids; wait"]
cwd = "."
after = ["quick"]
[[jobs]]
label = "never"
command = ["true"]
after = ["group"]
[[jobs]]
name = "resting"
command = ["false"]
policy = { retries = 5, backoff = { initial = 1000.0, maximum = 1000.0 } }
"""


def pids(folder: Path) -> list[int]:
    """The processes of the long job, once it runs."""
    return [int(pid) for pid in appears(folder / "pids")]


def appears(path: Path) -> list[str]:
    """The words of a file, once a process has written it."""
    for _ in range(2000):
        if path.exists() and (found := path.read_text().split()):
            return found
        time.sleep(0.01)
    raise AssertionError(f"{path} does not appear")


@pytest.mark.row(42)
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_in_order_and_no_process_survives(tmp_path: Path, number: int, code: int) -> None:
    """What had ended is told and remembered; the rest says that it was stopped, and waits for nothing."""
    path = plan(tmp_path, LONG)
    with running("jobs", path, "--json") as process:
        alive = pids(tmp_path)
        process.send_signal(number)
        out, _ = process.communicate(timeout=30)
    assert process.returncode == code
    told = [json.loads(line) for line in out.splitlines()]
    results = {fact["label"]: (fact["ok"], fact["attempts"]) for fact in told[:-1]}
    assert results == {"quick": (True, 1), "group": (False, 1), "never": (False, 0), "resting": (False, 1)}
    assert (told[-1]["code"], told[-1]["ok"], told[-1]["failed"]) == (code, 1, 3)
    assert not any(still_runs(pid) for pid in alive)
    assert set(read_done(done_path(path))) == {"quick"}


def test_a_second_signal_kills(tmp_path: Path) -> None:
    """Also those that do not listen to the first."""
    script = "trap 'echo heard > heard' TERM; echo $$ > pids; while :; do sleep 0.1; done"
    stubborn = f'command = ["sh", "-c", "{script}"]'
    text = f'[[jobs]]\nlabel = "stubborn"\n{stubborn}\ncwd = "."\npolicy = {{ shutdown = inf }}'
    with running("jobs", plan(tmp_path, text)) as process:
        alive = pids(tmp_path)
        process.send_signal(signal.SIGINT)
        appears(tmp_path / "heard")
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=30)
    assert process.returncode == 130
    assert not any(still_runs(pid) for pid in alive)
    assert out.splitlines()[-1].split() == ["stubborn", "cancelled"]


def test_a_reader_that_has_gone_stops_the_run(tmp_path: Path) -> None:
    """As after `| head`; what is done is remembered all the same."""
    path = plan(tmp_path, LONG)
    with running("jobs", path, "--json") as process:
        assert process.stdout is not None
        pids(tmp_path)
        process.stdout.close()
        (alive,) = [int((tmp_path / "pids").read_text().split()[0])]
        os.kill(alive, signal.SIGTERM)
        assert process.wait(30) == NOBODY_READS
    assert set(read_done(done_path(path))) >= {"quick"}


# --- in this process ------------------------------------------------------------------


class Notes:
    """A board that remembers."""

    def __init__(self) -> None:
        self.ended: list[Ended] = []

    def show(self, ended: Any) -> None:
        self.ended.extend(ended)


class Gone(Notes):
    """A board that nobody reads."""

    def show(self, ended: Any) -> None:
        raise BrokenPipeError


def quick(folder: Path, *words: str) -> Batch:
    jobs = "\n".join(f'[[jobs]]\ncommand = ["{word}"]' for word in words)
    return load_batch(plan(folder, jobs))


async def test_every_end_is_shown_and_kept(tmp_path: Path) -> None:
    """In order of ending; the code is 0 when all went well."""
    notes, path = Notes(), tmp_path / "done.json"
    result = await run_batch(quick(tmp_path, "true", "true"), SURROUNDINGS, {}, path, notes)
    assert (result.code, result.forgot) == (0, None)
    assert tuple(notes.ended) == result.ended
    assert [one.done for one in notes.ended] == [1, 2]
    assert set(read_done(path)) == {"job-1", "job-2"}
    again = await run_batch(quick(tmp_path, "true", "false"), SURROUNDINGS, read_done(path), path, notes)
    assert again.code == SOME_FAILED
    assert [one.result for one in again.ended] == ["skipped", "error"]


async def test_a_disk_that_fails_in_the_middle_stops_no_job(tmp_path: Path) -> None:
    """It is told at the end."""
    result = await run_batch(
        quick(tmp_path, "true", "true"), SURROUNDINGS, {}, tmp_path / "no" / "done.json", Notes()
    )
    assert (result.code, type(result.forgot)) == (0, FileNotFoundError)


async def test_when_nobody_reads_the_run_is_stopped(tmp_path: Path) -> None:
    with trio.fail_after(20):
        batch = load_batch(plan(tmp_path, LONG))
        result = await run_batch(batch, SURROUNDINGS, {}, tmp_path / "done.json", Gone())
    assert result.code == NOBODY_READS


def test_a_run_that_is_not_remembered_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """On stderr; the code tells of the jobs."""

    def fail(path: Path, records: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("actors.cli.jobs.run.write_done", fail)
    path = plan(tmp_path, '[[jobs]]\ncommand = ["true"]')
    assert run_file(path, Options(), SURROUNDINGS, sys.stdout, sys.stderr) == 0
    assert "this run is not remembered: [Errno 28] No space left on device" in capfd.readouterr().err
