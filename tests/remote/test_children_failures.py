"""A child on another node that fails is treated like one at home: restarts, breaker, retries, limits."""

from __future__ import annotations

import pytest
import trio

import actors
from actors import ActorState, ExitKind, FailureKind
from actors.events import Failed, Restarting
from actors.outcome import kind_of
from actors.policy import RestartType
from tests.remote.cast import (
    AT_ONCE,
    LOG,
    Ask,
    Do,
    Seen,
    Worker,
    collect,
    hosted,
    letters,
    nothing_left,
    settled,
    staged,
)  # fmt: skip
from tests.remote.stage import Cable, cables

Clock = trio.testing.MockClock


class Pair(actors.Supervisor):
    """Three children in start order, of which the middle one is elsewhere."""

    def __init__(self, kind: str, budget: int = 100) -> None:
        cls = {"all": actors.OneForAll, "rest": actors.RestForOne, "one": actors.OneForOne}[kind]
        self.strategy = cls(max_restarts=budget, within=1000.0)

    async def on_start(self) -> None:
        policy = actors.Policy(backoff=actors.Backoff.fixed(1.0), breaker=None)
        for name, on in (("a", "alpha"), ("b", "beta"), ("c", "alpha"), ("d", "beta")):
            await self.start(Worker, name=name, on=on, policy=policy)


class Silent(actors.Supervisor):
    """Its handler waits while its child elsewhere is at work."""

    @actors.receive
    async def do(self, message: Do) -> None:
        child = await self.start(Worker, name="w", on="beta")
        child.tell(Do("progress"))
        await trio.sleep(message.seconds)


class Significant(actors.Supervisor):
    """Ends with its child elsewhere."""

    auto_shutdown = "any"

    async def on_start(self) -> None:
        self.spawn(Worker, name="w", on="beta", significant=True, policy=actors.Policy(restart="temporary"))


async def writes(ctx: actors.Context, text: str) -> None:
    """Puts out what it was given, and goes on."""
    ctx.output(text.encode(), "stderr")
    await trio.sleep(1000)


@pytest.mark.parametrize(
    ("restart", "how", "again"),
    [
        ("permanent", "quit", True), ("permanent", "crash", True), ("transient", "quit", False),
        ("transient", "crash", True), ("temporary", "quit", False), ("temporary", "crash", False),
    ],
)  # fmt: skip
async def test_restart_types(autojump_clock: Clock, restart: str, how: str, again: bool) -> None:
    policy = actors.Policy(restart=restart, backoff=actors.Backoff.fixed(1.0), breaker=None)  # type: ignore[arg-type]
    async with staged(spawnable=(Worker,)) as world:
        child = world.alpha.spawn(Worker, name="w", on="beta", policy=policy)
        child.tell(Do(how))
        await settled()
        if not again:
            assert child.state is ActorState.STOPPED
            nothing_left(world)
            return
        assert child.state is ActorState.BACKING_OFF
        assert hosted(world) == []
        await trio.sleep(1.0)
        assert child.state is ActorState.IDLE
        assert child.statistics().restarts == 1


async def test_what_waits_survives_a_crash_in_order_and_the_one_in_hand_is_a_dead_letter_once(
    autojump_clock: Clock,
) -> None:
    async with staged(spawnable=(Worker,)) as world:
        child = world.alpha.spawn(Worker, name="w", on="beta", policy=AT_ONCE)
        await child.wait_started()
        child.tell(Do("crash"))
        asked = []
        for number in range(100):
            child.tell(Do(str(number)))
            asked.append(child.request(Ask(str(number))))
        assert [await one.wait() for one in asked] == [str(number) for number in range(100)]
        assert await child.ask(Seen()) == [str(number) for number in range(100)]
        assert letters(world.alpha) == [("crash", "crashed")]
        assert letters(world.beta) == []


