"""A child on another node is spawned and spoken to like one at home."""

from __future__ import annotations

import functools
from typing import Any

import pytest
import trio

import actors
from actors import ActorState
from tests.remote.cast import (
    AT_ONCE,
    LOG,
    Ask,
    Boss,
    Do,
    Seen,
    Spawn,
    Worker,
    hosted,
    letters,
    nothing_left,
    settled,
    staged,
)  # fmt: skip

Clock = trio.testing.MockClock


@actors.message(tag="test.children.Plain")
class Plain(actors.Request[int]):
    """Counted."""


class Counter(actors.Actor):
    """Its code is all plain: at home it has no task."""

    def __init__(self, start: int = 0, *, step: int = 1) -> None:
        self.count = start
        self.step = step

    @actors.receive
    def more(self, message: Plain) -> int:
        self.count += self.step
        return self.count


async def echo(ctx: actors.Context, prefix: str) -> str:
    """Answers until it is stopped, and returns how much it has heard."""
    count = 0
    async for message in ctx.inbox:
        count += 1
        ctx.reply([prefix, message.what])
    return f"{prefix}{count}"


@actors.function(readiness=True)
async def slow_to_begin(ctx: actors.Context) -> None:
    await trio.sleep(2.0)
    ctx.ready()
    async for _ in ctx.inbox:
        ctx.reply("ready")


class Team(actors.Supervisor):
    """Has its children on both nodes."""

    def __init__(self, on: str) -> None:
        self.on = on

    async def on_start(self) -> None:
        await self.start(Worker, name="near")
        await self.start(Worker, name="far", on=self.on, policy=AT_ONCE)


class NotThere(actors.Actor):
    """beta does not start it."""


ALL: tuple[Any, ...] = (Worker, Counter, Boss, echo, slow_to_begin)


# --- what can be spawned ---


async def test_an_actor_class_whose_code_is_all_plain(autojump_clock: Clock) -> None:
    async with staged(spawnable=ALL) as world:
        child = world.alpha.spawn(Counter, 5, name="w", on="beta")
        assert [await child.ask(Plain()) for _ in range(3)] == [6, 7, 8]
        assert child.node == "beta"
        assert child.path == "/w"
        assert world.beta.find("/system/nodes/alpha/w") == child
        child.stop()
        assert (await child.wait_stopped()).kind is actors.ExitKind.SHUTDOWN
        nothing_left(world)


async def test_a_function_answers_from_its_inbox_and_its_value_comes_home(autojump_clock: Clock) -> None:
    async with staged(spawnable=ALL) as world:
        child = world.alpha.spawn(echo, "e", name="f", on="beta")
        assert await child.ask(Ask("one")) == ["e", "one"]
        assert await child.ask(Ask("two")) == ["e", "two"]
        child.stop()
        exit = await child.wait_stopped()
        assert (exit.kind, exit.value, exit.reason) == (actors.ExitKind.SHUTDOWN, "e2", "stopped")
        nothing_left(world)


async def test_a_function_says_itself_when_it_is_ready(autojump_clock: Clock) -> None:
    async with staged(spawnable=ALL) as world:
        child = world.alpha.spawn(slow_to_begin, name="f", on="beta")
        await trio.sleep(1.0)
        assert child.state is ActorState.STARTING
        began = trio.current_time()
        assert await child.ask(Ask("?")) == "ready"
        assert trio.current_time() - began == pytest.approx(1.0)
        started = await world.alpha.start(slow_to_begin, name="g", on="beta")
        assert started.state in (ActorState.IDLE, ActorState.BUSY)


async def test_arguments_by_name_travel_in_a_partial(autojump_clock: Clock) -> None:
    async with staged(spawnable=ALL) as world:
        child = world.alpha.spawn(functools.partial(Counter, step=10), 5, name="w", on="beta")
        assert await child.ask(Plain()) == 15
        with pytest.raises(actors.NotSerializable, match="by place"):
            world.alpha.spawn(functools.partial(Counter, 5), name="x", on="beta")


async def test_a_supervisor_has_its_whole_subtree_there(autojump_clock: Clock) -> None:
    async with staged(spawnable=ALL) as world:
        boss = world.alpha.spawn(Boss, name="boss", on="beta")
        one = await boss.ask(Spawn("one"))
        assert one.node == "beta"
        assert await one.ask(Ask("system")) == "beta"
        assert await one.ask(Ask("parent")) == boss
        again = await boss.ask(Spawn("two"))
        one.tell(Do("crash"))
        await settled()
        assert await one.ask(Seen()) == []
        boss.stop()
        assert (await boss.wait_stopped()).kind is actors.ExitKind.SHUTDOWN
        assert (await again.wait_stopped()).kind is actors.ExitKind.SHUTDOWN
        assert [path.rpartition("/")[2] for path, what in LOG if what == "stopped"] == ["one", "two", "one"]
        nothing_left(world)


