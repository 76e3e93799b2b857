"""Checks of a store: what is posted, what moves it, and every refusal. A docstring is the promise."""

from __future__ import annotations

import attrs

from actors.delivery.errors import IllegalMove, KeyConflict, RecipientFull, UnknownTicket
from actors.delivery.operations import Append, Moved
from actors.delivery.ticket import MOVES, Entry, Failure, Move, TicketState, move
from actors.testing.bench import Bench, Node, unplaced

__all__ = [
    "counts_attempts",
    "holds_keys",
    "holds_the_capacity",
    "holds_the_order",
    "keeps_what_was_posted",
    "knows_each_delivery",
    "makes_every_move",
    "posts_once",
]


async def keeps_what_was_posted(bench: Bench) -> None:
    """A ticket is kept as it was posted, with a place in the order of receipts."""
    texts = [
        '""',
        '"žluťoučký 漢字 🐎 \\u0000 \'\\" -- ; DROP"',
        '{ "as" :\n "written", "as": 1.0}',
        f'"{"x" * 1_000_000}"',
    ]
    async with bench.open() as node:
        bench.same("a ticket that nobody has posted", None, await node.engine.get("nobody"))
        for text in texts:
            entry = bench.entry(payload=text, key=text[:40] or None)
            kept = await node.say(Append(entry, 1000))
            _check_posted(bench, entry, kept)
            bench.same("get of what was posted", kept, await node.got(entry))
        full = bench.entry(
            "/ž/漢字",
            priority=-3,
            key="klíč 🗝",
            reply=False,
            max_attempts=7,
            sender="/odesílatel",
            node="uzel",
            hops=3,
            answers="t0001",
            due=bench.now + 0.125,
        )
        kept = await node.say(Append(full, 1000))
        _check_posted(bench, full, kept)
        bench.same("get of what was posted", kept, await node.got(full))
        places = [entry.seq for entry in await node.everything()]
        bench.hold(len(set(places)) == len(texts) + 1, f"two tickets have one place: {places}")
        bench.same("places in the order of receipts", sorted(places), places)
        bench.same("take of a posted ticket", [await node.got(full)], await node.take(full.path))


def _check_posted(bench: Bench, entry: Entry, kept: object) -> None:
    if not isinstance(kept, Entry):
        raise bench.fail(f"a post comes to its Entry: found {kept!r}")
    bench.hold(kept.seq > 0, f"the posted ticket {kept.id} has no place: seq={kept.seq}")
    bench.same("what a post comes to", attrs.evolve(entry, changed=entry.posted), unplaced(kept))


async def posts_once(bench: Bench) -> None:
    """A message that is posted again under its id is the same ticket."""
    async with bench.open() as node:
        entry = bench.entry()
        first, second = await node.write(Append(entry, 10), Append(entry, 10))
        bench.same("an Append written twice in one group", first, second)
        before = await node.snapshot()
        bench.same("an Append written again", first, await node.say(Append(entry, 10)))
        other = attrs.evolve(entry, payload='"another"', priority=9)
        bench.same("an Append of another message under the id", first, await node.say(Append(other, 10)))
        bench.same("the store after that", before, await node.snapshot())
        await node.move(entry, Move.DELIVER, 1)
        bench.same("an Append written again, later", await node.got(entry), await node.say(Append(entry, 10)))


async def holds_keys(bench: Bench) -> None:
    """A key stands for one message to one recipient, for as long as its ticket is kept."""
    async with bench.open() as node:
        first = await node.post(key="k", payload="1")
        before = await node.snapshot()
        again = await node.say(Append(bench.entry(key="k", payload="1"), 10))
        bench.same("a post with a key that is there", first, again)
        clash = bench.entry(key="k", payload="2")
        error = await node.refused(Append(clash, 10), KeyConflict, "a key that stands for another message")
        bench.same("the ticket that a KeyConflict names", first.id, error.ticket_id)
        bench.same("a ticket whose post was refused", None, await node.engine.get(clash.id))
        bench.same("the store after that", before, await node.snapshot())
        other = await node.post("/b", key="k", payload="2")
        bench.hold(other.id != first.id, "a key is taken for that of another recipient")
        twins = [bench.entry("/c", key="twin", payload="1"), bench.entry("/c", key="twin", payload="1")]
        results = await node.write(*(Append(twin, 10) for twin in twins))
        bench.same("two posts of one group with one key", results[0], results[1])
        await node.move(first, Move.DELIVER, 1)
        await node.move(first, Move.ANSWER, 1, answer='"done"')
        late = await node.say(Append(bench.entry(key="k", payload="1"), 10))
        bench.same("a post with the key of an answered ticket", await node.got(first), late)


