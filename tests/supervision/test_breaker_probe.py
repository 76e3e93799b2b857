"""Half-open: one probe, a permit that is held, settled, or given back."""

from __future__ import annotations

from collections import Counter

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

import actors
from actors import ActorState, Breaker, CircuitState, Policy
from tests.supervision.cast import Boom, Child, Crash, Diary, Die, Ping, Quit, Refuse, Work, plain

Starts = list[Exception | float | None]
BREAKER = Breaker(failures=1, reset_after=60.0, factor=2.0)


async def half_open(
    system: actors.System,
    diary: Diary | None = None,
    policy: Policy | None = None,
    starts: Starts | None = None,
) -> actors.Ref:
    """An idle actor /a in half-open, at second 60."""
    script: Starts = [None, *(starts or [])]
    chosen = policy or plain(1, BREAKER)
    ref = await system.start(Child, "a", diary or Diary(), script, name="a", policy=chosen)
    ref.tell(Crash())
    await trio.sleep(60)
    await wait_all_tasks_blocked()
    assert system.breaker("/a").state is CircuitState.HALF_OPEN
    return ref


async def outcome(ref: actors.Ref, request: actors.Request[str], counter: Counter[str]) -> None:
    try:
        await ref.ask(request)
    except actors.CircuitOpen as refused:
        counter["refused" if refused.retry_after == 0.0 else "told a wrong time"] += 1
    else:
        counter["passed"] += 1


@pytest.mark.row(28)
async def test_one_of_fifty_askers_passes_however_long_it_takes(autojump_clock: MockClock) -> None:
    """While the probe is under way nobody else passes; after it everybody does."""
    async with actors.open_system("s") as system:
        ref = await half_open(system)
        counter: Counter[str] = Counter()
        async with trio.open_nursery() as nursery:
            for _ in range(50):
                nursery.start_soon(outcome, ref, Work(10_000.0), counter)
            await trio.sleep(9_999)
            assert counter == {"refused": 49}
            await outcome(ref, Ping(), counter)
            assert counter == {"refused": 50}
        assert counter == {"refused": 50, "passed": 1}
        assert trio.current_time() == 10_060.0
        for _ in range(3):
            await outcome(ref, Ping(), counter)
        assert counter == {"refused": 50, "passed": 4}


@pytest.mark.row(28)
async def test_the_second_probe_comes_only_after_the_first_has_failed(autojump_clock: MockClock) -> None:
    """A probe that fails opens it for a full period; only then is there another one."""
    diary = Diary()
    async with actors.open_system("s") as system:
        ref = await half_open(system, diary)
        with pytest.raises(actors.ActorFailed):
            await ref.ask(Die())
        with pytest.raises(actors.CircuitOpen) as caught:
            await ref.ask(Ping())
        assert caught.value.retry_after == 120.0
        await trio.sleep(119.5)
        assert ref.state is ActorState.CIRCUIT_OPEN
        await trio.sleep(1)
        assert await ref.ask(Ping()) == "a"
        assert diary.times("start a") == [0.0, 60.0, 180.0]


@pytest.mark.row(29)
@pytest.mark.parametrize("probe", [Ping(), Refuse(), Quit()], ids=["returns", "refuses", "stops itself"])
async def test_a_probe_that_returns_or_refuses_closes_and_forgets(
    probe: object, autojump_clock: MockClock
) -> None:
    """After a return or `Refused` the breaker is closed and its failures are forgotten."""
    policy = plain(1, BREAKER, restart="permanent")
    async with actors.open_system("s") as system:
        ref = await half_open(system, policy=policy)
        if isinstance(probe, Refuse):
            with pytest.raises(actors.Refused):
                await ref.ask(probe)
        else:
            ref.tell(probe)
        await wait_all_tasks_blocked()
        assert system.breaker("/a") == actors.BreakerState()