async def test_an_asker_hears_of_the_failure_with_the_remote_error_as_its_cause(
    autojump_clock: Clock,
) -> None:
    async with staged(spawnable=(Worker,)) as world:
        child = world.alpha.spawn(Worker, name="w", on="beta", policy=AT_ONCE)
        with pytest.raises(actors.ActorFailed) as caught:
            await child.ask(Ask("crash"))
        cause = caught.value.__cause__
        assert isinstance(cause, actors.RemoteError)
        assert (cause.type_name, cause.message) == ("ArithmeticError", "crashed")
        assert "raise ArithmeticError" in cause.traceback_text


async def test_an_urgent_message_is_handled_before_those_that_were_handed_over(autojump_clock: Clock) -> None:
    async with staged(spawnable=(Worker,)) as world:
        child = world.alpha.spawn(Worker, name="w", on="beta", policy=AT_ONCE)
        child.tell(Do("first", 1.0))
        for number in range(50):
            child.tell(Do(str(number)))
        await settled()
        child.tell(Do("urgent"), urgent=True)
        assert (await child.ask(Seen()))[:3] == ["first", "urgent", "0"]
        child.tell(Do("crash", 1.0))
        child.tell(Do("normal"))
        await settled()
        child.tell(Do("urgent"), urgent=True)
        assert await child.ask(Seen()) == ["urgent", "normal"]  # also after a restart


@pytest.mark.parametrize("overflow", ["reject", "drop_newest", "drop_oldest"])
async def test_the_mailbox_here_counts_what_waits_there(autojump_clock: Clock, overflow: str) -> None:
    mailbox = actors.Mailbox(capacity=3, overflow=overflow)  # type: ignore[arg-type]
    async with staged(spawnable=(Worker,)) as world:
        child = world.alpha.spawn(Worker, name="w", on="beta", policy=actors.Policy(mailbox=mailbox))
        child.tell(Do("first", 1.0))
        await settled()
        for number in range(3):
            child.tell(Do(str(number)))
            await settled()
        for number in range(3, 5):
            if overflow == "reject":
                with pytest.raises(actors.MailboxFull) as caught:
                    child.tell(Do(str(number)))
                assert caught.value.capacity == 3
            else:
                child.tell(Do(str(number)))
            await settled()
        assert sum(child.statistics().depth.values()) == 3
        await trio.sleep(1.1)
        kept = {"reject": ["0", "1", "2"], "drop_newest": ["0", "1", "2"], "drop_oldest": ["2", "3", "4"]}
        assert await child.ask(Seen()) == ["first", *kept[overflow]]


async def test_senders_wait_for_room_in_the_order_of_their_coming(autojump_clock: Clock) -> None:
    async with staged(spawnable=(Worker,)) as world:
        policy = actors.Policy(mailbox=actors.Mailbox(capacity=1))
        child = world.alpha.spawn(Worker, name="w", on="beta", policy=policy)
        await child.wait_started()
        async with trio.open_nursery() as nursery:
            for number in range(6):
                nursery.start_soon(child.send, Do(str(number), 1.0))
                await settled()
            await trio.sleep(1.5)
            assert len(child.cell.senders or ()) == 3
        await trio.sleep(10)
        assert await child.ask(Seen()) == list("012345")


async def test_retries_deliver_the_message_again_before_all_others(autojump_clock: Clock) -> None:
    policy = actors.Policy(backoff=actors.Backoff.immediate(), breaker=None, retries=2)
    async with staged(spawnable=(Worker,)) as world:
        child = world.alpha.spawn(Worker, name="w", on="beta", policy=policy)
        child.tell(Do("crash"))
        child.tell(Do("next"))
        assert await child.ask(Seen()) == ["next"]
        assert [what for _, what in LOG if what in ("crash", "next")] == ["crash"] * 3 + ["next"]
        assert letters(world.alpha) == [("crash", "retries_exhausted")]


async def test_the_breaker_opens_here_and_lets_a_probe_through(autojump_clock: Clock) -> None:
    breaker = actors.Breaker(failures=2, within=60.0, reset_after=10.0)
    policy = actors.Policy(backoff=actors.Backoff.immediate(), breaker=breaker)
    async with staged(spawnable=(Worker,)) as world:
        child = world.alpha.spawn(Worker, name="w", on="beta", policy=policy)
        for _ in range(2):
            with pytest.raises(actors.ActorFailed):
                await child.ask(Ask("crash"))
        await settled()
        assert child.state is ActorState.CIRCUIT_OPEN
        assert hosted(world) == []
        with pytest.raises(actors.CircuitOpen) as caught:
            await child.ask(Ask("system"))
        assert caught.value.retry_after == pytest.approx(10.0, abs=0.1)
        child.tell(Do("parked"))
        await trio.sleep(10.1)
        assert child.state is ActorState.IDLE
        assert await child.ask(Seen()) == ["parked"]