async def test_a_supervisor_has_children_on_both_nodes_and_stops_them_in_reverse_order(
    autojump_clock: Clock,
) -> None:
    async with staged(spawnable=ALL) as world:
        team = await world.alpha.start(Team, "beta", name="team")
        far = world.alpha.find("/team/far")
        assert far is not None
        assert far.node == "beta"
        assert await far.ask(Ask("parent")) == team
        team.stop()
        await team.wait_stopped()
        assert [path for path, what in LOG if what == "stopped"] == ["/team/far", "/team/near"]
        nothing_left(world)


async def test_its_own_name_means_this_node(autojump_clock: Clock) -> None:
    async with staged(spawnable=ALL) as world:
        child = world.alpha.spawn(NotThere, name="w", on="alpha")
        assert child.node == "alpha"
        assert hosted(world) == []


# --- at the door ---


@pytest.mark.parametrize(
    ("what", "args", "on", "error"),
    [
        (NotThere, (), "beta", actors.NotSpawnable),
        (Worker, (), "gamma", actors.UnknownNode),
        (Worker, (object(),), "beta", actors.NotSerializable),
        (functools.partial(Worker, start=object()), (), "beta", actors.NotSerializable),
        (Worker, (1, 2, 3, 4), "beta", TypeError),
        (functools.partial(Worker, no=1), (), "beta", TypeError),
        (lambda: None, (), "beta", TypeError),
    ],
)
async def test_what_cannot_run_there_raises_at_the_door_and_leaves_nothing(
    autojump_clock: Clock, what: Any, args: tuple[Any, ...], on: str, error: type[Exception]
) -> None:
    async with staged(spawnable=ALL) as world:
        with pytest.raises(error):
            world.alpha.spawn(what, *args, name="w", on=on)
        with pytest.raises(error):
            await world.alpha.start(what, *args, name="w", on=on)
        await settled()
        nothing_left(world)
        assert hosted(world) == []
        assert world.alpha.find("/w") is None
        free = await world.alpha.start(Worker, name="w", on="beta")
        with pytest.raises(actors.NameTaken):
            world.alpha.spawn(Worker, name="w", on="beta")
        assert await free.ask(Ask("system")) == "beta"


async def test_limits_with_functions_in_them_cannot_travel(autojump_clock: Clock) -> None:
    async with staged(spawnable=ALL) as world:
        policy = actors.Policy(stall=actors.Stall(predicates=[lambda out, err: False]))
        with pytest.raises(actors.NotSerializable, match="predicates"):
            world.alpha.spawn(Worker, name="w", on="beta", policy=policy)
        assert world.alpha.find("/w") is None


async def test_a_start_that_fails_there_raises_here_and_leaves_the_name_free(autojump_clock: Clock) -> None:
    async with staged(spawnable=ALL) as world:
        with pytest.raises(actors.StartFailed) as caught:
            await world.alpha.start(Worker, "fails", name="w", on="beta")
        cause = caught.value.__cause__
        assert isinstance(cause, actors.RemoteError)
        assert (cause.type_name, cause.message) == ("ArithmeticError", "start")
        assert world.alpha.find("/w") is None
        assert hosted(world) == []
        nothing_left(world)


async def test_a_message_that_cannot_travel_raises_at_the_sender(autojump_clock: Clock) -> None:
    """Also when the mailbox is in use already, and nothing of it is left there."""
    async with staged(spawnable=ALL) as world:
        child = world.alpha.spawn(Worker, name="w", on="beta")
        for _ in range(3):
            with pytest.raises(actors.NotSerializable):
                child.tell(object())
            child.tell(Do("note"))
        with pytest.raises(actors.NotSerializable):
            await child.send(object())
        assert await child.ask(Seen()) == ["note"] * 3
        assert letters(world.alpha) == []


# --- what it is like over there ---


