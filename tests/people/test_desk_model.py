"""Random programs of questions, answers, extensions, cancellations and time, against a plain model."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from typing import Any

import attrs
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock, wait_all_tasks_blocked

import actors
from actors import RAISE, Escalate
from tests.people.scene import Asked, desk_events, sizes

BOUNDS = actors.Asking(warn=0.5, capacity=4, remember=5, keep=8.0)


@attrs.frozen
class Ask:
    key: str | None
    timeout: float | None
    ladder: tuple[tuple[str, float], ...]
    last: Any
    priority: int


@attrs.frozen
class Do:
    """Something with the `which`-th request, or for a cancellation the `which`-th asker."""

    what: str
    which: int
    value: Any = None


@attrs.frozen
class Sleep:
    seconds: float


seconds = st.sampled_from([2.0, 4.0, 8.0, 16.0])
asks = st.builds(
    Ask,
    st.sampled_from([None, "k", "k", "l"]),
    st.sampled_from([None, 0.0, 2.0, 4.0, 8.0, 16.0]),
    st.lists(st.tuples(st.sampled_from(["bo", "cy"]), seconds), max_size=2).map(tuple),
    st.sampled_from([True, False, RAISE]),
    st.integers(0, 2),
)
which = st.integers(0, 7)
deeds = st.one_of(
    st.builds(Do, st.just("answer"), which, st.sampled_from([True, False, "tea"])),
    st.builds(Do, st.just("extend"), which, seconds),
    st.builds(Do, st.sampled_from(["withdraw", "cancel", "cancel"]), which),
)
sleeps = st.builds(Sleep, st.sampled_from([1.0, 2.0, 2.0, 4.0, 9.0]))
programs = st.lists(st.one_of(asks, asks, deeds, deeds, sleeps), max_size=40)


# --- the model ------------------------------------------------------------------------


@attrs.define(eq=False)
class Waiter:
    n: int
    deadline: float
    ladder: list[tuple[str, float]]
    last: Any


@attrs.define(eq=False)
class Request:
    n: int
    key: str | None
    priority: int
    asked: float
    waits: list[Waiter]
    to: str = "ada"
    deadline: float = math.inf
    base: float = 0.0
    warn_at: float = math.inf
    has_warned: bool = False

    @property
    def due(self) -> float:
        return min(self.warn_at, *(wait.deadline for wait in self.waits))


class Model:
    """What has to come of it. Requests are numbered as they are asked, askers as they begin."""

    def __init__(self) -> None:
        self.now = 0.0
        self.open: dict[int, Request] = {}
        self.over: dict[int, tuple[str, str | None]] = {}
        self.kept: dict[str, tuple[bool, float, int]] = {}
        self.outcomes: dict[int, tuple[Any, float]] = {}
        self.events: defaultdict[int, list[tuple[str, float]]] = defaultdict(list)
        self.counts: Counter[str] = Counter()
        self.requests = 0
        self.askers = 0

    def tell(self, request: Request, kind: str) -> None:
        self.events[request.n].append((f"Person{kind}", self.now))

    def end(self, request: Request, how: str, kind: str) -> None:
        del self.open[request.n]
        self.tell(request, kind)
        self.counts[how] += 1
        self.over[request.n] = how, request.key
        if len(self.over) > BOUNDS.remember:
            n = next(iter(self.over))
            _, key = self.over.pop(n)
            if key is not None and self.kept.get(key, (0, 0, -1))[2] == n:
                del self.kept[key]

    def moved(self, request: Request) -> bool:
        deadline = max(wait.deadline for wait in request.waits)
        if deadline == request.deadline:
            return False
        request.deadline = deadline
        warn_at = request.base + BOUNDS.warn * (deadline - request.base)
        if warn_at <= self.now and request.has_warned:
            warn_at = math.inf  # once is enough
        elif deadline < math.inf:
            request.has_warned = False
        request.warn_at = warn_at
        return True

    def ask(self, ask: Ask) -> None:
        self.askers += 1
        n = self.askers - 1
        value, until, _ = self.kept.get(ask.key or "", (None, -1.0, 0))
        if self.now < until:
            self.outcomes[n] = value, self.now
            return
        wait = Waiter(
            n, self.now + (math.inf if ask.timeout is None else ask.timeout), [*ask.ladder], ask.last
        )
        found = [one for one in self.open.values() if ask.key is not None and one.key == ask.key]
        if found:
            found[0].waits.append(wait)
            if self.moved(found[0]):
                self.tell(found[0], "Extended")
        elif len(self.open) >= BOUNDS.capacity:
            self.outcomes[n] = actors.DeskFull, self.now
        else:
            request = Request(self.requests, ask.key, ask.priority, self.now, [wait], base=self.now)
            self.requests += 1
            self.counts["asked"] += 1
            self.open[request.n] = request
            self.moved(request)
            self.tell(request, "Asked")

    def refuses(self, n: int, answers: bool) -> type[Exception] | None:
        """The error of what is done to this request, if it is not open."""
        if n in self.open:
            return None
        how = self.over.get(n, ("unknown", None))[0]
        if answers and how != "unknown":
            self.counts["duplicate" if how == "answered" else "late"] += 1
        return {
            "unknown": actors.UnknownRequest,
            "answered": actors.AlreadyAnswered,
            "withdrawn": actors.RequestWithdrawn,
            "expired": actors.RequestExpired,
        }[how]

    def do(self, deed: Do) -> type[Exception] | None:
        refused = self.refuses(deed.which, deed.what == "answer")
        if refused is not None:
            return refused
        request = self.open[deed.which]
        if deed.what == "answer":
            if not isinstance(deed.value, bool):
                return actors.InvalidAnswer
            self.end(request, "answered", "Answered")
            if request.key is not None:
                self.kept[request.key] = deed.value, self.now + BOUNDS.keep, request.n
            self.outcomes |= {wait.n: (deed.value, self.now) for wait in request.waits}
        elif deed.what == "extend":
            for wait in request.waits:
                wait.deadline += deed.value
            self.moved(request)
            self.tell(request, "Extended")
        else:
            self.end(request, "withdrawn", "Withdrawn")
            self.outcomes |= {wait.n: (self.default(wait), self.now) for wait in request.waits}
        return None

    def cancel(self, n: int) -> None:
        for request in [*self.open.values()]:
            for wait in [wait for wait in request.waits if wait.n == n]:
                self.outcomes[n] = "cancelled", self.now
                if request.waits == [wait]:
                    self.end(request, "withdrawn", "Withdrawn")
                else:
                    request.waits.remove(wait)
                    self.moved(request)

    def default(self, wait: Waiter) -> Any:
        return actors.NoAnswer if wait.last is RAISE else wait.last

    def advance(self, to: float, *, inclusive: bool) -> None:
        """Let time pass; what is due at its very end is left to whoever acts then, if not `inclusive`."""
        while self.open:
            request = min(self.open.values(), key=lambda one: one.due)
            if request.due > to or (request.due == to and not inclusive):
                break
            self.now = max(self.now, request.due)
            self.ring(request)
        self.now = to

    def ring(self, request: Request) -> None:
        for wait in [wait for wait in request.waits if wait.deadline <= self.now]:
            if wait.ladder:
                request.to, limit = wait.ladder.pop(0)
                wait.deadline, request.base, request.has_warned = self.now + limit, self.now, False
                self.moved(request)
                self.counts["escalated"] += 1
                self.tell(request, "Escalated")
                continue
            request.waits.remove(wait)
            self.outcomes[wait.n] = self.default(wait), self.now
            if not request.waits:
                self.end(request, "expired", "TimedOut")
                return
            self.moved(request)
        if request.warn_at <= self.now:
            request.warn_at, request.has_warned = math.inf, True
            self.tell(request, "Warned")

    def pending(self) -> list[tuple[int, str, float]]:
        in_order = sorted(self.open.values(), key=lambda one: (-one.priority, one.asked, one.n))
        return [(one.n, one.to, one.deadline) for one in in_order]


# --- the desk ------------------------------------------------------------------------------


class World:
    """The same, with a real desk."""

    def __init__(self, system: actors.System, nursery: trio.Nursery) -> None:
        self.desk = system.desk
        self.nursery = nursery
        self.told = desk_events(system)
        self.asked: list[Asked] = []

    @property
    def ids(self) -> list[str]:
        """Of the requests, as they were asked."""
        return [event.request.id for event in self.told if type(event).__name__ == "PersonAsked"]

    def ask(self, ask: Ask) -> None:
        default = ask.last
        for to, limit in reversed(ask.ladder):
            default = Escalate(to, limit, default)
        asked = Asked()
        self.asked.append(asked)
        options = {"timeout": ask.timeout, "default": default, "key": ask.key, "priority": ask.priority}
        self.nursery.start_soon(lambda: asked.run(self.desk.approval, "?", to="ada", **options))

    def do(self, deed: Do) -> type[Exception] | None:
        ids = self.ids
        given = {"answer": (deed.value,), "extend": (deed.value,), "withdraw": ()}[deed.what]
        try:
            getattr(self.desk, deed.what)(ids[deed.which] if deed.which < len(ids) else "?", *given)
        except actors.DeskError as error:
            return type(error)
        return None

    def pending(self) -> list[tuple[int, str | None, float]]:
        return [(self.ids.index(one.id), one.to, one.deadline) for one in self.desk.pending()]

    def events(self) -> dict[int, list[tuple[str, float]]]:
        found: defaultdict[int, list[tuple[str, float]]] = defaultdict(list)
        for event in self.told:
            found[self.ids.index(event.request.id)].append((type(event).__name__, event.at))
        return found


async def run(program: list[Any]) -> None:
    model = Model()
    async with actors.open_system("s", asking=BOUNDS) as system, trio.open_nursery() as nursery:
        world = World(system, nursery)
        for step in program:
            if isinstance(step, Sleep):
                model.advance(model.now, inclusive=True)
                await wait_all_tasks_blocked()
                model.advance(model.now + step.seconds, inclusive=False)
                await trio.sleep(step.seconds)
                continue
            if not isinstance(step, Do) or step.what == "cancel":  # another task does it, at no exact moment
                model.advance(model.now, inclusive=True)
                await wait_all_tasks_blocked()
            play(step, model, world)
            model.advance(model.now, inclusive=True)
            await wait_all_tasks_blocked()
            assert world.pending() == model.pending()
        for request in [*model.open.values()]:  # those without a limit
            assert world.do(Do("withdraw", request.n)) == model.do(Do("withdraw", request.n))
        await trio.sleep(100.0)
        check(world, model)
        assert not any(sizes(system).values())
        assert (system.desk.statistics().kept, system.desk.statistics().waiting) == (0, 0)


def play(step: Any, model: Model, world: World) -> None:
    if isinstance(step, Ask):
        model.ask(step)
        world.ask(step)
    elif step.what == "cancel":
        if step.which < len(world.asked):
            model.cancel(step.which)
            world.asked[step.which].scope.cancel()
    else:
        assert world.do(step) is model.do(step)


def check(world: World, model: Model) -> None:
    assert {n: (asked.outcome, asked.at) for n, asked in enumerate(world.asked)} == model.outcomes
    assert world.events() == dict(model.events)
    found = world.desk.statistics()
    names = ["asked", "answered", "expired", "withdrawn", "escalated", "late", "duplicate"]
    assert {name: getattr(found, name) for name in names} == {name: model.counts[name] for name in names}
    assert found.response.count == model.counts["answered"]
    assert found.remembered == len(model.over)


@given(programs)
@settings(max_examples=150)
def test_a_desk_does_what_the_model_says(program: list[Any]) -> None:
    """Every waiter's outcome and moment, the order of what waits, each request's events, the counts."""
    trio.run(run, program, clock=MockClock(autojump_threshold=0))
