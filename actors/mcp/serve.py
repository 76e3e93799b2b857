"""`start_mcp`: clients that connect over HTTP, and the actor that serves them: `/system/mcp`."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Mapping
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING, Any, Final, cast

import attrs
import trio

from actors.checks import check_count, check_seconds
from actors.core.actor import function
from actors.core.ref import Ref
from actors.errors import InsecureListen, StartFailed, flatten
from actors.http.access import Doorkeeper, Visitor, check_origin, check_token, is_loopback
from actors.http.address import Address
from actors.http.gate import Gate as Door
from actors.http.serving import Server
from actors.mcp.gate import Gate
from actors.mcp.server import build_server
from actors.mcp.sessions import PATH, Served, Sessions
from actors.policy import Policy

if TYPE_CHECKING:
    from hypercorn.typing import ASGIFramework

    from actors.core.context import Context
    from actors.system import System

__all__ = ["LONGEST_BODY", "McpServer", "start_mcp"]

_NAME: Final = "mcp"
"""Its name below `/system`."""
LONGEST_BODY: Final = 4 * 1024 * 1024
"""Bytes that a request may have."""
_POLICY: Final = Policy(restart="permanent", breaker=None, shutdown=3.0)
_EACH: Final = 8
"""Connections of one session: its stream, and calls at the same time."""
_MORE: Final = 64


class McpServer:
    """Clients connect at `.url`."""

    def __init__(self, ref: Ref, site: Site) -> None:
        self.ref = ref
        self._site = site

    def __repr__(self) -> str:
        return f"<McpServer {self.url}>"

    @property
    def url(self) -> str:
        """Where it is served, with the port that was found."""
        return self._site.url

    @property
    def sessions(self) -> int:
        """How many are open."""
        return 0 if self._site.sessions is None else len(self._site.sessions)

    def stop(self) -> None:
        """Serve no more: all sessions end, and with them what they have spawned. Idempotent, never blocks."""
        self.ref.stop()


@attrs.define(eq=False)
class Site:
    """What outlives a restart of the actor: the address, who may come, and what they may do."""

    system: System
    address: Address
    keeper: Doorkeeper
    gates: Mapping[Visitor, Gate]
    max_sessions: int
    new_sessions: Callable[[], Sessions]
    sessions: Sessions | None = None

    @property
    def url(self) -> str:
        """As a client takes it."""
        return self.address.url + PATH

    async def servers(self, stack: AsyncExitStack) -> dict[Visitor, Served]:
        """One for each gate, whose life ends with the stack."""
        found: dict[Visitor, Served] = {}
        for visitor, gate in self.gates.items():
            whole = build_server(self.system, gate)
            whole.house.crowd = self.max_sessions
            server: Any = whole._lowlevel_server  # pyright: ignore[reportPrivateUsage]
            found[visitor] = Served(server, await stack.enter_async_context(server.lifespan(server)))
        return found


async def start_mcp(
    system: System,
    gate: Gate | None,
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    token: str | None = None,
    tokens: Mapping[str, Gate] | None = None,
    origins: Collection[str] = (),
    session_idle: float = 1800.0,
    session_lost: float = 60.0,
    max_sessions: int = 100,
    max_body: int = LONGEST_BODY,
    sessionless: bool = False,
) -> McpServer:
    """Let MCP clients connect over streamable HTTP, and return when they can. A checkpoint.

    It is the actor `/system/mcp`, ends with the system, and is started anew on the same port when it fails;
    the sessions end then, and clients initialize anew. Port 0: any free one.

    Each session is one agent, which may do what `gate` says. `token` is what its client must know, and
    sends as `Authorization: Bearer ...`. `tokens` are more of them, each with a gate of its own; where
    there are only these, `gate` is None. `origins` are those of web pages that may connect, and the public
    names of a proxy before it, as in `"https://agents.example.org"`.

    A session ends when its client says so, with DELETE; `session_lost` seconds after its client went before
    an answer or a stream was over, unless it comes back; after `session_idle` seconds in which nothing of
    it was under way; and with the server. Its agent ends with it, and what that has spawned. `max_sessions`
    are open at most, the next is refused. A request may have `max_body` bytes.

    The protocol's revision of 2026-07-28 has no sessions over HTTP. Its clients are told to take an earlier
    one, and do; with `sessionless` it is served too: an agent is then known by its token and by what its
    client calls itself, and ends after `gate.idle` seconds without a request.

    Raises `InsecureListen` for an address that others can reach without a token, `NameTaken` when there is
    one already, ValueError, TypeError, `SystemClosed`, and OSError where the address cannot be had.
    Not promised: secrecy. It speaks plain HTTP; beyond your own machine put a proxy with TLS before it.
    """
    address = Address(host, port)
    if isinstance(origins, str):
        raise TypeError(f"origins is a collection of texts, not {origins!r}: write [{origins!r}]")
    allowed = tuple(check_origin(origin) for origin in origins)
    check_seconds("session_idle", session_idle, above=True)
    check_seconds("session_lost", session_lost)
    check_count("max_sessions", max_sessions)
    check_count("max_body", max_body)
    gates, words = _gates(gate, token, tokens or {})
    if not words and not is_loopback(host):
        raise InsecureListen(host)
    keeper = Doorkeeper(host, None, words, allowed, secrets.token_bytes(32))
    new_sessions = partial(
        Sessions,
        idle=session_idle,
        lost=session_lost,
        most=max_sessions,
        longest=max_body,
        sessionless=sessionless,
    )
    site = Site(system, address, keeper, gates, max_sessions, new_sessions)
    try:
        ref = await system.__actor_services__().start(mcp, (site,), _NAME, _POLICY, None, False, {})
    except StartFailed as error:
        raise next(iter(flatten(error.__cause__ or error))) from None
    return McpServer(ref, site)


def _gates(
    gate: Gate | None, token: str | None, tokens: Mapping[str, Gate]
) -> tuple[dict[Visitor, Gate], dict[str, str]]:
    """Who may do what, and by which token they are known."""
    known = [] if token is None else [(check_token(token, "token"), gate)]
    known += [(check_token(word, "each of tokens"), one) for word, one in tokens.items()]
    if len({word for word, _ in known}) < len(known):
        raise ValueError("token is one of tokens too: whoever brings it cannot be told from the other")
    if tokens and gate is not None and token is None:
        raise ValueError("gate is for whoever brings token=: pass it, or None in place of the gate")
    who = [Visitor(f"token-{number}") for number in range(len(known))] or [Visitor()]
    gates = dict(zip(who, [one for _, one in known] or [gate], strict=True))
    for one in gates.values():
        if not isinstance(one, Gate):
            raise TypeError(f"a gate is an actors.mcp.Gate, not {one!r}: write Gate(templates={{...}})")
    words = {str(visitor.person): word for visitor, (word, _) in zip(who, known, strict=False)}
    return cast("dict[Visitor, Gate]", gates), words


@function(readiness=True)
async def mcp(ctx: Context, site: Site) -> None:
    """Serve until it is to stop."""
    sessions = site.sessions = site.new_sessions()
    # a stream is more than a look: also where that comes from is checked
    app = Door(sessions.serve, site.keeper, safe_methods=frozenset())
    server = Server(cast("ASGIFramework", app), site.max_sessions * _EACH + _MORE, silent=None)
    listeners = await site.address.listeners()
    async with AsyncExitStack() as stack:
        servers = await site.servers(stack)
        async with trio.open_nursery() as nursery:
            sessions.open(servers, nursery)
            ctx.ready()
            await server.run(listeners, partial(_until_stopped, ctx), sessions.close)
            nursery.cancel_scope.cancel()


async def _until_stopped(ctx: Context) -> None:
    async for _ in ctx.inbox:
        pass
