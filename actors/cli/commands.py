"""The commands of the program: each loads, does one thing, and returns the exit code."""

from __future__ import annotations

import contextlib
import functools
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import trio
from cyclopts import App, CycloptsError, Parameter
from rich.console import Console

from actors.cli.lines import to_json
from actors.cli.misuse import Misused
from actors.cli.people import commands as people
from actors.cli.posted.commands import add_commands
from actors.cli.report import live_screen, screen_maker, tell_end, tell_faults
from actors.cli.run import run_team
from actors.cli.screens import write_all
from actors.cli.seen import commands as seen
from actors.cli.stores import store_of
from actors.cli.teams.choose import Chosen, TeamOptions, choose
from actors.cli.watched import Watching, watching
from actors.cli.what import Surroundings, look_beside, machine_faults
from actors.delivery import Store
from actors.delivery.errors import StoreError

__all__ = ["BAD_INPUT", "INTERRUPTED", "execute"]

BAD_INPUT = 2
"""Exit code: the file or the command line cannot be used."""
INTERRUPTED = 130
"""Exit code: Ctrl-C."""

Observe = Annotated[list[str] | None, Parameter(consume_multiple=True, negative="")]
"""`--observe`, with or without HOST:PORT."""

app = App(
    name="actors",
    help="Supervise agents that a TOML file describes.",
    version_flags=[],
    result_action="return_value",
)


def execute(arguments: Sequence[str] | None = None) -> int:
    """Run the command line (None: that of the process) and return the exit code."""
    try:
        return app(arguments, exit_on_error=False, print_error=True, error_console=Console(stderr=True)) or 0
    except CycloptsError:  # it has been printed
        return BAD_INPUT
    except KeyboardInterrupt:
        return INTERRUPTED


@app.command
def run(
    file: Path | None = None,
    /,
    *,
    team: Annotated[TeamOptions | None, Parameter(name="*")] = None,
    json: Annotated[bool, Parameter(negative="")] = False,
    output: Annotated[bool, Parameter(negative="")] = False,
    store: str | None = None,
    observe: Observe = None,
    observe_token_file: Path | None = None,
) -> int:
    """Supervise the tree that FILE describes, or a team, until all its agents have ended for good.

    Ctrl-C stops it in order, a second one at once.

    Parameters
    ----------
    file
        The TOML file.
    team
        The team in place of a file.
    json
        One JSON object a line, for programs.
    output
        Show what the processes write, too, each line with the path of its agent.
    store
        What keeps posted messages: sqlite:FILE, redis://HOST:PORT, or memory; wins over the file.
        Without either, NAME.tickets.db beside the file.
    observe
        Show the run in a browser, at HOST:PORT; without it at any free port of this machine.
    observe_token_file
        A file with the token that whoever looks must know. Other machines need one.
    """
    surroundings = surroundings_now()
    chosen = _load(file, team, surroundings, json=json)
    if chosen is None:
        return BAD_INPUT
    try:
        keeper = store_of(chosen.team, store)
        watched = watching(observe, observe_token_file)
    except (StoreError, ValueError, Misused) as error:
        print(f"actors run: {error}", file=sys.stderr)
        return BAD_INPUT
    return _run(chosen, surroundings, keeper, watched, json=json, output=output)


def _run(
    chosen: Chosen,
    surroundings: Surroundings,
    store: Store,
    watched: Watching | None,
    *,
    json: bool,
    output: bool,
) -> int:
    team = chosen.team
    with live_screen(sys.stdout, json=json) as live:
        screen = screen_maker(sys.stdout, live, json=json)
        run = functools.partial(run_team, output=output, comment=chosen.comment, store=store, watched=watched)
        verdict = trio.run(run, team, surroundings, screen)
    if verdict.unopened is not None:
        other = "; or choose another store with --store" if isinstance(verdict.unopened, StoreError) else ""
        print(f"actors run: {verdict.unopened}{other}", file=sys.stderr)
        return verdict.code
    with contextlib.suppress(OSError):  # nobody reads any more; the code says so
        tell_end(verdict, team.name, sys.stdout, sys.stderr, json=json)
    return verdict.code


