"""What a supervisor does with all its children: asks them, and ends with them."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

import actors
from actors import ActorState, ExitKind, Policy
from tests.supervision.cast import Child, Crash, Diary, Die, Ping, Quit, Refuse, Work, plain

# --- broadcast ------------------------------------------------------------------------------


@actors.message
class PassOn(actors.Request[dict[str | None, actors.Outcome]]):
    what: object
    timeout: float | None = None


class Broadcaster(actors.Supervisor):
    """Passes on to its children what it is told to."""

    def __init__(self, diary: Diary, *names: str) -> None:
        self.diary = diary
        self.names = names

    async def on_start(self) -> None:
        for name in self.names:
            await self.start(Child, name, self.diary, None, 10.0, name=name, policy=plain(shutdown=50))

    @actors.receive
    async def pass_on(self, message: PassOn) -> dict[str | None, actors.Outcome]:
        outcomes = await self.broadcast(message.what, timeout=message.timeout)
        return {ref.name: outcome for ref, outcome in outcomes.items()}


@pytest.mark.row(75)
async def test_a_broadcast_asks_all_children_at_once(autojump_clock: MockClock) -> None:
    """Three answers that take a second each are there after one second, one outcome a child."""
    async with actors.open_system("s") as system:
        ref = await system.start(Broadcaster, Diary(), "a", "b", "c")
        outcomes = await ref.ask(PassOn(Work(1.0)))
        assert trio.current_time() == 1.0
        assert {name: outcome.value for name, outcome in outcomes.items()} == {"a": "a", "b": "b", "c": "c"}
        assert all(outcome.ok and outcome.elapsed == 1.0 for outcome in outcomes.values())


@pytest.mark.row(75)
async def test_one_dead_child_of_three_is_one_failed_outcome(autojump_clock: MockClock) -> None:
    """A child that is stopping refuses, the others answer; nobody waits for the dead."""
    async with actors.open_system("s") as system:
        ref = await system.start(Broadcaster, Diary(), "a", "b", "c")
        system.children(ref)[1].stop()
        await wait_all_tasks_blocked()
        outcomes = await ref.ask(PassOn(Ping()))
        assert trio.current_time() == 0.0
        assert {name: outcome.ok for name, outcome in outcomes.items()} == {"a": True, "b": False, "c": True}
        assert isinstance(outcomes["b"].error, actors.ActorStopped)
        told = await ref.ask(PassOn(Crash()))
        assert {name: outcome.ok for name, outcome in told.items()} == {"a": True, "b": False, "c": True}


@pytest.mark.row(75)
@pytest.mark.parametrize(
    ("what", "error"),
    [(Die(), actors.ActorFailed), (Refuse(), actors.Refused), (Work(9.0), actors.AskTimeout)],
    ids=["failures", "refusals", "timeouts"],
)
async def test_errors_are_outcomes(what: object, error: type[Exception], autojump_clock: MockClock) -> None:
    """What an ask would raise is in the outcome of that child."""
    async with actors.open_system("s") as system:
        ref = await system.start(Broadcaster, Diary(), "a", "b")
        outcomes = await ref.ask(PassOn(what, timeout=2.0))
        assert [type(outcome.error) for outcome in outcomes.values()] == [error, error]
        assert trio.current_time() <= 2.0
        for outcome in outcomes.values():
            with pytest.raises(error):
                outcome.unwrap()


@pytest.mark.row(75)
async def test_a_broadcast_to_nobody_has_no_outcomes(autojump_clock: MockClock) -> None:
    """Without children the answer is empty, at once."""
    async with actors.open_system("s") as system:
        assert await (await system.start(Broadcaster, Diary())).ask(PassOn(Ping())) == {}


# --- the end by significant children ----------------------------------------------------------


class Team(actors.Supervisor):
    def __init__(self, significant: tuple[str, ...], policy: Policy) -> None:
        self.significant = significant
        self.policy = policy

    async def on_start(self) -> None:
        for name in ("a", "b", "c"):
            significant = name in self.significant
            await self.start(Child, name, Diary(), name=name, policy=self.policy, significant=significant)


class AnyTeam(Team):
    auto_shutdown = "any"


class AllTeam(Team):
    auto_shutdown = "all"


@pytest.mark.parametrize(
    ("team", "enders", "ends"),
    [
        (Team, "ab", False),
        (AnyTeam, "c", False),
        (AnyTeam, "a", True),
        (AnyTeam, "b", True),
        (AllTeam, "a", False),
        (AllTeam, "bc", False),
        (AllTeam, "ab", True),
        (AllTeam, "cba", True),
    ],
)
async def test_a_supervisor_ends_with_its_significant_children(
    team: type, enders: str, ends: bool, autojump_clock: MockClock
) -> None:
    """By `any` with the first of them, by `all` with the last, by `never` not at all; NORMAL."""
    async with actors.open_system("s") as system:
        ref = await system.start(team, ("a", "b"), plain(), name="team")
        for child in system.children(ref):
            if child.name is not None and child.name in enders:
                child.tell(Quit())
        await trio.sleep(1)
        assert ref.state is (ActorState.STOPPED if ends else ActorState.IDLE)
        if ends:
            assert (await ref.wait_stopped()).kind is ExitKind.NORMAL


@pytest.mark.parametrize("how", ["stop", "kill", "drain", "crash"])
async def test_only_the_own_end_of_a_significant_child_counts(how: str, autojump_clock: MockClock) -> None:
    """One that is stopped from outside, or restarted after a failure, ends nobody else."""
    async with actors.open_system("s") as system:
        ref = await system.start(AnyTeam, ("a",), plain(), name="team")
        child = system.children(ref)[0]
        if how == "crash":
            child.tell(Crash())
        else:
            getattr(child, how)()
        await trio.sleep(1)
        assert ref.state is ActorState.IDLE


async def test_a_significant_child_that_fails_for_good_counts(autojump_clock: MockClock) -> None:
    """A temporary child that fails has ended by itself."""
    async with actors.open_system("s") as system:
        ref = await system.start(AnyTeam, ("a",), plain(restart="temporary"), name="team")
        system.children(ref)[0].tell(Crash())
        assert (await ref.wait_stopped()).kind is ExitKind.NORMAL


class NeverReady(actors.Supervisor):
    """Waits for what its significant child would have said, had it not ended."""

    auto_shutdown = "any"

    def __init__(self, starts: list[float]) -> None:
        self._starts = starts

    async def on_start(self) -> None:
        self._starts.append(trio.current_time())
        self.spawn(nap, 1, name="child", significant=True)
        await trio.sleep_forever()


async def nap(ctx: actors.Context, seconds: float) -> None:
    await trio.sleep(seconds)


@pytest.mark.parametrize("shutdown", [2.0, 0.0])
async def test_a_supervisor_that_its_children_end_has_its_shutdown_and_no_longer(
    shutdown: float, autojump_clock: MockClock
) -> None:
    """It did not ask for its end itself: what it is doing is cancelled, also a start."""
    async with actors.open_system("s") as system:
        ref = system.spawn(NeverReady, [], name="team", policy=plain(shutdown=shutdown))
        with trio.fail_after(100):
            assert (await ref.wait_stopped()).kind is ExitKind.KILLED
        assert trio.current_time() == pytest.approx(1 + shutdown)


async def test_a_permanent_supervisor_that_its_children_end_starts_again(autojump_clock: MockClock) -> None:
    """Also when what it was doing had to be cancelled."""
    starts: list[float] = []
    async with actors.open_system("s") as system:
        policy = plain(restart="permanent", shutdown=2.0)
        system.spawn(NeverReady, starts, name="team", policy=policy)
        await trio.sleep(5)
    assert len(starts) == 2
    assert starts[1] - starts[0] >= 3


async def test_a_permanent_child_cannot_be_significant(autojump_clock: MockClock) -> None:
    """It never ends by itself: a ValueError at the door, and nothing is spawned."""
    async with actors.open_system("s") as system:
        with pytest.raises(ValueError, match="significant"):
            system.spawn(Child, "a", Diary(), name="a", policy=plain(restart="permanent"), significant=True)
        assert system.tree().children == ()


def test_a_supervisor_class_is_checked_when_it_is_defined() -> None:
    """An unknown strategy or `auto_shutdown` is a ValueError naming the known ones."""
    with pytest.raises(ValueError, match="OneForOne"):
        type("Bad", (actors.Supervisor,), {"strategy": "one_for_one"})
    with pytest.raises(ValueError, match="never, any, all"):
        type("Bad", (actors.Supervisor,), {"auto_shutdown": "some"})
