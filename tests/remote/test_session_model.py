"""Two sessions over a bad wire against plain lists."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any, ClassVar

import attrs
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from actors.remote import session as sessions
from actors.remote.session import LANES, Frame, Lane, Received, Session, SessionFault
from tests.rounds import rounds

ENDS = ("alpha", "beta")


@attrs.frozen
class Beat:
    """What the session needs of a beat."""

    sent: Received
    ack: Received


@attrs.define
class End:
    """One end: its session, and the lists that anybody can check by eye."""

    session: Session
    wire: list[Frame | Beat] = attrs.field(factory=list)
    """What is on its way from here."""
    pushed: dict[Lane, list[Any]] = attrs.field(factory=lambda: {lane: [] for lane in LANES})
    came: dict[Lane, list[Any]] = attrs.field(factory=lambda: {lane: [] for lane in LANES})


class TwoSessions(RuleBasedStateMachine):
    """Frames are dropped, doubled, swapped and cut off; what comes out is what was put in."""

    kind: ClassVar[type[Session]] = Session

    def __init__(self) -> None:
        super().__init__()
        self.ends = {name: End(self.kind("s")) for name in ENDS}
        self.faults = 0
        self.spoiled = False
        """Something has been lost or swapped on this connection."""

    def other(self, name: str) -> End:
        return self.ends["beta" if name == "alpha" else "alpha"]

    # --- what the ends do ---

    @rule(
        name=st.sampled_from(ENDS),
        lane=st.sampled_from(LANES),
        size=st.sampled_from([1, 1, 1, 40, 150]),
        to=st.sampled_from([None, None, "a", "b"]),
    )
    def push(self, name: str, lane: Lane, size: int, to: str | None) -> None:
        """`size` is in characters; the longest ones need several pieces."""
        end = self.ends[name]
        item = [len(end.pushed[lane]), "x" * size, to]
        end.pushed[lane].append(item)
        end.session.push(lane, json.dumps(item), to)

    @rule(name=st.sampled_from(ENDS))
    def write(self, name: str) -> None:
        end = self.ends[name]
        if end.session.waits:
            end.wire.append(end.session.next_frame())

    @rule(name=st.sampled_from(ENDS))
    def beat(self, name: str) -> None:
        end = self.ends[name]
        end.wire.append(Beat(end.session.sent, end.session.acknowledge()))

    @rule(name=st.sampled_from(ENDS))
    def read(self, name: str) -> None:
        """Take the next frame from the wire; a fault ends the connection, and a new one begins."""
        wire = self.other(name).wire
        if not wire:
            return
        try:
            self._take(self.ends[name], wire.pop(0))
        except SessionFault:
            assert self.spoiled, "a fault on a sound wire"
            self.faults += 1
            self.cut()

    def _take(self, end: End, said: Frame | Beat) -> None:
        end.session.acknowledged(said.ack)
        if isinstance(said, Beat):
            end.session.check_sent(said.sent)
            return
        for lane, (first, texts) in zip(LANES, (said.control, said.data), strict=True):
            for item in end.session.take(lane, first, tuple(map(json.loads, texts))):
                end.came[lane].append(item)

    # --- what the wire does ---

    def _wire(self, name: str) -> list[Frame | Beat]:
        return self.ends[name].wire

    @rule(name=st.sampled_from(ENDS), at=st.integers(0, 5))
    def drop(self, name: str, at: int) -> None:
        wire = self._wire(name)
        if at < len(wire):
            del wire[at]
            self.spoiled = True

    @rule(name=st.sampled_from(ENDS), at=st.integers(0, 5), to=st.integers(0, 5))
    def double(self, name: str, at: int, to: int) -> None:
        wire = self._wire(name)
        if at < len(wire):
            wire.insert(to, wire[at])
            self.spoiled = True

    @rule(name=st.sampled_from(ENDS), at=st.integers(0, 5), to=st.integers(0, 5))
    def swap(self, name: str, at: int, to: int) -> None:
        wire = self._wire(name)
        if max(at, to) < len(wire):
            wire[at], wire[to] = wire[to], wire[at]
            self.spoiled = True

    @rule()
    def cut(self) -> None:
        """The connection ends with all that was on its way, and the next one begins."""
        for end in self.ends.values():
            end.wire.clear()
        self.spoiled = False
        alpha, beta = self.ends.values()
        beta.session.resume(alpha.session.received)
        alpha.session.resume(beta.session.received)

    @rule(name=st.sampled_from(ENDS))
    def cut_before_the_welcome(self, name: str) -> None:
        """The connection ends; the next one ends when only one end has resumed, and one more begins."""
        for end in self.ends.values():
            end.wire.clear()
        self.ends[name].session.resume(self.other(name).session.received)
        self.cut()

    # --- healing ---

    @precondition(lambda self: any(sum(map(len, end.pushed.values())) > 5 for end in self.ends.values()))
    @rule()
    def heal(self) -> None:
        """With a sound wire from now on, beats and frames alone bring everything over."""
        rounds = 0
        while any(
            end.wire or end.session.waits or end.session.unacknowledged != (0, 0)
            for end in self.ends.values()
        ):
            rounds += 1
            assert rounds < 1000, "it never comes to rest"
            for name in ENDS:
                for _ in range(len(self.other(name).wire)):
                    self.read(name)
                self.write(name)
                self.beat(name)
            if not any(end.session.waits for end in self.ends.values()):
                for name in ENDS:
                    while self.other(name).wire:
                        self.read(name)
        for name in ENDS:
            assert {lane: sorted(came) for lane, came in self.other(name).came.items()} == self.ends[
                name
            ].pushed
            assert self.ends[name].session.sent == self.other(name).session.received

    @rule(name=st.sampled_from(ENDS))
    def lose_the_tail(self, name: str) -> None:
        """Nothing that comes later shows that something is missing."""
        if self._wire(name):
            self._wire(name).pop()
            self.spoiled = True
            self.heal()

    # --- always ---

    @invariant()
    def what_came_is_what_was_put_in(self) -> None:
        for name in ENDS:
            for lane in LANES:
                came, pushed = self.other(name).came[lane], self.ends[name].pushed[lane]
                for to in (None, "a", "b"):
                    theirs = [item for item in came if item[2] == to]
                    meant = [item for item in pushed if item[2] == to]
                    assert theirs == meant[: len(theirs)], "lost, doubled or out of order"
                for place, item in enumerate(came if lane == "data" else ()):
                    if item[2] is None:
                        before = {one[0] for one in came[:place]}
                        assert before >= set(range(item[0])), "it has passed what it must not pass"

    @invariant()
    def nothing_is_forgotten_before_it_came_and_nothing_is_kept_for_ever(self) -> None:
        for name in ENDS:
            sender, receiver = self.ends[name].session, self.other(name).session
            for kept, got, out in zip(
                sender.unacknowledged, receiver.received, sender._outgoing.values(), strict=True
            ):
                assert out.first - 1 <= got, "forgotten, and the other end has it not"
                later = [text for _, text in out.later]
                assert out.size == sum(map(len, (*out.flight, *out.waiting, *later)))
                assert out.later_for == Counter(to for to, _ in out.later)
                assert kept == len(out.flight) + len(out.waiting) + len(later)
                assert got <= out.first - 1 + kept

    def teardown(self) -> None:
        self.heal()


@pytest.fixture(autouse=True, scope="module")
def _short_pieces() -> Any:  # pyright: ignore[reportUnusedFunction]
    """Pieces and frames are so short that a few items make many of them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sessions, "CHUNK", 32)
        patch.setattr(sessions, "FRAME", 64)
        patch.setattr(sessions, "SMALLEST", 32)
        patch.setattr(sessions, "ACK_AFTER", 4)
        yield


