"""How a child that is spoken to ends: stopped, drained, killed, failed; and what becomes of its messages."""

from __future__ import annotations

import signal

import pytest
import trio
import trio.testing

import actors
from actors.events import Started
from actors.process import Call
from tests.process.lines.scripted import ask, begin, child, shell, taken
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
