"""The check of stores: every engine passes it, and it finds each promise that is broken."""

from __future__ import annotations

import copy
import functools
import shutil
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from actors.delivery import MemoryStore, SQLiteStore
from actors.delivery.store import Store
from actors.testing import STORE_CHECKS, ConformanceError, check_store
from actors.testing.stores import CHECKS_OF_SHARED
from tests.delivery import broken as b
from tests.delivery import broken_shared as bs
from tests.delivery.broken import Broken, BrokenStore, broken
from tests.delivery.redis_server import RedisServer, redis_server

__all__ = ["redis_server"]

OF_SHARED = {check.__name__ for check in CHECKS_OF_SHARED}
ALONE = sorted(set(STORE_CHECKS) - OF_SHARED)
SHARED = sorted(set(STORE_CHECKS) - {"keeps_others_out"})


def crashed(store: MemoryStore, shared: bool = False) -> MemoryStore:
    """A store with a copy of what is in another."""
    found = MemoryStore(shared=shared)
    for name, value in vars(store.shelf).items():
        setattr(found.shelf, name, value if callable(value) else copy.deepcopy(value))
    return found


@pytest.mark.parametrize(
    ("check", "shared"), [(check, False) for check in ALONE] + [(check, True) for check in SHARED]
)
async def test_the_store_in_memory_keeps_every_promise(
    check: str, shared: bool, autojump_clock: object
) -> None:
    stores = functools.cache(lambda name: MemoryStore(shared=shared))

    def after_crash(name: str) -> Store:
        return crashed(stores(name), shared)

    await check_store(stores, after_crash=after_crash, only=check, seeds=10)


@pytest.mark.parametrize("check", ALONE)
async def test_the_store_in_a_file_keeps_every_promise(check: str, tmp_path: Path) -> None:
    copies = count()

    def make(name: str) -> Store:
        return SQLiteStore(tmp_path / f"{name}.db")

    def after_crash(name: str) -> Store:
        copied = f"copy_{next(copies)}"
        for end in (".db", ".db-wal"):
            if (tmp_path / f"{name}{end}").exists():
                shutil.copy(tmp_path / f"{name}{end}", tmp_path / f"{copied}{end}")
        return make(copied)

    await check_store(make, after_crash=after_crash, only=check, seeds=3)


@pytest.mark.parametrize("check", SHARED)
async def test_the_store_on_a_server_keeps_every_promise(check: str, redis_server: RedisServer) -> None:
    """What a crash of the server leaves is for tests that kill it; here another connection looks."""

    def make(name: str) -> Store:
        return redis_server.store(f"conformance_{name}")

    await check_store(make, after_crash=make, only=check, seeds=2)


BREAKS: list[tuple[type[Broken], str]] = [
    (b.LosesAnAppend, "the line of what one group has posted"),
    (b.AcknowledgesBeforeCommit, "What was written is there when the store is opened again"),
    (b.Reorders, "Tickets come by priority, then in the order of receipts"),
    (b.PutsFailedOnesLast, "also after a failed delivery or a return"),
    (b.IgnoresTheKey, "key"),
    (b.DeliversTwice, "the line behind one that is DELIVERED"),
    (b.CountsReturns, "return of a ticket that is delivered"),
    (b.DeliversOnceMore, "max_attempts"),
    (b.ForgetsSavedState, "State is kept in one step with the move"),
    (b.ForgetsWhatFollows, "What follows a move is posted with it"),
    (b.SkipsANumber, "Every change of a state has the next number"),
    (b.ReturnsAnothersPayload, "A ticket is kept as it was posted"),
    (b.CutsLongPayloads, "A ticket is kept as it was posted"),
    (b.HasNoCapacity, "A recipient has at most `capacity` live tickets"),
    (b.CountsCapacityOneTooFew, "A recipient has at most `capacity` live tickets"),
    (b.PrunesWhatIsWorkedOn, "never a live or worked-on ticket"),
    (b.RedeliversTwice, "a dead one is posted anew"),
    (b.HandlesAgain, "What was handled for another node is kept as it was said first"),
    (b.LosesARefusedGroup, "one result each, and what is refused in it hinders no other"),
    (b.KnowsNoTimeouts, "The live tickets with a timeout are found"),
    (b.NeverRecovers, "What a node had in hand when it ended has failed once"),
    (b.ForgetsKeysInTime, "A key stands for one message to one recipient"),
    (b.LosesWritesOfMany, "Many tasks write at once"),
    (b.CountsTheLiveWrongly, "live tickets with what follows"),
    (b.NeverWakes, "Who waits for a change goes on when there is one"),
    (b.WakesTooSoon, "after the number that it knows, and not before"),
    (b.TakesFromItself, "The same incarnation may open its store of one node again"),
    (b.TakesAPathForAPattern, "the states below '/x/a_'"),
    (b.FindsFromTheStart, "Tickets are found by state and recipient"),
]
BREAKS_OF_SHARED: list[tuple[type[Broken], str]] = [
    (bs.LetsAnOldTokenWrite, "What a node says with the token of a name that is another's"),
    (bs.LetsAnOldTokenTake, "take with an old token gives tickets"),
    (bs.NeverSignals, "A node hears of what arrives for its names"),
    (bs.GivesTwice, "Take gives each ticket to its owner once"),
    (bs.HasTwoOwners, "A name belongs to one node at a time"),
    (b.NeverRecovers, "What a node had in hand when it ended has failed once"),
    (bs.NeverLapses, "a lease of 1.5 s that nobody renews has not lapsed"),
    (bs.SaysNothingOfTheLapsed, "Who has posted a ticket hears of its end"),
    (bs.KeepsNamesFromTheNext, "A node that starts again has its names at once"),
    (bs.NeverSaysThatALeaseLapsed, "renew after the lease has lapsed"),
]


