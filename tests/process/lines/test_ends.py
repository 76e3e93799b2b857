"""How a child that is spoken to ends: stopped, drained, killed, failed; and what becomes of its messages."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
import trio
import trio.testing

import actors
from actors.events import BreakerClosed, DeadLetterReason, Progressed, Restarted, Started
from actors.process import Call, ProcessFailed
from tests.process.lines.scripted import QUICK, ask, begin, child, progress, shell, taken
from tests.process.witnesses import runs


async def test_a_stop_finishes_what_is_in_hand() -> None:
    """The reply comes, what waits ends with `ActorStopped`, and the child is told to end."""
    async with actors.open_system("test") as system:
        ref = await system.start(child("notes", max_output=1000))
        (first,) = await begin(system, ref, ["sleep", 0.05])
        second = ref.request(Call(["echo", 2]))
        ref.stop()
        assert await first.wait() == "slept"
        with pytest.raises(actors.ActorStopped):
            await second.wait()
        exit = await ref.wait_stopped()
    assert exit.kind is actors.ExitKind.SHUTDOWN
    assert exit.value.returncode == 0
    assert exit.value.stderr.endswith(b'{"stop":true}\ntold to stop\n')


async def test_a_drain_finishes_the_queue() -> None:
    """All that came before is answered."""
    async with actors.open_system("test") as system:
        ref = await system.start(child(in_flight=2))
        asked = [ref.request(Call(["echo", number])) for number in range(10)]
        ref.drain()
        assert [await one.wait() for one in asked] == list(range(10))
        assert (await ref.wait_stopped()).kind is actors.ExitKind.SHUTDOWN


async def test_a_child_that_does_not_listen_gets_term() -> None:
    """After `stop_within` seconds; its stdin was closed before."""
    async with actors.open_system("test") as system:
        ref = await system.start(child("stubborn", stop_within=0.1))
        ref.stop()
        exit = await ref.wait_stopped()
    assert exit.kind is actors.ExitKind.SHUTDOWN
    assert exit.value.returncode == -signal.SIGTERM
    assert exit.value.stderr == b"stdin is closed\n"


async def test_term_comes_at_half_of_shutdown_at_the_latest() -> None:
    """Else KILL would be the first that it hears."""
    async with actors.open_system("test") as system:
        ref = await system.start(child("stubborn", stop_within=60), policy=actors.Policy(shutdown=1))
        ref.stop()
        exit = await ref.wait_stopped()
    assert exit.kind is actors.ExitKind.SHUTDOWN
    assert exit.value.returncode == -signal.SIGTERM


async def test_who_is_told_to_end_may_close_its_stdout_and_tidy_up() -> None:
    """Nobody waits for a reply any more."""
    script = "echo '{\"ready\": true}'; read -r stop; exec >&-; sleep 0.1; exit 0"
    async with actors.open_system("test") as system:
        ref = await system.start(shell(script, linger=0.01))
        ref.stop()
        exit = await ref.wait_stopped()
    assert exit.kind is actors.ExitKind.SHUTDOWN
    assert exit.value.returncode == 0


async def test_who_is_ready_when_it_is_to_end_was_not_started() -> None:
    """Its word comes too late."""
    script = "read -r stop; echo '{\"ready\": true}'; sleep 0.02"
    async with actors.open_system("test") as system, system.subscribe(Started) as events:
        ref = system.spawn(shell(script), name="model")
        await trio.testing.wait_all_tasks_blocked(0.02)
        ref.stop()
        assert b"ready" in (await ref.wait_stopped()).value.stdout
        assert not any(event.ref == ref for event in taken(events))


async def test_a_child_that_ignores_term_is_killed() -> None:
    """At the end of `shutdown` seconds; TERM came at half of them at the latest."""
    async with actors.open_system("test") as system:
        ref = await system.start(child("stubborn", "deaf"), policy=actors.Policy(shutdown=0.3))
        pid = await ask(ref, "pid")
        ref.stop()
        exit = await ref.wait_stopped()
    assert exit.kind is actors.ExitKind.KILLED
    assert not runs(pid)


@pytest.mark.row(43)
async def test_a_stop_reaches_the_whole_group() -> None:
    """What it has forked and left behind, too, though it ignores TERM."""
    async with actors.open_system("test") as system:
        ref = await system.start(child(linger=0.1), policy=actors.Policy(shutdown=0.4))
        forked = await ask(ref, "fork")
        assert runs(forked)
        ref.stop()
        await ref.wait_stopped()
        assert not runs(forked)


@pytest.mark.parametrize("in_flight", [1, 3])
async def test_a_kill_ends_it_at_once(in_flight: int) -> None:
    """Whoever waits hears of it."""
    async with actors.open_system("test") as system:
        ref = await system.start(child("deaf", in_flight=in_flight))
        pid = await ask(ref, "pid")
        held = await begin(system, ref, *[["hold", None]] * in_flight)
        ref.kill()
        for one in held:
            with pytest.raises(actors.ActorStopped):
                await one.wait()
        assert (await ref.wait_stopped()).kind is actors.ExitKind.KILLED
        assert not runs(pid)


@pytest.mark.parametrize("order", ["stop", "drain", "kill"])
async def test_an_order_before_it_is_ready_ends_the_start(order: str) -> None:
    """Nobody waits for a word that is not wanted any more."""
    async with actors.open_system("test") as system:
        ref = system.spawn(child("mute", stop_within=0.05))
        await trio.sleep(0.05)
        getattr(ref, order)()
        exit = await ref.wait_stopped()
    assert exit.kind is (actors.ExitKind.KILLED if order == "kill" else actors.ExitKind.SHUTDOWN)


@pytest.mark.parametrize("order", ["stop", "drain", "kill"])
async def test_an_order_before_the_task_runs_starts_nothing(order: str) -> None:
    """Stopped in the step in which it was spawned."""
    async with actors.open_system("test") as system:
        ref = system.spawn(child())
        getattr(ref, order)()
        assert (await ref.wait_stopped()).value is None


async def test_the_end_of_the_system_ends_it() -> None:
    """Also when its block is cancelled with a request in hand: the fixture sees that nothing is left."""
    with trio.move_on_after(20) as scope:
        async with actors.open_system("test") as system:
            ref = await system.start(child("deaf"))
            await begin(system, ref, ["hold", None])
            scope.cancel()
            await trio.sleep_forever()
    assert ref.state is actors.ActorState.STOPPED


# --- restarts ---------------------------------------------------------------------


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
        began = vigil.since
        assert await ask(ref, "say", ['{"id": 1, "reply": "first"}', '{"id": ID, "reply": 3}']) == 3
        assert await first.wait() == "first"
        assert vigil.since is not None
        assert vigil.since > began
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
