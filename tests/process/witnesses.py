"""What tests know about real processes, without ever sleeping: lines they wrote, lives they hold."""

from __future__ import annotations

import os
from pathlib import Path

import trio

__all__ = ["Heard", "Lifeline", "runs"]


class Heard:
    """An `on_output` that remembers, and lets a test wait for a line."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, bytes]] = []
        self._news = trio.Event()

    def __call__(self, stream: str, line: bytes) -> None:
        self.lines.append((stream, line))
        self._news.set()
        self._news = trio.Event()

    async def wait_for(self, start: bytes) -> bytes:
        """The first line that begins with `start`, without that beginning."""
        with trio.fail_after(20):
            while True:
                for _, line in self.lines:
                    if line.startswith(start):
                        return line.removeprefix(start)
                await self._news.wait()


class Lifeline:
    """A FIFO that processes hold open for writing: it ends when the last of them has.

    Children inherit it, so its end proves that no descendant lives.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        os.mkfifo(path)
        self._end = trio.lowlevel.FdStream(os.open(path, os.O_RDONLY | os.O_NONBLOCK))

    async def wait_released(self, seconds: float = 1.0) -> None:
        """Return when nobody holds it. Only after somebody has: an unheld one is released."""
        with trio.fail_after(seconds):
            while await self._end.receive_some():
                pass

    def held(self, script: str) -> list[str]:
        """The command line of a shell that holds the line, and then runs `script`."""
        return ["sh", "-c", f'exec 9>"{self.path}"; {script}']

    def close(self) -> None:
        """Let go of our end."""
        self._end.close()


def runs(pid: int) -> bool:
    """True while the process runs; an orphan that nobody has reaped does not."""
    try:
        os.kill(pid, 0)
        status = Path(f"/proc/{pid}/stat").read_text()
    except ProcessLookupError:
        return False
    except FileNotFoundError:  # it ended between the two lines, or there is no /proc
        return not Path("/proc/self/stat").exists()
    return status.rpartition(")")[2].split()[0] not in {"Z", "X"}
