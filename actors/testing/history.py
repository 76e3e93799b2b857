"""What happened to posted messages, told from outside, and whether it may have happened. Pure.

A campaign starts processes, kills them, and heals. Each process notes what it does before it does it and
what came of it after, all into one file; the order of the lines is the order in which they were written. A
post that began and of which nothing is known after is unknown: it may or may not have been stored. At the
end everything is drained, the final state of each ticket is noted, and `check_history` judges.
"""

from __future__ import annotations

import enum
import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, Final, cast

import attrs

__all__ = ["History", "Noted", "Record", "Verdict", "check_history", "from_lines", "to_line"]


class Noted(enum.Enum):
    """What a record tells."""

    POSTING = "posting"
    """a post begins: noted before the call"""
    POSTED = "posted"
    """it was acknowledged: noted after the call"""
    REFUSED = "refused"
    """it was refused, and nothing is stored"""
    UNKNOWN = "unknown"
    """it raised, or its process ended: it may be stored. So is a post of which nothing more is noted."""
    BEGUN = "begun"
    """a handler begins with a delivery"""
    ENDED = "ended"
    """the handler is through with it, well or with an error"""
    EFFECT = "effect"
    """what the message is to bring about was found done, once for each record"""
    FINAL = "final"
    """the ticket was found in this state at the end"""


@attrs.frozen
class Record:
    """One line of a history."""

    noted: Noted
    id: str
    """Of the message: what its sender and its handler both know, not the ticket's."""
    path: str = ""
    """Its recipient; at POSTING and BEGUN."""
    priority: int = 0
    attempt: int = 0
    """The number of the delivery, at BEGUN; how many the ticket counts, at FINAL. 0 where it is not known."""
    state: str = ""
    """A state of tickets, such as "responded"; at FINAL."""
    by: str = ""
    """The process that has noted it, for people."""


@attrs.frozen
class History:
    """What was read."""

    records: tuple[Record, ...]
    torn: int
    """Lines that are cut off: each process that was killed may leave one."""


def to_line(record: Record) -> str:
    """A record as it is appended to a file, in one write.

    It begins on a new line, so that a line that a killed process has cut off spoils none after it.
    """
    plain = attrs.asdict(record, filter=lambda field, value: value != field.default)
    return "\n" + json.dumps(plain | {"noted": record.noted.value}, ensure_ascii=False) + "\n"


def from_lines(text: str) -> History:
    """Read what `to_line` has written. Lines that are cut off are counted.

    Raises ValueError for a whole line that is no record.
    """
    records: list[Record] = []
    torn = 0
    for line in text.split("\n"):
        if not line:
            continue
        try:
            plain = json.loads(line)
        except ValueError:
            torn += 1
            continue
        records.append(_record(line, plain))
    return History(tuple(records), torn)


def _record(line: str, plain: Any) -> Record:
    try:
        fields = cast("dict[str, Any]", plain)
        return Record(Noted(fields.pop("noted")), **fields)
    except (AttributeError, TypeError, KeyError, ValueError) as error:
        raise ValueError(f"this line is no record of a history ({error}): {line[:200]}") from None


@attrs.frozen
class Verdict:
    """What a history shows: ids of messages. Those of `recovered` and `repeated` are allowed."""

    lost: tuple[str, ...] = ()
    """acknowledged, but never delivered, and no final state says why"""
    stuck: tuple[str, ...] = ()
    """acknowledged, and in no final state at the end, where final states are noted"""
    unexpected: tuple[str, ...] = ()
    """delivered, but never posted, or refused"""
    doubled: tuple[str, ...] = ()
    """the effect was brought about more than once, where exactly once is claimed"""
    undone: tuple[str, ...] = ()
    """responded, but without its effect, where exactly once is claimed"""
    overtried: tuple[str, ...] = ()
    """delivered more often than `max_attempts`, or twice under one number"""
    uncounted: tuple[str, ...] = ()
    """delivered more often than its ticket counts: a delivery was made that was not written before"""
    spared: tuple[str, ...] = ()
    """dead, though its ticket counts fewer deliveries than `max_attempts`"""
    disordered: tuple[tuple[str, str], ...] = ()
    """the second was posted after the first was acknowledged, and delivered before the first was through"""
    ambiguous: tuple[str, ...] = ()
    """found in two final states"""
    recovered: tuple[str, ...] = ()
    """of an unknown post, and delivered"""
    repeated: tuple[str, ...] = ()
    """delivered more than once"""

    @property
    def is_good(self) -> bool:
        """Whether all of it is allowed."""
        return not any(ids for name, ids in self._found() if name not in _ALLOWED)

    def __str__(self) -> str:
        lines = [f"{name}: {len(ids)}, first {ids[0]}" for name, ids in self._found() if ids]
        return "\n".join(["good" if self.is_good else "bad", *lines])

    def _found(self) -> list[tuple[str, tuple[Any, ...]]]:
        return [(field.name, getattr(self, field.name)) for field in attrs.fields(Verdict)]


_ALLOWED: Final = frozenset({"recovered", "repeated"})
_ENDS_UNSEEN: Final = frozenset({"cancelled", "timed_out", "dead"})
"""A ticket can come to these though no handler has begun with it: a process may die between."""
_FINAL: Final = _ENDS_UNSEEN | {"responded", "failed"}


