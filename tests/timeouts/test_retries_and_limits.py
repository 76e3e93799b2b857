"""What is tried again after a limit, a silence or a rate limit, and when."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import trio
from trio.testing import MockClock

import actors
from actors import Backoff, Breaker, CircuitState, OneForOne, Policy, RateLimited, Timeout
from tests.timeouts.cast import fixed, limited, quiet


@actors.message
class Try(actors.Request[str]):
    text: str = "x"


class Script(actors.Actor):
    """Each handling takes one entry: seconds to sleep, or an error to raise. Then it answers at once."""

    def __init__(self, entries: list[float | Exception], times: list[float]) -> None:
        self.entries = entries
        self.times = times

    @actors.receive
    async def try_(self, message: Try) -> str:
        self.times.append(trio.current_time())
        entry = self.entries.pop(0) if self.entries else 0.0
        if isinstance(entry, Exception):
            raise entry
        await trio.sleep(entry)
        return f"did {message.text}"


@pytest.mark.parametrize("limits", [fixed, quiet], ids=["limit", "silence"])
async def test_a_message_that_took_too_long_is_tried_again(
    limits: Callable[..., Policy], autojump_clock: MockClock
) -> None:
    """Its asker waits on, each try has the whole limit, and the reply comes after the last backoff."""
    times: list[float] = []
    async with actors.open_system("s") as system:
        policy = limits(5.0, retries=2, backoff=Backoff.fixed(1.0))
        ref = await system.start(Script, [1e6, 1e6, 4.5], times, name="a", policy=policy)
        assert await ref.ask(Try("slowly")) == "did slowly"
        assert (times, trio.current_time()) == ([0.0, 6.0, 12.0], 16.5)


@pytest.mark.row(24)
@pytest.mark.parametrize("limits", [fixed, quiet], ids=["limit", "silence"])
async def test_with_the_flag_off_it_is_tried_once(
    limits: Callable[..., Policy], autojump_clock: MockClock
) -> None:
    """Other failures are still tried again."""
    times: list[float] = []
    async with actors.open_system("s") as system:
        policy = limits(5.0, retries=2, retry_on_timeout=False)
        ref = await system.start(Script, [1e6, ValueError("no")], times, name="a", policy=policy)
        with pytest.raises(actors.ActorFailed):
            await ref.ask(Try())
        assert (times, trio.current_time()) == ([0.0], 5.0)
        assert await ref.ask(Try()) == "did x"
        assert times == [0.0, 5.0, 5.0]


@pytest.mark.row(24)
async def test_the_tries_are_counted_together(autojump_clock: MockClock) -> None:
    """One that was too slow and one that raised are two."""
    times: list[float] = []
    async with actors.open_system("s") as system:
        ref = await system.start(
            Script, [1e6, ValueError("no"), 1e6], times, name="a", policy=fixed(5.0, retries=2)
        )
        with pytest.raises(actors.ActorFailed) as caught:
            await ref.ask(Try())
        assert isinstance(caught.value.error, actors.TimedOut)
        assert times == [0.0, 5.0, 5.0]


# --- rate limits -------------------------------------------------------------------------


@pytest.mark.row(24)
@pytest.mark.parametrize(("retry_after", "again"), [(20.0, 20.0), (0.5, 2.0), (0.0, 2.0)])
async def test_a_rate_limit_that_says_when_is_tried_again_then(
    retry_after: float, again: float, autojump_clock: MockClock
) -> None:
    """Not before it, and not before the backoff either."""
    times: list[float] = []
    async with actors.open_system("s") as system:
        entries = [RateLimited(retry_after=retry_after)]
        policy = Policy(retries=1, backoff=Backoff.fixed(2.0))
        ref = await system.start(Script, entries, times, name="a", policy=policy)
        assert await ref.ask(Try()) == "did x"
        assert times == [0.0, again]


@pytest.mark.row(24)
async def test_a_rate_limit_that_says_nothing_is_not_tried_again(autojump_clock: MockClock) -> None:
    """Whoever asked hears of it at once, and the next message is handled after the backoff."""
    times: list[float] = []
    async with actors.open_system("s") as system:
        policy = Policy(retries=5, backoff=Backoff.fixed(2.0))
        ref = await system.start(Script, [RateLimited("slow down")], times, name="a", policy=policy)
        with pytest.raises(actors.ActorFailed) as caught:
            await ref.ask(Try())
        assert trio.current_time() == 0.0
        assert isinstance(caught.value.error, RateLimited)
        assert await ref.ask(Try()) == "did x"
        assert times == [0.0, 2.0]


@pytest.mark.row(24)
async def test_a_rate_limit_uses_up_the_tries_like_any_failure(autojump_clock: MockClock) -> None:
    """After the last one the asker hears of it, however kindly it says when."""
    times: list[float] = []
    async with actors.open_system("s") as system:
        entries = [RateLimited(retry_after=10.0) for _ in range(3)]
        ref = await system.start(Script, entries, times, name="a", policy=Policy(retries=2))
        with pytest.raises(actors.ActorFailed):
            await ref.ask(Try())
        assert times == [0.0, 10.0, 20.0]


@pytest.mark.row(32)
@pytest.mark.parametrize("retry_after", [None, 1.0])
async def test_a_rate_limit_never_counts_for_the_breaker(
    retry_after: float | None, autojump_clock: MockClock
) -> None:
    """Ten in a row leave a breaker closed that one failure would open."""
    times: list[float] = []
    policy = Policy(retries=9, breaker=Breaker(failures=1), backoff=Backoff.immediate())
    async with actors.open_system("s", strategy=OneForOne(max_restarts=99)) as system:
        entries = [RateLimited(retry_after=retry_after) for _ in range(10)]
        ref = await system.start(Script, entries, times, name="a", policy=policy)
        while entries:
            with pytest.raises(actors.ActorFailed):
                await ref.ask(Try())
        assert len(times) == 10
        assert system.breaker("/a").state is CircuitState.CLOSED
        assert system.breaker("/a").failures == 0
        assert await ref.ask(Try()) == "did x"


@pytest.mark.row(24)
async def test_a_permanent_failure_is_not_tried_again(autojump_clock: MockClock) -> None:
    times: list[float] = []
    async with actors.open_system("s") as system:
        entries = [actors.PermanentFailure("no such model")]
        ref = await system.start(Script, entries, times, name="a", policy=Policy(retries=5))
        with pytest.raises(actors.ActorFailed):
            await ref.ask(Try())
        assert (times, trio.current_time()) == ([0.0], 0.0)


async def test_a_limit_inside_the_handler_is_the_handlers_own_failure(autojump_clock: MockClock) -> None:
    """`progressive_timeout` raises there: FAILED with the same error, for the actor's other code to judge."""

    class Careful(actors.Actor):
        @actors.receive
        async def try_(self, message: Try) -> str:
            with actors.progressive_timeout(3.0):
                await trio.sleep_forever()
            return "never"

    async with actors.open_system("s") as system:
        ref = await system.start(Careful, policy=limited(Timeout()))
        with pytest.raises(actors.ActorFailed) as caught:
            await ref.ask(Try())
        assert isinstance(caught.value.error, actors.TimedOut)
        exit = await ref.wait_stopped()
        assert (exit.kind, trio.current_time()) == (actors.ExitKind.FAILED, 3.0)
