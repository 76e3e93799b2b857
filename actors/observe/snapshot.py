"""How a whole system stands at one moment, as plain data ready for JSON.

A look at every actor of a large tree takes a while, and asks of other actors must not wait for it: it is
taken in slices, and between two of them everybody else has a turn. So the actors are not all seen at the
very same moment; what is said of one is.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import attrs
import trio

from actors.delivery.ticket import TicketState
from actors.errors import ActorError
from actors.names import ROOT
from actors.observe.brief import brief, clean
from actors.remote.peer import Peer
from actors.supervision.breaker import BreakerState
from actors.supervision.family import Family
from actors.timeouts.guard import DeadlineGuard

if TYPE_CHECKING:
    from actors.core.cell import Cell
    from actors.core.kernel import Kernel
    from actors.people.request import PersonRequest
    from actors.system import System

__all__ = ["SLICE", "dead_letters", "node_row", "rows", "summary", "take_snapshot", "tree_from"]

SLICE: Final = 32
"""Actors in one slice: some 0.2 ms."""
_QUICK: Final = 256
"""Records in one slice of what is only counted or sorted."""
_COURIER: Final = "/system/courier"
_SHOWN: Final = 100
"""Dead letters, requests and posted messages of each sort that are shown."""


async def take_snapshot(system: System) -> dict[str, Any]:
    """All about a system, ready for JSON. A checkpoint: others run meanwhile. Raises `SystemClosed`.

    `tree` is nested as `TreeNode.as_dict` has it, with more of each actor: `handled`, `failed`, `uptime`,
    and where there is one `parked` (why), `breaker`, `deadline` with its `limit`, `waiting_for`, `node`. The
    rest is as `summary` says. Times are in seconds since 1970, spans in seconds.
    """
    found = await rows(system)
    return await summary(system, found) | {"tree": await tree_from(found)}


async def rows(system: System) -> list[dict[str, Any]]:
    """One flat record for each living actor, parents before children. A checkpoint. Raises `SystemClosed`."""
    found: list[dict[str, Any]] = []
    root = system.__actor_family__()
    for cell in _living(root):
        found.append(_row(root, cell))
        if not len(found) % SLICE:
            await trio.lowlevel.checkpoint()
    await trio.lowlevel.checkpoint()
    return found


def _living(root: Family) -> Iterator[Cell]:
    """As they are when their turn comes, level by level."""
    level: list[Cell] = [root]
    while level:
        below: list[Cell] = []
        for cell in level:
            if not cell.is_gone:
                yield cell
                if isinstance(cell, Family):
                    below.extend(cell.children.values())
        level = below


def _row(root: Family, cell: Cell) -> dict[str, Any]:
    kernel, now = root.kernel, root.kernel.now()
    said: dict[str, Any] = {
        "name": kernel.name if cell is root else cell.name,
        "path": cell.path,
        "kind": cell.recipe.kind,
        "state": str(cell.state),
        "depth": cell.depth,
        "restarts": cell.restarts,
        "handled": cell.handled_itself,
        "failed": cell.failed,
        "uptime": now - cell.spawned_at,
    }
    if cell.node != kernel.name:
        said["node"] = cell.node
    if cell.held is not None:
        said["parked"] = cell.held.reason
    circuit = root.breakers.find(cell.path)
    if circuit is not None:
        said["breaker"] = _breaker(circuit.view(now))
    if cell.vigil is not None and cell.vigil.since is not None:
        limit = min(
            (one.limit for one in cell.vigil.guards if isinstance(one, DeadlineGuard)), default=math.inf
        )
        if limit < math.inf:
            said["deadline"], said["limit"] = kernel.wall_at(cell.vigil.since + limit), limit
        if cell.vigil.waits:
            said["waiting_for"] = cell.vigil.waits
    return said


def _breaker(state: BreakerState) -> dict[str, Any]:
    said = attrs.asdict(state)
    finite = math.isfinite(state.retry_after)
    return said | {"state": str(state.state), "retry_after": state.retry_after if finite else None}


async def tree_from(found: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The records of `rows`, each in the `children` of its parent, or left out. A checkpoint."""
    made: dict[str, dict[str, Any]] = {}
    for number, row in enumerate(found):
        node = made[row["path"]] = {**row, "children": []}
        above = made.get(row["path"].rpartition("/")[0] or ROOT)
        if above is not None and above is not node:
            above["children"].append(node)
        if not number % _QUICK:
            await trio.lowlevel.checkpoint()
    return made[ROOT]


