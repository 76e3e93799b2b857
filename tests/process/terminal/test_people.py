"""People at the same terminal: they type, and scroll back, whenever they like."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

import actors
from actors.process import Keys, Paste
from actors.process.terminal.pane import Pane
from actors.process.terminal.prompt import Look
from tests.process.terminal.conftest import left_in
from tests.process.terminal.programs import Onlooker, says


async def test_who_types_in_the_last_moment_is_not_mixed_with(
    monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    """Between the look at the prompt and the paste: tmux compares the cursor; nothing is left."""
    original, tried = Pane.paste, list[bool]()
    refused = trio.Event()

    async def late(pane: Pane, text: str, look: Look) -> bool:
        if not tried:
            await person.does("send-keys", "x")
            await person.sees("> x")
        tried.append(await original(pane, text, look))
        refused.set()
        return tried[-1]

    monkeypatch.setattr(Pane, "paste", late)
    async with actors.open_system("test") as system:
        ref = await system.start(says(), name="ada")
        person = await Onlooker.at(system, ref)
        pending = ref.request(Paste("alone"))
        with trio.fail_after(10):
            await refused.wait()
            await person.does("send-keys", "BSpace")
            assert await pending.wait() == "you said: alone"
        assert tried == [False, True]
        assert await person.does("list-buffers") == ""
        assert [name for name in left_in(folder / left_in(folder)[0]) if name.startswith("paste")] == []


async def test_a_person_who_has_scrolled_back_keeps_nobody_from_typing() -> None:
    """Else tmux would take the keys for commands of its own."""
    async with actors.open_system("test") as system:
        ref = await system.start(says(), name="ada")
        person = await Onlooker.at(system, ref)
        with trio.fail_after(10):
            await person.does("copy-mode")
            assert await ref.ask(Paste("one")) == "you said: one"
            await person.does("copy-mode")
            await ref.ask(Keys("t"))
            await person.does("copy-mode")
            await ref.ask(Keys(["w", "o", "Enter"]))
            await person.sees("you said: two")
