"""Checks of a shared store: names, leases, tokens and signals among nodes. A docstring is the promise."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

import trio

from actors.delivery.errors import NotTheOwner
from actors.delivery.operations import Save, Saved
from actors.delivery.store import Arrived, Changed, Resumed, Signal
from actors.delivery.ticket import Entry, Move, TicketState
from actors.testing.bench import Bench, Node
from actors.testing.reopening import wait_for_lapse

__all__ = [
    "frees_the_names_of_an_earlier_incarnation",
    "frees_what_nobody_renews",
    "gives_each_ticket_once",
    "gives_names_to_one",
    "refuses_old_tokens",
    "shows_all_to_every_node",
    "signals_other_nodes",
    "tells_of_what_the_lapsed_lost",
]

_SIGNAL_LIMIT = 5.0
"""Seconds within which a signal has to come."""


async def shows_all_to_every_node(bench: Bench) -> None:
    """What one node has written every other sees, and one order holds for all."""
    async with bench.open("one") as one, bench.open("two") as two:
        entries = [await (one if n % 2 else two).post() for n in range(6)]
        bench.same("tickets that two nodes have posted", [e.id for e in entries], await two.line("/a"))
        bench.same("tickets, seen from both", await one.everything(), await two.everything())
        await one.move(entries[0], Move.CANCEL)
        bench.same(
            "a ticket that the other has cancelled", "cancelled", (await two.got(entries[0])).state.value
        )
        bench.same(
            "the feed, seen from both", await one.engine.changes(0, 99), await two.engine.changes(0, 99)
        )
        await two.move(entries[1], Move.DELIVER, 1)
        bench.same("live tickets, seen from the other", {"/a": 5}, dict(await one.engine.waiting()))


async def gives_names_to_one(bench: Bench) -> None:
    """A name belongs to one node at a time, and each change of its owner brings a higher token."""
    async with bench.open("one") as one, bench.open("two") as two:
        bench.same("the owner of a name that nobody has claimed", None, await one.directory.owner("/a"))
        first = await one.directory.claim("/a")
        bench.same("the owner of a free name that was claimed", "one", first.node)
        bench.same("a claim that is made again", first, await one.directory.claim("/a"))
        bench.same("a claim of another's name", first, await two.directory.claim("/a"))
        await two.directory.release("/a")
        bench.same("the owner after another has released the name", first, await two.directory.owner("/a"))
        await one.directory.release("/a")
        await one.directory.release("/a")
        bench.same("the owner of a name that was released", None, await two.directory.owner("/a"))
        second = await two.directory.claim("/a")
        bench.same("the owner of a name that was free again", "two", second.node)
        bench.hold(
            second.token > first.token, f"the token of a new owner is not higher: {first}, then {second}"
        )
        await two.directory.release("/a")
        third = await two.directory.claim("/a")
        bench.hold(
            third.token > second.token, f"the token of a later claim is not higher: {second}, then {third}"
        )
        claims: dict[str, set[object]] = {f"/n{number}": set() for number in range(10)}

        async def claim(node: Node, path: str) -> None:
            claims[path].add(await node.directory.claim(path))

        async with trio.open_nursery() as nursery:
            for path in claims:
                for node in (one, two, one, two):
                    nursery.start_soon(claim, node, path)
        for path, owners in claims.items():
            bench.same(f"owners of {path}, claimed by two nodes at once", 1, len(owners))
            await one.directory.release(path)
            await two.directory.release(path)


async def refuses_old_tokens(bench: Bench) -> None:
    """What a node says with the token of a name that is another's by now does not count: NotTheOwner."""
    async with bench.open("one") as one, bench.open("two") as two:
        entry = await one.in_hand()
        old = await one.own("/a")
        await one.release()
        new = await two.own("/a")
        before = await two.snapshot()
        for what in (Move.ANSWER, Move.FAIL, Move.REFUSE, Move.RETURN):
            follow, saved = bench.entry("/b"), Saved("/a", '"old"')
            said = await two.moved(entry, what, 1, token=old, saved=saved, follow=follow)
            await one.refused(said, NotTheOwner, f"{what.value} with an old token")
        deliver = await two.moved(entry, Move.DELIVER, 2, token=old)
        await one.refused(deliver, NotTheOwner, "deliver with an old token")
        await one.refused(Save(Saved("/a", '"old"'), old), NotTheOwner, "saving state with an old token")
        bench.same("the store after writes with an old token", before, await two.snapshot())
        try:
            await one.engine.take("/a", 10, token=old)
        except NotTheOwner:
            pass
        else:
            raise bench.fail("take with an old token gives tickets")
        bench.same("what was in hand when the name was given up", [entry.id], await two.line("/a"))
        bench.same("the failed delivery of the old owner", 1, (await two.got(entry)).attempts)
        await two.move(entry, Move.DELIVER, 2, token=new)
        await two.move(entry, Move.ANSWER, 2, token=new, saved=Saved("/a", '"new"'))
        cancelled = await two.in_hand()
        await one.move(cancelled, Move.CANCEL)
        late = await two.moved(cancelled, Move.ANSWER, 1, token=old, saved=Saved("/a", '"old"'))
        await one.refused(late, NotTheOwner, "an answer to a cancelled ticket with an old token")
        bench.same("state after all that", '"new"', await two.engine.load("/a"))


