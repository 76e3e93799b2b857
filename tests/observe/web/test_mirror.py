"""The mirror of the tree: what changes is told once, what is gone too, and a look holds nobody up."""

from __future__ import annotations

import json
from typing import Any

import pytest
import trio
from trio.testing import MockClock

import actors
from actors.observe.web.mirror import Mirror


async def idle(ctx: actors.Context) -> None:
    """Waits for messages."""
    async for _ in ctx.inbox:
        await trio.sleep(100)


def taken(mirror: Mirror) -> tuple[dict[str, Any], tuple[str, ...]]:
    """What has changed, by path, and what is gone."""
    patch = mirror.take()
    if patch is None:
        return {}, ()
    rows = [json.loads(line) for line in patch.lines]
    return {row["path"]: row for row in rows}, patch.gone


async def test_only_what_changes_is_told(autojump_clock: MockClock) -> None:
    """All at first; then nothing, until something is different."""
    async with actors.open_system("alpha") as system:
        mirror = Mirror(system.__actor_family__())
        refs = [system.spawn(idle, name=name) for name in ("a", "b")]
        await system.wait_ready(refs)
        await mirror.sweep()
        assert set(taken(mirror)[0]) == {"/", "/a", "/b"}
        await mirror.sweep()
        assert taken(mirror) == ({}, ())
        refs[0].tell("work")
        refs[0].tell("more")
        await trio.sleep(0.1)
        await mirror.sweep()
        changed, gone = taken(mirror)
        assert set(changed) == {"/a"}
        assert (changed["/a"]["state"], changed["/a"]["depth"], gone) == ("BUSY", 1, ())
        refs[1].stop()
        await refs[1].wait_stopped()
        await mirror.sweep()
        assert taken(mirror) == ({}, ("/b",))
        assert [json.loads(line)["path"] for line in mirror.lines] == ["/", "/a"]
        refs[0].kill()


async def test_one_that_an_event_is_about_is_looked_at_by_itself(autojump_clock: MockClock) -> None:
    """Also one that is gone, and its successor under the same name."""
    async with actors.open_system("alpha") as system:
        mirror = Mirror(system.__actor_family__())
        ref = system.spawn(idle, name="a")
        await ref.wait_started()
        mirror.look(ref.cell)
        assert taken(mirror)[0]["/a"]["state"] == "IDLE"
        ref.stop()
        await ref.wait_stopped()
        again = system.spawn(idle, name="a")
        await again.wait_started()
        mirror.look(again.cell)
        mirror.look(ref.cell)
        changed, gone = taken(mirror)
        assert (set(changed), gone) == ({"/a"}, ())


async def test_a_deadline_is_told_as_the_moment_of_its_end(autojump_clock: MockClock) -> None:
    """Once for each run: as time passes nothing has to be told."""
    async with actors.open_system("alpha") as system:
        policy = actors.Policy(timeout=actors.Timeout(mode="fixed", initial=60, no_activity=None))
        ref = system.spawn(Busy, name="a", policy=policy)
        await ref.wait_started()
        ref.tell("work")
        await trio.sleep(1)
        mirror = Mirror(system.__actor_family__())
        await mirror.sweep()
        row = taken(mirror)[0]["/a"]
        assert row["limit"] == 60
        assert row["deadline"] == pytest.approx(ref.cell.kernel.wall() + 59, abs=0.2)
        await trio.sleep(10)
        await mirror.sweep()
        assert taken(mirror) == ({}, ())
        ref.kill()


class Busy(actors.Actor):
    """Works for long."""

    @actors.receive
    async def work(self, message: str) -> None:
        await trio.sleep(50)


async def test_a_look_at_many_leaves_room_for_others(autojump_clock: MockClock) -> None:
    """They run between two slices, as long as they have something to do; the end of it is right."""
    async with actors.open_system("alpha") as system:
        refs = [system.spawn(idle, name=f"a{number}") for number in range(300)]
        await system.wait_ready(refs)
        mirror = Mirror(system.__actor_family__())
        looked_at: list[int] = []

        async def others() -> None:
            for step in range(20):
                await trio.lowlevel.checkpoint()
                looked_at.append(len(mirror.lines))
                if step == 5:
                    refs[0].stop()
                    refs[299].stop()
                    mirror.look(system.spawn(idle, name="new").cell)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(others)
            await mirror.sweep()
        assert looked_at[-1] < 50  # it has waited for them
        await mirror.sweep()
        known = {json.loads(line)["path"] for line in mirror.lines}
        assert known == {node.path for node in system.tree().walk()}
        mirror.clear()
        assert len(mirror) == 0
