"""Who takes the next message of a pool: three routers, each against a plain model (contract §7)."""

from __future__ import annotations

import enum
import subprocess
import sys
import uuid
from collections import Counter
from typing import Any, NamedTuple

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.spawning.routing import KeyRing, LeastBusy, RoundRobin, Router, canonical

Step = dict[str, int]
pools = st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 3), max_size=6)


@pytest.mark.parametrize("router", [RoundRobin(), LeastBusy(), KeyRing()])
def test_an_empty_pool_lets_the_message_wait(router: Router[str]) -> None:
    assert router.pick({}, "key") is None
    assert router.pick({"a": 0}, "key") == "a"
    assert router.pick({}, "key") is None


@pytest.mark.parametrize("kind", [RoundRobin, LeastBusy, KeyRing])
@given(steps=st.lists(pools, max_size=20), room=st.integers(1, 3))
def test_only_who_has_room_is_picked(kind: Any, steps: list[Step], room: int) -> None:
    """And by all but the ring somebody is, when anybody has."""
    router = kind(room)
    for workers in steps:
        picked = router.pick(workers, "key")
        if picked is not None:
            assert workers[picked] < room
        elif kind is not KeyRing:
            assert all(busy >= room for busy in workers.values())


@pytest.mark.parametrize("kind", [RoundRobin, LeastBusy, KeyRing])
@pytest.mark.parametrize("room", [0, -1, 1.5, True])
def test_a_worker_has_room_for_one_message_or_more(kind: Any, room: Any) -> None:
    with pytest.raises(ValueError, match="room"):
        kind(room)


@pytest.mark.parametrize("kind", [RoundRobin, KeyRing])
def test_a_router_remembers_no_worker_that_has_left(kind: Any) -> None:
    router = kind()
    for number in range(500):
        router.pick({f"w{number}": 0, f"w{number + 1}": 0}, "key")
    held = [value for value in attrs.asdict(router, recurse=False).values() if hasattr(value, "__len__")]
    assert held
    assert max(map(len, held)) <= 128


# --- round robin ----------------------------------------------------------------------


def test_round_robin_gives_each_its_turn() -> None:
    router: RoundRobin[str] = RoundRobin()
    pool = {"a": 0, "b": 0, "c": 0}
    assert [router.pick(pool) for _ in range(7)] == ["a", "b", "c", "a", "b", "c", "a"]


def test_round_robin_passes_over_who_is_full_and_keeps_its_turn() -> None:
    router: RoundRobin[str] = RoundRobin()
    pool = {"a": 0, "b": 1, "c": 0}
    assert [router.pick(pool) for _ in range(4)] == ["a", "c", "a", "c"]
    pool["b"] = 0
    assert [router.pick(pool) for _ in range(4)] == ["b", "a", "c", "b"]


def test_round_robin_keeps_its_order_when_workers_come_and_go() -> None:
    router: RoundRobin[str] = RoundRobin()
    assert [router.pick({"a": 0, "b": 0, "c": 0}) for _ in range(2)] == ["a", "b"]
    assert [router.pick({"d": 0, "a": 0, "b": 0, "c": 0}) for _ in range(2)] == ["c", "a"]
    assert [router.pick({"d": 0, "b": 0, "c": 0}) for _ in range(4)] == ["b", "d", "c", "b"]


@given(st.lists(pools, max_size=60))
def test_nobody_is_picked_twice_before_who_was_there_with_room_all_the_time(steps: list[Step]) -> None:
    router: RoundRobin[str] = RoundRobin()
    picks: list[str | None] = []
    for index, workers in enumerate(steps):
        picked = router.pick(workers)
        picks.append(picked)
        if picked is None or picked not in picks[:-1]:
            continue
        before = index - 1 - picks[:-1][::-1].index(picked)
        between = steps[before : index + 1]
        patient = {worker for worker in workers if all(step.get(worker, 1) < 1 for step in between)}
        assert patient - {picked} <= set(picks[before + 1 : index])


