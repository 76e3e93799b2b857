"""A pool in a test tube: `decide` driven by arrivals, boots and endings, in exact time and without a loop.

Times are multiples of 1/64 s, so that sums of them are exact. Every worker takes one message at
a time. With `hot` only the first worker takes any, as with one key that all messages have.
"""

from __future__ import annotations

import heapq

import attrs

from actors.spawning.scale import Decision, Grow, Load, Scaling, Shrink, Stay, decide
from actors.spawning.triggers import SpawnTrigger, SuccessRate


@attrs.define(eq=False)
class Hand:
    """A worker."""

    ready: bool = False
    idle_since: float | None = None
    gone: bool = False


@attrs.define
class Pool:
    scaling: Scaling
    boot: float = 1.0
    service: float = 1.0
    hot: bool = False
    failing: bool = False
    now: float = 0.0
    hands: list[Hand] = attrs.Factory(list)
    queue: list[float] = attrs.Factory(list)
    changes: list[tuple[float, int, SpawnTrigger | None]] = attrs.Factory(list)
    """(time, by how many, why) of each change of the number of workers."""

    served: int = 0
    looks: int = 0
    rate: SuccessRate = attrs.Factory(SuccessRate)
    _events: list[tuple[float, int, str, Hand | None]] = attrs.Factory(list)
    _count: int = 0
    _grown: float | None = None

    @property
    def workers(self) -> int:
        return len(self.hands)

    def curve(self) -> list[tuple[float, int]]:
        """How many workers there are from each time on."""
        points: dict[float, int] = {}
        total = 0
        for at, by, _ in self.changes:
            total += by
            points[at] = total
        return list(points.items())

    def arrive(self, at: float, many: int) -> None:
        for _ in range(many):
            self._plan(at, "arrival")

    def run(self, until: float) -> None:
        """Let everything happen up to that time."""
        self._look()
        while self._events and self._events[0][0] <= until:
            self.now = self._events[0][0]
            while self._events and self._events[0][0] == self.now:
                _, _, what, hand = heapq.heappop(self._events)
                self._happen(what, hand)
            self._look()
        self.now = until

    def _plan(self, at: float, what: str, hand: Hand | None = None) -> None:
        self._count += 1
        heapq.heappush(self._events, (at, self._count, what, hand))

    def _happen(self, what: str, hand: Hand | None) -> None:
        if what == "arrival":
            self.queue.append(self.now)
        if hand is not None and not hand.gone:
            if what == "end":
                self.served += 1
                self.rate.add(1, int(self.failing))
            hand.ready, hand.idle_since = True, self.now
        self._dispatch()

    def _dispatch(self) -> None:
        for hand in self.hands[:1] if self.hot else self.hands:
            if self.queue and hand.idle_since is not None:
                self.queue.pop(0)
                hand.idle_since = None
                self._plan(self.now + self.service, "end", hand)

    def load(self) -> Load:
        idle = tuple(hand.idle_since for hand in self.hands if hand.idle_since is not None)
        return Load(
            workers=self.workers,
            booting=sum(not hand.ready for hand in self.hands),
            free=len(idle),
            waiting=len(self.queue),
            oldest=self.now - self.queue[0] if self.queue else 0.0,
            success=self.rate.value,
            idle=idle,
        )

    def _look(self) -> None:
        """Decide and obey until the answer is to stay, then look again when it says so."""
        for _ in range(100):
            self.looks += 1
            decision = self._decide()
            if isinstance(decision, Stay):
                if decision.until is not None:
                    assert decision.until > self.now
                    self._plan(decision.until, "look")
                return
            self._obey(decision)
        raise AssertionError("it never comes to rest")

    def _decide(self) -> Decision:
        cooldown_left = 0.0
        if self._grown is not None:
            cooldown_left = max(0.0, self._grown + self.scaling.limits.cooldown - self.now)
        last = self.changes[-1][0] if self.changes else None
        return decide(self.scaling, self.load(), self.now, cooldown_left, last, last_growth=self._grown)

    def _longest_idle(self) -> Hand:
        idle = [hand for hand in self.hands if hand.idle_since is not None]
        return min(idle, key=lambda hand: hand.idle_since or 0.0)

    def _obey(self, decision: Grow | Shrink) -> None:
        if isinstance(decision, Grow):
            self._grown = self.now
            self.rate.clear()
            self.changes.append((self.now, decision.count, decision.trigger))
            for _ in range(decision.count):
                hand = Hand()
                self.hands.append(hand)
                self._plan(self.now + self.boot, "ready", hand)
            return
        self.changes.append((self.now, -decision.count, None))
        for _ in range(decision.count):
            retired = self._longest_idle()
            retired.gone = True
            self.hands.remove(retired)
