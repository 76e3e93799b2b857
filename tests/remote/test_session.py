"""The rules of a session, one by one."""

from __future__ import annotations

import json
from typing import Any

import pytest

from actors.remote import session as sessions
from actors.remote.session import (
    ACK_AFTER,
    BUFFER_BYTES,
    BUFFER_ITEMS,
    CHUNK,
    FRAME,
    SMALLEST,
    Frame,
    Lane,
    Session,
    SessionFault,
)

MANY = tuple(range(1, 11))


def pushed(*items: object, lane: Lane = "data") -> Session:
    """A session that has something to say."""
    session = Session("s")
    for item in items:
        session.push(lane, json.dumps(item))
    return session


def read(session: Session, frame: Frame) -> list[tuple[Lane, Any]]:
    """What a session makes of a frame."""
    session.acknowledged(frame.ack)
    came: list[tuple[Lane, Any]] = []
    lane: Lane
    for lane, (first, texts) in (("control", frame.control), ("data", frame.data)):
        came += [(lane, item) for item in session.take(lane, first, tuple(map(json.loads, texts)))]
    return came


def drained(sender: Session, receiver: Session) -> list[Any]:
    """The items of all frames that the sender has, as they come out."""
    came: list[Any] = []
    while sender.waits:
        came += [item for _, item in read(receiver, sender.next_frame())]
    return came


# --- numbers ---------------------------------------------------------------------------


def test_items_are_numbered_from_1_when_they_enter_a_frame() -> None:
    session = pushed("a", "b")
    assert session.sent == (0, 0)
    assert session.next_frame() == Frame((0, 0), data=(1, ('"a"', '"b"')))
    assert session.sent == (0, 2)
    session.push("data", '"c"')
    assert session.next_frame() == Frame((0, 0), data=(3, ('"c"',)))


def test_the_lanes_count_for_themselves() -> None:
    session = pushed("a", "b")
    session.push("control", '"x"')
    assert session.next_frame() == Frame((0, 0), control=(1, ('"x"',)), data=(1, ('"a"', '"b"')))
    assert session.sent == (1, 2)


def test_a_reply_overtakes_the_messages_that_wait() -> None:
    session = pushed(*("d" * 1000 for _ in range(1000)))
    session.next_frame()
    session.push("control", '"reply"')
    frame = session.next_frame()
    assert frame.control == (1, ('"reply"',))


def test_a_frame_is_closed_when_it_is_full() -> None:
    session = pushed(*("d" * 1000 for _ in range(100)))
    frame = session.next_frame()
    size = sum(map(len, frame.data[1]))
    assert FRAME - 1100 < size <= FRAME
    assert session.waits


