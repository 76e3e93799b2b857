"""The lanes of a mailbox: order, capacity, overflow, uncounted items, closing in one step."""

from __future__ import annotations

import math
from typing import Any

import pytest

from actors.core.mailbox import MARK, MESSAGE, REDELIVERED, Item, Lanes, Verdict
from actors.policy import Mailbox


def item(message: Any, since: float = 0.0, mark: Any = None) -> Item:
    return (message, None, None, since, mark)


def lanes(capacity: float = 3, overflow: str = "reject") -> Lanes:
    return Lanes(Mailbox(capacity=capacity, overflow=overflow))  # type: ignore[arg-type]


def filled(*messages: Any, capacity: float = 3, overflow: str = "reject") -> Lanes:
    made = lanes(capacity, overflow)
    for message in messages:
        assert made.offer(item(message), urgent=str(message).isupper()) is None
    return made


def drained(mailbox: Lanes) -> list[Any]:
    taken = []
    while (one := mailbox.take()) is not None:
        taken.append(one[MESSAGE])
    return taken


def test_one_lane_is_first_in_first_out() -> None:
    assert drained(filled("a", "b", "c")) == ["a", "b", "c"]


def test_urgent_ones_overtake_normal_ones_and_keep_their_own_order() -> None:
    assert drained(filled("a", "B", "c", "D", capacity=4)) == ["B", "D", "a", "c"]


def test_a_message_put_back_is_the_next_one_also_before_urgent_ones() -> None:
    mailbox = filled("a", "B")
    first = mailbox.take()
    assert first is not None
    mailbox.put_back(first)
    again = mailbox.take()
    assert again == ("B", None, None, 0.0, REDELIVERED)
    assert drained(mailbox) == ["a"]


def test_a_full_mailbox_that_rejects_takes_nothing_and_loses_nothing() -> None:
    mailbox = filled("a", "B", "c")
    assert mailbox.offer(item("d")) is Verdict.FULL
    assert mailbox.offer(item("E"), urgent=True) is Verdict.FULL
    assert drained(mailbox) == ["B", "a", "c"]


def test_drop_newest_drops_the_one_that_comes() -> None:
    mailbox = filled("a", "b", "c", overflow="drop_newest")
    assert mailbox.offer(item("d")) is Verdict.DROPPED
    assert mailbox.offer(item("E"), urgent=True) is Verdict.DROPPED
    assert drained(mailbox) == ["a", "b", "c"]


def test_drop_oldest_hands_back_the_oldest_normal_one() -> None:
    mailbox = filled("A", "b", "c", overflow="drop_oldest")
    assert mailbox.offer(item("D"), urgent=True) == item("b")
    assert mailbox.offer(item("e")) == item("c")
    assert drained(mailbox) == ["A", "D", "e"]


def test_drop_oldest_takes_the_oldest_urgent_one_when_none_is_normal() -> None:
    mailbox = filled("A", "B", "C", overflow="drop_oldest")
    assert mailbox.offer(item("d")) == item("A")
    assert drained(mailbox) == ["B", "C", "d"]


def test_drop_oldest_never_drops_a_notice() -> None:
    mailbox = lanes(1, "drop_oldest")
    assert mailbox.put_marked(item("notice", mark="notice"))
    assert mailbox.offer(item("a")) is None
    assert mailbox.offer(item("b")) == item("a")
    assert drained(mailbox) == ["notice", "b"]


def test_uncounted_items_take_no_room_and_need_none() -> None:
    """Notices, timers' and redelivered messages come into a full mailbox, and leave its capacity alone."""
    mailbox = filled("a", capacity=1)
    assert mailbox.put_marked(item("notice", mark="notice"))
    mailbox.put_back(item("again"))
    assert (mailbox.counted, mailbox.has_room) == (1, False)
    assert mailbox.depth() == {"system": 2, "urgent": 0, "normal": 1}
    assert drained(mailbox) == ["again", "a", "notice"]
    assert (mailbox.counted, mailbox.has_room) == (0, True)


def test_a_notice_comes_behind_what_waited_already() -> None:
    mailbox = filled("a", "B")
    mailbox.put_marked(item("notice", mark="notice"))
    assert mailbox.offer(item("c")) is None
    assert drained(mailbox) == ["B", "a", "notice", "c"]


