"""What the observatory shows of its system, and the few things that it does there, as data ready for JSON."""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import attrs
import trio

from actors.delivery.courier import COURIER
from actors.delivery.errors import IllegalMove, StoreError
from actors.delivery.ticket import Entry, TicketState
from actors.errors import SystemClosed
from actors.monitor import SYSTEM
from actors.names import ROOT, join
from actors.observe.brief import BRIEF, brief, clean, plain
from actors.observe.fact import is_below
from actors.observe.journal import kinds_and_derived
from actors.observe.snapshot import node_row, take_snapshot
from actors.observe.web.frames import dumps
from actors.observe.web.mirror import row
from actors.supervision.family import Family

if TYPE_CHECKING:
    from actors.core.cell import Cell
    from actors.core.kernel import Kernel, Sink
    from actors.observe.fact import Fact
    from actors.observe.journal import Journal
    from actors.people.desk import Desk
    from actors.people.request import PersonRequest
    from actors.system import System

__all__ = ["Seen"]

_COURIER: Final = join(join(ROOT, SYSTEM), COURIER)
_DEAD: Final = 100
"""Dead letters of each sort that are shown."""


class Seen:
    """One system, as those who look see it."""

    def __init__(self, system: System, root: Family) -> None:
        self.system = system
        self.root = root
        self.told = system.journal.letters
        self._held: dict[str, tuple[PersonRequest, str]] = {}

    @property
    def kernel(self) -> Kernel:
        """The shared parts of the system."""
        return self.root.kernel

    @property
    def sink(self) -> Sink:
        """Where its events go."""
        return self.kernel.sink

    @property
    def journal(self) -> Journal:
        """What has happened."""
        return self.system.journal

    @property
    def desk(self) -> Desk:
        """Who asks people."""
        return self.system.desk

    # --- what is shown ---

    def hello(self) -> dict[str, Any]:
        """Who serves: a `session` is one life of the system, and the numbers of facts are its own."""
        kernel = self.kernel
        return {
            "version": 1,
            "system": kernel.name,
            "session": kernel.incarnation,
            "now": kernel.wall(),
            "since": kernel.wall_at(self.root.spawned_at),
        }

    def request(self, one: PersonRequest) -> dict[str, Any]:
        """A request to a person; times are seconds since 1970."""
        kernel = self.kernel
        return {
            "id": one.id,
            "kind": one.kind,
            "text": one.text,
            "options": list(one.options),
            "to": one.to,
            "priority": one.priority,
            "asked": kernel.wall_at(one.asked),
            "deadline": None if one.deadline == math.inf else kernel.wall_at(one.deadline),
            "sender": one.sender,
            "node": one.node,
            "digest": one.digest,
        }

    def requests(self) -> dict[str, tuple[str, str | None]]:
        """All requests that wait, by id: (as JSON, for whom). What has not changed is not encoded anew."""
        before, self._held = self._held, {}
        for one in self.desk.pending():
            held = before.get(one.id)
            self._held[one.id] = (
                held if held is not None and held[0] == one else (one, dumps(self.request(one)))
            )
        return {key: (line, one.to) for key, (one, line) in self._held.items()}

    def nodes(self) -> list[dict[str, Any]]:
        """The linked nodes."""
        return [node_row(self.system, peer) for peer in self.system.nodes]

    async def dead(self) -> dict[str, Any]:
        """The dead letters, the newest first: those told, and those posted. A checkpoint."""
        told = [
            {
                "id": str(number),
                "at": self.kernel.wall_at(letter.at),
                "path": letter.ref.path,
                "sender": None if letter.sender is None else letter.sender.path,
                "reason": str(letter.reason),
                "message": brief(letter.message),
            }
            for number, letter in islice(self.journal.letters, _DEAD)
        ]
        if self.system.find(_COURIER) is None:  # nobody has posted anything
            return {"told": told, "posted": [], "fault": None}
        try:
            posted = await self.system.posted.find(states={TicketState.DEAD}, limit=_DEAD)
        except (StoreError, SystemClosed) as error:
            return {"told": told, "posted": [], "fault": str(error)}
        return {"told": told, "posted": [_entry(entry) for entry in reversed(posted)], "fault": None}

    async def redeliver(self, letter_id: str) -> dict[str, Any]:
        """Send a dead letter again. A checkpoint. Raises `UnknownLetter`, `NobodyThere`, `StoreError`."""
        if _is_told(letter_id):
            await trio.lowlevel.checkpoint()
            return {"path": self.journal.letters.redeliver(letter_id)}
        ticket = await self.system.posted.redeliver(letter_id)
        return {"path": ticket.path, "ticket": ticket.id}

    async def drop(self, letter_id: str) -> None:
        """Put a dead letter away. A checkpoint. Raises `UnknownLetter`, `StoreError`."""
        if _is_told(letter_id):
            await trio.lowlevel.checkpoint()
            self.journal.letters.drop(letter_id)
        else:
            ticket = await self.system.ticket(letter_id)
            if (
                ticket.state is not TicketState.DEAD
            ):  # one that was answered is nothing that people put away here
                raise IllegalMove(letter_id, ticket.state.value, "drop")
            await self.system.posted.drop(letter_id)

    def actor(self, path: str) -> dict[str, Any] | None:
        """All that is known of the actor at a path, also when it is gone; None for one never heard of."""
        ref = self.system.find(path)
        history = self.journal.history(path)
        if ref is None and not history:
            return None
        said: dict[str, Any] = {"path": path, "actor": None, "breaker": plain(self.system.breaker(path))}
        if ref is not None:
            said["actor"] = self._living(ref.cell)
        said["why"] = self.journal.why(path).as_dict()
        said["history"] = [fact.as_dict() for fact in history]
        return said

    def _living(self, cell: Cell) -> dict[str, Any]:
        """One that lives."""
        said: dict[str, Any] = row(self.root, cell)
        statistics = cell.statistics()
        policy = cell.policy
        return said | {
            "handled": statistics.handled,
            "failed": statistics.failed,
            "oldest": statistics.oldest,
            "uptime": statistics.uptime,
            "last_activity": None
            if statistics.last_activity is None
            else self.kernel.wall_at(statistics.last_activity),
            "restart": policy.restart,
            "waiting_for": [] if cell.vigil is None else cell.vigil.waits,
            "children": [child.path for child in cell.child_refs] if isinstance(cell, Family) else [],
        }

    async def snapshot(self) -> dict[str, Any]:
        """Everything at once. A checkpoint."""
        return await take_snapshot(self.system)

    def statistics(self) -> dict[str, Any]:
        """Counts."""
        counts = self.system.statistics()
        states = {str(state): number for state, number in counts.states.items()}
        return {**attrs.asdict(counts), "states": states}

    def kinds(self, names: Iterable[str]) -> frozenset[str]:
        """Kinds of events with those that derive from them. Raises ValueError for unknown ones."""
        return kinds_and_derived(tuple(names))

    @staticmethod
    def wants(kinds: frozenset[str], path: str | None, fact: Fact) -> bool:
        """Whether a fact is one of those that were asked for."""
        return (not kinds or fact.kind in kinds) and (path is None or is_below(fact.path, path))


def _is_told(letter_id: str) -> bool:
    """Told letters have numbers; the ids of tickets have more than digits in them."""
    return letter_id.isascii() and letter_id.isdigit() and len(letter_id) < 20


def _entry(entry: Entry) -> dict[str, Any]:
    payload: object = entry.payload
    return {
        "id": entry.id,
        "at": entry.changed or entry.posted,
        "path": entry.path,
        "sender": entry.sender,
        "attempts": entry.attempts,
        "message": clean(payload, BRIEF) if isinstance(payload, str) else brief(payload),
        "failures": [f"{failure.kind}: {failure.text}"[:500] for failure in entry.failures[-3:]],
    }