def test_control_that_fills_a_frame_leaves_data_for_the_next_one() -> None:
    session = pushed("behind")
    session.push("control", json.dumps("c" * (FRAME // 2)))
    session.push("control", json.dumps("c" * (FRAME // 2 - 10)))
    session.push("control", json.dumps("c" * 100))
    frame = session.next_frame()
    assert (len(frame.control[1]), frame.data) == (2, (1, ('"behind"',)))  # 6 characters of room are used
    assert session.next_frame().control[0] == 3


def test_items_of_a_whole_frame_of_control_leave_no_room_for_data() -> None:
    session = pushed("behind")
    session.push("control", json.dumps('"' * (CHUNK - 1)))  # a piece of almost twice its size
    session.push("control", json.dumps('"' * (CHUNK - 1)))
    frame = session.next_frame()
    assert sum(map(len, frame.control[1])) > FRAME
    assert frame.data == (0, ())


def test_without_anything_to_say_a_frame_is_an_acknowledgement() -> None:
    session = Session("s")
    assert not session.waits
    assert session.next_frame() == Frame((0, 0))


# --- receiving --------------------------------------------------------------------------


def test_what_has_come_before_is_dropped() -> None:
    session = Session("s")
    assert list(session.take("data", 1, ("a", "b"))) == ["a", "b"]
    assert list(session.take("data", 1, ("a", "b", "c"))) == ["c"]
    assert list(session.take("data", 2, ("b",))) == []
    assert session.received == (0, 3)


@pytest.mark.parametrize("first", [3, 100, 2**70, 0, -1])
def test_a_number_out_of_order_is_a_fault_and_takes_nothing(first: int) -> None:
    session = Session("s")
    list(session.take("data", 1, ("a",)))
    with pytest.raises(SessionFault, match=f"item {first} came, but 2 is next"):
        list(session.take("data", first, ("x", "y")))
    assert session.received == (0, 1)


def test_a_lane_without_items_needs_no_number() -> None:
    assert list(Session("s").take("data", 0, ())) == []


def test_who_stops_reading_has_only_what_was_read() -> None:
    session = Session("s")
    items = session.take("data", 1, ("a", "b", "c"))
    assert next(items) == "a"
    assert session.received == (0, 1)


def test_a_beat_tells_of_a_lost_tail() -> None:
    session = Session("s")
    list(session.take("data", 1, ("a",)))
    session.check_sent((0, 1))
    session.check_sent((0, 0))
    with pytest.raises(SessionFault, match="data items 2 to 5 were lost on the way"):
        session.check_sent((0, 5))
    with pytest.raises(SessionFault, match="control items 1 to 1 were lost"):
        session.check_sent((1, 1))


# --- acknowledgements --------------------------------------------------------------------


def test_acknowledged_items_are_forgotten() -> None:
    session = pushed(*MANY)
    session.next_frame()
    assert session.unacknowledged == (0, 10)
    session.acknowledged((0, 4))
    assert session.unacknowledged == (0, 6)
    session.acknowledged((0, 2))  # an older one says nothing new
    assert session.unacknowledged == (0, 6)
    session.acknowledged((0, 10))
    assert session.unacknowledged == (0, 0)


@pytest.mark.parametrize("ack", [(0, 11), (1, 10), (1, 0)])
def test_more_acknowledged_than_sent_is_a_fault_and_forgets_nothing(ack: tuple[int, int]) -> None:
    session = pushed(*MANY)
    session.next_frame()
    with pytest.raises(SessionFault, match="is acknowledged, but only"):
        session.acknowledged(ack)
    assert session.unacknowledged == (0, 10)


def test_an_item_that_has_not_been_sent_cannot_be_acknowledged() -> None:
    with pytest.raises(SessionFault, match="item 1 is acknowledged, but only 0 were sent"):
        pushed("a").acknowledged((0, 1))


def test_an_acknowledgement_is_due_after_many_items_of_both_lanes() -> None:
    session = Session("s")
    half = ACK_AFTER // 2
    list(session.take("data", 1, tuple(range(half))))
    list(session.take("control", 1, tuple(range(half - 1))))
    assert not session.waits
    list(session.take("control", half, ("one more",)))
    assert session.waits
    assert session.next_frame() == Frame((half, half))
    assert not session.waits


def test_each_frame_acknowledges_on_its_way() -> None:
    session = pushed("a")
    list(session.take("data", 1, tuple(range(ACK_AFTER))))
    assert session.next_frame().ack == (0, ACK_AFTER)
    assert not session.waits


def test_a_beat_acknowledges_too() -> None:
    session = Session("s")
    list(session.take("data", 1, tuple(range(ACK_AFTER))))
    assert session.acknowledge() == (0, ACK_AFTER)
    assert not session.waits


# --- limits ------------------------------------------------------------------------------


def test_data_has_room_until_the_buffer_has_its_number_of_items() -> None:
    session = Session("s")
    for _ in range(BUFFER_ITEMS):
        assert session.has_room
        session.push("data", "0")
    assert not session.has_room
    while session.waits:
        session.next_frame()
    assert not session.has_room  # sent is not acknowledged
    session.acknowledged((0, 1))
    assert session.has_room


def test_data_has_room_until_the_buffer_has_its_characters() -> None:
    session = Session("s")
    text = json.dumps("x" * (CHUNK - 2))
    for _ in range(BUFFER_BYTES // CHUNK):
        assert session.has_room
        session.push("data", text)
    assert not session.has_room
    session.next_frame()
    session.acknowledged((0, 1))
    assert session.has_room


def test_control_does_not_fill_the_buffer_of_data() -> None:
    session = Session("s")
    for _ in range(BUFFER_ITEMS):
        session.push("control", "0")
    assert session.has_room


# --- pieces -----------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["x" * (CHUNK - 1), "x" * (5 * CHUNK), '"\\' * CHUNK, "ä\u2028😀" * CHUNK])
def test_a_long_item_travels_in_pieces_and_comes_out_whole(text: str) -> None:
    sender, receiver = pushed("before", {"m": text}, "behind"), Session("s", max_message=10**7)
    assert drained(sender, receiver) == ["before", {"m": text}, "behind"]
    assert sender.sent == receiver.received
    assert sender.sent[1] >= 4


def test_an_item_that_just_fits_travels_in_one() -> None:
    session = pushed("x" * (CHUNK - 2))
    session.next_frame()
    assert session.sent == (0, 1)


def test_a_reply_goes_between_the_pieces_of_a_message() -> None:
    sender, receiver = pushed("x" * (10 * CHUNK)), Session("s")
    read(receiver, sender.next_frame())
    sender.push("control", '"reply"')
    assert read(receiver, sender.next_frame()) == [("control", "reply")]
    assert drained(sender, receiver) == ["x" * (10 * CHUNK)]


def test_items_for_others_go_between_the_pieces_of_a_long_one() -> None:
    """What is for the same receiver, or for nobody in particular, comes behind it."""
    sender, receiver = Session("s"), Session("s")
    long = "x" * (10 * CHUNK)
    for text, to in ((long, "a"), ("for b", "b"), ("for a", "a"), ("for all", None), ("for c", "c")):
        sender.push("data", json.dumps(text), to)
    assert read(receiver, sender.next_frame()) == [("data", "for b"), ("data", "for c")]
    read(receiver, sender.next_frame())
    sender.push("data", '"for d"', "d")
    assert ("data", "for d") in [*read(receiver, sender.next_frame()), *read(receiver, sender.next_frame())]
    assert drained(sender, receiver) == [long, "for a", "for all"]
    assert not sender.waits


def test_two_long_items_come_one_behind_the_other() -> None:
    sender, receiver = Session("s"), Session("s")
    for text, to in (("x" * (3 * CHUNK), "a"), ("y" * (3 * CHUNK), "b"), ("for b", "b")):
        sender.push("data", json.dumps(text), to)
    assert drained(sender, receiver) == ["x" * (3 * CHUNK), "y" * (3 * CHUNK), "for b"]


def test_control_passes_a_long_reply() -> None:
    sender, receiver = Session("s"), Session("s")
    sender.push("control", json.dumps("x" * (10 * CHUNK)), 7)
    sender.push("control", '"an order"')
    assert ("control", "an order") in read(receiver, sender.next_frame())


def test_pieces_go_on_where_they_stopped_after_a_resume() -> None:
    sender, receiver = pushed("x" * (10 * CHUNK), "behind"), Session("s")
    assert read(receiver, sender.next_frame()) == []
    sender.next_frame()  # lost with the connection
    sender.resume(receiver.received)
    assert drained(sender, receiver) == ["x" * (10 * CHUNK), "behind"]


WRONG_PIECES = [
    ({"part": 1, "left": True}, "a piece must be"),
    ({"part": "x", "left": 1}, "a piece must be"),
    ({"part": "x"}, "a piece must be"),
    ({"part": "", "left": True}, "a piece of 0 characters"),
    ({"part": "x", "left": True, "more": 1}, "a piece must be"),
    ({"part": "y" * 100, "left": True}, "a message of more than 100 characters"),
    ({"part": "]", "left": False}, "the pieces of an item are no JSON"),
    ({"part": "NaN]", "left": False}, "the pieces of an item are no JSON"),
    ({"part": "[" * 90, "left": False}, "the pieces of an item are no JSON"),
]


@pytest.mark.parametrize(
    ("wrong", "why"), WRONG_PIECES, ids=[f"{why[:24]}-{i}" for i, (_, why) in enumerate(WRONG_PIECES)]
)
def test_a_wrong_piece_is_a_fault_once_and_the_next_item_is_sound(
    monkeypatch: pytest.MonkeyPatch, wrong: Any, why: str
) -> None:
    monkeypatch.setattr(sessions, "SMALLEST", 1)
    session = Session("s", max_message=100)
    assert list(session.take("data", 1, ({"part": "[1,", "left": True},))) == []
    with pytest.raises(SessionFault, match=why) as caught:
        list(session.take("data", 2, (wrong, "next")))
    assert str(caught.value) == caught.value.reason
    assert session.received == (0, 2)
    assert list(session.take("data", 2, (wrong, "next"))) == ["next"]


def test_the_limit_is_for_each_message() -> None:
    session = Session("s", max_message=2 * SMALLEST)
    for number in range(1, 40, 2):
        pieces = ({"part": '"' + "x" * (SMALLEST - 1), "left": True}, {"part": '"', "left": False})
        assert list(session.take("data", number, pieces)) == ["x" * (SMALLEST - 1)]


def test_pieces_so_small_that_they_only_cost_memory_are_a_fault() -> None:
    session = Session("s")
    with pytest.raises(SessionFault, match=f"may have less than {SMALLEST}"):
        list(session.take("data", 1, ({"part": "x" * (SMALLEST - 1), "left": True},)))


# --- resuming ----------------------------------------------------------------------------


def test_what_is_not_acknowledged_is_sent_again_with_the_same_numbers() -> None:
    session = pushed(*MANY)
    session.next_frame()
    session.resume((0, 7))
    assert session.unacknowledged == (0, 3)
    assert session.next_frame().data == (8, ("8", "9", "10"))


def test_numbers_go_on_after_a_resume() -> None:
    session = pushed("a")
    session.next_frame()
    session.resume((0, 1))
    assert not session.waits
    session.push("data", '"b"')
    assert session.next_frame().data == (2, ('"b"',))


@pytest.mark.parametrize("received", [(0, 3), (0, 11), (1, 8), (0, -1)])
def test_numbers_that_cannot_be_the_other_ends_change_nothing(received: tuple[int, int]) -> None:
    session = pushed(*MANY)
    session.next_frame()
    session.acknowledged((0, 4))
    with pytest.raises(SessionFault):
        session.resume(received)
    assert (session.sent, session.unacknowledged) == ((0, 10), (0, 6))


def test_a_resume_within_what_was_acknowledged_is_a_replay() -> None:
    session = pushed(*MANY)
    session.next_frame()
    session.acknowledged((0, 10))
    with pytest.raises(SessionFault, match="the other end has 9 items, and had 10 before"):
        session.resume((0, 9))


def test_what_an_earlier_connection_carried_may_be_acknowledged_on_the_next() -> None:
    """The other end goes on taking what is still under way while it shakes hands anew."""
    session = Session("s")
    for text in ('"a"', '"b"', '"c"'):
        session.push("data", text)
    session.next_frame()
    session.resume((0, 0))
    session.acknowledged((0, 2))
    assert session.unacknowledged == (0, 1)
    assert session.next_frame().data == (3, ('"c"',))


def test_a_session_says_how_many_items_wait_for_a_frame() -> None:
    """Pieces of a long item count, each as one."""
    session = pushed("a", "x" * CHUNK)
    assert session.unsent == 3
    drained(session, Session("t"))
    assert session.unsent == 0
