"""The rules by which a program is spoken with, with a pane that is none, and exact times."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from actors.process import NotAtPrompt, Terminal
from actors.process.terminal.modes import PasteMode
from actors.process.terminal.prompt import Look
from actors.process.terminal.talk import Talk


class FakePane:
    """A screen that is written to by the test; remembers what was typed, and when."""

    def __init__(self, *rows: str) -> None:
        self.changed = trio.Event()
        self.mode = PasteMode()
        self.wrote_at = float("-inf")
        self.rows = list(rows)
        self.typed: list[tuple[float, str]] = []
        self.looks = 0
        self.answers = ""
        self.echoes = True

    def write(self, *rows: str) -> None:
        self.rows = list(rows)
        self.wrote_at = trio.current_time()
        changed, self.changed = self.changed, trio.Event()
        changed.set()

    async def look(self) -> Look:
        self.looks += 1
        await trio.lowlevel.checkpoint()
        return Look(tuple(self.rows), len(self.rows[-1]), len(self.rows) - 1, 0, 1000, 80, 24)

    async def lines(self, start: int, end: int, look: Look) -> list[str]:
        await trio.lowlevel.checkpoint()
        return self.rows[start:end]

    async def note_mode(self) -> None:
        await trio.lowlevel.checkpoint()

    async def forget(self) -> None:
        await trio.lowlevel.checkpoint()

    async def paste(self, text: str, look: Look) -> bool:
        await trio.lowlevel.checkpoint()
        self.typed.append((trio.current_time(), text))
        if self.echoes:
            self.write(*self.rows[:-1], self.rows[-1] + text)
        return True

    async def press(self, *keys: str) -> str:
        await trio.lowlevel.checkpoint()
        place = (await self.look()).place
        self.looks -= 1
        self.typed.append((trio.current_time(), " ".join(keys)))
        if self.answers:
            self.write(*self.rows, self.answers, "> ")
        return place

    def collects_lines(self) -> bool:
        return False


def talk(pane: FakePane, **options: Any) -> Talk:
    return Talk(Terminal(["x"], prompt=r"^> $", **options), pane)


@pytest.mark.row(96)
async def test_two_seconds_pass_between_two_pastes(autojump_clock: MockClock) -> None:
    """From the end of one injection to the beginning of the next, whatever the answer takes."""
    pane = FakePane("> ")
    pane.answers = "yes"
    talking = talk(pane)
    for text in ("one", "two", "three"):
        pasted = await talking.paste(text, await talking.admit())
        assert pasted is not None
        assert await talking.answer(pasted) == "yes"
    starts = [at for at, what in pane.typed if what != "Enter"]
    assert [round(later - earlier, 6) for earlier, later in itertools.pairwise(starts)] == [2.0, 2.0]


@pytest.mark.row(96)
async def test_the_prompt_is_waited_for_and_no_longer(autojump_clock: MockClock) -> None:
    """It is refused at the limit, having looked twice: at the beginning, and at the end."""
    pane = FakePane("busy")
    with pytest.raises(NotAtPrompt, match="busy"):
        await talk(pane, prompt_timeout=30).admit()
    assert trio.current_time() == 30.0
    assert pane.looks == 2
    assert pane.typed == []


async def test_the_screen_is_looked_at_when_the_program_has_fallen_silent(autojump_clock: MockClock) -> None:
    """What looks like a prompt in the midst of an answer is none, when more comes at once."""
    pane = FakePane("> ")
    talking = talk(pane, quiet=0.5)
    pasted = await talking.paste("go", await talking.admit())
    assert pasted is not None
    looked = pane.looks

    async def program() -> None:
        for rows in (["> go", "a", "> "], ["> go", "a", "> quoted"], ["> go", "a", "> quoted", "> "]):
            await trio.sleep(0.4)
            pane.write(*rows)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(program)
        assert await talking.answer(pasted) == "a\n> quoted"
    assert trio.current_time() == pytest.approx(1.2 + 0.5)
    assert pane.looks - looked <= 2


async def test_the_prompt_that_was_there_before_is_no_answer(autojump_clock: MockClock) -> None:
    """A program that shows nothing of what it gets leaves its prompt on the screen."""
    pane = FakePane("> ")
    pane.echoes = False
    talking = talk(pane, quiet=0, echo=False)
    pasted = await talking.paste("go", await talking.admit())
    assert pasted is not None
    pane.write("> ")
    with trio.move_on_after(10) as scope:
        await talking.answer(pasted)
    assert scope.cancelled_caught
    pane.write("> ", "done", "> ")
    assert await talking.answer(pasted) == "\ndone"


async def test_the_prompt_is_an_answer_when_what_was_pasted_has_gone(autojump_clock: MockClock) -> None:
    """A screen that was different meanwhile may be as before."""
    pane = FakePane("> ")
    talking = talk(pane, quiet=0)
    pasted = await talking.paste("go", await talking.admit())
    assert pasted is not None
    pane.write("> ")
    with trio.fail_after(10):
        assert await talking.answer(pasted) == ""


async def test_a_program_that_shows_no_echo_gets_its_key_all_the_same(autojump_clock: MockClock) -> None:
    """After a second."""
    pane = FakePane("> ")
    pane.echoes = False
    talking = talk(pane)
    await talking.paste("go", await talking.admit())
    assert [what for _, what in pane.typed] == ["go", "Enter"]
    assert pane.typed[1][0] - pane.typed[0][0] == pytest.approx(1.0)
