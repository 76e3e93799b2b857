"""The life of a link under clocks that tests turn."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from actors.remote.link import BEAT, LinkState, LinkVerdict, Vitality
from tests.rounds import rounds

UP, SUSPECT, RECONNECTING, DOWN = LinkState
NOTHING, CUT, LAPSED = LinkVerdict
LEASE = 15.0


def connected(*, lease: float = LEASE, at: float = 0.0) -> Vitality:
    """A link whose connection has just begun."""
    made = Vitality(lease, lease)
    made.connected(at, at)
    return made


def looked(link: Vitality, since: float, until: float) -> list[tuple[float, LinkVerdict, LinkState]]:
    """Look once a beat, in time; each verdict with the state behind it."""
    seen: list[tuple[float, LinkVerdict, LinkState]] = []
    now = since
    while now <= until:
        seen.append((now, link.observe(now, now), link.state))
        now += link.beat
    return seen


# --- the table -----------------------------------------------------------------------------


def test_a_link_begins_without_a_connection() -> None:
    link = Vitality(LEASE, LEASE)
    assert (link.state, link.reason) == (RECONNECTING, "")


def test_a_connection_makes_it_up_and_its_end_makes_it_reconnect() -> None:
    link = connected()
    assert (link.state, link.reason) == (UP, "")
    link.disconnected(1.0, "the cable broke")
    assert (link.state, link.reason) == (RECONNECTING, "the cable broke")
    link.disconnected(2.0, "again")
    assert link.reason == "the cable broke"
    link.connected(3.0, 3.0)
    assert (link.state, link.reason) == (UP, "")


def test_silence_makes_it_suspect_and_a_sign_makes_it_up() -> None:
    link = connected()
    assert link.observe(4.0, 4.0) is NOTHING
    assert link.state is UP
    assert link.observe(7.0, 7.0) is NOTHING
    assert (link.state, link.reason) == (SUSPECT, "nothing heard for 7.0 s")
    link.heard(7.5)
    assert (link.state, link.reason, link.heard_at) == (UP, "", 7.5)
    assert link.observe(8.0, 8.0) is NOTHING
    assert link.state is UP


def test_a_suspect_connection_can_break() -> None:
    link = connected()
    link.observe(8.0, 8.0)
    link.disconnected(8.5, "cut")
    assert (link.state, link.reason) == (RECONNECTING, "cut")
    link.heard(8.6)  # a frame that was on its way
    assert link.state is RECONNECTING


def test_suspect_comes_before_the_cut_and_the_cut_before_the_lapse() -> None:
    link = connected()
    seen = looked(link, 1.0, 14.0)
    states = [state for _, _, state in seen]
    cut = next(now for now, verdict, _ in seen if verdict is CUT)
    assert UP in states
    assert states.index(SUSPECT) > states.index(UP)
    suspected = seen[states.index(SUSPECT)][0]
    assert 4.0 < suspected < cut < LEASE
    link.disconnected(cut, "silent")
    seen = looked(link, cut, 20.0)
    lapsed = next(now for now, verdict, _ in seen if verdict is LAPSED)
    assert link.gone_at <= lapsed < link.gone_at + BEAT


def test_a_connection_is_not_gone_before_it_is_cut() -> None:
    """However late the look is: while a connection stands, its end comes first."""
    link = connected()
    assert link.observe(60.0, 60.0) is CUT
    assert link.state is SUSPECT
    link.disconnected(60.0, "silent")
    assert link.observe(60.0, 60.0) is LAPSED


def test_the_cut_is_asked_for_until_it_is_done() -> None:
    link = connected()
    assert link.observe(30.0, 30.0) is CUT
    assert link.observe(31.0, 31.0) is CUT


@pytest.mark.parametrize("event", ["connected", "disconnected", "heard", "beat", "greeted", "down", "look"])
def test_down_is_final(event: str) -> None:
    link = connected()
    link.down("the lease")
    events: dict[str, Any] = {
        "connected": lambda: link.connected(5.0, 5.0),
        "disconnected": lambda: link.disconnected(5.0, "cut"),
        "heard": lambda: link.heard(5.0),
        "beat": lambda: link.beat_in(4.0, 4.0, 5.0),
        "greeted": lambda: link.greeted(5.0),
        "down": lambda: link.down("another reason"),
        "look": lambda: link.observe(500.0, 500.0),
    }
    lapses_at = link.lapses_at
    assert events[event]() in (None, NOTHING)
    assert (link.state, link.reason, link.lapses_at) == (DOWN, "the lease", lapses_at)


@given(
    st.lists(
        st.tuples(st.sampled_from(["connected", "disconnected", "heard", "beat", "look"]), st.floats(0, 30))
    )
)
def test_no_events_lead_out_of_down_and_only_looks_at_standing_connections_cut(
    events: list[tuple[str, float]],
) -> None:
    link, now = Vitality(LEASE, LEASE), 0.0
    was_down = False
    for what, delay in events:
        now += delay
        before = link.state
        if what == "connected":
            link.connected(now, now)
        elif what == "disconnected":
            link.disconnected(now, "cut")
        elif what == "heard":
            link.heard(now)
        elif what == "beat":
            link.beat_in(now, None, now)
        else:
            verdict = link.observe(now, now)
            assert verdict is not CUT or link.state is SUSPECT
            assert verdict is not LAPSED or (before is RECONNECTING and now >= link.gone_at)
            if verdict is LAPSED:
                link.down("lapsed")
        assert not (was_down and link.state is not DOWN)
        was_down = link.state is DOWN


# --- beats ---------------------------------------------------------------------------------


def test_beats_carry_our_time_and_the_newest_of_theirs() -> None:
    link = connected()
    assert link.beat_out(1.0) == (1.0, None)
    assert link.beat_in(500.0, None, 1.5) is None
    assert link.beat_out(2.0) == (2.0, 500.0)


def test_an_echo_gives_the_round_trip_and_the_lease() -> None:
    link = connected()
    link.beat_out(1.0)
    assert link.beat_in(500.0, 1.0, 1.25) == 0.25
    assert link.lapses_at == 1.0 + LEASE
    assert link.gone_at >= 1.25 + LEASE


@pytest.mark.parametrize("echo", [0.5, 9.0, float("inf"), float("-inf"), float("nan")])
def test_an_echo_of_a_beat_that_was_not_sent_or_is_old_gives_nothing(echo: float) -> None:
    link = connected()
    link.beat_in(500.0, 1.0, 1.25)
    assert link.beat_in(501.0, echo, 2.0) is None
    assert link.lapses_at == 1.0 + LEASE


def test_a_new_connection_echoes_nothing_of_the_one_before() -> None:
    link = connected()
    link.beat_in(500.0, 1.0, 1.25)
    link.disconnected(2.0, "cut")
    link.connected(3.0, 2.5)
    assert link.beat_out(4.0) == (4.0, None)
    assert link.lapses_at == 2.5 + LEASE


def test_an_answered_hello_is_a_sign_of_life() -> None:
    """Whoever has said it counts its lease from then on, and may never get through to us again."""
    link = connected()
    link.disconnected(5.0, "cut")
    link.greeted(14.0)
    assert link.gone_at >= 14.0 + LEASE
    assert link.observe(16.0, 16.0) is NOTHING


def test_the_next_look_is_in_a_beat_or_when_the_lease_lapses() -> None:
    link = connected()
    assert link.next_look(3.0) == 3.0 + link.beat
    assert link.next_look(LEASE - 0.25) == link.lapses_at == LEASE
    assert link.next_look(LEASE) == LEASE + link.beat
    assert link.next_look(LEASE + 3) == LEASE + 3 + link.beat


# --- gaps and pauses ------------------------------------------------------------------------


@given(st.lists(st.floats(0.0, 2.9), max_size=60), st.floats(0.0, 1.0))
def test_no_gap_shorter_than_the_pause_makes_it_suspect(gaps: list[float], phase: float) -> None:
    link, now, look = connected(), 0.0, phase
    for gap in gaps:
        now += BEAT + gap
        while look < now:
            assert link.observe(look, look) is NOTHING
            assert link.state is UP
            look += BEAT
        link.heard(now)
        link.beat_in(now, None, now)


@given(
    lease=st.sampled_from([0.5, 1.0, 2.0, 5.0, 15.0, 60.0]),
    other=st.sampled_from([0.5, 1.0, 2.0, 5.0, 15.0, 60.0]),
    share=st.floats(0.0, 0.95),
)
def test_steady_beats_keep_every_lease(lease: float, other: float, share: float) -> None:
    """Both ends come to the same beat, and it is short enough for the shorter lease."""
    here, there = Vitality(lease, other), Vitality(other, lease)
    assert here.beat == there.beat <= BEAT
    trip = here.beat * share
    here.connected(0.0, 0.0)
    now = 0.0
    for _ in range(30):
        sent, now = now, now + here.beat
        here.heard(now)
        here.beat_in(now, max(0.0, sent - trip), now)
        assert here.observe(now, now) is NOTHING
        assert here.state is UP
        assert now < here.lapses_at


@given(
    lease=st.sampled_from([0.5, 1.0, 2.0, 5.0, 15.0, 60.0]),
    history=st.lists(st.floats(0.0, 100.0), max_size=50),
)
def test_silence_is_cut_within_a_lease_whatever_came_before(lease: float, history: list[float]) -> None:
    link, now = connected(lease=lease), 0.0
    for delay in history:
        now += delay
        link.heard(now)
    cut = next(at for at, verdict, _ in looked(link, now, now + 3 * lease) if verdict is CUT)
    assert cut <= now + lease + link.beat


@given(st.floats(1.0, 600.0), st.booleans(), st.floats(0.0, 0.9))
def test_a_pause_of_our_own_loop_suspects_nobody(pause: float, reader_first: bool, phase: float) -> None:
    """All that the other end has sent meanwhile is read at once when the loop goes on."""
    link = connected()
    for second in range(1, 20):
        link.heard(second + phase)
        assert link.observe(second + 1.0, second + 1.0) is NOTHING
    due, now = 21.0, 20.5 + pause
    if reader_first:
        link.heard(now)
    assert link.observe(max(now, due), due) is NOTHING
    assert link.state is UP
    if not reader_first:
        link.heard(max(now, due))
    for second in range(1, 20):
        at = max(now, due) + second
        link.heard(at)
        assert link.observe(at, at) is NOTHING
        assert link.state is UP


def test_a_silence_behind_our_own_pause_is_noticed_as_soon_as_any() -> None:
    link = connected()
    for second in range(1, 30):
        link.heard(float(second))
        link.observe(float(second), float(second))
    link.observe(90.0, 30.0)
    link.heard(90.0)
    assert [state for _, _, state in looked(link, 91.0, 97.0)][-1] is SUSPECT


# --- leases ----------------------------------------------------------------------------------


@attrs.define
class Node:
    """One end: its own clock, and what is on its way from it."""

    link: Vitality
    ahead: float
    """how far its clock is ahead of the true time"""
    wire: list[tuple[int, str, Any]] = attrs.field(factory=list)
    """the number of the connection, the kind of the frame, what it says"""
    connection: int = 0
    hello_at: float = 0.0
    gone: float | None = None
    """when it has given the other up, in true time"""


class TwoLeases(RuleBasedStateMachine):
    """Hellos, welcomes and beats are delayed and lost at will; times are eighths, so that sums are exact."""

    grants = True

    @initialize(
        a=st.integers(-1000, 1000),
        b=st.integers(-1000, 1000),
        leases=st.sampled_from([(5.0, 5.0), (15.0, 15.0), (5.0, 15.0), (15.0, 5.0)]),
    )
    def begin(self, a: int, b: int, leases: tuple[float, float]) -> None:
        one, other = leases
        self.now = 1000.0
        self.nodes = {"alpha": Node(Vitality(one, other), a / 8), "beta": Node(Vitality(other, one), b / 8)}
        self.connections = 0

    def pair(self, name: str) -> tuple[Node, Node, float]:
        """A node, the other one, and the time on the clock of the first."""
        node = self.nodes[name]
        other = self.nodes["beta" if name == "alpha" else "alpha"]
        return node, other, self.now + node.ahead

    @rule(eighths=st.one_of(st.integers(0, 16), st.integers(0, 200)))
    def wait(self, eighths: int) -> None:
        self.now += eighths / 8

    @rule(dialler=st.sampled_from(["alpha", "beta"]))
    def dial(self, dialler: str) -> None:
        """A connection begins; that the one before is over the other end hears later, or never."""
        node, other, now = self.pair(dialler)
        if DOWN in (node.link.state, other.link.state):
            return
        node.link.disconnected(now, "cut")
        self.connections += 1
        node.connection = self.connections
        node.wire.append((node.connection, "hello", None))
        node.hello_at = now

    @rule(name=st.sampled_from(["alpha", "beta"]))
    def read(self, name: str) -> None:
        """The next frame arrives, however long it has taken."""
        node, other, now = self.pair(name)
        if not other.wire:
            return
        connection, kind, said = other.wire.pop(0)
        if node.link.state is DOWN or connection < node.connection:
            return
        if kind == "hello":
            node.link.disconnected(now, "replaced")
            if self.grants:
                node.link.greeted(now)
            node.connection, node.hello_at = connection, now
            node.wire.append((connection, "welcome", None))
        elif kind == "welcome":
            node.link.connected(now, node.hello_at)
            node.wire.append((connection, "beat", node.link.beat_out(now)))
        else:
            if node.link.state is RECONNECTING:
                node.link.connected(now, node.hello_at)
            node.link.heard(now)
            node.link.beat_in(*said, now)

    @rule(name=st.sampled_from(["alpha", "beta"]))
    def beat(self, name: str) -> None:
        node, _, now = self.pair(name)
        if node.link.state in (UP, SUSPECT):
            node.wire.append((node.connection, "beat", node.link.beat_out(now)))

    @rule(name=st.sampled_from(["alpha", "beta"]), late=st.integers(0, 40))
    def look(self, name: str, late: int) -> None:
        node, _, now = self.pair(name)
        verdict = node.link.observe(now, now - late / 8)
        if verdict is CUT:
            node.link.disconnected(now, "silent")
            node.connection += 1  # nothing of this one is read any more
        elif verdict is LAPSED:
            node.link.down("lapsed")
            node.gone = self.now

    @rule(name=st.sampled_from(["alpha", "beta"]))
    def lose(self, name: str) -> None:
        """What is on its way from here is lost, and nobody is told."""
        self.nodes[name].wire = []

    @precondition(lambda self: hasattr(self, "nodes"))
    @invariant()
    def what_is_done_for_a_node_stops_before_that_node_hears_of_its_end(self) -> None:
        for name in ("alpha", "beta"):
            worker, owner, _ = self.pair(name)
            if worker.link._echoed == 0.0:
                continue  # it has never worked for the other
            stopped_at = (
                worker.link.lapses_at - worker.ahead + worker.link.beat / 2
            )  # stopping takes its steps
            assert stopped_at <= owner.link.gone_at - owner.ahead
            assert owner.gone is None or stopped_at <= owner.gone


LEASES = settings(max_examples=rounds(120, deep=400), stateful_step_count=40, deadline=None)
TestTwoLeases = TwoLeases.TestCase
TestTwoLeases.settings = LEASES


def test_the_model_finds_that_a_hello_must_count() -> None:
    """Without it the listener gives up a node that has just been welcomed and works on."""

    class Machine(TwoLeases):
        grants = False

    with pytest.raises(AssertionError):
        run_state_machine_as_test(  # type: ignore[no-untyped-call]
            Machine,
            settings=settings(
                LEASES,
                max_examples=4000,  # it ends with the first that fails
                phases=[Phase.generate],
                report_multiple_bugs=False,
                database=None,
                derandomize=True,
                print_blob=False,
            ),
        )


def test_silence_is_measured_while_somebody_is_listened_to() -> None:
    link = Vitality(LEASE, LEASE)
    assert link.phi(0.0) is None
    link.connected(0.0, 0.0)
    early, late = link.phi(1.0), link.phi(10.0)
    assert early is not None
    assert late is not None
    assert early < late
    link.disconnected(11.0, "the cable broke")
    assert link.phi(12.0) is None
