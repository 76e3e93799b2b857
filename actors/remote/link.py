"""The life of a link as a table with clocks: UP, SUSPECT, RECONNECTING, DOWN. Pure.

    UP            a connection stands and the other end is heard
    SUSPECT       a connection stands, and its silence is unlikely (phi)
    RECONNECTING  no connection stands; the session waits for the next one
    DOWN          the lease has lapsed, the other end said goodbye, or it lives anew: final

A silence that is much too long, or as long as the lease, means that the connection is dead
whatever TCP says: `observe` answers `CUT`, and whoever carries this out closes it.

The lease. Each beat carries the sender's time and the newest time of the other end that it
has seen. A node counts what it does for another one from when *it sent* the newest beat that
the other has echoed; the other end counts from when that beat *came*, which is later. Hellos
and welcomes are such signs too. So the subtree has stopped over there before its supervisor
hears NODE_DOWN here, whatever the network did to the beats in between (Gray & Cheriton,
"Leases", 1989).
"""

from __future__ import annotations

import enum
from typing import Final

import attrs

from actors.remote.suspicion import Suspicion

__all__ = ["BEAT", "LinkState", "LinkVerdict", "Vitality"]

BEAT: Final = 1.0
"""Seconds between two beats, at most."""
_BEATS: Final = 5
"""Beats in the shorter of the two leases, at least."""
_PAUSE: Final = 3.0
"""A pause of the other end that is forgiven, in seconds; of a short lease it is a fifth."""
_SUSPICIOUS: Final = 8.0
_LAG: Final = 0.25
"""Of a beat. An alarm of ours that comes later shows that our own loop stood still."""
_PATIENCE: Final = 2.0
"""A connection is cut when its silence is this many times what made it suspect."""


class LinkState(enum.StrEnum):
    """What a link to another node is like."""

    UP = "UP"
    SUSPECT = "SUSPECT"
    RECONNECTING = "RECONNECTING"
    DOWN = "DOWN"


class LinkVerdict(enum.Enum):
    """What is to be done now."""

    NOTHING = "nothing"
    CUT = "cut"
    """close the connection: it is dead"""
    LAPSED = "lapsed"
    """the lease has lapsed: the node is gone"""


@attrs.define
class Vitality:
    """One link's state. Times are seconds on one clock."""

    lease: float
    granted_lease: float
    """The other node's lease: what we do for it stops when that lapses."""
    beat: float = attrs.field(init=False)
    """The interval at which both ends send signs of life."""
    state: LinkState = LinkState.RECONNECTING
    reason: str = ""
    _suspicion: Suspicion = attrs.field(init=False)
    _echoed: float = 0.0
    """When we sent the newest beat that the other end has echoed."""
    _echo: float | None = None
    """The newest time of the other end that we have seen."""
    _granted: float = 0.0
    """When its newest sign came: what it does for us may go on for a lease from then."""
    _suspect_silence: float = 0.0

    def __attrs_post_init__(self) -> None:
        shorter = min(self.lease, self.granted_lease)
        self.beat = min(BEAT, shorter / _BEATS)
        self._suspicion = Suspicion(self.beat, pause=min(_PAUSE, shorter / 5))

    # --- what happens ---

    def greeted(self, now: float) -> None:
        """Its hello came and is answered. What it does for us may go on although no beat ever follows."""
        self._granted = now

    def connected(self, now: float, proved: float) -> None:
        """A connection stands. `proved` is when we sent what the other end has answered."""
        if self.state is LinkState.DOWN:
            return
        self.state = LinkState.UP
        self.reason = ""
        self._suspicion.begin(now)
        self._granted = now
        self._echoed = max(self._echoed, proved)
        self._echo = None

    def disconnected(self, now: float, reason: str) -> None:
        """No connection stands any more."""
        if self.state in (LinkState.UP, LinkState.SUSPECT):
            self.state = LinkState.RECONNECTING
            self.reason = reason

    def down(self, reason: str) -> None:
        """Nothing will bring it back: a goodbye, a new life of the other node, the lease."""
        if self.state is not LinkState.DOWN:
            self.state = LinkState.DOWN
            self.reason = reason

    def heard(self, now: float) -> None:
        """A frame came."""
        self._suspicion.heard(now)
        if self.state is LinkState.SUSPECT:
            self.state = LinkState.UP
            self.reason = ""

    # --- beats ---

    def beat_out(self, now: float) -> tuple[float, float | None]:
        """What the next beat carries: our time, and the newest of theirs."""
        return now, self._echo

    def beat_in(self, time: float, echo: float | None, now: float) -> float | None:
        """A beat came; the round trip in seconds when it echoes one of ours. Too late, once DOWN."""
        if self.state is LinkState.DOWN:
            return None
        self._echo = time
        self._granted = now
        if echo is None or not self._echoed <= echo <= now:
            return None
        self._echoed = echo
        return now - echo

    # --- clocks ---

    def observe(self, now: float, due: float) -> LinkVerdict:
        """Look at the clocks; `due` is when this look was due, which shows our own lag."""
        late = now - due
        if late > _LAG * self.beat:
            self._suspicion.lagged(now, late)
        if self.state in (LinkState.UP, LinkState.SUSPECT):
            return self._look_at_silence(now)
        if self.state is LinkState.RECONNECTING and now >= self.gone_at:
            return LinkVerdict.LAPSED
        return LinkVerdict.NOTHING

    def _look_at_silence(self, now: float) -> LinkVerdict:
        silence = self._suspicion.silence(now)
        too_long = silence >= self.lease
        if self.state is LinkState.UP and (too_long or self._suspicion.phi(now) > _SUSPICIOUS):
            self.state = LinkState.SUSPECT
            self.reason = f"nothing heard for {silence:.1f} s"
            self._suspect_silence = silence
        suspect = self.state is LinkState.SUSPECT
        if suspect and (too_long or silence >= self._suspect_silence * _PATIENCE):
            return LinkVerdict.CUT
        return LinkVerdict.NOTHING

    def phi(self, now: float) -> float | None:
        """How suspicious its silence is, on the scale of `suspicion`; None while nothing is listened to."""
        if self.state not in (LinkState.UP, LinkState.SUSPECT):
            return None
        return self._suspicion.phi(now)

    def next_look(self, now: float) -> float:
        """When to look again: in a beat, and the moment at which our grant lapses is not slept through."""
        due = now + self.beat
        return min(due, self.lapses_at) if self.lapses_at > now else due

    @property
    def gone_at(self) -> float:
        """When the other node counts as gone, if no connection comes before."""
        return self._granted + self.lease + self.beat / 2  # what has to stop takes its steps, too

    @property
    def lapses_at(self) -> float:
        """When what we do for the other node must stop, unless it echoes us before."""
        return self._echoed + self.granted_lease

    @property
    def heard_at(self) -> float:
        """When the last frame came."""
        return self._suspicion.last
