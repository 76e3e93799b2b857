"""One session between two nodes: numbered items, acknowledgements, resume. Pure.

Rules of this file. Items are texts. There are two lanes, control and data; in a frame the
control items come first, so that a reply never waits behind a queue of messages. Each lane
numbers its items from 1 when they enter a frame. The receiver takes every number once and
in order: one that it has had is dropped, one that comes too early is a `SessionFault`, and
whoever carries the session out then cuts the connection and resumes. An acknowledgement is
cumulative: "I have all up to n". What is not acknowledged is kept, and sent again, with the
same numbers, on the next connection.

An item longer than `CHUNK` travels in pieces, so that nothing else waits for all of it: one piece is
in the lane at a time, and other items pass between two of them. Behind it, in their order, wait
those that are for the same receiver, and of the data those that are for nobody in particular.
"""

from __future__ import annotations

import json
from collections import Counter, deque
from collections.abc import Hashable, Iterator
from typing import Any, Final, Literal, NoReturn, cast

import attrs

from actors.remote.jsontext import BadFrame, parse

__all__ = [
    "ACK_AFTER",
    "BACKLOG_ITEMS",
    "BACKLOG_MESSAGES",
    "BUFFER_BYTES",
    "BUFFER_ITEMS",
    "CHUNK",
    "FRAME",
    "LANES",
    "SMALLEST",
    "Frame",
    "Lane",
    "Received",
    "Session",
    "SessionFault",
]

Lane = Literal["control", "data"]
LANES: Final[tuple[Lane, Lane]] = ("control", "data")
Received = tuple[int, int]
"""The highest number received without a gap: of control items, of data items."""

FRAME: Final = 48 * 1024
"""A frame is closed when its items have this many characters."""
CHUNK: Final = 32 * 1024
"""The longest item, in characters, that travels in one piece."""
SMALLEST: Final = 1024
"""Characters of every piece but the last, so that many empty ones do not fill the memory."""
ACK_AFTER: Final = 64
"""So many items are acknowledged at once, without waiting for a frame that goes there anyway."""
BUFFER_ITEMS: Final = 10_000
"""Data items that may wait or be unacknowledged before no more are taken."""
BUFFER_BYTES: Final = 8 * 1024 * 1024
"""The same in characters."""
BACKLOG_ITEMS: Final = 500_000
"""Items of a lane that are kept for an end that acknowledges none: replies and orders have no other bound."""
BACKLOG_MESSAGES: Final = 256
"""The same in the longest messages."""


class SessionFault(Exception):
    """The other end broke the rules, or items were lost on the way. `reason` is for both ends' logs."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


@attrs.frozen
class Frame:
    """What goes over the wire at once: the number of each lane's first item, and the items."""

    ack: Received
    control: tuple[int, tuple[str, ...]] = (0, ())
    data: tuple[int, tuple[str, ...]] = (0, ())


