"""Spawning by tools: from the templates of the gate, within its limits."""

from __future__ import annotations

from itertools import pairwise

import pytest
import trio
from trio.testing import MockClock

import actors
from actors.mcp import build_server
from tests.mcp.world import Talk, Worker, a_gate, a_talk, talking


@pytest.mark.row(66)
async def test_spawn_returns_when_the_child_is_ready(autojump_clock: MockClock) -> None:
    """Or with the error of its start, and then nothing of it is left."""
    async with a_talk() as (system, talk):
        began = trio.current_time()
        said = await talk("spawn", template="worker", name="w", config={"start": 3.0})
        assert trio.current_time() - began == 3.0
        assert (said["path"], said["name"], said["state"]) == ("/agents/coder/w", "w", "IDLE")
        said = await talk.error("spawn", template="worker", name="b", config={"greeting": "broken"})
        assert said.startswith("StartFailed: /agents/coder/b failed to start: ")
        assert "it cannot be greeted so" in said
        assert system.find("/agents/coder/b") is None


async def test_spawn_may_return_at_once(autojump_clock: MockClock) -> None:
    """It is starting then, and messages wait for it."""
    async with a_talk() as (_, talk):
        said = await talk("spawn", template="worker", name="w", config={"start": 3.0}, wait=False)
        assert said["state"] == "STARTING"
        assert (await talk("ask", path="w", message="you"))["reply"] == "hello, you"


async def test_a_start_that_takes_too_long_is_given_up(autojump_clock: MockClock) -> None:
    """Nothing of it is left, and its name is free."""
    async with a_talk() as (system, talk):
        began = trio.current_time()
        said = await talk.error("spawn", template="worker", name="w", config={"start": 60.0}, timeout=2.0)
        assert "not ready within 2 s" in said
        assert trio.current_time() - began == 2.0
        assert system.find("/agents/coder/w") is None


@pytest.mark.row(67)
@pytest.mark.row(68)
async def test_a_team_is_awaited_and_its_progress_is_told(autojump_clock: MockClock) -> None:
    """Until the slowest is ready; each that becomes ready is a notification."""
    heard: list[tuple[float, float | None, str | None]] = []

    async def note(done: float, total: float | None, message: str | None) -> None:
        heard.append((done, total, message))

    async with a_talk() as (_, talk):
        for name, start in (("a", 3.0), ("b", 1.0), ("c", 2.0)):
            await talk("spawn", template="worker", name=name, config={"start": start}, wait=False)
        began = trio.current_time()
        result = await talk.client.call_tool("wait_ready", {"paths": ["a", "b", "c"]}, progress_callback=note)
        assert result.structured_content is not None
        assert [path[-1] for path in result.structured_content["ready"]] == ["b", "c", "a"]
        assert 2.7 <= trio.current_time() - began <= 3.0
    assert [(done, total) for done, total, _ in heard] == [(1, 3), (2, 3), (3, 3)]
    assert heard[0][2] == "/agents/coder/b is ready"


async def test_those_that_are_late_are_named(autojump_clock: MockClock) -> None:
    """And those that have failed, with the reason."""
    policy = actors.Policy(restart="temporary")
    gate = a_gate(
        templates={
            "worker": actors.mcp.Offer(actors.Template(Worker, policy=policy), keys=["start", "greeting"])
        }
    )
    async with a_talk(gate) as (_, talk):
        await talk("spawn", template="worker", name="late", config={"start": 60.0}, wait=False)
        await talk("spawn", template="worker", name="good", wait=False)
        await talk(
            "spawn", template="worker", name="bad", config={"greeting": "broken", "start": 1.0}, wait=False
        )
        said = await talk("wait_ready", paths=["late", "good", "bad"], timeout=5.0)
        assert said["ready"] == ["/agents/coder/good"]
        assert said["late"] == ["/agents/coder/late"]
        assert "cannot be greeted" in said["failed"]["/agents/coder/bad"]


@pytest.mark.row(69)
async def test_a_child_that_fails_to_start_is_tried_again_after_a_backoff(
    autojump_clock: MockClock,
) -> None:
    """As its template says; whoever waits for it sees it ready in the end."""
    starts: list[float] = []

    class Slow(actors.Actor):
        def on_start(self) -> None:
            starts.append(trio.current_time())
            if len(starts) < 3:
                raise ValueError("not yet")

    backoff = actors.Backoff(initial=1.0, factor=2.0, jitter=0.0)
    gate = a_gate(templates={"slow": actors.Template(Slow, policy=actors.Policy(backoff=backoff))})
    async with a_talk(gate) as (_, talk):
        await talk("spawn", template="slow", name="s", wait=False)
        assert (await talk("wait_ready", paths=["s"]))["ready"] == ["/agents/coder/s"]
    assert [later - before for before, later in pairwise(starts)] == [1.0, 2.0]


@pytest.mark.row(73)
async def test_each_spawn_is_the_child_of_the_agent_that_called(autojump_clock: MockClock) -> None:
    """Of two that spawn at the same time, each has its own: nothing is guessed, nothing can be said."""
    async with actors.open_system("town") as system:
        server = build_server(system, a_gate())
        async with talking(server, "red") as red, talking(server, "blue") as blue:
            async with trio.open_nursery() as nursery:

                async def grow(talk: Talk, prefix: str) -> None:
                    for number in range(5):
                        await talk("spawn", template="worker", name=f"{prefix}{number}")

                nursery.start_soon(grow, red, "r")
                nursery.start_soon(grow, blue, "b")
            for talk, name in ((red, "red"), (blue, "blue")):
                found = (await talk("children"))["actors"]
                assert [one["path"] for one in found] == [
                    f"/agents/{name}/{name[0]}{number}" for number in range(5)
                ]
            for ref in system.children(system.find("/agents/red")):  # type: ignore[arg-type]
                assert ref.cell.parent.ref.path == "/agents/red"


