"""What Thespian's actors do. Its admin process, and with it every actor, is shut down at the end."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from time import perf_counter
from typing import Any

from thespian.actors import Actor, ActorAddress, ActorExitRequest, ActorSystem

from benchmarks.peers.common import check

__all__ = ["ask", "ping_pong", "spawn", "tell_one"]

KEEPER = Path(__file__).with_name("thespian_keeper.py")
BASE = "multiprocTCPBase"
READY = "ready"
PATIENCE = 120.0
"""Until an answer that does not come counts as lost, in seconds."""


class Sink(Actor):
    """Handles as many messages as the first one says, then says so to its sender."""

    left: int | None = None
    client: ActorAddress

    def receiveMessage(self, message: Any, sender: ActorAddress) -> None:
        """One less."""
        if isinstance(message, ActorExitRequest):
            return
        if self.left is None:
            self.left, self.client = message, sender
            self.send(sender, READY)
            return
        self.left -= 1
        if not self.left:
            self.send(self.client, READY)


class Echo(Actor):
    """Answers."""

    def receiveMessage(self, message: Any, sender: ActorAddress) -> None:
        """The number."""
        if not isinstance(message, ActorExitRequest):
            self.send(sender, message)


class Node(Actor):
    """Passes the token on until it has no hops left, then says so to whom its first message was from."""

    following: ActorAddress | None = None
    client: ActorAddress

    def receiveMessage(self, message: Any, sender: ActorAddress) -> None:
        """Pass it on."""
        if isinstance(message, ActorExitRequest):
            return
        if self.following is None:
            self.following, self.client = message, sender
            self.send(sender, READY)
        elif message:
            self.send(self.following, message - 1)
        else:
            self.send(self.client, READY)


@contextlib.contextmanager
def _kept(port: int) -> Iterator[None]:
    """A process that ends the system if this one is killed: the admin has a session of its own."""
    command = [sys.executable, "-P", str(KEEPER), BASE, str(port)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True) as keeper:
        assert keeper.stdin is not None
        os.register_at_fork(after_in_child=keeper.stdin.close)
        try:
            yield
        finally:
            keeper.kill()


def _running(work: Callable[..., float]) -> Callable[..., float]:
    def run(*arguments: object) -> float:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        with _kept(port):
            system = ActorSystem(BASE, {"Admin Port": port}, transientUnique=True)
            try:
                return work(system, *arguments)
            finally:
                system.shutdown()

    return run


@_running
def tell_one(system: ActorSystem, count: int) -> float:
    """This process tells one actor."""
    sink = system.createActor(Sink)
    check(system.ask(sink, count, PATIENCE), READY)
    began = perf_counter()
    for number in range(count):
        system.tell(sink, number)
    check(system.listen(PATIENCE), READY)
    return perf_counter() - began


@_running
def ask(system: ActorSystem, timeout: float | None, count: int) -> float:
    """This process asks one actor."""
    echo = system.createActor(Echo)
    answer: int | None = None
    began = perf_counter()
    for number in range(count):
        answer = system.ask(echo, number, timeout)
    took = perf_counter() - began
    check(answer, count - 1)
    return took


@_running
def ping_pong(system: ActorSystem, count: int) -> float:
    """A ring of two. Handing the first one the token is a hop, too."""
    nodes = [system.createActor(Node) for _ in range(2)]
    for node, following in zip(nodes, reversed(nodes), strict=True):
        check(system.ask(node, following, PATIENCE), READY)
    began = perf_counter()
    system.tell(nodes[0], count - 1)
    check(system.listen(PATIENCE), READY)
    return perf_counter() - began


@_running
def spawn(system: ActorSystem, count: int) -> float:
    """A process each, which answers one message."""
    began = perf_counter()
    for number in range(count):
        system.tell(system.createActor(Echo), number)
    answers = sorted(system.listen(PATIENCE) for _ in range(count))
    took = perf_counter() - began
    check(answers, list(range(count)))
    return took
