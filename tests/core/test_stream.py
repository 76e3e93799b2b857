"""Streams: chunks in order, at most a window of them waiting, and how a stream ends by itself."""

from __future__ import annotations

from typing import Any, assert_type

import pytest
import trio
from trio.testing import MockClock

import actors
from actors import ActorState, Backoff, Breaker, CircuitState, ExitKind, Policy
from actors.events import DeadLetterReason, Progressed
from tests.core.cast import AT_ONCE, drained, settled
from tests.core.yielders import Any1, Count, Fails, Named, Slow, Yielder

TAKES_NO_ROAD = True


async def taken(stream: actors.Stream[Any]) -> tuple[list[Any], BaseException | None]:
    """All chunks, and the error behind them."""
    chunks: list[Any] = []
    try:
        async for chunk in stream:
            chunks.append(chunk)
    except actors.ActorError as error:
        return chunks, error
    return chunks, None


async def test_chunks_come_in_order_each_once(autojump_clock: MockClock) -> None:
    log: list[Any] = []
    async with actors.open_system("alpha") as system:
        ref = system.spawn(Yielder, log)
        for upto in (0, 1, 15, 16, 17, 300):
            assert await taken(ref.stream(Count(upto))) == ([*range(upto)], None)
        assert log.count("finally") == 6


@pytest.mark.parametrize("window", [1, 2, 16])
async def test_the_generator_is_not_advanced_while_a_window_waits(
    window: int, autojump_clock: MockClock
) -> None:
    log: list[Any] = []
    async with actors.open_system("alpha") as system:
        ref = system.spawn(Yielder, log)
        stream = ref.stream(Count(100), window=window)
        for took in range(20):
            await settled()
            assert log == ["begun", *range(window + took)]
            assert await anext(stream) == took
        await stream.aclose()


async def test_asking_gives_all_chunks_in_a_tuple(autojump_clock: MockClock) -> None:
    log: list[Any] = []
    async with actors.open_system("alpha") as system:
        ref = system.spawn(Yielder, log)
        assert await ref.ask(Count(3)) == (0, 1, 2)
        assert await ref.ask(Count(0)) == ()
        assert len(await ref.ask(Count(1000))) == 1000
        with pytest.raises(actors.ActorFailed, match="Fails: no more"):
            await ref.ask(Count(3, error="no more"))


async def test_told_it_runs_and_its_chunks_go_nowhere(autojump_clock: MockClock) -> None:
    log: list[Any] = []
    async with actors.open_system("alpha") as system:
        ref = system.spawn(Yielder, log)
        ref.tell(Count(1000))
        await settled()
        assert log == ["begun", *range(1000), "finally"]
        assert not system.dead_letters