async def test_the_budget_is_spent_and_the_supervisor_gives_up(autojump_clock: Clock) -> None:
    async with staged(spawnable=(Worker,)) as world:
        policy = actors.Policy(restart="temporary", breaker=None)
        top = await world.alpha.start(Pair, "one", 2, name="top", policy=policy)
        child = world.alpha.find("/top/b")
        assert child is not None
        for _ in range(3):
            child.tell(Do("crash"))
            await trio.sleep(2.0)
        exit = await top.wait_stopped()
        assert exit.kind is ExitKind.FAILED
        assert isinstance(exit.error, actors.RestartsExhausted)
        assert hosted(world) == []
        nothing_left(world)


@pytest.mark.parametrize(
    ("kind", "stops", "starts"),
    [("all", ["d", "c", "a"], ["a", "b", "c", "d"]), ("rest", ["d", "c"], ["b", "c", "d"])],
)
async def test_groups_over_both_nodes_stop_from_the_last_and_start_from_the_first(
    autojump_clock: Clock, kind: str, stops: list[str], starts: list[str]
) -> None:
    async with staged(spawnable=(Worker,)) as world:
        await world.alpha.start(Pair, kind, name="top")
        LOG.clear()
        child, last = world.alpha.find("/top/b"), world.alpha.find("/top/d")
        assert child is not None
        assert last is not None
        last.tell(Do("long", 0.5))
        last.tell(Do("waits"))
        child.tell(Do("crash"))
        await trio.sleep(5.0)
        seen = [(path[-1], what) for path, what in LOG]
        assert [name for name, what in seen if what == "stopped"] == ["b", *stops]
        assert [name for name, what in seen if what == "started"] == starts
        assert await last.ask(Seen()) == ["waits"]


async def test_a_significant_child_elsewhere_ends_its_supervisor(autojump_clock: Clock) -> None:
    async with staged(spawnable=(Worker,)) as world:
        top = world.alpha.spawn(Significant, name="top")
        await settled()
        child = world.alpha.find("/top/w")
        assert child is not None
        child.tell(Do("quit"))
        assert (await top.wait_stopped()).kind is ExitKind.NORMAL


@pytest.mark.parametrize(
    ("how", "kind"), [("limited", FailureKind.RATE_LIMIT), ("permanent", FailureKind.PERMANENT)]
)
async def test_the_kind_of_a_failure_comes_home(autojump_clock: Clock, how: str, kind: FailureKind) -> None:
    policy = actors.Policy(backoff=actors.Backoff.immediate(), breaker=None, retries=1)
    async with staged(spawnable=(Worker,)) as world, world.alpha.subscribe(Failed, Restarting) as events:
        child = world.alpha.spawn(Worker, name="w", on="beta", policy=policy)
        child.tell(Do(how))
        await settled()
        failed = events.next_nowait()
        assert isinstance(failed, Failed)
        assert kind_of(failed.exit.error) is kind
        if how == "limited":
            assert collect(events, Restarting)[0].delay == 7.0  # type: ignore[attr-defined]
            await trio.sleep(20)
            assert [what for _, what in LOG].count("limited") == 2
        else:
            assert letters(world.alpha) == [("permanent", "crashed")]


async def test_a_time_limit_is_kept_over_there(autojump_clock: Clock) -> None:
    policy = actors.Policy(timeout=actors.Timeout("fixed", initial=3.0), breaker=None, restart="temporary")
    async with staged(spawnable=(Worker,)) as world:
        child = world.alpha.spawn(Worker, name="w", on="beta", policy=policy)
        await child.wait_started()
        began = trio.current_time()
        with pytest.raises(actors.ActorFailed):
            await child.ask(Ask("long", 100.0))
        assert trio.current_time() - began == pytest.approx(3.0, abs=0.1)
        exit = await child.wait_stopped()
        assert exit.kind is ExitKind.TIMED_OUT
        assert kind_of(exit.error) is FailureKind.TIMEOUT  # type: ignore[arg-type]


