"""Who may talk to whom, and which connection stays when both ends dial at once."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import attrs
import pytest

from actors.remote.handshake import (
    FEATURES,
    PROTOCOL,
    SETTINGS,
    SUBPROTOCOL,
    Acquaintance,
    Hello,
    Reason,
    Refusal,
    Resume,
    Welcome,
    judge,
    judge_welcome,
)

BETA, OTHER_BETA, ALPHA = "beta-life-2", "beta-life-3", "alpha-life-1"
KNOWN = Acquaintance(incarnation=BETA, session="s1", connected=True, confirmed=True)
APART = attrs.evolve(KNOWN, connected=False, confirmed=False)
RESUME = Resume(session="s1", incarnation=ALPHA, received=(3, 4))


def hello(**changes: Any) -> Hello:
    """What beta says when it dials alpha."""
    return Hello(**{"protocol": PROTOCOL, "node": "beta", "incarnation": BETA} | changes)


def welcome(**changes: Any) -> Welcome:
    """What beta answers when alpha has dialled it."""
    said: dict[str, Any] = {"node": "beta", "incarnation": BETA, "session": "s1", "received": (0, 0)}
    return Welcome(**said | changes)


def heard(said: Hello, known: Acquaintance | None = None) -> Refusal | None:
    """alpha's judgement."""
    return judge(said, node="alpha", incarnation=ALPHA, known=known, past={"beta-life-1"})


def answered(
    said: Welcome, known: Acquaintance | None = None, resuming: str | None = None, node: str = "alpha"
) -> Refusal | None:
    """alpha's judgement of an answer."""
    return judge_welcome(said, node=node, known=known, past={"beta-life-1"}, resuming=resuming)


# --- those who are welcome -------------------------------------------------------------------


def test_the_subprotocol_has_the_number_of_the_protocol() -> None:
    assert f"actors.v{PROTOCOL}" == SUBPROTOCOL
    assert hello().settings == {**SETTINGS, **FEATURES}


@pytest.mark.parametrize(
    ("said", "known"),
    [
        (hello(), None),
        (hello(), APART),
        (hello(incarnation=OTHER_BETA), APART),
        (hello(resume=RESUME), APART),
        (hello(resume=RESUME), KNOWN),
        (hello(lease=0.5), None),
        (hello(settings={**SETTINGS, "colour": "blue"}), None),
    ],
    ids=[
        "new",
        "anew",
        "new life",
        "resumed",
        "resumed before its end was noticed",
        "short lease",
        "more settings",
    ],
)
def test_this_hello_is_welcome(said: Hello, known: Acquaintance | None) -> None:
    assert heard(said, known) is None


@pytest.mark.parametrize(
    ("said", "known", "resuming"),
    [
        (welcome(), None, None),
        (welcome(), APART, None),
        (welcome(incarnation=OTHER_BETA), APART, None),
        (welcome(resumed=True), APART, "s1"),
        (welcome(resumed=True), KNOWN, "s1"),
        (welcome(), attrs.evolve(KNOWN, confirmed=False), None),
    ],
    ids=["new", "anew", "new life", "resumed", "resumed with another one open", "both have dialled"],
)
def test_this_welcome_is_confirmed(said: Welcome, known: Acquaintance | None, resuming: str | None) -> None:
    assert answered(said, known, resuming) is None


# --- those who are not -----------------------------------------------------------------------

HELLOS = [
    (hello(protocol=0), None, Reason.PROTOCOL_MISMATCH, "you speak 0: run the same version"),
    (hello(protocol=PROTOCOL + 1), KNOWN, Reason.PROTOCOL_MISMATCH, "run the same version"),
    (
        hello(settings={"codec": "json"}),
        None,
        Reason.SETTINGS_MISMATCH,
        "envelope must be '1' and is None: run",
    ),
    (
        hello(settings={**SETTINGS, "codec": "x" * 999}),
        None,
        Reason.SETTINGS_MISMATCH,
        "run the same version",
    ),
    (
        hello(lease=0.4),
        None,
        Reason.SETTINGS_MISMATCH,
        "a lease is in seconds, 0.5 or more and finite, not 0.4",
    ),
    (hello(lease=float("inf")), None, Reason.SETTINGS_MISMATCH, "0.5 or more and finite, not inf"),
    (hello(lease=float("nan")), None, Reason.SETTINGS_MISMATCH, "0.5 or more and finite, not nan"),
    (hello(lease=-1.0), None, Reason.SETTINGS_MISMATCH, "0.5 or more"),
    (hello(node=""), None, Reason.BAD_NAME, "use 1 to 128 letters"),
    (hello(node="../beta"), None, Reason.BAD_NAME, "use 1 to 128 letters"),
    (hello(node="alpha"), None, Reason.SAME_NAME, "give one of them another name"),
    (hello(incarnation="beta-life-1"), None, Reason.OLD_INCARNATION, "end its process"),
    (hello(incarnation=""), None, Reason.BAD_NAME, "an incarnation has 1 to 64 characters"),
    (hello(incarnation="x" * 65), None, Reason.BAD_NAME, "an incarnation has 1 to 64 characters"),
    (hello(incarnation="beta-life-1"), APART, Reason.OLD_INCARNATION, "end its process"),
    (hello(resume=RESUME), None, Reason.SESSION_GONE, "begin a new one"),
    (hello(resume=attrs.evolve(RESUME, session="s2")), APART, Reason.SESSION_GONE, "begin a new one"),
    (
        hello(resume=attrs.evolve(RESUME, incarnation="alpha-life-0")),
        APART,
        Reason.SESSION_GONE,
        "begin a new one",
    ),
    (hello(resume=RESUME, incarnation=OTHER_BETA), APART, Reason.SESSION_GONE, "begin a new one"),
    (hello(resume=RESUME), attrs.evolve(APART, session=None), Reason.SESSION_GONE, "begin a new one"),
    (hello(incarnation=OTHER_BETA), KNOWN, Reason.NAME_TAKEN, "give this one another name"),
    (hello(), KNOWN, Reason.ALREADY_LINKED, "use that link"),
    (hello(), attrs.evolve(KNOWN, confirmed=False), Reason.ALREADY_LINKED, "use that link"),
]


