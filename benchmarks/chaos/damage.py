"""Files that are damaged, one damage each, then opened and drained: what may come of that, and what not."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from random import Random

import attrs
import trio

from actors.delivery import Engine, Entry, Opening, SQLiteStore
from actors.delivery.errors import StoreDamaged, StoreInvalid, StoreTooNew
from actors.delivery.operations import Append, Moved, Operation
from actors.delivery.ticket import Move, Standing, TicketState
from benchmarks.chaos.sample import START, Sample, Snapshot

__all__ = ["KINDS", "Outcome", "try_one"]

KINDS = ("bit", "byte", "page", "cut", "swap", "zero")
_PAGE = 4096
_LIMIT = 5.0
_REPORTS = (StoreDamaged, StoreInvalid, StoreTooNew)


@attrs.define
class Outcome:
    """What came of one damage."""

    what: str
    verdict: str = ""
    """"harmless", "reported", "cut" (the last commits of the log are gone), or what is wrong."""
    lost_commits: int = 0
    reported: set[str] = attrs.Factory(set[str])
    """Tickets and states of which it was said that they are damaged."""

    @property
    def is_good(self) -> bool:
        """Whether that may be."""
        return self.verdict.partition(":")[0] in {"harmless", "reported", "cut"}


def try_one(sample: Sample, folder: Path, dice: Random) -> Outcome:
    """Copy, damage, open, drain, judge."""
    path = sample.copy(folder / "damaged")
    (folder / "damaged-lock").unlink(missing_ok=True)
    end = dice.choice(("", "", "-wal", "-wal", "-shm"))
    file = Path(f"{path}{end}")
    if not file.exists() or not file.stat().st_size:
        end, file = "", path
    kind = dice.choice(KINDS)
    outcome = Outcome(f"{kind} of {end or 'db'}: {_damage(file, kind, dice)}")
    began = time.monotonic()
    try:
        trio.run(_drain, path, sample, outcome, end == "-wal")
    except _REPORTS as error:
        outcome.verdict = f"reported: {type(error).__name__}: {str(error)[:160]}"
    except Exception as error:
        outcome.verdict = f"CRASH: {type(error).__name__}: {error}"
    if time.monotonic() - began > _LIMIT:
        outcome.verdict = f"HANG: {time.monotonic() - began:.1f} s"
    return outcome


def _damage(file: Path, kind: str, dice: Random) -> str:
    data = bytearray(file.read_bytes())
    at = dice.randrange(len(data))
    page = at // _PAGE * _PAGE
    match kind:
        case "bit":
            data[at] ^= 1 << dice.randrange(8)
        case "byte":
            data[at] = (data[at] + dice.randrange(1, 256)) % 256
        case "page":
            data[page : page + _PAGE] = dice.randbytes(min(_PAGE, len(data) - page))
        case "cut":
            del data[at if dice.random() < 0.9 else 0 :]
        case "swap":
            other = dice.randrange(len(data)) // _PAGE * _PAGE
            one, two = bytes(data[page : page + _PAGE]), bytes(data[other : other + _PAGE])
            if len(one) == len(two):
                data[page : page + _PAGE], data[other : other + _PAGE] = two, one
        case _:
            size = dice.choice((16, 512, _PAGE))
            data[at : at + size] = bytes(min(size, len(data) - at))
    file.write_bytes(data)
    return f"at {at} of {file.stat().st_size}"


async def _drain(path: Path, sample: Sample, outcome: Outcome, is_log: bool) -> None:
    """Open it and look at everything, then deliver all."""
    async with SQLiteStore(path).open(Opening("node", "another life", lambda: START)) as engine:
        found = await _look(engine, sample, outcome)
        states = await _states(engine, sample, outcome)
        last = len(sample.snapshots) - 1
        fitting = [
            number
            for number in range(last, (sample.safe if is_log else last) - 1, -1)
            if _fits(sample.snapshots[number], found, states, outcome.reported)
        ]
        if not fitting:
            outcome.verdict = "WRONG: " + _difference(sample.snapshots[last], found, states, outcome.reported)
            return
        outcome.lost_commits = last - fitting[0]
        wrong = await _deliver(engine, sample.snapshots[fitting[0]], outcome)
    if wrong:
        outcome.verdict = f"WRONG: {wrong}"
    elif outcome.reported:
        outcome.verdict = f"reported: {len(outcome.reported)} things"
    else:
        outcome.verdict = "cut" if outcome.lost_commits else "harmless"


async def _look(engine: Engine, sample: Sample, outcome: Outcome) -> dict[str, Entry]:
    """All tickets that can be read."""
    found: dict[str, Entry] = {}
    for ticket_id in sample.snapshots[-1].entries:
        try:
            entry = await engine.get(ticket_id)
        except StoreDamaged:
            outcome.reported.add(ticket_id)
            continue
        if entry is None:
            continue
        if is_condemned(entry):
            outcome.reported.add(ticket_id)
        else:
            found[ticket_id] = entry
    return found


def is_condemned(entry: Entry) -> bool:
    """Whether it is DEAD because it cannot be read back."""
    return entry.state is TicketState.DEAD and any(
        one.kind.endswith("StoreDamaged") for one in entry.failures
    )


async def _states(engine: Engine, sample: Sample, outcome: Outcome) -> dict[str, str]:
    states: dict[str, str] = {}
    for path in ("/a", "/b", "/c"):
        try:
            state = await engine.load(path)
        except StoreDamaged:
            outcome.reported.add(path)
            continue
        if state is not None:
            states[path] = state
    return states


def _fits(snapshot: Snapshot, found: dict[str, Entry], states: dict[str, str], reported: set[str]) -> bool:
    return not _difference(snapshot, found, states, reported)


def _difference(
    snapshot: Snapshot, found: dict[str, Entry], states: dict[str, str], reported: set[str]
) -> str:
    """What is there and should not be, or not as it should; what was reported may be missing."""
    for ticket_id, entry in found.items():
        wanted = snapshot.entries.get(ticket_id)
        if wanted is None or _kept(entry) != _kept(wanted):
            return f"{ticket_id} is {_kept(entry)}, not {None if wanted is None else _kept(wanted)}"[:1500]
    for ticket_id in snapshot.entries.keys() - found.keys() - reported:
        return f"{ticket_id} is missing, and nothing is said of it"
    for path, state in snapshot.states.items():
        if path not in reported and states.get(path) != state:
            return f"the state of {path} is {states.get(path)}, not {state}"
    for path in states.keys() - snapshot.states.keys():
        return f"the state of {path} is there too early"
    return ""


def _kept(entry: Entry) -> tuple[object, ...]:
    """All of a ticket but its times, which recovery changes, and what failed."""
    return (
        *(entry.id, entry.path, entry.payload, entry.priority, entry.key, entry.reply, entry.max_attempts),
        *(entry.sender, entry.hops, entry.answers, entry.due, entry.seq, entry.state, entry.attempts),
        *(entry.working, entry.answer),
    )


async def _deliver(engine: Engine, snapshot: Snapshot, outcome: Outcome) -> str:
    """Deliver all that waits, in order; what is wrong with that, or ""."""
    wrong: str = ""
    left = {one.id for one in snapshot.entries.values() if one.state is TicketState.PENDING}
    for path in ("/a", "/b", "/c"):
        order: list[tuple[int, int]] = []
        while taken := await engine.take(path, 7):
            for entry in taken:
                wrong = wrong or _wrong(entry, snapshot)
                order.append(entry.order)
                left.discard(entry.id)
            outcome.reported |= await _answer(engine, taken)
        if order != sorted(order):
            wrong = wrong or f"{path} was delivered in a wrong order"
    await _look_for_condemned(engine, outcome)
    for ticket_id in left - outcome.reported:
        wrong = wrong or f"{ticket_id} was never delivered"
    return wrong or await _keys(engine, snapshot, outcome)


async def _look_for_condemned(engine: Engine, outcome: Outcome) -> None:
    for entry in await engine.find(states={TicketState.DEAD}, limit=10_000):
        if is_condemned(entry):
            outcome.reported.add(entry.id)


def _wrong(entry: Entry, snapshot: Snapshot) -> str:
    wanted = snapshot.entries.get(entry.id)
    if wanted is None:
        return f"{entry.id} was delivered, and was never posted"
    if (wanted.payload, wanted.path) != (entry.payload, entry.path):
        return f"{entry.id} was delivered with a wrong payload"
    return ""


async def _answer(engine: Engine, entries: Sequence[Entry]) -> set[str]:
    """Have them handled; those of which the store says that they cannot be."""
    group: list[Operation] = []
    for entry in entries:
        attempt = entry.attempts + 1
        group.append(Moved(entry.id, Move.DELIVER, START, attempt))
        group.append(Moved(entry.id, Move.ANSWER, START, attempt, answer='"done"'))
    results = zip(group, await engine.write(group), strict=True)
    return {one.id for one, result in results if isinstance(one, Moved) and not isinstance(result, Standing)}


async def _keys(engine: Engine, snapshot: Snapshot, outcome: Outcome) -> str:
    """A key still stands for the message that was posted with it."""
    keyed = [
        entry
        for entry in snapshot.entries.values()
        if entry.key is not None and entry.id not in outcome.reported
    ]
    again = [attrs.evolve(one, id=f"again-{one.id}", state=TicketState.PENDING, attempts=0) for one in keyed]
    group = [Append(one, 10_000) for one in again]
    for one, result in zip(keyed, await engine.write(group), strict=True):
        if not isinstance(result, Entry) or result.id != one.id:
            return f"the key of {one.id} does not stand any more: {result!r}"[:300]
    return ""
