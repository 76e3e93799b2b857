"""Requests that are not wanted any more: interrupts, and askers that leave."""

from __future__ import annotations

import pytest
import trio

import actors
from actors.events import DeadLetterReason, LateReply, Progressed
from actors.process import Call
from tests.process.lines.scripted import QUICK, ask, begin, child, progress, shell, taken


@pytest.mark.row(77)
async def test_an_interrupt_is_confirmed_by_the_child() -> None:
    """It says that it has ended the request: the asker gets `Interrupted`, the actor lives on."""
    async with actors.open_system("test") as system:
        ref = await system.start(child("polite"), name="model")
        (pending,) = await begin(system, ref, ["hold", None])
        assert await ref.interrupt() is True
        with pytest.raises(actors.Interrupted, match="/model was interrupted while handling Call"):
            await pending.wait()
        assert await ask(ref, "echo", 1) == 1
        assert ref.statistics().restarts == 0


@pytest.mark.row(77)
async def test_an_interrupt_that_comes_too_late_is_not_confirmed() -> None:
    """A child that knows no cancelling replies: the asker gets that, and the interrupt was none."""
    async with actors.open_system("test") as system:
        ref = await system.start(child())
        (pending,) = await begin(system, ref, ["sleep", 0.1])
        assert await ref.interrupt() is False
        assert await pending.wait() == "slept"


async def test_nothing_in_hand_is_not_interrupted() -> None:
    """Nor is one that has not started."""
    async with actors.open_system("test") as system:
        ref = await system.start(child())
        assert await ref.interrupt() is False
        assert await ask(ref, "echo", 1) == 1


async def test_an_interrupt_concerns_all_in_flight() -> None:
    """It is over when each of them has ended, and true if one was ended by it."""
    async with actors.open_system("test") as system:
        ref = await system.start(child("polite", in_flight=3))
        held = await begin(system, ref, ["hold", None], ["hold", None])
        assert await ref.interrupt() is True
        for one in held:
            with pytest.raises(actors.Interrupted):
                await one.wait()
        assert await ask(ref, "echo", 1) == 1


async def test_an_interrupt_is_not_over_before_the_last_of_them_has_ended() -> None:
    """One was cancelled, one was answered all the same, later."""
    script = """
        echo '{"ready": true}'; read -r a; echo '{"progress": 1}'; read -r b; echo '{"progress": 1}'
        read -r a; read -r b; echo '{"id": 1, "cancelled": true}'; sleep 0.05; echo '{"id": 2, "reply": 7}'
        read -r l"""
    async with actors.open_system("test") as system:
        ref = await system.start(shell(script, in_flight=2))
        _, second = await begin(system, ref, ["any", None], ["any", None])
        assert await ref.interrupt() is True
        assert second.done
        assert await second.wait() == 7


async def test_an_interrupted_message_is_a_dead_letter() -> None:
    """One that was told, and is in hand since it is to be confirmed."""
    async with actors.open_system("test") as system:
        ref = await system.start(child("polite", confirm=True))
        async with system.subscribe(Progressed) as events:
            ref.tell(["hold", None])
            await progress(events)
        assert await ref.interrupt() is True
        assert [letter.reason for letter in system.dead_letters] == [DeadLetterReason.INTERRUPTED]


async def test_an_interrupt_ends_with_the_child() -> None:
    """Whatever ends the incarnation: it was not the interrupt."""
    script = """echo '{"ready": true}'; read -r request; echo '{"progress": 1}'; read -r cancel; exit 3"""
    async with actors.open_system("test") as system:
        ref = await system.start(shell(script), name="model", policy=QUICK)
        (pending,) = await begin(system, ref, ["any", None])
        with trio.fail_after(20):
            assert await ref.interrupt() is False
        with pytest.raises(actors.ActorFailed, match="ended with code 3 with 1 of its messages in hand"):
            await pending.wait()


async def test_an_asker_that_leaves_is_told_to_the_child() -> None:
    """It may stop working; the next message has its turn when it says so."""
    async with actors.open_system("test") as system, system.subscribe(LateReply) as late:
        ref = await system.start(child("polite"))
        with pytest.raises(actors.AskTimeout):
            await ask(ref, "hold", timeout=0.05)
        assert await ask(ref, "echo", 1) == 1
        assert taken(late) == []


async def test_who_leaves_a_pool_or_a_link_is_told_to_the_child() -> None:
    """Wherever the asker is, and whatever stands between."""
    async with actors.open_system("beta") as beta, actors.open_system("alpha") as alpha:
        pool = actors.Pool(actors.Template(child("polite")), 1, 1)
        await beta.start(pool, name="pool")
        listener = await beta.listen("127.0.0.1", 0)
        ref = (await alpha.connect(listener.url)).ref("/pool")
        async with beta.subscribe(Progressed) as events:
            pending = ref.request(Call(["hold", None]))
            await progress(events)
        pending.cancel()
        assert await ask(ref, "echo", 1) == 1


async def test_a_reply_to_who_has_left_is_late() -> None:
    """It is dropped with an event, and never given to somebody else."""
    async with actors.open_system("test") as system, system.subscribe(LateReply) as late:
        ref = await system.start(child())
        with trio.move_on_after(0.05):
            await ask(ref, "sleep", 0.1)
        assert await ask(ref, "echo", "mine") == "mine"
        (event,) = taken(late)
        assert event.message == Call(["sleep", 0.1])


async def test_a_request_is_cancelled_once() -> None:
    """The child hears of it once, whoever does not want it any more."""
    async with actors.open_system("test") as system:
        ref = await system.start(child("polite", "notes", in_flight=2, max_output=1000))
        (pending,) = await begin(system, ref, ["hold", None])
        pending.cancel()
        pending.cancel()
        assert await ask(ref, "echo", 1) == 1
        ref.stop()
        notes = (await ref.wait_stopped()).value.stderr.decode().splitlines()
    assert notes.count('{"cancel":1}') == 1


async def test_an_asker_that_leaves_before_its_turn_is_skipped() -> None:
    """The child never hears of it."""
    async with actors.open_system("test") as system:
        ref = await system.start(child("notes", max_output=1000))
        first = ref.request(Call(["sleep", 0.05]))
        ref.request(Call(["echo", "skipped"])).cancel()
        await first.wait()
        assert await ask(ref, "echo", 1) == 1
        ref.stop()
        notes = (await ref.wait_stopped()).value.stderr.decode()
    assert "skipped" not in notes


async def test_text_has_a_word_for_it() -> None:
    """`cancel 1`, answered with `cancelled 1`."""
    script = """
        echo ready
        while read -r word rest; do case $word in
            cancel) echo "cancelled $rest";;
            1) echo progress;;
            *) echo "$word $rest";;
        esac; done"""
    async with actors.open_system("test") as system:
        ref = await system.start(shell(script, protocol="text"))
        async with system.subscribe(Progressed) as events:
            pending = ref.request(Call("hold"))
            await progress(events)
        assert await ref.interrupt() is True
        with pytest.raises(actors.Interrupted):
            await pending.wait()
        assert await ref.ask(Call("next")) == "next"
