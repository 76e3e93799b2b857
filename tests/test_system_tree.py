"""The tree as text and as data (contract §11)."""

from __future__ import annotations

import json

import attrs
import pytest
from trio.testing import MockClock

import actors
from tests.core.cast import AT_ONCE, Die, Note, Sleep, Worker, settled


class Team(actors.Supervisor):
    async def on_start(self) -> None:
        await self.start(Worker, name="worker-1")
        await self.start(Worker, name="worker-2", policy=AT_ONCE)


class Network(actors.Supervisor):
    async def on_start(self) -> None:
        await self.start(Team, name="team")
        await self.start(waiting)


async def waiting(ctx: actors.Context) -> None:
    async for _ in ctx.inbox:
        pass


GOLDEN = """\
alpha [idle] (system)
├── network [idle] (supervisor)
│   ├── team [idle] (supervisor)
│   │   ├── worker-1 [busy] (actor) 2 waiting
│   │   └── worker-2 [idle] (actor) 1 restart
│   └── {adhoc} [idle] (function)
└── last [suspended] (actor) 1 waiting 2 restarts"""


async def grown(system: actors.System) -> str:
    """Four levels with something of everything; the name shown for the adhoc one."""
    network = await system.start(Network, name="network")
    gone = await system.start(Worker, name="gone")
    last = await system.start(Worker, name="last", policy=AT_ONCE)
    one, two = (system.find(f"/network/team/worker-{n}") for n in (1, 2))
    assert one is not None
    assert two is not None
    one.tell(Sleep(60))
    for ref in (two, last, last):
        ref.tell(Die())
        await settled()
        await ref.wait_started()
    one.tell(Note())
    one.tell(Note())
    last.suspend()
    last.tell(Note())
    gone.stop()
    await gone.wait_stopped()
    return system.children(network)[1].path.rpartition("/")[2]


@pytest.mark.row(70)
async def test_the_text_of_a_tree_of_four_levels(autojump_clock: MockClock) -> None:
    """Name, [state], (kind), what waits, restarts; children in start order, ended ones hidden."""
    async with actors.open_system("alpha") as system:
        adhoc = await grown(system)
        assert str(system.tree()) == GOLDEN.format(adhoc=adhoc)


@pytest.mark.row(70)
async def test_the_data_of_a_tree(autojump_clock: MockClock) -> None:
    """Frozen nodes, and a form that is ready for JSON."""
    async with actors.open_system("alpha") as system:
        await grown(system)
        tree = system.tree()
        assert [(node.path, node.kind, node.depth, node.restarts) for node in tree.walk()] == [
            ("/", "system", 0, 0),
            ("/network", "supervisor", 0, 0),
            ("/network/team", "supervisor", 0, 0),
            ("/network/team/worker-1", "actor", 2, 0),
            ("/network/team/worker-2", "actor", 0, 1),
            (tree.children[0].children[1].path, "function", 0, 0),
            ("/last", "actor", 1, 2),
        ]
        assert (tree.name, tree.children[0].children[1].name) == ("alpha", None)
        read = json.loads(json.dumps(tree.as_dict()))
        assert read["children"][1] == {
            "name": "last",
            "path": "/last",
            "kind": "actor",
            "state": "SUSPENDED",
            "depth": 1,
            "restarts": 2,
            "parked": None,
            "children": [],
        }
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            tree.name = "other"  # type: ignore[misc]


async def test_a_tree_is_a_snapshot(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        before = system.tree()
        await system.start(Worker, name="new")
        assert before.children == ()
        assert str(before) == "alpha [idle] (system)"
        assert str(system.tree()) == "alpha [idle] (system)\n└── new [idle] (actor)"


async def test_after_the_end_only_the_root_is_shown(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        await system.start(Worker, name="worker")
    assert str(system.tree()) == "alpha [stopped] (system)"
