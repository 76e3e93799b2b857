"""A program that serves over stdio, for the tests: `python -m tests.mcp.served FILE`; FILE hears of ends."""

from __future__ import annotations

import sys
from pathlib import Path

import trio

import actors
from actors.mcp import Gate, Offer, serve_stdio
from tests.mcp.reached import Hand, Say, gate


class Witness(Hand):
    """A hand that writes its end into a file, and prints when it is told to."""

    def __init__(self, file: str) -> None:
        self.file = Path(file)

    @actors.receive
    async def hear(self, message: Say) -> str:
        if message.text == "print":
            print("noise of an actor")
            await trio.run_process(["echo", "noise of a program"])
        return await super().hear(message)

    async def on_stop(self, exit: actors.Exit) -> None:
        with self.file.open("a") as file:
            file.write(f"{self.ctx.ref.path} {self.cut}\n")


async def main(file: str) -> None:
    policy = actors.Policy(shutdown=0.2)
    offers = {"witness": Offer(actors.Template(Witness, {"file": file}, policy=policy), text=Say)}
    chosen = Gate(templates={**gate().templates, **offers}, limits=gate().limits)
    async with actors.open_system("alpha") as system:
        await serve_stdio(system, chosen)
    print("after")


if __name__ == "__main__":
    trio.run(main, sys.argv[1])
