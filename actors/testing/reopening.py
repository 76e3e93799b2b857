"""Checks of a store: what outlives a node, and many who use it at once. A docstring is the promise."""

from __future__ import annotations

import attrs
import trio

from actors.delivery.errors import RecipientFull, StoreInUse
from actors.delivery.operations import Append, Handled, Save, Saved
from actors.delivery.store import Directory
from actors.delivery.ticket import Entry, Failure, Move, TicketState
from actors.testing.bench import Bench, Node, Snapshot

__all__ = [
    "keeps_all_over_a_crash",
    "keeps_all_over_reopening",
    "keeps_others_out",
    "leaves_in_hand_what_its_owner_has",
    "recovers_what_was_in_hand",
    "serves_many_at_once",
    "survives_cancelled_callers",
    "wait_for_lapse",
]

_LAPSE_LIMIT = 2.0
"""Seconds of real time within which a short lease has to lapse."""


async def wait_for_lapse(bench: Bench, directory: Directory, path: str, seconds: float) -> None:
    """Let the lease of the owner of a name run out, whichever clock the engine has for that."""
    bench.now += seconds + 0.01
    with trio.move_on_after(_LAPSE_LIMIT + seconds):
        # a server with a clock of its own says nothing when a lease lapses: it has to be asked
        while await directory.owner(path) is not None:  # noqa: ASYNC110
            await trio.sleep(0.02)
        return
    raise bench.fail(
        f"a lease of {seconds:g} s that nobody renews has not lapsed after {_LAPSE_LIMIT:g} s more"
    )


async def keeps_all_over_reopening(bench: Bench) -> None:
    """What was written is there when the store is opened again: order, keys, capacity and numbers too."""
    async with bench.open() as node:
        await _fill(node)
        before, entries = await node.snapshot(), await node.everything()
        line, feed = await node.line("/a"), await node.engine.changes(0, 1000)
        far = await node.engine.handled("far")
        keyed = await node.post("/c", key="k", payload='"last"')  # the last thing written before it closes
    async with bench.open() as node:
        bench.same("the last post before the store was closed", keyed, await node.engine.get(keyed.id))
        found = await node.snapshot()
        _check_snapshot(bench, before, attrs.evolve(found, entries=found.entries[:-1]), but=keyed.path)
        bench.same("tickets after reopening", [*entries, keyed], await node.everything())
        bench.same("the line after reopening", line, await node.line("/a"))
        changes = await node.engine.changes(0, 1000)
        bench.same("the feed after reopening", feed, changes[: len(feed)])
        bench.same("what was handled, after reopening", far, await node.engine.handled("far"))
        again = await node.say(Append(bench.entry("/c", key="k", payload='"last"'), 10))
        bench.same("a post with a key of before", keyed, again)
        await node.refused(
            Append(bench.entry("/a"), len(line)), RecipientFull, "a post to one that was full before"
        )
        last = await node.engine.last_change()
        new = await node.post("/c")
        bench.hold(new.seq > keyed.seq, "the place of a new ticket is before that of an older one")
        bench.same("the number of the next change", last + 1, await node.engine.last_change())
        bench.same("the line of old and new", [keyed.id, new.id], await node.line("/c"))


async def _fill(node: Node) -> None:
    """Something of everything, and nothing in hand."""
    bench = node.bench
    entries = [await node.post(priority=n % 2, due=bench.now + n) for n in range(6)]
    await node.move(entries[0], Move.DELIVER, 1)
    await node.move(entries[0], Move.FAIL, 1, failure=Failure(bench.now, 1, "E", "ouch 🐎", "trace"))
    await node.move(entries[1], Move.CANCEL)
    await node.move(entries[2], Move.DELIVER, 1)
    await node.move(
        entries[2], Move.ANSWER, 1, answer='"ž"', saved=Saved("/a", '"state"'), follow=bench.entry("/b")
    )
    await node.write(
        Save(Saved("/b", '"b"'), await node.own("/b")), Handled("far", "/b", bench.now, answer='"a"')
    )


def _check_snapshot(bench: Bench, before: Snapshot, after: Snapshot, but: str) -> None:
    bench.same("tickets that were there before", before.entries, after.entries)
    waiting = {path: count for path, count in after.waiting.items() if path != but}
    bench.same("live tickets of each recipient", before.waiting, waiting)
    bench.same("tickets that time out", (before.due, before.next_due), (after.due, after.next_due))
    bench.same("saved states", before.states, after.states)


async def keeps_all_over_a_crash(bench: Bench) -> None:
    """What was written is safe when the write returns: it is there though the store was never closed."""
    if bench.after_crash is None:
        return
    async with bench.open() as node:
        await _fill(node)
        for number in range(5):
            entry = await node.in_hand("/c", key=f"k{number}")
            await node.move(entry, Move.ANSWER, 1, answer="1", saved=Saved("/c", f'"{number}"'))
            before = await node.snapshot()
            entries = await node.everything()
            async with bench.opened(bench.after_crash(), "two") as other:
                bench.same("tickets after a crash", entries, await other.everything())
                bench.same("all else after a crash", before, await other.snapshot())


