"""Output of real processes: patterns end them and all that they have started. On the real clock."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio

import actors
from actors import DEFAULT_PATTERNS, ExitKind, FailureKind, Pattern, PatternFound, Policy, Stall
from actors.events import CheckFailed, PatternMatched
from actors.monitor import Watched
from actors.process import Command
from actors.supervision.breaker import CircuitState
from tests.core.cast import drained
from tests.monitor.cast import Alert, guarded
from tests.monitor.test_patterns import KINDS, WRITTEN
from tests.process.witnesses import Heard, Lifeline, runs

SOON = 10.0
"""Generous: the processes sleep for longer, and what is measured is in the benchmark."""
SCRIPT = """
import os, sys, time
for word in sys.argv[1:]:
    what, _, rest = word.partition(":")
    if what == "sleep": time.sleep(float(rest))
    elif what == "exit": sys.exit(int(rest))
    elif what == "fork":
        child = os.fork()
        if not child: time.sleep(60); os._exit(0)
        os.write(1, b"child %d\\n" % child)
    else: os.write(2 if what == "err" else 1, rest.encode())
"""


def python(*words: str, **options: Any) -> Command:
    """A process that does one word after the other."""
    return Command([sys.executable, "-S", "-c", SCRIPT, *words], **options)


@asynccontextmanager
async def system() -> AsyncIterator[actors.System]:
    with trio.fail_after(50.0):
        async with actors.open_system("s") as opened:
            yield opened


async def exit_of(*words: str, policy: Policy) -> actors.Exit:
    """How such a process ends; in time."""
    async with system() as opened:
        ref = opened.spawn(python(*words), policy=policy)
        with trio.fail_after(SOON):
            exit = await ref.wait_stopped()
        assert not watched(opened)
        return exit


def watched(opened: actors.System) -> Any:
    return opened._watches.guards


def found(exit: actors.Exit) -> PatternFound:
    assert exit.kind is ExitKind.PATTERN, exit
    assert isinstance(exit.error, PatternFound)
    return exit.error


@pytest.mark.row(9)
@pytest.mark.parametrize("regex", DEFAULT_PATTERNS)
async def test_each_default_ends_a_process(regex: str) -> None:
    """And says what it found, in which line, and what kind of failure that is."""
    text = WRITTEN[regex][0]
    error = found(await exit_of(f"err:{text}\n", "sleep:60", policy=Policy(stall=Stall())))
    assert (error.pattern, error.line, error.stream, error.kind) == (regex, text, "stderr", KINDS[regex])


@pytest.mark.row(9)
async def test_what_it_has_started_is_gone_too(lifeline: Lifeline) -> None:
    """A child that it forked, in its group: the end comes when nobody is left."""
    heard = Heard()
    async with system() as opened:
        words = ("fork", "err:403 Forbidden", "sleep:60")
        argv = lifeline.held(
            f"exec {sys.executable} -S -c '{SCRIPT}' {' '.join(repr(word) for word in words)}"
        )
        command = Command(argv, on_output=heard)
        ref = opened.spawn(command, policy=guarded())
        child = int(await heard.wait_for(b"child "))
        with trio.fail_after(SOON):
            found(await ref.wait_stopped())
        assert not runs(child)
        await lifeline.wait_released()


@pytest.mark.row(10)
@pytest.mark.parametrize("which", [0, 1])
async def test_any_predicate_ends_it(which: int) -> None:
    """One of two is enough; they get the ends of both streams as text."""
    asked: list[tuple[str, str]] = []

    def never(stdout: str, stderr: str) -> bool:
        asked.append((stdout, stderr))
        return False

    def enough(stdout: str, stderr: str) -> bool:
        return "balance: 0" in stdout and "giving up" in stderr

    predicates = [never, never]
    predicates[which] = enough
    policy = guarded(Stall(patterns=(), predicates=predicates))
    error = found(await exit_of("out:balance: 0\n", "err:giving up\n", "sleep:60", policy=policy))
    assert error.pattern.endswith("enough")
    assert error.kind is FailureKind.PATTERN
    assert error.line in ("balance: 0", "giving up")
    assert which == 0 or asked


@pytest.mark.row(10)
async def test_patterns_can_be_left_out() -> None:
    """With no patterns nothing is one."""
    policy = guarded(Stall(patterns=()))
    assert (await exit_of("err:rate limit 429 forbidden\n", policy=policy)).kind is ExitKind.NORMAL


@pytest.mark.row(10)
@pytest.mark.parametrize("words", [(), ("out:rate limit\n",), ("err:",), ("out:\n", "err:\n")])
async def test_an_empty_stderr_matches_nothing(words: tuple[str, ...]) -> None:
    """Nor does what is in stdout."""
    assert (await exit_of(*words, policy=guarded())).kind is ExitKind.NORMAL


@pytest.mark.row(10)
@pytest.mark.parametrize("raises", [True, False])
async def test_a_predicate_that_raises_is_dropped_with_an_event(raises: bool) -> None:
    """Also one whose answer cannot be read; the others and the patterns go on."""

    class Odd:
        def __bool__(self) -> bool:
            raise RuntimeError("odd")

    asked: list[str] = []

    def broken(stdout: str, stderr: str) -> Any:
        asked.append(stderr)
        if raises:
            raise RuntimeError("odd")
        return Odd()

    async with system() as opened, opened.subscribe(CheckFailed, PatternMatched) as events:
        policy = guarded(Stall(predicates=[broken]))
        words = ("err:a\n", "sleep:0.2", "err:b\n", "sleep:0.2", "err:forbidden\n", "sleep:60")
        ref = opened.spawn(python(*words), policy=policy)
        with trio.fail_after(SOON):
            found(await ref.wait_stopped())
        failed, matched = drained(events)
        assert isinstance(failed, CheckFailed)
        assert failed.what.endswith("broken")
        assert str(failed.error) == "odd"
        assert isinstance(matched, PatternMatched)
        assert asked == ["a\n"]


@pytest.mark.row(11)
async def test_half_a_pattern_a_pause_and_the_other_half() -> None:
    """In two reads, and without the end of the line."""
    error = found(await exit_of("err:rate li", "sleep:0.3", "err:mit", "sleep:60", policy=guarded()))
    assert error.line == "rate limit"


@pytest.mark.row(15)
async def test_the_sizes_of_both_streams_are_told_apart() -> None:
    """What goes to stderr leaves the count of stdout as it was."""
    heard = Heard()
    async with system() as opened:
        words = ("out:" + "x" * 300 + "\n", "err:" + "y" * 20 + "\n", "out:done\n", "sleep:60")
        ref = opened.spawn(python(*words, on_output=heard), policy=guarded())
        await heard.wait_for(b"done")
        await heard.wait_for(b"y")
        (record,) = await opened.monitor.ask(Watched())
        assert (record.ref, record.stdout, record.stderr) == (ref, 306, 21)
        ref.kill()
        await ref.wait_stopped()


@pytest.mark.row(10)
@pytest.mark.parametrize("stream", ["stdout", "stderr", "both"])
@pytest.mark.parametrize("word", ["out", "err"])
async def test_a_pattern_chooses_its_stream(stream: Any, word: str) -> None:
    """And its kind."""
    pattern = Pattern("out of memory", kind=FailureKind.PERMANENT, stream=stream)
    hit = stream == "both" or stream.endswith(word)
    exit = await exit_of(f"{word}:Out of memory\n", policy=guarded(Stall(patterns=(pattern,))))
    assert exit.kind is (ExitKind.PATTERN if hit else ExitKind.NORMAL)
    if hit:
        assert found(exit).kind is FailureKind.PERMANENT


@pytest.mark.parametrize("code", [0, 1])
async def test_one_that_writes_and_ends_at_once_met_its_pattern(code: int) -> None:
    """Whatever its exit code, and however fast it was."""
    assert (
        found(await exit_of("err:unauthorized", f"exit:{code}", policy=guarded())).pattern == "unauthorized"
    )


@pytest.mark.row(18)
async def test_the_callback_is_told_of_a_process() -> None:
    """With its ref, and the pattern in the reason."""
    told = Alert()
    async with system() as opened:
        ref = opened.spawn(python("err:forbidden", "sleep:60"), policy=guarded(Stall(on_detection=told)))
        with trio.fail_after(SOON):
            await ref.wait_stopped()
        ((who, reason),) = told.told
        assert who == ref
        assert "forbidden" in reason


# --- kinds and what follows of them: functions, under the mock clock ------------------------------


def writer(text: bytes) -> Callable[[actors.Context], Any]:
    async def write(ctx: actors.Context) -> None:
        ctx.output(text, "stderr")
        await trio.sleep(10.0)

    return write


@pytest.mark.row(32)
async def test_rate_limits_never_open_the_breaker(autojump_clock: Any) -> None:
    """Ten times by a pattern, and it is CLOSED; two permanent failures open it, others at their number."""
    policy = guarded(
        restart="permanent", breaker=actors.Breaker.agents(), backoff=actors.Backoff(initial=1.0, jitter=0.0)
    )
    async with actors.open_system("s", strategy=actors.OneForOne(max_restarts=100)) as opened:
        async with opened.subscribe(PatternMatched) as events:
            ref = opened.spawn(writer(b"Error 429: quota exceeded"), name="limited", policy=policy)
            count = 0
            async for _ in events:
                count += 1
                if count == 10:
                    break
            state = opened.breaker("/limited")
            assert (state.state, state.failures) == (CircuitState.CLOSED, 0)
            ref.kill()
        for text in (b"403 Forbidden", b"Connection refused"):
            other = opened.spawn(writer(text), name="other", policy=policy)
            await trio.sleep(5.0)
            assert opened.breaker("/other").state is CircuitState.OPEN
            other.kill()
            await other.wait_stopped()
            opened.reset_breaker("/other")


@pytest.mark.row(32)
@pytest.mark.parametrize(
    ("text", "kind", "attempts"),
    [
        (b"rate limit\n", FailureKind.RATE_LIMIT, 1),
        (b"rate limit, retry after 30 seconds\n", FailureKind.RATE_LIMIT, 3),
        (b"invalid api key\n", FailureKind.PERMANENT, 1),
        (b"ECONNRESET\n", FailureKind.PATTERN, 3),
    ],
)
async def test_kinds_decide_what_is_tried_again(
    text: bytes, kind: FailureKind, attempts: int, autojump_clock: Any
) -> None:
    """A rate limit only when it said when, and not sooner; what is permanent never."""
    async with actors.open_system("s") as opened:
        policy = guarded(retries=2)
        (outcome,) = await opened.run_jobs([actors.Job(writer(text), name="a", policy=policy)])
        assert (outcome.failure, outcome.attempts) == (kind, attempts)
        assert trio.current_time() == (60.0 if b"after" in text else 0.0)
