"""Random programs of posts, spawns, ends, crashes, cancels and time, against a plain model."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from typing import Any

import attrs
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

import actors
from actors import Backoff, Delivery, Policy, Ticket, TicketState
from actors.delivery import Change, MemoryStore
from actors.delivery.shelf import OUTCOMES
from actors.delivery.ticket import ENDED, MOVES
from tests.delivery.post_cast import PATIENT, Boom, SlowStore

NAMES = ("a", "b")
STEPS = {(before, after) for (before, _, _), (after, _) in MOVES.items()} | {
    (TicketState.DELIVERED, TicketState.DEAD)
}


@actors.message
class Job(actors.Request[int]):
    """Takes `seconds`, and fails in its first `failures` deliveries, or is refused."""

    n: int
    seconds: float
    failures: int
    how: str


@attrs.define
class Log:
    """What the recipients saw."""

    begun: list[tuple[str, int]] = attrs.field(factory=list[tuple[str, int]])
    tries: dict[int, int] = attrs.field(factory=lambda: defaultdict[int, int](int))
    at_work: dict[str, int] = attrs.field(factory=lambda: defaultdict[str, int](int))
    faults: list[str] = attrs.field(factory=list[str])


class Recipient(actors.Actor):
    """Does its jobs, and looks that it has one at a time."""

    def __init__(self, log: Log, name: str) -> None:
        self.log, self.name = log, name

    @actors.receive
    async def job(self, job: Job) -> int:
        self.log.begun.append((self.name, job.n))
        self.log.tries[job.n] += 1
        self.log.at_work[self.name] += 1
        if self.log.at_work[self.name] > 1:
            self.log.faults.append(f"two at once in {self.name}")
        try:
            if job.how == "early":
                self.ctx.reply(job.n)
            if job.seconds:
                await trio.sleep(job.seconds)
            if self.log.tries[job.n] <= job.failures:
                raise Boom
            if job.how == "refused":
                raise actors.Refused("no")
            if job.how == "later":
                self.ctx.reply_later().answer(job.n)
            return job.n
        finally:
            self.log.at_work[self.name] -= 1


@attrs.frozen
class Post:
    name: str
    seconds: float
    failures: int
    how: str
    priority: int
    max_attempts: int
    timeout: float | None
    key: str | None


@attrs.frozen
class Act:
    what: str
    name: str


@attrs.frozen
class Pause:
    seconds: float
    checkpoints: int


@attrs.frozen
class Cancel:
    which: int


names = st.sampled_from(NAMES)
posts = st.builds(
    Post,
    names,
    st.sampled_from([0.0, 0.0, 0.0, 1.0, 7.0]),
    st.integers(0, 3),
    st.sampled_from(["", "", "early", "later", "refused"]),
    st.integers(0, 1),
    st.integers(1, 3),
    st.sampled_from([None, None, None, 3.0, 20.0]),
    st.sampled_from([None, None, "k"]),
)
acts = st.builds(
    Act, st.sampled_from(["spawn", "spawn", "stop", "drain", "kill", "suspend", "resume"]), names
)
pauses = st.builds(Pause, st.sampled_from([0.0, 0.0, 0.5, 5.0]), st.integers(0, 6))
programs = st.lists(st.one_of(posts, posts, acts, pauses, st.builds(Cancel, st.integers(0, 30))), max_size=40)


class World:
    """One run of a program."""

    def __init__(self, system: actors.System, policy: Policy) -> None:
        self.system = system
        self.policy = policy
        self.log = Log()
        self.tickets: dict[int, Ticket[Any]] = {}
        self.posts: dict[int, Post] = {}
        self.cancelled: set[int] = set()

    async def play(self, step: Any) -> None:
        match step:
            case Post():
                await self.post(step)
            case Pause(seconds, checkpoints):
                await trio.sleep(seconds)
                for _ in range(checkpoints):
                    await trio.lowlevel.checkpoint()
            case Cancel(which) if self.tickets:
                n = sorted(self.tickets)[which % len(self.tickets)]
                if self.tickets[n].cancel():
                    self.cancelled.add(n)
            case Act(what, name):
                self.act(what, name)
            case _:
                pass

    async def post(self, post: Post) -> None:
        n = len(self.posts)
        key = None if post.key is None else f"{post.key}{n}"
        job = Job(n, post.seconds, post.failures, post.how)
        for _ in range(1 if key is None else 2):
            ticket = await self.system.post(
                f"/{post.name}",
                job,
                key=key,
                timeout=post.timeout,
                priority=post.priority,
                max_attempts=post.max_attempts,
            )
            assert self.tickets.setdefault(n, ticket) is ticket
        self.posts[n] = post

    def act(self, what: str, name: str) -> None:
        ref = self.system.find(f"/{name}")
        if what == "spawn":
            if ref is None:
                self.system.spawn(Recipient, self.log, name, name=name, policy=self.policy)
        elif ref is not None:
            getattr(ref, what)()

    async def bring_to_an_end(self) -> None:
        """Everybody is there, and everything has its time."""
        for _ in range(2):
            for name in NAMES:
                self.act("resume", name)
                self.act("spawn", name)
            await trio.sleep(1000.0)

    # --- what has to hold ---

    def check(self, changes: list[Change], ordered: bool, slow: float) -> None:
        assert self.log.faults == []
        for n, ticket in self.tickets.items():
            self.check_ticket(n, ticket, [change for change in changes if change.id == ticket.id])
        for name in NAMES:
            self.check_order(name, changes, ordered, slow)

    def check_ticket(self, n: int, ticket: Ticket[Any], way: list[Change]) -> None:
        post, entry, tries = self.posts[n], ticket.entry, self.log.tries[n]
        states = [change.state for change in way]
        assert states[0] is TicketState.PENDING
        assert set(pairwise(states)) <= STEPS
        assert ticket.state is states[-1]
        assert ticket.state in ENDED
        assert not entry.working
        assert tries <= post.max_attempts
        assert tries <= entry.attempts or ticket.state in (TicketState.CANCELLED, TicketState.TIMED_OUT)
        assert entry.attempts <= post.max_attempts
        if ticket.state is TicketState.DEAD:
            assert len(entry.failures) == entry.attempts == post.max_attempts == tries
        if ticket.state is TicketState.RESPONDED:
            assert entry.answer == n
        if ticket.state is TicketState.FAILED:
            assert post.how == "refused"
        if ticket.state is TicketState.TIMED_OUT:
            assert post.timeout is not None
        assert (ticket.state is TicketState.CANCELLED) == (n in self.cancelled)

    def check_order(self, name: str, changes: list[Change], ordered: bool, slow: float) -> None:
        """At each delivery nothing that waits is before it, but for what was posted in that moment."""
        number = {ticket.id: n for n, ticket in self.tickets.items()}
        waiting: dict[int, float] = {}
        for change in changes:
            if change.path != f"/{name}":
                continue
            n = number[change.id]
            if change.state is TicketState.DELIVERED and ordered:
                before = [
                    one
                    for one, since in waiting.items()
                    if self.place(one) < self.place(n)
                    and (since + 2 * slow < change.at or self.place(one)[0] == self.place(n)[0])
                ]
                assert not before, f"{n} was delivered before {before}"
            if change.state is TicketState.PENDING:
                waiting[n] = change.at
            else:
                waiting.pop(n, None)

    def place(self, n: int) -> tuple[int, int]:
        """What is smaller goes first."""
        return -self.posts[n].priority, n


async def run(program: list[Any], ordered: bool, at_once: int, slow: float) -> None:
    store = SlowStore(slow) if slow else MemoryStore()
    delivery = Delivery(ordered=ordered, at_once=at_once, backoff=Backoff.fixed(2.0))
    policy = Policy(restart="permanent", backoff=Backoff.immediate(), breaker=None, delivery=delivery)
    async with actors.open_system("s", store=store, strategy=PATIENT) as system:
        world = World(system, policy)
        for step in program:
            await world.play(step)
        await world.bring_to_an_end()
        changes = list(store.shelf.feed)
        world.check(changes, ordered, slow)
        left = {entry.id for entry in store.shelf.entries.values() if entry.working}
        assert left == set()
        assert await system.posted.waiting() == {}
        assert all(not one.line.in_hand and not one.line.waiting for one in known(system))


def known(system: actors.System) -> Any:
    """What the courier knows of recipients."""
    return system._office.rounds.known.values()  # pyright: ignore[reportPrivateUsage]


@given(programs, st.booleans(), st.sampled_from([1, 1, 3]), st.sampled_from([0.0, 0.25]))
@settings(max_examples=60)
def test_whatever_happens_every_ticket_ends_in_one_legal_state(
    program: list[Any], ordered: bool, at_once: int, slow: float
) -> None:
    """In order, one at a time, with no more attempts than allowed; nothing is left in any hand."""
    trio.run(run, program, ordered and at_once == 1, at_once, slow, clock=MockClock(autojump_threshold=0))


def test_the_model_knows_all_moves() -> None:
    """Each outcome of the table is a step that it allows."""
    assert {after for states in OUTCOMES.values() for after in states} >= {after for _, after in STEPS}
