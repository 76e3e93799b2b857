"""Which job may start next, and when. Pure: `now` is an argument, and so is who has which name.

    waiting   for the jobs that it comes after
    ready     it starts when there is a slot: in input order, `stagger` seconds apart
    blocked   another job of its name is at work, here or in another batch
    running   it has a slot
    resting   between two attempts: it keeps its name, but has no slot
    ended

The rules: no more than `limit` run; a job whose rest is over goes before those that have
not started; whoever waits, for whatever, holds no slot. `take` gives out slots one by
one; every slot comes back by `rest` or `end`.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING

from actors.jobs.graph import Links, followers_of, links, waves
from actors.policy import Policy
from actors.supervision.backoff import delay

if TYPE_CHECKING:
    from actors.jobs.job import Job
    from actors.limits import Timeout

__all__ = ["Names", "Plan", "longest"]


class Names:
    """The names at work in one system, over all batches, and who waits for one to come free."""

    def __init__(self) -> None:
        self._waiting: dict[str, dict[Callable[[str], None], None]] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def take(self, name: str, free: Callable[[str], None]) -> bool:
        """Take a name; when it is at work, False, and `free(name)` is called once it is not any more."""
        waiting = self._waiting.get(name)
        if waiting is None:
            self._waiting[name] = {}
            return True
        waiting[free] = None
        return False

    def forget(self, free: Callable[[str], None]) -> None:
        """Call `free` no more."""
        for waiting in self._waiting.values():
            waiting.pop(free, None)

    def give_back(self, name: str) -> None:
        """The work under this name is over: tell those who wait, in the order of their waiting."""
        for free in self._waiting.pop(name):
            free(name)


class Plan:
    """One batch under way: what may start now, and when to ask again."""

    def __init__(
        self,
        after: Links,
        names: Sequence[str | None],
        *,
        limit: int,
        stagger: float = 0.0,
        ended: Collection[int] = (),
    ) -> None:
        self._names = names
        self._limit = limit
        self._stagger = stagger
        self._followers = followers_of(after)
        self._missing = [len(before) for before in after]
        self._open = dict.fromkeys(index for index in range(len(names)) if index not in ended)
        self._ready = [index for index in self._open if not self._missing[index]]
        self._resting: list[tuple[float, int]] = []
        self._blocked: dict[str, list[int]] = {}
        self._slots: set[int] = set()
        self._next_start = -math.inf
        for index in ended:
            self._let_follow(index)

    @property
    def done(self) -> bool:
        """True when every job has ended."""
        return not self._open

    @property
    def running(self) -> int:
        """How many slots are out."""
        return len(self._slots)

    def take(self, now: float, claim: Callable[[str], bool]) -> int | None:
        """Give out a slot: the job to start now, or None. `claim(name)` takes a name, if it is free."""
        if len(self._slots) >= self._limit:
            return None
        index = self._next_rested(now)
        if index is None:
            index = self._next_ready(now, claim)
        if index is not None:
            self._slots.add(index)
        return index

    def _next_rested(self, now: float) -> int | None:
        if not self._resting or self._resting[0][0] > now:
            return None
        return heapq.heappop(self._resting)[1]

    def _next_ready(self, now: float, claim: Callable[[str], bool]) -> int | None:
        while self._ready and now >= self._next_start:
            index = heapq.heappop(self._ready)
            name = self._names[index]
            if name is None or claim(name):
                return index
            heapq.heappush(self._blocked.setdefault(name, []), index)
        return None

    def begin(self, now: float) -> None:
        """A job has started for the first time: the next one does `stagger` seconds later."""
        self._next_start = now + self._stagger

    def next_due(self) -> float:
        """When `take` may have another answer although nothing happened; infinity: never."""
        if len(self._slots) >= self._limit:
            return math.inf
        rested = self._resting[0][0] if self._resting else math.inf
        return min(rested, self._next_start if self._ready else math.inf)

    def rest(self, index: int, due: float) -> None:
        """The job gives its slot back and wants another one at `due`."""
        self._slots.remove(index)
        heapq.heappush(self._resting, (due, index))

    def end(self, index: int) -> None:
        """The job is over: free are its slot, its name, and those that come after it."""
        self._slots.discard(index)
        del self._open[index]
        self._let_follow(index)
        name = self._names[index]
        if name is not None:
            self.free(name)

    def _let_follow(self, index: int) -> None:
        for follower in self._followers[index]:
            self._missing[follower] -= 1
            if not self._missing[follower] and follower in self._open:
                heapq.heappush(self._ready, follower)

    def free(self, name: str) -> None:
        """The name may be free again: the first job that was blocked by it tries."""
        blocked = self._blocked.get(name)
        if blocked:
            heapq.heappush(self._ready, heapq.heappop(blocked))

    @property
    def open(self) -> tuple[int, ...]:
        """Every job that has not ended, in input order."""
        return tuple(self._open)

    def close(self) -> tuple[int, ...]:
        """Start nothing any more. Those that are neither running nor ended, in input order."""
        self._limit = 0
        return tuple(index for index in self._open if index not in self._slots)


# --- how long it can take ---------------------------------------------------------


def longest(
    jobs: Sequence[Job], limit: int = 10, stagger: float = 0.0, policy: Policy | None = None
) -> float:
    """Seconds after which a batch has ended for sure, by the limits of its jobs; infinity if one has none.

    Counts waves, jobs of one name, retries with their backoff, and fallbacks. `policy` is that
    of jobs without one. Not counted: `on_stop`, a service's own `retry_after`, and names
    that another batch holds.
    """
    default = Policy() if policy is None else policy
    open_jobs = [job.outcome is None for job in jobs]
    runs = [_runs(job, default) if is_open else 0.0 for job, is_open in zip(jobs, open_jobs, strict=True)]
    rests = [_rests(job, default) if is_open else 0.0 for job, is_open in zip(jobs, open_jobs, strict=True)]
    if math.inf in runs:
        return math.inf
    staggered = stagger * max(0, sum(open_jobs) - 1)
    if limit >= sum(open_jobs):  # nobody waits for a slot
        return staggered + _longest_chain(jobs, runs, rests, 1.0)
    # While the last chain of jobs does not get on, all slots work on others (Graham 1966)
    return staggered + sum(runs) / limit + _longest_chain(jobs, runs, rests, 1 - 1 / limit)


def _longest_chain(jobs: Sequence[Job], runs: Sequence[float], rests: Sequence[float], share: float) -> float:
    """The longest way through the waves. Jobs of one name run one by one, so each counts for all of them."""
    weights = [run * share + rest for run, rest in zip(runs, rests, strict=True)]
    named: dict[str, float] = {}
    for job, weight in zip(jobs, weights, strict=True):
        if job.name is not None:
            named[job.name] = named.get(job.name, 0.0) + weight
    after = links(jobs)
    until = [0.0] * len(jobs)
    for wave in waves(after):
        for index in wave:
            name = jobs[index].name
            own = weights[index] if name is None else named[name]
            until[index] = own + max((until[earlier] for earlier in after[index]), default=0.0)
    return max(until, default=0.0)


def _runs(job: Job, default: Policy) -> float:
    """Seconds that it can have a slot for."""
    policy = default if job.policy is None else job.policy
    once = _limit_of(policy.timeout) if job.timeout is None else job.timeout
    return once * (_attempts(job, policy) + (job.fallback is not None))


def _rests(job: Job, default: Policy) -> float:
    """Seconds that it can wait between its attempts."""
    policy = default if job.policy is None else job.policy
    return sum(delay(policy.backoff, attempt, 1.0) for attempt in range(_attempts(job, policy) - 1))


def _attempts(job: Job, policy: Policy) -> int:
    return 1 if job.name is None else 1 + policy.retries


def _limit_of(timeout: Timeout | None) -> float:
    if timeout is None:
        return math.inf
    return timeout.initial if timeout.mode == "fixed" else timeout.maximum
