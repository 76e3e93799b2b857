"""A pool on three nodes while cables are cut at random: nothing is lost in silence, or handled twice."""

from __future__ import annotations

from collections import Counter
from typing import Any

import attrs
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

import actors
from tests.core.stage import first_come_first_served
from tests.remote.growers import three

CABLES = st.sampled_from(["ab", "ag"])
SECONDS = st.sampled_from([0.0, 0.3, 1.0, 4.0])
STEPS = st.one_of(
    st.tuples(st.just("tell"), st.integers(1, 6), SECONDS),
    st.tuples(st.just("ask"), st.integers(1, 6), SECONDS),
    st.tuples(st.sampled_from(["cut", "silent", "mend"]), CABLES, st.just(0.0)),
    st.tuples(st.just("lose"), CABLES, st.sampled_from([1.0, 4.0])),
    st.tuples(st.just("kill"), st.integers(0, 5), st.just(0.0)),
    st.tuples(st.just("sleep"), st.just(0), st.sampled_from([0.1, 1.0, 6.0, 30.0])),
)
PROGRAMS = st.lists(STEPS, min_size=5, max_size=25)
HANDLED: Counter[int] = Counter()
"""How often each message was handled; all nodes are in this process."""


@actors.message(tag="test.pool_conserves.Job")
class Job(actors.Request[int]):
    number: int
    seconds: float
    crash: bool


class Hand(actors.Actor):
    """Handles jobs."""

    @actors.receive
    async def handle(self, job: Job) -> int:
        HANDLED[job.number] += 1
        await trio.sleep(job.seconds)
        if job.crash:
            raise ArithmeticError("crashed")
        return job.number


@attrs.define
class Tally:
    """What became of what was asked."""

    number: int = 0
    told: list[int] = attrs.field(factory=list[int])
    asked: list[int] = attrs.field(factory=list[int])
    answered: Counter[int] = attrs.field(factory=Counter[int])
    failed: Counter[int] = attrs.field(factory=Counter[int])

    def job(self, seconds: float) -> Job:
        self.number += 1
        return Job(self.number, seconds, self.number % 11 == 0)


@given(PROGRAMS, st.sampled_from([None, "key"]))
@settings(derandomize=True, deadline=None, database=None, max_examples=40)
def test_each_message_is_handled_once_or_is_seen_to_fail(program: list[Any], routing: str | None) -> None:
    HANDLED.clear()
    with first_come_first_served():
        trio.run(_play, program, routing, clock=MockClock(autojump_threshold=0))


async def _play(program: list[Any], routing: str | None) -> None:
    keyed: dict[str, Any] = {} if routing is None else {"routing": "key", "key": lambda job: job.number % 3}  # pyright: ignore
    hand = actors.Template(Hand, policy=actors.Policy(backoff=actors.Backoff.immediate(), breaker=None))
    strategy = actors.OneForOne(max_restarts=1000)
    made = actors.Pool(hand, 2, 5, on=("beta", "gamma", "alpha"), strategy=strategy, **keyed)
    tally = Tally()
    async with three(Hand) as world, trio.open_nursery() as nursery:
        pool = await world.alpha.start(made, name="pool")

        async def ask(job: Job) -> None:
            try:
                tally.answered[await pool.ask(job)] += 1
            except actors.ActorError:
                tally.failed[job.number] += 1

        for what, which, seconds in program:
            if what == "tell":
                for _ in range(which):
                    pool.tell(job := tally.job(seconds))
                    tally.told.append(job.number)
            elif what == "lose":  # a node that has something in hand
                for _ in range(5):
                    pool.tell(job := tally.job(seconds))
                    tally.told.append(job.number)
                await trio.sleep(0.5)
                world.cables[which].silent()
                await trio.sleep(30.0)
                world.cables[which].mend()
            elif what == "ask":
                for _ in range(which):
                    nursery.start_soon(ask, job := tally.job(seconds))
                    tally.asked.append(job.number)
                await trio.lowlevel.checkpoint()
            elif what == "kill":
                workers = world.alpha.children(pool)
                if workers:
                    workers[which % len(workers)].kill()
            elif what == "sleep":
                await trio.sleep(seconds)
            else:
                getattr(world.cables[which], what)()
        for cable in world.cables.values():
            cable.mend()
        for _ in range(36):
            await trio.sleep(5.0)
            if not nursery.child_tasks and not any(pool.statistics().depth.values()):
                break
        await trio.sleep(45.0)  # three leases: what is late is late by less
        assert not nursery.child_tasks
        depth = pool.statistics().depth
        assert not any(depth.values()), depth
        dead = Counter(letter.message.number for letter in world.alpha.dead_letters)  # pyright: ignore

    assert not HANDLED or max(HANDLED.values()) == 1
    for number in tally.told:
        assert dead[number] <= 1
        assert HANDLED[number] or dead[number]
    for number in tally.asked:
        assert tally.answered[number] + tally.failed[number] == 1
        assert not dead[number]
        assert HANDLED[number] >= tally.answered[number]