@app.command
def mcp(
    file: Path,
    /,
    *,
    http: str | None = None,
    token_file: Path | None = None,
    open: Annotated[bool, Parameter(negative="")] = False,
    store: str | None = None,
    observe: Observe = None,
    observe_token_file: Path | None = None,
    verbose: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Supervise the tree of FILE, and let agents connect to it by the Model Context Protocol.

    Over stdio there is one client: the program that starts this one; it ends when that closes stdin. What its
    table [mcp] allows is what clients may do. Ctrl-C stops it in order, a second one at once.

    Parameters ---------- file The TOML file, with a table [mcp]. http Serve many clients over HTTP, at
    HOST:PORT. token_file A file with the token that clients must know; without it that in ACTORS_MCP_TOKEN,
    or one is made up and printed. open No token: every program of this machine may connect. For addresses
    of this machine alone. store What keeps posted messages: sqlite:FILE, redis://HOST:PORT, or memory; wins
    over the file. Without either, memory. observe Show the run in a browser, at HOST:PORT; without it at
    any free port of this machine. observe_token_file A file with the token that whoever looks must know.
    Other machines need one. verbose Write what happens to stderr.
    """
    from actors.cli.mcp.command import TOKEN, serve_team, way_of

    surroundings = surroundings_now()
    chosen = _load(file, None, surroundings, json=False, secrets=http is not None)
    if chosen is None:
        return BAD_INPUT
    kept = "memory" if store is None and chosen.team.store is None else store
    try:
        way = way_of(http, token_file, os.environ.get(TOKEN), open=open)
        watched = watching(observe, observe_token_file)
        keeper = store_of(chosen.team, kept)
        verdict = serve_team(chosen.team, surroundings, way, keeper, watched, verbose=verbose)
    except (StoreError, ValueError, Misused) as error:
        print(f"actors mcp: {error}", file=sys.stderr)
        return BAD_INPUT
    if verdict.unopened is not None:
        print(f"actors mcp: {verdict.unopened}", file=sys.stderr)
    return verdict.code


@app.command
def check(
    file: Path | None = None,
    /,
    *,
    team: Annotated[TeamOptions | None, Parameter(name="*")] = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Say what is wrong with FILE, or a team, or show the tree that it describes. Starts nothing.

    Parameters
    ----------
    file
        The TOML file.
    team
        The team in place of a file.
    json
        One JSON object: the tree, or the mistakes.
    """
    chosen = _load(file, team, surroundings_now(), json=json, secrets=True)
    if chosen is None:
        return BAD_INPUT
    write_all(sys.stdout, f"{to_json(chosen.as_dict()) if json else chosen}\n")
    return 0


@app.command
def jobs(
    file: Path,
    /,
    *,
    limit: int | None = None,
    stagger: float | None = None,
    deadline: float | None = None,
    dry_run: Annotated[bool, Parameter(negative="")] = False,
    json: Annotated[bool, Parameter(negative="")] = False,
    again: Annotated[bool, Parameter(negative="")] = False,
    done: Path | None = None,
) -> int:
    """Run the jobs of FILE, many at once, but those that an earlier run has done.

    Ctrl-C stops them in order, a second one at once.

    Parameters
    ----------
    file
        The TOML file.
    limit
        How many run at once; wins over the file.
    stagger
        Seconds between two starts; wins over the file.
    deadline
        Seconds after which what has not ended is cancelled; wins over the file.
    dry_run
        Show the waves and the order, and start nothing.
    json
        One JSON object a line, for programs.
    again
        Run all, also what is done.
    done
        Where successes are remembered; without it, in FILE.done.json.
    """
    from actors.cli.jobs.main import Options, run_file

    rules = {"limit": limit, "stagger": stagger, "deadline": deadline}
    given = {name: value for name, value in rules.items() if value is not None}
    options = Options(given=given, dry_run=dry_run, json=json, again=again, done_file=done)
    return run_file(file, options, surroundings_now(), sys.stdout, sys.stderr)


@app.command
def demo(folder: Path | None = None, /) -> int:
    """Index the text files under FOLDER with worker processes, some of which misbehave.

    Parameters
    ----------
    folder
        Where the text files are; without it, pages that come with the program.
    """
    from actors.cli.demo.demo import run_demo

    return run_demo(folder, surroundings_now(), sys.stdout, sys.stderr)


@app.command(help_flags=[])
def bench(*arguments: Annotated[str, Parameter(allow_leading_hyphen=True, show=False)]) -> int:
    """Measure actors beside raw trio and other libraries; `actors bench --help` says how."""
    from actors.cli.bench import run_bench

    return run_bench(arguments, sys.stderr)


@app.command
def node(
    name: str = "node",
    /,
    *,
    listen: str = "127.0.0.1:0",
    token_file: Path | None = None,
    spawnable: Sequence[str] = (),
    store: str | None = None,
    observe: Observe = None,
) -> int:
    """Be a node that other systems link with, until Ctrl-C. The first line says where it listens.

    Parameters
    ----------
    name
        Its name; others write it in spawn(on=...).
    listen
        HOST:PORT; port 0 takes any free one. Other machines need a token.
    token_file
        A file with the token that others must know, and whoever looks at its page.
    spawnable
        module:Class or module:function that others may start here; may be given several times.
    store
        What keeps posted messages: sqlite:FILE, redis://HOST:PORT, or memory.
    observe
        Show the node in a browser, at HOST:PORT; without it at any free port of this machine.
    """
    from actors.cli.nodes import NodeOptions, serve_node

    options = NodeOptions(
        name=name, listen=listen, token_file=token_file, spawnable=spawnable, store=store, observe=observe
    )
    return serve_node(options, sys.stdout, sys.stderr)


@app.command
def tree(
    where: str, /, *, token_file: Path | None = None, json: Annotated[bool, Parameter(negative="")] = False
) -> int:
    """Draw the tree of the node at WHERE.

    Parameters
    ----------
    where
        The FILE that `actors run` runs, or that of its tickets; or a node, ws://HOST:PORT.
    token_file
        A file with the token of the node.
    json
        One JSON object instead.
    """
    from actors.cli.nodes import show_tree

    return show_tree(where, token_file, json, sys.stdout, sys.stderr)


@app.command
def ask(
    where: str,
    path: str,
    message: str,
    /,
    *,
    token_file: Path | None = None,
    timeout: float = 30.0,
    stream: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Ask the actor at PATH of the node at WHERE, and print its reply as JSON.

    Parameters
    ----------
    where
        The FILE that `actors run` runs, or that of its tickets; or a node, ws://HOST:PORT.
    path
        As the tree shows it: /greeter.
    message
        JSON with the tag of its class: {"$": "shop.Price", "item": "tea"}; or a text: '"how are you"'.
    token_file
        A file with the token of the node.
    timeout
        Seconds for the whole reply.
    stream
        Print each part of the reply as it comes, one JSON value a line.
    """
    from actors.cli.nodes import AskOptions, ask_node

    options = AskOptions(token_file=token_file, timeout=timeout, stream=stream)
    return ask_node(where, path, message, options, sys.stdout, sys.stderr)


add_commands(app)
seen.add_commands(app)
people.add_commands(app)


def surroundings_now() -> Surroundings:
    """The variables of this process, and its Python."""
    return Surroundings(os.environ.copy(), sys.executable)


def _load(
    file: Path | None,
    options: TeamOptions | None,
    surroundings: Surroundings,
    *,
    json: bool,
    secrets: bool = False,
) -> Chosen | None:
    """What to run, checked on this machine too; None when that failed, and was printed.

    `secrets`: the tokens of agents that connect are looked for, too.
    """
    chosen, faults = choose(file, options or TeamOptions())
    if chosen is not None:
        look_beside(chosen.file)
        # all instances of a role have its mistakes
        faults += tuple(dict.fromkeys(machine_faults(chosen.team, surroundings, secrets=secrets)))
    if faults:
        tell_faults(faults, str(file), sys.stdout, sys.stderr, json=json)
        return None
    return chosen
