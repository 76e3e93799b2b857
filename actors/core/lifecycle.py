"""One actor's life as a table.

An actor lives through incarnations. `Phase` is where it stands, `Signal` is what
happens to it, and `TABLE` says what follows; anything else is a fault of the
framework and raises `IllegalStep`, leaving the phase as it was.

    STARTING   an incarnation is being made: constructor, `on_start`
    RUNNING    it takes messages
    ENDING     it failed or returned, and will start again: `on_stop` runs
    WAITING    nothing of it runs; it starts again after its backoff or with its group
    TRIPPED    nothing of it runs; its breaker is open
    STOPPING   it ends for good: the message in hand, then `on_stop`
    STOPPED    it is gone

What users see is an `ActorState`, derived here so that it cannot lie: BUSY is
"something in hand", never a flag that somebody must remember to clear.
"""

from __future__ import annotations

import enum

__all__ = ["TABLE", "ActorState", "IllegalStep", "Phase", "Signal", "state_of", "step"]


class ActorState(enum.StrEnum):
    """What an actor is doing right now."""

    STARTING = "STARTING"
    IDLE = "IDLE"
    BUSY = "BUSY"
    BACKING_OFF = "BACKING_OFF"
    CIRCUIT_OPEN = "CIRCUIT_OPEN"
    SUSPENDED = "SUSPENDED"
    STOPPING = "STOPPING"
    STOPPED = "STOPPED"
    UNREACHABLE = "UNREACHABLE"


class Phase(enum.Enum):
    """Where an actor stands in its life."""

    __hash__ = object.__hash__  # each is one object; that of Enum is written in Python

    STARTING = "starting"
    RUNNING = "running"
    ENDING = "ending"
    WAITING = "waiting"
    TRIPPED = "tripped"
    STOPPING = "stopping"
    STOPPED = "stopped"


class Signal(enum.Enum):
    """What can happen to an actor."""

    __hash__ = object.__hash__

    READY = "ready"
    """its start succeeded"""
    FALL = "fall"
    """its incarnation ends and another will follow"""
    WAIT = "wait"
    """its incarnation has ended; the next one waits for its time"""
    TRIP = "trip"
    """its incarnation has ended; its breaker is open"""
    START = "start"
    """the next incarnation begins"""
    STOP = "stop"
    """it is to end for good"""
    GONE = "gone"
    """nothing of it is left"""


class IllegalStep(RuntimeError):
    """The table has no such step; a fault of the framework, never of its user."""

    def __init__(self, phase: Phase, signal: Signal) -> None:
        self.phase = phase
        self.signal = signal
        super().__init__(f"no step {signal.name} from {phase.name}")


TABLE: dict[tuple[Phase, Signal], Phase] = {
    (Phase.STARTING, Signal.READY): Phase.RUNNING,
    (Phase.STARTING, Signal.FALL): Phase.ENDING,
    (Phase.STARTING, Signal.STOP): Phase.STOPPING,
    (Phase.RUNNING, Signal.FALL): Phase.ENDING,
    (Phase.RUNNING, Signal.STOP): Phase.STOPPING,
    (Phase.ENDING, Signal.WAIT): Phase.WAITING,
    (Phase.ENDING, Signal.TRIP): Phase.TRIPPED,
    (Phase.ENDING, Signal.STOP): Phase.STOPPING,
    (Phase.WAITING, Signal.START): Phase.STARTING,
    (Phase.WAITING, Signal.TRIP): Phase.TRIPPED,
    (Phase.WAITING, Signal.STOP): Phase.STOPPING,
    (Phase.TRIPPED, Signal.START): Phase.STARTING,
    (Phase.TRIPPED, Signal.STOP): Phase.STOPPING,
    (Phase.STOPPING, Signal.STOP): Phase.STOPPING,
    (Phase.STOPPING, Signal.GONE): Phase.STOPPED,
}


def step(phase: Phase, signal: Signal) -> Phase:
    """The phase that follows; raises `IllegalStep` where the table has none."""
    try:
        return TABLE[phase, signal]
    except KeyError:
        raise IllegalStep(phase, signal) from None


_SEEN = {
    Phase.STARTING: ActorState.STARTING,
    Phase.ENDING: ActorState.BACKING_OFF,
    Phase.WAITING: ActorState.BACKING_OFF,
    Phase.TRIPPED: ActorState.CIRCUIT_OPEN,
    Phase.STOPPING: ActorState.STOPPING,
    Phase.STOPPED: ActorState.STOPPED,
}


def state_of(
    phase: Phase, *, busy: bool, suspended: bool, tripped: bool = False, held: bool = False
) -> ActorState:
    """What a user is shown: BUSY while something is in hand, also when suspended meanwhile.

    `tripped`: the incarnation that is ending opened the breaker; `held`: what is down stays so until it is
    resumed.
    """
    if held and phase in (Phase.ENDING, Phase.WAITING):
        return ActorState.SUSPENDED
    if phase is Phase.ENDING and tripped:
        return ActorState.CIRCUIT_OPEN
    if phase is not Phase.RUNNING:
        return _SEEN[phase]
    if busy:
        return ActorState.BUSY
    return ActorState.SUSPENDED if suspended else ActorState.IDLE
