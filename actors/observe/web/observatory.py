"""`start_observatory`, and the actor that serves: `/system/observatory`."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final, cast

import attrs
import trio
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Mount, Router, WebSocketRoute

from actors.checks import check_count
from actors.core.actor import function
from actors.core.ref import Ref
from actors.errors import InsecureListen, StartFailed, flatten
from actors.http.access import Doorkeeper, check_origin, check_token, is_loopback
from actors.http.address import Address
from actors.http.gate import Gate
from actors.http.serving import Server
from actors.observe.web.api import Api
from actors.observe.web.live import Live
from actors.observe.web.pages import OPEN_PATHS, Pages
from actors.observe.web.seen import Seen
from actors.observe.web.sockets import Sockets
from actors.policy import Policy
from actors.supervision.family import Family

if TYPE_CHECKING:
    from hypercorn.typing import ASGIFramework

    from actors.core.context import Context
    from actors.system import System

__all__ = ["OBSERVATORY", "Observatory", "start_observatory"]

OBSERVATORY: Final = "observatory"
"""Its name below `/system`."""
_POLICY: Final = Policy(restart="permanent", breaker=None, shutdown=3.0)
_MORE: Final = 256
"""Connections besides those of sockets: pages are loaded, and questions asked."""


class Observatory:
    """A page that is served: open `.url` in a browser."""

    def __init__(self, ref: Ref, site: Site) -> None:
        self.ref = ref
        self._site = site

    def __repr__(self) -> str:
        return f"<Observatory {self.url}>"

    @property
    def url(self) -> str:
        """Where it is served, with the port that was found."""
        return self._site.url

    @property
    def clients(self) -> int:
        """How many look now, each over a WebSocket."""
        return self._site.clients

    def stop(self) -> None:
        """Serve no more: who looks is told to go. Idempotent, never blocks."""
        self.ref.stop()


@attrs.define(eq=False)
class Site:
    """What outlives a restart of the actor: the address, and who may come."""

    system: System
    root: Family
    address: Address
    keeper: Doorkeeper
    max_clients: int
    live: Live | None = None
    server: Server | None = None

    @property
    def url(self) -> str:
        """As a browser takes it."""
        return self.address.url

    @property
    def clients(self) -> int:
        """How many look."""
        return 0 if self.live is None else len(self.live)

    def cookie(self) -> str:
        """Its name: cookies are the same for all ports of a host."""
        return f"observatory-{self.address.port}"


async def start_observatory(
    system: System,
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    token: str | None = None,
    origins: Collection[str] = (),
    people: Mapping[str, str] | None = None,
    max_clients: int = 1000,
) -> Observatory:
    """Serve a page that shows the system, and return when it is there. A checkpoint.

    It is the actor `/system/observatory`, ends with the system, and is started anew on the same port
    when it fails. Port 0: any free one.

    `token` is what whoever looks must know: a browser asks for it, or opens `url + "/?token=..."`; programs
    send `Authorization: Bearer ...`. `people` are the tokens of persons, who see and answer their
    own requests and those for anybody, and nothing else. `origins` are those of pages besides its own that
    may change something, and the public names of a proxy before it, as in `"https://watch.example.org"`.
    `max_clients` may look at the same time; the next is refused.

    Raises `InsecureListen` for an address that others can reach without a token, `NameTaken` when there is
    one already, ValueError, TypeError, `SystemClosed`, and OSError where the address cannot be had.
    Not promised: secrecy. It speaks plain HTTP; beyond your own machine put a proxy with TLS before it.
    """
    address = Address(host, port)
    if token is not None:
        check_token(token, "token")
    if isinstance(origins, str):
        raise TypeError(f"origins is a collection of texts, not {origins!r}: write [{origins!r}]")
    allowed = tuple(check_origin(origin) for origin in origins)
    known = _people(people or {}, token)
    check_count("max_clients", max_clients)
    if token is None and not is_loopback(host):
        raise InsecureListen(host)
    services = system.__actor_services__()
    keeper = Doorkeeper(host, token, known, allowed, secrets.token_bytes(32))
    root = cast("Family", services.parent)
    site = Site(system, root, address, keeper, max_clients)
    system.journal  # noqa: B018 - from now on the past is kept
    try:
        ref = await services.start(observatory, (site,), OBSERVATORY, _POLICY, None, False, {})
    except StartFailed as error:
        raise next(iter(flatten(error.__cause__ or error))) from None
    return Observatory(ref, site)


def _people(people: Mapping[str, str], token: str | None) -> dict[str, str]:
    if people and token is None:
        raise ValueError(
            "people have tokens, and without one for all the rest anybody sees everything: pass token="
        )
    known = {name: check_token(word, f"the token of {name!r}") for name, word in people.items()}
    if len({*known.values(), token}) <= len(known):
        raise ValueError("two tokens are the same: whoever brings it cannot be told from the other")
    return known


@function(readiness=True)
async def observatory(ctx: Context, site: Site) -> None:
    """Serve until it is to stop."""
    seen = Seen(site.system, site.root)
    live = site.live = Live(seen, site.max_clients)
    server = site.server = Server(cast("ASGIFramework", _app(site, seen, live)), site.max_clients + _MORE)
    listeners = await site.address.listeners()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(live.run)
        ctx.ready()
        await server.run(listeners, partial(_until_stopped, ctx), live.close)
        nursery.cancel_scope.cancel()


async def _until_stopped(ctx: Context) -> None:
    async for _ in ctx.inbox:
        pass


def _app(site: Site, seen: Seen, live: Live) -> Any:
    """The app behind its gate."""
    pages = Pages(site.system, site.keeper, site.cookie)
    api: list[BaseRoute] = [*Api(seen, live).routes, WebSocketRoute("/live", Sockets(seen, live).serve)]
    routes: list[BaseRoute] = [*pages.routes, Mount("/api/v1", routes=api)]
    app = Router(routes, redirect_slashes=False, default=_nowhere)
    return Gate(app, site.keeper, site.cookie, OPEN_PATHS, ", or open / in a browser")


async def _nowhere(scope: object, receive: object, send: object) -> None:
    raise HTTPException(404)