async def test_an_ordinary_answer_is_one_chunk(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        ref = system.spawn(Yielder, [])
        assert await taken(ref.stream(Named("bo"))) == (["bo"], None)
        assert await taken(ref.stream(Any1())) == ([], None)  # a handler that yields nothing


async def test_an_error_comes_behind_the_chunks_before_it(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        ref = system.spawn(Yielder, [], name="a", policy=AT_ONCE)
        stream = ref.stream(Count(3, error="broke"), window=10)
        await settled()
        chunks, error = await taken(stream)
        assert chunks == [0, 1, 2]
        assert isinstance(error, actors.ActorFailed)
        assert isinstance(error.__cause__, Fails)
        assert await taken(stream) == ([], None)  # over for ever
        assert await taken(ref.stream(Count(2))) == ([0, 1], None)


async def test_after_the_end_it_is_over_for_ever(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        stream = system.spawn(Yielder, []).stream(Count(1))
        assert await anext(stream) == 0
        for _ in range(3):
            with pytest.raises(StopAsyncIteration):
                await anext(stream)
        await stream.aclose()
        assert "over" in repr(stream)


async def test_a_request_is_sent_by_the_call_in_the_order_of_messages(autojump_clock: MockClock) -> None:
    log: list[Any] = []
    async with actors.open_system("alpha") as system:
        ref = system.spawn(Yielder, log)
        first = ref.stream(Count(2), window=5)
        second = ref.stream(Count(3), window=5)
        await settled()
        assert log == ["begun", 0, 1, "finally", "begun", 0, 1, 2, "finally"]
        assert [await taken(second), await taken(first)] == [([0, 1, 2], None), ([0, 1], None)]


async def test_the_whole_is_limited_by_timeout(autojump_clock: MockClock) -> None:
    log: list[Any] = []
    async with actors.open_system("alpha") as system:
        ref = system.spawn(Yielder, log)
        chunks, error = await taken(ref.stream(Count(100, pause=1.0), timeout=3.5))
        assert (chunks, trio.current_time()) == ([0, 1, 2], 3.5)
        assert isinstance(error, actors.AskTimeout)
        assert error.limit == 3.5
        await settled()
        assert log[-2:] == ["Cancelled", "finally"]


async def test_the_limit_strikes_also_while_nobody_takes(autojump_clock: MockClock) -> None:
    log: list[Any] = []
    async with actors.open_system("alpha") as system:
        ref = system.spawn(Yielder, log)
        stream = ref.stream(Count(100), timeout=2.0, window=2)
        await trio.sleep(5)
        assert log == ["begun", 0, 1, "Cancelled", "finally"]
        chunks, error = await taken(stream)
        assert chunks == [0, 1]
        assert isinstance(error, actors.AskTimeout)


async def test_idle_limits_one_wait_and_not_the_whole(autojump_clock: MockClock) -> None:
    log: list[Any] = []
    async with actors.open_system("alpha") as system:
        ref = system.spawn(Yielder, log)
        assert (await taken(ref.stream(Count(10, pause=1.0), idle=1.5)))[0] == [*range(10)]
        slow = ref.stream(Count(3, pause=1.0), idle=0.5)
        await trio.sleep(7)  # nobody waits: nobody is kept waiting
        chunks, error = await taken(slow)
        assert (chunks, error) == ([0, 1, 2], None)
        began = trio.current_time()
        chunks, error = await taken(ref.stream(Count(3, pause=1.0), idle=0.5))
        assert isinstance(error, actors.AskTimeout)
        assert (chunks, trio.current_time() - began) == ([], 0.5)
        await settled()
        assert log[-2:] == ["Cancelled", "finally"]


@pytest.mark.parametrize(
    "wrong", [{"window": 0}, {"window": 1.5}, {"window": True}, {"timeout": -1}, {"idle": float("nan")}]
)
async def test_wrong_arguments_are_named_at_once(wrong: dict[str, Any], autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        ref = system.spawn(Yielder, [])
        with pytest.raises(ValueError, match=next(iter(wrong))):
            ref.stream(Count(1), **wrong)
        with pytest.raises(TypeError, match="is not a Request"):
            ref.stream("hello")  # type: ignore[call-overload]


async def test_a_chunk_is_a_sign_of_life(autojump_clock: MockClock) -> None:
    """The limit of silence does not end one that yields, nor one that waits for its asker."""
    quiet = actors.Timeout(mode="fixed", initial=1000.0, no_activity=1.5)
    async with actors.open_system("alpha") as system:
        ref = system.spawn(Yielder, [], policy=Policy(timeout=quiet))
        async with system.subscribe(Progressed) as events:
            assert await ref.ask(Count(5, pause=1.0)) == (0, 1, 2, 3, 4)
            assert len(drained(events)) == 5
        stream = ref.stream(Count(4, pause=1.0), window=1)
        await trio.sleep(10)
        assert ref.waiting_for == "room for a chunk"
        assert ref.state is ActorState.BUSY
        assert await taken(stream) == ([0, 1, 2, 3], None)
        chunks, error = await taken(ref.stream(Count(4, pause=2.0)))
        assert chunks == []
        assert isinstance(error, actors.ActorFailed)


async def test_a_supervisor_that_streams_from_its_child_waits_for_it(autojump_clock: MockClock) -> None:
    seen: list[Any] = []

    class Boss(actors.Supervisor):
        async def on_start(self) -> None:
            self.child = self.spawn(Yielder, [], name="child")

        @actors.receive
        async def work(self, message: Named) -> str:
            async for chunk in self.child.stream(Count(2, pause=5.0)):
                seen.append((chunk, self.ctx.ref.waiting_for))
            return "done"

    quiet = actors.Timeout(mode="fixed", initial=1000.0, no_activity=2.0)
    async with actors.open_system("alpha") as system:
        boss = system.spawn(Boss, name="boss", policy=Policy(timeout=quiet))
        pending = boss.request(Named())
        await trio.sleep(3)
        assert boss.waiting_for == "/boss/child"
        assert await pending.wait() == "done"
        assert seen == [(0, None), (1, None)]


async def test_a_stream_of_oneself_is_a_deadlock(autojump_clock: MockClock) -> None:
    class Selfish(Yielder):
        @actors.receive
        async def named(self, message: Named) -> str:
            chunks, error = await taken(self.ctx.ref.stream(Count(3)))
            return f"{chunks} {type(error).__name__}"

    async with actors.open_system("alpha") as system:
        assert await system.spawn(Selfish, []).ask(Named()) == "[] Deadlock"


async def test_a_second_task_that_takes_gets_a_clear_error(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        stream = system.spawn(Yielder, []).stream(Count(3, pause=1.0))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(taken, stream)
            await settled()
            with pytest.raises(RuntimeError, match="let one task iterate"):
                await anext(stream)


async def test_one_who_has_broken_off_may_go_on(autojump_clock: MockClock) -> None:
    async with (
        actors.open_system("alpha") as system,
        system.spawn(Yielder, []).stream(Count(5)) as stream,
    ):
        async for head in stream:
            if head == 1:
                break
        assert await taken(stream) == ([2, 3, 4], None)


# --- the actor's own fate ----------------------------------------------------------


async def test_an_interrupt_comes_behind_the_chunks(autojump_clock: MockClock) -> None:
    log: list[Any] = []
    async with actors.open_system("alpha") as system:
        ref = system.spawn(Yielder, log)
        for pause, window, came in ((1.0, 16, [0, 1]), (0.0, 3, [0, 1, 2])):
            stream = ref.stream(Count(100, pause=pause), window=window)
            await trio.sleep(2.5)
            assert await ref.interrupt()
            chunks, error = await taken(stream)
            assert isinstance(error, actors.Interrupted)
            assert chunks == came
            assert log[-2:] == ["Cancelled", "finally"]
        assert await ref.ask(Named("alive")) == "alive"


@pytest.mark.parametrize("order", ["stop", "kill", "drain"])
async def test_the_end_of_the_actor_comes_behind_the_chunks(order: str, autojump_clock: MockClock) -> None:
    log: list[Any] = []
    async with actors.open_system("alpha") as system:
        ref = system.spawn(Yielder, log, name="a", policy=Policy(shutdown=2.0))
        stream = ref.stream(Count(100), window=4)
        waiting = ref.stream(Count(1))
        await settled()
        getattr(ref, order)()
        await ref.wait_stopped()
        assert trio.current_time() == (0.0 if order == "kill" else 2.0)
        chunks, error = await taken(stream)
        assert isinstance(error, actors.ActorStopped)
        assert chunks == [0, 1, 2, 3]
        chunks, error = await taken(waiting)
        assert isinstance(error, actors.ActorStopped)
        assert log[-2:] == ["Cancelled", "finally"]


async def test_a_drain_lets_streams_come_to_their_end(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        ref = system.spawn(Yielder, [], name="a")
        first, second = ref.stream(Count(20)), ref.stream(Count(3))
        await settled()
        ref.drain()
        assert (await taken(first))[0] == [*range(20)]
        assert (await taken(second))[0] == [0, 1, 2]
        assert (await ref.wait_stopped()).kind is ExitKind.SHUTDOWN


async def test_one_that_has_given_nothing_is_tried_again(autojump_clock: MockClock) -> None:
    again = Policy(retries=2, backoff=Backoff.fixed(1.0), breaker=None)
    log: list[Any] = []
    many = actors.OneForOne(max_restarts=100)

    class Flaky(Yielder):
        @actors.receive
        async def count(self, message: Count) -> Any:
            self.log.append("tried")
            if self.log.count("tried") < message.upto:
                raise Fails("not yet")
            yield "here"
            if message.error:
                raise Fails(message.error)

    async with actors.open_system("alpha", strategy=many) as system:
        ref = system.spawn(Flaky, log, name="a", policy=again)
        assert await taken(ref.stream(Count(3))) == (["here"], None)
        assert log == ["tried"] * 3
        log.clear()
        chunks, error = await taken(ref.stream(Count(0, error="late")))  # a chunk was given: never again
        assert (chunks, log) == (["here"], ["tried"])
        assert isinstance(error, actors.ActorFailed)
        log.clear()
        with pytest.raises(actors.ActorFailed):  # asked, nothing of it was seen
            await ref.ask(Count(0, error="late"))
        assert log == ["tried"] * 3


async def test_an_open_breaker_refuses_a_stream(autojump_clock: MockClock) -> None:
    trips = Policy(breaker=Breaker(failures=1, within=60.0, reset_after=30.0), backoff=Backoff.fixed(0.0))
    async with actors.open_system("alpha") as system:
        ref = system.spawn(Yielder, [], name="a", policy=trips)
        queued = ref.stream(Count(1, error="x")), ref.stream(Count(1))
        assert isinstance((await taken(queued[0]))[1], actors.ActorFailed)
        assert isinstance((await taken(queued[1]))[1], actors.CircuitOpen)
        assert isinstance((await taken(ref.stream(Count(1))))[1], actors.CircuitOpen)
        await trio.sleep(31)
        assert await taken(ref.stream(Count(2))) == ([0, 1], None)  # the probe
        assert system.breaker("/a").state is CircuitState.CLOSED


async def test_a_full_mailbox_and_a_stopped_actor_are_told_by_the_iteration(
    autojump_clock: MockClock,
) -> None:
    async with actors.open_system("alpha") as system:
        small = Policy(mailbox=actors.Mailbox(capacity=1))
        ref = system.spawn(Yielder, [], policy=small)
        held = [ref.stream(Count(100), window=1)]
        await settled()
        held += [ref.stream(Count(1)), ref.stream(Count(1))]
        assert isinstance((await taken(held[2]))[1], actors.MailboxFull)
        ref.kill()
        await ref.wait_stopped()
        assert isinstance((await taken(ref.stream(Count(1))))[1], actors.ActorStopped)


async def test_a_refusal_comes_behind_the_chunks_and_the_actor_lives_on(autojump_clock: MockClock) -> None:
    class Picky(Yielder):
        @actors.receive
        async def count(self, message: Count) -> Any:
            yield 1
            raise actors.Refused("enough")

    async with actors.open_system("alpha") as system:
        ref = system.spawn(Picky, [], name="a")
        chunks, error = await taken(ref.stream(Count(1)))
        assert chunks == [1]
        assert isinstance(error, actors.Refused)
        assert ref.statistics().restarts == 0


async def test_scopes_around_a_yield_are_left_in_order(autojump_clock: MockClock) -> None:
    """Its own limit strikes while the asker lets it wait; so does the end of the stream."""
    log: list[Any] = []
    async with actors.open_system("alpha") as system:
        ref = system.spawn(Yielder, log)
        stream = ref.stream(Slow(limit=1.0), window=2)
        await trio.sleep(3)
        assert await taken(stream) == (["in 0", "in 1", "late"], None)
        assert log == ["too slow", "finally"]
        async for _ in ref.stream(Slow(limit=100.0)):
            break
        assert await ref.ask(Named("alive")) == "alive"


async def test_one_that_yields_on_when_cancelled_is_closed(autojump_clock: MockClock) -> None:
    class Stubborn(Yielder):
        @actors.receive
        async def count(self, message: Count) -> Any:
            while len(self.log) < 2:
                try:
                    yield 1
                except BaseException:
                    self.log.append("ignored")

    log: list[Any] = []
    async with actors.open_system("alpha") as system:
        ref = system.spawn(Stubborn, log, name="a", policy=AT_ONCE)
        stream = ref.stream(Count(1))
        await settled()
        await stream.aclose()
        assert await ref.ask(Named("alive")) == "alive"
        assert log == ["ignored"] * 2
        assert ref.statistics().restarts == 0


async def test_one_that_would_yield_on_for_ever_is_closed_at_its_next_yield(
    autojump_clock: MockClock,
) -> None:
    class Stubborn(Yielder):
        @actors.receive
        async def count(self, message: Count) -> Any:
            while len(self.log) < 100:
                try:
                    yield 1
                except trio.Cancelled:
                    self.log.append("ignored")

    log: list[Any] = []
    async with actors.open_system("alpha") as system:
        ref = system.spawn(Stubborn, log)
        stream = ref.stream(Count(1))
        await settled()
        await stream.aclose()
        assert await ref.ask(Named("alive")) == "alive"
        assert log == ["ignored"]


async def test_a_subclass_may_yield_what_its_base_yields(autojump_clock: MockClock) -> None:
    class Twice(Yielder):
        async def count(self, message: Count) -> Any:
            async for chunk in super().count(message):
                yield chunk * 2

    async with actors.open_system("alpha") as system:
        assert await taken(system.spawn(Twice, []).stream(Count(3))) == ([0, 2, 4], None)


def test_a_plain_generator_is_refused_when_the_class_is_made() -> None:
    with pytest.raises(TypeError, match="yield it in chunks with `async def`"):

        class Wrong(actors.Actor):
            @actors.receive
            def count(self, message: Count) -> Any:
                yield 1


async def test_what_a_told_one_has_left_is_a_dead_letter_when_it_fails(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        ref = system.spawn(Yielder, [], name="a", policy=AT_ONCE)
        ref.tell(Count(2, error="x"))
        await settled()
        assert [letter.reason for letter in system.dead_letters] == [DeadLetterReason.CRASHED]


# --- in pools, in traces, to type checkers -------------------------------------------


async def test_a_pool_hands_streams_on(autojump_clock: MockClock) -> None:
    """The worker's chunks go straight to whoever asked the pool; who leaves cancels the worker's handler."""
    log: list[Any] = []

    class Own(Yielder):
        def __init__(self) -> None:
            super().__init__(log)

    async with actors.open_system("alpha") as system:
        pool = await system.start(actors.Pool(actors.Template(Own, name="w"), 2, 2), name="pool")
        streams = [pool.stream(Count(20), window=3) for _ in range(4)]
        await settled()
        assert log.count("begun") == 2
        assert [await taken(stream) for stream in streams] == [([*range(20)], None)] * 4
        chunks, error = await taken(pool.stream(Count(2, error="x")))
        assert chunks == [0, 1]
        assert isinstance(error, actors.ActorFailed)
        async with pool.stream(Count(1000)) as stream:
            await anext(stream)
        await settled()
        assert log[-2:] == ["Cancelled", "finally"]
        assert await pool.ask(Count(2)) == (0, 1)


async def test_type_checkers_know_what_comes(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        ref = system.spawn(Yielder, [])
        assert_type(ref.stream(Count(1)), actors.Stream[int])
        assert_type(ref.stream(Named()), actors.Stream[str])
        assert_type(await ref.ask(Count(1)), tuple[int, ...])
        async for chunk in ref.stream(Count(1)):
            assert_type(chunk, int)
