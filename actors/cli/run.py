"""One run: plant the tree, show it, stop it in order on a signal, and tell how it ended.

Who owns what, from outside in:

    screen ── listeners and the signal receiver ── the system

The screen ends last: it shows the last events of the system. The signal receiver is
outside the system's block, because the body of that block is cancelled by the first
signal and the second one must still be heard.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable

import attrs
import trio

from actors.cli.door import is_routine, keep_door
from actors.cli.ends import all_ended
from actors.cli.feed import Feed, Picture, Screen
from actors.cli.ledger import Ledger, Row
from actors.cli.lines import Notice, Output
from actors.cli.misuse import Misused
from actors.cli.plant import plant
from actors.cli.team import Team
from actors.cli.watched import Watching
from actors.cli.what import Surroundings
from actors.delivery import SQLiteStore, Store
from actors.delivery.errors import StoreError
from actors.errors import SupervisorFailed
from actors.events import BreakerOpened, Event, Stopped
from actors.system import System, open_system
from actors.tree import TreeNode

__all__ = ["GAVE_UP", "NOBODY_READS", "NOT_OPENED", "STOPS", "Comment", "Over", "Run", "Verdict", "run_team"]

GAVE_UP = 1
"""Exit code: the root supervisor gave up."""
NOT_OPENED = 2
"""Exit code: the store cannot be used, as a file that cannot be read."""
NOBODY_READS = 128 + signal.SIGPIPE
"""Exit code: whoever read our output has gone."""

STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Ctrl-C, a service manager, a closed terminal."""

Over = Callable[[System, Team], bool]
"""Asked after each end of an actor: is the run over?"""
Comment = Callable[[Event], Iterable[Notice]]
"""Called with each event: what is to be shown after it."""


@attrs.frozen(kw_only=True)
class Verdict:
    """How a run ended: the exit code, the root's error, and what became of whom. `took` is in seconds.

    `unopened` says why the store, or the page, could not be opened: then nothing has run.
    """

    code: int
    error: SupervisorFailed | None
    rows: tuple[Row, ...]
    took: float
    unopened: StoreError | Misused | None = None


def over_when_all_ended(system: System, team: Team) -> bool:
    """The rule of `actors run`."""
    return all_ended(system.tree(), team.crews)


async def run_team(
    team: Team,
    surroundings: Surroundings,
    screen: Callable[[float], Screen],
    *,
    output: bool = False,
    over: Over = over_when_all_ended,
    on_event: Callable[[Event], object] | None = None,
    comment: Callable[[float], Comment] | None = None,
    store: Store | None = None,
    watched: Watching | None = None,
) -> Verdict:
    """Run a team to its end. `screen` is made with the time of the beginning; `output` shows lines, too.

    `store` keeps what is posted, by default in memory. `watched` says where a page shows the run.

    `on_event` hears every event, and so does `comment`, which is made as `screen` is. Afterwards
    nothing of the run is left.
    """
    run = Run(team, over, on_event, comment, store, watched)
    if output:
        surroundings = attrs.evolve(surroundings, on_line=run.on_line)
    return await run.run(surroundings, screen(run.since))


class Run:
    """A run under way."""

    def __init__(
        self,
        team: Team,
        over: Over,
        on_event: Callable[[Event], object] | None,
        comment: Callable[[float], Comment] | None = None,
        store: Store | None = None,
        watched: Watching | None = None,
    ) -> None:
        self._team = team
        self._store = store
        self._watched = watched
        self._over = over
        self._on_event = on_event
        self._now = trio.current_time
        self.since = self._now()
        self._comment = None if comment is None else comment(self.since)
        self._ledger = Ledger()
        self._feed = Feed(self._now)
        self._scope = trio.CancelScope()
        self._system: System | None = None
        self._signal: int | None = None
        self._heard = True
        self._unopened: StoreError | Misused | None = None

    async def run(self, surroundings: Surroundings, screen: Screen) -> Verdict:
        """See `run_team`."""
        async with trio.open_nursery() as screens:
            screens.start_soon(self._show, screen)
            async with trio.open_nursery() as watchers:
                await watchers.start(self._obey_signals)
                error = await self._live(surroundings)
                watchers.cancel_scope.cancel()
            self._feed.close()
        rows = self._rows()
        took = self._now() - self.since
        return Verdict(code=self._code(error), error=error, rows=rows, took=took, unopened=self._unopened)

    def _code(self, error: SupervisorFailed | None) -> int:
        if self._signal is not None:
            return 128 + self._signal
        if self._unopened is not None:
            return NOT_OPENED
        if not self._heard:
            return NOBODY_READS
        return 0 if error is None else GAVE_UP

    # --- the system ---

    async def _live(self, surroundings: Surroundings) -> SupervisorFailed | None:
        """The system from its beginning to its end, whose events have all been heard then."""
        async with trio.open_nursery() as listeners:
            try:
                with self._scope:
                    await self._open(listeners, surroundings)
            except SupervisorFailed as error:
                return error
            except (StoreError, Misused) as error:
                self._unopened = error
        return None

    async def _open(self, listeners: trio.Nursery, surroundings: Surroundings) -> None:
        team = self._team
        async with open_system(
            team.name,
            strategy=team.strategy,
            policy=team.policy,
            store=self._store,
            posting=team.posting,
            budget=team.budget,
        ) as self._system:
            _ = self._system.journal  # so that `actors why` knows what has happened from the beginning
            await listeners.start(self._listen, self._system)
            if self._watched is not None:
                self._feed.put(await self._watched.start(self._system))
            if isinstance(self._store, SQLiteStore):
                await listeners.start(keep_door, self._system, self._store, team.posting)
            await self._until_over(self._system, surroundings)

    async def _until_over(self, system: System, surroundings: Surroundings) -> None:
        async with system.subscribe(Stopped, BreakerOpened) as news:
            plant(system, self._team.children, surroundings)
            while not self._over(system, self._team):
                await anext(news)

    async def _listen(
        self, system: System, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Hand every event on, also those of the end. Ends with the system."""
        async with system.subscribe() as events:
            task_status.started()
            async for event in events:
                if not is_routine(event):
                    self._ledger.note(event)
                    self._feed.put(event)
                for notice in () if self._comment is None else self._comment(event):
                    self._feed.put(notice)
                if self._on_event is not None:
                    self._on_event(event)

    def on_line(self, path: str, stream: str, line: bytes) -> None:
        """A process wrote a line."""
        self._feed.put(Output(self._now(), path, stream, line.decode(errors="replace")))

    # --- orders from outside ---

    async def _obey_signals(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """The first signal stops in order, the next one cancels everything."""
        with trio.open_signal_receiver(*STOPS) as signals:
            task_status.started()
            async for number in signals:
                first, self._signal = self._signal is None, self._signal or number
                self._stop(in_order=first)

    def _stop(self, in_order: bool) -> None:
        if in_order and self._system is not None:
            self._system.stop()
        else:
            self._scope.cancel()

    # --- seeing ---

    async def _show(self, screen: Screen) -> None:
        """Show all; when nobody reads any more there is no use in going on."""
        self._heard = await self._feed.show(screen, self._look)
        if not self._heard:
            self._stop(in_order=True)

    def _look(self) -> Picture:
        tree = TreeNode(name=self._team.name, path="/", kind="system", state="STARTING")
        return Picture(tree if self._system is None else self._system.tree(), self._rows())

    def _rows(self) -> tuple[Row, ...]:
        return () if self._system is None else self._ledger.rows(self._system.breaker)
