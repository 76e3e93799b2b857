"""Who asks: actors, tasks of actors, jobs, the body, strangers; and what their end means for the question."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

import actors
from actors import ExitKind, Job, Policy, Timeout
from actors.errors import SystemClosed
from actors.events import PersonAsked, PersonWithdrawn
from tests.people.scene import ask, asking, desk_events, nothing_left, one


@actors.message
class Deploy(actors.Request[bool]):
    """Asks before it does anything."""

    to: str | None = None
    timeout: float | None = 300.0


class Deployer(actors.Actor):
    """Asks in a handler, or in a task of its own."""

    def __init__(self, outcomes: list[Any]) -> None:
        self.outcomes = outcomes

    @actors.receive
    async def deploy(self, message: Deploy) -> bool:
        try:
            said = await self.ctx.system.desk.approval("Deploy?", to=message.to, timeout=message.timeout)
        except BaseException as error:
            self.outcomes.append(type(error).__name__)
            raise
        self.outcomes.append(said)
        return said


@actors.function
async def aside(ctx: actors.Context, outcomes: list[Any]) -> None:
    """Asks in a task of its own, in its first life."""
    async with trio.open_nursery() as nursery:
        async for _ in ctx.inbox:
            nursery.start_soon(ask_aside, ctx, outcomes)


async def ask_aside(ctx: actors.Context, outcomes: list[Any]) -> None:
    outcomes.append(await ctx.system.desk.approval("Deploy?"))


async def waits(system: actors.System, ref: actors.Ref, message: object) -> actors.PersonRequest:
    """The actor has asked, and waits."""
    ref.tell(message)
    await wait_all_tasks_blocked()
    return one(system)


async def test_an_actor_that_asks_says_whom_it_waits_for(autojump_clock: MockClock) -> None:
    """The request says who has asked, and people see it at work."""
    async with actors.open_system("alpha") as system:
        outcomes: list[Any] = []
        ref = system.spawn(Deployer, outcomes, name="deployer")
        request = await waits(system, ref, Deploy("ada"))
        assert (request.sender, request.node) == ("/deployer", "alpha")
        assert ref.waiting_for == "ada to answer (approval)"
        system.desk.answer(request.id, True)
        await wait_all_tasks_blocked()
        assert (outcomes, ref.waiting_for) == ([True], None)
        await waits(system, ref, Deploy())
        assert ref.waiting_for == "somebody to answer (approval)"


async def test_a_person_who_thinks_does_not_make_an_actor_silent(autojump_clock: MockClock) -> None:
    """The clock of silence stands still meanwhile, and goes on afterwards."""
    policy = Policy(timeout=Timeout("fixed", 1000.0, no_activity=10.0), breaker=None)
    async with actors.open_system("alpha") as system:
        outcomes: list[Any] = []
        ref = system.spawn(Deployer, outcomes, name="deployer", policy=policy)
        request = await waits(system, ref, Deploy())
        await trio.sleep(200.0)
        system.desk.answer(request.id, True)
        await wait_all_tasks_blocked()
        assert outcomes == [True]


async def test_the_hard_limit_of_an_actor_goes_on_while_a_person_thinks(autojump_clock: MockClock) -> None:
    """When it has passed the request is withdrawn."""
    policy = Policy(timeout=Timeout("fixed", 50.0, no_activity=None), restart="temporary", breaker=None)
    async with actors.open_system("alpha") as system:
        outcomes: list[Any] = []
        told = desk_events(system)
        ref = system.spawn(Deployer, outcomes, name="deployer", policy=policy)
        await waits(system, ref, Deploy(timeout=None))
        exit = await ref.wait_stopped()
        assert (exit.kind, trio.current_time(), outcomes) == (ExitKind.TIMED_OUT, 50.0, ["Cancelled"])
        assert [type(event) for event in told] == [PersonAsked, PersonWithdrawn]
        assert nothing_left(system)


@pytest.mark.row(110)
@pytest.mark.parametrize(
    ("who", "how"),
    [
        (Deployer, "kill"),
        (Deployer, "restart"),
        (Deployer, "interrupt"),
        (Deployer, "stop"),
        (aside, "kill"),
        (aside, "restart"),
        (aside, "stop"),
    ],
    ids=lambda one: one if isinstance(one, str) else one.__name__,
)
async def test_when_whoever_asked_ends_the_question_does(
    who: Any, how: str, autojump_clock: MockClock
) -> None:
    """Its answer would reach nobody; it becomes neither a yes nor a no."""
    async with actors.open_system("alpha", strategy=actors.OneForAll()) as system:
        outcomes: list[Any] = []
        ref = system.spawn(who, outcomes, name="asker", policy=Policy(shutdown=5.0, breaker=None))
        failing = system.spawn(Deployer, [], name="failing", policy=Policy(breaker=None))
        request = await waits(system, ref, Deploy())
        if how == "interrupt":
            await ref.interrupt()
        elif how == "restart":
            failing.tell(Deploy(timeout=-1.0))  # a ValueError: all begin anew
        else:
            getattr(ref, how)()
        await trio.sleep(10.0)
        assert [said for said in outcomes if isinstance(said, bool)] == []
        with pytest.raises(actors.RequestWithdrawn):
            system.desk.answer(request.id, True)
        assert ref.statistics().restarts == (how == "restart")
        assert nothing_left(system)


async def test_a_stop_lets_whoever_waits_for_a_person_finish_in_its_time(autojump_clock: MockClock) -> None:
    """An answer within `shutdown` seconds is heard."""
    async with actors.open_system("alpha") as system:
        outcomes: list[Any] = []
        ref = system.spawn(Deployer, outcomes, name="deployer", policy=Policy(shutdown=5.0))
        request = await waits(system, ref, Deploy())
        ref.stop()
        await trio.sleep(1.0)
        system.desk.answer(request.id, True)
        await ref.wait_stopped()
        assert (outcomes, trio.current_time()) == ([True], 1.0)


async def test_a_job_may_ask(autojump_clock: MockClock) -> None:
    """And hears the answer like anybody else."""

    async def deploy(ctx: actors.Context) -> bool:
        return await ctx.system.desk.approval("Deploy?")

    async with actors.open_system("alpha") as system:
        with system.desk.notify(lambda request: system.desk.answer(request.id, request.sender is not None)):
            outcomes = await system.run_jobs([Job(deploy)])
        assert [outcome.value for outcome in outcomes] == [True]


async def test_a_stranger_that_waits_while_the_system_ends_hears_it(autojump_clock: MockClock) -> None:
    """Not a no; and who asks afterwards hears the same."""
    async with trio.open_nursery() as outside:
        async with asking() as (system, _):
            keyed = await ask(outside, system.desk.approval, "1?", key="k")
            plain = await ask(outside, system.desk.permission, actors.Action("go", {}))
        await wait_all_tasks_blocked()
        assert (keyed.outcome, plain.outcome) == (SystemClosed, SystemClosed)
    calls: list[Callable[[], Any]] = [
        lambda: system.desk.approval("?"),
        lambda: system.desk.clarification("?"),
        lambda: system.desk.request("pick", "?"),
        lambda: system.desk.permission(actors.Action("go", {})),
    ]
    for call in calls:
        with pytest.raises(SystemClosed):
            await call()
    with pytest.raises(actors.UnknownRequest):
        system.desk.answer("alpha:1", True)
    assert nothing_left(system)


async def test_the_body_may_ask_before_and_after_others(autojump_clock: MockClock) -> None:
    """What its own cancellation takes back is taken back at the end of the block too."""
    async with actors.open_system("alpha") as system:
        told = desk_events(system)
        with trio.move_on_after(1):
            await system.desk.approval("Deploy?")
        assert [event.at for event in told] == [0.0, 1.0]
        system.stop()
        await system.desk.approval("Deploy?")
    assert [type(event) for event in told] == [PersonAsked, PersonWithdrawn]


async def test_an_answer_in_the_last_moment_of_a_system_is_heard(autojump_clock: MockClock) -> None:
    """Whoever was not answered hears the end; nobody can be answered from then on."""
    async with asking() as (system, nursery):
        first = await ask(nursery, system.desk.approval, "1?")
        second = await ask(nursery, system.desk.approval, "2?", key="k")
        one_, two = system.desk.pending()
        system.desk.answer(one_.id, True)
        system.desk.close()  # in the same step
        assert system.desk.pending() == ()
        with pytest.raises(actors.RequestWithdrawn):
            system.desk.answer(two.id, True)
        await wait_all_tasks_blocked()
        assert (first.outcome, second.outcome) == (True, SystemClosed)
        assert nothing_left(system)
