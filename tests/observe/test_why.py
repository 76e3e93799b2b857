"""Why an actor ended, or is there: each cause, told from what really happened."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

import actors
from actors import Backoff, Breaker, OneForAll, OneForOne, Policy, RestForOne, Timeout
from actors.events import BreakerClosed, BreakerHalfOpen, BreakerOpened, DeadLetter, DeadLetterReason
from actors.exits import Exit, ExitKind
from actors.observe.fact import Fact
from actors.observe.why import STEPS, Step, Why, explain
from tests.core.cast import Note, drained
from tests.remote.cast import Worker as FarWorker
from tests.remote.cast import staged

TAKES_NO_ROAD = True
QUICK = Policy(backoff=Backoff(initial=0.5, jitter=0.0), breaker=None)


async def child(ctx: actors.Context) -> object:
    """Does what it is told."""
    async for what in ctx.inbox:
        match what:
            case "fail":
                raise ValueError("no tea")
            case "fail for a cause":
                try:
                    {}["sugar"]
                except KeyError as error:
                    raise ValueError("no tea") from error
            case "return":
                return 5
            case "stop":
                ctx.stop()
            case "hang":
                await trio.sleep_forever()
            case _:
                what.stop()
    return None


def boss(strategy: Any = None, *, policy: Policy = QUICK, auto: Any = "never") -> type[actors.Supervisor]:
    chosen = OneForOne() if strategy is None else strategy

    class Boss(actors.Supervisor):
        strategy = chosen
        auto_shutdown = auto

        def on_start(self) -> None:
            for name in ("a", "b", "c"):
                self.spawn(child, name=name, policy=policy, significant=auto != "never")

        @actors.receive
        def order(self, message: Note) -> None:
            getattr(self.children[0], message.text)()

    return Boss


def told(system: actors.System, path: str) -> list[str]:
    """The chain, without the places in files."""
    why = system.journal.why(path)
    assert str(why).split("\n  <- ") == [why.text, *(step.text for step in why.steps[1:])]
    lines = [re.sub(r", at .*? \(.*?\)", "", step.text) for step in why.steps]
    return [why.state, *lines]


FAILED = "it failed: ValueError: no tea, with 'fail' in hand"


async def test_an_actor_to_which_nothing_happened(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        await system.start(child, name="before")
        assert system.journal.why("/before").state == "running"
        assert "nothing has happened" in system.journal.why("/before").text
        await system.start(child, name="after")
        why = system.journal.why("/after")
        assert (why.state, why.text) == ("running", "/after started, and nothing has happened to it since")
        with pytest.raises(actors.UnknownActor, match=r"did you mean /before\?") as caught:
            system.journal.why("/befor")
        assert caught.value.near == ("/before",)
        with pytest.raises(actors.UnknownActor, match="shows who is there"):
            system.journal.why("/" + "x" * 5000)
        with pytest.raises(ValueError, match="path from the root"):
            system.journal.why("before")


async def test_a_failure_with_its_message_its_place_and_its_cause(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        assert not system.journal.last
        one = await system.start(child, name="one", policy=QUICK)
        one.tell("fail for a cause")
        await trio.sleep(0.1)
        failed = [
            "it failed: ValueError: no tea, with 'fail for a cause' in hand",
            "caused by KeyError: 'sugar'",
        ]
        assert told(system, "/one") == ["waiting", "it waits 0.5 s to start again (restart 1)", *failed]
        await trio.sleep(1)
        why = system.journal.why("/one")
        assert told(system, "/one") == ["running", "it started again (restart 1), after 0.5 s", *failed]
        assert "at child (" in why.steps[1].text
        assert "test_why.py" in why.steps[1].text
        assert [step.kind for step in why.steps] == ["Restarted", "Failed", "Failed"]
        assert why.as_dict()["steps"][0]["path"] == "/one"
        one.suspend()
        assert told(system, "/one")[1] == "it runs: suspended: takes no more messages"
        one.resume()
        assert told(system, "/one")[1] == "it started again (restart 1), after 0.5 s"


@pytest.mark.parametrize("strategy", [OneForAll(), RestForOne()], ids=["all", "rest"])
async def test_a_siblings_failure_under_a_group_strategy(autojump_clock: MockClock, strategy: Any) -> None:
    async with actors.open_system("alpha") as system:
        assert not system.journal.last
        await system.start(boss(strategy), name="boss")
        _tell(system, "/boss/b", "fail")
        await trio.sleep(5)
        because = [
            "it was told to begin anew, as /boss/b had ended",
            "/boss/b failed: ValueError: no tea, with 'fail' in hand",
        ]
        assert told(system, "/boss/c")[2:] == because
        assert told(system, "/boss/b")[2:] == [FAILED]
        rest = isinstance(strategy, RestForOne)
        assert told(system, "/boss/a")[2:] == ([] if rest else because)


def _tell(system: actors.System, path: str, message: object) -> None:
    ref = system.find(path)
    assert ref is not None
    ref.tell(message)


async def test_a_supervisor_that_gave_up(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        assert not system.journal.last
        await system.start(boss(OneForOne(max_restarts=1)), name="boss", policy=QUICK)
        _tell(system, "/boss/b", "fail")
        await trio.sleep(2)
        _tell(system, "/boss/b", "fail")
        await trio.sleep(0.1)
        budget = "/boss/b needs more than the 1 restarts allowed within 30 s"
        assert told(system, "/boss/b") == [
            "gone",
            "it is gone: FAILED (ValueError: no tea)",
            f"its supervisor /boss gave up: {budget}",
            FAILED,
        ]
        up = [
            "/boss failed",
            f"/boss gave up: {budget}",
            "/boss/b failed: ValueError: no tea, with 'fail' in hand",
        ]
        assert told(system, "/boss/a") == [
            "gone",
            "it is gone: SHUTDOWN (stopped)",
            "it was told to stop by its supervisor /boss",
            *up,
        ]
        await trio.sleep(5)
        assert told(system, "/boss") == [
            "running",
            "it started again (restart 1), after 0.5 s",
            *(line.replace("/boss failed", "it failed").replace("/boss gave", "it gave") for line in up),
        ]
        assert told(system, "/boss/a") == [
            "running",
            "it started",
            "its supervisor /boss was starting again",
            *up,
        ]


async def test_who_stopped_it(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        assert not system.journal.last
        boss_ref = await system.start(boss(), name="boss")
        other = await system.start(child, name="other")

        boss_ref.tell(Note("stop"))
        await trio.sleep(0.1)
        assert told(system, "/boss/a")[2:] == ["it was told to stop by its supervisor /boss"]
        other.tell(system.find("/boss/b"))
        await trio.sleep(0.1)
        assert told(system, "/boss/b")[1:] == [
            "it is gone: SHUTDOWN (stopped)",
            "it was told to stop by /other",
        ]
        other.tell("stop")
        await other.wait_stopped()
        assert told(system, "/other") == [
            "gone",
            "it is gone: NORMAL (stopped itself)",
            "it asked for its own end",
        ]
        again = await system.start(child, name="other", policy=Policy(restart="permanent"))
        assert told(system, "/other")[1:3] == [
            "it started",
            "the one before it at this path had gone: NORMAL (stopped itself)",
        ]
        again.tell("return")
        await trio.sleep(5)
        assert told(system, "/other")[2:] == ["it returned"]
        again.drain()
        await again.wait_stopped()
        assert told(system, "/other")[2:] == ["it was told to end after its queue from outside of all actors"]
        boss_ref.kill()
        await boss_ref.wait_stopped()
        assert told(system, "/boss/c")[2:] == [
            "it was told to end at once from outside of all actors",
            "/boss was told to end at once from outside of all actors",
        ]


async def test_one_that_waited_to_start_again_and_was_stopped_with_its_supervisor(
    autojump_clock: MockClock,
) -> None:
    async with actors.open_system("alpha") as system:
        assert not system.journal.last
        ref = await system.start(boss(), name="boss")
        _tell(system, "/boss/b", "fail")
        await trio.sleep(0.1)
        ref.stop()
        await ref.wait_stopped()
        assert told(system, "/boss/b") == [
            "gone",
            "it is gone: SHUTDOWN (stopped before it started again)",
            "it was told to stop by its supervisor /boss",
            "/boss was told to stop from outside of all actors",
            FAILED,
        ]


async def test_a_significant_child_that_ended_its_supervisor(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        assert not system.journal.last
        policy = Policy(restart="transient", breaker=None)
        ref = await system.start(boss(policy=policy, auto="any"), name="boss", policy=policy)
        _tell(system, "/boss/b", "return")
        await ref.wait_stopped()
        assert told(system, "/boss")[2:] == ["it was told to end, as /boss/b had ended", "/boss/b returned"]
        assert told(system, "/boss/a")[2:] == [
            "it was told to stop by its supervisor /boss",
            "/boss was told to end, as /boss/b had ended",
            "/boss/b returned",
        ]
        assert told(system, "/boss/b") == ["gone", "it is gone: it returned"]


@pytest.mark.row(35)
async def test_a_breaker_tells_all_its_steps_and_why_it_opened(autojump_clock: MockClock) -> None:
    """A subscriber sees it open, half open and closed; the journal has the same, and the failures."""
    policy = Policy(backoff=Backoff(initial=0.1, jitter=0.0), breaker=Breaker(failures=2, reset_after=10))
    kinds = (BreakerOpened, BreakerHalfOpen, BreakerClosed)
    async with actors.open_system("alpha") as system, system.subscribe(*kinds) as events:
        journal = system.journal
        start = trio.current_time()
        one = await system.start(child, name="one", policy=policy)
        one.tell("fail")
        one.tell("fail")
        await trio.sleep(1)
        opened = ["its breaker opened after 2 failures, for 10 s", FAILED]
        assert told(system, "/one") == ["waiting", *opened]
        assert journal.why("/one").text == "/one: its breaker opened after 2 failures, for 10 s"
        one.tell("fail")
        await trio.sleep(12)
        opened_again = ["its breaker opened after 3 failures, for 10 s", FAILED]
        assert told(system, "/one") == ["waiting", *opened_again]
        one.tell("return")
        await trio.sleep(15)
        seen = [(type(event).__name__, round(event.at - start, 1)) for event in drained(events)]
        assert seen == [
            ("BreakerOpened", 0.1),
            ("BreakerHalfOpen", 10.1),
            ("BreakerOpened", 10.1),
            ("BreakerHalfOpen", 20.1),
            ("BreakerClosed", 20.1),
        ]
        names = [kind.__name__ for kind in kinds]
        assert [fact.kind for fact in journal.after(0, kinds=names).facts] == [kind for kind, _ in seen]
        assert told(system, "/one")[2:] == ["it returned"]


@pytest.mark.row(35)
async def test_a_probe_and_what_it_came_from(autojump_clock: MockClock) -> None:
    policy = Policy(backoff=Backoff(initial=0.1, jitter=0.0), breaker=Breaker(failures=1, reset_after=10))
    async with actors.open_system("alpha") as system:
        assert not system.journal.last
        one = await system.start(child, name="one", policy=policy)
        one.tell("fail")
        await trio.sleep(11)
        assert told(system, "/one") == [
            "running",
            "it started again (restart 1), after 10 s",
            "it was tried again, as its breaker was half-open",
            "its breaker opened after 1 failure, for 10 s",
            FAILED,
        ]


async def test_a_limit_that_passed(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        assert not system.journal.last
        policy = Policy(restart="temporary", timeout=Timeout(mode="fixed", initial=5))
        one = await system.start(child, name="one", policy=policy)
        await one.wait_stopped()
        lines = told(system, "/one")
        assert lines[0] == "gone"
        assert lines[2].startswith("it ended TIMED_OUT: TimedOut: /one reached its limit of 5 s")
        assert lines[3:] == ["the limit of 5 s is used up", "1 s of its limit are left"]


async def test_an_actor_without_a_name_that_failed(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        assert not system.journal.last
        one = system.spawn(child)
        one.tell("fail")
        await one.wait_stopped()
        assert told(system, one.path) == ["gone", "it is gone: FAILED (ValueError: no tea)", FAILED]


async def test_one_that_never_started(autojump_clock: MockClock) -> None:
    class Broken(actors.Actor):
        def on_start(self) -> None:
            raise OSError("no pot")

    async with actors.open_system("alpha") as system:
        assert not system.journal.last
        system.spawn(Broken, name="one", policy=QUICK)
        await trio.sleep(0.1)
        assert told(system, "/one") == [
            "waiting",
            "it waits 0.5 s to start again (restart 1)",
            "it did not start: OSError: no pot",
        ]


async def test_a_flood_of_dead_letters_does_not_hide_the_cause(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        journal = system.journal
        one = await system.start(child, name="one", policy=Policy(restart="temporary"))
        one.tell("fail")
        await one.wait_stopped()
        for _ in range(20_000):
            journal.put(DeadLetter(0.0, one, "x", None, DeadLetterReason.STOPPED))
        assert told(system, "/one") == ["gone", "it is gone: FAILED (ValueError: no tea)", FAILED]


async def test_a_node_that_went(autojump_clock: MockClock) -> None:
    async with staged(spawnable=(FarWorker,)) as world:
        journal = world.alpha.journal
        far = await world.alpha.start(FarWorker, name="far", on="beta", policy=Policy(restart="temporary"))
        world.cable.cut()
        await far.wait_stopped()
        why = journal.why("/far")
        assert [step.kind for step in why.steps] == ["Stopped", "Failed", "NodeDown", "NodeReconnecting"]
        assert why.steps[2].text.startswith("the node beta is gone: ")


async def _close(system: actors.System) -> None:
    """Leave the block."""


async def _raise(system: actors.System) -> None:
    raise KeyError("the body")


@pytest.mark.parametrize(("leave", "word"), [(_close, "stop"), (_raise, "end at once")])
async def test_the_end_of_the_system(autojump_clock: MockClock, leave: Callable[..., Any], word: str) -> None:
    system = None
    try:
        async with actors.open_system("alpha") as system:
            assert not system.journal.last
            await system.start(boss(), name="boss")
            await leave(system)
    except KeyError:
        pass
    assert system is not None
    lines = told(system, "/boss/a")
    assert lines[-1] == f"the system was told to {word} from outside"
    assert any(line.startswith("/boss was told to") for line in lines)
    assert told(system, "/")[-1] == f"it was told to {word} from outside"


# --- any facts ---------------------------------------------------------------------------


EXIT = {"kind": "FAILED", "error": "ValueError: x", "reason": "ValueError: x", "causes": ["KeyError: 1"]}
DETAILS: dict[str, dict[str, Any]] = {
    "Spawned": {},
    "Started": {},
    "Failed": {"exit": EXIT, "message": "m"},
    "StartAttemptFailed": {"exit": {**EXIT, "kind": "START_FAILED"}},
    "Restarting": {"attempt": 1, "delay": 1.0, "exit": EXIT},
    "Restarted": {"attempt": 1},
    "Stopped": {"exit": {"kind": "SHUTDOWN", "error": None, "reason": "stopped"}},
    "BreakerOpened": {"failures": 1, "retry_after": 1.0},
    "BreakerHalfOpen": {},
    "DeadlinePassed": {"limit": 1.0},
    "Suspended": {},
}
SOMEBODY = st.sampled_from(["/", "/a", "/a/b", "/c"])


@st.composite
def facts(draw: st.DrawFn) -> list[Fact]:
    """Facts as they could never come."""
    found: list[Fact] = []
    for number in range(1, draw(st.integers(2, 40))):
        kind = draw(st.sampled_from([*DETAILS, "EndOrdered", "Escalated", "PoolShrank"]))
        details = DETAILS.get(kind) or {}
        if kind == "EndOrdered":
            order = draw(st.sampled_from(["stop", "kill", "quit", "restart", "drain"]))
            who = st.one_of(st.none(), SOMEBODY)
            details = {"order": order, "by": draw(who), "because": draw(who)}
        elif kind == "Escalated":
            details = {"child": draw(SOMEBODY), "error": "RestartsExhausted: x"}
        elif kind == "PoolShrank":
            details = {"worker": draw(SOMEBODY), "idle": 1.0}
        found.append(Fact(number, float(number), kind, draw(SOMEBODY), kind, details))
    return found


@given(facts(), SOMEBODY, st.booleans())
def test_any_facts_give_a_chain_that_ends(all_facts: list[Fact], path: str, alive: bool) -> None:
    """Also those in an order in which they never come, or of which some were forgotten."""
    why = explain(lambda one: [fact for fact in all_facts if fact.path == one], path, alive=alive)
    if why is None:
        return
    assert 0 < len(why.steps) <= STEPS
    assert all(isinstance(step, Step) and step.text for step in why.steps)
    assert isinstance(why, Why)
    assert why.text.startswith(path)


def test_what_the_book_does_not_know_is_not_explained() -> None:
    assert explain(lambda _: (), "/a", alive=True) is None


def test_an_exit_that_is_kept_without_its_failure_is_told_all_the_same() -> None:
    restarting = Fact(7, 1.0, "Restarting", "/a", "", {"attempt": 9, "delay": 1.0, "exit": EXIT})
    why = explain(lambda path: [restarting] if path == "/a" else [], "/a", alive=False)
    assert why is not None
    assert [step.text for step in why.steps][1:] == ["it failed: ValueError: x", "caused by KeyError: 1"]


def test_an_exit_has_one_line_for_people() -> None:
    assert Exit(ExitKind.NORMAL).reason == "normal"


def test_a_worker_that_its_pool_let_go() -> None:
    def fact(number: int, kind: str, path: str, **details: Any) -> Fact:
        return Fact(number, float(number), kind, path, kind, details)

    happened = [
        fact(1, "Started", "/pool/~1"),
        fact(2, "EndOrdered", "/pool/~1", order="drain", by=None, because=None),
        fact(3, "PoolShrank", "/pool", worker="/pool/~1", workers=1, idle=30.0),
        fact(4, "Stopped", "/pool/~1", exit={"kind": "SHUTDOWN", "error": None, "reason": "drained"}),
    ]
    why = explain(lambda path: [one for one in happened if one.path == path], "/pool/~1", alive=False)
    assert why is not None
    assert why.steps[-1].text == "the pool /pool had no work for it for 30 s"


def test_a_chain_is_no_longer_than_it_may_be() -> None:
    """A thousand actors, each of which ended because of the next one."""

    def book(path: str) -> list[Fact]:
        number = int(path.removeprefix("/a") or 0)
        details = {"order": "restart", "by": None, "because": f"/a{number + 1}"}
        return [Fact(1000 - number, 1.0, "EndOrdered", path, "", details)] if number < 999 else []

    why = explain(book, "/a0", alive=True)
    assert why is not None
    assert len(why.steps) == STEPS


def test_a_failure_whose_facts_are_forgotten_ends_the_chain() -> None:
    stopped = Fact(9, 1.0, "Stopped", "/a", "", {"exit": EXIT})
    why = explain(lambda path: [stopped] if path == "/a" else [], "/a", alive=False)
    assert why is not None
    assert [step.kind for step in why.steps] == ["Stopped"]


def test_one_that_was_parked_and_is_gone_with_its_budget() -> None:
    """Where the end is that of a spent budget, the parking before it says why."""
    spent = {"kind": "BUDGET", "error": None, "reason": "spent 1200 of 1000 tokens"}
    happened = [
        Fact(1, 1.0, "Started", "/a", "", {}),
        Fact(2, 2.0, "Parked", "/a", "", {"exit": spent}),
        Fact(3, 3.0, "Stopped", "/a", "", {"exit": spent}),
    ]
    why = explain(lambda path: happened if path == "/a" else [], "/a", alive=False)
    assert why is not None
    assert [step.kind for step in why.steps] == ["Stopped", "Parked"]
    assert why.steps[-1].text == "it was parked: spent 1200 of 1000 tokens"
