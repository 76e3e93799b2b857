"""What the monitor knows of one actor: its run against its stall, patterns and oversight.

Patterns and predicates are judged here at once, in the task that reads the output. What
needs a clock is looked at by the monitor actor: an alarm that was set for an earlier run
rings, finds that nothing can be due, and is set anew; no run touches a timer.
"""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING, Protocol

import attrs

from actors.core.mailbox import MARK, MESSAGE, Item
from actors.errors import PatternFound, Stalled
from actors.events import (
    CheckFailed,
    HelpNeeded,
    Nudged,
    PatternMatched,
    Recovered,
    StallConfirmed,
    StallSuspected,
)
from actors.exits import Exit, ExitKind
from actors.limits import Oversight, Predicate, Stall
from actors.messages import Nudge
from actors.monitor.oversight import Act, Condition, Overseer, Reason, Step
from actors.monitor.patterns import Found, Scanner
from actors.monitor.stall import StallWatch, Verdict
from actors.outcome import FailureKind

if TYPE_CHECKING:
    from actors.core.alarms import Alarm
    from actors.core.cell import Cell
    from actors.core.ref import Ref
    from actors.core.vigil import Vigil

__all__ = ["MonitorGuard", "Register", "WatchRecord"]

_log = logging.getLogger("actors.monitor")
_AGAIN = 1.0
"""Seconds until a look that failed is tried again."""
_NUDGE = object()
"""The mark of a nudge in the mailbox: not counted, never dropped, no dead letter."""


@attrs.frozen(kw_only=True)
class WatchRecord:
    """A run that the monitor watches. Times are seconds, sizes bytes."""

    ref: Ref
    path: str
    since: float
    """When the run began, on trio's clock."""
    idle: float
    """How long it has shown no sign of life; 0.0 while it waits for somebody."""
    stdout: int
    stderr: int
    checks: int
    """Looks in a row that found it idle for too long."""
    waiting_for: str | None


class Register(Protocol):
    """Where the guards are entered."""

    def enter(self, guard: MonitorGuard) -> None:
        """A run begins. Idempotent."""
        ...

    def leave(self, guard: MonitorGuard) -> None:
        """The incarnation has fallen. Idempotent."""
        ...

    def ask_for_look(self, guard: MonitorGuard) -> None:
        """Something may be due: the monitor is to look."""
        ...


