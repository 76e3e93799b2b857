"""The journal: what it keeps, for how long, and that nothing in an event can hurt it."""

from __future__ import annotations

import gc
import json
import weakref
from collections.abc import Iterator
from contextlib import aclosing
from typing import Any

import attrs
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

import actors
from actors.events import DeadLetter, DeadLetterReason, Failed, NodeDown, Progressed, Started
from actors.exits import Exit, ExitKind
from actors.observe.brief import BRIEF, LONGEST, brief, clean, error_line, origins, plain
from actors.observe.fact import Fact, is_below
from actors.observe.ring import FACTS_OF_A_PATH, Histories, Ring
from actors.observe.words import in_words
from tests.core.cast import AT_ONCE, Die, Note, Worker, settled

TAKES_NO_ROAD = True


def a_fact(number: int, path: str | None = None, kind: str = "Failed") -> Fact:
    return Fact(number, 0.0, kind, path, "", {})


# --- the ring -----------------------------------------------------------------------


@given(st.integers(1, 30), st.lists(st.sampled_from(["/a", "/a/b", "/ab", None]), max_size=100), st.data())
def test_the_ring_pages_like_a_list_that_is_cut_at_its_beginning(
    size: int, paths: list[str | None], data: st.DataObject
) -> None:
    ring, model = Ring(size), list[Fact]()
    for number, path in enumerate(paths, 1):
        model.append(a_fact(number, path, data.draw(st.sampled_from(["Failed", "Started"]))))
        ring.add(model[-1])
    kept = model[-size:]
    assert (len(ring), ring.last) == (len(kept), len(model))
    after = data.draw(st.integers(0, len(model)))
    kinds = data.draw(st.sampled_from([(), ("Failed",), ("Started", "Failed")]))
    top = data.draw(st.sampled_from([None, "/", "/a", "/ab"]))
    limit = data.draw(st.integers(1, 40))
    fit = [
        fact
        for fact in kept
        if fact.number > after
        and (not kinds or fact.kind in kinds)
        and (top is None or (fact.path is not None and is_below(fact.path, top)))
    ]
    read: list[Fact] = []
    missed, number = 0, after
    while True:
        page = ring.page(number, limit, kinds, top)
        assert len(page.facts) <= limit
        read += page.facts
        missed += page.missed
        number = page.after
        if number == ring.last:
            break
    assert read == fit
    assert missed == max(0, len(model) - len(kept) - after)


def test_a_number_of_another_journal_begins_with_the_oldest() -> None:
    ring = Ring(3)
    for number in range(1, 6):
        ring.add(a_fact(number))
    page = ring.page(99, 10)
    assert ([fact.number for fact in page.facts], page.after, page.missed) == ([3, 4, 5], 5, 0)


KINDS = st.sampled_from(["Spawned", "Failed", "Stopped", "DeadLetter", "TicketMoved", "EndOrdered"])
PATHS = st.sampled_from(["/a", "/b", "/c", "/~1", "/~2", "/c/~3", "@node"])


@given(st.lists(st.tuples(PATHS, KINDS)), st.integers(1, 4), st.integers(5, 40))
def test_histories_are_bounded_and_keep_the_newest_of_each_path(
    happened: list[tuple[str, str]], paths: int, facts: int
) -> None:
    histories, last = Histories(paths, facts), dict[str, Fact]()
    for number, (path, kind) in enumerate(happened, 1):
        last[path] = a_fact(number, path, kind)
        histories.add(path, last[path])
        known = list(histories)
        assert len(known) == len(set(known)) == len(histories) <= paths
        assert histories.count == sum(len(histories.of(one)) for one in known) <= facts
        for one in known:
            kept = histories.of(one)
            assert kept[-1] is last[one]
            assert [fact.number for fact in kept] == sorted(fact.number for fact in kept)


