"""Who is connected: from a request to the agent that makes it, and when an agent ends.

A connection is an actor from its first request on. Where connections have an end (stdio, in memory, HTTP
with sessions) it ends with that; where every request stands alone (HTTP without) with `gate.idle`
seconds of silence, and it is known by what the client calls itself. `gate.linger` seconds are for
those who come back.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from contextvars import Context as Variables
from itertools import chain, count
from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary

import attrs
import trio

from actors.core.ref import Ref
from actors.core.scope import CURRENT
from actors.mcp.agent import AGENT_POLICY, AGENTS_POLICY, Agent, Agents
from actors.mcp.changes import Changes
from actors.mcp.faults import ToolFault, no_such_actor
from actors.mcp.gate import AGENTS, Gate
from actors.mcp.kin import kin_of
from actors.mcp.reach import is_within, reaches, resolve
from actors.mcp.told import Teller
from actors.mcp.values import Values
from actors.names import split
from actors.supervision.family import Family

if TYPE_CHECKING:
    from actors.core.alarms import Alarm
    from actors.core.kernel import Kernel
    from actors.system import System

__all__ = ["Guests", "House", "Seat", "handle"]

_NO: Final = re.compile(r"[^A-Za-z0-9._-]+")
_LONGEST: Final = 64
_CROWD: Final = 100
"""Agents at a time where connections have no end of their own."""


def handle(said: str | None) -> str:
    """A name that an actor may have, of what a client calls itself."""
    plain = _NO.sub("-", said or "").strip("-._")[:_LONGEST].strip("-._")
    return plain or "agent"


@attrs.define(eq=False)
class Seat:
    """One agent and those who speak as it."""

    name: str
    ref: Ref
    guests: int = 0
    """Connections that are open, and requests where those have no end."""
    alarm: Alarm | None = None

    @property
    def agent(self) -> Agent:
        """Its object; it has started."""
        actor = self.ref.cell.actor
        assert isinstance(actor, Agent)
        return actor


class House:
    """One server's agents, over all its connections."""

    def __init__(self, system: System, gate: Gate) -> None:
        self.system = system
        self.gate = gate
        self.kernel: Kernel = system.__actor_family__().kernel
        self.values = Values(self.find, gate.messages)
        self.changes = Changes(system)
        self.adopts_as = f"adopted-{hashlib.sha256(repr(gate).encode()).hexdigest()[:16]}"
        """What tells the spawner of those that are adopted from that of another gate."""
        self.seats: dict[str, Seat] = {}
        self.crowd = _CROWD
        self.kin = kin_of(system, gate)
        self.texts: WeakKeyDictionary[Ref, type] = WeakKeyDictionary()

    # --- finding ---

    @property
    def me(self) -> Agent:
        """The agent whose request the running task carries out."""
        cell = CURRENT.get()
        assert cell is not None
        assert isinstance(cell.actor, Agent)
        return cell.actor

    def path(self, said: str) -> str:
        """The whole path of what the agent means, if it reaches that; raises `ToolFault`."""
        try:
            path = resolve(self.me.ctx.ref.path, said)
        except ValueError as error:
            raise ToolFault(str(error)) from None
        if not self.reaches(path):
            raise no_such_actor(said)
        return path

    def text_class(self, ref: Ref | None) -> type | None:
        """The message class in which an actor is asked a text; None: nothing says so."""
        return None if ref is None else self.texts.get(ref)

    def reaches(self, path: str) -> bool:
        """Whether the agent may see, tell and ask the actor at this path, if there is one."""
        if any(is_within(path, one) for one in self.me.adopted):
            return True
        return reaches(self.me.ctx.ref.path, path, whole=self.gate.reach == "tree")

    @property
    def teller(self) -> Teller:
        """What tells the agent of what has happened."""
        whole, mine = self.gate.reach == "tree", (self.me.ctx.ref.path, *self.me.adopted)
        return Teller(self.reaches, lambda path: whole or any(is_within(path, one) for one in mine), whole)

    def find(self, said: str) -> Ref:
        """The living actor that the agent means; raises `ToolFault`."""
        ref = self.system.find(self.path(said))
        if ref is None:
            raise no_such_actor(said)
        return ref

    # --- coming and going ---

    def parent(self) -> Family:
        """The supervisor that agents live under; raises `ToolFault` where there is none."""
        path = self.gate.parent
        found = self.system.find(path)
        if found is None and path == AGENTS:
            root = self.system.__actor_family__()
            found = Variables().run(root.spawn, Agents, name=split(AGENTS)[0], policy=AGENTS_POLICY)
        cell = None if found is None else found.cell
        if not isinstance(cell, Family):
            raise ToolFault(
                f"there is no supervisor at {path}, where agents of this gate live: start it first"
            )
        return cell

    def enter(self, said: str | None) -> Seat:
        """A seat for who calls itself so: that of one who has left and may come back, else a new one."""
        parent, wanted = self.parent(), self.gate.name or handle(said)
        names = (f"{wanted}-{number}" for number in count(2))
        for name in chain((wanted,), names):  # pragma: no branch - there is always another one
            known = self.seats.get(name)
            if known is None or known.ref.cell.is_final:
                if name not in parent.children:
                    return self._new(parent, name)
            elif not known.guests:
                return known
        raise AssertionError(names)

    def _new(self, parent: Family, name: str) -> Seat:
        policy = attrs.evolve(AGENT_POLICY, budget=self.gate.budget)
        agent = Variables().run(parent.spawn, Agent, self.gate, name=name, policy=policy)
        seat = self.seats[name] = Seat(name, agent)
        self.kin.add(agent.path)
        return seat

    def sit(self, seat: Seat) -> None:
        """Somebody speaks as this agent."""
        seat.guests += 1
        if seat.alarm is not None:
            seat.alarm.cancel()
            seat.alarm = None

    def leave(self, seat: Seat, after: float) -> None:
        """Somebody does so no more: with the last one it ends, `after` so many seconds."""
        seat.guests -= 1
        if seat.guests:
            return
        if after > 0 and not self.kernel.closing:
            seat.alarm = self.kernel.alarms.after(after, lambda: self.end(seat))
        else:
            self.end(seat)

    def end(self, seat: Seat) -> None:
        """Its agent ends, and all below it, the deepest first."""
        if seat.alarm is not None:
            seat.alarm.cancel()
            seat.alarm = None
        if self.seats.get(seat.name) is seat:
            del self.seats[seat.name]
        seat.ref.stop()

    @asynccontextmanager
    async def connected(self, _: object) -> AsyncGenerator[Guests]:
        """The life of one transport: of one connection, or of an HTTP server with all of its own."""
        async with trio.open_nursery() as nursery:
            guests = Guests(self, nursery)
            nursery.start_soon(self.changes.follow)
            try:
                yield guests
            finally:
                nursery.cancel_scope.cancel()
                left = guests.close()
        for seat in left:
            await seat.ref.wait_stopped()