@pytest.mark.parametrize(
    ("said", "known", "reason", "cure"), HELLOS, ids=[f"{h[2]}-{i}" for i, h in enumerate(HELLOS)]
)
def test_this_hello_is_refused_with_a_reason_and_a_cure(
    said: Hello, known: Acquaintance | None, reason: Reason, cure: str
) -> None:
    refusal = heard(said, known)
    assert refusal is not None
    assert refusal.reason is reason
    assert cure in refusal.text
    assert len(refusal.text) < 200
    assert str(refusal) == f"{reason}: {refusal.text}"


WELCOMES = [
    (welcome(node="no name"), None, None, Reason.BAD_NAME, "use 1 to 128 letters"),
    (welcome(node="alpha"), None, None, Reason.SAME_NAME, "give one of them another name"),
    (welcome(lease=0.0), None, None, Reason.SETTINGS_MISMATCH, "0.5 or more"),
    (welcome(incarnation="beta-life-1"), None, None, Reason.OLD_INCARNATION, "end its process"),
    (welcome(incarnation="beta-life-1"), APART, None, Reason.OLD_INCARNATION, "end its process"),
    (welcome(resumed=True), None, None, Reason.SESSION_GONE, "begin a new one"),
    (welcome(resumed=False), APART, "s1", Reason.SESSION_GONE, "begin a new one"),
    (welcome(resumed=True, session="s2"), APART, "s1", Reason.SESSION_GONE, "begin a new one"),
    (welcome(incarnation=OTHER_BETA), KNOWN, None, Reason.NAME_TAKEN, "give one of them another name"),
    (welcome(), KNOWN, None, Reason.ALREADY_LINKED, "use that link"),
]


@pytest.mark.parametrize(
    ("said", "known", "resuming", "reason", "cure"),
    WELCOMES,
    ids=[f"{w[3]}-{i}" for i, w in enumerate(WELCOMES)],
)
def test_this_welcome_is_refused_with_a_reason_and_a_cure(
    said: Welcome, known: Acquaintance | None, resuming: str | None, reason: Reason, cure: str
) -> None:
    refusal = answered(said, known, resuming)
    assert refusal is not None
    assert refusal.reason is reason
    assert cure in refusal.text


def test_the_larger_name_leaves_its_own_dial_for_that_of_the_smaller() -> None:
    """The same welcome, for a node behind it in the alphabet."""
    unconfirmed = attrs.evolve(KNOWN, confirmed=False)
    refusal = answered(welcome(), unconfirmed, node="gamma")
    assert refusal is not None
    assert refusal.reason is Reason.ALREADY_LINKED


def test_what_the_other_end_may_learn_is_who_refuses_where_it_has_said_who_it_is() -> None:
    for said, known in (
        (hello(), KNOWN),
        (hello(resume=RESUME), None),
        (hello(incarnation="beta-life-1"), None),
    ):
        refusal = heard(said, known)
        assert refusal is not None
        assert refusal.node == "alpha"


def test_a_refusal_without_a_text_is_its_reason() -> None:
    assert str(Refusal(Reason.CLOSING)) == "closing"


# --- both dial at once -------------------------------------------------------------------------


@attrs.frozen
class Mind:
    """What a node knows of the other one: as much of an association as the handshake needs."""

    connection: int | None = None
    """the connection that stands"""
    session: str | None = None
    confirmed: bool = False
    ended: frozenset[int] = frozenset()
    """connections that it has closed"""

    @property
    def acquaintance(self) -> Acquaintance | None:
        if self.session is None:
            return None
        connected = self.connection is not None
        return Acquaintance(
            incarnation="l", session=self.session, connected=connected, confirmed=self.confirmed
        )

    def take(self, connection: int, session: str, confirmed: bool) -> Mind:
        """A new association: the connection that stood is cut."""
        ended = self.ended if self.connection is None else self.ended | {self.connection}
        return Mind(connection, session, confirmed, ended)

    def close(self, connection: int) -> Mind:
        mind = attrs.evolve(self, ended=self.ended | {connection})
        if self.connection == connection:
            mind = attrs.evolve(mind, connection=None, confirmed=False)
        return mind


