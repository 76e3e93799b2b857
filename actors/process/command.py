"""`Command`: an operating-system process as an actor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs

from actors.checks import check_seconds, yes_or_no
from actors.core.context import Context
from actors.core.recipe import Recipe
from actors.process.arguments import (
    Environment,
    OnOutput,
    Word,
    as_argv,
    as_cwd,
    as_environment,
    as_input,
    check_count,
    check_on_output,
)
from actors.process.completed import Completed, command_line
from actors.process.ready import Expression, as_expression
from actors.process.run import Run

__all__ = ["Command"]

_MEBIBYTE = 1024 * 1024


def _argv(argv: Sequence[Word]) -> tuple[str | bytes, ...]:
    return as_argv(argv)


def _shown(argv: tuple[str | bytes, ...]) -> str:
    return f"`{command_line(argv)}`"


def _check_linger(_: object, field: attrs.Attribute[float], value: object) -> None:
    check_seconds(field.name, value)


def _no_arguments(_: object, *args: Any) -> None:
    if args:
        raise TypeError("a Command takes none, write them into its argv")


@attrs.frozen
class Command:
    r"""A process of the operating system as a `what`: `system.spawn(Command(["make", "test"]))`.

    Each incarnation starts `argv` in a session and a process group of its own, without a
    terminal. It is ready when the program runs, or with `ready` when it says so; one that
    cannot be started is a failed start with `ProcessNotStarted`. Its value is `Completed`. A code
    other than 0, and death by a signal, is a FAILED exit with `ProcessFailed`, unless `check=False`.

    An order to stop, from whomever, sends TERM to the whole group at once, and not again to
    who handles it; after the policy's `shutdown` seconds the group gets KILL, and so it does
    at once on `kill()` and when the actor is cancelled, by its block or by a limit. In
    time the exit is SHUTDOWN, its value `Completed`, whatever the code; None if the order
    came before the process was started. What a leader that ended by itself leaves behind in
    its group gets TERM, `linger` seconds, and KILL: the actor is gone when the group is.

    - `argv`: the program, looked up on PATH, and its arguments: a list or tuple of str, bytes
      and paths. No shell reads it; a string raises TypeError, an empty list ValueError.
    - `cwd`: the folder to start in; None is ours.
    - `env`: the whole environment, copied; None is ours as it is at the start. A job that comes
      after others also has `ACTORS_DEPENDENCIES`, a JSON object of label to `{"ok", "failure"}`, and
      `ACTORS_FAILED_DEPENDENCIES`, the labels of the failed ones with a space between them.
    - `input`: written to stdin while output is read, then stdin is closed; str as UTF-8. A
      process that does not read it is fine. None: stdin is empty.
    - `max_output`: bytes kept of each of stdout and stderr, the last ones.
    - `check`: whether a code other than 0 is a failure.
    - `on_output`: called as `on_output("stdout" or "stderr", line)` for each line as it comes,
      in a task of the actor's, without its newline. It must not block. The lines of one stream
      come in order; nothing is promised between the two. One that raises is logged and
      not called again, the process goes on.
    - `max_line`: bytes of a line handed to `on_output`; a longer one comes in pieces.
    - `ready`: a regular expression, str, bytes or compiled. The process is ready when a line of
      stdout or stderr has a match, each time that it is started; one that ends before, with
      whatever code, is a failed start with `ProcessFailed`. Case counts, `(?i)` ignores it. One of
      str is searched in UTF-8, one of bytes in what came. The line that is not ended yet is
      looked at as it stands, for prompts: there `$` matches at the end of what came so far. With
      a newline at its end, as in `r"port \d+\n"`, it waits for the whole line, which `on_output`
      has had by then. In a line of more than 1024 characters a longer match may be missed. `max_line`
      and `max_output` change nothing about it. What is no expression, or matches the empty
      string, raises ValueError.
    - `linger`: seconds that what outlives a leader which ended by itself has after TERM.

    Output counts as activity, like `ctx.progress(n_bytes)`. A process takes no messages: told
    ones wait and are dead letters at its end, asks end with `ActorStopped`; talk to it by
    `input` and `on_output`.

    Not promised: a descendant that makes itself a session or group of its own is out of
    reach, and what it writes after the group's end is lost; so is one that changes its
    user. If this Python itself is killed, its processes live on. Windows is not supported.
    """

    argv: tuple[str | bytes, ...] = attrs.field(converter=_argv, repr=_shown)
    cwd: str | bytes | None = attrs.field(default=None, converter=as_cwd, kw_only=True)
    env: Environment | None = attrs.field(
        default=None, converter=as_environment, kw_only=True, repr=False, hash=False
    )
    input: bytes | None = attrs.field(default=None, converter=as_input, kw_only=True, repr=False)
    max_output: int = attrs.field(default=_MEBIBYTE, validator=check_count(0), kw_only=True)
    check: bool = attrs.field(default=True, validator=yes_or_no, kw_only=True)
    on_output: OnOutput | None = attrs.field(
        default=None, validator=check_on_output, kw_only=True, repr=False
    )
    max_line: int = attrs.field(default=64 * 1024, validator=check_count(1), kw_only=True)
    ready: Expression | None = attrs.field(default=None, converter=as_expression, kw_only=True)
    linger: float = attrs.field(default=1.0, validator=_check_linger, kw_only=True)

    def __actor_recipe__(self) -> Recipe:
        """How the framework makes an actor of it."""
        return Recipe("process", self._run, readiness=True, bind=_no_arguments, takes_none=True)

    async def _run(self, ctx: Context) -> Completed | None:
        return await Run(self, ctx).run()
