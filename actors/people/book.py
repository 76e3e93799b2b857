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


@attrs.define(eq=False)
class Wait:
    """Somebody who waits for the answer until `deadline`, and then has it escalated along `rungs`.

    `limit` is for how many seconds they wanted to wait, when they asked at `since`.
    """

    deadline: float
    rungs: tuple[Rung, ...] = ()
    since: float = 0.0
    limit: float | None = None


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


@attrs.frozen
class _Over:
    """What is remembered of a request that is over."""

    how: Ended
    by: str | None
    key: str | None


@attrs.define
class Book:
    """All open requests of one desk, and the last ones that are over."""

    asking: Asking
    is_lasting: bool = False
    """Whether answers outlive their ids, in a durable store."""
    _open: dict[str, Matter] = attrs.field(factory=dict[str, Matter])
    _by_key: dict[str, Matter] = attrs.field(factory=dict[str, Matter])
    _over: dict[str, _Over] = attrs.field(factory=dict[str, _Over])
    """By their ids, the oldest first."""
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

    def void_changed(self, question: PersonRequest) -> Matter | Kept | None:
        """What was approved by the key of this question, where it was another action, is void.

        It is returned where there was such a one; if it was open still, it is withdrawn now.
        """
        if question.key is None or question.digest is None:
            return None
        found = self._by_key.get(question.key) or self._kept.get(question.key)
        if found is None or found.request.digest in (None, question.digest):
            return None
        if found.grant.state is GrantState.OPEN:
            found.grant.state = GrantState.VOID
        if isinstance(found, Kept):
            del self._kept[question.key]
        elif found.ended is None:
            self._end(found, Ended.WITHDRAWN)
        else:
            del self._by_key[question.key]
        return found

    def enter(self, question: PersonRequest, wait: Wait) -> Matter:
        """Open a request. Raises `DeskFull`."""
        if len(self._open) >= self.asking.capacity:
            raise DeskFull(self.asking.capacity)
        matter = Matter(question, [wait], base=wait.since)
        self._open[question.id] = matter
        if question.key is not None:
            self._by_key[question.key] = matter
        self._moved(matter, wait.since)
        return matter

    def join(self, matter: Matter, wait: Wait) -> bool:
        """One more waits for it, also for an answer that is not settled yet. True: its deadline has moved.

        Whoever comes back for a parked one, with the limit that it was asked with, waits on as before: its
        deadline and who is asked next are what they were.
        """
        if matter.is_parked:
            (before,) = matter.waits
            if before.limit == wait.limit:
                wait.deadline, wait.rungs = before.deadline, before.rungs
            matter.waits.clear()
            matter.is_parked = False
        matter.waits.append(wait)
        return matter.ended is None and self._moved(matter, wait.since)

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
        over = self._over[request_id]
        if over.how is Ended.ANSWERED:
            raise AlreadyAnswered(request_id, over.by)
        raise RequestWithdrawn(request_id) if over.how is Ended.WITHDRAWN else RequestExpired(request_id)

    def answer(self, request_id: object, value: Any, by: str | None, now: float) -> tuple[Matter, Kept]:
        """Decide a request; raises what `get` does, and `InvalidAnswer`, which leaves it open.

        Until it is settled its key leads to whoever waits for that.
        """
        matter = self.get(request_id)
        request = matter.request
        taken = check_answer(request, value, self.asking.max_answer)
        answer = Answer(request.id, request.kind, taken, by, now)
        self._end(matter, Ended.ANSWERED, by)
        return matter, Kept(request, answer, now + self.asking.keep, matter.grant)

    def settle(self, matter: Matter, kept: Kept) -> None:
        """The answer stands: its key leads to it from now on, if nothing has made that void."""
        key = kept.request.key
        if key is not None and self._by_key.get(key) is matter:
            del self._by_key[key]
            self.keep(kept)

    def withdraw(self, request_id: object) -> Matter:
        """Take a request back; raises what `get` does."""
        matter = self.get(request_id)
        self.end(matter)
        return matter

    def end(self, matter: Matter) -> None:
        """It is withdrawn, whether or not people have seen it."""
        self._end(matter, Ended.WITHDRAWN)

    def keep(self, kept: Kept) -> None:
        """Remember an answer by its key."""
        assert kept.request.key is not None
        self._kept.pop(kept.request.key, None)
        self._kept[kept.request.key] = kept

    def recall(self, kept: Kept) -> None:
        """An answer from before a restart; the oldest first."""
        self.keep(kept)
        self._remember(kept.request, Ended.ANSWERED, kept.answer.by)

    def stale(self, now: float) -> list[Kept]:
        """Forget the answers that have been kept long enough; which they were."""
        gone: list[Kept] = []
        while self._kept:
            key, kept = next(iter(self._kept.items()))
            if kept.until > now:
                break
            gone.append(self._kept.pop(key))
        return gone

    @property
    def next_stale(self) -> float | None:
        """When the next answer has been kept long enough."""
        return next(iter(self._kept.values())).until if self._kept else None

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

    def _moved(self, matter: Matter, now: float) -> bool:
        """Its deadline is the latest of those who wait; it warns near it, and again where that has moved."""
        deadline = max(wait.deadline for wait in matter.waits)
        if deadline == matter.request.deadline:
            return False
        matter.request = attrs.evolve(matter.request, deadline=deadline)
        self._set_warning(matter, now)
        return True

    def _set_warning(self, matter: Matter, now: float) -> None:
        deadline, share = matter.request.deadline, self.asking.warn
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
        if request.key is not None and how is not Ended.ANSWERED:
            del self._by_key[request.key]
        self._remember(request, how, by)

    def _remember(self, request: PersonRequest, how: Ended, by: str | None) -> None:
        self._over[request.id] = _Over(how, by, request.key)
        if len(self._over) > self.asking.remember:
            self._forget(next(iter(self._over)))

    def _forget(self, request_id: str) -> None:
        key = self._over.pop(request_id).key
        if key is None or self.is_lasting:
            return
        kept = self._kept.get(key)
        if kept is not None and kept.request.id == request_id:  # and not that of a later one with this key
            del self._kept[key]

    def close(self) -> None:
        """Nobody waits any more."""
        for matter in self:
            self._end(matter, Ended.WITHDRAWN)
        self._by_key.clear()
        self._kept.clear()

    def restore(self, matter: Matter, now: float) -> bool:
        """A parked request from before a restart is open again, however many there are; False where its
        id or key is there already.
        """
        request = matter.request
        if request.id in self._open or request.key is None or self.find(request, now) is not None:
            return False
        self._open[request.id] = self._by_key[request.key] = matter
        self._set_warning(matter, now)
        return True

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
