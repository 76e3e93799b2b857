"""`Lines`: a long-lived program that is spoken to in lines, as an actor."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final, cast

import attrs

from actors.checks import count, one_of, seconds, yes_or_no
from actors.core.context import Context
from actors.core.recipe import Recipe
from actors.process.arguments import Environment, Word, as_argv, as_cwd, as_environment, check_count
from actors.process.completed import Completed, command_line
from actors.process.lines.talk import Talk
from actors.process.lines.words import Protocol
from actors.process.ready import Expression, as_expression

__all__ = ["Lines"]

_MEBIBYTE: Final = 1024 * 1024
_HANDSHAKE: Final = re.compile(r"^(?!)")
"""Stands for the line of the protocol itself; as an expression it is found nowhere."""
_READY_LINES: Final = {"json": '{"ready": true}', "text": "ready"}


def _argv(argv: Sequence[Word]) -> tuple[str | bytes, ...]:
    return as_argv(argv, "Lines")


def _shown(argv: tuple[str | bytes, ...]) -> str:
    return f"`{command_line(argv)}`"


def _ready(ready: bool | str | bytes | Expression | None) -> Expression | None:
    if ready is True:
        return _HANDSHAKE
    if ready is False or ready is None:
        return None
    return as_expression(ready)


def _show_ready(ready: Expression | None) -> str:
    return "True" if ready is _HANDSHAKE else "False" if ready is None else repr(ready.pattern)


def _no_arguments(_: object, *args: Any) -> None:
    if args:
        raise TypeError("a Lines takes none, write them into its argv")


@attrs.frozen
class Lines:
    r"""A long-lived program that is spoken to in lines, as a `what`: `spawn(Lines(["node", "model.js"]))`.

    Each incarnation starts `argv` in a session and a process group of its own. What is told and asked
    goes to its stdin, one line a message; what it says comes from its stdout, one line each. The page
    "Lines" of the documentation has the protocol, and children in Python, JavaScript and shell.

    May be said: str, numbers, lists and dicts that JSON has words for; an object of a `@message` class,
    written as on a link; and `Call(value)`, which asks with a plain value. Anything else raises
    `NotSerializable` for the asker, or is a dead letter. The reply is a JSON value, or a message if it
    has a tag.

    It is an actor like any other: one message at a time (`in_flight`), the mailbox stays over restarts, a
    limit of its policy bounds each request (and the start), progress and output are signs of life. What
    the child answers with an error raises `ChildError` for the asker, and what it refuses `Refused`; the
    actor lives on. A child that ends with messages in hand has failed, with whatever code, and so has
    one that ends with a code other than 0 when nobody had told it to (`ProcessFailed`), and one that
    cannot be talked to (`ProtocolBroken`). One that ends with 0 and nothing in hand has returned: its
    value is `Completed`.

    `interrupt()`, and an asker that leaves, send the child a word to cancel, and the request stays in
    hand until the child has ended it: `interrupt()` is True if it says that it was cancelled. A reply
    goes to whoever still waits, or is a `LateReply`.

    On a stop it finishes what it has in hand; then it is told so and its stdin closed; after `stop_within`
    seconds, at most half the policy's `shutdown`, its group gets TERM, and after `shutdown` KILL. On
    `kill()` and cancellation KILL comes at once.

    - `argv`, `cwd`, `env`: as for `Command`.
    - `protocol`: "json", one object a line, or "text", a word in front of each line: for str alone.
    - `ready`: True waits for the child's own word that it is ready; False: it is when it runs; or a
      regular expression, as for `Command`, which a line of stdout or stderr has to match.
    - `ready_within`: seconds that this may take, None without a bound; then it is a failed start, with
      what the child had written.
    - `in_flight`: how many messages it may have in hand at once. It may answer them in any order.
    - `confirm`: whether told messages, too, are in hand until the child has answered them. Without, such
      a message was handled when its line is in the pipe: what the child has not read at its end is lost.
    - `max_line`: bytes of a line from the child; a longer one ends it, as `ProtocolBroken`.
    - `max_garbage`: how many lines in a row may be none of the protocol (`LineIgnored`); None: any number.
    - `max_output`: bytes kept of each of stdout and stderr for errors and the value, the last ones.
    - `stop_within`: seconds that it has to end by itself, once nothing is in hand and it was told so.
    - `linger`: seconds that what outlives a leader which ended by itself has after TERM; and the leader,
      after it has closed its stdin or stdout.

    Not promised: what is not promised of a `Command`. A child that ignores the word to cancel works on,
    and the next message waits: bound it with a limit.
    """

    argv: tuple[str | bytes, ...] = attrs.field(converter=_argv, repr=_shown)
    cwd: str | bytes | None = attrs.field(default=None, converter=as_cwd, kw_only=True)
    env: Environment | None = attrs.field(
        default=None, converter=as_environment, kw_only=True, repr=False, hash=False
    )
    protocol: Protocol = attrs.field(default="json", validator=one_of(Protocol), kw_only=True)
    ready: Expression | None = attrs.field(
        default=cast("Any", True), converter=_ready, repr=_show_ready, kw_only=True
    )
    ready_within: float | None = attrs.field(
        default=60.0, validator=attrs.validators.optional(seconds(above=True)), kw_only=True
    )
    in_flight: int = attrs.field(default=1, validator=count(1), kw_only=True)
    confirm: bool = attrs.field(default=False, validator=yes_or_no, kw_only=True)
    max_line: int = attrs.field(default=8 * _MEBIBYTE, validator=check_count(1), kw_only=True)
    max_garbage: int | None = attrs.field(
        default=100, validator=attrs.validators.optional(count(0)), kw_only=True
    )
    max_output: int = attrs.field(default=64 * 1024, validator=check_count(0), kw_only=True)
    stop_within: float = attrs.field(default=2.0, validator=seconds(), kw_only=True)
    linger: float = attrs.field(default=1.0, validator=seconds(), kw_only=True)

    @property
    def is_handshake(self) -> bool:
        """True where the child's own word makes it ready."""
        return self.ready is _HANDSHAKE

    @property
    def awaited(self) -> str:
        """What it is to say when it is ready. For people."""
        if self.ready is None or self.is_handshake:
            return f"the line that was waited for is {_READY_LINES[self.protocol]}"
        return f"the line that was waited for matches ready={self.ready.pattern!r}"

    def __actor_recipe__(self) -> Recipe:
        """How the framework makes an actor of it."""
        return Recipe("process", self._run, readiness=True, bind=_no_arguments)

    async def _run(self, ctx: Context) -> Completed | None:
        return await Talk(self, ctx).run()
