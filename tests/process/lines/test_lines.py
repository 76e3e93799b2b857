"""A child that is spoken to in lines, as an actor: what is said both ways, to real processes."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

import actors
from actors.events import DeadLetter, DeadLetterReason, Progressed
from actors.process import Call, ChildError, Lines
from tests.process.lines.scripted import ask, child, shell, taken


@actors.message(tag="tests.lines.Sum")
class Sum(actors.Request[int]):
    of: tuple[int, ...]


@actors.message(tag="tests.lines.Total")
class Total:
    value: int


class Unsayable(actors.Request[str]):
    pass


# --- messages ---------------------------------------------------------------------


@pytest.mark.parametrize("value", [None, True, 7, 0.5, "grün\n☃", [1, [2]], {"a": {"b": None}}])
async def test_a_value_goes_there_and_back(value: Any) -> None:
    """Whatever JSON has a word for is asked and answered as it is."""
    async with actors.open_system("test") as system:
        assert await ask(system.spawn(child()), "echo", value) == value


async def test_a_request_has_an_id_and_the_seconds_left() -> None:
    """The asker's deadline goes along; without one there is none."""
    async with actors.open_system("test") as system:
        ref = await system.start(child())
        line = await ask(ref, "line", timeout=20)
        assert line["id"] == 1
        assert 19 < line["timeout"] <= 20
        assert await ask(ref, "line", timeout=None) == {"id": 2, "request": ["line", None]}


async def test_a_message_class_is_written_with_its_tag() -> None:
    """As on a link; and a reply with a tag is read as one."""
    script = r"""
        echo '{"ready": true}'; read -r line
        case $line in '{"id":1,"request":{"$":"tests.lines.Sum","of":[1,2]}}')
            echo '{"id": 1, "reply": {"$": "tests.lines.Total", "value": 3}}';; esac; read -r line
    """
    async with actors.open_system("test") as system:
        assert await system.spawn(shell(script)).ask(Sum((1, 2))) == Total(3)


async def test_a_told_message_has_no_id_and_is_handled_when_it_is_in_the_pipe() -> None:
    """A plain value may be told as it is, and those of one sender come in order."""
    async with actors.open_system("test") as system:
        ref = await system.start(child("notes", max_output=1000))
        for number in range(3):
            ref.tell({"number": number})
        ref.tell("a text")
        ref.tell(Call("no question"))
        ref.drain()
        exit = await ref.wait_stopped()
    heard = exit.value.stderr.decode().splitlines()
    assert heard[:3] == [f'{{"message":{{"number":{n}}}}}' for n in range(3)]
    assert heard[3:5] == ['{"message":"a text"}', '{"message":"no question"}']
    assert ref.statistics().handled == 5


async def test_a_confirmed_message_is_in_hand_until_it_is_answered() -> None:
    """With `confirm` what is told has an id, too: the next one waits."""
    async with actors.open_system("test") as system:
        ref = await system.start(child(confirm=True, in_flight=2))
        ref.tell(["hold", None])
        await ask(ref, "echo", 1)
        assert ref.statistics().handled == 1
        assert ref.state is actors.ActorState.BUSY
        await ask(ref, "release")
        assert ref.statistics().handled == 3
        assert ref.state is actors.ActorState.IDLE


async def test_what_cannot_be_said_is_an_error_of_the_asker() -> None:
    """It names the class; a told one is a dead letter, and the child lives on."""
    async with actors.open_system("test") as system:
        ref = await system.start(child())
        with pytest.raises(actors.NotSerializable, match="Unsayable is not a message class"):
            await ref.ask(Unsayable())
        ref.tell(object())
        assert await ask(ref, "echo", 1) == 1
        assert [letter.reason for letter in system.dead_letters] == [DeadLetterReason.UNHANDLED]


async def test_notices_are_not_for_the_child() -> None:
    """A nudge, or the end of somebody else: ignored, as by a class that has no handler for it."""
    async with actors.open_system("test") as system:
        ref = await system.start(child("notes", max_output=1000))
        ref.tell(actors.Nudge("silent"))
        assert await ask(ref, "echo", 1) == 1
        ref.stop()
        assert b"silent" not in (await ref.wait_stopped()).value.stderr
    assert list(system.dead_letters) == []


@pytest.mark.row(96)
async def test_one_message_at_a_time_is_the_rule() -> None:
    """While one is in hand the next waits in the mailbox."""
    async with actors.open_system("test") as system:
        ref = await system.start(child())
        first = ref.request(Call(["sleep", 0.05]))
        second = ref.request(Call(["echo", "second"]))
        await first.wait()
        assert not second.done
        assert await second.wait() == "second"


