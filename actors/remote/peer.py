"""The handles that users get: `Listener` and `Peer`; and the calls that make them."""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Collection
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import trio

from actors.checks import check_seconds
from actors.core.ref import Ref
from actors.errors import InsecureListen, LinkRefused, NodeUnreachable, UnknownNode
from actors.events import Event, EventsLost
from actors.names import canonical
from actors.remote import items
from actors.remote.facts import KINDS, event_in
from actors.remote.link import LinkState
from actors.remote.links import LINK_POLICY, Gate, Target, dial, listen_on
from actors.remote.transport import url_faults
from actors.tree import TreeNode

if TYPE_CHECKING:
    from actors.remote.association import Association
    from actors.remote.node import Node

__all__ = ["Listener", "Peer", "connect", "listen", "peer_of"]

_EVENTS_KEPT = 10_000
MAX_MESSAGE = 1024 * 1024
"""The longest message, in characters of JSON, unless `listen` or `connect` says otherwise."""


class Listener:
    """An open door: other nodes connect to `.url`."""

    def __init__(self, ref: Ref, url: str) -> None:
        self.ref = ref
        self.url = url
        """What others connect to, with the port that was found."""

    def __repr__(self) -> str:
        return f"<Listener {self.url}>"

    def stop(self) -> None:
        """Accept no more; the connections that stand go on. Idempotent, never blocks."""
        self.ref.stop()


class Peer:
    """Another node, as seen from here."""

    def __init__(self, node: Node, name: str, dialler: Ref | None = None) -> None:
        self._node = node
        self._name = name
        self._dialler = dialler
        self._last: Association | None = node.living(name)

    def __repr__(self) -> str:
        return f"<Peer {self._name!r} {self.state}>"

    @property
    def name(self) -> str:
        """The name of its system."""
        return self._name

    def _current(self) -> Association | None:
        living = self._node.living(self._name)
        if living is not None:
            self._last = living
        return self._last

    def _link(self) -> Association:
        link = self._current()
        if link is None:
            raise UnknownNode(self._name)
        return link

    @property
    def state(self) -> LinkState:
        """UP, SUSPECT, RECONNECTING or DOWN; a node that came back after DOWN is UP again."""
        link = self._current()
        return LinkState.DOWN if link is None else link.state

    @property
    def round_trip(self) -> float | None:
        """Seconds of the last beat there and back; None before the first."""
        link = self._current()
        return None if link is None else link.round_trip

    @property
    def suspicion(self) -> float | None:
        """How unlikely its silence is: SUSPECT from 8 on; None without a connection."""
        link = self._current()
        return None if link is None else link.vitality.phi(link.kernel.now())

    def ref(self, path: str) -> Ref:
        """Whoever lives at a path over there, now and later: no check, no checkpoint.

        Raises ValueError for a path not from the root. `find` gives the ref of one life.
        """
        path, link = canonical(path), self._link()
        return link.proxy((link.name, link.incarnation), path, 0, link.name).ref

    async def find(self, path: str) -> Ref | None:
        """The actor that lives at a path over there, or None. A checkpoint.

        Raises ValueError for a path not from the root, and `NodeLost`.
        """
        path, link = canonical(path), self._link()
        coded = await link.call("find", items.Address(path))
        if coded is None:
            return None
        with self._node.codec.heard_from(link):
            return self._node.codec.ref_in(coded)

    async def tree(self) -> TreeNode:
        """The node's actors, as a moment ago; `str()` draws them. A checkpoint. Raises `NodeLost`."""
        said: Any = await self._link().call("tree")
        try:
            return TreeNode.from_dict(said)
        except (KeyError, TypeError) as error:
            raise LinkRefused("bad-frame", f"what {self._name!r} says is no tree: {error!r:.80}") from None

    @asynccontextmanager
    async def subscribe(self, *kinds: type[Event]) -> AsyncGenerator[AsyncIterator[Event]]:
        """Listen to the node's events: as `System.subscribe`, over there. Raises `NodeLost`.

        `at` is on the clock of this node. Objects in an event that cannot travel come as text.
        The events end when the node is lost.
        """
        for kind in kinds:
            if KINDS.get(getattr(kind, "__name__", "")) is not kind:
                raise TypeError(f"{kind!r} is not a kind of event: pass classes of actors.events")
        link = self._link()
        facts = _Facts(link)
        number = link.next_id()
        link.facts[number] = facts.put
        try:
            await link.call("subscribe", args=[kind.__name__ for kind in kinds], number=number)
            yield facts
        finally:
            link.facts.pop(number, None)
            link.control(items.Cancel(number))

    async def wait_up(self) -> None:
        """Return when the link is UP. A checkpoint."""
        while self.state is not LinkState.UP:
            await self._node.changed()
        await trio.lowlevel.checkpoint()

    async def wait_down(self) -> None:
        """Return when the node is DOWN. A checkpoint."""
        while self.state is not LinkState.DOWN:
            await self._node.changed()
        await trio.lowlevel.checkpoint()

    def close(self) -> None:
        """End the link for good: both ends see the other as DOWN. Idempotent, never blocks."""
        link = self._node.living(self._name)
        diallers = (self._dialler, None if link is None else link.dialler)
        if link is not None:
            link.goodbye("the link was closed", final=True)
        for dialler in diallers:
            if dialler is not None:
                dialler.stop()


