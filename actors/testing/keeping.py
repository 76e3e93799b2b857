"""Checks of a store: what else is written with tickets, and what is read. A docstring is the promise."""

from __future__ import annotations

import attrs
import trio

from actors.delivery.errors import IllegalMove, RecipientFull, UnknownTicket
from actors.delivery.operations import Append, Drop, Handled, Moved, Operation, Prune, Redeliver, Save, Saved
from actors.delivery.ticket import ENDED, Entry, Failure, Move, Standing, TicketState
from actors.testing.bench import Bench, Node, unplaced

__all__ = [
    "changes_nothing_twice",
    "drops_and_redelivers",
    "finds_by_place",
    "finds_states_by_path",
    "keeps_a_feed",
    "keeps_state_with_the_move",
    "keeps_ten_thousand_changes",
    "knows_what_is_due",
    "posts_what_follows",
    "prunes_what_ended",
    "remembers_what_was_handled",
    "wakes_who_waits_for_a_change",
    "writes_groups_in_order",
]

_WAKE_LIMIT = 5.0
"""Seconds within which a change has to be noticed."""


async def keeps_state_with_the_move(bench: Bench) -> None:
    """State is kept in one step with the move that brings it, also of a ticket cancelled meanwhile."""
    async with bench.open() as node:
        bench.same("the state of an actor that saved none", None, await node.engine.load("/a"))
        entry = await node.in_hand()
        await node.move(entry, Move.ANSWER, 1, saved=Saved("/a", '"one"'))
        bench.same("state saved with an answer", '"one"', await node.engine.load("/a"))
        late = await node.moved(entry, Move.REFUSE, 1, saved=Saved("/a", '"never"'))
        await node.refused(late, IllegalMove, "a refusal of an answered ticket")
        bench.same("state after a move that was refused", '"one"', await node.engine.load("/a"))
        entry = await node.in_hand()
        await node.move(entry, Move.CANCEL)
        late = await node.moved(entry, Move.ANSWER, 1, saved=Saved("/a", '"two"'))
        await node.refused(late, IllegalMove, "an answer to a cancelled ticket")
        bench.same(
            "state saved with a ticket that was cancelled meanwhile", '"two"', await node.engine.load("/a")
        )
        entry = await node.in_hand()
        await node.move(entry, Move.FAIL, 1, saved=Saved("/a", '"three"'))
        await node.write(Save(Saved("/b", '"žluť 🐎"'), await node.own("/b")))
        bench.same("state saved with a failure", '"three"', await node.engine.load("/a"))
        bench.same("state saved without a ticket", '"žluť 🐎"', await node.engine.load("/b"))
        await node.write(Save(Saved("/a", None), await node.own("/a")))
        bench.same("state that was forgotten", None, await node.engine.load("/a"))
        bench.same("state of another", '"žluť 🐎"', await node.engine.load("/b"))


async def finds_states_by_path(bench: Bench) -> None:
    """The saved states below a path are found in the order of paths, also those of names that nobody owns."""
    paths = [f"/x/{name}" for name in ("", "Z", "a", "a/b", "a_c", "abc", "ab%", "a*", "a[b]", "ž", "🐎")]
    others = ["/x", "/x0", "/x.", "/y/a", "/X/a", "/"]
    async with bench.open() as node:
        bench.same("the saved states of an empty store", [], await node.engine.states(""))
        everything = sorted(paths + others)
        await node.write(*(Save(Saved(path, f'"{path}"')) for path in reversed(everything)))
        for below in ("/x/", "", "/x", "/x/a", "/x/a_", "/x/ab%", "/x/a*", "/x/a[b]", "/x/🐎", "/nobody/"):
            wanted = [Saved(path, f'"{path}"') for path in everything if path.startswith(below)]
            bench.same(f"the states below {below!r}", wanted, await node.engine.states(below))
        await node.write(Save(Saved("/x/a", None)), Save(Saved("/x/ž", '"new"')))
        kept = [Saved(path, '"new"' if path == "/x/ž" else f'"{path}"') for path in paths if path != "/x/a"]
        kept.sort(key=lambda saved: saved.path)
        bench.same("the states after one was forgotten", kept, await node.engine.states("/x/"))
        many = sorted(f"/many/{number}" for number in range(1001))
        await node.write(*(Save(Saved(path, "1")) for path in many))
        found = await node.engine.states("/many/")
        bench.same("the paths of 1,001 states", many, [saved.path for saved in found])
    async with bench.open() as node:
        bench.same("the states after opening again", kept, await node.engine.states("/x/"))


