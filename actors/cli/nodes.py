"""`actors node`, `actors tree` and `actors ask`: a node by hand, and a look at one from outside."""

from __future__ import annotations

import json
import os
import secrets
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, TextIO

import attrs
import trio

from actors.checks import check_seconds
from actors.cli.misuse import Misused, read_request, read_token
from actors.cli.posted.speak import say
from actors.cli.posted.way import Failed, Target, address_of
from actors.cli.run import NOBODY_READS, STOPS
from actors.cli.seen.way import target_of
from actors.cli.stores import StoreSpec, make_store
from actors.cli.watched import Watching, watching
from actors.cli.what import imported
from actors.core.recipe import recipe_of
from actors.delivery import Store
from actors.delivery.errors import StoreInvalid
from actors.errors import ActorError, RemoteError, Unhandled, one_line
from actors.names import split
from actors.remote.peer import Peer
from actors.remote.transport import url_faults
from actors.system import System, open_system

__all__ = ["AskOptions", "NodeOptions", "ask_node", "serve_node", "show_tree"]

_BAD: Final = 2
_FAILED: Final = 1


@attrs.frozen(kw_only=True)
class NodeOptions:
    """The options of `actors node`."""

    name: str
    listen: str
    token_file: Path | None
    spawnable: Sequence[str]
    store: str | None = None
    observe: Sequence[str] | None = None


def serve_node(options: NodeOptions, out: TextIO, err: TextIO) -> int:
    """Be a node until a signal comes; the exit code."""
    try:
        host, port = _address(options.listen)
        token = read_token(options.token_file)
        if os.getcwd() not in sys.path:
            sys.path.insert(0, os.getcwd())
        spawnable = [_loaded(name) for name in options.spawnable]
        store = None if options.store is None else make_store(StoreSpec(url=options.store), Path())
        watched = watching(options.observe, options.token_file)
        return trio.run(_serve, options.name, host, port, token, spawnable, store, watched, out)
    except OSError as error:
        print(f"actors node: cannot listen at {options.listen}: {error.strerror or error}", file=err)
        return _BAD
    except (Misused, ActorError, ValueError) as error:
        print(f"actors node: {error}", file=err)
        return _BAD


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit():
        raise Misused(f"--listen takes HOST:PORT, not {text!r}: write 127.0.0.1:7000, port 0 for any")
    return host.strip("[]"), int(port)


def _loaded(name: str) -> Any:
    module, _, qualname = name.partition(":")
    if not module or not qualname:
        raise Misused(f"--spawnable {name}: write module:Class")
    try:
        what = imported(name)
        recipe_of(what)
    except (ImportError, AttributeError, TypeError) as error:
        raise Misused(f"--spawnable {name}: {error}") from None
    except Exception as error:  # whatever the module does when it is imported
        raise Misused(f"--spawnable {name}: {one_line(error)}") from None
    return what


async def _serve(
    name: str,
    host: str,
    port: int,
    token: str | None,
    spawnable: list[Any],
    store: Store | None,
    watched: Watching | None,
    out: TextIO,
) -> int:
    """Until a signal comes. The receiver is outside: the block's body is cancelled by the first one."""
    number = 0
    with trio.open_signal_receiver(*STOPS) as signals:
        async with open_system(name, spawnable=spawnable, store=store) as system:
            _ = system.journal  # so that `actors why` knows what has happened from the beginning
            listener = await system.listen(host, port, token=token)
            print(f"{name} listens at {listener.url}", file=out, flush=True)
            if watched is not None:
                print(await watched.start(system), file=out, flush=True)
            number = await anext(signals)
    return 128 + number


# --- from outside -----------------------------------------------------------------------


def show_tree(where: str, token_file: Path | None, as_json: bool, out: TextIO, err: TextIO) -> int:
    """Print the tree of FILE|URL; the exit code."""

    async def show(_: System, peer: Peer) -> None:
        tree = await peer.tree()
        print(json.dumps(tree.as_dict()) if as_json else tree, file=out)

    return _visit("tree", where, token_file, show, err)


@attrs.frozen(kw_only=True)
class AskOptions:
    """The options of `actors ask`."""

    token_file: Path | None
    timeout: float
    stream: bool = False


def ask_node(where: str, path: str, text: str, options: AskOptions, out: TextIO, err: TextIO) -> int:
    """Ask an actor of FILE|URL, print its reply as JSON, or each part of it as it comes; the exit code."""
    try:
        split(path)
        check_seconds("--timeout", options.timeout)
        request = read_request(text)
    except (Misused, ValueError, TypeError) as error:
        print(f"actors ask: {error}", file=err)
        return _BAD

    async def ask(_: System, peer: Peer) -> None:
        ref = peer.ref(path)
        if not options.stream:
            reply: object = await ref.ask(request, timeout=options.timeout)
            print(json.dumps(reply), file=out)
            return
        async with ref.stream(request, timeout=options.timeout) as chunks:
            async for chunk in chunks:
                await say(out, f"{json.dumps(chunk)}\n")

    return _visit("ask", where, options.token_file, ask, err)


def _cause(error: Unhandled) -> str:
    cause = error.__cause__
    return cause.message if isinstance(cause, RemoteError) else str(error)


def _visit(command: str, where: str, token_file: Path | None, do: Any, err: TextIO) -> int:
    """Link for a moment, and do something."""

    async def visit(url: str, token: str | None) -> None:
        async with open_system(f"visitor-{secrets.token_hex(4)}") as system:
            await do(system, await system.connect(url, token=token))

    try:
        trio.run(visit, *address_of(_target(where, read_token(token_file))))
    except (Misused, StoreInvalid) as error:
        print(f"actors {command}: {error}", file=err)
        return _BAD
    except Unhandled as error:  # the other node knows the message, this process does not
        print(f"actors {command}: {error.ref.path} cannot take it: {_cause(error)}", file=err)
        return _FAILED
    except (Failed, ActorError, ValueError) as error:
        print(f"actors {command}: {error}", file=err)
        return _FAILED
    except BrokenPipeError:
        return NOBODY_READS
    return 0


def _target(where: str, token: str | None) -> Target:
    """What is no file is to be the URL of a node. Raises `Misused`."""
    if "://" not in where and (where.endswith(".toml") or os.path.isfile(where)):
        return target_of(where, token)
    fault = None if where.startswith("sqlite:") else url_faults(where)
    if fault is not None:
        raise Misused(fault)
    return target_of(where, token)
