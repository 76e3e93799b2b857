"""Children that do not keep to the protocol: real ones, each of which must harm nobody but itself."""

from __future__ import annotations

import tracemalloc
from typing import Any

import pytest
import trio

import actors
from actors.events import LineIgnored
from actors.process import Call, ChildError, ProcessFailed, ProtocolBroken
from tests.process.lines.scripted import QUICK, ask, child, shell, taken

ANSWER = '{"id": ID, "reply": "lives"}'


async def why_failed(ref: actors.Ref, verb: str, given: Any = None) -> Any:
    """The error of the actor that a request ends it with."""
    with trio.fail_after(20), pytest.raises(actors.ActorFailed) as caught:
        await ask(ref, verb, given, timeout=None)
    return caught.value.error


# --- lines that mean nothing ------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("Loading weights: 3%", "is no JSON"),
        ("[1, 2]", "is no JSON object"),
        ('"text"', "is no JSON object"),
        ("{}", "has none of the words"),
        ('{"answer": 42}', "has none of the words"),
        ('{"reply": 1}', "has no id"),
        ('{"id": "1", "reply": 1}', "an id that is no whole number"),
        ('{"id": true, "reply": 1}', "an id that is no whole number"),
        ('{"id": 1e999, "reply": 1}', "an id that is no whole number"),
        ('{"id": 77, "reply": 1}', "is about 77, which was never asked"),
        ('{"id": 1, "reply": 1}', "is about 1, which has ended before"),
        ('{"id": 1, "chunk": 1}', "is about 1, which has ended before"),
        ('{"ready": "yes"}', 'says of "ready" something else'),
        ('{"usage": 7}', '"usage" that is no object'),
        ('{"usage": {"tokens": -1}}', "no amount of 0 or more"),
        ('{"usage": {"tokens": "many"}}', "no amount of 0 or more"),
        ('{"usage": {"money": NaN}}', "is no JSON"),
        ("[" * 100_000 + "]" * 100_000, "is nested too deeply"),
        ('{"log": ' + "9" * 5000 + "}", "is no JSON"),
    ],
    ids=lambda text: text[:30],
)
async def test_a_line_that_means_nothing_is_reported_and_changes_nothing(line: str, why: str) -> None:
    """With its beginning and the reason; the child lives on."""
    async with actors.open_system("test") as system, system.subscribe(LineIgnored) as events:
        ref = await system.start(child())
        await ask(ref, "echo", 1)
        assert await ask(ref, "say", [line, ANSWER]) == "lives"
        (event,) = taken(events)
    assert why in event.why
    assert len(event.line) <= 200
    assert event.ref == ref


async def test_what_is_no_utf_8_is_reported() -> None:
    """Bytes that no text has."""
    async with actors.open_system("test") as system, system.subscribe(LineIgnored) as events:
        ref = await system.start(child())
        assert await ask(ref, "bytes", b'\xff\xfe{"id": 1}\n{"id": 1, "reply": 1}\n'.hex()) == 1
        (event,) = taken(events)
        assert event.why == "is no UTF-8"


async def test_an_answer_with_neither_a_reply_nor_an_error_is_an_error() -> None:
    """It was meant to end the request, so it does; nobody waits for what will not come."""
    async with actors.open_system("test") as system:
        ref = await system.start(child())
        with pytest.raises(ChildError, match="neither a reply nor an error"):
            await ask(ref, "say", ['{"id": ID}'])
        with pytest.raises(ChildError, match="with reply and error at once"):
            await ask(ref, "say", ['{"id": ID, "reply": 1, "error": "no"}'])
        with pytest.raises(ChildError, match="nobody has cancelled it"):
            await ask(ref, "say", ['{"id": ID, "cancelled": true}'])
        assert await ask(ref, "echo", 1) == 1


async def test_an_error_that_is_no_text_is_shown_as_it_is() -> None:
    """Many write an object there."""
    async with actors.open_system("test") as system:
        ref = await system.start(child())
        with pytest.raises(ChildError, match=r'\{"code":7\}'):
            await ask(ref, "say", ['{"id": ID, "error": {"code": 7}}'])


async def test_too_much_garbage_in_a_row_ends_it() -> None:
    """`max_garbage`: it is no child that speaks this protocol. A line that means something starts anew."""
    async with actors.open_system("test") as system:
        ref = await system.start(child(max_garbage=3), name="model", policy=QUICK)
        assert await ask(ref, "say", ["x", "x", "x", '{"progress": 1}', "x", "x", "x", ANSWER]) == "lives"
        error = await why_failed(ref, "say", ["x", "x", "x", "the fourth"])
        assert isinstance(error, ProtocolBroken)
        assert "more than max_garbage=3 lines in a row" in str(error)
        assert "the fourth" in str(error)
        assert await ask(ref, "echo", 1) == 1
        assert ref.statistics().restarts == 1


async def test_half_a_line_at_the_end_is_no_line() -> None:
    """An answer that was not ended answers nothing."""
    async with actors.open_system("test") as system, system.subscribe(LineIgnored) as events:
        ref = await system.start(
            shell("""echo '{"ready": true}'; read -r line; printf '{"id": 1, "reply": 1}'""")
        )
        with pytest.raises(actors.ActorFailed) as caught:
            await ref.ask(Call(1))
        assert isinstance(caught.value.error, ProcessFailed)
        assert "ended with code 0 with 1 of its messages in hand" in str(caught.value.error)
        (event,) = taken(events)
    assert event.why == "is no whole line: the output ended in it"