# --- least busy -----------------------------------------------------------------------


@given(st.lists(pools, max_size=40), st.integers(1, 4))
def test_least_busy_picks_the_fewest_and_then_the_one_that_stands_first(steps: list[Step], room: int) -> None:
    router: LeastBusy[str] = LeastBusy(room)
    for workers in steps:
        with_room = [worker for worker, busy in workers.items() if busy < room]
        best = sorted(with_room, key=lambda worker: (workers[worker], list(workers).index(worker)))
        assert router.pick(workers) == (best[0] if best else None)


def test_least_busy_leaves_a_light_load_to_the_first() -> None:
    router: LeastBusy[str] = LeastBusy()
    pool = {"b": 0, "a": 0, "c": 0}
    assert [router.pick(pool) for _ in range(3)] == ["b", "b", "b"]
    assert router.pick({**pool, "b": 1}) == "a"
    assert router.pick({"b": 1, "a": 1, "c": 0, "d": 0}) == "c"


# --- the ring -------------------------------------------------------------------------

names = st.lists(st.text("abcdefgh", min_size=1, max_size=4), min_size=1, max_size=12, unique=True)
KEYS = [f"order-{number}" for number in range(400)]


def owners(workers: list[str]) -> dict[str, str | None]:
    ring: KeyRing[str] = KeyRing()
    return {key: ring.owner(workers, key) for key in KEYS}


@given(names, st.text("xyz", min_size=1))
def test_no_key_moves_between_workers_that_stay(workers: list[str], newcomer: str) -> None:
    """A newcomer only takes; who leaves only gives."""
    small, large = owners(workers), owners([*workers, newcomer])
    assert {large[key] for key in KEYS if small[key] != large[key]} <= {newcomer}
    assert {key for key in KEYS if large[key] != newcomer} == {
        key for key in KEYS if large[key] == small[key]
    }


@given(st.permutations("abcdefgh"))
def test_the_order_of_the_workers_does_not_matter(workers: list[str]) -> None:
    assert owners(workers) == owners(sorted(workers))


@pytest.mark.parametrize("many", [2, 5, 10, 50])
def test_one_worker_more_moves_about_its_share(many: int) -> None:
    keys = range(20_000)
    workers = [f"worker-{number}" for number in range(many)]
    ring: KeyRing[str] = KeyRing()
    before = [ring.owner(workers, key) for key in keys]
    after = [ring.owner([*workers, "newcomer"], key) for key in keys]
    moved = sum(old != new for old, new in zip(before, after, strict=True)) / len(keys)
    assert 0.6 / (many + 1) < moved < 1.6 / (many + 1)


def test_the_keys_are_spread_over_the_workers() -> None:
    ring: KeyRing[str] = KeyRing()
    workers = [f"worker-{number}" for number in range(10)]
    held = Counter(ring.owner(workers, key) for key in range(20_000))
    assert len(held) == 10
    assert max(held.values()) < 2 * 2000
    assert min(held.values()) > 2000 / 2


def test_the_messages_of_a_key_wait_for_their_worker() -> None:
    """However many others are free."""
    ring: KeyRing[str] = KeyRing(room=2)
    owner = ring.owner("abc", "key")
    assert owner is not None
    assert ring.pick({**dict.fromkeys("abc", 0), owner: 1}, "key") == owner
    assert ring.pick({**dict.fromkeys("abc", 0), owner: 2}, "key") is None


@given(st.lists(names, min_size=2, max_size=6))
def test_a_ring_that_has_changed_answers_as_a_new_one(changes: list[list[str]]) -> None:
    ring: KeyRing[str] = KeyRing()
    for workers in changes:
        fresh: KeyRing[str] = KeyRing()
        for key in KEYS[:20]:
            assert ring.owner(workers, key) == fresh.owner(workers, key)


