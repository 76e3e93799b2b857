"""Worker processes: each in a session of its own, so that all that it started can be ended with it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

__all__ = ["TIMEOUT", "SideFailed", "ask_worker", "interpreter"]

TIMEOUT = 120.0
HOME = Path(__file__).parent.parent.parent
"""The folder that has the package `benchmarks`."""


class SideFailed(Exception):
    """A worker did not answer; the text is the reason, one line."""


def ask_worker(python: str, arguments: Sequence[str], timeout: float = TIMEOUT) -> dict[str, Any]:
    """The JSON that a fresh worker printed; raises `SideFailed`. No process of it is left in any case."""
    command = [python, "-m", "benchmarks.harness.worker", *arguments]
    with (
        tempfile.TemporaryDirectory(prefix="benchmarks-", ignore_cleanup_errors=True) as folder,
        tempfile.TemporaryFile() as out,
        tempfile.TemporaryFile() as err,
    ):
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                cwd=folder,
                env=_environment(),
                start_new_session=True,
            )
        except OSError as error:
            raise SideFailed(f"cannot start {python}: {error.strerror or error}") from None
        code = _wait(process, timeout)
        if code is None:
            raise SideFailed(f"not done after {timeout:g} s")
        answer = _answer(out)
        if answer is None or code != 0:
            raise SideFailed(_reason(code, err))
        return answer


def _environment() -> dict[str, str]:
    """Modules are looked for in the folder of the benchmarks first, then where they were looked for here."""
    here = [str(HOME), os.getcwd(), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    path = os.pathsep.join(dict.fromkeys(entry for entry in here if entry))
    return {**os.environ, "PYTHONPATH": path}


def _wait(process: subprocess.Popen[bytes], timeout: float) -> int | None:
    """The exit code; None when it took too long. The whole session is ended in any case, Ctrl-C included."""
    try:
        return process.wait(timeout)
    except subprocess.TimeoutExpired:
        return None
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _answer(out: BinaryIO) -> dict[str, Any] | None:
    """The last line that is an object: a side may have printed something of its own."""
    for line in reversed(_lines(out)):
        if line.startswith("{"):
            with contextlib.suppress(ValueError):
                return json.loads(line)
    return None


def _reason(code: int, err: BinaryIO) -> str:
    if code < 0:
        return f"the process died of {signal.Signals(-code).name}"
    lines = _lines(err)
    return lines[-1] if lines else f"the process ended with code {code} and said nothing"


def _lines(file: BinaryIO) -> list[str]:
    file.seek(0)
    text = file.read().decode("utf-8", "replace")
    return [line.strip() for line in text.splitlines() if line.strip()]


def interpreter(python: str) -> str:
    """The absolute path of an interpreter, links kept: they tell environments apart."""
    if python == sys.executable or os.sep not in python:
        return python
    return os.path.abspath(os.path.expanduser(python))