@pytest.mark.row(29)
async def test_each_failed_probe_lengthens_the_wait(autojump_clock: MockClock) -> None:
    """`reset_after` x factor**n for n probes that failed in a row; a success starts over."""
    diary = Diary()
    async with actors.open_system("s") as system:
        ref = await half_open(system, diary)
        for _ in range(3):
            ref.tell(Crash())
            await wait_all_tasks_blocked()
            await trio.sleep(system.breaker("/a").retry_after)
            await wait_all_tasks_blocked()
            assert system.breaker("/a").state is CircuitState.HALF_OPEN
        assert diary.times("start a") == [0.0, 60.0, 180.0, 420.0, 900.0]
        assert await ref.ask(Ping()) == "a"
        ref.tell(Crash())
        await wait_all_tasks_blocked()
        assert system.breaker("/a").retry_after == 60.0


async def test_the_start_belongs_to_the_probe(autojump_clock: MockClock) -> None:
    """A probe whose start fails has failed: the breaker opens again, for longer."""
    diary = Diary()
    async with actors.open_system("s") as system:
        ref = await system.start(Child, "a", diary, [None, Boom("start")], name="a", policy=plain(1, BREAKER))
        ref.tell(Crash())
        await trio.sleep(61)
        assert (ref.state, system.breaker("/a").retry_after) == (ActorState.CIRCUIT_OPEN, 119.0)
        await trio.sleep(120)
        assert diary.times("begin a") == [0.0, 60.0, 180.0]


async def test_a_start_that_succeeds_does_not_close_it_yet(autojump_clock: MockClock) -> None:
    """Half-open lasts until a message has been handled."""
    async with actors.open_system("s") as system:
        ref = await half_open(system)
        await trio.sleep(1000)
        assert (ref.state, system.breaker("/a").state) == (ActorState.IDLE, CircuitState.HALF_OPEN)


async def test_the_first_parked_message_is_the_probe(autojump_clock: MockClock) -> None:
    """While it is handled asks are refused; the parked ones behind it wait for its verdict."""
    diary = Diary()
    async with actors.open_system("s") as system:
        ref = await system.start(Child, "a", diary, [None, 5.0], name="a", policy=plain(1, BREAKER))
        ref.tell(Crash())
        await wait_all_tasks_blocked()
        ref.tell(Work(10.0))
        ref.tell(Ping())
        for seconds in (62.0, 6.0):
            await trio.sleep(seconds)
            with pytest.raises(actors.CircuitOpen) as caught:
                await ref.ask(Ping())
            assert caught.value.retry_after == 0.0
        await trio.sleep(7.5)
        assert await ref.ask(Ping()) == "a"
        assert diary.entries[-4:] == [(65.0, "work a"), (75.0, "done a"), (75.0, "ping a"), (75.5, "ping a")]


async def test_a_failed_probe_keeps_the_other_parked_messages(autojump_clock: MockClock) -> None:
    """Only the probe is lost; what is parked behind it waits for the next one."""
    diary = Diary()
    async with actors.open_system("s") as system:
        ref = await system.start(Child, "a", diary, name="a", policy=plain(1, BREAKER))
        for message in (Crash("0"), Crash("1"), Ping()):
            ref.tell(message)
        await trio.sleep(200)
        assert [dead.message for dead in system.dead_letters] == [Crash("0"), Crash("1")]
        assert diary.times("ping a") == [180.0]
        assert system.breaker("/a").state is CircuitState.CLOSED


async def test_an_ask_during_the_start_is_the_probe(autojump_clock: MockClock) -> None:
    """The first ask after the probe time has the permit, also while the actor still starts."""
    async with actors.open_system("s") as system:
        ref = await system.start(Child, "a", Diary(), [None, 5.0], name="a", policy=plain(1, BREAKER))
        ref.tell(Crash())
        await trio.sleep(61)
        probe = ref.request(Ping())
        with pytest.raises(actors.CircuitOpen):
            await ref.ask(Ping())
        assert await probe.wait() == "a"
        assert trio.current_time() == 65.0
        assert system.breaker("/a").state is CircuitState.CLOSED


# --- the permit comes back -------------------------------------------------------------------