async def frees_what_nobody_renews(bench: Bench) -> None:
    """A node owns its names for as long as it renews its lease; then they are free, and `renew` says so."""
    lease, asked = 1.0, trio.current_time()
    async with bench.open("one", lease=lease) as one, bench.open("two") as two:
        first = await one.directory.claim("/a")
        for _ in range(8):
            await trio.sleep(lease / 5)
            bench.now += lease / 5
            before, asked = asked, trio.current_time()
            kept = await one.directory.renew()
            if trio.current_time() - before >= lease:
                return  # this machine was too slow to renew in time: nothing can be said
            bench.hold(kept, "a lease was renewed in time, and has lapsed nevertheless")
            bench.same("the owner that renews its lease", first, await two.directory.owner("/a"))
            bench.same("a claim of what another renews", first, await two.directory.claim("/a"))
        await wait_for_lapse(bench, two.directory, "/a", lease)
        second = await two.directory.claim("/a")
        bench.same("the owner of a name whose lease has lapsed", "two", second.node)
        bench.hold(
            second.token > first.token, f"the token of a new owner is not higher: {first}, then {second}"
        )
        other = await one.directory.claim("/b")
        bench.same("a claim of a free name after a lapse", "one", other.node)
        bench.same("renew after the lease has lapsed", False, await one.directory.renew())
        bench.same("renew once it was told", True, await one.directory.renew())
        bench.same("a claim by the node that has lost the name", second, await one.directory.claim("/a"))
        await two.directory.release("/a")
        await one.directory.release("/b")


async def frees_the_names_of_an_earlier_incarnation(bench: Bench) -> None:
    """A node that starts again has its names at once, and its earlier incarnation has them no more."""
    async with bench.open("one") as old, bench.open("one") as new, bench.open("two") as two:
        entry = await old.in_hand()
        first = await old.directory.claim("/a")
        second = await new.directory.claim("/a")
        bench.hold(second.token > first.token, f"the token of a new incarnation: {first}, then {second}")
        bench.same("the node of a name that its next incarnation has claimed", "one", second.node)
        late = await old.moved(entry, Move.ANSWER, 1, token=first.token)
        await old.refused(late, NotTheOwner, "an answer of an earlier incarnation")
        bench.same("what the earlier one had in hand", 1, (await two.got(entry)).attempts)
        bench.same("the line of the new one", [entry.id], await new.line("/a"))
        bench.same("the owner, for others", second, await two.directory.claim("/a"))
        older = await old.directory.claim("/a")
        bench.hold(
            older.node != "one", "an earlier incarnation claims a name of the next one, and is told it has it"
        )
        old.tokens.clear()


