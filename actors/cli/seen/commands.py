"""The commands that look at a running system, and their options. What they do is loaded when one runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, Parameter

if TYPE_CHECKING:
    from actors.cli.posted.way import Target

__all__ = ["add_commands"]

Flag = Annotated[bool, Parameter(negative="")]
BAD_INPUT = 2


def add_commands(app: App) -> None:
    """Make them commands of the program."""
    app.command(top)
    app.command(why)


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


def top(
    target: Annotated[str, Parameter(name="FILE|URL")],
    /,
    *,
    sort: Literal["path", "depth", "restarts", "handled", "failed", "uptime"] = "path",
    limit: int = 200,
    once: Flag = False,
    json: Flag = False,
    token_file: Path | None = None,
) -> int:
    """Show a running system as it moves: its actors, what waits, rates, breakers, deadlines, people asked.

    Parameters
    ----------
    target
        A file that `actors run` runs, the file of its tickets, or a node as it has printed it, ws://HOST:PORT.
    sort
        What comes first: the tree by path, or the actors with the most of something.
    limit
        How many actors at most.
    once
        Look once, and end. So it does where it writes into a pipe.
    json
        One JSON object a look, for programs; without --once, one for each change.
    token_file
        A file with the token of the node.
    """
    from actors.cli.seen.top import Look, show_top

    where = _target("top", target, token_file)
    if where is None:
        return BAD_INPUT
    return show_top(where, Look(sort, limit, once, json), sys.stdout, sys.stderr)


def why(
    path: str,
    target: Annotated[str, Parameter(name="FILE|URL")],
    /,
    *,
    json: Flag = False,
    token_file: Path | None = None,
) -> int:
    """Say why the actor at PATH ended, or started again: each line is the cause of the one before.

    Parameters
    ----------
    path
        As the tree shows it: /shop/till. It may be gone by now.
    target
        A file that `actors run` runs, the file of its tickets, or a node as it has printed it, ws://HOST:PORT.
    json
        One JSON object instead.
    token_file
        A file with the token of the node.
    """
    from actors.cli.seen.why import tell_why

    where = _target("why", target, token_file)
    if where is None:
        return BAD_INPUT
    return tell_why(where, path, json, sys.stdout, sys.stderr)
