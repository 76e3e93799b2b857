"""What was said and what it means: the machine alone, and against a model of it."""

from __future__ import annotations

import itertools
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from actors.process.lines.conversation import Broken, Conversation, Ignored, Meant
from actors.process.lines.words import Answered, Cancelled, Chunk, Failed, Ready, TurnedDown

ENDS = {"reply": Answered, "error": Failed, "refused": TurnedDown, "cancelled": Cancelled}
IDS = st.integers(1, 8)


def conversation(max_line: int = 100, max_garbage: int | None = 3) -> Conversation:
    return Conversation("json", max_line, max_garbage)


class Speaking(RuleBasedStateMachine):
    """A child that says anything of any id, against a dict of what is open."""

    def __init__(self) -> None:
        super().__init__()
        self.said = conversation(max_garbage=None)
        self.open: dict[int, bool] = {}
        self.last = 0

    def hear(self, **words: Any) -> Meant:
        (meant,) = self.said.feed(json.dumps(words).encode() + b"\n")
        return meant

    @rule()
    def begin(self) -> None:
        self.last += 1
        assert self.said.next_id == self.last
        assert self.said.begin() == self.last
        self.open[self.last] = False

    @rule(id=IDS)
    def cancel(self, id: int) -> None:
        """The child is told once, of what is open."""
        assert self.said.cancel(id) == (self.open.get(id) is False)
        if id in self.open:
            self.open[id] = True

    @rule(id=IDS, word=st.sampled_from(sorted(ENDS)))
    def end(self, id: int, word: str) -> None:
        """One end to each; a cancelled one that nobody has cancelled is an error."""
        meant = self.hear(id=id, **{word: "x"})
        cancelled = self.open.pop(id, None)
        if cancelled is None:
            assert isinstance(meant, Ignored)
        elif word == "cancelled" and not cancelled:
            assert isinstance(meant, Failed)
        else:
            assert isinstance(meant, ENDS[word])
            assert meant.id == id

    @rule(id=IDS)
    def chunk(self, id: int) -> None:
        """Only of what is open."""
        expected: type = Chunk if id in self.open else Ignored
        assert isinstance(self.hear(id=id, chunk=1), expected)

    @rule()
    def ready(self) -> None:
        assert self.hear(ready=True) == Ready()
        assert self.said.is_ready

    @invariant()
    def as_many_are_open(self) -> None:
        assert self.said.waiting == len(self.open)


TestSpeaking = Speaking.TestCase
TestSpeaking.settings = settings(max_examples=60, stateful_step_count=30)


LINES = st.lists(
    st.sampled_from(
        [b'{"id": 1, "reply": 1}', b'{"progress": 1}', b"garbage", b"", b'{"ready": true}', b"x" * 60]
    )
)


@given(LINES, st.lists(st.integers(0, 400)))
def test_how_the_bytes_are_cut_changes_nothing(lines: list[bytes], cuts: list[int]) -> None:
    """Lines may come in any portions."""
    data = b"".join(line + b"\n" for line in lines)
    whole, parts = conversation(50), conversation(50)
    for one in (whole, parts):
        one.begin()
    expected = [*whole.feed(data), *whole.end()]
    places = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    found = [meant for a, b in itertools.pairwise(places) for meant in parts.feed(data[a:b])]
    assert [type(one) for one in [*found, *parts.end()]] == [type(one) for one in expected]


@given(st.lists(st.binary(max_size=80), max_size=30))
def test_no_more_than_a_line_is_kept(portions: list[bytes]) -> None:
    """What waits for its newline is bounded, and nothing is heard behind what broke it off."""
    said = conversation(max_line=20)
    broken = False
    for portion in portions:
        for meant in said.feed(portion):
            assert not broken
            broken = isinstance(meant, Broken)
        assert len(said._rest) <= 20
    assert said.is_broken == broken


def test_a_line_may_be_as_long_as_the_limit() -> None:
    """And not a byte longer, whether its end came with it or not."""
    line = json.dumps({"log": "x" * 90}).encode()
    assert len(list(conversation(len(line)).feed(line + b"\n"))) == 1
    assert isinstance(next(conversation(len(line) - 1).feed(line + b"\n")), Broken)
    assert isinstance(next(conversation(len(line) - 1).feed(line)), Broken)
    assert list(conversation(len(line)).feed(line)) == []


def test_garbage_is_counted_in_a_row() -> None:
    """A line that says something starts anew; an unknown id is none of the child's faults of speech."""
    said = conversation(max_garbage=2)
    heard = list(said.feed(b'x\nx\n{"id": 9, "reply": 1}\nx\nx\nx\n{"ready": true}\n'))
    assert [type(one) for one in heard] == [Ignored] * 5 + [Broken]
    assert not said.is_ready


def test_the_rest_at_the_end_is_no_line() -> None:
    """It is told of, once; nothing but blanks is nothing."""
    said = conversation()
    assert list(said.feed(b'{"ready"')) == []
    assert [type(one) for one in said.end()] == [Ignored]
    assert list(said.end()) == []
    assert list(said.feed(b"  ")) == list(said.end()) == []
