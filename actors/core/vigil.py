"""What is known of the run at hand of an actor with limits: since when, its signs of life, its end.

Only actors with limits have one. A sign of life writes a number and nothing else; the
guards, which live in other folders, read the numbers when something can be due.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Protocol

from actors.core.scope import CURRENT
from actors.exits import Exit, ExitKind

if TYPE_CHECKING:
    from actors.core.cell import Cell

__all__ = ["Guard", "Vigil", "waiting_for"]


class Guard(Protocol):
    """Watches the runs of one actor for one reason. Every call is plain and returns at once.

    While the vigil is `settled`, runs begin and end well without a call: what a guard knows
    of the run at hand is then of an earlier one, which `vigil.runs` tells.
    """

    def begin(self) -> bool:
        """A run begins at `vigil.since`; called again for each, without an `end` between them.

        True when no later run needs this call or `rest`, until the guard sets
        `vigil.settled` to False: its alarm is early enough for any of them.
        """
        ...

    def rest(self, ran: float | None) -> None:
        """A run is over and went well: it took `ran` seconds; None when it was interrupted."""
        ...

    def moved(self) -> None:
        """The clock of silence was stopped, or goes on."""
        ...

    def output(self, stream: str, data: bytes) -> None:
        """The run wrote this to "stdout" or "stderr"."""
        ...

    def end(self, exit: Exit) -> None:
        """The incarnation has fallen; nothing may be left of the guard's doings."""
        ...


class Vigil:
    """The signs of life of one actor, and the guards that judge them.

    A run is one handling of a message, or the whole life of a function or process.
    """

    __slots__ = (
        "_held_at",
        "_mark",
        "_waits",
        "cell",
        "extensions",
        "guards",
        "last",
        "runs",
        "settled",
        "since",
        "stderr",
        "stdout",
        "verdict",
    )

    def __init__(self, cell: Cell, guards: tuple[Guard, ...] = ()) -> None:
        self.cell = cell
        self.guards = guards
        self.runs = 0
        """Runs that have begun."""
        self.settled = False
        """True while the guards need not be told of runs that begin or end well."""
        self.since: float | None = None
        """When the run at hand began; None between two."""
        self.last: float | None = None
        """Its last sign of life, or None."""
        self.stdout = self.stderr = 0
        """Bytes it has written; those of `progress()` count as stdout."""
        self.verdict: Exit | None = None
        """How the incarnation ends, once a guard has ended it."""
        self.extensions = 0
        """How often the limit of the run was extended."""
        self._waits: dict[object, str] = {}  # one key a block: several may wait for the same
        self._held_at = 0.0
        self._mark = 0.0

    # --- the run ---

    def begin(self, at: float) -> None:
        """A run begins, after the one before, if any, went well."""
        settled = self.settled
        if not settled and self.since is not None:
            self.rest(at)
        self.since = self._mark = at
        self.runs += 1
        if self.last is not None or self.extensions:
            self.last = None
            self.stdout = self.stderr = self.extensions = 0
        if not settled:
            self.settled = all([guard.begin() for guard in self.guards])

    def rest(self, at: float | None) -> None:
        """The run is over: at `at`, or (None) interrupted."""
        since, self.since = self.since, None
        if since is not None and not self.settled:
            ran = None if at is None else max(0.0, at - since)
            for guard in self.guards:
                guard.rest(ran)

    def end(self, exit: Exit) -> None:
        """The incarnation has fallen."""
        whole_life = exit.kind is ExitKind.NORMAL and self.cell.recipe.actor_class is None
        self.settled = False
        self.rest(self.cell.now() if whole_life else None)
        self.verdict = None
        self._waits.clear()
        for guard in self.guards:
            guard.end(exit)

    def condemn(self, exit: Exit, *, idle: bool = False) -> None:
        """End the incarnation with this exit, with `idle` also between two runs; the first verdict stands."""
        if self.verdict is None and (idle or self.since is not None):
            self.verdict = exit
            self.cell.overdue()

    # --- signs of life ---

    def progress(self, at: float, n_bytes: int = 0) -> None:
        """A sign of life from the actor's own code."""
        self.last = at
        self.stdout += n_bytes

    def output(self, at: float, stream: str, data: bytes) -> None:
        """The run has written."""
        self.last = at
        if stream == "stderr":
            self.stderr += len(data)
        else:
            self.stdout += len(data)
        for guard in self.guards:
            guard.output(stream, data)

    @property
    def written(self) -> int:
        """Bytes of both streams in this run."""
        return self.stdout + self.stderr

    def activity(self) -> float | None:
        """The last sign of life in this run, its children's included; None without any."""
        assert self.since is not None
        latest = self.last
        heard = self.cell.last_heard()
        if heard is not None and heard > self.since and (latest is None or heard > latest):
            latest = heard
        return latest

    def quiet_since(self) -> float | None:
        """From when silence counts; None while the clock of silence stands still."""
        if self._waits:
            return None
        return self._silent_since()

    def _silent_since(self) -> float:
        assert self.since is not None
        latest = self.activity()
        return self._mark if latest is None else max(self._mark, latest)

    # --- waiting for others ---

    @property
    def waits(self) -> list[str]:
        """What it waits for, newest last; the clock of silence stands still meanwhile."""
        return list(self._waits.values())

    @property
    def waiting_since(self) -> float | None:
        """Since when it has waited for something that is not its own doing, or None."""
        return self._held_at if self._waits else None

    @contextmanager
    def waiting(self, what: str) -> Generator[None]:
        """Stop the clock of silence inside the block. Blocks may overlap, in any tasks."""
        if not self._waits:
            self._held_at = self.cell.now()
        key = object()
        self._waits[key] = what
        self._moved()
        try:
            yield
        finally:
            if key in self._waits:  # else the block has outlived its incarnation
                del self._waits[key]
                if not self._waits:
                    self._go_on()

    def _go_on(self) -> None:
        if self.since is None:
            return
        silent = self._silent_since()
        self._mark = silent + self.cell.now() - max(self._held_at, silent)
        self._moved()

    def _moved(self) -> None:
        if self.since is not None and self.verdict is None:
            for guard in self.guards:
                guard.moved()


def waiting_for(callee: Cell) -> AbstractContextManager[None]:
    """A block in which the running task waits for `callee`; its own parent is not silent in it."""
    asker = CURRENT.get()
    if asker is None or asker.vigil is None or asker.ref is not callee.parent.ref:
        return nullcontext()
    return asker.vigil.waiting(callee.path)