@attrs.define
class _Outgoing:
    """The items of one lane on their way out."""

    first: int = 1
    """The number of the oldest item that is not acknowledged."""
    sent: int = 0
    """The highest number that has entered a frame of this connection."""
    most: int = 0
    """The highest number that has entered a frame of any connection."""
    flight: deque[str] = attrs.field(factory=deque[str])
    """Sent over this connection and not acknowledged."""
    waiting: deque[str] = attrs.field(factory=deque[str])
    """Still to be sent over this connection."""
    later: deque[tuple[Hashable, str]] = attrs.field(factory=deque[tuple[Hashable, str]])
    """Whom it is for, and its text: the pieces of long items, and what must not come before them."""
    later_for: Counter[Hashable] = attrs.field(factory=Counter[Hashable])
    piece: int = 0
    """The number of the newest piece in `waiting`, or of one that has gone."""
    size: int = 0

    def push(self, text: str, to: Hashable, behind_all: bool) -> None:
        if len(text) > CHUNK:
            for start in range(0, len(text), CHUNK):
                left = start + CHUNK < len(text)
                self._put_later(to, json.dumps({"part": text[start : start + CHUNK], "left": left}))
        elif to in self.later_for or (behind_all and self.later):
            self._put_later(to, text)
        else:
            self.waiting.append(text)
            self.size += len(text)

    def _put_later(self, to: Hashable, text: str) -> None:
        self.later.append((to, text))
        self.later_for[to] += 1
        self.size += len(text)

    def _feed(self) -> None:
        """Let the next one into the lane of those that wait behind a piece, if that has gone."""
        while self.later and self.sent >= self.piece:
            to, text = self.later.popleft()
            self.waiting.append(text)
            if text.startswith('{"part"'):
                self.piece = self.sent + len(self.waiting)
            self.later_for[to] -= 1
            if not self.later_for[to]:
                del self.later_for[to]

    def __len__(self) -> int:
        return len(self.flight) + len(self.waiting) + len(self.later)

    @property
    def waits(self) -> bool:
        return bool(self.waiting or self.later)

    def take(self, room: int) -> tuple[int, tuple[str, ...]]:
        """The next items, at least one if there is any, up to `room` characters."""
        self._feed()
        taken: list[str] = []
        while self.waiting and (not taken or len(self.waiting[0]) <= room):
            text = self.waiting.popleft()
            room -= len(text)
            taken.append(text)
        if not taken:
            return 0, ()
        self.flight.extend(taken)
        first = self.sent + 1
        self.sent += len(taken)
        self.most = max(self.most, self.sent)
        return first, tuple(taken)

    def forget(self, number: int) -> None:
        """The other end has all up to this one, also what an earlier connection has carried."""
        while self.first <= number:
            self.size -= len((self.flight or self.waiting).popleft())
            self.first += 1
        self.sent = max(self.sent, number)

    def resume(self, number: int) -> None:
        """A new connection: what was under way has to be sent again."""
        self.forget(number)
        self.waiting.extendleft(reversed(self.flight))
        self.flight.clear()
        self.sent = number


@attrs.define
class _Incoming:
    """The items of one lane on their way in."""

    received: int = 0
    told: int = 0
    """What the other end was told that we have."""
    pieces: list[str] = attrs.field(factory=list[str])
    size: int = 0

    def take(self, first: int, items: tuple[Any, ...], limit: int) -> Iterator[Any]:
        if items and not 1 <= first <= self.received + 1:
            raise SessionFault(f"item {first} came, but {self.received + 1} is next")
        for number, item in enumerate(items, first):
            if number <= self.received:
                continue
            self.received = number  # also of what breaks the rules: it must not come again and again
            if isinstance(item, dict) and "part" in item:
                if self._gather(cast("dict[str, Any]", item), limit):
                    yield self._whole()
            else:
                yield item

    def _gather(self, piece: dict[str, Any], limit: int) -> bool:
        """Keep a piece; True when it was the last one."""
        text, left = piece["part"], piece.get("left")
        if not isinstance(text, str) or not isinstance(left, bool) or len(piece) != 2:
            self._drop('a piece must be {"part": text, "left": true or false}')
        if left and len(text) < SMALLEST:
            self._drop(f"a piece of {len(text)} characters, and only the last may have less than {SMALLEST}")
        self.pieces.append(text)
        self.size += len(text)
        if self.size > limit:
            self._drop(f"a message of more than {limit} characters")
        return not left

    def _whole(self) -> Any:
        try:
            said = parse("".join(self.pieces))
        except BadFrame as error:
            self._drop(f"the pieces of an item are {error}")
        self.pieces, self.size = [], 0
        return said

    def _drop(self, reason: str) -> NoReturn:
        """Forget the pieces: who goes on after this begins with the next item."""
        self.pieces, self.size = [], 0
        raise SessionFault(reason)


