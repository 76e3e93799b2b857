"""The client of tmux, with a program that is none: replies, pauses, and ends."""

from __future__ import annotations

import subprocess
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
import trio

from actors.process.terminal import TerminalLost
from actors.process.terminal.client import Client

BEGIN = "printf '%%begin 1 1 0\\n%%end 1 1 0\\n'; "
ANSWER = (
    "read -r command; read -r d p word; "
    'printf \'%%begin 1 2 1\\n%s\\n%%end 1 2 1\\n%%begin 1 3 1\\n%s\\n%%end 1 3 1\\n\' "$command" "$word"; '
)


class Spoken:
    def __init__(self) -> None:
        self.outputs: list[bytes] = []
        self.news = trio.Event()

    def __call__(self, data: bytes) -> None:
        self.outputs.append(data)
        self.news.set()


@asynccontextmanager
async def client_of(script: str, heard: Spoken | None = None) -> AsyncGenerator[Client]:
    process = await trio.lowlevel.open_process(
        ["sh", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    client = Client(process, on_output=heard or Spoken(), on_notice=lambda name, rest: None)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.read)
        try:
            with trio.fail_after(20):
                await client.began.wait()
                yield client
        finally:
            process.kill()
            with trio.CancelScope(shield=True):
                await process.wait()
            nursery.cancel_scope.cancel()
            client.close()


async def test_replies_belong_to_their_commands() -> None:
    """In the order of the commands."""
    async with client_of(BEGIN + ANSWER * 2 + "read -r x") as client:
        assert [reply.lines for reply in await client.command("one")] == [("one",)]
        assert [reply.lines for reply in await client.all_well("two")] == [("two",)]


async def test_a_pane_that_was_paused_is_continued() -> None:
    """And whoever waits for output looks again."""
    heard = Spoken()
    async with client_of(BEGIN + "printf '%%pause %%0\\n'; " + ANSWER + "read -r x", heard):
        await heard.news.wait()
        assert heard.outputs == [b""]


async def test_a_cancelled_command_leaves_the_next_in_order() -> None:
    """Its replies are nobody's."""
    async with client_of(BEGIN + ANSWER * 2 + "read -r x") as client:
        with trio.move_on_after(0):
            await client.command("forgotten")
        assert [reply.lines for reply in await client.command("wanted")] == [("wanted",)]


async def test_what_fails_is_said_with_its_words() -> None:
    """Of tmux."""
    script = "read -r c; read -r d p w; printf '%%begin 1 2 1\\nno such pane\\n%%error 1 2 1\\n"
    script += '%%begin 1 3 1\\n%s\\n%%end 1 3 1\\n\' "$w"; read -r x'
    async with client_of(BEGIN + script) as client:
        with pytest.raises(TerminalLost, match="no such pane"):
            await client.all_well("look")


@pytest.mark.parametrize(
    "end", ["exit 0", "printf '%%exit server exited\\n'", "echo nonsense; read -r x; read -r y; read -r z"]
)
async def test_an_end_in_the_midst_is_told_to_whoever_waits(end: str) -> None:
    """And to who comes later."""
    async with client_of(BEGIN + end) as client:
        with pytest.raises(TerminalLost, match="has ended"):
            await client.command("one")
        await client.finished.wait()
        with pytest.raises(TerminalLost, match="has ended"):
            await client.command("two")
