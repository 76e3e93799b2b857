"""The commands about posted messages, and their options. What they do is loaded when one runs."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

if TYPE_CHECKING:
    from actors.cli.posted.way import Target

__all__ = ["add_commands"]

Flag = Annotated[bool, Parameter(negative="")]
Names = Annotated[Sequence[str], Parameter(negative="", show_default=False)]
BAD_INPUT = 2

dead = App(name="dead", help="Look after dead letters: messages of which each delivery has failed.")


def add_commands(app: App) -> None:
    """Make them commands of the program."""
    app.command(post)
    app.command(tickets)
    app.command(dead)


def _target(command: str, text: str, token_file: Path | None, prefix: str) -> Target | None:
    """FILE|URL, or None when it is none, and that was printed."""
    from actors.cli.misuse import Misused, read_token
    from actors.cli.posted.speak import complain
    from actors.cli.posted.way import Target

    try:
        return Target(text, read_token(token_file), prefix)
    except Misused as error:
        complain(command, error, sys.stderr)
        return None


def post(
    target: Annotated[str, Parameter(name="FILE|URL")],
    path: str,
    message: str,
    /,
    *,
    key: str | None = None,
    wait: Annotated[bool | float, Parameter(negative="", requires_equals=True)] = False,
    timeout: float | None = None,
    priority: int = 0,
    max_attempts: int = 5,
    import_: Annotated[Sequence[str], Parameter(name="--import", negative="", show_default=False)] = (),
    token_file: Path | None = None,
    prefix: str = "actors",
) -> int:
    """Post a message to the actor at PATH, whether or not it runs, and print the ticket's id.

    Parameters
    ----------
    target
        The file of the tickets, redis://HOST:PORT, or a node as it has printed it, ws://HOST:PORT.
    path
        Its recipient: /planner.
    message
        JSON with the tag of its class: {"$": "shop.Order", "item": "tea"}.
    key
        Stands for the message: posted twice with one key, it is posted once.
    wait
        Print the reply as JSON; --wait=SECONDS waits no longer than that. Ctrl-C leaves the ticket.
    timeout
        Seconds after which the ticket itself ends.
    priority
        The higher, the sooner.
    max_attempts
        How often it is delivered at most, when its handler fails.
    import_
        A module to hold the message against its class; may be given several times.
    token_file
        A file with the token of the node.
    prefix
        How the keys of a Redis server begin.
    """
    from actors.cli.posted.post import Letter
    from actors.cli.posted.post import post as do

    where = _target("post", target, token_file, prefix)
    if where is None:
        return BAD_INPUT
    letter = Letter(
        path=path,
        text=message,
        key=key,
        wait=math.inf if wait is True else None if wait is False else wait,
        timeout=timeout,
        priority=priority,
        max_attempts=max_attempts,
        modules=import_,
    )
    return do(where, letter, sys.stdout, sys.stderr)


def tickets(
    target: Annotated[str, Parameter(name="FILE|URL")],
    ticket_id: Annotated[str | None, Parameter(name="ID")] = None,
    /,
    *,
    state: Names = (),
    path: str | None = None,
    limit: int = 100,
    after: int | None = None,
    json: Flag = False,
    follow: Flag = False,
    forget: str | None = None,
    token_file: Path | None = None,
    prefix: str = "actors",
) -> int:
    """Show what was posted, in the order of the receipts, or all about one ticket.

    Parameters
    ----------
    target
        The file of the tickets, redis://HOST:PORT, or a node as it has printed it, ws://HOST:PORT.
    ticket_id
        One ticket, with its history.
    state
        pending, delivered, responded, failed, dead, cancelled or timed_out; may be given several times.
    path
        Those of one recipient.
    limit
        How many at most.
    after
        Those after this number: "seq" in the JSON; with --follow, "number".
    json
        One JSON object a line, for programs.
    follow
        Show every change as it happens, until Ctrl-C.
    forget
        Forget the state that the actor at this path has saved, and show nothing.
    token_file
        A file with the token of the node.
    prefix
        How the keys of a Redis server begin.
    """
    from actors.cli.posted import tickets as work
    from actors.cli.posted.speak import complain

    where = _target("tickets", target, token_file, prefix)
    if where is None:
        return BAD_INPUT
    filters = bool(state) or path is not None or after is not None
    if (ticket_id is not None) + follow + (forget is not None) > 1 or (
        filters and (ticket_id is not None or forget is not None)
    ):
        text = (
            "ID, --forget, and --follow do not go together, and of these only --follow takes --state, --path"
        )
        complain("tickets", f"{text} and --after", sys.stderr)
        return BAD_INPUT
    query = work.Query(states=state, path=path, after=after, limit=limit)
    if ticket_id is not None:
        return work.tell(where, ticket_id, json, sys.stdout, sys.stderr)
    if forget is not None:
        return work.forget(where, forget, sys.stdout, sys.stderr)
    if follow:
        return work.follow(where, query, json, sys.stdout, sys.stderr)
    return work.find("tickets", where, query, json, sys.stdout, sys.stderr)


@dead.command(name="list")
def list_dead(
    target: Annotated[str, Parameter(name="FILE|URL")],
    /,
    *,
    path: str | None = None,
    limit: int = 100,
    after: int | None = None,
    json: Flag = False,
    token_file: Path | None = None,
    prefix: str = "actors",
) -> int:
    """Show dead letters, each with its last failure.

    Parameters
    ----------
    target
        The file of the tickets, redis://HOST:PORT, or a node as it has printed it, ws://HOST:PORT.
    path
        Those of one recipient.
    limit
        How many at most.
    after
        Those after this number, "seq" in the JSON.
    json
        One JSON object a line, for programs.
    token_file
        A file with the token of the node.
    prefix
        How the keys of a Redis server begin.
    """
    from actors.cli.posted import tickets as work

    where = _target("dead list", target, token_file, prefix)
    if where is None:
        return BAD_INPUT
    query = work.Query(states=("dead",), path=path, after=after, limit=limit)
    return work.find("dead list", where, query, json, sys.stdout, sys.stderr)


@dead.command
def redeliver(
    target: Annotated[str, Parameter(name="FILE|URL")],
    /,
    *ids: Annotated[str, Parameter(name="ID")],
    all: Flag = False,
    path: str | None = None,
    token_file: Path | None = None,
    prefix: str = "actors",
) -> int:
    """Post dead letters anew, each with all its attempts; they go to the end of the line.

    Parameters
    ----------
    target
        The file of the tickets, redis://HOST:PORT, or a node as it has printed it, ws://HOST:PORT.
    ids
        Which ones.
    all
        All of them.
    path
        With --all: those of one recipient.
    token_file
        A file with the token of the node.
    prefix
        How the keys of a Redis server begin.
    """
    return _all_or("redeliver", target, ids, all, path, token_file, prefix)


@dead.command
def drop(
    target: Annotated[str, Parameter(name="FILE|URL")],
    /,
    *ids: Annotated[str, Parameter(name="ID")],
    all: Flag = False,
    path: str | None = None,
    token_file: Path | None = None,
    prefix: str = "actors",
) -> int:
    """Remove dead letters for good.

    Parameters
    ----------
    target
        The file of the tickets, redis://HOST:PORT, or a node as it has printed it, ws://HOST:PORT.
    ids
        Which ones.
    all
        All of them.
    path
        With --all: those of one recipient.
    token_file
        A file with the token of the node.
    prefix
        How the keys of a Redis server begin.
    """
    return _all_or("drop", target, ids, all, path, token_file, prefix)


def _all_or(
    what: str,
    target: str,
    ids: Sequence[str],
    all: bool,
    path: str | None,
    token_file: Path | None,
    prefix: str,
) -> int:
    from actors.cli.posted import tickets as work
    from actors.cli.posted.speak import complain

    where = _target(f"dead {what}", target, token_file, prefix)
    if where is None:
        return BAD_INPUT
    if path is not None and not all:
        complain(f"dead {what}", "--path goes with --all", sys.stderr)
        return BAD_INPUT
    query = work.Query(path=path) if all else None
    do = work.redeliver if what == "redeliver" else work.drop
    return do(where, ids, query, sys.stdout, sys.stderr)
