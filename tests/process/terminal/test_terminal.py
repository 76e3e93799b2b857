"""A program in a terminal as an actor, with a real tmux: nothing sleeps, all waits for output."""

from __future__ import annotations

import os
import re
import shutil
import signal
from pathlib import Path

import pytest
import trio
import trio.testing

import actors
from actors.events import DeadLetter
from actors.process import (
    AnswerTruncated,
    AttachCommand,
    Capture,
    Completed,
    Keys,
    NotAtPrompt,
    NotPasteable,
    Paste,
    ProcessFailed,
    ProcessNotStarted,
    Resize,
    Terminal,
    TerminalNotStarted,
)
from tests.process.terminal.programs import Onlooker, agent, says, shell
from tests.rounds import rounds

ONCE = actors.Policy(restart="temporary")


class Anything(actors.Request[str]):
    pass


# --- pasting ----------------------------------------------------------------------


async def test_a_paste_is_answered_with_what_was_printed() -> None:
    """Neither the prompts nor the echo are part of it."""
    async with actors.open_system("test") as system:
        ref = await system.start(says(), name="ada")
        assert ref.state is actors.ActorState.IDLE
        assert await ref.ask(Paste("hello")) == "you said: hello"
        assert system.tree().children[0].kind == "process"


@pytest.mark.parametrize(
    "text",
    [
        'it\'s "quoted" $HOME `date` \\n \\',
        "#{pane_id} %0 ; kill-server;",
        "%exit",
        "ünï çødé 日本語 🚀 ẽ",
        "  spaces  inside",
    ],
)
async def test_any_line_arrives_as_it_is(text: str) -> None:
    """No shell, no format and no command of tmux sees it."""
    async with actors.open_system("test") as system:
        ref = await system.start(says(), name="ada")
        assert await ref.ask(Paste(text)) == f"you said: {text}"


async def test_text_of_many_lines_is_one_paste() -> None:
    """The program that asked for bracketed paste gets it whole, and answers once."""
    text = "first\n\tsecond 'quoted'\n\nlast; ü"
    async with actors.open_system("test") as system:
        ref = await system.start(agent(), name="ada")
        answer = await ref.ask(Paste(text))
        assert answer == f"{len(text)} characters: {text[:20]!a}...{text[-20:]!a}"


async def test_a_hundred_kilobytes_are_one_paste() -> None:
    """Nothing of it is cut, and none of its echo is in the answer."""
    text = "".join(f"{number:06} äöü\n" for number in range(8_000)).rstrip()
    assert len(text.encode()) > 100_000
    async with actors.open_system("test") as system:
        ref = await system.start(agent(), name="ada")
        answer = await ref.ask(Paste(text))
        assert answer == f"{len(text)} characters: {text[:20]!a}...{text[-20:]!a}"


async def test_a_long_answer_is_whole_and_its_lines_are_not_wrapped() -> None:
    """Also what has scrolled out, and lines wider than the screen."""
    wanted = [f"{number} " + "x" * 300 for number in range(200)]
    async with actors.open_system("test") as system:
        ref = await system.start(agent(width=80, height=24), name="ada")
        answer = await ref.ask(Paste("!for n in range(200): print(n, 'x' * 300)"))
        assert answer.split("\n") == wanted


async def test_an_answer_that_is_longer_than_the_history_is_no_whole_one() -> None:
    """The asker hears it, with the end; and the next answer is whole."""
    async with actors.open_system("test") as system:
        ref = await system.start(agent(history=100, width=80, height=24), name="ada")
        with pytest.raises(AnswerTruncated, match="larger history=") as caught:
            await ref.ask(Paste("!for n in range(500): print(n)"))
        assert caught.value.text.endswith("\n498\n499")
        assert await ref.ask(Paste("next")) == "4 characters: 'next'...'next'"


async def test_several_lines_are_not_pasted_line_by_line() -> None:
    """A program that reads lines would take each for an input of its own; nothing is typed."""
    async with actors.open_system("test") as system:
        ref = await system.start(says(), name="ada")
        with pytest.raises(NotPasteable, match="multiline=True"):
            await ref.ask(Paste("one\ntwo"))
        assert await ref.ask(Paste("three")) == "you said: three"
        assert "one" not in (await ref.ask(Capture())).text


