"""`actors top`: a running system as it moves. Looks are taken for news that is pushed, one a second at most.

Not every change is an event: mailboxes fill and empty without a word. So a look is also taken when there was
nothing new for two seconds.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, Final, TextIO

import attrs
import trio
from rich.console import Group
from rich.live import Live

from actors.checks import check_count
from actors.cli.misuse import Misused
from actors.cli.posted.speak import run_command, say
from actors.cli.posted.way import Target, Way
from actors.cli.report import print_console
from actors.cli.seen.picture import picture
from actors.cli.seen.rates import Rates
from actors.cli.seen.way import observer_of
from actors.observe.fact import Fact
from actors.observe.service import FactPage, NextFacts, Sight, TellSnapshot

__all__ = ["Look", "show_top"]

_QUIET: Final = 2.0
"""Seconds after which a look is taken although nothing was told."""
_OFTEN: Final = 1.0
"""Seconds between two looks, at least."""
_ROUTINE: Final = ("Spawned", "Started", "TicketMoved")
"""Facts that are not shown below the actors."""
_SPARE: Final = 16
"""Lines of a terminal that are not for actors."""


@attrs.frozen
class Look:
    """The options of `actors top`."""

    sort: str
    limit: int
    once: bool
    json: bool


def show_top(target: Target, look: Look, out: TextIO, err: TextIO) -> int:
    """Show the system until Ctrl-C, or once; the exit code."""

    async def do() -> None:
        try:
            check_count("--limit", look.limit)
        except (TypeError, ValueError) as error:
            raise Misused(str(error)) from None
        async with observer_of(target) as way:
            await _Top(way, look, out).run()

    return run_command("top", do, err)


class _Top:
    def __init__(self, way: Way, look: Look, out: TextIO) -> None:
        self._way = way
        self._look = look
        self._out = out
        self._rates = Rates()
        self._facts: deque[Fact] = deque(maxlen=20)

    async def run(self) -> None:
        once = self._look.once or not (self._look.json or self._out.isatty())
        if once:
            await self._show(await self._sight(), None)
            return
        with ExitStack() as stack:
            live = None
            if not self._look.json:
                live = Live(console=print_console(self._out), auto_refresh=False, screen=True)
                stack.enter_context(live)
            while True:
                began = trio.current_time()
                sight = await self._sight()
                await self._show(sight, live)
                await self._news(sight.summary["after"])
                await trio.sleep_until(began + _OFTEN)

    async def _sight(self) -> Sight:
        sight: Sight = await self._way.ask(TellSnapshot(self._look.limit, self._look.sort))
        self._rates.look(sight.summary, sight.actors)
        return sight

    async def _news(self, after: int) -> None:
        """Wait for what comes next."""
        page: FactPage = await self._way.ask(NextFacts(after, seconds=_QUIET))
        self._facts.extend(fact for fact in page.facts if fact.kind not in _ROUTINE)

    async def _show(self, sight: Sight, live: Live | None) -> None:
        if self._look.json:
            said: dict[str, Any] = {**sight.summary, "actors": sight.actors, "more": sight.more}
            await say(self._out, json.dumps(said) + "\n")
            return
        console = print_console(self._out) if live is None else live.console
        height = None if live is None else console.height - _SPARE
        shown = picture(
            sight, self._rates, tuple(self._facts), as_tree=self._look.sort == "path", height=height
        )
        draw = console.print if live is None else _drawer(live)
        await trio.to_thread.run_sync(draw, shown, abandon_on_cancel=True)


def _drawer(live: Live) -> Callable[[Group], None]:
    def draw(shown: Group) -> None:
        live.update(shown, refresh=True)

    return draw
