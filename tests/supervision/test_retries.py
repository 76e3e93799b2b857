"""Retries: the message whose handling failed is the first one of the next incarnation."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

import actors
from actors import ActorState, Breaker, CircuitState, Mailbox, OneForOne, Policy
from actors.events import DeadLetter, Expired, Failed
from tests.supervision.cast import Boom, Diary, gives_up, plain


@actors.message
class Do(actors.Request[str]):
    what: str


class Flaky(actors.Actor):
    """Fails as often as its script says for a message, then answers it."""

    def __init__(
        self, diary: Diary, fails: dict[str, int], starts: list[Exception | None] | None = None
    ) -> None:
        self.diary = diary
        self.fails = fails
        self.starts = starts

    async def on_start(self) -> None:
        error = self.starts.pop(0) if self.starts else None
        if error is not None:
            raise error

    @actors.receive
    async def do(self, message: Do) -> str:
        self.diary.note(f"do {message.what}")
        left = self.fails.get(message.what, 0)
        if left:
            self.fails[message.what] = left - 1
            raise Boom(f"{message.what} {left}")
        if message.what == "refused":
            raise actors.Refused("no")
        if message.what == "long":
            await trio.sleep(50)
        return f"did {message.what}"


def retrying(times: int, delay: float = 1.0, **more: object) -> Policy:
    return plain(delay, retries=times, **more)


async def flaky(
    system: actors.System, diary: Diary, fails: dict[str, int], policy: Policy, name: str | None = "a"
) -> actors.Ref:
    return await system.start(Flaky, diary, fails, name=name, policy=policy)


async def test_an_asker_waits_on_and_gets_the_reply(autojump_clock: MockClock) -> None:
    """Two failures and a third try: the asker sees only the answer, after two backoffs."""
    diary = Diary()
    async with actors.open_system("s") as system:
        ref = await flaky(system, diary, {"x": 2}, retrying(2))
        assert await ref.ask(Do("x")) == "did x"
        assert diary.times("do x") == [0.0, 1.0, 2.0]


async def test_after_the_last_try_the_asker_gets_the_error(autojump_clock: MockClock) -> None:
    """`ActorFailed` with the cause of the last of 1 + k tries."""
    diary = Diary()
    async with actors.open_system("s") as system:
        ref = await flaky(system, diary, {"x": 9}, retrying(2))
        with pytest.raises(actors.ActorFailed) as caught:
            await ref.ask(Do("x"))
        assert repr(caught.value.__cause__) == repr(Boom("x 7"))
        assert diary.times("do x") == [0.0, 1.0, 2.0]
        assert await ref.ask(Do("y")) == "did y"


@pytest.mark.parametrize(
    ("retries", "reason"), [(0, "crashed"), (1, "retries_exhausted"), (3, "retries_exhausted")]
)
async def test_a_told_message_becomes_one_dead_letter(
    retries: int, reason: str, autojump_clock: MockClock
) -> None:
    """After 1 + k tries there is exactly one dead letter."""
    diary = Diary()
    async with actors.open_system("s") as system:
        ref = await flaky(system, diary, {"x": 99}, retrying(retries))
        ref.tell(Do("x"))
        await trio.sleep(20)
        assert len(diary.of("do")) == 1 + retries
        assert [(dead.message, dead.reason) for dead in system.dead_letters] == [(Do("x"), reason)]
        assert ref.state is ActorState.IDLE


async def test_a_told_message_that_succeeds_at_last_is_no_dead_letter(autojump_clock: MockClock) -> None:
    """Nothing is reported but the failures."""
    diary = Diary()
    async with actors.open_system("s") as system, system.subscribe(DeadLetter, Failed) as events:
        ref = await flaky(system, diary, {"x": 1}, retrying(1))
        ref.tell(Do("x"))
        await trio.sleep(20)
        assert [type(event) for event in iter(events.next_nowait, None)] == [Failed]
        assert diary.of("do") == ["x", "x"]


async def test_the_failed_message_comes_first(autojump_clock: MockClock) -> None:
    """Before everything that waits, urgent messages included."""
    diary = Diary()
    async with actors.open_system("s") as system:
        ref = await flaky(system, diary, {"x": 1}, retrying(1))
        for what in ("x", "y"):
            ref.tell(Do(what))
        await wait_all_tasks_blocked()
        ref.tell(Do("urgent"), urgent=True)
        await trio.sleep(5)
        assert diary.of("do") == ["x", "x", "urgent", "y"]


async def test_each_message_has_its_own_tries(autojump_clock: MockClock) -> None:
    """What one message has used up is not taken from the next."""
    diary = Diary()
    async with actors.open_system("s", strategy=OneForOne(max_restarts=99)) as system:
        ref = await flaky(system, diary, {"x": 9, "y": 1, "z": 2}, retrying(2))
        for what in ("x", "y", "z"):
            ref.tell(Do(what))
        await trio.sleep(30)
        assert diary.of("do") == [*("x",) * 3, *("y",) * 2, *("z",) * 3]
        assert [dead.message for dead in system.dead_letters] == [Do("x")]


async def test_a_failed_start_between_two_tries_uses_no_try(autojump_clock: MockClock) -> None:
    """The message waits through a failing start, still the first one, with its tries left."""
    diary = Diary()
    starts = [None, Boom("start"), None, Boom("start"), None]
    async with actors.open_system("s") as system:
        ref = await system.start(Flaky, diary, {"x": 2}, starts, name="a", policy=retrying(2))
        ref.tell(Do("y"))
        pending = ref.request(Do("x"))
        ref.tell(Do("z"))
        assert await pending.wait() == "did x"
        await trio.sleep(1)
        tries = [(0.0, "do x"), (2.0, "do x"), (4.0, "do x")]
        assert diary.entries == [(0.0, "do y"), *tries, (4.0, "do z")]


async def test_every_failure_counts_for_the_budget(autojump_clock: MockClock) -> None:
    """Retries do not hide failures: the second one is one too many here."""
    diary = Diary()
    with gives_up():
        async with actors.open_system("s", strategy=OneForOne(max_restarts=1)) as system:
            ref = await flaky(system, diary, {"x": 9}, retrying(5))
            ref.tell(Do("x"))
            await trio.sleep_forever()
    assert diary.times("do x") == [0.0, 1.0]


async def test_every_failure_counts_for_the_breaker(autojump_clock: MockClock) -> None:
    """The second try opens it: the asker hears of the failure, a told message would be the probe."""
    diary = Diary()
    policy = retrying(5, breaker=Breaker(failures=2, reset_after=60.0))
    async with actors.open_system("s") as system:
        ref = await flaky(system, diary, {"x": 9}, policy)
        with pytest.raises((actors.ActorFailed, actors.CircuitOpen)):
            await ref.ask(Do("x"))
        assert trio.current_time() == 1.0
        assert ref.state is ActorState.CIRCUIT_OPEN


async def test_a_told_message_is_the_probe_of_the_breaker_that_it_opened(autojump_clock: MockClock) -> None:
    """It is the first one that the next incarnation takes, and closes the breaker when it succeeds."""
    diary = Diary()
    policy = retrying(5, breaker=Breaker(failures=2, reset_after=60.0))
    async with actors.open_system("s") as system:
        ref = await flaky(system, diary, {"x": 2}, policy)
        ref.tell(Do("x"))
        ref.tell(Do("y"))
        await trio.sleep(100)
        assert diary.entries == [(0.0, "do x"), (1.0, "do x"), (61.0, "do x"), (61.0, "do y")]
        assert system.breaker("/a").state is CircuitState.CLOSED


async def test_adhoc_actors_have_no_retries(autojump_clock: MockClock) -> None:
    """An actor without a name runs once: its asker hears of the failure, what was told is lost visibly."""
    diary = Diary()
    async with actors.open_system("s") as system:
        ref = await flaky(system, diary, {"x": 1}, retrying(5), name=None)
        with pytest.raises(actors.ActorFailed):
            await ref.ask(Do("x"))
        ref = await flaky(system, diary, {"x": 1}, retrying(5), name=None)
        ref.tell(Do("x"))
        await ref.wait_stopped()
        assert [dead.reason for dead in system.dead_letters] == ["crashed"]
        assert diary.of("do") == ["x", "x"]


async def test_an_actor_that_is_not_restarted_has_no_retries(autojump_clock: MockClock) -> None:
    """A temporary actor has no next incarnation to take the message."""
    async with actors.open_system("s") as system:
        ref = await flaky(system, Diary(), {"x": 1}, retrying(5, restart="temporary"))
        with pytest.raises(actors.ActorFailed):
            await ref.ask(Do("x"))


async def test_a_request_whose_asker_has_gone_is_not_tried_again(autojump_clock: MockClock) -> None:
    """It is skipped with an event when its turn would come."""
    diary = Diary()
    async with actors.open_system("s") as system, system.subscribe(Expired) as events:
        ref = await flaky(system, diary, {"x": 9}, retrying(5, delay=10.0))
        with pytest.raises(actors.AskTimeout):
            await ref.ask(Do("x"), timeout=3.0)
        assert trio.current_time() == 3.0
        await trio.sleep(20)
        assert diary.of("do") == ["x"]
        assert [type(event) for event in iter(events.next_nowait, None)] == [Expired]
        assert ref.state is ActorState.IDLE


async def test_a_full_mailbox_loses_no_message_that_is_tried_again(autojump_clock: MockClock) -> None:
    """Redelivered messages do not count toward the capacity and are never dropped."""
    diary = Diary()
    mailbox = Mailbox(capacity=2, overflow="drop_oldest")
    async with actors.open_system("s") as system:
        ref = await flaky(system, diary, {"x": 1}, retrying(1, mailbox=mailbox))
        ref.tell(Do("x"))
        await wait_all_tasks_blocked()
        for what in ("1", "2", "3", "4"):
            ref.tell(Do(what))
        await trio.sleep(5)
        assert diary.of("do") == ["x", "x", "3", "4"]
        assert {dead.reason for dead in system.dead_letters} == {"dropped_oldest"}


@pytest.mark.parametrize("asked", [True, False])
async def test_a_stop_during_the_backoff_ends_the_message_too(asked: bool, autojump_clock: MockClock) -> None:
    """Its asker gets `ActorStopped`; told, it is one dead letter."""
    async with actors.open_system("s") as system:
        ref = await flaky(system, Diary(), {"x": 9}, retrying(5, delay=10.0))
        pending = ref.request(Do("x")) if asked else ref.tell(Do("x"))
        await wait_all_tasks_blocked()
        ref.stop()
        if pending is not None:
            with pytest.raises(actors.ActorStopped):
                await pending.wait()
        else:
            assert [(dead.message, dead.reason) for dead in system.dead_letters] == [(Do("x"), "stopped")]


@pytest.mark.parametrize("how", ["refused", "interrupted", "killed"])
async def test_what_did_not_fail_is_not_tried_again(how: str, autojump_clock: MockClock) -> None:
    """A refusal, an interruption and a kill are no failures of the actor."""
    diary = Diary()
    async with actors.open_system("s") as system:
        ref = await flaky(system, diary, {}, retrying(5))
        ref.tell(Do("refused" if how == "refused" else "long"))
        await wait_all_tasks_blocked()
        if how == "interrupted":
            assert await ref.interrupt() is True
        elif how == "killed":
            ref.kill()
        await trio.sleep(100)
        assert len(diary.of("do")) == 1
        assert ref.statistics().restarts == 0


async def test_a_function_takes_the_failed_message_first_too(autojump_clock: MockClock) -> None:
    """Its next run finds the message at the head of its inbox."""
    taken: list[str] = []

    async def worker(ctx: actors.Context, fails: list[int]) -> None:
        async for message in ctx.inbox:
            taken.append(message.what)
            if fails:
                raise Boom(str(fails.pop()))
            ctx.reply(f"did {message.what}")

    async with actors.open_system("s") as system:
        ref = await system.start(worker, [1, 2], name="a", policy=retrying(2))
        first, second = ref.request(Do("x")), ref.request(Do("y"))
        assert await first.wait() == "did x"
        assert await second.wait() == "did y"
        assert taken == ["x", "x", "x", "y"]


async def test_a_message_that_was_answered_is_not_tried_again(autojump_clock: MockClock) -> None:
    """A handler that replied and then failed has done its work for the asker."""
    runs: list[str] = []

    class Hasty(actors.Actor):
        @actors.receive
        def do(self, message: Do) -> str:
            runs.append(message.what)
            self.ctx.reply("early")
            raise Boom("after the reply")

    async with actors.open_system("s") as system:
        ref = await system.start(Hasty, name="a", policy=retrying(5))
        assert await ref.ask(Do("x")) == "early"
        await trio.sleep(20)
        assert (runs, ref.statistics().restarts, system.dead_letters) == (["x"], 1, ())


async def test_the_sender_of_a_message_stays_its_sender(autojump_clock: MockClock) -> None:
    """`ctx.sender` is the same at every try."""
    senders: list[actors.Ref | None] = []

    class Asked(actors.Actor):
        @actors.receive
        def do(self, message: Do) -> str:
            senders.append(self.ctx.sender)
            if len(senders) < 3:
                raise Boom("again")
            return "done"

    async def asker(ctx: actors.Context, ref: actors.Ref) -> str:
        return await ref.ask(Do("x"))

    async with actors.open_system("s") as system:
        ref = await system.start(Asked, name="a", policy=retrying(2))
        one = system.spawn(asker, ref, name="asker")
        assert (await one.wait_stopped()).value == "done"
        assert senders == [one, one, one]


async def test_a_request_that_was_given_up_leaves_the_next_message_all_its_tries(
    autojump_clock: MockClock,
) -> None:
    """The try that a skipped request had used is not charged to the message behind it."""
    diary = Diary()
    async with actors.open_system("s") as system:
        ref = await flaky(system, diary, {"x": 9, "y": 1}, retrying(1, delay=10.0))
        pending = ref.request(Do("x"))
        ref.tell(Do("y"))
        await trio.sleep(1)
        pending.cancel()
        await trio.sleep(50)
        assert diary.entries == [(0.0, "do x"), (10.0, "do y"), (20.0, "do y")]
        assert system.dead_letters == ()