async def test_a_line_that_the_kernel_would_cut_is_not_pasted() -> None:
    """A terminal that collects lines holds 4095 bytes of one."""
    async with actors.open_system("test") as system:
        ref = await system.start(says(), name="ada")
        with pytest.raises(NotPasteable, match="holds 4095"):
            await ref.ask(Paste("x" * 4096))
        assert await ref.ask(Paste("x" * 4095)) == "you said: " + "x" * 4095


@pytest.mark.row(96)
async def test_a_thousand_pastes_none_mixed_none_lost() -> None:
    """Each answer belongs to its text."""
    async with actors.open_system("test") as system:
        ref = await system.start(says(), name="ada")
        for number in range(rounds(1000, deep=3000)):
            assert await ref.ask(Paste(f"paste {number}")) == f"you said: paste {number}"


@pytest.mark.row(96)
async def test_many_askers_of_two_terminals_get_their_own_answers() -> None:
    """One message at a time: nobody pastes into the answer of another."""
    answers: dict[str, str] = {}

    async def ask(ref: actors.Ref, who: str) -> None:
        for number in range(20):
            text = f"{who} {number}"
            answers[text] = await ref.ask(Paste(text))

    async with actors.open_system("test") as system:
        first = await system.start(says(), name="first")
        second = await system.start(says(), name="second")
        async with trio.open_nursery() as nursery:
            for who in ("ann", "bob"):
                nursery.start_soon(ask, first, f"first {who}")
                nursery.start_soon(ask, second, f"second {who}")
        assert len(answers) == 80
        assert all(answer == f"you said: {text}" for text, answer in answers.items())
        screen = await first.ask(Capture(history=1000))
        assert "second" not in screen.text


# --- not ready means not sent -----------------------------------------------------


@pytest.mark.row(96)
async def test_nothing_is_sent_into_a_program_that_is_not_at_its_prompt(fifo: Path) -> None:
    """It is refused in time, with the last lines; and never typed later."""
    async with actors.open_system("test") as system:
        script = f"printf '> '; read -r line; echo busy; read -r _ < {fifo}; {says().argv[2]!s}"
        ref = await system.start(shell(script, prompt_timeout=0.3), name="ada")
        await ref.ask(Keys("Enter"))
        with pytest.raises(NotAtPrompt, match=r"nothing was typed(.|\n)*\n    busy") as caught:
            await ref.ask(Paste("too early"))
        assert caught.value.screen[-2:] == ("busy", "")
        await trio.to_thread.run_sync(fifo.write_text, "\n")
        assert await ref.ask(Paste("now")) == "you said: now"
        assert "too early" not in (await ref.ask(Capture(history=100))).text


@pytest.mark.row(96)
async def test_nothing_is_sent_behind_what_a_person_types() -> None:
    """The line of the prompt has something on it; when it is gone, the paste goes."""
    async with actors.open_system("test") as system:
        ref = await system.start(says(prompt_timeout=0.3), name="ada")
        await ref.ask(Keys(["h", "e"]))
        with pytest.raises(NotAtPrompt):
            await ref.ask(Paste("mixed"))
        await ref.ask(Keys(["BSpace", "BSpace"]))
        assert await ref.ask(Paste("alone")) == "you said: alone"


async def test_a_paste_waits_for_the_prompt() -> None:
    """It goes out when the prompt comes, which somebody else brings."""
    async with actors.open_system("test") as system:
        ref = await system.start(says(), name="ada")
        await ref.ask(Keys("x"))
        attach = await ref.ask(AttachCommand())
        pending = ref.request(Paste("later"))
        await trio.run_process([*attach[:4], "send-keys", "BSpace"])
        assert await pending.wait() == "you said: later"


async def test_nothing_is_typed_for_somebody_who_has_left() -> None:
    """An asker whose time was over before the prompt came."""
    async with actors.open_system("test") as system:
        ref = await system.start(says(), name="ada")
        await ref.ask(Keys("x"))
        person = await Onlooker.at(system, ref)
        with pytest.raises(actors.AskTimeout):
            await ref.ask(Paste("too late"), timeout=0.1)
        await person.does("send-keys", "BSpace")
        assert await ref.ask(Paste("in time")) == "you said: in time"
        assert "too late" not in (await ref.ask(Capture())).text