def _make(kind: type[Broken], shared: bool) -> Callable[[str], Any]:
    return functools.cache(lambda name: broken(kind, shared=shared))


@pytest.mark.parametrize(
    ("kind", "shared", "text"),
    [(kind, False, text) for kind, text in BREAKS] + [(kind, True, text) for kind, text in BREAKS_OF_SHARED],
    ids=lambda value: value.__name__ if isinstance(value, type) else None,
)
async def test_a_broken_store_turns_the_check_red(
    kind: type[Broken], shared: bool, text: str, autojump_clock: object
) -> None:
    """The error names the promise that is broken, and what was seen."""
    with pytest.raises(ConformanceError) as caught:
        await check_store(_make(kind, shared))
    assert text in str(caught.value)
    assert caught.value.promise in str(caught.value)


@pytest.mark.parametrize("kind", [b.Reorders, b.CountsReturns, b.ForgetsSavedState, b.IgnoresTheKey])
async def test_random_programs_alone_find_a_broken_store(kind: type[Broken], autojump_clock: object) -> None:
    """The error shows the seed and the program, to run it again."""
    with pytest.raises(ConformanceError, match="seed") as caught:
        await check_store(_make(kind, False), only="does_as_the_reference", seeds=20)
    assert "Append" in str(caught.value)


async def test_a_store_that_loses_its_last_write_at_a_crash_is_found(autojump_clock: object) -> None:
    """One that closes in order is not enough: what lies there when the write returns is looked at."""
    stores = functools.cache(lambda name: MemoryStore())

    def after_crash(name: str) -> Store:
        found = crashed(stores(name))
        found.shelf.entries.popitem()
        return found

    with pytest.raises(ConformanceError, match="What was written is safe when the write returns"):
        await check_store(stores, after_crash=after_crash, only="keeps_all_over_a_crash")


async def test_a_store_that_raises_is_broken_and_the_error_is_kept(autojump_clock: object) -> None:
    class Raises(Broken):
        async def next_due(self) -> float | None:
            raise ZeroDivisionError("no due")

    with pytest.raises(ConformanceError, match=r"it raised ZeroDivisionError\('no due'\)") as caught:
        await check_store(_make(Raises, False))
    assert caught.value.__cause__ is not None


async def test_a_store_that_hangs_is_broken(autojump_clock: object) -> None:
    with pytest.raises(ConformanceError, match="did not come to its end within 5 s"):
        await check_store(_make(bs.NeverSignals, True), limit=5, only="signals_other_nodes")


async def test_a_store_that_lets_two_in_is_found(autojump_clock: object) -> None:
    class OpenToAll(BrokenStore):
        def open(self, opening: Any) -> Any:
            self.inner.engines.clear()
            return super().open(opening)

    stores = functools.cache(lambda name: OpenToAll(Broken, False))
    with pytest.raises(ConformanceError, match="not opened by two at once"):
        await check_store(stores, only="keeps_others_out")


def test_every_check_is_a_promise_in_one_sentence() -> None:
    for check in STORE_CHECKS.values():
        promise = (check.__doc__ or "").strip()
        assert promise.endswith(".") or promise.endswith("StoreInUse.")
        assert "\n" not in promise