@attrs.define
class _Message:
    """All that a history tells of a message; places are numbers of records."""

    id: str
    line: tuple[str, int] = ("", 0)
    posting: int | None = None
    posted: int | None = None
    is_refused: bool = False
    begun: list[int] = attrs.Factory(list[int])
    attempts: list[int] = attrs.Factory(list[int])
    effects: int = 0
    states: list[str] = attrs.Factory(list[str])
    counted: int = 0

    def add(self, place: int, record: Record) -> None:
        match record.noted:
            case Noted.POSTING:
                self.posting = place if self.posting is None else self.posting
                self.line = (record.path, record.priority)
            case Noted.POSTED:
                self.posted = place if self.posted is None else self.posted
            case Noted.REFUSED:
                self.is_refused = True
            case Noted.BEGUN:
                self.begun.append(place)
                self.attempts.append(record.attempt)
            case Noted.EFFECT:
                self.effects += 1
            case Noted.FINAL:
                self.states.append(record.state)
                self.counted = max(self.counted, record.attempt)
            case _:  # ENDED and UNKNOWN
                pass  # for people: nothing follows from them that does not from what is missing

    @property
    def is_sure(self) -> bool:
        """Whether its post was acknowledged, perhaps after tries of which nothing is known."""
        return self.posted is not None

    @property
    def is_lost(self) -> bool:
        return self.is_sure and not self.begun and not _ENDS_UNSEEN.intersection(self.states)

    @property
    def is_unexpected(self) -> bool:
        return bool(self.begun) and (self.posting is None or (self.is_refused and not self.is_sure))

    @property
    def is_recovered(self) -> bool:
        return bool(self.begun) and not self.is_sure and not self.is_unexpected

    @property
    def is_ambiguous(self) -> bool:
        found = list(dict.fromkeys(self.states))
        return len(found) > 1 and found != ["timed_out", "responded"]  # which is a late reply

    @property
    def is_uncounted(self) -> bool:
        return 0 < self.counted < len(self.begun)

    def is_spared(self, max_attempts: int | None) -> bool:
        return "dead" in self.states and 0 < self.counted < (max_attempts or 0)

    def is_overtried(self, max_attempts: int | None) -> bool:
        most = max(len(self.begun), *self.attempts, 0)
        if max_attempts is not None and most > max_attempts:
            return True
        numbers = [number for number in self.attempts if number]
        return any(two <= one for one, two in pairwise(numbers))


def check_history(
    records: Sequence[Record],
    *,
    max_attempts: int | None = None,
    exactly_once: bool = False,
    holds_back: bool = True,
) -> Verdict:
    """Judge a whole history, drained at its end.

    `max_attempts` is that of all its posts; None: as many as it likes. With `exactly_once` effects are
    counted. With `holds_back` a failing message holds back later ones of its recipient and priority, else
    only first deliveries have to be in order. What two posts that overlap in time come to is not judged, nor
    how priorities mix.
    """
    messages = _gathered(records)
    has_finals = any(message.states for message in messages)

    def ids(chosen: Iterable[_Message]) -> tuple[str, ...]:
        return tuple(message.id for message in chosen)

    sure = [message for message in messages if message.is_sure]
    responded = [message for message in messages if "responded" in message.states]
    return Verdict(
        lost=ids(one for one in messages if one.is_lost),
        stuck=ids(one for one in sure if has_finals and not _FINAL.intersection(one.states)),
        unexpected=ids(one for one in messages if one.is_unexpected),
        doubled=ids(one for one in messages if exactly_once and one.effects > 1),
        undone=ids(one for one in responded if exactly_once and not one.effects),
        overtried=ids(one for one in messages if one.is_overtried(max_attempts)),
        disordered=tuple(_disordered(messages, holds_back)),
        uncounted=ids(one for one in messages if one.is_uncounted),
        spared=ids(one for one in messages if one.is_spared(max_attempts)),
        ambiguous=ids(one for one in messages if one.is_ambiguous),
        recovered=ids(one for one in messages if one.is_recovered),
        repeated=ids(one for one in messages if len(one.begun) > 1),
    )


def _gathered(records: Sequence[Record]) -> list[_Message]:
    """All messages, in the order in which they were first noted."""
    messages: dict[str, _Message] = {}
    for place, record in enumerate(records):
        messages.setdefault(record.id, _Message(record.id)).add(place, record)
    return list(messages.values())


def _disordered(messages: Iterable[_Message], holds_back: bool) -> Iterable[tuple[str, str]]:
    """Pairs of one recipient and priority, delivered in the wrong order."""
    lines: defaultdict[tuple[str, int], list[_Message]] = defaultdict(list)
    for message in messages:
        if message.begun and message.posting is not None:
            lines[message.line].append(message)
    for line in lines.values():
        yield from _disordered_in(line, holds_back)


def _disordered_in(line: list[_Message], holds_back: bool) -> Iterable[tuple[str, str]]:
    """Of one line: a sweep over posts, with the latest delivery of all that were acknowledged before each."""
    earlier = sorted((one.posted, one) for one in line if one.posted is not None)
    latest: _Message | None = None
    index = 0
    for later in sorted(line, key=lambda one: one.posting or 0):
        while index < len(earlier) and earlier[index][0] < (later.posting or 0):
            one = earlier[index][1]
            if latest is None or _through(one, holds_back) > _through(latest, holds_back):
                latest = one
            index += 1
        if latest is not None and later.begun[0] < _through(latest, holds_back):
            yield latest.id, later.id


def _through(message: _Message, holds_back: bool) -> int:
    """When those behind it may begin."""
    return message.begun[-1 if holds_back else 0]