async def test_a_limit_bounds_a_message_and_not_the_life() -> None:
    """The program may be older than the limit, and ends when an answer takes longer."""
    policy = actors.Policy(timeout=actors.Timeout(initial=0.3, mode="fixed"), restart="temporary")
    async with actors.open_system("test") as system:
        ref = await system.start(agent(), name="ada", policy=policy)
        with trio.move_on_after(0.5):
            await ref.wait_stopped()
        assert await ref.ask(Paste("hello")) == "5 characters: 'hello'...'hello'"
        with pytest.raises(actors.ActorFailed):
            await ref.ask(Paste("!time.sleep(60)"))
        assert (await ref.wait_stopped()).kind is actors.ExitKind.TIMED_OUT


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
async def test_a_shell_edits_its_line_itself_and_ends_with_its_window() -> None:
    """With colours, bracketed paste, and signals that it ignores."""
    async with actors.open_system("test") as system:
        prompt = {**os.environ, "PS1": "\\[\\e[1m\\]sh\\[\\e[0m\\]$ "}
        bash = Terminal(
            ["bash", "--norc", "--noprofile"], prompt=r"^sh\$ $", env=prompt, cooldown=0, quiet=0, width=40
        )
        ref = await system.start(bash, name="ada")
        assert await ref.ask(Paste("echo $((6 * 7)) 'a  b'")) == "42 a  b"
        assert await ref.ask(Paste("for i in 1 2\ndo echo line $i\ndone")) == "line 1\nline 2"
        assert await ref.ask(Paste("echo " + "x" * 300)) == "x" * 300
        assert await ref.ask(Paste("true")) == ""
        assert await ref.ask(Paste("clear")) == ""
        with trio.fail_after(4):
            ref.stop()
            assert (await ref.wait_stopped()).kind is actors.ExitKind.SHUTDOWN


async def test_told_pastes_are_pasted_in_order() -> None:
    """Nobody waits for their answers, the next one waits for their prompt."""
    async with actors.open_system("test") as system:
        ref = await system.start(says(), name="ada")
        ref.tell(Paste("one"))
        ref.tell(Paste("two"))
        await ref.ask(Paste("three"))
        text = (await ref.ask(Capture())).text
        assert re.findall("you said: (.*)", text) == ["one", "two", "three"]


# --- other messages ---------------------------------------------------------------


async def test_the_screen_is_captured_as_text() -> None:
    """With its size, its cursor, and whether the prompt is there."""
    async with actors.open_system("test") as system:
        ref = await system.start(says(width=50, height=10), name="ada")
        await ref.ask(Paste("hello"))
        screen = await ref.ask(Capture())
        assert screen.text == "> hello\nyou said: hello\n> "
        assert (screen.width, screen.height, screen.cursor_x, screen.cursor_y) == (50, 10, 2, 2)
        assert screen.at_prompt


async def test_the_program_learns_of_another_size() -> None:
    """As if a window had been drawn larger."""
    async with actors.open_system("test") as system:
        ref = await system.start(agent(), name="ada")
        await ref.ask(Resize(61, 17))
        answer = await ref.ask(Paste("!print(os.get_terminal_size())"))
        assert answer == "os.terminal_size(columns=61, lines=17)"


async def test_what_is_no_message_for_it_is_unhandled() -> None:
    """The asker hears it, and a told one is a dead letter."""
    async with actors.open_system("test") as system, system.subscribe(DeadLetter) as letters:
        ref = await system.start(says(), name="ada")
        with pytest.raises(actors.Unhandled):
            await ref.ask(Anything())
        ref.tell(5)
        with trio.fail_after(10):
            async for letter in letters:
                assert letter.message == 5
                break
        assert await ref.ask(Paste("on")) == "you said: on"


async def test_a_plain_text_is_pasted_or_refused_and_never_ends_the_program() -> None:
    """Asked by who knows no `Paste`, or told."""
    async with actors.open_system("test") as system:
        ref = await system.start(says(), name="ada")
        assert await ref.ask(actors.Text("hello")) == "you said: hello"
        with pytest.raises(NotPasteable, match="nothing was typed: text has the control character"):
            await ref.ask(actors.Text("\x1b"))
        ref.tell("")
        ref.tell("told")
        assert await ref.ask(Paste("on")) == "you said: on"
        assert "you said: told" in (await ref.ask(Capture())).text


