"""A Redis server that is killed and started again on its port and its data; every receipt is on the disk."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
from pathlib import Path

__all__ = ["Server"]

_PROGRAM = shutil.which("redis-server") or shutil.which("valkey-server")


class Server:
    """A process `redis-server`, with `appendonly yes` and `appendfsync always`."""

    def __init__(self, folder: Path) -> None:
        if _PROGRAM is None:
            raise SystemExit("redis-server is not installed: apt-get install redis-server")
        folder.mkdir(parents=True, exist_ok=True)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"redis://127.0.0.1:{port}"
        self._command = (
            *(_PROGRAM, "--bind", "127.0.0.1", "--port", str(port), "--dir", str(folder), "--save", ""),
            *("--appendonly", "yes", "--appendfsync", "always"),
        )
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start it, and return when it serves."""
        self._process = subprocess.Popen(
            self._command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        assert self._process.stdout is not None
        lines: list[str] = []
        with self._process.stdout as log:
            for line in log:
                lines.append(line)
                if "eady to accept connections" in line:
                    return
        raise RuntimeError("the server has not started: " + "".join(lines[-5:]))

    def kill(self) -> None:
        """SIGKILL it."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it in order."""
        self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait()
            self._process = None
