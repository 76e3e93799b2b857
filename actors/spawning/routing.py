"""Which worker of a pool takes the next message: three routers with one question.

`pick` is asked with every worker that is there and how many messages each has in hand. It
answers with one of those that have fewer than `room`, or with None: the message waits. A
router keeps nothing about workers that have left, so its memory is as large as the pool.

`KeyRing` is consistent hashing: a worker owns 64 points of a ring of hashes, and a key belongs to
the owner of the first point at or behind its own hash. A worker that comes takes keys from the
others, one that goes leaves its keys to them, and no other key moves. The hashes depend on names
and keys alone, so that two processes with the same workers agree.
"""

from __future__ import annotations

import enum
import hashlib
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Callable, Collection, Hashable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any, Generic, Protocol, TypeVar, cast
from uuid import UUID

import attrs

from actors.checks import count

__all__ = ["KeyRing", "LeastBusy", "RoundRobin", "Router", "canonical"]

POINTS = 64
_WIDTH = 8  # bytes of one place on the ring

K = TypeVar("K", bound=Hashable)


class Router(Protocol[K]):
    """Says who takes a message, or that it waits."""

    def pick(self, workers: Mapping[K, int], key: Hashable | None) -> K | None:
        """One of `workers` (each with its messages in hand) for a message with this key, or None."""
        ...


@attrs.define
class RoundRobin(Generic[K]):
    """Each in its turn. One without room is passed over and keeps its turn; newcomers go to the end."""

    room: int = attrs.field(default=1, validator=count(1))
    _turns: OrderedDict[K, None] = attrs.field(factory=OrderedDict[K, None], init=False, repr=False)

    def pick(self, workers: Mapping[K, int], key: Hashable | None = None) -> K | None:
        """The one with room whose last turn is the longest ago; the key does not matter."""
        _sync(self._turns, workers)
        for worker in self._turns:
            if workers[worker] < self.room:
                self._turns.move_to_end(worker)
                return worker
        return None


@attrs.define
class LeastBusy(Generic[K]):
    """The one with the fewest messages in hand; of several, the one that has been there for longest.

    So a light load is the work of the first ones, and the others have nothing to do and may go.
    """

    room: int = attrs.field(default=1, validator=count(1))

    def pick(self, workers: Mapping[K, int], key: Hashable | None = None) -> K | None:
        """The least busy one with room, the first of several; the key does not matter."""
        worker = min(workers, key=workers.__getitem__, default=None)
        return None if worker is None or workers[worker] >= self.room else worker


def _sync(turns: OrderedDict[K, None], workers: Mapping[K, int]) -> None:
    """Drop those that have left, and append those that have come."""
    if turns.keys() == workers.keys():
        return
    for gone in turns.keys() - workers.keys():
        del turns[gone]
    turns.update(dict.fromkeys(worker for worker in workers if worker not in turns))


@attrs.define
class KeyRing(Generic[K]):
    """The same key, the same worker, as long as it is there. Its messages wait for it, never for another.

    `name` gives the lasting name of a worker, a str or whatever else a key may be; without it a worker
    is its own name. A worker that is about to come back keeps its keys if it stays among
    the `workers`, with no room; one that is left out loses them until it is back.
    """

    room: int = attrs.field(default=1, validator=count(1))
    name: Callable[[K], Hashable] | None = None
    _members: frozenset[K] = attrs.field(factory=frozenset[K], init=False, repr=False)
    _places: list[int] = attrs.field(factory=list[int], init=False, repr=False)
    _owners: list[K] = attrs.field(factory=list[K], init=False, repr=False)

    def pick(self, workers: Mapping[K, int], key: Hashable | None) -> K | None:
        """The owner of the key if it has room, else None. Raises TypeError for what `canonical` refuses."""
        worker = self.owner(workers.keys(), key)
        return worker if worker is not None and workers[worker] < self.room else None

    def owner(self, workers: Collection[K], key: Hashable | None) -> K | None:
        """Whose key it is, however busy; None when there are no workers. Raises TypeError as `pick` does."""
        place = _hashes(b"key", canonical(key), 1)[0]
        if self._members != (workers if isinstance(workers, AbstractSet) else frozenset(workers)):
            self._rebuild(workers)
        if not self._places:
            return None
        return self._owners[bisect_left(self._places, place) % len(self._places)]

    def _rebuild(self, workers: Collection[K]) -> None:
        named = {canonical(self.name(worker) if self.name else worker): worker for worker in workers}
        if len(named) < len(workers):
            raise ValueError(
                f"two of {len(workers)} workers have one name: only {sorted(named)} are told apart"
            )
        # The name decides where two points meet, so that the order of `workers` never does.
        points = sorted((place, name) for name in named for place in _points(name))
        self._places = [place for place, _ in points]
        self._owners = [named[name] for _, name in points]
        self._members = frozenset(workers)


def _points(name: bytes) -> list[int]:
    return _hashes(b"worker", name, POINTS)


def _hashes(kind: bytes, data: bytes, many: int) -> list[int]:
    """Places on the ring: one extendable digest is as many hashes as one wants."""
    digest = hashlib.shake_128(kind + b":" + data).digest(many * _WIDTH)
    return [int.from_bytes(digest[at : at + _WIDTH], "big") for at in range(0, len(digest), _WIDTH)]


def canonical(key: object) -> bytes:
    """Bytes for a key, the same in every process: equal keys have equal ones, others have others.

    A key is a str, bytes, an int, a member of an enum, a UUID or a tuple of these. Everything else
    raises TypeError, because its hash is a matter of the process (or, of a float, of rounding).
    """
    # What derives from str or int equals the plain value, and so do enums that do.
    if isinstance(key, str):
        return b"s" + key.encode("utf-8", "surrogatepass")
    if isinstance(key, bytes):
        return b"b" + key
    if isinstance(key, int):
        return b"i" + key.to_bytes(key.bit_length() // 8 + 1, "big", signed=True)
    if isinstance(key, UUID):
        return b"u" + key.bytes
    if isinstance(key, enum.Enum):
        return b"e" + _parts((type(key).__qualname__, _label(key)))
    if isinstance(key, tuple):
        return b"t" + _parts(cast("tuple[object, ...]", key))
    raise TypeError(
        f"{key!r} cannot be a key to route by: use a str, bytes, int, UUID, member of an enum, or a tuple of "
        f"these, such as the id of what the message is about"
    )


def _label(member: enum.Enum) -> str:
    """Its name; flags that are combined may have none, and have a value in its place."""
    name = cast("Any", member).name
    return name if isinstance(name, str) else repr(member.value)


def _parts(parts: tuple[object, ...]) -> bytes:
    """Each with its length in front, so that no two tuples run together to the same bytes."""
    coded = [canonical(part) for part in parts]
    return b"".join(b"%d:%b" % (len(part), part) for part in coded)