class MonitorGuard:
    """The guard of one actor's vigil."""

    __slots__ = (
        "_alarm",
        "_earliest",
        "_errors",
        "_handled",
        "_nudging",
        "_overseer",
        "_predicates",
        "_register",
        "_run",
        "_scanners",
        "_sent",
        "_stall",
        "cell",
    )

    def __init__(
        self, cell: Cell, stall: Stall | None, oversight: Oversight | None, register: Register
    ) -> None:
        self.cell = cell
        self._stall = None if stall is None else StallWatch(stall)
        self._predicates = [] if stall is None else list(stall.predicates)
        self._overseer = None if oversight is None else Overseer(oversight)
        self._register = register
        self._scanners: dict[str, Scanner] | None = None
        self._alarm: Alarm | None = None
        self._errors = 0
        self._handled = self._sent = 0
        self._nudging = False
        self._run = 0
        stuck = None if oversight is None else oversight.stuck
        self._earliest = min(  # after a run began, anything can be due
            math.inf if self._stall is None else self._stall.due(0.0, None, 0.0, 0),
            math.inf if stuck is None else stuck,
        )

    # --- the guard of a vigil ---

    def begin(self) -> bool:
        """A run begins: an alarm is set only where none is early enough."""
        since = self._vigil.since
        assert since is not None
        self._register.enter(self)
        troubled = self._errors > 0 or (self._overseer is not None and self._overseer.reason is not None)
        item = self.cell.item
        self._nudging = troubled and item is not None and isinstance(item[MESSAGE], Nudge)
        if self._alarm is None or troubled or self._alarm.due > since + self._earliest:
            self._arm()
        return not troubled

    def _catch_up(self) -> None:
        """From here on it is about the run at hand."""
        vigil = self._vigil
        if self._run == vigil.runs or vigil.since is None:
            return
        self._run = vigil.runs
        if self._stall is not None:
            self._stall.begin(vigil.since)
        self._scanners = None

    def rest(self, ran: float | None) -> None:
        """A run is over; one that went well ends a series of errors, unless it only took a nudge."""
        if ran is not None and not self._nudging:
            self._errors = 0
        self._ask_whether_recovered()

    def moved(self) -> None:
        """The clock of silence was stopped, or goes on."""
        self._arm()
        self._ask_whether_recovered()

    def output(self, stream: str, data: bytes) -> None:
        """Look for patterns in what the run wrote, and ask the predicates."""
        vigil = self._vigil
        if self._stall is None or vigil.verdict is not None or vigil.since is None:
            return
        self._catch_up()
        scanners = self._scanners
        if scanners is None:
            patterns = self._stall.policy.resolved()
            scanners = self._scanners = {name: Scanner(name, patterns) for name in ("stdout", "stderr")}
        found = scanners[stream].feed(data)
        if found is None and self._predicates:
            found = self._ask_predicates(stream, scanners["stdout"].tail, scanners["stderr"].tail)
        if found is not None:
            self._matched(found)

    def end(self, exit: Exit) -> None:
        """The incarnation has fallen."""
        self._disarm()
        self._scanners = None
        self._register.leave(self)
        overseer = self._overseer
        if overseer is None:
            return
        if overseer.reason is not Reason.ERRORS:
            overseer.forget()  # the run that was in trouble is over, but it has not recovered
        if exit.is_failure:
            self._errors = 1 if self._has_handled() else self._errors + 1
            if self._errors >= (overseer.policy.errors or math.inf):
                self._register.ask_for_look(self)
        elif exit.kind is ExitKind.NORMAL:
            self._errors = 0
            self._ask_whether_recovered()

    def _has_handled(self) -> bool:
        """True when a function has handled messages, not only nudges; of classes `rest` tells."""
        cell, item, before, waiting = self.cell, self.cell.item, self._handled, 0

        def count(item: Item) -> bool:
            nonlocal waiting
            waiting += item[MARK] is _NUDGE
            return False

        cell.lanes.any(count)
        in_hand = item is not None and item[MARK] is not _NUDGE
        nudges = self._sent - waiting - (item is not None and not in_hand)
        handled = cell.handled - nudges
        self._handled = handled + in_hand  # what is in hand is counted a step later
        return cell.recipe.actor_class is None and handled > before

    def _ask_whether_recovered(self) -> None:
        if self._overseer is not None and self._overseer.reason is not None:
            self._register.ask_for_look(self)

    # --- the alarm ---

    @property
    def _vigil(self) -> Vigil:
        vigil = self.cell.vigil
        assert vigil is not None
        return vigil

    def _arm(self) -> None:
        self._catch_up()
        due = self._due()
        if self._alarm is not None and self._alarm.due <= due:
            return
        self._disarm()
        self._vigil.settled = False
        if due < math.inf:
            self._alarm = self.cell.kernel.alarms.at(due, self._ring)

    def _due(self) -> float:
        vigil, now = self._vigil, self.cell.now()
        due = math.inf
        if self._stall is not None:
            due = self._stall.due(now, vigil.activity(), vigil.quiet_since(), vigil.written)
        if self._overseer is not None and not self.cell.is_final:
            due = min(due, self._overseer.due(now, self._condition()))
        return due

    def _condition(self) -> Condition:
        vigil = self._vigil
        return Condition(
            quiet_since=None if vigil.since is None else vigil.quiet_since(),
            waiting_since=vigil.waiting_since,
            errors=self._errors,
        )

    def _disarm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def _ring(self) -> None:
        self._alarm = None
        self._vigil.settled = False
        if self._vigil.since is not None:
            self._register.ask_for_look(self)

    def look_later(self) -> None:
        """A look has failed, or nobody is there for it: ask again soon, if the run still goes on."""
        self._disarm()
        if self._vigil.since is not None:
            self._alarm = self.cell.kernel.alarms.after(_AGAIN, self._ring)

    # --- looking: the monitor's part ---

    def look(self) -> None:
        """Look at the run, do what is due, and set the next alarm. Called by the monitor actor.

        A run that a stop waits for may stall like any other; help comes too late for it.
        """
        self._catch_up()
        self._vigil.settled = False
        running = self._vigil.since is not None and self._vigil.verdict is None
        if running and self._stall is not None:
            self._look_for_stall(self._stall)
        if self._overseer is not None and not self.cell.is_final:
            for step in self._overseer.look(self.cell.now(), self._condition()):
                self._act(step)
        if self._vigil.since is not None and self._vigil.verdict is None:
            self._arm()

    def _look_for_stall(self, watch: StallWatch) -> None:
        vigil = self._vigil
        step = watch.look(self.cell.now(), vigil.activity(), vigil.quiet_since(), vigil.written)
        if step is None:
            return
        emit, ref = self.cell.kernel.emit, self.cell.ref
        if step.verdict is Verdict.SUSPECTED:
            emit(StallSuspected, ref, step.idle, step.checks)
            return
        emit(StallConfirmed, ref, step.idle)
        since = self.cell.now() - step.idle + watch.policy.threshold
        error = Stalled(step.idle, ref, "the threshold of its Stall", since)
        self._detected(str(error))
        if watch.policy.terminate:
            vigil.condemn(Exit(ExitKind.STALLED, error=error))

    def _act(self, step: Step) -> None:
        emit, ref = self.cell.kernel.emit, self.cell.ref
        reason = str(step.reason)
        match step.act:
            case Act.NUDGE:
                emit(Nudged, ref, reason, step.seconds, step.attempt)
                if step.attempt == 1:  # what still waits is about a trouble that is over
                    self._sent -= len(self.cell.lanes.remove(lambda item: item[MARK] is _NUDGE))
                self._sent += self.cell.put_marked(Nudge(reason, step.seconds, step.attempt), None, _NUDGE)
            case Act.HELP:
                emit(HelpNeeded, ref, reason, step.attempt)
            case Act.RECOVERED:
                emit(Recovered, ref, reason)

    def record(self) -> WatchRecord | None:
        """The run at hand; None between two."""
        vigil = self._vigil
        if vigil.since is None:
            return None
        self._catch_up()
        quiet_since = vigil.quiet_since()
        return WatchRecord(
            ref=self.cell.ref,
            path=self.cell.path,
            since=vigil.since,
            idle=0.0 if quiet_since is None else self.cell.now() - quiet_since,
            stdout=vigil.stdout,
            stderr=vigil.stderr,
            checks=0 if self._stall is None else self._stall.checks,
            waiting_for=self.cell.ref.waiting_for,
        )

    def failed(self, what: str, error: BaseException) -> None:
        """Something of the policy's own raised while it was asked."""
        self.cell.kernel.emit(CheckFailed, self.cell.ref, what, error)

    # --- output ---

    def _ask_predicates(self, stream: str, stdout: str, stderr: str) -> Found | None:
        for predicate in tuple(self._predicates):
            name = _name_of(predicate)
            try:
                hit = bool(predicate(stdout, stderr))
            except Exception as error:
                self._predicates.remove(predicate)
                self.failed(name, error)
                continue
            if hit:
                line = (stderr if stream == "stderr" else stdout).rstrip().rpartition("\n")[2]
                return Found(name, line[-200:], stream, FailureKind.PATTERN)
        return None

    def _matched(self, found: Found) -> None:
        ref = self.cell.ref
        self.cell.kernel.emit(PatternMatched, ref, found.pattern, found.line)
        error = PatternFound(found.pattern, found.line, found.stream, found.kind, found.retry_after, ref)
        self._detected(str(error))
        self._vigil.condemn(Exit(ExitKind.PATTERN, error=error))

    def _detected(self, reason: str) -> None:
        tell = None if self._stall is None else self._stall.policy.on_detection
        if tell is None:
            return
        try:
            tell(self.cell.ref, reason)
        except Exception:
            _log.exception("on_detection raised for %s", self.cell.path)


def _name_of(predicate: Predicate) -> str:
    named = getattr(predicate, "__qualname__", None)
    return named if isinstance(named, str) else type(predicate).__qualname__
