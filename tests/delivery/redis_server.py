"""A Redis server of the tests' own, on a free port of this machine, with every receipt on the disk.

A module that uses it imports the fixtures; each `store()` has data of its own.
"""

from __future__ import annotations

import contextlib
import secrets
import shutil
import signal
import socket
import subprocess
from collections.abc import Generator
from itertools import count
from pathlib import Path

import pytest

from actors.delivery import RedisStore

__all__ = ["RedisServer", "redis_server"]

_SERVER = shutil.which("redis-server") or shutil.which("valkey-server")
_numbers = count(1)


class RedisServer:
    """A process `redis-server`; it can be killed, stopped for a while, and started again on its data."""

    def __init__(self, folder: Path, *settings: str) -> None:
        self.port = _free_port()
        self._settings = (
            *("--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(folder), "--save", ""),
            *("--appendonly", "yes", "--appendfsync", "always", *settings),
        )
        self._process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        """Its address."""
        return f"redis://127.0.0.1:{self.port}"

    def store(self, prefix: str = "", *, patience: float = 10.0) -> RedisStore:
        """A store on it; on data of its own, where no prefix is given."""
        return RedisStore(self.url, prefix or f"test{next(_numbers)}", patience=patience)

    def start(self) -> None:
        """Start it, and return when it serves."""
        assert _SERVER is not None
        self._process = subprocess.Popen(
            [_SERVER, *self._settings], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        assert self._process.stdout is not None
        with self._process.stdout as log:
            lines: list[str] = []
            for line in log:
                lines.append(line)
                if "eady to accept connections" in line:
                    return
        raise AssertionError("the server has not started: " + "".join(lines))

    def kill(self) -> None:
        """As a machine that fails: nothing is written any more."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it in order."""
        self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            self._process.send_signal(how)
            self._process.wait()
            self._process = None

    def hang(self) -> None:
        """Let it stand still, with its connections open."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it run again."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)


def _free_port() -> int:
    """Below those that the kernel gives to connections: a server that comes back finds its port free.

    Not by `random`, which the tests' processes begin with the same seed.
    """
    while True:
        port = 20_000 + secrets.randbelow(12_000)
        with socket.socket() as found, contextlib.suppress(OSError):
            found.bind(("127.0.0.1", port))
            return port


def new_server(folder: Path, *settings: str) -> RedisServer:
    """One that is not started; skips where none is installed."""
    if _SERVER is None:
        pytest.skip("redis-server is not installed: apt-get install redis-server")
    return RedisServer(folder, *settings)


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Generator[RedisServer]:
    """One for all tests that leave it alive."""
    server = new_server(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def mortal_server(tmp_path: Path) -> Generator[RedisServer]:
    """One for a test that kills it."""
    server = new_server(tmp_path)
    server.start()
    yield server
    server.stop()
