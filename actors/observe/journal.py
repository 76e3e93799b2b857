"""The journal of a system: what has happened, kept for those who look later.

It hears every event in the step in which it is reported. One that has something of users in it is made
a fact at once; the others, a few, wait until somebody reads: cold code costs ten times as much, and whoever
reports is at work. No task belongs to it. What is kept, and for how long, is decided in `ring`; what a
cause is, in `why`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import AsyncGenerator, Collection
from difflib import get_close_matches
from itertools import islice
from typing import Final

import attrs
import trio

from actors import events
from actors.checks import check_count
from actors.core.kernel import Kernel
from actors.errors import UnknownActor
from actors.events import EndOrdered, Event, NodeEvent
from actors.names import ROOT, canonical
from actors.observe.fact import Fact, Page
from actors.observe.recorder import Recorder
from actors.observe.ring import Histories, Ring
from actors.observe.told import Told
from actors.observe.why import Why, explain

__all__ = ["Journal", "kinds_and_derived"]

_LIKE: Final = 50
"""Paths on each side that are compared with one that nobody knows."""
_MOST_LIGHT: Final = 32
"""Events that wait to be facts."""
_LIGHT: Final = frozenset({"float", "int", "str", "bool", "Ref", "str | None"})
"""Types of fields in which nothing of users is."""


class Journal:
    """What has happened in a system since its first use: the last 10,000 facts, and the last 50 of each path.

    Reached by `system.journal`. Each event costs some microseconds from then on. It ends
    with the system, and can still be read afterwards. Facts are not kept over a restart of the process.
    """

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._recorder = Recorder(kernel.wall_at)
        self._kept = Ring()
        self._light: list[Event] = []
        """The newest events, which are no facts yet."""
        self._is_light: dict[type[Event], bool] = {}
        self._histories = Histories()
        self._lot = trio.lowlevel.ParkingLot()
        self._closed = False
        self.letters = Told(kernel)
        """The told messages that nobody handled, also those from before, to be looked after."""
        self.since = kernel.wall()
        """When it began to listen, in seconds since 1970."""

    def __repr__(self) -> str:
        state = "closed" if self._closed else "open"
        return f"<Journal of {self._kernel.name!r}, {state}, {len(self._ring)} facts of {self.last}>"

    # --- a subscriber of the bus ---

    def takes(self, kind: type[Event]) -> bool:
        """All but what comes in masses; the orders to end, too: `why` needs them."""
        return not kind.by_name_only or kind is EndOrdered

    def put(self, event: Event) -> None:
        """Keep an event as a fact; never blocks."""
        kind = type(event)
        is_light = self._is_light.get(kind)
        if is_light is None:
            is_light = self._is_light[kind] = _is_light(kind)
        self._light.append(event)
        if not is_light or len(self._light) >= _MOST_LIGHT:
            self._settle()
        if self._lot:
            self._lot.unpark_all()

    def _settle(self) -> None:
        """Make facts of all events."""
        waiting, self._light = self._light, []
        for event in waiting:
            fact = self._recorder.fact(self._kept.last + 1, event)
            if fact.number <= self._kept.last:  # a `repr` of users has reported something itself
                fact = attrs.evolve(fact, number=self._kept.last + 1)
            self._kept.add(fact)
            if fact.path is not None:
                self._histories.add(fact.path, fact)
            elif isinstance(event, NodeEvent):
                self._histories.add(_node_key(event.node), fact)

    @property
    def _ring(self) -> Ring:
        if self._light:
            self._settle()
        return self._kept

    @property
    def _of_paths(self) -> Histories:
        if self._light:
            self._settle()
        return self._histories

    def close(self) -> None:
        """No more comes: those that wait are let go."""
        self._closed = True
        self._lot.unpark_all()

    # --- reading ---

    @property
    def session(self) -> str:
        """Which life of the system it is: the numbers of facts begin anew with each."""
        return self._kernel.incarnation

    @property
    def last(self) -> int:
        """The number of the newest fact; 0 before the first."""
        return self._kept.last + len(self._light)

    def after(
        self, number: int, *, kinds: Collection[str] = (), path: str | None = None, limit: int = 500
    ) -> Page:
        """The kept facts after a number, the oldest first, `limit` at most.

        `kinds` are names of event classes, also of base classes, as "Failed" or "NodeEvent"; `path` is
        that of an actor: its facts, and those of all actors below it. `page.after` goes on; `page.missed`
        counts the facts after `number` that were kept no more, whatever their kind. A number that this
        journal has not come to is one of another journal: it begins with the oldest then. No checkpoint.
        Raises ValueError for an unknown kind, a path not from the root, or a limit below 1.
        """
        check_count("limit", limit)
        top = None if path is None else canonical(path)
        return self._ring.page(number, limit, kinds_and_derived(kinds), top)

    async def wait(self, after: int) -> None:
        """Return when there is a fact newer than the number `after`, or none comes any more. A checkpoint."""
        await trio.lowlevel.checkpoint_if_cancelled()
        while self.last <= after and not self._closed:
            await self._lot.park()
        await trio.lowlevel.cancel_shielded_checkpoint()

    @property
    def closed(self) -> bool:
        """True when the system has closed, and nothing comes any more."""
        return self._closed

    async def follow(
        self, after: int | None = None, *, kinds: Collection[str] = (), path: str | None = None
    ) -> AsyncGenerator[Page]:
        """What comes after a number (None: from now on), page by page, until the system has closed.

        Whoever is slow loses nothing that is still kept: what is lost is counted in `page.missed`. Each
        page has facts or has missed some. Raises what `after` raises. Use it with `contextlib.aclosing`, or
        to the end.
        """
        number = self.last if after is None else after
        while True:
            page = self.after(number, kinds=kinds, path=path)
            number = page.after
            if page.facts or page.missed:
                yield page
            elif self._closed:
                return
            else:
                await self.wait(number)

    def history(self, path: str) -> tuple[Fact, ...]:
        """The last facts of one path, the oldest first; () for one that nothing is known of. No checkpoint.

        They are kept longer than the facts of all: those of 5,000 paths, and where there are more, the actors
        that have been gone for longest are forgotten first, those without a name before the others.
        Raises ValueError for a path not from the root.
        """
        return self._of_paths.of(canonical(path))

    def why(self, path: str) -> Why:
        """Why the actor at a path ended, or why it is there: the causes, the newest first.

        Also of an actor that is gone. What happened before the journal began to listen is not known, and
        what has been forgotten is not guessed. Raises `UnknownActor` for one that was never heard of,
        and ValueError for a path not from the root. No checkpoint.
        """
        path = canonical(path)
        ref = self._kernel.system.find(path)
        said = explain(self._of_paths.of, path, alive=ref is not None)
        if said is not None:
            return said
        if ref is None:
            raise UnknownActor(path, self._kernel.name, self._near(path))
        text = f"{path} runs, and nothing has happened to it since the journal began to listen"
        return Why(path, "running", text, ())

    def _near(self, path: str) -> list[str]:
        """Known paths that are like it. Of many only some are compared: others wait meanwhile."""
        path, last = path[:200], path.rpartition("/")[2]
        known = sorted({node.path for node in self._kernel.system.tree().walk()}.union(self.paths) - {ROOT})
        index = bisect_left(known, path)
        beside = known[max(0, index - _LIKE) : index + _LIKE]
        elsewhere = islice((one for one in known if one.endswith(f"/{last}")), _LIKE)
        return get_close_matches(path, dict.fromkeys([*beside, *elsewhere]), n=3)

    def node_history(self, node: str) -> tuple[Fact, ...]:
        """The last facts about a linked node, the oldest first. No checkpoint."""
        return self._of_paths.of(_node_key(node))

    @property
    def paths(self) -> tuple[str, ...]:
        """The paths that `history` knows something of, those of actors that are gone included."""
        return tuple(path for path in self._of_paths if path.startswith("/"))


def _is_light(kind: type[Event]) -> bool:
    return all(field.type in _LIGHT for field in attrs.fields(kind))


def _node_key(node: str) -> str:
    """Where the facts of a node stand among those of paths."""
    return f"@{node}"


def kinds_and_derived(kinds: Collection[str]) -> frozenset[str]:
    """The names of these kinds and of those that derive from them."""
    if isinstance(kinds, str):
        raise TypeError(f"kinds is a collection of names, not {kinds!r}: write [{kinds!r}]")
    found: set[str] = set()
    for name in kinds:
        kind = getattr(events, name, None) if name in events.__all__ else None
        if not (isinstance(kind, type) and issubclass(kind, Event)):
            raise ValueError(f"{name!r} is no kind of event: use the name of a class of actors.events")
        found |= {one for one in events.__all__ if _derives(getattr(events, one), kind)}
    return frozenset(found)


def _derives(one: object, kind: type[Event]) -> bool:
    return isinstance(one, type) and issubclass(one, kind)
