"""The desk's decisions: which requests are open, whose answer counts, what time does to them. Pure.

A request is open while somebody waits for it, each with a limit of their own, or while it is parked: kept
for an asker who comes back with its key. Then it is over for good: answered, expired, or withdrawn.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Iterator
from typing import Any

import attrs

from actors.asking import Asking
from actors.people.errors import (
    AlreadyAnswered,
    DeskFull,
    KeyReused,
    RequestExpired,
    RequestWithdrawn,
    UnknownRequest,
)
from actors.people.request import Answer, PersonRequest, Rung, check_answer

__all__ = [
    "Book",
    "Ended",
    "Escalated",
    "Expired",
    "Grant",
    "GrantState",
    "Happening",
    "Kept",
    "Matter",
    "Wait",
    "Waited",
    "Warned",
]


class Ended(enum.Enum):
    """How a request is over."""

    ANSWERED = "answered"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


class GrantState(enum.Enum):
    """What has become of an approved action."""

    OPEN = "open"
    CLAIMED = "claimed"
    VOID = "void"


@attrs.define(eq=False)
class Grant:
    """The right to carry out an approved action once."""

    state: GrantState = GrantState.OPEN

    def void(self) -> None:
        """It allows nothing any more, if it was not claimed before."""
        if self.state is GrantState.OPEN:
            self.state = GrantState.VOID


@attrs.define(eq=False)
class Wait:
    """Somebody who waits for the answer until `deadline`, and then has it escalated along `rungs`."""

    deadline: float
    rungs: tuple[Rung, ...] = ()
    since: float = 0.0


@attrs.frozen
class Kept:
    """An answer that is found again by its key."""

    request: PersonRequest
    answer: Answer
    until: float
    grant: Grant = attrs.field(factory=Grant)


@attrs.define(eq=False)
class Matter:
    """An open request."""

    request: PersonRequest
    waits: list[Wait]
    is_shown: bool = False
    """Whether people see it. It is stored before."""
    base: float = 0.0
    """Since when its deadline counts: it was asked, or another one is asked now."""
    warn_at: float = math.inf
    has_warned: bool = False
    is_parked: bool = False
    """Nobody waits now: whoever asks again with its key does. Its one wait says how long it stays."""
    ended: Ended | None = None
    grant: Grant = attrs.field(factory=Grant)
    """What its approval allows, once it has been approved."""

    @property
    def due(self) -> float:
        """When time does something to it."""
        return min(self.warn_at, *(wait.deadline for wait in self.waits)) if self.waits else math.inf


@attrs.frozen
class Warned:
    """The deadline of a request is near."""

    remaining: float


@attrs.frozen
class Escalated:
    """Another person is asked now."""

    before: str | None
    wait: Wait


@attrs.frozen
class Waited:
    """One who has waited waits no longer; others may."""

    wait: Wait


@attrs.frozen
class Expired:
    """Nobody waits any more: it is over."""


Happening = Warned | Escalated | Waited | Expired


@attrs.define
class Book:
    """All open requests of one desk, and the last ones that are over."""

    asking: Asking
    is_lasting: bool = False
    """Whether answers outlive their ids, in a durable store."""
    _open: dict[str, Matter] = attrs.field(factory=dict[str, Matter])
    _by_key: dict[str, Matter] = attrs.field(factory=dict[str, Matter])
    _over: dict[str, tuple[Ended, str | None, str | None]] = attrs.field(
        factory=dict[str, tuple[Ended, str | None, str | None]]
    )
    """Id → how it ended, who has answered, its key. The oldest first."""
    _kept: dict[str, Kept] = attrs.field(factory=dict[str, Kept])
    """Key → its answer. The oldest first."""

    # --- asking ---

    def find(self, question: PersonRequest, now: float) -> Matter | Kept | None:
        """What the key of a question stands for already; None where it is new.

        Raises `KeyReused` where the key stands for another question.
        """
        if question.key is None:
            return None
        kept = self._kept.get(question.key)
        found = kept if kept is not None and now < kept.until else self._by_key.get(question.key)
        if found is not None and not found.request.is_same_question(question):
            raise KeyReused(question.key, found.request.id, found.request.text)
        return found

    def enter(self, question: PersonRequest, wait: Wait) -> Matter:
        """Open a request. Raises `DeskFull`."""
        if len(self._open) >= self.asking.capacity:
            raise DeskFull(self.asking.capacity)
        matter = Matter(attrs.evolve(question, deadline=math.inf), [wait], base=wait.since)
        self._open[question.id] = matter
        if question.key is not None:
            self._by_key[question.key] = matter
        self._moved(matter, wait.since)
        return matter

    def join(self, matter: Matter, wait: Wait) -> None:
        """One more waits for it."""
        if matter.is_parked:
            matter.waits.clear()
            matter.is_parked = False
        matter.waits.append(wait)
        self._moved(matter, wait.since)

    def leave(self, matter: Matter, wait: Wait, now: float, *, park: bool) -> bool:
        """Somebody waits no longer. True: nobody does, and it is over.

        `park` keeps it for whoever comes back with its key, as long as the last one would have waited.
        """
        if matter.ended is not None or wait not in matter.waits:
            return False
        if len(matter.waits) == 1:
            if park:
                matter.is_parked = True
                return False
            self._end(matter, Ended.WITHDRAWN)
            return True
        matter.waits.remove(wait)
        self._moved(matter, now)
        return False

    # --- answering ---

    def get(self, request_id: object) -> Matter:
        """The open request; raises `UnknownRequest`, `AlreadyAnswered`, `RequestExpired`."""
        if not isinstance(request_id, str):
            raise UnknownRequest(request_id)
        matter = self._open.get(request_id)
        if matter is not None and matter.is_shown:
            return matter
        if request_id not in self._over:
            raise UnknownRequest(request_id)
        how, by, _ = self._over[request_id]
        if how is Ended.ANSWERED:
            raise AlreadyAnswered(request_id, by)
        raise RequestWithdrawn(request_id) if how is Ended.WITHDRAWN else RequestExpired(request_id)

    def answer(self, request_id: object, value: Any, by: str | None, now: float) -> tuple[Matter, Answer]:
        """Decide a request; raises what `get` does, and `InvalidAnswer`, which leaves it open."""
        matter = self.get(request_id)
        request = matter.request
        check_answer(request, value, self.asking.max_answer)
        answer = Answer(request.id, request.kind, value, by, now)
        self._end(matter, Ended.ANSWERED, by)
        if request.key is not None:
            self.keep(Kept(request, answer, now + self.asking.keep, matter.grant))
        return matter, answer

    def withdraw(self, request_id: object) -> Matter:
        """Take a request back; raises what `get` does."""
        matter = self.get(request_id)
        self._end(matter, Ended.WITHDRAWN)
        return matter

    def keep(self, kept: Kept) -> None:
        """Remember an answer by its key."""
        assert kept.request.key is not None
        self._kept.pop(kept.request.key, None)
        self._kept[kept.request.key] = kept

    def forget(self, key: str) -> Kept | None:
        """The answer to this key stands no longer."""
        return self._kept.pop(key, None)

    def stale(self, now: float) -> list[Kept]:
        """Forget the answers that have been kept long enough; which they were."""
        gone: list[Kept] = []
        while self._kept:
            key, kept = next(iter(self._kept.items()))
            if kept.until > now:
                break
            gone.append(self._kept.pop(key))
        return gone

    def kept_at(self, key: str) -> Kept | None:
        """The answer that this key finds."""
        return self._kept.get(key)

    # --- time ---

    def extend(self, request_id: object, seconds: float, now: float) -> Matter:
        """Everybody who waits waits so many seconds more; raises what `get` does."""
        matter = self.get(request_id)
        for wait in matter.waits:
            wait.deadline += seconds
        self._moved(matter, now)
        return matter

    def ring(self, matter: Matter, now: float) -> list[Happening]:
        """What time has done to it, at `now`."""
        if matter.ended is not None:
            return []
        happened: list[Happening] = []
        for wait in [wait for wait in matter.waits if wait.deadline <= now]:
            happened.append(self._late(matter, wait, now))
        if not matter.waits:
            self._end(matter, Ended.EXPIRED)
            happened.append(Expired())
        elif matter.warn_at <= now:
            matter.warn_at, matter.has_warned = math.inf, True
            happened.append(Warned(matter.request.deadline - now))
        return happened

    def _late(self, matter: Matter, wait: Wait, now: float) -> Happening:
        if not wait.rungs:
            matter.waits.remove(wait)
            if matter.waits:
                self._moved(matter, now)
            return Waited(wait)
        rung, *rest = wait.rungs
        before = matter.request.to
        wait.deadline, wait.rungs = now + rung.timeout, tuple(rest)
        matter.request = attrs.evolve(matter.request, to=rung.to)
        matter.base, matter.has_warned = now, False
        self._moved(matter, now)
        return Escalated(before, wait)

    def _moved(self, matter: Matter, now: float) -> None:
        """Its deadline is the latest of those who wait; it warns near it, and again where that has moved."""
        deadline, share = max(wait.deadline for wait in matter.waits), self.asking.warn
        if deadline == matter.request.deadline:
            return
        matter.request = attrs.evolve(matter.request, deadline=deadline)
        if deadline == math.inf or share == 1:
            matter.warn_at = math.inf
            return
        matter.warn_at = matter.base + share * (deadline - matter.base)
        if matter.warn_at > now:
            matter.has_warned = False
        elif matter.has_warned:
            matter.warn_at = math.inf

    # --- over ---

    def _end(self, matter: Matter, how: Ended, by: str | None = None) -> None:
        request = matter.request
        matter.ended = how
        del self._open[request.id]
        if request.key is not None:
            del self._by_key[request.key]
        self._over[request.id] = (how, by, request.key)
        if len(self._over) > self.asking.remember:
            _, _, key = self._over.pop(next(iter(self._over)))
            if key is not None and not self.is_lasting:
                self._kept.pop(key, None)

    def restore(self, question: PersonRequest, wait: Wait) -> Matter:
        """An open request from before a restart: it is parked."""
        matter = self.enter(question, wait)
        matter.is_shown = matter.is_parked = True
        return matter

    # --- looking ---

    def __len__(self) -> int:
        return len(self._open)

    def __iter__(self) -> Iterator[Matter]:
        return iter(tuple(self._open.values()))

    @property
    def remembered(self) -> int:
        """How many ended requests are known by their ids."""
        return len(self._over)

    @property
    def kept(self) -> int:
        """How many answers are found again by their keys."""
        return len(self._kept)