@pytest.mark.row(29)
async def test_an_interrupted_probe_gives_the_permit_back(autojump_clock: MockClock) -> None:
    """The breaker stays half-open, and the next ask is the probe."""
    async with actors.open_system("s") as system:
        ref = await half_open(system)
        probe = ref.request(Work(100.0))
        await wait_all_tasks_blocked()
        assert await ref.interrupt() is True
        with pytest.raises(actors.Interrupted):
            await probe.wait()
        assert system.breaker("/a").state is CircuitState.HALF_OPEN
        second = ref.request(Work(1.0))
        with pytest.raises(actors.CircuitOpen):
            await ref.ask(Ping())
        assert await second.wait() == "a"
        assert system.breaker("/a").state is CircuitState.CLOSED


@pytest.mark.row(29)
@pytest.mark.parametrize("leaves", ["cancelled", "withdrawn", "timeout"])
async def test_an_asker_that_leaves_before_its_turn_gives_the_permit_back(
    leaves: str, autojump_clock: MockClock
) -> None:
    """From its leaving on another ask may be the probe, also while the actor still starts."""
    async with actors.open_system("s") as system:
        ref = await system.start(Child, "a", Diary(), [None, 5.0], name="a", policy=plain(1, BREAKER))
        ref.tell(Crash())
        await trio.sleep(61)
        if leaves == "cancelled":
            with trio.move_on_after(1):
                await ref.ask(Ping())
        elif leaves == "withdrawn":
            ref.request(Ping()).cancel()
        else:
            with pytest.raises(actors.AskTimeout):
                await ref.ask(Ping(), timeout=1.0)
        assert system.breaker("/a").state is CircuitState.HALF_OPEN
        second = ref.request(Ping())
        with pytest.raises(actors.CircuitOpen):
            await ref.ask(Ping())
        assert await second.wait() == "a"
        assert trio.current_time() == 65.0


async def test_a_left_request_is_no_probe_when_its_turn_comes(autojump_clock: MockClock) -> None:
    """A request whose asker has gone is skipped; the breaker stays half-open until the next one."""
    async with actors.open_system("s") as system:
        ref = await system.start(Child, "a", Diary(), [None, 5.0], name="a", policy=plain(1, BREAKER))
        ref.tell(Crash())
        await trio.sleep(61)
        ref.request(Ping()).cancel()
        await trio.sleep(10)
        assert system.breaker("/a").state is CircuitState.HALF_OPEN
        assert await ref.ask(Ping()) == "a"
        assert system.breaker("/a").state is CircuitState.CLOSED


async def test_an_asker_that_leaves_in_its_turn_leaves_the_verdict_to_the_handler(
    autojump_clock: MockClock,
) -> None:
    """The probe goes on without its asker; until it has ended nobody else passes."""
    async with actors.open_system("s") as system:
        ref = await half_open(system)
        with trio.move_on_after(1):
            await ref.ask(Work(10.0))
        with pytest.raises(actors.CircuitOpen):
            await ref.ask(Ping())
        await trio.sleep(10)
        assert system.breaker("/a").state is CircuitState.CLOSED


@pytest.mark.row(29)
async def test_a_probe_that_is_killed_leaves_the_permit_to_the_next_actor(autojump_clock: MockClock) -> None:
    """The breaker stays half-open on the path; the first message of the next actor is the probe."""
    async with actors.open_system("s") as system:
        ref = await half_open(system)
        ref.tell(Work(100.0))
        await wait_all_tasks_blocked()
        ref.kill()
        await ref.wait_stopped()
        assert system.breaker("/a").state is CircuitState.HALF_OPEN
        new = await system.start(Child, "a", Diary(), name="a", policy=plain(1, BREAKER))
        probe = new.request(Work(5.0))
        with pytest.raises(actors.CircuitOpen):
            await new.ask(Ping())
        assert await probe.wait() == "a"
        assert system.breaker("/a").state is CircuitState.CLOSED


