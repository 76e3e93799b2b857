"""How a process ended: `Completed`, and the errors of one that failed or never started."""

from __future__ import annotations

import errno
import os
import re
import shlex
import signal
from collections.abc import Sequence

import attrs

from actors.errors import ActorError

__all__ = ["Completed", "ProcessFailed", "ProcessNotStarted", "command_line", "last_words"]

_SHOWN_BYTES = 60
_SHOWN_COMMAND = 200
_SHOWN_LINES = 5
_SHOWN_OUTPUT = 2000


def _shown(data: bytes) -> str:
    if len(data) <= _SHOWN_BYTES:
        return repr(data)
    return f"<{len(data)} bytes ending in {data[-_SHOWN_BYTES:]!r}>"


@attrs.frozen
class Completed:
    """A process that ended. `stdout` and `stderr` are the last `max_output` bytes of each.

    `returncode` is what it returned, or minus the number of the signal that ended it.
    `dropped` is how many bytes of both streams together came before those kept.
    """

    returncode: int
    stdout: bytes = attrs.field(repr=_shown)
    stderr: bytes = attrs.field(repr=_shown)
    dropped: int = 0


class ProcessFailed(ActorError):
    """The process ended with a code that is not 0, or by a signal; `.completed` has its output.

    Or with any code, before a line said that it is ready: then `.ready` is the expression
    that was waited for, else None. Or, where it is spoken to, with any code before it was told to end.
    """

    def __init__(
        self,
        completed: Completed,
        argv: Sequence[str | bytes] = (),
        ready: re.Pattern[str] | re.Pattern[bytes] | None = None,
        *,
        why: str | None = None,
        was_ready: bool = True,
    ) -> None:
        self.completed = completed
        self.argv = tuple(argv)
        self.ready = ready
        program = command_line(self.argv) if self.argv else "the process"
        failure = _failure(completed, ready) if why is None else f" {why}; {last_words(completed, was_ready)}"
        super().__init__(f"{program} {_ending(completed.returncode)}{failure}")


class ProcessNotStarted(ActorError):
    """The program could not be started; the `OSError` is `.error`, and the cause."""

    def __init__(self, argv: Sequence[str | bytes], error: Exception, cwd: str | bytes | None = None) -> None:
        self.argv = tuple(argv)
        self.error = error
        self.cwd = cwd
        super().__init__(f"cannot start {command_line(self.argv)}: {error}. {_cure(self.argv, error, cwd)}")


def command_line(argv: Sequence[str | bytes]) -> str:
    """The words of `argv` on one line as one would type them, shortened. For people."""
    line = shlex.join(os.fsdecode(word) for word in argv)
    return line if len(line) <= _SHOWN_COMMAND else line[: _SHOWN_COMMAND - 3] + "..."


def _ending(code: int) -> str:
    if code >= 0:
        return f"ended with code {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:  # a real-time signal has no name
        return f"was ended by signal {-code}"


def _failure(completed: Completed, ready: re.Pattern[str] | re.Pattern[bytes] | None) -> str:
    """What was wrong with its end, its last words, and the cure."""
    if ready is None:
        return f"; {last_words(completed)}\n(if such a code is an answer and no failure, pass check=False)"
    words = last_words(completed, was_ready=False)
    return (
        f" before a line of its output said that it is ready; {words}\n"
        f"(the line that was waited for matches ready={ready.pattern!r})"
    )


def last_words(completed: Completed, was_ready: bool = True) -> str:
    """The end of what a process wrote, as lines of an error. For people.

    What is wrong stands on stderr; a start goes wrong on stdout as well. The bars keep the lines apart
    where the error is shown on one.
    """
    stderr = _last_words("stderr", completed.stderr)
    return stderr if was_ready else f"{_last_words('stdout', completed.stdout)}\nand {stderr}"


def _last_words(stream: str, data: bytes) -> str:
    text = data[-_SHOWN_OUTPUT:].decode(errors="replace")
    lines = [line.rstrip() for line in text.splitlines() if line.strip()][-_SHOWN_LINES:]
    if not lines:
        return f"it wrote nothing to {stream}"
    return f"its {stream} ends with\n" + "\n".join(f"    | {line}" for line in lines)


def _cure(argv: Sequence[str | bytes], error: Exception, cwd: str | bytes | None) -> str:
    program = os.fsdecode(argv[0])
    number = error.errno if isinstance(error, OSError) else None
    if cwd is not None and isinstance(error, OSError) and error.filename == cwd:
        return f"Pass as cwd= a folder that is there and may be entered, not {os.fsdecode(cwd)!r}"
    if number == errno.ENOENT:
        return (
            f"Install {program!r}, name its full path, or put its folder on PATH; a script also needs its #!"
        )
    if number in (errno.EACCES, errno.EPERM):
        return f"Make it executable, as in `chmod +x {shlex.quote(program)}`; a folder cannot be run"
    if number == errno.ENOEXEC:
        return f'Begin the script with a #! line, or name the program that reads it: ["sh", {program!r}]'
    if number == errno.E2BIG:
        return "Pass the long argument as input= or in a file"
    return "The machine may be short of memory, processes or descriptors: run fewer at once"
