"""The deadline of an actor's runs: one alarm an actor, looked at only when something can be due.

A run that begins, ends or gives a sign of life touches no timer: the alarm that was set
for an earlier run rings, finds that nothing is due, and is set anew. An actor between two
runs has at most that one ring still to come.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from actors.core.mailbox import MARK
from actors.errors import Stalled, TimedOut
from actors.events import (
    DeadlineExtended,
    DeadlinePassed,
    DeadlineWarning,
    Nudged,
    SilenceNoticed,
    SilenceWarning,
)
from actors.exits import Exit, ExitKind
from actors.limits import Timeout
from actors.messages import Nudge
from actors.timeouts.deadline import Deadline, Mark, Step
from actors.timeouts.history import Durations

if TYPE_CHECKING:
    from actors.core.alarms import Alarm
    from actors.core.cell import Cell
    from actors.core.vigil import Vigil

__all__ = ["DeadlineGuard"]


class DeadlineGuard:
    """Ends a run that is over its limit or silent, and tells on the way there."""

    __slots__ = ("_alarm", "_cell", "_deadline", "_durations", "_earliest", "_nudges", "_run", "_timeout")

    def __init__(self, cell: Cell, timeout: Timeout, durations: Durations) -> None:
        self._cell = cell
        self._timeout = timeout
        self._durations = durations if timeout.mode == "adaptive" and cell.name is not None else None
        self._deadline = Deadline(timeout)
        self._deadline.begin(0.0)
        self._earliest = self._deadline.due(0.0, None, 0.0)  # after a run began, anything can be due
        self._alarm: Alarm | None = None
        self._nudges = 0
        self._run = 0

    # --- the guard of a vigil ---

    def begin(self) -> bool:
        """A run begins: an alarm is set only where none is early enough."""
        self._catch_up()
        adaptive = self._durations is not None
        if self._alarm is None or adaptive or self._alarm.due > self._deadline.start + self._earliest:
            self._arm()
        return not adaptive

    def _catch_up(self) -> None:
        """From here on it is about the run at hand."""
        vigil = self._vigil
        if self._run == vigil.runs:
            return
        self._run = vigil.runs
        assert vigil.since is not None
        measured = None if self._durations is None else self._durations.initial(self._cell.path)
        self._deadline.begin(vigil.since, measured)
        self._nudges = 0

    def rest(self, ran: float | None) -> None:
        """A run is over: its time is one to go by, if it went well."""
        if ran is not None and self._durations is not None:
            self._durations.add(self._cell.path, ran)

    def moved(self) -> None:
        """The clock of silence was stopped, or goes on."""
        self._arm()

    def output(self, stream: str, data: bytes) -> None:
        """Nothing more to do: the vigil has noted the time."""

    def end(self, exit: Exit) -> None:
        """Nothing is timed any more."""
        self._disarm()

    # --- the alarm ---

    @property
    def limit(self) -> float:
        """Seconds that the run at hand may take, as extended so far."""
        self._catch_up()
        return self._deadline.limit

    @property
    def _vigil(self) -> Vigil:
        vigil = self._cell.vigil
        assert vigil is not None
        return vigil

    def _arm(self) -> None:
        self._catch_up()
        vigil, alarms = self._vigil, self._cell.kernel.alarms
        due = self._deadline.due(self._cell.now(), vigil.activity(), vigil.quiet_since())
        if self._alarm is not None and self._alarm.due <= due:
            return
        self._disarm()
        self._alarm = alarms.at(due, self._ring)
        vigil.settled = False

    def _disarm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def _ring(self) -> None:
        self._alarm = None
        vigil = self._vigil
        vigil.settled = False
        if vigil.since is None or vigil.verdict is not None:
            return
        self._catch_up()
        steps = self._deadline.look(self._cell.now(), vigil.activity(), vigil.quiet_since())
        vigil.extensions = self._deadline.extensions
        for step in steps:
            self._tell(step)
        if vigil.verdict is None:
            self._arm()

    # --- what was found ---

    def _tell(self, step: Step) -> None:
        emit, ref, seconds = self._cell.kernel.emit, self._cell.ref, step.seconds
        match step.mark:
            case Mark.EXTENDED:
                emit(DeadlineExtended, ref, seconds, self._deadline.extensions)
            case Mark.WARN:
                emit(DeadlineWarning, ref, seconds)
            case Mark.PASSED:
                emit(DeadlinePassed, ref, seconds)
                error = TimedOut(seconds, self._deadline.extensions, ref)
                self._vigil.condemn(Exit(ExitKind.TIMED_OUT, error=error))
            case Mark.SILENT:
                error = Stalled(seconds, ref, since=self._cell.now() - seconds + self._silence)
                self._vigil.condemn(Exit(ExitKind.STALLED, error=error))
            case Mark.NOTICE:
                emit(SilenceNoticed, ref, seconds, self._silence)
            case Mark.WARN_SILENCE:
                emit(SilenceWarning, ref, seconds, max(0.0, self._silence - seconds))
            case Mark.NUDGE:
                self._nudge(seconds)

    @property
    def _silence(self) -> float:
        return self._timeout.no_activity or 0.0

    def _nudge(self, seconds: float) -> None:
        self._nudges += 1
        self._cell.kernel.emit(Nudged, self._cell.ref, "silent", seconds, self._nudges)
        if not self._cell.lanes.any(lambda item: item[MARK] is _NUDGE):  # one that waits is enough
            self._cell.put_marked(Nudge("silent", seconds, self._nudges), None, _NUDGE)


_NUDGE = object()
"""The mark of a nudge in the mailbox: not counted, never dropped, no dead letter."""