async def holds_the_capacity(bench: Bench) -> None:
    """A recipient has at most `capacity` live tickets by posts, and what is there already is not refused."""
    async with bench.open() as node:
        entries = [await node.post(capacity=3, key=f"k{n}", payload="1") for n in range(3)]
        before = await node.snapshot()
        over = bench.entry()
        await node.refused(Append(over, 3), RecipientFull, "one more than the capacity of 3")
        bench.same("a ticket whose post was refused", None, await node.engine.get(over.id))
        bench.same("the store after that", before, await node.snapshot())
        bench.same("a post again while it is full", entries[0], await node.say(Append(entries[0], 3)))
        twin = bench.entry(key="k1", payload="1")
        bench.same("a known key while it is full", entries[1], await node.say(Append(twin, 3)))
        await node.post("/b", capacity=3)
        await node.move(entries[0], Move.DELIVER, 1)
        await node.refused(Append(over, 3), RecipientFull, "one more while one of 3 is DELIVERED")
        bench.same("live tickets of each recipient", {"/a": 3, "/b": 1}, dict(await node.engine.waiting()))
        await node.move(entries[0], Move.ANSWER, 1)
        await node.post(capacity=3)
        await node.move(entries[1], Move.CANCEL)
        group = [Append(bench.entry(), 3) for _ in range(3)]
        results = await node.write(*group)
        taken = [isinstance(result, Entry) for result in results]
        bench.same("three posts of one group where one has room", [True, False, False], taken)


async def holds_the_order(bench: Bench) -> None:
    """Tickets come by priority, then in the order of receipts, also after a failed delivery or a return."""
    async with bench.open() as node:
        entries = [await node.post(priority=priority) for priority in (0, 5, 0, -1, 5, 0)]
        await node.post("/b")
        line = [entries[n].id for n in (1, 4, 0, 2, 5, 3)]
        bench.same("the line of a recipient", line, await node.line("/a"))
        bench.same("the first two of a line", line[:2], await node.line("/a", 2))
        first, second = entries[1], entries[4]
        await node.move(first, Move.DELIVER, 1)
        bench.same("the line behind one that is DELIVERED", line[1:], await node.line("/a"))
        await node.move(second, Move.DELIVER, 1)
        await node.move(second, Move.RETURN, 1)
        bench.same("the line after a return", line[1:], await node.line("/a"))
        await node.move(first, Move.FAIL, 1, failure=Failure(bench.now, 1, "E", ""))
        bench.same("the line after a failed delivery", line, await node.line("/a"))
        await node.move(entries[0], Move.CANCEL)
        line.remove(entries[0].id)
        bench.same("the line after a cancellation", line, await node.line("/a"))
        group = [Append(bench.entry("/c", priority=n % 2), 100) for n in range(10)]
        await node.write(*group)
        wanted = [said.entry.id for said in (*group[1::2], *group[::2])]
        bench.same("the line of what one group has posted", wanted, await node.line("/c"))
        bench.same("the line of a recipient without tickets", [], await node.line("/d"))


async def makes_every_move(bench: Bench) -> None:
    """A ticket moves as the table says, and everything else is an IllegalMove that changes nothing."""
    async with bench.open() as node:
        for state, working in [(state, working) for state in TicketState for working in (False, True)]:
            if await _brought(node, state, working) is None:
                continue
            for what in Move:
                entry = await _brought(node, state, working)
                assert entry is not None
                await _check_move(node, entry, what)


async def _brought(node: Node, state: TicketState, working: bool) -> Entry | None:
    """A ticket in that state, or None where there can be none."""
    if working and state not in {TicketState.DELIVERED, TicketState.TIMED_OUT}:
        return None
    if state is TicketState.DELIVERED and not working:
        return None
    entry = await node.post(f"/{state.value}", max_attempts=1 if state is TicketState.DEAD else 3)
    if state is TicketState.CANCELLED:
        await node.move(entry, Move.CANCEL)
    elif state is TicketState.TIMED_OUT and not working:
        await node.move(entry, Move.TIME_OUT)
    elif state is not TicketState.PENDING:
        await node.move(entry, Move.DELIVER, 1)
        last = _LAST_MOVE.get(state)
        if last is not None:
            await node.move(entry, last, None if last is Move.TIME_OUT else 1)
    found = await node.got(entry)
    node.bench.same("a ticket after its moves", (state, working), (found.state, found.working))
    return found


