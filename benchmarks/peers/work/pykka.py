"""What pykka's actors do. They are threads, so they end with the process only if somebody stops them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from time import perf_counter

import pykka

from benchmarks.peers.common import ASKERS, RECEIVERS, SENDERS, Latch, check, shares

__all__ = ["ask", "ask_at_once", "ring", "spawn", "tell_from_many", "tell_many", "tell_one"]


class Countdown(Latch):
    """Counted down by threads."""

    def __init__(self, left: int) -> None:
        event = threading.Event()
        super().__init__(left, event)
        self.wait = event.wait
        self._lock = threading.Lock()

    def down(self) -> None:
        """One less."""
        with self._lock:
            super().down()


class Sink(pykka.ThreadingActor):
    """Handles `left` messages."""

    def __init__(self, left: int, latch: Countdown) -> None:
        super().__init__()
        self.left = left
        self.latch = latch

    def on_receive(self, message: int) -> None:
        """One less."""
        self.left -= 1
        if not self.left:
            self.latch.down()


class Sender(pykka.ThreadingActor):
    """Sends as many messages as it is told to."""

    def __init__(self, sink: pykka.ActorRef[Sink]) -> None:
        super().__init__()
        self.sink = sink

    def on_receive(self, message: int) -> None:
        """All at once."""
        for number in range(message):
            self.sink.tell(number)


class Echo(pykka.ThreadingActor):
    """Answers."""

    def on_receive(self, message: int) -> int:
        """The number."""
        return message


class Node(pykka.ThreadingActor):
    """Passes the token on until it has no hops left."""

    def __init__(self, latch: Countdown) -> None:
        super().__init__()
        self.latch = latch
        self.following: pykka.ActorRef[Node] | None = None

    def on_receive(self, message: int) -> None:
        """Pass it on."""
        if message:
            assert self.following is not None
            self.following.tell(message - 1)
        else:
            self.latch.down()

    def meet(self, following: pykka.ActorRef[Node]) -> None:
        """Learn who comes next."""
        self.following = following


class Idle(pykka.ThreadingActor):
    """Says that it is there, and waits for messages."""

    def __init__(self, latch: Countdown) -> None:
        super().__init__()
        self.latch = latch

    def on_start(self) -> None:
        """Here it is."""
        self.latch.down()


def _timed(work: Callable[[], object]) -> float:
    began = perf_counter()
    work()
    return perf_counter() - began


def _stopping(work: Callable[..., float]) -> Callable[..., float]:
    def run(*arguments: object) -> float:
        try:
            return work(*arguments)
        finally:
            pykka.ActorRegistry.stop_all()

    return run


@_stopping
def tell_one(count: int) -> float:
    """The main thread tells one actor."""
    latch = Countdown(1)
    sink = Sink.start(count, latch)

    def work() -> None:
        for number in range(count):
            sink.tell(number)
        latch.wait()

    return _timed(work)


@_stopping
def tell_from_many(count: int) -> float:
    """100 actors tell one."""
    latch = Countdown(1)
    sink = Sink.start(count, latch)
    senders = [Sender.start(sink) for _ in range(SENDERS)]

    def work() -> None:
        for sender, share in zip(senders, shares(count, SENDERS), strict=False):
            sender.tell(share)
        latch.wait()

    return _timed(work)


@_stopping
def tell_many(count: int) -> float:
    """The main thread tells 100 actors in turn."""
    parts = shares(count, RECEIVERS)
    latch = Countdown(len(parts))
    sinks = [Sink.start(share, latch) for share in parts]

    def work() -> None:
        for number in range(count):
            sinks[number % RECEIVERS].tell(number)
        latch.wait()

    return _timed(work)


@_stopping
def ask(timeout: float | None, count: int) -> float:
    """The main thread asks one actor."""
    echo = Echo.start()
    answer: int | None = None
    began = perf_counter()
    for number in range(count):
        answer = echo.ask(number, timeout=timeout)
    took = perf_counter() - began
    check(answer, count - 1)
    return took


@_stopping
def ask_at_once(count: int) -> float:
    """Up to 1,000 futures at a time, which is kinder to pykka than 1,000 threads."""
    echo = Echo.start()
    answered = 0
    began = perf_counter()
    while answered < count:
        wave = min(ASKERS, count - answered)
        answers = pykka.get_all([echo.ask(number, block=False) for number in range(wave)])
        check(answers[-1], wave - 1)
        answered += wave
    return perf_counter() - began


@_stopping
def ring(size: int, count: int) -> float:
    """`size` actors in a ring. Handing the first one the token is a hop, too."""
    latch = Countdown(1)
    nodes = [Node.start(latch) for _ in range(size)]
    for node, following in zip(nodes, [*nodes[1:], nodes[0]], strict=True):
        node.proxy().meet(following).get()

    def work() -> None:
        nodes[0].tell(count - 1)
        latch.wait()

    return _timed(work)


@_stopping
def spawn(count: int) -> float:
    """A thread each."""
    latch = Countdown(count)

    def work() -> None:
        for _ in range(count):
            Idle.start(latch)
        latch.wait()

    return _timed(work)
