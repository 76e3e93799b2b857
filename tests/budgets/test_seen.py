"""Wherever an actor is seen it is said that it is parked, and why."""

from __future__ import annotations

import io
import json
from typing import Any

from rich.console import Console
from trio.testing import MockClock, wait_all_tasks_blocked

import actors
from actors import Budget, Policy
from actors.cli.feed import Picture
from actors.cli.show import live_tree
from actors.observe.snapshot import rows
from actors.observe.web.mirror import Mirror
from tests.budgets.cast import Agent, Burn
from tests.cli.test_seen import drawn, row, sight

WHY = "spent 1200 of 1000 tokens"


async def test_a_parked_actor_says_so_in_every_picture(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        agent = await system.start(Agent, name="agent", policy=Policy(budget=Budget(tokens=1000)))
        mirror = Mirror(system.__actor_family__())
        await mirror.sweep()
        mirror.take()
        agent.tell(Burn(1200))
        await wait_all_tasks_blocked()
        await mirror.sweep()
        patch = mirror.take()
        assert patch is not None
        shown: dict[str, Any] = json.loads(patch.lines[-1])
        assert (shown["path"], shown["parked"]) == ("/agent", WHY)
        assert [one.get("parked") for one in await rows(system)] == [None, WHY]
        out = io.StringIO()
        Console(file=out, width=130).print(live_tree(Picture(system.tree(), ())))
        assert f"agent [suspended] (actor) parked: {WHY}" in out.getvalue()
        system.top_up(agent, tokens=5000)
        await mirror.sweep()
        patch = mirror.take()
        assert patch is not None
        assert "parked" not in json.loads(patch.lines[-1])


def test_the_notes_of_top_say_why_it_is_parked() -> None:
    assert f"parked: {WHY}" in drawn(sight(row("/agent", state="SUSPENDED", parked=WHY)))
