"""Who only looks at a terminal does not wait behind a paste."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
import trio.testing

import actors
from actors.process import AttachCommand, Capture, Paste
from tests.process.terminal.programs import Onlooker, agent, says, shell

ONCE = actors.Policy(restart="temporary")


def reading(fifo: Path) -> Paste:
    """At work until somebody writes."""
    return Paste(f"!print('work' + 'ing'); open({str(fifo)!r}).read()")


async def test_a_program_at_work_can_be_looked_at(fifo: Path) -> None:
    """Before what is pasted next; and nothing is missing in what is counted."""
    async with actors.open_system("test") as system:
        ref = await system.start(agent(), name="ada")
        first, second = ref.request(reading(fifo)), ref.request(Paste("next"))
        with trio.fail_after(10):
            person = await Onlooker.at(system, ref)
            await person.sees("working")
            screen = await ref.ask(Capture())
        assert "working" in screen.text
        assert not screen.at_prompt
        assert ref.state is actors.ActorState.BUSY
        assert not first.done
        assert ref.statistics().depth["normal"] == 1
        await trio.to_thread.run_sync(fifo.write_text, "\n")
        assert (await first.wait()).startswith("working")
        assert (await second.wait()).startswith("4 characters")
        assert ref.statistics().handled == 4


async def test_a_program_that_does_not_get_ready_can_be_looked_at() -> None:
    """To see why."""
    async with actors.open_system("test") as system:
        ref = system.spawn(shell("printf 'password: '; read -r _; printf '> '; read -r _"), name="ada")
        with trio.fail_after(10):
            person = await Onlooker.at(system, ref)
            await person.sees("password:")
            assert (await ref.ask(Capture())).text == "password: "
        assert ref.state is actors.ActorState.STARTING
        await person.does("send-keys", "secret", "Enter")
        await ref.wait_started()


async def test_one_that_is_suspended_is_looked_at_when_it_goes_on(fifo: Path) -> None:
    """It takes nothing meanwhile."""
    async with actors.open_system("test") as system:
        ref = await system.start(agent(), name="ada")
        person = await Onlooker.at(system, ref)
        working = ref.request(reading(fifo))
        await person.sees("working")
        ref.suspend()
        pending = ref.request(AttachCommand())
        await trio.testing.wait_all_tasks_blocked()
        assert not pending.done
        ref.resume()
        assert await pending.wait()
        assert not working.done
        ref.kill()


async def test_who_waits_for_room_comes_in_when_somebody_has_looked(fifo: Path) -> None:
    """A look that was answered leaves its place in the mailbox."""
    policy = actors.Policy(mailbox=actors.Mailbox(capacity=1))
    async with actors.open_system("test") as system:
        ref = await system.start(agent(), name="ada", policy=policy)
        person = await Onlooker.at(system, ref)
        working = ref.request(reading(fifo))
        await person.sees("working")
        look = ref.request(Capture())
        with trio.fail_after(10):
            await ref.send(Paste("later"))
        assert look.done
        assert not working.done
        ref.kill()


@pytest.mark.parametrize("end", ["stop", "kill", "interrupt", "leave"])
async def test_a_look_ends_whatever_becomes_of_the_message_in_hand(end: str, fifo: Path) -> None:
    """With a screen, or with an error."""
    async with actors.open_system("test") as system:
        ref = await system.start(agent(), name="ada", policy=ONCE)
        person = await Onlooker.at(system, ref)
        ref.tell(reading(fifo))
        await person.sees("working")
        looks = [ref.request(Capture()) for _ in range(3)]
        if end == "leave":
            looks.pop(0).cancel()
        elif end == "interrupt":
            assert await ref.interrupt()
        else:
            getattr(ref, end)()
        with trio.fail_after(10):
            for look in looks:
                try:
                    assert (await look.wait()).width == 120
                except actors.ActorStopped:
                    assert end in ("stop", "kill")
        if end == "leave":  # who has left is not counted
            assert ref.statistics().handled == 3
        ref.kill()


async def test_a_told_look_waits_for_its_turn() -> None:
    """There is nobody to show it to."""
    async with actors.open_system("test") as system:
        ref = await system.start(says(), name="ada", policy=ONCE)
        for message in (Paste("one"), Capture(), Paste("two")):
            ref.tell(message)
        assert await ref.ask(Paste("three")) == "you said: three"
        assert ref.statistics().handled == 4