class Guests:
    """Those who came over one transport."""

    def __init__(self, house: House, nursery: trio.Nursery) -> None:
        self.house = house
        self.nursery = nursery
        self._seats: dict[object, Seat] = {}
        self._lasting: set[object] = set()

    @asynccontextmanager
    async def speaking(self, key: object, said: str | None, *, lasting: bool) -> AsyncGenerator[Seat]:
        """A block in which a request is carried out; `lasting`: its connection has an end, see `gone`.

        Raises `ToolFault` where the agent has ended, or cannot begin.
        """
        house = self.house
        seat = self._seats.get(key)
        if seat is None or (seat.ref.cell.is_final and not lasting):
            if not lasting:
                self._make_room()
            seat = self._seats[key] = house.enter(said)
            if lasting:
                self._lasting.add(key)
                house.sit(seat)
        if not lasting:
            house.sit(seat)
        try:
            if seat.ref.cell.is_final:
                raise ToolFault(
                    f"your agent {seat.ref.path} has ended, with all that it has spawned: connect anew"
                )
            if seat.ref.cell.actor is None:
                await seat.ref.wait_started()
            yield seat
        finally:
            if not lasting:
                house.leave(seat, house.gate.idle)

    def _make_room(self) -> None:
        """For one more that has no end of its own; raises `ToolFault` where there is none."""
        if len(self._seats) >= self.house.crowd:
            self._seats = {
                key: seat
                for key, seat in self._seats.items()
                if key in self._lasting or not seat.ref.cell.is_final
            }
        if len(self._seats) >= self.house.crowd:
            raise ToolFault(f"{self.house.crowd} agents are connected, and no more may be: try again later")

    def gone(self, key: object) -> Seat | None:
        """A connection has ended; the seat that it had."""
        seat = self._seats.pop(key, None)
        if seat is not None and key in self._lasting:
            self._lasting.discard(key)
            self.house.leave(seat, self.house.gate.linger)
        return seat

    def close(self) -> list[Seat]:
        """The transport has ended: so have all that came over it. The seats that ended."""
        seats = list(self._seats.values())
        for key, seat in tuple(self._seats.items()):
            if key not in self._lasting:
                self.house.end(seat)
            self.gone(key)
        return [seat for seat in seats if seat.ref.cell.is_final]