def test_the_dead_without_a_name_are_forgotten_first_and_the_longest_dead_before_others() -> None:
    histories = Histories(paths=4)
    happened = [
        ("/old", "Spawned"),
        ("/dead", "Spawned"),
        ("/dead", "Stopped"),
        ("/~1", "Spawned"),
        ("/~1", "Stopped"),
        ("/~2", "Spawned"),
        ("/~2", "Stopped"),
        ("/~1", "DeadLetter"),
    ]
    gone: list[str] = []
    for number, (path, kind) in enumerate(happened, 1):
        histories.add(path, a_fact(number, path, kind))
    number = len(happened)
    for name in ("/w", "/x", "/y", "/z"):
        before = set(histories)
        number += 1
        histories.add(name, a_fact(number, name, "Spawned"))
        gone += sorted(before - set(histories))
    assert gone == ["/~1", "/~2", "/dead", "/old"]


def test_dead_letters_do_not_displace_the_failure_they_came_from() -> None:
    histories = Histories()
    histories.add("/a", a_fact(1, "/a", "Failed"))
    for number in range(2, 200):
        histories.add("/a", a_fact(number, "/a", "DeadLetter"))
    kept = histories.of("/a")
    assert kept[0].kind == "Failed"
    assert kept[-1].number == 199
    for number in range(200, 400):
        histories.add("/a", a_fact(number, "/a", "Failed"))
    assert len(histories.of("/a")) == FACTS_OF_A_PATH


# --- safe texts -----------------------------------------------------------------------


class Rude:
    def __repr__(self) -> str:
        raise ValueError("no")


class Leaving:
    def __repr__(self) -> str:
        raise SystemExit


class Long:
    def __repr__(self) -> str:
        return "x" * 10_000_000


class Wrong:
    def __repr__(self) -> str:
        return 5  # type: ignore[return-value]


class SaidSo(str):
    def __getitem__(self, key: Any) -> Any:
        raise ValueError("no")

    def isprintable(self) -> bool:
        raise ValueError("no")


class Sly:
    def __repr__(self) -> str:
        return SaidSo("sly")


@attrs.frozen
class Holder:
    inside: Any
    secret: str = attrs.field(default="hush", repr=False)


@attrs.define
class Unset:
    field: int = attrs.field(init=False)


class BadError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("broken")


def nested(depth: int) -> Any:
    value: Any = "in"
    for _ in range(depth):
        value = [value]
    return value


class Endless:
    def __iter__(self) -> Iterator[int]:
        while True:
            yield 1

    def __repr__(self) -> str:
        return "endless"


LOOP: list[Any] = []
LOOP.append(LOOP)
HORRORS = [
    Rude(),
    Leaving(),
    Long(),
    Wrong(),
    Sly(),
    Endless(),
    Unset(),
    Holder(Rude()),
    Holder(nested(2000)),
    Holder({Rude: Long()}),
    LOOP,
    nested(100_000),
    "x" * 10_000_000,
    b"\x00" * 10_000_000,
    10**100_000,
    list(range(1_000_000)),
    {number: number for number in range(100_000)},
    SaidSo("text"),
    float("nan"),
    "\ud800 lone \x1b[31m \u202e",
    BadError(),
    KeyError("x" * 1_000_000),
    ValueError("x" * 10_000_000),
    ValueError(list(range(1_000_000)), "more"),
]


@pytest.mark.parametrize(
    "value", HORRORS, ids=lambda value: type(value).__name__.encode("ascii", "replace").decode()
)
def test_whatever_a_value_is_its_text_is_short_and_can_be_shown(value: Any) -> None:
    for text in (brief(value), json.dumps(plain(value), allow_nan=False)):
        assert len(text) <= max(BRIEF, LONGEST) * 10
        text.encode()
    assert len(brief(value)) <= BRIEF
    assert all(one.isprintable() for one in brief(value))
    if isinstance(value, BaseException):
        assert 0 < len(error_line(value)) <= LONGEST


@given(st.text(), st.integers(2, 50))
def test_a_cleaned_text_is_one_line_that_can_be_encoded(text: str, limit: int) -> None:
    said = clean(text, limit)
    assert len(said) <= limit
    assert "\n" not in said
    said.encode()
    if text.isprintable() and len(text) <= limit:
        assert said == text