async def posts_what_follows(bench: Bench) -> None:
    """What follows a move is posted with it, once, also over the capacity; with a refused move it is not."""
    async with bench.open() as node:
        entry = await node.in_hand()
        await node.post("/b", capacity=1)
        follow = bench.entry("/b", answers=entry.id, priority=1)
        said = await node.moved(entry, Move.ANSWER, 1, answer='"a"', follow=follow)
        first, second = await node.write(said, said)
        bench.same("a move with what follows, written twice", first, second)
        found = await node.got(follow)
        bench.same("what follows a move", follow, attrs.evolve(unplaced(found), changed=follow.changed))
        bench.same("the line with what follows", follow.id, (await node.line("/b"))[0])
        bench.same("live tickets with what follows", {"/b": 2}, dict(await node.engine.waiting()))
        await node.refused(
            Append(bench.entry("/b"), 2), RecipientFull, "a post to a recipient that follows filled"
        )
        refused = bench.entry("/b")
        late = await node.moved(entry, Move.REFUSE, 1, follow=refused)
        await node.refused(late, IllegalMove, "a refusal of an answered ticket")
        bench.same("what would have followed a refused move", None, await node.engine.get(refused.id))
        keyed = await node.post("/c", key="k")
        other = await node.in_hand()
        await node.move(other, Move.ANSWER, 1, follow=bench.entry("/c", key="k"))
        bench.same("what follows with a key that is there", [keyed.id], await node.line("/c"))


async def knows_what_is_due(bench: Bench) -> None:
    """The live tickets with a timeout are found, the soonest first."""
    now = bench.now
    async with bench.open() as node:
        bench.same("the next timeout where there is none", None, await node.engine.next_due())
        entries = [await node.post(due=due) for due in (now + 3, now + 1, None, now + 2, now + 2.5)]
        bench.same("the next timeout", now + 1, await node.engine.next_due())
        await _check_due(node, now + 2, [entries[1], entries[3]])
        await _check_due(node, now + 0.999, [])
        first = await node.engine.due(now + 10, 1)
        bench.same("the soonest timeout", [entries[1].id], [entry.id for entry in first])
        await node.move(entries[1], Move.DELIVER, 1)
        await _check_due(node, now + 1, [entries[1]])
        await node.move(entries[1], Move.TIME_OUT)
        bench.same("the next timeout after one has timed out", now + 2, await node.engine.next_due())
        await node.move(entries[3], Move.CANCEL)
        await _check_due(node, now + 10, [entries[4], entries[0]])


async def _check_due(node: Node, before: float, expected: list[Entry]) -> None:
    found = [(entry.id, entry.due, entry.state) for entry in await node.engine.due(before, 100)]
    wanted = [(entry.id, entry.due, (await node.got(entry)).state) for entry in expected]
    node.bench.same(f"tickets that time out within {before - node.bench.now:g} s", wanted, found)


async def finds_by_place(bench: Bench) -> None:
    """Tickets are found by state and recipient, by their places, page by page."""
    async with bench.open() as node:
        bench.same("tickets of an empty store", [], await node.engine.find())
        entries = [await node.post("/b" if n % 3 == 0 else "/a", priority=n % 2) for n in range(9)]
        for entry in entries[::2]:
            await node.move(entry, Move.CANCEL)
        kept = [await node.got(entry) for entry in entries]
        cancelled, pending = {TicketState.CANCELLED}, {TicketState.PENDING}
        bench.same("find of all", kept, await node.engine.find())
        bench.same("find of a state", kept[::2], await node.engine.find(states=cancelled))
        bench.same("find of two states", kept, await node.engine.find(states=cancelled | pending))
        bench.same("find of a state that none has", [], await node.engine.find(states={TicketState.DEAD}))
        bench.same("find of a recipient", kept[::3], await node.engine.find(path="/b"))
        both = await node.engine.find(path="/b", states=cancelled)
        bench.same("find of a recipient and state", kept[::6], both)
        bench.same("find of the first three", kept[:3], await node.engine.find(limit=3))
        after = kept[2].seq
        bench.same("find after the third", kept[3:], await node.engine.find(after=after))
        page = await node.engine.find(after=after, states=cancelled, limit=2)
        bench.same("a page of a state", [kept[4], kept[6]], page)
        bench.same("find of a recipient that has none", [], await node.engine.find(path="/nobody"))