_LAST_MOVE = {
    TicketState.RESPONDED: Move.ANSWER,
    TicketState.FAILED: Move.REFUSE,
    TicketState.DEAD: Move.FAIL,
    TicketState.TIMED_OUT: Move.TIME_OUT,
}
_NEVER = 7
"""The number of a delivery that never was."""
_REPEATED = frozenset(
    {
        (TicketState.DELIVERED, Move.DELIVER),
        (TicketState.RESPONDED, Move.ANSWER),
        (TicketState.FAILED, Move.REFUSE),
        (TicketState.DEAD, Move.FAIL),
        (TicketState.CANCELLED, Move.CANCEL),
        (TicketState.TIMED_OUT, Move.TIME_OUT),
    }
)


async def _check_move(node: Node, entry: Entry, what: Move) -> None:
    """One move from where the ticket is."""
    bench = node.bench
    of_ticket = what in {Move.CANCEL, Move.TIME_OUT}
    number = entry.attempts + 1 if what is Move.DELIVER else entry.attempts if entry.working else _NEVER
    failure = Failure(bench.now, number, "module.Error", "ouch", "trace")
    said = await node.moved(entry, what, None if of_ticket else number, answer='"a"', failure=failure)
    title = f"{what.value} of a ticket that is {entry.state.value}{' and worked on' if entry.working else ''}"
    if (entry.state, what) in _REPEATED:
        said = attrs.evolve(said, attempt=None if of_ticket else entry.attempts)
        bench.same(f"{title}, once more", entry.standing, await node.say(said))
        bench.same(f"the ticket after {title}", entry, await node.got(entry))
    elif (entry.state, entry.working, what) in MOVES:
        expected = move(entry.id, entry.standing, what)
        bench.now += 1
        bench.same(title, expected, await node.say(attrs.evolve(said, at=bench.now)))
        fails = what in {Move.FAIL, Move.REFUSE}
        kept = entry.at(
            expected,
            changed=bench.now,
            answer='"a"' if what is Move.ANSWER else None,
            failures=(failure,) if fails else (),
        )
        bench.same(f"the ticket after {title}", kept, await node.got(entry))
    else:
        await node.refused(said, IllegalMove, title)
        bench.same(f"the ticket after {title}", entry, await node.got(entry))


async def counts_attempts(bench: Bench) -> None:
    """A ticket is DEAD after exactly `max_attempts` failed deliveries; one that was returned is none."""
    async with bench.open() as node:
        for most in (1, 2, 5):
            entry = await node.post(max_attempts=most)
            failures: list[Failure] = []
            for number in range(1, most + 1):
                bench.same(
                    "attempts of a delivery", number, (await node.move(entry, Move.DELIVER, number)).attempts
                )
                back = await node.move(entry, Move.RETURN, number)
                bench.same(
                    "attempts after a return", (TicketState.PENDING, number - 1), (back.state, back.attempts)
                )
                await node.move(entry, Move.DELIVER, number)
                failures.append(
                    Failure(bench.now + number, number, "module.Error", f"the {number}th", "trace")
                )
                failed = await node.move(entry, Move.FAIL, number, failure=failures[-1])
                expected = TicketState.DEAD if number == most else TicketState.PENDING
                title = f"failed delivery {number} of at most {most}"
                bench.same(title, (expected, number), (failed.state, failed.attempts))
            bench.same("the failures of a dead ticket", tuple(failures), (await node.got(entry)).failures)
            bench.same("the line behind a dead ticket", [], await node.line("/a"))


async def knows_each_delivery(bench: Bench) -> None:
    """A move names its delivery: one of an older delivery, or of one that is not next, is an IllegalMove."""
    async with bench.open() as node:
        entry = await node.post()
        for attempt in (0, 2):
            said = await node.moved(entry, Move.DELIVER, attempt)
            await node.refused(said, IllegalMove, f"delivery {attempt} where 1 is next")
        await node.move(entry, Move.DELIVER, 1)
        await node.move(entry, Move.FAIL, 1)
        await node.refused(
            await node.moved(entry, Move.DELIVER, 1), IllegalMove, "delivery 1 after it has failed"
        )
        await node.move(entry, Move.DELIVER, 2)
        before = await node.got(entry)
        for what in (Move.RETURN, Move.FAIL, Move.ANSWER, Move.REFUSE):
            for attempt in (1, 3):
                said = await node.moved(entry, what, attempt)
                await node.refused(said, IllegalMove, f"{what.value} of delivery {attempt} during the second")
        bench.same("the ticket after that", before, await node.got(entry))
        nobody = Moved("nobody", Move.CANCEL, bench.now)
        error = await node.refused(nobody, UnknownTicket, "a move of a ticket that was never posted")
        bench.same("the ticket that an UnknownTicket names", "nobody", error.ticket_id)