@attrs.define
class Session:
    """Both directions of one session, as one end sees them."""

    id: str
    max_message: int = 1024 * 1024
    """The longest message, in characters, that is put together from pieces."""
    _outgoing: dict[Lane, _Outgoing] = attrs.field(factory=lambda: {lane: _Outgoing() for lane in LANES})
    _incoming: dict[Lane, _Incoming] = attrs.field(factory=lambda: {lane: _Incoming() for lane in LANES})

    # --- out ---

    def push(self, lane: Lane, text: str, to: Hashable = None) -> None:
        """Put an item in a lane. Its text is one JSON value.

        It may come before a longer one that is for somebody else than `to`; data for nobody in
        particular comes behind everything before it.
        """
        self._outgoing[lane].push(text, to, behind_all=lane == "data" and to is None)

    @property
    def has_room(self) -> bool:
        """True while data may be pushed; control is taken always, as it only answers."""
        data = self._outgoing["data"]
        return len(data) < BUFFER_ITEMS and data.size < BUFFER_BYTES

    @property
    def has_room_for_answers(self) -> bool:
        """The same of the other lane, for those of its items that can wait."""
        control = self._outgoing["control"]
        return len(control) < BUFFER_ITEMS and control.size < BUFFER_BYTES

    @property
    def is_overdue(self) -> bool:
        """True when so much is not acknowledged that the other end cannot mean well, or cannot follow."""
        most = BACKLOG_MESSAGES * self.max_message
        return any(len(out) > BACKLOG_ITEMS or out.size > most for out in self._outgoing.values())

    @property
    def unacknowledged(self) -> Received:
        """How many items of each lane the other end has not said to have."""
        return len(self._outgoing["control"]), len(self._outgoing["data"])

    @property
    def waits(self) -> bool:
        """True when there is something to send, or an acknowledgement is due."""
        return any(out.waits for out in self._outgoing.values()) or self._owed >= ACK_AFTER

    @property
    def unsent(self) -> int:
        """How many items wait for a frame."""
        return sum(len(out.waiting) + len(out.later) for out in self._outgoing.values())

    @property
    def _owed(self) -> int:
        return sum(one.received - one.told for one in self._incoming.values())

    def next_frame(self) -> Frame:
        """The next frame: control first, then data, and the acknowledgement, which may be all of it."""
        control = self._outgoing["control"].take(FRAME)
        room = FRAME - sum(map(len, control[1]))
        data = self._outgoing["data"].take(room) if room > 0 else (0, ())
        return Frame(self.acknowledge(), control, data)

    def acknowledge(self) -> Received:
        """What we have; the other end counts as told."""
        for one in self._incoming.values():
            one.told = one.received
        return self.received

    # --- in ---

    @property
    def received(self) -> Received:
        """What we have."""
        return self._incoming["control"].received, self._incoming["data"].received

    def take(self, lane: Lane, first: int, items: tuple[Any, ...]) -> Iterator[Any]:
        """The new items among those that came, as JSON values. Raises `SessionFault` on the way."""
        return self._incoming[lane].take(first, items, self.max_message)

    @property
    def sent(self) -> Received:
        """The highest numbers that have entered a frame of this connection."""
        return self._outgoing["control"].sent, self._outgoing["data"].sent

    def check_sent(self, sent: Received) -> None:
        """The other end has sent so much. Raises `SessionFault` when some of it was lost on the way."""
        for lane, number in zip(LANES, sent, strict=True):
            if number > self._incoming[lane].received:
                had = self._incoming[lane].received
                raise SessionFault(f"{lane} items {had + 1} to {number} were lost on the way")

    def acknowledged(self, received: Received) -> None:
        """The other end has these. Raises `SessionFault` for more than were sent, and takes none then."""
        self._check(received, resuming=False)
        for lane, number in zip(LANES, received, strict=True):
            self._outgoing[lane].forget(number)

    def resume(self, received: Received) -> None:
        """A new connection begins, and the other end has these.

        Raises `SessionFault` for numbers that cannot be those of the other end; nothing has changed then.
        """
        self._check(received, resuming=True)
        for lane, number in zip(LANES, received, strict=True):
            self._outgoing[lane].resume(number)

    def _check(self, received: Received, *, resuming: bool) -> None:
        for lane, number in zip(LANES, received, strict=True):
            out = self._outgoing[lane]
            if number > out.most:
                raise SessionFault(f"item {number} is acknowledged, but only {out.most} were sent")
            if resuming and number < out.first - 1:
                raise SessionFault(f"the other end has {number} items, and had {out.first - 1} before")
