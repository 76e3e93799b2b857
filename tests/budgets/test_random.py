"""Parking and resuming at random, beside crashes: nothing is lost, nobody is restarted, sums are right."""

from __future__ import annotations

from collections import Counter
from typing import Any

import attrs
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock, wait_all_tasks_blocked

import actors
from actors import ActorState, Budget, BudgetSpent, Context, Policy
from actors.events import DeadLetter, Failed
from tests.rounds import rounds


@attrs.frozen
class Task(actors.Request[int]):
    """Told or asked."""

    number: int
    tokens: int
    fails: bool


@attrs.define
class World:
    """What has happened."""

    spent: int = 0
    ended: Counter[int] = attrs.field(factory=Counter[int])
    told: list[int] = attrs.field(factory=list[int])
    asked: list[actors.Pending[int]] = attrs.field(factory=list[actors.Pending[int]])

    async def do(self, task: Task) -> int:
        self.spent += task.tokens
        actors.spend(tokens=task.tokens, tool_calls=1)
        await trio.sleep(0.1)
        if task.fails:
            raise RuntimeError("as told")
        self.ended[task.number] += 1
        return task.number


class Worker(actors.Actor):
    def __init__(self, world: World) -> None:
        self.world = world

    @actors.receive
    async def do(self, message: Task) -> int:
        return await self.world.do(message)


async def looper(ctx: Context, world: World) -> None:
    async for message in ctx.inbox:
        ctx.reply(await world.do(message))


class Team(actors.Supervisor):
    def __init__(self, world: World, strategy: Any) -> None:
        self.world = world
        self.strategy = strategy

    async def on_start(self) -> None:
        policy = Policy(
            budget=Budget(tokens=30), backoff=actors.Backoff.fixed(0.5), breaker=None, restart="permanent"
        )
        self.spawn(Worker, self.world, name="worker", policy=policy)
        self.spawn(looper, self.world, name="looper", policy=policy)
        self.spawn(Worker, self.world, name="free", policy=attrs.evolve(policy, budget=None))


NAMES = ("worker", "looper", "free")
WHO = st.sampled_from(NAMES)
TOKENS = st.sampled_from([0, 1, 5, 11, 40])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("tell"), WHO, TOKENS, st.booleans()),
        st.tuples(st.just("ask"), WHO, TOKENS, st.booleans()),
        st.tuples(st.sampled_from(["resume", "suspend"]), WHO),
        st.tuples(st.just("top up"), st.sampled_from(["/team", "/team/worker", "/team/looper"]), TOKENS),
        st.tuples(st.just("sleep"), st.sampled_from([0.05, 0.3, 2.0])),
    ),
    max_size=40,
)
KINDS = (actors.OneForOne, actors.OneForAll, actors.RestForOne)
STRATEGIES = st.sampled_from([kind(max_restarts=10_000, within=1e9) for kind in KINDS])


async def play(steps: list[tuple[Any, ...]], strategy: Any) -> None:
    world = World()
    async with (
        actors.open_system("alpha") as system,
        system.subscribe(Failed, DeadLetter) as events,
    ):
        await system.start(Team, world, strategy, name="team", policy=Policy(budget=Budget(tokens=80)))
        refs = {name: system.find(f"/team/{name}") or system.monitor for name in NAMES}
        for number, (what, *rest) in enumerate(steps):
            if what == "tell":
                refs[rest[0]].tell(Task(number, *rest[1:]))
                world.told.append(number)
            elif what == "ask":
                world.asked.append(refs[rest[0]].request(Task(number, *rest[1:])))
            elif what == "top up":
                system.top_up(rest[0], tokens=rest[1])
            elif what == "sleep":
                await trio.sleep(rest[0])
                check(refs)
            else:
                getattr(refs[rest[0]], what)()
        for path in ("/team", "/team/worker", "/team/looper"):
            system.top_up(path, tokens=100_000)
        for ref in refs.values():
            ref.resume()
        await trio.sleep(1000)
        await wait_all_tasks_blocked()
        check(refs)
        assert {ref.state for ref in refs.values()} == {ActorState.IDLE}
        assert all(pending.done for pending in world.asked)
        state = system.budget("/team")
        assert state is not None
        assert state.spent.tokens == world.spent
        lost = Counter[int]()
        system.stop()
        await wait_all_tasks_blocked()
    for event in list(iter(events.next_nowait, None)):
        if isinstance(event, DeadLetter):
            lost[event.message.number] += 1
        else:
            assert isinstance(event, Failed)
            assert not isinstance(event.exit.error, BudgetSpent)
    assert {number: world.ended[number] + lost[number] for number in world.told} == dict.fromkeys(
        world.told, 1
    )


def check(refs: dict[str, actors.Ref]) -> None:
    """Who is parked refuses to be asked, and does nothing."""
    for ref in refs.values():
        if ref.cell.held is not None:
            assert ref.state in (ActorState.SUSPENDED, ActorState.BACKING_OFF, ActorState.STARTING)
            pending = ref.request(Task(-1, 0, fails=False))
            assert pending.done


@settings(max_examples=rounds(40, deep=2000), deadline=None, derandomize=True)
@given(STEPS, STRATEGIES)
def test_nothing_is_lost_by_parking(steps: list[tuple[Any, ...]], strategy: Any) -> None:
    trio.run(play, steps, strategy, clock=MockClock(autojump_threshold=0))
