"""What becomes of the messages of a child that fails: restarts, retries, breakers, pools, budgets."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
import trio.testing

import actors
from actors.events import BreakerClosed, DeadLetterReason, Progressed, Restarted
from actors.process import Call, ProcessFailed
from tests.process.lines.scripted import QUICK, ask, begin, child, progress, shell
from tests.process.witnesses import runs


async def test_a_restart_keeps_the_mailbox() -> None:
    """The request in hand ends with `ActorFailed` and the cause; what waits is answered by the next child."""
    async with actors.open_system("test") as system:
        ref = await system.start(child(), name="model", policy=QUICK)
        bad, good = ref.request(Call(["exit", 7])), ref.request(Call(["echo", "next"]))
        with pytest.raises(actors.ActorFailed, match="/model failed while handling") as caught:
            await bad.wait()
        assert isinstance(caught.value.__cause__, ProcessFailed)
        assert caught.value.__cause__.completed.returncode == 7
        assert await good.wait() == "next"


async def test_its_last_words_fit_on_one_line() -> None:
    """Those on stderr: what it says on stdout are its replies."""
    script = """echo '{"ready": true}'; read -r line; echo oh >&2; echo no >&2; kill -9 $$"""
    async with actors.open_system("test") as system:
        ref = await system.start(shell(script), name="model", policy=actors.Policy(restart="temporary"))
        with pytest.raises(actors.ActorFailed) as caught:
            await ref.ask(Call(1))
    assert str(caught.value).endswith(
        "was ended by SIGKILL with 1 of its messages in hand; its stderr ends with | oh | no"
    )


async def test_in_flight_the_oldest_is_the_run_that_is_limited() -> None:
    """What began later has its own beginning: when the oldest has ended, the limit counts from there."""
    policy = actors.Policy(timeout=actors.Timeout("fixed", initial=5, no_activity=2), breaker=None)
    async with actors.open_system("test") as system:
        ref = await system.start(child(in_flight=3), name="model", policy=policy)
        first, second = await begin(system, ref, ["hold", None], ["hold", None])
        vigil = ref.cell.vigil
        assert vigil is not None
        began, both = vigil.since, ref.cell.now()
        assert await ask(ref, "say", ['{"id": 1, "reply": "first"}', '{"id": ID, "reply": 3}']) == 3
        assert await first.wait() == "first"
        assert vigil.since is not None
        assert began < vigil.since <= both
        assert await ask(ref, "release") == "done"
        await second.wait()
        assert vigil.since is None


async def test_between_its_start_and_the_first_message_nothing_is_limited() -> None:
    """The start is no run, and has ended."""
    policy = actors.Policy(timeout=actors.Timeout("fixed", initial=20, no_activity=10))
    async with actors.open_system("test") as system:
        ref = await system.start(child(), policy=policy)
        vigil = ref.cell.vigil
        assert vigil is not None
        assert vigil.since is None


async def test_it_is_a_worker_of_a_pool() -> None:
    """It takes messages, as a worker must."""
    async with actors.open_system("test") as system:
        pool = await system.start(actors.Pool(actors.Template(child()), 2, 2), name="pool")
        pool.tell(["note", "told"])
        asked = [pool.request(Call(["pid", None])) for _ in range(6)]
        assert len({await one.wait() for one in asked}) == 2


async def test_a_suspended_one_says_nothing_more() -> None:
    """What waits is said when it is resumed."""
    async with actors.open_system("test") as system:
        ref = await system.start(child())
        ref.suspend()
        pending = ref.request(Call(["echo", 1]))
        with pytest.raises(actors.AskTimeout):
            await pending.wait(timeout=0.05)
        assert ref.state is actors.ActorState.SUSPENDED
        ref.resume()
        assert await pending.wait() == 1


async def test_all_in_flight_end_with_the_child() -> None:
    """Each asker once; a told one that was to be confirmed is a dead letter."""
    async with actors.open_system("test") as system:
        ref = await system.start(child(in_flight=4, confirm=True), name="model", policy=QUICK)
        held = [ref.request(Call(["hold", None])) for _ in range(2)]
        ref.tell(["hold", None])
        ref.tell(["exit", 1])
        for one in held:
            with pytest.raises(actors.ActorFailed):
                await one.wait()
        assert await ask(ref, "echo", 1) == 1
        assert [letter.reason for letter in system.dead_letters] == [DeadLetterReason.CRASHED] * 2


@pytest.mark.parametrize("in_flight", [1, 2, 4])
async def test_retries_are_honoured(in_flight: int) -> None:
    """What was in hand is asked again, in order, each as often as the policy says."""
    policy = actors.Policy(retries=2, backoff=actors.Backoff.immediate(), breaker=None)
    async with actors.open_system("test") as system:
        ref = await system.start(child(in_flight=in_flight), name="model", policy=policy)
        poison, good = ref.request(Call(["exit", 7])), ref.request(Call(["echo", "good"]))
        with trio.fail_after(20):
            with pytest.raises(actors.ActorFailed):
                await poison.wait()
            assert await good.wait() == "good"
        assert ref.statistics().restarts == 3


async def test_who_was_answered_meanwhile_does_not_make_others_try_for_ever(tmp_path: Path) -> None:
    """Each message has its own count of tries, and what is tried again is so alone."""
    policy = actors.Policy(retries=1, backoff=actors.Backoff.immediate(), breaker=None)
    script = """
        echo '{"ready": true}'; read -r one
        test -e once || { touch once; read -r two; exit 1; }
        n=1; while case $one in *good*) ;; *) exit 1;; esac; do
            echo "{\\"id\\": $n, \\"reply\\": \\"good\\"}"; n=$((n+1)); read -r one || exit 0
        done"""
    async with actors.open_system("test") as system:
        ref = await system.start(shell(script, in_flight=2, cwd=tmp_path), name="model", policy=policy)
        good, bad = ref.request(Call("good")), ref.request(Call("bad"))
        with trio.fail_after(20):
            assert await good.wait() == "good"
            with pytest.raises(actors.ActorFailed):
                await bad.wait()
            assert await ref.ask(Call("good")) == "good"
        assert ref.statistics().restarts == 2


async def test_a_child_that_returns_is_gone() -> None:
    """Code 0 with nothing in hand: a permanent one starts again, others have ended."""
    async with actors.open_system("test") as system:
        policy = actors.Policy(restart="permanent", backoff=actors.Backoff.immediate(), breaker=None)
        ref = await system.start(child(), name="model", policy=policy)
        async with system.subscribe(Restarted) as events:
            assert await ask(ref, "exit_after", 0) == "last"
            await anext(events)  # what is said before that is said to the one that ends
        assert await ask(ref, "echo", 1) == 1


async def test_a_breaker_takes_the_first_request_as_its_probe() -> None:
    """With several in flight, too, only one is tried while it is half-open."""
    breaker = actors.Breaker(failures=1, within=60, reset_after=0.05)
    policy = actors.Policy(breaker=breaker, backoff=actors.Backoff.immediate())
    async with actors.open_system("test") as system:
        ref = await system.start(child(in_flight=3), name="model", policy=policy)
        with pytest.raises(actors.ActorFailed):
            await ask(ref, "exit", 1)
        with pytest.raises(actors.CircuitOpen):
            await ask(ref, "echo", 1)
        async with system.subscribe(BreakerClosed) as events:
            ref.tell(["note", "parked"])
            await anext(events)
        assert await ask(ref, "echo", 1) == 1


async def test_a_probe_is_alone_with_the_child() -> None:
    """What else was parked waits until it is known how that ends."""
    breaker = actors.Breaker(failures=1, within=60, reset_after=0.05)
    policy = actors.Policy(breaker=breaker, backoff=actors.Backoff.immediate())
    async with actors.open_system("test") as system, system.subscribe(Progressed) as events:
        ref = await system.start(child("polite", in_flight=3, confirm=True), name="model", policy=policy)
        with pytest.raises(actors.ActorFailed):
            await ask(ref, "exit", 1)
        ref.tell(["hold", None])
        ref.tell(["hold", None])
        await progress(events)
        await trio.testing.wait_all_tasks_blocked(0.02)
        assert sum(ref.statistics().depth.values()) == 1
        assert await ref.interrupt() is True


@pytest.mark.parametrize("unsaid", [object(), actors.Nudge("silent")])
async def test_what_is_not_said_is_no_probe(unsaid: object) -> None:
    """The next request is let in as one."""
    breaker = actors.Breaker(failures=1, within=60, reset_after=0.05)
    policy = actors.Policy(breaker=breaker, backoff=actors.Backoff.immediate())
    async with actors.open_system("test") as system:
        ref = await system.start(child(), name="model", policy=policy)
        with pytest.raises(actors.ActorFailed):
            await ask(ref, "exit", 1)
        handled = ref.statistics().handled
        ref.tell(unsaid)
        with trio.fail_after(20):
            while ref.state is not actors.ActorState.IDLE or sum(ref.statistics().depth.values()):
                await trio.testing.wait_all_tasks_blocked(0.01)
            assert await ask(ref, "echo", 1) == 1
        assert ref.statistics().handled == handled + 1 + (type(unsaid) is object)


async def test_an_error_that_the_child_answers_with_is_a_probe_that_passed() -> None:
    """It is well, and has said so: that request could not be done."""
    breaker = actors.Breaker(failures=1, within=60, reset_after=0.05)
    policy = actors.Policy(breaker=breaker, backoff=actors.Backoff.immediate())
    async with actors.open_system("test") as system, system.subscribe(BreakerClosed) as events:
        ref = await system.start(child(confirm=True), name="model", policy=policy)
        with pytest.raises(actors.ActorFailed):
            await ask(ref, "exit", 1)
        ref.tell(["say", ['{"id": ID, "error": "no"}']])
        with trio.fail_after(20):
            await anext(events)


async def test_what_is_tried_again_is_so_in_order(tmp_path: Path) -> None:
    """As it was asked first."""
    policy = actors.Policy(retries=1, backoff=actors.Backoff.immediate(), breaker=None)
    script = """
        echo '{"ready": true}'
        test -e once || { touch once; read -r a; read -r b; read -r c; exit 1; }
        for n in 1 2 3; do read -r line; echo '{"id": '$n', "reply": '$n'}'; done; read -r line"""
    async with actors.open_system("test") as system:
        ref = await system.start(shell(script, in_flight=3, cwd=tmp_path), name="model", policy=policy)
        asked = [ref.request(Call(number)) for number in (1, 2, 3)]
        with trio.fail_after(20):
            assert [await one.wait() for one in asked] == [1, 2, 3]


async def test_a_budget_that_is_spent_ends_it_at_once() -> None:
    """Though it does not end by itself: its asker hears why."""
    policy = actors.Policy(budget=actors.Budget(tokens=10))
    async with actors.open_system("test") as system:
        ref = await system.start(child(), name="model", policy=policy)
        pid = await ask(ref, "pid")
        with trio.fail_after(20):
            with pytest.raises(actors.BudgetSpent):
                await ask(ref, "say", ['{"usage": {"tokens": 11}}'], timeout=None)
            while runs(pid):
                await trio.testing.wait_all_tasks_blocked(0.01)
        assert ref.state is actors.ActorState.SUSPENDED
