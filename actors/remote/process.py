"""A node in a process of its own on this machine, as a supervised child: a tree can use every core.

The process listens on a loopback port and says on its first line where; its token and what it
may spawn come to it over stdin. When stdin ends, its parent is gone, however it went, and the
process ends too: no node outlives the system that started it.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import attrs
import trio

from actors.core.actor import function
from actors.core.context import Context
from actors.errors import NodeProcessEnded
from actors.names import check_name
from actors.policy import Policy
from actors.process.group import ProcessGroup
from actors.process.marked import MARK, end_marked
from actors.remote.node import Node
from actors.remote.peer import MAX_MESSAGE, Peer, connect
from actors.remote.place import name_of, several

if TYPE_CHECKING:
    from actors.core.ref import Ref

__all__ = ["start_process"]

_POLICY: Final = Policy(restart="permanent", breaker=None, shutdown=10.0)
_STARTUP: Final = 60.0
"""Seconds that a new process may take until it listens."""
_LAST_STEPS: Final = 1.0
"""Seconds for a process to end whose link has ended: how it ends says more."""
_LONGEST: Final = 65536


@attrs.frozen
class Main:
    """What is `__main__` here."""

    file: str
    module: str | None
    """its name, if Python was started with -m: then what it imports may be relative to it"""


@attrs.frozen(kw_only=True)
class Plan:
    """What the process is told."""

    name: str
    spawnable: tuple[str, ...]
    lease: float
    path: tuple[str, ...]
    """its `sys.path`"""
    main: Main | None
    """where something spawnable is defined in `__main__`"""


async def start_process(node: Node, name: str, spawnable: Iterable[Any] | None) -> Ref:
    """See `System.start_node`: the ref of the actor that keeps the process."""
    if check_name(name) == node.name:
        raise ValueError(f"{name!r} is this node's own name: choose another one for the new process")
    allowed = (
        tuple(node.spawnable) if spawnable is None else tuple(map(name_of, several("spawnable", spawnable)))
    )
    for one in allowed:
        if "<" in one:  # <locals>, <lambda>
            raise ValueError(f"{one} cannot be started in another process: define it at the top of a module")
    plan = Plan(
        name=name,
        spawnable=allowed,
        lease=node.lease,
        path=tuple(sys.path),
        main=_main() if any(one.startswith("__main__:") for one in allowed) else None,
    )
    keep = partial(keep_process, node=node, plan=plan)
    return await node.links().start(keep, (), f"node-{name}", _POLICY, None, False, {})


def _main() -> Main:
    main = sys.modules.get("__main__")
    path = getattr(main, "__file__", None)
    if path is None or not Path(path).is_file():
        raise ValueError(
            "what is defined at the prompt cannot be started in another process: put it in a module"
        )
    return Main(str(Path(path).resolve()), getattr(getattr(main, "__spec__", None), "name", None))


@function(readiness=True)
async def keep_process(ctx: Context, *, node: Node, plan: Plan) -> None:
    """One life of the process: start, link, wait for its end or for ours.

    Raises `NodeProcessEnded`, and `LinkRefused` or `NodeUnreachable` when it cannot be linked.
    """
    mark = secrets.token_hex(16)
    process = await trio.lowlevel.open_process(
        [sys.executable, "-m", "actors.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
        env={**os.environ, MARK: mark},
    )
    group = ProcessGroup(process)
    stdin, stdout = cast("trio.SocketStream", process.stdin), cast("Any", process.stdout)
    peer: Peer | None = None
    try:
        token = secrets.token_urlsafe(32)
        url = await _begin(process, plan, token)
        peer = await connect(node, url, token, None, _STARTUP, MAX_MESSAGE)
        ctx.ready()
        ended = await _until_it_ends(ctx, process, node, plan.name)
        if ended is not None:
            raise ended
        group.signal(signal.SIGCONT)  # who was paused can end in order too
        await stdin.aclose()  # which asks it to end
        await process.wait()
    finally:
        await group.end()
        if process.returncode != 0:  # it could not end what it had started
            await end_marked(mark)
        link = node.living(plan.name)
        if link is not None and peer is not None:
            link.give_up(_how(process))
        if peer is not None:
            peer.close()
        for pipe in (stdin, stdout):
            with trio.CancelScope(shield=True):
                await trio.aclose_forcefully(pipe)


async def _until_it_ends(
    ctx: Context, process: trio.Process, node: Node, name: str
) -> NodeProcessEnded | None:
    """Why it is of no use any more; None when it is to end."""
    why: NodeProcessEnded | None = None
    async with trio.open_nursery() as nursery:

        async def dies() -> None:
            nonlocal why
            await process.wait()
            why = NodeProcessEnded(name, _how(process))
            nursery.cancel_scope.cancel()

        async def is_lost() -> None:
            """A process that stands still is alive, and of no use."""
            nonlocal why
            link = node.living(name)
            if link is not None:
                await link.over()
                if link.parted:  # closed by hand
                    ctx.ref.stop()
                    return
            with trio.move_on_after(_LAST_STEPS):
                await process.wait()  # the link may end a moment before the process does
                return
            reason = "its link went down" if link is None else link.vitality.reason
            why = NodeProcessEnded(name, f"does not answer: {reason}")
            nursery.cancel_scope.cancel()

        nursery.start_soon(dies)
        nursery.start_soon(is_lost)
        async for _ in ctx.inbox:
            pass
        nursery.cancel_scope.cancel()
    return why


def _how(process: trio.Process) -> str:
    code = process.returncode
    return f"was ended by signal {-code}" if code is not None and code < 0 else f"ended with code {code}"


async def _begin(process: trio.Process, plan: Plan, token: str) -> str:
    """Tell it what to do, and read where it listens."""
    told = json.dumps(attrs.asdict(plan) | {"token": token}).encode() + b"\n"
    assert process.stdin is not None
    try:
        with trio.fail_after(_STARTUP):
            await process.stdin.send_all(told)
            line = await _first_line(process)
    except trio.TooSlowError:
        raise NodeProcessEnded(plan.name, f"did not listen within {_STARTUP:g} s") from None
    except trio.BrokenResourceError:
        line = b""
    try:
        said: Any = json.loads(line)
    except ValueError:
        await process.wait()
        raise NodeProcessEnded(plan.name, f"{_how(process)} before it listened") from None
    if "url" not in said:
        raise NodeProcessEnded(plan.name, f"cannot begin: {said.get('error')}")
    return str(said["url"])


async def _first_line(process: trio.Process) -> bytes:
    assert process.stdout is not None
    line = b""
    while not line.endswith(b"\n") and len(line) < _LONGEST:
        data = await process.stdout.receive_some(4096)
        if not data:
            break
        line += data
    return line
