"""The commands about requests to people, and their options. What they do is loaded when one runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

if TYPE_CHECKING:
    from actors.cli.posted.way import Target

__all__ = ["add_commands"]

Flag = Annotated[bool, Parameter(negative="")]
BAD_INPUT = 2


def add_commands(app: App) -> None:
    """Make them commands of the program."""
    app.command(pending)
    app.command(answer)


def _target(command: str, text: str, token_file: Path | None) -> Target | None:
    """FILE|URL, or None when it is none, and that was printed."""
    from actors.cli.misuse import Misused, read_token
    from actors.cli.posted.speak import complain
    from actors.cli.seen.way import target_of

    try:
        return target_of(text, read_token(token_file))
    except Misused as error:
        complain(command, error, sys.stderr)
        return None


def pending(
    target: Annotated[str, Parameter(name="FILE|URL")],
    /,
    *,
    to: str | None = None,
    json: Flag = False,
    follow: Flag = False,
    token_file: Path | None = None,
) -> int:
    """Show what programs ask people, and nobody has answered yet; at linked nodes, too.

    Parameters
    ----------
    target
        A file that `actors run` runs, the file of its tickets, or a node as it has printed it, ws://HOST:PORT.
    to
        What is asked of this person alone.
    json
        One JSON object a line, for programs.
    follow
        Then show every change as it happens, until Ctrl-C.
    token_file
        A file with the token of the node.
    """
    from actors.cli.people.pending import follow as do_follow
    from actors.cli.people.pending import show

    where = _target("pending", target, token_file)
    if where is None:
        return BAD_INPUT
    do = do_follow if follow else show
    return do(where, to, json, sys.stdout, sys.stderr)


def answer(
    request_id: Annotated[str, Parameter(name="ID")],
    value: Annotated[str, Parameter(allow_leading_hyphen=True)],
    target: Annotated[str, Parameter(name="FILE|URL")],
    /,
    *,
    by: str | None = None,
    as_json: Flag = False,
    token_file: Path | None = None,
) -> int:
    """Answer the request with this ID. The first answer counts; whoever waits has it at once.

    Parameters
    ----------
    request_id
        As `actors pending` shows it.
    value
        An approval takes yes or no. A clarification takes the text as it stands. A request with options
        takes one of them, as text or as JSON. Any other takes JSON, or else the text.
    target
        A file that `actors run` runs, the file of its tickets, or a node as it has printed it, ws://HOST:PORT.
    by
        Who answers; whoever has asked is told. It is not checked.
    as_json
        VALUE is JSON, whatever is asked: true, "a text", 5.
    token_file
        A file with the token of the node.
    """
    from actors.cli.people.answer import give

    where = _target("answer", target, token_file)
    if where is None:
        return BAD_INPUT
    return give(where, request_id, value, by, as_json, sys.stdout, sys.stderr)
