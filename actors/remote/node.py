"""This system as a node among others: who it is, whom it knows, which ref is which.

    /system/links       listeners, diallers, and a task for each connection
    /system/nodes/beta  what runs here for supervisors of beta

A node is made with its system, and does nothing until somebody listens or connects.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Awaitable, Callable, Container, Generator, Iterable
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, cast
from weakref import WeakValueDictionary

import trio

from actors.core.cell import Cell
from actors.core.kernel import Kernel
from actors.core.recipe import Recipe, recipe_of
from actors.core.ref import Ref
from actors.errors import SystemClosed, UnknownNode
from actors.events import ConnectionRefused
from actors.monitor import SERVICES_POLICY, SYSTEM, Services
from actors.names import ROOT, canonical
from actors.policy import OneForOne, Policy
from actors.remote import items
from actors.remote.association import LEAST_LIMIT, Association
from actors.remote.child import RemoteChild
from actors.remote.codec import Codec
from actors.remote.handshake import Acquaintance, Reason, Refusal
from actors.remote.hosted import NODES_POLICY, Hosts, HostsFamily
from actors.remote.link import Vitality
from actors.remote.place import NodePlace, name_of
from actors.remote.proxy import NOBODY, Proxy
from actors.remote.session import Session
from actors.remote.strict import BadValue
from actors.remote.transport import NOTHING
from actors.supervision.family import Family
from actors.supervision.supervisor import Supervisor

if TYPE_CHECKING:
    from actors.system import System

__all__ = ["LINKS", "NODES", "Node"]

LINKS: Final = "links"
NODES: Final = "nodes"
_log = logging.getLogger("actors.remote")
_PAST: Final = 1000
"""Former lives of other nodes that are remembered."""


class Links(Supervisor):
    """Listeners, diallers and connections."""

    strategy = OneForOne(max_restarts=100)


class Nodes(Supervisor):
    """What runs here for other nodes' supervisors."""


class NodesFamily(Family):
    """Its cell: its children are of a kind of their own."""

    __slots__ = ()

    def _make(self, recipe: Recipe, args: tuple[Any, ...], name: str | None, policy: Policy) -> Cell:
        return HostsFamily(self.kernel, self, recipe, args, name, policy, self.breakers)


