"""Two or more nodes in one process, joined by cables that tests can cut, on a clock that jumps.

A cable carries the same text frames as a WebSocket, without sockets: so time can be virtual,
and a link that is down for a minute costs nothing. What only sockets show is tested with
sockets, in `test_sockets` and its neighbours.

    async with linked() as world:            # alpha has dialled beta
        world.alpha, world.beta, world.peer
        world.cable.cut()                    # both ends hear that the connection broke
        world.cable.deaf("alpha")            # alpha hears nothing any more; nobody is told
        world.cable.mend()
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import Any

import attrs
import pytest
import trio

import actors
from actors.core.scope import CURRENT
from actors.remote import links
from actors.remote.links import LINK_POLICY, Gate
from actors.remote.transport import WireBroken

__all__ = ["Cable", "Cables", "World", "cables", "linked"]


class MemoryWire:
    """One end of one connection over a cable."""

    def __init__(self, cable: Cable, mine: str, peer: str) -> None:
        self.cable = cable
        self.mine = mine
        self.peer = peer
        self.other: MemoryWire
        self.put, self.get = trio.open_memory_channel[str](1000)
        self.open = True

    async def send(self, text: str) -> None:
        await trio.lowlevel.checkpoint()
        if not self.open:
            raise WireBroken("the connection broke")
        self.cable.frames.append((self.mine, text))
        if self.cable.hears(self.peer):
            try:
                self.other.put.send_nowait(text)
            except trio.BrokenResourceError:
                raise WireBroken("the connection broke") from None
        # what cannot be heard is lost, as in a buffer of the kernel that is dropped later

    async def receive(self) -> str:
        try:
            return await self.get.receive()
        except (trio.EndOfChannel, trio.ClosedResourceError):
            raise WireBroken("the connection was closed") from None

    async def close(self, code: int = 1000, reason: str = "") -> None:
        self.shut()
        await trio.lowlevel.checkpoint()

    def drop_what_is_unsent(self) -> None: ...

    def shut(self) -> None:
        """Both ends hear of it, unless the cable is deaf."""
        self.open = False
        self.get.close()
        if self.cable.hears(self.peer):
            self.other.put.close()
            self.other.open = False


@attrs.define(eq=False)
class Cable:
    """What joins two systems; connections over it come and go."""

    wires: list[MemoryWire] = attrs.field(factory=list[MemoryWire])
    is_cut: bool = False
    deaf_ones: set[str] = attrs.field(factory=set[str])
    frames: list[tuple[str, str]] = attrs.field(factory=list[tuple[str, str]])
    """(who has sent it, text) of all frames."""

    def hears(self, node: str) -> bool:
        return not self.is_cut and node not in self.deaf_ones

    def cut(self) -> None:
        """The cable breaks, and both ends are told so."""
        for wire in self.wires:
            if wire.open:
                wire.shut()
        self.wires.clear()
        self.is_cut = True

    def silent(self) -> None:
        """The cable breaks, and nobody is told."""
        self.is_cut = True

    def deaf(self, node: str) -> None:
        """What is sent to this node is lost, and nobody is told."""
        self.deaf_ones.add(node)

    def mend(self) -> None:
        """It carries again. Connections from before stay broken."""
        for wire in self.wires:
            wire.open = False
            wire.put.close()
        self.wires.clear()
        self.is_cut = False
        self.deaf_ones.clear()


@attrs.define(eq=False)
class Cables:
    """Which URL leads where."""

    doors: dict[str, tuple[actors.System, Gate, Cable]] = attrs.field(factory=dict[str, Any])

    def door(self, system: actors.System, cable: Cable, *, token: str | None = None) -> str:
        """The URL under which a system is reached over a cable."""
        url = f"ws://{system.name}:{len(self.doors) + 1}"
        node = system._node  # pyright: ignore[reportPrivateUsage]
        self.doors[url] = system, Gate(node, token, (), 1024 * 1024), cable
        return url

    def redirect(self, url: str, system: actors.System) -> None:
        """From now on this system is reached there."""
        _, gate, cable = self.doors[url]
        node = system._node  # pyright: ignore[reportPrivateUsage]
        self.doors[url] = system, Gate(node, gate.token, (), gate.max_message), cable

    @asynccontextmanager
    async def dialled(self, url: str, _: object) -> AsyncGenerator[MemoryWire]:
        system, gate, cable = self.doors[url]
        await trio.lowlevel.checkpoint()
        if cable.is_cut or cable.deaf_ones:
            raise WireBroken("no route")
        dialler = CURRENT.get()
        assert dialler is not None
        mine = dialler.kernel.name
        here, there = MemoryWire(cable, mine, system.name), MemoryWire(cable, system.name, mine)
        here.other, there.other = there, here
        cable.wires += [here, there]

        async def answer(ctx: actors.Context) -> None:
            stranger = gate.enter()
            try:
                with stranger:
                    await links._greet(ctx, there, gate, stranger)  # pyright: ignore
            except WireBroken:
                pass
            finally:
                gate.strangers.pop(stranger, None)
                there.shut()

        gate.node.links().spawn(partial(answer), policy=LINK_POLICY)
        try:
            yield here
        finally:
            here.shut()


@contextmanager
def cables() -> Generator[Cables]:
    """Inside the block diallers use cables."""
    made = Cables()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(links, "dialled", made.dialled)
        yield made


@attrs.frozen
class World:
    """Two linked systems."""

    alpha: actors.System
    beta: actors.System
    peer: actors.Peer
    """beta, as alpha sees it"""
    cable: Cable
    cables: Cables

    async def connected(self) -> None:
        """Return when both ends are UP."""
        await self.peer.wait_up()
        while True:
            try:
                await self.beta.node("alpha").wait_up()
            except actors.UnknownNode:
                await trio.sleep(0.1)
            else:
                return


@asynccontextmanager
async def linked(
    *, lease: float = 15.0, spawnable: tuple[Any, ...] = (), policy: actors.Policy | None = None
) -> AsyncGenerator[World]:
    """alpha and beta, of which alpha has dialled; beta starts `spawnable` for others."""
    with cables() as made:
        async with (
            actors.open_system("beta", lease=lease, spawnable=spawnable) as beta,
            actors.open_system("alpha", lease=lease, spawnable=spawnable, policy=policy) as alpha,
        ):
            cable = Cable()
            peer = await alpha.connect(made.door(beta, cable))
            world = World(alpha, beta, peer, cable, made)
            await world.connected()
            yield world
