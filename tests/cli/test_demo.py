"""`actors demo` does what it says, and measures what it claims."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import trio
import trio.testing

from actors.cli.demo import left
from actors.cli.demo.demo import run_demo
from actors.cli.demo.index import count, merge, share, top
from actors.cli.demo.left import living_tasks, marked_processes, noted, still_runs
from actors.cli.demo.worker import text_files
from tests.cli.cast import SURROUNDINGS, program, written


def rows(stdout: str) -> dict[str, list[str]]:
    return {line.split()[0]: line.split()[1:] for line in stdout.splitlines() if line.startswith("/")}


def test_the_demo_on_its_own_pages() -> None:
    """The index is made, each misfortune happens to whom it should, and nothing is left."""
    done = program("demo")
    lines = done.stdout.splitlines()
    assert (done.returncode, done.stderr) == (0, "")
    assert lines[-1] == "0 tasks, 0 processes left"
    assert "index: 5 files, 676 words, 235 of them different" in lines
    found = rows(done.stdout)
    assert found["/indexers/words-1"][:2] == ["0", "closed"]
    assert found["/indexers/words-2"][:2] == ["2", "closed"]
    assert found["/indexers/words-2"][-1] == "NORMAL"
    assert found["/indexers/words-3"][-1] == "NORMAL"
    assert found["/helpers/spelling"][:3] == ["2", "open", "3"]
    assert "FAILED (code 1: there is no dictionary.txt" in done.stdout
    assert "1 child left behind by its worker, 1 ended with its group" in lines
    assert any(re.fullmatch(r"9 processes in \d+\.\d s", line) for line in lines)


def test_the_demo_on_a_folder(tmp_path: Path) -> None:
    """Every text file below it is read once, hidden ones are not."""
    for number in range(7):
        written(tmp_path, "gazelle " * number, f"part-{number % 2}/{number}.txt")
    written(tmp_path, "gazelle", ".hidden/8.txt")
    written(tmp_path, "gazelle", "9.bin")
    done = program("demo", tmp_path)
    assert done.returncode == 0
    assert "index: 7 files, 21 words, 1 of them different" in done.stdout
    assert re.search(
        r"gazelle +21 times, files 6: part-0/6.txt 6, part-1/5.txt 5, part-0/4.txt 4, …", done.stdout
    )


def test_a_folder_without_texts(tmp_path: Path) -> None:
    """It says so, and ends with 2."""
    done = program("demo", tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"there are no .md, .rst or .txt files under {tmp_path}" in done.stderr


def test_what_is_left_is_counted_and_fails_the_demo(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A process that outlives the run is seen: the last line is a measurement."""
    written(tmp_path, "one two", "a.txt")
    monkeypatch.setattr("actors.cli.demo.demo.marked_processes", lambda mark: frozenset({os.getpid()}))
    code = run_demo(tmp_path, SURROUNDINGS, sys.stdout, sys.stderr)
    assert (code, capfd.readouterr().out.splitlines()[-1]) == (1, "0 tasks, 1 processes left")


# --- the measuring ---------------------------------------------------------------


def test_processes_are_found_by_their_environment() -> None:
    """Also those whose parent has gone, until they end."""
    command = [sys.executable, "-c", "import signal; print(flush=True); signal.pause()"]
    with subprocess.Popen(command, env={**os.environ, "A_MARK": "7"}, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()  # now it has its environment
        assert still_runs(process.pid)
        found = marked_processes("A_MARK=7")
        assert found == ({process.pid} if Path("/proc/self").exists() else set())
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert not still_runs(process.pid)  # a zombie
        assert marked_processes("A_MARK=7") == frozenset()
    assert not still_runs(process.pid)


async def test_tasks_are_found_wherever_they_hang(autojump_clock: object) -> None:
    """Below any task of the run."""
    before = living_tasks()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.sleep_forever)
        await trio.testing.wait_all_tasks_blocked()
        assert len(living_tasks() - before) == 1
        nursery.cancel_scope.cancel()
    assert living_tasks() == before


def test_notes_are_numbers(tmp_path: Path) -> None:
    """A note that nobody wrote is empty."""
    assert noted(tmp_path / "no") == frozenset()
    assert noted(written(tmp_path, "1\n22\n1\n", "pids")) == {1, 22}
    assert left.__all__ == sorted(left.__all__)


# --- the index -------------------------------------------------------------------


def test_every_file_is_in_one_share() -> None:
    """None is read twice, none is forgotten."""
    files = [str(number) for number in range(10)]
    shares = [share(files, number, 3) for number in (1, 2, 3)]
    assert sorted(file for files in shares for file in files) == files


def test_words_are_counted_and_merged() -> None:
    """In lower case, with their apostrophes; files in order."""
    shares = [{"b": count("It's a day, a DAY!")}, {"a": count("day-by-day 7 _x_")}]
    assert merge(shares) == {
        "a": {"b": 2},
        "by": {"a": 1},
        "day": {"a": 2, "b": 2},
        "it's": {"b": 1},
        "x": {"a": 1},
    }


def test_the_top_terms_are_long_and_frequent() -> None:
    """The alphabet decides between equals."""
    words = {"the": {"f": 9}, "zebra": {"f": 2}, "apple": {"f": 1, "g": 1}, "mango": {"f": 3}}
    assert top(words, 2) == ["mango", "apple"]


def test_text_files_are_found_in_order(tmp_path: Path) -> None:
    """By their suffix; a folder of such a name is none."""
    for name in ("b.md", "a/c.rst", "a/.d/e.txt", "x.py"):
        written(tmp_path, "", name)
    (tmp_path / "folder.txt").mkdir()
    assert text_files(tmp_path) == ["a/c.rst", "b.md"]
