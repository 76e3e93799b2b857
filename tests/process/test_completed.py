from __future__ import annotations

import errno
import os
import signal

import pytest

import actors
from actors.process import Completed, ProcessFailed, ProcessNotStarted
from actors.process.completed import command_line


def failed(code: int, stderr: bytes = b"", argv: tuple[str | bytes, ...] = ("prog", "-x")) -> str:
    return str(ProcessFailed(Completed(code, b"", stderr), argv))


def refused(number: int, filename: str | None = None, cwd: str | None = None) -> str:
    error = OSError(number, os.strerror(number), filename)
    return str(ProcessNotStarted(["prog"], error, cwd))


def test_a_failure_carries_its_objects() -> None:
    """The error has the output and the command in fields."""
    completed = Completed(3, b"out", b"err", 7)
    error = ProcessFailed(completed, ["a", b"b"])
    assert isinstance(error, actors.ActorError)
    assert (error.completed, error.argv) == (completed, ("a", b"b"))


def test_a_failure_names_command_code_and_cure() -> None:
    """One reads what ran, how it ended, and what to do."""
    text = failed(3)
    assert "prog -x ended with code 3" in text
    assert "wrote nothing to stderr" in text
    assert "check=False" in text


def test_a_failure_names_the_signal() -> None:
    """A negative code is a signal, by its name if it has one."""
    assert "was ended by SIGKILL" in failed(-9)
    assert f"was ended by signal {signal.SIGRTMAX - 1}" in failed(-(signal.SIGRTMAX - 1))


def test_a_failure_shows_the_last_lines_of_stderr() -> None:
    """Five lines, the last ones, empty ones left out."""
    text = failed(1, b"".join(b"line %d\n\n" % number for number in range(9)) + b"\xff")
    assert "line 4" not in text
    assert "    | line 5\n    | line 6\n    | line 7\n    | line 8\n    | \ufffd\n" in text


def test_a_failure_without_a_command_is_readable_too() -> None:
    """`ProcessFailed(completed)` is enough."""
    assert str(ProcessFailed(Completed(2, b"", b""))).startswith("the process ended with code 2")


def test_a_long_output_is_shortened_in_the_repr() -> None:
    """A record of a megabyte does not fill a log."""
    shown = repr(Completed(0, b"x" * 10_000 + b"end", b"short"))
    assert "<10003 bytes ending in b'" in shown
    assert "end'" in shown
    assert "b'short'" in shown
    assert len(shown) < 250


def test_a_command_line_is_quoted_and_bounded() -> None:
    """It reads as typed, and stays on a line."""
    assert command_line(["sh", "-c", "a b", b"c"]) == "sh -c 'a b' c"
    assert len(command_line(["x" * 1000])) == 200


@pytest.mark.parametrize(
    ("number", "cure"),
    [
        (errno.ENOENT, "Install 'prog'"),
        (errno.EACCES, "chmod \\+x prog"),
        (errno.EPERM, "chmod \\+x prog"),
        (errno.ENOEXEC, "#!"),
        (errno.E2BIG, "input="),
        (errno.EAGAIN, "run fewer"),
    ],
)
def test_a_program_that_cannot_start_has_a_cure(number: int, cure: str) -> None:
    """Each cause says what to do about it."""
    error = ProcessNotStarted(["prog"], OSError(number, os.strerror(number), "prog"))
    with pytest.raises(ProcessNotStarted, match=cure):
        raise error
    assert "cannot start prog" in str(error)
    assert os.strerror(number) in str(error)


def test_a_folder_that_is_not_there_is_told_from_a_program() -> None:
    """The cure is about the folder."""
    assert "cwd=" in refused(errno.ENOENT, "/nowhere", cwd="/nowhere")
    assert "cwd=" not in refused(errno.ENOENT, "prog", cwd="/nowhere")


def test_an_error_that_is_no_os_error_is_told_too() -> None:
    """Whatever kept it from starting is in the text."""
    assert "odd" in str(ProcessNotStarted(["prog"], ValueError("odd")))
