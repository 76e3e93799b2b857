"""What every cell of one system shares: clock, alarms, randomness, ids, dead letters, groups, event sink."""

from __future__ import annotations

import itertools
import secrets
import time
from collections import deque
from collections.abc import Callable, Sized
from random import Random
from typing import TYPE_CHECKING, Any, Protocol

import trio

from actors.core.alarms import Alarms
from actors.core.dispatcher import Dispatcher
from actors.errors import UnknownActor, UnknownNode
from actors.events import ActorEvent, DeadLetter, DeadLetterReason, Event
from actors.policy import Policy

if TYPE_CHECKING:
    from actors.core.cell import Cell
    from actors.core.place import Place
    from actors.core.ref import Ref
    from actors.core.tracing import Tracer
    from actors.core.vigil import Guard
    from actors.exits import Exit
    from actors.system import System

__all__ = ["DEAD_LETTERS_KEPT", "Codec", "Follower", "Keeper", "Kernel", "Sink", "Subscriber"]

DEAD_LETTERS_KEPT = 1000


class Subscriber(Protocol):
    """Somebody who hears facts. Must not block or raise."""

    def takes(self, kind: type[Event], /) -> bool:
        """Whether it wants this kind."""
        ...

    def put(self, event: Event, /) -> None:
        """Here is one."""
        ...

    def close(self) -> None:
        """No more will come."""
        ...


class Follower(Protocol):
    """Somebody who is told in the step itself what becomes of one actor. Must not block or raise."""

    def became_ready(self, cell: Cell, /) -> None:
        """An incarnation of it is ready."""
        ...

    def went(self, cell: Cell, exit: Exit, /) -> None:
        """It is finally gone, and so is this following of it."""
        ...


class Keeper(Protocol):
    """Whoever keeps the states that actors save."""

    async def save(self, cell: Cell, state: object, /) -> None:
        """Keep the state; with a posted message in hand, together with its end. A checkpoint."""
        ...

    async def load(self, cell: Cell, /) -> object:
        """What was kept last, or None. A checkpoint."""
        ...


class Codec(Protocol):
    """How messages are written for who is no Python program."""

    def message_out(self, message: object, /) -> Any:
        """A message as JSON. Raises `NotSerializable`."""
        ...

    def value_in(self, coded: Any, /) -> Any:
        """The value that JSON describes. Raises an exception for what describes none."""
        ...


class Sink(Protocol):
    """Where facts go. Must not block or raise."""

    @property
    def listeners(self) -> Sized:
        """Those who listen to any kind of fact: empty, nothing more is asked."""
        ...

    def wants(self, kind: type[Event], /) -> bool:
        """True when somebody listens to this kind of fact."""
        ...

    def emit(self, event: Event, /) -> None:
        """Hand the fact to those who listen."""
        ...

    def attach(self, subscriber: Subscriber, /) -> None:
        """Let it hear what it takes, from now on."""
        ...

    def detach(self, subscriber: Subscriber, /) -> None:
        """Not any more. Idempotent."""
        ...


def _stopwatch(now: Callable[[], float]) -> Callable[[], float]:
    """What trio's own clock adds its offset to, at half the price; any other clock is taken as it is."""
    clock = type(trio.lowlevel.current_clock())
    is_trios = (clock.__module__, clock.__name__) == ("trio._core._run", "SystemClock")
    return time.perf_counter if is_trios else now