def test_what_a_repr_leaves_out_stays_out() -> None:
    assert brief(Holder(1)) == "Holder(inside=1)"


def test_an_error_tells_what_it_came_from() -> None:
    try:
        try:
            raise KeyError("first")
        except KeyError:
            raise ValueError("second")  # noqa: B904
    except ValueError as error:
        found = error
    third = RuntimeError("third")
    third.__cause__ = found
    found.__context__.__context__ = third  # type: ignore[union-attr]
    assert origins(third) == ["ValueError: second", "KeyError: 'first'"]
    group = ExceptionGroup("several", [ValueError("a"), ValueError("b")])
    assert origins(group) == ["ValueError: a", "ValueError: b"]


@given(st.dictionaries(st.text(max_size=5), st.one_of(st.none(), st.floats(), st.text(), st.just({"a": 1}))))
def test_a_kind_without_words_is_told_field_by_field(details: dict[str, Any]) -> None:
    text = in_words("Unheard", details)
    assert all(key in text for key, value in details.items() if value is not None)


# --- of a system ------------------------------------------------------------------------


async def test_a_life_is_kept_as_facts(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        journal = system.journal
        assert system.journal is journal
        worker = await system.start(Worker, name="worker", policy=AT_ONCE)
        worker.tell(Die("boom"))
        await settled()
        worker.stop()
        await worker.wait_stopped()
        page = journal.after(0)
        assert [fact.number for fact in page.facts] == list(range(1, page.after + 1))
        kinds = [fact.kind for fact in page.facts if fact.path == "/worker"]
        assert kinds == [
            "Spawned",
            "Started",
            "Failed",
            "Restarting",
            "DeadLetter",
            "Restarted",
            "EndOrdered",
            "Stopped",
        ]
        failed = page.facts[kinds.index("Failed")]
        assert failed.text == "FAILED (RuntimeError: boom), with Die(text='boom') in hand"
        assert failed.details["exit"]["error"] == "RuntimeError: boom"
        assert failed.details["message"] == "Die(text='boom')"
        assert abs(failed.at - journal.since) < 1
        assert journal.history("/worker/") == page.facts
        assert json.loads(json.dumps(failed.as_dict()))["path"] == "/worker"
        assert [fact.kind for fact in journal.after(0, kinds=["Failed"], limit=1).facts] == ["Failed"]
        assert len(journal.after(0, kinds=["ActorEvent"], path="/worker").facts) == len(page.facts)
        assert journal.paths == ("/worker",)
        assert "facts of 8" in repr(journal)
    assert journal.closed
    assert journal.history("/worker")


async def test_facts_keep_no_message_alive(autojump_clock: MockClock) -> None:
    class Heavy:
        pass

    async with actors.open_system("alpha") as system:
        journal = system.journal
        worker = await system.start(Worker, name="worker")
        heavy = Heavy()
        seen = weakref.ref(heavy)
        try:
            raise ValueError(heavy)
        except ValueError as error:
            journal.put(Failed(0.0, worker, Exit(ExitKind.FAILED, error=error), heavy))
        journal.put(DeadLetter(0.0, worker, heavy, None, DeadLetterReason.FULL))
        del heavy
        gc.collect()
        assert seen() is None
        assert (
            "test_facts_keep_no_message_alive"
            in journal.after(0, kinds=["Failed"]).facts[0].details["exit"]["where"]
        )


@pytest.mark.parametrize("value", [Rude(), Leaving(), Wrong(), LOOP], ids=lambda one: type(one).__name__)
async def test_an_actor_is_not_hurt_by_what_its_message_says_of_itself(
    autojump_clock: MockClock, value: Any
) -> None:
    async with actors.open_system("alpha") as system:
        journal = system.journal
        worker = await system.start(Worker, name="worker", policy=AT_ONCE)
        worker.tell(Holder(value))
        await settled()
        [fact] = journal.after(0, kinds=["DeadLetter"]).facts
        assert "Holder" in fact.text or "repr raises" in fact.text
        assert worker.state is actors.ActorState.IDLE


async def test_what_comes_in_masses_is_not_taken_and_nothing_is_taken_before_the_first_use(
    autojump_clock: MockClock,
) -> None:
    async with actors.open_system("alpha") as system:
        assert not system._bus.listeners
        assert not system.journal.takes(Progressed)
        assert system.journal.takes(Started)


async def test_whoever_waits_is_woken_by_the_next_fact_and_by_the_end(autojump_clock: MockClock) -> None:
    seen: list[tuple[float, int]] = []

    async def wait(journal: Any) -> None:
        number = journal.last
        while not journal.closed:
            await journal.wait(number)
            number = journal.last
            seen.append((trio.current_time() - start, number))

    async with trio.open_nursery() as nursery, actors.open_system("alpha") as system:
        start = trio.current_time()
        nursery.start_soon(wait, system.journal)
        await trio.sleep(100)
        await system.start(Worker, name="worker")
        await trio.sleep(1)
    assert seen[0][0] == 100
    assert len(seen) <= 5


async def test_following_goes_on_where_it_was_and_says_what_was_missed(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        journal = system.journal
        journal._kept = Ring(5)
        worker = await system.start(Worker, name="worker")

        def note() -> None:
            journal.put(NodeDown(0.0, "beta", "gone"))
            journal.put(Started(0.0, worker))

        note()
        async with aclosing(journal.follow(0, kinds=["NodeEvent"])) as pages:
            first = await anext(pages)
            assert [fact.kind for fact in first.facts] == ["NodeDown"]
            for _ in range(5):
                note()
            second = await anext(pages)
            assert (len(second.facts), second.missed) == (2, 5)
        number = journal.last
        worker.stop()
        async with aclosing(journal.follow(number, path="/worker")) as pages:
            ordered = await anext(pages)
            stopped = await anext(pages)
        assert [page.facts[0].kind for page in (ordered, stopped)] == ["EndOrdered", "Stopped"]


async def test_a_journal_that_is_first_read_after_the_end_is_empty_and_closed(
    autojump_clock: MockClock,
) -> None:
    async with actors.open_system("alpha") as system:
        pass
    assert [page async for page in system.journal.follow()] == []
    assert system.journal.closed


async def test_bad_arguments_are_told_with_the_cure(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        journal = system.journal
        with pytest.raises(ValueError, match="no kind of event"):
            journal.after(0, kinds=["Nothing"])
        with pytest.raises(ValueError, match="no kind of event"):
            journal.after(0, kinds=["DeadLetterReason"])
        with pytest.raises(TypeError, match=r"write \['Failed'\]"):
            journal.after(0, kinds="Failed")
        with pytest.raises(ValueError, match="path from the root"):
            journal.after(0, path="worker")
        with pytest.raises(ValueError, match="limit"):
            journal.after(0, limit=0)
        with pytest.raises(ValueError, match="path from the root"):
            journal.history("worker")


async def test_an_order_to_end_says_in_whose_code_it_was(autojump_clock: MockClock) -> None:
    class Boss(actors.Supervisor):
        async def on_start(self) -> None:
            await self.start(Worker, name="one")
            await self.start(Worker, name="two")

        @actors.receive
        def end_one(self, message: Note) -> None:
            self.children[0].stop()

    async with actors.open_system("alpha") as system:
        journal = system.journal
        boss = await system.start(Boss, name="boss")
        boss.tell(Note())
        await settled()
        boss.kill()
        await boss.wait_stopped()
        orders = journal.after(0, kinds=["EndOrdered"]).facts
        assert [(fact.path, fact.details["order"], fact.details["by"]) for fact in orders] == [
            ("/boss/one", "stop", "/boss"),
            ("/boss", "kill", None),
            ("/boss/two", "kill", None),
        ]