async def recovers_what_was_in_hand(bench: Bench) -> None:
    """What a node had in hand when it ended has failed once: it waits in its place again, or is DEAD."""
    lease = 1.5
    async with bench.open("one", lease=lease) as node:
        first = await node.in_hand()
        second = await node.post()
        last = await node.in_hand(max_attempts=1)
        late = await node.in_hand()
        await node.move(late, Move.TIME_OUT)
        twice = await node.in_hand("/a", priority=-1)
        await node.move(twice, Move.FAIL, 1, failure=Failure(bench.now, 1, "E", "ouch"))
        await node.move(twice, Move.DELIVER, 2)
        node.is_dead = True
        if bench.is_shared:
            async with bench.open("two") as other:
                await wait_for_lapse(bench, other.directory, "/a", lease)
                await _check_recovered(other, [first, second, twice], last, late)
    if not bench.is_shared:
        bench.now += 5
        async with bench.open("two") as other:
            await _check_recovered(other, [first, second, twice], last, late)


async def _check_recovered(node: Node, line: list[Entry], last: Entry, late: Entry) -> None:
    bench = node.bench
    bench.same("the line after the end of a node", [entry.id for entry in line], await node.line("/a"))
    attempts = [(await node.got(entry)).attempts for entry in line]
    bench.same("attempts after the end of a node, which count", [1, 0, 2], attempts)
    failures = (await node.got(line[2])).failures
    bench.same("failures of what was in hand for the second time", [1, 2], [one.attempt for one in failures])
    bench.same('the kind of a failure by the end of a node, which is ""', "", failures[-1].kind)
    dead, timed_out = await node.got(last), await node.got(late)
    bench.same("what was in hand for the last time", (TicketState.DEAD, 1), (dead.state, dead.attempts))
    bench.same("failures of what was in hand for the last time", 1, len(dead.failures))
    found = (timed_out.state, timed_out.working)
    bench.same("what was timed out and worked on", (TicketState.TIMED_OUT, False), found)
    await node.move(line[0], Move.DELIVER, 2)
    await node.move(line[0], Move.ANSWER, 2)


async def leaves_in_hand_what_its_owner_has(bench: Bench) -> None:
    """The same incarnation may open its store of one node again, and has in hand what it had."""
    if bench.is_shared:
        return
    store = bench.make()
    async with bench.opened(store, incarnation="same") as node:
        entry = await node.in_hand(max_attempts=1)
        before = await node.snapshot()
    async with bench.opened(store, incarnation="same") as node:
        bench.same("the store after its owner has opened it again", before, await node.snapshot())
        answered = await node.move(entry, Move.ANSWER, 1)
        bench.same("an answer after that", TicketState.RESPONDED, answered.state)
        lost = await node.in_hand(max_attempts=1)
    async with bench.opened(store, incarnation="another") as node:
        bench.same("what another finds in hand", TicketState.DEAD, (await node.got(lost)).state)


async def serves_many_at_once(bench: Bench) -> None:
    """Many tasks write at once: each write is whole, none is lost, and each sender's order is kept."""
    senders, posts = 40, 5
    written: list[list[Entry]] = []
    results: list[object] = []
    async with bench.open() as node:

        async def send() -> None:
            mine: list[Entry] = []
            written.append(mine)
            for _ in range(posts):
                mine.append(await node.post(key=f"k{bench.draw()}"))

        async def squeeze(path: str, key: str | None) -> None:
            results.append(await node.say(Append(bench.entry(path, key=key, payload="1"), 7)))

        async with trio.open_nursery() as nursery:
            for _ in range(senders):
                nursery.start_soon(send)
        line = await node.line("/a")
        bench.same("how many of all posts are there", senders * posts, len(set(line)))
        for mine in written:
            ids = [entry.id for entry in mine]
            bench.same("the order of one sender's posts", ids, [one for one in line if one in set(ids)])
        seqs = [entry.seq for entry in await node.everything()]
        bench.same("different places", len(seqs), len(set(seqs)))
        async with trio.open_nursery() as nursery:
            for _ in range(20):
                nursery.start_soon(squeeze, "/b", None)
        bench.same("posts at once that were taken, of a capacity of 7", 7, _taken(results))
        results.clear()
        async with trio.open_nursery() as nursery:
            for _ in range(20):
                nursery.start_soon(squeeze, "/c", "same")
        bench.same("posts at once with one key, none refused", 20, _taken(results))
        bench.same("tickets of one key", 1, len(await node.line("/c")))


def _taken(results: list[object]) -> int:
    return sum(isinstance(result, Entry) for result in results)


async def survives_cancelled_callers(bench: Bench) -> None:
    """A caller that is cancelled takes nothing with it: a shielded write is written, and others go on."""
    done: list[Entry] = []
    async with bench.open() as node:

        async def write(scope: trio.CancelScope) -> None:
            with scope, trio.CancelScope(shield=True):
                done.append(await node.post())

        async def read(scope: trio.CancelScope) -> None:
            with scope:
                while True:
                    await node.engine.find()
                    await node.engine.take("/b", 1, token=await node.own("/b"))

        await node.own("/b")
        for _ in range(5):
            async with trio.open_nursery() as nursery:
                scopes = [trio.CancelScope() for _ in range(6)]
                for index, scope in enumerate(scopes):
                    nursery.start_soon(write if index % 2 else read, scope)
                await node.post()
                for scope in scopes:
                    scope.cancel()
        bench.same("writes under a shield that came to their end", 15, len(done))
        bench.same("tickets of cancelled and other callers", 20, len(await node.line("/a")))


async def keeps_others_out(bench: Bench) -> None:
    """A store of one node is not opened by two at once: StoreInUse."""
    if bench.is_shared:
        return
    async with bench.open("one") as node:
        await node.post()
        try:
            async with bench.open("two"):
                raise bench.fail("a second node has opened it")
        except StoreInUse:
            pass
        await node.post()
    async with bench.open("two") as node:
        bench.same("tickets after another was kept out", 2, len(await node.line("/a")))
