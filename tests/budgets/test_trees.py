"""Budgets above: supervisors, groups, starts, spawns, pools, posted messages, and who sees it."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

import actors
from actors import ActorState, Budget, BudgetSpent, Context, ExitKind, Policy, Ref
from actors.errors import StartFailed
from actors.events import BudgetWarning, Parked, Restarted, Resumed
from actors.spawning import Pool, Spawner, Template
from tests.budgets.cast import Agent, Boss, Burn, Count, Note, Raise, burner, spent_by

TEAM = Policy(budget=Budget(tokens=1000))


def found(system: actors.System, path: str) -> Ref:
    ref = system.find(path)
    assert ref is not None
    return ref


@pytest.mark.row(86)
async def test_children_spend_what_their_supervisor_may(autojump_clock: MockClock) -> None:
    """Whoever passes the limit is parked; the supervisor and the others go on, until they spend."""
    async with actors.open_system("alpha") as system:
        boss = await system.start(Boss, "one", "two", name="team", policy=TEAM)
        one, two = found(system, "/team/one"), found(system, "/team/two")
        await one.ask(Burn(600))
        with pytest.raises(BudgetSpent) as caught:
            await two.ask(Burn(500))
        assert caught.value.scope is boss
        assert [ref.state for ref in (boss, one, two)] == [
            ActorState.IDLE,
            ActorState.IDLE,
            ActorState.SUSPENDED,
        ]
        assert await one.ask(Count()) == ["burnt 600"]
        with pytest.raises(BudgetSpent):
            await one.ask(Burn(1))
        with pytest.raises(BudgetSpent):
            await boss.ask(Burn(0))
        assert {ref.state for ref in (boss, one, two)} == {ActorState.SUSPENDED}
        system.top_up("/team", tokens=1000)
        assert {ref.state for ref in (boss, one, two)} == {ActorState.IDLE}
        assert spent_by(system, boss) == 1101
        assert spent_by(system, "/") == 1101


async def test_a_system_has_a_budget_too(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha", budget=Budget(money=0.5)) as system:
        agent = await system.start(Agent, name="agent")
        agent.tell(Burn(5))
        await wait_all_tasks_blocked()
        state = system.budget("/")
        assert state is not None
        assert (state.spent.tokens, state.limits.money) == (5, 0.5)
        assert system.budget("/agent") is None


async def test_a_supervisor_that_is_parked_keeps_its_children_running(autojump_clock: MockClock) -> None:
    policy = Policy(budget=Budget(tokens=10))
    async with actors.open_system("alpha") as system:
        boss = await system.start(Boss, "one", name="team", policy=policy)
        boss.tell(Burn(11))
        await wait_all_tasks_blocked()
        assert boss.state is ActorState.SUSPENDED
        one = found(system, "/team/one")
        one.tell(Raise())
        one.tell(Note("after a restart"))
        await trio.sleep(5)
        assert await one.ask(Count()) == ["after a restart"]
        assert one.statistics().restarts == 1


@pytest.mark.parametrize("strategy", [actors.OneForAll(), actors.RestForOne()])
async def test_a_group_that_restarts_leaves_parked_ones_parked(
    autojump_clock: MockClock, strategy: actors.OneForAll | actors.RestForOne
) -> None:
    async with actors.open_system("alpha", strategy=strategy) as system:
        first = await system.start(Agent, name="first")
        parked = await system.start(Agent, name="parked", policy=Policy(budget=Budget(tokens=10)))
        held = await system.start(burner, 11, name="held", policy=Policy(budget=Budget(tokens=10)))
        parked.tell(Burn(11))
        held.tell(1)
        await wait_all_tasks_blocked()
        first.tell(Raise())
        await trio.sleep(5)
        assert first.statistics().restarts == 1
        assert held.statistics().restarts == 0
        assert (first.state, parked.state, held.state) == (
            ActorState.IDLE, ActorState.SUSPENDED, ActorState.SUSPENDED,
        )  # fmt: skip
        with pytest.raises(BudgetSpent):
            await parked.ask(Count())
        with pytest.raises(BudgetSpent):
            await held.ask(Count())
        for ref in (parked, held):
            system.top_up(ref, tokens=50)
        await trio.sleep(1)
        assert await parked.ask(Count()) == ["burnt 11"]
        assert held.state is ActorState.IDLE


@pytest.mark.parametrize("named", [True, False])
async def test_a_start_that_spends_too_much_fails_and_leaves_nothing(
    autojump_clock: MockClock, named: bool
) -> None:
    class Dear(Agent):
        async def on_start(self) -> None:
            actors.spend(tokens=2000)

    async with actors.open_system("alpha") as system:
        with pytest.raises(StartFailed, match="2000 of 1000 tokens"):
            await system.start(Dear, name="dear" if named else None, policy=TEAM)
        assert system.find("/dear") is None
        ref = system.spawn(Dear, name="dear", policy=TEAM)
        with pytest.raises(StartFailed, match="2000 of 1000 tokens"):
            await ref.wait_started()
        assert ref.state is ActorState.SUSPENDED
        system.top_up(ref, tokens=3000)
        await ref.wait_started()
        assert spent_by(system, ref) == 4000


@pytest.mark.row(86)
async def test_spawns_are_charged_and_a_refused_one_leaves_nothing(autojump_clock: MockClock) -> None:
    class Chief(actors.Supervisor):
        def __init__(self) -> None:
            self.spawner = Spawner(self)

        @actors.receive
        async def grow(self, message: Note) -> None:
            if message.text == "spawner":
                self.spawner.spawn(Template(Agent))
            elif message.text == "start":
                await self.start(Agent)
            else:
                self.spawn(Agent, name=message.text)

    async with actors.open_system("alpha") as system:
        chief = await system.start(Chief, name="chief", policy=Policy(budget=Budget(spawns=3)))
        for text in ("spawner", "start", "one", "two"):
            chief.tell(Note(text))
        await wait_all_tasks_blocked()
        assert chief.state is ActorState.SUSPENDED
        assert len(system.children(chief)) == 3
        state = system.budget(chief)
        assert state is not None
        assert state.spent.spawns == 3
        found(system, "/chief/one").tell(Raise())  # restarts cost nothing
        await trio.sleep(5)
        system.top_up(chief, spawns=1)
        await wait_all_tasks_blocked()
        assert system.find("/chief/two") is not None


async def test_the_system_refuses_spawns_too(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha", budget=Budget(spawns=1)) as system:
        system.spawn(Agent)
        with pytest.raises(BudgetSpent, match="1 of 1 spawns"):
            system.spawn(Agent, name="late")
        with pytest.raises(BudgetSpent):
            await system.start(Agent)
        assert len(system.tree().children) == 1


async def test_what_a_supervisor_begins_anew_with_is_paid_for(autojump_clock: MockClock) -> None:
    class Fragile(Boss):
        @actors.receive
        async def fail(self, message: Raise) -> None:
            raise RuntimeError("as told")

    async with actors.open_system("alpha") as system:
        boss = await system.start(Fragile, "one", "two", name="team", policy=Policy(budget=Budget(spawns=2)))
        boss.tell(Raise())
        await trio.sleep(5)
        assert boss.statistics().restarts == 1
        assert len(system.children(boss)) == 2
        state = system.budget(boss)
        assert state is not None
        assert state.spent.spawns == 2


@pytest.mark.row(86)
async def test_an_idle_actor_ends_and_the_next_message_starts_it_again(autojump_clock: MockClock) -> None:
    policy = Policy(budget=Budget(idle=30.0))
    async with actors.open_system("alpha") as system, system.subscribe(Parked, Resumed, Restarted) as events:
        agent = await system.start(Agent, name="agent", policy=policy)
        began = trio.current_time()
        await trio.sleep(20)
        agent.tell(Note("busy"))
        parked = await anext(events)
        assert isinstance(parked, Parked)
        assert trio.current_time() == began + 50
        assert (parked.exit.kind, parked.exit.reason) == (ExitKind.BUDGET, "idle for 30 s")
        await wait_all_tasks_blocked()
        assert agent.state is ActorState.SUSPENDED
        assert system.statistics().alarms == 0
        assert await agent.ask(Count()) == []  # a new object
        assert [type(await anext(events)) for _ in range(2)] == [Resumed, Restarted]
        assert agent.state is ActorState.IDLE


async def test_who_has_something_open_is_not_idle(autojump_clock: MockClock) -> None:
    class Waits(Agent):
        @actors.receive
        async def burn(self, message: Burn) -> int:
            self.ctx.reply_later()
            return 0

    async def slow(ctx: Context) -> None:
        await trio.sleep(100)

    policy = Policy(budget=Budget(idle=10.0))
    async with actors.open_system("alpha") as system, system.subscribe(Parked) as events:
        owes = await system.start(Waits, name="owes", policy=policy)
        owes.request(Burn(1))
        await system.start(Boss, "one", name="boss", policy=policy)
        await system.start(slow, name="works", policy=policy)
        inbox = await system.start(burner, 0, name="inbox", policy=policy)
        await trio.sleep(50)
        parked = await anext(events)
        assert isinstance(parked, Parked)
        assert parked.ref is inbox
        assert owes.state is ActorState.IDLE
        assert {node.name for node in system.tree().walk() if node.parked} == {"inbox"}
        inbox.tell(1)
        await trio.sleep(1)
        assert inbox.state is ActorState.IDLE


@pytest.mark.parametrize("end", ["stop", "drain", "kill", "resume", "close"])
async def test_an_idle_one_can_be_ended_and_resumed(autojump_clock: MockClock, end: str) -> None:
    async with actors.open_system("alpha") as system:
        agent = await system.start(Agent, name="agent", policy=Policy(budget=Budget(idle=5.0)))
        await trio.sleep(6)
        assert agent.state is ActorState.SUSPENDED
        if end == "close":
            return
        getattr(agent, end)()
        await trio.sleep(1)
        assert agent.state is (ActorState.IDLE if end == "resume" else ActorState.STOPPED)


async def test_a_warning_comes_once(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system, system.subscribe(BudgetWarning, Parked) as events:
        agent = await system.start(Agent, name="agent", policy=TEAM)
        for tokens in (700, 100, 100, 100, 1):
            agent.tell(Burn(tokens))
        warning = await anext(events)
        assert isinstance(warning, BudgetWarning)
        assert (warning.ref, warning.resource, warning.spent, warning.limit) == (agent, "tokens", 800, 1000)
        assert isinstance(await anext(events), Parked)


async def test_a_parked_worker_of_a_pool_gets_no_work(autojump_clock: MockClock) -> None:
    pool = Pool(Template(Agent, policy=Policy(budget=Budget(tokens=100))), 2, 2)
    async with actors.open_system("alpha") as system:
        ref = await system.start(pool, name="pool")
        with pytest.raises(BudgetSpent):
            await ref.ask(Burn(150))
        states = [child.state for child in system.children(ref)]
        assert sorted(states) == [ActorState.IDLE, ActorState.SUSPENDED]
        assert [await ref.ask(Burn(10)) for _ in range(10)] == [10] * 10
        ref.tell(Burn(1))  # the second one is over it too, and nobody is left
        await wait_all_tasks_blocked()
        assert {child.state for child in system.children(ref)} == {ActorState.SUSPENDED}
        pending = ref.request(Burn(2))
        await wait_all_tasks_blocked()
        assert not pending.done
        for child in system.children(ref):
            system.top_up(child, tokens=1000)
        assert await pending.wait() == 2
        await wait_all_tasks_blocked()
        assert sum(spent_by(system, child) for child in system.children(ref)) == 150 + 100 + 1 + 1 + 2


async def test_a_posted_message_waits_for_a_parked_actor(
    autojump_clock: MockClock,
) -> None:
    async with actors.open_system("alpha") as system:
        agent = await system.start(Agent, name="agent", policy=TEAM)
        ticket = await system.post("/agent", Burn(1500), max_attempts=1)
        later = await system.post("/agent", Burn(1), max_attempts=1)
        await trio.sleep(60)
        assert agent.state is ActorState.SUSPENDED
        assert [one.state for one in (ticket, later)] == [actors.TicketState.PENDING] * 2
        assert spent_by(system, agent) == 1500
        system.top_up(agent, tokens=10_000)
        assert await ticket.wait_reply() == 1500
        assert await later.wait_reply() == 1


async def test_a_posted_message_starts_an_idle_actor(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        agent = await system.start(Agent, name="agent", policy=Policy(budget=Budget(idle=5.0)))
        await (await system.post("/agent", Burn(3))).wait_reply()
        await trio.sleep(10)
        assert agent.state is ActorState.SUSPENDED
        assert await (await system.post("/agent", Burn(4))).wait_reply() == 4


async def test_it_is_said_why_an_actor_is_parked(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        journal = system.journal
        boss = await system.start(Boss, "one", name="team", policy=TEAM)
        agent = await system.start(Agent, name="agent", policy=TEAM)
        agent.tell(Burn(1200))
        found(system, "/team/one").tell(Burn(1001))
        await wait_all_tasks_blocked()
        assert journal.why("/agent").text == "/agent is parked: spent 1200 of 1000 tokens"
        assert journal.why("/agent").state == "parked"
        assert journal.why("/team/one").text.endswith("is parked: spent 1001 of 1000 tokens of /team")
        assert "[suspended] (actor) 1 waiting parked: spent 1200 of 1000 tokens" in str(system.tree())
        system.top_up(agent, tokens=5000)
        await wait_all_tasks_blocked()
        why = journal.why("/agent")
        assert (why.state, why.text) == ("running", "/agent was resumed")
        assert why.steps[1].text == "it was parked: spent 1200 of 1000 tokens"
        assert boss.state is ActorState.IDLE


@pytest.mark.parametrize(
    ("path", "more", "error"),
    [
        ("/nobody", {"tokens": 1}, actors.UnknownActor),
        ("/free", {"tokens": 1}, ValueError),
        ("/agent", {"money": 1}, ValueError),
        ("/agent", {"tokens": -1}, ValueError),
        ("/", {"tokens": 1}, ValueError),
    ],
)
async def test_what_cannot_be_topped_up_says_so(
    autojump_clock: MockClock, path: str, more: dict[str, Any], error: type[Exception]
) -> None:
    async with actors.open_system("alpha") as system:
        await system.start(Agent, name="agent", policy=TEAM)
        await system.start(Agent, name="free")
        with pytest.raises(error):
            system.top_up(path, **more)
        state = system.budget("/agent")
        assert state is not None
        assert state.limits == Budget(tokens=1000)


async def test_a_breaker_does_not_open_for_it(autojump_clock: MockClock) -> None:
    policy = Policy(budget=Budget(tokens=10), breaker=actors.Breaker(failures=1), restart="permanent")
    async with actors.open_system("alpha", strategy=actors.OneForOne(max_restarts=0)) as system:
        for what in (Agent, burner):
            ref = await system.start(
                what, *([20] if what is burner else []), name=what.__name__, policy=policy
            )
            for _ in range(3):
                ref.tell(Burn(20))
                ref.resume()
                await wait_all_tasks_blocked()
            assert ref.state is ActorState.SUSPENDED
            assert system.breaker(ref.path).failures == 0
