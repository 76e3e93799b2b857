"""The program as its users run it: real processes, real signals, real pipes."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from actors.cli.demo.left import still_runs
from tests.cli.cast import environment, facts_of, program, running, written

QUICK = "{ shutdown = 1.0 }"


def started(facts: Iterator[dict[str, Any]], count: int) -> None:
    """Read on until this many agents have started."""
    while count:
        count -= next(facts)["event"] == "Started"


def test_commands_run_to_their_end(tmp_path: Path) -> None:
    """All that is started is waited for; the code is 0."""
    text = """
        [[agents]]
        name = "python"
        command = ["{python}", "-c", "print('hello')"]
        [[agents]]
        name = "sleep"
        command = ["sleep", "0.01"]
        [[agents]]
        command = ["cat"]
        input = "some text"
    """
    done = program("run", written(tmp_path, text), "--json", "--output")
    facts = [json.loads(line) for line in done.stdout.splitlines()]
    assert (done.returncode, done.stderr) == (0, "")
    assert all(list(fact)[:3] == ["at", "event", "path"] for fact in facts)
    lines = {fact["path"]: fact["line"] for fact in facts if fact["event"] == "Output"}
    assert sorted(lines.values()) == ["hello", "some text"]
    assert lines["/python"] == "hello"
    ends = {fact["path"]: fact["exit"] for fact in facts if fact["event"] == "Stopped"}
    assert ends["/python"]["value"] == {"returncode": 0, "stdout": "hello\n", "stderr": "", "dropped": 0}


@pytest.mark.row(34)
def test_the_last_line_of_json_is_the_status(tmp_path: Path) -> None:
    """Every agent with its restarts, its breaker and its last exit."""
    text = """
        [[agents]]
        name = "bad"
        command = ["sh", "-c", "echo no >&2; exit 3"]
        policy = { restart = "temporary", breaker = { failures = 2 } }
        [[agents]]
        name = "good"
        command = ["true"]
        policy = { breaker = false }
    """
    done = program("run", written(tmp_path, text), "--json")
    status = json.loads(done.stdout.splitlines()[-1])
    agents = {agent["path"]: agent for agent in status["agents"]}
    assert list(status) == ["at", "event", "path", "system", "code", "causes", "agents"]
    assert (status["event"], status["code"], status["causes"]) == ("Status", 0, [])
    assert agents["/bad"]["exit"]["kind"] == "FAILED"
    assert "ended with code 3" in agents["/bad"]["exit"]["reason"]
    assert agents["/bad"]["breaker"] == {
        "state": "CLOSED",
        "failures": 1,
        "retry_after": 0.0,
        "velocity": 0.0,
        "risk": "medium",
    }
    assert agents["/good"] == {
        "path": "/good",
        "restarts": 0,
        "breaker": None,
        "exit": {"kind": "NORMAL", "reason": "normal"},
    }


@pytest.mark.row(34)
def test_lines_for_people_end_with_a_table(tmp_path: Path) -> None:
    """One line an event, then the status of all."""
    text = """
        [[agents]]
        name = "bad"
        command = ["sh", "-c", "echo no >&2; exit 3"]
        policy = { restart = "temporary" }
    """
    done = program("run", written(tmp_path, text), "--output")
    *_, header, row = done.stdout.splitlines()
    assert any(line.endswith("/bad  Failed  exit FAILED (code 3: no)") for line in done.stdout.splitlines())
    assert "/bad | no" in done.stdout.splitlines()
    assert " ".join(header.split()) == "path restarts breaker failures per minute risk last exit"
    assert " ".join(row.split()) == "/bad 0 closed 1 0 low FAILED (code 3: no)"


def test_a_root_that_gives_up_tells_why(tmp_path: Path) -> None:
    """The code is 1, and each cause has a line."""
    agent = '[[agents]]\nname = "a"\ncommand = ["false"]\npolicy = { breaker = false }'
    text = f"[system]\nmax_restarts = 0\n{agent}"
    done = program("run", written(tmp_path, text))
    first, *because = done.stderr.splitlines()
    assert done.returncode == 1
    assert first == "SupervisorFailed: the root supervisor of the system 'team' gave up"
    assert because[0].startswith("because: RestartsExhausted: /a needs more than the 0 restarts")
    assert because[1].startswith("because: ProcessFailed: false ended with code 1")
    assert "/a" in done.stdout.splitlines()[-1]


def test_a_significant_command_ends_its_crew(tmp_path: Path) -> None:
    """And with it the run."""
    text = """
        [[supervisors]]
        name = "crew"
        auto_shutdown = "any"
        [[supervisors.agents]]
        name = "helper"
        command = ["sleep", "60"]
        [[supervisors.agents]]
        name = "lead"
        command = ["true"]
        significant = true
    """
    assert program("run", written(tmp_path, text)).returncode == 0


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_signal_stops_all_and_leaves_nothing(tmp_path: Path, number: int, code: int) -> None:
    """In order: the last one started ends first. Children of children end as well."""
    text = f"""
        [system]
        policy = {QUICK}
        [[agents]]
        name = "first"
        command = ["sleep", "60"]
        [[agents]]
        name = "second"
        command = ["sh", "-c", "sleep 60 & echo $$ $!; wait"]
        [[supervisors]]
        name = "crew"
        agents = [{{ name = "third", command = ["{{python}}", "-c", "import time; time.sleep(60)"] }}]
    """
    with running("run", written(tmp_path, text), "--json", "--output") as process:
        pids: list[int] = []
        waiting = {"/first", "/second", "/crew", "/crew/third"}
        facts = facts_of(process)
        while waiting or not pids:
            fact = next(facts)
            waiting -= {fact["path"]} if fact["event"] == "Started" else set()
            pids += map(int, fact["line"].split()) if fact["event"] == "Output" else []
        assert len(pids) == 2
        assert all(map(still_runs, pids))
        process.send_signal(number)
        rest = list(facts)
        assert process.wait() == code
    stopped = [fact["path"] for fact in rest if fact["event"] == "Stopped"]
    assert stopped == ["/crew/third", "/crew", "/second", "/first", "/"]
    assert rest[-1]["event"] == "Status"
    assert rest[-1]["code"] == code
    assert not any(map(still_runs, pids))


def test_a_second_signal_waits_for_nobody(tmp_path: Path) -> None:
    """A process that does not listen is killed at once, however long its policy would wait."""
    script = "trap 'echo asked' TERM; echo up $$; while :; do sleep 0.1; done"
    text = f'[[agents]]\nname = "deaf"\ncommand = ["sh", "-c", "{script}"]\npolicy = {{ shutdown = inf }}'
    with running("run", written(tmp_path, text), "--json", "--output") as process:
        facts = facts_of(process)
        lines = (fact["line"] for fact in facts if fact["event"] == "Output")
        pid = int(next(lines).split()[1])
        process.send_signal(signal.SIGINT)
        assert "asked" in lines  # reads on until it comes
        process.send_signal(signal.SIGINT)
        [status] = [fact for fact in facts if fact["event"] == "Status"]
        assert process.wait() == 130
    assert status["agents"][0]["exit"]["kind"] == "KILLED"
    assert not still_runs(pid)


def test_a_reader_that_goes_ends_the_run(tmp_path: Path) -> None:
    """As `| head -1` does: nothing is left running in the dark."""
    text = f'[[agents]]\ncommand = ["{{python}}", "-uc", "while True: print(1)"]\n[system]\npolicy = {QUICK}'
    with running("run", written(tmp_path, text), "--json", "--output") as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.wait() == 128 + signal.SIGPIPE


def test_a_reader_that_stands_still_does_not_stop_the_agents(tmp_path: Path) -> None:
    """Supervision goes on while nobody reads; the lines that were too many are counted."""
    done = tmp_path / "done"
    os.mkfifo(done)
    loud = f"print(*range(30000), sep='\\n', flush=True)\nopen({str(done)!r}, 'w').close()"
    written(tmp_path, f"import signal\n{loud}\nsignal.pause()", "loud.py")
    text = '[[agents]]\nname = "loud"\ncommand = ["{python}", "{here}/loud.py"]'
    with running("run", written(tmp_path, text), "--json", "--output") as process:
        facts = facts_of(process)
        started(facts, 1)
        done.read_bytes()  # returns when all is written
        process.send_signal(signal.SIGINT)
        rest = list(facts)
        assert process.wait() == 130
    lines = sum(fact["event"] == "Output" for fact in rest)
    lost = sum(fact["count"] for fact in rest if fact["event"] == "EventsLost")
    assert lines + lost >= 30000
    assert lost > 0
    assert rest[-1]["event"] == "Status"


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals")
def test_a_terminal_shows_the_live_tree(tmp_path: Path) -> None:
    """It is drawn again as things happen, and the table stands at the end."""
    text = """
        [[agents]]
        name = "one"
        command = ["echo", "a line of mine"]
        [[agents]]
        name = "two"
        command = ["sleep", "0.2"]
    """
    path = written(tmp_path, text)
    leader, follower = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "actors", "run", str(path), "--output"],
        stdin=follower,
        stdout=follower,
        stderr=follower,
        env=environment(TERM="xterm", COLUMNS="120", NO_COLOR="1"),
    ) as process:
        os.close(follower)
        screen = _read_all(leader)
    assert process.wait() == 0
    assert "/one | a line of mine" in screen
    assert "two" in screen
    assert "[busy]" in screen
    assert "last exit" in screen.splitlines()[-3]


def _read_all(leader: int) -> str:
    """What a terminal showed, until the last program on it has ended."""
    found = b""
    try:
        while data := os.read(leader, 65536):
            found += data
    except OSError:  # how Linux tells the end
        pass
    finally:
        os.close(leader)
    return found.decode()


def test_without_the_extra_there_is_one_line_with_the_cure() -> None:
    """No traceback for a missing package."""
    hides = (
        "import importlib.util, sys; found = importlib.util.find_spec; "
        "importlib.util.find_spec = lambda name, *rest: None if name == 'rich' else found(name, *rest); "
        "from actors.cli import main; sys.exit(main(['check', 'x']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", hides], capture_output=True, text=True, env=environment(), check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == 'the program `actors` needs its extra: pip install "trio-actors[cli]"\n'
