"""The live connection: what happens is gathered, encoded once, and put before all who look.

    a bus subscriber  ── notes what an event is about, and wakes the hub
    the hub           ── one task: newcomers, then what has changed, at most every 0.1 s
    the sweeper       ── one task: looks at the whole tree, in slices, once a second or less

Nobody connected: nobody listens on the bus, and the hub is parked. Whatever takes long is cut in slices, so
that the actors that are looked at go on between them.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import TYPE_CHECKING, Final, TypeVar

import attrs
import trio

from actors.events import ActorEvent, DeadLetter, Event, NodeEvent, PersonEvent, TicketMoved
from actors.http.access import Visitor
from actors.observe.web.frames import (
    dumps,
    events_frames,
    frame,
    patch_frame,
    queue_frames,
    request_frames,
    tree_frames,
)
from actors.observe.web.mirror import Mirror
from actors.observe.web.outbox import Outbox, Past
from actors.observe.web.pace import idle
from actors.observe.web.seen import Seen

if TYPE_CHECKING:
    from actors.core.cell import Cell
    from actors.core.kernel import Kernel
    from actors.observe.fact import Fact

__all__ = ["Client", "Filter", "Live"]

K = TypeVar("K", bound=Hashable)

_EVERY: Final = 0.1
"""Seconds between two deliveries, at least."""
_EVERY_FACT: Final = 0.02
_EVERY_MOST: Final = 0.4
"""And so much more for each fact of the last one, up to this: fewer and larger ones cost less."""
_EVERY_EACH: Final = 0.001
"""And so much more for each client."""
_SWEEP: Final = 1.0
"""Seconds between two looks at the whole tree, at least."""
_SWEEP_EACH: Final = 0.001
_FACTS: Final = 8
"""Facts that are encoded, and actors that are looked at, in one slice: less than 0.1 ms."""
_PIECE: Final = 100
"""Facts of the past that are read at once for a newcomer."""
_MOST: Final = 1000
"""Facts in one delivery: more wait for the next one."""
_CLIENTS: Final = 4
"""Clients that are woken in one slice."""


@attrs.frozen
class Filter:
    """Which facts a client wants: of these kinds, of this actor and all below it."""

    kinds: frozenset[str] = frozenset()
    path: str | None = None


@attrs.define(eq=False)
class Client:
    """One who looks. `after` is the number of the last fact that it has; None: from now on."""

    visitor: Visitor
    after: int | None = None
    filter: Filter = Filter()
    outbox: Outbox = attrs.field(factory=Outbox)


class _Notes:
    """A subscriber of the bus: what the hub has to look at."""

    def __init__(self, kernel: Kernel, wake: Callable[[], None]) -> None:
        self._kernel = kernel
        self._wake = wake
        self.cells: dict[Cell, None] = {}
        self.people = self.dead = self.nodes = True

    def takes(self, kind: type[Event]) -> bool:
        return not kind.by_name_only

    def put(self, event: Event) -> None:
        if isinstance(event, ActorEvent):
            if event.ref.cell.kernel is self._kernel:
                self.cells[event.ref.cell] = None
            self.dead = self.dead or isinstance(event, DeadLetter)
        elif isinstance(event, PersonEvent):
            self.people = True
        elif isinstance(event, NodeEvent):
            self.nodes = True
        elif isinstance(event, TicketMoved):
            self.dead = self.dead or event.state == "dead"
        self._wake()

    def close(self) -> None:
        self._wake()


class Live:
    """The hub. `run` is its task; the rest are plain calls."""

    def __init__(self, seen: Seen, most: int) -> None:
        self._seen = seen
        self._most = most
        self._mirror = Mirror(seen.root)
        self._clients: dict[Client, None] = {}
        self._newcomers: dict[Client, None] = {}
        self._lot = trio.lowlevel.ParkingLot()
        self._arrivals = trio.lowlevel.ParkingLot()
        self._notes = _Notes(self._seen.kernel, self._wake)
        self._stirred = False
        self._load = 0
        self._after = 0
        self._queue: dict[str, tuple[str, str | None]] = {}
        self._dead = self._nodes = ""
        self._is_closed = False

    def __len__(self) -> int:
        """How many look."""
        return len(self._clients) + len(self._newcomers)

    # --- who looks ---

    @property
    def is_full(self) -> bool:
        """Whether no more may look."""
        return len(self) >= self._most

    def join(self, client: Client) -> None:
        """One more looks."""
        self._newcomers[client] = None
        if self._is_closed:
            client.outbox.close()
        self._arrivals.unpark_all()
        self._wake()

    def leave(self, client: Client) -> None:
        """One looks no longer. Idempotent."""
        self._newcomers.pop(client, None)
        self._clients.pop(client, None)
        self._wake()

    def close(self) -> None:
        """This side ends: everybody is told to go."""
        self._is_closed = True
        for client in (*self._clients, *self._newcomers):
            client.outbox.close()

    def changed(self) -> None:
        """Something that no event tells of: the dead letters, as one was redelivered."""
        self._notes.dead = self._notes.people = True
        self._wake()

    def _wake(self) -> None:
        self._stirred = True
        self._lot.unpark_all()

    # --- the hub ---

    async def run(self) -> None:
        """Serve whoever looks, for ever."""
        while True:
            while not self._newcomers:
                await self._lot.park()
            self._notes = _Notes(self._seen.kernel, self._wake)
            self._after = self._seen.journal.last
            self._seen.sink.attach(self._notes)
            try:
                await self._while_watched()
            finally:
                self._seen.sink.detach(self._notes)
                self._mirror.clear()
                self._queue.clear()

    async def _while_watched(self) -> None:
        await self._mirror.sweep()
        self._mirror.take()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._sweep)
            while len(self):
                self._stirred = False
                await self._deliver()
                await self._welcome()
                with trio.move_on_after(self._pause):
                    while not self._newcomers:
                        await self._arrivals.park()
                while not self._stirred:
                    await self._lot.park()
            nursery.cancel_scope.cancel()

    @property
    def _pause(self) -> float:
        """Seconds until the next delivery."""
        return _EVERY + min(_EVERY_MOST, _EVERY_FACT * self._load) + _EVERY_EACH * len(self._clients)

    async def _sweep(self) -> None:
        while True:
            await trio.sleep(_SWEEP + _SWEEP_EACH * len(self._mirror))
            await self._mirror.sweep()
            self._wake()

    # --- newcomers ---

    async def _welcome(self) -> None:
        while self._newcomers:
            client = next(iter(self._newcomers))
            await self._greet(client)
            if client in self._newcomers:  # it has not left meanwhile
                del self._newcomers[client]
                self._clients[client] = None

    async def _greet(self, client: Client) -> None:
        """Tell it all that the others know already."""
        put, visitor = client.outbox.put, client.visitor
        put(frame("hello", **self._seen.hello(), after=self._after, person=visitor.person))
        if visitor.sees_all:
            for part in tree_frames(self._mirror.lines):
                put(part)
                await idle()
            put(self._nodes)
            put(self._dead)
            missing = self._missing(client)
            if missing is not None:
                put(missing)
        for part in queue_frames(self._queue, visitor.may_see):
            put(part)
            await idle()

    def _missing(self, client: Client) -> Past | None:
        """What a newcomer lacks of what the others have been told: its own task gets it, at its own pace."""
        after = self._after if client.after is None else client.after
        if after < 0:
            after = max(0, self._after + after)
        return Past(after, self._after) if after < self._after else None

    async def read_past(self, client: Client, past: Past) -> tuple[list[str], Past | None]:
        """Frames of some facts of the past, and what is still to come then. A checkpoint."""
        after, missed = past.after, 0
        lines: list[tuple[int, str]] = []
        while after < past.until and len(lines) < _PIECE:
            page = self._seen.journal.after(after, limit=_FACTS)
            facts = [fact for fact in page.facts if fact.number <= past.until]
            after, missed = min(page.after, past.until), missed + page.missed
            lines += [
                (fact.number, dumps(fact.as_dict())) for fact in facts if self._wants(client.filter, fact)
            ]
            await idle()
        return events_frames(lines, after, missed), Past(after, past.until) if after < past.until else None

    # --- what has changed ---

    async def _deliver(self) -> None:
        """Everything that is new, to everybody."""
        notes = self._notes
        cells, notes.cells = notes.cells, {}
        for number, cell in enumerate(cells):
            if number % _FACTS == _FACTS - 1:
                await idle()
            self._mirror.look(cell)
        patch = self._mirror.take()
        if patch is not None:
            await self._tell_all(patch_frame(patch.lines, patch.gone))
        await self._tell_events()
        if notes.people:
            notes.people = False
            await self._tell_requests()
        if notes.dead:
            notes.dead = False
            self._dead = frame("dead", **await self._seen.dead())
            await self._tell_all(self._dead)
        if notes.nodes:
            notes.nodes = False
            self._nodes = frame("nodes", nodes=self._seen.nodes())
            await self._tell_all(self._nodes)

    async def _tell_all(self, *frames: str) -> None:
        """The same to all who see all."""
        await self._tell(lambda client: Visitor() if client.visitor.sees_all else None, lambda _: frames)

    async def _tell_requests(self) -> None:
        now = self._seen.requests()
        before, self._queue = self._queue, now
        await self._tell(
            lambda client: client.visitor, lambda visitor: request_frames(before, now, visitor.may_see)
        )

    async def _tell_events(self) -> None:
        """The facts since the last delivery, each encoded once."""
        facts: list[tuple[Fact, str]] = []
        missed = 0
        while self._after < self._seen.journal.last and len(facts) < _MOST:
            page = self._seen.journal.after(self._after, limit=_FACTS)
            self._after, missed = page.after, missed + page.missed
            facts.extend((fact, dumps(fact.as_dict())) for fact in page.facts)
            await idle()
        self._load = len(facts)
        if self._after < self._seen.journal.last:
            self._stirred = True
        if not (facts or missed):
            return
        after = self._after

        def said(chosen: Filter) -> Sequence[str]:
            lines = [(fact.number, line) for fact, line in facts if self._wants(chosen, fact)]
            return events_frames(lines, after, missed) if lines or missed else ()

        await self._tell(lambda client: client.filter if client.visitor.sees_all else None, said)

    async def _tell(
        self, sort_of: Callable[[Client], K | None], frames_of: Callable[[K], Sequence[str]]
    ) -> None:
        """Frames are made once for each sort of client, and put before them with room for others between."""
        made: dict[K, Sequence[str]] = {}
        for number, client in enumerate(tuple(self._clients)):
            sort = sort_of(client)
            if sort is not None:
                if sort not in made:
                    made[sort] = frames_of(sort)
                for said in made[sort]:
                    client.outbox.put(said)
            if number % _CLIENTS == _CLIENTS - 1:
                await idle()

    def _wants(self, chosen: Filter, fact: Fact) -> bool:
        return self._seen.wants(chosen.kinds, chosen.path, fact)