class _Facts:
    """The events of one subscription, in order; the newest are lost when nobody takes them."""

    def __init__(self, link: Association) -> None:
        self._link = link
        self._send, self._receive = trio.open_memory_channel[Event](_EVENTS_KEPT)
        self._lost = 0

    def __aiter__(self) -> _Facts:
        return self

    async def __anext__(self) -> Event:
        """The next event, a checkpoint."""
        try:
            return await self._receive.receive()
        except trio.EndOfChannel:
            raise StopAsyncIteration from None

    def put(self, fact: items.Fact | None) -> None:
        """One more; None: the node is lost."""
        if fact is None:
            self._send.close()
            return
        event = event_in(fact, self._link)
        if event is None:
            return
        try:
            if self._lost:
                self._send.send_nowait(EventsLost(event.at, self._lost))
                self._lost = 0
            self._send.send_nowait(event)
        except trio.WouldBlock:
            self._lost += 1


# --- the calls -------------------------------------------------------------------------


async def listen(
    node: Node,
    host: str,
    port: int,
    token: str | None,
    ssl_context: ssl.SSLContext | None,
    max_message: int,
    origins: Collection[str],
) -> Listener:
    """See `System.listen`."""
    _check_token(token)
    _check_ssl(ssl_context)
    _check_size(max_message)
    if not isinstance(host, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"a host is a str, not {host!r}: write 127.0.0.1, or 0.0.0.0 for all addresses")
    if (
        type(port) is not int or not 0 <= port <= 65535
    ):  # the operating system would take the rest of a division
        raise ValueError(f"a port is from 0 to 65535, not {port!r}")
    if isinstance(origins, str):
        raise TypeError(f"origins is a collection of texts, not {origins!r}: write [{origins!r}]")
    if token is None and ssl_context is None and not _is_loopback(host):
        raise InsecureListen(host)
    links = node.links()
    listeners: list[Any] = list(await trio.open_tcp_listeners(port, host=host, backlog=256))
    bound = listeners[0].socket.getsockname()
    scheme = "ws"
    if ssl_context is not None:
        scheme = "wss"
        listeners = [trio.SSLListener(one, ssl_context) for one in listeners]
    shown = f"[{bound[0]}]" if ":" in bound[0] else bound[0]
    gate = Gate(node, token, origins, max_message)
    try:
        serve = partial(listen_on, listeners=listeners, gate=gate)
        ref = await links.start(serve, (), f"listener-{bound[1]}", LINK_POLICY, None, False, {})
    except BaseException:
        for one in listeners:
            await trio.aclose_forcefully(one)
        raise
    return Listener(ref, f"{scheme}://{shown}:{bound[1]}")


async def connect(
    node: Node,
    url: str,
    token: str | None,
    ssl_context: ssl.SSLContext | None,
    timeout: float,
    max_message: int,
) -> Peer:
    """See `System.connect`."""
    fault = url_faults(url)
    if fault is not None:
        raise ValueError(fault)
    _check_token(token)
    _check_ssl(ssl_context)
    if ssl_context is not None and not url.startswith("wss:"):
        raise ValueError(f"{url!r} is no URL with TLS, and an ssl_context is given: write wss://host:port")
    _check_size(max_message)
    check_seconds("timeout", timeout)
    links = node.links()
    target = Target(node, url, token, ssl_context, max_message)
    ref = links.spawn(partial(dial, target=target), policy=LINK_POLICY)
    try:
        with trio.move_on_after(timeout) as limit:
            await _first_of(target.done, ref)
    except BaseException:
        ref.kill()
        raise
    if limit.cancelled_caught and not target.done.is_set():
        ref.kill()
        raise NodeUnreachable(url, f"no answer within {timeout:g} s")
    if target.refused is not None:
        ref.kill()
        raise target.refused
    if target.name is None:  # it has ended without an answer
        exit = ref.cell.exit
        raise NodeUnreachable(url, f"the dialler has ended{f' ({exit.reason})' if exit is not None else ''}")
    return Peer(node, target.name, ref)


async def _first_of(done: trio.Event, ref: Ref) -> None:
    async with trio.open_nursery() as nursery:

        async def gone() -> None:
            await ref.wait_stopped()
            nursery.cancel_scope.cancel()

        nursery.start_soon(gone)
        await done.wait()
        nursery.cancel_scope.cancel()


def peer_of(node: Node, name: str) -> Peer:
    """See `System.node`."""
    if node.living(name) is None:
        raise UnknownNode(name)
    return Peer(node, name)


def _check_token(token: object) -> None:
    if token is not None and (not isinstance(token, str) or not token):
        raise ValueError(f"a token is a str that is not empty, or None, not {token!r}")


def _check_ssl(context: object) -> None:
    if context is not None and not isinstance(context, ssl.SSLContext):
        raise TypeError(f"ssl_context must be an ssl.SSLContext, not {context!r}")


def _check_size(size: object) -> None:
    if not isinstance(size, int) or isinstance(size, bool) or size < 1024:
        raise ValueError(f"max_message is in characters, 1024 or more, not {size!r}")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
