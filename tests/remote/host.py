"""A second host: a program with one system, and what tests need to run it and to end it for certain.

The program reads orders as JSON lines from stdin and writes facts as JSON lines to stdout. It
ends with its stdin. Its actors are defined here, so that both ends know the same classes.

    async with host("beta", lease=2) as beta:            # another process; namespace="..." on another network
        peer = await alpha.connect(beta.url)
        await beta.do("tree")                            # an order, answered with its value
        await beta.saw("NodeDown", node="alpha")         # a fact that was or will be told
        beta.signal(signal.SIGSTOP)
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, ClassVar

import attrs
import trio

import actors
from actors.events import NodeDown, NodeReconnecting, NodeSuspected, NodeUp, PersonAsked, Stopped
from actors.process import Command

ROOT = Path(__file__).parent.parent.parent
PATIENCE = 15.0
"""Seconds for what must happen soon, on a machine that has much to do."""


# --- actors that both ends know -----------------------------------------------------------


@actors.message(tag="test.host.Numbered")
class Numbered:
    sender: str
    n: int


@actors.message(tag="test.host.Echo")
class Echo(actors.Request[str]):
    text: str


@actors.message(tag="test.host.Hold")
class Hold(actors.Request[str]):
    """Be busy with it for ever."""


@actors.message(tag="test.host.Decide")
class Decide(actors.Request[str]):
    question: str


@actors.message(tag="test.host.Answer")
class Answer:
    text: str


@actors.message(tag="test.host.Crash")
class Crash:
    pass


@actors.message(tag="test.host.Tick")
class Tick:
    life: str
    n: int


def say(**fact: Any) -> None:
    """A fact, for whoever has started this program."""
    sys.stdout.write(json.dumps(fact) + "\n")
    sys.stdout.flush()


class Ledger(actors.Actor):
    """Takes numbered messages, slowly, and keeps only what is wrong with them."""

    kept: ClassVar[list[Ledger]] = []
    """Those of this process: the program reads them."""

    def __init__(self, pace: float = 0.0) -> None:
        self.kept.append(self)
        self.pace = pace
        self.last: dict[str, int] = {}
        self.faults: list[str] = []
        self.changed = trio.Event()

    @actors.receive
    async def take(self, message: Numbered) -> None:
        expected = self.last.get(message.sender, 0) + 1
        if message.n != expected:
            self.faults.append(f"{message.sender}: {message.n} came, {expected} was next")
        self.last[message.sender] = message.n
        self.changed.set()
        self.changed = trio.Event()
        if self.pace:
            await trio.sleep(self.pace)

    async def reaches(self, counts: dict[str, int]) -> None:
        """Return when it has taken so many of each sender."""
        while any(self.last.get(sender, 0) < count for sender, count in counts.items()):
            await self.changed.wait()


class Echoes(actors.Actor):
    @actors.receive
    async def echo(self, message: Echo) -> str:
        return message.text

    @actors.receive
    async def crash(self, message: Crash) -> None:
        raise RuntimeError("it was told to")

    @actors.receive
    async def hold(self, message: Hold) -> str:
        say(fact="handling", pid=os.getpid())
        await trio.sleep_forever()
        raise AssertionError


class Slow(actors.Actor):
    """Never done with its start."""

    async def on_start(self) -> None:
        say(fact="starting", pid=os.getpid())
        await trio.sleep_forever()


class Desk(actors.Actor):
    """Puts answers off until a person gives them."""

    def __init__(self) -> None:
        self.ports: list[actors.ReplyPort[Any]] = []

    @actors.receive
    async def decide(self, message: Decide) -> str:
        self.ports.append(self.ctx.reply_later())
        say(fact="asked", question=message.question)
        return ""

    @actors.receive
    async def answer(self, message: Answer) -> None:
        self.ports.pop(0).answer(message.text)


async def ticking(ctx: actors.Context, to: actors.Ref, life: str) -> None:
    """Tells of itself as often as it can."""
    n = 0
    try:
        while True:
            n += 1
            to.tell(Tick(life, n))
            await trio.sleep(0.01)
    finally:
        say(fact="over", life=life)


class Crew(actors.Supervisor):
    """A subtree: two children, one of them a process of the operating system."""

    async def on_start(self) -> None:
        self.spawn(Echoes, name="echoes")
        tell_pid = Command(["sh", "-c", "echo $$; exec sleep 100"], on_output=_tell_pid)
        self.spawn(tell_pid, name="sleeper")


def _tell_pid(_: str, line: bytes) -> None:
    say(fact="command", pid=int(line))


SPAWNABLE: tuple[Any, ...] = (Echoes, Slow, Desk, Ledger, Crew, ticking)


# --- the program --------------------------------------------------------------------------


class Program:
    """What the host does when it is told."""

    def __init__(self, system: actors.System, nursery: trio.Nursery) -> None:
        self.system = system
        self.nursery = nursery
        self.sent: dict[str, int] = {}
        self.sending = False
        self.idle = trio.Event()

    async def connect(self, url: str, token: str | None = None, timeout: float = 20.0) -> str:
        return (await self.system.connect(url, token=token, timeout=timeout)).name

    async def listen(self, address: str) -> str:
        return (await self.system.listen(address, 0, token=None if address == "127.0.0.1" else "secret")).url

    async def spawn(self, what: str, name: str, on: str | None = None, restart: str = "temporary") -> None:
        policy = actors.Policy(restart=restart, breaker=None)  # pyright: ignore[reportArgumentType]
        ref = await self.system.start(globals()[what], name=name, on=on, policy=policy)
        self.nursery.start_soon(self._tell_end, ref)

    async def _tell_end(self, ref: actors.Ref) -> None:
        say(fact="ended", path=ref.path, kind=str((await ref.wait_stopped()).kind))

    async def ask(self, node: str, path: str, text: str) -> str:
        return await self.system.node(node).ref(path).ask(Echo(text), timeout=PATIENCE)

    async def tell(self, path: str, text: str) -> None:
        ref = self.system.find(path)
        assert ref is not None
        ref.tell(Answer(text))

    async def tree(self) -> list[str]:
        """The paths of all actors that live here."""
        found: list[str] = []
        todo = [self.system.tree().as_dict()]
        while todo:
            here = todo.pop()
            found.append(here["path"])
            todo += here["children"]
        return found

    async def gone(self, path: str) -> None:
        """Return when nothing lives at or below a path."""
        async with self.system.subscribe(Stopped) as ends:
            while any(one.startswith(path) for one in await self.tree()):
                await anext(ends)

    async def wait_state(self, node: str, state: str) -> None:
        peer = self.system.node(node)
        await (peer.wait_down() if state == "DOWN" else peer.wait_up())

    # --- traffic ---

    async def keep_ledger(self, pace: float) -> None:
        await self.system.start(Ledger, pace, name="ledger")

    async def traffic(self, node: str, senders: list[str]) -> None:
        """Send numbers from several tasks, as fast as the other end takes them."""
        ref = self.system.node(node).ref("/ledger")
        self.sending, self.idle = True, trio.Event()
        self.sent = dict.fromkeys(senders, 0)

        async def run() -> None:
            async with trio.open_nursery() as nursery:
                for sender in senders:
                    nursery.start_soon(self._send, ref, sender)
            self.idle.set()

        self.nursery.start_soon(run)

    async def _send(self, ref: actors.Ref, sender: str) -> None:
        while self.sending:
            await ref.send(Numbered(sender, self.sent[sender] + 1))
            self.sent[sender] += 1

    async def end_traffic(self) -> dict[str, int]:
        """How many each sender has sent, once each has seen its last one off."""
        self.sending = False
        await self.idle.wait()
        return self.sent

    async def faults(self, counts: dict[str, int]) -> list[str]:
        """What was wrong with the messages, when all of them have come."""
        [ledger] = Ledger.kept
        await ledger.reaches(counts)
        return ledger.faults + [f"{who}: {ledger.last[who]} came of {count}" for who, count in counts.items()
                                if ledger.last[who] != count]  # fmt: skip

    # --- people ---

    async def decide(self, text: str, value: Any, by: str) -> None:
        """Answer the request with this text, once it is shown here."""
        async with self.system.desk.queue() as queue:
            async for event in queue:
                if isinstance(event, PersonAsked) and event.request.text == text:
                    say(fact="deciding", text=text)
                    await self.system.desk.decide(event.request.id, value, by)
                    return

    async def shown(self, to: str | None = None) -> list[str]:
        """The texts of the requests that wait."""
        return [request.text for request in self.system.desk.pending(to)]

    async def approve_all(self) -> None:
        """From now on a person here says yes to everything at once."""

        async def approve() -> None:
            async with self.system.desk.queue() as queue:
                async for event in queue:
                    if isinstance(event, PersonAsked):
                        self.system.desk.answer(event.request.id, True, by="a person")

        self.nursery.start_soon(approve)

    async def stand_still(self, seconds: float) -> None:
        """Block the loop; no signal is needed for a host that hears nothing."""
        time.sleep(seconds)  # noqa: ASYNC251 - this is what is asked for


async def _tell_events(events: Any) -> None:
    async for event in events:
        say(fact=type(event).__name__, node=event.node)


async def _order(program: Program, number: int, do: str, given: dict[str, Any]) -> None:
    try:
        value = await getattr(program, do)(**given)
    except Exception as error:
        say(fact="failed", number=number, error=f"{type(error).__name__}: {error}")
    else:
        say(fact="done", number=number, value=value)


async def _lines(stream: trio.abc.ReceiveStream) -> AsyncGenerator[dict[str, Any]]:
    rest = b""
    while data := await stream.receive_some(65536):
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            yield json.loads(line)


async def run(name: str, lease: float) -> None:
    """Do as stdin says until it ends."""
    kinds = (NodeUp, NodeSuspected, NodeReconnecting, NodeDown)
    async with (
        actors.open_system(name, lease=lease, spawnable=SPAWNABLE) as system,
        system.subscribe(*kinds) as events,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(_tell_events, events)
        system.desk.watch(lambda event: say(fact=type(event).__name__, text=event.request.text))
        system.spawn(Echoes, name="echo")
        program = Program(system, nursery)
        say(fact="ready", pid=os.getpid())
        async for order in _lines(trio.lowlevel.FdStream(os.dup(0))):
            nursery.start_soon(_order, program, order.pop("number"), order.pop("do"), order)
        nursery.cancel_scope.cancel()


def main() -> None:
    """`python -c "from tests.remote.host import main; main()" NAME LEASE`."""
    trio.run(run, sys.argv[1], float(sys.argv[2]))


# --- the end that starts it ---------------------------------------------------------------


class Failed(Exception):
    """The host could not do what it was told."""


@attrs.define(eq=False)
class Host:
    """A running host."""

    name: str
    process: trio.Process
    pid: int = 0
    url: str = ""
    facts: list[dict[str, Any]] = attrs.field(factory=list[dict[str, Any]])
    is_mute: bool = False
    stands_still: bool = False
    _news: trio.Event = attrs.field(factory=trio.Event)
    _orders: int = 0

    async def do(self, what: str, /, **given: Any) -> Any:
        """Have it do something, and return its answer. Raises `Failed`."""
        self._orders += 1
        number = self._orders
        assert self.process.stdin is not None
        order = json.dumps({"do": what, "number": number, **given})
        await self.process.stdin.send_all(order.encode() + b"\n")
        fact = await self.fact(lambda fact: fact.get("number") == number)
        if fact["fact"] == "failed":
            raise Failed(f"{self.name} {what}: {fact['error']}")
        return fact.get("value")

    async def saw(self, kind: str, *, after: int = 0, **facts: Any) -> dict[str, Any]:
        """The first fact of this kind, of those from number `after` on, that was or will be told."""
        return await self.fact(lambda fact: fact | facts == fact and fact["fact"] == kind, after)

    def has_seen(self, kind: str) -> int:
        """How many facts of a kind were told."""
        return sum(fact["fact"] == kind for fact in self.facts)

    async def fact(self, fits: Callable[[dict[str, Any]], bool], after: int = 0) -> dict[str, Any]:
        """The first fact that fits, now or later."""
        with trio.fail_after(PATIENCE):
            while True:
                for fact in self.facts[after:]:
                    if fits(fact):
                        return fact
                if self.is_mute:
                    raise Failed(f"{self.name} has ended")
                after = len(self.facts)
                await self._news.wait()

    async def read(self) -> None:
        """Take its facts, for a task of its own."""
        assert self.process.stdout is not None
        async for fact in _lines(self.process.stdout):
            self.facts.append(fact)
            self._heard()
        self.is_mute = True
        self._heard()

    def _heard(self) -> None:
        self._news.set()
        self._news = trio.Event()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to it alone."""
        self.stands_still = number is signal.SIGSTOP
        os.kill(self.pid, number)