async def gives_each_ticket_once(bench: Bench) -> None:
    """Take gives each ticket to its owner once, all of them where it asks again, and to a new owner anew."""
    async with bench.open("one") as one, bench.open("two") as two:
        entries = [await two.post() for _ in range(5)]
        ids = [entry.id for entry in entries]
        bench.same("the first two that are taken", ids[:2], _ids(await one.take("/a", 2, again=False)))
        bench.same("the rest", ids[2:], _ids(await one.take("/a", 10, again=False)))
        bench.same("what is left to take", [], _ids(await one.take("/a", 10, again=False)))
        new = await two.post()
        bench.same("what came since", [new.id], _ids(await one.take("/a", 10, again=False)))
        bench.same("all, asked for again", [*ids, new.id], _ids(await one.take("/a", 10, again=True)))
        await one.release()
        bench.same("all, for a new owner", [*ids, new.id], _ids(await two.take("/a", 10, again=False)))


def _ids(entries: list[Entry]) -> list[str]:
    return [entry.id for entry in entries]


Act = Callable[[], Awaitable[Signal]]
"""Does something, and says what signal has to come of it."""
Hears = Callable[[str, Act], Awaitable[None]]


@asynccontextmanager
async def _ears(node: Node) -> AsyncGenerator[Hears]:
    """Listen to a node's signals; gives a function that acts and waits for what has to come of it."""
    send, receive = trio.open_memory_channel[Signal](10_000)

    async def listen() -> None:
        async for signal in node.engine.signals():
            send.send_nowait(signal)

    async def hears(what: str, act: Act) -> None:
        wanted = await act()
        with trio.move_on_after(_SIGNAL_LIMIT):
            async for signal in receive:
                if signal == wanted:
                    return
                if isinstance(signal, Resumed):  # it may have been among those that were lost
                    wanted = await act()
        raise node.bench.fail(f"no {wanted} within {_SIGNAL_LIMIT:g} s of {what}")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(listen)
        yield hears
        nursery.cancel_scope.cancel()


async def signals_other_nodes(bench: Bench) -> None:
    """A node hears of what arrives for its names, and of tickets that it has posted or asked after."""
    async with bench.open("one") as one, bench.open("two") as two:
        await one.own("/a")
        await two.own("/b")

        async def post() -> Signal:
            entry = await two.post("/a", node="two", priority=3)
            return Arrived(entry.path, 3)

        async def answer() -> Signal:
            entry = await two.post("/a", node="two")
            await one.move(entry, Move.DELIVER, 1)
            await one.move(entry, Move.ANSWER, 1, answer='"a"')
            return Changed(entry.id, TicketState.RESPONDED)

        async def cancel() -> Signal:
            entry = await one.post("/a", node="one")
            await two.got(entry)
            await one.move(entry, Move.CANCEL)
            return Changed(entry.id, TicketState.CANCELLED)

        async def follow() -> Signal:
            entry = await one.in_hand("/a", node="one")
            await one.move(entry, Move.ANSWER, 1, follow=bench.entry("/b", priority=7))
            return Arrived("/b", 7)

        async def give_up() -> Signal:
            await one.own("/c")
            await two.directory.claim("/c")
            await one.release()
            return Arrived("/c")

        async with _ears(one) as one_hears, _ears(two) as two_hears:
            await one_hears("a post of another node to a name of this one", post)
            await two_hears("another node's answer to a ticket of this one", answer)
            await two_hears("a change by another node of a ticket that this one has asked after", cancel)
            await two_hears("what follows a move of another node, to a name of this one", follow)
            await two_hears("a name given up that this node was refused", give_up)


async def tells_of_what_the_lapsed_lost(bench: Bench) -> None:
    """Who has posted a ticket hears of its end when the node of its recipient has lapsed with it."""
    lease = 1.5
    async with bench.open("one", lease=lease) as one, bench.open("two") as two, bench.open("three") as three:

        async def lapse() -> Signal:
            entry = await two.post("/a", node="two", max_attempts=1)
            await one.move(entry, Move.DELIVER, 1)
            await wait_for_lapse(bench, three.directory, "/a", lease)
            await three.own("/a")
            await three.release()  # for another turn
            one.tokens.clear()
            return Changed(entry.id, TicketState.DEAD)

        async with _ears(two) as two_hears:
            await two_hears("the end of the last delivery with the node that made it", lapse)
        one.is_dead = True