SETTINGS = settings(
    max_examples=rounds(120, deep=400),
    stateful_step_count=50,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)

TestTwoSessions = TwoSessions.TestCase
TestTwoSessions.settings = SETTINGS


# --- the model is no yes-man: each of these sessions is wrong, and it says so -----------------


class Twice(Session):
    """It forgets what it has had before."""

    def take(self, lane: Lane, first: int, items: tuple[Any, ...]) -> Any:
        if items:
            self._incoming[lane].received = min(self._incoming[lane].received, first - 1)
        return super().take(lane, first, items)


class Gaps(Session):
    """It takes what comes too early."""

    def take(self, lane: Lane, first: int, items: tuple[Any, ...]) -> Any:
        if items:
            self._incoming[lane].received = max(self._incoming[lane].received, first - 1)
        return super().take(lane, first, items)


class Eager(Session):
    """It acknowledges an item that it has not had yet."""

    def acknowledge(self) -> Received:
        control, data = super().acknowledge()
        return control, data + (data > 2)


class Forgetful(Session):
    """It forgets what it has sent, whether it came or not."""

    def next_frame(self) -> Frame:
        frame = super().next_frame()
        self.acknowledged(self.sent)
        return frame


class Deaf(Session):
    """It does not look for lost tails."""

    def check_sent(self, sent: Received) -> None:
        pass


class Hoarder(Session):
    """It never forgets what was acknowledged."""

    def acknowledged(self, received: Received) -> None:
        pass


class Torn(Session):
    """It begins long items anew with each connection."""

    def resume(self, received: Received) -> None:
        super().resume(received)
        for lane in self._incoming.values():
            lane.pieces = []


class Hasty(Session):
    """It lets everything pass a long item."""

    def push(self, lane: Lane, text: str, to: Any = None) -> None:
        super().push(lane, text, to if len(text) > 32 else object())


class Lazy(Session):
    """It does not send again what was lost."""

    def resume(self, received: Received) -> None:
        sent = self.sent
        super().resume(received)
        for out, number in zip(self._outgoing.values(), sent, strict=True):
            out.sent = number


@pytest.mark.parametrize("broken", [Twice, Gaps, Eager, Forgetful, Deaf, Hoarder, Torn, Hasty, Lazy])
def test_the_model_finds_a_session_that_breaks_a_rule(broken: type[Session]) -> None:
    class Machine(TwoSessions):
        kind = broken

    with pytest.raises((AssertionError, SessionFault)):
        run_state_machine_as_test(  # type: ignore[no-untyped-call]
            Machine,
            settings=settings(
                SETTINGS,
                max_examples=2000,
                stateful_step_count=80,
                report_multiple_bugs=False,
                phases=[Phase.generate],
                database=None,
                derandomize=True,
                print_blob=False,
            ),
        )
