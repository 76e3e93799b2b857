"""Clients that start a process and speak to it over stdin and stdout: the official one, and broken ones."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import trio
from mcp import Client, StdioServerParameters, stdio_client

from tests.mcp.reached import said, until
from tests.mcp.test_http import INITIALIZE, called

ROOT = Path(__file__).resolve().parents[2]
PING = {"jsonrpc": "2.0", "id": 9, "method": "ping"}


@asynccontextmanager
async def client_of(file: Path) -> AsyncGenerator[Client]:
    """The official client, with a server process of its own."""
    program = StdioServerParameters(
        command=sys.executable, args=["-m", "tests.mcp.served", str(file)], cwd=str(ROOT)
    )
    with (file.parent / "stderr").open("w") as stderr:
        async with Client(stdio_client(program, errlog=stderr)) as client:
            yield client


async def test_the_official_client_over_stdio(tmp_path: Path) -> None:
    """It spawns, asks, hears progress, cancels, and what is printed does not disturb it."""
    heard: list[float] = []

    async def hear(progress: float, total: float | None, text: str | None) -> None:
        heard.append(progress)

    async with client_of(tmp_path / "ends") as client:
        path = said(await client.call_tool("spawn", {"template": "witness", "name": "one"}))["path"]

        async def ask(text: str, **more: Any) -> Any:
            return said(await client.call_tool("ask", {"path": path, "message": text}, **more))["reply"]

        assert await ask("good day") == "good day"
        assert await ask("print") == "print"
        assert await ask("steps", progress_callback=hear) == "steps"
        with trio.move_on_after(0.2):
            await ask("wait")
        assert len(await ask("big")) == 200_000
        assert (await client.call_tool("nonsense", {})).is_error
        assert (await client.call_tool("ask", {"path": path, "message": "x", "more": 1})).is_error
    assert heard
    assert "noise of an actor\nnoise of a program\n" in (tmp_path / "stderr").read_text()
    assert (tmp_path / "ends").read_text() == f"{path} ['{path}']\n"


class Raw:
    """A process that is spoken to in lines."""

    def __init__(self, process: trio.Process) -> None:
        self.process = process
        self._read = b""

    async def send(self, data: bytes | dict[str, Any]) -> None:
        said = data if isinstance(data, bytes) else json.dumps(data).encode() + b"\n"
        assert self.process.stdin is not None
        await self.process.stdin.send_all(said)

    async def receive(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        with trio.fail_after(30):
            while b"\n" not in self._read:
                piece = await self.process.stdout.receive_some()
                assert piece, "it has closed"
                self._read += piece
        line, _, self._read = self._read.partition(b"\n")
        return json.loads(line)

    async def rest(self) -> bytes:
        """What else comes, to the end."""
        assert self.process.stdout is not None
        with trio.fail_after(30):
            while piece := await self.process.stdout.receive_some():
                self._read += piece
            await self.process.wait()
        return self._read

    async def close(self) -> None:
        assert self.process.stdin is not None
        await self.process.stdin.aclose()


@asynccontextmanager
async def raw(file: Path, *, begun: bool = True) -> AsyncGenerator[Raw]:
    """A process, with a session that has begun."""
    with (file.parent / "stderr").open("w") as stderr:
        process = await trio.lowlevel.open_process(
            [sys.executable, "-m", "tests.mcp.served", str(file)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            cwd=ROOT,
        )
    assert process.stdin is not None
    assert process.stdout is not None
    async with process.stdin, process.stdout:
        try:
            here = Raw(process)
            if begun:
                await here.send(INITIALIZE)
                assert (await here.receive())["id"] == 1
                await here.send({"jsonrpc": "2.0", "method": "notifications/initialized"})
            yield here
        finally:
            process.kill()
            with trio.CancelScope(shield=True):
                await process.wait()


async def test_lines_that_are_no_messages_end_nothing_and_half_a_line_is_an_end(tmp_path: Path) -> None:
    """Neither garbage nor a line that is far too long; after half a line stdout is given back."""
    async with raw(tmp_path / "ends") as here:
        for line in (
            b"garbage",
            b"{",
            b"[]",
            b"7",
            b"null",
            b"\xff\xfe",
            b"",
            b'{"jsonrpc": "1"}',
            b"[" * 5000,
        ):
            await here.send(line + b"\n")
        await here.send(b'{"' + b"x" * (5 * 1024 * 1024) + b"\n")
        await here.send(PING)
        assert (await here.receive())["id"] == 9
        await here.send(b'{"jsonrpc": "2.0", "id": 3, "met')
        await here.close()
        assert await here.rest() == b"after\n"
        assert here.process.returncode == 0


async def test_an_end_before_the_beginning_is_an_end(tmp_path: Path) -> None:
    async with raw(tmp_path / "ends", begun=False) as here:
        await here.close()
        assert await here.rest() == b"after\n"
        assert here.process.returncode == 0


async def test_a_client_that_reads_nothing_more_ends_it_too(tmp_path: Path) -> None:
    """Its stdout is broken: there is nobody to serve."""
    async with raw(tmp_path / "ends") as here:
        assert here.process.stdout is not None
        await here.process.stdout.aclose()
        await here.send(PING)
        with trio.fail_after(30):
            await here.process.wait()
        text = (tmp_path / "stderr").read_text()
        assert "ReaderGone" not in text  # it has returned, and then that program prints


async def test_a_client_that_reads_slowly_gets_all(tmp_path: Path) -> None:
    """Answers wait for it, larger than any pipe."""
    async with raw(tmp_path / "ends") as here:
        await here.send(called(2, "spawn", {"template": "hand", "name": "one"}))
        await here.receive()
        for number in range(3, 8):
            await here.send(called(number, "ask", {"path": "one", "message": "big"}))
        await trio.sleep(0.3)
        found = {(await here.receive())["id"] for _ in range(5)}
        assert found == {3, 4, 5, 6, 7}


_KILLED = """
import sys, trio
from tests.mcp.test_stdio import client_of
from pathlib import Path

async def main(file):
    async with client_of(Path(file)) as client:
        spawned = await client.call_tool("spawn", {"template": "witness", "name": "one"})
        path = spawned.structured_content["path"]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.call_tool, "ask", {"path": path, "message": "wait"})
            while "BUSY" not in str(await client.call_tool("children", {})):
                await trio.sleep(0.05)
            print("it is at work", flush=True)

trio.run(main, sys.argv[1])
"""


async def test_a_client_that_is_killed_in_the_middle_of_a_call(tmp_path: Path) -> None:
    """Its agent, the call and what it spawned end, and so does the process that served it."""
    file = tmp_path / "ends"
    client = await trio.lowlevel.open_process(
        [sys.executable, "-c", _KILLED, str(file)], stdout=subprocess.PIPE, cwd=ROOT
    )
    assert client.stdout is not None
    async with client.stdout:
        try:
            with trio.fail_after(30):
                assert await client.stdout.receive_some()
        finally:
            client.kill()
            with trio.CancelScope(shield=True):
                await client.wait()
    await until(lambda: file.exists() and file.read_text().endswith("\n"), 10)
    assert file.read_text() == "/agents/mcp/one ['/agents/mcp/one']\n"