@pytest.mark.row(44)
async def test_fifty_megabytes_without_a_newline_need_no_more_memory_than_the_limit() -> None:
    """It is ended at `max_line` bytes, and the error names the limit."""
    async with actors.open_system("test") as system:
        ref = await system.start(child(max_line=1_000_000))
        tracemalloc.start()
        try:
            error = await why_failed(ref, "endless", 50)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert isinstance(error, ProtocolBroken)
    assert "a line of more than max_line=1000000 bytes, which begins 'xxx" in str(error)
    assert peak < 5_000_000


# --- pipes ------------------------------------------------------------------------


async def test_a_child_that_closes_its_stdout_and_lives_on_has_failed() -> None:
    """No reply can come any more; it is ended after `linger` seconds."""
    async with actors.open_system("test") as system:
        ref = await system.start(child(linger=0.05), name="model", policy=QUICK)
        error = await why_failed(ref, "close", 1)
        assert isinstance(error, ProtocolBroken)
        assert "closed its stdout and lives on" in str(error)
        assert await ask(ref, "echo", 1) == 1


async def test_a_child_that_closes_its_stdin_and_lives_on_has_failed() -> None:
    """It hears nothing any more: the message that was being said is in hand, and fails with it."""
    script = """echo '{"ready": true}'; exec <&-; sleep 60"""
    async with actors.open_system("test") as system:
        ref = await system.start(shell(script, linger=0.05), name="model", policy=QUICK)
        with trio.fail_after(20), pytest.raises(actors.ActorFailed, match="closed its stdin and lives on"):
            await ref.ask(Call("x" * 1_000_000))  # more than the pipe would hold


async def test_a_child_that_does_not_read_holds_up_itself_alone() -> None:
    """What does not fit into the pipe waits; what it writes is read, and others work on."""
    script = """echo '{"ready": true}'; while :; do echo '{"progress": 1}'; sleep 0.01; done"""
    async with actors.open_system("test") as system:
        deaf, other = (
            await system.start(shell(script), policy=actors.Policy(shutdown=0.1)),
            system.spawn(child()),
        )
        for _ in range(20):
            deaf.tell("x" * 60_000)
        with pytest.raises(actors.AskTimeout):
            await deaf.ask(Call(1), timeout=0.1)
        assert await ask(other, "echo", 1) == 1
        assert deaf.statistics().depth["normal"] >= 15
        deaf.stop()
        exit = await deaf.wait_stopped()
    assert exit.kind is actors.ExitKind.KILLED


async def test_a_line_that_was_begun_is_ended_before_the_next() -> None:
    """An asker that leaves while its request is half in the pipe cuts nothing off."""
    script = """echo '{"ready": true}'; sleep 0.2
        n=0; while read -r line; do n=$((n+1)); case $line in
            *cancel*) echo '{"id": 1, "cancelled": true}';;
            *second*) echo '{"id": 2, "reply": '$n'}';;
        esac; done"""
    async with actors.open_system("test") as system:
        ref = await system.start(shell(script))
        with trio.move_on_after(0.05):
            await ref.ask(Call("x" * 1_000_000))
        with trio.fail_after(20):
            assert await ref.ask(Call("second")) == 3


# --- the start and the end --------------------------------------------------------


async def test_who_is_never_ready_is_a_failed_start_that_names_what_it_said() -> None:
    """After `ready_within` seconds."""
    async with actors.open_system("test") as system:
        with pytest.raises(actors.StartFailed) as caught:
            await system.start(child("mute", ready_within=0.3), name="model")
        error = caught.value.error
    assert isinstance(error, ProtocolBroken)
    for said in (
        "was not ready within ready_within=0.3 s",
        '{"ready": true}',
        "loading the model",
        "may take long",
    ):
        assert said in str(error)


async def test_a_limit_of_the_policy_bounds_the_start() -> None:
    """As with any start."""
    policy = actors.Policy(timeout=actors.Timeout("fixed", initial=0.1))
    async with actors.open_system("test") as system:
        with pytest.raises(actors.StartFailed) as caught:
            await system.start(child("mute"), policy=policy)
        assert isinstance(caught.value.error, actors.TimedOut)


async def test_who_ends_before_it_is_ready_is_a_failed_start() -> None:
    """With whatever code, and with what it wrote."""
    async with actors.open_system("test") as system:
        with pytest.raises(actors.StartFailed, match=r"ended with code 0 before it was ready.*no model here"):
            await system.start(shell("echo no model here"))
        with pytest.raises(actors.StartFailed, match="matches ready='listening'"):
            await system.start(shell("exit 3", ready="listening"))
        with pytest.raises(actors.StartFailed, match="cannot start no-such-program"):
            await system.start(actors.process.Lines(["no-such-program"]))


async def test_a_child_that_ends_well_in_the_middle_of_a_request_has_failed() -> None:
    """With code 0; its asker hears of it at once, and the next one finds a new child."""
    async with actors.open_system("test") as system:
        ref = await system.start(child(), name="model", policy=QUICK)
        pid = await ask(ref, "pid")
        error = await why_failed(ref, "exit", 0)
        assert isinstance(error, ProcessFailed)
        assert error.completed.returncode == 0
        assert await ask(ref, "pid") != pid


async def test_the_last_reply_is_heard_though_the_child_has_ended() -> None:
    """It was in the pipe: then nothing was in hand, and code 0 is a return."""
    async with actors.open_system("test") as system:
        ref = await system.start(child())
        assert await ask(ref, "exit_after", 0) == "last"
        exit = await ref.wait_stopped()
        assert exit.kind is actors.ExitKind.NORMAL
        assert exit.value.returncode == 0
        ref = await system.start(child())
        assert await ask(ref, "exit_after", 3) == "last"
        exit = await ref.wait_stopped()
        assert exit.kind is actors.ExitKind.FAILED
        assert "ended with code 3 though nobody had told it to end" in exit.reason