@asynccontextmanager
async def host(
    name: str, *, lease: float = 15.0, namespace: str | None = None, address: str | None = "127.0.0.1"
) -> AsyncGenerator[Host]:
    """A host, listening at `address` unless that is None; afterwards its process has ended for certain."""
    command = [sys.executable, "-c", "from tests.remote.host import main; main()", name, str(lease)]
    inside = [] if namespace is None else ["ip", "netns", "exec", namespace]
    process = await trio.lowlevel.open_process(
        [*inside, *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert process.stdin is not None
    assert process.stdout is not None
    one = Host(name, process)
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(one.read)
            one.pid = (await one.saw("ready"))["pid"]
            if address is not None:
                one.url = await one.do("listen", address=address)
            yield one
            nursery.cancel_scope.cancel()
    finally:
        with trio.CancelScope(shield=True):
            await process.stdin.aclose()
            with trio.move_on_after(0 if one.stands_still else 5):  # in order, so that its own processes end
                await process.wait()
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
            await process.stdout.aclose()


async def until_dead(pid: int, seconds: float) -> None:
    """Return when a process that is not ours runs no more."""
    with trio.fail_after(seconds):
        try:
            descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            return
        try:
            await trio.lowlevel.wait_readable(descriptor)
        finally:
            os.close(descriptor)


# --- networks -----------------------------------------------------------------------------


def ip(*arguments: str) -> None:
    """`ip`, which must succeed."""
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False, timeout=20)
    if done.returncode:
        raise OSError(f"ip {' '.join(arguments)}: {done.stderr.strip()}")


def no_namespaces() -> str | None:
    """Why network namespaces cannot be made here, or None."""
    try:
        with networks():
            return None
    except OSError as error:
        return f"network namespaces cannot be made here: {error}"


@attrs.frozen
class Net:
    """One of two network namespaces: its name, its end of the cable, its address, the other one's."""

    name: str
    device: str
    address: str
    other: str

    def cable(self, how: str) -> None:
        """`up` or `down`."""
        ip("-n", self.name, "link", "set", self.device, how)

    def deafen(self, on: bool) -> None:
        """Whatever is sent to the other one from here is lost, and nobody is told."""
        ip("-n", self.name, "route", "add" if on else "del", "blackhole", f"{self.other}/32")

    def cut(self) -> None:
        """End every TCP connection of this side; the other side hears of it if it can."""
        command = ["ip", "netns", "exec", self.name, "ss", "-K", "state", "established"]
        subprocess.run(command, capture_output=True, check=False, timeout=20)


@contextmanager
def networks() -> Generator[tuple[Net, Net]]:
    """Two network namespaces joined by a cable; afterwards they are gone. Raises OSError."""
    tag = f"{os.getpid() % 10**7}"
    names = [f"actors-a-{tag}", f"actors-b-{tag}"]
    devices = [f"va{tag}", f"vb{tag}"]
    addresses = ["10.231.7.1", "10.231.7.2"]
    try:
        for name in names:
            ip("netns", "add", name)
        ip("-n", names[0], "link", "add", devices[0], "type", "veth", "peer", "name", devices[1],
           "netns", names[1])  # fmt: skip
        for name, device, address in zip(names, devices, addresses, strict=True):
            ip("-n", name, "link", "set", "lo", "up")
            ip("-n", name, "addr", "add", f"{address}/24", "dev", device)
            ip("-n", name, "link", "set", device, "up")
        nets = [Net(*facts) for facts in zip(names, devices, addresses, addresses[::-1], strict=True)]
        yield nets[0], nets[1]
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False, timeout=20)