async def keeps_a_feed(bench: Bench) -> None:
    """Every change of a state has the next number, and who resumes after a number misses none."""
    async with bench.open() as node:
        bench.same("the newest change of an empty store", 0, await node.engine.last_change())
        bench.same("the changes of an empty store", [], await node.engine.changes(0, 10))
        entry = await node.post()
        expected = [(entry, TicketState.PENDING, 0)]
        for what, attempt in [(Move.DELIVER, 1), (Move.FAIL, 1), (Move.DELIVER, 2), (Move.TIME_OUT, None)]:
            said = await node.moved(entry, what, attempt)
            await node.write(said, said)
            now = await node.got(entry)
            expected.append((entry, now.state, now.attempts))
        follow = bench.entry("/b")
        await node.move(entry, Move.ANSWER, 2, follow=follow)
        expected += [(entry, TicketState.RESPONDED, 2), (follow, TicketState.PENDING, 0)]
        await node.refused(
            await node.moved(entry, Move.CANCEL), IllegalMove, "a cancellation of an answered one"
        )
        changes = await node.engine.changes(0, 100)
        bench.same(
            "numbers of the changes", list(range(1, len(expected) + 1)), [one.number for one in changes]
        )
        found = [(one.id, one.path, one.state, one.attempts) for one in changes]
        wanted = [(one.id, one.path, state, attempts) for one, state, attempts in expected]
        bench.same("the changes of two tickets", wanted, found)
        bench.same("the newest change", len(expected), await node.engine.last_change())
        for after in range(len(expected) + 1):
            rest = await node.engine.changes(after, 2)
            bench.same(f"two changes after change {after}", changes[after : after + 2], rest)


async def wakes_who_waits_for_a_change(bench: Bench) -> None:
    """Who waits for a change goes on when there is one after the number that it knows, and not before."""
    woken: list[int] = []
    async with bench.open() as node:

        async def wait(after: int) -> None:
            await node.engine.wait_change(after)
            woken.append(after)

        await node.post()
        with trio.fail_after(_WAKE_LIMIT):
            await node.engine.wait_change(0)
        async with trio.open_nursery() as nursery:
            for after in (1, 1, 2):
                nursery.start_soon(wait, after)
            for _ in range(3):  # one that wakes them at once has done so by then
                await node.engine.last_change()
            bench.same("who was woken before there was a change", [], woken)
            for expected in ([1, 1], [1, 1, 2]):
                await node.post()
                await _grown(bench, woken, expected)
            nursery.start_soon(wait, 3)
            await node.engine.last_change()
            nursery.cancel_scope.cancel()
        await node.post()
        bench.same("who was woken in the end", [1, 1, 2], woken)


async def _grown(bench: Bench, woken: list[int], expected: list[int]) -> None:
    """Wait until as many were woken."""
    with trio.move_on_after(_WAKE_LIMIT):
        while len(woken) < len(expected):  # noqa: ASYNC110  # the engine wakes them, whenever it does
            await trio.sleep(0.005)
    bench.same(f"who was woken within {_WAKE_LIMIT:g} s of a change", expected, woken)


async def keeps_ten_thousand_changes(bench: Bench) -> None:
    """The feed keeps at least the last 10,000 changes; its first number shows where older ones are gone."""
    groups, size = 15, 1000
    async with bench.open() as node:
        for _ in range(groups):
            await node.write(*(Append(bench.entry("/c"), groups * size) for _ in range(size)))
        last = await node.engine.last_change()
        bench.same("the number of the newest change", groups * size, last)
        numbers = [change.number for change in await node.engine.changes(0, groups * size)]
        bench.hold(bool(numbers), "no change is kept")
        bench.same("numbers of the changes that are kept", list(range(numbers[0], last + 1)), numbers)
        bench.hold(len(numbers) >= 10_000, f"of {last} changes only {len(numbers)} are kept")
        resumed = await node.engine.changes(last - 9_990, 5)
        numbers = [change.number for change in resumed]
        bench.same("changes after one of long ago", list(range(last - 9_989, last - 9_984)), numbers)