async def test_several_in_flight_are_answered_in_any_order() -> None:
    """Each reply finds its asker by its id; more than `in_flight` wait."""
    async with actors.open_system("test") as system:
        ref = await system.start(child(in_flight=3))
        held = [ref.request(Call(["hold", None])) for _ in range(2)]
        waiting = [ref.request(Call(["echo", number])) for number in range(5)]
        assert [await one.wait() for one in waiting] == [0, 1, 2, 3, 4]
        assert not any(one.done for one in held)
        assert await ask(ref, "release") == "done"
        assert [await one.wait() for one in held] == [["released", 1], ["released", 2]]
        assert ref.statistics().handled == 8


async def test_an_error_is_of_that_request_alone() -> None:
    """The asker gets it with its own class, the actor has not failed, and goes on."""
    async with actors.open_system("test") as system:
        ref = await system.start(child(), name="model")
        with pytest.raises(ChildError, match="/model could not do Call: no such file") as caught:
            await ask(ref, "say", ['{"id": ID, "error": "no such file"}'])
        assert caught.value.text == "no such file"
        assert caught.value.ref == ref
        assert await ask(ref, "echo", 1) == 1
        assert (ref.statistics().failed, ref.statistics().restarts) == (0, 0)


async def test_a_refusal_is_refused() -> None:
    """As when a handler raises it."""
    async with actors.open_system("test") as system:
        ref = await system.start(child())
        with pytest.raises(actors.Refused, match="out of hours"):
            await ask(ref, "say", ['{"id": ID, "refused": "out of hours"}'])
        assert await ask(ref, "echo", 1) == 1


async def test_a_reply_that_cannot_be_read_is_an_error_of_that_request() -> None:
    """A tag that nobody knows."""
    async with actors.open_system("test") as system:
        ref = await system.start(child())
        with pytest.raises(ChildError, match=r"cannot be read.*no message class with the tag 'no.such'"):
            await ask(ref, "say", ['{"id": ID, "reply": {"$": "no.such"}}'])
        assert await ask(ref, "echo", 1) == 1


async def test_a_posted_message_is_acknowledged_by_the_answer() -> None:
    """It has an id, asked or told: handled means that the child has said so."""
    async with actors.open_system("test") as system:
        await system.start(child(), name="model", policy=actors.Policy(shutdown=0.1))
        ticket = await system.post("/model", Call(["echo", "posted"]))
        assert await ticket.wait_reply(timeout=20) == "posted"
        ticket = await system.post("/model", Total(7), reply=False)
        with pytest.raises(actors.AskTimeout):
            await ticket.wait_reply(timeout=0.05)  # the child has it, and has not said so yet
        assert ticket.state.name == "DELIVERED"


# --- signs of life ----------------------------------------------------------------


async def test_progress_and_output_are_signs_of_life() -> None:
    """They move a progressive limit: a request takes longer than the limit it began with."""
    limit = actors.Timeout("progressive", initial=0.6, maximum=20, extend_within=0.6, no_activity=None)
    script = """
        echo '{"ready": true}'; read -r line
        for _ in 1 2 3 4 5 6 7 8; do sleep 0.1; echo '{"progress": 3}'; done
        echo '{"id": 1, "reply": "done"}'; read -r line
    """
    async with actors.open_system("test") as system, system.subscribe(Progressed) as events:
        ref = await system.start(shell(script), name="slow", policy=actors.Policy(timeout=limit))
        assert await ref.ask(Call("go")) == "done"
        seen = [event.n_bytes for event in taken(events) if event.stream == "progress"]
    assert seen == [3] * 8


async def test_a_silent_request_ends_at_the_limit_and_an_idle_child_lives_on() -> None:
    """A limit is of one request: between two the child may be silent for as long as it likes."""
    limit = actors.Timeout("fixed", initial=10, no_activity=0.4)
    policy = actors.Policy(timeout=limit, backoff=actors.Backoff.immediate(), breaker=None)
    async with actors.open_system("test") as system:
        ref = await system.start(child(), name="model", policy=policy)
        assert await ask(ref, "echo", 1) == 1
        await trio.sleep(0.5)  # the clock of silence stands
        assert ref.statistics().restarts == 0
        with pytest.raises(actors.ActorFailed) as caught:
            await ask(ref, "hold")
        assert isinstance(caught.value.error, actors.Stalled)
        assert await ask(ref, "echo", 2) == 2
        assert ref.statistics().restarts == 1


async def test_stderr_goes_through_the_monitor() -> None:
    """An error pattern in it ends the request at hand, as it does a Command."""
    policy = actors.Policy(stall=actors.Stall(threshold=60))
    async with actors.open_system("test") as system:
        ref = await system.start(child(), name="model", policy=policy)
        with pytest.raises(actors.ActorFailed) as caught:
            await ask(ref, "note", "fatal: rate limit exceeded, retry after 3 seconds")
        assert isinstance(caught.value.error, actors.PatternFound)


