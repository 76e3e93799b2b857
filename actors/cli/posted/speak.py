"""How these commands end: each mistake one line on stderr, each kind of end its exit code."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final, TextIO

import trio

from actors.cli.misuse import Misused
from actors.cli.posted.way import Failed
from actors.cli.run import NOBODY_READS
from actors.cli.screens import write_all
from actors.delivery.errors import StoreInvalid, StoreTooNew
from actors.errors import ActorError, ActorFailed

__all__ = ["BAD_INPUT", "FAILED", "INTERRUPTED", "complain", "run_command", "say"]

FAILED: Final = 1
BAD_INPUT: Final = 2
INTERRUPTED: Final = 130


def complain(command: str, text: object, err: TextIO) -> None:
    """One line on stderr."""
    print(f"actors {command}: {' '.join(str(text).split())}", file=err)


async def say(out: TextIO, text: str) -> None:
    """Write it, in a thread: a reader that stands still ends no link. Raises OSError when nobody reads."""
    await trio.to_thread.run_sync(write_all, out, text, abandon_on_cancel=True)


def run_command(command: str, do: Callable[[], Awaitable[Any]], err: TextIO) -> int:
    """Run it to its end; the exit code. What it returns is the code, None for 0."""
    try:
        return trio.run(do) or 0
    except (Misused, StoreInvalid, StoreTooNew) as error:
        complain(command, error, err)
        return BAD_INPUT
    except ActorFailed as error:
        complain(command, error.__cause__ or error.error or error, err)
        return FAILED
    except (Failed, ActorError, ValueError) as error:
        complain(command, error, err)
        return FAILED
    except BrokenPipeError:
        return NOBODY_READS
    except OSError as error:
        complain(command, error.strerror or error, err)
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