async def summary(system: System, found: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What is to be said of a system besides its actors, which are `found`. A checkpoint.

    `system`, `session` (another one after each restart), `at`, `uptime`, `after` (the number of the newest
    fact), `statistics`, `breakers` that are not closed, `nodes`, `desk` (`pending` requests, `more`, and
    `statistics`), `dead` (`told`: the newest, with their numbers; `count`: all so far; `posted`: how many,
    None where the store does not say), and `waiting`: how many posted messages each recipient has. Raises
    `SystemClosed`.
    """
    root, desk = system.__actor_family__(), system.desk
    kernel, pending = root.kernel, desk.pending()
    circuits = {path: state for path, state in root.breakers.views().items() if str(state.state) != "CLOSED"}
    said = {
        "system": kernel.name,
        "session": kernel.incarnation,
        "at": kernel.wall(),
        "uptime": kernel.now() - root.spawned_at,
        "after": system.journal.last,
        "statistics": await _statistics(kernel, found),
        "breakers": {path: _breaker(state) for path, state in circuits.items()},
        "nodes": [node_row(system, peer) for peer in system.nodes],
        "desk": {
            "pending": [_request(kernel, one) for one in pending[:_SHOWN]],
            "more": max(0, len(pending) - _SHOWN),
            "statistics": _desk(attrs.asdict(desk.statistics())),
        },
    }
    posted, waiting = await _posted(system)
    return said | {"dead": dead_letters(system) | {"posted": posted}, "waiting": waiting}


async def _statistics(kernel: Kernel, found: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """As `SystemStatistics`, without another walk."""
    states: Counter[str] = Counter()
    sums = {"depth": 0, "handled": 0, "failed": 0, "restarts": 0}
    for number, row in enumerate(found):
        if row["path"] != ROOT:
            states[row["state"]] += 1
            for key in sums:
                sums[key] += row[key]
        if not number % _QUICK:
            await trio.lowlevel.checkpoint()
    return {
        "actors": states.total(),
        "states": dict(states),
        "waiting": sums["depth"],
        "handled": kernel.handled_by_the_dead + sums["handled"],
        "failed": sums["failed"],
        "restarts": sums["restarts"],
        "dead_letters": kernel.dead_letter_count,
        "alarms": len(kernel.alarms),
    }


def node_row(system: System, peer: Peer) -> dict[str, Any]:
    """A linked node, as it is now."""
    facts = [fact for fact in system.journal.node_history(peer.name) if fact.kind != "MessageUnread"]
    return {
        "name": peer.name,
        "state": str(peer.state),
        "since": facts[-1].at if facts else None,
        "round_trip": peer.round_trip,
        "suspicion": None if peer.suspicion is None or math.isinf(peer.suspicion) else peer.suspicion,
    }


def _request(kernel: Kernel, one: PersonRequest) -> dict[str, Any]:
    return {
        "id": one.id,
        "kind": one.kind,
        "text": clean(one.text),
        "options": [brief(option) for option in one.options],
        "to": one.to,
        "priority": one.priority,
        "asked": kernel.wall_at(one.asked),
        "deadline": None if one.deadline == math.inf else kernel.wall_at(one.deadline),
        "sender": one.sender,
        "node": one.node,
    }


def _desk(said: dict[str, Any]) -> dict[str, Any]:
    buckets = [[bound if math.isfinite(bound) else None, n] for bound, n in said["response"]["buckets"]]
    return said | {"response": said["response"] | {"buckets": buckets}}


def dead_letters(system: System) -> dict[str, Any]:
    """The newest told messages that nobody handled, and how many there ever were."""
    letters = system.journal.letters
    wall_at = system.__actor_family__().kernel.wall_at
    told = [
        {
            "number": number,
            "at": wall_at(letter.at),
            "path": letter.ref.path,
            "sender": None if letter.sender is None else letter.sender.path,
            "reason": str(letter.reason),
            "message": brief(letter.message),
        }
        for number, letter in islice(letters, _SHOWN)
    ]
    return {"told": told, "count": letters.count}


async def _posted(system: System) -> tuple[int | None, dict[str, int]]:
    """How many dead letters there are, and what waits; a look makes no courier, and waits for no store."""
    if system.find(_COURIER) is None:
        return 0, {}
    try:
        with trio.fail_after(1):
            dead = await system.posted.find(states={TicketState.DEAD}, limit=1000)
            waiting = await system.posted.waiting()
    except (ActorError, trio.TooSlowError):
        return None, {}
    return len(dead), dict(islice(waiting.items(), _SHOWN))