async def test_what_it_logs_is_logged_in_its_name(caplog: pytest.LogCaptureFixture) -> None:
    """For people, whatever is in it."""
    async with actors.open_system("test") as system:
        ref = await system.start(child(), name="model")
        with caplog.at_level(logging.INFO, "actors.process"):
            await ask(ref, "say", ['{"log": "warming up"}', '{"log": {"a": 1}}', '{"id": ID, "reply": 1}'])
    assert "/model: warming up" in caplog.text
    assert '/model: {"a":1}' in caplog.text


async def test_a_flood_of_progress_delays_nobody_for_ever() -> None:
    """20,000 lines are read as fast as they come, and other tasks have their turns between."""
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            await trio.lowlevel.checkpoint()
            turns += 1

    async with actors.open_system("test") as system, trio.open_nursery() as nursery:
        ref = await system.start(child())
        nursery.start_soon(others)
        assert await ask(ref, "flood", 20_000) == 20_000
        nursery.cancel_scope.cancel()
    assert turns > 5


# --- text -------------------------------------------------------------------------

COUNTER = """
    echo ready
    while read -r id text; do case $id in
        stop) exit 0;;
        -) echo "log told $text";;
        *) case $text in
            none) echo "refused $id there is nothing";;
            bad) echo "error $id it is broken";;
            *) echo "progress 3"; echo "$id <$text>";;
            esac;;
    esac; done
"""


async def test_a_child_in_shell_needs_no_json(caplog: pytest.LogCaptureFixture) -> None:
    """With `protocol="text"` a word in front says what a line is."""
    async with actors.open_system("test") as system:
        ref = await system.start(shell(COUNTER, protocol="text"))
        assert await ref.ask(Call("two words")) == "<two words>"
        with pytest.raises(actors.Refused, match="there is nothing"):
            await ref.ask(Call("none"))
        with pytest.raises(ChildError, match="it is broken"):
            await ref.ask(Call("bad"))
        with caplog.at_level(logging.INFO, "actors.process"):
            ref.tell("hello")
            assert await ref.ask(Call("")) == "<>"
        assert "told hello" in caplog.text
        ref.stop()
        assert (await ref.wait_stopped()).value.returncode == 0


@pytest.mark.parametrize(
    ("value", "why"),
    [("two\nlines", "more than one line"), ({"a": 1}, "has no objects"), (Sum((1,)), "no objects")],
)
async def test_text_is_one_line(value: Any, why: str) -> None:
    """What does not fit into one is an error that names the other protocol."""
    request = value if isinstance(value, actors.Request) else Call(value)
    async with actors.open_system("test") as system:
        ref = await system.start(shell(COUNTER, protocol="text"))
        with pytest.raises(actors.NotSerializable, match=f'{why}.*use "json"'):
            await ref.ask(request)
        assert await ref.ask(Call("ok")) == "<ok>"


# --- readiness --------------------------------------------------------------------


async def test_it_is_ready_at_its_own_word() -> None:
    """`start` returns then, and messages wait until then."""
    async with actors.open_system("test") as system:
        ref = system.spawn(child())
        ref.tell(["note", "early"])
        assert ref.state is actors.ActorState.STARTING
        await ref.wait_started()
        assert await ask(ref, "echo", 1) == 1
        assert ref.statistics().handled == 2


async def test_it_is_ready_when_it_runs_if_nobody_waits_for_a_word() -> None:
    """`ready=False`."""
    async with actors.open_system("test") as system:
        ref = await system.start(child("silent", ready=False))
        assert await ask(ref, "echo", 1) == 1


async def test_it_is_ready_at_a_line_that_matches(tmp_path: Path) -> None:
    """A regular expression, on stdout or stderr, for programs that know nothing of the protocol's word."""
    async with actors.open_system("test") as system:
        script = """echo '{"ready": true}'; sleep 0.05; echo listening on 7 >&2; read -r line"""
        ref = system.spawn(shell(script, ready=r"listening on \d+\n"))
        await trio.testing.wait_all_tasks_blocked(0.02)
        assert ref.state is actors.ActorState.STARTING  # the protocol's word is not what is waited for
        await ref.wait_started()
        assert ref.state is actors.ActorState.IDLE


def test_it_shows_what_it_runs() -> None:
    """For people, in errors and logs."""
    assert repr(Lines(["ls", "-l"])).startswith("Lines(argv=`ls -l`, cwd=None, protocol='json', ready=True, ")


async def test_it_is_a_process_in_the_tree() -> None:
    """Idle between requests."""
    async with actors.open_system("test") as system:
        await system.start(child(), name="model")
        (node,) = system.tree().children
        assert (node.kind, str(node.state)) == ("process", "IDLE")


async def test_dead_letters_are_reported() -> None:
    """What a confirmed message was answered with, if not well, is one."""
    async with actors.open_system("test") as system, system.subscribe(DeadLetter) as events:
        ref = await system.start(child(confirm=True))
        ref.tell(["say", ['{"id": ID, "error": "no"}']])
        assert await ask(ref, "echo", 1) == 1
        assert [event.reason for event in taken(events)] == [DeadLetterReason.UNHANDLED]
