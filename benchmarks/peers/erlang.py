"""Erlang: raw processes, in an emulator of their own with as many schedulers as it wants.

The source is compiled into a temporary folder, and the time is measured inside the emulator.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import tempfile
from functools import partial
from pathlib import Path

from benchmarks.case import Side

__all__ = ["NAME", "SIDES", "version"]

NAME = "Erlang"
SOURCE = Path(__file__).with_name("work") / "bench.erl"
MOST = 5_000_000
MOST_ACTORS = 200_000
"""The emulator allows 262,144 processes."""


@functools.cache
def version() -> str | None:
    """That of its OTP, or None without `erl`."""
    program = shutil.which("erl")
    if program is None:
        return None
    told = Path(program).resolve().parents[1].glob("releases/*/OTP_VERSION")
    versions = sorted(path.read_text().strip() for path in told)
    return versions[-1] if versions else _erl("-eval", "io:format(erlang:system_info(otp_release)), halt().")


def _environment() -> dict[str, str]:
    """Without a dump of the emulator, should it crash."""
    return {**os.environ, "ERL_CRASH_DUMP_BYTES": "0"}


def _erl(*arguments: str) -> str:
    """What it prints, or RuntimeError with what went wrong. Its input ends when this process ends."""
    command = ["erl", "-noshell", *arguments]
    reader, writer = os.pipe()
    try:
        done = subprocess.run(
            command, stdin=reader, capture_output=True, text=True, check=True, env=_environment()
        )
    except subprocess.CalledProcessError as error:
        raise RuntimeError(f"erl: {error.stdout}{error.stderr}") from error
    finally:
        os.close(reader)
        os.close(writer)
    return done.stdout.strip()


def work(case: str, count: int) -> float:
    """The seconds that one run takes."""
    if case == "skynet" and 10 ** (len(str(count)) - 1) != count:
        raise ValueError(f"skynet has a power of ten of leaves, not {count}")
    with tempfile.TemporaryDirectory() as folder:
        compiling = (
            f'case c:c("{SOURCE}", [{{outdir, "{folder}"}}]) of {{ok, _}} -> halt(); _ -> halt(1) end.'
        )
        _erl("-eval", compiling)
        return int(_erl("-pa", folder, "-run", "bench", "main", case, str(count))) / 1e9


SIDES: dict[str, Side] = {
    "tell-1-1": Side(partial(work, "tell-1-1"), 65_536, MOST),
    "tell-100-1": Side(partial(work, "tell-100-1"), 65_536, MOST),
    "tell-1-100": Side(partial(work, "tell-1-100"), 65_536, MOST),
    "ask": Side(partial(work, "ask"), 65_536),
    "ask-timeout": Side(partial(work, "ask-timeout"), 65_536),
    "ask-1000": Side(partial(work, "ask-1000"), 65_536),
    "ring": Side(partial(work, "ring"), 65_536),
    "ping-pong": Side(partial(work, "ping-pong"), 65_536),
    "spawn": Side(partial(work, "spawn"), 8_192, MOST_ACTORS),
    "skynet": Side(partial(work, "skynet"), 1_000, 100_000),
}