class Kernel:
    """The shared parts of one system. No behaviour of actors lives here."""

    def __init__(self, name: str, system: System, sink: Sink, policy: Policy | None, random: Random) -> None:
        self.name = name
        self.incarnation = secrets.token_hex(8)
        self.system = system
        self.sink = sink
        self.listeners = sink.listeners
        self.policy = Policy() if policy is None else policy
        self.random = random
        self.now: Callable[[], float] = trio.lowlevel.current_clock().current_time
        self.stamp = _stopwatch(self.now)
        """Seconds of the same clock, from another beginning: cheaper, and good for differences alone."""
        self._since = time.time() - self.now()
        self.alarms = Alarms(self.now)
        self.dispatcher = Dispatcher(self.now, self.stamp)
        self.dead_letters: deque[DeadLetter] = deque(maxlen=DEAD_LETTERS_KEPT)
        self.dead_letter_count = 0
        self.handled_by_the_dead = 0
        self.groups: dict[str, dict[Cell, None]] = {}
        self.followers: dict[Cell, dict[Follower, None]] = {}
        self.next_serial = itertools.count(1).__next__
        self.next_request = itertools.count(1).__next__
        self.closing = False
        self.guards_for: Callable[[Cell], tuple[Guard, ...]] = lambda _: ()
        self.place_for: Callable[[str], Place] = self._nowhere
        """Where children of this system may run: other nodes, by name."""
        self.named_ready: Callable[[Cell], None] | None = None
        """Told in the step itself when an incarnation of a named actor is ready."""
        self.keeper: Keeper | None = None
        """Who keeps the states of actors."""
        self.make_codec: Callable[[], Codec] | None = None
        """How the codec for programs in other languages is made, at its first use."""
        self._codec: Codec | None = None
        self.tracer: Tracer | None = None
        """Who follows what becomes of each message, while somebody wants it."""
        self.group_changed: Callable[[str, Cell, bool], None] | None = None
        """Told when an actor of this system joins (True) or leaves a group."""

    def wall(self) -> float:
        """Seconds since 1970, for what other processes read later.

        Setting the machine's clock, after the system was opened, does not change it.
        """
        return self.wall_at(self.now())

    def wall_at(self, moment: float) -> float:
        """The same for another moment of the clock."""
        return self._since + moment

    @property
    def codec(self) -> Codec:
        """How messages are written for programs in other languages."""
        if self._codec is None:
            assert self.make_codec is not None
            self._codec = self.make_codec()
        return self._codec

    def emit(self, kind: type[ActorEvent], ref: Ref, *facts: Any) -> None:
        """Report a fact about an actor; it is built only when somebody listens."""
        if self.listeners and self.sink.wants(kind):
            self.sink.emit(kind(self.now(), ref, *facts))

    def dead_letter(self, cell: Cell, message: object, sender: Cell | None, reason: DeadLetterReason) -> None:
        """Keep and report a told message that nobody handled."""
        letter = DeadLetter(self.now(), cell.ref, message, None if sender is None else sender.ref, reason)
        self.dead_letters.append(letter)
        self.dead_letter_count += 1
        if self.sink.wants(DeadLetter):
            self.sink.emit(letter)

    def takes_again(self, cell: Cell) -> None:
        """Its breaker does not hold it back any more, or its probe has shown nothing: it takes messages."""
        if cell.name is not None and self.named_ready is not None:
            self.named_ready(cell)

    def follow(self, cell: Cell, follower: Follower) -> None:
        """Let it hear when the actor is ready, and when it is gone. Following twice is following once."""
        self.followers.setdefault(cell, {})[follower] = None

    def unfollow(self, cell: Cell, follower: Follower) -> None:
        """Not any more. Idempotent."""
        others = self.followers.get(cell, {})
        others.pop(follower, None)
        if not others:
            self.followers.pop(cell, None)

    def tell_ready(self, cell: Cell) -> None:
        """Tell those who follow it."""
        for follower in tuple(self.followers.get(cell, ())):
            follower.became_ready(cell)

    def tell_gone(self, cell: Cell, exit: Exit) -> None:
        """Tell those who follow it, for the last time."""
        for follower in self.followers.pop(cell, ()):
            follower.went(cell, exit)

    def _nowhere(self, node: str) -> Place:
        raise UnknownNode(node)

    def join(self, name: str, cell: Cell) -> None:
        """Enter a cell in a group. Idempotent."""
        self.list_member(name, cell)
        if self.group_changed is not None:
            self.group_changed(name, cell, True)

    def leave(self, name: str, cell: Cell) -> None:
        """Take a cell out of a group. Idempotent."""
        self.strike_member(name, cell)
        if self.group_changed is not None:
            self.group_changed(name, cell, False)

    def list_member(self, name: str, cell: Cell) -> None:
        """Enter a cell in the table of a group: one of ours, or the ref of one elsewhere."""
        self.groups.setdefault(name, {})[cell] = None

    def strike_member(self, name: str, cell: Cell) -> None:
        """Take it out of the table; an empty group is forgotten."""
        members = self.groups.get(name)
        if members is not None:
            members.pop(cell, None)
            if not members:
                del self.groups[name]

    def cell_of(self, ref: object) -> Cell:
        """The cell behind a ref of this system; raises `UnknownActor` for anything else."""
        cell: Cell | None = getattr(ref, "cell", None)
        if cell is None or cell.kernel is not self:
            raise UnknownActor(ref, self.name)
        return cell