def test_an_infinite_mailbox_is_never_full() -> None:
    mailbox = filled(*range(2000), capacity=math.inf)
    assert (mailbox.counted, mailbox.has_room, mailbox.capacity) == (2000, True, math.inf)


def test_removing_takes_out_what_is_unwanted_in_the_order_of_taking() -> None:
    mailbox = filled("a", "B", "c", "D", capacity=4)
    mailbox.put_marked(item("notice", mark="notice"))
    removed = mailbox.remove(lambda one: one[MESSAGE] in ("c", "D", "notice"))
    assert [one[MESSAGE] for one in removed] == ["D", "c", "notice"]
    assert (mailbox.counted, mailbox.depth()) == (2, {"system": 0, "urgent": 1, "normal": 1})
    assert drained(mailbox) == ["B", "a"]


def test_closing_hands_back_everything_and_refuses_the_next() -> None:
    mailbox = filled("a", "B")
    mailbox.put_marked(item("notice", mark="notice"))
    mailbox.put_back(item("again"))
    assert [(one[MESSAGE], one[MARK]) for one in mailbox.close()] == [
        ("again", REDELIVERED),
        ("B", None),
        ("a", None),
        ("notice", "notice"),
    ]
    assert mailbox.offer(item("late")) is Verdict.CLOSED
    assert mailbox.offer(item("LATE"), urgent=True) is Verdict.CLOSED
    assert not mailbox.put_marked(item("late", mark="notice"))
    assert (mailbox.take(), bool(mailbox), mailbox.close()) == (None, False, [])


def test_an_empty_mailbox_that_never_had_a_message_refuses_after_closing() -> None:
    mailbox = lanes()
    assert mailbox.close() == []
    assert mailbox.offer(item("late")) is Verdict.CLOSED


def test_shutting_refuses_the_next_and_keeps_what_waits_in_order() -> None:
    mailbox = filled("a", "B", "c")
    mailbox.shut()
    assert mailbox.closed
    assert mailbox.offer(item("late")) is Verdict.CLOSED
    assert drained(mailbox) == ["B", "a", "c"]


def test_the_oldest_is_the_one_that_waited_longest_in_any_lane() -> None:
    mailbox = lanes(5)
    assert mailbox.oldest() is None
    mailbox.offer(item("a", since=3.0))
    mailbox.offer(item("B", since=4.0), urgent=True)
    assert mailbox.oldest() == 3.0
    mailbox.put_back(item("again", since=1.0))
    assert mailbox.oldest() == 1.0


def test_the_oldest_stays_the_oldest_while_draining() -> None:
    """`shut` moves lanes about; the time of the one that waited longest does not change."""
    mailbox = lanes(5)
    mailbox.offer(item("a", since=3.0))
    mailbox.offer(item("B", since=4.0), urgent=True)
    mailbox.shut()
    assert mailbox.oldest() == 3.0


@pytest.mark.parametrize("urgent", [False, True])
@pytest.mark.parametrize("overflow", ["reject", "drop_oldest", "drop_newest"])
def test_capacity_one_holds_one(overflow: str, urgent: bool) -> None:
    """The edge: with room for one, the first goes in and the second meets the overflow rule."""
    mailbox = lanes(1, overflow)
    assert mailbox.offer(item("a"), urgent) is None
    assert (mailbox.counted, mailbox.has_room) == (1, False)
    second = mailbox.offer(item("b"), urgent)
    expected = {"reject": Verdict.FULL, "drop_newest": Verdict.DROPPED, "drop_oldest": item("a")}
    assert second == expected[overflow]
    assert drained(mailbox) == (["b"] if overflow == "drop_oldest" else ["a"])


def test_what_comes_back_is_taken_next_in_its_order_and_not_counted() -> None:
    """It had been taken before: marked items stay what they are, the others count as redelivered."""
    lanes = Lanes(Mailbox(capacity=1))
    timer = object()
    lanes.offer(("later", None, None, 0.0, None))
    lanes.restore([("second", None, None, 0.0, timer)])
    lanes.restore([("first", None, None, 0.0, None)])
    assert lanes.counted == 1
    taken = [lanes.take() for _ in range(3)]
    assert [None if item is None else (item[MESSAGE], item[MARK]) for item in taken] == [
        ("first", REDELIVERED),
        ("second", timer),
        ("later", None),
    ]
    assert lanes.counted == 0
