"""The port: what keeps posted messages, and what every engine promises.

`Store` is what users make and pass to `open_system(store=...)`; opened, it gives an `Engine`. Whoever
writes one runs `actors.testing.check_store` on it, which holds it to what stands here.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Final, Protocol

import attrs

from actors.delivery.operations import Change, Handled, Operation, Result, Saved
from actors.delivery.ticket import Entry, TicketState

__all__ = [
    "STARTED_AGAIN",
    "Arrived",
    "Changed",
    "Directory",
    "Engine",
    "Opening",
    "Owner",
    "Resumed",
    "Signal",
    "Store",
]


@attrs.frozen
class Opening:
    """Who opens a store."""

    node: str
    incarnation: str
    """Drawn when its system was opened: a node that starts again is another owner. The same one may open
    a store again, and has in hand what it had; not in a shared one, where closing gives its names up."""
    wall: Callable[[], float]
    """Seconds since 1970."""
    lease: float = 15.0
    """For how many seconds the names of this node stay its own when it is not heard; for shared stores."""


class Store(Protocol):
    """What users make. Nothing is touched before it is opened."""

    @property
    def where(self) -> str:
        """Its file or address, for people."""
        ...

    @property
    def is_durable(self) -> bool:
        """Whether it outlives the process: payloads are JSON text then, else the objects themselves."""
        ...

    @property
    def is_shared(self) -> bool:
        """Whether several nodes use it at once: then its engine has a `Directory`."""
        ...

    def open(self, opening: Opening) -> AbstractAsyncContextManager[Engine]:
        """Open it; leaving the block writes what is to be written, and closes everything of it.

        Raises `StoreInvalid`, `StoreInUse`, `StoreTooNew`, `StoreDamaged` or `StoreUnavailable`. What was
        DELIVERED by an owner that is no more has failed once (`Failure` with kind ""): it is PENDING again,
        or DEAD where that was the last attempt; a TIMED_OUT one has nobody working on it any more.
        """
        ...


class Engine(Protocol):
    """An opened store. Every method is a checkpoint, and may be called from several tasks at once."""

    async def write(self, group: Sequence[Operation]) -> list[Result]:
        """Write a group, in its order; one result each. What was refused is an error among the results.

        When it returns all of it is safe: with a durable store, on the disk. Raises `StoreUnavailable`,
        and then nothing of the group counts as written, though it may be: write it again. Raises
        `StoreDamaged` where the file is, at what this group concerns.
        It is not to be cancelled, but where a system ends and it takes too long: it may be written then.
        """
        ...

    async def take(
        self, path: str, limit: int, *, again: bool = False, token: int | None = None
    ) -> list[Entry]:
        """Pending tickets of a recipient in the order in which they are to be delivered, at most `limit`.

        A shared store gives each to its owner once; `again` gives those too that it has given before.
        Any other gives the first ones each time. One whose payload is damaged is not among them: it has
        become DEAD with a `StoreDamaged` failure. Raises `NotTheOwner` for an old token.
        """
        ...

    async def waiting(self) -> Mapping[str, int]:
        """How many live tickets each recipient has; those that have none are left out."""
        ...

    async def get(self, ticket_id: str) -> Entry | None:
        """A ticket, or None. Raises `StoreDamaged` where its payload is not what was written."""
        ...

    async def find(
        self,
        *,
        states: Collection[TicketState] = (),
        path: str | None = None,
        after: int = 0,
        limit: int = 100,
    ) -> list[Entry]:
        """Tickets of these states (none: of all) by their `seq`, from the one after `after` on.

        A damaged payload is None here: lists are for people, who are to see that it is there.
        """
        ...

    async def due(self, before: float, limit: int) -> list[Entry]:
        """Live tickets that time out at `before` or sooner, the soonest first. Their payloads may be None."""
        ...

    async def next_due(self) -> float | None:
        """When the next live ticket times out; None where none does."""
        ...

    async def load(self, path: str) -> Any:
        """The state that an actor has saved, or None. Raises `StoreDamaged`."""
        ...

    async def states(self, below: str) -> list[Saved]:
        """Every saved state whose path begins with `below`, such as "/system/desk/", in the order of paths.

        No character of `below` has a meaning of its own. A damaged state is left out of the list and
        named in the log, as whoever asks wants all the others; `load` raises for it.
        """
        ...

    async def handled(self, ticket_id: str) -> Handled | None:
        """A ticket of another node that was handled here."""
        ...

    async def changes(self, after: int, limit: int) -> list[Change]:
        """The feed from the change after `after` on. The first number kept is higher than `after + 1` where
        older changes are kept no more: at least the last 10,000 are.
        """
        ...

    async def last_change(self) -> int:
        """The number of the newest change; 0 where there is none."""
        ...

    async def wait_change(self, after: int) -> None:
        """Return when there is a change with a number above `after`, whichever node has made it."""
        ...

    def signals(self) -> AsyncIterator[Signal]:
        """What other nodes have done, as it happens, for shared stores. One task iterates."""
        ...

    @property
    def directory(self) -> Directory | None:
        """Who owns which name; None for a store of one node."""
        ...


# --- for stores that several nodes share -------------------------------------------

STARTED_AGAIN: Final = " (started again)"
"""What follows the name of a node where a claim of its earlier incarnation is refused."""


@attrs.frozen
class Owner:
    """Whose a name is."""

    node: str
    token: int
    """Grows with each change of the owner: what an older one writes is refused."""


class Directory(Protocol):
    """Path → node, for as long as the node's lease is renewed. Two nodes never own one name at once."""

    async def claim(self, path: str) -> Owner:
        """Make the name this node's, if it is nobody's; who has it. Claiming again changes nothing.

        A lapsed owner's name is free, and so is that of an earlier incarnation of this node: the new
        owner has a higher token, and what the old one had in hand has failed once, as at `Store.open`.
        Where a later incarnation of this node has it, that is told as another: see `STARTED_AGAIN`.
        Whoever was refused a name hears `Arrived` when it is given up.
        """
        ...

    async def release(self, path: str) -> None:
        """Give the name up, if it is this node's. Idempotent. What is claimed later has a higher token."""
        ...

    async def owner(self, path: str) -> Owner | None:
        """Whose it is; None where it is nobody's, or the owner's lease has lapsed."""
        ...

    async def renew(self) -> bool:
        """Keep this node's lease for `Opening.lease` seconds more. False: it had lapsed; its names have to be
        claimed anew, and may be others' by now.
        """
        ...


@attrs.frozen
class Arrived:
    """There is something new for a name of this node, or that this node has asked for."""

    path: str
    priority: int = 0


@attrs.frozen
class Changed:
    """A ticket that was posted by this node, or that it asked after by `Engine.get`, has changed."""

    id: str
    state: TicketState


@attrs.frozen
class Resumed:
    """Signals may have been lost (the server was away): look at everything again."""


Signal = Arrived | Changed | Resumed
