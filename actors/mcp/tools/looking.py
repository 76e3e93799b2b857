"""Tools that look: tree, children, peers, why. They change nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import attrs
import trio
from pydantic import Field
from typing_extensions import TypedDict

from actors.mcp.faults import ToolFault, no_such_actor
from actors.mcp.reach import is_within, parent_of
from actors.mcp.tool import Call, Tool
from actors.mcp.tools.shapes import Path, Seen
from actors.names import ROOT
from actors.observe.why import explain
from actors.supervision.family import Family
from actors.tree import TreeNode

if TYPE_CHECKING:
    from actors.core.ref import Ref
    from actors.observe.fact import Fact
    from actors.observe.why import Why

__all__ = ["LOOKING", "seen", "tree_for"]


class Drawn(TypedDict):
    """The tree."""

    text: Annotated[str, Field(description="One line an actor: name [state] (kind).")]
    tree: Annotated[dict[str, Any], Field(description="The same as objects: path, state, children, ...")]
    you: Annotated[str, Field(description="Your own path.")]


class Others(TypedDict):
    """Some actors."""

    actors: list[Seen]
    count: int


class Because(TypedDict):
    """Why an actor is as it is."""

    path: str
    state: Annotated[str, Field(description="starting, running, waiting, ending, gone or unknown.")]
    text: Annotated[str, Field(description="The chain of causes, the newest first, one a line.")]
    steps: Annotated[
        list[dict[str, Any]], Field(description="The same as objects; `at` in seconds since 1970.")
    ]


def seen(ref: Ref) -> Seen:
    """An actor as it is now."""
    cell = ref.cell
    return Seen(
        path=ref.path,
        name=ref.name,
        kind=cell.recipe.kind,
        state=str(ref.state),
        waiting=cell.depth,
        restarts=cell.restarts,
    )


def tree_for(call: Call, path: str | None) -> TreeNode:
    """What the agent reaches, from its parent down; or from `path`. Raises `ToolFault`."""
    me = call.agent.ctx.ref.path
    whole = call.house.gate.reach == "tree"
    wanted = call.house.path(path) if path is not None else (ROOT if whole else parent_of(me))
    node = _node_at(call.house.system.tree(), wanted)
    if node is None:
        raise no_such_actor(wanted)
    if wanted == ROOT and whole:
        return attrs.evolve(
            node, children=tuple(one for one in node.children if call.house.reaches(one.path))
        )
    if whole or is_within(wanted, me):
        return node
    kept = {me, *call.agent.adopted}
    if wanted == parent_of(me):
        children = tuple(
            one if one.path in kept else attrs.evolve(one, children=())
            for one in node.children
            if call.house.reaches(one.path)
        )
        return attrs.evolve(node, children=children)
    return node if any(is_within(wanted, one) for one in kept) else attrs.evolve(node, children=())


def _node_at(top: TreeNode, path: str) -> TreeNode | None:
    node = top
    while node.path != path:
        below = next((one for one in node.children if is_within(path, one.path)), None)
        if below is None:
            return None
        node = below
    return node


async def tree(call: Call, path: Path | None = None) -> Drawn:
    """Show the living actors that you reach, with their true states, as a drawing and as objects.

    Without a path: your parent, you with all below you, and your peers.
    """
    await trio.lowlevel.checkpoint()
    node = tree_for(call, path)
    return Drawn(text=str(node), tree=node.as_dict(), you=call.agent.ctx.ref.path)


async def children(call: Call, path: Path | None = None) -> Others:
    """List the living children of an actor that you reach, in start order; without a path, your own."""
    await trio.lowlevel.checkpoint()
    me = call.agent.ctx.ref
    ref = me if path is None else call.house.find(path)
    cell = ref.cell
    refs = cell.child_refs if isinstance(cell, Family) else ()
    found = [seen(one) for one in refs if call.house.reaches(one.path)]
    if refs and not found:
        raise ToolFault(f"you reach {ref.path}, and nothing below it")
    return Others(actors=found, count=len(found))


async def peers(call: Call) -> Others:
    """List the other living children of your parent, in start order."""
    await trio.lowlevel.checkpoint()
    system = call.house.system
    found = [seen(one) for one in system.peers(call.agent.ctx.ref) if call.house.reaches(one.path)]
    return Others(actors=found, count=len(found))


async def why(call: Call, path: Path) -> Because:
    """Tell why an actor ended, or why it is as it is: a chain of causes. Also of one that is gone.

    It goes as far as you reach.
    """
    await trio.lowlevel.checkpoint()
    said = _explained(call, call.house.path(path))
    steps = said.as_dict()["steps"]
    return Because(path=said.path, state=said.state, text=str(said), steps=steps)


def _explained(call: Call, path: str) -> Why:
    journal, teller = call.house.system.journal, call.house.teller

    def facts(of: str) -> list[Fact]:
        if of.startswith("@"):
            return teller.told(journal.node_history(of[1:]))
        return teller.told(journal.history(of)) if of.startswith(ROOT) else []

    alive = call.house.system.find(path) is not None
    said = explain(facts, path, alive=alive)
    if said is None and not alive:
        raise ToolFault(f"nothing is known of an actor {path!r:.200}. `tree` shows all that you reach")
    return said or journal.why(path)


LOOKING = (
    Tool(tree, title="Show the tree", reads=True),
    Tool(children, title="List children", reads=True),
    Tool(peers, title="List peers", reads=True),
    Tool(why, title="Tell why", reads=True),
)