@pytest.mark.row(79)
async def test_spawns_at_the_same_time_are_really_concurrent(autojump_clock: MockClock) -> None:
    """Ten that take ten seconds each to start take little more than ten together."""
    async with a_talk() as (_, talk):
        began = trio.current_time()
        async with trio.open_nursery() as nursery:
            for number in range(10):

                async def one(name: str = f"w{number}") -> None:
                    await talk("spawn", template="worker", name=name, config={"start": 10.0})

                nursery.start_soon(one)
        assert trio.current_time() - began < 12.0
        assert (await talk("children"))["count"] == 10


async def test_only_what_the_gate_offers_can_be_spawned(autojump_clock: MockClock) -> None:
    """And only what it opens can be set; each error names what may be."""
    async with a_talk() as (_, talk):
        said = await talk.error("spawn", template="os.system", name="w")
        assert said == "you may not spawn from 'os.system': the templates are worker"
        said = await talk.error("spawn", template="worker", config={"secret": 1})
        assert (
            said == "the parameter 'secret' of worker is not yours to set: you may set greeting, start, stop"
        )
        assert "/w" in await talk.error("spawn", template="worker", name="/w")
        await talk("spawn", template="worker", name="w")
        assert "is taken by a living actor" in await talk.error("spawn", template="worker", name="w")
        listed = {tool.name: tool for tool in (await talk.client.list_tools()).tools}
        assert listed["spawn"].input_schema["properties"]["template"]["enum"] == ["worker"]
        assert "adopt" not in listed["spawn"].input_schema["properties"]
        assert "worker: It works. (you may set: greeting, start, stop)" in (talk.client.instructions or "")


async def test_limits_say_when_to_try_again(autojump_clock: MockClock) -> None:
    """A long cooldown is refused with its seconds; one of slots is not cured by waiting."""
    gate = a_gate(limits=actors.SpawnLimits(max_active=2, cooldown=10.0))
    async with a_talk(gate) as (_, talk):
        await talk("spawn", template="worker")
        await trio.sleep(4)
        said = await talk.error("spawn", template="worker")
        assert said.startswith("CooldownActive: ")
        assert said.endswith("(retry_after: 6 s)")
        await trio.sleep(6)
        await talk("spawn", template="worker")
        await trio.sleep(10)
        assert "SpawnLimitReached" in await talk.error("spawn", template="worker")


async def test_an_adopted_actor_outlives_who_has_spawned_it(autojump_clock: MockClock) -> None:
    """It is a child of the agents' parent; the agent reaches and may stop it as long as it is there."""
    async with actors.open_system("town") as system:
        server = build_server(system, a_gate(adopt=True))
        async with talking(server) as talk:
            said = await talk("spawn", template="worker", name="w", adopt=True)
            assert said["path"] == "/agents/w"
            assert (await talk("ask", path="/agents/w", message="you"))["reply"] == "hello, you"
            await talk("spawn", template="worker", name="mine")
        assert system.find("/agents/w") is not None
        assert system.find("/agents/coder") is None
        async with talking(server) as talk:
            assert "not yours to order" in await talk.error_of_stop("/agents/w")


async def test_limits_of_adopted_ones_hold_over_all_connections(autojump_clock: MockClock) -> None:
    """Whoever connects again and again cannot leave more behind."""
    async with actors.open_system("town") as system:
        gate = a_gate(adopt=True, limits=actors.SpawnLimits(max_active=2, cooldown=0.1))
        server = build_server(system, gate)
        for number in range(2):
            async with talking(server) as talk:
                await talk("spawn", template="worker", name=f"w{number}", adopt=True)
        async with talking(server) as talk:
            assert "SpawnLimitReached" in await talk.error("spawn", template="worker", name="w2", adopt=True)


async def test_gates_adopt_within_limits_of_their_own(autojump_clock: MockClock) -> None:
    """Also under the same parent, and after their server has begun anew."""
    async with actors.open_system("town") as system:
        narrow = a_gate(adopt=True, limits=actors.SpawnLimits(max_active=1, cooldown=0.1))
        wide = a_gate(adopt=True, limits=actors.SpawnLimits(max_active=3, cooldown=0.1))
        async with talking(build_server(system, narrow)) as talk:
            await talk("spawn", template="worker", adopt=True)
        async with talking(build_server(system, wide)) as talk:
            for _ in range(3):
                await talk("spawn", template="worker", adopt=True)
            assert "SpawnLimitReached" in await talk.error("spawn", template="worker", adopt=True)
        async with talking(build_server(system, narrow)) as talk:
            assert "SpawnLimitReached" in await talk.error("spawn", template="worker", adopt=True)


async def test_a_child_that_always_fails_does_not_end_its_agent(autojump_clock: MockClock) -> None:
    """Its breaker holds it back, as its template says; the session goes on."""

    class Broken(actors.Actor):
        def on_start(self) -> None:
            raise ValueError("never")

    async with a_talk(a_gate(templates={"broken": Broken})) as (_, talk):
        await talk("spawn", template="broken", name="b", wait=False)
        await trio.sleep(600)
        assert (await talk("children"))["actors"][0]["state"] == "CIRCUIT_OPEN"
        assert "StartFailed" in await talk.error("spawn", template="broken", name="c")


async def test_nothing_is_adopted_where_the_gate_does_not_say_so(autojump_clock: MockClock) -> None:
    """The cure is to spawn without."""
    async with a_talk() as (_, talk):
        assert "spawn without adopt" in await talk.error("spawn", template="worker", adopt=True)