def test_a_worker_goes_by_the_name_that_it_is_given() -> None:
    """So that any object may be one, and keeps its keys when another object takes its name."""
    first, second = [object() for _ in "abc"], [object() for _ in "abc"]
    called = dict(zip([*first, *second], "abcabc", strict=True))
    ring: KeyRing[object] = KeyRing(name=called.__getitem__)
    for key in KEYS[:50]:
        assert called[ring.owner(first, key)] == called[ring.owner(second, key)] == owners(list("abc"))[key]


def test_two_workers_of_one_name_are_refused() -> None:
    ring: KeyRing[int] = KeyRing(name=lambda worker: "same")
    assert ring.owner([1], "key") == 1
    with pytest.raises(ValueError, match="have one name"):
        ring.owner([1, 2], "key")


def test_a_ring_agrees_with_that_of_another_process() -> None:
    """Its hashes are not those of the process, which are salted."""
    program = (
        "from actors.spawning.routing import KeyRing; ring = KeyRing(); "
        "print(''.join(ring.owner('abcdef', f'order-{n}') for n in range(400)))"
    )
    other = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert other.stdout.strip() == "".join(str(owner) for owner in owners(list("abcdef")).values())


# --- keys -----------------------------------------------------------------------------


class Colour(enum.Enum):
    RED = 1
    BLUE = 2
    CRIMSON = 1


class Taste(enum.Enum):
    RED = 1


class Level(enum.IntEnum):
    LOW = 1


class Mode(enum.StrEnum):
    FAST = "fast"


class Right(enum.Flag):
    READ = 1
    WRITE = 2


class Place(NamedTuple):
    shelf: int
    board: str


class Wide(enum.Flag, boundary=enum.KEEP):
    ONE = 1


plain = st.one_of(
    st.text(st.characters(codec=None)),
    st.binary(),
    st.integers(),
    st.booleans(),
    st.uuids(),
    st.sampled_from([*Colour, *Taste, *Level, *Mode, *Right, Right.READ | Right.WRITE]),
)
keys = st.recursive(plain, lambda parts: st.lists(parts, max_size=3).map(tuple), max_leaves=6)


@given(keys, keys)
def test_two_keys_have_the_same_bytes_when_they_are_equal_and_only_then(one: Any, other: Any) -> None:
    assert (canonical(one) == canonical(other)) == (one == other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (True, 1),
        (Level.LOW, 1),
        (Mode.FAST, "fast"),
        (Colour.CRIMSON, Colour.RED),
        (Place(1, "a"), (1, "a")),
        ((Level.LOW, (True,)), (1, (1,))),
    ],
)
def test_keys_that_are_equal_are_one_key(one: Any, other: Any) -> None:
    assert one == other
    assert canonical(one) == canonical(other)


def test_keys_that_look_alike_are_told_apart() -> None:
    alike: list[Any] = ["1", b"1", 1, -1, ("1",), (("1",),), (), "", b"", ("", ""), ("1", ""), ("", "1")]
    alike += [("as", "b"), ("a", "sb"), ("a", "b"), ("asb",)]
    alike += [256, -256, 2**20_000, Colour.RED, Taste.RED, Wide(1), Wide(8), Wide(9), "\ud800"]
    identity = uuid.UUID(int=5)
    alike += [identity, identity.bytes, identity.int, str(identity)]
    assert len({canonical(key) for key in alike}) == len(alike)


@pytest.mark.parametrize("key", [None, 1.5, frozenset({1}), object(), (1, 2.0), ("a", (None,)), len, [1]])
def test_what_is_no_lasting_key_is_refused_with_the_cure(key: Any) -> None:
    """Its hash would be another one in the next process."""
    ring: KeyRing[str] = KeyRing()
    for ask in (canonical, lambda key: ring.pick({"a": 0}, key), lambda key: ring.pick({}, key)):
        with pytest.raises(TypeError, match=r"cannot be a key to route by: use a str, bytes, int"):
            ask(key)