async def test_a_stall_is_seen_over_there(autojump_clock: Clock) -> None:
    stall = actors.Stall(threshold=5.0, check_interval=1.0, min_output=0, confirmations=1)
    policy = actors.Policy(stall=stall, breaker=None, restart="temporary")
    async with staged(spawnable=(Worker,)) as world:
        child = world.alpha.spawn(Worker, name="w", on="beta", policy=policy)
        child.tell(Do("long", 100.0))
        exit = await child.wait_stopped()
        assert exit.kind is ExitKind.STALLED
        assert trio.current_time() < 10


@pytest.mark.parametrize("pattern", ["ERR-\\d+", actors.Pattern("ERR-\\d+", kind=FailureKind.PERMANENT)])
async def test_a_pattern_in_its_output_ends_it_over_there(
    autojump_clock: Clock, pattern: str | actors.Pattern
) -> None:
    policy = actors.Policy(stall=actors.Stall(patterns=[pattern]), breaker=None, restart="temporary")  # type: ignore[arg-type]
    async with staged(spawnable=(writes,)) as world:
        child = world.alpha.spawn(writes, "now ERR-17\n", name="w", on="beta", policy=policy)
        exit = await child.wait_stopped()
        assert exit.kind is ExitKind.PATTERN
        expected = FailureKind.PATTERN if isinstance(pattern, str) else FailureKind.PERMANENT
        assert kind_of(exit.error) is expected  # type: ignore[arg-type]


async def test_its_signs_of_life_are_those_of_its_supervisor_too(autojump_clock: Clock) -> None:
    limit = actors.Timeout("fixed", initial=1000.0, no_activity=5.0)
    policy = actors.Policy(timeout=limit, breaker=None, restart="temporary")
    async with staged(spawnable=(Worker,)) as world:
        top = world.alpha.spawn(Silent, name="top", policy=policy)
        top.tell(Do("wait", 1000.0))
        exit = await top.wait_stopped()
        assert exit.kind is ExitKind.STALLED
        assert 24 <= trio.current_time() <= 28  # 20 s of progress over there, and 5 s of silence
        assert hosted(world) == []


@pytest.mark.parametrize("restart", ["permanent", "transient", "temporary"])
@pytest.mark.parametrize("shutdown", [5.0, 0.0], ids=["in time", "cancelled"])
async def test_a_node_that_closes_is_a_failure_of_the_children_that_run_there(
    autojump_clock: Clock, restart: RestartType, shutdown: float
) -> None:
    """Nobody here has ordered their end. What waited there is handled by the next life, on the next node."""
    LOG.clear()
    policy = actors.Policy(
        restart=restart, breaker=None, backoff=actors.Backoff.fixed(1.0), shutdown=shutdown
    )
    with cables() as made:
        async with actors.open_system("alpha") as alpha, alpha.subscribe(Failed) as events:
            async with actors.open_system("beta", spawnable=[Worker]) as beta:
                url = made.door(beta, Cable())
                await alpha.connect(url)
                child = await alpha.start(Worker, name="w", on="beta", policy=policy)
                child.tell(Do("long", 1.0))
                waiting = child.request(Ask("system"))
                await settled()
            async with actors.open_system("beta", spawnable=[Worker]) as beta:
                made.redirect(url, beta)
                if restart == "temporary":
                    assert (await child.wait_stopped()).kind is ExitKind.NODE_DOWN
                    with pytest.raises(actors.ActorStopped):
                        await waiting.wait()
                else:
                    assert await waiting.wait(timeout=60) == "beta"
                    failed = collect(events, Failed)[0]
                    assert failed.exit.kind is ExitKind.NODE_DOWN
                    assert "it has ended what runs there for others" in failed.exit.reason
    LOG.clear()
