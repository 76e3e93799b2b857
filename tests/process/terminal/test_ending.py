"""Whatever happens to a terminal, nothing of it is left."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest
import trio

import actors
from actors.process import Capture, Paste, TerminalLost
from tests.cancellation.harness import At
from tests.process.terminal.conftest import left_in, processes_of
from tests.process.terminal.programs import Onlooker, agent, says, shell
from tests.process.witnesses import Lifeline
from tests.rounds import rounds

ONCE = actors.Policy(restart="temporary")
PROMPT = "while printf '> ' && read -r line; do :; done"


async def test_a_program_that_is_stopped_has_time_to_end(folder: Path, tmp_path: Path) -> None:
    """It gets TERM; the exit is SHUTDOWN, and its value has the last of the screen."""
    async with actors.open_system("test") as system:
        ref = await system.start(shell(f"trap 'echo saved; exit 7' TERM; {PROMPT}"), name="ada")
        ref.stop()
        exit = await ref.wait_stopped()
        assert exit.kind is actors.ExitKind.SHUTDOWN
        assert exit.value.returncode == 7
        assert exit.value.stdout.endswith(b"saved")
        assert left_in(folder) == []


async def test_a_shell_that_ignores_term_ends_like_in_a_window_that_is_closed(folder: Path) -> None:
    """It hears HUP."""
    async with actors.open_system("test") as system:
        ref = await system.start(shell(f"trap '' TERM; {PROMPT}"), name="ada")
        with trio.fail_after(4):
            ref.stop()
            assert (await ref.wait_stopped()).kind is actors.ExitKind.SHUTDOWN


async def test_who_ignores_everything_is_killed(folder: Path, lifeline: Lifeline) -> None:
    """After `shutdown` seconds, with what it has left in the background, also in sessions of their own."""
    background = "setsid sleep 60 & sleep 61 &"
    async with actors.open_system("test") as system:
        ref = await system.start(
            shell(f"trap '' TERM HUP; exec 9>{lifeline.path}; {background} {PROMPT}"),
            name="ada",
            policy=actors.Policy(shutdown=0.2),
        )
        ref.stop()
        assert (await ref.wait_stopped()).kind is actors.ExitKind.KILLED
        await lifeline.wait_released()
        assert left_in(folder) == []


async def test_what_a_program_leaves_behind_ends_after_it(folder: Path, lifeline: Lifeline) -> None:
    """And the code is that of the program."""
    async with actors.open_system("test") as system:
        script = f"printf '> '; exec 9>{lifeline.path}; trap '' TERM; sleep 60 & read -r x; exit 5"
        ref = await system.start(shell(script, linger=0.1), name="ada", policy=ONCE)
        ref.tell(Paste("go"))
        exit = await ref.wait_stopped()
        assert exit.error.completed.returncode == 5  # type: ignore[union-attr]
        await lifeline.wait_released()


async def test_a_server_that_is_ended_by_somebody_is_a_failure(folder: Path) -> None:
    """The asker hears of it at once."""
    async with actors.open_system("test") as system:
        ref = await system.start(agent(), name="ada", policy=ONCE)
        person = await Onlooker.at(system, ref)
        pending = ref.request(Paste("!print('work' + 'ing'); time.sleep(60)"))
        await person.sees("working")
        await person.does("kill-server")
        with pytest.raises(actors.ActorFailed):
            await pending.wait()
        assert isinstance((await ref.wait_stopped()).error, TerminalLost)
        assert left_in(folder) == []


async def test_a_flood_is_not_kept(folder: Path) -> None:
    """A program that never stops writing costs no memory, can be looked at, interrupted and spoken to."""
    async with actors.open_system("test") as system:
        ref = await system.start(agent(), name="ada")
        person = await Onlooker.at(system, ref)
        ref.tell(Paste("!while True: print('flood' * 200)"))
        await person.sees("floodflood")
        tracemalloc.start()
        try:
            with trio.move_on_after(0.4):
                await trio.sleep_forever()
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < 8_000_000
        assert await ref.interrupt()
        assert await ref.ask(Paste("next")) == "4 characters: 'next'...'next'"


def life(step: int, what: str, folder: Path) -> bool:
    """A life with an end at the n-th step; True when it came too late."""
    at = At(step, lambda: None)

    async def main() -> None:
        with trio.CancelScope() as scope:
            async with actors.open_system("test") as system:
                ref = system.spawn(says(folder=folder if what == "found" else None), name="ada", policy=ONCE)
                at.action = scope.cancel if what == "cancel" else getattr(ref, what, ref.kill)
                with at:
                    try:
                        await ref.wait_started()
                        pasted = ref.request(Paste("one"))
                        await ref.ask(Capture())
                        await pasted.wait()
                        await ref.ask(Capture())
                    except (actors.ActorStopped, actors.StartFailed):
                        pass
                ref.kill()
                await ref.wait_stopped()

    trio.run(main)
    return at.too_late


@pytest.mark.parametrize("what", ["kill", "cancel", "stop", "found"])
def test_an_end_at_any_step_leaves_nothing(what: str, folder: Path) -> None:
    """Whatever is just being started, written or waited for."""
    step = rounds(1 + len(what), deep=1)
    while True:
        too_late = life(step, what, folder)
        assert left_in(folder) == [], step
        assert processes_of(folder) == [], step
        if too_late:
            break
        step += rounds(17, deep=1)
    assert step > 20
