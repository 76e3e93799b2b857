"""Many terminals at once: until all are ready, until each has answered, and what they cost at rest.

Beside them, the glue that they replace: one tmux server, and a loop for each pane that captures it
every 0.3 s until the prompt is back.
"""

from __future__ import annotations

import resource
import shutil
import tempfile
import time
from collections.abc import AsyncGenerator, Mapping
from functools import partial
from pathlib import Path

import trio

import actors
from actors.process import Paste, Terminal
from benchmarks.agents.sizes import Sizes
from benchmarks.harness.figures import Aim, Figures, measured, percentiles

__all__ = ["terminals"]

LOOK = 0.3
PROMPT = "> "
PROGRAM = f"printf '{PROMPT}'; while read -r line; do echo \"heard $line\"; printf '{PROMPT}'; done"
ARGV = ("sh", "-c", PROGRAM)
GLUE = f"tmux and a look each {LOOK} s"
TERMINALS = "process.Terminal"


def _cpu() -> float:
    """Seconds of this process, and of its children that have ended: tmux' clients are such."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


class _Glue:
    """A tmux server, and commands to it, each a process."""

    def __init__(self, folder: Path) -> None:
        self.socket = str(folder / "socket")

    async def tmux(self, *words: str, input: bytes = b"") -> str:
        done = await trio.run_process(
            ["tmux", "-f", "/dev/null", "-S", self.socket, *words], stdin=input, capture_stdout=True
        )
        return done.stdout.decode()

    async def shows(self, text: str, pane: str) -> None:
        """Return when the prompt is there, and the text above it."""
        while True:
            screen = (await self.tmux("capture-pane", "-p", "-t", pane)).rstrip("\n")
            if screen.endswith(PROMPT.strip()) and text in screen:
                return
            await trio.sleep(LOOK)  # that is what is measured


async def _glued(sizes: Sizes) -> Mapping[str, float]:
    heard: list[float] = []
    folder = Path(tempfile.mkdtemp(prefix="glue-"))
    glue = _Glue(folder)

    async def use(number: int, pane: str) -> None:
        for paste in range(sizes.pastes):
            text = f"{number} {paste}"
            began = time.perf_counter()
            await glue.tmux("load-buffer", "-b", text, "-", input=text.encode())
            await glue.tmux("paste-buffer", "-d", "-b", text, "-t", pane)
            await glue.tmux("send-keys", "-t", pane, "Enter")
            await glue.shows(f"heard {text}", pane)
            heard.append(time.perf_counter() - began)

    try:
        began, cpu = time.perf_counter(), _cpu()
        await glue.tmux("new-session", "-d", "-s", "0", *ARGV)
        panes = ["0:"]
        for number in range(1, sizes.terminals):
            await glue.tmux("new-session", "-d", "-s", str(number), *ARGV)
            panes.append(f"{number}:")
        async with trio.open_nursery() as nursery:
            for pane in panes:
                nursery.start_soon(glue.shows, PROMPT.strip(), pane)
        ready = time.perf_counter() - began
        async with trio.open_nursery() as nursery:
            for number, pane in enumerate(panes):
                nursery.start_soon(use, number, pane)
        return {"ready": ready, "CPU": 1000 * (_cpu() - cpu), **percentiles(heard)}
    finally:
        with trio.CancelScope(shield=True):
            await glue.tmux("kill-server")
        shutil.rmtree(folder)


async def _supervised(sizes: Sizes) -> Mapping[str, float]:
    heard: list[float] = []

    async def use(number: int, terminal: actors.Ref) -> None:
        for paste in range(sizes.pastes):
            text = f"{number} {paste}"
            began = time.perf_counter()
            assert (await terminal.ask(Paste(text))).strip() == f"heard {text}"
            heard.append(time.perf_counter() - began)

    what = Terminal(ARGV, prompt=rf"^{PROMPT}$", cooldown=0.0)
    began, cpu = time.perf_counter(), _cpu()
    async with actors.open_system("bench", watchdog=None) as system:
        refs = [system.spawn(what, name=f"terminal-{number}") for number in range(sizes.terminals)]
        await system.wait_ready(refs)
        ready = time.perf_counter() - began
        async with trio.open_nursery() as nursery:
            for number, ref in enumerate(refs):
                nursery.start_soon(use, number, ref)
        used = _cpu() - cpu
        at_rest = time.process_time()
        await trio.sleep(sizes.rest)
        at_rest = time.process_time() - at_rest
    return {"ready": ready, "CPU": 1000 * used, **percentiles(heard), "at rest": 100 * at_rest / sizes.rest}


async def terminals(sizes: Sizes, rounds: int) -> AsyncGenerator[Figures]:
    """How many terminals can be had?"""
    yield await measured(
        f"{sizes.terminals} terminals, {sizes.pastes} pastes into each, all at once",
        {"ready": "s", "CPU": "ms", "p50": "ms", "p99": "ms", "at rest": "% of a core"},
        {GLUE: partial(_glued, sizes), TERMINALS: partial(_supervised, sizes)},
        rounds,
        base=GLUE,
        aims=[Aim(TERMINALS, "at rest", 1, "less")],
    )
