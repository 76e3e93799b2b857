"""Groups: told and asked together (contract §2)."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock

import actors
from actors import FailureKind
from tests.core.cast import AT_ONCE, Die, Echo, Fail, Note, Seen, Sleep, Worker, settled


@actors.message
class Join:
    group: str


@actors.message
class Leave:
    group: str


class Member(Worker):
    """Joins and leaves on request."""

    def __init__(self, *groups: str) -> None:
        super().__init__()
        self.groups = groups

    async def on_start(self) -> None:
        for group in self.groups:
            self.ctx.join(group)

    @actors.receive
    def join(self, message: Join) -> None:
        self.ctx.join(message.group)

    @actors.receive
    def leave(self, message: Leave) -> None:
        self.ctx.leave(message.group)


async def test_members_are_in_order_of_joining(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        crew = system.group("crew")
        assert (crew.name, crew.members) == ("crew", ())
        one, two, three = [await system.start(Member) for _ in range(3)]
        for ref in (two, three, one):
            ref.tell(Join("crew"))
            await settled()
        assert crew.members == (two, three, one)
        assert system.group("crew").members == crew.members
        assert repr(crew) == "<Group 'crew' of 'alpha', 3 members>"


async def test_joining_twice_is_joining_once(autojump_clock: MockClock) -> None:
    """It keeps the place of the first time."""
    async with actors.open_system("alpha") as system:
        one, two = await system.start(Member, "crew", "crew"), await system.start(Member, "crew")
        one.tell(Join("crew"))
        await settled()
        assert system.group("crew").members == (one, two)


async def test_leaving_is_idempotent_and_rejoining_is_at_the_end(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        one, two = await system.start(Member, "crew"), await system.start(Member, "crew")
        one.tell(Leave("crew"))
        one.tell(Leave("crew"))
        one.tell(Leave("never joined"))
        await settled()
        assert system.group("crew").members == (two,)
        one.tell(Join("crew"))
        await settled()
        assert system.group("crew").members == (two, one)


async def test_the_dead_leave_by_themselves(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        one, two = await system.start(Member, "crew", "other"), await system.start(Member, "crew")
        one.kill()
        await one.wait_stopped()
        assert system.group("crew").members == (two,)
        assert system.group("other").members == ()


async def test_a_member_stays_over_a_restart(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        one = await system.start(Member, name="one", policy=AT_ONCE)
        two = await system.start(Member, "crew")
        one.tell(Join("crew"))
        one.tell(Die())
        assert await one.ask(Echo("again")) == "again"
        assert system.group("crew").members == (two, one)


async def test_groups_are_apart(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        one = await system.start(Member, "red", "blue")
        two = await system.start(Member, "blue")
        assert system.group("red").members == (one,)
        assert system.group("blue").members == (one, two)


async def test_tell_reaches_every_member_and_says_how_many(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        members = [await system.start(Member, "crew") for _ in range(3)]
        assert system.group("crew").tell(Note("hello")) == 3
        assert system.group("nobody").tell(Note("hello")) == 0
        assert [await member.ask(Seen()) for member in members] == [["hello"]] * 3


async def test_a_full_member_makes_it_a_dead_letter_and_is_not_counted(autojump_clock: MockClock) -> None:
    """The others get it all the same; nothing is raised."""
    policy = actors.Policy(mailbox=actors.Mailbox(capacity=1))
    async with actors.open_system("alpha") as system:
        full = await system.start(Member, "crew", policy=policy)
        free = await system.start(Member, "crew", policy=policy)
        full.tell(Sleep(1))
        await settled()
        full.tell(Note("fills it"))
        assert system.group("crew").tell(Note("hello")) == 1
        await settled()
        assert await free.ask(Seen()) == ["hello"]
        assert [(letter.ref, letter.message, letter.reason) for letter in system.dead_letters] == [
            (full, Note("hello"), "full")
        ]


@pytest.mark.parametrize(("overflow", "counts"), [("drop_newest", [1, 0]), ("drop_oldest", [1, 1])])
async def test_a_member_counts_when_the_message_got_in(
    autojump_clock: MockClock, overflow: Any, counts: list[int]
) -> None:
    """One that drops the newest did not take it; one that drops the oldest did."""
    policy = actors.Policy(mailbox=actors.Mailbox(capacity=1, overflow=overflow))
    async with actors.open_system("alpha") as system:
        (await system.start(Member, "crew", policy=policy)).suspend()
        crew = system.group("crew")
        assert [crew.tell(Note("first")), crew.tell(Note("second"))] == counts


async def test_a_broadcast_that_a_child_drops_is_a_failed_outcome(autojump_clock: MockClock) -> None:
    outcomes: list[actors.Outcome] = []

    class Boss(actors.Supervisor):
        @actors.receive
        async def tell_all(self, message: Note) -> None:
            outcomes.extend((await self.broadcast(message)).values())

        async def on_start(self) -> None:
            policy = actors.Policy(mailbox=actors.Mailbox(capacity=1, overflow="drop_newest"))
            (await self.start(Member, policy=policy)).suspend()

    async with actors.open_system("alpha") as system:
        boss = await system.start(Boss)
        boss.tell(Note("first"))
        boss.tell(Note("second"))
        await settled()
        assert [(outcome.ok, type(outcome.error)) for outcome in outcomes] == [
            (True, type(None)),
            (False, actors.MailboxFull),
        ]


async def test_a_member_that_is_ending_is_told_but_not_counted(autojump_clock: MockClock) -> None:
    """For it the message is a dead letter."""
    async with actors.open_system("alpha") as system:
        ending = await system.start(Member, "crew")
        await system.start(Member, "crew")
        ending.tell(Sleep(1))
        await settled()
        ending.stop()
        assert system.group("crew").tell(Note("hello")) == 1
        assert [(letter.ref, letter.reason) for letter in system.dead_letters] == [(ending, "stopped")]


async def test_ask_all_asks_at_once_and_gives_an_outcome_each(autojump_clock: MockClock) -> None:
    """In order of joining; three that take two seconds take two seconds together."""
    async with actors.open_system("alpha") as system:
        members = [await system.start(Member, "crew") for _ in range(3)]
        outcomes = await system.group("crew").ask_all(Sleep(2))
        assert list(outcomes) == members
        assert [(outcome.ok, outcome.value) for outcome in outcomes.values()] == [(True, "slept")] * 3
        assert [(outcome.attempts, outcome.started) for outcome in outcomes.values()] == [
            (1, pytest.approx(0.0))
        ] * 3
        assert [outcome.elapsed for outcome in outcomes.values()] == [pytest.approx(2.0)] * 3
        assert trio.current_time() == pytest.approx(2.0)


@pytest.mark.row(75)
async def test_a_broadcast_gives_each_childs_own_outcome(autojump_clock: MockClock) -> None:
    """One dead of three: the others answer. A told message is taken or not."""

    class Slow(Worker):
        async def on_stop(self, exit: actors.Exit) -> None:
            await trio.sleep(5)

    class Boss(actors.Supervisor):
        async def on_start(self) -> None:
            self.spawn(Worker, name="one")
            self.spawn(Slow, name="two")
            self.spawn(Worker, name="three")

        @actors.receive
        async def all(self, message: tuple) -> None:  # type: ignore[type-arg]
            await settled()
            self.children[1].stop()
            for what in (Sleep(1), Note("hello")):
                message[0].append((self.children, await self.broadcast(what, timeout=3)))

    got: list[Any] = []
    async with actors.open_system("alpha") as system:
        boss = await system.start(Boss, name="boss")
        boss.tell((got,))
        await trio.sleep(2)
        await settled()
        for children, outcomes in got:
            assert list(outcomes) == list(children)
        (_, asked), (_, told) = got
        assert [(o.ok, o.value, type(o.error)) for o in asked.values()] == [
            (True, "slept", type(None)),
            (False, None, actors.ActorStopped),
            (True, "slept", type(None)),
        ]
        assert [(o.ok, type(o.error)) for o in told.values()] == [
            (True, type(None)),
            (False, actors.ActorStopped),
            (True, type(None)),
        ]
        assert await got[0][0][0].ask(Seen()) == ["hello"]


@pytest.mark.row(75)
async def test_a_broadcast_without_children_is_empty(autojump_clock: MockClock) -> None:
    class Boss(actors.Supervisor):
        @actors.receive
        async def echo(self, message: Echo) -> Any:
            return await self.broadcast(Echo()), await self.broadcast(Note())

    async with actors.open_system("alpha") as system:
        assert await system.spawn(Boss).ask(Echo()) == ({}, {})
        assert await system.group("nobody").ask_all(Echo()) == {}


async def test_errors_are_outcomes_with_their_kind(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        await system.start(Member, "crew")
        (failed,) = (await system.group("crew").ask_all(Fail(actors.PermanentFailure("key")))).values()
        assert (failed.ok, failed.value, failed.failure, type(failed.error)) == (
            False,
            None,
            FailureKind.PERMANENT,
            actors.ActorFailed,
        )
        with pytest.raises(actors.ActorFailed):
            failed.unwrap()
        policy = actors.Policy(breaker=actors.Breaker(failures=1, reset_after=1000.0))
        broken = await system.start(Member, "crew", name="broken", policy=policy)
        broken.tell(Die())
        await settled()
        (refused,) = (await system.group("crew").ask_all(Echo())).values()
        assert (refused.failure, type(refused.error), refused.attempts) == (
            FailureKind.CIRCUIT_OPEN,
            actors.CircuitOpen,
            0,
        )
        broken.stop()
        await system.start(Member, "crew")
        (late,) = (await system.group("crew").ask_all(Sleep(60), timeout=2)).values()
        assert (late.failure, type(late.error), late.elapsed) == (
            FailureKind.TIMEOUT,
            actors.AskTimeout,
            pytest.approx(2.0),
        )


async def test_cancellation_is_no_outcome(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        await system.start(Member, "crew")
        with trio.move_on_after(1) as scope:
            await system.group("crew").ask_all(Sleep(60))
        assert (scope.cancelled_caught, trio.current_time()) == (True, pytest.approx(1.0))
        system.group("crew").members[0].kill()


async def test_ask_all_refuses_what_is_no_request_and_no_time(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        await system.start(Member, "crew")
        with pytest.raises(TypeError, match="not a Request"):
            await system.group("crew").ask_all(Note())  # type: ignore[arg-type]
        for timeout in (-1.0, float("nan")):
            with pytest.raises(ValueError, match="timeout must be"):
                await system.group("crew").ask_all(Echo(), timeout=timeout)


@pytest.mark.parametrize("name", ["", "a/b", "~1", "x" * 129, "ü", " crew", None])
async def test_a_group_needs_a_valid_name(autojump_clock: MockClock, name: Any) -> None:
    async with actors.open_system("alpha") as system:
        with pytest.raises(actors.InvalidName):
            system.group(name)
        member = system.spawn(Member, name)
        with pytest.raises(actors.StartFailed) as caught:
            await member.wait_started()
        assert isinstance(caught.value.__cause__, actors.InvalidName)