async def test_a_cancelled_start_leaves_the_permit_to_the_next_one(autojump_clock: MockClock) -> None:
    """A start by hand that is given up proves nothing."""
    policy = plain(1, BREAKER, restart="temporary")
    async with actors.open_system("s") as system:
        ref = await system.start(Child, "a", Diary(), name="a", policy=policy)
        ref.tell(Crash())
        await trio.sleep(60)
        with trio.move_on_after(1):
            await system.start(Child, "a", Diary(), [100.0], name="a", policy=policy)
        assert system.breaker("/a").state is CircuitState.HALF_OPEN
        ref = await system.start(Child, "a", Diary(), name="a", policy=policy)
        assert await ref.ask(Ping()) == "a"
        assert system.breaker("/a").state is CircuitState.CLOSED


async def test_a_message_without_a_handler_is_no_probe(autojump_clock: MockClock) -> None:
    """What nobody handles neither closes the breaker nor keeps the permit."""
    async with actors.open_system("s") as system:
        ref = await half_open(system)
        ref.tell("nobody handles this")
        with pytest.raises(actors.CircuitOpen):
            await ref.ask(Ping())
        await wait_all_tasks_blocked()
        assert system.breaker("/a").state is CircuitState.HALF_OPEN
        assert await ref.ask(Ping()) == "a"


class Watching(Child):
    """Watches a friend and has no handler for its end."""

    friend: actors.Ref

    async def on_start(self) -> None:
        await super().on_start()
        friend = self.ctx.system.find("/friend")
        if friend is not None:
            self.ctx.watch(friend)


async def test_a_notice_that_is_ignored_is_no_probe(autojump_clock: MockClock) -> None:
    """A `Terminated` without a handler is ignored: it proves nothing about the actor."""
    async with actors.open_system("s") as system:
        friend = await system.start(Child, "f", Diary(), name="friend")
        ref = await system.start(Watching, "a", Diary(), name="a", policy=plain(1, BREAKER))
        ref.tell(Crash())
        await trio.sleep(1)
        friend.stop()
        await trio.sleep(60)
        assert system.breaker("/a").state is CircuitState.HALF_OPEN
        assert await ref.ask(Ping()) == "a"


# --- other shapes of actors --------------------------------------------------------------------


async def test_the_probe_of_a_function_is_its_first_message(autojump_clock: MockClock) -> None:
    """It has passed when the function takes the next one."""

    async def echo(ctx: actors.Context, fails: list[str]) -> None:
        async for message in ctx.inbox:
            if fails:
                raise Boom(fails.pop())
            await trio.sleep(1)
            ctx.reply(message)

    async with actors.open_system("s") as system:
        ref = await system.start(echo, ["1"], name="a", policy=plain(1, BREAKER))
        ref.tell("crash")
        await trio.sleep(61)
        probe = ref.request(Ping())
        await wait_all_tasks_blocked()
        with pytest.raises(actors.CircuitOpen):
            await ref.ask(Ping())
        assert isinstance(await probe.wait(), Ping)
        await wait_all_tasks_blocked()
        assert system.breaker("/a").state is CircuitState.CLOSED


async def test_a_function_that_returns_has_passed_its_probe(autojump_clock: MockClock) -> None:
    """For a function without messages the probe is its run."""

    async def job(ctx: actors.Context, fails: list[str]) -> str:
        await trio.sleep(1)
        if fails:
            raise Boom(fails.pop())
        return "done"

    async with actors.open_system("s") as system:
        ref = system.spawn(job, ["1"], name="a", policy=plain(1, BREAKER))
        assert (await ref.wait_stopped()).value == "done"
        assert trio.current_time() == 62.0
        assert system.breaker("/a").state is CircuitState.CLOSED


async def test_a_group_restart_before_the_probe_keeps_it_half_open(autojump_clock: MockClock) -> None:
    """A member that its group restarts unprobed is probed by its next first message."""
    async with actors.open_system("s", strategy=actors.OneForAll()) as system:
        ref = await half_open(system)
        other = await system.start(Child, "b", Diary(), name="b", policy=plain(1))
        other.tell(Crash())
        await trio.sleep(2)
        assert (ref.state, system.breaker("/a").state) == (ActorState.IDLE, CircuitState.HALF_OPEN)
        probe = ref.request(Work(1.0))
        with pytest.raises(actors.CircuitOpen):
            await ref.ask(Ping())
        assert await probe.wait() == "a"
        assert system.breaker("/a").state is CircuitState.CLOSED