Wires = tuple[tuple[tuple[str, int], tuple[str, ...]], ...]
"""For each (sender, connection) what is on its way."""


@attrs.frozen
class State:
    """Both nodes and all that is on its way."""

    minds: tuple[Mind, Mind]
    to_dial: tuple[tuple[int, int], ...]
    """(node, connection) of the dials to come"""
    wires: Wires = ()

    def sent(self, node: int, connection: int, *frames: str) -> State:
        wires: dict[Any, tuple[str, ...]] = dict(self.wires)
        wires[node, connection] = wires.get((node, connection), ()) + frames
        return attrs.evolve(self, wires=tuple(sorted(wires.items())))

    def with_mind(self, node: int, mind: Mind) -> State:
        """A connection that a node ends is closed for the other one, behind what was sent before."""
        before = self.minds[node]
        minds = (mind, self.minds[1]) if node == 0 else (self.minds[0], mind)
        state = attrs.evolve(self, minds=minds)
        for connection in mind.ended - before.ended:
            state = state.sent(node, connection, "closed")
        return state

    def after(self) -> Iterator[State]:
        """All states that may come next."""
        for one in self.to_dial:
            rest = tuple(other for other in self.to_dial if other != one)
            yield attrs.evolve(self, to_dial=rest).sent(*one, "hello")
        for (sender, connection), frames in self.wires:
            if frames:
                wires = dict(self.wires)
                wires[sender, connection] = frames[1:]
                left = attrs.evolve(
                    self, wires=tuple(sorted((key, now) for key, now in wires.items() if now))
                )
                yield left.arrived(1 - sender, connection, frames[0])

    def arrived(self, node: int, connection: int, frame: str) -> State:
        mind = self.minds[node]
        if connection in mind.ended:
            return self
        me, other = ("alpha", "beta")[node], ("alpha", "beta")[1 - node]
        session = f"s{connection}"
        if frame == "hello":
            said = Hello(protocol=PROTOCOL, node=other, incarnation="l")
            if judge(said, node=me, incarnation="l", known=mind.acquaintance, past=()) is not None:
                return self.with_mind(node, mind.close(connection))
            taken = mind.take(connection, session, confirmed=False)
            return self.with_mind(node, taken).sent(node, connection, "welcome")
        if frame == "welcome":
            answer = Welcome(node=other, incarnation="l", session=session, received=(0, 0))
            if judge_welcome(answer, node=me, known=mind.acquaintance, past=(), resuming=None) is not None:
                return self.with_mind(node, mind.close(connection))
            taken = mind.take(connection, session, confirmed=True)
            return self.with_mind(node, taken).sent(node, connection, "beat")
        if frame == "beat":
            assert mind.connection == connection
            return self.with_mind(node, attrs.evolve(mind, confirmed=True))
        return self.with_mind(node, mind.close(connection))


@pytest.mark.parametrize(
    "dials", [(0,), (1,), (0, 1), (0, 0), (0, 0, 1), (0, 1, 1), (0, 0, 1, 1)], ids=lambda dials: f"{dials}"
)
def test_in_every_order_of_events_one_connection_stays_that_both_ends_use(dials: tuple[int, ...]) -> None:
    """All interleavings of hellos, welcomes, refusals, first beats and closed connections."""
    explore(dials)


@pytest.mark.parametrize("rule", ["the newer one", "the older one"])
def test_the_orders_tell_when_both_ends_follow_another_rule(
    monkeypatch: pytest.MonkeyPatch, rule: str
) -> None:
    def wrong(_: Welcome, *, known: Acquaintance | None, **__: object) -> Refusal | None:
        taken = known is not None and known.connected
        return Refusal(Reason.ALREADY_LINKED) if taken and rule == "the older one" else None

    monkeypatch.setattr(sys.modules[__name__], "judge_welcome", wrong)
    with pytest.raises(AssertionError):
        explore((0, 1))


def explore(dials: tuple[int, ...]) -> None:
    """Look at all states there may be."""
    start = State((Mind(), Mind()), tuple((node, number) for number, node in enumerate(dials)))
    seen, open_ends, ends = {start}, [start], 0
    while open_ends:
        state = open_ends.pop()
        following = [one for one in state.after() if one not in seen]
        seen.update(following)
        open_ends += following
        if not state.to_dial and not any(frames for _, frames in state.wires):
            ends += 1
            alpha, beta = state.minds
            assert alpha.connection is not None
            assert (alpha.connection, alpha.session, alpha.confirmed) == (beta.connection, beta.session, True)
            assert beta.confirmed
            assert alpha.connection not in alpha.ended | beta.ended
    assert ends > 0
