"""The judge of histories: what may have happened is good, and each wrong is found under its name."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from random import Random

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.testing import Journal, Noted, Record, Verdict, check_history
from actors.testing.history import from_lines, to_line
from tests.rounds import rounds

MOST = 3
PATHS = ("/a", "/b")


def right_history(seed: int, size: int = 12) -> list[Record]:
    """What a right store does with some posts by senders and consumers that are killed at any time."""
    return _World(Random(seed)).run(size)


class _World:
    def __init__(self, dice: Random) -> None:
        self.dice = dice
        self.records: list[Record] = []
        self.lines: dict[tuple[str, int], list[str]] = {}
        self.tried: dict[str, int] = {}
        self.answered: set[str] = set()

    def note(self, noted: Noted, id: str, **more: object) -> None:
        self.records.append(Record(noted, id, by=f"p{self.dice.randrange(3)}", **more))  # type: ignore[arg-type]

    def run(self, size: int) -> list[Record]:
        for number in range(size):
            self.post(f"m{number}")
            for _ in range(self.dice.choice((0, 0, 1, 2))):
                self.deliver()
        while any(self.lines.values()):
            self.deliver()
        for message in sorted(self.answered):
            self.note(Noted.EFFECT, message)
        return self.records

    def post(self, id: str) -> None:
        path, priority = self.dice.choice(PATHS), self.dice.choice((0, 1))
        self.note(Noted.POSTING, id, path=path, priority=priority)
        fate = self.dice.choice(("posted", "posted", "posted", "refused", "stored", "lost", "cancelled"))
        if fate in {"posted", "stored"}:
            self.lines.setdefault((path, priority), []).append(id)
        if fate in {"posted", "cancelled"}:
            self.note(Noted.POSTED, id)
        elif fate == "refused":
            self.note(Noted.REFUSED, id)
        elif self.dice.random() < 0.5:
            self.note(Noted.UNKNOWN, id)
        if fate == "cancelled":
            self.note(Noted.FINAL, id, state="cancelled")

    def deliver(self) -> None:
        waiting = [line for line in sorted(self.lines) if self.lines[line]]
        if not waiting:
            return
        line = self.dice.choice(waiting)
        id = self.lines[line][0]
        number = self.tried[id] = self.tried.get(id, 0) + 1
        fate = self.dice.choice(("answer", "answer", "fail", "kill", "kill_before"))
        if fate != "kill_before":
            self.note(Noted.BEGUN, id, path=line[0], attempt=number)
        if fate in {"answer", "fail"}:
            self.note(Noted.ENDED, id)
        if fate == "answer":
            self.answered.add(id)
            self.end(line, "responded")
        elif number == MOST:
            self.end(line, "dead")

    def end(self, line: tuple[str, int], state: str) -> None:
        id = self.lines[line].pop(0)
        self.note(Noted.FINAL, id, state=state, attempt=self.tried[id])


def judge(records: list[Record]) -> Verdict:
    return check_history(records, max_attempts=MOST, exactly_once=True)


HISTORIES = st.integers(0, 2**48).map(right_history)


def of(records: list[Record], noted: Noted) -> list[str]:
    """The ids of what is noted so."""
    return [record.id for record in records if record.noted is noted]


def pick(data: st.DataObject, ids: list[str] | set[str]) -> str:
    return data.draw(st.sampled_from(sorted(ids)))


def less(records: list[Record], id: str, *noted: Noted) -> list[Record]:
    return [record for record in records if record.id != id or record.noted not in noted]


POSTS = [Noted.POSTING, Noted.POSTED, Noted.UNKNOWN, Noted.REFUSED]
DELIVERIES = [Noted.BEGUN, Noted.ENDED]


@given(HISTORIES)
def test_what_a_right_store_does_is_good(records: list[Record]) -> None:
    verdict = judge(records)
    assert verdict.is_good, str(verdict)
    sure, begun = set(of(records, Noted.POSTED)), of(records, Noted.BEGUN)
    assert set(verdict.recovered) == set(begun) - sure
    assert set(verdict.repeated) == {one for one in begun if begun.count(one) > 1}


@given(HISTORIES, st.data())
def test_a_message_whose_delivery_is_gone_is_lost(records: list[Record], data: st.DataObject) -> None:
    sure = set(of(records, Noted.POSTED)) & {one.id for one in records if one.state == "responded"}
    if not sure:
        return
    id = pick(data, sure)
    verdict = judge(less(records, id, *DELIVERIES))
    assert verdict.lost == (id,)
    verdict = judge(less(records, id, *DELIVERIES, Noted.FINAL, Noted.EFFECT))
    assert verdict.lost == (id,)
    assert not verdict.is_good


@given(HISTORIES, st.data())
def test_a_delivery_without_its_post_is_unexpected(records: list[Record], data: st.DataObject) -> None:
    begun = of(records, Noted.BEGUN)
    if not begun:
        return
    id = pick(data, begun)
    assert judge(less(records, id, *POSTS)).unexpected == (id,)


@given(HISTORIES, st.data())
def test_a_delivery_of_what_was_refused_is_unexpected(records: list[Record], data: st.DataObject) -> None:
    begun = of(records, Noted.BEGUN)
    if not begun:
        return
    id = pick(data, begun)
    rest = less(records, id, Noted.POSTED, Noted.UNKNOWN)
    place = 1 + next(n for n, one in enumerate(rest) if one.id == id)
    rest.insert(place, Record(Noted.REFUSED, id))
    verdict = judge(rest)
    assert verdict.unexpected == (id,)
    assert id not in verdict.recovered


@given(HISTORIES, st.data())
def test_a_message_that_was_posted_and_not_acknowledged_is_recovered(
    records: list[Record], data: st.DataObject
) -> None:
    begun = of(records, Noted.BEGUN)
    if not begun:
        return
    id = pick(data, begun)
    verdict = judge(less(records, id, Noted.POSTED))
    assert verdict.is_good
    assert id in verdict.recovered


@given(HISTORIES, st.data())
def test_an_effect_is_counted_where_exactly_one_is_claimed(
    records: list[Record], data: st.DataObject
) -> None:
    done = of(records, Noted.EFFECT)
    if not done:
        return
    id = pick(data, done)
    twice = [*records, Record(Noted.EFFECT, id)]
    assert judge(twice).doubled == (id,)
    assert not judge(twice).is_good
    never = less(records, id, Noted.EFFECT)
    assert judge(never).undone == (id,)
    assert check_history(twice, max_attempts=MOST).is_good
    assert check_history(never, max_attempts=MOST).is_good


@given(HISTORIES, st.data())
def test_more_deliveries_than_may_be_are_found(records: list[Record], data: st.DataObject) -> None:
    begun = of(records, Noted.BEGUN)
    if not begun:
        return
    id = pick(data, begun)
    place = max(n for n, one in enumerate(records) if one.id == id and one.noted is Noted.BEGUN)
    again = [*records[: place + 1], records[place], *records[place + 1 :]]
    assert judge(again).overtried == (id,)
    many = list(records)
    many[place] = attrs.evolve(records[place], attempt=MOST + 1)
    assert judge(many).overtried == (id,)
    assert check_history(many).is_good


@given(HISTORIES, st.data())
def test_a_ticket_that_counts_too_few_deliveries_is_found(records: list[Record], data: st.DataObject) -> None:
    """Where a delivery was made that was not written before it was made."""
    begun = of(records, Noted.BEGUN)
    final = [one.id for one in records if one.noted is Noted.FINAL and begun.count(one.id) > 1]
    if not final:
        return
    id = pick(data, final)
    count = begun.count(id) - 1
    fewer = [attrs.evolve(one, attempt=count) if _is_final(one, id) else one for one in records]
    assert judge(fewer).uncounted == (id,)
    assert not judge(fewer).is_good


@given(HISTORIES, st.data())
def test_a_ticket_that_is_dead_before_its_last_delivery_is_found(
    records: list[Record], data: st.DataObject
) -> None:
    dead = [one.id for one in records if one.state == "dead"]
    if not dead:
        return
    id = pick(data, dead)
    fewer = [attrs.evolve(one, attempt=MOST - 1) if _is_final(one, id) else one for one in records]
    assert judge(fewer).spared == (id,)
    assert check_history(fewer, exactly_once=True).spared == ()


def _is_final(record: Record, id: str) -> bool:
    return record.noted is Noted.FINAL and record.id == id


@given(HISTORIES, st.data())
def test_two_final_states_and_none_are_found(records: list[Record], data: st.DataObject) -> None:
    final = [one for one in records if one.noted is Noted.FINAL]
    sure = sorted({one.id for one in final} & set(of(records, Noted.POSTED)))
    if len(sure) < 2:
        return
    id = data.draw(st.sampled_from(sure))
    other = "failed"
    assert judge([*records, Record(Noted.FINAL, id, state=other)]).ambiguous == (id,)
    stuck = judge(less(records, id, Noted.FINAL))
    assert stuck.stuck == (id,)
    assert not stuck.is_good
    live = [*less(records, id, Noted.FINAL), Record(Noted.FINAL, id, state="delivered")]
    assert judge(live).stuck == (id,)


@settings(max_examples=rounds(100, deep=200))
@given(HISTORIES, st.data())
def test_two_deliveries_that_change_places_are_out_of_order(
    records: list[Record], data: st.DataObject
) -> None:
    """The two are of one recipient and priority, and the one was posted after the other was acknowledged."""
    pairs = _ordered_pairs(records)
    if not pairs:
        return
    first, second = data.draw(st.sampled_from(sorted(pairs)))
    swapped = [_renamed(record, first, second) for record in records]
    verdict = judge(swapped)
    assert verdict.disordered
    assert not verdict.is_good
    assert not check_history(swapped, holds_back=False).is_good


def _ordered_pairs(records: list[Record]) -> set[tuple[str, str]]:
    line = {one.id: (one.path, one.priority) for one in records if one.noted is Noted.POSTING}
    sure, begun = set(of(records, Noted.POSTED)), set(of(records, Noted.BEGUN))
    place = {(one.id, one.noted): n for n, one in reversed(list(enumerate(records)))}
    return {
        (first, second)
        for first in sure & begun
        for second in begun - {first}
        if line[first] == line[second] and place[first, Noted.POSTED] < place[second, Noted.POSTING]
    }


def _renamed(record: Record, one: str, two: str) -> Record:
    if record.noted not in {Noted.BEGUN, Noted.ENDED, Noted.FINAL, Noted.EFFECT}:
        return record
    return attrs.evolve(record, id={one: two, two: one}.get(record.id, record.id))


def begun(id: str, attempt: int = 1) -> Record:
    return Record(Noted.BEGUN, id, attempt=attempt)


def posted(id: str, path: str = "/a", priority: int = 0) -> list[Record]:
    return [Record(Noted.POSTING, id, path, priority), Record(Noted.POSTED, id)]


def test_a_failing_message_holds_back_later_ones_or_not_by_choice() -> None:
    records = [*posted("x"), *posted("y"), begun("x"), begun("y"), begun("x", 2)]
    assert check_history(records).disordered == (("x", "y"),)
    assert check_history(records, holds_back=False).is_good


def test_posts_that_overlap_in_time_may_come_in_any_order() -> None:
    one, two = posted("x"), posted("y")
    overlapping = [one[0], two[0], one[1], two[1]]
    assert check_history([*overlapping, begun("y"), begun("x")]).is_good
    assert not check_history([*one, *two, begun("y"), begun("x")]).is_good


@pytest.mark.parametrize("other", [("/b", 0), ("/a", 1)])
def test_order_is_of_one_recipient_and_priority(other: tuple[str, int]) -> None:
    records = [*posted("x"), *posted("y", *other), begun("y"), begun("x")]
    assert check_history(records).is_good


@pytest.mark.parametrize("state", ["cancelled", "timed_out", "dead"])
def test_a_final_state_explains_that_it_was_never_delivered(state: str) -> None:
    assert check_history([*posted("x"), Record(Noted.FINAL, "x", state=state)]).is_good


@pytest.mark.parametrize("state", ["responded", "failed", "pending", "delivered"])
def test_other_states_do_not(state: str) -> None:
    assert check_history([*posted("x"), Record(Noted.FINAL, "x", state=state)]).lost == ("x",)


def test_a_late_reply_is_a_second_final_state_that_may_be() -> None:
    late = [*posted("x"), begun("x")]
    late += [Record(Noted.FINAL, "x", state=state) for state in ("timed_out", "timed_out", "responded")]
    assert check_history(late).is_good
    assert check_history([*late, Record(Noted.FINAL, "x", state="timed_out")]).is_good
    assert check_history([*late[:3], late[5], late[3]]).ambiguous == ("x",)


def test_an_unknown_post_that_is_never_seen_again_is_no_loss() -> None:
    assert check_history([Record(Noted.POSTING, "x", "/a"), Record(Noted.UNKNOWN, "x")]) == Verdict()


def test_a_post_that_was_refused_and_then_taken_counts_as_taken() -> None:
    tries = [Record(Noted.POSTING, "x", "/a"), Record(Noted.REFUSED, "x"), *posted("x")]
    assert check_history(tries).lost == ("x",)
    assert check_history([*tries, begun("x")]).is_good


def test_a_delivery_whose_number_is_not_known_may_be_repeated() -> None:
    assert check_history([*posted("x"), begun("x", 0), begun("x", 0)], max_attempts=2).is_good
    assert check_history([*posted("x"), begun("x", 0), begun("x", 0)], max_attempts=1).overtried == ("x",)


def test_a_verdict_says_what_it_found_in_a_few_lines() -> None:
    verdict = check_history([*posted("x"), *posted("y"), begun("z")])
    assert str(verdict) == "bad\nlost: 2, first x\nunexpected: 1, first z"
    assert str(check_history([])) == "good"


# --- reading and writing ---


RECORDS = st.builds(
    Record,
    st.sampled_from(Noted),
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1),
    path=st.text(st.characters(exclude_categories=["Cs"])),
    priority=st.integers(-9, 9),
    attempt=st.integers(0, 9),
    state=st.sampled_from(["", "dead"]),
)


@given(st.lists(RECORDS, max_size=6))
def test_a_history_is_read_as_it_was_written(records: list[Record]) -> None:
    found = from_lines("".join(to_line(record) for record in records))
    assert (list(found.records), found.torn) == (records, 0)


@given(st.lists(RECORDS, min_size=1, max_size=4), st.lists(RECORDS, max_size=4), st.data())
def test_a_line_that_is_cut_off_costs_itself_alone(
    before: list[Record], after: list[Record], data: st.DataObject
) -> None:
    """Also where another process goes on writing behind it."""
    *whole, last = [to_line(record) for record in before]
    cut = data.draw(st.integers(2, len(last) - 2))
    found = from_lines("".join([*whole, last[:cut], *map(to_line, after)]))
    assert list(found.records) == [*before[:-1], *after]
    assert found.torn == 1


@pytest.mark.parametrize(
    "line", ['{"id": "x"}', '{"noted": "no", "id": "x"}', "[1]", '{"noted": "begun", "a": 1}']
)
def test_a_whole_line_that_is_no_record_is_an_error(line: str) -> None:
    with pytest.raises(ValueError, match="no record of a history"):
        from_lines(line + "\n")


def test_a_journal_is_read_as_it_was_noted(tmp_path: Path) -> None:
    with Journal(tmp_path / "h", by="one") as one, Journal(tmp_path / "h", by="two") as two:
        one.note(Noted.POSTING, "ž", path="/a", priority=2)
        two.note(Noted.BEGUN, "ž", path="/a", attempt=1)
        one.note(Noted.FINAL, "ž", state="responded")
        one.close()
    assert Journal.read(tmp_path / "h").records == (
        Record(Noted.POSTING, "ž", "/a", 2, by="one"),
        Record(Noted.BEGUN, "ž", "/a", 0, 1, by="two"),
        Record(Noted.FINAL, "ž", state="responded", by="one"),
    )


def test_a_character_that_is_cut_in_two_is_a_line_that_is_cut_off(tmp_path: Path) -> None:
    line = to_line(Record(Noted.POSTING, "ž")).encode()
    (tmp_path / "h").write_bytes(line + line[: line.index("ž".encode()) + 1])
    found = Journal.read(tmp_path / "h")
    assert (len(found.records), found.torn) == (1, 1)


_WRITER = """
import sys
from itertools import count
from actors.testing.history import Noted
from actors.testing.journal import Journal

journal = Journal(sys.argv[1], by=sys.argv[2])
for number in count():
    journal.note(Noted.POSTING, f"{sys.argv[2]}-{number}", path="/a" * 50)
    if number == 200:
        print("on", flush=True)
"""


def test_processes_that_are_killed_leave_at_most_one_cut_line_each(tmp_path: Path) -> None:
    """Three processes append to one file until SIGKILL: each one's records are there without a gap."""
    path = tmp_path / "h"
    names = ["a", "b", "c"]
    writers = [
        subprocess.Popen([sys.executable, "-c", _WRITER, path, name], stdout=subprocess.PIPE)
        for name in names
    ]
    for writer in writers:
        assert writer.stdout is not None
        with writer.stdout:
            assert writer.stdout.readline() == b"on\n"
        os.kill(writer.pid, signal.SIGKILL)
        writer.wait()
    found = Journal.read(path)
    assert found.torn <= len(names)
    for name in names:
        numbers = [int(one.id.split("-")[1]) for one in found.records if one.by == name]
        assert numbers == list(range(len(numbers)))
        assert len(numbers) > 200