async def prunes_what_ended(bench: Bench) -> None:
    """Prune takes what ended before, of its states, up to its limit; never a live or worked-on ticket."""
    async with bench.open() as node:
        pending = await node.post(due=bench.now + 9)
        delivered = await node.in_hand()
        working = await node.in_hand()
        await node.move(working, Move.TIME_OUT)
        ended = [await node.post(key=f"k{n}", payload="1") for n in range(4)]
        for entry in ended[:3]:
            await node.move(entry, Move.CANCEL)
        await node.write(Handled("far", "/a", bench.now))
        bench.now += 10
        await node.move(ended[3], Move.CANCEL)
        later, every = bench.now + 1, frozenset(TicketState)
        before = await node.snapshot()
        bench.same("pruned of another state", 0, await _pruned(node, Prune(ended[0].posted, every)))
        bench.same("the store after pruning nothing", before, await node.snapshot())
        bench.same("pruned with a limit", 2, await _pruned(node, Prune(bench.now, every, 2)))
        bench.same("pruned at last", 2, await _pruned(node, Prune(bench.now, every)))
        bench.same("pruned once more", 0, await _pruned(node, Prune(bench.now, every)))
        kept = [entry.id for entry in await node.everything()]
        bench.same("kept after pruning", [pending.id, delivered.id, working.id, ended[3].id], kept)
        bench.same("a ticket that was pruned", None, await node.engine.get(ended[0].id))
        bench.same("what was handled, pruned", None, await node.engine.handled("far"))
        bench.same(
            "pruned of a state that none has",
            0,
            await _pruned(node, Prune(later, frozenset({TicketState.DEAD}))),
        )
        cancelled = frozenset({TicketState.CANCELLED, TicketState.PENDING})
        bench.same("pruned of its state", 1, await _pruned(node, Prune(later, cancelled)))
        anew = await node.post(key="k0", payload="2")
        bench.hold(anew.id != ended[0].id, "the key of a pruned ticket is taken still")


async def _pruned(node: Node, operation: Prune) -> object:
    return await node.say(operation)


async def drops_and_redelivers(bench: Bench) -> None:
    """An ended ticket can be dropped; a dead one is posted anew, once, as a new ticket in its stead."""
    async with bench.open() as node:
        live, dead = (
            await node.post(),
            await node.in_hand(max_attempts=1, key="k", priority=2, sender="/s", hops=2),
        )
        await node.refused(Drop(live.id), IllegalMove, "dropping a live ticket")
        await node.refused(Redeliver(live.id, bench.entry()), IllegalMove, "redelivering a live ticket")
        await node.refused(Drop("nobody"), UnknownTicket, "dropping what is not there")
        await node.refused(
            Redeliver("nobody", bench.entry()), UnknownTicket, "redelivering what is not there"
        )
        await node.move(dead, Move.FAIL, 1, failure=Failure(bench.now, 1, "E", "ouch"))
        bench.now += 5
        new = bench.entry(payload="null")
        first = await node.say(Redeliver(dead.id, new))
        wanted = attrs.evolve(unplaced(dead), id=new.id, posted=bench.now, changed=bench.now)
        bench.same(
            "a dead letter, redelivered", wanted, unplaced(first) if isinstance(first, Entry) else first
        )
        before = await node.snapshot()
        bench.same("a redelivery, written again", first, await node.say(Redeliver(dead.id, new)))
        bench.same("the store after that", before, await node.snapshot())
        bench.same("a dead letter after its redelivery", None, await node.engine.get(dead.id))
        bench.same("the line with what is redelivered", [new.id, live.id], await node.line("/a"))
        key = await node.say(Append(bench.entry(key="k", payload=dead.payload), 10))
        bench.same("a post with the key of what was redelivered", first, key)
        worked = await node.in_hand("/b")
        await node.move(worked, Move.TIME_OUT)
        await node.refused(Drop(worked.id), IllegalMove, "dropping a timed out ticket that is worked on")
        await node.move(worked, Move.ANSWER, 1)
        await node.refused(
            Redeliver(worked.id, bench.entry()), IllegalMove, "redelivering an answered ticket"
        )
        bench.same("what Drop comes to", None, await node.say(Drop(worked.id)))
        bench.same("a ticket that was dropped", None, await node.engine.get(worked.id))
        await node.move(live, Move.CANCEL)
        await node.write(Drop(live.id))
        bench.same("kept at the end", [new.id], [entry.id for entry in await node.everything()])


