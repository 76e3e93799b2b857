"""`Terminal`: a program in a pane of a private tmux server as an actor."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Sequence
from typing import Any

import attrs

from actors.checks import check_seconds, yes_or_no
from actors.core.context import Context
from actors.core.recipe import Recipe
from actors.process.arguments import Environment, Word, as_argv, as_cwd, as_environment
from actors.process.completed import Completed, command_line
from actors.process.terminal.home import longest_folder
from actors.process.terminal.life import Life
from actors.process.terminal.prompt import as_prompt
from actors.process.terminal.text import as_key

__all__ = ["Terminal"]

_LONGEST_ARGV = 12 * 1024


def _argv(argv: Sequence[Word]) -> tuple[str | bytes, ...]:
    words = as_argv(argv)
    size = sum(len(os.fsencode(word)) + 1 for word in words)
    if size > _LONGEST_ARGV:
        raise ValueError(
            f"argv has {size} bytes, and tmux takes {_LONGEST_ARGV}: "
            f"pass the long argument in a file, or paste it"
        )
    return words


def _shown(argv: tuple[str | bytes, ...]) -> str:
    return f"`{command_line(argv)}`"


def _folder(folder: Any) -> str | None:
    plain = as_cwd(folder)
    if plain is None:
        return None
    path = os.path.abspath(os.fsdecode(plain))
    if len(os.fsencode(path)) > longest_folder():
        raise ValueError(
            f"folder {path!r} is too long for the socket in it: {longest_folder()} bytes are possible, "
            f"as in /run/user/1000/agents"
        )
    return path


def _check_time(_: object, field: attrs.Attribute[float], value: object) -> None:
    check_seconds(field.name, value)


def _count(least: int, most: int) -> Any:
    def check(_: object, field: attrs.Attribute[int], value: object) -> None:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise ValueError(f"{field.name} must be a whole number from {least} to {most}, not {value!r}")

    return check


def _word(_: object, field: attrs.Attribute[str], value: object) -> None:
    if not isinstance(value, str) or not value or "\0" in value:
        raise ValueError(f"{field.name} must be a str that is not empty, not {value!r}")


def _no_arguments(_: object, *args: Any) -> None:
    if args:
        raise TypeError("a Terminal takes none, write them into its argv")


@attrs.frozen
class Terminal:
    r"""An interactive program as a `what`: `system.spawn(Terminal(["bash"], prompt=r"\$ $"), name="ada")`.

    Each incarnation starts `argv` in a pane of a tmux server of its own, which nobody else can reach. It is
    ready when the screen ends with the prompt. It takes `Paste`, `Keys`, `Capture`, `Resize` and
    `AttachCommand`, and a `str` or an `actors.Text` as a `Paste`; anything else is `Unhandled`. One at a time
    is in hand, but who asks `Capture` or `AttachCommand` does not wait for it. Limits of its policy bound
    the handling of a message, as for an actor class, and output counts as activity.

    Not ready means not sent: a paste waits for the cooldown and for the prompt, and is refused
    with `NotAtPrompt` when that does not come. It is never typed into something else.

    `ref.interrupt()` presses `interrupt_key`, and is True only if the prompt came back; else the
    message stays in hand, and the actor BUSY.

    A program that ends by itself ends the actor, its value is `Completed` with the last of its screen as
    `stdout`; a code other than 0 is a FAILED exit with `ProcessFailed`, unless `check=False`. An order
    to stop lets the message in hand end, then sends TERM to all processes of the pane (HUP to those
    who ignore it, as shells do) and, after the policy's `shutdown`, KILL. Then the server
    has ended, and its socket and folder are gone.

    - `argv`: the program, looked up on PATH, and its arguments; no shell reads it.
    - `prompt`: a regular expression for the end of the screen when the program waits: its last 10
      lines, `^` and `$` are the ends of each. The match must reach to the very end, so write also
      the space before the cursor: `r"^> $"`.
    - `cwd`, `env`: as for `Command`; `TERM` is `term`, and nothing of tmux is in the environment.
    - `cooldown`: seconds from each injection until the next.
    - `prompt_timeout`: seconds that a start, and a paste, wait for the prompt.
    - `quiet`: seconds without output after which the screen is looked at. A larger value
      keeps what looks like a prompt in the midst of an answer from being taken for one.
    - `submit`: the key that ends a paste.
    - `interrupt_key`, `interrupt_timeout`: how to interrupt, and how many seconds the prompt has.
    - `echo`: whether the program shows what is typed. Then that is no part of the answer.
    - `multiline`: whether text of several lines may be pasted into a program that has not
      asked for bracketed paste, each line an input of its own.
    - `width`, `height`: of the screen, in columns and rows.
    - `history`: lines kept of what has scrolled out of the screen; an answer has at least half of them.
    - `folder`: where the terminal is found again by its path in the tree, after this Python has ended
      unexpectedly: the next start adopts the pane, if it runs the same `argv`. None: a new one each time.
    - `keep`: with a `folder`, `stop()` and the end of the system leave the pane to the next start.
    - `check`, `linger`: as for `Command`.
    - `term`: the kind of terminal that the program is told it has.
    - `tmux`: the program of tmux, 3.2 or later.

    Not promised: what a program that draws its whole screen answers is what is on the screen. A key
    of a person that the program has not shown yet cannot be seen. Without `folder` a Python that
    is killed takes the pane with it, but not a program that ignores HUP, and leaves an empty folder.
    """

    argv: tuple[str | bytes, ...] = attrs.field(converter=_argv, repr=_shown)
    prompt: re.Pattern[str] = attrs.field(converter=as_prompt, kw_only=True)
    cwd: str | bytes | None = attrs.field(default=None, converter=as_cwd, kw_only=True)
    env: Environment | None = attrs.field(
        default=None, converter=as_environment, kw_only=True, repr=False, hash=False
    )
    cooldown: float = attrs.field(default=2.0, validator=_check_time, kw_only=True)
    prompt_timeout: float = attrs.field(default=30.0, validator=_check_time, kw_only=True)
    quiet: float = attrs.field(default=0.1, validator=_check_time, kw_only=True)
    submit: str = attrs.field(default="Enter", converter=as_key, kw_only=True)
    interrupt_key: str = attrs.field(default="C-c", converter=as_key, kw_only=True)
    interrupt_timeout: float = attrs.field(default=5.0, validator=_check_time, kw_only=True)
    echo: bool = attrs.field(default=True, validator=yes_or_no, kw_only=True)
    multiline: bool = attrs.field(default=False, validator=yes_or_no, kw_only=True)
    width: int = attrs.field(default=120, validator=_count(1, 10_000), kw_only=True)
    height: int = attrs.field(default=40, validator=_count(1, 10_000), kw_only=True)
    history: int = attrs.field(default=10_000, validator=_count(100, 10_000_000), kw_only=True)
    folder: str | None = attrs.field(default=None, converter=_folder, kw_only=True)
    keep: bool = attrs.field(default=False, validator=yes_or_no, kw_only=True)
    check: bool = attrs.field(default=True, validator=yes_or_no, kw_only=True)
    linger: float = attrs.field(default=1.0, validator=_check_time, kw_only=True)
    term: str = attrs.field(default="screen-256color", validator=_word, kw_only=True)
    tmux: str = attrs.field(default="tmux", validator=_word, kw_only=True)

    def __attrs_post_init__(self) -> None:
        if self.keep and self.folder is None:
            raise ValueError("keep=True needs a folder=, in which the next start finds the terminal")

    @property
    def identity(self) -> str:
        """A digest of what is run: only the same is adopted."""
        words = [os.fsdecode(word) for word in self.argv]
        cwd = None if self.cwd is None else os.fsdecode(self.cwd)
        env = None if self.env is None else sorted(self.env.items())
        return hashlib.sha256(json.dumps([1, words, cwd, env]).encode()).hexdigest()

    def __actor_recipe__(self) -> Recipe:
        """How the framework makes an actor of it."""
        return Recipe("process", self._run, readiness=True, bind=_no_arguments)

    async def _run(self, ctx: Context) -> Completed | None:
        return await Life(self, ctx).run()