class Node:
    """The hub of one system's links."""

    def __init__(
        self, system: System, kernel: Kernel, root: Family, lease: float, spawnable: Iterable[Any]
    ) -> None:
        self.system = system
        self.kernel = kernel
        self.root = root
        self.lease = lease
        self.spawnable = {name_of(what): what for what in spawnable}
        self.associations: dict[str, Association] = {}
        self.past: dict[str, None] = {}
        """Incarnations of other nodes that are over."""
        self.exported: WeakValueDictionary[int, Ref] = WeakValueDictionary()
        """Refs of ours that other nodes have, by serial number."""
        self._ghosts: WeakValueDictionary[tuple[str, str, str, int], Proxy] = WeakValueDictionary()
        self.lot = trio.lowlevel.ParkingLot()
        """Whoever waits for a change of any link."""
        self.linked: list[Callable[[Association, bool], None]] = []
        """They are told when another node is UP for the first time (True), and when it is DOWN."""
        self.makers: dict[str, Callable[[], object]] = {}
        """What makes the actors that are there as soon as another node needs them, by path."""
        self._exporting: Association | None = None
        self._exports: list[Cell] = []
        self._codec: Codec | None = None
        kernel.place_for = self.place_for
        kernel.group_changed = self._group_changed

    # --- who ---

    @property
    def name(self) -> str:
        """The name of this node."""
        return self.kernel.name

    @property
    def incarnation(self) -> str:
        """Drawn when the system opened."""
        return self.kernel.incarnation

    @property
    def home(self) -> list[str]:
        """Both."""
        return [self.kernel.name, self.kernel.incarnation]

    @property
    def codec(self) -> Codec:
        """Made at its first use."""
        if self._codec is None:
            self._codec = Codec(cast("Any", self))
        return self._codec

    def living(self, name: str) -> Association | None:
        """The association with a node, unless it is over."""
        found = self.associations.get(name)
        return None if found is None or found.is_down else found

    def place(self, name: str) -> Association:
        """The association with a node; raises `UnknownNode`."""
        found = self.living(name)
        if found is None:
            raise UnknownNode(name)
        return found

    def acquaintance(self, name: str) -> Acquaintance | None:
        """What the handshake needs to know of a node."""
        found = self.living(name)
        return None if found is None else found.acquaintance

    async def changed(self) -> None:
        """Park until a link changes. A checkpoint."""
        await self.lot.park()

    # --- associations ---

    def associate(
        self,
        name: str,
        incarnation: str,
        session: str | None,
        lease: float,
        spawnable: Iterable[str],
        max_message: int,
        theirs: int,
        features: Container[str] = (),
    ) -> Association:
        """A new association; what there was with a node of this name is over.

        `max_message` is the longest message that this node takes, `theirs` that the other one takes;
        `features` are those that both have.
        """
        former = self.associations.get(name)
        if former is not None:
            again = former.incarnation != incarnation
            if not again and former.conversation is not None:  # both have dialled: the other dial is done
                text = "another connection of both nodes took over: use that link"
                former.conversation.cut(Refusal(Reason.ALREADY_LINKED, text, self.name))
            former.give_up("it has started anew" if again else "it has begun a new session")
            if again:
                self._remember(former.incarnation)
        made = Session(session or secrets.token_hex(8), max_message=max(max_message, LEAST_LIMIT))
        vitality = Vitality(self.lease, lease)
        link = Association(
            self, name, incarnation, made, vitality, frozenset(spawnable), theirs, "streams" in features
        )
        self.associations[name] = link
        self.lot.unpark_all()
        with self.exporting(link):
            for group, cells in self.kernel.groups.items():
                for cell in cells:
                    theirs_too = isinstance(cell, RemoteChild) and cell.on == name  # it joins there by itself
                    if not isinstance(cell, Proxy) and not theirs_too:
                        link.control(items.Join(group, self.ref_out(cell.ref)))
        return link

    def _remember(self, incarnation: str) -> None:
        self.past[incarnation] = None
        while len(self.past) > _PAST:
            del self.past[next(iter(self.past))]

    def forget(self, link: Association) -> None:
        """An association is over."""
        if self.associations.get(link.name) is link:
            del self.associations[link.name]

    def goodbye(self, reason: str) -> None:
        """This node closes."""
        for link in tuple(self.associations.values()):
            link.goodbye(reason)

    def close(self) -> None:
        """Nothing of the system runs any more."""
        for link in tuple(self.associations.values()):
            link.give_up("this node has closed")

    # --- refs ---

    @contextmanager
    def exporting(self, link: Association) -> Generator[None]:
        """A block in which refs are written for a node: it will hear of the ends of ours."""
        before, self._exporting = self._exporting, link
        exports, self._exports = self._exports, []
        try:
            yield
        finally:
            self._exporting = before
            exports, self._exports = self._exports, exports
            for cell in exports:
                self._export(cell, link)

    def _export(self, cell: Cell, link: Association) -> None:
        if cell.identity[:2] == (link.name, link.incarnation):
            return  # it is theirs
        if cell.is_gone:
            link.inbound.tell_gone(cell, cell.exit or NOBODY)
        else:
            link.inbound.export(cell)

    def ref_out(self, ref: Ref) -> list[Any]:
        """See `RefBook`."""
        cell = ref.cell
        node, incarnation, path, serial = cell.identity
        if not isinstance(cell, Proxy):
            self.exported[serial] = ref
        if self._exporting is not None:
            self._exports.append(cell)
        said: list[Any] = [node, incarnation, path, serial]
        if cell.node != node:
            said.append(cell.node)
        return said

    def ref_in(self, coded: list[Any]) -> Ref:
        """The ref that is meant by whoever has sent nothing over a link: only for our own."""
        return self.ref_by(coded, None)

    def ref_by(self, coded: list[Any], via: Association | None) -> Ref:
        """The ref that the node behind `via` means. A place of ours is whoever lives there now."""
        node, incarnation, path, life = coded[:4]
        runs_on = coded[4] if len(coded) > 4 else node
        if [node, incarnation] == self.home:
            found = self.exported.get(life) if life else self._at(path)
            if found is not None:
                return found
            return self._ghost((node, incarnation), path, life, via).ref
        if via is None:
            raise BadValue("a ref of another node came over no link")
        direct = self.living(node)
        link = direct if direct is not None and direct.incarnation == incarnation else via
        return link.proxy((node, incarnation), path, life, runs_on).ref

    def _ghost(self, home: tuple[str, str], path: str, life: int, via: Association | None) -> Proxy:
        """What stands for an actor that is not there any more."""
        key = (*home, path, life)
        found = self._ghosts.get(key)
        if found is None:
            assert via is not None
            found = self._ghosts[key] = Proxy(via, home, path, life, home[0])
            found.gone(NOBODY, nobody=True)
        return found

    def resolve(self, to: items.Address, via: Association) -> Any:
        """The cell, proxy or ghost that an address of the node behind `via` means."""
        home = tuple(self.home) if to.node is None else to.node
        if list(home) != self.home:
            direct = self.living(home[0])
            if direct is None or direct.incarnation != home[1] or direct is via:
                return self._ghost((home[0], home[1]), to.path, to.life, via)
            return direct.proxy((home[0], home[1]), to.path, to.life, home[0])
        if to.life:
            found = self.exported.get(to.life)
            if found is not None and found.path != to.path:
                found = None
        else:
            if to.path in self.makers:
                self.makers[to.path]()
            found = self._at(to.path)
        if found is None:
            return self._ghost((home[0], home[1]), to.path, to.life, via)
        return found.cell

    def _at(self, path: str) -> Ref | None:
        """Our own actor that lives at a path, spelt as its node spells it."""
        # one actor has one address of each kind, or there would be no end of windows for it
        return self.system.find(path) if path.startswith(ROOT) and canonical(path) == path else None

    def forbids(self, cell: Any) -> str | None:
        """Why another node may not give this one orders, or None."""
        path: str = cell.path
        if path == "/":
            return "the root belongs to its own node"
        hosted = path.startswith(f"/{SYSTEM}/{NODES}/") and path.count("/") > 3  # of another node's subtree
        if not hosted and (path.startswith(f"/{SYSTEM}/") or path == f"/{SYSTEM}"):
            return f"/{SYSTEM} belongs to its own node"
        return None

    # --- groups ---

    def _group_changed(self, name: str, cell: Cell, joined: bool) -> None:
        kind = items.Join if joined else items.Leave
        for link in tuple(self.associations.values()):
            with self.exporting(link):
                link.control(kind(name, self.ref_out(cell.ref)))

    # --- children elsewhere ---

    def place_for(self, name: str) -> NodePlace:
        """See `Kernel.place_for`; raises `UnknownNode`."""
        if not isinstance(name, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"on= takes the name of a node, not {name!r}: write on='beta', or on=peer.name")
        return NodePlace(self, self.place(name))

    # --- actors of our own ---

    def run(self, work: Callable[..., Awaitable[None]], *args: Any) -> None:
        """Run something in a task of the links'."""
        links = self.service(LINKS, Links)
        if links is not None:

            async def run_it(_: object) -> None:
                await work(*args)

            links.spawn(run_it)

    def service(self, name: str, kind: type[Supervisor]) -> Family | None:
        """A supervisor below `/system`, made at its first use; None while the system closes."""
        if self.kernel.closing or self.root.is_final or self.root.ended or self.root.nursery is None:
            return None
        services = self.root.children.get(SYSTEM)
        if services is None:
            self.root.spawn(Services, name=SYSTEM, policy=SERVICES_POLICY)
            services = self.root.children[SYSTEM]
        assert isinstance(services, Family)
        if name == NODES:
            self.service(LINKS, Links)  # which ends behind it
        found = services.children.get(name)
        if found is None:
            if not services.takes_children:
                return None
            if name == NODES:
                found = NodesFamily(
                    self.kernel, services, recipe_of(kind), (), name, SERVICES_POLICY, services.breakers
                )
                services.children[name] = found
                services.begin(found)
            else:
                services.spawn(kind, name=name, policy=SERVICES_POLICY)
                found = services.children[name]
        assert isinstance(found, Family)
        return found if found.takes_children else None

    def links(self) -> Family:
        """The supervisor of the links; raises `SystemClosed`."""
        found = self.service(LINKS, Links)
        if found is None:
            raise SystemClosed(self.name)
        return found

    def hosts(self, link: Association) -> HostsFamily | None:
        """The supervisor of what runs here for a node; None while the system closes."""
        nodes = self.service(NODES, Nodes)
        if nodes is None:
            return None
        found = nodes.children.get(link.name)
        if found is None or not cast("HostsFamily", found).takes_children:
            if found is not None:
                return None
            nodes.spawn(Hosts, name=link.name, policy=NODES_POLICY)
            found = nodes.children[link.name]
        assert isinstance(found, HostsFamily)
        return found

    def refused(self, address: str, reason: str, text: str) -> None:
        """Somebody was turned away: for the log of this end."""
        # both have dialled, or one has twice: the link is there; or somebody has looked whether it is open
        usual = reason == Reason.ALREADY_LINKED or NOTHING in text
        level = logging.INFO if usual else logging.WARNING
        _log.log(level, "a connection from %s ended: %s (%s)", address, reason, text)
        sink = self.kernel.sink
        if sink.wants(ConnectionRefused):
            sink.emit(ConnectionRefused(self.kernel.now(), address, reason, text))