async def remembers_what_was_handled(bench: Bench) -> None:
    """What was handled for another node is kept as it was said first, with its state, until it is pruned."""
    async with bench.open() as node:
        bench.same("a ticket that was not handled here", None, await node.engine.handled("far"))
        first = Handled("far", "/a", bench.now, answer='"a 🐎"', saved=Saved("/a", '"one"'))
        bench.same("what Handled comes to", None, await node.say(first))
        await _check_handled(node, first)
        bench.same("state saved with it", '"one"', await node.engine.load("/a"))
        await node.write(Save(Saved("/a", '"two"'), await node.own("/a")))
        await node.write(first, Handled("far", "/a", bench.now + 1, answer='"another"'))
        await _check_handled(node, first)
        bench.same("state after it was said again", '"two"', await node.engine.load("/a"))
        failed = Handled("bad", "/b", bench.now, failure=Failure(bench.now, 1, "E", "ouch", "trace"))
        await node.write(failed)
        await _check_handled(node, failed)
        bench.same("tickets here of what is kept elsewhere", [], await node.everything())


async def _check_handled(node: Node, said: Handled) -> None:
    found = await node.engine.handled(said.id)
    plain = None if found is None else attrs.evolve(found, saved=None)  # it is not asked for again
    node.bench.same("what was handled", attrs.evolve(said, saved=None), plain)


async def writes_groups_in_order(bench: Bench) -> None:
    """A group is written in its order, one result each, and what is refused in it hinders no other."""
    async with bench.open() as node:
        bench.same("the results of an empty group", [], await node.write())
        entry, over = bench.entry(), bench.entry()
        token = await node.own("/a")
        results = await node.write(
            Append(entry, 1),
            Append(over, 1),
            Moved(entry.id, Move.DELIVER, bench.now, 1, token=token),
            Moved(entry.id, Move.ANSWER, bench.now, 1, answer='"a"', saved=Saved("/a", '"s"'), token=token),
            Moved(entry.id, Move.FAIL, bench.now, 1, token=token),
            Append(over, 1),
            Drop(entry.id),
            Save(Saved("/b", '"t"'), await node.own("/b")),
        )
        kinds = [type(result) for result in results]
        nothing = type(None)
        expected = [Entry, RecipientFull, Standing, Standing, IllegalMove, Entry, nothing, nothing]
        bench.same("results of a group", expected, kinds)
        bench.same("kept after the group", [over.id], [one.id for one in await node.everything()])
        bench.same(
            "state of the group", ('"s"', '"t"'), (await node.engine.load("/a"), await node.engine.load("/b"))
        )


async def changes_nothing_twice(bench: Bench) -> None:
    """An operation that is written twice changes nothing the second time."""
    async with bench.open() as node:
        token = await node.own("/a")
        dead = await node.in_hand(max_attempts=1)
        await node.move(dead, Move.FAIL, 1)
        entry = bench.entry(key="k", due=bench.now + 60)
        failure = Failure(bench.now, 1, "E", "ouch")

        def moved(what: Move, attempt: int, follow: Entry | None = None) -> Moved:
            saved = Saved("/a", f'"{what.value} {attempt}"')
            return Moved(
                entry.id, what, bench.now, attempt, failure=failure, saved=saved, follow=follow, token=token
            )

        program: list[Operation] = [
            Append(entry, 10),
            moved(Move.DELIVER, 1),
            moved(Move.RETURN, 1),
            moved(Move.DELIVER, 1),
            moved(Move.FAIL, 1),
            moved(Move.DELIVER, 2),
            Moved(entry.id, Move.TIME_OUT, bench.now),
            moved(Move.ANSWER, 2, bench.entry("/b")),
            Save(Saved("/c", '"state"'), await node.own("/c")),
            Handled("far", "/b", bench.now, answer='"a"', saved=Saved("/b", '"state"')),
            Redeliver(dead.id, bench.entry()),
            Drop(entry.id),
            Prune(bench.now + 1, ENDED),
        ]
        for operation in program:
            first = await node.say(operation)
            before = await node.snapshot()
            second = await node.say(operation)
            bench.same(f"the store after {operation} twice", before, await node.snapshot())
            if not isinstance(operation, Drop | Prune):
                bench.same(f"what {operation} comes to the second time", first, second)