async def test_its_context_says_what_is_true_for_all(autojump_clock: Clock) -> None:
    async with staged(spawnable=ALL) as world:
        child = world.alpha.spawn(Worker, name="w", on="beta")
        other = world.alpha.spawn(Worker, name="other")
        assert await child.ask(Ask("ref")) == child
        parent = await child.ask(Ask("parent"))
        assert parent.path == "/"
        assert parent.node == "alpha"
        assert await child.ask(Ask("system")) == "beta"
        assert await child.ask(Ask("sender")) is None
        assert await other.ask(Ask("ask other", ref=child)) == "beta"
        assert await child.ask(Ask("ask other", ref=other)) == "alpha"


async def test_siblings_on_different_nodes_speak_with_each_other(autojump_clock: Clock) -> None:
    async with staged(spawnable=ALL) as world:
        here = world.alpha.spawn(Worker, name="here")
        there, too = (world.alpha.spawn(Worker, name=name, on="beta") for name in ("there", "too"))
        for one, other in ((here, there), (there, here), (there, too), (too, there)):
            assert await one.ask(Ask("ask other", ref=other)) == other.node


async def test_asking_itself_is_a_deadlock(autojump_clock: Clock) -> None:
    async with staged(spawnable=ALL) as world:
        for name, what in (("v", "ask itself"), ("w", "wait for itself")):
            child = world.alpha.spawn(Worker, name=name, on="beta")
            with pytest.raises(actors.ActorFailed) as caught:
                await child.ask(Ask(what))
            cause = caught.value.__cause__
            assert isinstance(cause, actors.RemoteError)
            assert cause.type_name == "Deadlock"


async def test_what_it_tells_itself_comes_in_order(autojump_clock: Clock) -> None:
    async with staged(spawnable=ALL) as world:
        child = world.alpha.spawn(Worker, name="w", on="beta")
        child.tell(Do("tell itself"))
        await settled()
        assert await child.ask(Seen()) == ["tell itself", *map(str, range(50))]


async def test_more_replies_are_put_off_than_are_handed_over_at_once(autojump_clock: Clock) -> None:
    async with staged(spawnable=ALL) as world:
        child = world.alpha.spawn(Worker, name="w", on="beta")
        pendings = [child.request(Ask("later")) for _ in range(100)]
        await settled()
        assert child.state is ActorState.IDLE
        assert not any(one.done for one in pendings)
        await child.ask(Ask("answer all"))
        assert [await one.wait() for one in pendings] == list(range(100))
        assert child.cell.owed == {}
        assert child.cell.handed == {}


async def test_replies_that_were_put_off_end_with_the_incarnation(autojump_clock: Clock) -> None:
    async with staged(spawnable=ALL) as world:
        child = world.alpha.spawn(Worker, name="w", on="beta", policy=AT_ONCE)
        pendings = [child.request(Ask("later")) for _ in range(3)]
        await settled()
        child.tell(Do("crash"))
        for one in pendings:
            with pytest.raises(actors.ActorFailed):
                await one.wait()
        last = child.request(Ask("later"))
        await settled()
        child.stop()
        with pytest.raises(actors.ActorStopped):
            await last.wait()
        await child.wait_stopped()
        nothing_left(world)


async def test_an_early_reply_does_not_end_the_handling(autojump_clock: Clock) -> None:
    async with staged(spawnable=ALL) as world:
        child = world.alpha.spawn(Worker, name="w", on="beta")
        assert await child.ask(Ask("early")) == "early"
        assert child.state is ActorState.BUSY
        assert child.statistics().handled == 0
        await trio.sleep(1.1)
        assert child.state is ActorState.IDLE
        assert child.statistics().handled == 1


async def test_its_own_requests_are_pending_over_there(autojump_clock: Clock) -> None:
    async with staged(spawnable=ALL) as world:
        child = world.alpha.spawn(Worker, name="w", on="beta")
        assert await child.ask(Ask("pending")) == 1
        assert await child.ask(Ask("replies")) == ["beta"]
        child.stop()
        await child.wait_stopped()
        nothing_left(world)