async def test_a_person_may_attach() -> None:
    """By the command that it tells; the socket is for nobody else."""
    async with actors.open_system("test") as system:
        ref = await system.start(says(), name="ada")
        attach = await ref.ask(AttachCommand())
        assert attach[-3:] == ("attach-session", "-t", "=ada")
        socket = trio.Path(attach[attach.index("-S") + 1])
        assert await socket.is_socket()
        assert (await socket.parent.stat()).st_mode & 0o777 == 0o700
        sessions = await trio.run_process([*attach[:-3], "list-sessions"], capture_stdout=True)
        assert sessions.stdout.startswith(b"ada:")
    assert not await socket.parent.exists()


async def test_the_program_has_its_environment_and_nothing_of_tmux(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its TERM is that of its terminal, and it can tell where it is."""
    monkeypatch.setenv("TMUX", "/somewhere/else,1,0")
    monkeypatch.setenv("SECRET", "a b;c")
    names = "('TMUX', 'TMUX_PANE', 'TERM', 'SECRET')"
    script = f"print(*(name + '=' + os.environ[name] for name in {names} if name in os.environ))"
    async with actors.open_system("test") as system:
        ref = await system.start(agent(term="vt220"), name="ada")
        assert await ref.ask(Paste(f"!{script}")) == "TERM=vt220 SECRET=a b;c"


async def test_words_of_argv_arrive_as_they_are(tmp_path: Path) -> None:
    """Semicolons, quotes, formats and spaces mean nothing to tmux."""
    words = ["a b", "semi;", "back\\;", "#{pane_id}", "$HOME", "'", '"', "", "-t", "ü"]
    script = f'printf "<%s>\\n" "$@"; {says().argv[2]!s}'
    folder = tmp_path / "a 'b' #{c}; ü"
    folder.mkdir()
    async with actors.open_system("test") as system:
        ref = await system.start(
            Terminal(["sh", "-c", f"pwd; {script}", "sh", *words], prompt="^> $", cwd=folder), name="ada"
        )
        text = (await ref.ask(Capture())).text
        assert text.split("\n") == [str(folder), *(f"<{word}>" for word in words), "> "]


# --- start and end ----------------------------------------------------------------


async def test_it_is_ready_at_its_prompt() -> None:
    """One that never shows it has failed to start, and the error shows what it did."""
    async with actors.open_system("test") as system:
        with pytest.raises(actors.StartFailed, match=r"(?s)NotAtPrompt|no luck") as caught:
            await system.start(shell("echo no luck; exec sleep 60", prompt_timeout=0.3), name="ada")
        assert isinstance(caught.value.error, NotAtPrompt)
        assert system.find("/ada") is None


async def test_a_program_that_ends_before_its_prompt_has_failed_to_start() -> None:
    """With whatever code."""
    async with actors.open_system("test") as system:
        with pytest.raises(actors.StartFailed, match="no luck") as caught:
            await system.start(shell("echo no luck"), name="ada")
        assert isinstance(caught.value.error, ProcessFailed)


async def test_a_missing_program_is_a_failed_start(tmp_path: Path) -> None:
    """So is a missing folder; tmux alone would go elsewhere."""
    async with actors.open_system("test") as system:
        with pytest.raises(actors.StartFailed, match="cannot start no-such-program") as caught:
            await system.start(Terminal(["no-such-program"], prompt="^> $"), name="ada")
        assert isinstance(caught.value.error, ProcessNotStarted)
        with pytest.raises(actors.StartFailed, match="Pass as cwd= a folder that is there"):
            await system.start(says(cwd=tmp_path / "nowhere"), name="ada")


async def test_without_tmux_the_start_fails_with_the_cure(tmp_path: Path) -> None:
    """So it does when tmux is too old."""
    old = tmp_path / "tmux"
    old.write_text("#!/bin/sh\necho tmux 2.9a\n")
    old.chmod(0o755)
    async with actors.open_system("test") as system:
        with pytest.raises(actors.StartFailed, match=r"install tmux 3\.2 or later") as caught:
            await system.start(says(tmux="no-such-tmux"), name="ada")
        assert isinstance(caught.value.error, TerminalNotStarted)
        with pytest.raises(actors.StartFailed, match=r"is tmux 2\.9a, and a Terminal needs 3\.2 or later"):
            await system.start(says(tmux=str(old)), name="ada")


async def test_a_program_that_ends_is_judged_like_a_command() -> None:
    """A code is a failure, and the error has the last of its screen; 0 is none."""
    async with actors.open_system("test") as system:
        ref = await system.start(says(), name="ada", policy=ONCE)
        ref.tell(Keys("C-d"))
        exit = await ref.wait_stopped()
        assert exit.kind is actors.ExitKind.NORMAL
        assert isinstance(exit.value, Completed)
        ref = await system.start(shell("printf '> '; read -r x; echo oh no; exit 3"), name="bob", policy=ONCE)
        with pytest.raises(actors.ActorFailed):
            await ref.ask(Paste("go"))
        exit = await ref.wait_stopped()
        assert exit.kind is actors.ExitKind.FAILED
        assert isinstance(exit.error, ProcessFailed)
        assert exit.error.completed.returncode == 3
        assert exit.error.completed.stdout.endswith(b"oh no")


async def test_a_signal_is_a_code_below_zero() -> None:
    """As for a command."""
    async with actors.open_system("test") as system:
        ref = await system.start(agent(), name="ada", policy=ONCE)
        ref.tell(Paste("!os.kill(os.getpid(), signal.SIGKILL)"))
        exit = await ref.wait_stopped()
        assert isinstance(exit.error, ProcessFailed)
        assert exit.error.completed.returncode == -signal.SIGKILL


async def test_who_asks_a_program_that_ends_with_zero_hears_that_it_has() -> None:
    """Silence is no answer."""
    async with actors.open_system("test") as system:
        ref = await system.start(shell("printf '> '; read -r x; exit 0"), name="ada", policy=ONCE)
        with pytest.raises(actors.ActorStopped, match="ended with code 0"):
            await ref.ask(Paste("go"))


async def test_a_restart_keeps_the_mailbox() -> None:
    """What came while it was down is pasted into the new one."""
    policy = actors.Policy(backoff=actors.Backoff(initial=0.0, maximum=0.0), breaker=None)
    async with actors.open_system("test") as system:
        ref = await system.start(agent(), name="ada", policy=policy)
        ref.tell(Paste("!os._exit(3)"))
        assert await ref.ask(Paste("still")) == "5 characters: 'still'...'still'"
        assert ref.statistics().restarts == 1


# --- interrupt --------------------------------------------------------------------


async def test_an_interrupt_is_true_when_the_prompt_came_back() -> None:
    """The asker hears of it, and the next paste is taken."""
    async with actors.open_system("test") as system:
        ref = await system.start(agent(), name="ada")
        onlooker = await Onlooker.at(system, ref)
        pending = ref.request(Paste("!print('work' + 'ing'); time.sleep(60)"))
        await onlooker.sees("working")
        assert await ref.interrupt()
        with pytest.raises(actors.Interrupted):
            await pending.wait()
        assert await ref.ask(Paste("next")) == "4 characters: 'next'...'next'"


async def test_an_interrupt_that_is_ignored_is_false(fifo: Path) -> None:
    """The program goes on, the actor is busy, and the answer comes in the end."""
    deaf = f"signal.signal(signal.SIGINT, signal.SIG_IGN); print('de' + 'af'); open({str(fifo)!r}).read()"
    async with actors.open_system("test") as system:
        ref = await system.start(agent(interrupt_timeout=0.2, prompt=r"^(\^C)?> $"), name="ada")
        onlooker = await Onlooker.at(system, ref)
        pending = ref.request(Paste(f"!{deaf}"))
        await onlooker.sees("deaf")
        assert not await ref.interrupt()
        assert ref.state is actors.ActorState.BUSY
        assert not pending.done
        await trio.to_thread.run_sync(fifo.write_text, "\n")
        assert (await pending.wait()).startswith("deaf")
        assert await ref.ask(Paste("next")) == "4 characters: 'next'...'next'"


async def test_an_interrupt_of_a_paste_that_waits_for_its_turn_presses_no_key() -> None:
    """The prompt is there, and nothing was typed."""
    async with actors.open_system("test") as system:
        ref = await system.start(says(cooldown=60), name="ada")
        await ref.ask(Paste("one"))
        pending = ref.request(Paste("two"))
        await trio.testing.wait_all_tasks_blocked()
        assert await ref.interrupt()
        with pytest.raises(actors.Interrupted):
            await pending.wait()
        assert (await ref.ask(Capture())).text == "> one\nyou said: one\n> "
