"""What a link costs: messages and requests between two processes, beside a bare WebSocket in the same run.

    python -m benchmarks.bench_nodes [SECONDS]

Each way runs for SECONDS (2) in turn, three rounds; the median counts. "bare" is trio-websocket with a
frame of the same JSON for every message, and nothing else: no order beyond one connection, no
acknowledgement, no types.
"""

from __future__ import annotations

import contextlib
import json
import statistics
import subprocess
import sys
from collections.abc import Awaitable, Callable
from functools import partial

import trio
from trio_websocket import ConnectionClosed, WebSocketRequest, open_websocket_url, serve_websocket

import actors

ROUNDS = 3
_TEXT = "x" * 64


@actors.message(tag="bench.Ping")
class Ping(actors.Request[int]):
    number: int
    text: str


@actors.message(tag="bench.Note")
class Note:
    number: int
    text: str


class Echo(actors.Actor):
    """Answers, and counts what it is told."""

    def __init__(self) -> None:
        self.told = 0

    @actors.receive
    def ping(self, message: Ping) -> int:
        return self.told

    @actors.receive
    def note(self, message: Note) -> None:
        self.told += 1


@actors.message(tag="bench.Resident")
class Resident(actors.Request[actors.Ref]):
    """Where is an actor of the other node's own?"""


class House(actors.Supervisor):
    """A supervisor over there, whose child belongs to that node."""

    @actors.receive
    def resident(self, message: Resident) -> actors.Ref:
        return self.spawn(Echo)


def _json(number: int) -> str:
    return json.dumps({"$": "bench.Note", "number": number, "text": _TEXT})


async def bare_server() -> None:
    """Echo frames that ask for it."""

    async def serve(request: WebSocketRequest) -> None:
        socket = await request.accept()
        with contextlib.suppress(ConnectionClosed):
            while True:
                text = await socket.get_message()
                if json.loads(text).get("ask"):
                    await socket.send_message(text)

    async with trio.open_nursery() as nursery:
        server = await nursery.start(partial(serve_websocket, serve, "127.0.0.1", 0, None))
        print(server.port, flush=True)
        await trio.sleep_forever()


async def bare(seconds: float) -> tuple[float, float]:
    """(frames/s one way, round trips/s)."""
    command = [sys.executable, "-m", "benchmarks.bench_nodes", "--bare"]
    process = await trio.lowlevel.open_process(command, stdout=subprocess.PIPE)
    assert process.stdout is not None
    try:
        port = int(await process.stdout.receive_some(100))
        async with open_websocket_url(f"ws://127.0.0.1:{port}") as socket:
            ask = json.dumps({"ask": True, "text": _TEXT})
            sent, began = 0, trio.current_time()
            while trio.current_time() - began < seconds:
                await socket.send_message(_json(sent))
                sent += 1
            await socket.send_message(ask)
            await socket.get_message()
            one_way = sent / (trio.current_time() - began)
            asked, began = 0, trio.current_time()
            while trio.current_time() - began < seconds:
                await socket.send_message(ask)
                await socket.get_message()
                asked += 1
            return one_way, asked / (trio.current_time() - began)
    finally:
        process.kill()
        with trio.CancelScope(shield=True):
            await process.wait()
            await process.stdout.aclose()


async def told(ref: actors.Ref, seconds: float) -> float:
    """Messages a second, counted when the last of them has been handled."""
    before = await ref.ask(Ping(0, ""))
    sent, began = 0, trio.current_time()
    while trio.current_time() - began < seconds:
        await ref.send(Note(sent, _TEXT))
        sent += 1
    counted = await ref.ask(Ping(0, ""))  # behind them all
    assert counted == before + sent, f"{counted - before} of {sent} messages came"
    return sent / (trio.current_time() - began)


async def asked(ref: actors.Ref, seconds: float) -> float:
    """Requests a second, one after the other."""
    count, began = 0, trio.current_time()
    while trio.current_time() - began < seconds:
        await ref.ask(Ping(count, _TEXT), timeout=10)
        count += 1
    return count / (trio.current_time() - began)


async def asked_at_once(ref: actors.Ref, seconds: float, askers: int = 100) -> float:
    """Requests a second of many askers."""
    counts: list[float] = []

    async def one() -> None:
        counts.append(await asked(ref, seconds))

    async with trio.open_nursery() as nursery:
        for _ in range(askers):
            nursery.start_soon(one)
    return sum(counts)


async def main(seconds: float) -> None:
    """Measure and print."""
    figures: dict[str, list[float]] = {}

    async def measure(name: str, work: Callable[[], Awaitable[float]]) -> None:
        figures.setdefault(name, []).append(await work())

    async with actors.open_system("alpha", spawnable=[Echo, House]) as system:
        await system.start_node("beta")
        child = system.spawn(Echo, name="child", on="beta")
        far = await system.spawn(House, name="house", on="beta").ask(Resident())
        for _ in range(ROUNDS):
            one_way, trips = await bare(seconds)
            figures.setdefault("bare: frames one way", []).append(one_way)
            figures.setdefault("bare: round trips", []).append(trips)
            await measure("ref: sent", partial(told, far, seconds))
            await measure("ref: asked", partial(asked, far, seconds))
            await measure("ref: asked, 100 askers", partial(asked_at_once, far, seconds))
            await measure("child: sent", partial(told, child, seconds))
            await measure("child: asked", partial(asked, child, seconds))
            await measure("child: asked, 100 askers", partial(asked_at_once, child, seconds))
    ways = {name: statistics.median(values) for name, values in figures.items()}
    for name, figure in ways.items():
        than = ways["bare: frames one way" if "sent" in name or "frames" in name else "bare: round trips"]
        print(f"{name:28} {figure:10,.0f}/s   {figure / than:5.2f} x bare")


if __name__ == "__main__":
    if "--bare" in sys.argv:
        trio.run(bare_server)
    else:
        trio.run(main, float(sys.argv[1]) if len(sys.argv) > 1 else 2.0)