async def test_groups_and_watches_outlive_its_restart(autojump_clock: Clock) -> None:
    async with staged(spawnable=ALL) as world:
        later = actors.Policy(backoff=actors.Backoff.fixed(1.0), breaker=None)
        child = world.alpha.spawn(Worker, name="w", on="beta", policy=later)
        other = world.alpha.spawn(Worker, name="other")
        gone = world.alpha.spawn(Worker, name="gone")
        for one in (other, gone):
            await child.ask(Ask("watch", ref=one))
        await child.ask(Ask("join"))
        gone.stop()
        await settled()
        for group in (world.alpha.group("crew"), world.beta.group("crew")):
            assert group.members == (child,)
        assert await child.ask(Seen()) == ["ended /gone SHUTDOWN"]
        child.tell(Do("crash"))
        await settled()
        assert world.alpha.group("crew").members == (child,)  # also while it backs off
        await trio.sleep(1.0)
        for group in (world.alpha.group("crew"), world.beta.group("crew")):
            assert group.members == (child,)
        other.stop()
        await settled()
        assert await child.ask(Seen()) == ["ended /other SHUTDOWN"]  # and of /gone it has heard before
        child.stop()
        await child.wait_stopped()
        assert world.alpha.group("crew").members == world.beta.group("crew").members == ()


async def test_a_group_tells_it_by_its_mailbox_here(autojump_clock: Clock) -> None:
    async with staged(spawnable=ALL) as world:
        child = world.alpha.spawn(Worker, name="w", on="beta", policy=AT_ONCE)
        await child.ask(Ask("join"))
        assert world.beta.group("crew").tell(Do("one")) == 1
        assert world.alpha.group("crew").tell(Do("two")) == 1
        await settled()
        assert sorted(await child.ask(Seen())) == ["one", "two"]
        assert child.statistics().handled == 4


async def test_others_watch_it_as_one_at_home(autojump_clock: Clock) -> None:
    async with staged(spawnable=ALL) as world:
        child = world.alpha.spawn(Worker, name="w", on="beta", policy=AT_ONCE)
        near, far = world.alpha.spawn(Worker, name="near"), world.beta.spawn(Worker, name="far")
        for one in (near, far):
            await one.ask(Ask("watch", ref=child))
        child.tell(Do("crash"))
        await settled()
        assert await near.ask(Seen()) == await far.ask(Seen()) == []
        child.stop()
        await child.wait_stopped()
        await settled()
        assert await near.ask(Seen()) == await far.ask(Seen()) == ["ended /w SHUTDOWN"]


async def test_timers_run_over_there_and_end_with_the_incarnation(autojump_clock: Clock) -> None:
    async with staged(spawnable=ALL) as world:
        child = world.alpha.spawn(Worker, name="w", on="beta", policy=AT_ONCE)
        await child.ask(Ask("after"))
        await child.ask(Ask("every"))
        await trio.sleep(3.5)
        assert await child.ask(Seen()) == ["after", "every", "every", "every"]
        child.tell(Do("crash"))
        await trio.sleep(3.5)
        assert await child.ask(Seen()) == []


async def test_it_stops_itself(autojump_clock: Clock) -> None:
    async with staged(spawnable=ALL) as world:
        child = world.alpha.spawn(Worker, name="w", on="beta")
        child.tell(Do("quit"))
        exit = await child.wait_stopped()
        assert (exit.kind, exit.reason) == (actors.ExitKind.NORMAL, "stopped itself")
        nothing_left(world)


async def test_an_adhoc_child_is_never_restarted_and_leaves_nothing(autojump_clock: Clock) -> None:
    async with staged(spawnable=ALL) as world:
        children = [world.alpha.spawn(Worker, on="beta") for _ in range(3)]
        for child in children:
            assert await child.ask(Ask("system")) == "beta"
            child.tell(Do("crash"))
        for child in children:
            assert (await child.wait_stopped()).kind is actors.ExitKind.FAILED
        nothing_left(world)
        assert letters(world.alpha) == [("crash", "crashed")] * 3


async def test_many_children_come_and_go_and_sizes_return_to_zero(autojump_clock: Clock) -> None:
    async with staged(spawnable=ALL) as world:
        for _ in range(3):
            children = [world.alpha.spawn(Worker, name=f"w{number}", on="beta") for number in range(40)]
            for child in children:
                for _ in range(40):
                    child.tell(Do("note"))
            for child in children:
                assert len(await child.ask(Seen())) == 40
                child.stop()
            for child in children:
                await child.wait_stopped()
                assert not child.cell.handed
                assert not child.cell.owed
        nothing_left(world)
        assert hosted(world) == []
        assert letters(world.alpha) == letters(world.beta) == []


async def test_a_place_is_the_name_of_a_node(autojump_clock: Clock) -> None:
    async with staged(spawnable=ALL) as world:
        with pytest.raises(TypeError, match=r"write on='beta', or on=peer\.name"):
            world.alpha.spawn(Worker, on=world.peer)  # pyright: ignore[reportArgumentType]
