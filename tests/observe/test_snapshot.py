"""A system at one moment as plain data."""

from __future__ import annotations

import json
from typing import Any

import pytest
import trio
from trio.testing import MockClock

import actors
from actors import Backoff, Breaker, Policy, Timeout
from actors.observe.snapshot import SLICE, rows, take_snapshot, tree_from
from actors.tree import TreeNode
from tests.core.cast import AT_ONCE, Die, Echo, Sleep, Worker, settled

TAKES_NO_ROAD = True


async def test_a_snapshot_is_the_tree_with_more_and_ready_for_json(autojump_clock: MockClock) -> None:
    class Boss(actors.Supervisor):
        def on_start(self) -> None:
            self.spawn(Worker, name="one", policy=AT_ONCE)

    limited = Policy(breaker=None, timeout=Timeout(mode="fixed", initial=60))
    async with actors.open_system("alpha") as system:
        assert not system.journal.last
        await system.start(Boss, name="boss")
        busy = await system.start(Worker, name="busy", policy=limited)
        one = system.find("/boss/one")
        assert one is not None
        one.tell(Die("x"))
        busy.tell(Sleep(seconds=30))
        await trio.sleep(10)
        seen = json.loads(json.dumps(await take_snapshot(system), allow_nan=False))
        assert TreeNode.from_dict(seen["tree"]) == system.tree()
        by_path = {row["path"]: row for row in await rows(system)}
        assert list(by_path) == ["/", "/boss", "/busy", "/boss/one"]
        assert (by_path["/boss/one"]["restarts"], by_path["/boss/one"]["failed"]) == (1, 1)
        assert by_path["/busy"]["state"] == "BUSY"
        assert (by_path["/busy"]["limit"], round(by_path["/busy"]["deadline"] - seen["at"])) == (60, 50)
        assert by_path["/busy"]["uptime"] == 10
        assert "deadline" not in by_path["/boss/one"]
        assert seen["statistics"]["states"] == {"IDLE": 2, "BUSY": 1}
        assert (seen["statistics"]["restarts"], seen["statistics"]["failed"]) == (1, 1)
        assert seen["statistics"]["handled"] == system.statistics().handled
        assert (seen["system"], seen["session"]) == ("alpha", system.journal.session)
        assert seen["after"] == system.journal.last
        assert (seen["uptime"], seen["nodes"], seen["waiting"]) == (10, [], {})
        [letter] = seen["dead"]["told"]
        assert (letter["number"], letter["message"], letter["reason"]) == (1, "Die(text='x')", "crashed")
        assert (seen["dead"]["count"], seen["dead"]["posted"]) == (1, 0)
        assert system.find("/system/courier") is None, "a look makes no courier"


async def test_a_breaker_and_a_person_and_posted_messages_are_in_it(autojump_clock: MockClock) -> None:
    policy = Policy(backoff=Backoff(initial=0.1, jitter=0.0), breaker=Breaker(failures=1, reset_after=10))

    async def ask(ctx: actors.Context) -> None:
        await ctx.system.desk.approval("<b>really</b>\n" + "x" * 5000, to="ann", timeout=100)

    async with actors.open_system("alpha") as system:
        worker = await system.start(Worker, name="worker", policy=policy)
        worker.tell(Die("x"))
        system.spawn(ask, name="asker")
        await system.post("/nobody", Echo("x"))
        await trio.sleep(4)
        seen: dict[str, Any] = json.loads(json.dumps(await take_snapshot(system), allow_nan=False))
        assert seen["breakers"]["/worker"]["state"] == "OPEN"
        assert round(seen["breakers"]["/worker"]["retry_after"]) == 6
        row = next(row for row in await rows(system) if row["path"] == "/worker")
        assert row["breaker"]["state"] == "OPEN"
        [request] = seen["desk"]["pending"]
        assert (request["to"], request["sender"]) == ("ann", "/asker")
        assert len(request["text"]) == 500
        assert "\n" not in request["text"]
        assert round(request["deadline"] - seen["at"]) == 96
        assert seen["desk"]["statistics"]["asked"] == 1
        assert seen["waiting"] == {"/nobody": 1}
        await settled()


async def test_others_have_their_turn_while_a_large_tree_is_looked_at(autojump_clock: MockClock) -> None:
    turns: list[int] = []

    async def others() -> None:
        while True:
            turns.append(len(turns))
            await trio.lowlevel.checkpoint()

    async with actors.open_system("alpha") as system, trio.open_nursery() as nursery:
        for number in range(10 * SLICE):
            system.spawn(Worker, name=f"w{number}")
        await settled()
        nursery.start_soon(others)
        found = await rows(system)
        assert len(found) == 10 * SLICE + 1
        assert len(turns) >= 10
        nursery.cancel_scope.cancel()


async def test_one_that_came_while_it_was_looked_at_without_its_parent_is_left_out() -> None:
    tree = await tree_from([{"path": "/"}, {"path": "/a/b"}, {"path": "/c"}])
    assert [child["path"] for child in tree["children"]] == ["/c"]


async def test_a_closed_system_has_no_snapshot(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        pass
    with pytest.raises(actors.SystemClosed):
        await take_snapshot(system)
