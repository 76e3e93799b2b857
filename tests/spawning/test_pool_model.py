"""Whatever happens to a pool and its workers, each message is handled once, or was in hand when that crashed.

The model: a told or asked message has a number of its own. Without `retries` its handling begins once. It
ends, or it was the one in hand at a crash, a stop or a kill; then its asker hears so, and a told one is a
dead letter. Messages of one key are handled one at a time, in the order of their coming.
"""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

import actors
from actors import (
    ActorFailed,
    ActorStopped,
    Backoff,
    Breaker,
    Interrupted,
    OneForAll,
    OneForOne,
    Policy,
    Pool,
    RestForOne,
    SpawnLimits,
    Template,
)
from tests.spawning.hands import Do, Hand, Log, Plain

SEEDS = 240
LOST_IN_HAND = {ActorFailed, ActorStopped, Interrupted}


def backoff(seconds: float) -> Backoff:
    return Backoff(initial=seconds, maximum=4 * seconds, jitter=0.0)


@attrs.define
class Chaos:
    """One random history, drawn from its seed."""

    seed: int
    random: Random = attrs.field(init=False)
    log: Log = attrs.Factory(Log)
    told: set[int] = attrs.Factory(set)
    asked: dict[int, actors.Pending[Any]] = attrs.Factory(dict)
    keys: dict[int, int] = attrs.Factory(dict)
    acts: dict[int, str] = attrs.Factory(dict)

    def __attrs_post_init__(self) -> None:
        self.random = Random(self.seed)

    def pool(self) -> Pool:
        draw = self.random
        policy = Policy(
            restart=draw.choice(["transient", "permanent", "temporary"]),
            backoff=backoff(draw.choice([0.0, 0.5])),
            breaker=draw.choice([None, None, Breaker(failures=2, reset_after=5.0)]),
            retries=self.retries,
        )
        strategy = draw.choice(
            [
                OneForOne(max_restarts=1000),
                OneForOne(max_restarts=1),
                OneForAll(max_restarts=1000),
                RestForOne(max_restarts=1000),
            ]
        )
        routing = draw.choice(["least_busy", "round_robin", "key"])
        minimum = draw.randint(0, 4)
        return Pool(
            Template(draw.choice([Hand, Hand, Plain]), {"log": self.log}, policy=policy),
            minimum,
            draw.randint(max(1, minimum), 6),
            routing=routing,
            key=(lambda message: message.key) if routing == "key" else None,
            limits=SpawnLimits(
                cooldown=0.5,
                performance_threshold=0.5,
                workload_threshold=10,
                auto=draw.random() < 0.8,
                max_active=9,
            ),
            max_wait=draw.choice([0.25, 2.0]),
            idle=draw.choice([0.5, 5.0]),
            strategy=strategy,
        )

    @property
    def retries(self) -> int:
        return 2 if self.seed % 4 == 0 else 0

    @property
    def policy(self) -> Policy:
        return Policy(
            restart="permanent", backoff=backoff(0.25), breaker=None, mailbox=actors.Mailbox(capacity=10_000)
        )

    def send(self, ref: actors.Ref, number: int) -> None:
        draw = self.random
        act = "fail" if draw.random() < 0.15 else draw.choice(["", "", "reply", "refuse"])
        self.acts[number] = act
        key = self.keys[number] = draw.randint(0, 5)
        message = Do(number, draw.choice([0.0, 0.0, 0.25, 1.0]), act, key)
        if draw.random() < 0.5:
            ref.tell(message)
            self.told.add(number)
        else:
            self.asked[number] = ref.request(message)

    async def disturb(self, system: actors.System, ref: actors.Ref) -> None:
        draw = self.random
        workers = system.children(ref)
        if not workers:
            return
        worker = draw.choice(workers)
        match draw.choice(["kill", "stop", "drain", "interrupt", "suspend", "resume"]):
            case "interrupt":
                await worker.interrupt()
            case "suspend":
                worker.suspend()
                await trio.sleep(0.25)
                worker.resume()
            case order:
                getattr(worker, order)()

    async def run(self) -> None:
        async with actors.open_system("s", strategy=OneForOne(max_restarts=10_000)) as system:
            pool = self.pool()
            keyed = pool.is_keyed
            ref = await system.start(pool, name="pool", policy=self.policy)
            number = 0
            for _ in range(self.random.randint(5, 25)):
                for _ in range(self.random.randint(1, 6)):
                    self.send(ref, number)
                    number += 1
                if self.random.random() < 0.6:
                    await self.disturb(system, ref)
                await trio.sleep(self.random.choice([0.0, 0.0, 0.25, 1.0]))
            await trio.sleep(1000.0)
            assert not ref.cell.depth
            assert not ref.cell.is_busy
            await self.check(system)
            if keyed:
                self.check_keys()
            family = ref.cell
            assert not family.force.queued
            assert not family.force._holders
            assert not any(worker.open for worker in family.force.workers.values())

    async def check(self, system: actors.System) -> None:
        begun, ended = Counter(self.log.numbers("begin")), Counter(self.log.numbers("end"))
        letters = Counter(letter.message.number for letter in system.dead_letters)
        replies: dict[int, Any] = {}
        for number, pending in self.asked.items():
            assert pending.done, f"{number} was never answered"
            try:
                replies[number] = await pending.wait()
            except actors.ActorError as error:
                replies[number] = type(error)
        for number in [*self.told, *self.asked]:
            assert begun[number] == 1 or (self.retries and begun[number] > 1), (
                f"{number}: {begun[number]} times"
            )
            assert ended[number] <= 1
        for number, reply in replies.items():
            assert reply == number or reply in LOST_IN_HAND or reply is actors.Refused
            assert letters[number] == 0
            if reply == actors.Refused or reply in LOST_IN_HAND:
                assert not ended[number]
        for number in self.told:
            assert letters[number] <= 1
            assert ended[number] + letters[number] == 1 or self.acts[number] == "refuse"

    def check_keys(self) -> None:
        """One at a time, and each begins behind all that came before."""
        at_work: dict[int, int] = {}
        last: dict[int, int] = {}
        for _, _, what, number in self.log.lines:
            key = self.keys[number]
            if what == "begin":
                assert key not in at_work, f"{number} and {at_work[key]} at once"
                assert last.get(key, -1) < number or (self.retries and last[key] == number)
                at_work[key] = last[key] = number
            elif what == "over":
                del at_work[key]


def play(seed: int) -> Chaos:
    """The same seed is the same history."""
    trio._core._run._r.seed(seed)  # type: ignore[attr-defined]  # the order of tasks in a batch
    chaos = Chaos(seed)
    trio.run(chaos.run, clock=MockClock(autojump_threshold=0))
    return chaos


@pytest.mark.parametrize("block", range(12))
def test_nothing_is_lost_and_nothing_is_handled_twice_whatever_happens_to_the_workers(block: int) -> None:
    for seed in range(block, SEEDS, 12):
        try:
            play(seed)
        except BaseException as error:
            error.add_note(f"seed {seed}")
            raise
